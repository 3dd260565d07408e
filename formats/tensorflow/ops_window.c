/* ops_window.c — what slides a window over an image: convolutions and pools.
 *
 * Strides, dilations and windows have four items, in the order of data_format; those of batch and channels are 1.
 */
#include "formats/tensorflow/tf_import.h"

#include <string.h>

enum padding { PADDING_SAME, PADDING_VALID, PADDING_EXPLICIT };
static const char *const paddings[] = {"SAME", "VALID", "EXPLICIT", NULL};

enum { MAX_EXTENT = 0x7fffffff };

/* The spatial items of a list of four, 1 where the attribute is absent. */
static int read_spatial(const struct tf_node *node, const char *name, bool is_required, bool is_channels_last,
                        int64_t out[2], struct error *err)
{
    int64_t items[4];
    size_t n, first = is_channels_last ? 1 : 2;

    if (tf_ints(node, name, items, 4, &n, err) != 0)
        return -1;
    if (n != 4 && (is_required || n != 0))
        return error_set(err, EX_DATAERR, "attribute \"%s\": expected 4 items, found %zu", name, n);
    for (size_t i = 0; i < n; i++) {
        bool is_spatial = i >= first && i < first + 2;

        if (items[i] < 1 || items[i] > MAX_EXTENT || (!is_spatial && items[i] != 1))
            return error_set(err, items[i] < 1 || is_spatial ? EX_DATAERR : EX_UNAVAILABLE,
                             "attribute \"%s\": item %zu is %lld", name, i, (long long)items[i]);
        if (is_spatial)
            out[i - first] = items[i];
    }
    return 0;
}

