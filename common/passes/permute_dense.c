/* permute_dense.c — pass: a transpose before the flattening of an image moves into the weights of the dense layer.
 *
 * Frameworks with channels last flatten rows, columns, channels; here channels come first, so their networks arrive
 * with a transpose there. The layer can as well read the elements as they lie, with the columns of its weights in that
 * order.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

/* What the dense layer reads, as transpose and reshape to N x K; false where it is something else. */
static bool match(struct rewrite *rewrite, int dense, int *transpose, int *reshape)
{
    const struct graph *graph = rewrite->graph;
    int value = graph->nodes[dense].inputs[0];

    *reshape = rewrite_own_producer(rewrite, value, dense);
    if (*reshape == GRAPH_NONE || graph->nodes[*reshape].op != OP_RESHAPE)
        return false;
    *transpose = graph->values[graph->nodes[*reshape].inputs[0]].producer; /* others may read it as well */
    return *transpose != GRAPH_NONE && graph->nodes[*transpose].op == OP_TRANSPOSE && !graph->nodes[*transpose].is_kept;
}

/* Of the elements of one record in the order of `perm`, the place of the k-th one in x. */
static int64_t source(const struct shape *x, const int64_t *perm, int64_t k)
{
    int64_t index[TENSOR_MAX_RANK] = {0}, place = 0;

    for (size_t i = x->rank; i-- > 1;) {
        index[perm[i]] = k % x->dims[perm[i]];
        k /= x->dims[perm[i]];
    }
    for (size_t i = 1; i < x->rank; i++)
        place = place * x->dims[i] + index[i];
    return place;
}

static int fold(struct rewrite *rewrite, int dense, struct error *err)
{
    struct graph *graph = rewrite->graph;
    int transpose, reshape;
    struct shape shape, x;
    const float *w = rewrite_constant(graph, &graph->nodes[dense], 1, &shape);
    float *permuted;

    if (w == NULL || !match(rewrite, dense, &transpose, &reshape))
        return 0;
    x = graph->values[graph->nodes[transpose].inputs[0]].shape;
    permuted = rewrite_create_data(rewrite, &shape, err);
    if (permuted == NULL)
        return -1;
    for (int64_t k = 0; k < shape.dims[1]; k++) {
        int64_t to = source(&x, graph->nodes[transpose].attr.perm, k);

        for (int64_t o = 0; o < shape.dims[0]; o++)
            permuted[o * shape.dims[1] + to] = w[o * shape.dims[1] + k];
    }
    if (rewrite_set_constant(rewrite, dense, 1, &shape, permuted, "weight", err) != 0)
        return -1;
    return rewrite_set_input(rewrite, reshape, 0, graph->nodes[transpose].inputs[0], err);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++)
        if (rewrite_may_edit(&graph->nodes[i]) && graph->nodes[i].op == OP_DENSE)
            rc = fold(&rewrite, (int)i, err);
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_permute_dense = {
    .name = "permute_dense",
    .summary = "move a transpose before the flattening of an image into the weights of the dense layer behind it",
    .run = run,
};
