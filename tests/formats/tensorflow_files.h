/* tensorflow_files.h — small GraphDefs for tests: built node by node, written to a folder of their own, imported.
 *
 *   struct tf_file *f = new_graph_def();
 *   add_placeholder(f, "x", -1, 4, 5, 3);
 *   add_floats(f, "w", DIMS(1, 1, 3, 2), 1, 2, 3, 4, 5, 6);
 *   set_text(f, set_ints(f, add_op(f, "Conv2D", "conv", "x w"), "strides", 1, 1, 1, 1), "padding", "SAME");
 *   graph = must_import(f);          or          assert_refused(f, EX_DATAERR, "conv", ...)
 */
#ifndef ETALON_TESTS_TENSORFLOW_FILES_H
#define ETALON_TESTS_TENSORFLOW_FILES_H

#include "formats/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tensorflow.pb-c.h>

enum { MAX_MESSAGES = 32, TYPE_FLOAT = 1, TYPE_INT32 = 3, TYPE_STRING = 7, TYPE_BOOL = 10, TYPE_HALF = 19 };

struct tf_file {
    struct arena *arena;
    char folder[64], path[96];
    struct model_request request;
    const char *outputs[4];
    Tensorflow__GraphDef graph;
    Tensorflow__NodeDef *nodes[MAX_MESSAGES];
};

static inline void *grab(struct tf_file *f, size_t n, size_t size)
{
    void *memory = arena_create_array(f->arena, n, size, NULL);

    assert_non_null(memory);
    return memory;
}

