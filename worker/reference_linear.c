/* reference_linear.c — convolution, deconvolution, dense and matrix products; see reference.h. */
#include "worker/reference_private.h"

/* Sum over one output pixel's window: all input channels of one group, weights w[channels][kernel rows][kernel
 * columns]. */
static double conv_pixel(const struct window *window, struct image in, const float *x, const float *w, int64_t channels,
                         int64_t top, int64_t left)
{
    double sum = 0;

    for (int64_t c = 0; c < channels; c++, x += in.rows * in.columns) {
        for (int64_t i = 0; i < window->kernel[0]; i++) {
            int64_t row = top + i * window->dilation[0];

            for (int64_t j = 0; j < window->kernel[1]; j++, w++) {
                int64_t column = left + j * window->dilation[1];

                if (row >= 0 && row < in.rows && column >= 0 && column < in.columns)
                    sum += (double)x[row * in.columns + column] * (double)*w;
            }
        }
    }
    return sum;
}

void reference_conv(const struct reference_call *call)
{
    const struct window *window = &call->node->attr.conv.window;
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0), *w = reference_input(call, 1), *bias = reference_input(call, 2);
    int64_t group = call->node->attr.conv.group, channels = in.channels / group;
    int64_t weights = channels * window->kernel[0] * window->kernel[1];
    float *y = call->out;

    for (int64_t o = 0; o < out.channels; o++) {
        const float *image = x + o / (out.channels / group) * channels * in.rows * in.columns;

        for (int64_t i = 0; i < out.rows; i++)
            for (int64_t j = 0; j < out.columns; j++) {
                double sum = conv_pixel(window, in, image, w + o * weights, channels,
                                        i * window->stride[0] - window->pad_begin[0],
                                        j * window->stride[1] - window->pad_begin[1]);

                *y++ = (float)(sum + (bias != NULL ? (double)bias[o] : 0));
            }
    }
}

/* Which input row (or column) meets output `position` at kernel tap `tap`; -1 when none does. */
static int64_t deconv_source(const struct window *window, int axis, int64_t position, int64_t tap, int64_t size)
{
    int64_t scaled = position + window->pad_begin[axis] - tap * window->dilation[axis];

    if (scaled < 0 || scaled % window->stride[axis] != 0 || scaled / window->stride[axis] >= size)
        return -1;
    return scaled / window->stride[axis];
}

void reference_deconv(const struct reference_call *call)
{
    const struct window *window = &call->node->attr.conv.window;
    struct image in = reference_image(reference_input_shape(call, 0));
    struct image out = reference_image(reference_output_shape(call));
    const float *x = reference_input(call, 0), *w = reference_input(call, 1), *bias = reference_input(call, 2);
    int64_t group = call->node->attr.conv.group, in_group = in.channels / group, out_group = out.channels / group;
    int64_t taps = window->kernel[0] * window->kernel[1], pixels = out.rows * out.columns;

    for (int64_t at = 0; at < out.channels * pixels; at++) {
        int64_t o = at / pixels, row = at % pixels / out.columns, column = at % out.columns;
        double sum = bias != NULL ? (double)bias[o] : 0;

        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t i = deconv_source(window, 0, row, tap / window->kernel[1], in.rows);
            int64_t j = deconv_source(window, 1, column, tap % window->kernel[1], in.columns);

            for (int64_t c = 0; i >= 0 && j >= 0 && c < in_group; c++) {
                int64_t channel = o / out_group * in_group + c;

                sum += (double)x[(channel * in.rows + i) * in.columns + j] *
                       (double)w[(channel * out_group + o % out_group) * taps + tap];
            }
        }
        call->out[at] = (float)sum;
    }
}

void reference_dense(const struct reference_call *call)
{
    const struct shape *weights = reference_input_shape(call, 1);
    const float *x = reference_input(call, 0), *w = reference_input(call, 1), *bias = reference_input(call, 2);
    int64_t n = weights->dims[0], k = shape_elements(weights) / n;

    for (int64_t o = 0; o < n; o++, w += k) {
        double sum = bias != NULL ? (double)bias[o] : 0;

        for (int64_t i = 0; i < k; i++)
            sum += (double)x[i] * (double)w[i];
        call->out[o] = (float)sum;
    }
}

/* Shapes have at least two axes; the last two are the matrix, those before are broadcast as numpy does. */
void reference_matmul(const struct reference_call *call)
{
    struct shape a = *reference_input_shape(call, 0);
    struct shape b = *reference_input_shape(call, 1);
    int64_t m = a.dims[a.rank - 2], k = a.dims[a.rank - 1], n = b.dims[b.rank - 1];
    int64_t a_strides[TENSOR_MAX_RANK], b_strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    struct shape stack = {a.rank > b.rank ? a.rank : b.rank, {0}}; /* of matrices; its last two dims are 1 */
    float *y = call->out;

    for (size_t i = 0; i < stack.rank; i++) {
        size_t from_end = stack.rank - i;
        int64_t in_a = from_end <= a.rank ? a.dims[a.rank - from_end] : 1;
        int64_t in_b = from_end <= b.rank ? b.dims[b.rank - from_end] : 1;

        stack.dims[i] = from_end <= 2 ? 1 : in_a > in_b ? in_a : in_b;
    }
    reference_broadcast_strides(&a, &stack, a_strides);
    reference_broadcast_strides(&b, &stack, b_strides);
    do {
        const float *left = reference_input(call, 0) + reference_offset(index, a_strides, stack.rank);
        const float *right = reference_input(call, 1) + reference_offset(index, b_strides, stack.rank);

        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;

                for (int64_t l = 0; l < k; l++)
                    sum += (double)left[i * k + l] * (double)right[l * n + j];
                *y++ = (float)sum;
            }
    } while (reference_next(index, stack.dims, stack.rank));
}
