/* tf_build.c — inputs of a node of the file as constants and axes; nodes and constants of our graph. */
#include "formats/tensorflow/tf_import.h"

#include <math.h>
#include <string.h>

/* --- inputs --- */

bool tf_is_constant(const struct tf_import *in, const struct tf_node *node, size_t slot)
{
    return slot < node->n_inputs && in->graph->values[node->inputs[slot].value].is_constant;
}

int tf_constant(const struct tf_import *in, const struct tf_node *node, size_t slot, struct tensor *out,
                struct error *err)
{
    if (slot >= node->n_inputs)
        return error_set(err, EX_DATAERR, "input %zu is missing", slot);
    if (!graph_constant(in->graph, node->inputs[slot].value, out))
        return error_set(err, EX_UNAVAILABLE, "expected a constant as input %zu, found \"%s\", computed at run time",
                         slot, in->graph->values[node->inputs[slot].value].name);
    return 0;
}

int tf_constant_ints(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t *out, size_t max,
                     size_t *n, struct error *err)
{
    struct tensor tensor;
    int64_t elements;

    if (tf_constant(in, node, slot, &tensor, err) != 0)
        return -1;
    elements = shape_elements(&tensor.shape);
    if (tensor.dtype != DTYPE_INT64 || elements < 0 || (size_t)elements > max)
        return error_set(err, EX_DATAERR, "expected at most %zu integers as input %zu, found %lld elements of %s", max,
                         slot, (long long)elements, dtype_name(tensor.dtype));
    *n = (size_t)elements;
    for (size_t i = 0; i < *n; i++)
        out[i] = tensor_integer(&tensor, i);
    return 0;
}

int tf_constant_int(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t *out,
                    struct error *err)
{
    size_t n;

    if (tf_constant_ints(in, node, slot, out, 1, &n, err) != 0)
        return -1;
    return n == 1 ? 0 : error_set(err, EX_DATAERR, "expected one integer as input %zu, found none", slot);
}

int tf_constant_number(const struct tf_import *in, const struct tf_node *node, size_t slot, float *out,
                       struct error *err)
{
    struct tensor tensor;

    if (tf_constant(in, node, slot, &tensor, err) != 0)
        return -1;
    if (shape_elements(&tensor.shape) != 1)
        return error_set(err, EX_UNAVAILABLE, "expected one number as input %zu, found %lld", slot,
                         (long long)shape_elements(&tensor.shape));
    *out = (float)tensor_real(&tensor, 0);
    if (isnan(*out))
        return error_set(err, EX_DATAERR, "input %zu is not a number", slot);
    return 0;
}

int tf_axis(int64_t axis, size_t rank, size_t *out, struct error *err)
{
    int64_t n = (int64_t)rank;

    if (axis < -n || axis >= n)
        return error_set(err, EX_DATAERR, "axis %lld lies outside the %zu axes there are", (long long)axis, rank);
    *out = (size_t)(axis < 0 ? axis + n : axis);
    return 0;
}

/* --- outputs --- */

/* A few bytes of a file (one more part of a Split) become a node of about a kilobyte: 64 MiB of them, six times the
 * nodes of the largest network we know. */
enum { MAX_NODES = 1 << 16 };

int tf_create_outputs(struct tf_import *in, struct tf_node *node, size_t n, struct error *err)
{
    if (n > MAX_NODES)
        return error_set(err, EX_UNAVAILABLE, "%zu outputs are more than %d", n, MAX_NODES);
    node->outputs = arena_create_array(in->graph->arena, n, sizeof *node->outputs, err);
    if (node->outputs == NULL)
        return -1;
    node->n_outputs = n;
    for (size_t i = 0; i < n; i++)
        node->outputs[i].value = GRAPH_NONE;
    return 0;
}

static const char *free_node_name(struct tf_import *in, const char *wanted, struct error *err)
{
    const char *name = wanted;

    /* the count of nodes is part of the name, so the second try nearly always finds a free one */
    for (size_t n = in->graph->n_nodes; name != NULL && graph_find_node(in->graph, name) != GRAPH_NONE; n++)
        name = arena_format(in->graph->arena, err, "%s_%zu", wanted, n);
    return name;
}

