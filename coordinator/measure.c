/* measure.c — see measure.h. */
#include "coordinator/measure.h"

#include "common/memory.h"
#include "common/output.h"
#include "coordinator/reduce.h"

#include <stdlib.h>

struct counting { /* of the rank */
    const struct comm *comm;
    struct checkpoint *checkpoint; /* NULL: none */
    const struct graph *graph;
    size_t bins, channel_bins;
    struct observation *merged; /* the first thread's, then everybody's */
    struct error error;
};

static void *thread_create(void *context, struct error *err)
{
    struct counting *c = context;

    return observation_create(c->graph, c->bins, c->channel_bins, err);
}

static void thread_destroy(void *context, void *state)
{
    struct counting *c = context;

    observation_settle(state);
    if (c->merged == NULL) {
        c->merged = state;
        return;
    }
    if (c->error.code == 0)
        observation_merge(c->merged, state, &c->error);
    observation_destroy(state);
}

static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    return engine_run(engine, block->inputs, block->n_records, observation_observe, state, err);
}

static bool is_due(void *context, bool is_at_end)
{
    return checkpoint_is_due(((struct counting *)context)->checkpoint, is_at_end);
}

/* The threads go on with their states; a copy of all that was counted goes into the checkpoint. */
static int keep(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err)
{
    struct counting *c = context;
    struct observation *all = observation_create(c->graph, c->bins, c->channel_bins, err);
    int rc = all == NULL ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        observation_settle(states[i]);
        rc = observation_merge(all, states[i], err);
    }
    rc = comm_agree(c->comm, rc, err);
    if (rc == 0)
        rc = reduce_observation(c->comm, all, err);
    if (rc == 0 && progress != NULL)
        rc = checkpoint_write(c->checkpoint, all, progress, err);
    observation_destroy(all);
    return rc;
}

/* What the checkpoint had is one more rank's share. */
static int add_begun(const struct counting *c, struct error *err)
{
    const struct observation *begun = c->checkpoint == NULL ? NULL : checkpoint_observation(c->checkpoint);

    return begun == NULL ? 0 : observation_merge(c->merged, begun, err);
}

int measure_run(const struct comm *comm, const struct pass_request *plain, size_t bins, size_t channel_bins,
                struct checkpoint *checkpoint, struct observation **out, struct pass_result *records, struct error *err)
{
    struct counting counting = {comm, checkpoint, plain->graph, bins, channel_bins, NULL, {0}};
    struct pass_worker worker = {&counting, thread_create, thread_destroy, thread_run};
    struct pass_pauses pauses = {&counting, is_due, keep};
    struct pass_request request = *plain;
    int rc;

    if (checkpoint != NULL) {
        request.pauses = &pauses;
        request.begun = checkpoint_begun(checkpoint);
    }
    rc = pass_run(comm, &request, &worker, records, err);

    if (rc == 0) {
        if (counting.error.code != 0)
            *err = counting.error;
        rc = comm_agree(comm, counting.error.code != 0 ? -1 : 0, err);
    }
    if (rc == 0)
        rc = comm_agree(comm, add_begun(&counting, err), err);
    if (rc == 0)
        rc = reduce_observation(comm, counting.merged, err);
    if (rc == 0)
        rc = comm_agree(comm, observation_derive(counting.merged, err), err);
    if (rc == 0)
        *out = counting.merged;
    else
        observation_destroy(counting.merged);
    return rc;
}

static int digest_value(void *context, int node, int value, const struct view *view, struct error *err)
{
    (void)node;
    (void)value;
    (void)err;
    sha256_add(context, view->data, view_span(view) * sizeof *view->data);
    return 0;
}

/* Any fixed, varied numbers do: a linear congruence, -2 .. 2, that goes on from input to input. */
static float *probe_input(const struct graph *graph, size_t input, size_t batch, uint64_t *state, struct error *err)
{
    size_t n = (size_t)shape_elements(&graph->values[graph->inputs[input]].shape) * batch;
    float *values = memory_create(n, sizeof *values, "the probe record", err);

    for (size_t i = 0; values != NULL && i < n; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(int32_t)(*state >> 32) * 0x1p-30f;
    }
    return values;
}

int measure_probe(const struct graph *graph, size_t batch, char hex[65], struct error *err)
{
    float **inputs = memory_create(graph->n_inputs, sizeof *inputs, "the probe record", err);
    struct engine *engine = NULL;
    struct sha256 *digest = NULL;
    uint64_t state = 0x9e3779b97f4a7c15u;
    int rc = inputs == NULL ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < graph->n_inputs; i++)
        if ((inputs[i] = probe_input(graph, i, batch, &state, err)) == NULL)
            rc = -1;
    if (rc == 0 && ((engine = engine_create(graph, batch, NULL, err)) == NULL || (digest = sha256_create(err)) == NULL))
        rc = -1;
    if (rc == 0) {
        rc = engine_run(engine, (const float *const *)inputs, 1, digest_value, digest, err);
        sha256_finish(digest, hex);
    }
    engine_destroy(engine);
    for (size_t i = 0; inputs != NULL && i < graph->n_inputs; i++)
        free(inputs[i]);
    free(inputs);
    return rc;
}
