/* decide.c — see decide.h. Searches are pure, and dealt out to ranks. */
#include "coordinator/decide.h"

#include "common/suggest.h"
#include "coordinator/plan_decide.h"
#include "coordinator/plan_shift.h"
#include "coordinator/plan_tool.h"
#include "coordinator/replay.h"
#include "coordinator/share.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>

/* The job's wishes as arrays over nodes. */
struct wishes {
    const struct threshold_method **methods; /* [n_nodes] */
    bool *is_float;                          /* [n_nodes] */
};

/* The graph's node names as the nearest to a pattern that matches none. */
static const char *nearest_node(const struct graph *g, const char *pattern)
{
    return g->n_nodes == 0 ? "" : suggest_nearest(pattern, &g->nodes[0].name, g->n_nodes, sizeof *g->nodes);
}

static int read_wishes(const struct run_request *q, const struct graph *g, struct wishes *wishes, struct error *err)
{
    wishes->methods = memory_create(g->n_nodes, sizeof *wishes->methods, "overrides", err);
    wishes->is_float = memory_create(g->n_nodes, sizeof *wishes->is_float, "overrides", err);
    if (wishes->methods == NULL || wishes->is_float == NULL)
        return -1;
    for (size_t i = 0; i < q->calibration.n_overrides; i++) {
        bool is_used = false;

        for (size_t n = 0; n < g->n_nodes; n++) {
            if (fnmatch(q->calibration.overrides[i].node, g->nodes[n].name, 0) != 0)
                continue;
            is_used = true;
            if (q->calibration.overrides[i].activations != NULL)
                wishes->methods[n] = q->calibration.overrides[i].activations;
            if (q->calibration.overrides[i].precision != PRECISION_DEFAULT)
                wishes->is_float[n] = q->calibration.overrides[i].precision == PRECISION_FLOAT;
        }
        if (!is_used)
            return error_set(err, EX_CONFIG, "calibration.overrides: \"%s\" matches no node; the nearest is \"%s\"",
                             q->calibration.overrides[i].node, nearest_node(g, q->calibration.overrides[i].node));
    }
    return 0;
}

/* The fp32 means of what layers read, for bias correction; NULL entries where they are unknown. The whole list is freed
 * with one call. */
static int list_means(const struct observation *o, double ***out, struct error *err)
{
    size_t n_values = o->graph->n_values, total = 0, at = 0;
    double **means;

    for (size_t v = 0; v < n_values; v++)
        total += o->sums[v] == NULL ? 0 : observation_channels(o->graph, (int)v);
    means = memory_create(1, n_values * sizeof *means + total * sizeof **means, "means", err);
    if (means == NULL)
        return -1;
    for (size_t v = 0; v < n_values; v++) {
        double *mean = (double *)(means + n_values) + at;
        size_t channels = o->sums[v] == NULL ? 0 : observation_channels(o->graph, (int)v);

        for (size_t c = 0; c < channels; c++)
            mean[c] = observation_mean(o, (int)v, c);
        at += channels;
        means[v] = channels > 0 && isfinite(mean[0]) ? mean : NULL;
    }
    *out = means;
    return 0;
}

struct threshold_searches {
    const struct threshold_job *jobs;
    struct threshold_result *results;
};

static uint64_t threshold_cost(void *context, size_t i)
{
    return plan_threshold_cost(&((struct threshold_searches *)context)->jobs[i]);
}

static int search_threshold(void *context, size_t i, struct error *err)
{
    struct threshold_searches *s = context;

    return plan_threshold_search(&s->jobs[i], &s->results[i], err);
}

static int search_thresholds(const struct comm *comm, const struct threshold_job *jobs, size_t n,
                             struct threshold_result *results, struct error *err)
{
    struct threshold_searches searches = {jobs, results};
    struct share_work work = {&searches, n, threshold_cost, search_threshold, results, sizeof *results};

    return share_run(comm, &work, err);
}

static int decide_thresholds(const struct comm *comm, struct plan *plan, const struct histogram *const *histograms,
                             const struct plan_choices *choices, const struct replay *replay, struct error *err)
{
    const struct threshold_job *jobs = NULL;
    struct threshold_result *results = NULL;
    size_t n = 0;
    int rc = plan_threshold_jobs(plan, histograms, choices, &jobs, &n, err);

    if (rc == 0 && (results = memory_create(n, sizeof *results, "thresholds", err)) == NULL)
        rc = -1;
    if (rc == 0 && replay != NULL)
        rc = replay_thresholds(replay, plan, jobs, n, results, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && replay == NULL)
        rc = search_thresholds(comm, jobs, n, results, err);
    if (rc == 0) {
        rc = plan_apply_thresholds(plan, jobs, n, results, err);
        if (rc == 0 && replay == NULL)
            rc = plan_fit_shifts(plan, histograms, jobs, n, err);
        rc = comm_agree(comm, rc, err);
    }
    free(results);
    return rc;
}

struct weight_searches {
    const struct plan *plan;
    const struct plan_choices *choices;
    const struct weight_job *jobs;
    float *scales;
};

static uint64_t weight_cost(void *context, size_t i)
{
    struct weight_searches *s = context;

    return plan_weight_cost(s->plan, &s->jobs[i]);
}

