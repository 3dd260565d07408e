/* reference_reduce.c — softmax and reductions over axes; see reference.h. */
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
    case REDUCE_MEAN:
    case REDUCE_SUM:
        break;
    }
    return sum + value;
}

void reference_reduce(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0);
    enum reduce_kind kind = call->node->attr.reduce.kind;
    int64_t strides[TENSOR_MAX_RANK], kept[TENSOR_MAX_RANK], reduced[TENSOR_MAX_RANK];
    int64_t outer[TENSOR_MAX_RANK] = {0}, n = 1;
    const float *x = reference_input(call, 0);
    float *y = call->out;

    reference_strides(in, strides);
    for (size_t i = 0; i < in->rank; i++) {
        bool is_reduced = (call->node->attr.reduce.axes >> i & 1) != 0;

        kept[i] = is_reduced ? 1 : in->dims[i];
        reduced[i] = is_reduced ? in->dims[i] : 1;
        n *= reduced[i];
    }
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
