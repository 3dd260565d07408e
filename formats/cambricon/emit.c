/* emit.c — the targets cambricon-mlu220 and cambricon-mlu270, with codes of 8 and of 16 bits: a checkpoint with its
 * module for PyTorch, and networks for Caffe. A network that one of the two cannot express is written for the other. */
#include "common/log.h"
#include "formats/cambricon/cambricon.h"
#include "formats/planned_graph.h"
#include "formats/torch/weights.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 512 };

struct emitter {
    const struct plan *plan;
    const struct emit_info *info;
    struct output *output;
    const struct graph *graph; /* with the plan's biases */
    const char *folder;        /* the target's name */
    char base[NAME_BYTES];     /* <folder>/<name>_int<bits> */
};

/* 1: written; 0: this flow cannot express the network, and says why; -1. */
static int go_on_without(const struct emitter *e, const char *flow, int rc, struct error *err)
{
    if (rc == 0)
        return 1;
    if (err->code != EX_UNAVAILABLE)
        return -1;
    log_warning("target %s: nothing for %s: %s", e->folder, flow, err->text);
    return 0;
}

static int write_module(const struct emitter *e, const struct module *m, struct error *err)
{
    char name[NAME_BYTES + 8], *text;
    size_t size;
    int rc;

    if (module_source(m, &text, &size, err) != 0)
        return -1;
    snprintf(name, sizeof name, "%s/model.py", e->folder);
    rc = output_write(e->output, name, text, size, true, err);
    free(text);
    snprintf(name, sizeof name, "%s.pth", e->base);
    return rc != 0 ? -1 : cambricon_write_checkpoint(e->plan, m, name, e->output, err);
}

static int emit_pytorch(const struct emitter *e, struct error *err)
{
    struct module m;
    int rc = module_init(&m, e->graph, err);

    if (rc == 0)
        rc = write_module(e, &m, err);
    module_fini(&m);
    return go_on_without(e, "PyTorch", rc, err);
}

static int emit_caffe(const struct emitter *e, struct error *err)
{
    return go_on_without(e, "Caffe", cambricon_write_caffe(e->plan, e->graph, e->base, e->output, err), err);
}

static int emit_all(const struct emitter *e, struct error *err)
{
    int has_module = emit_pytorch(e, err), has_caffe = has_module < 0 ? -1 : emit_caffe(e, err);
    char name[NAME_BYTES];

    if (has_caffe < 0 || (!has_caffe && !has_module)) /* the error is Caffe's */
        return -1;
    *err = (struct error){0};
    snprintf(name, sizeof name, "%s/io.json", e->folder);
    if (cambricon_write_description(e->plan, e->info, has_module != 0, has_caffe != 0, name, e->output, err) != 0)
        return -1;
    return cambricon_write_scripts(e->plan, e->info, e->folder, e->output, err);
}

static int emit(const char *folder, const struct plan *plan, const struct emit_info *info, struct output *output,
                struct error *err)
{
    struct emitter e = {.plan = plan, .info = info, .output = output, .folder = folder};
    struct planned_graph planned;
    int n = snprintf(e.base, sizeof e.base, "%s/%s_int%d", folder, info->model_name, cambricon_bits(plan));
    int rc;

    if (n >= (int)sizeof e.base - 8)
        return error_set(err, EX_CANTCREAT, "the name of model \"%s\" is too long for a file", info->model_name);
    rc = planned_graph_init(&planned, plan, NULL, err);
    e.graph = &planned.graph;
    if (rc == 0)
        rc = emit_all(&e, err);
    planned_graph_fini(&planned);
    return rc;
}

/* ---- The targets */

static const char *const float_words[] = {"fp16", "fp32", NULL};
static const struct target_option options[] = {
    {"float", SETTING_WORD, "fp16", float_words, 0, 0, true},
    {0},
};

#define TARGET(id, profile_name, text)                                                                                 \
    static const struct profile *choose_##id(const struct target_settings *settings)                                   \
    {                                                                                                                  \
        return target_setting_is(settings, &target_cambricon_##id, "float", "fp32") ? &cambricon_##id##_fp32_profile   \
                                                                                    : &cambricon_##id##_profile;       \
    }                                                                                                                  \
    static int emit_##id(const struct plan *plan, const struct emit_info *info, struct output *output,                 \
                         struct error *err)                                                                            \
    {                                                                                                                  \
        return emit(profile_name, plan, info, output, err);                                                            \
    }                                                                                                                  \
    const struct target target_cambricon_##id = {                                                                      \
        .name = profile_name,                                                                                          \
        .summary = "Cambricon " text,                                                                                  \
        .profile = &cambricon_##id##_profile,                                                                          \
        .options = options,                                                                                            \
        .choose_profile = choose_##id,                                                                                 \
        .is_read_back = true,                                                                                          \
        .holds_numbers = torch_weights_recognise,                                                                      \
        .read_numbers = cambricon_read_checkpoint,                                                                     \
        .writes_no_codes = true,                                                                                       \
        .emit = emit_##id,                                                                                             \
    }

extern const struct target target_cambricon_mlu220, target_cambricon_mlu220_int16, target_cambricon_mlu270,
    target_cambricon_mlu270_int16;

TARGET(mlu220, "cambricon-mlu220", "MLU220, int8: checkpoint and module for PyTorch, networks for Caffe");
TARGET(mlu220_int16, "cambricon-mlu220-int16", "MLU220, int16: as cambricon-mlu220");
TARGET(mlu270, "cambricon-mlu270", "MLU270, int8: checkpoint and module for PyTorch, networks for Caffe");
TARGET(mlu270_int16, "cambricon-mlu270-int16", "MLU270, int16: as cambricon-mlu270");
