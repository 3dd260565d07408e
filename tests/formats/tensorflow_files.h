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

#include "model_files.h"

#include <tensorflow.pb-c.h>

enum { MAX_MESSAGES = 32, TYPE_FLOAT = 1, TYPE_INT32 = 3, TYPE_STRING = 7, TYPE_BOOL = 10, TYPE_HALF = 19 };

struct tf_file {
    struct model_file file;
    const char *outputs[4];
    Tensorflow__GraphDef graph;
    Tensorflow__NodeDef *nodes[MAX_MESSAGES];
};

static inline struct tf_file *new_graph_def(void)
{
    struct tf_file *f = new_file(sizeof *f, "graph.pb");

    tensorflow__graph_def__init(&f->graph);
    f->file.message = &f->graph.base;
    f->graph.node = f->nodes;
    return f;
}

static inline void want_output(struct tf_file *f, const char *name)
{
    f->outputs[f->file.request.n_outputs++] = name;
    f->file.request.outputs = f->outputs;
}

#define DIMS(...) ((struct shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define want_input(f, input_name, ...)                                                                                 \
    do {                                                                                                               \
        (f)->file.request.inputs[(f)->file.request.n_inputs].name = input_name;                                        \
        (f)->file.request.inputs[(f)->file.request.n_inputs++].shape = DIMS(__VA_ARGS__);                              \
    } while (0)

/* --- nodes; inputs are separated by blanks --- */

static inline Tensorflow__NodeDef *add_op(struct tf_file *f, const char *op, const char *name, const char *inputs)
{
    Tensorflow__NodeDef *node = new_message(&f->file, &tensorflow__node_def__descriptor);
    char *copy = own_text(&f->file, inputs), *rest = NULL;

    node->name = own_text(&f->file, name);
    node->op = own_text(&f->file, op);
    node->input = grab(&f->file, strlen(inputs) + 1, sizeof *node->input);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        node->input[node->n_input++] = word;
    node->attr = grab(&f->file, MAX_MESSAGES, sizeof *node->attr);
    assert_true(f->graph.n_node < MAX_MESSAGES);
    f->nodes[f->graph.n_node++] = node;
    return node;
}

static inline Tensorflow__AttrValue *set(struct tf_file *f, Tensorflow__NodeDef *node, const char *key,
                                         Tensorflow__AttrValue__ValueCase value_case)
{
    Tensorflow__AttrEntry *entry = new_message(&f->file, &tensorflow__attr_entry__descriptor);

    entry->key = own_text(&f->file, key);
    entry->value = new_message(&f->file, &tensorflow__attr_value__descriptor);
    entry->value->value_case = value_case;
    node->attr[node->n_attr++] = entry;
    return entry->value;
}

static inline Tensorflow__NodeDef *set_text(struct tf_file *f, Tensorflow__NodeDef *node, const char *key,
                                            const char *text)
{
    Tensorflow__AttrValue *value = set(f, node, key, TENSORFLOW__ATTR_VALUE__VALUE_S);

    value->s.len = strlen(text);
    value->s.data = (uint8_t *)own_text(&f->file, text);
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

    value->list = new_message(&f->file, &tensorflow__attr_value__list_value__descriptor);
    value->list->n_i = items.rank;
    value->list->i = grab(&f->file, TENSOR_MAX_RANK, sizeof *value->list->i);
    memcpy(value->list->i, items.dims, sizeof items.dims);
    return node;
}

#define set_ints(f, node, key, ...) set_list(f, node, key, DIMS(__VA_ARGS__))

static inline Tensorflow__TensorShapeProto *shape_message(struct tf_file *f, struct shape shape)
{
    Tensorflow__TensorShapeProto *message = new_message(&f->file, &tensorflow__tensor_shape_proto__descriptor);

    message->n_dim = shape.rank;
    message->dim = grab(&f->file, TENSOR_MAX_RANK, sizeof *message->dim);
    for (size_t i = 0; i < shape.rank; i++) {
        message->dim[i] = new_message(&f->file, &tensorflow__tensor_shape_proto__dim__descriptor);
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
    Tensorflow__TensorProto *tensor = new_message(&f->file, &tensorflow__tensor_proto__descriptor);

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
    tensor->float_val = grab(&f->file, n, sizeof *items);
    memcpy(tensor->float_val, items, n * sizeof *items);
    return tensor;
}

static inline Tensorflow__TensorProto *add_int_list(struct tf_file *f, const char *name, struct shape shape,
                                                    const int32_t *items, size_t n)
{
    Tensorflow__TensorProto *tensor = add_tensor(f, name, TYPE_INT32, shape);

    tensor->n_int_val = n;
    tensor->int_val = grab(&f->file, n, sizeof *items);
    memcpy(tensor->int_val, items, n * sizeof *items);
    return tensor;
}

#define LIST(type, ...)                 ((const type[]){__VA_ARGS__}), sizeof((const type[]){__VA_ARGS__}) / sizeof(type)
#define add_floats(f, name, shape, ...) add_float_list(f, name, shape, LIST(float, __VA_ARGS__))
#define add_ints(f, name, shape, ...)   add_int_list(f, name, shape, LIST(int32_t, __VA_ARGS__))
#define SCALAR                          ((struct shape){0})

#endif
