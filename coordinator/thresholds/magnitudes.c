/* magnitudes.c — see magnitudes.h. */
#include "coordinator/thresholds/magnitudes.h"

#include "common/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int magnitudes_init(struct magnitudes *m, const struct threshold_request *request, struct error *err)
{
    const struct histogram *h = request->histogram;
    float limit = threshold_limit(request);

    *m = (struct magnitudes){.bins = h->bins, .exponent = h->exponent};
    if (limit <= 0)
        return error_set(err, EX_SOFTWARE, "a threshold was asked for values that are all zero or below");
    m->limit = ldexp((double)limit, -h->exponent);
    m->count = memory_create(h->bins, sizeof *m->count, "the counts of a threshold search", err);
    if (m->count == NULL)
        return -1;
    if (request->is_unsigned)
        memcpy(m->count, h->positive, h->bins * sizeof *m->count);
    else
        histogram_magnitudes(h, m->count);
    for (size_t k = 0; k < m->bins; k++)
        m->total += m->count[k];
    m->finite = h->n - h->nans - h->positive_infs - h->negative_infs;
    return 0;
}

void magnitudes_fini(struct magnitudes *m)
{
    free(m->count);
    *m = (struct magnitudes){0};
}

bool magnitudes_of_sign(const struct magnitudes *m, const struct histogram *h, bool is_negative,
                        struct magnitudes *side)
{
    float limit = is_negative ? -h->min : h->max;

    *side = (struct magnitudes){.bins = h->bins, .exponent = h->exponent, .finite = m->finite};
    side->count = is_negative ? h->negative : h->positive;
    if (!(limit > 0) || side->count == NULL)
        return false;
    side->limit = ldexp((double)limit, -h->exponent);
    for (size_t k = 0; k < side->bins; k++)
        side->total += side->count[k];
    return true;
}

int signed_counts_init(struct signed_counts *s, const struct threshold_request *request, struct error *err)
{
    const struct histogram *h = request->histogram;
    bool has_negative = h->negative != NULL && !request->is_unsigned;

    *s = (struct signed_counts){.bins = 2 * h->bins, .origin = h->bins};
    if (threshold_limit(request) <= 0)
        return error_set(err, EX_SOFTWARE, "a threshold was asked for values that are all zero or below");
    s->count = memory_create(s->bins, sizeof *s->count, "the counts of a threshold search", err);
    if (s->count == NULL)
        return -1;
    for (size_t k = 0; k < h->bins; k++) {
        s->count[s->origin + k] = h->positive[k];
        s->count[s->origin - 1 - k] = has_negative ? h->negative[k] : 0;
        s->total += s->count[s->origin + k] + s->count[s->origin - 1 - k];
    }
    s->zeros = h->n - h->nans - h->positive_infs - h->negative_infs - s->total;
    s->low = (double)s->origin + ldexp((double)(request->is_unsigned ? fmaxf(h->min, 0) : h->min), -h->exponent);
    s->high = (double)s->origin + ldexp((double)h->max, -h->exponent);
    return 0;
}

void signed_counts_fini(struct signed_counts *s)
{
    free(s->count);
    *s = (struct signed_counts){0};
}

/* The part of bin k's values, all in [low, high], that lies below x; k <= x < k + 1. */
static double part_below(double x, double k, double low, double high)
{
    double from = fmax(k, low), to = fmin(k + 1, high);

    return x <= from ? 0 : x >= to ? 1 : (x - from) / (to - from);
}

void counts_resample(const uint64_t *count, double low, double high, double edge, double width, uint64_t *out, size_t n)
{
    size_t top = (size_t)high, k = 0;
    uint64_t below = 0, previous = 0; /* values below bin k, and below the previous edge */

    for (size_t i = 0; i < n; i++) {
        double x = i + 1 == n ? high : edge + (double)i * width;
        uint64_t inside;

        while (k < top && (double)(k + 1) <= x)
            below += count[k++];
        inside = i + 1 == n || x >= high ? count[k]
                 : x < (double)k         ? 0
                                         : (uint64_t)((double)count[k] * part_below(x, (double)k, low, high));
        out[i] = below + inside - previous;
        previous = below + inside;
    }
}

__extension__ typedef unsigned __int128 uint128;

/* fraction = mantissa 2^-shift, so nothing is rounded. */
uint64_t counts_rank(double fraction, uint64_t n)
{
    int exponent;
    uint128 product = (uint128)(uint64_t)ldexp(frexp(fraction, &exponent), 53) * n, rank;
    int shift = 53 - exponent; /* fraction <= 1: at least 52 */

    if (shift > 127)
        return 1;
    rank = (product >> shift) + ((product & (((uint128)1 << shift) - 1)) != 0);
    return rank == 0 ? 1 : (uint64_t)rank;
}

double magnitudes_at_rank(const struct magnitudes *m, uint64_t rank)
{
    uint64_t below = 0;
    size_t k = 0;

    while (below + m->count[k] < rank)
        below += m->count[k++];
    return fmin((double)k + (double)(rank - below) / (double)m->count[k], m->limit);
}

double magnitudes_centre(const struct magnitudes *m, size_t k)
{
    return fmin((double)k + 0.5, m->limit);
}

float magnitudes_threshold(const struct magnitudes *m, double bins)
{
    float threshold = (float)ldexp(fmin(bins, m->limit), m->exponent);

    return fmaxf(threshold, FLT_TRUE_MIN);
}
