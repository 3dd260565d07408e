/* fold_lower.c — see fold_parameters.h: what is left of such operators on activations. */
#include "common/fold_parameters.h"

#include "common/op_rules.h"

#include <string.h>

static void become_identity(struct node *node)
{
    node->op = OP_IDENTITY;
    node->n_inputs = 1;
    memset(&node->attr, 0, sizeof node->attr);
}

/* x times ones repeats x along the axes where the ones are longer; the product is exact. */
static int lower_expand(struct graph *graph, int index, struct error *err)
{
    struct node *node = &graph->nodes[index];
    const struct shape *x = &node_input(graph, node, 0)->shape;
    struct shape ones = graph->values[node->outputs[0]].shape;
    void *data;
    int constant;

    if (shape_equal(x, &ones)) {
        become_identity(node);
        return 0;
    }
    for (size_t i = 0; i < x->rank; i++)
        if (x->dims[x->rank - 1 - i] != 1)
            ones.dims[ones.rank - 1 - i] = 1;
    constant = graph_create_constant(graph, NULL, DTYPE_FLOAT32, &ones, &data, err);
    if (constant < 0)
        return -1;
    for (size_t i = 0; i < (size_t)shape_elements(&ones); i++)
        ((float *)data)[i] = 1;
    memset(&node->attr, 0, sizeof node->attr);
    node->op = OP_BINARY;
    node->attr.binary.kind = BINARY_MUL;
    node->inputs[1] = constant;
    return 0;
}

/* Indices [first, first + step, ...] with step > 0, of at least one element, each counted from 0? */
static bool rise_evenly(const struct tensor *indices, int64_t dim, int64_t *first, int64_t *step)
{
    int64_t n = shape_elements(&indices->shape);

    *step = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = tensor_integer(indices, (size_t)i);

        at = at < 0 ? at + dim : at;
        if (i == 0)
            *first = at;
        else if (i == 1)
            *step = at - *first;
        if (*step < 1 || at != *first + i * *step)
            return false;
    }
    return n > 0;
}

/* The node's output goes through one more node, which is returned by index (its attributes to be filled). */
static int append_node(struct graph *graph, int index, enum op op, const struct shape *between, int other,
                       struct error *err)
{
    int result = graph->nodes[index].outputs[0], inputs[2] = {GRAPH_NONE, other};
    const char *type = graph->nodes[index].type;

    inputs[0] = graph_add_value(graph, NULL, graph->values[result].dtype, between, err);
    if (inputs[0] < 0)
        return -1;
    graph->values[result].producer = GRAPH_NONE;
    graph->values[inputs[0]].producer = index;
    graph->nodes[index].outputs[0] = inputs[0];
    return graph_add_node(graph, op, NULL, type, inputs, other == GRAPH_NONE ? 1 : 2, &result, 1, err);
}

/* Indices that rise evenly are a slice; a single index without an axis of its own also drops the axis. */
static int lower_gather(struct graph *graph, int index, struct error *err)
{
    struct node *node = &graph->nodes[index];
    struct shape shape = node_input(graph, node, 0)->shape;
    size_t axis = (size_t)node->attr.axis;
    int64_t first = 0, step;
    struct tensor indices;

    if (!graph_constant(graph, node->inputs[1], &indices) || indices.shape.rank > 1 ||
        !rise_evenly(&indices, shape.dims[axis], &first, &step))
        return 0;
    shape.dims[axis] = shape_elements(&indices.shape);
    fold_begin_slice(node, shape.rank);
    node->op = OP_SLICE;
    node->n_inputs = 1;
    node->attr.slice.begin[axis] = first;
    node->attr.slice.step[axis] = step;
    return indices.shape.rank == 1 || append_node(graph, index, OP_RESHAPE, &shape, GRAPH_NONE, err) >= 0 ? 0 : -1;
}

/* A slice that runs backwards takes the same elements forwards, and a gather then turns them round. */
static int lower_slice(struct graph *graph, int index, struct error *err)
{
    struct shape shape = graph->values[graph->nodes[index].outputs[0]].shape;

    for (size_t axis = 0; axis < shape.rank; axis++) {
        int64_t *begin = &graph->nodes[index].attr.slice.begin[axis],
                *step = &graph->nodes[index].attr.slice.step[axis];
        int64_t n = shape.dims[axis];
        void *data;
        int indices, turned;

        if (*step > 0 || n == 0)
            continue;
        *begin += (n - 1) * *step;
        *step = -*step;
        if (n == 1)
            continue;
        indices = graph_create_constant(graph, NULL, DTYPE_INT64, &(struct shape){1, {n}}, &data, err);
        if (indices < 0)
            return -1;
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)data)[i] = n - 1 - i;
        turned = append_node(graph, index, OP_GATHER, &shape, indices, err);
        if (turned < 0)
            return -1;
        graph->nodes[turned].attr.axis = (int64_t)axis;
    }
    return 0;
}

/* Other casts of activations stay: they may be at an edge, and not wanted. graph_validate refuses those that are left.
 */
static void lower_cast(struct graph *graph, struct node *node)
{
    if (node_input(graph, node, 0)->dtype == graph->values[node->outputs[0]].dtype)
        become_identity(node);
}

int fold_lower(struct graph *graph, int node, struct error *err)
{
    int rc = 0;

    if (graph->nodes[node].op == OP_EXPAND)
        rc = lower_expand(graph, node, err);
    else if (graph->nodes[node].op == OP_GATHER)
        rc = lower_gather(graph, node, err);
    else if (graph->nodes[node].op == OP_SLICE)
        rc = lower_slice(graph, node, err);
    else if (graph->nodes[node].op == OP_CAST)
        lower_cast(graph, &graph->nodes[node]);
    return rc == 0 ? 0 : node_error_in(&graph->nodes[node], err);
}