static inline void *new_message(struct tf_file *f, const ProtobufCMessageDescriptor *type)
{
    void *message = grab(f, 1, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

static inline char *own_text(struct tf_file *f, const char *text)
{
    char *copy = arena_copy_string(f->arena, text, NULL);

    assert_non_null(copy);
    return copy;
}

static inline struct tf_file *new_graph_def(void)
{
    struct arena *arena = arena_create(NULL);
    struct tf_file *f = arena_create_array(arena, 1, sizeof *f, NULL);

    assert_non_null(f);
    f->arena = arena;
    strcpy(f->folder, "/tmp/etalon-tensorflow-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/graph.pb", f->folder);
    f->request.file = f->path;
    tensorflow__graph_def__init(&f->graph);
    f->graph.node = f->nodes;
    return f;
}

static inline void free_file(struct tf_file *f)
{
    unlink(f->path);
    rmdir(f->folder);
    arena_destroy(f->arena);
}

static inline void want_output(struct tf_file *f, const char *name)
{
    f->outputs[f->request.n_outputs++] = name;
    f->request.outputs = f->outputs;
}

#define DIMS(...) ((struct shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define want_input(f, input_name, ...)                                                                                 \
    do {                                                                                                               \
        (f)->request.inputs[(f)->request.n_inputs].name = input_name;                                                  \
        (f)->request.inputs[(f)->request.n_inputs++].shape = DIMS(__VA_ARGS__);                                        \
    } while (0)

/* --- nodes; inputs are separated by blanks --- */

static inline Tensorflow__NodeDef *add_op(struct tf_file *f, const char *op, const char *name, const char *inputs)
{
    Tensorflow__NodeDef *node = new_message(f, &tensorflow__node_def__descriptor);
    char *copy = own_text(f, inputs), *rest = NULL;

    node->name = own_text(f, name);
    node->op = own_text(f, op);
    node->input = grab(f, strlen(inputs) + 1, sizeof *node->input);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        node->input[node->n_input++] = word;
    node->attr = grab(f, MAX_MESSAGES, sizeof *node->attr);
    assert_true(f->graph.n_node < MAX_MESSAGES);
    f->nodes[f->graph.n_node++] = node;
    return node;
}

static inline Tensorflow__AttrValue *set(struct tf_file *f, Tensorflow__NodeDef *node, const char *key,
                                         Tensorflow__AttrValue__ValueCase value_case)
{
    Tensorflow__AttrEntry *entry = new_message(f, &tensorflow__attr_entry__descriptor);

    entry->key = own_text(f, key);
    entry->value = new_message(f, &tensorflow__attr_value__descriptor);
    entry->value->value_case = value_case;
    node->attr[node->n_attr++] = entry;
    return entry->value;
}

static inline Tensorflow__NodeDef *set_text(struct tf_file *f, Tensorflow__NodeDef *node, const char *key,
                                            const char *text)
{
    Tensorflow__AttrValue *value = set(f, node, key, TENSORFLOW__ATTR_VALUE__VALUE_S);

    value->s.len = strlen(text);
    value->s.data = (uint8_t *)own_text(f, text);
    return node;
}

static inline Tensorflow__NodeDef *set_flag(struct tf_file *f, Tensorflow__NodeDef *node, const char *key, bool flag)
{
    set(f, node, key, TENSORFLOW__ATTR_VALUE__VALUE_B)->b = flag;
    return node;
}

static inline Tensorflow__NodeDef *set_int(struct tf_file *f, Tensorflow__NodeDef *node, const char *key, int64_t item)
{
    set(f, node, key, TENSORFLOW__ATTR_VALUE__VALUE_I)->i = item;
    return node;
}

static inline Tensorflow__NodeDef *set_list(struct tf_file *f, Tensorflow__NodeDef *node, const char *key,
                                            struct shape items)
{
    Tensorflow__AttrValue *value = set(f, node, key, TENSORFLOW__ATTR_VALUE__VALUE_LIST);

    value->list = new_message(f, &tensorflow__attr_value__list_value__descriptor);
    value->list->n_i = items.rank;
    value->list->i = grab(f, TENSOR_MAX_RANK, sizeof *value->list->i);
    memcpy(value->list->i, items.dims, sizeof items.dims);
    return node;
}

#define set_ints(f, node, key, ...) set_list(f, node, key, DIMS(__VA_ARGS__))

static inline Tensorflow__TensorShapeProto *shape_message(struct tf_file *f, struct shape shape)
{
    Tensorflow__TensorShapeProto *message = new_message(f, &tensorflow__tensor_shape_proto__descriptor);

    message->n_dim = shape.rank;
    message->dim = grab(f, TENSOR_MAX_RANK, sizeof *message->dim);
    for (size_t i = 0; i < shape.rank; i++) {
        message->dim[i] = new_message(f, &tensorflow__tensor_shape_proto__dim__descriptor);
        message->dim[i]->has_size = true;
        message->dim[i]->size = shape.dims[i];
    }
    return message;
}

/* --- sources --- */

static inline Tensorflow__NodeDef *add_source(struct tf_file *f, const char *op, const char *name, int type)
{
    Tensorflow__NodeDef *node = add_op(f, op, name, "");

    set(f, node, "dtype", TENSORFLOW__ATTR_VALUE__VALUE_TYPE)->type = type;
    return node;
}

#define add_placeholder(f, name, ...)                                                                                  \
    (set(f, add_source(f, "Placeholder", name, TYPE_FLOAT), "shape", TENSORFLOW__ATTR_VALUE__VALUE_SHAPE)->shape =     \
         shape_message(f, DIMS(__VA_ARGS__)))

/* A Const without elements so far. */
static inline Tensorflow__TensorProto *add_tensor(struct tf_file *f, const char *name, int type, struct shape shape)
{
    Tensorflow__TensorProto *tensor = new_message(f, &tensorflow__tensor_proto__descriptor);

    tensor->has_dtype = true;
    tensor->dtype = type;
    tensor->tensor_shape = shape_message(f, shape);
    set(f, add_source(f, "Const", name, type), "value", TENSORFLOW__ATTR_VALUE__VALUE_TENSOR)->tensor = tensor;
    return tensor;
}

static inline Tensorflow__TensorProto *add_float_list(struct tf_file *f, const char *name, struct shape shape,
                                                      const float *items, size_t n)
{
    Tensorflow__TensorProto *tensor = add_tensor(f, name, TYPE_FLOAT, shape);

    tensor->n_float_val = n;
    tensor->float_val = grab(f, n, sizeof *items);
    memcpy(tensor->float_val, items, n * sizeof *items);
    return tensor;
}

static inline Tensorflow__TensorProto *add_int_list(struct tf_file *f, const char *name, struct shape shape,
                                                    const int32_t *items, size_t n)
{
    Tensorflow__TensorProto *tensor = add_tensor(f, name, TYPE_INT32, shape);

    tensor->n_int_val = n;
    tensor->int_val = grab(f, n, sizeof *items);
    memcpy(tensor->int_val, items, n * sizeof *items);
    return tensor;
}

#define LIST(type, ...)                 ((const type[]){__VA_ARGS__}), sizeof((const type[]){__VA_ARGS__}) / sizeof(type)
#define add_floats(f, name, shape, ...) add_float_list(f, name, shape, LIST(float, __VA_ARGS__))
#define add_ints(f, name, shape, ...)   add_int_list(f, name, shape, LIST(int32_t, __VA_ARGS__))
#define SCALAR                          ((struct shape){0})

/* --- files --- */

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline struct graph *import_file(struct tf_file *f, struct error *err)
{
    size_t size = tensorflow__graph_def__get_packed_size(&f->graph);
    uint8_t *bytes = grab(f, size, 1);

    tensorflow__graph_def__pack(&f->graph, bytes);
    write_bytes(f->path, bytes, size);
    *err = (struct error){0};
    return model_import(&f->request, err);
}

/* Frees the file. */
static inline struct graph *must_import(struct tf_file *f)
{
    struct error err;
    struct graph *graph = import_file(f, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    free_file(f);
    return graph;
}

/* Every message names the file; and each word given. Frees the file. */
#define assert_refused(f, expected_code, ...)                                                                          \
    do {                                                                                                               \
        const char *const words_[] = {(f)->path, __VA_ARGS__};                                                         \
        struct error err_;                                                                                             \
        struct graph *graph_ = import_file(f, &err_);                                                                  \
        graph_destroy(graph_);                                                                                         \
        assert_null(graph_);                                                                                           \
        for (size_t i_ = 0; i_ < sizeof words_ / sizeof words_[0]; i_++)                                               \
            if (strstr(err_.text, words_[i_]) == NULL)                                                                 \
                fail_msg("\"%s\" does not mention \"%s\"", err_.text, words_[i_]);                                     \
        assert_int_equal(err_.code, expected_code);                                                                    \
        free_file(f);                                                                                                  \
    } while (0)

static inline const struct node *node_called(const struct graph *graph, const char *name)
{
    int index = graph_find_node(graph, name);

    if (index == GRAPH_NONE)
        fail_msg("no node is called \"%s\"", name);
    return &graph->nodes[index];
}

static inline void assert_shape(const struct graph *graph, int value, const char *expected)
{
    char text[SHAPE_TEXT_BYTES];

    assert_string_equal(shape_text(&graph->values[value].shape, text), expected);
}

#endif
