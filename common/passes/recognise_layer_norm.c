/* recognise_layer_norm.c — pass: normalisation by the record's own statistics, written with small operators, becomes
 * one.
 *
 *   d = x - mean(x)
 *   d / sqrt(mean(d^2) + epsilon), or d times the inverse root      layer norm
 *   layer norm * scale, + shift (constants)                         its scale, its shift
 *
 * d^2 is a power or a product, and may be of another copy of d. As in recognise_activation, only the last node is
 * rewritten; parts that others read stay for them.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static const struct node *producer_of(const struct graph *graph, int value, enum op op)
{
    const struct node *node = rewrite_producer(graph, value);

    return node == NULL || node->op != op ? NULL : node;
}

static const struct node *binary_of(const struct graph *graph, int value, enum binary_kind kind)
{
    const struct node *node = producer_of(graph, value, OP_BINARY);

    return node != NULL && node->attr.binary.kind == kind && node->fused.kind == ACTIVATION_NONE ? node : NULL;
}

static bool is_power(const struct node *node, float exponent)
{
    if (node == NULL)
        return false;
    if (exponent == 0.5F && node->attr.activation.kind == ACTIVATION_SQRT)
        return true;
    return node->attr.activation.kind == ACTIVATION_POWER && node->attr.activation.alpha == exponent;
}

static const struct node *mean_of(const struct graph *graph, int value)
{
    const struct node *node = producer_of(graph, value, OP_REDUCE);

    return node != NULL && node->attr.reduce.kind == REDUCE_MEAN && node->attr.reduce.keep_dims &&
                   node->attr.reduce.axes != 0
               ? node
               : NULL;
}

/* value = x - mean(x) */
static bool match_centred(const struct graph *graph, int value, int *x, uint32_t *axes)
{
    const struct node *difference = binary_of(graph, value, BINARY_SUB);
    const struct node *mean = difference == NULL ? NULL : mean_of(graph, difference->inputs[1]);

    if (mean == NULL || mean->inputs[0] != difference->inputs[0])
        return false;
    *x = mean->inputs[0];
    *axes = mean->attr.reduce.axes;
    return true;
}

/* value = y^2 */
static bool match_square(const struct graph *graph, int value, int *y)
{
    const struct node *power = producer_of(graph, value, OP_ACTIVATION), *product;

    if (is_power(power, 2)) {
        *y = power->inputs[0];
        return true;
    }
    product = binary_of(graph, value, BINARY_MUL);
    if (product == NULL || product->inputs[0] != product->inputs[1])
        return false;
    *y = product->inputs[0];
    return true;
}

/* value = mean((x - mean(x))^2) + epsilon */
static bool match_variance(const struct graph *graph, int value, int x, uint32_t axes, float *epsilon)
{
    const struct node *sum = binary_of(graph, value, BINARY_ADD), *mean;
    const float *number = NULL;
    struct shape shape;
    uint32_t inner_axes;
    int centred, inner_x;

    for (size_t i = 0; i < 2 && sum != NULL; i++) {
        number = rewrite_constant(graph, sum, i, &shape);
        mean = mean_of(graph, sum->inputs[1 - i]);
        if (number != NULL && shape_elements(&shape) == 1 && number[0] >= 0 && mean != NULL &&
            mean->attr.reduce.axes == axes && match_square(graph, mean->inputs[0], &centred) &&
            match_centred(graph, centred, &inner_x, &inner_axes) && inner_x == x && inner_axes == axes) {
            *epsilon = number[0];
            return true;
        }
    }
    return false;
}

/* value = sqrt(y) (exponent 0.5), or 1 / sqrt(y) (-0.5). */
static bool match_root(const struct graph *graph, int value, float exponent, int *y)
{
    const struct node *root = producer_of(graph, value, OP_ACTIVATION), *ratio;
    const float *one;
    struct shape shape;

    if (is_power(root, exponent)) {
        *y = root->inputs[0];
        return true;
    }
    if (exponent > 0)
        return false;
    if (is_power(root, -1))
        return match_root(graph, root->inputs[0], 0.5F, y);
    ratio = binary_of(graph, value, BINARY_DIV);
    one = ratio == NULL ? NULL : rewrite_constant(graph, ratio, 0, &shape);
    return one != NULL && shape_elements(&shape) == 1 && one[0] == 1 && match_root(graph, ratio->inputs[1], 0.5F, y);
}

static bool match_layer_norm(const struct graph *graph, const struct node *node, int *x, uint32_t *axes, float *epsilon)
{
    bool is_ratio = binary_of(graph, node->outputs[0], BINARY_DIV) != NULL;
    int variance;

    if (!is_ratio && binary_of(graph, node->outputs[0], BINARY_MUL) == NULL)
        return false;
    for (size_t i = 0; i < (is_ratio ? 1 : 2); i++)
        if (match_centred(graph, node->inputs[i], x, axes) &&
            match_root(graph, node->inputs[1 - i], is_ratio ? 0.5F : -0.5F, &variance) &&
            match_variance(graph, variance, *x, *axes, epsilon))
            return true;
    return false;
}

/* A constant operand of `node` that repeats over y's shape without making it larger. */
static bool is_operand(const struct graph *graph, const struct node *node, size_t slot, const struct shape *y)
{
    struct shape shape, both;

    return rewrite_constant(graph, node, slot, &shape) != NULL && shape_broadcast(&shape, y, &both, NULL) == 0 &&
           shape_equal(&both, y);
}

/* The scale, then the shift behind a layer norm become its own. */
static int absorb_operands(struct rewrite *rewrite, int index, struct error *err)
{
    const struct graph *graph = rewrite->graph;

    while (graph->nodes[index].n_inputs < 3) {
        size_t slot = graph->nodes[index].n_inputs;
        int y = graph->nodes[index].outputs[0], next = rewrite_sole_consumer(rewrite, y);
        const struct node *node = next == GRAPH_NONE ? NULL : &graph->nodes[next];
        size_t constant;

        if (node == NULL || !rewrite_may_edit(node) ||
            binary_of(graph, node->outputs[0], slot == 1 ? BINARY_MUL : BINARY_ADD) == NULL)
            return 0;
        constant = node->inputs[0] == y ? 1 : 0;
        if (!is_operand(graph, node, constant, &graph->values[y].shape))
            return 0;
        if (rewrite_set_input(rewrite, index, slot, node->inputs[constant], err) != 0)
            return -1;
        rewrite_absorb(rewrite, index, next);
    }
    return 0;
}

static int recognise(struct rewrite *rewrite, int index, struct error *err)
{
    struct node *node = &rewrite->graph->nodes[index];
    uint32_t axes;
    float epsilon;
    int x;

    if (node->op == OP_BINARY && match_layer_norm(rewrite->graph, node, &x, &axes, &epsilon)) {
        node = rewrite_become(rewrite, index, OP_LAYER_NORM, x, err);
        if (node == NULL)
            return -1;
        node->attr.layer_norm.axes = axes;
        node->attr.layer_norm.epsilon = epsilon;
    }
    return node->op == OP_LAYER_NORM ? absorb_operands(rewrite, index, err) : 0;
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++)
        if (rewrite_may_edit(&graph->nodes[i]))
            rc = recognise(&rewrite, (int)i, err);
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_recognise_layer_norm = {
    .name = "recognise_layer_norm",
    .summary = "recognise layer normalisation made of small operators",
    .run = run,
};
