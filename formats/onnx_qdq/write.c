/* write.c — the plan as an ONNX file in QDQ form; see write.h.
 *
 *   x -> QuantizeLinear -> x/quantized -> DequantizeLinear -> x/dequantized         a graph input
 *   Conv(x/dequantized, w, b) -> y/float -> Quantize -> y/quantized -> Dequantize -> y
 *   w/quantized (int8, int16) -> DequantizeLinear(axis 0) -> w;  b/quantized (int32) -> DequantizeLinear -> b
 *
 * The nodes are the float operators, values keep the user's names, and each value that has codes is quantized once,
 * right after the node and its fused activation that produce it: the form in which ONNX Runtime finds its integer
 * kernels. Nodes that stay float simply read what was dequantized.
 *
 * CPUs without VNNI: the runtime's u8 x s8 kernels add pairs of products in saturating 16 bits there. Its session
 * option session.x64quantprecision = 1 makes them exact; the file is the same.
 */
#include "formats/exporter.h"
#include "formats/onnx/write.h"
#include "formats/onnx_qdq/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct emitter {
    const struct plan *plan;
    struct onnx_writer *writer;
    struct onnx_graph_writer gw;
    const struct onnx_qdq_front *front;
};

/* --- quantize and dequantize --- */

/* What a Quantize or Dequantize node reads besides its data. */
struct pair {
    const char *scale, *zero_point;
};

static enum dtype code_type(const struct plan_value *planned)
{
    if (planned->codes.lo < INT8_MIN)
        return DTYPE_INT16;
    return planned->codes.lo < 0 ? DTYPE_INT8 : DTYPE_UINT8;
}

/* Scale and zero point of one value: scalars. */
static struct pair add_value_scale(struct emitter *e, int value)
{
    const struct plan_value *planned = &e->plan->values[value];
    const char *name = e->plan->graph->values[value].name;
    size_t size = dtype_size(code_type(planned));
    void *zero_point = onnx_writer_memory(e->writer, 1, size);
    struct pair pair = {onnx_graph_name(&e->gw, name, "scale"), onnx_graph_name(&e->gw, name, "zero_point")};

    if (zero_point != NULL)
        memcpy(zero_point, &planned->codes.zero_point, size); /* little-endian, in two's complement */
    onnx_writer_tensor(e->writer, pair.scale, &(struct tensor){DTYPE_FLOAT32, {0}, planned->scale});
    onnx_writer_tensor(e->writer, pair.zero_point, &(struct tensor){code_type(planned), {0}, zero_point});
    return pair;
}

/* from -> Quantize -> "<value>/quantized" -> Dequantize -> to */
static void add_pair(struct emitter *e, int value, const char *from, const char *to)
{
    const struct value *y = &e->plan->graph->values[value];
    const char *codes = onnx_graph_name(&e->gw, y->name, "quantized");
    struct pair pair = add_value_scale(e, value);

    onnx_writer_node(e->writer, "QuantizeLinear", onnx_graph_name(&e->gw, y->name, "quantize"),
                     (const char *[]){from, pair.scale, pair.zero_point}, 3, codes);
    onnx_writer_value(e->writer, codes, code_type(&e->plan->values[value]), &y->shape, false);
    onnx_writer_node(e->writer, "DequantizeLinear", onnx_graph_name(&e->gw, y->name, "dequantize"),
                     (const char *[]){codes, pair.scale, pair.zero_point}, 3, to);
    if (!graph_is_output(e->plan->graph, value) || to != y->name)
        onnx_writer_value(e->writer, to, DTYPE_FLOAT32, &y->shape, false);
}

/* --- weights --- */

/* Codes of a constant as an initializer, dequantized under the name `name`: one scale, or one a channel along `axis`.
 */
