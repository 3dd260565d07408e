/* plan_decide.c — scales of values: groups, their searches, and what the results become; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_mark.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is gathered about values while jobs are made; all arrays are [n_values], from one allocation each. */
struct grouping {
    const struct plan *plan;
    const struct histogram *const *histograms;
    int *parent; /* union-find over values of one scale */
    int *order;  /* [n_order] values, those without producer first, then in execution order */
    size_t n_order;
    bool *is_read; /* by something that is not a selection */
    bool *decides_arg_max;
};

static int find_root(int *parent, int value)
{
    while (parent[value] != value)
        value = parent[value] = parent[parent[value]];
    return value;
}

/* The smaller index becomes the root, so that the result does not depend on the order of calls. */
static void join(int *parent, int a, int b)
{
    int x = find_root(parent, a), y = find_root(parent, b);

    parent[x > y ? x : y] = x > y ? y : x;
}

static void join_through(struct grouping *grouping, size_t n)
{
    const struct graph *graph = grouping->plan->graph;
    const struct node *node = &graph->nodes[n];
    enum node_role role =
        grouping->plan->nodes[n].is_quantized ? plan_node_role(grouping->plan->profile, node) : ROLE_FLOAT;

    for (size_t i = 0; i < node->n_inputs; i++) {
        int value = node->inputs[i];

        if (!plan_is_activation(graph, value))
            continue;
        if (role != ROLE_SELECTS)
            grouping->is_read[value] = true;
        if (role == ROLE_SELECTS || role == ROLE_AVERAGES)
            join(grouping->parent, value, node->outputs[0]);
    }
}

static void order_values(struct grouping *grouping)
{
    const struct graph *graph = grouping->plan->graph;

    for (size_t v = 0; v < graph->n_values; v++) {
        if (graph->values[v].producer == GRAPH_NONE)
            grouping->order[grouping->n_order++] = (int)v;
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        for (size_t o = 0; o < graph->nodes[i].n_outputs; o++)
            grouping->order[grouping->n_order++] = graph->nodes[i].outputs[o];
    }
}

static int grouping_init(struct grouping *grouping, const struct plan *plan, const struct histogram *const *histograms,
                         struct error *err)
{
    const struct graph *graph = plan->graph;
    size_t n = graph->n_values;

    *grouping = (struct grouping){.plan = plan, .histograms = histograms};
    grouping->parent = memory_create(n, sizeof *grouping->parent, "groups of values", err);
    grouping->order = memory_create(n, sizeof *grouping->order, "groups of values", err);
    grouping->is_read = memory_create(n, sizeof *grouping->is_read, "groups of values", err);
    grouping->decides_arg_max = memory_create(n, sizeof *grouping->decides_arg_max, "groups of values", err);
    if (grouping->parent == NULL || grouping->order == NULL || grouping->is_read == NULL ||
        grouping->decides_arg_max == NULL)
        return -1;
    for (size_t v = 0; v < n; v++)
        grouping->parent[v] = (int)v;
    for (size_t i = 0; i < graph->n_outputs; i++)
        grouping->is_read[graph->outputs[i]] = true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        join_through(grouping, i);
    order_values(grouping);
    plan_mark_arg_max(graph, grouping->decides_arg_max);
    return 0;
}

static void grouping_fini(struct grouping *grouping)
{
    free(grouping->parent);
    free(grouping->order);
    free(grouping->is_read);
    free(grouping->decides_arg_max);
}

static bool has_unsigned_codes(const struct profile *profile)
{
    const struct code_range *a = &profile->signed_codes, *b = &profile->unsigned_codes;

    return a->lo != b->lo || a->hi != b->hi || a->zero_point != b->zero_point ||
           profile->signed_steps != profile->unsigned_steps;
}

static bool is_never_negative(const struct histogram *h)
{
    return h->min >= 0 && h->negative_infs == 0; /* min is +Inf where nothing was seen */
}

/* The group's values and what they have in common. */
static int collect_values(const struct grouping *grouping, struct arena *arena, int root, struct threshold_job *job,
                          struct error *err)
{
    bool is_unsigned = has_unsigned_codes(grouping->plan->profile);
    size_t n = 0;
    int *values;

    for (size_t i = 0; i < grouping->n_order; i++)
        n += find_root(grouping->parent, grouping->order[i]) == root;
    values = arena_create_array(arena, n, sizeof *values, err);
    if (values == NULL)
        return -1;
    job->values = values;
    for (size_t i = 0; i < grouping->n_order; i++) {
        int value = grouping->order[i];

        if (find_root(grouping->parent, value) != root)
            continue;
        values[job->n_values++] = value;
        is_unsigned = is_unsigned && is_never_negative(grouping->histograms[value]);
        job->decides_arg_max = job->decides_arg_max || grouping->decides_arg_max[value];
    }
    job->request.is_unsigned = is_unsigned;
    return 0;
}

/* Values that selections alone read are left out. Some value is read: the last of a group cannot be selected from. */
static int collect_histograms(const struct grouping *grouping, struct arena *arena, struct threshold_job *job,
                              struct error *err)
{
    const struct histogram **histograms = arena_create_array(arena, job->n_values, sizeof *histograms, err);

    if (histograms == NULL)
        return -1;
    job->histograms = histograms;
    for (size_t i = 0; i < job->n_values; i++) {
        int value = job->values[i];

        if (!grouping->is_read[value])
            continue;
        histograms[job->n_histograms++] = grouping->histograms[value];
        job->scale_from = value;
    }
    assert(job->n_histograms > 0); /* graph_compact drops what nobody reads */
    return 0;
}

