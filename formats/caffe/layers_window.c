/* layers_window.c — layers that slide a window: convolution, deconvolution and pooling.
 *
 * Caffe's rules: pads are symmetric; a window's fields are given once for all axes, once per axis, or as an _h and _w
 * pair; pooled sizes round up.
 */
#include "formats/caffe/build.h"

#include <math.h>
#include <string.h>

/* ---- Convolution */

/* One field of the window: at most one of the two spellings. `values` NULL with n == 0: absent. */
static int read_pair(const struct caffe_layer *layer, const char *what, const uint32_t *values, size_t n, bool has_h,
                     uint32_t h, bool has_w, uint32_t w, int64_t absent, int64_t out[2], struct error *err)
{
    if (has_h || has_w) {
        if (n > 0)
            return caffe_error(layer, err, EX_DATAERR, "%s is given both as a list and per axis", what);
        if (absent == 0 || (has_h && has_w)) { /* a missing pad is 0; a missing half of the others has no meaning */
            out[0] = has_h ? h : absent;
            out[1] = has_w ? w : absent;
            return 0;
        }
        return caffe_error(layer, err, EX_DATAERR, "%s is given for one axis only", what);
    }
    if (n > 2)
        return caffe_error(layer, err, EX_UNAVAILABLE, "expected %s for at most 2 axes, found %zu", what, n);
    if (n == 0 && absent < 0)
        return caffe_error(layer, err, EX_DATAERR, "it has no %s", what);
    out[0] = n > 0 ? values[0] : absent;
    out[1] = n > 1 ? values[1] : out[0];
    return 0;
}

static int convolution_window(const struct caffe_layer *layer, const Caffe__ConvolutionParameter *param,
                              struct window *window, struct error *err)
{
    if (read_pair(layer, "kernel_size", param->kernel_size, param->n_kernel_size, param->has_kernel_h, param->kernel_h,
                  param->has_kernel_w, param->kernel_w, -1, window->kernel, err) < 0 ||
        read_pair(layer, "stride", param->stride, param->n_stride, param->has_stride_h, param->stride_h,
                  param->has_stride_w, param->stride_w, 1, window->stride, err) < 0 ||
        read_pair(layer, "pad", param->pad, param->n_pad, param->has_pad_h, param->pad_h, param->has_pad_w,
                  param->pad_w, 0, window->pad_begin, err) < 0 ||
        read_pair(layer, "dilation", param->dilation, param->n_dilation, false, 0, false, 0, 1, window->dilation, err) <
            0)
        return -1;
    memcpy(window->pad_end, window->pad_begin, sizeof window->pad_end);
    return 0;
}

/* What convolution and deconvolution read from their parameters. */
struct convolution {
    struct window window;
    int64_t in_channels, out_channels, group;
    bool has_bias;
};

static int read_convolution(const struct caffe_import *in, const struct caffe_layer *layer, struct convolution *out,
                            struct error *err)
{
    const Caffe__ConvolutionParameter *param = layer->param->convolution_param;
    const struct shape *x;

