/* emit.c — the targets cambricon-mlu220 and cambricon-mlu270, with codes of 8 and of 16 bits: a checkpoint with its
 * module for PyTorch, networks for Caffe and, where the source is one, graphs for TensorFlow. A network that one of
 * them cannot express is written for the others. */
#include "common/log.h"
#include "formats/cambricon/cambricon.h"
#include "formats/planned_graph.h"
#include "formats/torch/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

float cambricon_factor(float step)
{
    return (float)(1.0 / (double)step);
}

/* (The widest step of a channel would be 1 where a channel is all zero.) */
float cambricon_tensor_step(const struct plan *plan, const struct plan_node *p, const float *weights, size_t n)
{
    float largest = 0;

    if (p->n_weight_scales == 1)
        return p->weight_scale[0];
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(weights[i]));
    return largest > 0 ? largest / (float)plan->profile->weight_limit : 1;
}

/* ---- The flows */

static int write_module(const struct cambricon *c, const struct module *m, struct error *err)
{
    char name[CAMBRICON_NAME_BYTES], *text;
    size_t size;
    int rc;

    if (module_source(m, &text, &size, err) != 0)
        return -1;
    snprintf(name, sizeof name, "%s/model.py", c->folder);
    rc = output_write(c->output, name, text, size, true, err);
    free(text);
    return rc != 0 ? -1 : cambricon_write_checkpoint(c, m, err);
}

static int write_pytorch(const struct cambricon *c, struct error *err)
{
    struct module m;
    int rc = c->first == NULL ? 0 : firstconv_check_pytorch(c->first, err);

    if (rc != 0)
        return -1;
    rc = module_init(&m, c->graph, err);
    if (rc == 0)
        rc = write_module(c, &m, err);
    module_fini(&m);
    return rc;
}

/* *is_there: it was written. A flow that cannot express the network says why, and the others go on. */
static int try_flow(const struct cambricon *c, const char *flow,
                    int (*write)(const struct cambricon *c, struct error *err), bool *is_there, struct error *err)
{
    int rc = write(c, err);

    *is_there = rc == 0;
    if (rc == 0 || err->code != EX_UNAVAILABLE)
        return rc;
    log_warning("target %s: nothing for %s: %s", c->folder, flow, err->text);
    return 0;
}

/* The network came out of a TensorFlow file: its users have the vendor's TensorFlow. */
static bool is_from_tensorflow(const struct cambricon *c)
{
    return c->info->importer != NULL && strcmp(c->info->importer, "tensorflow") == 0;
}

static int write_all(struct cambricon *c, struct error *err)
{
    if (try_flow(c, "PyTorch", write_pytorch, &c->has_pytorch, err) != 0 ||
        (is_from_tensorflow(c) &&
         try_flow(c, "TensorFlow", cambricon_write_tensorflow, &c->has_tensorflow, err) != 0) ||
        try_flow(c, "Caffe", cambricon_write_caffe, &c->has_caffe, err) != 0)
        return -1;
    if (!c->has_pytorch && !c->has_caffe && !c->has_tensorflow)
        return -1; /* the error is Caffe's */
    *err = (struct error){0};
    return cambricon_write_description(c, err) != 0 ? -1 : cambricon_write_scripts(c, err);
}

static int emit(const struct target *target, const struct plan *plan, const struct emit_info *info,
                struct output *output, struct error *err)
{
    struct cambricon c = {.plan = plan,
                          .info = info,
                          .output = output,
                          .folder = target->name,
                          .bits = plan->profile->weight_limit > 127 ? 16 : 8};
    struct firstconv first;
    struct planned_graph planned;
    int rc;

    if (snprintf(c.base, sizeof c.base, "%s/%s_int%d", c.folder, info->model_name, c.bits) >= (int)sizeof c.base - 16)
        return error_set(err, EX_CANTCREAT, "the name of model \"%s\" is too long for a file", info->model_name);
    if (target_setting_is(info->settings, target, "firstconv", "true")) {
        if (firstconv_init(&first, plan, info, err) != 0)
            return -1;
        c.first = &first;
    }
    rc = planned_graph_init(&planned, plan, NULL, err);
    c.graph = &planned.graph;
    if (rc == 0)
        rc = write_all(&c, err);
    planned_graph_fini(&planned);
    return rc;
}

/* ---- The targets */

static const char *const float_words[] = {"fp16", "fp32", NULL};
static const struct target_option options[] = {
    {"float", SETTING_WORD, "fp16", float_words, 0, 0, true},
    {"firstconv", SETTING_TRUTH, "false", NULL, 0, 0, false},
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
        return emit(&target_cambricon_##id, plan, info, output, err);                                                  \
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

TARGET(mlu220, "cambricon-mlu220", "MLU220, int8: for PyTorch and Caffe, of TensorFlow graphs also for TensorFlow");
TARGET(mlu220_int16, "cambricon-mlu220-int16", "MLU220, int16: as cambricon-mlu220");
TARGET(mlu270, "cambricon-mlu270", "MLU270, int8: for PyTorch and Caffe, of TensorFlow graphs also for TensorFlow");
TARGET(mlu270_int16, "cambricon-mlu270-int16", "MLU270, int16: as cambricon-mlu270");
