/* trial.c — see trial.h. */
#include "coordinator/trial.h"

#include "common/memory.h"
#include "coordinator/plan_vary.h"
#include "coordinator/zero_point.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What min-max keeps too much of is far, what other methods miss is near. */
static const float factors[] = {0.5F, 0.63F, 0.8F, 0.9F, 1.12F, 1.25F};
enum { N_FACTORS = sizeof factors / sizeof *factors };

bool trial_holds(const struct trial *trial, int value)
{
    for (size_t i = 0; i < trial->job->n_places; i++)
        if (trial->job->places[i].value == value)
            return true;
    return false;
}

static bool is_open(const struct threshold_job *job, const struct threshold_method *method)
{
    return !job->is_per_channel && !job->decides_arg_max && job->range_counts == NULL && job->method == method &&
           method->reads == THRESHOLD_FROM_ARCHIVE && job->request.steps <= UINT8_MAX;
}

/* ---- candidates ---- */

struct ends {
    double low, high; /* magnitudes */
};

/* Of all that the group's values have shown. */
static struct ends ends_of_values(const struct threshold_job *job)
{
    struct ends ends = {0, 0};

    for (size_t i = 0; i < job->n_histograms; i++) {
        ends.low = fmax(ends.low, -(double)job->histograms[i]->min);
        ends.high = fmax(ends.high, (double)job->histograms[i]->max);
    }
    return ends;
}

static const struct plan_value *present(const struct trial *trial, const struct plan *plan)
{
    return &plan->values[trial->job->places[0].value];
}

/* Codes that the group does not have yet, of a scale that is a normal float. */
static bool is_new(const struct trial *trial, const struct plan *plan, const struct threshold_result *result)
{
    const struct plan_value *now = present(trial, plan);

    if (!(result->scale >= FLT_MIN) ||
        (result->threshold == now->threshold[0] && profile_kept_scale(plan->profile, result->scale) == now->scale[0] &&
         trial->job->codes.zero_point + result->zero_moved == now->codes.zero_point))
        return false;
    for (size_t i = 0; i < trial->n_candidates; i++) {
        const struct threshold_result *other = &trial->candidates[i].result;

        if (other->threshold == result->threshold && other->scale == result->scale &&
            other->zero_moved == result->zero_moved)
            return false;
    }
    return true;
}

/* There is room for one more. */
static int add_candidate(struct trial *trial, const struct plan *plan, const struct threshold_result *result,
                         struct error *err)
{
    struct plan_change change = {trial->job, *result};
    struct trial_candidate *candidate = &trial->candidates[trial->n_candidates];

    if (!is_new(trial, plan, result))
        return 0;
    *candidate = (struct trial_candidate){*result, plan_vary(plan, &change, 1, false, err)};
    if (candidate->plan == NULL)
        return -1;
    trial->n_candidates++;
    return 0;
}

static int add_methods(struct trial *trial, const struct plan *plan, const char *const *names, struct error *err)
{
    for (; *names != NULL; names++) {
        struct threshold_job job = *trial->job;
        struct threshold_result result;

        job.method = threshold_method_find(*names);
        if (plan_threshold_search(&job, &result, err) != 0 || add_candidate(trial, plan, &result, err) != 0)
            return -1;
    }
    return 0;
}

/* An end times a factor; to keep more than what was seen wins nothing. */
static double moved_end(double end, double factor, double seen)
{
    return factor > 1 && end * factor > seen ? fmax(seen, end) : end * factor;
}

/* Where the zero point was moved, each end goes as far as its own side was seen, and the zero point follows. */
static struct threshold_result at_factor(const struct trial *trial, const struct plan_value *now, double factor)
{
    const struct threshold_job *job = trial->job;
    const struct ends seen = ends_of_values(job);
    double most = job->request.is_unsigned ? seen.high : fmax(seen.low, seen.high), scale = (double)now->scale[0];
    float threshold = (float)moved_end((double)now->threshold[0], factor, most);
    struct zero_point_found found = {threshold, threshold / (float)job->request.steps, 0};

