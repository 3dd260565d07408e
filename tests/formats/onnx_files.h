/* onnx_files.h — small ONNX models for tests: built message by message, written to a folder of their own, imported.
 *
 *   struct onnx_file *f = new_model(13);
 *   add_input(f, "x", OPEN, 3, 4, 4);
 *   add_weights(f, "w", 2, 3, 1, 1);
 *   set_ints(f, add_node(f, "Conv", "conv1", "x w", "y"), "pads", 1, 1, 1, 1);
 *   add_output(f, "y");
 *   graph = must_import(f);          or          assert_refused(f, EX_DATAERR, "conv1", ...)
 */
#ifndef ETALON_TESTS_ONNX_FILES_H
#define ETALON_TESTS_ONNX_FILES_H

#include "model_files.h"

#include <onnx/onnx.pb-c.h>

enum { OPEN = -1, MAX_MESSAGES = 16 };

struct onnx_file {
    struct model_file file;
    const char *output; /* the one requested, or NULL */
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__NodeProto *nodes[MAX_MESSAGES];
    Onnx__TensorProto *tensors[MAX_MESSAGES];
    Onnx__ValueInfoProto *inputs[MAX_MESSAGES], *outputs[MAX_MESSAGES];
};

static inline struct onnx_file *new_model(int64_t opset)
{
    struct onnx_file *f = new_file(sizeof *f, "model.onnx");

    onnx__model_proto__init(&f->model);
    f->file.message = &f->model.base;
    onnx__graph_proto__init(&f->graph);
    onnx__operator_set_id_proto__init(&f->opset);
    f->model.has_ir_version = true;
    f->model.ir_version = 7;
    f->model.graph = &f->graph;
    f->opset.has_version = true;
    f->opset.version = opset;
    f->opsets[0] = &f->opset;
    f->model.n_opset_import = 1;
    f->model.opset_import = f->opsets;
    f->graph.name = own_text(&f->file, "net");
    f->graph.node = f->nodes;
    f->graph.initializer = f->tensors;
    f->graph.input = f->inputs;
    f->graph.output = f->outputs;
    return f;
}

/* --- inputs, outputs --- */

static inline Onnx__ValueInfoProto *new_port(struct onnx_file *f, const char *name, const int64_t *dims, size_t n)
{
    Onnx__ValueInfoProto *port = new_message(&f->file, &onnx__value_info_proto__descriptor);
    Onnx__TypeProto *type = new_message(&f->file, &onnx__type_proto__descriptor);
    Onnx__TypeProto__Tensor *tensor = new_message(&f->file, &onnx__type_proto__tensor__descriptor);
    Onnx__TensorShapeProto *shape = new_message(&f->file, &onnx__tensor_shape_proto__descriptor);

    port->name = own_text(&f->file, name);
    port->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    shape->n_dim = n;
    shape->dim = grab(&f->file, n, sizeof *shape->dim);
    for (size_t i = 0; i < n; i++) {
        shape->dim[i] = new_message(&f->file, &onnx__tensor_shape_proto__dimension__descriptor);
        if (dims[i] == OPEN) {
            shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            shape->dim[i]->dim_param = own_text(&f->file, "open");
        } else {
            shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            shape->dim[i]->dim_value = dims[i];
        }
    }
    return port;
}

#define DIMS(...)               (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define add_input(f, name, ...) add_input_shape(f, name, DIMS(__VA_ARGS__))

static inline Onnx__TypeProto__Tensor *add_input_shape(struct onnx_file *f, const char *name, const int64_t *dims,
                                                       size_t n)
{
    f->inputs[f->graph.n_input] = new_port(f, name, dims, n);
    return f->inputs[f->graph.n_input++]->type->tensor_type;
}

static inline void add_output(struct onnx_file *f, const char *name)
{
    f->outputs[f->graph.n_output++] = new_port(f, name, DIMS(OPEN));
}

/* --- tensors --- */

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

static inline Onnx__TensorProto *add_tensor(struct onnx_file *f, const char *name, int32_t type, const int64_t *dims,
                                            size_t n, const void *raw, size_t bytes)
{
    Onnx__TensorProto *tensor = new_message(&f->file, &onnx__tensor_proto__descriptor);

    tensor->name = own_text(&f->file, name);
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->n_dims = n;
    tensor->dims = grab(&f->file, n, sizeof *tensor->dims);
    if (n > 0)
        memcpy(tensor->dims, dims, n * sizeof *dims);
    tensor->has_raw_data = true;
    tensor->raw_data.len = bytes;
    tensor->raw_data.data = grab(&f->file, bytes, 1);
    if (bytes > 0)
        memcpy(tensor->raw_data.data, raw, bytes);
    f->tensors[f->graph.n_initializer++] = tensor;
    return tensor;
}

