/* complete_bias.c — layers with weights get the bias they lack: zeros. Calibration corrects biases, so every layer has
 * one to correct, and emitters and simulators meet one form only.
 */
#include "common/passes.h"
#include "common/passes/rewrite.h"

static bool lacks_bias(const struct graph *graph, const struct node *node)
{
    return (node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE) &&
           graph->values[node->inputs[1]].is_constant && (node->n_inputs < 3 || node->inputs[2] == GRAPH_NONE);
}

static int run(struct graph *graph, struct error *err)
{
    struct rewrite rewrite;
    int rc = rewrite_open(&rewrite, graph, err);

    for (size_t i = 0; i < graph->n_nodes && rc == 0; i++) {
        const struct node *node = &graph->nodes[i];
        struct shape bias = {.rank = 1};
        float *zeros;

        if (node->is_removed || !lacks_bias(graph, node))
            continue;
        bias.dims[0] = graph->values[node->outputs[0]]
                           .shape.dims[node->op == OP_DENSE ? graph->values[node->outputs[0]].shape.rank - 1 : 1];
        zeros = rewrite_create_data(&rewrite, &bias, err);
        rc = zeros == NULL ? -1 : rewrite_set_constant(&rewrite, (int)i, 2, &bias, zeros, "bias", err);
    }
    rewrite_close(&rewrite);
    return rc;
}

const struct pass pass_complete_bias = {
    .name = "complete_bias",
    .summary = "give every convolution and dense layer a bias",
    .run = run,
};
