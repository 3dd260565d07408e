/* emit.c — the target mnn: parameters of compression for MNNConvert, and the float model whose tensors they name.
 *
 * A message MNN.Compression.Pipeline as JSON: one algorithm QUANTIZE, and in it, for each layer, scales and clamps of
 * what it reads, of its weights and of what it makes; the converter finds a layer by the name of its output. Facts:
 * alibaba MNN, tools/converter (compressionParamsFile, fullQuantAndCoding).
 */
#include "formats/json_text.h"
#include "formats/onnx/write_plan.h"
#include "formats/target.h"
#include "formats/text_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool allows(const struct graph *graph, const struct node *node)
{
    return graph->values[node->inputs[0]].shape.rank == (node->op == OP_CONV ? 4 : 2);
}

static const struct profile profile = {
    .name = "mnn",
    .signed_codes = {-127, 127, 0},
    .unsigned_codes = {-127, 127, 0},
    .signed_steps = 127,
    .unsigned_steps = 127,
    .activation_rounding = ROUND_HALF_AWAY,
    .weight_limit = 127,
    .codes_are_remade = true,
    .per_channel_weights = true,
    .integer_bias = true,
    .bias_rounding = ROUND_HALF_AWAY,
    .requantization = REQUANTIZE_RATIO,
    .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE,
    .transparent_ops = 1u << OP_RESHAPE,
    .allows = allows,
};

/* Scales, bits and clamps; `scales` of a value or of weights. */
static json_t *parameters(const char *name, const float *scales, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_append(&list, json_real((double)scales[i]));
    return json_pack("{s:o, s:i, s:o, s:i, s:i}", "name", json_text(name), "bits", 8, "scales", list, "clamp_min", -127,
                     "clamp_max", 127);
}

static json_t *activation(const struct plan *plan, int value, const char *name)
{
    json_t *object = parameters(name, plan->values[value].scale, 1);

    json_put(&object, "zero_point", json_integer(0));
    return object;
}

/* The converter joins a convolution with its ReLU before it looks layers up, an inner product after. */
static const char *output_name(const struct plan *plan, size_t index, struct onnx_graph_writer *gw)
{
    const struct node *node = &plan->graph->nodes[index];

    return node->op == OP_DENSE && node->fused.kind != ACTIVATION_NONE ? onnx_graph_name(gw, node->name, "linear")
                                                                       : plan->graph->values[node->outputs[0]].name;
}

static json_t *layer(const struct plan *plan, size_t index, struct onnx_graph_writer *gw)
{
    const struct node *node = &plan->graph->nodes[index];
    const struct plan_node *p = &plan->nodes[index];

    return json_pack("{s:[o], s:[o], s:[o]}", "input",
                     activation(plan, node->inputs[0], plan->graph->values[node->inputs[0]].name), "weight",
                     parameters(plan->graph->values[node->inputs[1]].name, p->weight_scale, p->n_weight_scales),
                     "output", activation(plan, node->outputs[0], output_name(plan, index, gw)));
}

static int write_parameters(const struct plan *plan, const struct emit_info *info, struct onnx_graph_writer *gw,
                            struct output *output, struct error *err)
{
    json_t *layers = json_array(), *root;
    char name[512];

    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        enum op op = plan->graph->nodes[i].op;

        if ((op == OP_CONV || op == OP_DENSE) && plan->nodes[i].n_weight_scales > 0)
            json_append(&layers, layer(plan, i, gw));
    }
    root = json_pack("{s:s, s:s, s:[{s:s, s:{s:o}}]}", "version", "0.0.0", "mnn_uuid", info->fingerprint, "algo",
                     "type", "QUANTIZE", "quant_params", "layer", layers);
    snprintf(name, sizeof name, "%s.compress.json", info->model_name);
    return json_file_write(root, output, "mnn", name, err);
}

static const char readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the float network, batch norms folded, biases corrected for the codes below.\n"
    "- `<model>.compress.json`: scales of weights and activations for MNN's converter.\n"
    "\n"
    "    MNNConvert -f ONNX --modelFile <model>.onnx --MNNModel <model>.mnn --bizCode biz \\\n"
    "        --compressionParamsFile <model>.compress.json\n"
    "\n"
    "Confirmed from MNN's public sources: the fields, and that layers are found by the name of their output. Best "
    "effort:\n"
    "versions that read binary messages only need it through `protoc --encode`; the rounding of MNN's kernels, which "
    "the\n"
    "report simulates as half away from zero, differs between its backends. Nothing here was run by MNN.\n";

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    if (onnx_save_plan(plan, info, "mnn", write_parameters, output, err) != 0)
        return -1;
    return text_file_write_readme(output, "mnn", readme, &(struct text_mark){"<model>", info->model_name}, 1, err);
}

const struct target target_mnn = {
    .name = "mnn",
    .summary = "Alibaba MNN: parameters of compression for MNNConvert, and the float model as ONNX",
    .profile = &profile,
    .takes_batch = true,
    .writes_no_codes = true,
    .emit = emit,
};