    if (caffe_expect(layer, -1, (int)layer->n_bottoms, err) < 0)
        return -1;
    if (param == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no convolution_param");
    x = caffe_bottom_shape(in, layer, 0);
    if (x->rank != 4 || (param->axis != 1 && param->axis != -3))
        return caffe_error(layer, err, EX_UNAVAILABLE,
                           "only convolutions over the two image axes of a bottom of 4 axes are supported, found %zu "
                           "axes and channel axis %d",
                           x->rank, param->axis);
    *out = (struct convolution){.in_channels = x->dims[1],
                                .out_channels = param->num_output,
                                .group = param->group,
                                .has_bias = param->bias_term};
    if (strcmp(layer->type, "ConvolutionDepthwise") == 0 || strcmp(layer->type, "DepthwiseConvolution") == 0)
        out->group = out->in_channels;
    if (out->out_channels == 0 || out->group == 0 || out->in_channels % out->group != 0 ||
        out->out_channels % out->group != 0)
        return caffe_error(layer, err, EX_DATAERR,
                           "%lld input channels and num_output %lld do not divide into %lld groups",
                           (long long)out->in_channels, (long long)out->out_channels, (long long)out->group);
    return convolution_window(layer, param, &out->window, err);
}

/* Of channel c. */
static float mean_of(const Caffe__ConvolutionParameter *param, int64_t c)
{
    return param->n_mean_value == 0 ? 0 : param->mean_value[param->n_mean_value == 1 ? 0 : c];
}

/* Every byte is a finite number behind them. */
static int check_normalization(const struct caffe_layer *layer, float std, int64_t channels, struct error *err)
{
    for (int64_t i = 0; i < channels; i++) {
        float mean = mean_of(layer->param->convolution_param, i);

        if (!isnormal(std) || !isfinite(UINT8_MAX * std) || !isfinite(mean * std) ||
            !isfinite((UINT8_MAX - mean) * std))
            return caffe_error(layer, err, EX_DATAERR,
                               "expected mean_value and std of which (x - mean_value) std is finite for bytes, and std "
                               "a normal number, found %g and %g",
                               (double)mean, (double)std);
    }
    return 0;
}

/* Cambricon's first convolution reads bytes: *x becomes (x - mean) std. In a file of anybody else these fields have no
 * meaning. */
static int add_normalization(struct caffe_import *in, const struct caffe_layer *layer, int *x, struct error *err)
{
    const Caffe__ConvolutionParameter *param = layer->param->convolution_param;
    const int64_t channels = caffe_bottom_shape(in, layer, 0)->dims[1];
    const struct shape shape = {1, {channels}};
    float *factors, *shifts, std = param->has_std ? param->std : 1;
    int inputs[3] = {*x}, node;

    if (param->n_mean_value == 0 && param->mean_file == NULL && !param->has_std && !param->has_scale)
        return 0;
    if (param->mean_file != NULL || param->has_scale)
        return caffe_error(layer, err, EX_UNAVAILABLE, "%s of a convolution is not supported",
                           param->has_scale ? "scale" : "mean_file");
    if (layer->n_bottoms != 1 || (param->n_mean_value > 1 && param->n_mean_value != (size_t)channels))
        return caffe_error(layer, err, EX_DATAERR,
                           "expected one bottom and a mean_value for all or each of %lld channels, found %zu and %zu",
                           (long long)channels, layer->n_bottoms, param->n_mean_value);
    if (check_normalization(layer, std, channels, err) < 0)
        return -1;
    if ((inputs[1] = caffe_constant(in, layer, "std", &shape, &factors, err)) < 0 ||
        (inputs[2] = caffe_constant(in, layer, "mean", &shape, &shifts, err)) < 0 ||
        (*x = caffe_inner(in, layer, "normalised", NULL, err)) < 0)
        return -1;
    for (int64_t i = 0; i < channels; i++) {
        factors[i] = std;
        shifts[i] = -mean_of(param, i) * std;
    }
    node = caffe_add_node(in, layer, OP_NORMALIZE, inputs, 3, *x, err);
    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

static int add_convolution(struct caffe_import *in, const struct caffe_layer *layer, enum op op,
                           const struct shape *weight_shape, const struct convolution *conv, struct error *err)
{
    const struct shape bias_shape = {.rank = 1, .dims = {conv->out_channels}};
    int inputs[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};

    if (caffe_expect_blobs(in, layer, conv->has_bias ? 2 : 1, err) < 0)
        return -1;
    inputs[1] = caffe_blob_constant(in, layer, 0, "weight", weight_shape, err);
    if (inputs[1] < 0)
        return -1;
    if (conv->has_bias && (inputs[2] = caffe_blob_constant(in, layer, 1, "bias", &bias_shape, err)) < 0)
        return -1;
    for (size_t i = 0; i < layer->n_bottoms; i++) { /* several bottoms share the weights */
        int output = caffe_top(in, layer, i, NULL, err), node;

        if (output < 0)
            return -1;
        inputs[0] = layer->bottoms[i];
        if (add_normalization(in, layer, &inputs[0], err) < 0)
            return -1;
        node = caffe_add_node(in, layer, op, inputs, conv->has_bias ? 3 : 2, output, err);
        if (node < 0)
            return -1;
        in->graph->nodes[node].attr.conv.window = conv->window;
        in->graph->nodes[node].attr.conv.group = conv->group;
        if (caffe_finish_node(in, node, err) < 0)
            return -1;
    }
    return 0;
}

int caffe_convolution(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    struct convolution conv;
    struct shape weight;

    if (read_convolution(in, layer, &conv, err) < 0)
        return -1;
    weight = (struct shape){
        4, {conv.out_channels, conv.in_channels / conv.group, conv.window.kernel[0], conv.window.kernel[1]}};
    return add_convolution(in, layer, OP_CONV, &weight, &conv, err);
}

int caffe_deconvolution(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    struct convolution conv;
    struct shape weight;

    if (read_convolution(in, layer, &conv, err) < 0)
        return -1;
    weight = (struct shape){
        4, {conv.in_channels, conv.out_channels / conv.group, conv.window.kernel[0], conv.window.kernel[1]}};
    return add_convolution(in, layer, OP_DECONV, &weight, &conv, err);
}

/* ---- Pooling */

static int global_window(const struct caffe_layer *layer, const Caffe__PoolingParameter *param, const struct shape *x,
                         struct window *window, struct error *err)
{
    if (param->has_kernel_size || param->has_kernel_h || param->has_kernel_w || param->pad != 0 || param->pad_h != 0 ||
        param->pad_w != 0 || param->stride != 1 || (param->has_stride_h && param->stride_h != 1) ||
        (param->has_stride_w && param->stride_w != 1))
        return caffe_error(layer, err, EX_DATAERR, "global_pooling excludes kernel, pad and stride");
    *window = (struct window){.kernel = {x->dims[2], x->dims[3]}, .stride = {1, 1}, .dilation = {1, 1}};
    return 0;
}

static int local_window(const struct caffe_layer *layer, const Caffe__PoolingParameter *param, struct window *window,
                        struct error *err)
{
    *window = (struct window){.dilation = {1, 1}};
    if (read_pair(layer, "kernel_size", &param->kernel_size, param->has_kernel_size, param->has_kernel_h,
                  param->kernel_h, param->has_kernel_w, param->kernel_w, -1, window->kernel, err) < 0 ||
        read_pair(layer, "stride", &param->stride, param->has_stride, param->has_stride_h, param->stride_h,
                  param->has_stride_w, param->stride_w, 1, window->stride, err) < 0 ||
        read_pair(layer, "pad", &param->pad, param->has_pad, param->has_pad_h, param->pad_h, param->has_pad_w,
                  param->pad_w, 0, window->pad_begin, err) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (window->kernel[i] == 0 || window->stride[i] == 0 || window->pad_begin[i] >= window->kernel[i])
            return caffe_error(
                layer, err, EX_DATAERR,
                "expected kernel and stride above 0 and a pad below the kernel, found kernel %lld, stride "
                "%lld, pad %lld",
                (long long)window->kernel[i], (long long)window->stride[i], (long long)window->pad_begin[i]);
    memcpy(window->pad_end, window->pad_begin, sizeof window->pad_end);
    return 0;
}

static enum pool_kind pool_kind(int method) /* AVE is 1 in both messages that name it */
{
    return method == CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE ? POOL_AVERAGE : POOL_MAX;
}

static int add_pool(struct caffe_import *in, const struct caffe_layer *layer, enum pool_kind kind,
                    const struct window *window, bool rounds_up, bool is_global, int output, struct error *err)
{
    const struct shape x = *caffe_bottom_shape(in, layer, 0);
    bool is_padded = window->pad_begin[0] > 0 || window->pad_begin[1] > 0;
    int node = caffe_add_node(in, layer, OP_POOL, layer->bottoms, 1, output, err);
    struct node *pool;

    if (node < 0)
        return -1;
    pool = &in->graph->nodes[node];
    pool->attr.pool.kind = kind;
    pool->attr.pool.window = *window;
    pool->attr.pool.count_include_pad = true; /* what hangs over the pad is not counted: the graph's rule is Caffe's */
    pool->attr.pool.is_global = is_global;
    for (size_t i = 0; i < 2; i++) /* a pad on either axis makes Caffe check both */
        pool->attr.pool.output[i] = pool_output_size(x.dims[2 + i], window->kernel[i], window->stride[i], 1,
                                                     window->pad_begin[i], window->pad_end[i], rounds_up, !is_padded);
    return caffe_finish_node(in, node, err);
}

int caffe_pooling(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__PoolingParameter *param = layer->param->pooling_param;
    struct window window = {0};
    const struct shape *x;
    int output;

    if (caffe_expect(layer, 1, -1, err) < 0)
        return -1;
    if (param == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no pooling_param");
    if (layer->n_tops > 1)
        return caffe_error(layer, err, EX_UNAVAILABLE, "a second top (the mask of the maxima) is not supported");
    if (param->pool == CAFFE__POOLING_PARAMETER__POOL_METHOD__STOCHASTIC)
        return caffe_error(layer, err, EX_UNAVAILABLE, "stochastic pooling is not supported");
    x = caffe_bottom_shape(in, layer, 0);
    if (x->rank != 4)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom of 4 axes, found %zu", x->rank);
    if ((param->global_pooling ? global_window(layer, param, x, &window, err)
                               : local_window(layer, param, &window, err)) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    if (output < 0)
        return -1;
    return add_pool(in, layer, pool_kind((int)param->pool), &window,
                    param->round_mode == CAFFE__POOLING_PARAMETER__ROUND_MODE__CEIL, param->global_pooling, output,
                    err);
}

/* ---- Spatial pyramid pooling: levels of 1, 4, 16 ... windows that cover the image, flattened and joined */

enum { MAX_PYRAMID_HEIGHT = 12 };

/* 2^level windows an axis; what is missing for equal ones is a pad, half of it (rounded up) on each side
 * (spp_layer.cpp). */
static int pyramid_window(const struct caffe_layer *layer, const struct shape *x, size_t level, struct window *window,
                          struct error *err)
{
    const int64_t bins = INT64_C(1) << level;

    *window = (struct window){.dilation = {1, 1}};
    for (size_t i = 0; i < 2; i++) {
        int64_t extent = x->dims[2 + i], kernel = (extent + bins - 1) / bins;

        window->kernel[i] = window->stride[i] = kernel;
        window->pad_begin[i] = window->pad_end[i] = (kernel * bins - extent + 1) / 2;
        if (window->pad_begin[i] >= kernel)
            return caffe_error(layer, err, EX_DATAERR, "%lld windows are too many for %lld rows or columns",
                               (long long)bins, (long long)extent);
    }
    return 0;
}

static int pyramid_level(struct caffe_import *in, const struct caffe_layer *layer, const Caffe__SPPParameter *param,
                         size_t level, struct error *err)
{
    const struct shape x = *caffe_bottom_shape(in, layer, 0);
    struct window window;
    struct shape flat;
    int pooled, flattened;

    if (pyramid_window(layer, &x, level, &window, err) < 0)
        return -1;
    pooled = caffe_inner(in, layer, "level", NULL, err);
    if (pooled < 0 || add_pool(in, layer, pool_kind((int)param->pool), &window, true, false, pooled, err) < 0)
        return -1;
    flat = (struct shape){2, {1, shape_elements(&in->graph->values[pooled].shape)}};
    flattened = caffe_inner(in, layer, "flat", &flat, err);
    return flattened < 0 || caffe_add_reshape(in, layer, pooled, flattened, err) < 0 ? -1 : flattened;
}

int caffe_spp(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__SPPParameter *param = layer->param->spp_param;
    int levels[MAX_PYRAMID_HEIGHT], output;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (param == NULL || param->pyramid_height == 0 || param->pyramid_height > MAX_PYRAMID_HEIGHT)
        return caffe_error(layer, err, EX_DATAERR, "expected a pyramid_height of 1 to %d", MAX_PYRAMID_HEIGHT);
    if (param->pool == CAFFE__SPPPARAMETER__POOL_METHOD__STOCHASTIC)
        return caffe_error(layer, err, EX_UNAVAILABLE, "stochastic pooling is not supported");
    if (caffe_bottom_shape(in, layer, 0)->rank != 4)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom of 4 axes, found %zu",
                           caffe_bottom_shape(in, layer, 0)->rank);
    output = caffe_top(in, layer, 0, NULL, err);
    for (size_t i = 0; output >= 0 && i < param->pyramid_height; i++)
        if ((levels[i] = pyramid_level(in, layer, param, i, err)) < 0)
            return -1;
    return output < 0 ? -1 : caffe_add_concat(in, layer, levels, param->pyramid_height, 1, output, err);
}
