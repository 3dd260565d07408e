/* import_graph.c — see import_graph.h. */
#include "formats/import_graph.h"

#include <math.h>
#include <string.h>

/* --- names --- */

/* Counting starts at the number of nodes or values, so that the second try nearly always finds a free name, and a file
 * full of equal names does not cost quadratic time. */

const char *import_node_name(struct graph *graph, const char *wanted, struct error *err)
{
    const char *name = wanted;

    for (size_t n = graph->n_nodes; name != NULL && graph_find_node(graph, name) != GRAPH_NONE; n++)
        name = arena_format(graph->arena, err, "%s_%zu", wanted, n);
    return name;
}

static bool is_taken(const struct graph *graph, const struct import_names *names, const char *name)
{
    return graph_find_value(graph, name) != GRAPH_NONE || (names->has != NULL && names->has(names->file, name));
}

const char *import_value_name(struct graph *graph, const struct import_names *names, const char *wanted,
                              struct error *err)
{
    const char *name = wanted;

    for (size_t n = graph->n_values; name != NULL && is_taken(graph, names, name); n++)
        name = arena_format(graph->arena, err, "%s_%zu", wanted, n);
    return name;
}

/* --- nodes --- */

int import_add_node(struct graph *graph, const struct import_node *node, bool *is_located, struct error *err)
{
    const struct node *draft = node->draft;
    const char *name;
    int value, index;

    if (graph->n_nodes >= IMPORT_MAX_NODES)
        return error_set(err, EX_UNAVAILABLE, "the graph has more than %d nodes", IMPORT_MAX_NODES);
    name = import_node_name(graph, node->name, err);
    if (name == NULL)
        return -1;
    value = graph_add_value(graph, node->value_name, node->dtype, node->shape, err);
    if (value < 0)
        return -1;
    index = graph_add_node(graph, draft->op, name, node->source_type, draft->inputs, draft->n_inputs, &value, 1, err);
    if (index < 0)
        return -1;
    graph->nodes[index].attr = draft->attr;
    if (graph_fold_node(graph, index, err) != 0) {
        *is_located = true;
        return -1;
    }
    return value;
}

int import_code_input(struct graph *graph, size_t n, const struct coding *coding, struct error *err)
{
    int value = graph->nodes[n].inputs[0], copy;
    const struct coding *before = graph->values[value].coding;

    if (before == NULL)
        graph->values[value].coding = coding;
    if (before == NULL || coding_equal(before, coding))
        return 0;
    copy = graph_add_value(graph, NULL, DTYPE_FLOAT32, &graph->values[value].shape, err);
    if (copy < 0 || graph_add_node(graph, OP_RESHAPE, NULL, graph->nodes[n].type, &value, 1, &copy, 1, err) < 0)
        return -1;
    graph->values[copy].coding = coding;
    graph->nodes[n].inputs[0] = copy;
    return 0;
}

int import_axis(int64_t axis, size_t rank, size_t *out, struct error *err)
{
    int64_t n = (int64_t)rank;

    if (axis < -n || axis >= n)
        return error_set(err, EX_DATAERR, "axis %lld does not exist: there are %zu axes", (long long)axis, rank);
    *out = (size_t)(axis < 0 ? axis + n : axis);
    return 0;
}

/* --- attributes --- */

int import_choice(const char *name, const void *text, size_t length, const char *const *choices, int *out,
                  struct error *err)
{
    for (int i = 0; choices[i] != NULL; i++)
        if (length == strlen(choices[i]) && memcmp(text, choices[i], length) == 0) {
            *out = i;
            return 0;
        }
    return error_set(err, EX_UNAVAILABLE, "attribute \"%s\": \"%.*s\" is not supported", name,
                     length > 64 ? 64 : (int)length, length == 0 ? "" : (const char *)text);
}

/* --- constants that parameterize a node --- */

int import_constant(const struct graph *graph, int value, size_t slot, struct tensor *out, struct error *err)
{
    if (value == GRAPH_NONE)
        return error_set(err, EX_DATAERR, "input %zu is missing", slot);
    if (!graph_constant(graph, value, out))
        return error_set(err, EX_UNAVAILABLE, "expected a constant as input %zu, found \"%s\", computed at run time",
                         slot, graph->values[value].name);
    return 0;
}

int import_integers(const struct tensor *tensor, size_t slot, int64_t *out, size_t max, size_t *n, struct error *err)
{
    int64_t elements = shape_elements(&tensor->shape);

    if (tensor->dtype != DTYPE_INT64 || elements < 0 || (size_t)elements > max)
        return error_set(err, EX_DATAERR, "expected at most %zu integers as input %zu, found %lld elements of %s", max,
                         slot, (long long)elements, dtype_name(tensor->dtype));
    *n = (size_t)elements;
    for (size_t i = 0; i < *n; i++)
        out[i] = tensor_integer(tensor, i);
    return 0;
}

int import_number(const struct tensor *tensor, size_t slot, int code, float *out, struct error *err)
{
    int64_t elements = shape_elements(&tensor->shape);

    if (elements != 1)
        return error_set(err, code, "expected one number as input %zu, found %lld", slot, (long long)elements);
    *out = (float)tensor_real(tensor, 0);
    if (isnan(*out))
        return error_set(err, EX_DATAERR, "input %zu is not a number", slot);
    return 0;
}

/* --- constants of the file --- */

int import_shape(const int64_t *dims, size_t rank, struct shape *out, struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (rank > TENSOR_MAX_RANK)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d axes, found %zu", TENSOR_MAX_RANK, rank);
    *out = (struct shape){.rank = rank};
    for (size_t i = 0; i < rank; i++)
        out->dims[i] = dims[i];
    if (shape_elements(out) < 0)
        return error_set(err, EX_DATAERR, "shape %s is negative or has more than 2^31 elements", shape_text(out, text));
    return 0;
}

void *import_create_data(struct graph *graph, struct import_budget *budget, size_t n, enum dtype dtype,
                         struct error *err)
{
    size_t bytes = n * dtype_size(dtype);

    if (bytes > budget->limit - budget->used) {
        error_set(err, EX_DATAERR,
                  "the constants of the model take more than %zu bytes, 64 times the size of what it is read from",
                  budget->limit);
        return NULL;
    }
    budget->used += bytes;
    return arena_create_array(graph->arena, n, dtype_size(dtype), err);
}