/* The method of the job, of the last override among the nodes that made the values, or min-max. */
static void choose_method(const struct grouping *grouping, const struct plan_choices *choices,
                          struct threshold_job *job)
{
    const struct threshold_method *override = NULL;

    for (size_t i = 0; i < job->n_values && choices->node_methods != NULL; i++) {
        int producer = grouping->plan->graph->values[job->values[i]].producer;

        if (producer != GRAPH_NONE && choices->node_methods[producer] != NULL)
            override = choices->node_methods[producer];
    }
    job->decides_arg_max = job->decides_arg_max && override == NULL;
    job->method = override != NULL       ? override
                  : job->decides_arg_max ? threshold_method_find("minmax")
                                         : choices->activations;
}

static int make_job(const struct grouping *grouping, const struct plan_choices *choices, struct arena *arena, int root,
                    struct threshold_job *job, struct error *err)
{
    const struct profile *profile = grouping->plan->profile;

    *job = (struct threshold_job){.scale_from = root};
    if (collect_values(grouping, arena, root, job, err) != 0)
        return -1;
    choose_method(grouping, choices, job);
    job->request.percentile = choices->percentile;
    job->request.steps = job->request.is_unsigned ? profile->unsigned_steps : profile->signed_steps;
    return collect_histograms(grouping, arena, job, err);
}

int plan_threshold_jobs(struct plan *plan, const struct histogram *const *histograms,
                        const struct plan_choices *choices, const struct threshold_job **jobs, size_t *n_jobs,
                        struct error *err)
{
    size_t n_values = plan->graph->n_values, n = 0;
    struct threshold_job *list;
    struct grouping grouping;
    int rc;

    plan_mark(plan, histograms, choices->node_is_float);
    rc = grouping_init(&grouping, plan, histograms, err);
    list = rc == 0 ? arena_create_array(plan->arena, n_values, sizeof *list, err) : NULL;
    if (list == NULL)
        rc = -1;
    for (size_t v = 0; rc == 0 && v < n_values; v++) {
        if (plan->values[v].is_quantized && find_root(grouping.parent, (int)v) == (int)v)
            rc = make_job(&grouping, choices, plan->arena, (int)v, &list[n++], err);
    }
    grouping_fini(&grouping);
    if (rc == 0) {
        *jobs = list;
        *n_jobs = n;
    }
    return rc;
}

int plan_threshold_search(const struct threshold_job *job, struct threshold_result *result, struct error *err)
{
    struct threshold_request request = job->request;
    struct histogram together = {0};
    int rc = 0;

    *result = (struct threshold_result){0};
    request.histogram = job->histograms[0];
    if (job->n_histograms > 1) {
        rc = histogram_init(&together, job->histograms[0]->bins, err);
        for (size_t i = 0; rc == 0 && i < job->n_histograms; i++)
            rc = histogram_merge(&together, job->histograms[i], err);
        request.histogram = &together;
    }
    if (rc == 0)
        rc = threshold_decide(job->method, &request, &result->threshold, result->method, err);
    if (rc == 0 && job->decides_arg_max && strcmp(result->method, "minmax") == 0)
        snprintf(result->method, sizeof result->method, "minmax (logits)");
    histogram_fini(&together);
    return rc;
}

int plan_apply_thresholds(struct plan *plan, const struct threshold_job *jobs, size_t n_jobs,
                          const struct threshold_result *results, struct error *err)
{
    for (size_t i = 0; i < n_jobs; i++) {
        const struct threshold_job *job = &jobs[i];
        float *numbers = arena_create_array(plan->arena, 2, sizeof *numbers, err);

        if (numbers == NULL)
            return -1;
        numbers[0] = results[i].threshold / (float)job->request.steps;
        numbers[1] = results[i].threshold;
        for (size_t k = 0; k < job->n_values; k++) {
            struct plan_value *value = &plan->values[job->values[k]];

            *value = (struct plan_value){
                .is_quantized = true,
                .is_unsigned = job->request.is_unsigned,
                .codes = job->request.is_unsigned ? plan->profile->unsigned_codes : plan->profile->signed_codes,
                .n_scales = 1,
                .scale = &numbers[0],
                .threshold = &numbers[1],
                .scale_from = job->scale_from,
            };
            memcpy(value->method, results[i].method, sizeof value->method);
        }
    }
    return 0;
}

int plan_decide_values(struct plan *plan, const struct histogram *const *histograms, const char *method_name,
                       double percentile, struct error *err)
{
    struct plan_choices choices = {.activations = threshold_method_find(method_name), .percentile = percentile};
    const struct threshold_job *jobs;
    struct threshold_result *results;
    size_t n;
    int rc = 0;

    if (choices.activations == NULL)
        return error_set(err, EX_USAGE, "no threshold method is called \"%s\"; see `etalon methods`", method_name);
    if (plan_threshold_jobs(plan, histograms, &choices, &jobs, &n, err) != 0)
        return -1;
    results = memory_create(n, sizeof *results, "thresholds", err);
    if (results == NULL)
        return -1;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = plan_threshold_search(&jobs[i], &results[i], err);
    if (rc == 0)
        rc = plan_apply_thresholds(plan, jobs, n, results, err);
    free(results);
    return rc;
}
