/* percentile.c — the magnitude below which a given fraction of the values lies.
 *
 * The fraction is of all finite values: zeros count, and on unsigned targets negative values count as zeros. The rank
 * is an exact integer; inside the bin that holds it, values are taken as evenly spread (error below one bin).
 */
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

__extension__ typedef unsigned __int128 uint128;

/* ceil(fraction * n) without rounding: fraction = mantissa 2^-shift. At least 1. */
static uint64_t rank_of(double fraction, uint64_t n)
{
    int exponent;
    uint128 product = (uint128)(uint64_t)ldexp(frexp(fraction, &exponent), 53) * n, rank;
    int shift = 53 - exponent; /* fraction <= 1: at least 52 */

    if (shift > 127)
        return 1;
    rank = (product >> shift) + ((product & (((uint128)1 << shift) - 1)) != 0);
    return rank == 0 ? 1 : (uint64_t)rank;
}

static int search(const struct threshold_request *request, float *threshold, struct error *err)
{
    const struct histogram *h = request->histogram;
    uint64_t finite = h->n - h->nans - h->positive_infs - h->negative_infs, rank, below;
    struct magnitudes m;
    size_t k = 0;

    if (!(request->percentile > 0 && request->percentile <= 1))
        return error_set(err, EX_SOFTWARE, "percentile: expected a fraction in (0, 1], found %g", request->percentile);
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    /* A rank among the zeros would ask for a threshold of 0: the smallest magnitude stands in for it. */
    below = finite - m.total;
    rank = rank_of(request->percentile, finite);
    if (rank <= below)
        rank = below + 1;
    while (below + m.count[k] < rank)
        below += m.count[k++];
    *threshold = magnitudes_threshold(&m, (double)k + (double)(rank - below) / (double)m.count[k]);
    magnitudes_fini(&m);
    return 0;
}

const struct threshold_method threshold_method_percentile = {
    .name = "percentile",
    .summary = "magnitude that a fraction of all values (zeros counted) does not exceed",
    .search = search,
};
