/* graph_validate.c — the invariants of graph.h, checked. */
#include "common/op_rules.h"

#include <stdlib.h>

/* --- values --- */

static int check_value(const struct graph *graph, int index, bool is_input, struct error *err)
{
    const struct value *value = &graph->values[index];
    const struct name_entry *entry = value->name == NULL ? NULL : names_find(&graph->value_names, value->name);
    char text[SHAPE_TEXT_BYTES];
    int64_t elements;

    if (entry == NULL || entry->index != index)
        return error_set(err, EX_DATAERR, "value %d: its name \"%s\" belongs to another value or to none", index,
                         value->name != NULL ? value->name : "");
    if (!value->has_shape)
        return error_set(err, EX_DATAERR, "value \"%s\" has no shape", value->name);
    elements = shape_elements(&value->shape);
    if (elements < 0)
        return error_set(err, EX_DATAERR, "value \"%s\": shape %s is negative or has more than 2^31 elements",
                         value->name, shape_text(&value->shape, text));
    if (value->is_constant) {
        if (is_input || value->producer != GRAPH_NONE || (value->data == NULL && elements > 0))
            return error_set(err, EX_DATAERR, "constant \"%s\" %s", value->name,
                             is_input                        ? "is a graph input"
                             : value->producer != GRAPH_NONE ? "is produced by a node"
                                                             : "has no data");
        return 0;
    }
    if (value->dtype != DTYPE_FLOAT32)
        return error_set(err, EX_UNAVAILABLE, "value \"%s\": expected float32 activations, found %s", value->name,
                         dtype_name(value->dtype));
    if (!graph->is_unbatched && (value->shape.rank == 0 || value->shape.dims[0] != 1)) {
        error_set(err, EX_UNAVAILABLE, "value \"%s\": expected a batch of 1 as the first axis, found shape %s",
                  value->name, shape_text(&value->shape, text));
        return value->producer == GRAPH_NONE ? -1 : node_error_in(&graph->nodes[value->producer], err);
    }
    if (elements == 0)
        return error_set(err, EX_DATAERR, "value \"%s\" of shape %s has no elements", value->name,
                         shape_text(&value->shape, text));
    return 0;
}

/* --- nodes --- */

/* Axes of activations are counted from axis 0, the batch; these operators would move or join elements along it. */
static const char *mixing_reason(const struct graph *graph, const struct node *node)
{
    const struct value *a = node_input(graph, node, 0), *b = node_input(graph, node, 1);

    switch (node->op) {
    case OP_CONCAT:
        return node->attr.axis == 0 ? "it joins along the batch axis" : NULL;
    case OP_GATHER:
    case OP_HARDMAX:
        return node->attr.axis == 0 ? "it works along the batch axis" : NULL;
    case OP_LAYER_NORM:
        return (node->attr.layer_norm.axes & 1) != 0 ? "it takes statistics over the batch axis" : NULL;
    case OP_SOFTMAX:
        return node->attr.softmax.axis == 0 ? "it works along the batch axis" : NULL;
    case OP_SLICE:
        return node->attr.slice.begin[0] != 0 ? "it cuts the batch axis" : NULL;
    case OP_REDUCE:
        return (node->attr.reduce.axes & 1) != 0 ? "it reduces the batch axis" : NULL;
    case OP_PAD:
        return node->attr.pad.begin[0] != 0 || node->attr.pad.end[0] != 0 ? "it pads the batch axis" : NULL;
    case OP_TRANSPOSE:
        return node->attr.perm[0] != 0 ? "it moves the batch axis" : NULL;
    case OP_BINARY:
        if (!a->is_constant && !b->is_constant && a->shape.rank != b->shape.rank)
            return "its inputs differ in rank, so the batch axis of one meets another axis of the other";
        return (a->is_constant && a->shape.rank > b->shape.rank) || (b->is_constant && b->shape.rank > a->shape.rank)
                   ? "its constant has more axes than its input, so the batch axis would not come first"
                   : NULL;
    case OP_MATMUL:
        if ((!a->is_constant && !b->is_constant && a->shape.rank != b->shape.rank) ||
            (a->is_constant && a->shape.rank > b->shape.rank) || (b->is_constant && b->shape.rank > a->shape.rank))
            return "the batch axis of one input meets another axis of the other";
        return !b->is_constant && b->shape.rank < 3 ? "it sums over the batch axis" : NULL;
    default:
        return NULL;
    }
}

static int check_order(const struct graph *graph, int index, const bool *is_input, struct error *err)
{
    const struct node *node = &graph->nodes[index];

    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct value *value = node_input(graph, node, i);

        if (value == NULL || value->is_constant || is_input[node->inputs[i]])
            continue;
        if (value->producer == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "value \"%s\", which node \"%s\" (%s) reads, is produced by nothing",
                             value->name, node->name, node->type);
        if (value->producer >= index)
            return error_set(
                err, EX_DATAERR,
                "node \"%s\" (%s) reads value \"%s\" before node \"%s\" (%s) has produced it: the nodes are "
                "on a cycle or out of order",
                node->name, node->type, value->name, graph->nodes[value->producer].name,
                graph->nodes[value->producer].type);
    }
    return 0;
}

