/* plan_weights.c — codes of weights and biases from their scales; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_layer.h"
#include "coordinator/plan_shift.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Half of int32 for the bias; as much is left for the products (66,000 of 127 x 127). */
static const double max_bias_code = 0x1p30;
/* A group of zeros has any scale it likes: this many steps for its bias. More would need rescaling by less than 2^-21,
 * which some targets cannot express. */
static const double zero_group_steps = 0x1p20;

/* The means of what a layer reads, one per input channel; NULL: unknown, or not along the axis that weights run over.
 */
static const double *input_mean(const struct plan *plan, const struct plan_choices *choices, int n)
{
    return choices->input_means == NULL || !plan_runs_along_channels(plan, n)
               ? NULL
               : choices->input_means[plan->graph->nodes[n].inputs[0]];
}

/* ---- jobs ---- */

static int reserve(struct plan *plan, const struct plan_choices *choices, int n, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    bool is_per_channel = plan->profile->per_channel_weights && !choices->weights_per_tensor &&
                          (plan->profile->per_tensor_ops >> layer.node->op & 1) == 0;

    if (layer.bias != NULL) {
        int64_t found = shape_elements(&plan->graph->values[layer.node->inputs[2]].shape);

        if (found != (int64_t)layer.out_channels)
            return error_set(err, EX_DATAERR, "node \"%s\": expected a bias of %zu elements, found %lld",
                             layer.node->name, layer.out_channels, (long long)found);
    }
    out->n_weight_scales = is_per_channel ? layer.out_channels : 1;
    out->weight_codes = arena_create_array(plan->codes, layer.elements, sizeof *out->weight_codes, err);
    out->weight_scale = arena_create_array(plan->arena, out->n_weight_scales, sizeof *out->weight_scale, err);
    out->acc_scale = arena_create_array(plan->arena, out->n_weight_scales, sizeof *out->acc_scale, err);
    if (out->weight_codes == NULL || out->weight_scale == NULL || out->acc_scale == NULL)
        return -1;
    if ((layer.bias == NULL && input_mean(plan, choices, n) == NULL) || !plan->profile->integer_bias)
        return 0;
    out->bias_codes = arena_create_array(plan->arena, layer.out_channels, sizeof *out->bias_codes, err);
    return out->bias_codes == NULL ? -1 : 0;
}

int plan_weight_jobs(struct plan *plan, const struct plan_choices *choices, const struct weight_job **jobs,
                     size_t *n_jobs, struct error *err)
{
    struct weight_job *list;
    size_t n = 0;

    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        if (!plan_has_weights(plan, i))
            continue;
        if (reserve(plan, choices, (int)i, err) != 0)
            return -1;
        n += plan->nodes[i].n_weight_scales;
    }
    list = arena_create_array(plan->arena, n, sizeof *list, err);
    if (list == NULL)
        return -1;
    *jobs = list;
    *n_jobs = n;
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        for (size_t channel = 0; plan_has_weights(plan, i) && channel < plan->nodes[i].n_weight_scales; channel++)
            *list++ = (struct weight_job){(int)i, channel};
    }
    return 0;
}

/* ---- from scales to codes ---- */

/* A hidden zero point of the output in real units: it will be in the bias. */
static double hidden_zero(const struct plan_value *output, size_t channel)
{
    return !output->hides_zero_point
               ? 0
               : abs(output->codes.zero_point) * (double)output->scale[output->n_scales == 1 ? 0 : channel];
}

/* The largest |bias| that the channels of scale `i` can have. */
static double largest_bias(const struct plan_layer *layer, const struct plan_value *output, size_t n_scales, size_t i)
{
    size_t first = n_scales == 1 ? 0 : i, end = n_scales == 1 ? layer->out_channels : i + 1;
    double largest = 0;

    for (size_t channel = first; channel < end; channel++)
        largest = fmax(largest,
                       (layer->bias == NULL ? 0 : fabs((double)layer->bias[channel])) + hidden_zero(output, channel));
    return largest;
}

/* The scale that the accumulator can work with: the one found, if it leaves room. */
static float workable_scale(double found, double input_scale, double bias, bool only_bias, const char **reason)
{
    double for_bias = bias / (input_scale * max_bias_code), for_step = fmax(FLT_MIN, FLT_MIN / input_scale);
    double scale = found;

    if (only_bias && bias > 0)
        scale = bias / (input_scale * zero_group_steps);
    else if (for_bias > scale) {
        scale = for_bias;
        *reason = " (bias)";
    }
    if (for_step > scale) {
        scale = for_step;
        *reason = " (floor)";
    }
    /* Neither bound may be missed by rounding to nearest; beyond FLT_MAX the caller's check of the step refuses it. */
    return nextafterf((float)scale, (double)(float)scale < scale ? INFINITY : (float)scale);
}

