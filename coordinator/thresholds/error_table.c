/* error_table.c — see error_table.h. */
#include "coordinator/thresholds/error_table.h"

#include "common/memory.h"

#include <stdlib.h>

__extension__ typedef unsigned __int128 uint128;

int error_table_init(struct error_table *table, const uint64_t *counts, size_t bins, struct error *err)
{
    uint128 area = 0, moment = 0, square = 0; /* 2 G(k), 2 x moment, 3 x square: integers */
    uint64_t below = 0;

    table->cells = memory_create(bins, sizeof *table->cells, "the error table of a threshold search", err);
    if (table->cells == NULL)
        return -1;
    for (uint64_t k = 0; k < bins; k++) {
        uint128 count = counts[k];

        table->cells[k] = (struct error_cell){(double)area / 2, (double)below, (double)counts[k]};
        area += 2 * (uint128)below + count;
        moment += count * (2 * k + 1);
        square += count * (3 * k * (k + 1) + 1);
        below += counts[k];
    }
    table->count = (double)below;
    table->moment = (double)moment / 2;
    table->square = (double)square / 3;
    return 0;
}

void error_table_fini(struct error_table *table)
{
    free(table->cells);
    *table = (struct error_table){0};
}

double error_table_error(const struct error_table *table, double low, double step, int32_t steps)
{
    double highest = low + step * steps, sum = 0;

    for (int32_t m = 0; m < steps; m++) {
        double b = low + (m + 0.5) * step;
        int32_t k = (int32_t)b;
        const struct error_cell *cell = &table->cells[k];
        double into = b - k;

        sum += cell->area + into * (cell->below + cell->density / 2 * into);
    }
    return table->square - highest * (2 * table->moment - highest * table->count) - 2 * step * sum;
}
