/* plan_fit_shifts.c — thresholds that a shift suits; see plan_shift.h. */
#include "coordinator/plan_shift.h"

#include "coordinator/weights.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the largest code becomes where a threshold is chosen for it: half a step from the limit, so that whoever
 * computes the shift again from a printed threshold finds the same one. */
static const double room = 0.5;

/* A layer and the group of values that its output's scale belongs to. */
struct fit {
    struct plan *plan;
    struct plan_layer layer;
    const struct threshold_job *job;
    double max_abs;      /* of the weights */
    double input_square; /* mean square of what the layer reads */
    double active;       /* share of the output that is not 0: the others do not show what rounded weights do */
};

/* ---- what is known of values ---- */

static double mean_square(const struct histogram *h)
{
    double sum = 0;

    for (size_t k = 0; k < h->bins; k++) {
        double count = (double)h->positive[k] + (h->negative == NULL ? 0 : (double)h->negative[k]);

        sum += count * ((double)k + 0.5) * ((double)k + 0.5);
    }
    return h->n == 0 ? 0 : ldexp(sum, 2 * h->exponent) / (double)h->n;
}

/* Mean squared error of the group's values at a threshold, by their counts. */
static double value_error(const struct threshold_job *job, double threshold)
{
    double error = 0, n = 0;

    for (size_t i = 0; i < job->n_histograms; i++) {
        struct threshold_request request = job->request;

        request.histogram = job->histograms[i];
        error += threshold_squared_error(&request, threshold);
        n += (double)job->histograms[i]->n;
    }
    return n > 0 ? error / n : 0;
}

/* ---- one layer ---- */

/* The output's mean squared error at a threshold: of its own codes, and of the weights' codes that follow from it, as
 * if their errors and what they meet had nothing to do with each other. */
static double output_error(const struct fit *fit, float threshold)
{
    struct plan_value *output = &fit->plan->values[fit->layer.node->outputs[0]];
    const float before = output->scale[0];
    int32_t limit = profile_weight_limit(fit->plan->profile, fit->plan->graph, fit->layer.node);
    double of_weights;
    bool saturates;
    float step;

    output->scale[0] = profile_kept_scale(fit->plan->profile, threshold / (float)fit->job->request.steps);
    step = plan_shift_step(fit->plan, &fit->layer, 0, fit->max_abs, &saturates);
    output->scale[0] = before;
    of_weights = weight_codes(fit->layer.weights, fit->layer.elements, limit,
                              (float)((double)step / plan_layer_input_scale(&fit->layer, 0)), NULL);
    return value_error(fit->job, (double)threshold) +
           fit->active * fit->input_square * of_weights / (double)fit->layer.out_channels;
}

/* May the threshold fall? What decides the arg-max is not clipped, and a method that does not go by squared errors has
 * its own reasons to keep what it keeps. */
static bool may_clip(const struct threshold_job *job)
{
    return !job->decides_arg_max && job->method->minimizes_error;
}

/* Thresholds at which the largest weight has the largest code, within a factor of two of the one found. */
static float best_threshold(const struct fit *fit)
{
    const struct plan_value *output = &fit->plan->values[fit->layer.node->outputs[0]];
    double limit = fit->plan->profile->weight_limit - room, steps = fit->job->request.steps;
    double at_zero = fit->max_abs * plan_layer_input_scale(&fit->layer, 0) / limit * steps; /* a shift by 0 */
    float found = output->threshold[0], best = found;
    double least = output_error(fit, found);

    for (int n = 0; n <= fit->plan->profile->largest_shift; n++) {
        float threshold = (float)ldexp(at_zero, n);
        double error;

        if (threshold < found / 2 || threshold > 2 * found || (threshold < found && !may_clip(fit->job)) ||
            !(threshold / (float)steps >= FLT_MIN))
            continue;
        error = output_error(fit, threshold);
        if (error < least) {
            least = error;
            best = threshold;
        }
    }
    return best;
}

static void set_threshold(struct plan *plan, const struct threshold_job *job, float threshold)
{
    static const char fitted[] = " +shift";

    for (size_t i = 0; i < job->n_places; i++) {
        struct plan_value *value = &plan->values[job->places[i].value];
        size_t length = strlen(value->method), most = sizeof value->method - sizeof fitted;

        value->threshold[0] = threshold;
        value->scale[0] = profile_kept_scale(plan->profile, threshold / (float)job->request.steps);
        snprintf(value->method + (length < most ? length : most), sizeof fitted, "%s", fitted);
    }
}

static int fit_layer(struct plan *plan, int n, const struct threshold_job *job, const struct histogram *input,
                     const struct histogram *output, struct error *err)
{
    struct fit fit = {.plan = plan, .layer = plan_layer_of(plan, n), .job = job, .input_square = mean_square(input)};
    float scale, best;

    fit.layer.n_scales = 1;
    if (weights_are_zero(fit.layer.weights, fit.layer.elements) || output->n == 0)
        return 0;
    if (weight_scale_max_abs(fit.layer.weights, fit.layer.elements, 1, &scale, err) != 0)
        return plan_layer_error(plan, n, 0, err);
    fit.max_abs = (double)scale;
    fit.active = 1 - (double)output->zeros / (double)output->n;
    best = best_threshold(&fit);
    if (best != plan->values[fit.layer.node->outputs[0]].threshold[0])
        set_threshold(plan, job, best);
    return 0;
}

/* ---- all of them ---- */

/* The only layer that makes a value of the group; GRAPH_NONE: there are none, or several, which a shift cannot suit. */
static int only_layer(const struct plan *plan, const struct threshold_job *job)
{
    int layer = GRAPH_NONE;

    for (size_t i = 0; i < job->n_places; i++) {
        int n = plan->graph->values[job->places[i].value].producer;

        if (n == GRAPH_NONE || !plan_has_weights(plan, (size_t)n))
            continue;
        if (layer != GRAPH_NONE)
            return GRAPH_NONE;
        layer = n;
    }
    return layer;
}

static bool can_fit(const struct plan *plan, const struct threshold_job *job, int n)
{
    return n != GRAPH_NONE && plan->graph->nodes[n].op != OP_DECONV && !job->is_per_channel && !job->moves_zero &&
           job->given.threshold == 0 && job->range_counts == NULL;
}

int plan_fit_shifts(struct plan *plan, const struct histogram *const *histograms, const struct threshold_job *jobs,
                    size_t n_jobs, struct error *err)
{
    const struct threshold_job **of_layer;
    int rc = 0;

    if (plan->profile->requantization != REQUANTIZE_SHIFT)
        return 0;
    of_layer = memory_create(plan->graph->n_nodes, sizeof *of_layer, "a list", err);
    if (of_layer == NULL)
        return -1;
    for (size_t i = 0; i < n_jobs; i++) {
        int n = only_layer(plan, &jobs[i]);

        if (can_fit(plan, &jobs[i], n))
            of_layer[n] = &jobs[i];
    }
    for (size_t n = 0; rc == 0 && n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];

        if (of_layer[n] != NULL)
            rc = fit_layer(plan, (int)n, of_layer[n], histograms[node->inputs[0]], histograms[node->outputs[0]], err);
    }
    free(of_layer);
    return rc;
}