/* Of one group: what a weight code stands for, and a step of the accumulator. */
struct group_steps {
    float scale;
    double accumulator;
};

static struct group_steps choose_steps(const struct plan *plan, const struct plan_layer *layer, int n, size_t i,
                                       double max_abs, float found, const char **reason)
{
    const struct plan_node *out = &plan->nodes[n];
    const struct plan_value *output = &plan->values[layer->node->outputs[0]];
    double input_scale = plan_layer_input_scale(layer, i), bias;
    struct group_steps steps;

    if (plan->profile->requantization == REQUANTIZE_SHIFT) {
        bool saturates;

        steps.accumulator = (double)plan_shift_step(plan, layer, i, max_abs, &saturates);
        steps.scale = (float)(steps.accumulator / input_scale);
        if (saturates)
            *reason = " (saturates)";
        return steps;
    }
    bias = out->bias_codes != NULL ? largest_bias(layer, output, out->n_weight_scales, i) : 0;
    steps.scale = profile_kept_weight_scale(plan->profile,
                                            workable_scale((double)found, input_scale, bias, max_abs == 0, reason));
    steps.accumulator = input_scale * (double)steps.scale;
    return steps;
}

/* The steps of a group of weights from the scale found; `weights` are what its codes stand for. */
static int find_steps(const struct plan *plan, const struct plan_layer *layer, int n, size_t i, const float *weights,
                      size_t count, float found, const char **reason, struct group_steps *steps, struct error *err)
{
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer->node);
    float max_abs;

    if (weight_scale_max_abs(weights, count, limit, &max_abs, err) != 0)
        return -1;
    *steps =
        choose_steps(plan, layer, n, i, weights_are_zero(weights, count) ? 0 : (double)max_abs * limit, found, reason);
    if (!(steps->accumulator <= FLT_MAX) || !(steps->scale > 0) || !isfinite(steps->scale))
        return error_set(err, EX_DATAERR, "input scale %g times weight scale %g is no float",
                         plan_layer_input_scale(layer, i), (double)steps->scale);
    return 0;
}

/* Codes of one group, as the tool makes them or as weight_codes does; returns the squared error. */
static double make_codes(const struct weight_tool *tool, const float *w, size_t n, int32_t limit, float scale,
                         int16_t *codes)
{
    double error = 0;

    if (tool == NULL)
        return weight_codes(w, n, limit, scale, codes);
    tool->codes(w, n, limit, scale, codes);
    for (size_t i = 0; i < n; i++) {
        double miss = (double)w[i] - (double)scale * codes[i];

        error += miss * miss;
    }
    return error;
}

static int code_group(struct plan *plan, const struct plan_layer *layer, int n, size_t i, float found,
                      const struct weight_tool *tool, const char **reason, struct error *err)
{
    struct plan_node *out = &plan->nodes[n];
    struct weight_group group = plan_layer_group(layer, i);
    size_t count = group.runs * group.run;
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer->node);
    struct group_steps steps = {0};
    float *copy, max_abs;
    const float *weights = plan_layer_gather(layer, group, &copy, err);
    int16_t *codes = memory_create(count, sizeof *codes, "the codes of an output channel", err);
    int rc = weights == NULL || codes == NULL ? -1 : weight_scale_max_abs(weights, count, limit, &max_abs, err);

    if (rc == 0)
        rc = find_steps(plan, layer, n, i, weights, count, found, reason, &steps, err);
    if (rc == 0) {
        out->weight_mse += make_codes(tool, weights, count, limit, steps.scale, codes);
        out->weight_mse_max_abs += weight_codes(weights, count, limit, max_abs, NULL);
        out->weight_scale[i] = steps.scale;
        out->acc_scale[i] = (float)steps.accumulator;
        plan_layer_scatter(out->weight_codes, group, codes);
    }
    free(copy);
    free(codes);
    return rc;
}

static int check_bias(const struct plan_layer *layer, struct error *err)
{
    for (size_t channel = 0; layer->bias != NULL && channel < layer->out_channels; channel++) {
        if (!isfinite(layer->bias[channel]))
            return error_set(err, EX_DATAERR, "node \"%s\": bias %zu: expected a finite number, found %g",
                             layer->node->name, channel, (double)layer->bias[channel]);
    }
    return 0;
}

/* How far the integers move the mean output of one channel: sum over its inputs of coded weight x simulated mean -
 * float weight x fp32 mean. In a fixed order, in double. */
