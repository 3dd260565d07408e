/* tf_write_pointwise.c — activations, sums and products, normalisation. */
#include "formats/tensorflow/tf_write.h"

#include <stddef.h>

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* Activations that are one operator without arguments. */
static const char *const operators[ACTIVATION_COUNT] = {
    [ACTIVATION_RELU] = "Relu",   [ACTIVATION_SIGMOID] = "Sigmoid", [ACTIVATION_TANH] = "Tanh",
    [ACTIVATION_EXP] = "Exp",     [ACTIVATION_LOG] = "Log",         [ACTIVATION_ABS] = "Abs",
    [ACTIVATION_SQRT] = "Sqrt",   [ACTIVATION_ERF] = "Erf",         [ACTIVATION_SOFTPLUS] = "Softplus",
    [ACTIVATION_FLOOR] = "Floor", [ACTIVATION_CEIL] = "Ceil",       [ACTIVATION_ROUND] = "Rint",
    [ACTIVATION_SIGN] = "Sign",
};

static const char *unary(struct tf_writer *w, const char *op, const char *x, const char *base)
{
    return tf_step(w, op, base, TF_INPUTS(x));
}

static const char *with_number(struct tf_writer *w, const char *op, const char *x, float number, const char *base)
{
    return tf_step(w, op, base, TF_INPUTS(x, tf_const_scalar(w, base, number)));
}

static const char *clip(struct tf_writer *w, const char *x, float low, float high, const char *base)
{
    if (low == 0 && high == 6)
        return unary(w, "Relu6", x, base);
    return with_number(w, "Maximum", with_number(w, "Minimum", x, high, base), low, base);
}

/* max(0, min(1, alpha x + beta)) */
static const char *hard_sigmoid(struct tf_writer *w, struct activation a, const char *x, const char *base)
{
    const char *line = with_number(w, "AddV2", with_number(w, "Mul", x, a.alpha, base), a.beta, base);

    return clip(w, line, 0, 1, base);
}

static const char *times(struct tf_writer *w, const char *x, const char *y, const char *base)
{
    return tf_step(w, "Mul", base, TF_INPUTS(x, y));
}

/* x/2 (1 + erf(x/sqrt 2)) */
static const char *gelu(struct tf_writer *w, const char *x, const char *base)
{
    const char *bell = unary(w, "Erf", with_number(w, "Mul", x, 0.70710678118654752F, base), base);

    return times(w, with_number(w, "Mul", x, 0.5F, base), with_number(w, "AddV2", bell, 1, base), base);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
static const char *gelu_tanh(struct tf_writer *w, const char *x, const char *base)
{
    const char *cube = with_number(w, "Mul", times(w, unary(w, "Square", x, base), x, base), 0.044715F, base);
    const char *sum = tf_step(w, "AddV2", base, TF_INPUTS(x, cube));
    const char *bell = unary(w, "Tanh", with_number(w, "Mul", sum, 0.79788456080286536F, base), base);

    return times(w, with_number(w, "Mul", x, 0.5F, base), with_number(w, "AddV2", bell, 1, base), base);
}

/* x > alpha ? x : 0: x times the sign of what is above alpha. */
static const char *threshold(struct tf_writer *w, float alpha, const char *x, const char *base)
{
    const char *above = unary(w, "Relu", with_number(w, "Sub", x, alpha, base), base);

    return times(w, x, unary(w, "Sign", above, base), base);
}

static const char *elu(struct tf_writer *w, struct activation a, const char *x, const char *base)
{
    const char *y = unary(w, "Elu", x, base);

    if (a.alpha == 1) /* Elu has no argument; where it is negative, it is a multiple */
        return y;
    y = with_number(w, "Mul", with_number(w, "Minimum", y, 0, base), a.alpha, base);
    return tf_step(w, "AddV2", base, TF_INPUTS(unary(w, "Relu", x, base), y));
}

const char *tf_activate(struct tf_writer *w, struct activation a, const char *x, const char *base)
{
    const char *y;

    if (a.kind == ACTIVATION_NONE)
        return x;
    if (operators[a.kind] != NULL)
        return unary(w, operators[a.kind], x, base);
    switch (a.kind) {
    case ACTIVATION_LEAKY_RELU:
        y = unary(w, "LeakyRelu", x, base);
        tf_put_float(w, "alpha", a.alpha);
        return y;
    case ACTIVATION_CLIP:
        return clip(w, x, a.alpha, a.beta, base);
    case ACTIVATION_ELU:
        return elu(w, a, x, base);
    case ACTIVATION_SWISH:
        y = a.alpha == 1 ? x : with_number(w, "Mul", x, a.alpha, base);
        return times(w, x, unary(w, "Sigmoid", y, base), base);
    case ACTIVATION_HARD_SIGMOID:
        return hard_sigmoid(w, a, x, base);
    case ACTIVATION_HARD_SWISH:
        return times(w, x, hard_sigmoid(w, a, x, base), base);
    case ACTIVATION_GELU:
        return gelu(w, x, base);
    case ACTIVATION_GELU_TANH:
        return gelu_tanh(w, x, base);
    case ACTIVATION_THRESHOLDED_RELU:
        return threshold(w, a.alpha, x, base);
    case ACTIVATION_MISH:
        return times(w, x, unary(w, "Tanh", unary(w, "Softplus", x, base), base), base);
    case ACTIVATION_POWER:
        return with_number(w, "Pow", x, a.alpha, base);
    default:
        tf_cannot(w, "its activation %s has no form in TensorFlow", activation_name(a.kind));
        return "";
    }
}

const char *tf_write_activation(struct tf_writer *w, const struct node *node, const char *base)
{
    return tf_activate(w, node->attr.activation, tf_value(w, node->inputs[0]), base);
}

/* A vector of the channels, to be broadcast beside a value of `rank` axes. */
static const char *channels(struct tf_writer *w, int value, size_t rank)
{
    const struct value *v = &w->graph->values[value];
    bool are_last = rank < 3 || (w->is_last && tf_has_channels_last(rank));
    struct shape shape = {.rank = are_last ? 1 : rank - 1};

    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = i == 0 ? shape_elements(&v->shape) : 1;
    return tf_const_value(w, value, &shape, v->data);
}

/* relu(x) - slope relu(-x) */
const char *tf_write_prelu(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *x = tf_value(w, node->inputs[0]);
    const char *slope = channels(w, node->inputs[1], shape_of(w, node->inputs[0])->rank);
    const char *below = times(w, slope, unary(w, "Relu", unary(w, "Neg", x, base), base), base);

    return tf_step(w, "Sub", base, TF_INPUTS(unary(w, "Relu", x, base), below));
}

const char *tf_write_normalize(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->inputs[0])->rank;
    const char *y = times(w, tf_value(w, node->inputs[0]), channels(w, node->inputs[1], rank), base);

    return tf_step(w, "AddV2", base, TF_INPUTS(y, channels(w, node->inputs[2], rank)));
}

