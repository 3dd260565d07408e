/* tf_write_layer.c — convolutions, inner and matrix products. */
#include "formats/tensorflow/tf_write.h"

#include "common/view.h"

#include <stdlib.h>
#include <string.h>

/* One convolution of the file: of the whole, or of one group. */
struct kernel {
    const float *from; /* [O][I][h][w], or [I][O][h][w] where transposed */
    size_t outputs, inputs;
    const struct window *window;
    bool is_transposed, is_depthwise;
};

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* Places of a kernel along an axis. TensorFlow has no dilation of transposed convolutions on a CPU: zeros between the
 * weights say the same. */
static size_t places(const struct kernel *k, size_t axis)
{
    size_t taps = (size_t)k->window->kernel[axis];

    return k->is_transposed ? (taps - 1) * (size_t)k->window->dilation[axis] + 1 : taps;
}

/* rows x columns, turned. */
static void turn(const float *from, size_t rows, size_t columns, float *to)
{
    view_copy_plain(&(struct view){from, 1, columns, rows, columns}, to);
}

/* The kernel with its first axis behind all others, then its places in front of those. */
static int turn_kernel(const struct kernel *k, float *to, struct error *err)
{
    size_t first = k->is_transposed ? k->inputs : k->outputs, second = k->is_transposed ? k->outputs : k->inputs;
    size_t width = places(k, 1), taps[2], step[2];
    float *turned;

    for (size_t axis = 0; axis < 2; axis++) {
        taps[axis] = (size_t)k->window->kernel[axis];
        step[axis] = k->is_transposed ? (size_t)k->window->dilation[axis] : 1;
    }
    if (taps[0] * taps[1] == 1) {
        turn(k->from, first, second, to);
        return 0;
    }
    turned = memory_create(first * second, taps[0] * taps[1] * sizeof *turned, "a kernel", err);
    if (turned == NULL)
        return -1;
    turn(k->from, first, second * taps[0] * taps[1], turned);
    for (size_t i = 0; i < second; i++)
        for (size_t t = 0; t < taps[0] * taps[1]; t++) {
            size_t place = t / taps[1] * step[0] * width + t % taps[1] * step[1];

            memcpy(to + (place * second + i) * first, turned + (i * taps[0] * taps[1] + t) * first, first * sizeof *to);
        }
    free(turned);
    return 0;
}

/* [h][w][I][O]; of transposed convolutions [h][w][O][I]. A depthwise layer's [C M][1][h][w] as [h][w][C][M] is the same
 * with C M outputs. `value`: the weights, where they are written as a whole; else GRAPH_NONE. */
static const char *put_kernel(struct tf_writer *w, const char *base, int value, const struct kernel *k, size_t channels)
{
    size_t height = places(k, 0), width = places(k, 1), n = height * width * k->inputs * k->outputs;
    struct shape shape = {4, {(int64_t)height, (int64_t)width, (int64_t)k->inputs, (int64_t)k->outputs}};
    float *turned = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *turned, &w->err);

    if (turned == NULL || turn_kernel(k, turned, &w->err) != 0)
        return "";
    if (k->is_transposed || k->is_depthwise) {
        shape.dims[2] = k->is_depthwise ? (int64_t)channels : (int64_t)k->outputs;
        shape.dims[3] = k->is_depthwise ? (int64_t)(k->outputs / channels) : (int64_t)k->inputs;
    }
    return value != GRAPH_NONE ? tf_const_value(w, value, &shape, turned) : tf_const_floats(w, base, &shape, turned);
}

static void put_window(struct tf_writer *w, const struct window *window, const char *padding)
{
    tf_put_ints(w, "strides", (const int64_t[]){1, window->stride[0], window->stride[1], 1}, 4);
    tf_put_text(w, "padding", padding);
    tf_put_text(w, "data_format", "NHWC");
    tf_put_ints(w, "dilations", (const int64_t[]){1, window->dilation[0], window->dilation[1], 1}, 4);
}

