/* graph_order.c — execution order, and dropping what nothing needs; see graph.h. */
#include "common/graph_private.h"

#include <stdlib.h>
#include <string.h>

/* --- sorting --- */

enum visit { UNSEEN, OPEN, DONE };

struct frame {
    int node;
    size_t next; /* input to look at */
};

struct sorter {
    const struct graph *graph;
    unsigned char *visit;    /* [n_nodes] */
    unsigned char *is_input; /* [n_values] */
    struct frame *stack;     /* [n_nodes] */
    size_t depth;
    int *order; /* [n_nodes] node indices, in execution order */
    size_t n_ordered;
};

static int check_source(const struct sorter *sorter, const struct node *node, int value, struct error *err)
{
    const struct value *v = &sorter->graph->values[value];

    if (v->is_constant || sorter->is_input[value])
        return 0;
    return error_set(err, EX_DATAERR, "value \"%s\", which node \"%s\" (%s) reads, is produced by nothing", v->name,
                     node->name, node->type);
}

/* The producer of the next input of the frame that must come first, or GRAPH_NONE; -2 with err set. */
static int next_dependency(struct sorter *sorter, struct frame *frame, struct error *err)
{
    const struct graph *graph = sorter->graph;
    const struct node *node = &graph->nodes[frame->node];

    while (frame->next < node->n_inputs) {
        int value = node->inputs[frame->next++], producer;

        if (value == GRAPH_NONE)
            continue;
        producer = graph->values[value].producer;
        if (producer == GRAPH_NONE || graph->nodes[producer].is_removed) {
            if (check_source(sorter, node, value, err) != 0)
                return -2;
        } else if (sorter->visit[producer] == OPEN) {
            error_set(
                err, EX_DATAERR,
                "nodes \"%s\" (%s) and \"%s\" (%s) are on a cycle: the first reads value \"%s\", which the second "
                "computes from the first's output",
                node->name, node->type, graph->nodes[producer].name, graph->nodes[producer].type,
                graph->values[value].name);
            return -2;
        } else if (sorter->visit[producer] == UNSEEN) {
            return producer;
        }
    }
    return GRAPH_NONE;
}

/* Puts everything that `root` needs, then `root`, into the order: depth first, with a stack of our own, because files
 * may hold chains longer than the machine's stack. */
static int visit_from(struct sorter *sorter, int root, struct error *err)
{
    sorter->stack[0] = (struct frame){.node = root};
    sorter->depth = 1;
    sorter->visit[root] = OPEN;
    while (sorter->depth > 0) {
        struct frame *top = &sorter->stack[sorter->depth - 1];
        int dependency = sorter->graph->nodes[top->node].is_removed ? GRAPH_NONE : next_dependency(sorter, top, err);

        if (dependency == -2)
            return -1;
        if (dependency == GRAPH_NONE) {
            sorter->visit[top->node] = DONE;
            sorter->order[sorter->n_ordered++] = top->node;
            sorter->depth--;
        } else {
            sorter->visit[dependency] = OPEN;
            sorter->stack[sorter->depth++] = (struct frame){.node = dependency};
        }
    }
    return 0;
}

/* A node has moved to `index`. */
static void renumber_node(struct graph *graph, int index)
{
    const struct node *node = &graph->nodes[index];

    names_find(&graph->node_names, node->name)->index = index;
    for (size_t i = 0; i < node->n_outputs && !node->is_removed; i++)
        graph->values[node->outputs[i]].producer = index;
}

/* Node i becomes order[i] of the old array. */
static int apply_order(struct graph *graph, const int *order, struct error *err)
{
    struct node *old = memory_create(graph->n_nodes, sizeof *old, "sorting nodes", err);

    if (old == NULL)
        return -1;
    if (graph->n_nodes > 0)
        memcpy(old, graph->nodes, graph->n_nodes * sizeof *old);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (order[i] != (int)i) {
            graph->nodes[i] = old[order[i]];
            renumber_node(graph, (int)i);
        }
    free(old);
    return 0;
}

int graph_sort(struct graph *graph, struct error *err)
{
    size_t n = graph->n_nodes;
    struct sorter sorter = {.graph = graph};
    int rc = -1;

    sorter.visit = memory_create(n, 1, "sorting nodes", err);
    sorter.is_input = memory_create(graph->n_values, 1, "sorting nodes", err);
    sorter.stack = memory_create(n, sizeof *sorter.stack, "sorting nodes", err);
    sorter.order = memory_create(n, sizeof *sorter.order, "sorting nodes", err);
    if (sorter.visit != NULL && sorter.is_input != NULL && sorter.stack != NULL && sorter.order != NULL) {
        rc = 0;
        for (size_t i = 0; i < graph->n_inputs; i++)
            sorter.is_input[graph->inputs[i]] = 1;
        for (size_t i = 0; i < n && rc == 0; i++)
            if (sorter.visit[i] == UNSEEN)
                rc = visit_from(&sorter, (int)i, err);
        if (rc == 0)
            rc = apply_order(graph, sorter.order, err);
    }
    free(sorter.visit);
    free(sorter.is_input);
    free(sorter.stack);
    free(sorter.order);
    return rc;
}

