/* ops_reduce.c — softmax, hardmax and reductions. */
#include "formats/onnx/onnx_import.h"

/* Before opset 13 softmax runs over the product of all axes from `axis` on: a reshape to 2-D around it. */
static int build_coerced(struct onnx_import *in, const struct onnx_node *node, struct node *draft, size_t axis,
                         struct error *err)
{
    const struct shape x = *onnx_shape(in, onnx_input(node, 0));
    struct shape flat = {.rank = axis + 1};
    int flattened, result;

    flat.dims[axis] = 1;
    for (size_t i = 0; i < x.rank; i++) {
        if (i < axis)
            flat.dims[i] = x.dims[i]; /* leading axes need no joining: each is softmaxed by itself */
        else
            flat.dims[axis] *= x.dims[i];
    }
    flattened = onnx_add_reshape(in, node, onnx_input(node, 0), &flat, "flat", err);
    if (flattened < 0)
        return -1;
    draft->inputs = &flattened;
    result = onnx_add_step(in, node, draft, "normalised", err);
    return result < 0 || onnx_add_reshape(in, node, result, &x, NULL, err) < 0 ? -1 : 0;
}

int onnx_build_softmax(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_SOFTMAX, .inputs = &x, .n_inputs = 1};
    size_t rank = onnx_shape(in, x)->rank, axis;
    bool is_coerced = in->opset < 13;
    int64_t wanted;

    if (onnx_int(node, "axis", is_coerced ? 1 : -1, &wanted, err) != 0 || import_axis(wanted, rank, &axis, err) != 0)
        return -1;
    draft.attr.softmax.axis = (int64_t)axis;
    draft.attr.softmax.is_log = node->operator->variant != 0;
    if (is_coerced && axis + 1 < rank)
        return build_coerced(in, node, &draft, axis, err);
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_hardmax(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_HARDMAX, .inputs = &x, .n_inputs = 1};
    size_t rank = onnx_shape(in, x)->rank, axis;
    int64_t wanted;

    if (onnx_int(node, "axis", in->opset < 13 ? 1 : -1, &wanted, err) != 0 ||
        import_axis(wanted, rank, &axis, err) != 0)
        return -1;
    if (in->opset < 13 && axis + 1 < rank)
        return error_set(err, EX_UNAVAILABLE, "a maximum over several axes is not supported");
    draft.attr.axis = (int64_t)axis;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* --- reductions --- */

/* The axes that a reduction runs over, all where none are named; none at all where that means "do nothing". */
static int read_reduction(struct onnx_import *in, const struct onnx_node *node, uint32_t *axes, bool *keeps_dims,
                          struct error *err)
{
    size_t rank = onnx_shape(in, onnx_input(node, 0))->rank;
    bool does_nothing_without_axes;

    if (onnx_axes(in, node, rank, axes, err) != 0 || onnx_flag(node, "keepdims", true, keeps_dims, err) != 0 ||
        onnx_flag(node, "noop_with_empty_axes", false, &does_nothing_without_axes, err) != 0)
        return -1;
    if (*axes == 0 && !does_nothing_without_axes)
        *axes = (UINT32_C(1) << rank) - 1;
    return 0;
}

int onnx_build_reduce(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    uint32_t axes;
    bool keeps_dims;

    if (read_reduction(in, node, &axes, &keeps_dims, err) != 0)
        return -1;
    if (axes == 0 && onnx_shape(in, onnx_input(node, 0))->rank > 0)
        return onnx_build_identity(in, node, err);
    return onnx_put_reduce(in, node, (enum reduce_kind)node->operator->variant, axes, keeps_dims, onnx_input(node, 0),
                           NULL, err) < 0
               ? -1
               : 0;
}

/* ln sum e^x = m + ln sum e^(x - m), with the maximum m, so that nothing overflows. */
static int build_log_sum_exp(struct onnx_import *in, const struct onnx_node *node, uint32_t axes, bool keeps_dims,
                             struct error *err)
{
    int x = onnx_input(node, 0), largest = onnx_put_reduce(in, node, REDUCE_MAX, axes, true, x, "max", err), y;

    y = onnx_put_binary(in, node, BINARY_SUB, x, largest, "shifted", err);
    y = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_EXP}, y, "exp", err);
    y = onnx_put_reduce(in, node, REDUCE_SUM, axes, keeps_dims, y, "sum", err);
    y = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_LOG}, y, "log", err);
    if (!keeps_dims && y >= 0) {
        struct shape shape = *onnx_shape(in, y);

        largest = onnx_put_reshape(in, node, largest, &shape, "max_flat", err);
    }
    return onnx_put_binary(in, node, BINARY_ADD, y, largest, NULL, err) < 0 ? -1 : 0;
}

/* ReduceL1, ReduceSumSquare, ReduceLogSum and ReduceLogSumExp: sums of something. The variant is the letter of which.
 */
int onnx_build_reduce_chain(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), y = x, variant = node->operator->variant;
    uint32_t axes;
    bool keeps_dims;

    if (read_reduction(in, node, &axes, &keeps_dims, err) != 0)
        return -1;
    if (variant == 'E')
        return build_log_sum_exp(in, node, axes, keeps_dims, err);
    if (variant == '1')
        y = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_ABS}, x, "size", err);
    else if (variant == '2')
        y = onnx_put_binary(in, node, BINARY_MUL, x, x, "square", err);
    y = onnx_put_reduce(in, node, REDUCE_SUM, axes, keeps_dims, y, variant == 'L' ? "sum" : NULL, err);
    if (variant == 'L')
        y = onnx_put_activation(in, node, (struct activation){.kind = ACTIVATION_LOG}, y, NULL, err);
    return y < 0 ? -1 : 0;
}

/* ArgMax and ArgMin, of constants: positions are integers, and activations are not. */
int onnx_build_arg(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_REDUCE, .inputs = &x, .n_inputs = 1};
    int64_t wanted;
    size_t axis;

    if (onnx_int(node, "axis", 0, &wanted, err) != 0 || import_axis(wanted, onnx_shape(in, x)->rank, &axis, err) != 0 ||
        onnx_flag(node, "keepdims", true, &draft.attr.reduce.keep_dims, err) != 0 ||
        onnx_flag(node, "select_last_index", false, &draft.attr.reduce.is_last, err) != 0)
        return -1;
    draft.attr.reduce.kind = (enum reduce_kind)node->operator->variant;
    draft.attr.reduce.axes = UINT32_C(1) << axis;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
