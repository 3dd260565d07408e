/* method.h — our calibration method in the vendor's words. His own calibration then repeats the choice, not our
 * numbers.
 */
#ifndef ETALON_HORIZON_METHOD_H
#define ETALON_HORIZON_METHOD_H

#include "formats/horizon/horizon.h"

struct horizon_method {
    const char *calibration_type; /* "max" or "kl" */
    bool has_percentile;
    double percentile; /* of max: 0.5 to 1 */
    bool is_same;      /* false: ours has no name there, the vendor's usual percentile stands in */
};

struct horizon_method horizon_method(const struct emit_info *info);

#endif
