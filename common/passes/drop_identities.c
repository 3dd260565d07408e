/* drop_identities.c — pass: what computes nothing goes. */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static bool all_equal(const int64_t *a, size_t n, int64_t expected)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != expected)
            return false;
    return true;
}

/* Transposing axes of extent 1 among the others moves no element, but changes the shape: not this pass's business. */
static bool is_identity_permutation(const int64_t *perm, size_t rank)
{
    for (size_t i = 0; i < rank; i++)
        if (perm[i] != (int64_t)i)
            return false;
    return true;
}

static bool is_unit_normalize(const struct graph *graph, const struct node *node, int64_t channels)
{
    const float *scale = rewrite_constant(graph, node, 1, NULL), *shift = rewrite_constant(graph, node, 2, NULL);

    for (int64_t c = 0; c < channels; c++)
        if (scale == NULL || shift == NULL || scale[c] != 1 || shift[c] != 0)
            return false;
    return true;
}

static bool computes_nothing(const struct graph *graph, const struct node *node)
{
    const struct shape *x, *y = &graph->values[node->outputs[0]].shape;

    if (node->n_inputs == 0 || node->inputs[0] == GRAPH_NONE)
        return false;
    x = &graph->values[node->inputs[0]].shape;
    switch (node->op) {
    case OP_IDENTITY:
        return true;
    case OP_RESHAPE:
        return shape_equal(x, y);
    case OP_TRANSPOSE:
        return is_identity_permutation(node->attr.perm, x->rank);
    case OP_CONCAT:
        return node->n_inputs == 1;
    case OP_SLICE:
        return shape_equal(x, y) && all_equal(node->attr.slice.step, x->rank, 1);
    case OP_PAD:
        return all_equal(node->attr.pad.begin, x->rank, 0) && all_equal(node->attr.pad.end, x->rank, 0);
    case OP_ACTIVATION:
        return node->attr.activation.kind == ACTIVATION_NONE;
    case OP_REDUCE:
        return node->attr.reduce.axes == 0 && node->attr.reduce.kind != REDUCE_L2; /* of one element: its magnitude */
    case OP_NORMALIZE:
        return is_unit_normalize(graph, node, x->dims[1]);
    default:
        return false;
    }
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++)
        if (!graph->nodes[i].is_removed && computes_nothing(graph, &graph->nodes[i]))
            rc = rewrite_bypass(&rewrite, (int)i, err);
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_drop_identities = {
    .name = "drop_identities",
    .summary = "remove identities, and reshapes, transposes, slices, pads and joins that change nothing",
    .run = run,
};
