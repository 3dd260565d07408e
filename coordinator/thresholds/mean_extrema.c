/* mean_extrema.c — the largest value of a record on average, where min-max takes that of all records: NNCF's default
 * for activations (calibration.md section 7). Means are exact sums over records, so any ranks and order give the same
 * bits.
 */
#include "coordinator/thresholds/record_range.h"

#include <float.h>
#include <math.h>

bool record_range(const struct threshold_request *request, struct record_range *range)
{
    const struct record_extrema *e = request->extrema;

    if (e == NULL || e->records == 0)
        return false;
    *range = (struct record_range){exact_sum_value(&e->smallest) / (double)e->records,
                                   exact_sum_value(&e->largest) / (double)e->records,
                                   (double)e->elements / (double)e->records};
    return true;
}

float record_range_threshold(const struct threshold_request *request, double threshold)
{
    return fmaxf(FLT_TRUE_MIN, fminf((float)threshold, threshold_limit(request)));
}

int record_range_unknown(const struct threshold_request *request, struct threshold_found *found, struct error *err)
{
    const struct threshold_method *mse = threshold_method_find("mse");

    found->by = mse->name;
    return mse->search(mse, request, found, err);
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    struct record_range range;

    (void)method;
    if (!record_range(request, &range))
        return record_range_unknown(request, found, err);
    found->threshold =
        record_range_threshold(request, request->is_unsigned ? range.largest : fmax(range.largest, -range.smallest));
    return 0;
}

const struct threshold_method threshold_method_mean_extrema = {
    .name = "mean-of-extrema",
    .summary = "largest magnitude of a record, on average over records",
    .wants = EXTRAS_EXTREMA,
    .search = search,
};
