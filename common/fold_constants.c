/* fold_constants.c — what depends on constants only becomes a constant; see graph.h.
 *
 * Activations have static shapes (the batch is 1), so OP_SHAPE always folds, and with it the arithmetic that exporters
 * wrap around reshapes, slices and pads.
 */
#include "common/evaluate.h"
#include "common/fold_parameters.h"

static bool depends_on_constants(const struct graph *graph, const struct node *node)
{
    if (node->op == OP_SHAPE)
        return true;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != GRAPH_NONE && !graph->values[node->inputs[i]].is_constant)
            return false;
    return true;
}

static int evaluate_node(struct graph *graph, struct node *node, struct error *err)
{
    const struct value *y = &graph->values[node->outputs[0]];
    struct inferred as = {y->dtype, y->shape};
    struct tensor result;

    if (!op_can_evaluate(node->op)) {
        error_set(err, EX_UNAVAILABLE, "all its inputs are constants, and a %s of constants is not evaluated",
                  op_name(node->op));
        return node_error_in(node, err);
    }
    if (op_evaluate(graph, node, &as, &result, err) != 0)
        return -1;
    graph_set_constant(graph, node->outputs[0], &result);
    node->is_removed = true;
    return 0;
}

int graph_fold_node(struct graph *graph, int node, struct error *err)
{
    if (graph->nodes[node].is_removed)
        return 0;
    if (fold_parameters(graph, node, err) != 0 || op_infer_output(graph, node, err) != 0)
        return -1;
    if (depends_on_constants(graph, &graph->nodes[node]))
        return evaluate_node(graph, &graph->nodes[node], err);
    return fold_lower(graph, node, err);
}

int graph_fold_constants(struct graph *graph, struct error *err)
{
    /* First without the dead: what nothing needs may be unsupported. */
    if (graph_compact(graph, err) != 0 || graph_sort(graph, err) != 0)
        return -1;
    for (size_t i = 0; i < graph->n_nodes; i++) /* lowering appends nodes, which fold to themselves */
        if (graph_fold_node(graph, (int)i, err) != 0)
            return -1;
    return graph_sort(graph, err) != 0 ? -1 : graph_compact(graph, err);
}
