/* metrics.h — how far the simulated network is from fp32: state that merges, integers only. What is counted of a
 * network's output is in metrics/metric.h.
 *
 * Per value and block, sums are taken in a fixed order in double and added to exact accumulators, so the state depends
 * on the set of blocks only.
 */
#ifndef ETALON_METRICS_H
#define ETALON_METRICS_H

#include "common/exact_sum.h"
#include "common/error.h"

#include <stdbool.h>

enum { METRICS_CODES = 256, METRICS_MAX_TOP = 4, METRICS_MAX_CLASSES = 256 };

struct value_error {            /* of one value of one target against fp32 */
    struct exact_sum signal;    /* sum x^2 */
    struct exact_sum noise;     /* sum (x - x^)^2 */
    struct exact_sum product;   /* sum x x^ */
    struct exact_sum simulated; /* sum x^ ^2 */
    uint64_t elements, clipped;
    uint64_t incomparable; /* elements of blocks whose sums are NaN or Inf: in no sum */
    /* No sums; merging takes the larger, and either's bits: */
    uint64_t largest;                  /* |x - x^| as the bits of a float, which order like its value */
    uint64_t used[METRICS_CODES / 64]; /* bit i: some element had the i-th code of the range; codes of 8 bits only */
};

/* x, y: n values in plain order. The codes' use is counted beside it: simulator_code_use on `used`. */
void value_error_add(struct value_error *e, const float *x, const float *y, size_t n, uint64_t clipped);
void value_error_merge(struct value_error *into, const struct value_error *from);
void value_error_normalise(struct value_error *e); /* canonical limbs: equal sums have equal bytes */
/* NaN where any block is incomparable: what is left would make a broken network look good. Else: */
double value_error_sqnr_db(const struct value_error *e); /* +Inf when noise is 0 */
double value_error_cosine(const struct value_error *e);  /* 1 for 0/0 */
double value_error_mse(const struct value_error *e);     /* mean of (x - x^)^2; NaN for 0 elements */
double value_error_max(const struct value_error *e);
size_t value_error_used_codes(const struct value_error *e); /* how many codes occur */

/* Index of the largest value, the first among equals. NaN is smaller than everything; 0 when all are. */
size_t arg_max(const float *x, size_t n);
/* Is `label` among the k largest? Ties: the lower index ranks first. A label whose score is NaN is not, nor is one
 * outside [0, n). */
bool in_top_k(const float *x, size_t n, int64_t label, size_t k);

/* Kullback-Leibler divergence sum p ln(p / q) of two outputs of n scores: probabilities, or logits that softmax makes
 * so. A q of 0 counts as the smallest normal float. NaN where any score is. */
double output_divergence(const float *p, const float *q, size_t n, bool are_probabilities);
/* Standard error of a fraction of n, sqrt(a (1 - a) / n); NaN for n == 0. */
double standard_error(uint64_t hits, uint64_t n);
/* McNemar's exact test: how likely a split at least as uneven as lost : gained is when both are equally likely. */
double mcnemar_p(uint64_t lost, uint64_t gained);

#endif
