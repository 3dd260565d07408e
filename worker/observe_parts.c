/* observe_parts.c — see observe_parts.h. */
#include "worker/observe_parts.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

struct observe_parts *observe_parts_create(const struct histogram *tensor, size_t n_values, struct error *err)
{
    struct observe_parts *parts = memory_create(1, sizeof *parts, "statistics of parts", err);

    if (parts == NULL)
        return NULL;
    parts->n_values = n_values;
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        parts->of[p] = memory_create(n_values, sizeof *parts->of[p], "statistics of parts", err);
        for (size_t v = 0; parts->of[p] != NULL && v < n_values; v++) {
            size_t bins = tensor[v].bins < OBSERVE_PART_BINS ? tensor[v].bins : OBSERVE_PART_BINS;

            if (bins > 0 && histogram_init(&parts->of[p][v], bins, err) != 0)
                goto fail;
        }
        if (parts->of[p] == NULL)
            goto fail;
    }
    return parts;
fail:
    observe_parts_destroy(parts);
    return NULL;
}

void observe_parts_destroy(struct observe_parts *parts)
{
    for (size_t p = 0; parts != NULL && p < OBSERVE_PARTS; p++) {
        for (size_t v = 0; parts->of[p] != NULL && v < parts->n_values; v++)
            histogram_fini(&parts->of[p][v]);
        free(parts->of[p]);
    }
    free(parts);
}

static const uint8_t turns[OBSERVE_PARTS] = {0, 4, 2, 6, 1, 5, 3, 7}; /* whose turn it is, and when it is whose */

struct observe_cut observe_cut_in_turn(uint64_t n_blocks)
{
    struct observe_cut cut = {0};

    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        cut.n_blocks[p] = n_blocks / OBSERVE_PARTS + (turns[p] < n_blocks % OBSERVE_PARTS);
    return cut;
}

size_t observe_cut_turned(size_t part, uint64_t n_before)
{
    return turns[(turns[part] + n_before % OBSERVE_PARTS) % OBSERVE_PARTS];
}

struct observe_cut observe_cut_ranges(const uint64_t first_block[OBSERVE_PARTS + 1])
{
    struct observe_cut cut = {.is_ranges = 1};

    memcpy(cut.first_block, first_block, sizeof cut.first_block);
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        cut.n_blocks[p] = first_block[p + 1] - first_block[p];
    return cut;
}

size_t observe_cut_part(const struct observe_cut *cut, uint64_t block)
{
    size_t p = OBSERVE_PARTS - 1;

    if (!cut->is_ranges)
        return turns[block % OBSERVE_PARTS];
    while (block < cut->first_block[p])
        p--;
    return p;
}

int observe_parts_merge(struct observe_parts *into, const struct observe_parts *from, struct error *err)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        into->n_records[p] += from->n_records[p];
        for (size_t v = 0; v < into->n_values; v++)
            if (into->of[p][v].bins > 0 && from->of[p][v].bins > 0 &&
                histogram_merge(&into->of[p][v], &from->of[p][v], err) != 0)
                return -1;
    }
    return 0;
}

int observe_parts_double(struct observe_parts *parts, struct error *err)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        parts->n_records[p] = p < OBSERVE_PARTS / 2 ? parts->n_records[2 * p] + parts->n_records[2 * p + 1] : 0;
    for (size_t v = 0; v < parts->n_values; v++)
        for (size_t p = 1; parts->of[0][v].bins > 0 && p < OBSERVE_PARTS; p++) {
            if (histogram_merge(&parts->of[p / 2][v], &parts->of[p][v], err) != 0) /* p / 2 < p has been emptied */
                return -1;
            histogram_clear(&parts->of[p][v]);
        }
    return 0;
}

int observe_parts_sum(const struct observe_parts *parts, size_t v, const uint8_t times[OBSERVE_PARTS],
                      struct histogram *sum, struct error *err)
{
    histogram_clear(sum);
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        for (unsigned i = 0; i < times[p]; i++)
            if (histogram_merge(sum, &parts->of[p][v], err) != 0)
                return -1;
    return 0;
}
