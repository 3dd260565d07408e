/* onnx_build.c — inputs of a node of the file as constants and axes; nodes and constants of our graph. */
#include "formats/onnx/onnx_import.h"

#include <string.h>

/* --- element types of the file --- */

void onnx_note_type(struct onnx_import *in, int value, int64_t data_type)
{
    size_t wanted = (size_t)value + 1, old = in->element_types_capacity;

    if (data_type < 0 || data_type > UINT8_MAX)
        return;
    while (in->element_types_capacity < wanted)
        if (memory_grow((void **)&in->element_types, &in->element_types_capacity, in->element_types_capacity, 1,
                        "element types", NULL) != 0)
            return;
    memset(in->element_types + old, 0, in->element_types_capacity - old);
    in->element_types[value] = (uint8_t)data_type;
}

int64_t onnx_element_type(const struct onnx_import *in, int value)
{
    return (size_t)value < in->element_types_capacity ? in->element_types[value] : 0;
}

/* --- inputs --- */

int onnx_input(const struct onnx_node *node, size_t slot)
{
    return slot < node->n_inputs ? node->inputs[slot] : GRAPH_NONE;
}

const struct shape *onnx_shape(const struct onnx_import *in, int value)
{
    return &in->graph->values[value].shape;
}

bool onnx_has_batch(const struct onnx_import *in, int value)
{
    return !in->graph->is_unbatched && !in->graph->values[value].is_constant;
}

int onnx_constant(const struct onnx_import *in, const struct onnx_node *node, size_t slot, struct tensor *out,
                  struct error *err)
{
    return import_constant(in->graph, onnx_input(node, slot), slot, out, err);
}

int onnx_constant_ints(const struct onnx_import *in, const struct onnx_node *node, size_t slot, int64_t *out,
                       size_t max, size_t *n, struct error *err)
{
    struct tensor tensor;

    if (onnx_constant(in, node, slot, &tensor, err) != 0)
        return -1;
    if (tensor.shape.rank > 1)
        return error_set(err, EX_DATAERR, "expected a list as input %zu, found %zu axes", slot, tensor.shape.rank);
    return import_integers(&tensor, slot, out, max, n, err);
}

int onnx_constant_number(const struct onnx_import *in, const struct onnx_node *node, size_t slot, float *out,
                         struct error *err)
{
    struct tensor tensor;

    return onnx_constant(in, node, slot, &tensor, err) != 0 ? -1 : import_number(&tensor, slot, EX_DATAERR, out, err);
}