/* --- compacting --- */

struct liveness {
    unsigned char *node;  /* [n_nodes] the node is needed */
    unsigned char *value; /* [n_values] the value is named by a needed node, or is a port of the graph */
    int *todo;            /* [n_nodes] needed nodes whose inputs have not been followed yet */
    size_t n_todo;
};

static void need_value(const struct graph *graph, struct liveness *live, int value)
{
    int producer = value == GRAPH_NONE ? GRAPH_NONE : graph->values[value].producer;

    if (value != GRAPH_NONE)
        live->value[value] = 1;
    if (producer != GRAPH_NONE && !graph->nodes[producer].is_removed && !live->node[producer]) {
        live->node[producer] = 1;
        live->todo[live->n_todo++] = producer;
    }
}

static void follow(const struct graph *graph, struct liveness *live)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        need_value(graph, live, graph->outputs[i]);
    while (live->n_todo > 0) {
        const struct node *node = &graph->nodes[live->todo[--live->n_todo]];

        for (size_t i = 0; i < node->n_inputs; i++)
            need_value(graph, live, node->inputs[i]);
        for (size_t i = 0; i < node->n_outputs; i++)
            live->value[node->outputs[i]] = 1;
    }
    for (size_t i = 0; i < graph->n_inputs; i++)
        live->value[graph->inputs[i]] = 1;
}

static void renumber(int *indices, size_t n, const int *new_index)
{
    for (size_t i = 0; i < n; i++)
        if (indices[i] != GRAPH_NONE)
            indices[i] = new_index[indices[i]];
}

/* Moves live values down; new_index[old] is where each went. */
static void pack_values(struct graph *graph, const struct liveness *live, int *new_index)
{
    size_t kept = 0;

    for (size_t i = 0; i < graph->n_values; i++) {
        new_index[i] = GRAPH_NONE;
        if (!live->value[i]) {
            names_remove(&graph->value_names, graph->values[i].name);
            continue;
        }
        new_index[i] = (int)kept;
        if (kept != i)
            names_find(&graph->value_names, graph->values[i].name)->index = (int)kept;
        graph->values[kept++] = graph->values[i];
    }
    graph->n_values = kept;
    renumber(graph->inputs, graph->n_inputs, new_index);
    renumber(graph->outputs, graph->n_outputs, new_index);
}

static void pack_nodes(struct graph *graph, const struct liveness *live, const int *new_value)
{
    size_t kept = 0;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node node = graph->nodes[i];

        if (!live->node[i]) {
            names_remove(&graph->node_names, node.name);
            continue;
        }
        renumber(node.inputs, node.n_inputs, new_value);
        renumber(node.outputs, node.n_outputs, new_value);
        graph->nodes[kept] = node;
        renumber_node(graph, (int)kept++);
    }
    graph->n_nodes = kept;
}

int graph_compact(struct graph *graph, struct error *err)
{
    size_t nodes_before = graph->n_nodes;
    struct liveness live = {0};
    int *new_index = memory_create(graph->n_values, sizeof *new_index, "compacting a graph", err);
    int rc = -1;

    live.node = memory_create(graph->n_nodes, 1, "compacting a graph", err);
    live.value = memory_create(graph->n_values, 1, "compacting a graph", err);
    live.todo = memory_create(graph->n_nodes, sizeof *live.todo, "compacting a graph", err);
    if (new_index != NULL && live.node != NULL && live.value != NULL && live.todo != NULL) {
        follow(graph, &live);
        for (size_t i = 0; i < graph->n_values; i++)
            graph->values[i].producer = GRAPH_NONE; /* pack_nodes sets those that exist */
        pack_values(graph, &live, new_index);
        pack_nodes(graph, &live, new_index);
        graph->revision += graph->n_nodes != nodes_before;
        rc = 0;
    }
    free(new_index);
    free(live.node);
    free(live.value);
    free(live.todo);
    return rc;
}

/* Drops the graph inputs that no node reads and that are no outputs. */
static int drop_unread_inputs(struct graph *graph, struct error *err)
{
    unsigned char *is_read = memory_create(graph->n_values, 1, "the values that are read", err);
    size_t kept = 0;

    if (is_read == NULL)
        return -1;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] != GRAPH_NONE)
                is_read[graph->nodes[i].inputs[j]] = 1;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (is_read[graph->inputs[i]] || graph_is_output(graph, graph->inputs[i]))
            graph->inputs[kept++] = graph->inputs[i];
    graph->n_inputs = kept;
    free(is_read);
    return 0;
}

int graph_keep_outputs(struct graph *graph, const int *values, size_t n, struct error *err)
{
    graph->n_outputs = 0;
    for (size_t i = 0; i < n; i++)
        if (graph_add_output(graph, values[i], err) < 0)
            return -1;
    if (graph_compact(graph, err) != 0 || drop_unread_inputs(graph, err) != 0)
        return -1;
    return graph_compact(graph, err); /* once more, for the values of the dropped inputs */
}
