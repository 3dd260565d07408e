/* write_conv.c — convolutions, and what is written as one: zero padding, slices with steps, enlarging by repetition.
 *
 * Caffe pads both ends alike: see even_pads.h for those that do not.
 */
#include "formats/caffe/write.h"
#include "formats/even_pads.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 1, ROWS = 2 }; /* axes of an image */

/* Beyond it, x - v + v is not x by far, though the v beside it hides that; an infinity would be no number. */
#define MAX_PAD_VALUE 1e6F

/* A convolution about to be put: weights of `shape`, out x in x rows x columns or, transposed, in x out x .... */
struct convolution {
    struct window window;
    struct shape shape;
    const float *weights;
    int64_t group, out_channels;
    int bias; /* value; GRAPH_NONE: none */
};

/* Makes the pads of both ends equal. */
static void make_pads_even(struct caffe_writer *w, struct convolution *conv, const int64_t output_padding[2])
{
    struct even_convolution even;
    const char *reason = even_convolution_init(&even, &conv->window, output_padding, &conv->shape);

    if (reason != NULL) {
        caffe_cannot(w, "%s", reason);
        return;
    }
    if (!shape_equal(&even.shape, &conv->shape)) {
        float *weights = caffe_put_floats(w, (size_t)shape_elements(&even.shape));

        if (weights == NULL)
            return;
        even_convolution_fill(&even, &conv->shape, conv->weights, weights);
        conv->weights = weights;
    }
    conv->window = even.window;
    conv->shape = even.shape;
}

/* ---- Parameters */

/* A number for both axes where all are squares, else pairs: some readers take either, but not both. */
static void put_window(struct caffe_writer *w, Caffe__ConvolutionParameter *param, const struct window *win)
{
    bool is_square =
        win->kernel[0] == win->kernel[1] && win->stride[0] == win->stride[1] && win->pad_begin[0] == win->pad_begin[1];

    param->n_kernel_size = is_square;
    param->n_stride = is_square && win->stride[0] != 1;
    param->n_pad = is_square && win->pad_begin[0] != 0;
    param->kernel_size = caffe_put_integers(w, win->kernel, 1);
    param->stride = caffe_put_integers(w, win->stride, 1);
    param->pad = caffe_put_integers(w, win->pad_begin, 1);
    param->has_kernel_h = param->has_kernel_w = param->has_stride_h = param->has_stride_w = !is_square;
    param->has_pad_h = param->has_pad_w = !is_square;
    param->kernel_h = (uint32_t)win->kernel[0];
    param->kernel_w = (uint32_t)win->kernel[1];
    param->stride_h = (uint32_t)win->stride[0];
    param->stride_w = (uint32_t)win->stride[1];
    param->pad_h = (uint32_t)win->pad_begin[0];
    param->pad_w = (uint32_t)win->pad_begin[1];
    param->n_dilation = win->dilation[0] != win->dilation[1] ? 2 : win->dilation[0] != 1;
    param->dilation = caffe_put_integers(w, win->dilation, 2);
}

static void put_convolution(struct caffe_writer *w, const char *type, const char *name, const char *from,
                            const char *to, const struct convolution *conv)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, type, name, from, to);
    Caffe__ConvolutionParameter *param = caffe_put_message(w, &caffe__convolution_parameter__descriptor);

    if (param == NULL)
        return;
    layer->convolution_param = param;
    param->has_num_output = true;
    param->num_output = (uint32_t)conv->out_channels;
    param->has_bias_term = conv->bias == GRAPH_NONE;
    param->bias_term = conv->bias != GRAPH_NONE;
    param->has_group = conv->group != 1;
    param->group = (uint32_t)conv->group;
    put_window(w, param, &conv->window);
    caffe_put_blob(w, layer, &conv->shape, conv->weights);
    if (conv->bias != GRAPH_NONE)
        caffe_put_constant(w, layer, conv->bias);
}

static void put_node(struct caffe_writer *w, const char *type, const struct convolution *conv)
{
    put_convolution(w, type, w->node->name, w->from, w->to, conv);
}

/* ---- Operators */

static bool is_image(struct caffe_writer *w, const char *what)
{
    if (w->x.rank == 4)
        return true;
    caffe_cannot(w, "%s over so many axes has no form in Caffe", what);
    return false;
}

