/* layers.c — what the vendor's schema says of a layer's numbers: thresholds, integers, shifts; see sophon.h. */
#include "formats/sophon/sophon.h"

#include "common/requantize.h"

#include <math.h>
#include <string.h>

enum { FULL_SCALE = 127, SELECTION_SHIFT = 6 };

float sophon_int8_scale(const struct plan *plan)
{
    float threshold = plan->graph->n_inputs > 0 ? sophon_threshold(plan, plan->graph->inputs[0]) : 0;

    return threshold > 0 ? FULL_SCALE / threshold : 1;
}

void sophon_put_choices(struct sophon_net *net)
{
    for (size_t i = 0; i < net->writer.net.n_layer; i++) {
        Caffe__LayerParameter *layer = net->writer.net.layer[i];
        float threshold = layer->n_top > 0 ? sophon_threshold(net->plan, net->layers[i].tops[0]) : 0;

        layer->has_threshold = threshold > 0;
        layer->threshold = threshold;
        layer->has_forward_with_float = layer->forward_with_float = sophon_is_float(net->plan, &net->layers[i]);
    }
}

/* ---- Thresholds of blobs */

/* The thresholds of n blobs and what a step of each is worth; nothing where one has no codes. */
static void put_thresholds(struct sophon_net *net, const int *values, size_t n, float **thresholds,
                           size_t *n_thresholds, float **steps, size_t *n_steps)
{
    struct caffe_writer *w = &net->writer;

    if (w->err.code != 0 || (*thresholds = arena_create_array(w->arena, n, sizeof **thresholds, &w->err)) == NULL ||
        (*steps = arena_create_array(w->arena, n, sizeof **steps, &w->err)) == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        (*thresholds)[i] = sophon_threshold(net->plan, values[i]);
        if ((*thresholds)[i] == 0)
            return;
        (*steps)[i] = net->plan->values[values[i]].scale[0];
    }
    *n_thresholds = *n_steps = n;
}

/* ---- Integers */

/* The right shift that turns accumulators into codes of the output: log2 of a quotient that is a power of two. */
static int shift_of(const struct plan *plan, int node, struct error *err)
{
    float out = plan->values[plan->graph->nodes[node].outputs[0]].scale[0], step = plan->nodes[node].acc_scale[0];
    int exponent;

    if (frexpf(out / step, &exponent) != 0.5f || exponent < 1)
        return error_set(err, EX_SOFTWARE, "node \"%s\": %g accumulator steps to one of the output are no right shift",
                         plan->graph->nodes[node].name, (double)(out / step));
    return exponent - 1;
}

/* An int32 takes the place of each float, which nobody reads again: of a large network there is no room for both. */
static int32_t *narrow(float *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t code = (int32_t)data[i];

        memcpy(&data[i], &code, sizeof code);
    }
    return (int32_t *)(void *)data;
}

static int32_t *narrow_copy(struct caffe_writer *w, const float *data, size_t n)
{
    int32_t *codes = w->err.code != 0 ? NULL : arena_create_array(w->arena, n, sizeof *codes, &w->err);

    for (size_t i = 0; codes != NULL && i < n; i++)
        codes[i] = (int32_t)data[i];
    return codes;
}

/* is_own: the blob's numbers were made for this layer alone. */
static void put_codes(struct caffe_writer *w, Caffe__BlobProto *blob, bool is_own, bool is_bias, int shift, float scale)
{
    int32_t *codes = is_own ? narrow(blob->data, blob->n_data) : narrow_copy(w, blob->data, blob->n_data);

    if (codes == NULL)
        return;
    blob->n_int32_data = blob->n_data;
    blob->int32_data = codes;
    blob->n_data = 0;
    blob->data = NULL;
    blob->has_bit_width = blob->has_dtype = blob->has_scaletofloat = true;
    blob->bit_width =
        is_bias ? CAFFE__BLOB_PROTO__BIT_WIDTH_MODE__bitWidth_16 : CAFFE__BLOB_PROTO__BIT_WIDTH_MODE__bitWidth_8;
    blob->dtype = is_bias ? CAFFE__BLOB_PROTO__DTYPE__INT16 : CAFFE__BLOB_PROTO__DTYPE__INT8;
    blob->scaletofloat = scale;
    blob->has_right_shift_num = !is_bias;
    blob->right_shift_num = shift;
}

/* A convolution that picks codes (a slice with steps has no other form): with one right shift of as many bits as the
 * weight 1 is shifted to the left, a code comes out as it went in. */
static void put_selection(struct caffe_writer *w, Caffe__BlobProto *blob)
{
    put_codes(w, blob, false, false, SELECTION_SHIFT, 1.0f / (1 << SELECTION_SHIFT));
    for (size_t i = 0; i < blob->n_int32_data; i++)
        blob->int32_data[i] <<= SELECTION_SHIFT;
}

/* Does the blob hold what planned_graph.h made for this node, behind the values of the plan's graph? */
static bool is_own(const struct sophon_net *net, int node, size_t input, const Caffe__BlobProto *blob)
{
    const struct graph *graph = net->writer.graph;
    const struct node *n = &graph->nodes[node];

    return input < n->n_inputs && n->inputs[input] >= (int)net->plan->graph->n_values &&
           graph->values[n->inputs[input]].data == blob->data;
}

