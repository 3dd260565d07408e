/* layers_normalize.c — layers that divide by a statistic of their own bottom: LRN, MVN, Normalize.
 *
 * All but LRN across channels are made of the graph's elementary operators.
 */
#include "formats/caffe/build.h"

/* x x, the first step of all of them. */
static int squared(struct caffe_import *in, const struct caffe_layer *layer, int x, struct error *err)
{
    int y = caffe_inner(in, layer, "squares", NULL, err);

    return y < 0 || caffe_add_binary(in, layer, BINARY_MUL, x, x, y, err) < 0 ? -1 : y;
}

/* scale x + shift, between two nodes. */
static int affine(struct caffe_import *in, const struct caffe_layer *layer, const char *what, int x, float scale,
                  float shift, struct error *err)
{
    int y = caffe_inner(in, layer, what, NULL, err);

    return y < 0 || caffe_add_affine(in, layer, x, scale, shift, y, err) < 0 ? -1 : y;
}

static int activated(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                     enum activation_kind kind, float alpha, int x, struct error *err)
{
    const struct activation activation = {.kind = kind, .alpha = alpha};
    int y = caffe_inner(in, layer, what, NULL, err);

    return y < 0 || caffe_add_activation(in, layer, activation, x, y, err) < 0 ? -1 : y;
}

/* Over axes [first, end), which stay with extent 1. */
static int reduced(struct caffe_import *in, const struct caffe_layer *layer, const char *what, enum reduce_kind kind,
                   size_t first, size_t end, int x, struct error *err)
{
    int y = caffe_inner(in, layer, what, NULL, err);

    return y < 0 || caffe_add_reduce(in, layer, kind, first, end, true, x, y, err) < 0 ? -1 : y;
}

/* ---- Local response normalisation */

static int lrn_across(struct caffe_import *in, const struct caffe_layer *layer, const Caffe__LRNParameter *param,
                      int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_LRN, layer->bottoms, 1, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.lrn.size = param->local_size;
    in->graph->nodes[node].attr.lrn.alpha = param->alpha;
    in->graph->nodes[node].attr.lrn.beta = param->beta;
    in->graph->nodes[node].attr.lrn.k = param->k;
    return caffe_finish_node(in, node, err);
}

/* The mean of a square window around each pixel; pads count, as in Caffe's average pool. */
static int window_mean(struct caffe_import *in, const struct caffe_layer *layer, int64_t size, int x, struct error *err)
{
    const struct shape shape = in->graph->values[x].shape;
    const int64_t pad = (size - 1) / 2;
    int y = caffe_inner(in, layer, "mean", NULL, err);
    int node = y < 0 ? -1 : caffe_add_node(in, layer, OP_POOL, &x, 1, y, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.pool.kind = POOL_AVERAGE;
    in->graph->nodes[node].attr.pool.window = (struct window){
        .kernel = {size, size}, .stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {pad, pad}, .pad_end = {pad, pad}};
    in->graph->nodes[node].attr.pool.count_include_pad = true;
    in->graph->nodes[node].attr.pool.output[0] = shape.dims[2];
    in->graph->nodes[node].attr.pool.output[1] = shape.dims[3];
    return caffe_finish_node(in, node, err) < 0 ? -1 : y;
}

/* y = x (1 + alpha mean(x^2))^-beta; k is 1 whatever the file says (Caffe's lrn_layer.cpp). */
static int lrn_within(struct caffe_import *in, const struct caffe_layer *layer, const Caffe__LRNParameter *param,
                      int output, struct error *err)
{
    const int x = layer->bottoms[0];
    int y;

    if (in->graph->values[x].shape.rank != 4)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom of 4 axes, found %zu",
                           in->graph->values[x].shape.rank);
    if ((y = squared(in, layer, x, err)) < 0 || (y = window_mean(in, layer, param->local_size, y, err)) < 0 ||
        (y = affine(in, layer, "energy", y, param->alpha, 1, err)) < 0 ||
        (y = activated(in, layer, "factor", ACTIVATION_POWER, -param->beta, y, err)) < 0)
        return -1;
    return caffe_add_binary(in, layer, BINARY_MUL, x, y, output, err);
}

int caffe_lrn(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__LRNParameter defaults = CAFFE__LRNPARAMETER__INIT;
    const Caffe__LRNParameter *param = layer->param->lrn_param != NULL ? layer->param->lrn_param : &defaults;
    int output;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (param->local_size % 2 == 0)
        return caffe_error(layer, err, EX_DATAERR, "expected an odd local_size, found %u", param->local_size);
    output = caffe_top(in, layer, 0, NULL, err);
    if (output < 0)
        return -1;
    return param->norm_region == CAFFE__LRNPARAMETER__NORM_REGION__WITHIN_CHANNEL
               ? lrn_within(in, layer, param, output, err)
               : lrn_across(in, layer, param, output, err);
}

