/* layers_window.c — layers with weights or windows: convolution, pooling, inner product, matrix product. */
#include "formats/tnn/import.h"
#include "formats/tnn/tnn.h"

#include <string.h>

enum { ROWS = 2, COLUMNS = 3 }; /* axes of an image */

/* ---- Windows */

/* Parameters [first, first + n) as integers in [least, 2^31). */
static int read_extents(const struct tnn_layer *layer, size_t first, size_t n, int64_t least, int64_t fallback,
                        int64_t *out, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (tnn_integer(layer, first + i, fallback, &out[i], err) != 0)
            return -1;
        if (out[i] < least || out[i] > INT32_MAX)
            return tnn_error(layer, err, EX_DATAERR, "parameter %zu: expected %lld or more, found %lld", first + i,
                             (long long)least, (long long)out[i]);
    }
    return 0;
}

/* Makes the pads explicit. SAME: out = ceil(in / stride), the extra one at the end. */
static int resolve_pads(const struct tnn_layer *layer, const int64_t extents[2], int64_t pad_type, struct window *w,
                        struct error *err)
{
    if (pad_type != TNN_PAD_EXPLICIT && pad_type != TNN_PAD_SAME && pad_type != TNN_PAD_VALID)
        return tnn_error(layer, err, EX_DATAERR, "its pad_type is %lld, expected -1, 0 or 1", (long long)pad_type);
    for (size_t k = 0; k < 2; k++) {
        int64_t in = extents[k], out = (in + w->stride[k] - 1) / w->stride[k];
        int64_t total = (out - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - in;

        if (pad_type == TNN_PAD_EXPLICIT)
            w->pad_end[k] = w->pad_begin[k];
        else {
            total = pad_type == TNN_PAD_VALID || total < 0 ? 0 : total;
            w->pad_begin[k] = total / 2;
            w->pad_end[k] = total - w->pad_begin[k];
        }
    }
    return 0;
}

/* ---- Convolution */

enum { CONV_GROUP, CONV_OUT = 2, CONV_KERNEL };

/* Where the other parameters are: `spatial` numbers each, one for a signal, two for an image. */
static const struct conv_layout {
    size_t spatial, stride, pad, pad_type, dilation, fused;
} conv_layouts[] = {
    [TNN_CONV_IMAGE] = {2, 5, 7, 10, 11, 13},
    [TNN_CONV_TRANSPOSED] = {2, 5, 7, 10, 11, 13},
    [TNN_CONV_SIGNAL] = {1, 4, 5, 8, 9, 10},
};

static int fused_activation(const struct tnn_layer *layer, int64_t code, struct activation *out, struct error *err)
{
    switch (code) {
    case TNN_FUSED_NONE:
        *out = (struct activation){ACTIVATION_NONE, 0, 0};
        return 0;
    case TNN_FUSED_RELU:
        *out = (struct activation){ACTIVATION_RELU, 0, 0};
        return 0;
    case TNN_FUSED_RELU6:
        *out = (struct activation){ACTIVATION_CLIP, 0, 6};
        return 0;
    case TNN_FUSED_SILU:
        *out = (struct activation){ACTIVATION_SWISH, 1, 0};
        return 0;
    default:
        return tnn_error(layer, err, EX_UNAVAILABLE, "its fused activation %lld is not known", (long long)code);
    }
}

/* A signal lies along index 1 of a window that is one row high. */
static int read_conv_window(const struct tnn_layer *layer, const struct conv_layout *at, const struct shape *x,
                            struct window *w, struct error *err)
{
    const size_t first = 2 - at->spatial;
    const int64_t extents[2] = {at->spatial == 2 ? x->dims[ROWS] : 1, x->dims[ROWS + at->spatial - 1]};
    int64_t pad_type, signal_pads[2] = {0, 0}; /* end, begin */

