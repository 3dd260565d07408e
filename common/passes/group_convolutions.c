/* group_convolutions.c — pass: slices of the channels, a convolution of each, and their join are one grouped layer.
 *
 * Frameworks without grouped convolutions write them so (two towers in AlexNet, 32 paths in ResNeXt); int8 then had a
 * scale for each path. Deconvolutions are written, and grouped, the same way: with both, the weights of the groups
 * follow each other along axis 0.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

#include <string.h>

/* The convolution that alone feeds input `i` of a join; NULL where something else does. */
static const struct node *branch(struct rewrite *rewrite, int concat, size_t i)
{
    const struct graph *graph = rewrite->graph;
    int producer = rewrite_own_producer(rewrite, graph->nodes[concat].inputs[i], concat);
    const struct node *node = producer == GRAPH_NONE ? NULL : &graph->nodes[producer];

    return node != NULL && (node->op == OP_CONV || node->op == OP_DECONV) ? node : NULL;
}

/* What branch `i` of `n` reads must be the i-th of n equal runs of channels; returns whose, or GRAPH_NONE. */
static int sliced(const struct graph *graph, int value, size_t i, size_t n)
{
    int producer = graph->values[value].producer;
    const struct node *slice = producer == GRAPH_NONE ? NULL : &graph->nodes[producer];
    const struct shape *x, *y = &graph->values[value].shape;

    if (slice == NULL || slice->op != OP_SLICE)
        return GRAPH_NONE;
    x = &graph->values[slice->inputs[0]].shape;
    for (size_t axis = 0; axis < x->rank; axis++) {
        int64_t parts = axis == 1 ? (int64_t)n : 1;

        if (slice->attr.slice.step[axis] != 1 || y->dims[axis] * parts != x->dims[axis] ||
            slice->attr.slice.begin[axis] != (axis == 1 ? (int64_t)i * y->dims[1] : 0))
            return GRAPH_NONE;
    }
    return slice->inputs[0];
}

static bool is_alike(const struct graph *graph, const struct node *a, const struct node *b)
{
    struct shape a_weights, b_weights;

    return a->op == b->op && rewrite_constant(graph, a, 1, &a_weights) != NULL &&
           rewrite_constant(graph, b, 1, &b_weights) != NULL && shape_equal(&a_weights, &b_weights) &&
           memcmp(&a->attr.conv, &b->attr.conv, sizeof a->attr.conv) == 0 && a->fused.kind == b->fused.kind &&
           a->fused.alpha == b->fused.alpha && a->fused.beta == b->fused.beta;
}

/* The value that the branches of a join share out among them, or GRAPH_NONE where it is no grouped layer. */
static int match(struct rewrite *rewrite, int concat)
{
    const struct graph *graph = rewrite->graph;
    size_t n = graph->nodes[concat].n_inputs;
    const struct node *first = branch(rewrite, concat, 0);
    int x = first == NULL ? GRAPH_NONE : sliced(graph, first->inputs[0], 0, n);

    if (graph->nodes[concat].attr.axis != 1 || n < 2)
        return GRAPH_NONE;
    for (size_t i = 0; i < n && x != GRAPH_NONE; i++) {
        const struct node *node = branch(rewrite, concat, i);

        if (node == NULL || !is_alike(graph, first, node) || sliced(graph, node->inputs[0], i, n) != x)
            return GRAPH_NONE;
    }
    return x;
}

/* Input `slot` of all branches, one after the other, in the joined shape; zeros where a branch has none. */
static float *join(struct rewrite *rewrite, int concat, size_t slot, const struct shape *joined, struct error *err)
{
    size_t n = rewrite->graph->nodes[concat].n_inputs, size = (size_t)shape_elements(joined) / n;
    float *data = rewrite_create_data(rewrite, joined, err);

    for (size_t i = 0; data != NULL && i < n; i++) {
        const float *part = rewrite_constant(rewrite->graph, branch(rewrite, concat, i), slot, NULL);

        if (part != NULL)
            memcpy(data + i * size, part, size * sizeof *data);
    }
    return data;
}

/* The join becomes the layer. */
static int group(struct rewrite *rewrite, int concat, int x, struct error *err)
{
    struct graph *graph = rewrite->graph;
    const struct node *first = branch(rewrite, concat, 0);
    int64_t n = (int64_t)graph->nodes[concat].n_inputs, channels = graph->values[first->outputs[0]].shape.dims[1];
    struct shape weights, biases = {.rank = 1, .dims = {n * channels}};
    struct node model = *first, *node;
    float *w, *b;

    rewrite_constant(graph, first, 1, &weights);
    weights.dims[0] *= n;
    w = join(rewrite, concat, 1, &weights, err);
    b = w == NULL ? NULL : join(rewrite, concat, 2, &biases, err);
    node = b == NULL ? NULL : rewrite_become(rewrite, concat, model.op, x, err);
    if (node == NULL)
        return -1;
    node->attr.conv = model.attr.conv;
    node->attr.conv.group *= n;
    node->fused = model.fused;
    if (rewrite_set_constant(rewrite, concat, 1, &weights, w, "weight", err) != 0)
        return -1;
    return rewrite_set_constant(rewrite, concat, 2, &biases, b, "bias", err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        bool is_join = rewrite_may_edit(&graph->nodes[i]) && graph->nodes[i].op == OP_CONCAT;
        int x = is_join ? match(&rewrite, (int)i) : GRAPH_NONE;

        if (x != GRAPH_NONE)
            rc = group(&rewrite, (int)i, x, err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_group_convolutions = {
    .name = "group_convolutions",
    .summary = "join the convolutions of equal slices of the channels into one with groups",
    .run = run,
};
