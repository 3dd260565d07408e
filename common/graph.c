/* graph.c — building a graph and looking things up in it; see graph.h. */
#define _GNU_SOURCE /* tdestroy */
#include "common/graph_private.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum {
    DERIVED_FREE_BYTES = 64 << 20, /* scales and shifts of normalisations, shape arithmetic */
    DERIVED_PER_SOURCE = 16,       /* a weight is rewritten by a handful of passes */
    MAX_PORTS = 4096,              /* graph inputs, graph outputs, outputs of a node: they are searched one by one */
};

/* --- names --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

struct name_entry *names_find(void *const *tree, const char *name)
{
    struct name_entry key = {.name = name};
    struct name_entry *const *slot = tfind(&key, tree, compare_names);

    return slot == NULL ? NULL : *slot;
}

void names_remove(void **tree, const char *name)
{
    struct name_entry key = {.name = name};

    tdelete(&key, tree, compare_names); /* the entry itself stays in the arena */
}

int names_add(struct graph *graph, void **tree, const char *name, int index, struct error *err)
{
    struct name_entry *entry = arena_create_array(graph->arena, 1, sizeof *entry, err);

    if (entry == NULL)
        return -1;
    *entry = (struct name_entry){name, index};
    if (tsearch(entry, tree, compare_names) == NULL)
        return error_set(err, EX_OSERR, "cannot allocate memory for the name \"%s\"", name);
    return 0;
}

static void keep_entry(void *entry)
{
    (void)entry; /* it belongs to the arena */
}

/* A copy of `name`, or "<kind>_<n>" not yet in use. */
static const char *own_name(struct graph *graph, void *const *tree, const char *name, const char *kind,
                            struct error *err)
{
    if (name != NULL)
        return arena_copy_string(graph->arena, name, err);
    do {
        name = arena_format(graph->arena, err, "%s_%zu", kind, graph->n_unnamed++);
    } while (name != NULL && names_find(tree, name) != NULL);
    return name;
}

int graph_find_value(const struct graph *graph, const char *name)
{
    const struct name_entry *entry = names_find(&graph->value_names, name);

    return entry == NULL ? GRAPH_NONE : entry->index;
}

int graph_find_node(const struct graph *graph, const char *name)
{
    const struct name_entry *entry = names_find(&graph->node_names, name);

    return entry == NULL ? GRAPH_NONE : entry->index;
}

/* --- life --- */

