/* plan_read.c — see plan_read.h. */
#include "coordinator/plan_read.h"

#include "coordinator/plan_layer.h"
#include "coordinator/plan_mark.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A weight was made as code x scale in float32 and so is a whole number of scales, but for some 2^-24 of itself: of a
 * code of 16 bits that is 0.002 steps. */
static bool is_whole(double exact, double code)
{
    return fabs(exact - code) <= 1e-3 + fabs(code) * FLT_EPSILON;
}

enum { LARGEST_CODE = 32767 }; /* of what plans hold */

/* How far the scale of a bias may be from a step of the accumulator for its codes to be added as they are: measured
 * with ONNX Runtime 1.31, which fuses a convolution whose bias is 1 % off, and computes one that is 2 % off in float.
 */
static const double BIAS_SCALE_TOLERANCE = 0.01;

/* ---- values ---- */

static bool equal_ranges(const struct code_range *a, const struct code_range *b)
{
    return a->lo == b->lo && a->hi == b->hi && a->zero_point == b->zero_point;
}

static int check_scales(const struct value *value, struct error *err)
{
    const struct coding *coding = value->coding;
    int64_t channels = value->shape.rank > 1 ? value->shape.dims[1] : 1;

    if (coding->n_scales != 1 && (coding->axis != 1 || coding->n_scales != (size_t)channels))
        return error_set(err, EX_UNAVAILABLE, "value \"%s\": %zu scales along axis %zu: expected one, or one a channel",
                         value->name, coding->n_scales, coding->axis);
    if ((int64_t)coding->codes.hi - coding->codes.zero_point > LARGEST_CODE ||
        (int64_t)coding->codes.zero_point - coding->codes.lo > LARGEST_CODE + 1)
        return error_set(err, EX_UNAVAILABLE, "value \"%s\": codes %d to %d around %d are more than 16 bits hold",
                         value->name, coding->codes.lo, coding->codes.hi, coding->codes.zero_point);
    return 0;
}

static int read_value(struct plan *plan, size_t v, struct error *err)
{
    const struct profile *profile = plan->profile;
    const struct value *value = &plan->graph->values[v];
    const struct coding *coding = value->coding;
    struct plan_value *out = &plan->values[v];
    bool is_unsigned = equal_ranges(&coding->codes, &profile->unsigned_codes) &&
                       !equal_ranges(&profile->signed_codes, &profile->unsigned_codes);
    size_t n = coding->n_scales;
    float *numbers;

    if (check_scales(value, err) != 0 ||
        (numbers = arena_create_array(plan->arena, 2 * n, sizeof *numbers, err)) == NULL)
        return -1;
    *out = (struct plan_value){.is_quantized = true,
                               .is_unsigned = is_unsigned,
                               .codes = coding->codes,
                               .n_scales = n,
                               .scale = numbers,
                               .threshold = numbers + n,
                               .method = "given",
                               .scale_from = (int)v};
    for (size_t i = 0; i < n; i++) {
        out->scale[i] = coding->scale[i] > 0 ? coding->scale[i] : PLAN_DEAD_SCALE;
        out->threshold[i] = coding_threshold(coding, i);
        out->widest = out->threshold[i] > out->threshold[out->widest] ? i : out->widest;
    }
    return 0;
}

/* ---- layers ---- */

static const struct coding *coding_of(const struct plan *plan, const struct node *node, size_t slot)
{
    return slot >= node->n_inputs || node->inputs[slot] == GRAPH_NONE ? NULL
                                                                      : plan->graph->values[node->inputs[slot]].coding;
}