static void add_codes(struct emitter *e, const char *name, const struct tensor *codes, const float *scale,
                      size_t n_scales, int64_t axis)
{
    struct shape shape = {.rank = n_scales > 1, .dims = {(int64_t)n_scales}};
    const char *codes_name = onnx_graph_name(&e->gw, name, "quantized");
    struct pair pair = {onnx_graph_name(&e->gw, name, "scale"), onnx_graph_name(&e->gw, name, "zero_point")};
    struct tensor zeros = {codes->dtype, shape, onnx_writer_memory(e->writer, n_scales, dtype_size(codes->dtype))};

    onnx_writer_tensor(e->writer, codes_name, codes);
    onnx_writer_tensor(e->writer, pair.scale, &(struct tensor){DTYPE_FLOAT32, shape, scale});
    onnx_writer_tensor(e->writer, pair.zero_point, &zeros);
    onnx_writer_node(e->writer, "DequantizeLinear", onnx_graph_name(&e->gw, name, "dequantize"),
                     (const char *[]){codes_name, pair.scale, pair.zero_point}, 3, name);
    onnx_writer_int(e->writer, "axis", axis);
    onnx_writer_value(e->writer, name, DTYPE_FLOAT32, &codes->shape, true);
}

/* As the file has them. NULL after a failure. */
static const void *stored_weights(struct emitter *e, const struct plan_node *planned, size_t n, enum dtype dtype)
{
    int8_t *bytes;

    if (dtype == DTYPE_INT16)
        return planned->weight_codes;
    bytes = onnx_writer_memory(e->writer, n, 1);
    if (bytes != NULL)
        plan_weight_bytes(planned, n, bytes);
    return bytes;
}

/* Each reader of a shared constant has codes of its own, and a node without a bias may have got one from the correction
 * of its mean. */
static void add_weights(struct emitter *e, int index, const char *names[3])
{
    const struct node *node = &e->plan->graph->nodes[index];
    const struct plan_node *planned = &e->plan->nodes[index];
    size_t n = planned->n_weight_scales;
    struct tensor weights = {0}, bias = {.shape = {.rank = 1}};
    bool is_transposed = node->op == OP_DECONV;
    enum dtype dtype = e->plan->profile->weight_limit > INT8_MAX ? DTYPE_INT16 : DTYPE_INT8;
    const void *codes;

    if (planned->weight_codes == NULL)
        return;
    graph_constant(e->plan->graph, node->inputs[1], &weights);
    codes = stored_weights(e, planned, (size_t)shape_elements(&weights.shape), dtype);
    if (codes == NULL)
        return;
    names[1] = onnx_graph_parameter(&e->gw, index, 1, "weights", NULL);
    add_codes(e, names[1], &(struct tensor){dtype, weights.shape, codes}, planned->weight_scale, n,
              is_transposed ? 1 : 0);
    if (planned->bias == NULL && planned->bias_codes == NULL)
        return;
    bias.shape.dims[0] = is_transposed ? weights.shape.dims[1] * node->attr.conv.group : weights.shape.dims[0];
    names[2] = onnx_graph_parameter(&e->gw, index, 2, "bias", NULL);
    bias.dtype = planned->bias_codes != NULL ? DTYPE_INT32 : DTYPE_FLOAT32;
    bias.data = planned->bias_codes != NULL ? (const void *)planned->bias_codes : planned->bias;
    if (planned->bias_codes != NULL)
        add_codes(e, names[2], &bias, planned->acc_scale, n, 0);
    else
        onnx_writer_tensor(e->writer, names[2], &bias);
}

/* --- nodes --- */

/* Does quantizing clip as the activation does? Then the runtime must not find it between a node and its Quantize: it
 * would compute both in float. Codes rise with the real value, so it is enough to look at the ends. */
static bool is_implied(struct activation a, const struct plan_value *y)
{
    struct code_range codes = y->codes;

    if (a.kind == ACTIVATION_RELU)
        return codes.zero_point == codes.lo;
    return a.kind == ACTIVATION_CLIP && quantize(a.alpha, y->scale[0], codes, ROUND_HALF_EVEN) == codes.lo &&
           quantize(a.beta, y->scale[0], codes, ROUND_HALF_EVEN) == codes.hi;
}

