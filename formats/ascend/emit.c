/* emit.c — the target ascend: what Huawei's compression tool (AMCT, TensorFlow edition) would have made, and what it
 * takes to make it.
 *
 *   <name>_folded.pb      the network as the engine ran it, with the plan's biases; the layers bear the record's names
 *   record.txt            scales and offsets: with the above, input of the vendor's convert_model
 *   <name>_quantized.pb   the same with AscendQuant, AscendWeightQuant and AscendDequant around the layers
 *   <name>_fake_quant.pb  the same in operators of stock TensorFlow
 *   <name>_quant.json, config.json, README.md
 *   onnx/<name>.onnx, onnx/record.txt: folded network and record for the tool's ONNX edition
 */
#include "formats/ascend/ascend.h"
#include "formats/ascend/profile.h"
#include "formats/exporter.h"
#include "formats/onnx/write_plan.h"
#include "formats/target.h"

#include <stdio.h>
#include <stdlib.h>

/* The plan's biases in the order of the graph's nodes: what a correction made of them is in no record, so it goes into
 * the model that the record belongs to. NULL: EX_OSERR. Freed with free(). */
static const float **list_biases(const struct plan *plan, struct error *err)
{
    const float **biases = memory_create(plan->graph->n_nodes, sizeof *biases, "biases", err);

    for (size_t n = 0; biases != NULL && n < plan->graph->n_nodes; n++)
        biases[n] = plan->nodes[n].is_quantized ? plan->nodes[n].bias : NULL;
    return biases;
}

static const char folder[] = "ascend";

static int write_graph(struct tf_writer *w, struct output *output, const char *base, const char *ending,
                       struct error *err)
{
    const ProtobufCMessage *file = tf_writer_finish(w, err);

    return file == NULL ? -1 : exporter_write_message(output, base, ending, file, err);
}

/* Folded, record, quantized, and what describes them. */
static int write_quantized(const struct plan *plan, const float *const *biases, const struct emit_info *info,
                           const char *base, struct output *output, struct error *err)
{
    const Ascend__ScaleOffsetRecord *record = NULL;
    struct tf_writer w;
    int rc = tf_write_graph(&w, plan->graph, biases, err);

    if (rc == 0)
        rc = write_graph(&w, output, base, "_folded.pb", err);
    if (rc == 0 && (record = ascend_record_of_plan(&w, plan, err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = ascend_record_write(record, output, folder, err);
    if (rc == 0)
        rc = ascend_write_readme(&w, info->model_name, output, folder, err);
    if (rc == 0)
        rc = ascend_write_config(&w, record, output, folder, err);
    if (rc == 0)
        rc = ascend_quantize(&w, record, ASCEND_OPERATORS, err);
    if (rc == 0)
        rc = write_graph(&w, output, base, "_quantized.pb", err);
    if (rc == 0)
        rc = ascend_write_map(&w, output, folder, info->model_name, err);
    tf_writer_fini(&w);
    return rc;
}

static int write_twin(const struct plan *plan, const float *const *biases, const char *base, struct output *output,
                      struct error *err)
{
    const Ascend__ScaleOffsetRecord *record = NULL;
    struct tf_writer w;
    int rc = tf_write_graph(&w, plan->graph, biases, err);

    if (rc == 0 && (record = ascend_record_of_plan(&w, plan, err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = ascend_quantize(&w, record, ASCEND_PLAIN, err);
    if (rc == 0)
        rc = write_graph(&w, output, base, "_fake_quant.pb", err);
    tf_writer_fini(&w);
    return rc;
}

/* What the ONNX edition takes: a group convolution is one layer there. */
static int write_onnx(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    static const char onnx_folder[] = "ascend/onnx";
    struct arena *arena = arena_create(err);
    const Ascend__ScaleOffsetRecord *record = arena == NULL ? NULL : ascend_record_of_nodes(plan, arena, err);
    int rc = record == NULL ? -1 : onnx_save_plan(plan, info, onnx_folder, NULL, output, err);

    if (rc == 0)
        rc = ascend_record_write(record, output, onnx_folder, err);
    arena_destroy(arena);
    return rc;
}

static int check(const struct plan *plan, struct error *err)
{
    struct tf_writer w;
    int rc = tf_write_graph(&w, plan->graph, NULL, err);

    tf_writer_fini(&w);
    return rc;
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    const float **biases = NULL;
    char base[512];
    int rc;

    if (snprintf(base, sizeof base, "%s/%s", folder, info->model_name) >= (int)sizeof base)
        return error_set(err, EX_CANTCREAT, "the model's name is longer than a file's can be");
    if ((biases = list_biases(plan, err)) == NULL)
        return -1;
    rc = write_quantized(plan, biases, info, base, output, err);
    if (rc == 0)
        rc = write_twin(plan, biases, base, output, err);
    if (rc == 0)
        rc = write_onnx(plan, info, output, err);
    free(biases);
    return rc;
}

extern const struct target target_ascend;

/* Named as in the vendor's configuration. */
static const struct target_option options[] = {
    {"activation_offset", SETTING_TRUTH, "true", NULL, 0, 0, true},
    {0},
};

static const struct profile *choose_profile(const struct target_settings *settings)
{
    bool is_affine = target_setting_is(settings, &target_ascend, "activation_offset", "true");

    return is_affine ? &ascend_profile : &ascend_symmetric_profile;
}

const struct target target_ascend = {
    .name = "ascend",
    .summary = "Huawei Ascend: TensorFlow graphs and scale record of its compression tool, affine",
    .profile = &ascend_profile,
    .is_read_back = true,
    .options = options,
    .choose_profile = choose_profile,
    .writes_no_codes = true,
    .check = check,
    .emit = emit,
    .emit_given = ascend_emit_given,
};