static bool is_zero(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

/* Which scale of its coding element i of a constant has. */
static size_t scale_of(const struct coding *coding, const struct shape *shape, size_t i)
{
    size_t inner = 1;

    if (coding->n_scales == 1)
        return 0;
    for (size_t k = coding->axis + 1; k < shape->rank; k++)
        inner *= (size_t)shape->dims[k];
    return i / inner % coding->n_scales;
}

/* The real value of one step of the accumulator, with weight scale i. */
static double accumulator_step(const struct plan_layer *layer, const struct coding *weights, size_t i)
{
    return weights->has_input_scale ? (double)weights->scale[i]
                                    : plan_layer_input_scale(layer, i) * (double)weights->scale[i];
}

/* Do codes of the bias count steps of the accumulator? A file may give them any scale, and mean it. (What is no scale
 * of weights is refused later.) */
static bool counts_steps(const struct plan *plan, const struct plan_layer *layer, const struct coding *bias)
{
    const struct coding *weights = coding_of(plan, layer->node, 1);

    for (size_t c = 0; c < layer->out_channels; c++) {
        double scale = (double)bias->scale[scale_of(bias, &(struct shape){.rank = 1}, c)];
        double step = accumulator_step(layer, weights, weights->n_scales == layer->out_channels ? c : 0);

        if (scale > 0 && step > 0 && !(fabs(scale - step) <= BIAS_SCALE_TOLERANCE * step))
            return false;
    }
    return true;
}

static bool has_usable_bias(const struct plan *plan, const struct plan_layer *layer)
{
    const struct coding *bias = coding_of(plan, layer->node, 2);

    return !plan->profile->integer_bias || layer->bias == NULL || is_zero(layer->bias, layer->out_channels) ||
           (bias != NULL && counts_steps(plan, layer, bias));
}

/* Does the file have codes for all that this node reads and makes, where integers run between nodes? */
static bool has_codes(const struct plan *plan, const struct node *node, size_t n_activations)
{
    for (size_t i = 0; i < n_activations; i++)
        if (node->inputs[i] == GRAPH_NONE || !plan->values[node->inputs[i]].is_quantized)
            return false;
    return node->n_outputs == 1 && (plan->profile->keeps_reals || plan->values[node->outputs[0]].is_quantized);
}

static bool is_layer(const struct node *node)
{
    return node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE;
}

static bool is_integer(const struct plan *plan, size_t n)
{
    const struct profile *profile = plan->profile;
    const struct node *node = &plan->graph->nodes[n];

    if (node->n_inputs == 0 || (node->coding != NULL && node->coding->is_float) ||
        (profile->allows != NULL && !profile->allows(plan->graph, node)) || plan_node_role(profile, node) == ROLE_FLOAT)
        return false;
    if (!is_layer(node))
        return has_codes(plan, node, node->n_inputs);
    return coding_of(plan, node, 1) != NULL && has_codes(plan, node, 1);
}

static int fail(const struct plan_layer *layer, struct error *err, const char *what, double found)
{
    return error_set(err, EX_UNAVAILABLE, "node \"%s\": %s (%g)", layer->node->name, what, found);
}

/* As the target's tool makes them of floats. */
static int make_weight_codes(const struct plan *plan, const struct plan_layer *layer, struct plan_node *out,
                             struct error *err)
{
    const struct value *weights = &plan->graph->values[layer->node->inputs[1]];
    const struct coding *coding = weights->coding;
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer->node);

    if (coding->codes.hi != limit)
        return fail(layer, err, "its weights become codes of another width than the target's: up to", coding->codes.hi);
    for (size_t i = 0; i < layer->elements; i++) {
        if (!isfinite(layer->weights[i]))
            return fail(layer, err, "a weight is no number", (double)layer->weights[i]);
        quantize_symmetric(&layer->weights[i], 1, coding->scale[scale_of(coding, &weights->shape, i)], limit,
                           &out->weight_codes[i]);
    }
    return 0;
}

static int read_weight_codes(const struct plan *plan, const struct plan_layer *layer, struct plan_node *out,
                             struct error *err)
{
    const struct value *weights = &plan->graph->values[layer->node->inputs[1]];
    const struct coding *coding = weights->coding;

    out->weight_codes = arena_create_array(plan->codes, layer->elements, sizeof *out->weight_codes, err);
    if (out->weight_codes == NULL)
        return -1;
    if (coding->is_to_be_coded)
        return make_weight_codes(plan, layer, out, err);
    for (size_t i = 0; i < layer->elements; i++) {
        float scale = coding->scale[scale_of(coding, &weights->shape, i)];
        double exact = coding->constant != NULL ? coding->constant[i] : (double)layer->weights[i] / (double)scale;
        double code = rint(exact);

        if (!(fabs(code) <= plan->profile->weight_limit + 1))
            return fail(layer, err, "the simulator has no weight code as large as this", exact);
        if (!is_whole(exact, code))
            return fail(layer, err, "a weight is no whole number of its scale: something was folded into it", exact);
        out->weight_codes[i] = (int16_t)code;
    }
    return 0;
}

/* One scale, or one an output channel: then these lie along the axis of output channels. */
static int read_weight_scales(const struct plan *plan, const struct plan_layer *layer, struct plan_node *out,
                              struct error *err)
{
    const struct coding *coding = coding_of(plan, layer->node, 1);
    size_t axis = layer->node->op == OP_DECONV;

