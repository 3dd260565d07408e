/* ops_elementwise.c — activations, and arithmetic between two or more values. The axes lie as those of the input. */
#include "formats/tensorflow/tf_import.h"

#include <stdio.h>

/* --- activations --- */

static int add_activation(struct tf_import *in, struct tf_node *node, struct activation activation, struct error *err)
{
    int x = node->inputs[0].value;
    struct node draft = {.op = OP_ACTIVATION, .inputs = &x, .n_inputs = 1};

    draft.attr.activation = activation;
    return tf_finish(in, node, &draft, &node->inputs[0].order, err);
}

int tf_build_activation(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct activation activation = {.kind = (enum activation_kind)node->row->variant};

    if (activation.kind == ACTIVATION_ELU)
        activation.alpha = 1;
    if (activation.kind == ACTIVATION_LEAKY_RELU && tf_float(node, "alpha", 0.2F, &activation.alpha, err) != 0)
        return -1;
    return add_activation(in, node, activation, err);
}

/* Relu6 */
int tf_build_clip(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return add_activation(in, node, (struct activation){ACTIVATION_CLIP, 0, 6}, err);
}

/* Powers by a fixed exponent, in hundredths: Rsqrt, Reciprocal. */
int tf_build_power(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return add_activation(in, node, (struct activation){ACTIVATION_POWER, (float)node->row->variant / 100, 0}, err);
}

/* Pow. One constant exponent makes it an activation. */
int tf_build_power_by(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct activation power = {.kind = ACTIVATION_POWER};
    struct shape exponents = tf_shape(in, &node->inputs[1]);

    if (!tf_is_constant(in, node, 1) || shape_elements(&exponents) != 1)
        return tf_build_binary(in, node, err);
    if (tf_constant_number(in, node, 1, &power.alpha, err) != 0)
        return -1;
    return add_activation(in, node, power, err);
}

/* scale * elu(x, alpha), by the constants of the paper that defined it (Klambauer et al. 2017). */
int tf_build_selu(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int inputs[2] = {node->inputs[0].value};
    struct node elu = {.op = OP_ACTIVATION, .inputs = inputs, .n_inputs = 1};
    struct node product = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_MUL};
    void *scale;

    elu.attr.activation = (struct activation){ACTIVATION_ELU, 1.6732632F, 0};
    if ((inputs[0] = tf_add_step(in, node, &elu, "elu", err)) < 0 ||
        (inputs[1] = tf_add_constant(in, node, "scale", DTYPE_FLOAT32, &(struct shape){0}, &scale, err)) < 0)
        return -1;
    *(float *)scale = 1.0507010F;
    return tf_finish(in, node, &product, &node->inputs[0].order, err);
}

/* --- arithmetic --- */

/* Two inputs as values that broadcast with each other; *order is how the axes of the result lie. */
static int align(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *a, const struct tf_tensor *b,
                 int values[2], struct tf_order *order, struct error *err)
{
    bool a_is_constant = in->graph->values[a->value].is_constant;
    bool b_is_constant = in->graph->values[b->value].is_constant;

    values[0] = a->value;
    values[1] = b->value;
    *order = a_is_constant ? b->order : a->order;
    if (a_is_constant && b_is_constant)
        return 0;
    if (!a_is_constant && !b_is_constant && (a->blocks != NULL || b->blocks != NULL))
        return error_set(err, EX_UNAVAILABLE, "two values between SpaceToBatchND and BatchToSpaceND");
    if (a_is_constant)
        values[0] = tf_align_constant(in, node, a->value, b, "aligned", err);
    else if (b_is_constant)
        values[1] = tf_align_constant(in, node, b->value, a, "aligned", err);
    else if (tf_rank(in, a) == tf_rank(in, b)) /* else graph_validate says why not */
        values[1] = tf_arrange(in, node, b, a->order, err);
    return values[0] < 0 || values[1] < 0 ? -1 : 0;
}

int tf_build_binary(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int inputs[2];
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2};
    struct tf_order order;

    draft.attr.binary.kind = (enum binary_kind)node->row->variant;
    if (align(in, node, &node->inputs[0], &node->inputs[1], inputs, &order, err) != 0)
        return -1;
    return tf_finish(in, node, &draft, &order, err);
}

/* A constant of one number of the type of `like`, 1 or -1. */
static int add_unit(struct tf_import *in, const struct tf_node *node, const char *name, int unit, int like,
                    struct error *err)
{
    enum dtype dtype = in->graph->values[like].dtype;
    void *data;
    int value = tf_add_constant(in, node, name, dtype, &(struct shape){0}, &data, err);

    if (value < 0)
        return -1;
    if (dtype == DTYPE_FLOAT32)
        *(float *)data = (float)unit;
    else
        *(int64_t *)data = unit;
    return value;
}

/* Neg, as a product that folds into weights. */
int tf_build_negate(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    int inputs[2] = {x->value, add_unit(in, node, "minus_one", -1, x->value, err)};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_MUL};

    return inputs[1] < 0 ? -1 : tf_finish(in, node, &draft, &x->order, err);
}

/* Erfc: 1 + erf(-x), so that a GELU written with it is recognised. */
int tf_build_erfc(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const struct tf_tensor *x = &node->inputs[0];
    int inputs[2] = {x->value, add_unit(in, node, "minus_one", -1, x->value, err)};
    struct node negate = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_MUL};
    struct node erf = {.op = OP_ACTIVATION, .inputs = inputs, .n_inputs = 1, .attr.activation.kind = ACTIVATION_ERF};
    struct node sum = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_ADD};

    if (inputs[1] < 0 || (inputs[0] = tf_add_step(in, node, &negate, "negated", err)) < 0 ||
        (inputs[0] = tf_add_step(in, node, &erf, "erf", err)) < 0 ||
        (inputs[1] = add_unit(in, node, "one", 1, x->value, err)) < 0)
        return -1;
    return tf_finish(in, node, &sum, &x->order, err);
}

int tf_build_square(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int inputs[2] = {node->inputs[0].value, node->inputs[0].value};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_MUL};

    return tf_finish(in, node, &draft, &node->inputs[0].order, err);
}

/* (a - b)^2 */
int tf_build_squared_difference(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int inputs[2];
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_SUB};
    struct tf_order order;

    if (align(in, node, &node->inputs[0], &node->inputs[1], inputs, &order, err) != 0 ||
        (inputs[0] = tf_add_step(in, node, &draft, "difference", err)) < 0)
        return -1;
    inputs[1] = inputs[0];
    draft.attr.binary.kind = BINARY_MUL;
    return tf_finish(in, node, &draft, &order, err);
}

/* AddN: a chain, from the left. */
int tf_build_sum_of_all(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct tf_tensor sum = node->inputs[0];
    int inputs[2];
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2, .attr.binary.kind = BINARY_ADD};
    struct tf_order order = sum.order;
    char step[24];

    if (node->n_inputs == 1)
        return tf_build_identity(in, node, err);
    for (size_t i = 1; i + 1 < node->n_inputs; i++) {
        snprintf(step, sizeof step, "%zu", i);
        if (align(in, node, &sum, &node->inputs[i], inputs, &order, err) != 0 ||
            (sum.value = tf_add_step(in, node, &draft, step, err)) < 0)
            return -1;
        sum.order = order;
    }
    return align(in, node, &sum, &node->inputs[node->n_inputs - 1], inputs, &order, err) != 0
               ? -1
               : tf_finish(in, node, &draft, &order, err);
}
