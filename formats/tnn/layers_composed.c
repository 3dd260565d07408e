/* layers_composed.c — layers that the graph has no operator for: several of its own instead.
 *
 * The values between are called "<layer>/<what>"; the last node bears the layer's name and writes its output. A step
 * that is given a value of -1 gives -1, so that steps can be chained and the last one be looked at.
 *
 * Source: what the reference device of Tencent TNN, commit f0cb08129a05, computes (source/tnn/device/cpu/acc).
 */
#include "formats/tnn/import.h"
#include "formats/tnn/tnn.h"

#include <string.h>

/* ---- Steps. `what` is NULL for the last one */

static int target(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape,
                  struct error *err)
{
    return what == NULL ? tnn_output(in, layer, 0, shape, err) : tnn_inner(in, layer, what, shape, err);
}

static int binary(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum binary_kind kind, int a,
                  int b, struct error *err)
{
    int y = a < 0 || b < 0 ? -1 : target(in, layer, what, NULL, err);

    return y < 0 || tnn_add_binary(in, layer, what, kind, a, b, y, err) != 0 ? -1 : y;
}

static int activation(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                      struct activation function, int x, struct error *err)
{
    int y = x < 0 ? -1 : target(in, layer, what, NULL, err);

    return y < 0 || tnn_add_activation(in, layer, what, function, x, y, err) != 0 ? -1 : y;
}

static int reshaped(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape,
                    int x, struct error *err)
{
    int y = x < 0 ? -1 : target(in, layer, what, shape, err);

    return y < 0 || tnn_add_reshape(in, layer, what, x, y, err) != 0 ? -1 : y;
}

static int transposed(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const int64_t *perm,
                      int x, struct error *err)
{
    int y = x < 0 ? -1 : target(in, layer, what, NULL, err);

    return y < 0 || tnn_add_transpose(in, layer, what, x, perm, y, err) != 0 ? -1 : y;
}