/* Names, outputs and wiring, before anything is read through them. */
static int check_wiring(const struct graph *graph, int index, struct error *err)
{
    const struct node *node = &graph->nodes[index];
    const struct name_entry *entry = node->name == NULL ? NULL : names_find(&graph->node_names, node->name);

    if (entry == NULL || entry->index != index)
        return error_set(err, EX_DATAERR, "node %d: its name \"%s\" belongs to another node or to none", index,
                         node->name != NULL ? node->name : "");
    if (node->op == OP_CAST && node->n_inputs == 1 && node->inputs[0] != GRAPH_NONE)
        return error_set(
            err, EX_UNAVAILABLE,
            "node \"%s\" (%s): a cast of activations from %s to %s is not supported; at an input or output "
            "it can be removed",
            node->name, node->type, dtype_name(graph->values[node->inputs[0]].dtype),
            dtype_name(graph->values[node->outputs[0]].dtype));
    if (node->is_removed || op_is_shape_arithmetic(node->op))
        return error_set(err, EX_DATAERR, "node \"%s\" (%s) %s", node->name, node->type,
                         node->is_removed ? "was removed, but is still there"
                                          : "is shape arithmetic that was not folded");
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] < GRAPH_NONE || node->inputs[i] >= (int)graph->n_values)
            return error_set(err, EX_SOFTWARE, "node \"%s\": input %zu is value %d of %zu", node->name, i,
                             node->inputs[i], graph->n_values);
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] < 0 || node->outputs[i] >= (int)graph->n_values ||
            graph->values[node->outputs[i]].producer != index)
            return error_set(err, EX_DATAERR, "node \"%s\" (%s): its output %zu is produced by another node",
                             node->name, node->type, i);
    return 0;
}

static int check_node(const struct graph *graph, int index, struct error *err)
{
    const struct node *node = &graph->nodes[index];
    const struct value *output;
    struct inferred found;
    const char *reason;
    char declared_text[SHAPE_TEXT_BYTES], found_text[SHAPE_TEXT_BYTES];

    if (op_infer(graph, node, &found, err) != 0)
        return -1;
    output = &graph->values[node->outputs[0]];
    if (!shape_equal(&found.shape, &output->shape) || found.dtype != output->dtype) {
        error_set(err, EX_DATAERR, "its output \"%s\" is %s %s, but its inputs make it %s %s", output->name,
                  dtype_name(output->dtype), shape_text(&output->shape, declared_text), dtype_name(found.dtype),
                  shape_text(&found.shape, found_text));
        return node_error_in(node, err);
    }
    for (size_t i = 0; i < node->n_inputs; i++) {
        const struct value *value = node_input(graph, node, i);

        if (value != NULL && value->dtype != DTYPE_FLOAT32 && !(node->op == OP_GATHER && i == 1)) {
            error_set(err, EX_UNAVAILABLE, "expected float32 as input \"%s\", found %s", value->name,
                      dtype_name(value->dtype));
            return node_error_in(node, err);
        }
    }
    if (node->op == OP_SLICE)
        for (size_t i = 0; i < found.shape.rank; i++)
            if (node->attr.slice.step[i] < 1) {
                error_set(err, EX_UNAVAILABLE, "a slice that runs backwards (step %lld) is not supported",
                          (long long)node->attr.slice.step[i]);
                return node_error_in(node, err);
            }
    reason = graph->is_unbatched ? NULL : mixing_reason(graph, node);
    if (reason != NULL) {
        error_set(err, EX_UNAVAILABLE, "operator %s mixes records: %s", op_name(node->op), reason);
        return node_error_in(node, err);
    }
    return 0;
}

/* --- the graph --- */

static int check_outputs(const struct graph *graph, const bool *is_input, struct error *err)
{
    if (graph->n_outputs == 0)
        return error_set(err, EX_DATAERR, "the graph has no output");
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const struct value *value = &graph->values[graph->outputs[i]];

        if (value->is_constant)
            return error_set(err, EX_DATAERR, "graph output \"%s\" depends on no input", value->name);
        if (value->producer == GRAPH_NONE && !is_input[graph->outputs[i]])
            return error_set(err, EX_DATAERR, "graph output \"%s\" is produced by nothing", value->name);
    }
    return 0;
}

static int check_inputs_are_read(const struct graph *graph, bool *is_read, struct error *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] != GRAPH_NONE)
                is_read[graph->nodes[i].inputs[j]] = true;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!is_read[graph->inputs[i]] && !graph_is_output(graph, graph->inputs[i]))
            return error_set(err, EX_DATAERR, "graph input \"%s\" is read by no node of graph \"%s\"",
                             graph->values[graph->inputs[i]].name, graph->name);
    return 0;
}

static int check_all(const struct graph *graph, bool *is_input, bool *is_read, struct error *err)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        is_input[graph->inputs[i]] = true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (check_wiring(graph, (int)i, err) != 0 || check_order(graph, (int)i, is_input, err) != 0)
            return -1;
    for (size_t i = 0; i < graph->n_values; i++)
        if (check_value(graph, (int)i, is_input[i], err) != 0)
            return -1;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (check_node(graph, (int)i, err) != 0)
            return -1;
    return check_outputs(graph, is_input, err) != 0 ? -1 : check_inputs_are_read(graph, is_read, err);
}

int graph_validate(const struct graph *graph, struct error *err)
{
    bool *is_input = memory_create(graph->n_values, sizeof *is_input, "validating a graph", err);
    bool *is_read = memory_create(graph->n_values, sizeof *is_read, "validating a graph", err);
    int rc = is_input != NULL && is_read != NULL ? check_all(graph, is_input, is_read, err) : -1;

    free(is_input);
    free(is_read);
    return rc;
}
