/* tf_write_layer.c — convolutions, inner and matrix products. */
#include "formats/tensorflow/tf_write.h"

#include <string.h>

/* One convolution of the file: of the whole, or of one group. */
struct kernel {
    const float *from; /* [O][I][h][w], or [I][O][h][w] where transposed */
    size_t outputs, inputs, height, width;
    bool is_transposed;
};

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* [h][w][I][O]; of transposed convolutions [h][w][O][I]. A depthwise layer's [C M][1][h][w] as [h][w][C][M] is the same
 * with C M outputs. */
static const char *put_kernel(struct tf_writer *w, const char *base, const struct kernel *k, const struct shape *shape)
{
    size_t taps = k->height * k->width, n = taps * k->inputs * k->outputs;
    float *turned = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *turned, &w->err);

    if (turned == NULL)
        return "";
    for (size_t o = 0; o < k->outputs; o++)
        for (size_t i = 0; i < k->inputs; i++)
            for (size_t t = 0; t < taps; t++) {
                size_t from = ((k->is_transposed ? i * k->outputs + o : o * k->inputs + i)) * taps + t;
                size_t to =
                    k->is_transposed ? (t * k->outputs + o) * k->inputs + i : (t * k->inputs + i) * k->outputs + o;

                turned[to] = k->from[from];
            }
    return tf_const_floats(w, base, shape, turned);
}

static void put_window(struct tf_writer *w, const struct window *window)
{
    tf_put_ints(w, "strides", (const int64_t[]){1, window->stride[0], window->stride[1], 1}, 4);
    tf_put_text(w, "padding", "VALID");
    tf_put_text(w, "data_format", "NHWC");
    tf_put_ints(w, "dilations", (const int64_t[]){1, window->dilation[0], window->dilation[1], 1}, 4);
}

static const char *pad_zeros(struct tf_writer *w, const char *x, const int64_t begin[2], const int64_t end[2],
                             const char *base)
{
    const char *y;

    if (begin[0] == 0 && begin[1] == 0 && end[0] == 0 && end[1] == 0)
        return x;
    y = tf_const_pairs(w, base, (const int64_t[]){0, 0, begin[0], end[0], begin[1], end[1], 0, 0}, 4);
    y = tf_step(w, "Pad", base, TF_INPUTS(x, y));
    tf_put_type(w, "Tpaddings", TF_INT32);
    return y;
}

static const char *add_bias(struct tf_writer *w, const struct node *node, const char *y, const char *base)
{
    if (node->n_inputs < 3 || node->inputs[2] == GRAPH_NONE)
        return y;
    y = tf_step(w, "BiasAdd", base, TF_INPUTS(y, tf_value(w, node->inputs[2])));
    tf_put_text(w, "data_format", "NHWC");
    return y;
}

/* The parts of a value's channels: the file's axis 3. */
static const char *split(struct tf_writer *w, const char *x, int64_t n, const char *base)
{
    const char *axis = tf_const_index(w, base, 3), *y = tf_step(w, "Split", base, TF_INPUTS(axis, x));

    tf_put_int(w, "num_split", n);
    return y;
}

static const char *part(struct tf_writer *w, const char *parts, size_t i)
{
    char *name = w->err.code != 0 ? NULL : arena_format(w->arena, &w->err, i == 0 ? "%s" : "%s:%zu", parts, i);

    return name == NULL ? "" : name;
}

static const char *join(struct tf_writer *w, const char **parts, size_t n, const char *base)
{
    const char *y;

    parts[n] = tf_const_index(w, base, 3);
    y = tf_step(w, "ConcatV2", base, parts, n + 1);
    tf_put_int(w, "N", (int64_t)n);
    tf_put_type(w, "Tidx", TF_INT32);
    return y;
}

/* Applies `one` to each group of channels. */
static const char *by_group(struct tf_writer *w, const struct node *node, const char *x, const char *base,
                            const char *(*one)(struct tf_writer *, const struct node *, size_t group, const char *x,
                                               const char *base))
{
    size_t groups = (size_t)node->attr.conv.group;
    const char **results, *parts;

    if (groups == 1)
        return one(w, node, 0, x, base);
    results = w->err.code != 0 ? NULL : arena_create_array(w->arena, groups + 1, sizeof *results, &w->err);
    parts = split(w, x, (int64_t)groups, base);
    for (size_t g = 0; results != NULL && g < groups; g++)
        results[g] = one(w, node, g, part(w, parts, g), base);
    return results == NULL ? "" : join(w, results, groups, base);
}

