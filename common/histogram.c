/* histogram.c — life, folding, merging and checking of histograms; counting is in histogram_observe.c. */
#include "common/histogram_kernels.h"
#include "common/memory.h"

#include <stdlib.h>

static const uint64_t MAX_COUNT = (uint64_t)1 << 63;

int histogram_init(struct histogram *h, size_t bins, struct error *err)
{
    *h = (struct histogram){0};
    if (bins < 2 || bins > HISTOGRAM_MAX_BINS || (bins & (bins - 1)) != 0)
        return error_set(err, EX_USAGE, "a histogram has a power of two of bins between 2 and %d, not %zu",
                         HISTOGRAM_MAX_BINS, bins);
    h->positive = memory_create(bins, sizeof *h->positive, "a histogram", err);
    if (h->positive == NULL)
        return -1;
    h->bins = bins;
    h->exponent = HISTOGRAM_EMPTY_EXPONENT;
    h->min = INFINITY;
    h->max = -INFINITY;
    return 0;
}

void histogram_fini(struct histogram *h)
{
    free(h->positive);
    free(h->negative);
    *h = (struct histogram){0};
}

int histogram_need_negative(struct histogram *h, struct error *err)
{
    if (h->negative == NULL)
        h->negative = memory_create(h->bins, sizeof *h->negative, "the negative half of a histogram", err);
    return h->negative == NULL ? -1 : 0;
}

/* c'[j] = sum of c[k] over k >> levels == j, in place: no target lies above its sources. */
static void fold(uint64_t *counts, size_t bins, unsigned levels)
{
    for (size_t k = 1; counts != NULL && k < bins; k++) {
        uint64_t count = counts[k];

        counts[k] = 0;
        counts[k >> levels] += count;
    }
}

/* Bins are fewer than 2^32: 32 levels gather everything in bin 0, and more would be no defined shift. */
static unsigned fold_levels(int32_t from, int32_t to)
{
    int64_t levels = (int64_t)to - from;

    return levels > 32 ? 32 : (unsigned)levels;
}

void histogram_fold_to(struct histogram *h, int32_t e)
{
    if (e <= h->exponent)
        return;
    fold(h->positive, h->bins, fold_levels(h->exponent, e));
    fold(h->negative, h->bins, fold_levels(h->exponent, e));
    h->exponent = e;
}

/* into[k >> levels] += from[k], as far as that lies in `into`: beyond, there are no counts. */
static void add_folded(uint64_t *into, size_t bins, const uint64_t *from, size_t from_bins, unsigned levels)
{
    size_t n = levels < 32 && bins << levels < from_bins ? bins << levels : from_bins;

    for (size_t k = 0; from != NULL && k < n; k++)
        into[k >> levels] += from[k];
}

int histogram_merge_finer(struct histogram *into, const struct histogram *from, struct error *err)
{
    float abs_max = histogram_abs_max(from);
    unsigned levels;

    if (into->bins > from->bins)
        return error_set(err, EX_SOFTWARE, "cannot merge histograms of %zu and %zu bins", into->bins, from->bins);
    /* No counter exceeds n (histogram_check), so n is the one to watch. */
    if (into->n > MAX_COUNT || from->n > MAX_COUNT - into->n)
        return error_set(err, EX_DATAERR, "more than 2^63 values in one histogram: %llu and %llu",
                         (unsigned long long)into->n, (unsigned long long)from->n);
    if (from->negative != NULL && histogram_need_negative(into, err) != 0)
        return -1;

    histogram_fold_to(into, from->exponent);
    if (abs_max > 0) /* wider bins, where there are fewer */
        histogram_fold_to(into, histogram_exponent_for(abs_max, into->bins));
    levels = fold_levels(from->exponent, into->exponent);
    add_folded(into->positive, into->bins, from->positive, from->bins, levels);
    add_folded(into->negative, into->bins, from->negative, from->bins, levels);
    into->n += from->n;
    into->zeros += from->zeros;
    into->nans += from->nans;
    into->positive_infs += from->positive_infs;
    into->negative_infs += from->negative_infs;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    return 0;
}

int histogram_merge(struct histogram *into, const struct histogram *from, struct error *err)
{
    if (into->bins != from->bins)
        return error_set(err, EX_SOFTWARE, "cannot merge histograms of %zu and %zu bins", into->bins, from->bins);
    return histogram_merge_finer(into, from, err);
}

void histogram_clear(struct histogram *h)
{
    if (h->n == 0)
        return;
    memset(h->positive, 0, h->bins * sizeof *h->positive);
    if (h->negative != NULL)
        memset(h->negative, 0, h->bins * sizeof *h->negative);
    *h = (struct histogram){.bins = h->bins,
                            .exponent = HISTOGRAM_EMPTY_EXPONENT,
                            .positive = h->positive,
                            .negative = h->negative,
                            .min = INFINITY,
                            .max = -INFINITY};
}

