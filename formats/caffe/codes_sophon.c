/* codes_sophon.c — codes of an int8umodel, see codes.h.
 *
 * Every layer states what a step of its bottoms and tops is worth. The accumulator of one with weights has the top's
 * step over 2^shift, and so its weights that over the bottom's.
 */
#include "formats/caffe/build.h"
#include "formats/caffe/codes.h"
#include "formats/caffe/integers.h"
#include "formats/caffe/wiring.h"

#include <math.h>
#include <stdlib.h>

static const struct code_range int8_codes = {.lo = INT8_MIN, .hi = INT8_MAX};
static const struct code_range int32_codes = {.lo = INT32_MIN, .hi = INT32_MAX};

/* ---- Values */

static int give_coding(struct caffe_import *in, int value, float step, struct error *err)
{
    struct coding *coding = arena_create_array(in->graph->arena, 1, sizeof *coding, err);
    float *scale = coding == NULL ? NULL : arena_create_array(in->graph->arena, 1, sizeof *scale, err);

    if (scale == NULL)
        return -1;
    *scale = step;
    *coding = (struct coding){.codes = int8_codes, .n_scales = 1, .scale = scale};
    in->graph->values[value].coding = coding;
    return 0;
}

static float step_of(const struct caffe_import *in, int value)
{
    const struct coding *coding = in->graph->values[value].coding;

    return coding == NULL ? 0 : coding->scale[0];
}

/* What the layer says of its bottoms is what the layers above said; of the network's inputs it may be the first to
 * speak. */
static int note_bottoms(struct caffe_import *in, const struct caffe_layer *layer, const struct caffe_layer_codes *codes,
                        struct error *err)
{
    for (size_t i = 0; i < layer->n_bottoms && i < codes->n_inputs; i++) {
        const struct value *bottom = &in->graph->values[layer->bottoms[i]];
        float before = step_of(in, layer->bottoms[i]);

        if (codes->input[i] == 0 || bottom->is_constant)
            continue;
        if (before == 0 && bottom->producer == GRAPH_NONE) {
            if (give_coding(in, layer->bottoms[i], codes->input[i], err) < 0)
                return -1;
        } else if (before != codes->input[i]) {
            return caffe_error(layer, err, EX_UNAVAILABLE,
                               "it reads \"%s\" in steps of %g, which is written in steps of %g", bottom->name,
                               (double)codes->input[i], (double)before);
        }
    }
    return 0;
}

/* An input that the umodel does not list has the step that the prototxt states: codes are input x int8_scale. */
static float stated_step(const struct caffe_import *in, int value, const struct caffe_layer_codes *codes)
{
    bool is_first = in->graph->n_inputs > 0 && in->graph->inputs[0] == value;
    float step = codes->is_listed || !is_first || !(in->int8_scale > 0) ? 0 : 1 / in->int8_scale;

    return isfinite(step * INT8_MAX) ? step : 0;
}

static int note_tops(struct caffe_import *in, const struct caffe_layer *layer, const struct caffe_layer_codes *codes,
                     struct error *err)
{
    for (size_t i = 0; i < layer->n_tops; i++) {
        int value = in->wiring->blobs[layer->tops[i]].value;
        float step;

        if (value == GRAPH_NONE || in->graph->values[value].is_constant)
            continue;
        step = i < codes->n_outputs ? codes->output[i] : stated_step(in, value, codes);
        if (step > 0 && give_coding(in, value, step, err) < 0)
            return -1;
    }
    return 0;
}

/* Between the nodes of a layer with one top: what only moves codes hands on theirs. */
static void hand_on(struct caffe_import *in, const struct caffe_layer *layer, size_t first)
{
    const uint32_t moves = 1U << OP_RESHAPE | 1U << OP_TRANSPOSE | 1U << OP_SLICE | 1U << OP_IDENTITY;

    for (size_t n = first; layer->n_tops == 1 && n < in->graph->n_nodes; n++) {
        const struct node *node = &in->graph->nodes[n];
        struct value *output = &in->graph->values[node->outputs[0]];

        if ((moves >> node->op & 1) != 0 && !output->is_constant && output->coding == NULL &&
            node->outputs[0] != in->wiring->blobs[layer->tops[0]].value)
            output->coding = in->graph->values[node->inputs[0]].coding;
    }
}