struct graph *graph_create(const char *name, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct graph *graph = NULL;

    if (arena == NULL)
        return NULL;
    graph = arena_create_array(arena, 1, sizeof *graph, err);
    if (graph == NULL || (name = arena_copy_string(arena, name != NULL ? name : "", err)) == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    graph->arena = arena;
    graph->name = name;
    return graph;
}

void graph_destroy(struct graph *graph)
{
    if (graph == NULL)
        return;
    for (size_t i = 0; i < graph->n_kept; i++)
        bytes_free(&graph->kept[i]);
    free(graph->kept);
    free(graph->values);
    free(graph->nodes);
    free(graph->inputs);
    free(graph->outputs);
    tdestroy(graph->value_names, keep_entry);
    tdestroy(graph->node_names, keep_entry);
    arena_destroy(graph->arena); /* the graph itself goes with it */
}

int graph_keep_bytes(struct graph *graph, struct bytes *bytes, struct error *err)
{
    if (memory_grow((void **)&graph->kept, &graph->kept_capacity, graph->n_kept, sizeof *graph->kept, "kept files",
                    err) != 0) {
        bytes_free(bytes);
        return -1;
    }
    graph->kept[graph->n_kept++] = *bytes;
    *bytes = (struct bytes){0};
    return 0;
}

/* --- values --- */

int graph_add_value(struct graph *graph, const char *name, enum dtype dtype, const struct shape *shape_or_null,
                    struct error *err)
{
    struct value value = {.dtype = dtype, .producer = GRAPH_NONE};
    char text[SHAPE_TEXT_BYTES];
    int index = (int)graph->n_values;

    assert((unsigned)dtype < DTYPE_COUNT);
    if (name != NULL && graph_find_value(graph, name) != GRAPH_NONE)
        return error_set(err, EX_DATAERR, "two values are called \"%s\"", name);
    if (shape_or_null != NULL && shape_or_null->rank > TENSOR_MAX_RANK)
        return error_set(err, EX_DATAERR, "value \"%s\": expected at most %d axes, found %zu", name != NULL ? name : "",
                         TENSOR_MAX_RANK, shape_or_null->rank);
    if (shape_or_null != NULL && shape_elements(shape_or_null) < 0)
        return error_set(err, EX_DATAERR, "value \"%s\": shape %s is negative or has more than 2^31 elements",
                         name != NULL ? name : "", shape_text(shape_or_null, text));
    if (graph->n_values >= INT32_MAX)
        return error_set(err, EX_DATAERR, "a graph of more than 2^31 values");
    if (memory_grow((void **)&graph->values, &graph->values_capacity, graph->n_values, sizeof value, "values", err) !=
            0 ||
        (value.name = own_name(graph, &graph->value_names, name, "value", err)) == NULL ||
        names_add(graph, &graph->value_names, value.name, index, err) != 0)
        return -1;
    if (shape_or_null != NULL) {
        value.shape = *shape_or_null;
        value.has_shape = true;
    }
    graph->values[graph->n_values++] = value;
    return index;
}

void graph_set_constant(struct graph *graph, int index, const struct tensor *tensor)
{
    struct value *value = &graph->values[index];

    value->dtype = tensor->dtype;
    value->shape = tensor->shape;
    value->has_shape = true;
    value->is_constant = true;
    value->data = tensor->data;
    value->producer = GRAPH_NONE;
}

int graph_add_constant(struct graph *graph, const char *name, const struct tensor *borrowed, struct error *err)
{
    int index = graph_add_value(graph, name, borrowed->dtype, &borrowed->shape, err);

    if (index < 0)
        return -1;
    assert(borrowed->data != NULL || shape_elements(&borrowed->shape) == 0);
    graph_set_constant(graph, index, borrowed);
    graph->source_bytes += (size_t)shape_elements(&borrowed->shape) * dtype_size(borrowed->dtype);
    return index;
}

void *graph_create_data(struct graph *graph, enum dtype dtype, const struct shape *shape, struct error *err)
{
    int64_t elements = shape_elements(shape);
    char text[SHAPE_TEXT_BYTES];
    size_t bytes, allowed;

    if (elements < 0) {
        error_set(err, EX_DATAERR, "a constant of shape %s is negative or has more than 2^31 elements",
                  shape_text(shape, text));
        return NULL;
    }
    bytes = (size_t)elements * dtype_size(dtype); /* at most 2^34 */
    allowed = DERIVED_FREE_BYTES + DERIVED_PER_SOURCE * graph->source_bytes;
    if (graph->derived_bytes + bytes > allowed) {
        error_set(
            err, EX_DATAERR,
            "a constant of shape %s (%zu bytes): what is computed from the file's constants would exceed %zu bytes",
            shape_text(shape, text), bytes, allowed);
        return NULL;
    }
    graph->derived_bytes += bytes;
    return arena_create_array(graph->arena, (size_t)elements, dtype_size(dtype), err);
}

int graph_create_constant(struct graph *graph, const char *name, enum dtype dtype, const struct shape *shape,
                          void **data, struct error *err)
{
    struct tensor tensor = {dtype, *shape, graph_create_data(graph, dtype, shape, err)};
    int index = tensor.data == NULL ? -1 : graph_add_value(graph, name, dtype, shape, err);

    if (index < 0)
        return -1;
    graph_set_constant(graph, index, &tensor);
    *data = (void *)(uintptr_t)tensor.data; /* ours: the const is for those who borrow it */
    return index;
}

bool graph_constant(const struct graph *graph, int index, struct tensor *out)
{
    const struct value *value = index == GRAPH_NONE ? NULL : &graph->values[index];

    if (value == NULL || !value->is_constant)
        return false;
    *out = (struct tensor){value->dtype, value->shape, value->data};
    return true;
}

/* --- inputs and outputs --- */

static bool has_index(const int *indices, size_t n, int index)
{
    for (size_t i = 0; i < n; i++)
        if (indices[i] == index)
            return true;
    return false;
}

int graph_add_input(struct graph *graph, int value, struct error *err)
{
    const struct value *added = &graph->values[value];

    if (has_index(graph->inputs, graph->n_inputs, value))
        return error_set(err, EX_DATAERR, "value \"%s\" is a graph input twice", added->name);
    if (added->is_constant || added->producer != GRAPH_NONE)
        return error_set(err, EX_DATAERR, "value \"%s\" is a graph input and also %s%s", added->name,
                         added->is_constant ? "a constant" : "produced by node ",
                         added->is_constant ? "" : graph->nodes[added->producer].name);
    if (graph->n_inputs >= MAX_PORTS)
        return error_set(err, EX_DATAERR, "expected at most %d graph inputs, found more", MAX_PORTS);
    if (memory_grow((void **)&graph->inputs, &graph->inputs_capacity, graph->n_inputs, sizeof *graph->inputs,
                    "graph inputs", err) != 0)
        return -1;
    graph->inputs[graph->n_inputs] = value;
    return (int)graph->n_inputs++;
}

int graph_add_output(struct graph *graph, int value, struct error *err)
{
    if (has_index(graph->outputs, graph->n_outputs, value))
        return error_set(err, EX_DATAERR, "value \"%s\" is a graph output twice", graph->values[value].name);
    if (graph->n_outputs >= MAX_PORTS)
        return error_set(err, EX_DATAERR, "expected at most %d graph outputs, found more", MAX_PORTS);
    if (memory_grow((void **)&graph->outputs, &graph->outputs_capacity, graph->n_outputs, sizeof *graph->outputs,
                    "graph outputs", err) != 0)
        return -1;
    graph->outputs[graph->n_outputs] = value;
    return (int)graph->n_outputs++;
}

bool graph_is_output(const struct graph *graph, int value)
{
    return has_index(graph->outputs, graph->n_outputs, value);
}

/* --- nodes --- */

/* Each output must be a value that nothing else defines. */
static int check_outputs(const struct graph *graph, const char *name, const int *outputs, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct value *value = &graph->values[outputs[i]];

        if (has_index(outputs, i, outputs[i]))
            return error_set(err, EX_DATAERR, "node \"%s\" produces value \"%s\" twice", name, value->name);
        if (value->producer != GRAPH_NONE)
            return error_set(err, EX_DATAERR, "value \"%s\" is produced by node \"%s\" and by node \"%s\"", value->name,
                             graph->nodes[value->producer].name, name);
        if (value->is_constant || has_index(graph->inputs, graph->n_inputs, outputs[i]))
            return error_set(err, EX_DATAERR, "value \"%s\" is produced by node \"%s\" and is %s", value->name, name,
                             value->is_constant ? "a constant" : "a graph input");
    }
    return 0;
}

