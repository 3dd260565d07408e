/* random_plan.h — plans of random networks, without a calibration, for what writes or reads plans.
 */
#ifndef ETALON_TESTS_RANDOM_PLAN_H
#define ETALON_TESTS_RANDOM_PLAN_H

#include "../common/random_network.h"

#include "common/memory.h"
#include "coordinator/plan_groups.h"
#include "coordinator/plan_mark.h"

#include <math.h>
#include <stdlib.h>

static inline float *numbers(struct plan *plan, size_t n)
{
    float *list = arena_create_array(plan->arena, n, sizeof *list, NULL);

    assert_non_null(list);
    return list;
}

static inline float any_scale(const struct profile *profile)
{
    return profile_kept_scale(profile, (float)draw_uniform(0.01, 0.1));
}

static inline void plan_value(struct plan *plan, size_t v, float scale)
{
    struct plan_value *p = &plan->values[v];

    p->codes = plan->profile->signed_codes;
    if (plan->profile->affine_activations)
        p->codes.zero_point = p->codes.lo + (int32_t)draw_below((size_t)(p->codes.hi - p->codes.lo) + 1);
    p->n_scales = 1;
    p->scale = numbers(plan, 1);
    p->threshold = numbers(plan, 1);
    p->scale[0] = scale;
    p->threshold[0] = p->scale[0] * (float)plan->profile->signed_steps;
}

/* Values that only move codes have one scale among them. */
static inline void plan_values(struct plan *plan, const struct histogram *const *histograms)
{
    struct plan_groups groups;
    struct error err;

    assert_succeeds(plan_groups_init(&groups, plan, histograms, NULL, &err), err);
    for (size_t v = 0; v < plan->graph->n_values; v++) {
        const struct plan_value *root = &plan->values[plan_groups_family(&groups, (int)v)];

        if (plan->values[v].is_quantized)
            plan_value(plan, v, root->scale != NULL ? root->scale[0] : any_scale(plan->profile));
    }
    plan_groups_fini(&groups);
}

/* Of a chip that shifts, the accumulator's step is the output's over a power of two. */
static inline float weight_step(const struct plan *plan, const struct node *node)
{
    const struct plan_value *out = &plan->values[node->outputs[0]];
    double in = (double)plan->values[node->inputs[0]].scale[0];

    if (plan->profile->requantization != REQUANTIZE_SHIFT)
        return profile_kept_weight_scale(plan->profile, (float)draw_uniform(0.001, 0.01));
    return (float)((double)ldexpf(out->scale[0], -(int)draw_below(12)) / in);
}

static inline float accumulator_step(const struct plan *plan, const struct node *node, float weights)
{
    const struct plan_value *out = &plan->values[node->outputs[0]];
    double step = (double)plan->values[node->inputs[0]].scale[0] * (double)weights;

    if (plan->profile->requantization != REQUANTIZE_SHIFT)
        return (float)step;
    return ldexpf(out->scale[0], -(int)lrint(log2((double)out->scale[0] / step)));
}

static inline void plan_codes(struct plan *plan, const struct node *node, struct plan_node *p, size_t channels)
{
    const struct value *w = &plan->graph->values[node->inputs[1]];
    size_t elements = (size_t)shape_elements(&w->shape), per_channel = elements / (size_t)w->shape.dims[0];
    int32_t limit = plan->profile->weight_limit;

    p->weight_codes = arena_create_array(plan->codes, elements, sizeof *p->weight_codes, NULL);
    assert_non_null(p->weight_codes);
    for (size_t i = 0; i < elements; i++) {
        float step = p->weight_scale[p->n_weight_scales == 1 ? 0 : i / per_channel];

        if (plan->profile->integer_bias)
            p->weight_codes[i] = (int16_t)((int)draw_below(2 * (size_t)limit + 1) - limit);
        else
            quantize_symmetric(&((const float *)w->data)[i], 1, step, limit, &p->weight_codes[i]);
    }
    p->bias = numbers(plan, channels);
    for (size_t c = 0; c < channels; c++)
        p->bias[c] = (float)draw_uniform(-1, 1);
    if (!plan->profile->integer_bias)
        return;
    p->bias_codes = arena_create_array(plan->arena, channels, sizeof *p->bias_codes, NULL);
    assert_non_null(p->bias_codes);
    for (size_t c = 0; c < channels; c++)
        p->bias_codes[c] = (int32_t)draw_below(65536) - 32768;
}

static inline size_t output_channels(const struct graph *graph, const struct node *node)
{
    return (size_t)graph->values[node->outputs[0]].shape.dims[1];
}

static inline void plan_layer(struct plan *plan, size_t n, bool may_be_per_channel)
{
    const struct node *node = &plan->graph->nodes[n];
    struct plan_node *p = &plan->nodes[n];
    size_t channels = output_channels(plan->graph, node);
    bool is_single = !may_be_per_channel || node->op == OP_DECONV || draw_below(3) == 0;

    p->n_weight_scales = is_single ? 1 : channels;
    p->weight_scale = numbers(plan, p->n_weight_scales);
    p->acc_scale = numbers(plan, p->n_weight_scales);
    for (size_t c = 0; c < p->n_weight_scales; c++) {
        p->weight_scale[c] = weight_step(plan, node);
        p->acc_scale[c] = accumulator_step(plan, node, p->weight_scale[c]);
    }
    plan_codes(plan, node, p, channels);
}

static inline bool has_weights(const struct node *node)
{
    return node->op == OP_CONV || node->op == OP_DECONV || node->op == OP_DENSE;
}

/* As calibration would mark it, a few nodes being left in float. */
static inline struct plan *make_plan(const struct graph *graph, const struct profile *profile, bool may_be_per_channel)
{
    struct plan *plan = plan_create(graph, profile, NULL);
    struct histogram any = {0};
    const struct histogram **histograms = calloc(graph->n_values, sizeof *histograms);
    bool *is_float = calloc(graph->n_nodes + 1, sizeof *is_float);

    assert_true(plan != NULL && histograms != NULL && is_float != NULL);
    for (size_t v = 0; v < graph->n_values; v++)
        histograms[v] = &any; /* that there are some is all that is asked */
    for (size_t n = 0; n < graph->n_nodes; n++)
        is_float[n] = draw_below(6) == 0;
    plan_mark(plan, histograms, is_float);
    plan_values(plan, histograms);
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (plan->nodes[n].is_quantized && has_weights(&graph->nodes[n]))
            plan_layer(plan, n, may_be_per_channel);
    free(histograms);
    free(is_float);
    return plan;
}

#endif