static void add_node(struct emitter *e, int index)
{
    const struct node *node = &e->plan->graph->nodes[index];
    int y = node->outputs[0];
    const char *name = e->plan->graph->values[y].name, *output = name, *weights[3] = {NULL}, *const *replaced = NULL;
    bool is_coded = e->plan->values[y].is_quantized;
    struct activation fused = node->fused;

    if (node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE) {
        add_weights(e, index, weights);
        replaced = weights;
    }
    if (is_coded)
        output = onnx_graph_name(&e->gw, name, "float");
    if (is_coded && is_implied(fused, &e->plan->values[y]))
        fused = (struct activation){.kind = ACTIVATION_NONE};
    onnx_graph_node(&e->gw, index, replaced, fused, output);
    if (is_coded)
        add_pair(e, y, output, name);
}

static void add_graph(struct emitter *e, bool is_static)
{
    const struct graph *graph = e->plan->graph;

    onnx_graph_writer_init(&e->gw, e->writer, graph);
    if (is_static && graph->batch == 0)
        onnx_writer_fix_batch(e->writer, 1);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        int x = graph->inputs[i];
        const char *name = graph->values[x].name;

        if (e->front != NULL)
            e->front->write(e->front->context, e->writer, i, name);
        else
            onnx_graph_input(&e->gw, x);
        if (!e->plan->values[x].is_quantized || e->gw.names == NULL)
            continue;
        e->gw.names[x] = onnx_graph_name(&e->gw, name, "dequantized");
        add_pair(e, x, name, e->gw.names[x]);
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        add_node(e, (int)i);
    for (size_t i = 0; i < graph->n_outputs; i++)
        onnx_graph_output(&e->gw, graph->outputs[i]);
}

/* --- the file --- */

int onnx_qdq_check(const struct plan *plan, struct error *err)
{
    const struct graph *graph = plan->graph;

    for (size_t i = 0; i < graph->n_values; i++)
        if (plan->values[i].is_quantized && plan->values[i].n_scales != 1)
            return error_set(err, EX_UNAVAILABLE,
                             "value \"%s\": the QDQ form has one scale an activation, the plan %zu",
                             graph->values[i].name, plan->values[i].n_scales);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op == OP_DECONV && plan->nodes[i].n_weight_scales > 1 &&
            graph->nodes[i].attr.conv.group > 1)
            return error_set(
                err, EX_UNAVAILABLE,
                "node \"%s\" (%s): scales per channel of a transposed convolution in groups do not lie along "
                "one axis",
                graph->nodes[i].name, graph->nodes[i].type);
    return 0;
}

int onnx_qdq_write(const struct plan *plan, const struct emit_info *info, bool is_described,
                   const struct onnx_qdq_front *front, const char *folder, const char *name, struct output *output,
                   struct error *err)
{
    struct emitter e = {.plan = plan, .writer = onnx_writer_create(info->model_name, err), .front = front};
    char records[24];
    int rc;

    if (e.writer == NULL)
        return -1;
    if (plan->profile->signed_codes.hi > UINT8_MAX)
        onnx_writer_use_opset_21(e.writer);
    snprintf(records, sizeof records, "%llu", (unsigned long long)info->records);
    onnx_writer_metadata(e.writer, "etalon.fingerprint", info->fingerprint);
    onnx_writer_metadata(e.writer, "etalon.method", info->method);
    onnx_writer_metadata(e.writer, "etalon.records", records);
    onnx_writer_metadata(e.writer, "etalon.version", info->version);
    if (is_described)
        onnx_writer_describe_values(e.writer);
    add_graph(&e, is_described);
    rc = onnx_writer_save(e.writer, folder, name, output, err);
    onnx_writer_destroy(e.writer);
    return rc;
}