    if (now->codes.zero_point != job->codes.zero_point) {
        double low = moved_end(scale * (now->codes.zero_point - now->codes.lo), factor, seen.low);
        double high = moved_end(scale * (now->codes.hi - now->codes.zero_point), factor, seen.high);

        found = zero_point_of_ends(-low, high, job->codes, (float)fmax(low, high), job->request.steps);
    }
    return (struct threshold_result){.threshold = found.threshold, .scale = found.scale, .zero_moved = found.moved};
}

static int add_factors(struct trial *trial, const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < N_FACTORS; i++) {
        struct threshold_result result = at_factor(trial, present(trial, plan), (double)factors[i]);

        if (add_candidate(trial, plan, &result, err) != 0)
            return -1;
    }
    return 0;
}

static int find_candidates(struct trial *trial, const struct plan *plan, const struct threshold_method *method,
                           struct error *err)
{
    size_t most = 0;

    while (method->candidates != NULL && method->candidates[most] != NULL)
        most++;
    if (method->candidates == NULL)
        most = N_FACTORS;
    trial->candidates = memory_create(most, sizeof *trial->candidates, "a trial", err);
    if (trial->candidates == NULL)
        return -1;
    return method->candidates != NULL ? add_methods(trial, plan, method->candidates, err)
                                      : add_factors(trial, plan, err);
}

/* ---- windows ---- */

static bool reads(const struct trial *trial, const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != GRAPH_NONE && trial_holds(trial, node->inputs[i]))
            return true;
    return false;
}

static int find_window(struct trial *trial, const struct graph *g, struct error *err)
{
    trial->runs = memory_create(g->n_nodes, sizeof *trial->runs, "a trial", err);
    trial->judged = memory_create(g->n_nodes + g->n_outputs, sizeof *trial->judged, "a trial", err);
    if (trial->runs == NULL || trial->judged == NULL)
        return -1;
    for (size_t n = g->n_nodes; n-- > 0;) {
        bool makes = trial_holds(trial, g->nodes[n].outputs[0]);

        if (!makes && !reads(trial, &g->nodes[n]))
            continue;
        trial->last = trial->last > (int)n ? trial->last : (int)n;
        trial->first = (int)n;
        trial->runs[n] = true;
        if (!makes)
            trial->judged[trial->n_judged++] = g->nodes[n].outputs[0];
    }
    for (size_t i = 0; i < g->n_outputs; i++)
        if (trial_holds(trial, g->outputs[i]) && g->values[g->outputs[i]].producer != GRAPH_NONE)
            trial->judged[trial->n_judged++] = g->outputs[i];
    return 0;
}

static void trial_fini(struct trial *trial)
{
    for (size_t i = 0; i < trial->n_candidates; i++)
        plan_destroy(trial->candidates[i].plan);
    free(trial->candidates);
    free(trial->runs);
    free(trial->judged);
}

int trials_init(struct trials *trials, const struct plan *plan, const struct threshold_job *jobs, size_t n_jobs,
                const struct threshold_method *method, struct error *err)
{
    *trials = (struct trials){.plan = plan, .list = memory_create(n_jobs, sizeof *trials->list, "trials", err)};
    if (trials->list == NULL)
        return -1;
    for (size_t i = 0; i < n_jobs; i++) {
        struct trial *trial = &trials->list[trials->n];

        if (!is_open(&jobs[i], method))
            continue;
        trials->n++; /* so that trials_fini frees it */
        trial->job = &jobs[i];
        if (find_window(trial, plan->graph, err) != 0 || find_candidates(trial, plan, method, err) != 0)
            return -1;
        if (trial->n_judged > 0 && trial->n_candidates > 0)
            continue;
        trial_fini(trial);
        *trial = (struct trial){0};
        trials->n--;
    }
    return 0;
}

void trials_fini(struct trials *trials)
{
    for (size_t i = 0; i < trials->n; i++)
        trial_fini(&trials->list[i]);
    free(trials->list);
    *trials = (struct trials){0};
}
