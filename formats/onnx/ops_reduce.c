/* ops_reduce.c — softmax and reductions. */
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

    if (onnx_int(node, "axis", is_coerced ? 1 : -1, &wanted, err) != 0 || onnx_axis(wanted, rank, &axis, err) != 0)
        return -1;
    draft.attr.softmax.axis = (int64_t)axis;
    draft.attr.softmax.is_log = node->operator->variant != 0;
    if (is_coerced && axis + 1 < rank)
        return build_coerced(in, node, &draft, axis, err);
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

int onnx_build_reduce(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_REDUCE, .inputs = &x, .n_inputs = 1};
    size_t rank = onnx_shape(in, x)->rank;
    bool does_nothing_without_axes;

    if (onnx_axes(in, node, rank, &draft.attr.reduce.axes, err) != 0 ||
        onnx_flag(node, "keepdims", true, &draft.attr.reduce.keep_dims, err) != 0 ||
        onnx_flag(node, "noop_with_empty_axes", false, &does_nothing_without_axes, err) != 0)
        return -1;
    draft.attr.reduce.kind = (enum reduce_kind)node->operator->variant;
    if (draft.attr.reduce.axes == 0 && does_nothing_without_axes)
        draft.op = OP_IDENTITY;
    else if (draft.attr.reduce.axes == 0)
        draft.attr.reduce.axes = (UINT32_C(1) << rank) - 1; /* all of them */
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
