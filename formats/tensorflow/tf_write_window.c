/* tf_write_window.c — padding of windows, and pools. */
#include "formats/tensorflow/tf_write.h"

#include <float.h>
#include <string.h>

static const struct shape *shape_of(const struct tf_writer *w, int value)
{
    return &w->graph->values[value].shape;
}

/* The windows reach past the image by as much as makes ceil(in / stride) of them, the smaller half of it before. */
const char *tf_padding(const struct window *window, const int64_t in[2], const int64_t out[2])
{
    bool is_same = true, is_none = true;

    for (size_t k = 0; k < 2; k++) {
        int64_t reach = (out[k] - 1) * window->stride[k] + (window->kernel[k] - 1) * window->dilation[k] + 1;
        int64_t pads = reach > in[k] ? reach - in[k] : 0;

        is_same = is_same && window->pad_begin[k] == pads / 2 &&
                  out[k] == (in[k] + window->stride[k] - 1) / window->stride[k];
        is_none = is_none && window->pad_begin[k] == 0 && pads == 0 && in[k] - reach < window->stride[k];
    }
    return is_none ? "VALID" : is_same ? "SAME" : NULL;
}

const char *tf_frame(struct tf_writer *w, const char *x, const int64_t begin[2], const int64_t end[2], float value,
                     const char *base)
{
    const char *list;

    if (begin[0] == 0 && begin[1] == 0 && end[0] == 0 && end[1] == 0)
        return x;
    list = tf_const_pairs(w, base, (const int64_t[]){0, 0, begin[0], end[0], begin[1], end[1], 0, 0}, 4);
    x = value == 0 ? tf_step(w, "Pad", base, TF_INPUTS(x, list))
                   : tf_step(w, "PadV2", base, TF_INPUTS(x, list, tf_const_scalar(w, base, value)));
    tf_put_type(w, "Tpaddings", TF_INT32);
    return x;
}

/* How many pixels of output `at` are divided by: those inside the image, and the declared pads where they count. */
static int64_t divisor(const struct node *node, int64_t in, size_t k, int64_t at)
{
    const struct window *window = &node->attr.pool.window;
    bool counts_pads = node->attr.pool.count_include_pad;
    int64_t low = counts_pads ? -window->pad_begin[k] : 0, high = in + (counts_pads ? window->pad_end[k] : 0);
    int64_t begin = at * window->stride[k] - window->pad_begin[k], n = 0;

    for (int64_t i = 0; i < window->kernel[k]; i++) {
        int64_t place = begin + i * window->dilation[k];

        n += place >= low && place < high;
    }
    return n;
}

/* The average over `all` pixels of each window, zeros included, times this, is the average that the graph means. ""
 * where they are the same. */
static const char *correction(struct tf_writer *w, const struct node *node, const int64_t in[2], int64_t all,
                              const char *base)
{
    const int64_t *out = node->attr.pool.output;
    struct shape shape = {.rank = 4, .dims = {1, out[0], out[1], 1}};
    size_t n = (size_t)(out[0] * out[1]);
    float *factors = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *factors, &w->err);
    bool is_one = true;

    for (int64_t i = 0; factors != NULL && i < out[0]; i++)
        for (int64_t j = 0; j < out[1]; j++) {
            int64_t count = divisor(node, in[0], 0, i) * divisor(node, in[1], 1, j);

            factors[i * out[1] + j] = count > 0 ? (float)((double)all / (double)count) : 0;
            is_one = is_one && count == all;
        }
    return factors == NULL || is_one ? "" : tf_const_floats(w, base, &shape, factors);
}

/* x with around it what no window may see, or zeros for sums, as far as the windows reach; without what lies behind the
 * last of them, so that no other fits. */
