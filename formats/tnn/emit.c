/* emit.c — the target tnn: <name>.quantized.tnnproto and <name>.quantized.tnnmodel. */
#include "formats/target.h"
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

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    struct buffer proto, model;
    int rc = tnn_write_model(plan, &proto, &model, err);

    if (rc == 0)
        rc = write_file(output, info->model_name, "tnnproto", &proto, err);
    if (rc == 0)
        rc = write_file(output, info->model_name, "tnnmodel", &model, err);
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
