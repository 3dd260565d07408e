/* mse.c — the threshold with the least squared error, over all edges of the histogram (calibration.md section 5). */
#include "coordinator/thresholds/error_table.h"
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

/* Squared error of values above an edge when they become that edge; walks down from the last bin. */
struct tail {
    double count, distance, square; /* sums over the bins above: 1, d + 1/2, d^2 + d + 1/3, d bins from the edge */
};

static void tail_extend(struct tail *tail, double count)
{
    tail->square += 2 * tail->distance + tail->count + count / 3;
    tail->distance += tail->count + count / 2;
    tail->count += count;
}

/* Every edge from the largest value downwards. E(T) is not convex, but it is never less than what the values above T
 * lose, and that only grows as T falls: once it passes the best E, no lower edge can win. Steps finer than a bin are
 * not tried: there the counts no longer see the rounding. */
static double best_threshold(const struct error_table *table, const struct magnitudes *m, int32_t steps)
{
    size_t top = (size_t)m->limit, lowest = (size_t)fmin(steps, ceil(m->limit / 2));
    double best = m->limit, least = error_table_error(table, 0, best / steps, steps);
    struct tail tail = {0};

    for (size_t k = top; k >= lowest && k > 0; k--) {
        double error;

        tail_extend(&tail, (double)m->count[k]);
        if (tail.square >= least)
            break;
        error = error_table_error(table, 0, (double)k / steps, steps);
        if (error < least) {
            least = error;
            best = (double)k;
        }
    }
    return best;
}

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    struct error_table table = {0};
    struct magnitudes m;
    int rc = -1;

    (void)method;
    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    if (error_table_init(&table, m.count, m.bins, err) == 0) {
        found->threshold = magnitudes_threshold(&m, best_threshold(&table, &m, request->steps));
        rc = 0;
    }
    error_table_fini(&table);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_mse = {
    .name = "mse",
    .summary = "least squared error of the histogram, exact bin integral, all edges (default)",
    .minimizes_error = true,
    .searches_ends = true,
    .search = search,
};
