/* thresholds.h — from merged counts to the largest magnitude worth keeping. One method a file in thresholds/.
 *
 * A method is a pure function of one histogram: same counts, same bits, on every machine (no libm where it decides).
 * Multiplying all values by 2^j multiplies every threshold by exactly 2^j, as long as both stay normal floats.
 */
#ifndef ETALON_THRESHOLDS_H
#define ETALON_THRESHOLDS_H

#include "common/histogram.h"
#include "worker/extras.h"

struct threshold_request {
    const struct histogram *histogram; /* at least one finite non-zero value */
    int32_t steps;                     /* codes on one side: 127 (signed), 255 (unsigned) */
    bool is_unsigned;  /* only the positive side exists on the target; negative counts are clipped mass */
    double percentile; /* percentile method: fraction kept, (0, 1] */
    /* Of methods that want them; NULL where they were not collected, or not for this value. */
    const struct record_extrema *extrema;
    const struct top_two *top_two;
};

struct threshold_found {
    float threshold; /* 0 < threshold <= threshold_limit(request), finite */
    const char *by;  /* the method whose threshold it is, where one method chooses among others; else NULL */
};

/* What decides: the merged counts, which the archive keeps, so that a threshold can be found again without data; or
 * what the model's file brings along. */
enum threshold_source { THRESHOLD_FROM_ARCHIVE, THRESHOLD_FROM_MODEL };

struct threshold_method {
    const char *name;    /* what the user writes under calibration.activations */
    const char *summary; /* one line of `etalon methods`, with its source */
    enum threshold_source reads;
    unsigned wants;       /* kinds of extras that the data pass must have counted for it; 0: histograms will do */
    bool keeps_order;     /* promises the order of outputs, whatever it clips: the guard has no say */
    bool minimizes_error; /* promises no more squared error than max|x|; the guard holds it to that */
    bool searches_ends;   /* where codes may lie unevenly around zero, their ends are those of the least squared error
                           * (zero_point.h); else those of the values within the threshold */
    const char *const *candidates; /* of a method that chooses among others: their names, NULL-terminated */
    const void *parameters;        /* of methods that share one search: the row of their table */
    /* What TNN's own tool keeps under this method: the last of RANGE_BINS bins (worker/ranges.h). NULL: it has none. */
    size_t (*in_tnn)(const uint64_t *counts);
    /* EX_OSERR no memory; EX_SOFTWARE when the limit is 0. */
    int (*search)(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err);
};

extern const struct threshold_method *const threshold_methods[]; /* NULL-terminated */
const struct threshold_method *threshold_method_find(const char *name);

/* Largest finite magnitude that codes of the target could show: max|x|, or max(x, 0) where is_unsigned. 0: there is
 * none. */
float threshold_limit(const struct threshold_request *request);

/* Histogram squared error of a threshold: E(T) of calibration.md section 5, exact bin integral, summed over counts (not
 * divided by n). Used by the guard; the mse method minimises the same function. */
double threshold_squared_error(const struct threshold_request *request, double threshold);
/* sum over |x| > T of (|x| - T)^2 / sum x^2, bin centres (that of the last bin held at max|x|, so max clips nothing).
 */
double threshold_clipped_energy(const struct threshold_request *request, double threshold);

/* Would the guard let this threshold pass? `safe` is that of mse. */
bool threshold_is_safe(const struct threshold_request *request, double threshold, double safe);

/* method->search behind the guard: a threshold below the limit that clips more than 1 % of the energy, or whose squared
 * error is over twice that of mse (or more than that of the limit, where the method minimizes_error), is replaced by
 * mse's. Never fails on odd statistics:
 * - nothing but zeros (or nothing at all): T = steps, that is scale 1, "zero";
 * - all magnitudes in one bin, a constant: T = the largest of them, "minmax (one bin)";
 * - T / steps would not be a normal float: T = steps x 2^-126, "floor" (the only case in which T may exceed max|x|).
 * *decided names who decided ("kl", "auto (kl)", "mse (guard)", or one of the above); at least PLAN_METHOD_BYTES.
 * EX_OSERR. */
int threshold_decide(const struct threshold_method *method, const struct threshold_request *request, float *threshold,
                     char *decided, struct error *err);

#endif
