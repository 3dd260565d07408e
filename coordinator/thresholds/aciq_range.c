/* aciq_range.c — ACIQ's clip of a Gauss density whose sigma is guessed from the range of a record alone, as ncnn's and
 * TNN's tools do (calibration.md section 6; Banner 2019, arXiv:1810.05723).
 *
 * The range of n normal values is about sqrt(2 ln n) sigma / g, with g = 0.175 (1 + sqrt(pi ln 4)). Values that are
 * never negative are half of a density: their range is twice the largest.
 */
#include "coordinator/thresholds/aciq.h"
#include "coordinator/thresholds/record_range.h"

#include "common/math.h"

#include <math.h>

double aciq_sigma_of_range(double range, double n)
{
    const double pi_ln_4 = 4.355172180607204; /* no libm where a threshold is decided */

    return range * 0.175 * (1 + sqrt(pi_ln_4)) / sqrt(2 * math_log(n));
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    struct record_range range;
    double width;

    (void)method;
    if (!record_range(request, &range) || range.elements < 2) /* one value has no range */
        return record_range_unknown(request, found, err);
    width = range.smallest < 0 ? range.largest - range.smallest : 2 * range.largest;
    found->threshold = record_range_threshold(request, aciq_gauss_ratio((double)request->steps + 1) *
                                                           aciq_sigma_of_range(width, range.elements));
    return 0;
}

const struct threshold_method threshold_method_aciq_range = {
    .name = "aciq-range",
    .summary = "clip of a Gauss density, its deviation guessed from the range of a record, on average",
    .wants = EXTRAS_EXTREMA,
    .minimizes_error = true,
    .search = search,
};
