/* recognise_prelu.c — pass: a PReLU made of small operators gets its name back.
 *
 *   relu(x) + s relu(-x)       slope -s
 *   relu(x) + s (x - |x|)      slope 2 s
 *
 * Frameworks without the operator write it so. It runs behind fold_bias and fold_normalize, which have made one
 * OP_NORMALIZE of whatever products with constants there are.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static const struct node *producer_of(const struct graph *graph, int value, enum op op)
{
    const struct node *node = rewrite_producer(graph, value);

    return node == NULL || node->op != op ? NULL : node;
}

/* The value whose `kind` this is, or GRAPH_NONE. */
static int activation_of(const struct graph *graph, int value, enum activation_kind kind)
{
    const struct node *node = producer_of(graph, value, OP_ACTIVATION);

    return node != NULL && node->attr.activation.kind == kind ? node->inputs[0] : GRAPH_NONE;
}

/* value = scale[c] y without a shift: y, and the scale; GRAPH_NONE where it is something else. */
static int scaled(const struct graph *graph, int value, const float **scale)
{
    const struct node *node = producer_of(graph, value, OP_NORMALIZE);
    const float *shift = node == NULL ? NULL : rewrite_constant(graph, node, 2, NULL);

    *scale = node == NULL ? NULL : rewrite_constant(graph, node, 1, NULL);
    for (int64_t c = 0; *scale != NULL && c < graph->values[value].shape.dims[1]; c++)
        if (shift == NULL || shift[c] != 0)
            return GRAPH_NONE;
    return *scale == NULL ? GRAPH_NONE : node->inputs[0];
}

static bool is_negated(const struct graph *graph, int value, int x)
{
    const float *scale;

    if (value == GRAPH_NONE || scaled(graph, value, &scale) != x)
        return false;
    for (int64_t c = 0; c < graph->values[value].shape.dims[1]; c++)
        if (scale[c] != -1)
            return false;
    return true;
}

/* x - |x| */
static bool is_twice_negative_part(const struct graph *graph, int value, int x)
{
    const struct node *node = producer_of(graph, value, OP_BINARY);

    return node != NULL && node->attr.binary.kind == BINARY_SUB && node->fused.kind == ACTIVATION_NONE &&
           node->inputs[0] == x && activation_of(graph, node->inputs[1], ACTIVATION_ABS) == x;
}

/* The factor by which slope[c] follows from scale[c]; 0 where input 1 - i of the sum is not what belongs to relu(x). */
static float match(const struct graph *graph, const struct node *sum, size_t i, int *x, const float **scale)
{
    int y = scaled(graph, sum->inputs[1 - i], scale);

    *x = activation_of(graph, sum->inputs[i], ACTIVATION_RELU);
    if (*x == GRAPH_NONE || y == GRAPH_NONE)
        return 0;
    if (is_twice_negative_part(graph, y, *x))
        return 2;
    return is_negated(graph, activation_of(graph, y, ACTIVATION_RELU), *x) ? -1 : 0;
}

static int recognise(struct rewrite *rewrite, int index, struct error *err)
{
    const struct node *sum = &rewrite->graph->nodes[index];
    struct shape vector = {.rank = 1};
    const float *scale = NULL;
    float factor = 0, *slope;
    int x = GRAPH_NONE;

    for (size_t i = 0; i < 2 && factor == 0; i++)
        factor = match(rewrite->graph, sum, i, &x, &scale);
    if (factor == 0)
        return 0;
    vector.dims[0] = rewrite->graph->values[x].shape.dims[1];
    slope = rewrite_create_data(rewrite, &vector, err);
    if (slope == NULL)
        return -1;
    for (int64_t c = 0; c < vector.dims[0]; c++)
        slope[c] = factor * scale[c];
    if (rewrite_become(rewrite, index, OP_PRELU, x, err) == NULL)
        return -1;
    return rewrite_set_constant(rewrite, index, 1, &vector, slope, "slope", err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        const struct node *node = &graph->nodes[i];

        if (rewrite_may_edit(node) && node->op == OP_BINARY && node->attr.binary.kind == BINARY_ADD &&
            node->fused.kind == ACTIVATION_NONE)
            rc = recognise(&rewrite, (int)i, err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_recognise_prelu = {
    .name = "recognise_prelu",
    .summary = "recognise PReLU made of small operators",
    .run = run,
};
