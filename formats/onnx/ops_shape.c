/* ops_shape.c — new shapes for old elements, and the shape arithmetic that exporters wrap around them. */
#include "formats/onnx/onnx_import.h"

#include <math.h>
#include <string.h>

/* Files exported with a fixed batch repeat it as the first axis here: one record then has 1. */
static int unfix_batch(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int64_t shape[TENSOR_MAX_RANK];
    size_t n;

    if (onnx_constant_ints(in, node, 1, shape, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (!onnx_has_batch(in, onnx_input(node, 0)) || n == 0 || shape[0] != in->batch || in->batch == 1)
        return onnx_input(node, 1);
    shape[0] = 1;
    return onnx_add_ints(in, node, "shape", shape, n, err);
}

int onnx_build_reshape(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int inputs[] = {onnx_input(node, 0), GRAPH_NONE};
    struct node draft = {.op = OP_RESHAPE_TO, .inputs = inputs, .n_inputs = 2};

    if (onnx_flag(node, "allowzero", false, &draft.attr.reshape_to.allow_zero, err) != 0 ||
        (inputs[1] = unfix_batch(in, node, err)) < 0)
        return -1;
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}

/* Always 2-D: axes before `axis`, and the rest. */
int onnx_build_flatten(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    const struct shape *shape = onnx_shape(in, x);
    struct shape flat = {.rank = 2, .dims = {1, 1}};
    int64_t wanted;
    size_t axis = 0;

    if (onnx_int(node, "axis", 1, &wanted, err) != 0)
        return -1;
    if (wanted == (int64_t)shape->rank) /* one past the last axis is allowed here */
        axis = shape->rank;
    else if (import_axis(wanted, shape->rank, &axis, err) != 0)
        return -1;
    if (axis == 0 && onnx_has_batch(in, x))
        return error_set(err, EX_UNAVAILABLE, "axis 0 would join the records of a batch");
    for (size_t i = 0; i < shape->rank; i++)
        flat.dims[i >= axis] *= shape->dims[i];
    return onnx_add_reshape(in, node, x, &flat, NULL, err) < 0 ? -1 : 0;
}

/* Activations keep their batch as the first axis. */
static int check_batch_stays(const struct onnx_import *in, int x, uint32_t axes, struct error *err)
{
    if ((axes & 1) != 0 && onnx_has_batch(in, x))
        return error_set(err, EX_UNAVAILABLE, "axis 0 is the batch, which must stay where it is");
    return 0;
}

int onnx_build_squeeze(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    const struct shape *shape = onnx_shape(in, x);
    struct shape squeezed = {0};
    uint32_t axes;

    if (onnx_axes(in, node, shape->rank, &axes, err) != 0 || check_batch_stays(in, x, axes, err) != 0)
        return -1;
    for (size_t i = 0; i < shape->rank; i++) {
        bool is_named = (axes >> i & 1) != 0;

        if (is_named && shape->dims[i] != 1)
            return error_set(err, EX_DATAERR, "axis %zu of %lld elements cannot be squeezed", i,
                             (long long)shape->dims[i]);
        /* Without axes all of length 1 go; not the batch, which is 1 here only. */
        if (axes == 0 ? shape->dims[i] != 1 || (i == 0 && onnx_has_batch(in, x)) : !is_named)
            squeezed.dims[squeezed.rank++] = shape->dims[i];
    }
    return onnx_add_reshape(in, node, x, &squeezed, NULL, err) < 0 ? -1 : 0;
}

int onnx_build_unsqueeze(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    const struct shape *shape = onnx_shape(in, x);
    int64_t listed[TENSOR_MAX_RANK];
    size_t n;
    struct shape grown = {0};
    uint32_t axes;

    if (onnx_input(node, 1) != GRAPH_NONE ? onnx_constant_ints(in, node, 1, listed, TENSOR_MAX_RANK, &n, err) != 0
                                          : onnx_ints(node, "axes", listed, TENSOR_MAX_RANK, &n, err) != 0)
        return -1;
    if (n == 0 || shape->rank + n > TENSOR_MAX_RANK)
        return error_set(err, n == 0 ? EX_DATAERR : EX_UNAVAILABLE, "%zu new axes for %zu old ones", n, shape->rank);
    grown.rank = shape->rank + n;
    /* they count axes of the output */
    if (onnx_axes(in, node, grown.rank, &axes, err) != 0 || check_batch_stays(in, x, axes, err) != 0)
        return -1;
    for (size_t i = 0, from = 0; i < grown.rank; i++)
        grown.dims[i] = (axes >> i & 1) != 0 ? 1 : shape->dims[from++];
    return onnx_add_reshape(in, node, x, &grown, NULL, err) < 0 ? -1 : 0;
}

/* --- shape arithmetic --- */

/* The shape, or (opset 15) axes [start, end) of it, clamped. */
int onnx_build_shape(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    int64_t rank = (int64_t)onnx_shape(in, x)->rank, start, end;
    struct node draft = {.op = OP_SHAPE, .inputs = &x, .n_inputs = 1};
    struct shape part = {.rank = 1};

    if (onnx_int(node, "start", 0, &start, err) != 0 || onnx_int(node, "end", rank, &end, err) != 0)
        return -1;
    start = start < -rank ? 0 : start < 0 ? start + rank : start > rank ? rank : start;
    end = end < -rank ? 0 : end < 0 ? end + rank : end > rank ? rank : end;
    if (start == 0 && end == rank)
        return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
    x = onnx_add_step(in, node, &draft, "all", err);
    if (x < 0)
        return -1;
    part.dims[0] = end > start ? end - start : 0;
    draft = (struct node){.op = OP_SLICE, .inputs = &x, .n_inputs = 1};
    draft.attr.slice.begin[0] = start;
    draft.attr.slice.step[0] = 1;
    return onnx_add_as(in, node, &draft, &(struct onnx_result){.shape = &part, .dtype = DTYPE_INT64}, err) < 0 ? -1 : 0;
}

int onnx_build_cast(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0);
    struct node draft = {.op = OP_CAST, .inputs = &x, .n_inputs = 1};
    struct onnx_result result = {0}, is_not_zero = {.step = "bool", .dtype = DTYPE_BOOL};
    int64_t to;

    if (!onnx_has(node, "to"))
        return error_set(err, EX_DATAERR, "attribute \"to\" is missing");
    if (onnx_int(node, "to", 0, &to, err) != 0 || onnx_dtype(to, &result.dtype, err) != 0)
        return -1;
    if (to == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL && (x = onnx_add_as(in, node, &draft, &is_not_zero, err)) < 0)
        return -1;
    return onnx_add_as(in, node, &draft, &result, err) < 0 ? -1 : 0;
}

int onnx_build_cast_like(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    enum dtype dtype = in->graph->values[onnx_input(node, 1)].dtype;

    return onnx_put_cast(in, node, dtype, onnx_input(node, 0), NULL, err) < 0 ? -1 : 0;
}

/* The number of elements: one record's, so of a batch it is refused. */
int onnx_build_size(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    int x = onnx_input(node, 0), all;
    struct node draft = {.op = OP_SHAPE, .inputs = &x, .n_inputs = 1};

    if (onnx_has_batch(in, x))
        return error_set(err, EX_UNAVAILABLE, "the number of elements depends on the batch");
    all = onnx_add_step(in, node, &draft, "shape", err);
    return onnx_put_reduce(in, node, REDUCE_PROD, 1, false, all, NULL, err) < 0 ? -1 : 0;
}

/* start, start + delta, ... before limit. */
int onnx_build_range(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    const char *name = node->proto->output[0];
    struct tensor numbers[3];
    double start, delta, count;
    struct shape shape = {.rank = 1};
    void *data;
    int value;

    for (size_t i = 0; i < 3; i++) {
        if (onnx_constant(in, node, i, &numbers[i], err) != 0)
            return -1;
        if (shape_elements(&numbers[i].shape) != 1 || numbers[i].dtype != numbers[0].dtype)
            return error_set(err, EX_DATAERR, "expected three numbers of one type");
    }
    start = tensor_real(&numbers[0], 0);
    delta = tensor_real(&numbers[2], 0);
    count = ceil((tensor_real(&numbers[1], 0) - start) / delta);
    if (!(count < 0x1p31)) /* a delta of 0, too */
        return error_set(err, EX_DATAERR, "a range from %g by %g of %g elements", start, delta, count);
    shape.dims[0] = count > 0 ? (int64_t)count : 0;
    value = graph_create_constant(in->graph, name[0] == '\0' ? NULL : name, numbers[0].dtype, &shape, &data, err);
    for (int64_t i = 0; value >= 0 && i < shape.dims[0]; i++) {
        if (numbers[0].dtype == DTYPE_FLOAT32)
            ((float *)data)[i] = (float)(start + (double)i * delta);
        else
            ((int64_t *)data)[i] = (int64_t)(start + (double)i * delta);
    }
    return value < 0 ? -1 : 0;
}

/* --- constants --- */

/* The attribute that holds the value, as a tensor; the list grew at opset 12. */
static int read_value(struct onnx_import *in, const struct onnx_node *node, struct tensor *out, struct error *err)
{
    const Onnx__AttributeProto *from = node->proto->n_attribute == 1 ? node->proto->attribute[0] : NULL;
    bool is_list;

    if (from == NULL)
        return error_set(err, EX_DATAERR, "expected one attribute with the value, found %zu", node->proto->n_attribute);
    if (strcmp(from->name, "value") == 0) {
        if (from->t == NULL)
            return error_set(err, EX_DATAERR, "attribute \"value\" holds no tensor");
        return onnx_tensor_read(in, from->t, out, err);
    }
    is_list = strcmp(from->name, "value_floats") == 0 || strcmp(from->name, "value_ints") == 0;
    out->shape = (struct shape){.rank = is_list};
    if (strcmp(from->name, "value_float") == 0 || strcmp(from->name, "value_floats") == 0) {
        out->dtype = DTYPE_FLOAT32;
        out->shape.dims[0] = (int64_t)from->n_floats;
        out->data = is_list ? from->floats : &from->f;
    } else if (strcmp(from->name, "value_int") == 0 || strcmp(from->name, "value_ints") == 0) {
        out->dtype = DTYPE_INT64;
        out->shape.dims[0] = (int64_t)from->n_ints;
        out->data = is_list ? from->ints : &from->i;
    } else {
        return error_set(err, EX_UNAVAILABLE, "attribute \"%s\" is not supported", from->name);
    }
    return 0;
}

int onnx_build_constant(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    const char *name = node->proto->output[0];
    struct tensor tensor = {0};
    size_t elements;
    void *copy;
    int value;

    if (read_value(in, node, &tensor, err) != 0)
        return -1;
    if (strcmp(node->proto->attribute[0]->name, "value") != 0) { /* the message dies before the graph */
        elements = (size_t)shape_elements(&tensor.shape);
        copy = arena_create_array(in->graph->arena, elements, dtype_size(tensor.dtype), err);
        if (copy == NULL)
            return -1;
        if (elements > 0)
            memcpy(copy, tensor.data, elements * dtype_size(tensor.dtype));
        tensor.data = copy;
    }
    value = graph_add_constant(in->graph, name[0] == '\0' ? NULL : name, &tensor, err);
    if (value >= 0 && node->proto->attribute[0]->t != NULL)
        onnx_note_type(in, value, node->proto->attribute[0]->t->data_type);
    return value < 0 ? -1 : 0;
}

/* ConstantOfShape: zeros, or copies of a one-element tensor. */
int onnx_build_fill(struct onnx_import *in, const struct onnx_node *node, struct error *err)
{
    static const float zero = 0;
    int shape = onnx_input(node, 0);
    struct node draft = {.op = OP_FILL, .inputs = &shape, .n_inputs = 1};
    const Onnx__AttributeProto *value = onnx_attribute(node, "value");

    draft.attr.fill = (struct tensor){DTYPE_FLOAT32, {.rank = 1, .dims = {1}}, &zero};
    if (value != NULL && value->t == NULL)
        return error_set(err, EX_DATAERR, "attribute \"value\" holds no tensor");
    if (value != NULL && onnx_tensor_read(in, value->t, &draft.attr.fill, err) != 0)
        return -1;
    if (shape_elements(&draft.attr.fill.shape) != 1)
        return error_set(err, EX_DATAERR, "attribute \"value\": expected one element, found %lld",
                         (long long)shape_elements(&draft.attr.fill.shape));
    return onnx_add(in, node, &draft, err) < 0 ? -1 : 0;
}