    *w = (struct window){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    if (read_extents(layer, CONV_KERNEL, at->spatial, 1, 0, w->kernel + first, err) != 0 ||
        read_extents(layer, at->stride, at->spatial, 1, 1, w->stride + first, err) != 0 ||
        read_extents(layer, at->pad, 2, 0, 0, at->spatial == 2 ? w->pad_begin : signal_pads, err) != 0 ||
        tnn_integer(layer, at->pad_type, TNN_PAD_EXPLICIT, &pad_type, err) != 0 ||
        read_extents(layer, at->dilation, at->spatial, 1, 1, w->dilation + first, err) != 0 ||
        resolve_pads(layer, extents, pad_type, w, err) != 0)
        return -1;
    if (at->spatial == 1 && pad_type == TNN_PAD_EXPLICIT) {
        w->pad_begin[1] = signal_pads[1];
        w->pad_end[1] = signal_pads[0];
    }
    return 0;
}

static int read_convolution(const struct tnn_import *in, const struct tnn_layer *layer, const struct conv_layout *at,
                            int x, struct window *w, int64_t *group, int64_t *out_channels, struct error *err)
{
    const struct shape *shape = tnn_shape(in, x);

    if (tnn_expect_rank(in, layer, x, 2 + at->spatial, err) != 0 ||
        read_extents(layer, CONV_GROUP, 1, 1, 1, group, err) != 0 ||
        read_extents(layer, CONV_OUT, 1, 1, 0, out_channels, err) != 0)
        return -1;
    if (shape->dims[1] % *group != 0 || *out_channels % *group != 0)
        return tnn_error(layer, err, EX_DATAERR, "%lld input and %lld output channels do not divide into %lld groups",
                         (long long)shape->dims[1], (long long)*out_channels, (long long)*group);
    return read_conv_window(layer, at, shape, w, err);
}

int tnn_convolution(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err)
{
    const struct conv_layout *at = &conv_layouts[kind];
    int x, y, node, inputs[3];
    int64_t group, out_channels, fused, in_channels;
    struct activation activation;
    struct shape weights;
    struct window window;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        read_convolution(in, layer, at, x, &window, &group, &out_channels, err) != 0 ||
        tnn_integer(layer, at->fused, TNN_FUSED_NONE, &fused, err) != 0 ||
        fused_activation(layer, fused, &activation, err) != 0)
        return -1;
    in_channels = tnn_shape(in, x)->dims[1];
    weights = (struct shape){2 + at->spatial, {out_channels, in_channels / group}};
    memcpy(weights.dims + 2, window.kernel + 2 - at->spatial, at->spatial * sizeof *weights.dims);
    if (kind == TNN_CONV_TRANSPOSED) {
        weights.dims[0] = in_channels;
        weights.dims[1] = out_channels / group;
    }
    inputs[0] = x;
    if (tnn_weights(in, layer, &weights, out_channels, group, &inputs[1], &inputs[2], err) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    node = tnn_add_node(in, layer, NULL, kind == TNN_CONV_TRANSPOSED ? OP_DECONV : OP_CONV, inputs,
                        inputs[2] == GRAPH_NONE ? 2 : 3, y, err);
    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.conv.window = window;
    in->graph->nodes[node].attr.conv.group = group;
    in->graph->nodes[node].fused = activation;
    return tnn_finish_node(in, layer, node, err);
}

/* ---- Pooling */

enum {
    POOL_TYPE,
    POOL_KERNEL,
    POOL_STRIDE = 3,
    POOL_PAD = 5,
    POOL_KERNEL_INDEX = 7,
    POOL_PAD_TYPE = 9,
    POOL_CEIL,
    POOL_ADAPTIVE,
    POOL_OUT
};

/* A kernel of 0 is the whole image; an index says which extent of the input it is. */
static int read_kernel(const struct tnn_layer *layer, const struct shape *x, int64_t kernel[2], struct error *err)
{
    int64_t index[2];

    if (read_extents(layer, POOL_KERNEL, 2, 0, 0, kernel, err) != 0 ||
        read_extents(layer, POOL_KERNEL_INDEX, 2, -1, -1, index, err) != 0)
        return -1;
    for (size_t k = 0; k < 2; k++) {
        if (index[k] >= (int64_t)x->rank)
            return tnn_error(layer, err, EX_DATAERR, "its kernel is extent %lld of an input of %zu axes",
                             (long long)index[k], x->rank);
        if (index[k] >= 0)
            kernel[k] = x->dims[index[k]];
        else if (kernel[k] == 0)
            kernel[k] = x->dims[ROWS + k];
    }
    return 0;
}

/* An average over equal parts of the image. TNN mixes up rows and columns of the output, so they must be equal. */
static int adaptive_window(const struct tnn_layer *layer, const struct shape *x, struct window *w, struct error *err)
{
    int64_t out[2];

    if (read_extents(layer, POOL_OUT, 2, 1, 0, out, err) != 0)
        return -1;
    if (out[0] != out[1] || x->dims[ROWS] % out[0] != 0 || x->dims[COLUMNS] % out[0] != 0)
        return tnn_error(layer, err, EX_UNAVAILABLE, "adaptive pooling of %lldx%lld to %lldx%lld is not supported",
                         (long long)x->dims[ROWS], (long long)x->dims[COLUMNS], (long long)out[0], (long long)out[1]);
    *w = (struct window){.dilation = {1, 1}};
    for (size_t k = 0; k < 2; k++)
        w->kernel[k] = w->stride[k] = x->dims[ROWS + k] / out[k];
    return 0;
}

/* *rounds_up: ceil_mode, which counts only where pads are explicit. */
static int read_pooling(const struct tnn_layer *layer, const struct shape *x, struct window *w, bool *rounds_up,
                        struct error *err)
{
    int64_t pad_type, ceil_mode;

