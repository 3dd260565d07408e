/* emit.c — the target horizon-j6: a package for Horizon's J6 tool chain; see horizon.h. */
#include "formats/horizon/horizon.h"
#include "formats/onnx_qdq/profile.h"
#include "formats/onnx_qdq/write.h"

/* The BPU's own arithmetic is not public: this is that of the Q/DQ model, in which scales are symmetric, one a value.
 */
static const struct profile profile = {.name = HORIZON, ONNX_QDQ_SYMMETRIC, .codes_are_remade = true};

static int write_files(struct horizon *h, struct error *err)
{
    if (horizon_describe_inputs(h, err) != 0 || horizon_check_removed(h, err) != 0)
        return -1;
    if (horizon_write_models(h, err) != 0 || horizon_write_samples(h, err) != 0 || horizon_write_config(h, err) != 0)
        return -1;
    if (horizon_write_quant_config(h, err) != 0 || horizon_write_thresholds(h, err) != 0)
        return -1;
    return horizon_write_estimate(h, err) != 0 ? -1 : horizon_write_readme(h, err);
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    struct horizon h = {.plan = plan,
                        .info = info,
                        .output = output,
                        .arena = arena_create(err),
                        .is_nash = target_setting_is(info->settings, &target_horizon, "dialect", "nash")};
    int rc = h.arena == NULL ? -1 : write_files(&h, err);

    arena_destroy(h.arena);
    return rc;
}

const struct target target_horizon = {
    .name = HORIZON,
    .summary = "Horizon J6 (BPU Nash): float and Q/DQ ONNX, hb_compile's yaml and quant_config, calibration tensors",
    .profile = &profile,
    .is_read_back = true,
    .options = horizon_options,
    .check_settings = horizon_check_settings,
    .check = onnx_qdq_check,
    .emit = emit,
};
