/* replay.c — see replay.h. */
#include "coordinator/replay.h"

#include "common/memory.h"
#include "coordinator/plan_layer.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the archive tells of a value: its row, and its first channel. */
struct place {
    const struct archive_decision *decision; /* NULL: not decided */
    const struct archive_channel *channels;
    size_t n_channels; /* 0: one scale */
};

struct replay {
    const struct archive_target *from;
    size_t n_values;
    struct place places[]; /* [n_values] */
};

/* Rows are in the order of values. */
static void find_places(struct replay *replay, const struct observation *observation)
{
    const struct archive_target *from = replay->from;
    size_t decision = 0, channel = 0;
    uint32_t row = 0;

    for (size_t v = 0; v < replay->n_values; v++) {
        struct place *place = &replay->places[v];

        if (observation->tensor[v].bins == 0)
            continue;
        if (decision < from->n_decisions && from->decisions[decision].value == row) {
            place->decision = &from->decisions[decision];
            place->channels = channel < from->n_channels ? &from->channels[channel] : NULL;
            while (channel < from->n_channels && from->channels[channel].decision == decision) {
                place->n_channels++;
                channel++;
            }
            decision++;
        }
        row++;
    }
}

struct replay *replay_create(const struct archive_target *from, const struct observation *observation,
                             struct error *err)
{
    size_t n_values = observation->graph->n_values;
    struct replay *replay = memory_create(1, sizeof *replay + n_values * sizeof *replay->places, "decisions", err);

    if (replay == NULL)
        return NULL;
    replay->from = from;
    replay->n_values = n_values;
    find_places(replay, observation);
    return replay;
}

void replay_destroy(struct replay *replay)
{
    free(replay);
}

/* May these be codes around a zero point that a search moved? Then their threshold is where those of the longer side
 * end, but for what rounds where the profile keeps reciprocals. */
static bool may_be_moved(const struct plan *plan, const struct threshold_job *job, int32_t zero,
                         const struct threshold_result *result)
{
    const struct code_range codes = {job->codes.lo, job->codes.hi, zero};
    double end, threshold = (double)result->threshold;

    if (!job->moves_zero || zero < codes.lo || zero > codes.hi || result->scale < FLT_MIN)
        return false;
    end = (double)result->scale * code_range_steps(codes);
    return profile_kept_scale(plan->profile, result->scale) == result->scale &&
           fabs(end - threshold) <= 0x1p-20 * threshold;
}

/* The archive keeps a scale beside each threshold, and a zero point: they must be this profile's. A tool rounds scale
 * and threshold from one number. */
static int check_codes(const struct plan *plan, const struct threshold_job *job, int32_t zero,
                       const struct threshold_result *result, struct error *err)
{
    const char *name = plan->graph->values[job->places[0].value].name;
    float scale = result->threshold / (float)job->request.steps;
    bool is_moved = zero != job->codes.zero_point;

    if (!(result->scale > 0) || !isfinite(result->scale) || (is_moved && !may_be_moved(plan, job, zero, result)))
        return error_set(
            err, EX_UNAVAILABLE,
            "value \"%s\": codes %d to %d of scale %.9g around %d, with a threshold of %.9g, are none of "
            "this target's: it was decided for another version of it; calibrate again, into another folder",
            name, job->codes.lo, job->codes.hi, (double)result->scale, zero, (double)result->threshold);
    if (!is_moved && !plan->profile->is_tool_exact && profile_kept_scale(plan->profile, scale) != result->scale)
        return error_set(err, EX_UNAVAILABLE,
                         "value \"%s\": the archive's scale %.9g is not that of its threshold, %.9g over %d steps: it "
                         "was decided for another version of the target; calibrate again, into another folder",
                         name, (double)result->scale, (double)result->threshold, job->request.steps);
    return 0;
}

static int answer(const struct replay *replay, const struct plan *plan, const struct threshold_job *job,
                  struct threshold_result *result, struct error *err)
{
    struct scale_place at = job->places[0];
    const struct place *place = &replay->places[at.value];
    float threshold, scale;

