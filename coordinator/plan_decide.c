/* plan_decide.c — scales of values: groups, their searches, and what the results become; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_groups.h"
#include "coordinator/plan_mark.h"
#include "coordinator/plan_shift.h"
#include "coordinator/plan_tool.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Products of a code and a weight, 255 x 127 each, of which 32 bits hold the sum and a bias as large again. */
enum { LONGEST_SUM = INT32_MAX / (UINT8_MAX * INT8_MAX) / 2 };

static bool has_unsigned_codes(const struct profile *profile)
{
    const struct code_range *a = &profile->signed_codes, *b = &profile->unsigned_codes;

    return a->lo != b->lo || a->hi != b->hi || a->zero_point != b->zero_point ||
           profile->signed_steps != profile->unsigned_steps;
}

/* is_unsigned[family]: no value of it was ever negative, and the target has codes for such. */
static void find_unsigned(const struct plan_groups *groups, const struct histogram *const *histograms,
                          bool *is_unsigned)
{
    const struct plan *plan = groups->plan;

    for (size_t v = 0; v < plan->graph->n_values; v++)
        is_unsigned[v] = has_unsigned_codes(plan->profile);
    for (size_t v = 0; v < plan->graph->n_values; v++) {
        if (!plan->values[v].is_quantized)
            continue;
        if (plan->profile->zero_points_in_biases ? !groups->hides_zero_point[v]
                                                 : !histogram_is_never_negative(histograms[v]))
            is_unsigned[plan_groups_family(groups, (int)v)] = false;
    }
}

/* keeps_zero[value]: a layer reads it whose sums could pass 32 bits if all codes lay on one side of zero. */
static void find_long_sums(const struct plan *plan, bool *keeps_zero)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        struct plan_layer layer;

        if (!plan_has_weights(plan, n))
            continue;
        layer = plan_layer_of(plan, (int)n);
        if (layer.row > LONGEST_SUM)
            keeps_zero[layer.node->inputs[0]] = true;
    }
}

/* What jobs are made from. */
struct job_maker {
    const struct plan_groups *groups;
    const struct plan_choices *choices;
    const struct histogram *const *histograms;
    const bool *is_unsigned;            /* [n_values] by family */
    const bool *keeps_zero;             /* [n_values] see find_long_sums */
    struct scale_place *places;         /* [n_scales] in the arena, of all jobs */
    const struct histogram **of_places; /* [n_scales] in the arena, of all jobs */
};

/* Values that moving codes alone reads are left out. Some value is read: the last of a group has no such reader. */
static void collect_histograms(const struct job_maker *maker, const struct histogram **histograms,
                               struct threshold_job *job)
{
    job->histograms = histograms;
    for (size_t i = 0; i < job->n_places; i++) {
        struct scale_place place = job->places[i];

        if (!maker->groups->is_read[place.value])
            continue;
        histograms[job->n_histograms++] = job->is_per_channel
                                              ? &maker->choices->channel_histograms[place.value][place.channel]
                                              : maker->histograms[place.value];
        job->scale_from = place.value;
    }
    assert(job->n_histograms > 0); /* graph_compact drops what nobody reads */
}

/* The largest magnitude of a record of the value, on average; 0: not known. */
static double typical_extreme(const struct extras *extras, int value)
{
    const struct record_extrema *e = &extras->extrema[value];

    return e->records == 0 ? 0
                           : fmax(exact_sum_value(&e->largest), -exact_sum_value(&e->smallest)) / (double)e->records;
}

/* Of values that are read, the one with the widest records stands for all. The order of outputs is kept where every
 * value of the group is such an output: others, a map before its average pool, say, would be clipped for nothing. */
static void collect_extras(const struct job_maker *maker, struct threshold_job *job)
{
    const struct extras *extras = maker->choices->extras;
    bool all_decide = true;
    int widest = -1;

    if (extras == NULL || job->is_per_channel)
        return;
    for (size_t i = 0; i < job->n_places; i++) {
        int value = job->places[i].value;

        if (extras->extrema != NULL && maker->groups->is_read[value] &&
            (widest < 0 || typical_extreme(extras, value) > typical_extreme(extras, widest)))
            widest = value;
        all_decide = all_decide && extras->top_two != NULL && extras->top_two[value].second.bins > 0;
    }
    if (widest >= 0 && extras->extrema[widest].records > 0)
        job->request.extrema = &extras->extrema[widest];
    if (all_decide)
        job->request.top_two = &extras->top_two[job->scale_from];
}

