/* tf_write.c — nodes, attributes and constants of a GraphDef; see tf_write.h. */
#define _GNU_SOURCE /* tdestroy */
#include "formats/tensorflow/tf_write.h"

#include "common/memory.h"

#include <ctype.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(void *name)
{
    (void)name; /* the arena's */
}

void tf_writer_fini(struct tf_writer *w)
{
    tdestroy(w->names, keep);
    free(w->nodes);
    arena_destroy(w->arena);
    *w = (struct tf_writer){0};
}

void tf_cannot(struct tf_writer *w, const char *format, ...)
{
    va_list args;

    if (w->err.code != 0)
        return;
    va_start(args, format);
    error_setv(&w->err, EX_UNAVAILABLE, format, args);
    va_end(args);
}

static void *create(struct tf_writer *w, size_t n, size_t size)
{
    return w->err.code != 0 ? NULL : arena_create_array(w->arena, n, size, &w->err);
}

static char *copy_text(struct tf_writer *w, const char *text)
{
    return w->err.code != 0 ? NULL : arena_copy_string(w->arena, text, &w->err);
}

/* ---- names ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* [A-Za-z0-9.][A-Za-z0-9_.\\/-]*, which TensorFlow insists on. */
static char *make_legal(struct tf_writer *w, const char *wanted)
{
    char *name =
        w->err.code != 0 ? NULL : arena_format(w->arena, &w->err, "%s%s", wanted[0] == '\0' ? "value" : "", wanted);

    for (size_t i = 0; name != NULL && name[i] != '\0'; i++) {
        bool is_letter = isascii((unsigned char)name[i]) && isalnum((unsigned char)name[i]);

        if (!is_letter && (i == 0 ? name[i] != '.' : strchr("_.\\/-", name[i]) == NULL))
            name[i] = i == 0 ? 'v' : '_';
    }
    return name;
}

static const char *unique_name(struct tf_writer *w, const char *wanted)
{
    char *legal = make_legal(w, wanted), *name = legal;

    while (name != NULL && tfind(name, &w->names, compare) != NULL)
        name = arena_format(w->arena, &w->err, "%s_%zu", legal, ++w->n_made_up);
    if (name != NULL && tsearch(name, &w->names, compare) == NULL)
        error_set(&w->err, EX_OSERR, "cannot allocate a name");
    return name == NULL ? "" : name;
}

bool tf_claim_name(struct tf_writer *w, const char *name)
{
    char *copy = tfind(name, &w->names, compare) != NULL ? NULL : copy_text(w, name);

    if (copy != NULL && tsearch(copy, &w->names, compare) == NULL)
        error_set(&w->err, EX_OSERR, "cannot allocate a name");
    return copy != NULL && w->err.code == 0;
}

const char *tf_name_near(struct tf_writer *w, const char *base, const char *what)
{
    char *wanted = w->err.code != 0 ? NULL : arena_format(w->arena, &w->err, "%s/%s", base, what);

    return wanted == NULL ? "" : unique_name(w, wanted);
}

const char *tf_take_name(struct tf_writer *w, int value)
{
    const char *name = w->wanted[value];

    w->wanted[value] = NULL;
    return name != NULL ? name : tf_name_near(w, w->graph->values[value].name, "again");
}

/* All values' names, before any other is made up; outputs first, should two become the same when they are made legal.
 */
static int keep_names(struct tf_writer *w)
{
    const struct graph *graph = w->graph;

    for (size_t i = 0; i < graph->n_outputs; i++)
        if (w->wanted[graph->outputs[i]] == NULL)
            w->wanted[graph->outputs[i]] = unique_name(w, graph->values[graph->outputs[i]].name);
    for (size_t v = 0; v < graph->n_values; v++)
        if (w->wanted[v] == NULL)
            w->wanted[v] = unique_name(w, graph->values[v].name);
    return w->err.code == 0 ? 0 : -1;
}

int tf_writer_init(struct tf_writer *w, const struct graph *graph, struct error *err)
{
    *w = (struct tf_writer){.graph = graph, .arena = arena_create(err)};
    if (w->arena == NULL)
        return -1;
    w->forms = arena_create_array(w->arena, graph->n_values, sizeof *w->forms, err);
    w->wanted = w->forms == NULL ? NULL : arena_create_array(w->arena, graph->n_values, sizeof *w->wanted, err);
    w->begin = w->wanted == NULL ? NULL : arena_create_array(w->arena, graph->n_nodes + 1, sizeof *w->begin, err);
    if (w->begin == NULL)
        return -1;
    if (keep_names(w) == 0)
        return 0;
    *err = w->err;
    return -1;
}

