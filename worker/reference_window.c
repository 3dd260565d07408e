/* reference_window.c — pooling, local response normalisation and resizing; see reference.h. */
#include "worker/reference_private.h"

#include <float.h>
#include <math.h>

/* One axis of a pooling window at output position `at`. */
struct span {
    int64_t begin, step, taps; /* positions begin + i * step, 0 <= i < taps */
    int64_t counted;           /* how many of them lie in the image or its declared pads */
};

static struct span window_span(const struct window *window, int axis, int64_t at, int64_t size)
{
    struct span span = {at * window->stride[axis] - window->pad_begin[axis], window->dilation[axis],
                        window->kernel[axis], 0};

    for (int64_t i = 0; i < span.taps; i++)
        span.counted += span.begin + i * span.step < size + window->pad_end[axis];
    return span;
}

static float pool_pixel(const struct node *node, struct image in, const float *x, struct span rows, struct span columns)
{
    double sum = 0;
    float largest = -FLT_MAX; /* of a window that sees nothing, as in Caffe */
    int64_t seen = 0;

    for (int64_t i = 0; i < rows.taps; i++) {
        int64_t row = rows.begin + i * rows.step;

        if (row < 0 || row >= in.rows)
            continue;
        for (int64_t j = 0; j < columns.taps; j++) {
            int64_t column = columns.begin + j * columns.step;
            float value;

            if (column < 0 || column >= in.columns)
                continue;
            value = x[row * in.columns + column];
            largest = value > largest ? value : largest;
            sum += (double)value;
            seen++;
        }
    }
    if (node->attr.pool.kind == POOL_MAX)
        return largest;
    if (node->attr.pool.count_include_pad)
        seen = rows.counted * columns.counted;
    return seen == 0 ? 0 : (float)(sum / (double)seen);
}

void reference_pool(const struct reference_call *call)
{
    const struct window *window = &call->node->attr.pool.window;
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0);
    float *y = call->out;

    for (int64_t c = 0; c < out.channels; c++, x += in.rows * in.columns)
        for (int64_t i = 0; i < out.rows; i++)
            for (int64_t j = 0; j < out.columns; j++)
                *y++ = pool_pixel(call->node, in, x, window_span(window, 0, i, in.rows),
                                  window_span(window, 1, j, in.columns));
}

/* The window of channel c is [c - floor((size - 1) / 2), c + ceil((size - 1) / 2)]: it matters for even sizes. */
void reference_lrn(const struct reference_call *call)
{
    const struct shape *shape = reference_input_shape(call, 0);
    int64_t channels = shape->dims[1], pixels = shape_elements(shape) / channels;
    int64_t size = call->node->attr.lrn.size, before = (size - 1) / 2;
    double alpha = (double)call->node->attr.lrn.alpha / (double)size;
    const float *x = reference_input(call, 0);

    for (int64_t at = 0; at < channels * pixels; at++) {
        int64_t first = at / pixels - before;
        double sum = 0;

        for (int64_t c = first < 0 ? 0 : first; c < first + size && c < channels; c++) {
            double value = (double)x[c * pixels + at % pixels];

            sum += value * value;
        }
        call->out[at] = (float)((double)x[at] *
                                pow((double)call->node->attr.lrn.k + alpha * sum, -(double)call->node->attr.lrn.beta));
    }
}

enum { RESIZE_MAX_TAPS = 4 };

/* Where one output row or column takes its value from: weights that sum to 1, positions inside the image. */
struct taps {
    int n;
    int64_t at[RESIZE_MAX_TAPS];
    double weight[RESIZE_MAX_TAPS];
};

/* In float, as the runtimes do it: nearest's ties depend on it. */
static float source_position(const struct node *node, int axis, int64_t at, int64_t in, int64_t out)
{
    float scale = node->attr.resize.scale[axis], x = (float)at;

    switch (node->attr.resize.coordinates) {
    case RESIZE_ALIGN_CORNERS:
        return out == 1 ? 0 : x * (float)(in - 1) / (float)(out - 1);
    case RESIZE_ASYMMETRIC:
        return x / scale;
    case RESIZE_PYTORCH_HALF_PIXEL:
        if (out == 1)
            return 0;
        break;
    case RESIZE_HALF_PIXEL:
        break;
    }
    return (x + 0.5f) / scale - 0.5f;
}

static int64_t nearest(enum resize_rounding rounding, float position)
{
    switch (rounding) {
    case RESIZE_FLOOR:
        return (int64_t)floorf(position);
    case RESIZE_CEIL:
        return (int64_t)ceilf(position);
    case RESIZE_PREFER_FLOOR:
        return (int64_t)ceilf(position - 0.5f);
    case RESIZE_PREFER_CEIL:
        break;
    }
    return (int64_t)floorf(position + 0.5f);
}

/* Keys, Cubic convolution interpolation, IEEE TASSP 29(6) 1981, equation 4, with its -1/2 called a. */
static double cubic_weight(double a, double distance)
{
    double d = fabs(distance);

    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static struct taps resize_taps(const struct node *node, int axis, int64_t at, int64_t in, int64_t out)
{
    float position = source_position(node, axis, at, in, out);
    int64_t first = (int64_t)floorf(position);
    double fraction = (double)position - (double)first;
    struct taps taps = {1, {0}, {1}};

    switch (node->attr.resize.mode) {
    case RESIZE_NEAREST:
        taps.at[0] = nearest(node->attr.resize.rounding, position);
        break;
    case RESIZE_LINEAR:
        taps = (struct taps){2, {first, first + 1}, {1 - fraction, fraction}};
        break;
    case RESIZE_CUBIC:
        taps.n = 4;
        for (int i = 0; i < 4; i++) {
            taps.at[i] = first - 1 + i;
            taps.weight[i] = cubic_weight((double)node->attr.resize.cubic_a, fraction + 1 - i);
        }
        break;
    }
    for (int i = 0; i < taps.n; i++) /* the border is repeated */
        taps.at[i] = taps.at[i] < 0 ? 0 : taps.at[i] >= in ? in - 1 : taps.at[i];
    return taps;
}

void reference_resize(const struct reference_call *call)
{
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0);

    for (int64_t row = 0; row < out.rows; row++) {
        struct taps rows = resize_taps(call->node, 0, row, in.rows, out.rows);

        for (int64_t column = 0; column < out.columns; column++) {
            struct taps columns = resize_taps(call->node, 1, column, in.columns, out.columns);

            for (int64_t c = 0; c < out.channels; c++) {
                const float *plane = x + c * in.rows * in.columns;
                double sum = 0;

                for (int i = 0; i < rows.n; i++)
                    for (int j = 0; j < columns.n; j++)
                        sum +=
                            rows.weight[i] * columns.weight[j] * (double)plane[rows.at[i] * in.columns + columns.at[j]];
                call->out[(c * out.rows + row) * out.columns + column] = (float)sum;
            }
        }
    }
}
