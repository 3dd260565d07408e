/* op_windows.c — shape rules of what slides a window over an image: convolution, pooling; and of resizing. */
#include "common/op_rules.h"

#include <math.h>

/* Floor and ceiling of a / b for b > 0. */
static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t ceil_divide(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

static bool is_extent(int64_t x, int64_t least)
{
    return x >= least && x <= GRAPH_MAX_EXTENT;
}

static bool are_sane(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin, int64_t pad_end)
{
    return is_extent(in, 1) && is_extent(kernel, 1) && is_extent(stride, 1) && is_extent(dilation, 1) &&
           is_extent(pad_begin, 0) && is_extent(pad_end, 0);
}

int64_t conv_output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin,
                         int64_t pad_end)
{
    return pool_output_size(in, kernel, stride, dilation, pad_begin, pad_end, false, false);
}

int64_t pool_output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin,
                         int64_t pad_end, bool ceil_mode, bool caffe_rule)
{
    int64_t room, out;

    if (!are_sane(in, kernel, stride, dilation, pad_begin, pad_end))
        return -1;
    room = in + pad_begin + pad_end - (dilation * (kernel - 1) + 1);
    out = (ceil_mode ? ceil_divide(room, stride) : floor_divide(room, stride)) + 1;
    if (ceil_mode && (!caffe_rule || pad_begin > 0 || pad_end > 0) && (out - 1) * stride >= in + pad_begin)
        out--;
    return out;
}

/* --- checks shared by the rules --- */

/* The index in struct window of spatial axis i of x: one-dimensional windows are horizontal. */
static size_t window_index(const struct shape *x, size_t i)
{
    return i + 4 - x->rank;
}

static int check_image(const struct value *x, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (x->shape.rank == 3 || x->shape.rank == 4)
        return 0;
    return error_set(err, x->shape.rank == 5 ? EX_UNAVAILABLE : EX_DATAERR,
                     "expected N x C x L or N x C x H x W as input \"%s\", found %s", x->name,
                     shape_text(&x->shape, text));
}

static int check_window(const struct value *x, const struct window *w, struct error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (!are_sane(1, w->kernel[i], w->stride[i], w->dilation[i], w->pad_begin[i], w->pad_end[i]))
            return error_set(err, EX_DATAERR,
                             "a window of kernel %lld, stride %lld, dilation %lld, pads %lld and %lld makes no sense",
                             (long long)w->kernel[i], (long long)w->stride[i], (long long)w->dilation[i],
                             (long long)w->pad_begin[i], (long long)w->pad_end[i]);
    if (x->shape.rank == 3 &&
        (w->kernel[0] != 1 || w->stride[0] != 1 || w->dilation[0] != 1 || w->pad_begin[0] != 0 || w->pad_end[0] != 0))
        return error_set(err, EX_DATAERR, "a window over one spatial axis must have height 1");
    return 0;
}

/* Weights of rank x->rank whose spatial extents are the kernel's. */
static int check_weights(const struct value *x, const struct value *w, const struct window *window, int64_t group,
                         struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (w->shape.rank != x->shape.rank || shape_elements(&w->shape) == 0)
        return error_set(err, EX_DATAERR, "expected weights of %zu axes, found shape %s", x->shape.rank,
                         shape_text(&w->shape, text));
    for (size_t i = 0; i < x->shape.rank - 2; i++)
        if (w->shape.dims[2 + i] != window->kernel[window_index(&x->shape, i)])
            return error_set(err, EX_DATAERR, "kernel %lldx%lld does not match weights of shape %s",
                             (long long)window->kernel[0], (long long)window->kernel[1], shape_text(&w->shape, text));
    if (group < 1)
        return error_set(err, EX_DATAERR, "expected at least one group, found %lld", (long long)group);
    return 0;
}

static int check_channels(const struct value *x, const struct value *w, int64_t expected, int64_t out_channels,
                          int64_t group, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (x->shape.dims[1] != expected)
        return error_set(
            err, EX_DATAERR, "input \"%s\" has %lld channels, weights of shape %s and %lld groups expect %lld", x->name,
            (long long)x->shape.dims[1], shape_text(&w->shape, text), (long long)group, (long long)expected);
    if (out_channels % group != 0 || expected % group != 0)
        return error_set(err, EX_DATAERR, "%lld input and %lld output channels do not divide into %lld groups",
                         (long long)expected, (long long)out_channels, (long long)group);
    return 0;
}

static int no_window_fits(const struct value *x, const struct window *w, size_t k, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    return error_set(err, EX_DATAERR,
                     "input \"%s\" of shape %s is too small for kernel %lld, dilation %lld, pads %lld and %lld",
                     x->name, shape_text(&x->shape, text), (long long)w->kernel[k], (long long)w->dilation[k],
                     (long long)w->pad_begin[k], (long long)w->pad_end[k]);
}

/* --- rules --- */