int tf_writer_adopt(struct tf_writer *w, const Tensorflow__GraphDef *file, struct error *err)
{
    *w = (struct tf_writer){.origin = file, .arena = arena_create(err)};
    if (w->arena == NULL)
        return -1;
    for (size_t i = 0; i < file->n_node; i++)
        tf_put_node(w, file->node[i]);
    if (w->err.code == 0)
        return 0;
    *err = w->err;
    return -1;
}

void tf_release_names(struct tf_writer *w)
{
    tdestroy(w->names, keep);
    w->names = NULL;
    w->n_made_up = 0;
    for (size_t i = 0; i < w->n_nodes && w->err.code == 0; i++)
        tf_claim_name(w, w->nodes[i]->name);
}

/* ---- nodes and attributes ---- */

void tf_put_node(struct tf_writer *w, Tensorflow__NodeDef *node)
{
    if (w->err.code == 0 &&
        memory_grow((void **)&w->nodes, &w->capacity, w->n_nodes, sizeof *w->nodes, "a GraphDef", &w->err) == 0)
        w->nodes[w->n_nodes++] = node;
}

const char *tf_put(struct tf_writer *w, const char *op, const char *name, const char *const *inputs, size_t n)
{
    Tensorflow__NodeDef *node = create(w, 1, sizeof *node);

    if (node == NULL)
        return "";
    tensorflow__node_def__init(node);
    node->op = copy_text(w, op);
    node->name = copy_text(w, name);
    node->n_input = n;
    node->input = create(w, n, sizeof *node->input);
    for (size_t i = 0; w->err.code == 0 && i < n; i++)
        node->input[i] = copy_text(w, inputs[i]);
    tf_put_node(w, node);
    return name;
}

const char *tf_name_result(struct tf_writer *w, int value, const char *y)
{
    const char *name;

    if (w->err.code != 0)
        return "";
    name = tf_take_name(w, value);
    if (strcmp(w->nodes[w->n_nodes - 1]->name, y) == 0) {
        tdelete(y, &w->names, compare);
        w->nodes[w->n_nodes - 1]->name = copy_text(w, name);
    } else {
        tf_put(w, "Identity", name, TF_INPUTS(y));
        tf_put_type(w, "T", TF_FLOAT);
    }
    return name;
}

/* An attribute of the latest node. */
static void put_entry(struct tf_writer *w, const char *key, Tensorflow__AttrValue *value)
{
    enum { MOST = 12 };
    Tensorflow__AttrEntry *entry = create(w, 1, sizeof *entry);
    Tensorflow__NodeDef *node = w->err.code != 0 ? NULL : w->nodes[w->n_nodes - 1];

    if (entry == NULL || node == NULL)
        return;
    if (node->attr == NULL)
        node->attr = create(w, MOST, sizeof *node->attr);
    if (node->attr == NULL)
        return;
    tensorflow__attr_entry__init(entry);
    entry->key = copy_text(w, key);
    entry->value = value;
    node->attr[node->n_attr++] = entry;
}

static Tensorflow__AttrValue *put_attribute(struct tf_writer *w, const char *key, Tensorflow__AttrValue__ValueCase kind)
{
    Tensorflow__AttrValue *value = create(w, 1, sizeof *value);

    if (value == NULL)
        return NULL;
    tensorflow__attr_value__init(value);
    value->value_case = kind;
    put_entry(w, key, value);
    return w->err.code != 0 ? NULL : value;
}

void tf_put_type(struct tf_writer *w, const char *key, int32_t type)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_TYPE);

    if (v != NULL)
        v->type = type;
}

void tf_put_int(struct tf_writer *w, const char *key, int64_t value)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_I);

    if (v != NULL)
        v->i = value;
}

void tf_put_float(struct tf_writer *w, const char *key, float value)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_F);

    if (v != NULL)
        v->f = value;
}

void tf_put_bool(struct tf_writer *w, const char *key, bool value)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_B);

    if (v != NULL)
        v->b = value;
}

void tf_put_text(struct tf_writer *w, const char *key, const char *value)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_S);

    if (v != NULL)
        v->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)copy_text(w, value)};
}

void tf_put_ints(struct tf_writer *w, const char *key, const int64_t *values, size_t n)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_LIST);
    Tensorflow__AttrValue__ListValue *list = create(w, 1, sizeof *list);

    if (v == NULL || list == NULL)
        return;
    tensorflow__attr_value__list_value__init(list);
    list->n_i = n;
    list->i = create(w, n, sizeof *list->i);
    if (list->i != NULL)
        memcpy(list->i, values, n * sizeof *values);
    v->list = list;
}

void tf_put_floats(struct tf_writer *w, const char *key, const float *values, size_t n)
{
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_LIST);
    Tensorflow__AttrValue__ListValue *list = create(w, 1, sizeof *list);

    if (v == NULL || list == NULL)
        return;
    tensorflow__attr_value__list_value__init(list);
    list->n_f = n;
    list->f = create(w, n, sizeof *list->f);
    if (list->f != NULL)
        memcpy(list->f, values, n * sizeof *values);
    v->list = list;
}

