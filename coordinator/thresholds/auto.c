/* auto.c — the candidate with the least weighted error, value by value.
 *
 * Clipping and rounding do not hurt alike: rounding errors of many values are independent and average out in the dot
 * products that read them, clipping errors all have one sign and hit the values that carry the signal. So clipping
 * counts three times (the gamma of AIMET's enhanced range search, calibration.md section 5). By the plain squared error
 * mse would always win. Candidates that the guard would reject do not stand.
 */
#include "coordinator/thresholds/error_table.h"
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

static const double clipping_weight = 3;

/* By squared error, by information, by rank, by shape, and not clipping at all. Ties go to the first. */
static const char *const candidates[] = {"mse", "minmax", "octav", "percentile", "kl", "aciq", NULL};

/* Integral of (x - t)^2 over the values above t. */
static double clipping_error(const struct magnitudes *m, double t)
{
    double sum = 0;

    for (size_t k = (size_t)t; k < m->bins; k++) {
        double from = fmax((double)k, t) - t, to = (double)k + 1 - t;

        sum += (double)m->count[k] * (to * to * to - from * from * from) / 3;
    }
    return sum;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    double least = INFINITY, safe = 0;
    struct error_table table = {0};
    struct magnitudes m;
    int rc;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    rc = error_table_init(&table, m.count, m.bins, err);
    for (size_t i = 0; rc == 0 && candidates[i] != NULL; i++) {
        const struct threshold_method *candidate = threshold_method_find(candidates[i]);
        struct threshold_found by_candidate = {0};
        double t, error;

        rc = candidate->search(candidate, request, &by_candidate, err);
        if (rc != 0)
            break;
        t = (double)by_candidate.threshold;
        safe = i == 0 ? t : safe;
        if (t < (double)threshold_limit(request) && !threshold_is_safe(request, t, safe))
            continue;
        t = ldexp(t, -m.exponent);
        error = error_table_error(&table, 0, t / request->steps, request->steps) +
                (clipping_weight - 1) * clipping_error(&m, t);
        if (error < least) {
            least = error;
            *found = (struct threshold_found){by_candidate.threshold, candidate->name};
        }
    }
    error_table_fini(&table);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_auto = {
    .name = "auto",
    .summary = "per value the candidate with the least error, clipping weighted three times",
    .minimizes_error = true,
    .candidates = candidates,
    .search = search,
};
