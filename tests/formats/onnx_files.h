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

#include "formats/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <onnx/onnx.pb-c.h>

enum { OPEN = -1, MAX_MESSAGES = 16 };

struct onnx_file {
    struct arena *arena;
    char folder[64], path[96];
    struct model_request request;
    const char *output; /* the one requested, or NULL */
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__NodeProto *nodes[MAX_MESSAGES];
    Onnx__TensorProto *tensors[MAX_MESSAGES];
    Onnx__ValueInfoProto *inputs[MAX_MESSAGES], *outputs[MAX_MESSAGES];
};

static inline void *grab(struct onnx_file *f, size_t n, size_t size)
{
    void *memory = arena_create_array(f->arena, n, size, NULL);

    assert_non_null(memory);
    return memory;
}

static inline void *new_message(struct onnx_file *f, const ProtobufCMessageDescriptor *type)
{
    void *message = grab(f, 1, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

static inline char *own_text(struct onnx_file *f, const char *text)
{
    char *copy = arena_copy_string(f->arena, text, NULL);

    assert_non_null(copy);
    return copy;
}

static inline struct onnx_file *new_model(int64_t opset)
{
    struct arena *arena = arena_create(NULL);
    struct onnx_file *f = arena_create_array(arena, 1, sizeof *f, NULL);

    assert_non_null(f);
    f->arena = arena;
    strcpy(f->folder, "/tmp/etalon-onnx-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.onnx", f->folder);
    f->request.file = f->path;
    onnx__model_proto__init(&f->model);
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
    f->graph.name = own_text(f, "net");
    f->graph.node = f->nodes;
    f->graph.initializer = f->tensors;
    f->graph.input = f->inputs;
    f->graph.output = f->outputs;
    return f;
}

static inline void free_model(struct onnx_file *f)
{
    unlink(f->path);
    rmdir(f->folder);
    arena_destroy(f->arena);
}

/* --- inputs, outputs --- */

static inline Onnx__ValueInfoProto *new_port(struct onnx_file *f, const char *name, const int64_t *dims, size_t n)
{
    Onnx__ValueInfoProto *port = new_message(f, &onnx__value_info_proto__descriptor);
    Onnx__TypeProto *type = new_message(f, &onnx__type_proto__descriptor);
    Onnx__TypeProto__Tensor *tensor = new_message(f, &onnx__type_proto__tensor__descriptor);
    Onnx__TensorShapeProto *shape = new_message(f, &onnx__tensor_shape_proto__descriptor);

    port->name = own_text(f, name);
    port->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    shape->n_dim = n;
    shape->dim = grab(f, n, sizeof *shape->dim);
    for (size_t i = 0; i < n; i++) {
        shape->dim[i] = new_message(f, &onnx__tensor_shape_proto__dimension__descriptor);
        if (dims[i] == OPEN) {
            shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            shape->dim[i]->dim_param = own_text(f, "open");
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

static inline Onnx__TensorProto *add_tensor(struct onnx_file *f, const char *name, int32_t type, const int64_t *dims,
                                            size_t n, const void *raw, size_t bytes)
{
    Onnx__TensorProto *tensor = new_message(f, &onnx__tensor_proto__descriptor);

    tensor->name = own_text(f, name);
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->n_dims = n;
    tensor->dims = grab(f, n, sizeof *tensor->dims);
    if (n > 0)
        memcpy(tensor->dims, dims, n * sizeof *dims);
    tensor->has_raw_data = true;
    tensor->raw_data.len = bytes;
    tensor->raw_data.data = grab(f, bytes, 1);
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
    data = grab(f, elements, sizeof *data);
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
    char **out = grab(f, strlen(names) + 1, sizeof *out), *copy = own_text(f, names), *rest = NULL;

    *n = 0;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        out[(*n)++] = own_text(f, strcmp(word, "-") == 0 ? "" : word);
    return out;
}

static inline Onnx__NodeProto *add_node(struct onnx_file *f, const char *type, const char *name, const char *inputs,
                                        const char *outputs)
{
    Onnx__NodeProto *node = new_message(f, &onnx__node_proto__descriptor);

    node->op_type = own_text(f, type);
    node->name = own_text(f, name);
    node->input = split_names(f, inputs, &node->n_input);
    node->output = split_names(f, outputs, &node->n_output);
    node->attribute = grab(f, MAX_MESSAGES, sizeof *node->attribute);
    f->nodes[f->graph.n_node++] = node;
    return node;
}

static inline Onnx__AttributeProto *set(struct onnx_file *f, Onnx__NodeProto *node, const char *name,
                                        Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = new_message(f, &onnx__attribute_proto__descriptor);

    attribute->name = own_text(f, name);
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
    attribute->s.data = (uint8_t *)own_text(f, value);
    return node;
}

#define set_ints(f, node, name, ...) set_int_list(f, node, name, DIMS(__VA_ARGS__))

static inline Onnx__NodeProto *set_int_list(struct onnx_file *f, Onnx__NodeProto *node, const char *name,
                                            const int64_t *items, size_t n)
{
    Onnx__AttributeProto *attribute = set(f, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    attribute->n_ints = n;
    attribute->ints = grab(f, n, sizeof *items);
    memcpy(attribute->ints, items, n * sizeof *items);
    return node;
}

/* --- files --- */

static inline uint8_t *pack_model(struct onnx_file *f, size_t *size)
{
    uint8_t *bytes;

    *size = onnx__model_proto__get_packed_size(&f->model);
    bytes = grab(f, *size, 1);
    onnx__model_proto__pack(&f->model, bytes);
    return bytes;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline struct graph *import_model(struct onnx_file *f, struct error *err)
{
    size_t size;
    uint8_t *bytes = pack_model(f, &size);

    *err = (struct error){0};
    write_bytes(f->path, bytes, size);
    return model_import(&f->request, err);
}

/* Frees the file. */
static inline struct graph *must_import(struct onnx_file *f)
{
    struct error err;
    struct graph *graph = import_model(f, &err);

    free_model(f);
    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

/* Every message names the file; and each word given. Frees the file. */
#define assert_refused(f, expected_code, ...)                                                                          \
    do {                                                                                                               \
        const char *const words_[] = {(f)->path, __VA_ARGS__};                                                         \
        struct error err_;                                                                                             \
        struct graph *graph_ = import_model(f, &err_);                                                                 \
        graph_destroy(graph_);                                                                                         \
        assert_null(graph_);                                                                                           \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof words_[0]; i_++)                                               \
            if (strstr(err_.text, words_[i_]) == NULL)                                                                 \
                fail_msg("\"%s\" does not mention \"%s\"", err_.text, words_[i_]);                                     \
        assert_int_equal(err_.code, expected_code);                                                                    \
        free_model(f);                                                                                                 \
    } while (0)

static inline const struct node *node_called(const struct graph *graph, const char *name)
{
    int index = graph_find_node(graph, name);

    if (index == GRAPH_NONE)
        fail_msg("no node is called \"%s\"", name);
    return &graph->nodes[index];
}

static inline const struct value *value_called(const struct graph *graph, const char *name)
{
    int index = graph_find_value(graph, name);

    if (index == GRAPH_NONE)
        fail_msg("no value is called \"%s\"", name);
    return &graph->values[index];
}

static inline void assert_shape(const struct value *value, const char *expected)
{
    char text[SHAPE_TEXT_BYTES];

    assert_string_equal(shape_text(&value->shape, text), expected);
}

#endif
