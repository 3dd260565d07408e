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

/* As in measure.c: a copy of all that was counted goes into the checkpoint. */
static int keep(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err)
{
    struct counting *c = context;
    struct ranges *all = ranges_create(c->observation, err);
    int rc = comm_agree(c->comm, all == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        ranges_merge(all, states[i]);
    if (rc == 0)
        reduce_ranges(c->comm, all);
    if (rc == 0 && progress != NULL)
        checkpoint_write_second(c->checkpoint, c->observation, all, progress);
    ranges_destroy(all);
    return rc;
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
