/* write_graph.c — our graph through the builder of ONNX messages: names, constants, nodes in order; see write.h. */
#include "formats/onnx/write_ops.h"

#include <stdlib.h>
#include <string.h>

void onnx_graph_writer_init(struct onnx_graph_writer *gw, struct onnx_writer *writer, const struct graph *graph)
{
    *gw = (struct onnx_graph_writer){.writer = writer, .graph = graph};
    gw->names = onnx_writer_memory(writer, graph->n_values, sizeof *gw->names);
    gw->is_written = onnx_writer_memory(writer, graph->n_values, sizeof *gw->is_written);
    for (size_t i = 0; gw->names != NULL && i < graph->n_values; i++)
        gw->names[i] = graph->values[i].name;
}

const char *onnx_graph_name(struct onnx_graph_writer *gw, const char *base, const char *suffix)
{
    size_t length = strlen(base) + 1 + strlen(suffix);
    char *name;

    do {
        name = onnx_writer_memory(gw->writer, length + 1, 1);
        if (name == NULL)
            return "";
        memset(name, '_', length); /* what the user's own names force us to append */
        memcpy(name, base, strlen(base));
        name[strlen(base)] = '/';
        memcpy(name + strlen(base) + 1, suffix, strlen(suffix));
        length++;
    } while (graph_find_value(gw->graph, name) != GRAPH_NONE);
    return name;
}

const char *onnx_graph_value(struct onnx_graph_writer *gw, int value)
{
    struct tensor tensor;

    if (value == GRAPH_NONE || gw->is_written == NULL)
        return "";
    if (!gw->is_written[value] && graph_constant(gw->graph, value, &tensor)) {
        onnx_writer_tensor(gw->writer, gw->names[value], &tensor);
        gw->is_written[value] = true;
    }
    return gw->names[value];
}

/* Names of a node's inputs: the replaced ones, else the values' own. */
static const char *const *name_inputs(struct onnx_graph_writer *gw, const struct node *node,
                                      const char *const *replaced, size_t n)
{
    const char **inputs = onnx_writer_memory(gw->writer, n, sizeof *inputs);

    for (size_t i = 0; inputs != NULL && i < n; i++) {
        if (replaced != NULL && replaced[i] != NULL)
            inputs[i] = replaced[i];
        else if (node->op != OP_PRELU || i == 0) /* write_prelu writes the slope in another shape */
            inputs[i] = onnx_graph_value(gw, node->inputs[i]);
    }
    return inputs;
}

void onnx_graph_node(struct onnx_graph_writer *gw, int node, const char *const *replaced, struct activation fused,
                     const char *output)
{
    const struct node *n = &gw->graph->nodes[node];
    size_t n_inputs = replaced != NULL && n->n_inputs == 2 && replaced[2] != NULL ? 3 : n->n_inputs;
    struct onnx_job job = {
        .gw = gw,
        .writer = gw->writer,
        .node = n,
        .x = &gw->graph->values[n->inputs[0]].shape,
        .inputs = name_inputs(gw, n, replaced, n_inputs),
        .n_inputs = n_inputs,
        .output = output,
    };

    if (job.inputs == NULL)
        return;
    if (fused.kind != ACTIVATION_NONE)
        job.output = onnx_graph_name(gw, n->name, "linear");
    onnx_write_op(&job);
    if (fused.kind != ACTIVATION_NONE)
        onnx_write_activation(&job, fused, onnx_graph_name(gw, n->name, "activation"), job.output, output);
}

int onnx_write_graph(const struct graph *graph, uint8_t **bytes, size_t *size, struct error *err)
{
    struct onnx_writer *writer = onnx_writer_create(graph->name[0] == '\0' ? "graph" : graph->name, err);
    struct onnx_graph_writer gw;
    int rc;

    if (writer == NULL)
        return -1;
    onnx_graph_writer_init(&gw, writer, graph);
    for (size_t i = 0; i < graph->n_inputs; i++)
        onnx_writer_input(writer, graph->values[graph->inputs[i]].name, &graph->values[graph->inputs[i]].shape);
    for (size_t i = 0; i < graph->n_nodes; i++)
        onnx_graph_node(&gw, (int)i, NULL, graph->nodes[i].fused, graph->values[graph->nodes[i].outputs[0]].name);
    for (size_t i = 0; i < graph->n_outputs; i++)
        onnx_writer_output(writer, graph->values[graph->outputs[i]].name, &graph->values[graph->outputs[i]].shape);
    rc = onnx_writer_finish(writer, bytes, size, err);
    onnx_writer_destroy(writer);
    return rc;
}