/* ---- Weights */

/* A step of the integers of a layer's blobs. */
struct steps {
    float weights, accumulator;
};

static int find_steps(const struct caffe_import *in, const struct caffe_layer *layer,
                      const struct caffe_layer_weights *stored, struct steps *steps, struct error *err)
{
    const struct caffe_layer_codes *codes = caffe_layer_codes(in->weights, layer->name, in->graph->arena, err);
    float input = step_of(in, layer->bottoms[0]);
    int shift;

    if (codes == NULL || caffe_blob_shift(in->weights, stored, 0, &shift, err) < 0)
        return caffe_error_in(layer, err);
    if (input == 0 && codes->n_inputs > 0)
        input = codes->input[0];
    if (!(input > 0) || codes->n_outputs == 0 || !(codes->output[0] > 0))
        return caffe_error(layer, err, EX_DATAERR, "it has integers, but no threshold of its %s",
                           input > 0 ? "top" : "bottom");
    if (layer->n_bottoms != 1)
        return caffe_error(layer, err, EX_UNAVAILABLE, "integers that %zu bottoms share are not supported",
                           layer->n_bottoms);
    steps->accumulator = ldexpf(codes->output[0], -shift);
    steps->weights = (float)((double)steps->accumulator / (double)input);
    if (!isnormal(steps->weights) || !isnormal(steps->accumulator) || !isfinite(steps->accumulator * 0x1p22F) ||
        !isfinite(steps->weights * 0x1p22F))
        return caffe_error(layer, err, EX_DATAERR, "steps of %g and %g and a shift of %d leave no step of its weights",
                           (double)input, (double)codes->output[0], shift);
    return 0;
}

bool caffe_holds_codes(const struct caffe_import *in, const struct caffe_layer *layer,
                       const struct caffe_stored_blob *blob)
{
    return in->has_integers && (layer->param->convolution_param != NULL || layer->param->inner_product_param != NULL) &&
           caffe_blob_is_coded(in->weights, blob->layer, blob->index);
}

int caffe_coded_values(const struct caffe_import *in, const struct caffe_layer *layer,
                       const struct caffe_stored_blob *blob, const struct shape *shape, const float **values,
                       struct error *err)
{
    struct steps steps;

    if (find_steps(in, layer, blob->layer, &steps, err) < 0)
        return -1;
    return caffe_blob_read_coded(in->weights, blob->layer, blob->index, shape,
                                 blob->index == 0 ? steps.weights : steps.accumulator, in->graph->arena, values,
                                 err) < 0
               ? caffe_error_in(layer, err)
               : 0;
}

