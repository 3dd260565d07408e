/* ops_ascend.c — AscendQuant, AscendWeightQuant, AscendDequant: a network that the vendor's tool, or ours, has
 * quantized.
 *
 *   x -> AscendQuant -> layer -> AscendDequant        codes in, sums of products of codes, reals again
 *   int8 constant -> AscendWeightQuant -> layer
 *
 * Read as a float network: AscendQuant computes nothing here, and weights are what their codes stand for. What the file
 * says of codes stays with the values (value.coding). The scale of weights is known only behind the layer:
 * AscendDequant has the accumulator's, which holds the input's as well.
 */
#include "formats/tensorflow/tf_import.h"

#include <math.h>
#include <string.h>

static const struct code_range int8_codes = {.lo = INT8_MIN, .hi = INT8_MAX};

static int pass_on(struct tf_import *in, struct tf_node *node, struct error *err)
{
    int x = node->inputs[0].value;
    struct node draft = {.op = OP_IDENTITY, .inputs = &x, .n_inputs = 1};

    return tf_finish(in, node, &draft, &node->inputs[0].order, err);
}

/* `n_scales` scales that are still to be written into *scale. */
static struct coding *new_coding(struct graph *graph, size_t n_scales, float **scale, struct error *err)
{
    struct coding *coding = arena_create_array(graph->arena, 1, sizeof *coding, err);

    *scale = coding == NULL ? NULL : arena_create_array(graph->arena, n_scales, sizeof **scale, err);
    if (*scale == NULL)
        return NULL;
    *coding = (struct coding){.codes = int8_codes, .n_scales = n_scales, .scale = *scale};
    return coding;
}

/* ---- AscendQuant ---- */

/* The operator multiplies by the reciprocal of a step. */
static struct coding *read_quant(struct tf_import *in, const struct tf_node *node, struct error *err)
{
    float factor, offset, *scale;
    struct coding *coding;
    int64_t bits;

    if (tf_float(node, "scale", 0, &factor, err) != 0 || tf_float(node, "offset", 0, &offset, err) != 0 ||
        tf_int(node, "quant_bits", 8, &bits, err) != 0 || (coding = new_coding(in->graph, 1, &scale, err)) == NULL)
        return NULL;
    scale[0] = 1.0F / factor;
    coding->codes.zero_point = (int32_t)fmaxf(INT8_MIN, fminf(INT8_MAX, offset));
    if (bits != 8)
        error_set(err, EX_UNAVAILABLE, "attribute \"quant_bits\" is %lld: only 8 are supported", (long long)bits);
    else if (!(factor > 0) || !isfinite(scale[0]) || !(scale[0] > 0))
        error_set(err, EX_DATAERR, "attribute \"scale\" is %g", (double)factor);
    else if ((float)coding->codes.zero_point != offset)
        error_set(err, EX_DATAERR, "attribute \"offset\" is %g: expected an integer of 8 bits", (double)offset);
    else
        return coding;
    return NULL;
}

/* Whose codes these are: of what is read; or, where zeros have been put around an image, of the image, which comes to
 * the same. */
static int coded_value(const struct graph *graph, int x)
{
    int producer = graph->values[x].producer;
    const struct node *pad = producer == GRAPH_NONE ? NULL : &graph->nodes[producer];

    return pad != NULL && pad->op == OP_PAD && pad->attr.pad.mode == PAD_CONSTANT && pad->attr.pad.value == 0
               ? pad->inputs[0]
               : x;
}

/* A value that is coded in two ways keeps the first one; the second is that of the copy made here. */
int tf_build_ascend_quant(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct coding *coding = read_quant(in, node, err);
    struct value *x;

    if (coding == NULL || pass_on(in, node, err) != 0)
        return -1;
    x = &in->graph->values[coded_value(in->graph, node->inputs[0].value)];
    if (x->coding == NULL)
        x->coding = coding;
    else if (!coding_equal(x->coding, coding))
        in->graph->values[node->outputs[0].value].coding = coding;
    return 0;
}

/* ---- AscendWeightQuant ---- */

/* Codes whose scale is still to come have the coding of their AscendWeightQuant, with a scale of 0: all constants that
 * are made of them share it, so that it knows (has_input_scale) whether any layer has got its weights. */