int onnx_axes(const struct onnx_import *in, const struct onnx_node *node, size_t rank, uint32_t *out, struct error *err)
{
    int64_t axes[TENSOR_MAX_RANK];
    size_t n, axis = 0;
    uint32_t bits = 0;

    if (onnx_input(node, 1) != GRAPH_NONE) {
        if (onnx_constant_ints(in, node, 1, axes, TENSOR_MAX_RANK, &n, err) != 0)
            return -1;
    } else if (onnx_ints(node, "axes", axes, TENSOR_MAX_RANK, &n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (import_axis(axes[i], rank, &axis, err) != 0)
            return -1;
        if ((bits >> axis & 1) != 0)
            return error_set(err, EX_DATAERR, "axis %zu is named twice", axis);
        bits |= UINT32_C(1) << axis;
    }
    *out = bits;
    return 0;
}

/* --- nodes --- */

static bool is_defined(const void *in, const char *name)
{
    return onnx_definition_find(in, name) != NULL;
}

static const char *free_value_name(struct onnx_import *in, const char *base, const char *step, struct error *err)
{
    const struct import_names names = {is_defined, in};

    return import_value_name(in->graph, &names, arena_format(in->graph->arena, err, "%s/%s", base, step), err);
}

int onnx_add_as(struct onnx_import *in, const struct onnx_node *node, const struct node *draft,
                const struct onnx_result *result, struct error *err)
{
    const char *output = result->slot < node->proto->n_output ? node->proto->output[result->slot] : "";
    struct import_node added = {.name = node->name,
                                .source_type = node->proto->op_type,
                                .value_name = output[0] == '\0' ? NULL : output, /* the file may leave it unnamed */
                                .draft = draft,
                                .shape = result->shape,
                                .dtype = result->dtype};

    if (result->step != NULL) {
        added.name = arena_format(in->graph->arena, err, "%s/%s", node->name, result->step);
        added.value_name = free_value_name(in, output[0] == '\0' ? node->name : output, result->step, err);
        if (added.name == NULL || added.value_name == NULL)
            return -1;
    }
    return import_add_node(in->graph, &added, &in->is_located, err);
}

int onnx_add(struct onnx_import *in, const struct onnx_node *node, const struct node *draft, struct error *err)
{
    return onnx_add_as(in, node, draft, &(struct onnx_result){0}, err);
}

int onnx_add_step(struct onnx_import *in, const struct onnx_node *node, const struct node *draft, const char *step,
                  struct error *err)
{
    return onnx_add_as(in, node, draft, &(struct onnx_result){.step = step}, err);
}

int onnx_add_reshape(struct onnx_import *in, const struct onnx_node *node, int x, const struct shape *shape,
                     const char *step, struct error *err)
{
    struct node draft = {.op = OP_RESHAPE, .inputs = &x, .n_inputs = 1};

    return onnx_add_as(in, node, &draft,
                       &(struct onnx_result){.step = step, .shape = shape, .dtype = in->graph->values[x].dtype}, err);
}

/* --- links of a chain --- */

int onnx_put_activation(struct onnx_import *in, const struct onnx_node *node, struct activation activation, int x,
                        const char *step, struct error *err)
{
    struct node draft = {.op = OP_ACTIVATION, .inputs = &x, .n_inputs = 1};

    draft.attr.activation = activation;
    return x < 0 ? -1 : onnx_add_as(in, node, &draft, &(struct onnx_result){.step = step}, err);
}

int onnx_put_binary(struct onnx_import *in, const struct onnx_node *node, enum binary_kind kind, int a, int b,
                    const char *step, struct error *err)
{
    int inputs[] = {a, b};
    struct node draft = {.op = OP_BINARY, .inputs = inputs, .n_inputs = 2};

    draft.attr.binary.kind = kind;
    return a < 0 || b < 0 ? -1 : onnx_add_as(in, node, &draft, &(struct onnx_result){.step = step}, err);
}

int onnx_put_reduce(struct onnx_import *in, const struct onnx_node *node, enum reduce_kind kind, uint32_t axes,
                    bool keep_dims, int x, const char *step, struct error *err)
{
    struct node draft = {.op = OP_REDUCE, .inputs = &x, .n_inputs = 1};

    draft.attr.reduce.kind = kind;
    draft.attr.reduce.axes = axes;
    draft.attr.reduce.keep_dims = keep_dims;
    return x < 0 ? -1 : onnx_add_as(in, node, &draft, &(struct onnx_result){.step = step}, err);
}

int onnx_put_cast(struct onnx_import *in, const struct onnx_node *node, enum dtype dtype, int x, const char *step,
                  struct error *err)
{
    struct node draft = {.op = OP_CAST, .inputs = &x, .n_inputs = 1};

    return x < 0 ? -1 : onnx_add_as(in, node, &draft, &(struct onnx_result){.step = step, .dtype = dtype}, err);
}

int onnx_put_reshape(struct onnx_import *in, const struct onnx_node *node, int x, const struct shape *shape,
                     const char *step, struct error *err)
{
    return x < 0 ? -1 : onnx_add_reshape(in, node, x, shape, step, err);
}

int onnx_put_number(struct onnx_import *in, const struct onnx_node *node, const char *what, int like, double number,
                    struct error *err)
{
    enum dtype dtype = like < 0 ? DTYPE_FLOAT32 : in->graph->values[like].dtype;
    void *data;
    int value = onnx_add_constant(in, node, what, dtype, &(struct shape){0}, &data, err);

    if (value >= 0 && dtype == DTYPE_FLOAT32)
        *(float *)data = (float)number;
    else if (value >= 0)
        *(int64_t *)data = (int64_t)number;
    return value;
}

/* --- constants --- */

int onnx_add_constant(struct onnx_import *in, const struct onnx_node *node, const char *what, enum dtype dtype,
                      const struct shape *shape, void **data, struct error *err)
{
    const char *name = free_value_name(in, node->name, what, err);

    return name == NULL ? -1 : graph_create_constant(in->graph, name, dtype, shape, data, err);
}

int onnx_add_ints(struct onnx_import *in, const struct onnx_node *node, const char *what, const int64_t *items,
                  size_t n, struct error *err)
{
    struct shape shape = {.rank = 1, .dims = {(int64_t)n}};
    void *data;
    int value = onnx_add_constant(in, node, what, DTYPE_INT64, &shape, &data, err);

    if (value >= 0 && n > 0)
        memcpy(data, items, n * sizeof *items);
    return value;
}
