/* reference_serial.c — the operators whose last bits depend on the order of a sum, in that of TNN's reference device:
 * float32 throughout, products and sums rounded apart, one addend after the other, the bias last.
 *
 * Source: Tencent TNN, commit f0cb08129a05, source/tnn/utils/naive_compute.cc and source/tnn/device/cpu/. Taps that lie
 * in the padding are left out, which adds the same nothing. Neighbouring outputs are computed side by side; the order
 * within each is what counts.
 */
#include "worker/reference_private.h"

#include <string.h>

/* Output positions first <= i < end along `axis` whose tap `tap` lies in the image. */
struct stretch {
    int64_t first, end;
};

static struct stretch positions_inside(const struct window *window, int axis, int64_t tap, int64_t size, int64_t n_out)
{
    int64_t offset = tap * window->dilation[axis] - window->pad_begin[axis], stride = window->stride[axis];
    struct stretch s = {offset >= 0 ? 0 : (stride - 1 - offset) / stride, 0};

    if (size > offset)
        s.end = (size - 1 - offset) / stride + 1;
    s.end = s.end < n_out ? s.end : n_out;
    return s;
}

/* y[i] += x[i * stride] * w */
static void add_products(float *restrict y, const float *restrict x, int64_t stride, float w, int64_t n)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++)
            y[i] += x[i] * w;
    else
        for (int64_t i = 0; i < n; i++)
            y[i] += x[i * stride] * w;
}

/* One tap of one input channel, for all outputs of one channel. */
static void add_tap(const struct window *window, struct image in, struct image out, const int64_t tap[2],
                    const float *plane, float w, float *y)
{
    struct stretch rows = positions_inside(window, 0, tap[0], in.rows, out.rows);
    struct stretch columns = positions_inside(window, 1, tap[1], in.columns, out.columns);
    int64_t left = columns.first * window->stride[1] + tap[1] * window->dilation[1] - window->pad_begin[1];
    int64_t n = columns.end - columns.first;
    bool is_whole = n == in.columns && n == out.columns && window->stride[0] == 1 && window->stride[1] == 1;

    if (n <= 0 || rows.end <= rows.first)
        return;
    for (int64_t i = rows.first; i < rows.end; i++) {
        int64_t row = i * window->stride[0] + tap[0] * window->dilation[0] - window->pad_begin[0];

        if (is_whole) { /* rows lie one after the other in both */
            add_products(y + i * n, plane + row * n, 1, w, (rows.end - i) * n);
            break;
        }
        add_products(y + i * out.columns + columns.first, plane + row * in.columns + left, window->stride[1], w, n);
    }
}

void reference_serial_conv(const struct reference_call *call)
{
    const struct window *window = &call->node->attr.conv.window;
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0), *w = reference_input(call, 1), *bias = reference_input(call, 2);
    int64_t group = call->node->attr.conv.group, channels = in.channels / group, pixels = out.rows * out.columns;
    int64_t taps = window->kernel[0] * window->kernel[1], plane = in.rows * in.columns;

    for (int64_t o = 0; o < out.channels; o++, w += channels * taps) {
        const float *image = x + o / (out.channels / group) * channels * plane;
        float *y = call->out + o * pixels;

        memset(y, 0, (size_t)pixels * sizeof *y);
        for (int64_t t = 0; t < taps; t++)
            for (int64_t c = 0; c < channels; c++)
                add_tap(window, in, out, (const int64_t[2]){t / window->kernel[1], t % window->kernel[1]},
                        image + c * plane, w[c * taps + t], y);
        for (int64_t i = 0; bias != NULL && i < pixels; i++)
            y[i] += bias[o];
    }
}

void reference_serial_dense(const struct reference_call *call)
{
    const struct shape *weights = reference_input_shape(call, 1);
    const float *x = reference_input(call, 0), *w = reference_input(call, 1), *bias = reference_input(call, 2);
    int64_t n = weights->dims[0], k = shape_elements(weights) / n;

    for (int64_t o = 0; o < n; o++, w += k) {
        float sum = 0;

        for (int64_t i = 0; i < k; i++)
            sum += x[i] * w[i];
        call->out[o] = bias != NULL ? sum + bias[o] : sum;
    }
}

void reference_serial_normalize(const struct reference_call *call)
{
    const struct shape *shape = reference_output_shape(call);
    const float *x = reference_input(call, 0), *scale = reference_input(call, 1), *shift = reference_input(call, 2);
    int64_t channels = shape->dims[1], pixels = shape_elements(shape) / shape->dims[0] / channels;

    for (int64_t c = 0; c < shape->dims[0] * channels; c++)
        for (int64_t i = c * pixels; i < (c + 1) * pixels; i++)
            call->out[i] = x[i] * scale[c % channels] + shift[c % channels];
}

/* TNN's averages leave out the pads; where ours count them, the divisor is ours. */
static float average(const struct node *node, struct image in, const float *plane, int64_t row, int64_t column)
{
    const struct window *w = &node->attr.pool.window;
    int64_t at[2] = {row * w->stride[0] - w->pad_begin[0], column * w->stride[1] - w->pad_begin[1]};
    int64_t seen = 0, counted = 0;
    float sum = 0;

    for (int64_t i = at[0]; i < at[0] + w->kernel[0] * w->dilation[0]; i += w->dilation[0])
        for (int64_t j = at[1]; j < at[1] + w->kernel[1] * w->dilation[1]; j += w->dilation[1]) {
            counted += i < in.rows + w->pad_end[0] && j < in.columns + w->pad_end[1];
            if (i < 0 || i >= in.rows || j < 0 || j >= in.columns)
                continue;
            sum += plane[i * in.columns + j];
            seen++;
        }
    seen = node->attr.pool.count_include_pad ? counted : seen;
    return seen == 0 ? 0 : sum / (float)seen;
}

void reference_serial_pool(const struct reference_call *call)
{
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0);
    float *y = call->out;

    if (call->node->attr.pool.kind == POOL_MAX) {
        reference_pool(call);
        return;
    }
    for (int64_t c = 0; c < out.channels; c++, x += in.rows * in.columns)
        for (int64_t i = 0; i < out.rows; i++)
            for (int64_t j = 0; j < out.columns; j++)
                *y++ = average(call->node, in, x, i, j);
}