    /* The only channel of a value has no rows of its own. */
    if (place->decision == NULL ||
        (place->n_channels > 0 ? !job->is_per_channel || at.channel >= place->n_channels : at.channel > 0))
        return error_set(err, EX_DATAERR, "value \"%s\" has no such decision in the archive",
                         plan->graph->values[at.value].name);
    threshold = place->n_channels > 0 ? place->channels[at.channel].threshold : place->decision->threshold;
    scale = place->n_channels > 0 ? place->channels[at.channel].scale : place->decision->scale;
    *result = (struct threshold_result){.threshold = threshold, .scale = scale};
    if (check_codes(plan, job, place->decision->zero_point, result, err) != 0)
        return -1;
    result->zero_moved = place->decision->zero_point - job->codes.zero_point;
    return 0;
}

int replay_thresholds(const struct replay *replay, const struct plan *plan, const struct threshold_job *jobs,
                      size_t n_jobs, struct threshold_result *results, struct error *err)
{
    for (size_t i = 0; i < n_jobs; i++)
        if (answer(replay, plan, &jobs[i], &results[i], err) != 0)
            return -1;
    return 0;
}

/* Is this row about this node? Names were cut to the archive's length. */
static bool is_about(const struct archive_layer *layer, const struct node *node)
{
    return strncmp(layer->name, node->name, sizeof layer->name - 1) == 0;
}

int replay_weights(const struct replay *replay, const struct plan *plan, const struct weight_job *jobs, size_t n_jobs,
                   float *scales, struct error *err)
{
    const struct archive_target *from = replay->from;
    size_t layer = 0;

    for (size_t first = 0; first < n_jobs; layer++) {
        const struct node *node = &plan->graph->nodes[jobs[first].node];
        size_t n = plan->nodes[jobs[first].node].n_weight_scales;

        if (layer == from->n_layers || !is_about(&from->layers[layer], node) || from->layers[layer].n_scales != n)
            return error_set(err, EX_DATAERR, "node \"%s\": expected %zu weight scales, which the archive lacks",
                             node->name, n);
        first += n;
    }
    if (layer != from->n_layers || n_jobs != from->n_weight_scales)
        return error_set(err, EX_DATAERR, "expected %zu layers with %zu weight scales, found %zu with %zu", layer,
                         n_jobs, from->n_layers, from->n_weight_scales);
    if (n_jobs > 0)
        memcpy(scales, from->weight_scales, n_jobs * sizeof *scales);
    return 0;
}

/* Where codes are not the nearest to their weights. */
static int restore_codes(const struct archive_target *from, struct plan *plan, struct error *err)
{
    size_t expected = 0;

    if (from->n_codes == 0)
        return 0;
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        expected += plan_can_round(plan, (int)n) ? plan_layer_of(plan, (int)n).elements : 0;
    if (from->n_codes != expected)
        return error_set(err, EX_DATAERR, "expected %zu codes of weights, found %zu", expected, from->n_codes);
    for (size_t n = 0, at = 0; n < plan->graph->n_nodes; n++) {
        if (!plan_can_round(plan, (int)n))
            continue;
        if (plan_restore_codes(plan, (int)n, from->codes + at, err) != 0)
            return -1;
        at += plan_layer_of(plan, (int)n).elements;
    }
    return 0;
}

int replay_finish(const struct replay *replay, struct plan *plan, struct error *err)
{
    const struct archive_target *from = replay->from;
    size_t layer = 0, at = 0;

    _Static_assert((size_t)PLAN_METHOD_BYTES == (size_t)ARCHIVE_METHOD_BYTES, "a method's name fits both ways");
    for (size_t v = 0; v < replay->n_values; v++)
        if (plan->values[v].is_quantized)
            memcpy(plan->values[v].method, replay->places[v].decision->method, sizeof plan->values[v].method);
    if (restore_codes(from, plan, err) != 0)
        return -1;
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct archive_layer *row;

        if (!plan_has_weights(plan, n))
            continue;
        row = &from->layers[layer++]; /* replay_weights has seen that there is one for each */
        if (plan_restore_layer(plan, (int)n, row->n_biases == 0 ? NULL : &from->biases[at], row->n_biases, row->method,
                               err) != 0)
            return -1;
        at += row->n_biases;
    }
    return 0;
}
