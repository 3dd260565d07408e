/* emit.c — the target sophon-bm1684: what the vendor's quantizer would leave beside <name>.fp32umodel, what that
 * quantizer can be told instead, and tables for tpu-mlir. */
#include "formats/caffe/export_data.h"
#include "formats/caffe/net_files.h"
#include "formats/exporter.h"
#include "formats/planned_graph.h"
#include "formats/sophon/profile.h"
#include "formats/sophon/sophon.h"
#include "formats/target.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static const char readme[] =
    "Files for the SOPHON BM1684, made by etalon. <name> is the model's.\n"
    "\n"
    "  <name>_deploy_fp32_unique_top.prototxt  the fp32 network, with an Input layer\n"
    "  <name>_test_fp32_unique_top.prototxt    the same with a Data layer: write the path of your LMDB into its "
    "source\n"
    "  <name>.fp32umodel                       its weights; BatchNorm is folded into convolutions\n"
    "  <name>_deploy_fp32_tuned.prototxt       the network in floats that become our integers by our thresholds\n"
    "  <name>_test_fp32_tuned.prototxt         the same with a Data layer, our thresholds, and float layers marked\n"
    "  <name>_tuned.fp32umodel                 weights of both, rounded, with biases corrected for what that shifts\n"
    "  <name>_deploy_int8_unique_top.prototxt  the int8 network, with int8_scale for its input\n"
    "  <name>_test_int8_unique_top.prototxt    the same with a Data layer\n"
    "  <name>.int8umodel                       its integers (EXPERIMENTAL, see below)\n"
    "  <name>_cali_table, <name>_qtable        thresholds and float layers, for tpu-mlir\n"
    "\n"
    "Three ways on, the more public first (no tool of the vendor's was at hand to try them):\n"
    "\n"
    "1. tpu-mlir (also BM1684X), all of it public:\n"
    "     cp <name>_tuned.fp32umodel <name>.caffemodel\n"
    "     model_transform.py --model_name <name> --model_def <name>_deploy_fp32_tuned.prototxt \\\n"
    "       --model_data <name>.caffemodel --mlir <name>.mlir\n"
    "     model_deploy.py --mlir <name>.mlir --quantize INT8 --calibration_table <name>_cali_table \\\n"
    "       --quantize_table <name>_qtable --chip bm1684 --model <name>.bmodel\n"
    "   Operator names are taken to be the tops of the prototxt. If your version names them otherwise, its log says "
    "so;\n"
    "   if it refuses model_type or upper_limit, the vendor's own fields, give it what `etalon convert --to caffe` "
    "writes.\n"
    "2. The vendor's calibrator, which honours a layer's threshold and forward_with_float (documented fields):\n"
    "     calibration_use_pb quantize -model=<name>_test_fp32_tuned.prototxt \\\n"
    "       -weights=<name>_tuned.fp32umodel -bitwidth=TO_INT8\n"
    "   and then bmnetu on what it writes.\n"
    "3. Ours as they stand:\n"
    "     bmnetu -model=<name>_deploy_int8_unique_top.prototxt -weight=<name>.int8umodel -prec=INT8 -target=BM1684\n"
    "\n"
    "The other fp32 files have the network's own weights. Whoever quantizes the tuned ones by our thresholds as "
    "tpu-mlir\n"
    "does has the integers of <name>.int8umodel.\n"
    "\n"
    "Confirmed by public sources: all field names and numbers, the commands, int8_scale (multiply the preprocessed "
    "input,\n"
    "round, saturate), the arithmetic (int8 weights with one right shift a layer, int16 biases).\n"
    "Best effort: <name>.int8umodel conforms to the public schema, but the vendor's compiler has not accepted it "
    "before\n"
    "our eyes; which optional fields it wants is not public. Prefer 1 or 2 for products.\n";

struct emitter {
    const struct plan *plan;
    const struct emit_info *info;
    struct output *output;
    char base[512]; /* <target>/<name> */
};

static int write_bytes(const struct emitter *e, const char *ending, char *text, size_t size, struct error *err)
{
    int rc = exporter_write_file(e->output, e->base, ending, text, size, err);

    free(text);
    return rc;
}

static int write_text(const struct emitter *e, const struct sophon_net *net, const char *ending, struct error *err)
{
    return caffe_write_text(&net->writer, e->base, ending, e->output, err);
}

static int write_weights(const struct emitter *e, const struct sophon_net *net, const char *ending, struct error *err)
{
    return caffe_write_weights(&net->writer, e->base, ending, e->output, err);
}

/* ---- Data layers */

/* The Data layer does the job's preprocessing; what it has no form for is left to the user, whom it `tells` so once. */
static int use_data_layers(const struct emitter *e, struct sophon_net *net, bool tells, struct error *err)
{
    struct model_data data = {.has_preprocess = e->info->preprocess != NULL && e->plan->graph->n_inputs > 0};

    if (data.has_preprocess)
        data.preprocess = *e->info->preprocess[0];
    if (caffe_use_data_layers(&net->writer, &data, err) == 0) {
        if (tells && net->writer.lost_filter != NULL)
            log_warning("target %s: the test prototxts' Data layers resize by the filter opencv_linear, not by %s",
                        sophon_bm1684_profile.name, net->writer.lost_filter);
        return 0;
    }
    if (err->code != EX_UNAVAILABLE || !data.has_preprocess)
        return -1;
    if (tells)
        log_warning("target %s: %s; the test prototxts lack the preprocessing", sophon_bm1684_profile.name, err->text);
    *err = (struct error){0};
    data.has_preprocess = false;
    return caffe_use_data_layers(&net->writer, &data, err);
}

