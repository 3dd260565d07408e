/* reference.c — the table of plain kernels, and the walks over arrays that they share; see reference.h. */
#include "worker/reference_private.h"

static const reference_kernel kernels[OP_COUNT] = {
    [OP_CONV] = reference_conv,
    [OP_DECONV] = reference_deconv,
    [OP_DENSE] = reference_dense,
    [OP_MATMUL] = reference_matmul,
    [OP_POOL] = reference_pool,
    [OP_ACTIVATION] = reference_activation,
    [OP_PRELU] = reference_prelu,
    [OP_BINARY] = reference_binary,
    [OP_CONCAT] = reference_concat,
    [OP_SOFTMAX] = reference_softmax,
    [OP_RESHAPE] = reference_copy,
    [OP_IDENTITY] = reference_copy,
    [OP_TRANSPOSE] = reference_transpose,
    [OP_SLICE] = reference_slice,
    [OP_PAD] = reference_pad,
    [OP_NORMALIZE] = reference_normalize,
    [OP_LRN] = reference_lrn,
    [OP_REDUCE] = reference_reduce,
    [OP_RESIZE] = reference_resize,
    [OP_HARDMAX] = reference_hardmax,
    [OP_GATHER] = reference_gather,
    [OP_LAYER_NORM] = reference_layer_norm,
};

static const reference_kernel serial_kernels[OP_COUNT] = {
    [OP_CONV] = reference_serial_conv,
    [OP_DENSE] = reference_serial_dense,
    [OP_POOL] = reference_serial_pool,
    [OP_NORMALIZE] = reference_serial_normalize,
};

/* Kernels that compute one image; the others walk all axes, so that in an unbatched graph axis 0 is one of them. */
static const bool is_by_image[OP_COUNT] = {
    [OP_CONV] = true, [OP_DECONV] = true, [OP_DENSE] = true, [OP_POOL] = true, [OP_LRN] = true, [OP_RESIZE] = true,
};

bool reference_supports(enum op op)
{
    return (size_t)op < OP_COUNT && kernels[op] != NULL;
}

static int run_node(reference_kernel kernel, const struct graph *graph, const struct node *node, size_t n_records,
                    const float *const *inputs, float *output, struct error *err)
{
    const struct shape *shape = &graph->values[node->outputs[0]].shape;
    size_t elements, images;

    if (kernel == NULL)
        return error_set(err, EX_UNAVAILABLE, "node \"%s\": no kernel for operator %s", node->name, op_name(node->op));
    images = is_by_image[node->op] && shape->rank > 0 ? (size_t)shape->dims[0] : 1;
    elements = (size_t)shape_elements(shape) / images;
    for (size_t record = 0; record < n_records * images; record++) {
        struct reference_call call = {graph, node, inputs, images, record, output + record * elements};

        kernel(&call);
        if (node->fused.kind != ACTIVATION_NONE)
            for (size_t i = 0; i < elements; i++)
                call.out[i] = activation_apply(node->fused, call.out[i]);
    }
    return 0;
}

int reference_run_node(const struct graph *graph, const struct node *node, size_t n_records, const float *const *inputs,
                       float *output, struct error *err)
{
    return run_node(reference_supports(node->op) ? kernels[node->op] : NULL, graph, node, n_records, inputs, output,
                    err);
}

int reference_run_node_serial(const struct graph *graph, const struct node *node, size_t n_records,
                              const float *const *inputs, float *output, struct error *err)
{
    bool is_serial = (size_t)node->op < OP_COUNT && serial_kernels[node->op] != NULL;

    return is_serial ? run_node(serial_kernels[node->op], graph, node, n_records, inputs, output, err)
                     : reference_run_node(graph, node, n_records, inputs, output, err);
}

const float *reference_input(const struct reference_call *call, size_t i)
{
    const struct value *value;

    if (i >= call->node->n_inputs || call->node->inputs[i] == GRAPH_NONE)
        return NULL;
    value = &call->graph->values[call->node->inputs[i]];
    if (value->is_constant)
        return call->bases[i] != NULL ? call->bases[i] : value->data;
    return call->bases[i] + call->record * ((size_t)shape_elements(&value->shape) / call->images);
}

const struct shape *reference_input_shape(const struct reference_call *call, size_t i)
{
    return &call->graph->values[call->node->inputs[i]].shape;
}

const struct shape *reference_output_shape(const struct reference_call *call)
{
    return &call->graph->values[call->node->outputs[0]].shape;
}

struct image reference_image(const struct shape *shape)
{
    struct image image = {1, 1, 1};

    if (shape->rank > 1)
        image.channels = shape->dims[1];
    if (shape->rank > 2)
        image.columns = shape->dims[shape->rank - 1];
    if (shape->rank > 3)
        image.rows = shape->dims[2];
    return image;
}

void reference_strides(const struct shape *shape, int64_t strides[TENSOR_MAX_RANK])
{
    int64_t stride = 1;

    for (size_t i = shape->rank; i-- > 0; stride *= shape->dims[i])
        strides[i] = stride;
}

void reference_broadcast_strides(const struct shape *operand, const struct shape *out, int64_t strides[TENSOR_MAX_RANK])
{
    size_t missing = out->rank - operand->rank;
    int64_t own[TENSOR_MAX_RANK];

    reference_strides(operand, own);
    for (size_t i = 0; i < out->rank; i++)
        strides[i] = i < missing || operand->dims[i - missing] == 1 ? 0 : own[i - missing];
}

bool reference_next(int64_t index[TENSOR_MAX_RANK], const int64_t *dims, size_t rank)
{
    for (size_t i = rank; i-- > 0;) {
        if (++index[i] < dims[i])
            return true;
        index[i] = 0;
    }
    return false;
}

int64_t reference_offset(const int64_t *index, const int64_t *strides, size_t rank)
{
    int64_t offset = 0;

    for (size_t i = 0; i < rank; i++)
        offset += index[i] * strides[i];
    return offset;
}