    *w = (struct window){.dilation = {1, 1}};
    if (read_kernel(layer, x, w->kernel, err) != 0 || read_extents(layer, POOL_STRIDE, 2, 1, 1, w->stride, err) != 0 ||
        read_extents(layer, POOL_PAD, 2, 0, 0, w->pad_begin, err) != 0 ||
        tnn_integer(layer, POOL_PAD_TYPE, TNN_PAD_EXPLICIT, &pad_type, err) != 0 ||
        tnn_integer(layer, POOL_CEIL, 0, &ceil_mode, err) != 0)
        return -1;
    *rounds_up = ceil_mode == 1 && pad_type == TNN_PAD_EXPLICIT;
    return resolve_pads(layer, &x->dims[ROWS], pad_type, w, err);
}

int tnn_pooling(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t type, is_adaptive;
    bool rounds_up = false;
    const struct shape *shape;
    struct window window;
    struct node *n;
    int x, y, node;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_expect_rank(in, layer, x, 4, err) != 0 || read_extents(layer, POOL_TYPE, 1, 0, 0, &type, err) != 0 ||
        tnn_integer(layer, POOL_ADAPTIVE, 0, &is_adaptive, err) != 0)
        return -1;
    shape = tnn_shape(in, x);
    if (type > 1)
        return tnn_error(layer, err, EX_UNAVAILABLE, "its pooling type %lld is not known", (long long)type);
    if ((is_adaptive != 0 ? adaptive_window(layer, shape, &window, err)
                          : read_pooling(layer, shape, &window, &rounds_up, err)) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_POOL, &x, 1, y, err)) < 0)
        return -1;
    shape = tnn_shape(in, x); /* adding has moved it */
    n = &in->graph->nodes[node];
    n->attr.pool.kind = type == 0 && is_adaptive == 0 ? POOL_MAX : POOL_AVERAGE;
    n->attr.pool.window = window;
    n->attr.pool.is_global = true;
    for (size_t k = 0; k < 2; k++) {
        n->attr.pool.is_global = n->attr.pool.is_global && window.kernel[k] == shape->dims[ROWS + k] &&
                                 window.pad_begin[k] == 0 && window.pad_end[k] == 0;
        n->attr.pool.output[k] = pool_output_size(shape->dims[ROWS + k], window.kernel[k], window.stride[k], 1,
                                                  window.pad_begin[k], window.pad_end[k], rounds_up, false);
    }
    return tnn_finish_node(in, layer, node, err);
}

/* ---- Inner product, matrix product */

enum { FC_OUT, FC_AXIS = 3 };

/* y = x W^T + b over the axes from `axis` on, where one before it is not the batch: as a matrix product. */
static int inner_product_of_rows(struct tnn_import *in, const struct tnn_layer *layer, int x, size_t axis, int weight,
                                 int bias, struct error *err)
{
    static const int64_t swap[TENSOR_MAX_RANK] = {1, 0};
    const struct shape *from = tnn_shape(in, x), *w = tnn_shape(in, weight);
    struct shape rows = {3, {from->dims[0], 1, w->dims[1]}}, out = {.rank = axis + 1};
    int inputs[2], product, y, node;

    memcpy(out.dims, from->dims, axis * sizeof *out.dims);
    out.dims[axis] = w->dims[0];
    rows.dims[1] = shape_elements(from) / (rows.dims[0] * rows.dims[2]);
    if ((inputs[0] = tnn_inner(in, layer, "rows", &rows, err)) < 0 ||
        tnn_add_reshape(in, layer, "rows", x, inputs[0], err) != 0 ||
        (inputs[1] = tnn_inner(in, layer, "columns", NULL, err)) < 0 ||
        tnn_add_transpose(in, layer, "columns", weight, swap, inputs[1], err) != 0 ||
        (product = tnn_inner(in, layer, "product", NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, "product", OP_MATMUL, inputs, 2, product, err)) < 0 ||
        tnn_finish_node(in, layer, node, err) != 0)
        return -1;
    if (bias != GRAPH_NONE) {
        int sum = tnn_inner(in, layer, "sum", NULL, err);

        if (sum < 0 || tnn_add_binary(in, layer, "sum", BINARY_ADD, product, bias, sum, err) != 0)
            return -1;
        product = sum;
    }
    y = tnn_output(in, layer, 0, &out, err);
    return y < 0 ? -1 : tnn_add_reshape(in, layer, NULL, product, y, err);
}

