/* plan_round.c — codes of a layer once more, by the moments of what they meet; see plan_decide.h. */
#include "coordinator/input_moments.h"
#include "coordinator/plan_decide.h"
#include "coordinator/plan_layer.h"
#include "coordinator/round_codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool plan_can_round(const struct plan *plan, int n)
{
    return plan_has_weights(plan, (size_t)n) && plan->profile->weight_limit <= INT8_MAX &&
           !plan->profile->codes_are_remade && input_moments_apply(plan->graph, &plan->graph->nodes[n]);
}

/* In a folded layer an error of the code of input i reaches the output divided by fold(i). */
static void fold_moments(const struct plan_layer *layer, size_t group, size_t first, size_t count, const double *h,
                         double *out)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            out[i * count + j] = h[i * count + j] /
                                 plan_layer_fold(layer, group * layer->inputs + (first + i) / layer->taps) /
                                 plan_layer_fold(layer, group * layer->inputs + (first + j) / layer->taps);
}

int plan_round_block(struct plan *plan, int n, size_t group, size_t first, size_t count, const double *h,
                     struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    double *v = memory_create((layer.is_folded ? count : 0) + 2, count * sizeof *v, "the rounding of weights", err);
    double *gradient = v + count, *folded = v + 2 * count;
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer.node);

    if (v == NULL)
        return -1;
    if (layer.is_folded)
        fold_moments(&layer, group, first, count, h, folded);
    for (size_t o = group * layer.outputs; o < (group + 1) * layer.outputs; o++) {
        size_t at = o * layer.row + first;

        for (size_t i = 0; i < count; i++)
            v[i] = (double)layer.weights[at + i] *
                   plan_layer_fold(&layer, group * layer.inputs + (first + i) / layer.taps);
        round_codes(v, count, (double)out->weight_scale[out->n_weight_scales == 1 ? 0 : o], limit,
                    layer.is_folded ? folded : h, gradient, out->weight_codes + at);
    }
    free(v);
    return 0;
}

/* The mean squared error of what the codes stand for, once more. */
static int measure_codes(struct plan_node *out, const struct plan_layer *layer, struct error *err)
{
    out->weight_mse = 0;
    for (size_t i = 0; i < out->n_weight_scales; i++) {
        struct weight_group group = plan_layer_group(layer, i); /* of CONV and DENSE: one run */
        float *copy;
        const float *weights = plan_layer_gather(layer, group, &copy, err);

        if (weights == NULL)
            return -1;
        for (size_t k = 0; k < group.run; k++) {
            double miss = (double)weights[k] - (double)out->weight_scale[i] * out->weight_codes[group.first + k];

            out->weight_mse += miss * miss;
        }
        free(copy);
    }
    out->weight_mse /= (double)layer->elements;
    return 0;
}

int plan_finish_rounding(struct plan *plan, int n, const double *mean, struct error *err)
{
    static const char corrected[] = " +bias", rounded[] = " +out";
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    bool is_corrected = strstr(out->method, corrected) != NULL;
    char *end = strstr(out->method, out->is_rounded ? rounded : corrected);
    size_t length = end != NULL ? (size_t)(end - out->method) : strlen(out->method);

    snprintf(out->method + length, sizeof out->method - length, "%s%s", rounded, is_corrected ? corrected : "");
    out->is_rounded = true;
    if (measure_codes(out, &layer, err) != 0)
        return -1;
    return mean == NULL || !plan_can_correct_bias(plan, n) ? 0 : plan_correct_bias(plan, n, mean, mean, err);
}

int plan_restore_codes(struct plan *plan, int n, const uint8_t *codes, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer.node);

    for (size_t i = 0; i < layer.elements; i++) {
        int code = codes[i] - PLAN_CODE_ZERO;

        if (abs(code) > limit)
            return error_set(err, EX_DATAERR, "node \"%s\": code %d of weight %zu is beyond %d", layer.node->name, code,
                             i, limit);
        out->weight_codes[i] = (int16_t)code;
    }
    out->is_rounded = true;
    return measure_codes(out, &layer, err);
}
