/* reference_elementwise.c — activations, per-channel scaling and operators on two tensors; see reference.h. */
#include "worker/reference_private.h"

#include <math.h>

void reference_activation(const struct reference_call *call)
{
    const float *x = reference_input(call, 0);
    int64_t n = shape_elements(reference_output_shape(call));

    for (int64_t i = 0; i < n; i++)
        call->out[i] = activation_apply(call->node->attr.activation, x[i]);
}

/* How many neighbours share a channel; the channel axis is 1, as everywhere. */
static int64_t elements_per_channel(const struct shape *shape)
{
    int64_t n = 1;

    for (size_t i = 2; i < shape->rank; i++)
        n *= shape->dims[i];
    return n;
}

static int64_t channel_of(const struct shape *shape, int64_t i)
{
    return shape->rank > 1 ? i / elements_per_channel(shape) % shape->dims[1] : 0;
}

void reference_prelu(const struct reference_call *call)
{
    const float *x = reference_input(call, 0), *slope = reference_input(call, 1);
    int64_t n = shape_elements(reference_output_shape(call));
    bool is_shared = shape_elements(reference_input_shape(call, 1)) == 1;

    for (int64_t i = 0; i < n; i++)
        call->out[i] = x[i] > 0 ? x[i] : x[i] * slope[is_shared ? 0 : channel_of(reference_output_shape(call), i)];
}

void reference_normalize(const struct reference_call *call)
{
    const float *x = reference_input(call, 0), *scale = reference_input(call, 1), *shift = reference_input(call, 2);
    int64_t n = shape_elements(reference_output_shape(call));

    for (int64_t i = 0; i < n; i++) {
        int64_t c = channel_of(reference_output_shape(call), i);

        call->out[i] = (float)((double)x[i] * (double)scale[c] + (double)shift[c]);
    }
}

float reference_binary_apply(enum binary_kind kind, float a, float b)
{
    switch (kind) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_MAX:
        return a > b ? a : b;
    case BINARY_MIN:
        return a < b ? a : b;
    case BINARY_POW:
        return (float)pow((double)a, (double)b);
    default: /* folded before anything runs */
        return 0;
    }
}

void reference_binary(const struct reference_call *call)
{
    const struct shape *out = reference_output_shape(call);
    int64_t a_strides[TENSOR_MAX_RANK], b_strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    const float *a = reference_input(call, 0), *b = reference_input(call, 1);
    float *y = call->out;

    if (shape_equal(reference_input_shape(call, 0), out) && shape_equal(reference_input_shape(call, 1), out)) {
        for (int64_t i = 0, n = shape_elements(out); i < n; i++)
            y[i] = reference_binary_apply(call->node->attr.binary.kind, a[i], b[i]);
        return;
    }
    reference_broadcast_strides(reference_input_shape(call, 0), out, a_strides);
    reference_broadcast_strides(reference_input_shape(call, 1), out, b_strides);
    do {
        *y++ = reference_binary_apply(call->node->attr.binary.kind, a[reference_offset(index, a_strides, out->rank)],
                                      b[reference_offset(index, b_strides, out->rank)]);
    } while (reference_next(index, out->dims, out->rank));
}