void tf_put_same(struct tf_writer *w, const char *key, const Tensorflow__NodeDef *node)
{
    for (size_t i = 0; i < node->n_attr; i++)
        if (strcmp(node->attr[i]->key, key) == 0)
            put_entry(w, key, node->attr[i]->value);
}

/* open_first: axis 0 may have any length. */
static Tensorflow__TensorShapeProto *make_shape(struct tf_writer *w, const int64_t *dims, size_t rank, bool open_first)
{
    Tensorflow__TensorShapeProto *shape = create(w, 1, sizeof *shape);
    Tensorflow__TensorShapeProto__Dim *items = create(w, rank, sizeof *items);

    if (shape == NULL || items == NULL)
        return NULL;
    tensorflow__tensor_shape_proto__init(shape);
    shape->n_dim = rank;
    shape->dim = create(w, rank, sizeof *shape->dim);
    for (size_t i = 0; shape->dim != NULL && i < rank; i++) {
        tensorflow__tensor_shape_proto__dim__init(&items[i]);
        items[i].has_size = 1;
        items[i].size = open_first && i == 0 ? -1 : dims[i];
        shape->dim[i] = &items[i];
    }
    return shape;
}

void tf_put_shape(struct tf_writer *w, const char *key, const struct shape *shape)
{
    Tensorflow__TensorShapeProto *message = make_shape(w, shape->dims, shape->rank, !w->graph->is_unbatched);
    Tensorflow__AttrValue *v = put_attribute(w, key, TENSORFLOW__ATTR_VALUE__VALUE_SHAPE);

    if (v != NULL)
        v->shape = message;
}

/* ---- constants ---- */

/* data is borrowed until tf_writer_fini. */
static const char *put_constant(struct tf_writer *w, const char *name, int32_t type, const int64_t *dims, size_t rank,
                                const void *data, size_t bytes)
{
    Tensorflow__TensorShapeProto *shape = make_shape(w, dims, rank, false);
    Tensorflow__TensorProto *tensor = create(w, 1, sizeof *tensor);
    Tensorflow__AttrValue *value;

    name = tf_put(w, "Const", name, NULL, 0);
    tf_put_type(w, "dtype", type);
    value = put_attribute(w, "value", TENSORFLOW__ATTR_VALUE__VALUE_TENSOR);
    if (value == NULL)
        return "";
    tensorflow__tensor_proto__init(tensor);
    tensor->has_dtype = 1;
    tensor->dtype = type;
    tensor->tensor_shape = shape;
    tensor->has_tensor_content = 1;
    tensor->tensor_content = (ProtobufCBinaryData){bytes, (uint8_t *)(uintptr_t)data}; /* protobuf-c has no const */
    value->tensor = tensor;
    return name;
}

const char *tf_const_data(struct tf_writer *w, const char *name, int32_t type, const struct shape *shape,
                          const void *data, size_t bytes)
{
    return put_constant(w, name, type, shape->dims, shape->rank, data, bytes);
}

static const char *put_near(struct tf_writer *w, const char *base, int32_t type, const int64_t *dims, size_t rank,
                            const void *data, size_t bytes)
{
    return put_constant(w, tf_name_near(w, base, "const"), type, dims, rank, data, bytes);
}

const char *tf_const_value(struct tf_writer *w, int value, const struct shape *shape, const float *data)
{
    return put_constant(w, w->err.code != 0 ? "" : tf_take_name(w, value), TF_FLOAT, shape->dims, shape->rank, data,
                        (size_t)shape_elements(shape) * sizeof *data);
}

const char *tf_const_floats(struct tf_writer *w, const char *base, const struct shape *shape, const float *data)
{
    return put_near(w, base, TF_FLOAT, shape->dims, shape->rank, data, (size_t)shape_elements(shape) * sizeof *data);
}

const char *tf_const_scalar(struct tf_writer *w, const char *base, float value)
{
    float *copy = create(w, 1, sizeof *copy);

    if (copy == NULL)
        return "";
    *copy = value;
    return put_near(w, base, TF_FLOAT, NULL, 0, copy, sizeof *copy);
}

static const char *put_ints(struct tf_writer *w, const char *base, const int64_t *values, const int64_t *dims,
                            size_t rank)
{
    size_t n = (size_t)(dims[0] * (rank == 2 ? dims[1] : 1));
    int32_t *narrow = create(w, n, sizeof *narrow);

    for (size_t i = 0; narrow != NULL && i < n; i++) {
        narrow[i] = (int32_t)values[i];
        if (narrow[i] != values[i])
            tf_cannot(w, "%lld is more than an int32 holds", (long long)values[i]);
    }
    return narrow == NULL ? "" : put_near(w, base, TF_INT32, dims, rank, narrow, n * sizeof *narrow);
}