static double mean_shift(const struct plan_node *out, const struct plan_layer *layer, size_t channel,
                         const double *mean, const double *simulated)
{
    size_t first = channel / layer->outputs * layer->inputs; /* of its group's inputs */
    double scale = (double)out->weight_scale[out->n_weight_scales == 1 ? 0 : channel], shift = 0;

    for (size_t i = 0; i < layer->inputs; i++) {
        size_t at = channel * layer->row + i * layer->taps;
        double step = scale / plan_layer_fold(layer, first + i), coded = 0, real = 0;

        for (size_t t = at; t < at + layer->taps; t++) {
            coded += step * out->weight_codes[t];
            real += (double)layer->weights[t];
        }
        shift += coded * simulated[first + i] - real * mean[first + i];
    }
    return shift;
}

/* The layer's own bias less the mean shift, in place in out->bias, which is the plan's own memory. */
static void shift_bias(struct plan_node *out, const struct plan_layer *layer, const double *mean,
                       const double *simulated)
{
    for (size_t channel = 0; channel < layer->out_channels; channel++) {
        double own = layer->bias == NULL ? 0 : (double)layer->bias[channel];
        double corrected = own - mean_shift(out, layer, channel, mean, simulated);

        out->bias[channel] = isfinite((float)corrected) ? (float)corrected : (float)own;
    }
}

/* out->bias: the layer's own, less the mean shift where the means are known. *is_corrected tells. */
static int make_bias(struct plan *plan, const struct plan_choices *choices, const struct plan_layer *layer, int n,
                     bool *is_corrected, struct error *err)
{
    const double *mean = input_mean(plan, choices, n);
    struct plan_node *out = &plan->nodes[n];

    *is_corrected = mean != NULL;
    if (mean == NULL && layer->bias == NULL)
        return 0;
    out->bias = arena_create_array(plan->arena, layer->out_channels, sizeof *out->bias, err);
    if (out->bias == NULL)
        return -1;
    if (layer->bias != NULL)
        memcpy(out->bias, layer->bias, layer->out_channels * sizeof *out->bias);
    if (mean != NULL) /* the input as fp32 has it: what the rounding of weights alone does */
        shift_bias(out, layer, mean, mean);
    return 0;
}

static int code_bias(struct plan *plan, const struct plan_layer *layer, int n, struct error *err)
{
    struct plan_node *out = &plan->nodes[n];

    for (size_t channel = 0; out->bias_codes != NULL && channel < layer->out_channels; channel++) {
        float step = out->acc_scale[out->n_weight_scales == 1 ? 0 : channel];
        double steps = plan->profile->is_tool_exact ? (double)(out->bias[channel] / step)
                                                    : (double)out->bias[channel] / (double)step;
        double code = round_to_integer(steps, plan->profile->bias_rounding);

        if (plan->profile->bias_limit > 0)
            code = fmin(fmax(code, -(double)plan->profile->bias_limit - 1), plan->profile->bias_limit);
        if (!(fabs(code) <= INT32_MAX)) /* the scale left room for the layer's own bias, not for any correction */
            return error_set(err, EX_DATAERR,
                             "node \"%s\": output channel %zu: bias %g is %g steps, more than int32 holds",
                             layer->node->name, channel, (double)out->bias[channel], code);
        out->bias_codes[channel] = (int32_t)code;
    }
    return 0;
}

static const char *method_name(const struct profile *profile, const struct weight_method *method)
{
    if (profile->requantization == REQUANTIZE_SHIFT)
        return "shift";
    return plan_weights_have_no_choice(profile) ? "maxabs" : method->name;
}

int plan_apply_weights(struct plan *plan, const struct plan_choices *choices, const struct weight_job *jobs,
                       size_t n_jobs, const float *scales, struct error *err)
{
    const struct weight_tool *tool = plan->profile->is_tool_exact ? choices->weights->in_tnn : NULL;

    for (size_t first = 0; first < n_jobs; first += plan->nodes[jobs[first].node].n_weight_scales) {
        int n = jobs[first].node;
        struct plan_node *out = &plan->nodes[n];
        struct plan_layer layer = plan_layer_of(plan, n);
        const char *reason = "";
        bool is_corrected;

        if (check_bias(&layer, err) != 0)
            return -1;
        out->weight_mse = out->weight_mse_max_abs = 0;
        for (size_t i = 0; i < out->n_weight_scales; i++) {
            if (code_group(plan, &layer, n, i, scales[first + i], tool, &reason, err) != 0)
                return plan_layer_error(plan, jobs[first + i].node, jobs[first + i].channel, err);
        }
        if (make_bias(plan, choices, &layer, n, &is_corrected, err) != 0 || code_bias(plan, &layer, n, err) != 0)
            return -1;
        out->weight_mse /= (double)layer.elements;
        out->weight_mse_max_abs /= (double)layer.elements;
        snprintf(out->method, sizeof out->method, "%s%s%s", method_name(plan->profile, choices->weights), reason,
                 is_corrected ? " +bias" : "");
    }
    return 0;
}

