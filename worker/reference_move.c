/* reference_move.c — operators that move values without changing them; see reference.h. */
#include "worker/reference_private.h"

#include <string.h>

void reference_copy(const struct reference_call *call)
{
    memcpy(call->out, reference_input(call, 0), (size_t)shape_elements(reference_output_shape(call)) * sizeof(float));
}

void reference_concat(const struct reference_call *call)
{
    const struct shape *out = reference_output_shape(call);
    size_t axis = (size_t)call->node->attr.axis;
    int64_t outer = 1, inner = 1, row, begin = 0;

    for (size_t i = 0; i < out->rank; i++) {
        if (i < axis)
            outer *= out->dims[i];
        if (i > axis)
            inner *= out->dims[i];
    }
    row = out->dims[axis] * inner;
    for (size_t i = 0; i < call->node->n_inputs; i++) {
        const float *x = reference_input(call, i);
        int64_t part = reference_input_shape(call, i)->dims[axis] * inner;

        for (int64_t o = 0; o < outer; o++)
            memcpy(call->out + o * row + begin, x + o * part, (size_t)part * sizeof *x);
        begin += part;
    }
}

/* out[index] = x[sum index * strides] */
static void copy_strided(const struct reference_call *call, const float *x, const int64_t *strides)
{
    const struct shape *out = reference_output_shape(call);
    int64_t index[TENSOR_MAX_RANK] = {0}, columns, step;
    size_t outer = out->rank - 1;
    float *y = call->out;

    if (out->rank == 0) {
        *y = *x;
        return;
    }
    columns = out->dims[outer];
    step = strides[outer];
    do {
        const float *row = x + reference_offset(index, strides, outer);

        for (int64_t i = 0; i < columns; i++)
            *y++ = row[i * step];
    } while (reference_next(index, out->dims, outer));
}

void reference_transpose(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0);
    int64_t strides[TENSOR_MAX_RANK], permuted[TENSOR_MAX_RANK];

    reference_strides(in, strides);
    for (size_t i = 0; i < in->rank; i++)
        permuted[i] = strides[call->node->attr.perm[i]];
    copy_strided(call, reference_input(call, 0), permuted);
}

void reference_slice(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0);
    int64_t strides[TENSOR_MAX_RANK], offset;

    reference_strides(in, strides);
    offset = reference_offset(call->node->attr.slice.begin, strides, in->rank);
    for (size_t i = 0; i < in->rank; i++)
        strides[i] *= call->node->attr.slice.step[i];
    copy_strided(call, reference_input(call, 0) + offset, strides);
}

void reference_gather(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0);
    size_t axis = (size_t)call->node->attr.axis;
    int64_t outer = 1, inner = 1, dim = in->dims[axis], n;
    const float *x = reference_input(call, 0);
    float *y = call->out;
    struct tensor indices;

    graph_constant(call->graph, call->node->inputs[1], &indices); /* validated: inside [-dim, dim) */
    n = shape_elements(&indices.shape);
    for (size_t i = 0; i < in->rank; i++) {
        outer *= i < axis ? in->dims[i] : 1;
        inner *= i > axis ? in->dims[i] : 1;
    }
    for (int64_t o = 0; o < outer; o++, x += dim * inner)
        for (int64_t i = 0; i < n; i++, y += inner) {
            int64_t at = tensor_integer(&indices, (size_t)i);

            memcpy(y, x + (at < 0 ? at + dim : at) * inner, (size_t)inner * sizeof *y);
        }
}

/* The position inside [0, size) that stands for `at`, which may lie outside; -1 when the constant does. */
static int64_t pad_source(enum pad_mode mode, int64_t at, int64_t size)
{
    if (at >= 0 && at < size)
        return at;
    switch (mode) {
    case PAD_EDGE:
        return at < 0 ? 0 : size - 1;
    case PAD_REFLECT: /* without repeating the border: 2 1 | 0 1 2 | 1 0 */
        if (size == 1)
            return 0;
        at = at % (2 * size - 2);
        at = at < 0 ? at + 2 * size - 2 : at;
        return at < size ? at : 2 * size - 2 - at;
    case PAD_CONSTANT:
        break;
    }
    return -1;
}

void reference_pad(const struct reference_call *call)
{
    const struct shape *in = reference_input_shape(call, 0), *out = reference_output_shape(call);
    int64_t strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    const float *x = reference_input(call, 0);
    float *y = call->out;

    reference_strides(in, strides);
    do {
        int64_t offset = 0;

        for (size_t i = 0; i < in->rank && offset >= 0; i++) {
            int64_t at = pad_source(call->node->attr.pad.mode, index[i] - call->node->attr.pad.begin[i], in->dims[i]);

            offset = at < 0 ? -1 : offset + at * strides[i];
        }
        *y++ = offset < 0 ? call->node->attr.pad.value : x[offset];
    } while (reference_next(index, out->dims, out->rank));
}
