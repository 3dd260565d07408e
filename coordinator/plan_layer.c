/* plan_layer.c — see plan_layer.h. */
#include "coordinator/plan_layer.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

bool plan_has_weights(const struct plan *plan, size_t n)
{
    enum op op = plan->graph->nodes[n].op;

    return plan->nodes[n].is_quantized && (op == OP_CONV || op == OP_DECONV || op == OP_DENSE);
}

bool plan_runs_along_channels(const struct plan *plan, int n)
{
    const struct node *node = &plan->graph->nodes[n];

    return node->op == OP_CONV || (node->op == OP_DENSE && plan->graph->values[node->inputs[0]].shape.rank == 2);
}

/* In a depthwise layer an output channel meets one input channel: its scale can stay outside. */
static bool is_folded(const struct plan *plan, const struct plan_layer *layer)
{
    bool is_depthwise = layer->node->op == OP_CONV && layer->inputs == 1 && layer->outputs == 1;

    if (plan->profile->is_tool_exact && layer->n_input_scales == 1)
        return !is_depthwise;
    return layer->n_input_scales > 1 && !(is_depthwise && layer->n_scales == layer->out_channels);
}

struct plan_layer plan_layer_of(const struct plan *plan, int n)
{
    const struct node *node = &plan->graph->nodes[n];
    const struct value *weights = &plan->graph->values[node->inputs[1]];
    const struct plan_value *input = &plan->values[node->inputs[0]];
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE, is_transposed = node->op == OP_DECONV;
    size_t groups = node->op == OP_DENSE ? 1 : (size_t)node->attr.conv.group, second = (size_t)weights->shape.dims[1];
    struct plan_layer layer = {
        .node = node,
        .weights = weights->data,
        .bias = has_bias ? plan->graph->values[node->inputs[2]].data : NULL,
        .elements = (size_t)shape_elements(&weights->shape),
        .out_channels = is_transposed ? second * groups : (size_t)weights->shape.dims[0],
        .n_scales = plan->nodes[n].n_weight_scales,
        .inputs = is_transposed ? (size_t)weights->shape.dims[0] / groups : second,
        .input_scale = input->scale,
        .n_input_scales = input->n_scales,
    };

    layer.row = layer.out_channels > 0 ? layer.elements / layer.out_channels : 0;
    layer.taps = layer.inputs > 0 ? layer.row / layer.inputs : 0;
    layer.outputs = layer.out_channels / groups;
    layer.is_folded = is_folded(plan, &layer);
    return layer;
}

int plan_layer_error(const struct plan *plan, int n, size_t channel, struct error *err)
{
    const char *name = plan->graph->nodes[n].name;

    return plan->nodes[n].n_weight_scales == 1 ? error_in(err, "node \"%s\"", name)
                                               : error_in(err, "node \"%s\": output channel %zu", name, channel);
}

struct weight_group plan_layer_group(const struct plan_layer *layer, size_t i)
{
    struct weight_group group = {.first = i * layer->row, .runs = 1, .run = layer->row};

    if (layer->n_scales == 1 && layer->out_channels != 1) {
        group = (struct weight_group){.runs = 1, .run = layer->elements};
    } else if (layer->node->op == OP_DECONV) {
        group.runs = layer->inputs;
        group.run = layer->taps;
        group.stride = layer->outputs * layer->taps;
        group.first = i / layer->outputs * layer->inputs * group.stride + i % layer->outputs * layer->taps;
    }
    return group;
}

size_t plan_layer_input(const struct plan_layer *layer, size_t at)
{
    return at / layer->row / layer->outputs * layer->inputs + at % layer->row / layer->taps;
}

/* Where the scale is that weight `at` meets: of its input channel, or the only one. */
static size_t input_scale_of(const struct plan_layer *layer, size_t at)
{
    return layer->n_input_scales == 1 ? 0 : plan_layer_input(layer, at);
}

static void fold(const struct plan_layer *layer, struct weight_group group, float *out)
{
    for (size_t at = 0; at < group.run; at += layer->taps) {
        float scale = layer->input_scale[input_scale_of(layer, group.first + at)];

        for (size_t t = at; t < at + layer->taps; t++)
            out[t] = layer->weights[group.first + t] * scale;
    }
}

const float *plan_layer_gather(const struct plan_layer *layer, struct weight_group group, float **copy,
                               struct error *err)
{
    *copy = NULL;
    if (group.runs == 1 && !layer->is_folded)
        return layer->weights + group.first;
    *copy = memory_create(group.runs, group.run * sizeof **copy, "the weights of an output channel", err);
    if (*copy != NULL && layer->is_folded) { /* a CONV: one run */
        fold(layer, group, *copy);
        return *copy;
    }
    for (size_t i = 0; *copy != NULL && i < group.runs; i++)
        memcpy(*copy + i * group.run, layer->weights + group.first + i * group.stride, group.run * sizeof **copy);
    return *copy;
}

void plan_layer_scatter(int16_t *codes, struct weight_group group, const int16_t *from)
{
    for (size_t i = 0; i < group.runs; i++)
        memcpy(codes + group.first + i * group.stride, from + i * group.run, group.run * sizeof *codes);
}

double plan_layer_input_scale(const struct plan_layer *layer, size_t i)
{
    return layer->is_folded ? 1 : (double)layer->input_scale[layer->n_input_scales == 1 ? 0 : i];
}

double plan_layer_fold(const struct plan_layer *layer, size_t input)
{
    return layer->is_folded ? (double)layer->input_scale[layer->n_input_scales == 1 ? 0 : input] : 1;
}
