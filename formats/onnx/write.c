/* write.c — the builder of ONNX messages; see write.h. */
#include "formats/onnx/write.h"

#include "formats/exporter.h"

#include <onnx/onnx.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTRIBUTES = 12 };

/* Each operator set has a version of the file's own layout that it came with. */
struct version {
    int64_t opset, ir;
};
static const struct version usual_version = {13, 7}, version_of_16_bits = {21, 10}, older_version = {11, 6};

#define DATA_TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

/* A growing list of pointers to messages, as protobuf-c wants them. */
struct list {
    void **items;
    size_t n, capacity;
};

struct onnx_writer {
    struct arena *arena;
    struct error err; /* code 0: nothing failed yet */
    struct version version;
    Onnx__GraphProto graph;
    struct list nodes, initializers, inputs, outputs, values, metadata;
    Onnx__NodeProto *last; /* attributes go here */
    int64_t batch;         /* 0: any */
    bool describes_values;
};

struct onnx_writer *onnx_writer_create(const char *graph_name, struct error *err)
{
    struct onnx_writer *writer = memory_create(1, sizeof *writer, "an ONNX writer", err);

    if (writer == NULL)
        return NULL;
    writer->arena = arena_create(err);
    if (writer->arena == NULL) {
        free(writer);
        return NULL;
    }
    writer->version = usual_version;
    onnx__graph_proto__init(&writer->graph);
    writer->graph.name = (char *)(uintptr_t)graph_name; /* protobuf-c has no const; packing only reads */
    return writer;
}

void onnx_writer_destroy(struct onnx_writer *writer)
{
    if (writer == NULL)
        return;
    free(writer->nodes.items);
    free(writer->initializers.items);
    free(writer->inputs.items);
    free(writer->outputs.items);
    free(writer->values.items);
    free(writer->metadata.items);
    arena_destroy(writer->arena);
    free(writer);
}

void onnx_writer_fail(struct onnx_writer *writer, const struct error *why)
{
    if (writer->err.code == 0)
        writer->err = *why;
}

void *onnx_writer_memory(struct onnx_writer *writer, size_t n, size_t size)
{
    return writer->err.code != 0 ? NULL : arena_create_array(writer->arena, n, size, &writer->err);
}

static void *copy(struct onnx_writer *writer, const void *from, size_t n, size_t size)
{
    void *to = onnx_writer_memory(writer, n, size);

    if (to != NULL && n > 0)
        memcpy(to, from, n * size);
    return to;
}

/* A message in its initial state at the end of `list` (where there is one); NULL after a failure. */
static void *create(struct onnx_writer *writer, const ProtobufCMessageDescriptor *type, struct list *list)
{
    ProtobufCMessage *message = onnx_writer_memory(writer, 1, type->sizeof_message);

    if (message == NULL)
        return NULL;
    protobuf_c_message_init(type, message);
    if (list != NULL) {
        if (memory_grow((void **)&list->items, &list->capacity, list->n, sizeof *list->items, "an ONNX graph",
                        &writer->err) != 0)
            return NULL;
        list->items[list->n++] = message;
    }
    return message;
}

static char *text(const char *borrowed)
{
    return (char *)(uintptr_t)borrowed;
}

void onnx_writer_metadata(struct onnx_writer *writer, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry =
        create(writer, &onnx__string_string_entry_proto__descriptor, &writer->metadata);

    if (entry == NULL)
        return;
    entry->key = text(key);
    entry->value = text(value);
}

void onnx_writer_use_opset_21(struct onnx_writer *writer)
{
    writer->version = version_of_16_bits;
}

void onnx_writer_use_opset_11(struct onnx_writer *writer)
{
    writer->version = older_version;
}

int64_t onnx_writer_opset(const struct onnx_writer *writer)
{
    return writer->version.opset;
}

/* --- inputs, outputs, tensors --- */

void onnx_writer_fix_batch(struct onnx_writer *writer, int64_t batch)
{
    writer->batch = batch;
}

