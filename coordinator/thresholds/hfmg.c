/* hfmg.c — Ascend's histogram method: the range of bins whose 256 even codes lose least (ascend.md section 5.3). The
 * order-free variant: one grid over the range of all data, where the tool widens and truncates batch by batch.
 *
 * Its two ends move inwards in turns, a hundred-thousandth of the counts at a time, the one that can go further first,
 * until a quarter of the bins is left. Ranges need not hold zero; the target's codes do, symmetrically, so T is the
 * farther end.
 */
#include "coordinator/thresholds/error_table.h"
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

enum { BINS = 4096, CODES = 256 };

struct range {
    size_t first, last; /* bins, closed */
};

/* Squared error of 256 codes at the centres of as many parts of the range. */
static double error_of(const struct error_table *table, struct range r)
{
    double part = (double)(r.last + 1 - r.first) / CODES;

    return error_table_error(table, (double)r.first + part / 2, part, CODES - 1);
}

/* How many bins from `k` on, going `by`, hold at least `step` counts; at most `most`. */
static size_t bins_of(const uint64_t *counts, size_t k, int by, uint64_t step, size_t most)
{
    uint64_t sum = 0;
    size_t n = 0;

    while (n < most && sum < step) {
        sum += counts[by > 0 ? k + n : k - n];
        n++;
    }
    return n;
}

static struct range best_range(const struct error_table *table, const uint64_t counts[BINS])
{
    struct range r = {0, BINS - 1}, best = r;
    uint64_t total = 0, step;
    double least = INFINITY;

    for (size_t k = 0; k < BINS; k++)
        total += counts[k];
    step = total / 100000 + (total % 100000 != 0);
    while (r.last - r.first > BINS / 4) {
        size_t most = r.last - r.first;
        size_t left = bins_of(counts, r.first, 1, step, most), right = bins_of(counts, r.last, -1, step, most);
        double error;

        if (right >= left)
            r.last -= right;
        else
            r.first += left;
        error = error_of(table, r);
        if (error < least) {
            least = error;
            best = r;
        }
    }
    return best;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    uint64_t counts[BINS];
    struct error_table table = {0};
    struct signed_counts s = {0};
    struct magnitudes m;
    int rc;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    rc = signed_counts_init(&s, request, err);
    if (rc == 0 && !(s.high > s.low)) { /* one value */
        found->threshold = magnitudes_threshold(&m, m.limit);
    } else if (rc == 0) {
        double width = (s.high - s.low) / BINS, origin = (double)s.origin;

        counts_resample(s.count, s.low, s.high, s.low + width, width, counts, BINS);
        if (s.zeros > 0)
            counts[(size_t)fmin((origin - s.low) / width, BINS - 1)] += s.zeros;
        rc = error_table_init(&table, counts, BINS, err);
        if (rc == 0) {
            struct range r = best_range(&table, counts);
            double low = s.low + (double)r.first * width - origin, high = s.low + (double)(r.last + 1) * width - origin;

            found->threshold = magnitudes_threshold(&m, request->is_unsigned ? high : fmax(-low, high));
        }
    }
    error_table_fini(&table);
    signed_counts_fini(&s);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_hfmg = {
    .name = "hfmg",
    .summary = "Ascend: range of 4,096 signed bins whose 256 even codes lose least",
    .minimizes_error = true,
    .search = search,
};
