/* models.c — the stage models, under the names that users of the vendor's tool know:
 *
 *   <prefix>_original_float.onnx    as imported, before anything is folded
 *   <prefix>_optimized_float.onnx   folded and fused: what hb_compile is to be given
 *   <prefix>_ptq_model.onnx         the same with standard Q/DQ nodes: int8, symmetric, biases in float
 *   <prefix>_ptq_model_<rt>.onnx    that, reading what the board gives (front.c), for evaluation
 *
 * All of them describe every value, for the vendor's compiler infers no shapes. They are of IR 7 and opset 13, but for
 * the float models of the older chain, which takes opset 11 at most.
 */
#include "formats/horizon/front.h"

#include "common/log.h"
#include "formats/model.h"
#include "formats/onnx/write.h"
#include "formats/onnx_qdq/write.h"

#include <stdio.h>

static int write_float(const struct horizon *h, const struct graph *graph, const char *stage, struct error *err)
{
    struct onnx_writer *writer = onnx_writer_create(h->info->model_name, err);
    char name[512];
    int rc;

    if (writer == NULL)
        return -1;
    snprintf(name, sizeof name, "%s_%s", h->prefix, stage);
    if (!h->is_nash)
        onnx_writer_use_opset_11(writer);
    onnx_writer_describe_values(writer);
    onnx_write_graph(writer, graph);
    rc = onnx_writer_save(writer, HORIZON, name, h->output, err);
    onnx_writer_destroy(writer);
    return rc;
}

/* From the model's own file once more: the plan's graph is folded already. Operators that folding does away with may
 * have no words in ONNX; then this stage, which nothing depends on, is left out. */
static int write_original(const struct horizon *h, struct error *err)
{
    struct graph *graph = h->info->model == NULL ? NULL : model_import(h->info->model, err);
    int rc;

    if (graph == NULL)
        return h->info->model == NULL ? 0 : -1;
    if (graph->batch == 0)
        graph->batch = 1;
    rc = write_float(h, graph, "original_float", err);
    graph_destroy(graph);
    if (rc != 0 && err->code == EX_UNAVAILABLE) {
        log_warning("target " HORIZON ": %s_original_float.onnx is left out: %s", h->prefix, err->text);
        *err = (struct error){0};
        rc = 0;
    }
    return rc;
}

static int write_optimized(const struct horizon *h, struct error *err)
{
    struct graph fixed = *h->plan->graph; /* the same arrays; one record, as the tool wants shapes to be */

    fixed.batch = 1;
    return write_float(h, &fixed, "optimized_float", err);
}

int horizon_write_float(struct horizon *h, struct error *err)
{
    return write_original(h, err) != 0 ? -1 : write_optimized(h, err);
}

int horizon_write_quantized(struct horizon *h, struct error *err)
{
    struct onnx_qdq_front front = {horizon_write_front, h};
    enum horizon_colour board = HORIZON_FEATUREMAP;
    char name[512];

    snprintf(name, sizeof name, "%s_ptq_model", h->prefix);
    if (onnx_qdq_write(h->plan, h->info, true, NULL, HORIZON, name, h->output, err) != 0)
        return -1;
    for (size_t i = 0; i < h->plan->graph->n_inputs; i++)
        board = h->inputs[i].board != HORIZON_FEATUREMAP ? h->inputs[i].board : board;
    if (board == HORIZON_FEATUREMAP)
        return 0;
    snprintf(name, sizeof name, "%s_ptq_model_%s", h->prefix, horizon_colour_name(board));
    return onnx_qdq_write(h->plan, h->info, true, &front, HORIZON, name, h->output, err);
}
