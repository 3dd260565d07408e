/* measure_ranges.c — see measure_ranges.h. */
#include "coordinator/measure_ranges.h"

#include "coordinator/reduce.h"

struct counting { /* of the rank */
    const struct comm *comm;
    struct checkpoint *checkpoint;   /* NULL: none */
    struct observation *observation; /* of the first pass */
    struct ranges *merged;           /* the first thread's, then everybody's */
};

static void *thread_create(void *context, struct error *err)
{
    return ranges_create(((struct counting *)context)->observation, err);
}

static void thread_destroy(void *context, void *state)
{
    struct counting *c = context;

    if (c->merged == NULL) {
        c->merged = state;
        return;
    }
    ranges_merge(c->merged, state);
    ranges_destroy(state);
}

static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    return engine_run(engine, block->inputs, block->n_records, ranges_observe, state, err);
}

static bool is_due(void *context, bool is_at_end)
{
    return checkpoint_is_due(((struct counting *)context)->checkpoint, is_at_end);
}

struct pause { /* what a checkpoint_source has to gather from */
    const struct counting *counting;
    void *const *states;
    size_t n;
};

/* The first pass's statistics of these values, and ranges without counts. */
static struct observation *create_share(const struct observation *whole, size_t first, size_t last, struct error *err)
{
    struct observation *share =
        observation_create_share(whole->graph, whole->bins, whole->channel_bins, first, last, err);
    int rc = share == NULL ? -1 : observation_collect(share, whole->extras == NULL ? 0 : whole->extras->kinds, err);

    if (rc == 0 && whole->parts != NULL) {
        rc = observation_keep_parts(share, err);
        if (rc == 0)
            share->parts->cut = whole->parts->cut;
    }
    if (rc == 0)
        rc = observation_merge(share, whole, err);
    if (rc == 0 && (share->ranges = ranges_create(share, err)) != NULL)
        return share;
    observation_destroy(share);
    return NULL;
}

/* As in measure.c: a copy of all that was counted goes into the checkpoint. */
static struct observation *gather(void *context, size_t first, size_t last, struct error *err)
{
    const struct pause *pause = context;
    const struct counting *c = pause->counting;
    struct observation *share = create_share(c->observation, first, last, err);

    if (comm_agree(c->comm, share == NULL ? -1 : 0, err) != 0) {
        observation_destroy(share);
        return NULL;
    }
    for (size_t i = 0; i < pause->n; i++)
        ranges_merge(share->ranges, pause->states[i]);
    if (checkpoint_ranges(c->checkpoint) != NULL)
        ranges_merge(share->ranges, checkpoint_ranges(c->checkpoint));
    reduce_ranges(c->comm, share->ranges);
    return share;
}

static int keep(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err)
{
    struct counting *c = context;
    struct pause pause = {c, states, n};

    return checkpoint_write(c->checkpoint, &(struct checkpoint_source){&pause, gather}, progress, err);
}

int measure_ranges(const struct comm *comm, const struct pass_request *plain, struct observation *observation,
                   struct checkpoint *checkpoint, struct pass_result *records, struct error *err)
{
    struct counting counting = {comm, checkpoint, observation, NULL};
    struct pass_worker worker = {&counting, thread_create, thread_destroy, thread_run};
    struct pass_pauses pauses = {&counting, is_due, keep};
    struct pass_request request = *plain;
    int rc;

    if (checkpoint != NULL) {
        request.pauses = &pauses;
        request.begun = checkpoint_begun(checkpoint);
    }
    rc = pass_run(comm, &request, &worker, records, err);
    if (rc != 0) {
        ranges_destroy(counting.merged);
        return rc;
    }
    if (checkpoint != NULL && checkpoint_ranges(checkpoint) != NULL) /* what the checkpoint had is one more share */
        ranges_merge(counting.merged, checkpoint_ranges(checkpoint));
    reduce_ranges(comm, counting.merged);
    observation->ranges = counting.merged;
    return 0;
}
