/* graph_names.c — names that every file format, report and terminal can hold; see graph.h. */
#include "common/graph_private.h"

#include "common/printable.h"

#include <stdio.h>
#include <string.h>

static bool is_utf8(const char *text)
{
    size_t length;

    while ((length = printable_utf8_length(text)) > 0)
        text += length;
    return *text == '\0';
}

/* In the graph's arena, with each byte that belongs to no character as \xNN. NULL: EX_OSERR. */
static const char *as_utf8(struct graph *graph, const char *name, struct error *err)
{
    char *copy = arena_create_array(graph->arena, PRINTABLE_GROWTH * strlen(name) + PRINTABLE_MARGIN, 1, err),
         *to = copy;

    while (copy != NULL && *name != '\0') {
        size_t length = printable_utf8_length(name);

        memcpy(to, name, length);
        to += length > 0 ? length : (size_t)sprintf(to, "\\x%02x", (unsigned)(unsigned char)*name);
        name += length > 0 ? length : 1;
    }
    return copy;
}

/* The new name of what is called `name` and stands at `index` of the tree's array. */
static int rename_entry(struct graph *graph, void **tree, const char **name, int index, struct error *err)
{
    const char *wanted = is_utf8(*name) ? *name : as_utf8(graph, *name, err), *free_name = wanted;

    if (wanted == *name)
        return 0;
    for (size_t n = 1; free_name != NULL && names_find(tree, free_name) != NULL; n++)
        free_name = arena_format(graph->arena, err, "%s_%zu", wanted, n);
    if (free_name == NULL)
        return -1;
    names_remove(tree, *name);
    *name = free_name;
    return names_add(graph, tree, free_name, index, err);
}

int graph_make_names_utf8(struct graph *graph, struct error *err)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (rename_entry(graph, &graph->value_names, &graph->values[i].name, (int)i, err) != 0)
            return -1;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (rename_entry(graph, &graph->node_names, &graph->nodes[i].name, (int)i, err) != 0)
            return -1;
    return 0;
}
