/* admm.h — one run of the alternation behind the admm method. Exposed for its tests. */
#ifndef ETALON_THRESHOLD_ADMM_H
#define ETALON_THRESHOLD_ADMM_H

#include "coordinator/thresholds/magnitudes.h"

/* From scale `start` > 0, in bins, to the fixed point of q = min(round half up(c / a), steps), a = sum n c q / sum n
 * q^2, over counts n and bin centres c. `start` itself where all codes are 0. */
double admm_alternate(const struct magnitudes *m, int32_t steps, double start);

#endif