static inline float weight_at(size_t i)
{
    return (float)(i % 7) - 2.5f;
}

/* Floats weight_at(0), weight_at(1), ... */
static inline Onnx__TensorProto *add_weights_shape(struct onnx_file *f, const char *name, const int64_t *dims, size_t n)
{
    size_t elements = 1;
    float *data;

    for (size_t i = 0; i < n; i++)
        elements *= (size_t)dims[i];
    data = grab(&f->file, elements, sizeof *data);
    for (size_t i = 0; i < elements; i++)
        data[i] = weight_at(i);
    return add_tensor(f, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, dims, n, data, elements * sizeof *data);
}

#define add_weights(f, name, ...) add_weights_shape(f, name, DIMS(__VA_ARGS__))
#define add_floats(f, name, ...)                                                                                       \
    add_tensor(f, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,                                                          \
               DIMS(sizeof((const float[]){__VA_ARGS__}) / sizeof(float)), (const float[]){__VA_ARGS__},               \
               sizeof((const float[]){__VA_ARGS__}))
#define add_ints(f, name, ...)                                                                                         \
    add_tensor(f, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64,                                                          \
               DIMS(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__},         \
               sizeof((const int64_t[]){__VA_ARGS__}))
#define add_number(f, name, value)                                                                                     \
    add_tensor(f, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, (const float[]){value}, sizeof(float))

/* --- nodes --- */

/* Names separated by blanks; "-" is an omitted one. */
static inline char **split_names(struct onnx_file *f, const char *names, size_t *n)
{
    char **out = grab(&f->file, strlen(names) + 1, sizeof *out), *copy = own_text(&f->file, names), *rest = NULL;

    *n = 0;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        out[(*n)++] = own_text(&f->file, strcmp(word, "-") == 0 ? "" : word);
    return out;
}

static inline Onnx__NodeProto *add_node(struct onnx_file *f, const char *type, const char *name, const char *inputs,
                                        const char *outputs)
{
    Onnx__NodeProto *node = new_message(&f->file, &onnx__node_proto__descriptor);

    node->op_type = own_text(&f->file, type);
    node->name = own_text(&f->file, name);
    node->input = split_names(f, inputs, &node->n_input);
    node->output = split_names(f, outputs, &node->n_output);
    node->attribute = grab(&f->file, MAX_MESSAGES, sizeof *node->attribute);
    f->nodes[f->graph.n_node++] = node;
    return node;
}

static inline Onnx__AttributeProto *set(struct onnx_file *f, Onnx__NodeProto *node, const char *name,
                                        Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = new_message(&f->file, &onnx__attribute_proto__descriptor);

    attribute->name = own_text(&f->file, name);
    attribute->has_type = true;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

static inline Onnx__NodeProto *set_int(struct onnx_file *f, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = set(f, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    attribute->has_i = true;
    attribute->i = value;
    return node;
}

static inline Onnx__NodeProto *set_float(struct onnx_file *f, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attribute = set(f, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    attribute->has_f = true;
    attribute->f = value;
    return node;
}

static inline Onnx__NodeProto *set_string(struct onnx_file *f, Onnx__NodeProto *node, const char *name,
                                          const char *value)
{
    Onnx__AttributeProto *attribute = set(f, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    attribute->has_s = true;
    attribute->s.len = strlen(value);
    attribute->s.data = (uint8_t *)own_text(&f->file, value);
    return node;
}

#define set_ints(f, node, name, ...) set_int_list(f, node, name, DIMS(__VA_ARGS__))

static inline Onnx__NodeProto *set_int_list(struct onnx_file *f, Onnx__NodeProto *node, const char *name,
                                            const int64_t *items, size_t n)
{
    Onnx__AttributeProto *attribute = set(f, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    attribute->n_ints = n;
    attribute->ints = grab(&f->file, n, sizeof *items);
    memcpy(attribute->ints, items, n * sizeof *items);
    return node;
}

/* x -> conv1 -> y -> relu1 -> z */
static inline struct onnx_file *small_model(void)
{
    struct onnx_file *f = new_model(13);

    add_input(f, "x", OPEN, 3, 4, 4);
    add_weights(f, "w", 2, 3, 3, 3);
    add_weights(f, "b", 2);
    add_node(f, "Conv", "conv1", "x w b", "y");
    add_node(f, "Relu", "relu1", "y", "z");
    add_output(f, "z");
    return f;
}

#endif