static const char *add_bias(struct tf_writer *w, const struct node *node, const char *y, const char *base)
{
    const float *own = w->biases == NULL ? NULL : w->biases[node - w->graph->nodes];
    const struct shape *out = shape_of(w, node->outputs[0]);
    struct shape shape = {.rank = 1, .dims = {out->dims[node->op == OP_DENSE ? out->rank - 1 : 1]}};
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE;
    const char *bias;

    if (own == NULL && !has_bias)
        return y;
    if (own == NULL)
        bias = tf_value(w, node->inputs[2]);
    else
        bias = has_bias ? tf_const_value(w, node->inputs[2], &shape, own) : tf_const_floats(w, base, &shape, own);
    y = tf_step(w, "BiasAdd", base, TF_INPUTS(y, bias));
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

/* How the convolutions of one layer are written. */
struct layer {
    const struct node *node;
    const char *padding;
    int64_t size[2]; /* of what transposed ones give */
};

typedef const char *write_group(struct tf_writer *w, const struct layer *layer, size_t group, const char *x,
                                const char *base);

/* Applies `one` to each group of channels. */
static const char *by_group(struct tf_writer *w, const struct layer *layer, const char *x, const char *base,
                            write_group *one)
{
    size_t groups = (size_t)layer->node->attr.conv.group;
    const char **results, *parts;

    if (groups == 1)
        return one(w, layer, 0, x, base);
    results = w->err.code != 0 ? NULL : arena_create_array(w->arena, groups + 1, sizeof *results, &w->err);
    parts = split(w, x, (int64_t)groups, base);
    for (size_t g = 0; results != NULL && g < groups; g++)
        results[g] = one(w, layer, g, part(w, parts, g), base);
    return results == NULL ? "" : join(w, results, groups, base);
}

/* The weights of one group; *value as put_kernel wants it. */
static struct kernel kernel_of(const struct tf_writer *w, const struct node *node, size_t group, bool is_transposed,
                               int *value)
{
    const struct value *weights = &w->graph->values[node->inputs[1]];
    size_t groups = (size_t)node->attr.conv.group, first = (size_t)weights->shape.dims[0] / groups;
    size_t second = (size_t)weights->shape.dims[1], all = (size_t)shape_elements(&weights->shape) / groups;

    *value = groups == 1 ? node->inputs[1] : GRAPH_NONE;
    return (struct kernel){.from = (const float *)weights->data + group * all,
                           .outputs = is_transposed ? second : first,
                           .inputs = is_transposed ? first : second,
                           .window = &node->attr.conv.window,
                           .is_transposed = is_transposed};
}

static const char *convolve_group(struct tf_writer *w, const struct layer *layer, size_t group, const char *x,
                                  const char *base)
{
    int value;
    struct kernel k = kernel_of(w, layer->node, group, false, &value);

    x = tf_layer(w, "Conv2D", base, TF_INPUTS(x, put_kernel(w, base, value, &k, 1)));
    put_window(w, k.window, layer->padding);
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

static const char *convolve_depthwise(struct tf_writer *w, const struct layer *layer, const char *x, const char *base)
{
    int value = layer->node->inputs[1];
    const struct value *weights = &w->graph->values[value];
    struct kernel k = {.from = weights->data,
                       .outputs = (size_t)weights->shape.dims[0],
                       .inputs = 1,
                       .window = &layer->node->attr.conv.window,
                       .is_depthwise = true};

    x = tf_layer(w, "DepthwiseConv2dNative", base,
                 TF_INPUTS(x, put_kernel(w, base, value, &k, (size_t)layer->node->attr.conv.group)));
    put_window(w, k.window, layer->padding);
    return x;
}

const char *tf_write_conv(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.conv.window;
    const char *x = tf_as_image(w, node, base);
    struct layer layer = {.node = node};
    int64_t in[2], out[2];

    tf_image_size(shape_of(w, node->inputs[0]), in);
    tf_image_size(shape_of(w, node->outputs[0]), out);
    layer.padding = tf_padding(window, in, out);
    if (layer.padding == NULL) {
        x = tf_frame(w, x, window->pad_begin, window->pad_end, 0, base);
        layer.padding = "VALID";
    }
    x = is_depthwise(w, node) ? convolve_depthwise(w, &layer, x, base) : by_group(w, &layer, x, base, convolve_group);
    return tf_from_image(w, node, add_bias(w, node, x, base), base);
}

/* ---- transposed ---- */

/* Everything that the windows touch: the graph's pads are cropped from it afterwards. */
static void whole_size(const struct tf_writer *w, const struct node *node, int64_t whole[2])
{
    const struct window *window = &node->attr.conv.window;

    tf_image_size(shape_of(w, node->inputs[0]), whole);
    for (size_t k = 0; k < 2; k++)
        whole[k] = (whole[k] - 1) * window->stride[k] + (window->kernel[k] - 1) * window->dilation[k] + 1;
}

static const char *spread_group(struct tf_writer *w, const struct layer *layer, size_t group, const char *x,
                                const char *base)
{
    int value;
    struct kernel k = kernel_of(w, layer->node, group, true, &value);
    struct window window = *k.window;
    const char *to =
        tf_batched_ints(w, x, (const int64_t[]){layer->size[0], layer->size[1], (int64_t)k.outputs}, 3, base);

    x = tf_layer(w, "Conv2DBackpropInput", base, TF_INPUTS(to, put_kernel(w, base, value, &k, 1), x));
    window.dilation[0] = window.dilation[1] = 1;
    put_window(w, &window, layer->padding);
    return x;
}

const char *tf_write_deconv(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.conv.window;
    const char *x = tf_as_image(w, node, base);
    struct layer layer = {.node = node};
    int64_t begin[4] = {0}, size[4] = {-1, 0, 0, -1}, none[2] = {0}, more[2], in[2], out[2];
    bool is_cut = false;

    tf_image_size(shape_of(w, node->inputs[0]), in);
    tf_image_size(shape_of(w, node->outputs[0]), out);
    whole_size(w, node, layer.size);
    layer.padding = tf_padding(window, out, in); /* of the convolution that it turns round */
    if (layer.padding != NULL && strcmp(layer.padding, "SAME") == 0) {
        memcpy(layer.size, out, sizeof out);
        return tf_from_image(w, node, add_bias(w, node, by_group(w, &layer, x, base, spread_group), base), base);
    }
    layer.padding = "VALID";
    x = by_group(w, &layer, x, base, spread_group);
    for (size_t k = 0; k < 2; k++) { /* what lies behind the windows is zero */
        int64_t left = layer.size[k] - window->pad_begin[k];

        begin[1 + k] = window->pad_begin[k];
        size[1 + k] = out[k] < left ? out[k] : left;
        more[k] = out[k] - size[1 + k];
        is_cut = is_cut || size[1 + k] != layer.size[k];
    }
    if (is_cut) {
        x = tf_step(w, "Slice", base, TF_INPUTS(x, tf_const_ints(w, base, begin, 4), tf_const_ints(w, base, size, 4)));
        tf_put_type(w, "Index", TF_INT32);
    }
    return tf_from_image(w, node, add_bias(w, node, tf_frame(w, x, none, more, 0, base), base), base);
}

/* ---- products ---- */

/* [K][O]: vendors' tools take no product that transposes. */
static const char *put_matrix(struct tf_writer *w, int value)
{
    const struct value *weights = &w->graph->values[value];
    size_t outputs = (size_t)weights->shape.dims[0], inputs = (size_t)weights->shape.dims[1];
    struct shape shape = {2, {weights->shape.dims[1], weights->shape.dims[0]}};
    const float *from = weights->data;
    float *turned = w->err.code != 0 ? NULL : arena_create_array(w->arena, inputs, outputs * sizeof *turned, &w->err);

    if (turned == NULL)
        return "";
    turn(from, outputs, inputs, turned);
    return tf_const_value(w, value, &shape, turned);
}

const char *tf_write_dense(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct shape *in = shape_of(w, node->inputs[0]);
    const char *x = tf_plain(w, node->inputs[0]);
    bool is_constant;

    if (in->rank != 2)
        x = tf_step_reshape(w, x, &(struct shape){2, {-1, in->dims[in->rank - 1]}}, base);
    is_constant = w->graph->values[node->inputs[1]].is_constant;
    x = tf_layer(w, "MatMul", base,
                 TF_INPUTS(x, is_constant ? put_matrix(w, node->inputs[1]) : tf_plain(w, node->inputs[1])));
    tf_put_bool(w, "transpose_a", false);
    tf_put_bool(w, "transpose_b", !is_constant);
    x = add_bias(w, node, x, base);
    return in->rank == 2 ? x : tf_step_reshape(w, x, shape_of(w, node->outputs[0]), base);
}

const char *tf_write_matmul(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *y =
        tf_step(w, "BatchMatMulV2", base, TF_INPUTS(tf_plain(w, node->inputs[0]), tf_plain(w, node->inputs[1])));

    tf_put_bool(w, "adj_x", false);
    tf_put_bool(w, "adj_y", false);
    return y;
}
