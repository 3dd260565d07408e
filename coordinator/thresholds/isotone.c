/* isotone.c — the scale with which the largest output of most records still has the largest code (calibration.md
 * section 5).
 *
 * Of a record with the largest output l1 and the second largest l2, codes up to Q keep the order where
 *   l2 <= (Q - 0.51) s, so that l2 does not reach the last code, and s <= 2 (l1 - max(l2, 0)), so that l1 is a code
 * above. Both sides are histograms over records. A scale is judged by how many conditions it breaks: moving s up mends
 * the first kind, bin by bin, and breaks the second. A bin counts as broken as soon as some value in it may be.
 */
#include "coordinator/thresholds/record_range.h"

#include <math.h>

/* Scales from `low` to `high` break the same conditions. */
struct plateau {
    double low, high;
    uint64_t broken;
};

/* What the second condition says of scales in ascending order. */
struct gaps {
    const struct histogram *histogram;
    size_t bin;
    uint64_t below; /* gaps in lower bins; those of bin 0, and those of 0 and less, break it for every scale */
};

static uint64_t count_positive(const struct histogram *h)
{
    uint64_t n = 0;

    for (size_t k = 0; k < h->bins; k++)
        n += h->positive[k];
    return n;
}

/* Moves on to `scale`: bins that begin below half of it. */
static void advance(struct gaps *gaps, double scale)
{
    const struct histogram *h = gaps->histogram;

    while (gaps->bin < h->bins && ldexp((double)gaps->bin, h->exponent + 1) < scale)
        gaps->below += h->positive[gaps->bin++];
}

/* Where the next gap breaks. */
static double next_break(const struct gaps *gaps)
{
    const struct histogram *h = gaps->histogram;
    size_t k = gaps->bin;

    while (k < h->bins && h->positive[k] == 0)
        k++;
    return k == h->bins ? INFINITY : ldexp((double)k, h->exponent + 1);
}

/* Fewer broken conditions; of as many, the wider plateau. */
static bool is_better(const struct plateau *a, const struct plateau *b)
{
    return a->broken < b->broken || (a->broken == b->broken && a->high * b->low > b->high * a->low);
}

static struct plateau find_plateau(const struct top_two *t, int32_t steps, double largest_scale)
{
    const struct histogram *second = &t->second, *gap = &t->gap;
    uint64_t finite = gap->n - gap->nans - gap->positive_infs - gap->negative_infs, above = count_positive(second);
    struct gaps gaps = {gap, 1, finite - count_positive(gap) + gap->positive[0]};
    struct plateau best = {largest_scale, largest_scale, UINT64_MAX};

    /* Nothing asks for more than the least gap above bin 0 allows: the lowest plateau breaks the fewest, and as it
     * reaches down to 0, where all is clipped, its upper end stands for it. */
    if (above == 0) {
        best.low = best.high = fmin(next_break(&gaps), largest_scale);
        return best;
    }
    for (size_t k = 0; k < second->bins; k++) {
        double low = fmin(ldexp((double)k + 1, second->exponent) / (steps - 0.51), largest_scale);
        struct plateau plateau = {low, low, 0};

        above -= second->positive[k];
        if (second->positive[k] == 0 && k > 0)
            continue; /* the first condition is what it was, the second can only be worse */
        advance(&gaps, low);
        plateau.broken = above + gaps.below;
        plateau.high = fmax(low, fmin(next_break(&gaps), largest_scale));
        if (is_better(&plateau, &best))
            best = plateau;
    }
    return best;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    float limit = threshold_limit(request);
    struct plateau plateau;

    (void)method;
    if (request->top_two == NULL)
        return record_range_unknown(request, found, err);
    plateau = find_plateau(request->top_two, request->steps, (double)limit / request->steps);
    found->threshold = record_range_threshold(request, sqrt(plateau.low * plateau.high) * request->steps);
    return 0;
}

const struct threshold_method threshold_method_isotone = {
    .name = "isotone",
    .summary = "of outputs: most records keep their largest one; of other values as mse",
    .wants = EXTRAS_TOP_TWO,
    .keeps_order = true,
    .search = search,
};
