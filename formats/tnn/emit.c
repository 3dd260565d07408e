/* emit.c — the target tnn: <name>.quantized.tnnproto and <name>.quantized.tnnmodel. */
#include "formats/target.h"
#include "formats/text_file.h"
#include "formats/tnn/emit.h"

#include <stdio.h>
#include <stdlib.h>

static int check(const struct plan *plan, struct error *err)
{
    struct buffer proto, model;
    int rc = tnn_write_model(plan, &proto, &model, err);

    free(proto.data);
    free(model.data);
    return rc;
}

static int write_file(struct output *output, const char *model_name, const char *suffix, const struct buffer *buffer,
                      struct error *err)
{
    char name[512];

    if (snprintf(name, sizeof name, "%s/%s.quantized.%s", tnn_profile.name, model_name, suffix) >= (int)sizeof name)
        return error_set(err, EX_CANTCREAT, "the name of model \"%s\" is too long for a file", model_name);
    return output_write(output, name, buffer->data, buffer->size, true, err);
}

static const char readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.quantized.tnnproto`, `<model>.quantized.tnnmodel`: the int8 network for Tencent TNN, version 2 of the\n"
    "  format, under the names that its own tool writes.\n"
    "\n"
    "The contents of the two files, not their paths, are what `ModelConfig.params` takes, with `MODEL_TYPE_TNN`; "
    "devices\n"
    "are `DEVICE_ARM`, `DEVICE_X86` and the reference `DEVICE_NAIVE` (those of GPUs run no int8). Feed preprocessed\n"
    "floats as to the fp32 network: TNN converts where codes meet floats.\n"
    "\n"
    "Confirmed from TNN's sources at commit f0cb08129a05, and by activations that its runtime made of a network of\n"
    "theirs, bit for bit: layers, scales and the rounding of `DEVICE_NAIVE`, which the report simulates. Best effort:\n"
    "other devices round some layers in their own way. `target_options.tnn.mode: tool-exact` gives the numbers of\n"
    "TNN's own tool, its known faults included.\n";

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    struct buffer proto, model;
    int rc = tnn_write_model(plan, &proto, &model, err);

    if (rc == 0)
        rc = write_file(output, info->model_name, "tnnproto", &proto, err);
    if (rc == 0)
        rc = write_file(output, info->model_name, "tnnmodel", &model, err);
    if (rc == 0)
        rc = text_file_write_readme(output, tnn_profile.name, readme, &(struct text_mark){"<model>", info->model_name},
                                    1, err);
    free(proto.data);
    free(model.data);
    return rc;
}

extern const struct target target_tnn;

static const struct target_option options[] = {
    {"mode", SETTING_WORD, "corrected", (const char *const[]){"corrected", "tool-exact", NULL}, 0, 0, true},
    {0},
};

static const struct profile *choose_profile(const struct target_settings *settings)
{
    return target_setting_is(settings, &target_tnn, "mode", "tool-exact") ? &tnn_tool_profile : &tnn_profile;
}

const struct target target_tnn = {
    .name = "tnn",
    .summary = "Tencent TNN on CPUs: int8 tnnproto and tnnmodel, symmetric, per-channel weights",
    .profile = &tnn_profile,
    .is_read_back = true,
    .options = options,
    .choose_profile = choose_profile,
    .advised_records = 50, /* TNN's manual, doc/cn/user/quantization.md */
    .check = check,
    .emit = emit,
};
