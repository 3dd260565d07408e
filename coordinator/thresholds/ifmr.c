/* ifmr.c — Ascend's default: cut at a percentile, then try clips around it for the least squared error (ascend.md
 * section 5.2, symmetric form, order-free: percentile and errors are those of the merged histogram).
 */
#include "coordinator/thresholds/error_table.h"
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

/* The tool's defaults: max_percentile, search_range, search_step; 61 candidates. */
static const double percentile = 0.999999, range_start = 0.7, range_step = 0.01;
enum { CANDIDATES = 61 };

/* The k-th largest, k = N - trunc(percentile N), of whichever side reaches further. */
static double first_clip(const struct magnitudes *m, const struct histogram *h, bool is_unsigned)
{
    uint64_t n = m->finite, rank = counts_rank(percentile, n);
    double clip = 0;

    for (int side = 0; side <= !is_unsigned; side++) {
        struct magnitudes of_side;

        if (!magnitudes_of_sign(m, h, side == 1, &of_side))
            continue;
        if (rank > n - of_side.total)
            clip = fmax(clip, magnitudes_at_rank(&of_side, rank - (n - of_side.total)));
    }
    return clip > 0 ? clip : m->limit;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    struct error_table table = {0};
    struct magnitudes m;
    int rc;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    rc = error_table_init(&table, m.count, m.bins, err);
    if (rc == 0) {
        double first = first_clip(&m, request->histogram, request->is_unsigned), best = first, least = INFINITY;

        for (int i = 0; i < CANDIDATES; i++) {
            double t = fmin((range_start + i * range_step) * first, m.limit);
            double error = error_table_error(&table, 0, t / request->steps, request->steps);

            if (error < least) {
                least = error;
                best = t;
            }
        }
        found->threshold = magnitudes_threshold(&m, best);
    }
    error_table_fini(&table);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_ifmr = {
    .name = "ifmr",
    .summary = "Ascend: least squared error of 61 clips, 0.70 to 1.30 of the 99.9999 percentile",
    .minimizes_error = true,
    .search = search,
};
