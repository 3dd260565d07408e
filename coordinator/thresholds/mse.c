/* mse.c — the threshold with the least squared error, over all edges of the histogram (calibration.md section 5).
 *
 * Inside a bin, values are taken as evenly spread: f is the density, counts per bin width. With step s = T / Q, codes
 * change at b_m = (m + 1/2) s, m < Q, and E(T) = sum over codes of the integral of (x - m s)^2 f. Summed by parts it
 * needs the second antiderivative of f only, G(b) = integral over x < b of (b - x) f(x) dx:
 *
 *     E(T) = integral of (x - T)^2 f  -  2 s sum_{m<Q} G(b_m)
 *
 * (raising b_m by db moves f(b_m) db values from code m + 1 to m, whose squares differ by 2 s (x - b_m)). G is
 * quadratic in each bin, so E costs Q table look-ups, whatever the number of bins: 4,000 candidates of 127 look-ups
 * take a millisecond. The tables are integers until the last step, so E, the difference of two large terms, keeps nine
 * digits or more.
 */
#include "coordinator/thresholds/magnitudes.h"

#include "common/memory.h"

#include <math.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 uint128;

struct cell {       /* at the lower edge k of bin k */
    double area;    /* G(k) */
    double below;   /* values below k: G'(k) */
    double density; /* values in the bin: G'' */
};

struct error_table {
    struct cell *cells;           /* [bins] */
    double count, moment, square; /* integrals of f, x f, x^2 f */
};

static int table_init(struct error_table *table, const struct magnitudes *m, struct error *err)
{
    uint128 area = 0, moment = 0, square = 0; /* 2 G(k), 2 x moment, 3 x square: integers */
    uint64_t below = 0;

    table->cells = memory_create(m->bins, sizeof *table->cells, "the error table of a threshold search", err);
    if (table->cells == NULL)
        return -1;
    for (uint64_t k = 0; k < m->bins; k++) {
        uint128 count = m->count[k];

        table->cells[k] = (struct cell){(double)area / 2, (double)below, (double)m->count[k]};
        area += 2 * (uint128)below + count;
        moment += count * (2 * k + 1);
        square += count * (3 * k * (k + 1) + 1);
        below += m->count[k];
    }
    table->count = (double)below;
    table->moment = (double)moment / 2;
    table->square = (double)square / 3;
    return 0;
}

/* E(t), t in bins, t < bins. */
static double table_error(const struct error_table *table, double t, int32_t steps)
{
    double s = t / steps, sum = 0;

    for (int32_t m = 0; m < steps; m++) {
        double b = (m + 0.5) * s;
        int32_t k = (int32_t)b;
        const struct cell *cell = &table->cells[k];
        double into = b - k;

        sum += cell->area + into * (cell->below + cell->density / 2 * into);
    }
    return table->square - t * (2 * table->moment - t * table->count) - 2 * s * sum;
}

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
    double best = m->limit, least = table_error(table, best, steps);
    struct tail tail = {0};

    for (size_t k = top; k >= lowest && k > 0; k--) {
        double error;

        tail_extend(&tail, (double)m->count[k]);
        if (tail.square >= least)
            break;
        error = table_error(table, (double)k, steps);
        if (error < least) {
            least = error;
            best = (double)k;
        }
    }
    return best;
}

static int search(const struct threshold_request *request, float *threshold, struct error *err)
{
    struct error_table table = {0};
    struct magnitudes m;
    int rc = -1;

    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    if (table_init(&table, &m, err) == 0) {
        *threshold = magnitudes_threshold(&m, best_threshold(&table, &m, request->steps));
        rc = 0;
    }
    free(table.cells);
    magnitudes_fini(&m);
    return rc;
}

const struct threshold_method threshold_method_mse = {
    .name = "mse",
    .summary = "least squared error of the histogram, exact bin integral, all edges (default)",
    .search = search,
};