const char *tf_free_name(struct tf_import *in, const char *node, const char *step, struct error *err)
{
    const char *name = arena_format(in->graph->arena, err, "%s/%s", node, step);
    struct tf_edge taken; /* by a node that is still to come */

    for (size_t n = in->graph->n_values;
         name != NULL && (graph_find_value(in->graph, name) != GRAPH_NONE || tf_names_find(&in->names, name, &taken));
         n++)
        name = arena_format(in->graph->arena, err, "%s/%s_%zu", node, step, n);
    return name;
}

/* Names of the node and of the value it produces; output 0 is called like the file's node, output 2 "node:2". */
static int choose_names(struct tf_import *in, const struct tf_node *node, const struct tf_result *result,
                        const char **node_name, const char **value_name, struct error *err)
{
    const char *name = node->proto->name;

    if (result->step != NULL) {
        name = result->of == NULL ? name : result->of;
        *node_name = arena_format(in->graph->arena, err, "%s/%s", name, result->step);
        *value_name = tf_free_name(in, name, result->step, err);
    } else {
        *node_name = *value_name =
            result->port == 0 ? name : arena_format(in->graph->arena, err, "%s:%zu", name, result->port);
    }
    if (*node_name == NULL || *value_name == NULL)
        return -1;
    *node_name = free_node_name(in, *node_name, err);
    return *node_name == NULL ? -1 : 0;
}

int tf_add(struct tf_import *in, const struct tf_node *node, const struct node *draft, const struct tf_result *result,
           struct error *err)
{
    struct graph *graph = in->graph;
    const char *node_name, *value_name;
    int value, index;

    if (graph->n_nodes >= MAX_NODES)
        return error_set(err, EX_UNAVAILABLE, "the graph has more than %d nodes", MAX_NODES);
    if (choose_names(in, node, result, &node_name, &value_name, err) != 0)
        return -1;
    value = graph_add_value(graph, value_name, result->dtype, result->shape, err);
    if (value < 0)
        return -1;
    index =
        graph_add_node(graph, draft->op, node_name, node->proto->op, draft->inputs, draft->n_inputs, &value, 1, err);
    if (index < 0)
        return -1;
    graph->nodes[index].attr = draft->attr;
    if (graph_fold_node(graph, index, err) != 0) {
        in->is_located = true; /* the message names the node already */
        return -1;
    }
    return value;
}

int tf_add_step(struct tf_import *in, const struct tf_node *node, const struct node *draft, const char *step,
                struct error *err)
{
    return tf_add(in, node, draft, &(struct tf_result){.step = step}, err);
}

int tf_finish(struct tf_import *in, struct tf_node *node, const struct node *draft, const struct tf_order *order,
              struct error *err)
{
    int value = tf_add(in, node, draft, &(struct tf_result){0}, err);

    if (value < 0)
        return -1;
    node->outputs[0] = (struct tf_tensor){.value = value, .order = order == NULL ? tf_plain_order() : *order};
    return 0;
}

int tf_add_reshape(struct tf_import *in, const struct tf_node *node, int value, const struct shape *shape,
                   const char *step, size_t port, struct error *err)
{
    struct node draft = {.op = OP_RESHAPE, .inputs = &value, .n_inputs = 1};

    return tf_add(
        in, node, &draft,
        &(struct tf_result){.port = port, .step = step, .shape = shape, .dtype = in->graph->values[value].dtype}, err);
}

/* --- constants --- */

int tf_add_constant(struct tf_import *in, const struct tf_node *node, const char *what, enum dtype dtype,
                    const struct shape *shape, void **data, struct error *err)
{
    const char *name = what == NULL ? node->proto->name : tf_free_name(in, node->proto->name, what, err);

    return name == NULL ? -1 : graph_create_constant(in->graph, name, dtype, shape, data, err);
}

int tf_finish_ints(struct tf_import *in, struct tf_node *node, const struct shape *shape, const int64_t *items,
                   struct error *err)
{
    size_t n = (size_t)shape_elements(shape);
    void *data;
    int value = tf_add_constant(in, node, NULL, DTYPE_INT64, shape, &data, err);

    if (value < 0)
        return -1;
    if (n > 0)
        memcpy(data, items, n * sizeof *items);
    node->outputs[0] = (struct tf_tensor){.value = value, .order = tf_plain_order()};
    return 0;
}