/* One kernel of ones a channel. */
static struct convolution depthwise(struct caffe_writer *w, int64_t channels, int64_t rows, int64_t columns)
{
    struct convolution conv = {
        .window = {.kernel = {rows, columns}, .stride = {1, 1}, .dilation = {1, 1}},
        .shape = {4, {channels, 1, rows, columns}},
        .group = channels,
        .out_channels = channels,
        .bias = GRAPH_NONE,
    };
    int64_t n = shape_elements(&conv.shape);
    float *weights = caffe_put_floats(w, (size_t)n);

    for (int64_t i = 0; weights != NULL && i < n; i++)
        weights[i] = 1;
    conv.weights = weights;
    return conv;
}

/* Pads that no larger kernel evens out: zeros in a layer before. */
static bool needs_padding_apart(const struct node *node, const struct convolution *conv)
{
    struct even_convolution even;

    return node->op == OP_CONV && even_convolution_init(&even, &conv->window, (int64_t[2]){0}, &conv->shape) != NULL;
}

static void put_padded_apart(struct caffe_writer *w, struct convolution *conv)
{
    struct convolution zeros = depthwise(w, w->x.dims[CHANNELS], 1, 1);
    const char *padded = caffe_inner_name(w, "padded");

    memcpy(zeros.window.pad_begin, conv->window.pad_begin, sizeof zeros.window.pad_begin);
    memcpy(zeros.window.pad_end, conv->window.pad_end, sizeof zeros.window.pad_end);
    if (w->err.code == 0)
        make_pads_even(w, &zeros, (int64_t[2]){0});
    put_convolution(w, "Convolution", padded, w->from, padded, &zeros);
    memset(conv->window.pad_begin, 0, sizeof conv->window.pad_begin);
    memset(conv->window.pad_end, 0, sizeof conv->window.pad_end);
    put_convolution(w, "Convolution", w->node->name, padded, w->to, conv);
}

void caffe_write_conv(struct caffe_writer *w)
{
    const struct value *weights = &w->graph->values[w->node->inputs[1]];
    struct convolution conv = {
        .window = w->node->attr.conv.window,
        .shape = weights->shape,
        .weights = weights->data,
        .group = w->node->attr.conv.group,
        .bias = w->node->n_inputs > 2 ? w->node->inputs[2] : GRAPH_NONE,
    };

    if (!is_image(w, "a convolution"))
        return;
    conv.out_channels = caffe_shape_of(w, w->node->outputs[0])->dims[1];
    if (conv.shape.rank == 3)
        conv.shape = (struct shape){4, {conv.shape.dims[0], conv.shape.dims[1], 1, conv.shape.dims[2]}};
    if (needs_padding_apart(w->node, &conv)) {
        put_padded_apart(w, &conv);
        return;
    }
    make_pads_even(w, &conv, w->node->attr.conv.output_padding);
    put_node(w, w->node->op == OP_DECONV ? "Deconvolution" : "Convolution", &conv);
}

/* Its strides round down, as a slice does; those of a pool would round up. */
void caffe_put_subsample(struct caffe_writer *w, struct caffe_link link, int64_t channels, const int64_t stride[2])
{
    struct convolution conv = depthwise(w, channels, 1, 1);

    memcpy(conv.window.stride, stride, sizeof conv.window.stride);
    put_convolution(w, "Convolution", link.name, link.from, link.to, &conv);
}

/* `n` channels made of those of an image: number o is its channel begin + o * step, zeros where it has none. */
static struct convolution selecting(struct caffe_writer *w, int64_t channels, int64_t begin, int64_t step, int64_t n)
{
    struct convolution conv = {
        .window = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}},
        .shape = {4, {n, channels, 1, 1}},
        .group = 1,
        .out_channels = n,
        .bias = GRAPH_NONE,
    };
    int64_t elements = shape_elements(&conv.shape);
    float *weights = caffe_put_floats(w, elements < 0 ? SIZE_MAX : (size_t)elements);

    for (int64_t o = 0, c = begin; weights != NULL && o < n; o++, c += step)
        if (c >= 0 && c < channels)
            weights[o * channels + c] = 1;
    conv.weights = weights;
    return conv;
}