/* ---- MVN: y = (x - mean), then / (sqrt(variance) + eps), over a channel or the record (Caffe's mvn_layer.cpp) */

int caffe_mvn(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__MVNParameter defaults;
    const Caffe__MVNParameter *param = layer->param->mvn_param != NULL ? layer->param->mvn_param : &defaults;
    size_t first, rank;
    int output, mean, centred, y;

    caffe__mvnparameter__init(&defaults);
    first = param->across_channels ? 1 : 2;
    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    rank = caffe_bottom_shape(in, layer, 0)->rank;
    if (rank <= first)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom of more than %zu axes, found %zu", first, rank);
    output = caffe_top(in, layer, 0, NULL, err);
    mean = output < 0 ? -1 : reduced(in, layer, "mean", REDUCE_MEAN, first, rank, layer->bottoms[0], err);
    if (mean < 0)
        return -1;
    if (!param->normalize_variance)
        return caffe_add_binary(in, layer, BINARY_SUB, layer->bottoms[0], mean, output, err);
    centred = caffe_inner(in, layer, "centred", NULL, err);
    if (centred < 0 || caffe_add_binary(in, layer, BINARY_SUB, layer->bottoms[0], mean, centred, err) < 0 ||
        (y = squared(in, layer, centred, err)) < 0 ||
        (y = reduced(in, layer, "variance", REDUCE_MEAN, first, rank, y, err)) < 0 ||
        (y = activated(in, layer, "deviation", ACTIVATION_SQRT, 0, y, err)) < 0 ||
        (y = affine(in, layer, "divisor", y, 1, param->eps, err)) < 0)
        return -1;
    return caffe_add_binary(in, layer, BINARY_DIV, centred, y, output, err);
}

/* ---- Normalize (SSD): y = scale x / sqrt(sum x^2 + eps), the sum over channels, or over the record */

/* The stored scale, one for all or one a channel, as OP_NORMALIZE wants it; the shift is 0. */
static int add_scale(struct caffe_import *in, const struct caffe_layer *layer, bool is_shared, int x, int output,
                     struct error *err)
{
    const struct shape channels = {1, {in->graph->values[x].shape.dims[1]}}, stored = {1, {1}};
    const float *values;
    float *scales, *shifts;
    int inputs[3] = {x, GRAPH_NONE, GRAPH_NONE}, node;

    if (caffe_blob_values(in, layer, 0, is_shared ? &stored : &channels, &values, err) < 0)
        return -1;
    inputs[1] = caffe_constant(in, layer, "scale", &channels, &scales, err);
    inputs[2] = inputs[1] < 0 ? -1 : caffe_constant(in, layer, "shift", &channels, &shifts, err);
    if (inputs[2] < 0)
        return -1;
    for (int64_t c = 0; c < channels.dims[0]; c++)
        scales[c] = values[is_shared ? 0 : c];
    node = caffe_add_node(in, layer, OP_NORMALIZE, inputs, 3, output, err);
    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

int caffe_l2_normalize(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__NormalizeParameter defaults;
    const Caffe__NormalizeParameter *param = layer->param->norm_param != NULL ? layer->param->norm_param : &defaults;
    const int x = layer->n_bottoms > 0 ? layer->bottoms[0] : GRAPH_NONE;
    int output, y, unit;
    size_t rank;

    caffe__normalize_parameter__init(&defaults);
    if (caffe_expect(layer, 1, 1, err) < 0 || caffe_expect_blobs(in, layer, 1, err) < 0)
        return -1;
    rank = caffe_bottom_shape(in, layer, 0)->rank;
    if (rank < 2)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom with channels");
    output = caffe_top(in, layer, 0, NULL, err);
    if (output < 0 || (y = squared(in, layer, x, err)) < 0 ||
        (y = reduced(in, layer, "sum", REDUCE_SUM, 1, param->across_spatial ? rank : 2, y, err)) < 0 ||
        (y = affine(in, layer, "energy", y, 1, param->eps, err)) < 0 ||
        (y = activated(in, layer, "norm", ACTIVATION_SQRT, 0, y, err)) < 0 ||
        (unit = caffe_inner(in, layer, "unit", NULL, err)) < 0 ||
        caffe_add_binary(in, layer, BINARY_DIV, x, y, unit, err) < 0)
        return -1;
    return add_scale(in, layer, param->channel_shared, unit, output, err);
}