static int search_weight(void *context, size_t i, struct error *err)
{
    struct weight_searches *s = context;

    return plan_weight_search(s->plan, &s->jobs[i], s->choices, &s->scales[i], err);
}

static int search_weights(const struct comm *comm, const struct plan *plan, const struct plan_choices *choices,
                          const struct weight_job *jobs, size_t n, float *scales, struct error *err)
{
    struct weight_searches searches = {plan, choices, jobs, scales};
    struct share_work work = {&searches, n, weight_cost, search_weight, scales, sizeof *scales};

    return share_run(comm, &work, err);
}

static int decide_weights(const struct comm *comm, struct plan *plan, const struct plan_choices *choices,
                          const struct replay *replay, struct error *err)
{
    const struct weight_job *jobs = NULL;
    float *scales = NULL;
    size_t n = 0;
    int rc = plan_weight_jobs(plan, choices, &jobs, &n, err);

    if (rc == 0 && (scales = memory_create(n, sizeof *scales, "weight scales", err)) == NULL)
        rc = -1;
    if (rc == 0 && replay != NULL)
        rc = replay_weights(replay, plan, jobs, n, scales, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && replay == NULL)
        rc = search_weights(comm, plan, choices, jobs, n, scales, err);
    if (rc == 0) {
        rc = plan_apply_weights(plan, choices, jobs, n, scales, err);
        if (rc == 0 && replay != NULL)
            rc = replay_finish(replay, plan, err);
        if (rc == 0 && plan->profile->is_tool_exact)
            rc = plan_tool_merge_scales(plan, err);
        rc = comm_agree(comm, rc, err);
    }
    free(scales);
    return rc;
}

/* What decides of whole values: [n_values], NULL where nothing was seen. */
static const struct histogram **list_histograms(const struct observation *observation, struct error *err)
{
    size_t n = observation->graph->n_values;
    const struct histogram **histograms = memory_create(n, sizeof *histograms, "a list", err);

    for (size_t v = 0; histograms != NULL && v < n; v++)
        histograms[v] =
            observation->tensor[v].bins > 0 && observation->tensor[v].n > 0 ? &observation->tensor[v] : NULL;
    return histograms;
}

/* `wishes` and `observation` are borrowed. */
static struct plan_choices make_choices(const struct run_request *q, const struct wishes *wishes,
                                        const struct observation *observation)
{
    struct plan_choices choices = {.activations = q->calibration.activations,
                                   .percentile = q->calibration.percentile,
                                   .node_methods = wishes->methods,
                                   .node_is_float = wishes->is_float,
                                   .weights = q->calibration.weights,
                                   .fixes_zero_points = q->calibration.zero_points == ZERO_POINTS_FIXED,
                                   .weights_per_tensor = q->calibration.granularity == GRANULARITY_PER_TENSOR,
                                   .ranges = observation->ranges,
                                   .extras = observation->extras};

    if (q->calibration.granularity == GRANULARITY_PER_CHANNEL)
        choices.channel_histograms = (const struct histogram *const *)observation->channels;
    return choices;
}

int decide_list_jobs(const struct run_request *q, const struct target *target, const struct observation *observation,
                     struct plan **holder, const struct threshold_job **jobs, size_t *n_jobs, struct error *err)
{
    const struct histogram **histograms = list_histograms(observation, err);
    struct wishes wishes = {0};
    struct plan *plan = plan_create(observation->graph, target_profile(target, &q->target_settings), err);
    int rc = histograms == NULL || plan == NULL ? -1 : read_wishes(q, observation->graph, &wishes, err);

    if (rc == 0) {
        struct plan_choices choices = make_choices(q, &wishes, observation);

        rc = plan_threshold_jobs(plan, histograms, &choices, jobs, n_jobs, err);
    }
    free(wishes.methods);
    free(wishes.is_float);
    free(histograms);
    if (rc != 0)
        plan_destroy(plan);
    else
        *holder = plan;
    return rc;
}

int decide_plan(const struct comm *comm, const struct run_request *q, const struct target *target,
                const struct observation *observation, const struct archive_target *earlier, struct plan **out,
                struct error *err)
{
    const struct graph *g = observation->graph;
    const struct histogram **histograms = list_histograms(observation, err);
    struct replay *replay = earlier == NULL ? NULL : replay_create(earlier, observation, err);
    struct wishes wishes = {0};
    double **means = NULL;
    struct plan *plan = plan_create(g, target_profile(target, &q->target_settings), err);
    struct plan_choices choices;
    int rc = plan != NULL && histograms != NULL && (earlier == NULL || replay != NULL) ? read_wishes(q, g, &wishes, err)
                                                                                       : -1;

    if (rc == 0 && q->calibration.bias_correction != BIAS_CORRECTION_NONE && !plan->profile->is_tool_exact)
        rc = list_means(observation, &means, err);

    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        choices = make_choices(q, &wishes, observation);
        choices.input_means = (const double *const *)means;
        rc = decide_thresholds(comm, plan, histograms, &choices, replay, err);
    }
    if (rc == 0)
        rc = decide_weights(comm, plan, &choices, replay, err);
    replay_destroy(replay);
    free(wishes.methods);
    free(wishes.is_float);
    free(histograms);
    free(means);
    if (rc != 0)
        plan_destroy(plan);
    else
        *out = plan;
    return rc;
}