/* The same for each record: flattened, a dense layer. */
static int inner_product_of_records(struct tnn_import *in, const struct tnn_layer *layer, int x, int weight, int bias,
                                    struct error *err)
{
    const struct shape flat = {2, {tnn_shape(in, x)->dims[0], tnn_shape(in, weight)->dims[1]}};
    int inputs[3] = {x, weight, bias}, y, node;

    if (tnn_shape(in, x)->rank > 2) {
        inputs[0] = tnn_inner(in, layer, "flat", &flat, err);
        if (inputs[0] < 0 || tnn_add_reshape(in, layer, "flatten", x, inputs[0], err) != 0)
            return -1;
    }
    if ((y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    node = tnn_add_node(in, layer, NULL, OP_DENSE, inputs, bias == GRAPH_NONE ? 2 : 3, y, err);
    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}

int tnn_inner_product(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    struct shape weights = {2, {0, 1}};
    int64_t out_channels, axis;
    int x, weight, bias;
    size_t counted;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        read_extents(layer, FC_OUT, 1, 1, 0, &out_channels, err) != 0 ||
        tnn_integer(layer, FC_AXIS, 1, &axis, err) != 0 ||
        tnn_axis(layer, axis, tnn_shape(in, x)->rank, &counted, err) != 0)
        return -1;
    if (counted == 0)
        return tnn_error(layer, err, EX_UNAVAILABLE, "an inner product over the batch is not supported");
    for (size_t i = counted; i < tnn_shape(in, x)->rank; i++)
        weights.dims[1] *= tnn_shape(in, x)->dims[i]; /* all of them together are at most 2^31 */
    weights.dims[0] = out_channels;
    if (tnn_weights(in, layer, &weights, out_channels, 1, &weight, &bias, err) != 0)
        return -1;
    return counted == 1 ? inner_product_of_records(in, layer, x, weight, bias, err)
                        : inner_product_of_rows(in, layer, x, counted, weight, bias, err);
}

/* The constant operand of a matrix product: its own shape where the file gives it, else rows x columns that fit. */
static int matmul_weight(struct tnn_import *in, const struct tnn_layer *layer, int x, int64_t position,
                         struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    const struct shape *other = tnn_shape(in, x);
    struct shape shape = {0};
    int64_t n, inner;

    if (resource == NULL)
        return -1;
    n = tnn_raw_count(&resource->main);
    inner = other->rank < 2 ? 0 : other->dims[other->rank - (position == 1 ? 1 : 2)];
    shape.rank = resource->main.rank;
    memcpy(shape.dims, resource->main.dims, sizeof shape.dims);
    if (shape.rank < 2 && inner > 0 && n > 0 && n % inner == 0) {
        shape = (struct shape){2, {inner, n / inner}};
        if (position == 0)
            shape = (struct shape){2, {n / inner, inner}};
    }
    return resource->main.dtype == TNN_INT8
               ? tnn_scaled_constant(in, layer, "weight", &resource->main, &resource->scale, &shape, err)
               : tnn_raw_constant(in, layer, "weight", &resource->main, &shape, err);
}

int tnn_matmul(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t position;
    int inputs[2], y, node;

    (void)unused;
    if (tnn_integer(layer, 0, -1, &position, err) != 0)
        return -1;
    if (position < -1 || position > 1)
        return tnn_error(layer, err, EX_DATAERR, "its weight position is %lld, expected -1, 0 or 1",
                         (long long)position);
    if (tnn_expect_inputs(layer, position < 0 ? 2 : 1, err) != 0 || (inputs[0] = tnn_input(in, layer, 0, err)) < 0)
        return -1;
    inputs[1] = position < 0 ? tnn_input(in, layer, 1, err) : matmul_weight(in, layer, inputs[0], position, err);
    if (inputs[1] < 0)
        return -1;
    if (position == 0) {
        int weight = inputs[1];

        inputs[1] = inputs[0];
        inputs[0] = weight;
    }
    if ((y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    node = tnn_add_node(in, layer, NULL, OP_MATMUL, inputs, 2, y, err);
    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}
