/* plan_threshold_search.c — one search of a threshold, and of the zero point; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_tool.h"
#include "coordinator/zero_point.h"

#include <stdio.h>
#include <string.h>

uint64_t plan_threshold_cost(const struct threshold_job *job)
{
    if (job->range_counts != NULL)
        return RANGE_BINS;
    if (plan_threshold_is_given(job->method, job))
        return 1;
    /* Ends are searched for in as many look-ups as the threshold was: some rounds of 514 places, 255 each. */
    return job->n_histograms * job->histograms[0]->bins * (job->moves_zero && job->method->searches_ends ? 2 : 1);
}

static void take(const struct zero_point_found *found, struct threshold_result *result)
{
    result->threshold = found->threshold;
    result->scale = found->scale;
    result->zero_moved = found->moved;
}

/* Whatever was observed: that is what the file's codes mean. */
static void search_given(const struct threshold_job *job, struct threshold_result *result)
{
    const struct given_scale *given = &job->given;
    int32_t steps = job->request.steps;
    struct zero_point_found found = {given->threshold, given->threshold / (float)steps, 0};

    if (job->moves_zero)
        found = zero_point_of_ends(given->low, given->high, job->codes, given->threshold, steps);
    take(&found, result);
    snprintf(result->method, sizeof result->method, "given");
}

static int search_zero_point(const struct threshold_job *job, const struct histogram *histogram,
                             struct threshold_result *result, struct error *err)
{
    struct zero_point_request request = {
        .histogram = histogram,
        .codes = job->codes,
        .steps = job->request.steps,
        .threshold = result->threshold,
        .searches_ends = job->method->searches_ends,
    };
    struct zero_point_found found;

    if (zero_point_find(&request, &found, err) != 0)
        return -1;
    take(&found, result);
    return 0;
}

static int search(const struct threshold_job *job, const struct histogram *histogram, struct threshold_result *result,
                  struct error *err)
{
    struct threshold_request request = job->request;

    request.histogram = histogram;
    if (threshold_decide(job->method, &request, &result->threshold, result->method, err) != 0)
        return -1;
    if (job->is_per_channel && strcmp(result->method, "zero") == 0) {
        result->threshold = PLAN_DEAD_SCALE * (float)job->request.steps;
        snprintf(result->method, sizeof result->method, "dead");
    }
    if (job->decides_arg_max && strcmp(result->method, "minmax") == 0)
        snprintf(result->method, sizeof result->method, "minmax (logits)");
    result->scale = result->threshold / (float)job->request.steps;
    return job->moves_zero ? search_zero_point(job, histogram, result, err) : 0;
}

int plan_threshold_search(const struct threshold_job *job, struct threshold_result *result, struct error *err)
{
    struct histogram together = {0};
    int rc = 0;

    *result = (struct threshold_result){0};
    if (job->range_counts != NULL) {
        plan_tool_search(job, result);
        return 0;
    }
    if (plan_threshold_is_given(job->method, job)) {
        search_given(job, result);
        return 0;
    }
    if (job->n_histograms == 1)
        return search(job, job->histograms[0], result, err);
    rc = histogram_init(&together, job->histograms[0]->bins, err);
    for (size_t i = 0; rc == 0 && i < job->n_histograms; i++)
        rc = histogram_merge(&together, job->histograms[i], err);
    if (rc == 0)
        rc = search(job, &together, result, err);
    histogram_fini(&together);
    return rc;
}