static bool is_bare(const struct value *value)
{
    return value->is_constant && value->coding != NULL && value->coding->constant == NULL &&
           value->coding->scale[0] == 0;
}

void tf_hand_on_weight_codes(struct graph *graph, const struct node *draft, int value)
{
    if (!graph->values[value].is_constant || graph->values[value].coding != NULL)
        return;
    for (size_t i = 0; i < draft->n_inputs; i++)
        if (draft->inputs[i] != GRAPH_NONE && is_bare(&graph->values[draft->inputs[i]]))
            graph->values[value].coding = graph->values[draft->inputs[i]].coding;
}

int tf_check_weight_codes(const struct tf_import *in, struct error *err)
{
    if (in->n_bare_weights != 0)
        return error_set(err, EX_DATAERR, "%zu AscendWeightQuant without an AscendDequant of their own",
                         in->n_bare_weights);
    for (size_t n = 0; n < in->graph->n_nodes; n++) {
        const struct node *node = &in->graph->nodes[n];

        if (in->graph->values[node->outputs[0]].is_constant) /* computed already */
            continue;
        for (size_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != GRAPH_NONE && is_bare(&in->graph->values[node->inputs[i]]))
                return error_set(err, EX_DATAERR, "no AscendDequant gives the codes that \"%s\" reads a scale",
                                 node->name);
    }
    for (size_t v = 0; v < in->graph->n_values; v++) /* what nobody reads any more */
        if (is_bare(&in->graph->values[v]))
            in->graph->values[v].coding = NULL;
    return 0;
}

/* Codes as floats, which AscendDequant makes weights of. */
int tf_build_ascend_weight_quant(struct tf_import *in, struct tf_node *node, struct error *err)
{
    struct tensor codes, offsets;
    struct coding *coding;
    float *scale;
    void *data;
    int value;

    if (tf_constant(in, node, 0, &codes, err) != 0 || tf_constant(in, node, 1, &offsets, err) != 0)
        return -1;
    for (int64_t i = 0; i < shape_elements(&offsets.shape); i++)
        if (tensor_real(&offsets, (size_t)i) != 0)
            return error_set(err, EX_UNAVAILABLE, "weights with an offset (%g) are not supported",
                             tensor_real(&offsets, (size_t)i));
    coding = new_coding(in->graph, 1, &scale, err);
    value = coding == NULL ? -1 : tf_add_constant(in, node, NULL, DTYPE_FLOAT32, &codes.shape, &data, err);
    if (value < 0)
        return -1;
    for (size_t i = 0; i < (size_t)shape_elements(&codes.shape); i++) {
        ((float *)data)[i] = (float)tensor_real(&codes, i);
        if (!(fabsf(((float *)data)[i]) <= -INT8_MIN))
            return error_set(err, EX_DATAERR, "code %zu is %g", i, (double)((float *)data)[i]);
    }
    node->outputs[0] = (struct tf_tensor){.value = value, .order = tf_plain_order()};
    in->graph->values[value].coding = coding;
    in->n_bare_weights++;
    return 0;
}

/* ---- AscendDequant ---- */

/* The coding of what a layer reads: behind AscendQuant, or where that has left it. In between its axes may have been
 * brought in order; then what the layer reads is another value of the same codes. */
static const struct coding *input_coding(struct graph *graph, int layer)
{
    const uint32_t moves = 1U << OP_IDENTITY | 1U << OP_PAD | 1U << OP_RESHAPE | 1U << OP_TRANSPOSE;
    int value = graph->nodes[layer].inputs[0], producer = graph->values[value].producer;
    bool is_rearranged = false;

    while (graph->values[value].coding == NULL && producer != GRAPH_NONE &&
           (moves >> graph->nodes[producer].op & 1) != 0) {
        is_rearranged =
            is_rearranged || graph->nodes[producer].op == OP_RESHAPE || graph->nodes[producer].op == OP_TRANSPOSE;
        value = graph->nodes[producer].inputs[0];
        producer = graph->values[value].producer;
    }
    if (is_rearranged)
        graph->values[graph->nodes[layer].inputs[0]].coding = graph->values[value].coding;
    return graph->values[value].coding;
}

