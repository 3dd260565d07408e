/* reference_reduce.c — softmax, normalisation and reductions over axes; see reference.h. */
#include "worker/reference_private.h"

#include <math.h>

void reference_softmax(const struct reference_call *call)
{
    const struct shape *shape = reference_output_shape(call);
    size_t axis = (size_t)call->node->attr.softmax.axis;
    int64_t n = shape->dims[axis], total = shape_elements(shape), inner = 1;
    const float *x = reference_input(call, 0);

    for (size_t i = axis + 1; i < shape->rank; i++)
        inner *= shape->dims[i];
    for (int64_t column = 0; column < total / n; column++) {
        int64_t base = column / inner * n * inner + column % inner;
        double largest = (double)x[base], sum = 0;

        for (int64_t i = 1; i < n; i++)
            largest = fmax(largest, (double)x[base + i * inner]);
        for (int64_t i = 0; i < n; i++)
            sum += exp((double)x[base + i * inner] - largest);
        for (int64_t i = 0; i < n; i++) {
            double shifted = (double)x[base + i * inner] - largest;

            call->out[base + i * inner] =
                (float)(call->node->attr.softmax.is_log ? shifted - log(sum) : exp(shifted) / sum);
        }
    }
}

void reference_hardmax(const struct reference_call *call)
{
    const struct shape *shape = reference_output_shape(call);
    size_t axis = (size_t)call->node->attr.axis;
    int64_t n = shape->dims[axis], total = shape_elements(shape), inner = 1;
    const float *x = reference_input(call, 0);

    for (size_t i = axis + 1; i < shape->rank; i++)
        inner *= shape->dims[i];
    for (int64_t column = 0; column < total / n; column++) {
        int64_t base = column / inner * n * inner + column % inner, best = 0;

        for (int64_t i = 1; i < n; i++)
            best = x[base + i * inner] > x[base + best * inner] ? i : best;
        for (int64_t i = 0; i < n; i++)
            call->out[base + i * inner] = i == best;
    }
}

/* Splits the axes of a shape: kept[] walks the groups, reduced[] the elements of a group. Their number is returned. */
static int64_t split_axes(const struct shape *shape, uint32_t axes, int64_t kept[TENSOR_MAX_RANK],
                          int64_t reduced[TENSOR_MAX_RANK])
{
    int64_t n = 1;

    for (size_t i = 0; i < shape->rank; i++) {
        bool is_reduced = (axes >> i & 1) != 0;

        kept[i] = is_reduced ? 1 : shape->dims[i];
        reduced[i] = is_reduced ? shape->dims[i] : 1;
        n *= reduced[i];
    }
    return n;
}

/* Mean and 1 / sqrt(variance + epsilon) of one group that begins at `base`. */
static void group_statistics(const float *base, const int64_t *reduced, const int64_t *strides, size_t rank, int64_t n,
                             double epsilon, double *mean, double *scale)
{
    int64_t index[TENSOR_MAX_RANK] = {0};
    double sum = 0, squares = 0;

    do
        sum += (double)base[reference_offset(index, strides, rank)];
    while (reference_next(index, reduced, rank));
    *mean = sum / (double)n;
    do {
        double deviation = (double)base[reference_offset(index, strides, rank)] - *mean;

        squares += deviation * deviation;
    } while (reference_next(index, reduced, rank));
    *scale = 1 / sqrt(squares / (double)n + epsilon);
}

void reference_layer_norm(const struct reference_call *call)
{
    const struct shape *shape = reference_output_shape(call);
    int64_t strides[TENSOR_MAX_RANK], kept[TENSOR_MAX_RANK], reduced[TENSOR_MAX_RANK];
    int64_t operand_strides[2][TENSOR_MAX_RANK] = {{0}}, outer[TENSOR_MAX_RANK] = {0};
    int64_t n = split_axes(shape, call->node->attr.layer_norm.axes, kept, reduced);
    const float *x = reference_input(call, 0), *operands[2] = {reference_input(call, 1), reference_input(call, 2)};

    reference_strides(shape, strides);
    for (size_t i = 0; i < 2; i++)
        if (operands[i] != NULL)
            reference_broadcast_strides(reference_input_shape(call, i + 1), shape, operand_strides[i]);
    do {
        int64_t begin = reference_offset(outer, strides, shape->rank), index[TENSOR_MAX_RANK] = {0};
        const float *scales =
            operands[0] == NULL ? NULL : operands[0] + reference_offset(outer, operand_strides[0], shape->rank);
        const float *shifts =
            operands[1] == NULL ? NULL : operands[1] + reference_offset(outer, operand_strides[1], shape->rank);
        double mean, factor;

        group_statistics(x + begin, reduced, strides, shape->rank, n, (double)call->node->attr.layer_norm.epsilon,
                         &mean, &factor);
        do {
            int64_t at = begin + reference_offset(index, strides, shape->rank);
            double y = ((double)x[at] - mean) * factor;

            y = scales == NULL ? y : y * (double)scales[reference_offset(index, operand_strides[0], shape->rank)];
            y = shifts == NULL ? y : y + (double)shifts[reference_offset(index, operand_strides[1], shape->rank)];
            call->out[at] = (float)y;
        } while (reference_next(index, reduced, shape->rank));
    } while (reference_next(outer, kept, shape->rank));
}

/* Running reduction in double, exact for maxima. */
static double reduce_step(enum reduce_kind kind, double sum, double value, bool is_first)
{
    switch (kind) {
    case REDUCE_MAX:
        return is_first || value > sum ? value : sum;
    case REDUCE_MIN:
        return is_first || value < sum ? value : sum;
    case REDUCE_L2:
        return sum + value * value;
    case REDUCE_PROD:
        return is_first ? value : sum * value;
    default:
        break;
    }
    return sum + value;
}

void reference_reduce(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0);
    enum reduce_kind kind = call->node->attr.reduce.kind;
    int64_t strides[TENSOR_MAX_RANK], kept[TENSOR_MAX_RANK], reduced[TENSOR_MAX_RANK];
    int64_t outer[TENSOR_MAX_RANK] = {0}, n = split_axes(in, call->node->attr.reduce.axes, kept, reduced);
    const float *x = reference_input(call, 0);
    float *y = call->out;

    reference_strides(in, strides);
    do {
        const float *base = x + reference_offset(outer, strides, in->rank);
        int64_t index[TENSOR_MAX_RANK] = {0};
        bool is_first = true;
        double sum = 0;

        do {
            sum = reduce_step(kind, sum, (double)base[reference_offset(index, strides, in->rank)], is_first);
            is_first = false;
        } while (reference_next(index, reduced, in->rank));
        if (kind == REDUCE_MEAN)
            sum /= (double)n;
        *y++ = (float)(kind == REDUCE_L2 ? sqrt(sum) : sum);
    } while (reference_next(outer, kept, in->rank));
}