/* What the model's own file says of one of its scales. */
static void take_given(struct given_scale *given, const struct coding *coding, size_t channel)
{
    double scale = (double)coding->scale[channel], zero = coding->codes.zero_point;

    given->threshold = fmaxf(coding_threshold(coding, channel), given->threshold);
    given->low = fmin(scale * (coding->codes.lo - zero), given->low);
    given->high = fmax(scale * (coding->codes.hi - zero), given->high);
}

/* Of a value that has one scale here and several there, the largest; of several values, too. */
static struct given_scale given_of_job(const struct job_maker *maker, const struct threshold_job *job)
{
    struct given_scale given = {0};

    for (size_t i = 0; i < job->n_places; i++) {
        const struct coding *coding = maker->groups->plan->graph->values[job->places[i].value].coding;
        const size_t n = coding == NULL ? 0 : coding->n_scales, channel = job->places[i].channel;
        bool is_one = job->is_per_channel && channel < n;

        for (size_t c = is_one ? channel : 0; c < (is_one ? channel + 1 : n); c++)
            take_given(&given, coding, c);
    }
    return given;
}

/* Codes of 16 bits: a step is 2^-15 of the largest magnitude, so clipping has nothing to win, and the searches are made
 * for hundreds of steps. */
static bool has_wide_codes(const struct threshold_job *job)
{
    return job->request.steps > UINT8_MAX;
}

/* The method of the job, of the last override among the nodes that made the values, or min-max. */
static void choose_method(const struct job_maker *maker, struct threshold_job *job)
{
    const struct plan_choices *choices = maker->choices;
    const struct threshold_method *override = NULL;
    bool is_given = plan_threshold_is_given(choices->activations, job);

    for (size_t i = 0; i < job->n_places; i++) {
        int value = job->places[i].value, producer = maker->groups->plan->graph->values[value].producer;

        job->decides_arg_max = job->decides_arg_max || maker->groups->decides_arg_max[value];
        if (producer != GRAPH_NONE && choices->node_methods != NULL && choices->node_methods[producer] != NULL)
            override = choices->node_methods[producer];
    }
    if (has_wide_codes(job)) {
        job->decides_arg_max = false;
        job->method = is_given ? choices->activations : threshold_method_find("minmax");
        return;
    }
    job->decides_arg_max = job->decides_arg_max && override == NULL && !is_given;
    if (override == NULL && choices->activations->keeps_order && job->request.top_two != NULL)
        job->decides_arg_max = false;
    job->method = override != NULL       ? override
                  : job->decides_arg_max ? threshold_method_find("minmax")
                                         : choices->activations;
}

/* A model's own codes are right for logits as well. */
static bool may_move_zero(const struct job_maker *maker, const struct threshold_job *job)
{
    bool is_given = plan_threshold_is_given(job->method, job);

    if (!maker->groups->plan->profile->affine_activations || maker->choices->fixes_zero_points ||
        job->request.is_unsigned || job->is_per_channel)
        return false;
    for (size_t i = 0; i < job->n_places; i++) {
        int value = job->places[i].value;

        if (maker->keeps_zero[value] || (maker->groups->decides_arg_max[value] && !is_given))
            return false;
    }
    return true;
}

static void make_job(const struct job_maker *maker, size_t root, struct threshold_job *job)
{
    const struct plan_groups *groups = maker->groups;
    const struct profile *profile = groups->plan->profile;
    size_t first = groups->end[root] - groups->n[root];
    int value = groups->places[first].value;
    bool is_unsigned = maker->is_unsigned[plan_groups_family(groups, value)];

    *job = (struct threshold_job){
        .is_per_channel = groups->is_per_channel[value],
        .codes = is_unsigned ? profile->unsigned_codes : profile->signed_codes,
        .request = {.percentile = maker->choices->percentile,
                    .is_unsigned = is_unsigned,
                    .steps = is_unsigned ? profile->unsigned_steps : profile->signed_steps},
        .n_places = groups->n[root],
        .places = maker->places + first,
        .scale_from = value,
    };
    job->given = given_of_job(maker, job);
    collect_histograms(maker, maker->of_places + first, job);
    collect_extras(maker, job);
    choose_method(maker, job);
    job->moves_zero = may_move_zero(maker, job);
}

/* One job a group of scales, in the order of their roots. */
static int make_jobs(struct job_maker *maker, struct arena *arena, const struct threshold_job **jobs, size_t *n_jobs,
                     struct error *err)
{
    const struct plan_groups *groups = maker->groups;
    const struct plan *plan = groups->plan;
    struct threshold_job *list = arena_create_array(arena, groups->n_scales, sizeof *list, err);
    size_t n = 0;