/* Floats in the lower halves; a shift in the upper one is of other arithmetic. */
static int read_deq_scales(const struct tensor *packed, float *scale, struct error *err)
{
    for (size_t i = 0; i < (size_t)shape_elements(&packed->shape); i++) {
        uint64_t bits = (uint64_t)tensor_integer(packed, i);
        uint32_t low = (uint32_t)bits;

        if (bits >> 32 != 0)
            return error_set(err, EX_UNAVAILABLE, "scale %zu has a shift or an offset of weights", i);
        memcpy(&scale[i], &low, sizeof low);
        if (!(scale[i] > 0) || !isfinite(scale[i]))
            return error_set(err, EX_DATAERR, "scale %zu is %g", i, (double)scale[i]);
    }
    return 0;
}

/* The layer's weights, so far codes, times their scales. Output channels lie along `axis`. */
static int scale_weights(struct tf_import *in, const struct tf_node *node, int layer, struct coding *coding,
                         float input_scale, struct error *err)
{
    struct graph *graph = in->graph;
    int from = graph->nodes[layer].inputs[1];
    struct coding *bare;
    struct tensor codes;
    size_t n, inner = 1, axis = coding->axis;
    int32_t *integers;
    void *data;
    int value;

    if (!graph_constant(graph, from, &codes) || !is_bare(&graph->values[from]) || codes.dtype != DTYPE_FLOAT32 ||
        (coding->n_scales != 1 && (int64_t)coding->n_scales != codes.shape.dims[axis]))
        return error_set(err, EX_DATAERR, "%zu scales do not belong to the weights of \"%s\"", coding->n_scales,
                         graph->nodes[layer].name);
    bare = (struct coding *)(uintptr_t)graph->values[from].coding; /* ours */
    n = (size_t)shape_elements(&codes.shape);
    for (size_t k = axis + 1; k < codes.shape.rank; k++)
        inner *= (size_t)codes.shape.dims[k];
    integers = arena_create_array(graph->arena, n, sizeof *integers, err);
    if (integers == NULL || (value = tf_add_constant(in, node, "weights", DTYPE_FLOAT32, &codes.shape, &data, err)) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        float code = ((const float *)codes.data)[i];

        integers[i] = fabsf(code) <= -INT8_MIN ? (int32_t)code : 0; /* a product on the way may have made any number */
        if ((float)integers[i] != code)
            return error_set(err, EX_DATAERR, "the weights of \"%s\" are no codes", graph->nodes[layer].name);
        ((float *)data)[i] =
            code * (coding->scale[coding->n_scales == 1 ? 0 : i / inner % coding->n_scales] / input_scale);
    }
    coding->constant = integers;
    coding->has_input_scale = true;
    graph->values[value].coding = coding;
    graph->nodes[layer].inputs[1] = value;
    in->n_bare_weights -= !bare->has_input_scale; /* codes may have several readers, and count once */
    bare->has_input_scale = true;
    return 0;
}

int tf_build_ascend_dequant(struct tf_import *in, struct tf_node *node, struct error *err)
{
    const uint32_t with_weights = 1U << OP_CONV | 1U << OP_DECONV | 1U << OP_DENSE;
    int layer = in->graph->values[node->inputs[0].value].producer;
    enum op op = layer == GRAPH_NONE ? OP_COUNT : in->graph->nodes[layer].op;
    const struct coding *input;
    struct coding *coding;
    struct tensor packed;
    float *scale;

    if (tf_constant(in, node, 1, &packed, err) != 0)
        return -1;
    if (op == OP_COUNT || (op != OP_POOL && (with_weights >> op & 1) == 0))
        return error_set(err, EX_DATAERR, "what it reads is no layer that computes on codes");
    input = input_coding(in->graph, layer);
    if (input == NULL || input->scale[0] == 0 || packed.dtype != DTYPE_INT64)
        return error_set(err, EX_DATAERR, "the layer \"%s\" before it reads no codes", in->graph->nodes[layer].name);
    coding = new_coding(in->graph, (size_t)shape_elements(&packed.shape), &scale, err);
    if (coding == NULL || read_deq_scales(&packed, scale, err) != 0)
        return -1;
    coding->axis = op == OP_DECONV;
    if (op != OP_POOL && scale_weights(in, node, layer, coding, input->scale[0], err) != 0)
        return -1;
    return pass_on(in, node, err);
}
