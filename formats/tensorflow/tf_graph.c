/* tf_graph.c — the walk through the nodes of the file: what the outputs need, in topological order.
 *
 * Only that is looked at: an unknown operator in a detection head does not keep anyone from calibrating the backbone.
 * Control edges order side effects, of which a frozen network has none left; they matter only where they say on which
 * branch of a Switch a node is.
 */
#include "formats/tensorflow/tf_import.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    struct tf_import *in;
    size_t *order, n_order;  /* needed nodes, each after those it reads */
    struct tf_edge *outputs; /* wanted ones */
    size_t n_outputs;
    struct frame {
        size_t node, next; /* input to be followed next */
    } * stack;
};

static const Tensorflow__NodeDef *node_of(const struct walk *walk, size_t node)
{
    return walk->in->proto->node[node];
}

static int node_error(const struct walk *walk, size_t node, struct error *err)
{
    return error_in(err, "node \"%s\" (%s)", node_of(walk, node)->name, node_of(walk, node)->op);
}

/* --- who reads whom --- */

static int list_readers(struct tf_import *in, struct error *err)
{
    size_t n = in->proto->n_node, n_edges = 0, *fill;
    struct tf_edge edge;

    in->readers_begin = memory_create(n + 2, sizeof *in->readers_begin, "the edges of a graph", err);
    if (in->readers_begin == NULL)
        return -1;
    fill = in->readers_begin + 1; /* counts first, shifted by one so that filling leaves the begins behind */
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < in->proto->node[i]->n_input; k++)
            if (tf_names_find(&in->names, in->proto->node[i]->input[k], &edge) && !edge.is_control) {
                fill[edge.node + 1]++;
                n_edges++;
            }
    in->readers = memory_create(n_edges, sizeof *in->readers, "the edges of a graph", err);
    if (in->readers == NULL)
        return -1;
    for (size_t i = 1; i <= n; i++)
        fill[i] += fill[i - 1];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < in->proto->node[i]->n_input; k++)
            if (tf_names_find(&in->names, in->proto->node[i]->input[k], &edge) && !edge.is_control)
                in->readers[fill[edge.node]++] = i;
    return 0;
}

/* --- which outputs are wanted --- */

/* Marks what depends on a graph input; `stack` has room for every node. */
static void mark_dependent(const struct tf_import *in, bool *depends, size_t *stack)
{
    size_t depth = 0;

    for (size_t i = 0; i < in->proto->n_node; i++)
        if (tf_is_input(in, i) && !depends[i]) {
            depends[i] = true;
            stack[depth++] = i;
        }
    while (depth > 0) {
        size_t node = stack[--depth];

        for (size_t k = in->readers_begin[node]; k < in->readers_begin[node + 1]; k++)
            if (!depends[in->readers[k]]) {
                depends[in->readers[k]] = true;
                stack[depth++] = in->readers[k];
            }
    }
}

/* The file does not say. An output is what depends on an input and is read by nobody. */
static void find_outputs(struct walk *walk, const bool *depends)
{
    const struct tf_import *in = walk->in;

    for (size_t i = 0; i < in->proto->n_node; i++) {
        const struct tf_operator *row = tf_operator_find(in->proto->node[i]->op);
        bool has_result = row == NULL || (row->flags & TF_NO_RESULT) == 0;

        if (depends[i] && has_result && in->readers_begin[i] == in->readers_begin[i + 1] && !tf_is_input(in, i))
            walk->outputs[walk->n_outputs++] = (struct tf_edge){.node = i};
    }
}

static int choose_outputs(struct walk *walk, struct error *err)
{
    const struct tf_import *in = walk->in;
    size_t n = in->request->n_outputs > 0 ? in->request->n_outputs : in->proto->n_node;
    bool *depends;

    walk->outputs = memory_create(n, sizeof *walk->outputs, "the outputs of a graph", err);
    if (walk->outputs == NULL)
        return -1;
    for (size_t i = 0; i < in->request->n_outputs; i++) {
        struct tf_edge *edge = &walk->outputs[walk->n_outputs++];

        if (!tf_names_find(&in->names, in->request->outputs[i], edge) || edge->is_control)
            return error_set(err, EX_DATAERR, "output \"%s\": the file has no node of that name",
                             in->request->outputs[i]);
    }
    if (walk->n_outputs > 0)
        return 0;
    depends = memory_create(in->proto->n_node, sizeof *depends, "the nodes of a graph", err);
    if (depends == NULL)
        return -1;
    mark_dependent(in, depends, walk->order); /* not in use yet */
    find_outputs(walk, depends);
    free(depends);
    return walk->n_outputs > 0 ? 0 : error_set(err, EX_DATAERR, "no node depends on an input of the graph");
}

