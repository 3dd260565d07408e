/* keep_target.c — see keep_target.h. */
#include "coordinator/keep_target.h"

#include "common/memory.h"
#include "coordinator/plan_decide.h"
#include "coordinator/plan_layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Thresholds and scales of the channels of values that have more than one. */
static int list_channels(const struct report_target *t, size_t n_values, struct archive_target *to, struct error *err)
{
    uint32_t decision = 0;
    size_t n = 0;

    for (size_t v = 0; v < n_values; v++)
        n += plan_decided(t->plan, v)->is_quantized && plan_decided(t->plan, v)->n_scales > 1
                 ? plan_decided(t->plan, v)->n_scales
                 : 0;
    to->channels = memory_create(n, sizeof *to->channels, "an archive", err);
    if (to->channels == NULL)
        return -1;
    for (size_t v = 0; v < n_values; v++) {
        const struct plan_value *p = plan_decided(t->plan, v);

        for (size_t c = 0; p->is_quantized && p->n_scales > 1 && c < p->n_scales; c++)
            to->channels[to->n_channels++] = (struct archive_channel){decision, p->threshold[c], p->scale[c]};
        decision += p->is_quantized;
    }
    return 0;
}

static void count_weights(const struct plan *plan, struct archive_target *to)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        if (!plan_has_weights(plan, n))
            continue;
        to->n_layers++;
        to->n_weight_scales += plan->nodes[n].n_weight_scales;
        to->n_biases += plan->nodes[n].bias == NULL ? 0 : plan_layer_of(plan, (int)n).out_channels;
    }
}

/* Scales of weights, and biases as they were corrected. Codes of biases follow from them. */
static int list_layers(const struct plan *plan, struct archive_target *to, struct error *err)
{
    struct archive_layer *layer;
    size_t scale = 0, bias = 0;

    count_weights(plan, to);
    to->layers = memory_create(to->n_layers, sizeof *to->layers, "an archive", err);
    to->weight_scales = memory_create(to->n_weight_scales, sizeof *to->weight_scales, "an archive", err);
    to->biases = memory_create(to->n_biases, sizeof *to->biases, "an archive", err);
    if (to->layers == NULL || to->weight_scales == NULL || to->biases == NULL)
        return -1;
    layer = to->layers;
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct plan_node *p = &plan->nodes[n];

        if (!plan_has_weights(plan, n))
            continue;
        *layer = (struct archive_layer){.n_scales = p->n_weight_scales,
                                        .n_biases = p->bias == NULL ? 0 : plan_layer_of(plan, (int)n).out_channels,
                                        .weight_mse = p->weight_mse,
                                        .weight_mse_max_abs = p->weight_mse_max_abs};
        snprintf(layer->name, sizeof layer->name, "%s", plan->graph->nodes[n].name);
        snprintf(layer->method, sizeof layer->method, "%s", p->method);
        memcpy(to->weight_scales + scale, p->weight_scale, layer->n_scales * sizeof *p->weight_scale);
        if (layer->n_biases > 0)
            memcpy(to->biases + bias, p->bias, layer->n_biases * sizeof *p->bias);
        scale += layer->n_scales;
        bias += layer->n_biases;
        layer++;
    }
    return 0;
}

/* Of layers whose codes are not simply the nearest. */
static int list_codes(const struct plan *plan, struct archive_target *to, struct error *err)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        to->n_codes += plan->nodes[n].is_rounded ? plan_layer_of(plan, (int)n).elements : 0;
    if (to->n_codes == 0)
        return 0;
    to->codes = memory_create(to->n_codes, sizeof *to->codes, "an archive", err);
    for (size_t n = 0, at = 0; to->codes != NULL && n < plan->graph->n_nodes; n++)
        for (size_t i = 0; plan->nodes[n].is_rounded && i < plan_layer_of(plan, (int)n).elements; i++)
            to->codes[at++] = (uint8_t)(PLAN_CODE_ZERO + plan->nodes[n].weight_codes[i]);
    return to->codes == NULL ? -1 : 0;
}

int keep_target(const struct report *report, const struct report_target *t, const uint32_t *index,
                struct archive_target *to, struct error *err)
{
    snprintf(to->name, sizeof to->name, "%s", t->target->name);
    memcpy(to->fingerprint, t->fingerprint, sizeof to->fingerprint);
    to->decisions = memory_create(report->graph->n_values, sizeof *to->decisions, "an archive", err);
    if (to->decisions == NULL)
        return -1;
    for (size_t v = 0; t->plan != NULL && v < report->graph->n_values; v++) {
        const struct plan_value *p = plan_decided(t->plan, v);
        struct archive_decision *d = &to->decisions[to->n_decisions];

        if (!p->is_quantized)
            continue;
        to->n_decisions++;
        *d = (struct archive_decision){index[v],
                                       p->threshold[p->widest],
                                       p->scale[p->widest],
                                       p->codes.zero_point,
                                       p->codes.lo,
                                       p->codes.hi,
                                       "",
                                       NAN,
                                       NAN,
                                       0,
                                       0};
        snprintf(d->method, sizeof d->method, "%s", p->method);
        if (report->evaluation != NULL) {
            const struct value_error *e = evaluation_error(report->evaluation, t->evaluation, (int)v);

            if (e->elements == 0)
                continue;
            d->sqnr_db = value_error_sqnr_db(e);
            d->cosine = value_error_cosine(e);
            d->clipped = e->clipped;
            d->elements = e->elements;
        }
    }
    if (t->plan == NULL)
        return 0;
    return list_channels(t, report->graph->n_values, to, err) != 0 || list_layers(t->plan, to, err) != 0
               ? -1
               : list_codes(t->plan, to, err);
}
