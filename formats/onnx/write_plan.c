/* write_plan.c — see write_plan.h. */
#include "formats/onnx/write_plan.h"

static const char *add_bias(struct onnx_graph_writer *gw, const struct plan *plan, int index)
{
    const struct node *node = &gw->graph->nodes[index];
    struct tensor weights = {0}, bias = {DTYPE_FLOAT32, {.rank = 1}, plan->nodes[index].bias};

    graph_constant(gw->graph, node->inputs[1], &weights);
    bias.shape.dims[0] = weights.shape.dims[0];
    return onnx_graph_parameter(gw, index, 2, "bias", &bias);
}

void onnx_write_plan(struct onnx_graph_writer *gw, const struct plan *plan)
{
    const struct graph *graph = gw->graph;

    for (size_t i = 0; i < graph->n_inputs; i++)
        onnx_graph_input(gw, graph->inputs[i]);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const struct plan_node *planned = &plan->nodes[i];
        const char *replaced[3] = {NULL};
        bool has_bias = planned->bias != NULL && (node->op == OP_CONV || node->op == OP_DENSE);

        if (has_bias)
            replaced[2] = add_bias(gw, plan, (int)i);
        onnx_graph_node(gw, (int)i, has_bias ? replaced : NULL, node->fused, graph->values[node->outputs[0]].name);
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        onnx_graph_output(gw, graph->outputs[i]);
}

int onnx_save_plan(const struct plan *plan, const struct emit_info *info, const char *folder, onnx_then *then,
                   struct output *output, struct error *err)
{
    struct onnx_writer *writer = onnx_writer_create(info->model_name, err);
    struct onnx_graph_writer gw;
    int rc;

    if (writer == NULL)
        return -1;
    onnx_graph_writer_init(&gw, writer, plan->graph);
    onnx_write_plan(&gw, plan);
    rc = onnx_writer_save(writer, folder, info->model_name, output, err);
    if (rc == 0 && then != NULL)
        rc = then(plan, info, &gw, output, err);
    onnx_writer_destroy(writer);
    return rc;
}
