/* metrics.h — how far the simulated network is from fp32: state that merges, integers only.
 *
 * Per value and block, sums are taken in a fixed order in double and added to exact accumulators, so the state depends
 * on the set of blocks only.
 */
#ifndef ETALON_METRICS_H
#define ETALON_METRICS_H

#include "common/exact_sum.h"
#include "common/error.h"

#include <stdbool.h>

struct value_error {            /* of one value of one target against fp32 */
    struct exact_sum signal;    /* sum x^2 */
    struct exact_sum noise;     /* sum (x - x^)^2 */
    struct exact_sum product;   /* sum x x^ */
    struct exact_sum simulated; /* sum x^ ^2 */
    uint64_t elements, clipped;
    uint64_t incomparable; /* elements of blocks whose sums are NaN or Inf: in no sum */
};

enum { METRICS_MAX_TOP = 4 };

struct accuracy { /* of one network (fp32, or one target) on labelled records */
    uint64_t records, labelled;
    uint64_t top_hits[METRICS_MAX_TOP]; /* per k of the job's top_k list */
    uint64_t agreements;                /* arg-max equal to fp32's */
};

/* x, y: n values in plain order. */
void value_error_add(struct value_error *e, const float *x, const float *y, size_t n, uint64_t clipped);
void value_error_merge(struct value_error *into, const struct value_error *from);
void value_error_normalise(struct value_error *e); /* canonical limbs: equal sums have equal bytes */
/* NaN where any block is incomparable: what is left would make a broken network look good. Else: */
double value_error_sqnr_db(const struct value_error *e); /* +Inf when noise is 0 */
double value_error_cosine(const struct value_error *e);  /* 1 for 0/0 */

/* Index of the largest value, the first among equals. NaN is smaller than everything; 0 when all are. */
size_t arg_max(const float *x, size_t n);
/* Is `label` among the k largest? Ties: the lower index ranks first. A label whose score is NaN is not, nor is one
 * outside [0, n). */
bool in_top_k(const float *x, size_t n, int64_t label, size_t k);

#endif
