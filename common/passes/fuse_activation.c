/* fuse_activation.c — pass: an activation joins the layer that feeds nobody else.
 *
 * The layer then produces the activation's output, so the value that survives, and that gets a scale, is the one after
 * the activation.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static bool takes_activation(const struct node *node)
{
    return node->fused.kind == ACTIVATION_NONE &&
           (node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE ||
            (node->op == OP_BINARY && node->attr.binary.kind == BINARY_ADD));
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        const struct node *node = &graph->nodes[i];
        int producer;

        if (!rewrite_may_edit(node) || node->op != OP_ACTIVATION)
            continue;
        producer = rewrite_own_producer(&rewrite, node->inputs[0], (int)i);
        if (producer == GRAPH_NONE || !takes_activation(&graph->nodes[producer]))
            continue;
        graph->nodes[producer].fused = node->attr.activation;
        rewrite_absorb(&rewrite, producer, (int)i);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_fuse_activation = {
    .name = "fuse_activation",
    .summary = "fuse activations into the convolution, dense layer or addition before them",
    .run = run,
};