static const char *convolve_group(struct tf_writer *w, const struct node *node, size_t group, const char *x,
                                  const char *base)
{
    const struct value *weights = &w->graph->values[node->inputs[1]];
    const int64_t *d = weights->shape.dims;
    struct kernel k = {.outputs = (size_t)(d[0] / node->attr.conv.group),
                       .inputs = (size_t)d[1],
                       .height = (size_t)d[2],
                       .width = (size_t)d[3]};
    struct shape shape = {.rank = 4, .dims = {d[2], d[3], d[1], d[0] / node->attr.conv.group}};

    k.from = (const float *)weights->data + group * k.outputs * k.inputs * k.height * k.width;
    x = tf_step(w, "Conv2D", base, TF_INPUTS(x, put_kernel(w, base, &k, &shape)));
    put_window(w, &node->attr.conv.window);
    return x;
}

/* TensorFlow's own operator wants equal strides, and no dilation on a CPU. */
static bool is_depthwise(const struct tf_writer *w, const struct node *node)
{
    const struct window *window = &node->attr.conv.window;
    int64_t channels = shape_of(w, node->inputs[0])->dims[1];

    return node->attr.conv.group > 1 && node->attr.conv.group == channels && window->stride[0] == window->stride[1] &&
           window->dilation[0] == 1 && window->dilation[1] == 1;
}

static const char *convolve_depthwise(struct tf_writer *w, const struct node *node, const char *x, const char *base)
{
    const struct value *weights = &w->graph->values[node->inputs[1]];
    const int64_t *d = weights->shape.dims;
    struct kernel k = {weights->data, (size_t)d[0], 1, (size_t)d[2], (size_t)d[3], false};
    struct shape shape = {.rank = 4, .dims = {d[2], d[3], node->attr.conv.group, d[0] / node->attr.conv.group}};

    x = tf_step(w, "DepthwiseConv2dNative", base, TF_INPUTS(x, put_kernel(w, base, &k, &shape)));
    put_window(w, &node->attr.conv.window);
    return x;
}

static bool is_image_layer(struct tf_writer *w, const struct node *node)
{
    if (shape_of(w, node->inputs[0])->rank == 4 && w->graph->values[node->inputs[1]].is_constant)
        return true;
    tf_cannot(w, "only convolutions of images by constant weights are written");
    return false;
}

const char *tf_write_conv(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.conv.window;
    const char *x;

    if (!is_image_layer(w, node))
        return "";
    x = pad_zeros(w, tf_value(w, node->inputs[0]), window->pad_begin, window->pad_end, base);
    x = is_depthwise(w, node) ? convolve_depthwise(w, node, x, base) : by_group(w, node, x, base, convolve_group);
    return add_bias(w, node, x, base);
}

/* ---- transposed ---- */

/* [batch, h, w, c] with the batch of x. */
static const char *sizes(struct tf_writer *w, const char *x, const int64_t hwc[3], const char *base)
{
    const char *shape = tf_step(w, "Shape", base, TF_INPUTS(x)), *batch, *list, *axis;

    tf_put_type(w, "out_type", TF_INT32);
    batch = tf_put(w, "StridedSlice", tf_name_near(w, base, "batch"),
                   TF_INPUTS(shape, tf_const_ints(w, base, (int64_t[]){0}, 1),
                             tf_const_ints(w, base, (int64_t[]){1}, 1), tf_const_ints(w, base, (int64_t[]){1}, 1)));
    tf_put_type(w, "T", TF_INT32);
    tf_put_type(w, "Index", TF_INT32);
    list = tf_const_ints(w, base, hwc, 3);
    axis = tf_const_index(w, base, 0);
    list = tf_put(w, "ConcatV2", tf_name_near(w, base, "sizes"), TF_INPUTS(batch, list, axis));
    tf_put_type(w, "T", TF_INT32);
    tf_put_int(w, "N", 2);
    tf_put_type(w, "Tidx", TF_INT32);
    return list;
}

