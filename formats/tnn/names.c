/* names.c — names that TNN can read back.
 *
 * There is no escaping in a tnnproto: a name holds no space, comma, quote, line end; a colon separates inputs. Bytes
 * from 0x80 on are trimmed as if they were blanks where char is signed.
 */
#include "formats/tnn/emit.h"

#include <string.h>

enum { NAME_BYTES = 200 }; /* so that a record of usual length stays below what TNN reads */

static bool is_readable(char c)
{
    return c > ' ' && c < 0x7f && strchr("\",:", c) == NULL;
}

/* Would a layer of this name be taken for the scale of a blob? */
static bool ends_like_a_scale(const char *name)
{
    size_t length = strlen(name), tail = strlen(TNN_SCALE_SUFFIX);

    return length >= tail && strcmp(name + length - tail, TNN_SCALE_SUFFIX) == 0;
}

/* The name itself, or a readable copy with the index behind it, so that no two copies are equal. */
static const char *readable_name(struct tnn_emit *e, const char *name, size_t index, struct error *err)
{
    char copy[NAME_BYTES + 1];
    size_t n = 0;

    while (n < NAME_BYTES && name[n] != '\0') {
        copy[n] = is_readable(name[n]) ? name[n] : '_';
        n++;
    }
    copy[n] = '\0';
    if (n > 0 && strcmp(copy, name) == 0 && !ends_like_a_scale(name))
        return name;
    return arena_format(e->arena, err, "%s_%zu", copy, index);
}

static bool is_taken(const struct graph *graph, const char *name)
{
    return graph_find_value(graph, name) != GRAPH_NONE || graph_find_node(graph, name) != GRAPH_NONE;
}

/* A copy may still meet an unchanged name: underscores go behind until it does not. */
static const char *choose_name(struct tnn_emit *e, const char *name, size_t index, struct error *err)
{
    const char *chosen = readable_name(e, name, index, err);

    while (chosen != NULL && chosen != name && is_taken(e->graph, chosen))
        chosen = arena_format(e->arena, err, "%s_", chosen);
    return chosen;
}

int tnn_choose_names(struct tnn_emit *e, struct error *err)
{
    for (size_t i = 0; i < e->graph->n_values; i++)
        if ((e->blobs[i] = choose_name(e, e->graph->values[i].name, i, err)) == NULL)
            return -1;
    for (size_t i = 0; i < e->graph->n_nodes; i++)
        if ((e->layers[i] = choose_name(e, e->graph->nodes[i].name, i, err)) == NULL)
            return -1;
    return 0;
}

const char *tnn_fresh_name(struct tnn_emit *e, const char *base, const char *what)
{
    struct error err = {0};
    const char *name = arena_format(e->arena, &err, "%s_%s", base, what);

    while (name != NULL && is_taken(e->graph, name))
        name = arena_format(e->arena, &err, "%s_", name);
    if (name == NULL)
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
    return name == NULL ? "" : name;
}
