/* emit.c — the target onnx-qdq: <name>.onnx. */
#include "formats/onnx_qdq/profile.h"
#include "formats/onnx_qdq/write.h"

extern const struct target target_onnx_qdq;

static const struct target_option options[] = {
    {"flavour", SETTING_WORD, "ort", (const char *const[]){"ort", "tensorrt", NULL}, 0, 0, true},
    {0},
};

static const struct profile *choose_profile(const struct target_settings *settings)
{
    bool is_tensorrt = target_setting_is(settings, &target_onnx_qdq, "flavour", "tensorrt");

    return is_tensorrt ? &onnx_qdq_tensorrt_profile : &onnx_qdq_profile;
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    if (onnx_qdq_write(plan, info, false, NULL, "onnx-qdq", info->model_name, output, err) != 0)
        return error_in(err, "onnx-qdq");
    return 0;
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
