/* fold_bias.c — pass: arithmetic with constants per channel becomes one operator.
 *
 * x + c, x - c, c - x, x c and x / c become y = x scale + shift per channel (OP_NORMALIZE), which fold_normalize then
 * folds into biases and weights: exporters write the same thing in five ways, the rest of the house knows one. A
 * product of features with a constant matrix becomes a dense layer.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

#include <math.h>

/* Whether c, broadcast onto x, varies along the channel axis only (or not at all), and does not enlarge x. */
static bool is_per_channel(const struct shape *c, const struct shape *x)
{
    if (x->rank < 2 || c->rank > x->rank)
        return false;
    for (size_t i = 0; i < c->rank; i++) {
        size_t axis = x->rank - c->rank + i;

        if (c->dims[i] != 1 && (axis != 1 || c->dims[i] != x->dims[1]))
            return false;
    }
    return true;
}

/* One channel's scale and shift; false where the result is not finite. */
static bool channel_affine(enum binary_kind kind, bool constant_first, float c, float *scale, float *shift)
{
    *scale = 1;
    *shift = 0;
    switch (kind) {
    case BINARY_ADD:
        *shift = c;
        break;
    case BINARY_SUB:
        *scale = constant_first ? -1 : 1;
        *shift = constant_first ? c : -c;
        break;
    case BINARY_MUL:
        *scale = c;
        break;
    case BINARY_DIV:
        if (constant_first)
            return false;
        *scale = (float)(1 / (double)c);
        break;
    default:
        return false;
    }
    return isfinite(*scale) && isfinite(*shift);
}

static int fold_binary(struct rewrite *rewrite, int index, struct error *err)
{
    struct graph *graph = rewrite->graph;
    const struct node *node = &graph->nodes[index];
    bool constant_first = graph->values[node->inputs[0]].is_constant;
    int x = node->inputs[constant_first ? 1 : 0];
    struct shape c_shape, x_shape = graph->values[x].shape, vector = {.rank = 1, .dims = {x_shape.dims[1]}};
    const float *c = rewrite_constant(graph, node, constant_first ? 0 : 1, &c_shape);
    enum binary_kind kind = node->attr.binary.kind;
    float *scale, *shift, ignored[2];
    int64_t channels;

    if (c == NULL || node->fused.kind != ACTIVATION_NONE || !is_per_channel(&c_shape, &x_shape))
        return 0;
    channels = x_shape.dims[1];
    for (int64_t i = 0; i < shape_elements(&c_shape); i++) /* before anything is allocated */
        if (!channel_affine(kind, constant_first, c[i], &ignored[0], &ignored[1]))
            return 0;
    scale = rewrite_create_data(rewrite, &vector, err);
    shift = scale == NULL ? NULL : rewrite_create_data(rewrite, &vector, err);
    if (shift == NULL)
        return -1;
    for (int64_t i = 0; i < channels; i++)
        channel_affine(kind, constant_first, c[shape_elements(&c_shape) == 1 ? 0 : i], &scale[i], &shift[i]);
    if (rewrite_become(rewrite, index, OP_NORMALIZE, x, err) == NULL ||
        rewrite_set_input(rewrite, index, 1, GRAPH_NONE, err) != 0 ||
        rewrite_set_constant(rewrite, index, 1, &vector, scale, "scale", err) != 0 ||
        rewrite_set_input(rewrite, index, 2, GRAPH_NONE, err) != 0)
        return -1;
    return rewrite_set_constant(rewrite, index, 2, &vector, shift, "shift", err);
}

/* x[N,K] w[K,O] is a dense layer with weights [O,K]. */
static int fold_matmul(struct rewrite *rewrite, int index, struct error *err)
{
    struct graph *graph = rewrite->graph;
    struct shape shape, transposed;
    const float *w = rewrite_constant(graph, &graph->nodes[index], 1, &shape);
    float *data;

    if (w == NULL || shape.rank != 2 || graph->values[graph->nodes[index].inputs[0]].shape.rank != 2)
        return 0;
    transposed = (struct shape){.rank = 2, .dims = {shape.dims[1], shape.dims[0]}};
    data = rewrite_create_data(rewrite, &transposed, err);
    if (data == NULL)
        return -1;
    for (int64_t o = 0; o < shape.dims[1]; o++)
        for (int64_t k = 0; k < shape.dims[0]; k++)
            data[o * shape.dims[0] + k] = w[k * shape.dims[1] + o];
    graph->nodes[index].op = OP_DENSE;
    return rewrite_set_constant(rewrite, index, 1, &transposed, data, "weight", err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        const struct node *node = &graph->nodes[i];

        if (!rewrite_may_edit(node))
            continue;
        if (node->op == OP_BINARY)
            rc = fold_binary(&rewrite, (int)i, err);
        else if (node->op == OP_MATMUL)
            rc = fold_matmul(&rewrite, (int)i, err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_fold_bias = {
    .name = "fold_bias",
    .summary = "turn arithmetic with constants per channel into scale and shift, constant matrices into dense layers",
    .run = run,
};
