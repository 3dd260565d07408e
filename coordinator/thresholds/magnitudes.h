/* magnitudes.h — what the threshold methods look at: counts of |x| on the side that the target can show.
 *
 * Methods compute in units of bins and convert once at the end. The unit is a power of two, so nothing is rounded by it
 * and scaling the data by 2^j cannot change a decision.
 */
#ifndef ETALON_MAGNITUDES_H
#define ETALON_MAGNITUDES_H

#include "coordinator/thresholds.h"

struct magnitudes {
    size_t bins;
    uint64_t *count; /* [bins], owned: bin k counts k <= |x| < k + 1, in bins */
    uint64_t total;  /* sum of count */
    double limit;    /* threshold_limit in bins: 0 < limit < bins */
    int32_t exponent;
};

/* EX_OSERR; EX_SOFTWARE when no value has a magnitude on this side. */
int magnitudes_init(struct magnitudes *m, const struct threshold_request *request, struct error *err);
void magnitudes_fini(struct magnitudes *m);

/* A threshold of `bins` > 0 in units of the activation: at most the limit, never rounded to zero. */
float magnitudes_threshold(const struct magnitudes *m, double bins);

#endif
