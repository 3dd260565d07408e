/* layers.c — what the vendor's schema says of a layer beside its weights: thresholds, steps, shifts; see sophon.h. */
#include "formats/sophon/sophon.h"

#include "common/requantize.h"

#include <math.h>
#include <string.h>

enum { FULL_SCALE = 127 };

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

int sophon_put_steps(struct sophon_net *net, struct error *err)
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
    }
    return net->writer.err.code == 0 ? 0 : error_set(err, net->writer.err.code, "%s", net->writer.err.text);
}
