/* layers_affine.c — y = a x + b with a and b per channel or broadcast: BatchNorm, BN, Scale, Bias. */
#include "formats/caffe/build.h"

#include <math.h>
#include <string.h>

/* ---- Per-channel normalisation */

static int add_normalize(struct caffe_import *in, const struct caffe_layer *layer, int scale, int shift,
                         struct error *err)
{
    int output = caffe_top(in, layer, 0, NULL, err);
    int inputs[] = {layer->bottoms[0], scale, shift};
    int node = output < 0 ? -1 : caffe_add_node(in, layer, OP_NORMALIZE, inputs, 3, output, err);

    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

/* A constant vector of n times `number`. */
static int filled(struct caffe_import *in, const struct caffe_layer *layer, const char *what, int64_t n, float number,
                  struct error *err)
{
    const struct shape vector = {1, {n}};
    float *data;
    int constant = caffe_constant(in, layer, what, &vector, &data, err);

    for (int64_t i = 0; constant >= 0 && i < n; i++)
        data[i] = number;
    return constant;
}

static int check_spread(const struct caffe_layer *layer, int64_t channel, double spread, struct error *err)
{
    if (!(spread > 0) || isinf(spread))
        return caffe_error(layer, err, EX_DATAERR, "channel %lld: expected a positive variance + eps, found %g",
                           (long long)channel, spread);
    return 0;
}

/* y = (x - mean) / sqrt(variance + eps). The blobs hold sums, and the factor that they must be divided by. In double,
 * so that the two numbers a channel needs are each rounded once. */
static int fill_batch_norm(const struct caffe_layer *layer, int64_t channels, const float *const blobs[3], double eps,
                           float *scale, float *shift, struct error *err)
{
    double inverse = blobs[2][0] == 0 ? 0 : 1.0 / (double)blobs[2][0];

    for (int64_t c = 0; c < channels; c++) {
        double mean = (double)blobs[0][c] * inverse, spread = (double)blobs[1][c] * inverse + eps;

        if (check_spread(layer, c, spread, err) < 0)
            return -1;
        scale[c] = (float)(1.0 / sqrt(spread));
        shift[c] = (float)(-mean / sqrt(spread));
    }
    return 0;
}

int caffe_batch_norm(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__BatchNormParameter *param = layer->param->batch_norm_param;
    double eps = param != NULL ? (double)param->eps : (double)1e-5f;
    struct shape shapes[3] = {{1, {0}}, {1, {0}}, {1, {1}}};
    const float *blobs[3];
    float *scales, *shifts;
    int scale, shift;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (param != NULL && param->has_use_global_stats && !param->use_global_stats)
        return caffe_error(layer, err, EX_UNAVAILABLE,
                           "use_global_stats: false normalises by the statistics of each batch, which int8 cannot do");
    if (caffe_bottom_shape(in, layer, 0)->rank < 2)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom with channels");
    shapes[0].dims[0] = shapes[1].dims[0] = caffe_bottom_shape(in, layer, 0)->dims[1];
    if (caffe_expect_blobs(in, layer, 3, err) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (caffe_blob_values(in, layer, i, &shapes[i], &blobs[i], err) < 0)
            return -1;
    scale = caffe_constant(in, layer, "scale", &shapes[0], &scales, err);
    shift = scale < 0 ? -1 : caffe_constant(in, layer, "shift", &shapes[0], &shifts, err);
    if (shift < 0 || fill_batch_norm(layer, shapes[0].dims[0], blobs, eps, scales, shifts, err) < 0)
        return -1;
    return add_normalize(in, layer, scale, shift, err);
}

/* ---- BN of SegNet and PSPNet: y = slope (x - mean) / sqrt(variance + eps) + bias, all four per channel and final */

static int fill_bn(const struct caffe_layer *layer, int64_t channels, const float *const blobs[4], double eps,
                   float *scale, float *shift, struct error *err)
{
    for (int64_t c = 0; c < channels; c++) {
        double spread = (double)blobs[3][c] + eps, factor = (double)blobs[0][c] / sqrt(spread);

        if (check_spread(layer, c, spread, err) < 0)
            return -1;
        scale[c] = (float)factor;
        shift[c] = (float)((double)blobs[1][c] - (double)blobs[2][c] * factor);
    }
    return 0;
}

int caffe_bn(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__BNParameter defaults;
    const Caffe__BNParameter *param = layer->param->bn_param != NULL ? layer->param->bn_param : &defaults;
    struct shape vector = {.rank = 1};
    const float *blobs[4];
    float *scales, *shifts;
    int scale, shift;
    bool is_final;

    caffe__bnparameter__init(&defaults);
    is_final = param->bn_mode == CAFFE__BNPARAMETER__BNMODE__INFERENCE;
    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (caffe_bottom_shape(in, layer, 0)->rank < 2)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom with channels");
    vector.dims[0] = caffe_bottom_shape(in, layer, 0)->dims[1];
    if (caffe_expect_blobs(in, layer, is_final ? 2 : 4, err) < 0)
        return -1;
    if (is_final) { /* slope and bias are all there is */
        scale = caffe_blob_constant(in, layer, 0, "scale", &vector, err);
        shift = scale < 0 ? -1 : caffe_blob_constant(in, layer, 1, "shift", &vector, err);
        return shift < 0 ? -1 : add_normalize(in, layer, scale, shift, err);
    }
    for (size_t i = 0; i < 4; i++)
        if (caffe_blob_values(in, layer, i, &vector, &blobs[i], err) < 0)
            return -1;
    scale = caffe_constant(in, layer, "scale", &vector, &scales, err);
    shift = scale < 0 ? -1 : caffe_constant(in, layer, "shift", &vector, &shifts, err);
    if (shift < 0 || fill_bn(layer, vector.dims[0], blobs, (double)param->eps, scales, shifts, err) < 0)
        return -1;
    return add_normalize(in, layer, scale, shift, err);
}

/* ---- Scale and Bias */

/* What both have in common: a tensor that covers axes [axis, axis + operand.rank) of the bottom. */
struct broadcast {
    size_t axis;
    struct shape operand;
};

/* num_axes: -1 to the end, 0 a scalar. */
static int weights_broadcast(const struct caffe_import *in, const struct caffe_layer *layer, int32_t axis,
                             int32_t num_axes, struct broadcast *out, struct error *err)
{
    const struct shape *x = caffe_bottom_shape(in, layer, 0);

    if (caffe_axis(layer, axis, x->rank, &out->axis, err) < 0)
        return -1;
    if (num_axes < -1 || num_axes > (int64_t)(x->rank - out->axis))
        return caffe_error(layer, err, EX_DATAERR, "num_axes %d from axis %zu exceeds the %zu axes of its bottom",
                           num_axes, out->axis, x->rank);
    out->operand.rank = num_axes == -1 ? x->rank - out->axis : (size_t)num_axes;
    if (out->axis == 0 && out->operand.rank > 0)
        return caffe_error(layer, err, EX_UNAVAILABLE, "weights along the batch axis are not supported");
    memcpy(out->operand.dims, x->dims + out->axis, out->operand.rank * sizeof *x->dims);
    return 0;
}

/* The operand's shape with ones behind, so that numpy's rule (align at the end) does what Caffe's does. */
static struct shape aligned_shape(const struct broadcast *broadcast, size_t rank)
{
    struct shape shape = broadcast->operand;

    if (shape.rank > 0)
        while (shape.rank < rank - broadcast->axis)
            shape.dims[shape.rank++] = 1;
    return shape;
}

static bool is_per_channel(const struct broadcast *broadcast)
{
    return broadcast->axis == 1 && broadcast->operand.rank == 1;
}

/* The operands are blobs of this layer; a missing one is -1: scale 1, bias 0. */
static int apply_weights(struct caffe_import *in, const struct caffe_layer *layer, const struct broadcast *broadcast,
                         int scale_blob, int bias_blob, struct error *err)
{
    const size_t rank = caffe_bottom_shape(in, layer, 0)->rank;
    const int64_t channels = rank > 1 ? caffe_bottom_shape(in, layer, 0)->dims[1] : 0;
    const struct shape aligned = aligned_shape(broadcast, rank);
    int x = layer->bottoms[0], product, scale, bias = GRAPH_NONE, output;

    if (is_per_channel(broadcast)) {
        scale = scale_blob < 0 ? filled(in, layer, "scale", channels, 1, err)
                               : caffe_blob_constant(in, layer, (size_t)scale_blob, "scale", &broadcast->operand, err);
        if (scale < 0)
            return -1;
        bias = bias_blob < 0 ? filled(in, layer, "shift", channels, 0, err)
                             : caffe_blob_constant(in, layer, (size_t)bias_blob, "shift", &broadcast->operand, err);
        return bias < 0 ? -1 : add_normalize(in, layer, scale, bias, err);
    }
    if (bias_blob >= 0 && (bias = caffe_blob_constant(in, layer, (size_t)bias_blob, "shift", &aligned, err)) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    if (output < 0)
        return -1;
    if (scale_blob < 0)
        return caffe_add_binary(in, layer, BINARY_ADD, x, bias, output, err);
    scale = caffe_blob_constant(in, layer, (size_t)scale_blob, "scale", &aligned, err);
    product = bias_blob < 0 ? output : caffe_inner(in, layer, "scaled", NULL, err);
    if (scale < 0 || product < 0 || caffe_add_binary(in, layer, BINARY_MUL, x, scale, product, err) < 0)
        return -1;
    return bias_blob < 0 ? 0 : caffe_add_binary(in, layer, BINARY_ADD, product, bias, output, err);
}

/* bottom[1], whose axes meet those of bottom[0] from `axis` on, in a shape that broadcasts. Both have a batch axis, so
 * they can only meet there. */
static int second_operand(struct caffe_import *in, const struct caffe_layer *layer, int32_t axis,
                          struct broadcast *broadcast, struct error *err)
{
    const struct shape x = *caffe_bottom_shape(in, layer, 0), y = *caffe_bottom_shape(in, layer, 1);
    struct shape aligned;
    char x_text[SHAPE_TEXT_BYTES], y_text[SHAPE_TEXT_BYTES];
    int value;

    if (caffe_axis(layer, axis, x.rank, &broadcast->axis, err) < 0)
        return -1;
    if (broadcast->axis != 0)
        return caffe_error(layer, err, EX_UNAVAILABLE,
                           "a second bottom is supported from axis 0 on (both have a batch axis), found axis %d", axis);
    if (y.rank > x.rank || memcmp(x.dims, y.dims, y.rank * sizeof *x.dims) != 0)
        return caffe_error(layer, err, EX_DATAERR, "bottoms of shape %s and %s do not meet from axis 0 on",
                           shape_text(&x, x_text), shape_text(&y, y_text));
    broadcast->operand = y;
    if (y.rank == x.rank)
        return layer->bottoms[1];
    aligned = aligned_shape(broadcast, x.rank);
    value = caffe_inner(in, layer, "aligned", &aligned, err);
    return value < 0 || caffe_add_reshape(in, layer, layer->bottoms[1], value, err) < 0 ? -1 : value;
}

int caffe_scale(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__ScaleParameter defaults = CAFFE__SCALE_PARAMETER__INIT;
    const Caffe__ScaleParameter *param = layer->param->scale_param != NULL ? layer->param->scale_param : &defaults;
    struct broadcast broadcast;
    int factor, product, bias, output;
    struct shape aligned;

    if (caffe_expect(layer, layer->n_bottoms == 2 ? 2 : 1, 1, err) < 0)
        return -1;
    if (layer->n_bottoms == 1) {
        if (weights_broadcast(in, layer, param->axis, param->num_axes, &broadcast, err) < 0 ||
            caffe_expect_blobs(in, layer, param->bias_term ? 2 : 1, err) < 0)
            return -1;
        return apply_weights(in, layer, &broadcast, 0, param->bias_term ? 1 : -1, err);
    }
    factor = second_operand(in, layer, param->axis, &broadcast, err);
    output = factor < 0 ? -1 : caffe_top(in, layer, 0, NULL, err);
    if (output < 0)
        return -1;
    if (!param->bias_term)
        return caffe_add_binary(in, layer, BINARY_MUL, layer->bottoms[0], factor, output, err);
    aligned = aligned_shape(&broadcast, caffe_bottom_shape(in, layer, 0)->rank);
    product = caffe_inner(in, layer, "scaled", NULL, err);
    bias = product < 0 ? -1 : caffe_blob_constant(in, layer, 0, "shift", &aligned, err);
    if (bias < 0 || caffe_add_binary(in, layer, BINARY_MUL, layer->bottoms[0], factor, product, err) < 0)
        return -1;
    return caffe_add_binary(in, layer, BINARY_ADD, product, bias, output, err);
}

int caffe_bias(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__BiasParameter defaults = CAFFE__BIAS_PARAMETER__INIT;
    const Caffe__BiasParameter *param = layer->param->bias_param != NULL ? layer->param->bias_param : &defaults;
    struct broadcast broadcast;
    int term, output;

    if (caffe_expect(layer, layer->n_bottoms == 2 ? 2 : 1, 1, err) < 0)
        return -1;
    if (layer->n_bottoms == 1) {
        if (weights_broadcast(in, layer, param->axis, param->num_axes, &broadcast, err) < 0 ||
            caffe_expect_blobs(in, layer, 1, err) < 0)
            return -1;
        return apply_weights(in, layer, &broadcast, -1, 0, err);
    }
    term = second_operand(in, layer, param->axis, &broadcast, err);
    output = term < 0 ? -1 : caffe_top(in, layer, 0, NULL, err);
    return output < 0 ? -1 : caffe_add_binary(in, layer, BINARY_ADD, layer->bottoms[0], term, output, err);
}
