/* graph_copy.c — a graph once more, of the same constants. */
#include "common/graph_private.h"

static int copy_values(struct graph *copy, const struct graph *from, struct error *err)
{
    for (size_t v = 0; v < from->n_values; v++) {
        const struct value *value = &from->values[v];
        const char *name;

        if (graph_add_value(copy, value->name, value->dtype, value->has_shape ? &value->shape : NULL, err) < 0)
            return -1;
        name = copy->values[v].name;
        copy->values[v] = *value;
        copy->values[v].name = name;
        copy->values[v].producer = GRAPH_NONE; /* until its node is there */
    }
    return 0;
}

static int copy_ports(struct graph *copy, const struct graph *from, struct error *err)
{
    for (size_t i = 0; i < from->n_inputs; i++)
        if (graph_add_input(copy, from->inputs[i], err) < 0)
            return -1;
    for (size_t i = 0; i < from->n_outputs; i++)
        if (graph_add_output(copy, from->outputs[i], err) < 0)
            return -1;
    return 0;
}

struct graph *graph_begin_copy(const struct graph *from, struct error *err)
{
    struct graph *copy = graph_create(from->name, err);

    if (copy == NULL || copy_values(copy, from, err) != 0 || copy_ports(copy, from, err) != 0) {
        graph_destroy(copy);
        return NULL;
    }
    copy->batch = from->batch;
    copy->is_unbatched = from->is_unbatched;
    copy->keeps_codings = from->keeps_codings;
    copy->source_bytes = from->source_bytes;
    return copy;
}

int graph_copy_node(struct graph *copy, const struct graph *from, size_t n, struct error *err)
{
    const struct node *node = &from->nodes[n];
    int index = graph_add_node(copy, node->op, node->name, node->type, node->inputs, node->n_inputs, node->outputs,
                               node->n_outputs, err);
    struct node *to = &copy->nodes[index < 0 ? 0 : index];

    if (index < 0)
        return -1;
    to->fused = node->fused;
    to->is_removed = node->is_removed;
    to->is_kept = node->is_kept;
    to->coding = node->coding;
    to->attr = node->attr;
    return 0;
}

struct graph *graph_copy(const struct graph *from, struct error *err)
{
    struct graph *copy = graph_begin_copy(from, err);

    for (size_t n = 0; copy != NULL && n < from->n_nodes; n++)
        if (graph_copy_node(copy, from, n, err) != 0) {
            graph_destroy(copy);
            return NULL;
        }
    return copy;
}