    maker->places = arena_create_array(arena, groups->n_scales, sizeof *maker->places, err);
    maker->of_places = arena_create_array(arena, groups->n_scales, sizeof(struct histogram *), err);
    if (list == NULL || maker->places == NULL || maker->of_places == NULL)
        return -1;
    memcpy(maker->places, groups->places, groups->n_scales * sizeof *maker->places);
    for (size_t v = 0; v < plan->graph->n_values; v++) {
        for (size_t i = groups->first[v]; plan->values[v].is_quantized && i < groups->first[v + 1]; i++) {
            if (groups->n[i] > 0) /* a root */
                make_job(maker, i, &list[n++]);
        }
    }
    *jobs = list;
    *n_jobs = n;
    return 0;
}

int plan_threshold_jobs(struct plan *plan, const struct histogram *const *histograms,
                        const struct plan_choices *choices, const struct threshold_job **jobs, size_t *n_jobs,
                        struct error *err)
{
    struct plan_groups groups = {0};
    bool *is_unsigned, *keeps_zero;
    int rc;

    plan_mark(plan, histograms, choices->node_is_float);
    if (plan->profile->is_tool_exact)
        return plan_tool_jobs(plan, choices, jobs, n_jobs, err);
    is_unsigned = memory_create(plan->graph->n_values, sizeof *is_unsigned, "signs of values", err);
    keeps_zero = memory_create(plan->graph->n_values, sizeof *keeps_zero, "zero points of values", err);
    rc = is_unsigned == NULL || keeps_zero == NULL ? -1 : 0;
    if (rc == 0)
        rc = plan_groups_init(&groups, plan, histograms, choices->channel_histograms, err);
    if (rc == 0) {
        struct job_maker maker = {.groups = &groups,
                                  .choices = choices,
                                  .histograms = histograms,
                                  .is_unsigned = is_unsigned,
                                  .keeps_zero = keeps_zero};

        find_unsigned(&groups, histograms, is_unsigned);
        find_long_sums(plan, keeps_zero);
        rc = make_jobs(&maker, plan->arena, jobs, n_jobs, err);
    }
    plan_groups_fini(&groups);
    free(is_unsigned);
    free(keeps_zero);
    return rc;
}

/* An undecided value of n scales. */
static int reserve_scales(struct plan *plan, const struct threshold_job *job, int v, size_t n, struct error *err)
{
    struct plan_value *value = &plan->values[v];
    float *numbers = arena_create_array(plan->arena, 2 * n, sizeof *numbers, err);

    if (numbers == NULL)
        return -1;
    *value = (struct plan_value){
        .is_quantized = true,
        .is_unsigned = job->request.is_unsigned,
        .codes = job->codes,
        .hides_zero_point = job->request.is_unsigned && plan->profile->zero_points_in_biases,
        .n_scales = n,
        .scale = numbers,
        .threshold = numbers + n,
    };
    return 0;
}

static void set_scale(const struct plan *plan, struct scale_place place, const struct threshold_job *job,
                      const struct threshold_result *result)
{
    struct plan_value *value = &plan->values[place.value];
    size_t channel = place.channel;

    if (result->threshold > value->threshold[value->widest]) {
        value->widest = channel;
        value->scale_from = job->scale_from;
        memcpy(value->method, result->method, sizeof value->method);
    }
    value->codes.zero_point = job->codes.zero_point + result->zero_moved;
    value->threshold[channel] = result->threshold;
    value->scale[channel] = profile_kept_scale(plan->profile, result->scale);
}

int plan_apply_thresholds(struct plan *plan, const struct threshold_job *jobs, size_t n_jobs,
                          const struct threshold_result *results, struct error *err)
{
    for (size_t i = 0; i < n_jobs; i++) {
        for (size_t k = 0; k < jobs[i].n_places; k++) {
            struct scale_place place = jobs[i].places[k];
            size_t n = jobs[i].is_per_channel ? (size_t)plan->graph->values[place.value].shape.dims[1] : 1;

            if (place.channel == 0 && reserve_scales(plan, &jobs[i], place.value, n, err) != 0)
                return -1;
        }
    }
    for (size_t i = 0; i < n_jobs; i++) {
        for (size_t k = 0; k < jobs[i].n_places; k++)
            set_scale(plan, jobs[i].places[k], &jobs[i], &results[i]);
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
    if (rc == 0)
        rc = plan_fit_shifts(plan, histograms, jobs, n, err);
    free(results);
    return rc;
}