static int reduced(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum reduce_kind kind,
                   uint32_t axes, bool keep_dims, int x, struct error *err)
{
    int y = x < 0 ? -1 : target(in, layer, what, NULL, err);
    int node = y < 0 ? -1 : tnn_add_node(in, layer, what, OP_REDUCE, &x, 1, y, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.reduce.kind = kind;
    in->graph->nodes[node].attr.reduce.axes = axes;
    in->graph->nodes[node].attr.reduce.keep_dims = keep_dims;
    return tnn_finish_node(in, layer, node, err) == 0 ? y : -1;
}

static int number(struct tnn_import *in, const struct tnn_layer *layer, const char *what, float value,
                  struct error *err)
{
    const struct shape one = {1, {1}};
    float *data;
    int constant = tnn_constant(in, layer, what, &one, &data, err);

    if (constant >= 0)
        *data = value;
    return constant;
}

static int only_input(struct tnn_import *in, const struct tnn_layer *layer, size_t min_rank, struct error *err)
{
    int x = tnn_expect_inputs(layer, 1, err) != 0 ? -1 : tnn_input(in, layer, 0, err);

    if (x >= 0 && tnn_shape(in, x)->rank < min_rank)
        return tnn_expect_rank(in, layer, x, min_rank, err);
    return x;
}

static int done(int value)
{
    return value < 0 ? -1 : 0;
}

/* ---- Element by element */

int tnn_negate(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int x = only_input(in, layer, 0, err), minus_one = x < 0 ? -1 : number(in, layer, "minus_one", -1, err);

    (void)unused;
    return done(binary(in, layer, NULL, BINARY_MUL, x, minus_one, err));
}

int tnn_reciprocal(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    (void)unused;
    return done(
        activation(in, layer, NULL, (struct activation){ACTIVATION_POWER, -1, 0}, only_input(in, layer, 0, err), err));
}

/* gamma (x > 0 ? x : alpha (e^x - 1)) */
int tnn_selu(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    struct activation elu = {ACTIVATION_ELU, 0, 0};
    int x = only_input(in, layer, 0, err), factor;
    float gamma;

    (void)unused;
    if (x < 0 || tnn_real(layer, 0, 0, &elu.alpha, err) != 0 || tnn_real(layer, 1, 0, &gamma, err) != 0)
        return -1;
    x = activation(in, layer, "elu", elu, x, err);
    factor = x < 0 ? -1 : number(in, layer, "gamma", gamma, err);
    return done(binary(in, layer, NULL, BINARY_MUL, x, factor, err));
}

/* x0 clip(alpha x1 + beta, 0, 1), where x1 is x0 unless there are two inputs. */
int tnn_hard_swish(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    struct activation gate = {ACTIVATION_HARD_SIGMOID, 0, 0};
    int x0, x1;

    (void)unused;
    if (layer->inputs.n != 2)
        return tnn_activation(in, layer, ACTIVATION_HARD_SWISH, err);
    if (tnn_expect_inputs(layer, 2, err) != 0 || (x0 = tnn_input(in, layer, 0, err)) < 0 ||
        (x1 = tnn_input(in, layer, 1, err)) < 0 || tnn_real(layer, 0, 0, &gate.alpha, err) != 0 ||
        tnn_real(layer, 1, 0, &gate.beta, err) != 0)
        return -1;
    return done(binary(in, layer, NULL, BINARY_MUL, x0, activation(in, layer, "gate", gate, x1, err), err));
}

int tnn_squared_difference(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int a, b, difference;

    (void)unused;
    if (tnn_expect_inputs(layer, 2, err) != 0 || (a = tnn_input(in, layer, 0, err)) < 0 ||
        (b = tnn_input(in, layer, 1, err)) < 0)
        return -1;
    difference = binary(in, layer, "difference", BINARY_SUB, a, b, err);
    return done(binary(in, layer, NULL, BINARY_MUL, difference, difference, err));
}

/* Everything is computed in float32: a cast between real types changes nothing. */
int tnn_cast(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t to;

    (void)unused;
    if (tnn_integer(layer, 0, 0, &to, err) != 0)
        return -1;
    if (to != TNN_FLOAT32 && to != TNN_FLOAT16 && to != TNN_BFLOAT16)
        return tnn_error(layer, err, EX_UNAVAILABLE, "casts to data type %lld are not supported", (long long)to);
    return tnn_identity(in, layer, 0, err);
}

/* ---- Reductions */

static const struct reduction {
    enum activation_kind before; /* NONE: nothing */
    bool squares;                /* before it is summed */
    enum activation_kind after;
} reductions[] = {
    [TNN_REDUCE_L1] = {ACTIVATION_ABS, false, ACTIVATION_NONE},
    [TNN_REDUCE_LOG_SUM] = {ACTIVATION_NONE, false, ACTIVATION_LOG},
    [TNN_REDUCE_SUM_SQUARE] = {ACTIVATION_NONE, true, ACTIVATION_NONE},
};

/* keep_dims, then axes to the end of the record: log(sum(x)) and the like. */
int tnn_reduce_composed(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err)
{
    const struct reduction *r = &reductions[kind];
    int x = only_input(in, layer, 0, err);
    bool keeps;
    uint32_t axes;

    if (x < 0 || tnn_reduced_axes(layer, tnn_shape(in, x)->rank, &keeps, &axes, err) != 0)
        return -1;
    if (r->before != ACTIVATION_NONE)
        x = activation(in, layer, "before", (struct activation){r->before, 0, 0}, x, err);
    if (r->squares)
        x = binary(in, layer, "squares", BINARY_MUL, x, x, err);
    x = reduced(in, layer, r->after == ACTIVATION_NONE ? NULL : "sum", REDUCE_SUM, axes, keeps, x, err);
    if (r->after != ACTIVATION_NONE)
        x = activation(in, layer, NULL, (struct activation){r->after, 0, 0}, x, err);
    return done(x);
}

/* m + log(sum(exp(x - m))) with the largest x as m: no term is beyond 1. */
int tnn_log_sum_exp(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int x = only_input(in, layer, 0, err), largest, sum;
    bool keeps;
    uint32_t axes;

    (void)unused;
    if (x < 0 || tnn_reduced_axes(layer, tnn_shape(in, x)->rank, &keeps, &axes, err) != 0)
        return -1;
    largest = reduced(in, layer, "largest", REDUCE_MAX, axes, true, x, err);
    x = binary(in, layer, "shifted", BINARY_SUB, x, largest, err);
    x = activation(in, layer, "exp", (struct activation){ACTIVATION_EXP, 0, 0}, x, err);
    sum = reduced(in, layer, "sum", REDUCE_SUM, axes, keeps, x, err);
    sum = activation(in, layer, "log", (struct activation){ACTIVATION_LOG, 0, 0}, sum, err);
    if (!keeps && sum >= 0) {
        const struct shape shape = *tnn_shape(in, sum);

        largest = reshaped(in, layer, "largest_flat", &shape, largest, err);
    }
    return done(binary(in, layer, NULL, BINARY_ADD, sum, largest, err));
}

/* ---- Normalisation by the statistics of the record itself */

/* (x - mean) / sqrt(variance + eps), both over `axes`; then times operands[1] plus operands[2], where there are three.
 */
static int standardised(struct tnn_import *in, const struct tnn_layer *layer, const char *what, uint32_t axes,
                        float eps, const int *operands, size_t n_operands, struct error *err)
{
    int y = operands[0] < 0 ? -1 : target(in, layer, what, NULL, err);
    int node = y < 0 ? -1 : tnn_add_node(in, layer, what, OP_LAYER_NORM, operands, n_operands, y, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.layer_norm.axes = axes;
    in->graph->nodes[node].attr.layer_norm.epsilon = eps;
    return tnn_finish_node(in, layer, node, err) == 0 ? y : -1;
}

/* y = x scale[c] + shift[c], the layer's last node. */
static int per_channel(struct tnn_import *in, const struct tnn_layer *layer, int x, int scale, int shift,
                       struct error *err)
{
    int inputs[] = {x, scale, shift};
    int y = x < 0 || scale < 0 || shift < 0 ? -1 : tnn_output(in, layer, 0, NULL, err);
    int node = y < 0 ? -1 : tnn_add_node(in, layer, NULL, OP_NORMALIZE, inputs, 3, y, err);

    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}

/* channels, eps: over the image, each channel by itself. */
int tnn_instance_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    int x = resource == NULL ? -1 : only_input(in, layer, 3, err), scale, shift;
    int64_t channels;
    float eps;

    (void)unused;
    if (x < 0 || tnn_real(layer, 1, 1e-5f, &eps, err) != 0)
        return -1;
    channels = tnn_shape(in, x)->dims[1];
    scale = tnn_channel_vector(in, layer, "scale", &resource->main, channels, err);
    shift = scale < 0 ? -1 : tnn_channel_vector(in, layer, "shift", &resource->bias, channels, err);
    if (shift < 0)
        return -1;
    x = standardised(in, layer, "standardised", ((1u << tnn_shape(in, x)->rank) - 1) & ~3u, eps, &x, 1, err);
    return per_channel(in, layer, x, scale, shift, err);
}

/* Input `index`, a constant, as a vector of n numbers. */
static int constant_vector(struct tnn_import *in, const struct tnn_layer *layer, size_t index, const char *what,
                           int64_t n, struct error *err)
{
    const struct shape shape = {1, {n}};
    int value = tnn_input(in, layer, index, err), vector;
    struct tensor tensor;
    float *data;

    if (value < 0)
        return -1;
    if (!graph_constant(in->graph, value, &tensor) || shape_elements(&tensor.shape) != n)
        return tnn_error(layer, err, EX_UNAVAILABLE, "its input \"%s\" is no constant of %lld numbers",
                         layer->inputs.tokens[index], (long long)n);
    vector = tnn_constant(in, layer, what, &shape, &data, err);
    for (int64_t i = 0; vector >= 0 && i < n; i++)
        data[i] = (float)tensor_real(&tensor, (size_t)i);
    return vector;
}

/* groups, eps; x, scale and shift per channel: over the channels of a group together. */
int tnn_group_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    struct shape shape, grouped;
    int64_t groups, channels;
    int x, scale, shift;
    float eps;

    (void)unused;
    if (tnn_expect_inputs(layer, 3, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integer(layer, 0, 0, &groups, err) != 0 || tnn_real(layer, 1, 1e-5f, &eps, err) != 0)
        return -1;
    shape = *tnn_shape(in, x);
    channels = shape.rank < 2 ? 0 : shape.dims[1];
    if (groups < 1 || channels < 1 || channels % groups != 0)
        return tnn_error(layer, err, EX_DATAERR, "%lld channels do not divide into %lld groups", (long long)channels,
                         (long long)groups);
    grouped = (struct shape){3, {shape.dims[0], groups, shape_elements(&shape) / (shape.dims[0] * groups)}};
    scale = constant_vector(in, layer, 1, "scale", channels, err);
    shift = scale < 0 ? -1 : constant_vector(in, layer, 2, "shift", channels, err);
    if (shift < 0)
        return -1;
    x = reshaped(in, layer, "grouped", &grouped, x, err);
    x = standardised(in, layer, "standardised", 1u << 2, eps, &x, 1, err);
    return per_channel(in, layer, reshaped(in, layer, "ungrouped", &shape, x, err), scale, shift, err);
}

/* x, scale, shift: over the last axes, as many as the scale has, which applies element by element. */
int tnn_layer_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    size_t rank, n;
    uint32_t axes;
    int x, scale, shift;
    float eps;

    (void)unused;
    if (tnn_expect_inputs(layer, 3, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        (scale = tnn_input(in, layer, 1, err)) < 0 || (shift = tnn_input(in, layer, 2, err)) < 0 ||
        tnn_real(layer, 1, 1e-5f, &eps, err) != 0)
        return -1;
    rank = tnn_shape(in, x)->rank;
    n = tnn_shape(in, scale)->rank;
    if (n == 0 || n >= rank || !shape_equal(tnn_shape(in, scale), tnn_shape(in, shift)))
        return tnn_error(layer, err, EX_DATAERR, "its scale has %zu axes, its input %zu", n, rank);
    axes = ((1u << rank) - 1) & ~((1u << (rank - n)) - 1);
    return done(standardised(in, layer, NULL, axes, eps, (int[]){x, scale, shift}, 3, err));
}

/* across_spatial, eps, channel_shared, axis, p: x divided by its norm over the channels. */
int tnn_normalize_p(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    static const uint32_t channel_axis = 1u << 1;
    int64_t across, axis, p;
    int x = only_input(in, layer, 2, err), norm;
    float eps;

    (void)unused;
    if (x < 0 || tnn_integer(layer, 0, 0, &across, err) != 0 || tnn_real(layer, 1, 1e-12f, &eps, err) != 0 ||
        tnn_integer(layer, 3, 1, &axis, err) != 0 || tnn_integer(layer, 4, 2, &p, err) != 0)
        return -1;
    if (across != 0 || axis != 1)
        return tnn_error(layer, err, EX_UNAVAILABLE, "only norms over axis 1, not across the image, are supported");
    if (p == 2) {
        norm = reduced(in, layer, "norm", REDUCE_L2, channel_axis, true, x, err);
        norm = binary(in, layer, "norm_eps", BINARY_MAX, norm, norm < 0 ? -1 : number(in, layer, "eps", eps, err), err);
    } else if (p == 1) {
        norm = activation(in, layer, "magnitudes", (struct activation){ACTIVATION_ABS, 0, 0}, x, err);
        norm = reduced(in, layer, "norm", REDUCE_SUM, channel_axis, true, norm, err);
    } else if (p == INT32_MAX || p == INT32_MIN)
        norm = reduced(in, layer, "norm", p > 0 ? REDUCE_MAX : REDUCE_MIN, channel_axis, true, x, err);
    else
        return tnn_error(layer, err, EX_UNAVAILABLE, "the norm of order %lld is not supported", (long long)p);
    return done(binary(in, layer, NULL, BINARY_DIV, x, norm, err));
}

/* ---- Moving elements */

/* Channels c x r x r become rows and columns: y[c][h r + i][w r + j] = x[c r r + i r + j][h][w]. */
int tnn_pixel_shuffle(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    static const int64_t perm[TENSOR_MAX_RANK] = {0, 1, 4, 2, 5, 3};
    struct shape x_shape, split, joined;
    int x = only_input(in, layer, 0, err);
    int64_t r, channels;

    (void)unused;
    if (x < 0 || tnn_expect_rank(in, layer, x, 4, err) != 0 || tnn_integer(layer, 0, 1, &r, err) != 0)
        return -1;
    x_shape = *tnn_shape(in, x);
    if (r < 1 || r > INT16_MAX || x_shape.dims[1] % (r * r) != 0)
        return tnn_error(layer, err, EX_DATAERR, "%lld channels are no multiple of the square of its factor %lld",
                         (long long)x_shape.dims[1], (long long)r);
    channels = x_shape.dims[1] / (r * r);
    split = (struct shape){6, {x_shape.dims[0], channels, r, r, x_shape.dims[2], x_shape.dims[3]}};
    joined = (struct shape){4, {x_shape.dims[0], channels, x_shape.dims[2] * r, x_shape.dims[3] * r}};
    x = reshaped(in, layer, "split", &split, x, err);
    x = transposed(in, layer, "interleaved", perm, x, err);
    return done(reshaped(in, layer, NULL, &joined, x, err));
}