/* --- what they need --- */

/* Is it a Switch, or an Identity of one's output (what control edges of a branch start from)? */
static bool is_pivot(const struct walk *walk, size_t node)
{
    const Tensorflow__NodeDef *proto = node_of(walk, node);
    struct tf_edge edge;

    return strcmp(proto->op, "Switch") == 0 || (strcmp(proto->op, "Identity") == 0 && proto->n_input > 0 &&
                                                tf_names_find(&walk->in->names, proto->input[0], &edge) &&
                                                strcmp(node_of(walk, edge.node)->op, "Switch") == 0);
}

/* Whether input `slot` of a node is followed, and where to. */
static int follow(const struct walk *walk, size_t node, size_t slot, struct tf_edge *edge, struct error *err)
{
    const char *text = node_of(walk, node)->input[slot];

    if (!tf_names_find(&walk->in->names, text, edge))
        return text[0] == '^' ? 0 : error_set(err, EX_DATAERR, "it reads \"%s\", which the file does not have", text);
    return edge->is_control ? is_pivot(walk, edge->node) : 1;
}

/* Everything below one output, depth first. */
static int need(struct walk *walk, size_t root, struct error *err)
{
    struct tf_source *sources = walk->in->sources;
    size_t depth = 0;

    if (sources[root].state != TF_UNSEEN)
        return 0;
    sources[root].state = TF_OPEN;
    walk->stack[depth++] = (struct frame){root, 0};
    while (depth > 0) {
        struct frame *frame = &walk->stack[depth - 1];
        struct tf_edge edge;
        int rc;

        if (tf_is_input(walk->in, frame->node) || frame->next == node_of(walk, frame->node)->n_input) {
            sources[frame->node].state = TF_NEEDED;
            walk->order[walk->n_order++] = frame->node;
            depth--;
            continue;
        }
        rc = follow(walk, frame->node, frame->next, &edge, err);
        if (rc < 0)
            return node_error(walk, frame->node, err);
        frame->next++;
        if (rc == 0 || sources[edge.node].state == TF_NEEDED)
            continue;
        if (sources[edge.node].state == TF_OPEN) {
            error_set(err, EX_UNAVAILABLE, "it depends on its own result: loops are not supported");
            return node_error(walk, frame->node, err);
        }
        sources[edge.node].state = TF_OPEN;
        walk->stack[depth++] = (struct frame){edge.node, 0};
    }
    return 0;
}

/* --- building --- */

static int find_tensor(const struct walk *walk, struct tf_edge edge, struct tf_tensor *out, struct error *err)
{
    const struct tf_source *source = &walk->in->sources[edge.node];

    *out = (struct tf_tensor){.value = GRAPH_NONE};
    if (source->is_dead)
        return 0;
    if (edge.port >= source->n_outputs || (source->is_cut && source->outputs[edge.port].value == GRAPH_NONE))
        return error_set(err, EX_UNAVAILABLE, "output %zu of node \"%s\" (%s) is not supported", edge.port,
                         node_of(walk, edge.node)->name, node_of(walk, edge.node)->op);
    *out = source->outputs[edge.port];
    return 0;
}

/* Data inputs of the node into inputs[]; *is_dead where one, or the branch, is not taken (for a Merge: all). */
static int find_inputs(const struct walk *walk, size_t index, struct tf_tensor *inputs, size_t *n, bool *is_dead,
                       struct error *err)
{
    size_t n_dead = 0;
    bool is_off = false;
    const struct tf_operator *row = tf_operator_find(node_of(walk, index)->op);

