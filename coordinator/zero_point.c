/* zero_point.c — see zero_point.h. Everything is in units of bins until the end: a power of two, which rounds nothing.
 */
#include "coordinator/zero_point.h"

#include "common/memory.h"
#include "coordinator/thresholds/error_table.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* What moving the zero point must leave of the squared error at most. */
static const double least_gain = 15.0 / 16;

/* Steps below zero and above it, and their size. */
struct grid {
    int32_t below, all;
    double step;
};

/* The step that reaches both ends. low, high: magnitudes; an end that is not 0 has a code of its own. */
static struct grid grid_of(double low, double high, int32_t below, int32_t all)
{
    double down = low > 0 ? low / below : 0, up = high > 0 ? high / (all - below) : 0;

    return (struct grid){below, all, fmax(down, up)};
}

/* Not both ends are 0. One may be too small beside the other to change their sum. */
static struct grid finest_grid(double low, double high, int32_t all)
{
    int32_t least = low > 0, most = all - (high > 0), below = (int32_t)(all * (low / (low + high))), above = below + 1;
    struct grid a = grid_of(low, high,
                            below < least  ? least
                            : below > most ? most
                                           : below,
                            all),
                b = grid_of(low, high, above > most ? most : above, all);

    return a.step <= b.step ? a : b;
}

/* Is it worth another zero point? The errors are the grid's, and with the profile's own zero point. */
static bool is_worth_it(struct grid grid, struct code_range codes, double error, double own)
{
    return grid.below != codes.zero_point - codes.lo && error <= least_gain * own && (float)grid.step >= FLT_MIN;
}

static struct zero_point_found found_of(struct grid grid, struct code_range codes)
{
    int32_t moved = codes.lo + grid.below - codes.zero_point;

    codes.zero_point += moved;
    return (struct zero_point_found){(float)code_range_steps(codes) * (float)grid.step, (float)grid.step, moved};
}

struct zero_point_found zero_point_of_ends(double low, double high, struct code_range codes, float threshold,
                                           int32_t steps)
{
    const struct zero_point_found stays = {threshold, threshold / (float)steps, 0};
    struct zero_point_found found = found_of(finest_grid(-low, high, codes.hi - codes.lo), codes);

    /* By more than a threshold's rounding. */
    return found.moved != 0 && found.scale >= FLT_MIN && found.scale < stays.scale * (1 - 0x1p-16F) ? found : stays;
}

/* ---- squared errors ---- */

/* Counts of both signs on one line, zero at `origin`; as much room at its ends as a border moves out. */
struct line {
    struct error_table table;
    size_t origin;
    double low, high; /* magnitudes of the ends of values */
};

static int line_init(struct line *line, const struct histogram *h, struct error *err)
{
    size_t room = h->bins / 64 + 2, n = 2 * (h->bins + room);
    uint64_t *counts = memory_create(n, sizeof *counts, "the counts of a zero point", err);
    int rc = -1;

    *line = (struct line){.origin = n / 2,
                          .low = ldexp((double)fmaxf(-h->min, 0), -h->exponent),
                          .high = ldexp((double)fmaxf(h->max, 0), -h->exponent)};
    for (size_t k = 0; counts != NULL && k < h->bins; k++) {
        counts[line->origin + k] = h->positive[k];
        counts[line->origin - 1 - k] = h->negative != NULL ? h->negative[k] : 0;
    }
    if (counts != NULL)
        rc = error_table_init(&line->table, counts, n, err);
    free(counts);
    return rc;
}

static double error_of(const struct line *line, struct grid grid)
{
    return error_table_error(&line->table, (double)line->origin - grid.below * grid.step, grid.step, grid.all);
}

/* ---- the search ---- */

/* Ends in 256ths of where the values end. */
enum { PARTS = 256, ROUNDS = 8 };

struct ends {
    double low, high; /* magnitudes */
    struct grid grid;
    double error;
};

static bool try_ends(const struct line *line, double low, double high, struct ends *best)
{
    struct ends ends = {low, high, {0}, INFINITY};

    if (low + high > 0)
        ends.grid = finest_grid(low, high, best->grid.all);
    if (!(ends.grid.step >= 1)) /* finer than a bin: there the counts no longer see the rounding */
        return false;
    ends.error = error_of(line, ends.grid);
    if (!(ends.error < best->error))
        return false;
    *best = ends;
    return true;
}

/* One end at a time over all its places, until neither moves. */
static void search_ends(const struct line *line, struct ends *best)
{
    bool has_moved = true;

    for (int round = 0; has_moved && round < ROUNDS; round++) {
        has_moved = false;
        for (int part = 0; part <= PARTS; part++)
            has_moved |= try_ends(line, best->low, line->high * part / PARTS, best);
        for (int part = 0; part <= PARTS; part++)
            has_moved |= try_ends(line, line->low * part / PARTS, best->high, best);
    }
}

int zero_point_find(const struct zero_point_request *q, struct zero_point_found *found, struct error *err)
{
    const struct histogram *h = q->histogram;
    const int32_t all = q->codes.hi - q->codes.lo;
    double threshold = ldexp((double)q->threshold, -h->exponent), own;
    struct line line = {0};
    struct ends ends;

    *found = (struct zero_point_found){q->threshold, q->threshold / (float)q->steps, 0};
    if (q->threshold > histogram_abs_max(h)) /* a scale for want of values */
        return 0;
    if (line_init(&line, h, err) != 0) {
        error_table_fini(&line.table);
        return -1;
    }
    own = error_of(&line, (struct grid){q->codes.zero_point - q->codes.lo, all, threshold / q->steps});
    ends = (struct ends){.low = fmin(line.low, threshold), .high = fmin(line.high, threshold)};
    ends.grid = finest_grid(ends.low, ends.high, all);
    ends.error = error_of(&line, ends.grid);
    if (q->searches_ends)
        search_ends(&line, &ends);
    ends.grid.step = ldexp(ends.grid.step, h->exponent);
    if (is_worth_it(ends.grid, q->codes, ends.error, own))
        *found = found_of(ends.grid, q->codes);
    error_table_fini(&line.table);
    return 0;
}