    if (coding->n_scales != 1 && (coding->axis != axis || coding->n_scales != layer->out_channels))
        return fail(layer, err, "its weights have scales along an axis that is not that of output channels",
                    (double)coding->axis);
    out->n_weight_scales = coding->n_scales;
    out->weight_scale = arena_create_array(plan->arena, coding->n_scales, sizeof *out->weight_scale, err);
    out->acc_scale = arena_create_array(plan->arena, coding->n_scales, sizeof *out->acc_scale, err);
    if (out->weight_scale == NULL || out->acc_scale == NULL)
        return -1;
    for (size_t i = 0; i < coding->n_scales; i++) {
        double input = plan_layer_input_scale(layer, i), scale = (double)coding->scale[i];
        double step = accumulator_step(layer, coding, i);

        if (!(coding->scale[i] > 0))
            return fail(layer, err, "a scale of its weights is not above 0", scale);
        out->weight_scale[i] = coding->has_input_scale ? (float)(scale / input) : coding->scale[i];
        out->acc_scale[i] = (float)step;
        if (!isfinite(out->acc_scale[i]))
            return fail(layer, err, "a step of its accumulator is no float", step);
    }
    return 0;
}

static int read_bias(const struct plan *plan, const struct plan_layer *layer, struct plan_node *out, struct error *err)
{
    const struct coding *coding = coding_of(plan, layer->node, 2);
    size_t n = layer->out_channels;

    if (layer->bias == NULL)
        return 0;
    out->bias = arena_create_array(plan->arena, n, sizeof *out->bias, err);
    if (plan->profile->integer_bias)
        out->bias_codes = arena_create_array(plan->arena, n, sizeof *out->bias_codes, err);
    if (out->bias == NULL || (plan->profile->integer_bias && out->bias_codes == NULL))
        return -1;
    memcpy(out->bias, layer->bias, n * sizeof *out->bias);
    for (size_t i = 0; coding != NULL && coding->constant != NULL && plan->profile->bias_limit > 0 && i < n; i++)
        if (coding->constant[i] > plan->profile->bias_limit || coding->constant[i] < -plan->profile->bias_limit - 1)
            return fail(layer, err, "a code of its bias is more than the target's bits hold", coding->constant[i]);
    if (out->bias_codes != NULL && coding != NULL && coding->constant != NULL)
        memcpy(out->bias_codes, coding->constant, n * sizeof *out->bias_codes);
    else if (out->bias_codes != NULL && !is_zero(layer->bias, n))
        return fail(layer, err, "its bias has codes of fewer than 32 bits", (double)layer->bias[0]);
    return 0;
}

static int read_layer(struct plan *plan, size_t n, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, (int)n);
    struct plan_node *out = &plan->nodes[n];

    if (!has_usable_bias(plan, &layer)) /* a runtime computes such a layer in float, but for this one: */
        return layer.node->op == OP_DENSE && coding_of(plan, layer.node, 2) != NULL
                   ? fail(
                         &layer, err,
                         "its bias has a scale that is not its input's times its weights', which ONNX Runtime takes it "
                         "for in a Gemm",
                         (double)coding_of(plan, layer.node, 2)->scale[0])
                   : 0;
    out->is_quantized = true;
    snprintf(out->method, sizeof out->method, "given");
    return read_weight_scales(plan, &layer, out, err) != 0 || read_weight_codes(plan, &layer, out, err) != 0 ||
                   read_bias(plan, &layer, out, err) != 0
               ? -1
               : 0;
}

static int read_all(struct plan *plan, struct error *err)
{
    size_t n_coded = 0;

    for (size_t v = 0; v < plan->graph->n_values; v++) {
        if (!plan_is_activation(plan->graph, (int)v) || plan->graph->values[v].coding == NULL)
            continue;
        if (read_value(plan, v, err) != 0)
            return -1;
        n_coded++;
    }
    if (n_coded == 0)
        return error_set(err, EX_DATAERR, "no value of this model has codes: it is not quantized");
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        if (!is_integer(plan, n))
            continue;
        if (is_layer(&plan->graph->nodes[n]) && read_layer(plan, n, err) != 0)
            return -1;
        if (!is_layer(&plan->graph->nodes[n])) {
            plan->nodes[n].is_quantized = true;
            plan->nodes[n].operands =
                plan->graph->nodes[n].coding == NULL ? NULL : plan->graph->nodes[n].coding->operands;
        }
    }
    return 0;
}

struct plan *plan_read(const struct graph *graph, const struct profile *profile, struct error *err)
{
    struct plan *plan = plan_create(graph, profile, err);

    if (plan != NULL && read_all(plan, err) != 0) {
        plan_destroy(plan);
        return NULL;
    }
    return plan;
}