    *n = 0;
    for (size_t i = 0; i < node_of(walk, index)->n_input; i++) {
        struct tf_edge edge;
        struct tf_tensor tensor;
        int rc = follow(walk, index, i, &edge, err);

        if (rc < 0 || (rc > 0 && find_tensor(walk, edge, &tensor, err) != 0))
            return -1;
        if (rc > 0 && edge.is_control)
            is_off = is_off || tensor.value == GRAPH_NONE;
        if (rc == 0 || edge.is_control)
            continue;
        n_dead += tensor.value == GRAPH_NONE;
        inputs[(*n)++] = tensor;
    }
    *is_dead = is_off || (row != NULL && (row->flags & TF_TAKES_DEAD) != 0 ? n_dead == *n && *n > 0 : n_dead > 0);
    return 0;
}

static int check_node(const struct tf_node *node, struct error *err)
{
    const struct tf_operator *row = node->row;

    if (row == NULL)
        return tf_operator_refuse(node->proto->op, err);
    if (node->n_inputs < row->min_inputs || node->n_inputs > row->max_inputs)
        return error_set(err, EX_DATAERR, "expected %zu to %zu inputs, found %zu", row->min_inputs, row->max_inputs,
                         node->n_inputs);
    for (size_t i = 0; i < node->n_inputs && (row->flags & TF_TAKES_BLOCKS) == 0; i++)
        if (node->inputs[i].value != GRAPH_NONE && node->inputs[i].blocks != NULL)
            return error_set(err, EX_UNAVAILABLE,
                             "it stands between SpaceToBatchND and BatchToSpaceND, where only convolutions and "
                             "element-wise operators are supported");
    return 0;
}

/* What is element-wise leaves an image in the blocks in which it came. */
static void keep_blocks(struct tf_node *node)
{
    for (size_t i = 0; i < node->n_inputs && (node->row->flags & TF_KEEPS_AXES) != 0; i++)
        if (node->inputs[i].blocks != NULL)
            node->outputs[0].blocks = node->inputs[i].blocks;
}

static int build_node(struct walk *walk, size_t index, struct error *err)
{
    struct tf_source *source = &walk->in->sources[index];
    struct tf_node node = {.proto = node_of(walk, index), .row = tf_operator_find(node_of(walk, index)->op)};
    struct tf_tensor *inputs = memory_create(node.proto->n_input, sizeof *inputs, "the inputs of a node", err);
    int rc = -1;

    if (inputs == NULL)
        return -1;
    node.inputs = inputs;
    if (find_inputs(walk, index, inputs, &node.n_inputs, &source->is_dead, err) == 0) {
        if (source->is_dead)
            rc = 0;
        else if (check_node(&node, err) == 0 && tf_create_outputs(walk->in, &node, 1, err) == 0)
            rc = node.row->build(walk->in, &node, err);
    }
    if (rc == 0 && !source->is_dead)
        keep_blocks(&node);
    free(inputs);
    source->n_outputs = node.n_outputs;
    source->outputs = node.outputs;
    return rc;
}

/* Where no Switch is, all that is needed is run: then what is unknown is said before anything is built. */
static int check_operators(const struct walk *walk, struct error *err)
{
    for (size_t i = 0; i < walk->n_order; i++)
        if (strcmp(node_of(walk, walk->order[i])->op, "Switch") == 0)
            return 0;
    for (size_t i = 0; i < walk->n_order; i++)
        if (!tf_is_input(walk->in, walk->order[i]) && tf_operator_find(node_of(walk, walk->order[i])->op) == NULL) {
            tf_operator_refuse(node_of(walk, walk->order[i])->op, err);
            return node_error(walk, walk->order[i], err);
        }
    return 0;
}

/* Inputs come first, in the order of the file. */
static int add_inputs(struct walk *walk, struct error *err)
{
    struct tf_import *in = walk->in;
    size_t n = 0;

    for (size_t i = 0; i < in->proto->n_node; i++)
        n += in->sources[i].state == TF_NEEDED && tf_is_input(in, i);
    if (n > MODEL_MAX_INPUTS)
        return error_set(err, EX_UNAVAILABLE, "the network has %zu inputs, more than %d", n, MODEL_MAX_INPUTS);

    for (size_t i = 0; i < in->proto->n_node; i++)
        if (in->sources[i].state == TF_NEEDED && tf_is_input(in, i) && !in->sources[i].is_cut &&
            tf_add_input(in, i, 0, NULL, err) != 0)
            return node_error(walk, i, err);
    for (size_t i = 0; i < in->request->n_inputs; i++) {
        struct tf_edge edge;

        if (tf_names_find(&in->names, in->request->inputs[i].name, &edge) &&
            in->sources[edge.node].state == TF_NEEDED &&
            tf_add_input(in, edge.node, edge.port, &in->request->inputs[i].shape, err) != 0)
            return node_error(walk, edge.node, err);
    }
    return 0;
}

