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
    case ACTIVATION_THRESHOLDED_RELU:
        activation.alpha = 1;
        break;
    case ACTIVATION_POWER: /* Reciprocal */
        activation.alpha = -1;
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

/* Integers are constants here, and keep all their bits. */
static int clip_integers(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), lo = onnx_input(node, 1), hi = onnx_input(node, 2);

    if (lo == GRAPH_NONE && hi == GRAPH_NONE)
        return onnx_build_identity(in, node, err);
    if (lo != GRAPH_NONE)
        x = onnx_put_binary(in, node, BINARY_MAX, x, lo, hi == GRAPH_NONE ? NULL : "raised", err);
    if (hi != GRAPH_NONE)
        x = onnx_put_binary(in, node, BINARY_MIN, x, hi, NULL, err);
    return x < 0 ? -1 : 0;
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
    if (in->graph->values[onnx_input(node, 0)].dtype != DTYPE_FLOAT32)
        return clip_integers(in, node, err);
    if (clip.alpha == 0 && clip.beta >= FLT_MAX)
        return add_activation(in, node, (struct activation){.kind = ACTIVATION_RELU}, err);
    return add_activation(in, node, clip, err);
}

int onnx_build_gelu(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const char *const forms[] = {"none", "tanh", NULL};
    int form;

    if (onnx_choice(node, "approximate", forms, 0, &form, err) != 0)
        return -1;
    return add_activation(in, node, (struct activation){.kind = form == 0 ? ACTIVATION_GELU : ACTIVATION_GELU_TANH},
                          err);
}

/* One constant exponent makes it an activation; else the result has the type of the base. */
int onnx_build_power(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int base = onnx_input(node, 0), exponent = onnx_input(node, 1);
    bool is_real = in->graph->values[base].dtype == DTYPE_FLOAT32;
    bool has_real_exponent = in->graph->values[exponent].dtype == DTYPE_FLOAT32;
    struct activation power = {.kind = ACTIVATION_POWER};
    struct tensor tensor;

    if (is_real && graph_constant(in->graph, exponent, &tensor) && shape_elements(&tensor.shape) == 1 &&
        tensor.shape.rank <= onnx_shape(in, base)->rank) {
        if (onnx_constant_number(in, node, 1, &power.alpha, err) != 0)
            return -1;
        return add_activation(in, node, power, err);
    }
    if (is_real && !has_real_exponent)
        exponent = onnx_put_cast(in, node, DTYPE_FLOAT32, exponent, "exponent", err);
    if (is_real || !has_real_exponent)
        return onnx_put_binary(in, node, BINARY_POW, base, exponent, NULL, err) < 0 ? -1 : 0;
    base = onnx_put_cast(in, node, DTYPE_FLOAT32, base, "base", err);
    base = onnx_put_binary(in, node, BINARY_POW, base, exponent, "power", err);
    return onnx_put_cast(in, node, DTYPE_INT64, base, NULL, err) < 0 ? -1 : 0;
}

int onnx_build_negate(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), minus_one = onnx_put_number(in, node, "minus_one", x, -1, err);

    return onnx_put_binary(in, node, BINARY_MUL, x, minus_one, NULL, err) < 0 ? -1 : 0;
}

/* Selu is gamma Elu(x; alpha); Celu is alpha Elu(x / alpha; 1). */
int onnx_build_scaled_elu(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    bool is_selu = node->operator->variant != 0;
    struct activation elu = {.kind = ACTIVATION_ELU, .alpha = 1};
    int x = onnx_input(node, 0);
    float scale = 1;

    if (is_selu ? onnx_float(node, "alpha", 1.67326319217681884765625F, &elu.alpha, err) != 0 ||
                      onnx_float(node, "gamma", 1.05070102214813232421875F, &scale, err) != 0
                : onnx_float(node, "alpha", 1, &scale, err) != 0)
        return -1;
    if (!(scale > 0))
        return error_set(err, EX_UNAVAILABLE, "a factor of %g is not supported", (double)scale);
    if (!is_selu && scale != 1)
        x = onnx_put_binary(in, node, BINARY_MUL, x, onnx_put_number(in, node, "inverse", x, 1 / (double)scale, err),
                            "scaled", err);
    if (scale == 1)
        return onnx_put_activation(in, node, elu, x, NULL, err) < 0 ? -1 : 0;
    x = onnx_put_activation(in, node, elu, x, "elu", err);
    return onnx_put_binary(in, node, BINARY_MUL, x, onnx_put_number(in, node, "scale", x, (double)scale, err), NULL,
                           err) < 0
               ? -1
               : 0;
}

/* x / (1 + |x|) */
int onnx_build_softsign(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0),
        size = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_ABS}, x, "size", err);
    int one = onnx_put_number(in, node, "one", x, 1, err);

    return onnx_put_binary(in, node, BINARY_DIV, x, onnx_put_binary(in, node, BINARY_ADD, size, one, "divisor", err),
                           NULL, err) < 0
               ? -1
               : 0;
}

/* Slopes that are not one number a channel: max(x, 0) + slope min(x, 0). */
static int add_slopes(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), zero = onnx_put_number(in, node, "zero", x, 0, err);
    int above = onnx_put_binary(in, node, BINARY_MAX, x, zero, "above", err);
    int below = onnx_put_binary(in, node, BINARY_MIN, x, zero, "below", err);

    below = onnx_put_binary(in, node, BINARY_MUL, below, onnx_input(node, 1), "sloped", err);
    return onnx_put_binary(in, node, BINARY_ADD, above, below, NULL, err) < 0 ? -1 : 0;
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
    if ((vector.dims[0] != 1 && !is_along_channels) || slope.shape.rank > x->rank || x->rank < 2)
        return add_slopes(in, node, err);
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
    if (onnx_int(node, "axis", 0, &axis, err) != 0 || import_axis(axis, x->rank, &first, err) != 0)
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

/* All inputs, from the left; the last result is a step or (NULL) the output. There are two inputs at least. */
static int put_chain(struct onnx_import *in, const struct onnx_node *node, enum binary_kind kind, const char *last,
                     struct error *err)
{
    int x = onnx_input(node, 0);
    char step[24];

    for (size_t i = 1; i < node->n_inputs && x >= 0; i++) {
        snprintf(step, sizeof step, "%zu", i);
        x = onnx_put_binary(in, node, kind, x, onnx_input(node, i), i + 1 < node->n_inputs ? step : last, err);
    }
    return x;
}

/* Max, Min and Sum of any number of values. */
int onnx_build_variadic(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    if (node->n_inputs == 1)
        return onnx_build_identity(in, node, err);
    return put_chain(in, node, (enum binary_kind)node->operator->variant, NULL, err) < 0 ? -1 : 0;
}

int onnx_build_mean(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int sum, share;

    if (node->n_inputs == 1)
        return onnx_build_identity(in, node, err);
    sum = put_chain(in, node, BINARY_ADD, "sum", err);
    share = onnx_put_number(in, node, "share", sum, 1 / (double)node->n_inputs, err);
    return onnx_put_binary(in, node, BINARY_MUL, sum, share, NULL, err) < 0 ? -1 : 0;
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
