/* graph_totals.c — how large a network is: parameters, multiply-accumulates, activations; see graph.h. */
#include "common/graph.h"

uint64_t node_macs(const struct graph *graph, const struct node *node)
{
    const struct shape *x, *w, *y = &graph->values[node->outputs[0]].shape;

    if (node->op != OP_CONV && node->op != OP_DECONV && node->op != OP_DENSE && node->op != OP_MATMUL)
        return 0;
    x = &graph->values[node->inputs[0]].shape;
    w = &graph->values[node->inputs[1]].shape;
    switch (node->op) {
    case OP_CONV: /* each output sees the weights of one filter */
    case OP_DENSE:
        return (uint64_t)(shape_elements(y) * (shape_elements(w) / w->dims[0]));
    case OP_DECONV: /* each input meets those of its channel */
        return (uint64_t)(shape_elements(x) * (shape_elements(w) / w->dims[0]));
    default:
        return (uint64_t)(shape_elements(y) * x->dims[x->rank - 1]);
    }
}

struct graph_totals graph_totals(const struct graph *graph)
{
    struct graph_totals totals = {0};

    for (size_t i = 0; i < graph->n_nodes; i++)
        totals.macs += node_macs(graph, &graph->nodes[i]);
    for (size_t i = 0; i < graph->n_values; i++) {
        const struct value *value = &graph->values[i];
        uint64_t elements = (uint64_t)shape_elements(&value->shape);

        if (value->is_constant)
            totals.parameters += elements;
        else
            totals.activation_bytes += elements * sizeof(float);
    }
    return totals;
}
