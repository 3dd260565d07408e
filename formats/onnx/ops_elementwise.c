/* ops_elementwise.c — activations, and arithmetic between two or more values. */
#include "formats/onnx/onnx_import.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* --- activations --- */

static int add_activation(struct onnx_import *in, const struct onnx_node *node, struct activation activation,
                          struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_ACTIVATION, .inputs = &x, .n_inputs = 1};

    draft.attr.activation = activation;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_activation(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    struct activation activation = {.kind = (enum activation_kind)node->operator->variant };

    switch (activation.kind) { /* the defaults of the standard */
    case ACTIVATION_LEAKY_RELU:
        activation.alpha = 0.01F;
        break;
    case ACTIVATION_ELU:
        activation.alpha = 1;
        break;
    case ACTIVATION_HARD_SIGMOID:
        activation.alpha = 0.2F;
        activation.beta = 0.5F;
        break;
    case ACTIVATION_HARD_SWISH: /* fixed there, and not the defaults of HardSigmoid */
        activation.alpha = 1.0F / 6;
        activation.beta = 0.5F;
        break;
    default:
        break;
    }
    if (onnx_float(node, "alpha", activation.alpha, &activation.alpha, err) != 0 ||
        onnx_float(node, "beta", activation.beta, &activation.beta, err) != 0)
        return -1;
    return add_activation(in, node, activation, err);
}

/* Bounds are attributes up to opset 10, optional inputs from 11 on. */
int onnx_build_clip(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    struct activation clip = {.kind = ACTIVATION_CLIP, .alpha = -FLT_MAX, .beta = FLT_MAX};

    if (onnx_float(node, "min", clip.alpha, &clip.alpha, err) != 0 ||
        onnx_float(node, "max", clip.beta, &clip.beta, err) != 0 ||
        (onnx_input(node, 1) != GRAPH_NONE && onnx_constant_number(in, node, 1, &clip.alpha, err) != 0) ||
        (onnx_input(node, 2) != GRAPH_NONE && onnx_constant_number(in, node, 2, &clip.beta, err) != 0))
        return -1;
    if (clip.alpha == 0 && clip.beta >= FLT_MAX)
        return add_activation(in, node, (struct activation){.kind = ACTIVATION_RELU}, err);
    return add_activation(in, node, clip, err);
}

int onnx_build_gelu(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const forms[] = {"none", NULL}; /* "tanh" is an approximation with numbers of its own */
    int form;

    if (onnx_choice(node, "approximate", forms, 0, &form, err) != 0)
        return -1;
    return add_activation(in, node, (struct activation){.kind = ACTIVATION_GELU}, err);
}

/* One constant exponent makes it an activation; networks use no other. */
int onnx_build_power(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    struct activation power = {.kind = ACTIVATION_POWER};

    if (onnx_constant_number(in, node, 1, &power.alpha, err) != 0)
        return -1;
    return add_activation(in, node, power, err);
}

/* The slope as C numbers or one: it may come with axes of 1 around the channels. Up to opset 6 a vector lies along the
 * channels, later it broadcasts from the right. */
int onnx_build_prelu(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1)};
    struct node draft = {.op = OP_PRELU, .inputs = inputs, .n_inputs = 2};
    const struct shape *x = onnx_shape(in, inputs[0]);
    struct shape vector = {.rank = 1};
    struct tensor slope;
    char slope_text[SHAPE_TEXT_BYTES], x_text[SHAPE_TEXT_BYTES];
    size_t lead;
    bool is_along_channels = true;

    if (onnx_constant(in, node, 1, &slope, err) != 0)
        return -1;
    vector.dims[0] = shape_elements(&slope.shape);
    lead = slope.shape.rank <= x->rank ? x->rank - slope.shape.rank : 0;
    for (size_t i = 0; i < slope.shape.rank; i++)
        is_along_channels = is_along_channels && (slope.shape.dims[i] == 1 || lead + i == 1);
    if (in->opset < 7 && slope.shape.rank == 1)
        is_along_channels = true;
    if (vector.dims[0] != 1 && (!is_along_channels || slope.shape.rank > x->rank))
        return error_set(err, EX_UNAVAILABLE,
                         "a slope of shape %s for an input of shape %s is not one number a channel",
                         shape_text(&slope.shape, slope_text), shape_text(x, x_text));
    if (slope.shape.rank != 1)
        inputs[1] = onnx_add_reshape(in, node, inputs[1], &vector, "slope", err);
    return inputs[1] < 0 || onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- arithmetic --- */

/* Up to opset 6, B is aligned with A from `axis` on: trailing axes of 1 make numpy's rule do that. */
static int align_operand(struct onnx_import *in, const struct onnx_node *node, int a, int b, struct error *err)
{
    const struct shape *x = onnx_shape(in, a);
    struct shape aligned = *onnx_shape(in, b);
    bool broadcasts;
    int64_t axis;
    size_t first;

    if (onnx_flag(node, "broadcast", false, &broadcasts, err) != 0)
        return -1;
    if (!broadcasts || !onnx_has(node, "axis") || aligned.rank >= x->rank)
        return b;
    if (onnx_int(node, "axis", 0, &axis, err) != 0 || onnx_axis(axis, x->rank, &first, err) != 0)
        return -1;
    if (first + aligned.rank > x->rank)
        return error_set(err, EX_DATAERR, "%zu axes from axis %zu on are more than the %zu of input 0", aligned.rank,
                         first, x->rank);
    if (first + aligned.rank == x->rank)
        return b;
    while (first + aligned.rank < x->rank)
        aligned.dims[aligned.rank++] = 1;
    return onnx_add_reshape(in, node, b, &aligned, "aligned", err);
}

int onnx_build_binary(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), onnx_input(node, 1)};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2};

    draft.attr.binary.kind = (enum binary_kind)node->operator->variant;
    inputs[1] = align_operand(in, node, inputs[0], inputs[1], err);
    return inputs[1] < 0 || onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* Max, Min and Sum of any number of values: a chain, from the left. */
int onnx_build_variadic(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[2] = {onnx_input(node, 0)};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2};
    char step[24];

    if (node->n_inputs == 1)
        return onnx_build_identity(in, node, err);
    draft.attr.binary.kind = (enum binary_kind)node->operator->variant;
    for (size_t i = 1; i < node->n_inputs; i++) {
        snprintf(step, sizeof step, "%zu", i);
        inputs[1] = onnx_input(node, i);
        inputs[0] =
            i + 1 < node->n_inputs ? onnx_add_step(in, node, &draft, step, err) : onnx_add(in, node, &draft, err);
        if (inputs[0] < 0)
            return -1;
    }
    return 0;
}

/* Identity, and Dropout outside training. */
int onnx_build_identity(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};
    struct tensor training;

    if (onnx_input(node, 2) != GRAPH_NONE) { /* Dropout from opset 12 on */
        if (onnx_constant(in, node, 2, &training, err) != 0)
            return -1;
        if (shape_elements(&training.shape) != 1 || tensor_integer(&training, 0) != 0)
            return error_set(err, EX_UNAVAILABLE, "training_mode is not supported");
    }
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
