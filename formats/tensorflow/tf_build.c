/* tf_build.c — inputs of a node of the file as constants and axes; nodes and constants of our graph. */
#include "formats/tensorflow/tf_import.h"

#include <string.h>

/* --- inputs --- */

bool tf_is_constant(const struct tf_import *in, const struct tf_node *node, size_t slot)
{
    return slot < node->n_inputs && in->graph->values[node->inputs[slot].value].is_constant;
}

int tf_constant(const struct tf_import *in, const struct tf_node *node, size_t slot, struct tensor *out,
                struct error *err)
{
    return import_constant(in->graph, slot < node->n_inputs ? node->inputs[slot].value : GRAPH_NONE, slot, out, err);
}

int tf_constant_ints(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t *out, size_t max,
                     size_t *n, struct error *err)
{
    struct tensor tensor;

    return tf_constant(in, node, slot, &tensor, err) != 0 ? -1 : import_integers(&tensor, slot, out, max, n, err);
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

    return tf_constant(in, node, slot, &tensor, err) != 0 ? -1 : import_number(&tensor, slot, EX_UNAVAILABLE, out, err);
}

/* --- outputs --- */

int tf_create_outputs(struct tf_import *in, struct tf_node *node, size_t n, struct error *err)
{
    if (n > IMPORT_MAX_NODES)
        return error_set(err, EX_UNAVAILABLE, "%zu outputs are more than %d", n, IMPORT_MAX_NODES);
    node->outputs = arena_create_array(in->graph->arena, n, sizeof *node->outputs, err);
    if (node->outputs == NULL)
        return -1;
    node->n_outputs = n;
    for (size_t i = 0; i < n; i++)
        node->outputs[i].value = GRAPH_NONE;
    return 0;
}

static bool is_node(const void *names, const char *name)
{
    struct tf_edge edge;

    return tf_names_find(names, name, &edge);
}

const char *tf_free_name(struct tf_import *in, const char *node, const char *step, struct error *err)
{
    const struct import_names names = {is_node, &in->names};

    return import_value_name(in->graph, &names, arena_format(in->graph->arena, err, "%s/%s", node, step), err);
}

int tf_add(struct tf_import *in, const struct tf_node *node, const struct node *draft, const struct tf_result *result,
           struct error *err)
{
    const char *name = result->step == NULL || result->of == NULL ? node->proto->name : result->of;
    struct import_node added = {
        .source_type = node->proto->op, .draft = draft, .shape = result->shape, .dtype = result->dtype};
    int value;

    if (result->step != NULL) {
        added.name = arena_format(in->graph->arena, err, "%s/%s", name, result->step);
        added.value_name = tf_free_name(in, name, result->step, err);
    } else { /* output 0 is called like the file's node, output 2 "node:2" */
        added.name = added.value_name =
            result->port == 0 ? name : arena_format(in->graph->arena, err, "%s:%zu", name, result->port);
    }
    if (added.name == NULL || added.value_name == NULL)
        return -1;
    value = import_add_node(in->graph, &added, &in->is_located, err);
    if (value >= 0)
        tf_hand_on_weight_codes(in->graph, draft, value);
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
