/* tf_write_window.c — pools, LRN, resizing. */
#include "formats/tensorflow/tf_write.h"

#include <float.h>
#include <math.h>

enum { ROWS = 2 };

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* How many pixels of output `at` are divided by: those inside the image, and the declared pads where they count. */
static int64_t divisor(const struct node *node, int64_t in, size_t k, int64_t at)
{
    const struct window *window = &node->attr.pool.window;
    bool counts_pads = node->attr.pool.count_include_pad;
    int64_t low = counts_pads ? -window->pad_begin[k] : 0, high = in + (counts_pads ? window->pad_end[k] : 0);
    int64_t begin = at * window->stride[k] - window->pad_begin[k], end = begin + window->kernel[k];

    begin = begin < low ? low : begin;
    end = end > high ? high : end;
    return end - begin;
}

/* The average over whole windows, zeros included, times this, is the average that the graph means. "" where they are
 * the same. */
static const char *correction(struct tf_writer *w, const struct node *node, const char *base)
{
    const int64_t *in = shape_of(w, node->inputs[0])->dims, *out = node->attr.pool.output;
    const struct window *window = &node->attr.pool.window;
    struct shape shape = {.rank = 4, .dims = {1, out[0], out[1], 1}};
    size_t n = (size_t)(out[0] * out[1]);
    float *factors = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *factors, &w->err);
    bool is_one = true;

    for (int64_t i = 0; factors != NULL && i < out[0]; i++)
        for (int64_t j = 0; j < out[1]; j++) {
            int64_t count = divisor(node, in[ROWS], 0, i) * divisor(node, in[ROWS + 1], 1, j);
            int64_t all = window->kernel[0] * window->kernel[1];

            factors[i * out[1] + j] = count > 0 ? (float)((double)all / (double)count) : 0;
            is_one = is_one && count == all;
        }
    return factors == NULL || is_one ? "" : tf_const_floats(w, base, &shape, factors);
}

/* Around the image what no window may see, or zeros for sums: as far as the windows reach, and no farther. */
static const char *frame(struct tf_writer *w, const struct node *node, const char *x, const char *base)
{
    const struct window *window = &node->attr.pool.window;
    int64_t pads[8] = {0};
    bool is_needed = false;
    const char *list, *value;

    for (size_t k = 0; k < 2; k++) {
        int64_t in = shape_of(w, node->inputs[0])->dims[ROWS + k];
        int64_t reach = (node->attr.pool.output[k] - 1) * window->stride[k] + window->kernel[k];
        int64_t more = reach - in - window->pad_begin[k];

        pads[2 + 2 * k] = window->pad_begin[k];
        pads[3 + 2 * k] = more > 0 ? more : 0;
        if (-more >= window->stride[k])
            tf_cannot(w, "fewer windows than fit have no form in TensorFlow");
        is_needed = is_needed || pads[2 + 2 * k] > 0 || more > 0;
    }
    if (!is_needed)
        return x;
    list = tf_const_pairs(w, base, pads, 4);
    value = tf_const_scalar(w, base, node->attr.pool.kind == POOL_MAX ? -FLT_MAX : 0);
    x = tf_step(w, "PadV2", base, TF_INPUTS(x, list, value));
    tf_put_type(w, "Tpaddings", TF_INT32);
    return x;
}

const char *tf_write_pool(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.pool.window;
    bool is_max = node->attr.pool.kind == POOL_MAX;
    const char *y, *factors;

    if (shape_of(w, node->inputs[0])->rank != 4 || window->dilation[0] != 1 || window->dilation[1] != 1) {
        tf_cannot(w, "only pools over two axes without dilation are written");
        return "";
    }
    y = frame(w, node, tf_value(w, node->inputs[0]), base);
    y = tf_step(w, is_max ? "MaxPool" : "AvgPool", base, TF_INPUTS(y));
    tf_put_ints(w, "ksize", (const int64_t[]){1, window->kernel[0], window->kernel[1], 1}, 4);
    tf_put_ints(w, "strides", (const int64_t[]){1, window->stride[0], window->stride[1], 1}, 4);
    tf_put_text(w, "padding", "VALID");
    tf_put_text(w, "data_format", "NHWC");
    factors = is_max ? "" : correction(w, node, base);
    return factors[0] == '\0' ? y : tf_step(w, "Mul", base, TF_INPUTS(y, factors));
}

const char *tf_write_lrn(struct tf_writer *w, const struct node *node, const char *base)
{
    const char *y;

    if (shape_of(w, node->inputs[0])->rank != 4 || node->attr.lrn.size % 2 == 0) {
        tf_cannot(w, "only response normalisation of images, over an odd number of channels, is written");
        return "";
    }
    y = tf_step(w, "LRN", base, TF_INPUTS(tf_value(w, node->inputs[0])));
    tf_put_int(w, "depth_radius", node->attr.lrn.size / 2);
    tf_put_float(w, "bias", node->attr.lrn.k);
    tf_put_float(w, "alpha", node->attr.lrn.alpha / (float)node->attr.lrn.size);
    tf_put_float(w, "beta", node->attr.lrn.beta);
    return y;
}

/* TensorFlow takes the ratio of sizes for the scale. */
static bool has_natural_scale(const struct tf_writer *w, const struct node *node)
{
    for (size_t k = 0; k < 2; k++) {
        double ratio = (double)shape_of(w, node->outputs[0])->dims[ROWS + k] /
                       (double)shape_of(w, node->inputs[0])->dims[ROWS + k];

        if (node->attr.resize.coordinates != RESIZE_ALIGN_CORNERS &&
            fabs((double)node->attr.resize.scale[k] - ratio) > 1e-6 * ratio)
            return false;
    }
    return true;
}

const char *tf_write_resize(struct tf_writer *w, const struct node *node, const char *base)
{
    enum resize_coordinates c = node->attr.resize.coordinates;
    bool is_nearest = node->attr.resize.mode == RESIZE_NEAREST;
    const int64_t *out = shape_of(w, node->outputs[0])->dims;
    const char *y, *size;

    if (shape_of(w, node->inputs[0])->rank != 4 || node->attr.resize.mode == RESIZE_CUBIC ||
        c == RESIZE_PYTORCH_HALF_PIXEL || !has_natural_scale(w, node) ||
        (is_nearest && (c != RESIZE_ASYMMETRIC || node->attr.resize.rounding != RESIZE_FLOOR))) {
        tf_cannot(w, "its way of mapping coordinates has no exact form in TensorFlow");
        return "";
    }
    size = tf_const_ints(w, base, out + ROWS, 2);
    y = tf_step(w, is_nearest ? "ResizeNearestNeighbor" : "ResizeBilinear", base,
                TF_INPUTS(tf_value(w, node->inputs[0]), size));
    tf_put_bool(w, "align_corners", c == RESIZE_ALIGN_CORNERS);
    tf_put_bool(w, "half_pixel_centers", c == RESIZE_HALF_PIXEL);
    return y;
}
