/* plan_tool.c — see plan_tool.h. */
#include "coordinator/plan_tool.h"

#include "coordinator/thresholds/tnn_tool.h"
#include "worker/ranges.h"

#include <stdio.h>

enum { LEAST_PIXELS = 100 }; /* smaller images are never clipped */

static int64_t count_pixels(const struct value *value)
{
    int64_t n = 1;

    for (size_t i = 2; i < value->shape.rank; i++)
        n *= value->shape.dims[i];
    return n;
}

/* An inner product flattens what it reads: TNN has one blob for both sides of that reshape, the first. */
static bool is_flattened(const struct plan *plan, int value)
{
    int producer = plan->graph->values[value].producer;

    return producer != GRAPH_NONE && plan->graph->nodes[producer].op == OP_RESHAPE &&
           plan->nodes[producer].is_quantized;
}

static int flattened_to(const struct plan *plan, int value)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];

        if (node->op == OP_RESHAPE && plan->nodes[n].is_quantized && node->inputs[0] == value)
            return node->outputs[0];
    }
    return GRAPH_NONE;
}

static struct threshold_job make_job(const struct plan *plan, const struct plan_choices *choices, int value, size_t c,
                                     struct scale_place *places)
{
    const struct value_ranges *ranges = &choices->ranges->values[value];
    const struct value *v = &plan->graph->values[value];
    bool keeps_all = count_pixels(v) < LEAST_PIXELS || v->producer == GRAPH_NONE;
    struct threshold_job job = {
        .method = keeps_all ? threshold_method_find("minmax") : choices->activations,
        .is_per_channel = ranges->n > 1,
        .codes = plan->profile->signed_codes,
        .request = {.steps = plan->profile->signed_steps},
        .n_places = 1,
        .places = places,
        .range_limit = ranges->limits[c],
        .range_counts = ranges->counts + c * RANGE_BINS,
        .scale_from = value,
    };
    int flat = flattened_to(plan, value);

    places[0] = (struct scale_place){value, c};
    if (flat != GRAPH_NONE)
        places[job.n_places++] = (struct scale_place){flat, c};
    return job;
}

static int check(const struct plan *plan, const struct plan_choices *choices, struct error *err)
{
    if (choices->ranges == NULL)
        return error_set(err, EX_UNAVAILABLE,
                         "%s mode tool-exact needs statistics of calibration.passes: two and of this granularity",
                         plan->profile->name);
    if (choices->activations->in_tnn == NULL || choices->weights->in_tnn == NULL)
        return error_set(err, EX_UNAVAILABLE,
                         "%s mode tool-exact: the tool has no method \"%s\"; it has activations minmax and kl-tnn, "
                         "weights maxabs and admm",
                         plan->profile->name,
                         choices->activations->in_tnn == NULL ? choices->activations->name : choices->weights->name);
    return 0;
}

int plan_tool_jobs(struct plan *plan, const struct plan_choices *choices, const struct threshold_job **jobs,
                   size_t *n_jobs, struct error *err)
{
    struct threshold_job *list;
    struct scale_place *places;
    size_t most = 0, n = 0;

    if (check(plan, choices, err) != 0)
        return -1;
    for (size_t v = 0; v < plan->graph->n_values; v++)
        most += choices->ranges->values[v].n;
    list = arena_create_array(plan->arena, most, sizeof *list, err);
    places = arena_create_array(plan->arena, 2 * most, sizeof *places, err);
    if (list == NULL || places == NULL)
        return -1;
    for (size_t v = 0; v < plan->graph->n_values; v++)
        for (size_t c = 0;
             plan->values[v].is_quantized && !is_flattened(plan, (int)v) && c < choices->ranges->values[v].n; c++, n++)
            list[n] = make_job(plan, choices, (int)v, c, places + 2 * n);
    *jobs = list;
    *n_jobs = n;
    return 0;
}

void plan_tool_search(const struct threshold_job *job, struct threshold_result *result)
{
    if (range_factor(job->range_limit) == 0) { /* the tool writes 0, and so will the emitter */
        result->scale = PLAN_DEAD_SCALE;
        result->threshold = result->scale * (float)job->request.steps;
        snprintf(result->method, sizeof result->method, "dead");
        return;
    }
    tnn_tool_scale(job->range_limit, job->method->in_tnn(job->range_counts), &result->threshold, &result->scale);
    snprintf(result->method, sizeof result->method, "%s", job->method->name);
}

static bool hands_scale_back(const struct plan *plan, int n)
{
    return n != GRAPH_NONE && plan->nodes[n].is_quantized &&
           (plan->graph->nodes[n].op == OP_POOL || plan->graph->nodes[n].op == OP_ACTIVATION);
}

/* What was decided is kept beside what has come of it. */
static int take_scale(struct plan *plan, int value, const struct plan_value *from, struct error *err)
{
    struct plan_value *to = &plan->values[value];

    if (to->decided == NULL) {
        struct plan_value *decided = arena_create_array(plan->arena, 1, sizeof *decided, err);

        if (decided == NULL)
            return -1;
        *decided = *to;
        to->decided = decided;
    }
    to->scale = from->scale;
    to->threshold = from->threshold;
    to->n_scales = from->n_scales;
    to->widest = from->widest;
    to->scale_from = from->scale_from;
    return 0;
}

int plan_tool_merge_scales(struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->graph->n_nodes; i++)
        for (int n = (int)i; hands_scale_back(plan, n);) {
            int value = plan->graph->nodes[n].inputs[0];

            if (take_scale(plan, value, &plan->values[plan->graph->nodes[i].outputs[0]], err) != 0)
                return -1;
            n = plan->graph->values[value].producer;
        }
    return 0;
}
