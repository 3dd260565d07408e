/* rewrite.c — see rewrite.h. */
#include "common/passes/rewrite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { END = -1 };

static int add_use(struct rewrite *rewrite, int value, int node, size_t slot, struct error *err)
{
    struct use *use;

    if (value == GRAPH_NONE)
        return 0;
    if (rewrite->n_uses >= INT32_MAX)
        return error_set(err, EX_DATAERR, "a graph of more than 2^31 edges");
    if (memory_grow((void **)&rewrite->uses, &rewrite->uses_capacity, rewrite->n_uses, sizeof *use, "uses", err) != 0)
        return -1;
    use = &rewrite->uses[rewrite->n_uses];
    *use = (struct use){node, (int)slot, rewrite->first[value]};
    rewrite->first[value] = (int)rewrite->n_uses++;
    return 0;
}

/* Room for the values that the graph has by now. */
static int cover_values(struct rewrite *rewrite, struct error *err)
{
    for (; rewrite->n_values < rewrite->graph->n_values; rewrite->n_values++) {
        if (memory_grow((void **)&rewrite->first, &rewrite->first_capacity, rewrite->n_values, sizeof(int), "uses",
                        err) != 0 ||
            memory_grow((void **)&rewrite->is_output, &rewrite->is_output_capacity, rewrite->n_values, sizeof(bool),
                        "uses", err) != 0)
            return -1;
        rewrite->first[rewrite->n_values] = END;
    }
    return 0;
}

int rewrite_open(struct rewrite *rewrite, struct graph *graph, struct error *err)
{
    *rewrite = (struct rewrite){.graph = graph};
    if (cover_values(rewrite, err) != 0)
        return -1;
    for (size_t i = 0; i < graph->n_outputs; i++)
        rewrite->is_output[graph->outputs[i]] = true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i].n_inputs && !graph->nodes[i].is_removed; j++)
            if (add_use(rewrite, graph->nodes[i].inputs[j], (int)i, j, err) != 0)
                return -1;
    return 0;
}

void rewrite_close(struct rewrite *rewrite)
{
    free(rewrite->first);
    free(rewrite->is_output);
    free(rewrite->uses);
    *rewrite = (struct rewrite){0};
}

static bool is_current(const struct rewrite *rewrite, const struct use *use, int value)
{
    const struct node *node = &rewrite->graph->nodes[use->node];

    return !node->is_removed && (size_t)use->slot < node->n_inputs && node->inputs[use->slot] == value;
}

bool rewrite_is_read(struct rewrite *rewrite, int value)
{
    for (int i = rewrite->first[value]; i != END; i = rewrite->uses[i].next)
        if (is_current(rewrite, &rewrite->uses[i], value))
            return true;
    return false;
}

void rewrite_move_output(struct rewrite *rewrite, size_t i, int value)
{
    struct graph *graph = rewrite->graph;

    rewrite->is_output[graph->outputs[i]] = false;
    if (rewrite->is_output[value])
        memmove(&graph->outputs[i], &graph->outputs[i + 1], (--graph->n_outputs - i) * sizeof *graph->outputs);
    else
        graph->outputs[i] = value;
    rewrite->is_output[value] = true;
    graph->revision++;
}

/* The one node that reads `value`; GRAPH_NONE: nobody, or several. */
static int only_reader(struct rewrite *rewrite, int value)
{
    int sole = GRAPH_NONE, *link = &rewrite->first[value];

    while (*link != END) {
        struct use *use = &rewrite->uses[*link];

        if (!is_current(rewrite, use, value)) {
            *link = use->next; /* edits leave stale uses behind; they go when met */
            continue;
        }
        if (sole != GRAPH_NONE && sole != use->node)
            return GRAPH_NONE;
        sole = use->node;
        link = &use->next;
    }
    return sole;
}

int rewrite_sole_consumer(struct rewrite *rewrite, int value)
{
    return rewrite->is_output[value] || rewrite_keeps_codes(rewrite->graph, value) ? GRAPH_NONE
                                                                                   : only_reader(rewrite, value);
}

int rewrite_own_producer(struct rewrite *rewrite, int value, int consumer)
{
    if (value == GRAPH_NONE || rewrite->graph->values[value].producer == GRAPH_NONE ||
        rewrite_sole_consumer(rewrite, value) != consumer ||
        !rewrite_may_edit(&rewrite->graph->nodes[rewrite->graph->values[value].producer]))
        return GRAPH_NONE;
    return rewrite->graph->values[value].producer;
}

int rewrite_set_input(struct rewrite *rewrite, int node, size_t slot, int value, struct error *err)
{
    struct node *n = &rewrite->graph->nodes[node];

    assert(slot <= n->n_inputs);
    if (slot == n->n_inputs) {
        int *inputs = arena_create_array(rewrite->graph->arena, slot + 1, sizeof *inputs, err);

        if (inputs == NULL)
            return -1;
        memcpy(inputs, n->inputs, slot * sizeof *inputs);
        n->inputs = inputs;
        n->n_inputs++;
    }
    n->inputs[slot] = value;
    rewrite->graph->revision++;
    return add_use(rewrite, value, node, slot, err);
}

struct node *rewrite_become(struct rewrite *rewrite, int node, enum op op, int value, struct error *err)
{
    struct node *n = &rewrite->graph->nodes[node];

    n->op = op;
    n->n_inputs = 1;
    memset(&n->attr, 0, sizeof n->attr);
    n->fused = (struct activation){0};
    return rewrite_set_input(rewrite, node, 0, value, err) == 0 ? n : NULL;
}

static void set_output(struct graph *graph, int node, int value)
{
    graph->values[graph->nodes[node].outputs[0]].producer = GRAPH_NONE;
    graph->nodes[node].outputs[0] = value;
    graph->values[value].producer = node;
}