const char *tf_write_binary(struct tf_writer *w, const struct node *node, const char *base)
{
    static const char *const types[] = {
        [BINARY_ADD] = "AddV2",   [BINARY_SUB] = "Sub",     [BINARY_MUL] = "Mul", [BINARY_DIV] = "RealDiv",
        [BINARY_MAX] = "Maximum", [BINARY_MIN] = "Minimum", [BINARY_POW] = "Pow"};
    size_t rank = shape_of(w, node->outputs[0])->rank, kind = (size_t)node->attr.binary.kind;

    if (kind >= sizeof types / sizeof *types) {
        tf_cannot(w, "this arithmetic is not written");
        return "";
    }
    return tf_step(w, types[kind], base,
                   TF_INPUTS(tf_operand(w, node->inputs[0], rank), tf_operand(w, node->inputs[1], rank)));
}

/* d / sqrt(mean(d^2) + epsilon), where d = x - mean(x); then scale and shift. */
const char *tf_write_layer_norm(struct tf_writer *w, const struct node *node, const char *base)
{
    static const char *const steps[] = {NULL, "Mul", "AddV2"};
    const char *x = tf_value(w, node->inputs[0]), *d, *y;
    size_t rank = shape_of(w, node->inputs[0])->rank, n = 0;
    int64_t axes[TENSOR_MAX_RANK];

    for (size_t i = 0; i < rank; i++)
        if ((node->attr.layer_norm.axes >> i & 1) != 0)
            axes[n++] = (int64_t)tf_file_axis(w, rank, i);
    y = tf_step_ints(w, "Mean", base, x, axes, n, "Tidx");
    tf_put_bool(w, "keep_dims", true);
    d = tf_step(w, "Sub", base, TF_INPUTS(x, y));
    y = tf_step_ints(w, "Mean", base, unary(w, "Square", d, base), axes, n, "Tidx");
    tf_put_bool(w, "keep_dims", true);
    y = unary(w, "Rsqrt", with_number(w, "AddV2", y, node->attr.layer_norm.epsilon, base), base);
    y = times(w, d, y, base);
    for (size_t i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] != GRAPH_NONE)
            y = tf_step(w, steps[i], base, TF_INPUTS(y, tf_operand(w, node->inputs[i], rank)));
    return y;
}
