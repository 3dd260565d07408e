/* emit.c — the targets onnx-qdq and onnx-qdq-int16: <name>.onnx. */
#include "formats/onnx_qdq/profile.h"
#include "formats/onnx_qdq/write.h"
#include "formats/text_file.h"

extern const struct target target_onnx_qdq, target_onnx_qdq_int16;

static const struct target_option options[] = {
    {"flavour", SETTING_WORD, "ort", (const char *const[]){"ort", "tensorrt", NULL}, 0, 0, true},
    {0},
};

static const struct target_option int16_options[] = {
    {"weights", SETTING_WORD, "int8", (const char *const[]){"int8", "int16", NULL}, 0, 0, true},
    {0},
};

static const struct profile *choose_profile(const struct target_settings *settings)
{
    bool is_tensorrt = target_setting_is(settings, &target_onnx_qdq, "flavour", "tensorrt");

    return is_tensorrt ? &onnx_qdq_tensorrt_profile : &onnx_qdq_profile;
}

static const struct profile *choose_int16_profile(const struct target_settings *settings)
{
    bool has_wide_weights = target_setting_is(settings, &target_onnx_qdq_int16, "weights", "int16");

    return has_wide_weights ? &onnx_qdq_int16_weights_profile : &onnx_qdq_int16_profile;
}

static const char ort_readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the network with QuantizeLinear and DequantizeLinear nodes (opset 13), for ONNX Runtime on "
    "CPUs:\n"
    "  uint8 activations, int8 weights, int32 biases.\n"
    "\n"
    "    session = onnxruntime.InferenceSession(\"<model>.onnx\", providers=[\"CPUExecutionProvider\"])\n"
    "\n"
    "Inputs and outputs are floats; the first axis is the batch. Leave graph optimisation on, or the file runs in "
    "float\n"
    "between the pairs. CPUs without VNNI add products in saturating 16 bits: the session option\n"
    "`session.x64quantprecision` = 1 makes them exact. `metadata_props` says which decisions these are.\n"
    "\n"
    "Confirmed: ONNX's checker takes such files; ONNX Runtime 1.31 runs them in integer kernels and chooses what the\n"
    "report's simulation chooses. Best effort: other runtimes that read the QDQ form.\n";

static const char tensorrt_readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the network with QuantizeLinear and DequantizeLinear nodes (opset 13) as TensorRT's explicit\n"
    "  quantization wants them: symmetric int8, float biases.\n"
    "\n"
    "    trtexec --onnx=<model>.onnx --int8 --saveEngine=<model>.plan\n"
    "\n"
    "Inputs and outputs are floats; the first axis is the batch. `metadata_props` says which decisions these are.\n"
    "\n"
    "Confirmed: ONNX's checker and ONNX Runtime take such files. Best effort: where pairs stand follows TensorRT's "
    "guide\n"
    "to explicit quantization; nothing here was run by TensorRT.\n";

static const char int16_readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the network with QuantizeLinear and DequantizeLinear nodes of opset 21: int16 activations with\n"
    "  zero point 0. Weights are int8 with int32 biases, or, with `weights: int16` in the job, int16 with float "
    "biases.\n"
    "\n"
    "    session = onnxruntime.InferenceSession(\"<model>.onnx\", providers=[\"CPUExecutionProvider\"])\n"
    "\n"
    "Inputs and outputs are floats; the first axis is the batch. `metadata_props` says which decisions these are.\n"
    "\n"
    "Confirmed: ONNX's checker takes such files; ONNX Runtime 1.31 runs them, in float between the pairs since its "
    "CPU\n"
    "provider has no integer kernels of 16 bits, and gives, node by node, the report's codes or their neighbours: its\n"
    "float sums round otherwise. Best effort: runtimes with 16-bit kernels; nothing here was run by one.\n";

static int emit_file(const char *folder, const char *readme, const struct plan *plan, const struct emit_info *info,
                     struct output *output, struct error *err)
{
    if (onnx_qdq_write(plan, info, false, NULL, folder, info->model_name, output, err) != 0)
        return error_in(err, "%s", folder);
    return text_file_write_readme(output, folder, readme, &(struct text_mark){"<model>", info->model_name}, 1, err);
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    bool is_tensorrt = target_setting_is(info->settings, &target_onnx_qdq, "flavour", "tensorrt");

    return emit_file("onnx-qdq", is_tensorrt ? tensorrt_readme : ort_readme, plan, info, output, err);
}

static int emit_int16(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    return emit_file("onnx-qdq-int16", int16_readme, plan, info, output, err);
}

const struct target target_onnx_qdq = {
    .name = "onnx-qdq",
    .summary = "ONNX with QuantizeLinear/DequantizeLinear, uint8 x int8, as ONNX Runtime fuses it",
    .profile = &onnx_qdq_profile,
    .is_read_back = true,
    .options = options,
    .choose_profile = choose_profile,
    .takes_batch = true,
    .check = onnx_qdq_check,
    .emit = emit,
};

const struct target target_onnx_qdq_int16 = {
    .name = "onnx-qdq-int16",
    .summary = "ONNX with QuantizeLinear/DequantizeLinear of opset 21, int16 activations",
    .profile = &onnx_qdq_int16_profile,
    .is_read_back = true,
    .options = int16_options,
    .choose_profile = choose_int16_profile,
    .takes_batch = true,
    .check = onnx_qdq_check,
    .emit = emit_int16,
};
