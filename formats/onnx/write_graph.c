/* write_graph.c — our graph through the builder of ONNX messages: names, constants, nodes in order; see write.h. */
#include "formats/onnx/write_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A constant has one record, which does not become more where it is joined with others. */
static const struct node *find_constant_join(const struct graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; graph->nodes[i].op == OP_CONCAT && j < graph->nodes[i].n_inputs; j++)
            if (graph->values[graph->nodes[i].inputs[j]].is_constant)
                return &graph->nodes[i];
    return NULL;
}

static void fix_batch(struct onnx_writer *writer, const struct graph *graph)
{
    const struct node *join = find_constant_join(graph);
    struct error err;

    onnx_writer_fix_batch(writer, join != NULL ? 1 : graph->batch);
    if (join == NULL || graph->batch <= 1)
        return;
    error_set(&err, EX_UNAVAILABLE, "node \"%s\" (%s): a join with a constant is for one record, not a batch of %lld",
              join->name, join->type, (long long)graph->batch);
    onnx_writer_fail(writer, &err);
}

void onnx_graph_writer_init(struct onnx_graph_writer *gw, struct onnx_writer *writer, const struct graph *graph)
{
    *gw = (struct onnx_graph_writer){.writer = writer, .graph = graph};
    gw->names = onnx_writer_memory(writer, graph->n_values, sizeof *gw->names);
    gw->is_written = onnx_writer_memory(writer, graph->n_values, sizeof *gw->is_written);
    for (size_t i = 0; gw->names != NULL && i < graph->n_values; i++)
        gw->names[i] = graph->values[i].name;
    fix_batch(writer, graph);
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

/* "data_0"; the file's own names come first. */
static const char *record_name(struct onnx_graph_writer *gw, const char *input, int64_t record)
{
    size_t size = strlen(input) + 24;
    char *name = onnx_writer_memory(gw->writer, size, 1);
    struct error err;

    if (name == NULL)
        return "";
    snprintf(name, size, "%s_%lld", input, (long long)record);
    if (graph_find_value(gw->graph, name) != GRAPH_NONE) {
        error_set(&err, EX_UNAVAILABLE, "input \"%s\" cannot be split: the network has a value \"%s\"", input, name);
        onnx_writer_fail(gw->writer, &err);
    }
    return name;
}

void onnx_graph_input(struct onnx_graph_writer *gw, int value)
{
    const struct value *input = &gw->graph->values[value];
    int64_t batch = gw->graph->batch;
    const char **records = input->is_separate ? onnx_writer_memory(gw->writer, (size_t)batch, sizeof *records) : NULL;

    if (!input->is_separate) {
        onnx_writer_input(gw->writer, input->name, &input->shape);
        return;
    }
    onnx_writer_fix_batch(gw->writer, 1);
    for (int64_t i = 0; records != NULL && i < batch; i++) {
        records[i] = record_name(gw, input->name, i);
        onnx_writer_input(gw->writer, records[i], &input->shape);
    }
    onnx_writer_fix_batch(gw->writer, batch);
    if (records == NULL)
        return;
    onnx_writer_node(gw->writer, "Concat", onnx_graph_name(gw, input->name, "batch"), records, (size_t)batch,
                     input->name);
    onnx_writer_int(gw->writer, "axis", 0);
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

const char *onnx_graph_parameter(struct onnx_graph_writer *gw, int node, size_t slot, const char *suffix,
                                 const struct tensor *tensor)
{
    const struct node *n = &gw->graph->nodes[node];
    int value = slot < n->n_inputs ? n->inputs[slot] : GRAPH_NONE;
    const char *name = value != GRAPH_NONE && graph_count_consumers(gw->graph, value) == 1
                           ? gw->graph->values[value].name
                           : onnx_graph_name(gw, n->name, suffix);

    if (tensor != NULL)
        onnx_writer_tensor(gw->writer, name, tensor);
    return name;
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

    const struct value *y = &gw->graph->values[n->outputs[0]];
    size_t first = onnx_writer_count_nodes(gw->writer);

    if (job.inputs == NULL)
        return;
    if (fused.kind != ACTIVATION_NONE)
        job.output = onnx_graph_name(gw, n->name, "linear");
    onnx_write_op(&job);
    if (fused.kind != ACTIVATION_NONE)
        onnx_write_activation(&job, fused, onnx_graph_name(gw, n->name, "activation"), job.output, output);
    onnx_writer_values_since(gw->writer, first, &y->shape, graph_is_output(gw->graph, n->outputs[0]) ? y->name : NULL);
}

void onnx_graph_output(struct onnx_graph_writer *gw, int value)
{
    const struct value *output = &gw->graph->values[value];

    onnx_writer_output(gw->writer, output->name, &output->shape);
}

void onnx_write_graph(struct onnx_writer *writer, const struct graph *graph)
{
    struct onnx_graph_writer gw;

    onnx_graph_writer_init(&gw, writer, graph);
    for (size_t i = 0; i < graph->n_inputs; i++)
        onnx_graph_input(&gw, graph->inputs[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        onnx_graph_node(&gw, (int)i, NULL, graph->nodes[i].fused, graph->values[graph->nodes[i].outputs[0]].name);
    for (size_t i = 0; i < graph->n_outputs; i++)
        onnx_graph_output(&gw, graph->outputs[i]);
}
