/* magnitudes.h — what the threshold methods look at: counts of |x| on the side that the target can show, or of x on
 * both.
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
    uint64_t finite; /* finite values: zeros and the other side too */
    int32_t exponent;
};

/* EX_OSERR; EX_SOFTWARE when no value has a magnitude on this side. */
int magnitudes_init(struct magnitudes *m, const struct threshold_request *request, struct error *err);
void magnitudes_fini(struct magnitudes *m);

/* One sign of the same histogram: its counts are borrowed, no fini. false: no value has that sign. */
bool magnitudes_of_sign(const struct magnitudes *m, const struct histogram *h, bool is_negative,
                        struct magnitudes *side);

/* The same counts with the signs apart: a line of bins, bin k counting k - origin <= x < k - origin + 1 in bins of the
 * histogram. Where is_unsigned, negative values count as zeros. */
struct signed_counts {
    size_t bins, origin;
    uint64_t *count; /* [bins], owned; without the zeros */
    uint64_t zeros;
    uint64_t total;   /* sum of count; >= 1 */
    double low, high; /* where the smallest and the largest finite value lie, in bins from the left; zeros count */
};

/* As magnitudes_init. */
int signed_counts_init(struct signed_counts *s, const struct threshold_request *request, struct error *err);
void signed_counts_fini(struct signed_counts *s);

/* Splits counts of values in [low, high] over n new bins: new bin k ends at edge + k width, the first takes all below,
 * the last all above. Counts stay integers and add up to the total: what lies below an edge inside a bin is the bin's
 * proportional part, rounded down (calibration.md section 15); the bins of low and high are filled between them only.
 */
void counts_resample(const uint64_t *count, double low, double high, double edge, double width, uint64_t *out,
                     size_t n);

/* ceil(fraction x n), exact, at least 1; 0 <= fraction <= 1. */
uint64_t counts_rank(double fraction, uint64_t n);
/* Where the rank-th smallest of the magnitudes lies, 1 <= rank <= total; in bins, at most m->limit. */
double magnitudes_at_rank(const struct magnitudes *m, uint64_t rank);

/* The centre of bin k, that of the last bin held at the limit. */
double magnitudes_centre(const struct magnitudes *m, size_t k);

/* A threshold of `bins` > 0 in units of the activation: at most the limit, never rounded to zero. */
float magnitudes_threshold(const struct magnitudes *m, double bins);

#endif