/* The integers of a constant that caffe_coded_values has given, in whatever order it has by now. */
static int note_constant(struct caffe_import *in, int value, float step, float accumulator, struct error *err)
{
    struct value *constant = &in->graph->values[value];
    size_t n = (size_t)shape_elements(&constant->shape);
    struct coding *coding = arena_create_array(in->graph->arena, 1, sizeof *coding, err);
    float *scale = coding == NULL ? NULL : arena_create_array(in->graph->arena, 1, sizeof *scale, err);
    int32_t *codes = scale == NULL ? NULL : arena_create_array(in->graph->arena, n, sizeof *codes, err);

    if (codes == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        codes[i] = (int32_t)rint((double)((const float *)constant->data)[i] / (double)step);
    *scale = accumulator;
    *coding = (struct coding){
        .codes = int32_codes, .n_scales = 1, .scale = scale, .constant = codes, .has_input_scale = true};
    constant->coding = coding;
    return 0;
}

static bool blob_is_coded(const struct caffe_import *in, const struct caffe_layer_weights *stored, size_t index)
{
    return caffe_blob_is_coded(in->weights, stored, index);
}

static int note_weights(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err)
{
    const uint32_t with_weights = 1U << OP_CONV | 1U << OP_DECONV | 1U << OP_DENSE;
    const struct caffe_layer_weights *stored;
    struct error unused;
    struct steps steps;

    if (caffe_weights_find(in->weights, layer->name, &stored, &unused) < 0 || !blob_is_coded(in, stored, 0))
        return 0;
    for (size_t n = first; n < in->graph->n_nodes; n++) {
        const struct node *node = &in->graph->nodes[n];

        if ((with_weights >> node->op & 1) == 0)
            continue;
        if (find_steps(in, layer, stored, &steps, err) < 0 ||
            note_constant(in, node->inputs[1], steps.weights, steps.accumulator, err) < 0)
            return -1;
        if (node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE && blob_is_coded(in, stored, 1) &&
            note_constant(in, node->inputs[2], steps.accumulator, steps.accumulator, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- Nodes */

static int note_nodes(struct caffe_import *in, const struct caffe_layer *layer, const struct caffe_layer_codes *codes,
                      size_t first, struct error *err)
{
    struct node_coding *coding;

    if ((!codes->is_float && codes->n_operands == 0) || first == in->graph->n_nodes)
        return 0;
    coding = arena_create_array(in->graph->arena, 1, sizeof *coding, err);
    if (coding == NULL)
        return -1;
    *coding = (struct node_coding){.is_float = codes->is_float};
    if (codes->n_operands > 0 && codes->n_operands == layer->n_bottoms && first + 1 == in->graph->n_nodes &&
        in->graph->nodes[first].n_inputs == layer->n_bottoms)
        coding->operands = codes->operands;
    for (size_t n = first; n < in->graph->n_nodes; n++)
        in->graph->nodes[n].coding = coding;
    return 0;
}

int caffe_note_integers(struct caffe_import *in, const struct caffe_layer *layer, size_t first, struct error *err)
{
    const struct caffe_layer_codes *codes = caffe_layer_codes(in->weights, layer->name, in->graph->arena, err);

    if (codes == NULL)
        return caffe_error_in(layer, err);
    if (note_bottoms(in, layer, codes, err) < 0 || note_tops(in, layer, codes, err) < 0 ||
        note_nodes(in, layer, codes, first, err) < 0)
        return -1;
    if (codes->is_float)
        return 0;
    hand_on(in, layer, first);
    return note_weights(in, layer, first, err);
}

/* ---- The whole */

static bool cuts_negatives(const struct node *node)
{
    const struct activation *activation = &node->attr.activation;

    return node->op == OP_ACTIVATION && (node->coding == NULL || !node->coding->is_float) &&
           (activation->kind == ACTIVATION_RELU || (activation->kind == ACTIVATION_CLIP && activation->alpha == 0));
}

static bool takes_activation(const struct node *node)
{
    return node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE ||
           (node->op == OP_BINARY && node->attr.binary.kind == BINARY_ADD);
}

/* Does a layer make what the activation `node` reads, with the codes that it gives, for nobody else? */
static bool is_end_of_layer(const struct graph *graph, const struct node *node, const size_t *n_uses)
{
    const struct value *before, *after;

    if (!cuts_negatives(node))
        return false;
    before = &graph->values[node->inputs[0]];
    after = &graph->values[node->outputs[0]];
    return before->coding != NULL && after->coding != NULL && coding_equal(before->coding, after->coding) &&
           before->producer != GRAPH_NONE && takes_activation(&graph->nodes[before->producer]) &&
           n_uses[node->inputs[0]] == 1;
}

int caffe_join_activations(struct caffe_import *in, struct error *err)
{
    const struct graph *graph = in->graph;
    size_t *n_uses;

    if (!in->has_integers)
        return 0;
    n_uses = memory_create(graph->n_values, sizeof *n_uses, "values", err);
    if (n_uses == NULL)
        return -1;
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] != GRAPH_NONE)
                n_uses[graph->nodes[n].inputs[i]]++;
    for (size_t i = 0; i < graph->n_outputs; i++)
        n_uses[graph->outputs[i]]++;
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (is_end_of_layer(graph, &graph->nodes[n], n_uses))
            graph->values[graph->nodes[n].inputs[0]].coding = NULL;
    free(n_uses);
    return 0;
}
