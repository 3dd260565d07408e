/* plan_weight_search.c — one weight scale, by the job's method; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "common/memory.h"
#include "coordinator/plan_layer.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

bool plan_weights_have_no_choice(const struct profile *profile)
{
    return profile->requantization == REQUANTIZE_SHIFT || profile->weight_limit > INT8_MAX ||
           profile->weights_are_max_abs;
}

uint64_t plan_weight_cost(const struct plan *plan, const struct weight_job *job)
{
    struct plan_layer layer = plan_layer_of(plan, job->node);
    struct weight_group group = plan_layer_group(&layer, job->channel);

    return group.runs * group.run;
}

static int search_as_tool(const struct weight_tool *tool, const float *weights, size_t n, int32_t limit, float *scale,
                          struct error *err)
{
    if (weight_scale_max_abs(weights, n, limit, scale, err) != 0)
        return -1;
    if (!weights_are_zero(weights, n))
        *scale = fmaxf(tool->scale(weights, n, limit), FLT_MIN);
    return 0;
}

/* What the errors of a group's weights count by: the second moments of what they meet, of records all in all, for only
 * their proportions matter. NULL: not known, or EX_OSERR. */
static double *find_importance(const struct plan *plan, const struct weight_job *job,
                               const struct plan_choices *choices, const struct plan_layer *layer,
                               struct weight_group group, struct error *err)
{
    int value = layer->node->inputs[0];
    size_t n = group.runs * group.run;
    double *importance;

    if (choices->weights->search_weighted == NULL || choices->extras == NULL ||
        extras_n_squares(choices->extras, value) == 0 || !plan_runs_along_channels(plan, job->node))
        return NULL;
    importance = memory_create(n, sizeof *importance, "what the errors of weights count by", err);
    for (size_t i = 0; importance != NULL && i < n; i++) { /* one run: neither CONV nor DENSE has more */
        size_t input = plan_layer_input(layer, group.first + i);
        double fold = plan_layer_fold(layer, input);

        importance[i] = exact_sum_value(&choices->extras->squares[value][input]) / (fold * fold);
    }
    return importance;
}

static int search_scale(const struct plan *plan, const struct weight_method *method, const float *weights,
                        const double *importance, size_t n, int32_t limit, float *scale, struct error *err)
{
    const struct weight_tool *tool = plan->profile->is_tool_exact ? method->in_tnn : NULL;

    if (tool != NULL)
        return search_as_tool(tool, weights, n, limit, scale, err);
    if (plan_weights_have_no_choice(plan->profile))
        return weight_scale_max_abs(weights, n, limit, scale, err);
    return importance != NULL ? method->search_weighted(weights, importance, n, limit, scale, err)
                              : method->search(weights, n, limit, scale, err);
}

int plan_weight_search(const struct plan *plan, const struct weight_job *job, const struct plan_choices *choices,
                       float *scale, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, job->node);
    struct weight_group group = plan_layer_group(&layer, job->channel);
    float *copy;
    const float *weights = plan_layer_gather(&layer, group, &copy, err);
    size_t n = group.runs * group.run;
    int32_t limit = profile_weight_limit(plan->profile, plan->graph, layer.node);
    struct error why = {0};
    double *importance = find_importance(plan, job, choices, &layer, group, &why);
    int rc = weights == NULL ? -1 : why.code != 0 ? error_set(err, why.code, "%s", why.text) : 0;

    if (rc == 0)
        rc = search_scale(plan, choices->weights, weights, importance, n, limit, scale, err);
    if (rc != 0)
        plan_layer_error(plan, job->node, job->channel, err);
    free(importance);
    free(copy);
    return rc;
}