/* Pads that give ceil(in / stride) outputs; the odd pixel goes to the end. */
static void pad_same(const int64_t in[2], struct window *w)
{
    for (size_t k = 0; k < 2; k++) {
        int64_t out = (in[k] + w->stride[k] - 1) / w->stride[k];
        int64_t total = (out - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1 - in[k];

        total = total < 0 ? 0 : total;
        w->pad_begin[k] = total / 2;
        w->pad_end[k] = total - total / 2;
    }
}

/* Begin and end for each of the four axes. */
static int read_explicit_pads(const struct tf_node *node, bool is_channels_last, struct window *w, struct error *err)
{
    int64_t items[8];
    size_t n, first = is_channels_last ? 1 : 2;

    if (tf_ints(node, "explicit_paddings", items, 8, &n, err) != 0)
        return -1;
    if (n != 8)
        return error_set(err, EX_DATAERR, "attribute \"explicit_paddings\": expected 8 items, found %zu", n);
    for (size_t i = 0; i < 8; i++)
        if (items[i] < 0 || items[i] > MAX_EXTENT || ((i / 2 < first || i / 2 >= first + 2) && items[i] != 0))
            return error_set(err, EX_DATAERR, "attribute \"explicit_paddings\": item %zu is %lld", i,
                             (long long)items[i]);
    for (size_t k = 0; k < 2; k++) {
        w->pad_begin[k] = items[2 * (first + k)];
        w->pad_end[k] = items[2 * (first + k) + 1];
    }
    return 0;
}

/* strides, dilations and padding; the kernel is there already. `in` is the size of the image that the window slides
 * over. */
static int read_window(const struct tf_node *node, bool is_channels_last, const int64_t in[2], struct window *w,
                       int *padding, struct error *err)
{
    w->stride[0] = w->stride[1] = w->dilation[0] = w->dilation[1] = 1;
    if (tf_attribute(node->proto, "padding") == NULL)
        return error_set(err, EX_DATAERR, "attribute \"padding\" is missing");
    if (read_spatial(node, "strides", true, is_channels_last, w->stride, err) != 0 ||
        read_spatial(node, "dilations", false, is_channels_last, w->dilation, err) != 0 ||
        tf_choice(node, "padding", paddings, 0, padding, err) != 0)
        return -1;
    if (*padding == PADDING_EXPLICIT)
        return read_explicit_pads(node, is_channels_last, w, err);
    if (*padding == PADDING_SAME)
        pad_same(in, w);
    return 0;
}

/* --- convolutions --- */

/* The filter, kh x kw x I x O, with its axes permuted for the graph. */
static int add_weights(struct tf_import *in, const struct tf_node *node, const struct tensor *filter,
                       const struct shape *as, struct error *err)
{
    int value = node->inputs[1].value;
    struct node draft = {.op = OP_TRANSPOSE, .inputs = &value, .n_inputs = 1, .attr.perm = {3, 2, 0, 1}};

    if (!shape_equal(as, &filter->shape) && (value = tf_add_reshape(in, node, value, as, "filter", 0, err)) < 0)
        return -1;
    return tf_add_step(in, node, &draft, "weights", err);
}

static int read_filter(const struct tf_import *in, const struct tf_node *node, struct tensor *out, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (tf_constant(in, node, 1, out, err) != 0)
        return -1;
    if (out->dtype != DTYPE_FLOAT32 || out->shape.rank != 4 || shape_elements(&out->shape) < 1)
        return error_set(err, EX_DATAERR, "expected a float32 filter of 4 axes, found %s of shape %s",
                         dtype_name(out->dtype), shape_text(&out->shape, text));
    return 0;
}

/* A convolution of what SpaceToBatchND cut into blocks is one of the whole image with dilation; the pads move into it.
 */
static int dilate(const struct tf_blocks *blocks, int padding, struct window *w, struct error *err)
{
    if (blocks->is_convolved)
        return error_set(err, EX_UNAVAILABLE, "two convolutions between SpaceToBatchND and BatchToSpaceND");
    for (size_t k = 0; k < 2; k++) {
        if ((padding != PADDING_VALID && w->kernel[k] != 1) || w->stride[k] != 1 || w->dilation[k] != 1)
            return error_set(err, EX_UNAVAILABLE,
                             "between SpaceToBatchND and BatchToSpaceND only padding VALID, stride and dilation 1 are "
                             "supported");
        w->dilation[k] = w->kernel[k] == 1 ? 1 : blocks->block[k];
        w->pad_begin[k] = blocks->pad_begin[k];
        w->pad_end[k] = blocks->pad_end[k];
    }
    return 0;
}

/* Conv2D, and (is_depthwise) one filter, or M of them, a channel. */
static int add_conv(struct tf_import *in, struct tf_node *node, bool is_depthwise, struct error *err)
{
    const struct tf_blocks *blocks = node->inputs[0].blocks;
    int inputs[2], padding;
    struct node draft = {.op = OP_CONV, .inputs = inputs, .n_inputs = 2};
    struct window *window = &draft.attr.conv.window;
    struct tf_order order;
    struct tensor filter;
    struct shape as, image;
    bool is_channels_last;

    if (tf_is_channels_last(node->proto, &is_channels_last, err) != 0 || read_filter(in, node, &filter, err) != 0 ||
        (inputs[0] = tf_image(in, node, 0, is_channels_last, err)) < 0)
        return -1;
    image = in->graph->values[inputs[0]].shape;
    as = filter.shape;
    if (is_depthwise)
        as = (struct shape){4, {as.dims[0], as.dims[1], 1, as.dims[2] * as.dims[3]}};
    if (image.dims[1] < 1 || image.dims[1] % as.dims[2] != 0 || (is_depthwise && filter.shape.dims[2] != image.dims[1]))
        return error_set(err, EX_DATAERR, "an image of %lld channels does not fit a filter for %lld",
                         (long long)image.dims[1], (long long)filter.shape.dims[2]);
    draft.attr.conv.group = image.dims[1] / as.dims[2];
    memcpy(window->kernel, as.dims, sizeof window->kernel);
    if (read_window(node, is_channels_last, image.dims + 2, window, &padding, err) != 0 ||
        (blocks != NULL && dilate(blocks, padding, window, err) != 0) ||
        (inputs[1] = add_weights(in, node, &filter, &as, err)) < 0)
        return -1;
    order = tf_image_order(4, is_channels_last);
    if (tf_finish(in, node, &draft, &order, err) != 0)
        return -1;
    return blocks == NULL ? 0 : tf_mark_convolved(in, node, blocks, err);
}

int tf_build_conv(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return add_conv(in, node, false, err);
}

int tf_build_depthwise(struct tf_import *in, struct tf_node *node, struct error *err)
{
    return add_conv(in, node, true, err);
}

/* Conv2DBackpropInput: input_sizes, the filter of the convolution that it undoes (kh x kw x its outputs x its inputs),
 * x. The pads are that convolution's, so SAME follows from the size of our output. */
int tf_build_deconv(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int inputs[2], padding;
    struct node draft = {.op = OP_DECONV, .inputs = inputs, .n_inputs = 2};
    struct window *w = &draft.attr.conv.window;
    int64_t sizes[4];
    struct tf_order order;
    struct tensor filter;
    const struct shape *x;
    struct shape wanted;
    bool is_channels_last;
    size_t n;

    if (tf_is_channels_last(node->proto, &is_channels_last, err) != 0 || read_filter(in, node, &filter, err) != 0 ||
        tf_constant_ints(in, node, 0, sizes, 4, &n, err) != 0 ||
        (inputs[0] = tf_image(in, node, 2, is_channels_last, err)) < 0)
        return -1;
    if (n != 4)
        return error_set(err, EX_DATAERR, "expected an output of 4 axes, found %zu", n);
    order = tf_image_order(4, is_channels_last);
    wanted = (struct shape){4, {1}};
    for (size_t i = 1; i < 4; i++)
        wanted.dims[order.axis[i]] = sizes[i];
    if (wanted.dims[2] < 1 || wanted.dims[2] > MAX_EXTENT || wanted.dims[3] < 1 || wanted.dims[3] > MAX_EXTENT)
        return error_set(err, EX_DATAERR, "an output of %lld x %lld makes no sense", (long long)wanted.dims[2],
                         (long long)wanted.dims[3]);
    memcpy(w->kernel, filter.shape.dims, sizeof w->kernel);
    if (read_window(node, is_channels_last, wanted.dims + 2, w, &padding, err) != 0)
        return -1;
    x = &in->graph->values[inputs[0]].shape;
    for (size_t k = 0; k < 2; k++) {
        int64_t full = (x->dims[2 + k] - 1) * w->stride[k] + (w->kernel[k] - 1) * w->dilation[k] + 1;

        draft.attr.conv.output_padding[k] = wanted.dims[2 + k] - (full - w->pad_begin[k] - w->pad_end[k]);
    }
    draft.attr.conv.group = 1;
    inputs[1] = add_weights(in, node, &filter, &filter.shape, err);
    if (inputs[1] < 0 || (inputs[1] = tf_add(in, node, &draft, &(struct tf_result){.shape = &wanted}, err)) < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = inputs[1], .order = order};
    return 0;
}

/* --- pools --- */

int tf_build_pool(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x, padding;
    struct node draft = {.op = OP_POOL, .inputs = &x, .n_inputs = 1};
    struct window *window = &draft.attr.pool.window;
    struct tf_order order;
    bool is_channels_last;

    draft.attr.pool.kind = (enum pool_kind)node->row->variant;
    if (tf_is_channels_last(node->proto, &is_channels_last, err) != 0 ||
        (x = tf_image(in, node, 0, is_channels_last, err)) < 0 ||
        read_spatial(node, "ksize", true, is_channels_last, window->kernel, err) != 0 ||
        read_window(node, is_channels_last, in->graph->values[x].shape.dims + 2, window, &padding, err) != 0)
        return -1;
    if (padding == PADDING_EXPLICIT && draft.attr.pool.kind == POOL_AVERAGE)
        return error_set(err, EX_UNAVAILABLE, "average pools with padding EXPLICIT are not supported");
    order = tf_image_order(4, is_channels_last);
    return tf_finish(in, node, &draft, &order, err); /* 0 outputs so far: the floor rule decides */
}