int rule_conv(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *w = node_input(graph, node, 1),
                       *b = node_input(graph, node, 2);
    const struct window *window = &node->attr.conv.window;
    int64_t group = node->attr.conv.group;

    /* group <= 2^31 and dims <= 2^31: the product of channels per group and groups fits int64 */
    if (check_image(x, err) != 0 || check_window(x, window, err) != 0 || check_weights(x, w, window, group, err) != 0 ||
        (group > GRAPH_MAX_EXTENT && error_set(err, EX_DATAERR, "%lld groups", (long long)group)) ||
        check_channels(x, w, w->shape.dims[1] * group, w->shape.dims[0], group, err) != 0 ||
        (b != NULL && rule_check_vector(b, w->shape.dims[0], "bias", err) != 0))
        return -1;
    out->shape = (struct shape){.rank = x->shape.rank, .dims = {x->shape.dims[0], w->shape.dims[0]}};
    for (size_t i = 0; i < x->shape.rank - 2; i++) {
        size_t k = window_index(&x->shape, i);

        out->shape.dims[2 + i] = conv_output_size(x->shape.dims[2 + i], window->kernel[k], window->stride[k],
                                                  window->dilation[k], window->pad_begin[k], window->pad_end[k]);
        if (out->shape.dims[2 + i] < 1)
            return no_window_fits(x, window, k, err);
    }
    return 0;
}

int rule_deconv(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *w = node_input(graph, node, 1),
                       *b = node_input(graph, node, 2);
    const struct window *window = &node->attr.conv.window;
    int64_t group = node->attr.conv.group, channels;

    if (check_image(x, err) != 0 || check_window(x, window, err) != 0 || check_weights(x, w, window, group, err) != 0 ||
        (group > GRAPH_MAX_EXTENT && error_set(err, EX_DATAERR, "%lld groups", (long long)group)))
        return -1;
    channels = w->shape.dims[1] * group;
    if (check_channels(x, w, w->shape.dims[0], channels, group, err) != 0 ||
        (b != NULL && rule_check_vector(b, channels, "bias", err) != 0))
        return -1;
    out->shape = (struct shape){.rank = x->shape.rank, .dims = {x->shape.dims[0], channels}};
    for (size_t i = 0; i < x->shape.rank - 2; i++) {
        size_t k = window_index(&x->shape, i);
        int64_t extra = node->attr.conv.output_padding[k];

        if (!is_extent(extra, 0))
            return error_set(err, EX_DATAERR, "expected a positive output padding, found %lld", (long long)extra);
        out->shape.dims[2 + i] = (x->shape.dims[2 + i] - 1) * window->stride[k] +
                                 window->dilation[k] * (window->kernel[k] - 1) + 1 - window->pad_begin[k] -
                                 window->pad_end[k] + extra;
        if (out->shape.dims[2 + i] < 1)
            return no_window_fits(x, window, k, err);
    }
    return 0;
}

int rule_pool(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0);
    const struct window *w = &node->attr.pool.window;
    char text[SHAPE_TEXT_BYTES];

    if (check_image(x, err) != 0 || check_window(x, w, err) != 0)
        return -1;
    out->shape = (struct shape){.rank = x->shape.rank, .dims = {x->shape.dims[0], x->shape.dims[1]}};
    for (size_t i = 0; i < x->shape.rank - 2; i++) {
        size_t k = window_index(&x->shape, i);
        int64_t in = x->shape.dims[2 + i], n = node->attr.pool.output[k];

        /* A window that sees no pixel has neither a maximum nor an average. */
        if (!is_extent(n, 1) || (n - 1) * w->stride[k] - w->pad_begin[k] >= in ||
            w->dilation[k] * (w->kernel[k] - 1) < w->pad_begin[k])
            return error_set(
                err, EX_DATAERR,
                "%lld windows of kernel %lld, stride %lld, begin pad %lld do not all touch input \"%s\" of "
                "shape %s",
                (long long)n, (long long)w->kernel[k], (long long)w->stride[k], (long long)w->pad_begin[k], x->name,
                shape_text(&x->shape, text));
        if (node->attr.pool.is_global && (w->kernel[k] != in || n != 1 || w->pad_begin[k] != 0 || w->pad_end[k] != 0))
            return error_set(err, EX_DATAERR,
                             "a global pool must have the input's extent %lld as its kernel, found %lld", (long long)in,
                             (long long)w->kernel[k]);
        out->shape.dims[2 + i] = n;
    }
    return 0;
}

int rule_resize(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err)
{
    const struct value *x = node_input(graph, node, 0), *y = &graph->values[node->outputs[0]];
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];

    if (check_image(x, err) != 0)
        return -1;
    if (!y->has_shape)
        return error_set(err, EX_DATAERR, "its output \"%s\" has no size", y->name);
    if (y->shape.rank != x->shape.rank || y->shape.dims[0] != x->shape.dims[0] ||
        y->shape.dims[1] != x->shape.dims[1] || shape_elements(&y->shape) < 1)
        return error_set(err, EX_DATAERR, "only spatial axes can be resized, not %s to %s", shape_text(&x->shape, from),
                         shape_text(&y->shape, to));
    for (size_t i = 0; i < x->shape.rank - 2; i++) {
        float scale = node->attr.resize.scale[window_index(&x->shape, i)];

        if (!isfinite(scale) || scale <= 0)
            return error_set(err, EX_DATAERR, "expected a positive scale, found %g", (double)scale);
    }
    out->shape = y->shape;
    return 0;
}
