/* delete_edge_nodes.c — an edit that a user asks for: nodes at the edges of the graph go.
 *
 * Chips and applications often do the last softmax, or the first transpose, better than a quantized model. Unlike the
 * passes of graph_normalise this changes what the graph computes, so nothing is deleted that was not named.
 */
#include "common/passes.h"
#include "common/suggest.h"

#include <string.h>

/* What may be deleted: operators that do not learn, at the places where they usually stand. */
enum { QUANTIZE, DEQUANTIZE, CAST, TRANSPOSE, RESHAPE, SOFTMAX, N_TYPES };

const char *const edge_node_types[] = {
    [QUANTIZE] = "Quantize", [DEQUANTIZE] = "Dequantize", [CAST] = "Cast",  [TRANSPOSE] = "Transpose",
    [RESHAPE] = "Reshape",   [SOFTMAX] = "Softmax",       [N_TYPES] = NULL,
};

static const struct {
    enum op op;
    const char *source_type; /* NULL: any */
} meaning[N_TYPES] = {
    [QUANTIZE] = {OP_CAST, "QuantizeLinear"},
    [DEQUANTIZE] = {OP_CAST, "DequantizeLinear"},
    [CAST] = {OP_CAST, NULL},
    [TRANSPOSE] = {OP_TRANSPOSE, NULL},
    [RESHAPE] = {OP_RESHAPE, NULL},
    [SOFTMAX] = {OP_SOFTMAX, NULL},
};

/* type NULL: of any of them. */
static bool is_of_type(const struct node *node, const char *type)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if ((type == NULL || strcmp(type, edge_node_types[i]) == 0) && node->op == meaning[i].op &&
            (meaning[i].source_type == NULL || strcmp(node->type, meaning[i].source_type) == 0))
            return true;
    return false;
}

static bool is_wanted(const struct node *node, const struct edge_nodes *request)
{
    for (size_t i = 0; i < request->n_names; i++)
        if (strcmp(node->name, request->names[i]) == 0)
            return true;
    for (size_t i = 0; i < request->n_types; i++)
        if (is_of_type(node, request->types[i]))
            return true;
    return false;
}

/* --- at outputs --- */

/* The node that computes output `value` for nobody else, behind identities; NULL where there is none. */
static const struct node *last_node(const struct graph *graph, int value)
{
    const struct node *node;

    do {
        if (graph->values[value].producer == GRAPH_NONE || graph_count_consumers(graph, value) != 1)
            return NULL;
        node = &graph->nodes[graph->values[value].producer];
        value = node->inputs[0];
    } while (node->op == OP_IDENTITY);
    return node;
}

static bool delete_at_output(struct graph *graph, size_t i, const struct edge_nodes *request)
{
    const struct node *node = last_node(graph, graph->outputs[i]);
    int x = node == NULL ? GRAPH_NONE : node->inputs[0];

    if (node == NULL || !is_wanted(node, request) || graph->values[x].producer == GRAPH_NONE)
        return false;
    if (graph_is_output(graph, x)) /* both were outputs: one is left */
        memmove(&graph->outputs[i], &graph->outputs[i + 1], (--graph->n_outputs - i) * sizeof *graph->outputs);
    else
        graph->outputs[i] = x;
    return true;
}

/* --- at inputs --- */

static struct node *only_reader(struct graph *graph, int value)
{
    if (graph_is_output(graph, value) || graph_count_consumers(graph, value) != 1)
        return NULL;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == value)
                return &graph->nodes[i];
    return NULL;
}

/* The node that alone reads input `value`, behind identities; NULL where there is none. */
static struct node *first_node(struct graph *graph, int value)
{
    struct node *node = only_reader(graph, value);

    while (node != NULL && node->op == OP_IDENTITY)
        node = only_reader(graph, node->outputs[0]);
    return node;
}

static bool delete_at_input(struct graph *graph, size_t i, const struct edge_nodes *request)
{
    struct node *node = first_node(graph, graph->inputs[i]);

    if (node == NULL || !is_wanted(node, request) || graph_is_output(graph, node->outputs[0]))
        return false;
    graph->values[node->outputs[0]].producer = GRAPH_NONE;
    node->is_removed = true;
    graph->inputs[i] = node->outputs[0];
    return true;
}

/* --- the edit --- */

static const char *nearest_node(const struct graph *graph, const char *name)
{
    return graph->n_nodes == 0 ? "" : suggest_nearest(name, &graph->nodes[0].name, graph->n_nodes, sizeof(struct node));
}

static int check_names(const struct graph *graph, const struct edge_nodes *request, struct error *err)
{
    for (size_t i = 0; i < request->n_names; i++) {
        int index = graph_find_node(graph, request->names[i]);

        if (index == GRAPH_NONE)
            return error_set(err, EX_CONFIG, "the node \"%s\", to be removed, does not exist; the nearest is \"%s\"",
                             request->names[i], nearest_node(graph, request->names[i]));
        if (!is_of_type(&graph->nodes[index], NULL))
            return error_set(
                err, EX_CONFIG,
                "the node \"%s\", to be removed, is a %s; expected a Quantize, Dequantize, Cast, Transpose, "
                "Reshape or Softmax",
                request->names[i], graph->nodes[index].type);
    }
    return 0;
}

/* A named node that is still there is not at an edge. */
static int check_gone(const struct graph *graph, const struct edge_nodes *request, struct error *err)
{
    for (size_t i = 0; i < request->n_names; i++) {
        int index = graph_find_node(graph, request->names[i]);
        const struct node *node = index == GRAPH_NONE ? NULL : &graph->nodes[index];

        if (node != NULL)
            return error_set(err, EX_CONFIG,
                             "the node \"%s\" (%s), to be removed, is not at an edge of the graph: it reads \"%s\" and "
                             "computes \"%s\"",
                             node->name, node->type, graph->values[node->inputs[0]].name,
                             graph->values[node->outputs[0]].name);
    }
    return 0;
}

int graph_delete_edge_nodes(struct graph *graph, const struct edge_nodes *request, struct error *err)
{
    bool is_changed = request->n_names > 0 || request->n_types > 0;

    if (check_names(graph, request, err) != 0)
        return -1;
    while (is_changed) {
        is_changed = false;
        for (size_t i = 0; i < graph->n_outputs && !is_changed; i++)
            is_changed = delete_at_output(graph, i, request);
        for (size_t i = 0; i < graph->n_inputs && !is_changed; i++)
            is_changed = delete_at_input(graph, i, request);
        if (is_changed && graph_compact(graph, err) != 0) /* indices change: from the start */
            return -1;
    }
    return check_gone(graph, request, err);
}
