/* reference_window.c — pooling, local response normalisation and resizing; see reference.h. */
#include "common/resize_taps.h"
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

void reference_resize(const struct reference_call *call)
{
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0);

    for (int64_t row = 0; row < out.rows; row++) {
        struct resize_taps rows = resize_taps(call->node, 0, row, in.rows, out.rows);

        for (int64_t column = 0; column < out.columns; column++) {
            struct resize_taps columns = resize_taps(call->node, 1, column, in.columns, out.columns);

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