static int *copy_indices(struct graph *graph, const int *indices, size_t n, struct error *err)
{
    int *copy = arena_create_array(graph->arena, n, sizeof *copy, err);

    if (copy != NULL && n > 0)
        memcpy(copy, indices, n * sizeof *copy);
    return copy;
}

int graph_add_node(struct graph *graph, enum op op, const char *name, const char *type, const int *inputs,
                   size_t n_inputs, const int *outputs, size_t n_outputs, struct error *err)
{
    struct node node = {.op = op, .n_inputs = n_inputs, .n_outputs = n_outputs};
    int index = (int)graph->n_nodes, twin = name == NULL ? GRAPH_NONE : graph_find_node(graph, name);

    assert((unsigned)op < OP_COUNT && n_outputs > 0);
    for (size_t i = 0; i < n_inputs; i++)
        assert(inputs[i] >= GRAPH_NONE && inputs[i] < (int)graph->n_values);
    if (type == NULL)
        type = op_name(op);
    if (twin != GRAPH_NONE)
        return error_set(err, EX_DATAERR, "two nodes are called \"%s\": a %s and a %s", name, graph->nodes[twin].type,
                         type);
    if (n_outputs > MAX_PORTS)
        return error_set(err, EX_DATAERR, "node \"%s\": expected at most %d outputs, found %zu",
                         name != NULL ? name : "", MAX_PORTS, n_outputs);
    if (graph->n_nodes >= INT32_MAX)
        return error_set(err, EX_DATAERR, "a graph of more than 2^31 nodes");
    if (memory_grow((void **)&graph->nodes, &graph->nodes_capacity, graph->n_nodes, sizeof node, "nodes", err) != 0 ||
        (node.name = own_name(graph, &graph->node_names, name, op_name(op), err)) == NULL ||
        check_outputs(graph, node.name, outputs, n_outputs, err) != 0 ||
        (node.type = arena_copy_string(graph->arena, type, err)) == NULL ||
        (node.inputs = copy_indices(graph, inputs, n_inputs, err)) == NULL ||
        (node.outputs = copy_indices(graph, outputs, n_outputs, err)) == NULL ||
        names_add(graph, &graph->node_names, node.name, index, err) != 0)
        return -1;
    for (size_t i = 0; i < n_outputs; i++)
        graph->values[outputs[i]].producer = index;
    graph->nodes[graph->n_nodes++] = node;
    return index;
}

size_t graph_count_consumers(const struct graph *graph, int value)
{
    size_t n = graph_is_output(graph, value) ? 1 : 0;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];

        n += !node->is_removed && has_index(node->inputs, node->n_inputs, value);
    }
    return n;
}

void graph_replace_uses(struct graph *graph, int from, int to)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == from)
                graph->nodes[i].inputs[j] = to;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == from)
            graph->outputs[i] = to;
}

/* --- codes --- */

float coding_threshold(const struct coding *coding, size_t channel)
{
    return (float)code_range_steps(coding->codes) * coding->scale[channel];
}

bool coding_equal(const struct coding *a, const struct coding *b)
{
    return a->codes.lo == b->codes.lo && a->codes.hi == b->codes.hi && a->codes.zero_point == b->codes.zero_point &&
           a->n_scales == b->n_scales && (a->n_scales == 1 || a->axis == b->axis) &&
           memcmp(a->scale, b->scale, a->n_scales * sizeof *a->scale) == 0;
}