const char *tf_const_ints(struct tf_writer *w, const char *base, const int64_t *values, size_t n)
{
    return put_ints(w, base, values, (const int64_t[]){(int64_t)n}, 1);
}

const char *tf_const_pairs(struct tf_writer *w, const char *base, const int64_t *values, size_t n)
{
    return put_ints(w, base, values, (const int64_t[]){(int64_t)n, 2}, 2);
}

const char *tf_const_index(struct tf_writer *w, const char *base, int64_t value)
{
    int32_t *narrow = create(w, 1, sizeof *narrow);

    if (narrow == NULL)
        return "";
    *narrow = (int32_t)value;
    return put_near(w, base, TF_INT32, NULL, 0, narrow, sizeof *narrow);
}

const char *tf_step(struct tf_writer *w, const char *op, const char *base, const char *const *inputs, size_t n)
{
    const char *name = tf_put(w, op, tf_name_near(w, base, op), inputs, n);

    tf_put_type(w, "T", TF_FLOAT);
    return name;
}

const char *tf_layer(struct tf_writer *w, const char *op, const char *base, const char *const *inputs, size_t n)
{
    const char *legal = make_legal(w, base), *name;

    if (legal == NULL)
        return "";
    name = tf_put(w, op, tf_claim_name(w, legal) ? legal : tf_name_near(w, base, op), inputs, n);
    tf_put_type(w, "T", TF_FLOAT);
    return name;
}

const char *tf_step_ints(struct tf_writer *w, const char *op, const char *base, const char *x, const int64_t *values,
                         size_t n, const char *type_key)
{
    const char *y = tf_step(w, op, base, TF_INPUTS(x, tf_const_ints(w, base, values, n)));

    tf_put_type(w, type_key, TF_INT32);
    return y;
}

const char *tf_step_reshape(struct tf_writer *w, const char *x, const struct shape *to, const char *base)
{
    struct shape open = *to;

    if (open.rank > 0 && !w->graph->is_unbatched)
        open.dims[0] = -1;
    return tf_step_ints(w, "Reshape", base, x, open.dims, open.rank, "Tshape");
}

const char *tf_batched_ints(struct tf_writer *w, const char *x, const int64_t *values, size_t n, const char *base)
{
    const char *shape = tf_step(w, "Shape", base, TF_INPUTS(x)), *batch, *list, *axis;

    tf_put_type(w, "out_type", TF_INT32);
    batch = tf_put(w, "StridedSlice", tf_name_near(w, base, "batch"),
                   TF_INPUTS(shape, tf_const_ints(w, base, (int64_t[]){0}, 1),
                             tf_const_ints(w, base, (int64_t[]){1}, 1), tf_const_ints(w, base, (int64_t[]){1}, 1)));
    tf_put_type(w, "T", TF_INT32);
    tf_put_type(w, "Index", TF_INT32);
    list = tf_const_ints(w, base, values, n);
    axis = tf_const_index(w, base, 0);
    list = tf_put(w, "ConcatV2", tf_name_near(w, base, "sizes"), TF_INPUTS(batch, list, axis));
    tf_put_type(w, "T", TF_INT32);
    tf_put_int(w, "N", 2);
    tf_put_type(w, "Tidx", TF_INT32);
    return list;
}

/* ---- the file ---- */

/* What the attributes mean: those of TensorFlow 1.15, which every later one, and the vendors' converters, read. */
enum { PRODUCER = 134, MIN_CONSUMER = 12 };

static int by_key(const void *a, const void *b)
{
    return strcmp((*(Tensorflow__AttrEntry *const *)a)->key, (*(Tensorflow__AttrEntry *const *)b)->key);
}

const ProtobufCMessage *tf_writer_finish(struct tf_writer *w, struct error *err)
{
    Tensorflow__GraphDef *file = create(w, 1, sizeof *file);
    Tensorflow__VersionDef *versions = create(w, 1, sizeof *versions);

    if (versions == NULL) {
        *err = w->err;
        return NULL;
    }
    tensorflow__graph_def__init(file);
    tensorflow__version_def__init(versions);
    versions->has_producer = versions->has_min_consumer = 1;
    versions->producer = PRODUCER;
    versions->min_consumer = MIN_CONSUMER;
    for (size_t i = 0; i < w->n_nodes; i++)
        if (w->nodes[i]->n_attr > 1)
            qsort(w->nodes[i]->attr, w->nodes[i]->n_attr, sizeof *w->nodes[i]->attr, by_key);
    file->versions = versions;
    if (w->origin != NULL)
        *file = *w->origin;
    file->n_node = w->n_nodes;
    file->node = w->nodes;
    return &file->base;
}