/* Are the layer's blobs codes of its node? A node may be several layers, of which one bears its name. */
static bool has_codes(const struct sophon_net *net, const Caffe__LayerParameter *layer, int node)
{
    return net->plan->nodes[node].weight_codes != NULL && strcmp(layer->name, net->plan->graph->nodes[node].name) == 0;
}

static int put_weights(struct sophon_net *net, Caffe__LayerParameter *layer, int node, struct error *err)
{
    const struct plan_node *planned = &net->plan->nodes[node];
    int shift;

    if (!has_codes(net, layer, node)) {
        if (layer->convolution_param != NULL)
            put_selection(&net->writer, layer->blobs[0]);
        else /* a factor an element, behind a pool */
            layer->has_forward_with_float = layer->forward_with_float = true;
        return 0;
    }
    shift = shift_of(net->plan, node, err);
    if (shift < 0)
        return -1;
    for (size_t i = 0; i < layer->n_blobs; i++)
        put_codes(&net->writer, layer->blobs[i], is_own(net, node, i + 1, layer->blobs[i]), i > 0, shift,
                  i > 0 ? planned->acc_scale[0] : planned->weight_scale[0]);
    return 0;
}

/* Eltwise and Concat bring each operand to the output's steps by a multiplier and a right shift of its own. */
static void put_branches(struct sophon_net *net, Caffe__LayerParameter *layer, const struct sophon_layer *of)
{
    struct caffe_writer *w = &net->writer;
    double out = (double)net->plan->values[of->tops[0]].scale[0];

    if (w->err.code != 0 ||
        (layer->mul_branch = arena_create_array(w->arena, layer->n_bottom, sizeof(uint32_t), &w->err)) == NULL ||
        (layer->rshift_branch = arena_create_array(w->arena, layer->n_bottom, sizeof(uint32_t), &w->err)) == NULL)
        return;
    for (size_t i = 0; i < layer->n_bottom; i++) {
        double in = (double)net->plan->values[of->bottoms[i]].scale[0];
        struct multiplier multiplier = multiplier_of_bits(in / out, net->plan->profile->multiplier_bits);

        while (multiplier.shift < 0 && 2 * multiplier.m <= FULL_SCALE) {
            multiplier.m *= 2;
            multiplier.shift++;
        }
        if (multiplier.shift < 0) /* an operand more than 127 times as coarse as the sum: there is no such field */
            return;
        layer->mul_branch[i] = (uint32_t)multiplier.m;
        layer->rshift_branch[i] = (uint32_t)multiplier.shift;
    }
    layer->n_mul_branch = layer->n_rshift_branch = layer->n_bottom;
}

static bool combines_operands(const Caffe__LayerParameter *layer)
{
    return strcmp(layer->type, "Eltwise") == 0 || strcmp(layer->type, "Concat") == 0;
}

/* What the codes stand for. The largest code is made a little less than it is: who looks for the shift at which the
 * largest weight stays below 127 steps finds ours, and rounds it to 127. */
static void put_reals(struct caffe_writer *w, Caffe__BlobProto *blob, bool is_bias, float scale)
{
    static const float largest = FULL_SCALE - 0.25F;
    float *data = w->err.code != 0 ? NULL : arena_create_array(w->arena, blob->n_data, sizeof *data, &w->err);

    for (size_t i = 0; data != NULL && i < blob->n_data; i++)
        data[i] = scale * (is_bias ? blob->data[i] : fmaxf(fminf(blob->data[i], largest), -largest));
    if (data != NULL)
        blob->data = data;
}

int sophon_put_reals(struct sophon_net *net, struct error *err)
{
    for (size_t i = 0; i < net->writer.net.n_layer; i++) {
        Caffe__LayerParameter *layer = net->writer.net.layer[i];
        const struct sophon_layer *of = &net->layers[i];
        const struct plan_node *planned = of->node == GRAPH_NONE ? NULL : &net->plan->nodes[of->node];

        if (sophon_is_float(net->plan, of) || planned == NULL || !has_codes(net, layer, of->node))
            continue;
        for (size_t k = 0; k < layer->n_blobs; k++)
            put_reals(&net->writer, layer->blobs[k], k > 0, k > 0 ? planned->acc_scale[0] : planned->weight_scale[0]);
    }
    return net->writer.err.code == 0 ? 0 : error_set(err, net->writer.err.code, "%s", net->writer.err.text);
}

int sophon_put_integers(struct sophon_net *net, struct error *err)
{
    for (size_t i = 0; i < net->writer.net.n_layer; i++) {
        Caffe__LayerParameter *layer = net->writer.net.layer[i];
        const struct sophon_layer *of = &net->layers[i];
        bool is_float = sophon_is_float(net->plan, of);

        layer->has_forward_with_float = layer->forward_with_float = is_float;
        put_thresholds(net, of->bottoms, layer->n_bottom, &layer->th_input, &layer->n_th_input,
                       &layer->scaleconvertbacktofloat_input_mul, &layer->n_scaleconvertbacktofloat_input_mul);
        put_thresholds(net, of->tops, layer->n_top, &layer->th_output, &layer->n_th_output,
                       &layer->scaleconvertbacktofloat_output_mul, &layer->n_scaleconvertbacktofloat_output_mul);
        if (!is_float && combines_operands(layer) && layer->n_th_input > 0)
            put_branches(net, layer, of);
        if (!is_float && layer->n_blobs > 0 && put_weights(net, layer, of->node, err) != 0)
            return -1;
    }
    return net->writer.err.code == 0 ? 0 : error_set(err, net->writer.err.code, "%s", net->writer.err.text);
}