static const char *as_windows_reach(struct tf_writer *w, const struct node *node, const char *x, const int64_t in[2],
                                    const char *base)
{
    const struct window *window = &node->attr.pool.window;
    int64_t more[2], size[4] = {-1, 0, 0, -1};
    bool is_cut = false;

    for (size_t k = 0; k < 2; k++) {
        int64_t reach = (node->attr.pool.output[k] - 1) * window->stride[k] +
                        (window->kernel[k] - 1) * window->dilation[k] + 1 - window->pad_begin[k];

        is_cut = is_cut || in[k] - reach >= window->stride[k];
        more[k] = reach > in[k] ? reach - in[k] : 0;
        size[1 + k] = in[k] - reach >= window->stride[k] ? reach : in[k];
    }
    if (is_cut) {
        x = tf_step(w, "Slice", base,
                    TF_INPUTS(x, tf_const_ints(w, base, (const int64_t[4]){0}, 4), tf_const_ints(w, base, size, 4)));
        tf_put_type(w, "Index", TF_INT32);
    }
    return tf_frame(w, x, window->pad_begin, more, node->attr.pool.kind == POOL_MAX ? -FLT_MAX : 0, base);
}

/* Dilated: one strided slice for each place of the window, joined. TensorFlow has no such pool on a CPU. */
static const char *pool_by_slices(struct tf_writer *w, const struct node *node, const char *x, const char *base)
{
    const struct window *window = &node->attr.pool.window;
    const char *op = node->attr.pool.kind == POOL_MAX ? "Maximum" : "AddV2", *y = NULL;
    const int64_t steps[4] = {1, window->stride[0], window->stride[1], 1};

    for (int64_t i = 0; i < window->kernel[0] * window->kernel[1] && w->err.code == 0; i++) {
        int64_t begin[4] = {0, i / window->kernel[1] * window->dilation[0],
                            i % window->kernel[1] * window->dilation[1]};
        int64_t end[4] = {0};
        const char *slice;

        for (size_t k = 0; k < 2; k++)
            end[1 + k] = begin[1 + k] + (node->attr.pool.output[k] - 1) * window->stride[k] + 1;
        slice = tf_step(w, "StridedSlice", base,
                        TF_INPUTS(x, tf_const_ints(w, base, begin, 4), tf_const_ints(w, base, end, 4),
                                  tf_const_ints(w, base, steps, 4)));
        tf_put_type(w, "Index", TF_INT32);
        tf_put_int(w, "begin_mask", 1 | 1 << 3);
        tf_put_int(w, "end_mask", 1 | 1 << 3);
        y = y == NULL ? slice : tf_step(w, op, base, TF_INPUTS(y, slice));
    }
    return y == NULL ? "" : y;
}

static const char *pool_by_operator(struct tf_writer *w, const struct node *node, const char *x, const char *padding,
                                    const char *base)
{
    const struct window *window = &node->attr.pool.window;
    const char *y = tf_layer(w, node->attr.pool.kind == POOL_MAX ? "MaxPool" : "AvgPool", base, TF_INPUTS(x));

    tf_put_ints(w, "ksize", (const int64_t[]){1, window->kernel[0], window->kernel[1], 1}, 4);
    tf_put_ints(w, "strides", (const int64_t[]){1, window->stride[0], window->stride[1], 1}, 4);
    tf_put_text(w, "padding", padding);
    tf_put_text(w, "data_format", "NHWC");
    return y;
}

const char *tf_write_pool(struct tf_writer *w, const struct node *node, const char *base)
{
    const struct window *window = &node->attr.pool.window;
    bool is_max = node->attr.pool.kind == POOL_MAX, is_dilated = window->dilation[0] != 1 || window->dilation[1] != 1;
    const char *x = tf_as_image(w, node, base), *padding, *factors = "";
    int64_t all = window->kernel[0] * window->kernel[1], in[2];

    tf_image_size(shape_of(w, node->inputs[0]), in);
    padding = is_dilated ? NULL : tf_padding(window, in, node->attr.pool.output);
    /* averages that TensorFlow pads do not count the pads */
    if (padding != NULL && (is_max || strcmp(padding, "VALID") == 0 || !node->attr.pool.count_include_pad))
        return tf_from_image(w, node, pool_by_operator(w, node, x, padding, base), base);
    x = as_windows_reach(w, node, x, in, base);
    x = is_dilated ? pool_by_slices(w, node, x, base) : pool_by_operator(w, node, x, "VALID", base);
    if (!is_max)
        factors = correction(w, node, in, is_dilated ? 1 : all, base);
    return tf_from_image(w, node, factors[0] == '\0' ? x : tf_step(w, "Mul", base, TF_INPUTS(x, factors)), base);
}
