/* grid_output.c — the best scale of grid for the outputs: errors count by how large the inputs are that they meet.
 *
 * A weight's error e moves the output by e x, so sum e^2 E[x^2] of its input channel is the output's squared error
 * where channels are independent of each other (calibration.md section 8). Scales whose plain squared error is more
 * than that of max-abs do not stand.
 */
#include "coordinator/weights.h"

#include "common/memory.h"
#include "worker/extras.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* As in grid. */
enum { FIRST = 100, LAST = 200 };

static double weighted_error(const float *w, const double *importance, size_t n, int32_t limit, float scale,
                             int16_t *codes)
{
    double error = 0;

    weight_codes(w, n, limit, scale, codes);
    for (size_t i = 0; i < n; i++) {
        double miss = (double)w[i] - (double)scale * codes[i];

        error += miss * miss * importance[i];
    }
    return error;
}

static int search_weighted(const float *w, const double *importance, size_t n, int32_t limit, float *scale,
                           struct error *err)
{
    int16_t *codes = memory_create(n, sizeof *codes, "the codes of an output channel", err);
    double least, most;
    float no_clip;

    if (codes == NULL || weight_scale_max_abs(w, n, limit, scale, err) != 0) {
        free(codes);
        return -1;
    }
    no_clip = *scale;
    most = weight_codes(w, n, limit, no_clip, NULL);
    least = weighted_error(w, importance, n, limit, no_clip, codes);
    for (int part = FIRST; part < LAST; part++) {
        float candidate = fmaxf((float)((double)no_clip * part / LAST), FLT_MIN);
        double error = weighted_error(w, importance, n, limit, candidate, codes);

        if (error < least && weight_codes(w, n, limit, candidate, NULL) <= most) {
            least = error;
            *scale = candidate;
        }
    }
    free(codes);
    return 0;
}

/* Where nothing is known of the inputs. */
static int search(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    return weight_method_find("grid")->search(w, n, limit, scale, err);
}

const struct weight_method weight_method_grid_output = {
    .name = "grid-output",
    .summary = "the same, errors weighted by the second moments of what the weights meet",
    .beats_max_abs = true,
    .wants = EXTRAS_SQUARES,
    .search = search,
    .search_weighted = search_weighted,
};
