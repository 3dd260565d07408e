/* percentile.c — the magnitude below which a given fraction of the values lies, in four readings of that sentence.
 *
 * The fraction is of all finite values, zeros too, and on unsigned targets negative values count as zeros; or of the
 * non-zero ones alone. It is of magnitudes, or half of what is cut lies at either end of the signed values. Ranks are
 * exact integers; inside the bin that holds one, values are taken as evenly spread (error below one bin).
 */
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

struct reading {
    bool cuts_both_ends, leaves_zeros_out;
};

static const struct reading of_all = {0}, of_non_zeros = {.leaves_zeros_out = true},
                            both_ends = {.cuts_both_ends = true},
                            both_ends_of_non_zeros = {.cuts_both_ends = true, .leaves_zeros_out = true};

/* The magnitude of this rank among n values, of which those not in m are smaller. A rank among them would ask for a
 * threshold of 0: the smallest magnitude stands in for it. */
static double magnitude_of(const struct magnitudes *m, uint64_t rank, uint64_t n)
{
    uint64_t below = n - m->total;

    return magnitudes_at_rank(m, rank > below ? rank - below : 1);
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    const struct reading *reading = method->parameters;
    double kept = request->percentile, t = 0;
    struct magnitudes m;

    if (!(kept > 0 && kept <= 1))
        return error_set(err, EX_SOFTWARE, "percentile: expected a fraction in (0, 1], found %g", kept);
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    uint64_t n = reading->leaves_zeros_out ? m.total : m.finite;

    if (!reading->cuts_both_ends)
        t = magnitude_of(&m, counts_rank(kept, n), n);
    for (int is_negative = 0; reading->cuts_both_ends && is_negative <= !request->is_unsigned; is_negative++) {
        struct magnitudes side;

        if (magnitudes_of_sign(&m, request->histogram, is_negative, &side))
            t = fmax(t, magnitude_of(&side, counts_rank((1 + kept) / 2, n), n));
    }
    found->threshold = magnitudes_threshold(&m, t);
    magnitudes_fini(&m);
    return 0;
}

#define PERCENTILE(id, text, says, row)                                                                                \
    const struct threshold_method threshold_method_##id = {                                                            \
        .name = text, .summary = says, .parameters = &(row), .search = search}

PERCENTILE(percentile, "percentile", "magnitude that a fraction of all values (zeros counted) does not exceed", of_all);
PERCENTILE(percentile_nz, "percentile-nz", "the same of the values that are not zero", of_non_zeros);
PERCENTILE(percentile_two, "percentile-two", "two-sided: half of what is cut lies at either end, zeros counted",
           both_ends);
PERCENTILE(percentile_two_nz, "percentile-two-nz", "two-sided, of the values that are not zero",
           both_ends_of_non_zeros);
