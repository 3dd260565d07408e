/* emit.c — the target ncnn: a calibration table for ncnn2int8, and the float model that it belongs to.
 *
 * The table has two lines a layer, as ncnn2table writes them: "<layer>_param_0" and the scales of its weights, then
 * "<layer>" and the scale of what it reads; a scale is steps per unit, 127 / threshold. Layers that are not in it stay
 * in float. Facts: Tencent ncnn, tools/quantize/ncnn2table.cpp and ncnn2int8.cpp, src/layer/convolution.cpp.
 */
#include "common/real_text.h"
#include "formats/exporter.h"
#include "formats/onnx/write_plan.h"
#include "formats/target.h"
#include "formats/text_file.h"

#include <string.h>

extern const struct target target_ncnn;

/* --- arithmetic --- */

/* A convolution in groups has one scale a group there, the depthwise one so one a channel; what lies between cannot
 * have scales per channel. */
static bool allows(const struct graph *graph, const struct node *node)
{
    const struct shape *x = &graph->values[node->inputs[0]].shape, *y = &graph->values[node->outputs[0]].shape;

    if (node->op != OP_CONV)
        return true;
    return x->rank == 4 &&
           (node->attr.conv.group == 1 || (node->attr.conv.group == x->dims[1] && node->attr.conv.group == y->dims[1]));
}

/* Where the runtime may take Winograd's F(4,3) on integers, weights have 6 bits, lest its 16-bit sums overflow. */
static int32_t winograd_limit(const struct graph *graph, const struct node *node)
{
    const struct window *w = &node->attr.conv.window;

    (void)graph;
    return node->op == OP_CONV && node->attr.conv.group == 1 && w->kernel[0] == 3 && w->kernel[1] == 3 &&
                   w->stride[0] == 1 && w->stride[1] == 1 && w->dilation[0] == 1 && w->dilation[1] == 1
               ? 31
               : 127;
}

#define PROFILE                                                                                                        \
    .name = "ncnn", .signed_codes = {-127, 127, 0}, .unsigned_codes = {-127, 127, 0}, .signed_steps = 127,             \
    .unsigned_steps = 127, .activation_rounding = ROUND_HALF_AWAY, .keeps_reals = true, .weight_limit = 127,           \
    .codes_are_remade = true, .per_channel_weights = true, .integer_bias = false,                                      \
    .requantization = REQUANTIZE_DEQUANTIZED, .quantized_ops = 1u << OP_CONV | 1u << OP_DENSE, .allows = allows

static const struct profile profile = {PROFILE, .weight_limit_of = winograd_limit};
static const struct profile profile_without_winograd = {PROFILE};

static const struct target_option options[] = {
    {"winograd", SETTING_TRUTH, "true", NULL, 0, 0, true},
    {0},
};

static const struct profile *choose_profile(const struct target_settings *settings)
{
    return target_setting_is(settings, &target_ncnn, "winograd", "true") ? &profile : &profile_without_winograd;
}

/* --- the table --- */

static bool is_listed(const struct plan *plan, size_t node)
{
    const struct node *n = &plan->graph->nodes[node];

    return (n->op == OP_CONV || n->op == OP_DENSE) && plan->nodes[node].is_quantized &&
           plan->nodes[node].n_weight_scales > 0;
}

static void print_line(FILE *out, const char *layer, const char *suffix, const float *scales, size_t n, size_t repeat)
{
    char text[REAL_TEXT_BYTES];

    fprintf(out, "%s%s", layer, suffix);
    for (size_t i = 0; i < n * repeat; i++)
        fprintf(out, " %s", real_text(1 / scales[i / repeat], text));
    fprintf(out, "\n");
}

static int write_table(const struct plan *plan, const char *name, struct output *output, struct error *err)
{
    struct text_file file;

    if (text_file_begin(&file, err) != 0)
        return -1;
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        const struct node *node = &plan->graph->nodes[i];
        const struct plan_node *p = &plan->nodes[i];
        const struct shape *y = &plan->graph->values[node->outputs[0]].shape;
        size_t channels = (size_t)y->dims[node->op == OP_CONV ? 1 : y->rank - 1];

        if (is_listed(plan, i))
            print_line(file.out, node->name, "_param_0", p->weight_scale, p->n_weight_scales,
                       channels / p->n_weight_scales);
    }
    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        if (is_listed(plan, i))
            print_line(file.out, plan->graph->nodes[i].name, "", plan->values[plan->graph->nodes[i].inputs[0]].scale, 1,
                       1);
    return text_file_end(&file, output, "ncnn", name, err);
}

/* --- the target --- */

static const char readme[] =
    "# What is here\n"
    "\n"
    "- `<model>.onnx`: the float network, batch norms folded, biases corrected for the codes below.\n"
    "- `<model>.table`: scales of weights and activations for ncnn2int8.\n"
    "\n"
    "    onnx2ncnn <model>.onnx <model>.param <model>.bin\n"
    "    ncnn2int8 <model>.param <model>.bin <model>-int8.param <model>-int8.bin <model>.table\n"
    "\n"
    "Confirmed from ncnn's sources: the form of the table, rounding and saturation, 6 bits of weights where "
    "Winograd's\n"
    "F(4,3) may run. Best effort: that the converter keeps the names of the nodes (onnx2ncnn does; pnnx gives names "
    "of\n"
    "its own, then the table's must be changed). ncnnoptimize may join layers: run it before ncnn2int8 only if the "
    "names\n"
    "stay. Nothing here was run by ncnn.\n";

static int check(const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        if (is_listed(plan, i) && strpbrk(plan->graph->nodes[i].name, " \t\r\n") != NULL)
            return error_set(err, EX_UNAVAILABLE, "node \"%s\" (%s): ncnn's tables cannot hold a name with spaces",
                             plan->graph->nodes[i].name, plan->graph->nodes[i].type);
    return 0;
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    char table[512];

    snprintf(table, sizeof table, "%s.table", info->model_name);
    if (onnx_save_plan(plan, info, "ncnn", NULL, output, err) != 0 || write_table(plan, table, output, err) != 0)
        return -1;
    return text_file_write_readme(output, "ncnn", readme, &(struct text_mark){"<model>", info->model_name}, 1, err);
}

const struct target target_ncnn = {
    .name = "ncnn",
    .summary = "Tencent ncnn: a calibration table for ncnn2int8, and the float model as ONNX",
    .profile = &profile,
    .options = options,
    .choose_profile = choose_profile,
    .takes_batch = true,
    .writes_no_codes = true,
    .check = check,
    .emit = emit,
};
