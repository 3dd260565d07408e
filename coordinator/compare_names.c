/* compare_names.c — names found again; see compare_private.h. */
#include "coordinator/compare_private.h"

#include <stdlib.h>
#include <string.h>

int name_index_init(struct name_index *index, size_t n, struct arena *arena, struct error *err)
{
    *index = (struct name_index){n, arena_create_array(arena, n + 1, sizeof *index->places, err)};
    return index->places == NULL ? -1 : 0;
}

static int by_name_and_place(const void *a, const void *b)
{
    const struct name_place *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

void name_index_sort(struct name_index *index)
{
    qsort(index->places, index->n, sizeof *index->places, by_name_and_place);
}

size_t name_index_find(const struct name_index *index, const char *name)
{
    size_t low = 0, high = index->n; /* the first of that name is in [low, high] */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(index->places[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < index->n && strcmp(index->places[low].name, name) == 0 ? index->places[low].place : index->n;
}