static int build_nodes(struct walk *walk, struct error *err)
{
    for (size_t i = 0; i < walk->n_order; i++)
        if (!tf_is_input(walk->in, walk->order[i]) && build_node(walk, walk->order[i], err) != 0)
            return walk->in->is_located ? -1 : node_error(walk, walk->order[i], err);
    return 0;
}

static int add_output(struct walk *walk, struct tf_edge edge, struct error *err)
{
    const struct tf_source *source = &walk->in->sources[edge.node];
    struct tf_tensor *tensor = source->is_dead ? NULL : &source->outputs[edge.port];

    if (tensor == NULL || tensor->value == GRAPH_NONE)
        return error_set(err, EX_DATAERR, "it is on the branch of a Switch that is not taken");
    if (tensor->blocks != NULL)
        return error_set(err, EX_DATAERR, "it is cut into blocks by SpaceToBatchND");
    if (tf_restore_order(walk->in, &(struct tf_node){.proto = node_of(walk, edge.node)}, tensor, err) != 0)
        return -1;
    return graph_add_output(walk->in->graph, tensor->value, err) < 0 ? -1 : 0;
}

/* Where nobody asked for them, what turns out to be constant or not to be there is no output. */
static int add_outputs(struct walk *walk, struct error *err)
{
    const struct graph *graph = walk->in->graph;

    for (size_t i = 0; i < walk->n_outputs; i++) {
        size_t index = walk->outputs[i].node;
        struct tf_tensor tensor;

        if (find_tensor(walk, walk->outputs[i], &tensor, err) != 0)
            return error_in(err, "output \"%s\"", node_of(walk, index)->name);
        if (walk->in->request->n_outputs == 0 &&
            (tensor.value == GRAPH_NONE || graph->values[tensor.value].is_constant))
            continue;
        if (add_output(walk, walk->outputs[i], err) != 0)
            return error_in(err, "output \"%s\"", node_of(walk, index)->name);
    }
    return graph->n_outputs > 0 ? 0 : error_set(err, EX_DATAERR, "no output depends on an input of the graph");
}

/* --- all of it --- */

/* What model.inputs names becomes an input, whatever it is in the file. */
static void cut_inputs(struct tf_import *in)
{
    struct tf_edge edge;

    for (size_t i = 0; i < in->request->n_inputs; i++)
        if (tf_names_find(&in->names, in->request->inputs[i].name, &edge)) /* model.c says what is not there */
            in->sources[edge.node].is_cut = true;
}

static int read_graph(struct walk *walk, struct error *err)
{
    if (list_readers(walk->in, err) != 0)
        return -1;
    cut_inputs(walk->in);
    if (choose_outputs(walk, err) != 0)
        return -1;
    for (size_t i = 0; i < walk->n_outputs; i++)
        if (need(walk, walk->outputs[i].node, err) != 0)
            return -1;
    return check_operators(walk, err) != 0 || add_inputs(walk, err) != 0 || build_nodes(walk, err) != 0
               ? -1
               : add_outputs(walk, err);
}

int tf_read_graph(struct tf_import *in, struct error *err)
{
    struct walk walk = {.in = in};
    size_t n = in->proto->n_node;
    int rc = -1;

    in->graph->name = "";
    in->sources = memory_create(n, sizeof *in->sources, "the nodes of a graph", err);
    walk.order = memory_create(n, sizeof *walk.order, "the nodes of a graph", err);
    walk.stack = memory_create(n, sizeof *walk.stack, "the nodes of a graph", err);
    if (in->sources != NULL && walk.order != NULL && walk.stack != NULL &&
        tf_names_create(in->proto, &in->names, err) == 0)
        rc = read_graph(&walk, err);
    if (rc == 0)
        rc = tf_check_weight_codes(in, err);
    tf_names_free(&in->names);
    free(in->sources);
    free(in->readers);
    free(in->readers_begin);
    free(walk.order);
    free(walk.stack);
    free(walk.outputs);
    return rc;
}