/* Of a value with codes remains what it was called on the other side of them, where that goes. */
static void name_also(struct graph *graph, int stays, int goes)
{
    if (graph->values[stays].coding != NULL && graph->values[stays].alias == NULL)
        graph->values[stays].alias = graph->values[goes].name;
}

void rewrite_absorb(struct rewrite *rewrite, int producer, int node)
{
    struct graph *graph = rewrite->graph;

    assert(rewrite_sole_consumer(rewrite, graph->nodes[producer].outputs[0]) == node);
    graph->nodes[node].is_removed = true;
    name_also(graph, graph->nodes[node].outputs[0], graph->nodes[producer].outputs[0]);
    set_output(graph, producer, graph->nodes[node].outputs[0]);
    graph->revision++;
}

/* Every reader of `from` reads `to`. */
static void move_uses(struct rewrite *rewrite, int from, int to)
{
    int *link = &rewrite->first[from];

    for (; *link != END; link = &rewrite->uses[*link].next) {
        const struct use *use = &rewrite->uses[*link];

        if (is_current(rewrite, use, from))
            rewrite->graph->nodes[use->node].inputs[use->slot] = to;
    }
    *link = rewrite->first[to]; /* the whole list of `from` goes in front of that of `to` */
    rewrite->first[to] = rewrite->first[from];
    rewrite->first[from] = END;
}

/* Would the codes that the model is to compute remain, if the node's input and output became one value? */
static bool codes_survive(struct rewrite *rewrite, int node)
{
    const struct graph *graph = rewrite->graph;
    int in = graph->nodes[node].inputs[0], out = graph->nodes[node].outputs[0];
    const struct coding *before = graph->values[in].coding, *after = graph->values[out].coding;

    if (!graph->keeps_codings || after == NULL)
        return true;
    return before != NULL ? coding_equal(before, after) : only_reader(rewrite, in) == node && !rewrite->is_output[in];
}

/* Two values become one, called `stays`. Of two codings the one that clips less remains. */
static void join_codings(struct graph *graph, int stays, int goes)
{
    const struct coding *a = graph->values[stays].coding, *b = graph->values[goes].coding;

    if (a == NULL || (b != NULL && coding_threshold(b, 0) > coding_threshold(a, 0)))
        graph->values[stays].coding = b;
    name_also(graph, stays, goes);
}

int rewrite_bypass(struct rewrite *rewrite, int node, struct error *err)
{
    struct graph *graph = rewrite->graph;
    struct node *n = &graph->nodes[node];
    int in = n->inputs[0], out = n->outputs[0], producer = graph->values[in].producer;

    if (!codes_survive(rewrite, node)) {
        if (n->op == OP_RESHAPE)
            return 0;
        return rewrite_become(rewrite, node, OP_RESHAPE, in, err) == NULL ? -1 : 0;
    }
    if (!rewrite->is_output[out]) {
        n->is_removed = true;
        graph->values[out].producer = GRAPH_NONE;
        join_codings(graph, in, out);
        move_uses(rewrite, out, in);
    } else if (producer != GRAPH_NONE && !rewrite->is_output[in]) {
        n->is_removed = true;
        join_codings(graph, out, in);
        set_output(graph, producer, out);
        move_uses(rewrite, in, out);
    } else if (n->op == OP_RESHAPE) {
        return 0; /* already what it will remain */
    } else {
        return rewrite_become(rewrite, node, OP_RESHAPE, in, err) == NULL ? -1 : 0;
    }
    graph->revision++;
    return 0;
}

float *rewrite_create_data(struct rewrite *rewrite, const struct shape *shape, struct error *err)
{
    return graph_create_data(rewrite->graph, DTYPE_FLOAT32, shape, err);
}

/* A new constant value under a name that says what it is for. */
static int add_constant(struct rewrite *rewrite, const char *node_name, const char *role, const struct tensor *tensor,
                        struct error *err)
{
    struct graph *graph = rewrite->graph;
    const char *name = arena_format(graph->arena, err, "%s.%s", node_name, role);
    int index;

    if (name == NULL)
        return -1;
    if (graph_find_value(graph, name) != GRAPH_NONE)
        name = NULL; /* the user has such a name: any free one */
    index = graph_add_value(graph, name, tensor->dtype, &tensor->shape, err);
    if (index < 0 || cover_values(rewrite, err) != 0)
        return -1;
    graph_set_constant(graph, index, tensor);
    return index;
}

int rewrite_set_constant(struct rewrite *rewrite, int node, size_t slot, const struct shape *shape, const float *data,
                         const char *role, struct error *err)
{
    struct graph *graph = rewrite->graph;
    const struct node *n = &graph->nodes[node];
    struct tensor tensor = {DTYPE_FLOAT32, *shape, data};
    int old = slot < n->n_inputs ? n->inputs[slot] : GRAPH_NONE, index;

    if (old != GRAPH_NONE && graph->values[old].is_constant && rewrite_sole_consumer(rewrite, old) == node) {
        graph_set_constant(graph, old, &tensor);
        graph->revision++;
        return 0;
    }
    index = add_constant(rewrite, n->name, role, &tensor, err);
    return index < 0 ? -1 : rewrite_set_input(rewrite, node, slot, index, err);
}

const float *rewrite_constant(const struct graph *graph, const struct node *node, size_t slot, struct shape *shape)
{
    struct tensor tensor;

    if (slot >= node->n_inputs || !graph_constant(graph, node->inputs[slot], &tensor) || tensor.dtype != DTYPE_FLOAT32)
        return NULL;
    if (shape != NULL)
        *shape = tensor.shape;
    return tensor.data;
}