void caffe_put_selection(struct caffe_writer *w, struct caffe_link link, int64_t channels, int64_t begin, int64_t step,
                         int64_t n)
{
    struct convolution conv = selecting(w, channels, begin, step, n);

    put_convolution(w, "Convolution", link.name, link.from, link.to, &conv);
}

/* Zeros around the image: the padding of a convolution that does nothing. */
static void put_zeros_around(struct caffe_writer *w, struct caffe_link link)
{
    const int64_t *begin = w->node->attr.pad.begin, *end = w->node->attr.pad.end, none[2] = {0};
    int64_t channels = caffe_shape_of(w, w->node->inputs[0])->dims[CHANNELS];
    struct convolution conv =
        begin[CHANNELS] == 0 && end[CHANNELS] == 0
            ? depthwise(w, channels, 1, 1)
            : selecting(w, channels, -begin[CHANNELS], 1, begin[CHANNELS] + channels + end[CHANNELS]);

    memcpy(conv.window.pad_begin, begin + ROWS, sizeof conv.window.pad_begin);
    memcpy(conv.window.pad_end, end + ROWS, sizeof conv.window.pad_end);
    if (w->err.code == 0)
        make_pads_even(w, &conv, none);
    put_convolution(w, "Convolution", link.name, link.from, link.to, &conv);
}

/* With another number v: zeros around x - v, and v added again. */
void caffe_write_pad(struct caffe_writer *w)
{
    float value = w->node->attr.pad.value;
    struct caffe_chain chain = {w->from, value == 0 ? 1 : 3};
    struct caffe_link link;

    if (!is_image(w, "padding"))
        return;
    if (w->node->attr.pad.mode != PAD_CONSTANT || fabsf(value) > MAX_PAD_VALUE) {
        caffe_cannot(w, "padding with other than a number up to %g has no form in Caffe", (double)MAX_PAD_VALUE);
        return;
    }
    if (shape_equal(caffe_shape_of(w, w->node->inputs[0]), caffe_shape_of(w, w->node->outputs[0]))) {
        caffe_write_identity(w);
        return;
    }
    if (value != 0) {
        link = caffe_next_link(w, &chain, "lowered");
        caffe_put_power(w, link.name, link.from, link.to, 1, 1, -value);
    }
    put_zeros_around(w, caffe_next_link(w, &chain, "padded"));
    if (value != 0) {
        link = caffe_next_link(w, &chain, "raised");
        caffe_put_power(w, link.name, link.from, link.to, 1, 1, value);
    }
}

/* Does row (or column) `o` repeat o / factor for a whole factor? Half pixels never meet in the middle then. */
static bool repeats_elements(const struct node *node, const struct shape *x, const struct shape *y, size_t k)
{
    int64_t factor = y->dims[ROWS + k] / x->dims[ROWS + k];

    if (node->attr.resize.mode != RESIZE_NEAREST || y->dims[ROWS + k] % x->dims[ROWS + k] != 0 || factor > UINT16_MAX ||
        node->attr.resize.scale[k] != (float)factor)
        return false;
    if (node->attr.resize.coordinates == RESIZE_ASYMMETRIC)
        return node->attr.resize.rounding == RESIZE_FLOOR;
    return node->attr.resize.coordinates == RESIZE_HALF_PIXEL &&
           (node->attr.resize.rounding == RESIZE_PREFER_FLOOR || node->attr.resize.rounding == RESIZE_PREFER_CEIL);
}

/* Each element becomes a block: a transposed convolution with kernels of ones that do not overlap. */
void caffe_write_resize(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->outputs[0]);
    struct convolution conv;

    if (!is_image(w, "resizing"))
        return;
    if (!repeats_elements(w->node, x, y, 0) || !repeats_elements(w->node, x, y, 1)) {
        caffe_cannot(w, "resizing other than by repeating rows and columns has no form in Caffe");
        return;
    }
    conv = depthwise(w, x->dims[CHANNELS], y->dims[ROWS] / x->dims[ROWS], y->dims[ROWS + 1] / x->dims[ROWS + 1]);
    memcpy(conv.window.stride, conv.window.kernel, sizeof conv.window.stride);
    put_node(w, "Deconvolution", &conv);
}
