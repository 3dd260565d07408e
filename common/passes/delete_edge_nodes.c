/* delete_edge_nodes.c — an edit that a user asks for: nodes at the edges of the graph go.
 *
 * Chips and applications often do the last softmax, or the first transpose, better than a quantized model. Unlike the
 * passes of graph_normalise this changes what the graph computes, so nothing is deleted that was not named.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"
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

/* Identities stand for nothing: edges are looked for behind them, and they go with the node that is found. */

/* --- at outputs --- */

/* The node that computes output `value` for nobody else; GRAPH_NONE where there is none. */
static int last_node(struct rewrite *rewrite, int value)
{
    const struct graph *graph = rewrite->graph;
    int node = rewrite_is_read(rewrite, value) ? GRAPH_NONE : graph->values[value].producer;

    while (node != GRAPH_NONE && graph->nodes[node].op == OP_IDENTITY) {
        value = graph->nodes[node].inputs[0];
        node = rewrite_sole_consumer(rewrite, value) == node ? graph->values[value].producer : GRAPH_NONE;
    }
    return node;
}

static bool delete_at_output(struct rewrite *rewrite, size_t i, const struct edge_nodes *request)
{
    struct graph *graph = rewrite->graph;
    int last = last_node(rewrite, graph->outputs[i]), value = graph->outputs[i];

    if (last == GRAPH_NONE || !is_wanted(&graph->nodes[last], request) ||
        graph->values[graph->nodes[last].inputs[0]].producer == GRAPH_NONE)
        return false;
    while (!graph->nodes[last].is_removed) {
        struct node *node = &graph->nodes[graph->values[value].producer];

        node->is_removed = true;
        value = node->inputs[0];
    }
    rewrite_move_output(rewrite, i, value);
    return true;
}

/* --- at inputs --- */

/* The node that alone reads input `value`; GRAPH_NONE where there is none. */
static int first_node(struct rewrite *rewrite, int value)
{
    const struct graph *graph = rewrite->graph;
    int node = rewrite_sole_consumer(rewrite, value);

    while (node != GRAPH_NONE && graph->nodes[node].op == OP_IDENTITY)
        node = rewrite_sole_consumer(rewrite, graph->nodes[node].outputs[0]);
    return node;
}

static bool delete_at_input(struct rewrite *rewrite, size_t i, const struct edge_nodes *request)
{
    struct graph *graph = rewrite->graph;
    int first = first_node(rewrite, graph->inputs[i]), value = graph->inputs[i];

    if (first == GRAPH_NONE || !is_wanted(&graph->nodes[first], request) ||
        graph_is_output(graph, graph->nodes[first].outputs[0]))
        return false;
    while (!graph->nodes[first].is_removed) {
        struct node *node = &graph->nodes[rewrite_sole_consumer(rewrite, value)];

        node->is_removed = true;
        value = node->outputs[0];
    }
    graph->values[value].producer = GRAPH_NONE;
    graph->inputs[i] = value;
    graph->revision++;
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

static void delete_all(struct rewrite *rewrite, const struct edge_nodes *request)
{
    const struct graph *graph = rewrite->graph;
    uint64_t before;

    do { /* what goes at one edge may bring another node to an edge */
        before = graph->revision;
        for (size_t i = 0; i < graph->n_outputs; i++)
            while (i < graph->n_outputs && delete_at_output(rewrite, i, request)) {
            }
        for (size_t i = 0; i < graph->n_inputs; i++)
            while (delete_at_input(rewrite, i, request)) {
            }
    } while (graph->revision != before);
}

int graph_delete_edge_nodes(struct graph *graph, const struct edge_nodes *request, struct error *err)
{
    struct rewrite rewrite;
    int rc;

    if (request->n_names == 0 && request->n_types == 0)
        return 0;
    if (check_names(graph, request, err) != 0)
        return -1;
    rc = rewrite_open(&rewrite, graph, err);
    if (rc == 0)
        delete_all(&rewrite, request);
    rewrite_close(&rewrite);
    return rc != 0 || graph_compact(graph, err) != 0 ? -1 : check_gone(graph, request, err);
}
