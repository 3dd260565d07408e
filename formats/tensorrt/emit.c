/* emit.c — the target tensorrt: a calibration cache, and the float model whose tensors it names.
 *
 * A cache is text: "TRT-<version>-EntropyCalibration2", then a line a tensor with its scale, the bits of a float32 as
 * eight hexadecimal digits. There is no place for scales of weights: TensorRT takes the largest magnitude of each
 * output channel for 127 steps. So the model's weights are those that the codes stand for, of which it finds the same
 * codes.
 */
#include "formats/onnx/write_plan.h"
#include "formats/onnx_qdq/profile.h"
#include "formats/target.h"
#include "formats/text_file.h"

#include <inttypes.h>
#include <string.h>

extern const struct target target_tensorrt;

/* TensorRT 8.6.1; the least and the most that its numbering can say. */
static const struct target_option options[] = {
    {"version", SETTING_COUNT, "8601", NULL, 1000, 999999, false},
    {0},
};

static const struct profile profile = {
    .name = "tensorrt", ONNX_QDQ_SYMMETRIC, .codes_are_remade = true, .weights_are_max_abs = true};

static void print_scale(FILE *out, const char *tensor, float scale)
{
    uint32_t bits;

    memcpy(&bits, &scale, sizeof bits);
    fprintf(out, "%s: %08" PRIx32 "\n", tensor, bits);
}

/* Scales of all values with codes; what stands between a node and its fused activation has that of the result. */
static int write_cache(const struct plan *plan, const struct emit_info *info, struct onnx_graph_writer *gw,
                       struct output *output, struct error *err)
{
    const struct graph *graph = plan->graph;
    struct text_file file;
    char name[512];

    snprintf(name, sizeof name, "%s.cache", info->model_name);
    if (text_file_begin(&file, err) != 0)
        return -1;
    fprintf(file.out, "TRT-%s-EntropyCalibration2\n", target_setting(info->settings, &target_tensorrt, "version"));
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (plan->values[graph->inputs[i]].is_quantized)
            print_scale(file.out, graph->values[graph->inputs[i]].name, plan->values[graph->inputs[i]].scale[0]);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const struct plan_value *y = &plan->values[node->outputs[0]];

        if (!y->is_quantized)
            continue;
        if (node->fused.kind != ACTIVATION_NONE)
            print_scale(file.out, onnx_graph_name(gw, node->name, "linear"), y->scale[0]);
        print_scale(file.out, graph->values[node->outputs[0]].name, y->scale[0]);
    }
    return text_file_end(&file, output, "tensorrt", name, err);
}

static const char readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the float network, batch norms folded, biases corrected for max-abs weights in int8.\n"
    "- `<model>.cache`: scales of its tensors, as TensorRT's entropy calibrator keeps them.\n"
    "\n"
    "    trtexec --onnx=<model>.onnx --int8 --calib=<model>.cache --saveEngine=<model>.plan\n"
    "\n"
    "The first line of the cache names a version of TensorRT, which some releases compare with their own:\n"
    "`target_options.tensorrt.version` sets it (8601 is 8.6.1, 100300 is 10.3.0). Implicit quantization, which reads "
    "such\n"
    "caches, is deprecated since TensorRT 10.1; the target onnx-qdq with `flavour: tensorrt` writes the explicit "
    "form.\n"
    "\n"
    "Confirmed: the form of the cache (public readers of it, among them ONNX Runtime's). Best effort: which layers\n"
    "TensorRT runs in int8 is its own choice. Nothing here was run by TensorRT.\n";

/* A name ends at the last colon of its line. */
static int check(const struct plan *plan, struct error *err)
{
    for (size_t v = 0; v < plan->graph->n_values; v++)
        if (plan->values[v].is_quantized && strpbrk(plan->graph->values[v].name, "\r\n") != NULL)
            return error_set(err, EX_UNAVAILABLE, "value \"%s\": TensorRT's caches cannot hold a name with line ends",
                             plan->graph->values[v].name);
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (plan->graph->nodes[n].fused.kind != ACTIVATION_NONE && strpbrk(plan->graph->nodes[n].name, "\r\n") != NULL)
            return error_set(err, EX_UNAVAILABLE, "node \"%s\": TensorRT's caches cannot hold a name with line ends",
                             plan->graph->nodes[n].name);
    return 0;
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    if (onnx_save_plan(plan, info, "tensorrt", write_cache, output, err) != 0)
        return -1;
    return text_file_write_readme(output, "tensorrt", readme, &(struct text_mark){"<model>", info->model_name}, 1, err);
}

const struct target target_tensorrt = {
    .name = "tensorrt",
    .summary = "NVIDIA TensorRT: a calibration cache (implicit int8), and the float model as ONNX",
    .profile = &profile,
    .options = options,
    .takes_batch = true,
    .writes_no_codes = true,
    .check = check,
    .emit = emit,
};