/* Everything that the windows touch: the graph's pads are cropped from it afterwards. */
static void whole_size(const struct tf_writer *w, const struct node *node, int64_t whole[2])
{
    const struct window *window = &node->attr.conv.window;

    for (size_t k = 0; k < 2; k++)
        whole[k] = (shape_of(w, node->inputs[0])->dims[2 + k] - 1) * window->stride[k] + window->kernel[k];
}

static const char *spread_group(struct tf_writer *w, const struct node *node, size_t group, const char *x,
                                const char *base)
{
    const struct value *weights = &w->graph->values[node->inputs[1]];
    const int64_t *d = weights->shape.dims;
    struct kernel k = {.outputs = (size_t)d[1],
                       .inputs = (size_t)(d[0] / node->attr.conv.group),
                       .height = (size_t)d[2],
                       .width = (size_t)d[3],
                       .is_transposed = true};
    struct shape shape = {.rank = 4, .dims = {d[2], d[3], d[1], d[0] / node->attr.conv.group}};
    int64_t whole[2];
    const char *to;

    whole_size(w, node, whole);
    k.from = (const float *)weights->data + group * k.outputs * k.inputs * k.height * k.width;
    to = sizes(w, x, (const int64_t[]){whole[0], whole[1], d[1]}, base);
    x = tf_step(w, "Conv2DBackpropInput", base, TF_INPUTS(to, put_kernel(w, base, &k, &shape), x));
    put_window(w, &node->attr.conv.window);
    return x;
}

const char *tf_write_deconv(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.conv.window;
    int64_t whole[2], begin[4] = {0}, size[4] = {-1, 0, 0, -1}, none[2] = {0}, more[2];
    const char *y;

    if (!is_image_layer(w, node))
        return "";
    if (window->dilation[0] != 1 || window->dilation[1] != 1) {
        tf_cannot(w, "transposed convolutions with dilation are not written");
        return "";
    }
    y = by_group(w, node, tf_value(w, node->inputs[0]), base, spread_group);
    whole_size(w, node, whole);
    for (size_t k = 0; k < 2; k++) { /* what lies behind the windows is zero */
        int64_t out = shape_of(w, node->outputs[0])->dims[2 + k], left = whole[k] - window->pad_begin[k];

        begin[1 + k] = window->pad_begin[k];
        size[1 + k] = out < left ? out : left;
        more[k] = out - size[1 + k];
    }
    y = tf_step(w, "Slice", base, TF_INPUTS(y, tf_const_ints(w, base, begin, 4), tf_const_ints(w, base, size, 4)));
    tf_put_type(w, "Index", TF_INT32);
    return add_bias(w, node, pad_zeros(w, y, none, more, base), base);
}

/* ---- products ---- */

const char *tf_write_dense(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]), *out = shape_of(w, node->outputs[0]);
    const char *x = tf_plain(w, node->inputs[0]);
    struct shape flat = *out;

    if (in->rank != 2) {
        x = tf_step(w, "Reshape", base,
                    TF_INPUTS(x, tf_const_ints(w, base, (const int64_t[]){-1, in->dims[in->rank - 1]}, 2)));
        tf_put_type(w, "Tshape", TF_INT32);
    }
    x = tf_step(w, "MatMul", base, TF_INPUTS(x, tf_plain(w, node->inputs[1])));
    tf_put_bool(w, "transpose_a", false);
    tf_put_bool(w, "transpose_b", true);
    x = add_bias(w, node, x, base);
    if (in->rank == 2)
        return x;
    flat.dims[0] = -1;
    x = tf_step(w, "Reshape", base, TF_INPUTS(x, tf_const_ints(w, base, flat.dims, flat.rank)));
    tf_put_type(w, "Tshape", TF_INT32);
    return tf_to_file(w, x, out->rank, base);
}

const char *tf_write_matmul(struct tf_writer *w, const struct node *node, const char *base)
{
    size_t rank = shape_of(w, node->outputs[0])->rank;
    const char *y;

    if (shape_of(w, node->inputs[0])->rank < 2 || shape_of(w, node->inputs[1])->rank < 2) {
        tf_cannot(w, "products of vectors are not written");
        return "";
    }
    y = tf_step(w, "BatchMatMulV2", base, TF_INPUTS(tf_plain(w, node->inputs[0]), tf_plain(w, node->inputs[1])));
    tf_put_bool(w, "adj_x", false);
    tf_put_bool(w, "adj_y", false);
    return tf_to_file(w, y, rank, base);
}