static Onnx__TensorShapeProto *create_shape(struct onnx_writer *writer, const struct shape *shape)
{
    Onnx__TensorShapeProto *proto = create(writer, &onnx__tensor_shape_proto__descriptor, NULL);
    Onnx__TensorShapeProto__Dimension **dims = onnx_writer_memory(writer, shape->rank, sizeof *dims);

    for (size_t i = 0; dims != NULL && i < shape->rank; i++) {
        dims[i] = create(writer, &onnx__tensor_shape_proto__dimension__descriptor, NULL);
        if (dims[i] == NULL)
            return NULL;
        if (i == 0 && writer->batch == 0) {
            dims[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dims[i]->dim_param = text("N");
        } else {
            dims[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dims[i]->dim_value = i == 0 ? writer->batch : shape->dims[i];
        }
    }
    if (dims == NULL)
        return NULL;
    proto->n_dim = shape->rank;
    proto->dim = dims;
    return proto;
}

static const int32_t data_types[DTYPE_COUNT] = {
    [DTYPE_FLOAT32] = DATA_TYPE(FLOAT), [DTYPE_INT8] = DATA_TYPE(INT8),   [DTYPE_UINT8] = DATA_TYPE(UINT8),
    [DTYPE_INT16] = DATA_TYPE(INT16),   [DTYPE_INT32] = DATA_TYPE(INT32), [DTYPE_INT64] = DATA_TYPE(INT64),
};

static void add_port(struct onnx_writer *writer, struct list *list, const char *name, enum dtype dtype,
                     const struct shape *shape)
{
    Onnx__TypeProto__Tensor *tensor = create(writer, &onnx__type_proto__tensor__descriptor, NULL);
    Onnx__TypeProto *type = create(writer, &onnx__type_proto__descriptor, NULL);
    Onnx__TensorShapeProto *dims = create_shape(writer, shape);
    Onnx__ValueInfoProto *info = create(writer, &onnx__value_info_proto__descriptor, list);

    if (info == NULL)
        return;
    tensor->has_elem_type = true;
    tensor->elem_type = data_types[dtype];
    tensor->shape = dims;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    info->name = text(name);
    info->type = type;
}

void onnx_writer_input(struct onnx_writer *writer, const char *name, const struct shape *shape)
{
    add_port(writer, &writer->inputs, name, DTYPE_FLOAT32, shape);
}

void onnx_writer_typed_input(struct onnx_writer *writer, const char *name, enum dtype dtype, const struct shape *shape)
{
    add_port(writer, &writer->inputs, name, dtype, shape);
}

void onnx_writer_output(struct onnx_writer *writer, const char *name, const struct shape *shape)
{
    add_port(writer, &writer->outputs, name, DTYPE_FLOAT32, shape);
}

void onnx_writer_describe_values(struct onnx_writer *writer)
{
    writer->describes_values = true;
}

void onnx_writer_value(struct onnx_writer *writer, const char *name, enum dtype dtype, const struct shape *shape,
                       bool is_constant)
{
    int64_t batch = writer->batch;

    if (!writer->describes_values)
        return;
    if (is_constant)
        writer->batch = shape->dims[0];
    add_port(writer, &writer->values, name, dtype, shape);
    writer->batch = batch;
}

size_t onnx_writer_count_nodes(const struct onnx_writer *writer)
{
    return writer->nodes.n;
}

void onnx_writer_values_since(struct onnx_writer *writer, size_t first, const struct shape *shape, const char *except)
{
    for (size_t i = first; writer->describes_values && writer->err.code == 0 && i < writer->nodes.n; i++) {
        const char *name = ((Onnx__NodeProto *)writer->nodes.items[i])->output[0];
        size_t v = writer->values.n, n_recent = writer->nodes.n - first; /* described in this node's turn */
        bool is_known = except != NULL && strcmp(name, except) == 0;

        for (; !is_known && v > 0 && n_recent > 0; v--, n_recent--)
            is_known = strcmp(((Onnx__ValueInfoProto *)writer->values.items[v - 1])->name, name) == 0;
        if (!is_known)
            onnx_writer_value(writer, name, DTYPE_FLOAT32, shape, false);
    }
}

void onnx_writer_tensor(struct onnx_writer *writer, const char *name, const struct tensor *tensor)
{
    Onnx__TensorProto *proto = create(writer, &onnx__tensor_proto__descriptor, &writer->initializers);

    if (proto == NULL)
        return;
    if (data_types[tensor->dtype] == 0) {
        error_set(&writer->err, EX_SOFTWARE, "initializer \"%s\": %s is not written", name, dtype_name(tensor->dtype));
        return;
    }
    proto->name = text(name);
    proto->has_data_type = true;
    proto->data_type = data_types[tensor->dtype];
    proto->n_dims = tensor->shape.rank;
    proto->dims = copy(writer, tensor->shape.dims, tensor->shape.rank, sizeof *tensor->shape.dims);
    proto->has_raw_data = true; /* little-endian, as this machine is (onnx_tensor.c asserts it) */
    proto->raw_data.len = (size_t)shape_elements(&tensor->shape) * dtype_size(tensor->dtype);
    proto->raw_data.data = (uint8_t *)(uintptr_t)tensor->data;
}

void onnx_writer_ints_tensor(struct onnx_writer *writer, const char *name, const int64_t *items, size_t n)
{
    struct tensor tensor = {DTYPE_INT64, {.rank = 1, .dims = {(int64_t)n}}, copy(writer, items, n, sizeof *items)};

    onnx_writer_tensor(writer, name, &tensor);
}

void onnx_writer_scalar(struct onnx_writer *writer, const char *name, float value)
{
    struct tensor tensor = {DTYPE_FLOAT32, {0}, copy(writer, &value, 1, sizeof value)};

    onnx_writer_tensor(writer, name, &tensor);
}

/* --- nodes --- */

void onnx_writer_node(struct onnx_writer *writer, const char *type, const char *name, const char *const *inputs,
                      size_t n_inputs, const char *output)
{
    Onnx__NodeProto *node = create(writer, &onnx__node_proto__descriptor, &writer->nodes);
    Onnx__AttributeProto **attributes = onnx_writer_memory(writer, MAX_ATTRIBUTES, sizeof *attributes);
    char **names = copy(writer, inputs, n_inputs, sizeof *names), **outputs = copy(writer, &output, 1, sizeof *outputs);

    writer->last = node;
    if (outputs == NULL)
        return;
    node->op_type = text(type);
    node->name = text(name);
    node->n_input = n_inputs;
    node->input = names;
    node->n_output = 1;
    node->output = outputs;
    node->attribute = attributes;
}

/* A new attribute of the latest node; NULL after a failure. */
static Onnx__AttributeProto *add_attribute(struct onnx_writer *writer, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = create(writer, &onnx__attribute_proto__descriptor, NULL);

    if (attribute == NULL)
        return NULL;
    if (writer->last->n_attribute == MAX_ATTRIBUTES) {
        error_set(&writer->err, EX_SOFTWARE, "node \"%s\" has more than %d attributes", writer->last->name,
                  MAX_ATTRIBUTES);
        return NULL;
    }
    writer->last->attribute[writer->last->n_attribute++] = attribute;
    attribute->name = text(name);
    attribute->has_type = true;
    attribute->type = type;
    return attribute;
}

void onnx_writer_int(struct onnx_writer *writer, const char *attribute, int64_t value)
{
    Onnx__AttributeProto *proto = add_attribute(writer, attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (proto == NULL)
        return;
    proto->has_i = true;
    proto->i = value;
}

void onnx_writer_ints(struct onnx_writer *writer, const char *attribute, const int64_t *items, size_t n)
{
    Onnx__AttributeProto *proto = add_attribute(writer, attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    if (proto == NULL)
        return;
    proto->ints = copy(writer, items, n, sizeof *items);
    proto->n_ints = proto->ints == NULL ? 0 : n;
}

void onnx_writer_reduction(struct onnx_writer *writer, const char *type, const char *name, const char *input,
                           const int64_t *axes, size_t n_axes, const char *axes_name, const char *output)
{
    bool is_input = writer->version.opset >= (strcmp(type, "ReduceSum") == 0 ? 13 : 18);

    if (is_input)
        onnx_writer_ints_tensor(writer, axes_name, axes, n_axes);
    onnx_writer_node(writer, type, name, (const char *[]){input, axes_name}, is_input ? 2 : 1, output);
    if (!is_input)
        onnx_writer_ints(writer, "axes", axes, n_axes);
}

void onnx_writer_float(struct onnx_writer *writer, const char *attribute, float value)
{
    Onnx__AttributeProto *proto = add_attribute(writer, attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    if (proto == NULL)
        return;
    proto->has_f = true;
    proto->f = value;
}

void onnx_writer_string(struct onnx_writer *writer, const char *attribute, const char *value)
{
    Onnx__AttributeProto *proto = add_attribute(writer, attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    if (proto == NULL)
        return;
    proto->has_s = true;
    proto->s.len = strlen(value);
    proto->s.data = (uint8_t *)text(value);
}

/* --- the file --- */

const ProtobufCMessage *onnx_writer_finish(struct onnx_writer *writer, struct error *err)
{
    Onnx__ModelProto *model = create(writer, &onnx__model_proto__descriptor, NULL);
    Onnx__OperatorSetIdProto *opset = create(writer, &onnx__operator_set_id_proto__descriptor, NULL);
    Onnx__OperatorSetIdProto **opsets = copy(writer, &opset, 1, sizeof opset);

    if (opsets == NULL) {
        if (err != NULL)
            *err = writer->err;
        return NULL;
    }
    writer->graph.n_node = writer->nodes.n;
    writer->graph.node = (Onnx__NodeProto **)writer->nodes.items;
    writer->graph.n_initializer = writer->initializers.n;
    writer->graph.initializer = (Onnx__TensorProto **)writer->initializers.items;
    writer->graph.n_input = writer->inputs.n;
    writer->graph.input = (Onnx__ValueInfoProto **)writer->inputs.items;
    writer->graph.n_output = writer->outputs.n;
    writer->graph.output = (Onnx__ValueInfoProto **)writer->outputs.items;
    writer->graph.n_value_info = writer->values.n;
    writer->graph.value_info = (Onnx__ValueInfoProto **)writer->values.items;
    opset->domain = text("");
    opset->has_version = true;
    opset->version = writer->version.opset;
    model->has_ir_version = true;
    model->ir_version = writer->version.ir;
    model->producer_name = text("etalon");
    model->n_opset_import = 1;
    model->opset_import = opsets;
    model->graph = &writer->graph;
    model->n_metadata_props = writer->metadata.n;
    model->metadata_props = (Onnx__StringStringEntryProto **)writer->metadata.items;
    return &model->base;
}

int onnx_writer_save(struct onnx_writer *writer, const char *folder, const char *name, struct output *output,
                     struct error *err)
{
    const ProtobufCMessage *model = onnx_writer_finish(writer, err);
    char base[768];

    if (model == NULL)
        return -1;
    if (snprintf(base, sizeof base, "%s/%s", folder, name) >= (int)sizeof base)
        return error_set(err, EX_CANTCREAT, "the name \"%.200s...\" is longer than a file's can be", name);
    return exporter_write_message(output, base, ".onnx", model, err);
}