/* One past the last bin that counts something; 0 where there is none. */
static size_t occupied(const uint64_t *counts, size_t bins)
{
    size_t end = counts == NULL ? 0 : bins;

    while (end > 0 && counts[end - 1] == 0)
        end--;
    return end;
}

static bool halves_equal(const uint64_t *a, const uint64_t *b, size_t bins)
{
    if (a != NULL && b != NULL)
        return memcmp(a, b, bins * sizeof *a) == 0;
    return occupied(a, bins) == occupied(b, bins); /* an absent half counts nothing */
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
    return a->bins == b->bins && a->exponent == b->exponent && a->n == b->n && a->zeros == b->zeros &&
           a->nans == b->nans && a->positive_infs == b->positive_infs && a->negative_infs == b->negative_infs &&
           a->min == b->min && a->max == b->max && halves_equal(a->positive, b->positive, a->bins) &&
           halves_equal(a->negative, b->negative, a->bins);
}

/* *sum += counts; false when that passes 2^63. Numbers come from a file, so nothing may wrap. */
static bool add_up(const uint64_t *counts, size_t n, uint64_t *sum)
{
    for (size_t k = 0; counts != NULL && k < n; k++) {
        if (counts[k] > MAX_COUNT - *sum)
            return false;
        *sum += counts[k];
    }
    return true;
}

static int check_counts(const struct histogram *h, struct error *err)
{
    const uint64_t others[] = {h->zeros, h->nans, h->positive_infs, h->negative_infs};
    uint64_t sum = 0;

    if (h->bins < 2 || h->bins > HISTOGRAM_MAX_BINS || (h->bins & (h->bins - 1)) != 0 || h->positive == NULL)
        return error_set(err, EX_DATAERR, "a histogram cannot have %zu bins", h->bins);
    if (!add_up(others, sizeof others / sizeof *others, &sum) || !add_up(h->positive, h->bins, &sum) ||
        !add_up(h->negative, h->bins, &sum))
        return error_set(err, EX_DATAERR, "the counts of a histogram add up to more than 2^63");
    if (sum != h->n)
        return error_set(err, EX_DATAERR, "the counts of a histogram add up to %llu, but it has seen %llu values",
                         (unsigned long long)sum, (unsigned long long)h->n);
    return 0;
}

/* The outermost occupied bin of one side must hold that side's extreme value; extreme <= 0: the side is empty. */
static int check_side(const struct histogram *h, const char *side, const uint64_t *counts, float extreme,
                      struct error *err)
{
    size_t end = occupied(counts, h->bins), expected = 0;

    if (extreme > 0)
        expected = (size_t)((double)extreme * histogram_scale(h->exponent)) + 1;
    if (end != expected)
        return error_set(err, EX_DATAERR, "%zu %s bins of a histogram are in use, but its range [%g, %g] needs %zu",
                         end, side, (double)h->min, (double)h->max, expected);
    return 0;
}

int histogram_check(const struct histogram *h, struct error *err)
{
    float abs_max;
    int32_t exponent = HISTOGRAM_EMPTY_EXPONENT;
    bool is_empty;

    if (check_counts(h, err) != 0)
        return -1;
    is_empty = h->n == h->nans + h->positive_infs + h->negative_infs;
    if (is_empty ? h->min != INFINITY || h->max != -INFINITY
                 : !isfinite(h->min) || !isfinite(h->max) || h->min > h->max)
        return error_set(err, EX_DATAERR, "[%g, %g] is not the range of the %llu finite values of a histogram",
                         (double)h->min, (double)h->max,
                         (unsigned long long)(h->n - h->nans - h->positive_infs - h->negative_infs));
    if (h->zeros > 0 && (h->min > 0 || h->max < 0))
        return error_set(err, EX_DATAERR, "a histogram counts zeros outside its range [%g, %g]", (double)h->min,
                         (double)h->max);
    abs_max = histogram_abs_max(h);
    if (abs_max > 0)
        exponent = histogram_exponent_for(abs_max, h->bins);
    if (h->exponent != exponent)
        return error_set(err, EX_DATAERR, "the bins of a histogram have width 2^%d, but its range [%g, %g] needs 2^%d",
                         (int)h->exponent, (double)h->min, (double)h->max, (int)exponent);
    if (check_side(h, "positive", h->positive, h->max, err) != 0)
        return -1;
    return check_side(h, "negative", h->negative, -h->min, err);
}

void histogram_magnitudes(const struct histogram *h, uint64_t *counts)
{
    memcpy(counts, h->positive, h->bins * sizeof *counts);
    add_folded(counts, h->bins, h->negative, h->bins, 0);
}

bool histogram_is_never_negative(const struct histogram *h)
{
    return h->min >= 0 && h->negative_infs == 0; /* min is +Inf where nothing was seen */
}

float histogram_abs_max(const struct histogram *h)
{
    if (h->min > h->max)
        return 0;
    return fmaxf(fabsf(h->min), fabsf(h->max));
}
