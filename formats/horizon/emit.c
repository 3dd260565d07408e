/* emit.c — the target horizon-j6: a package for Horizon's J6 tool chain; see horizon.h. */
#include "formats/horizon/horizon.h"

#include "common/printable.h"
#include "formats/onnx_qdq/profile.h"
#include "formats/onnx_qdq/write.h"

#include <string.h>

/* The BPU's own arithmetic is not public: this is that of the Q/DQ model, in which scales are symmetric, one a value.
 */
static const struct profile profile = {.name = HORIZON, ONNX_QDQ_SYMMETRIC, .codes_are_remade = true};

static int write_files(struct horizon *h, struct error *err)
{
    if (horizon_write_quantized(h, err) != 0 || horizon_write_samples(h, err) != 0 || horizon_write_config(h, err) != 0)
        return -1;
    if (horizon_write_quant_config(h, err) != 0 || horizon_write_thresholds(h, err) != 0)
        return -1;
    return horizon_write_estimate(h, err) != 0 ? -1 : horizon_write_readme(h, err);
}

/* config.yaml has one line of plain text for a name, and joins those of several inputs by ";". */
static int check_names(const struct graph *graph, struct error *err)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const char *name = graph->values[graph->inputs[i]].name;

        if (!printable_is_line(name) || strchr(name, ';') != NULL)
            return error_set(err, EX_UNAVAILABLE,
                             "input \"%s\": config.yaml cannot hold a name with ';', control characters or bytes that "
                             "are no UTF-8",
                             name);
    }
    return 0;
}

static int check(const struct plan *plan, struct error *err)
{
    return check_names(plan->graph, err) != 0 ? -1 : onnx_qdq_check(plan, err);
}

static int write_package(const struct plan *plan, const struct emit_info *info, struct output *output,
                         int (*write)(struct horizon *h, struct error *err), struct error *err)
{
    struct horizon h = {.plan = plan,
                        .info = info,
                        .output = output,
                        .arena = arena_create(err),
                        .is_nash = target_setting_is(info->settings, &target_horizon, "dialect", "nash")};
    int rc = h.arena == NULL || horizon_describe_inputs(&h, err) != 0 || horizon_check_nodes(&h, err) != 0
                 ? -1
                 : write(&h, err);

    arena_destroy(h.arena);
    return rc;
}

static int emit_float(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    return write_package(plan, info, output, horizon_write_float, err);
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    return write_package(plan, info, output, write_files, err);
}

const struct target target_horizon = {
    .name = HORIZON,
    .summary = "Horizon J6 (BPU Nash): float and Q/DQ ONNX, hb_compile's yaml and quant_config, calibration tensors",
    .profile = &profile,
    .is_read_back = true,
    .ships_records = true,
    .options = horizon_options,
    .check_settings = horizon_check_settings,
    .check = check,
    .emit_float = emit_float,
    .emit = emit,
};
