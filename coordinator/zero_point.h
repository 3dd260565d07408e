/* zero_point.h — where real zero lies among the codes of values of both signs, on targets that let it lie anywhere.
 *
 * A threshold T with the profile's own zero point gives either sign half of the codes: what lies in [-0.3, 6] uses 133
 * of 256. Here codes cover [low, high], -T <= low <= 0 <= high <= T. Zero stays exact: of the 255 steps a whole number,
 * `below`, lies under it, and a step is the smallest that reaches both ends,
 *
 *     step = max(-low / below, high / (255 - below)),
 *
 * with the better of the two numbers next to 255 (-low) / (high - low) (calibration.md section 1: one border moves out
 * until zero is on a code).
 */
#ifndef ETALON_ZERO_POINT_H
#define ETALON_ZERO_POINT_H

#include "common/histogram.h"
#include "common/quant.h"

struct zero_point_request {
    const struct histogram *histogram; /* of all values that share the codes */
    struct code_range codes;           /* with the profile's own zero point */
    int32_t steps;                     /* its scale is threshold / steps */
    float threshold;                   /* finite, > 0 */
    bool searches_ends;                /* for the least squared error; else they are where T and the values end */
};

struct zero_point_found {
    float threshold; /* moved: of the longer side, where its codes end */
    float scale;
    int32_t moved; /* from the profile's zero point; 0: it stays there, and so does the threshold */
};

/* Ends of values are those of the histogram; none is clipped that `threshold` keeps, unless the ends are searched for.
 * The zero point moves only where that takes a sixteenth of the squared error away (exact bin integral, as the mse
 * method has it): otherwise files and arithmetic stay as simple as they are. EX_OSERR. */
int zero_point_find(const struct zero_point_request *request, struct zero_point_found *found, struct error *err);

/* Of given ends, low <= 0 <= high, not both 0: what they were is what counts, so the zero point moves wherever that
 * makes steps smaller. Ends of codes of one scale give that scale and that zero point again. */
struct zero_point_found zero_point_of_ends(double low, double high, struct code_range codes, float threshold,
                                           int32_t steps);

#endif
