/* merge_reshapes.c — pass: neighbouring reshapes join, and so do neighbouring transposes.
 *
 * A transpose that only moves axes of extent 1 is a reshape (exporters that convert between NHWC and NCHW write them
 * around global pools).
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

#include <string.h>

static const struct node *producer_of(const struct graph *graph, const struct node *node, enum op op)
{
    const struct node *producer = rewrite_producer(graph, node->inputs[0]);

    return producer == NULL || producer->op != op ? NULL : producer;
}

static bool keeps_element_order(const int64_t *perm, const struct shape *x)
{
    int64_t last = -1;

    for (size_t i = 0; i < x->rank; i++) {
        if (x->dims[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return perm[0] == 0; /* the engine makes axis 0 longer */
}

static int merge_transpose(struct rewrite *rewrite, int index, struct error *err)
{
    struct graph *graph = rewrite->graph;
    struct node *node = &graph->nodes[index];
    const struct node *inner = producer_of(graph, node, OP_TRANSPOSE);
    const struct shape *x = &graph->values[node->inputs[0]].shape;
    int64_t perm[TENSOR_MAX_RANK] = {0};

    if (inner != NULL) {
        for (size_t i = 0; i < x->rank; i++)
            perm[i] = inner->attr.perm[node->attr.perm[i]];
        memcpy(node->attr.perm, perm, sizeof perm);
        return rewrite_set_input(rewrite, index, 0, inner->inputs[0], err);
    }
    if (keeps_element_order(node->attr.perm, x))
        return rewrite_become(rewrite, index, OP_RESHAPE, node->inputs[0], err) == NULL ? -1 : 0;
    return 0;
}

static int merge_reshape(struct rewrite *rewrite, int index, struct error *err)
{
    const struct node *inner = producer_of(rewrite->graph, &rewrite->graph->nodes[index], OP_RESHAPE);

    return inner == NULL ? 0 : rewrite_set_input(rewrite, index, 0, inner->inputs[0], err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        if (!rewrite_may_edit(&graph->nodes[i]))
            continue;
        if (graph->nodes[i].op == OP_TRANSPOSE)
            rc = merge_transpose(&rewrite, (int)i, err);
        if (rc == 0 && graph->nodes[i].op == OP_RESHAPE)
            rc = merge_reshape(&rewrite, (int)i, err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_merge_reshapes = {
    .name = "merge_reshapes",
    .summary = "join reshapes of reshapes and transposes of transposes",
    .run = run,
};