/* Do the layer's groups keep their scales? Writes all steps of the accumulator, and scales where they do not. */
static int find_all_steps(struct plan *plan, const struct plan_layer *layer, int n, const float *found, bool *are_kept,
                          struct error *err)
{
    struct plan_node *out = &plan->nodes[n];
    const char *reason = "";

    *are_kept = true;
    for (size_t i = 0; i < out->n_weight_scales; i++) {
        struct weight_group group = plan_layer_group(layer, i);
        struct group_steps steps;
        float *copy;
        const float *weights = plan_layer_gather(layer, group, &copy, err);
        int rc = weights == NULL
                     ? -1
                     : find_steps(plan, layer, n, i, weights, group.runs * group.run, found[i], &reason, &steps, err);

        free(copy);
        if (rc != 0)
            return plan_layer_error(plan, n, i, err);
        *are_kept = *are_kept && steps.scale == found[i];
        out->weight_scale[i] = steps.scale;
        out->acc_scale[i] = (float)steps.accumulator;
    }
    return 0;
}

static int code_again(struct plan *plan, const struct plan_layer *layer, int n, const float *found, struct error *err)
{
    struct plan_node *out = &plan->nodes[n];
    const char *reason = "";

    out->weight_codes = arena_create_array(plan->codes, layer->elements, sizeof *out->weight_codes, err);
    if (out->weight_codes == NULL)
        return -1;
    out->is_rounded = false;
    out->weight_mse = out->weight_mse_max_abs = 0;
    for (size_t i = 0; i < out->n_weight_scales; i++)
        if (code_group(plan, layer, n, i, found[i], NULL, &reason, err) != 0)
            return plan_layer_error(plan, n, i, err);
    out->weight_mse /= (double)layer->elements;
    out->weight_mse_max_abs /= (double)layer->elements;
    return 0;
}

int plan_recode_layer(struct plan *plan, int n, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    const struct plan_node before = *out;
    bool are_kept;

    out->weight_scale = arena_create_array(plan->arena, out->n_weight_scales, sizeof *out->weight_scale, err);
    out->acc_scale = arena_create_array(plan->arena, out->n_weight_scales, sizeof *out->acc_scale, err);
    if (out->weight_scale == NULL || out->acc_scale == NULL)
        return -1;
    if (before.bias_codes != NULL &&
        (out->bias_codes = arena_create_array(plan->arena, layer.out_channels, sizeof *out->bias_codes, err)) == NULL)
        return -1;
    if (find_all_steps(plan, &layer, n, before.weight_scale, &are_kept, err) != 0 ||
        (!are_kept && code_again(plan, &layer, n, before.weight_scale, err) != 0))
        return -1;
    return out->bias == NULL ? 0 : code_bias(plan, &layer, n, err);
}

bool plan_can_correct_bias(const struct plan *plan, int n)
{
    const struct node *node = &plan->graph->nodes[n];

    return plan_has_weights(plan, (size_t)n) && plan->nodes[n].bias != NULL &&
           (node->op == OP_CONV || (node->op == OP_DENSE && plan->graph->values[node->inputs[0]].shape.rank == 2));
}

int plan_correct_bias(struct plan *plan, int n, const double *mean, const double *simulated, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);

    shift_bias(&plan->nodes[n], &layer, mean, simulated);
    return code_bias(plan, &layer, n, err);
}

int plan_restore_layer(struct plan *plan, int n, const float *biases, size_t n_biases, const char *method,
                       struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];
    size_t expected = out->bias == NULL ? 0 : layer.out_channels;

    if (n_biases != expected)
        return error_set(err, EX_DATAERR, "node \"%s\": expected %zu biases, found %zu", layer.node->name, expected,
                         n_biases);
    if (n_biases > 0)
        memcpy(out->bias, biases, n_biases * sizeof *biases);
    snprintf(out->method, sizeof out->method, "%s", method);
    return code_bias(plan, &layer, n, err);
}

int plan_decide_weights(struct plan *plan, const char *method_name, struct error *err)
{
    struct plan_choices choices = {.weights = weight_method_find(method_name)};
    const struct weight_job *jobs;
    float *scales;
    size_t n;
    int rc = 0;

    if (choices.weights == NULL)
        return error_set(err, EX_USAGE, "no weight method is called \"%s\"; see `etalon methods`", method_name);
    if (plan_weight_jobs(plan, &choices, &jobs, &n, err) != 0)
        return -1;
    scales = memory_create(n, sizeof *scales, "weight scales", err);
    if (scales == NULL)
        return -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = plan_weight_search(plan, &jobs[i], &choices, &scales[i], err);
    if (rc == 0)
        rc = plan_apply_weights(plan, &choices, jobs, n, scales, err);
    free(scales);
    return rc;
}
