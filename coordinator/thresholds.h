/* thresholds.h — from merged counts to the largest magnitude worth keeping. One method a file in thresholds/.
 *
 * A method is a pure function of one histogram: same counts, same bits, on every machine (no libm where it decides).
 */
#ifndef ETALON_THRESHOLDS_H
#define ETALON_THRESHOLDS_H

#include "common/histogram.h"

struct threshold_request {
    const struct histogram *histogram; /* at least one finite non-zero value */
    int32_t steps;       /* codes on one side: 127 (signed), 255 (unsigned) */
    bool is_unsigned;    /* only the positive side exists on the target; negative counts are clipped mass */
    double percentile;   /* percentile method: fraction kept, (0, 1] */
};

struct threshold_method {
    const char *name;    /* what the user writes under calibration.activations */
    const char *summary; /* one line of `etalon methods`, with its source */
    /* 0 < *threshold <= max|x|, finite. EX_SOFTWARE only. */
    int (*search)(const struct threshold_request *request, float *threshold, struct error *err);
};

extern const struct threshold_method *const threshold_methods[]; /* NULL-terminated */
const struct threshold_method *threshold_method_find(const char *name);

/* Histogram squared error of a threshold: E(T) of calibration.md section 5, exact bin integral, summed over counts (not
 * divided by n). Used by the mse method and by the guard. */
double threshold_squared_error(const struct threshold_request *request, double threshold);
/* sum over |x| > T of (|x| - T)^2 / sum x^2, bin centres. */
double threshold_clipped_energy(const struct threshold_request *request, double threshold);

/* method->search behind the guard: all-zero and constant values get a finite positive threshold; a threshold that clips
 * more than 1 % of the energy, or whose squared error is over twice that of mse, is replaced by mse's. *decided names who
 * decided ("kl", "mse (guard)", "minmax", "zero"); at least PLAN_METHOD_BYTES. */
int threshold_decide(const struct threshold_method *method, const struct threshold_request *request, float *threshold,
                     char *decided, struct error *err);

#endif