/* In front of a Data layer, the scale stands there and not at the network. */
static int move_int8_scale(struct sophon_net *net, struct error *err)
{
    struct caffe_writer *w = &net->writer;

    for (size_t i = 0; i < w->net.n_layer; i++) {
        Caffe__LayerParameter *layer = w->net.layer[i];

        if (layer->data_param == NULL)
            continue;
        if (layer->transform_param == NULL)
            layer->transform_param = caffe_put_message(w, &caffe__transformation_parameter__descriptor);
        if (layer->transform_param == NULL)
            return error_set(err, w->err.code, "%s", w->err.text);
        layer->transform_param->has_int8_scale = true;
        layer->transform_param->int8_scale = w->net.int8_scale;
        break;
    }
    w->net.has_int8_scale = false;
    return 0;
}

/* ---- Networks */

static int write_tables(const struct emitter *e, const struct sophon_net *net, struct error *err)
{
    char *text;
    size_t size;

    if (sophon_calibration_table(net, e->info->records, &text, &size, err) != 0 ||
        write_bytes(e, "_cali_table", text, size, err) != 0)
        return -1;
    return sophon_quantize_table(net, &text, &size, err) != 0 ? -1 : write_bytes(e, "_qtable", text, size, err);
}

static int write_float(const struct emitter *e, struct sophon_net *net, struct error *err)
{
    if (sophon_net_init(net, e->plan, e->plan->graph, err) != 0 || write_tables(e, net, err) != 0 ||
        write_text(e, net, "_deploy_fp32_unique_top.prototxt", err) != 0 ||
        write_weights(e, net, ".fp32umodel", err) != 0 || use_data_layers(e, net, true, err) != 0)
        return -1;
    return write_text(e, net, "_test_fp32_unique_top.prototxt", err);
}

/* For who makes integers of floats and our thresholds: floats that become our integers. */
static int write_tuned(const struct emitter *e, struct sophon_net *net, const struct graph *codes, struct error *err)
{
    if (sophon_net_init(net, e->plan, codes, err) != 0 || write_text(e, net, "_deploy_fp32_tuned.prototxt", err) != 0 ||
        sophon_write_reals(net, e->base, "_tuned.fp32umodel", e->output, err) != 0 ||
        use_data_layers(e, net, false, err) != 0)
        return -1;
    sophon_put_choices(net);
    return write_text(e, net, "_test_fp32_tuned.prototxt", err);
}

static int write_integers(const struct emitter *e, struct sophon_net *net, const struct graph *codes, struct error *err)
{
    if (sophon_net_init(net, e->plan, codes, err) != 0)
        return -1;
    net->writer.net.has_int8_scale = true;
    net->writer.net.int8_scale = sophon_int8_scale(e->plan);
    if (write_text(e, net, "_deploy_int8_unique_top.prototxt", err) != 0 || use_data_layers(e, net, false, err) != 0 ||
        move_int8_scale(net, err) != 0 || write_text(e, net, "_test_int8_unique_top.prototxt", err) != 0)
        return -1;
    net->writer.net.has_int8_scale = true;
    return sophon_put_steps(net, err) != 0 ? -1 : sophon_write_integers(net, e->base, ".int8umodel", e->output, err);
}

static int emit_float(const struct emitter *e, struct error *err)
{
    struct sophon_net net;
    int rc = write_float(e, &net, err);

    sophon_net_fini(&net);
    return rc;
}

/* Of the plan's codes. */
static int emit_planned(const struct emitter *e, struct error *err)
{
    struct planned_graph planned = {0};
    struct sophon_net tuned = {0}, integers = {0};
    bool *codes_of = sophon_find_restated(e->plan, err);
    int rc = codes_of == NULL || planned_graph_init(&planned, e->plan, codes_of, err) != 0 ||
                     write_tuned(e, &tuned, &planned.graph, err) != 0 ||
                     write_integers(e, &integers, &planned.graph, err) != 0
                 ? -1
                 : 0;

    sophon_net_fini(&tuned);
    sophon_net_fini(&integers);
    planned_graph_fini(&planned);
    free(codes_of);
    return rc;
}

/* ---- The target */

static int check(const struct plan *plan, struct error *err)
{
    struct caffe_writer writer = {0};
    int rc = caffe_write_net(&writer, plan->graph, err);

    caffe_writer_fini(&writer);
    return rc;
}

static int emit(const struct plan *plan, const struct emit_info *info, struct output *output, struct error *err)
{
    struct emitter e = {.plan = plan, .info = info, .output = output};
    int n = snprintf(e.base, sizeof e.base, "%s/%s", sophon_bm1684_profile.name, info->model_name);

    if (n >= (int)sizeof e.base)
        return error_set(err, EX_CANTCREAT, "the name of model \"%s\" is too long for a file", info->model_name);
    if (emit_float(&e, err) != 0 || emit_planned(&e, err) != 0)
        return -1;
    return exporter_write_file(output, sophon_bm1684_profile.name, "/README", readme, sizeof readme - 1, err);
}

const struct target target_sophon = {
    .name = "sophon-bm1684",
    .summary = "SOPHON BM1684: fp32 and int8 umodels with their prototxts, thresholds for the vendor's tools",
    .profile = &sophon_bm1684_profile,
    .is_read_back = true,
    .check = check,
    .emit = emit,
};
