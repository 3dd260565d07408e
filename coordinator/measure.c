/* measure.c — see measure.h. */
#include "coordinator/measure.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/convergence.h"
#include "coordinator/epochs.h"
#include "coordinator/reduce.h"
#include "coordinator/tallies.h"

#include <inttypes.h>
#include <stdlib.h>

struct counting { /* of the rank */
    const struct comm *comm;
    const struct measure_request *request;
    uint64_t n_blocks;
    unsigned halvings; /* of the epoch that is being run */
    struct observe_cut cut;
    /* Where parts are kept, what was counted of whole values; channels and sums stay with threads. Else NULL. */
    struct observation *moved;
    struct tallies tallies;     /* of it */
    struct observation *merged; /* at the end: the first thread's, then everybody's */
    struct error error;
};

struct thread {
    struct counting *counting;
    struct observation *observation;
};

/* ---- one thread ---- */

static void *thread_create(void *context, struct error *err)
{
    struct counting *c = context;
    struct thread *t = memory_create(1, sizeof *t, "a thread's statistics", err);

    if (t == NULL)
        return NULL;
    t->counting = c;
    t->observation = observation_create(c->request->pass.graph, c->request->bins, c->request->channel_bins, err);
    if (t->observation != NULL && c->moved != NULL)
        observation_drop_wholes(t->observation);
    if (t->observation != NULL && observation_collect(t->observation, c->request->collects, err) == 0)
        return t;
    observation_destroy(t->observation);
    free(t);
    return NULL;
}

static int run_block(struct thread *t, struct engine *engine, const struct block *block, struct error *err)
{
    return engine_run(engine, block->inputs, block->n_records, observation_observe, t->observation, err);
}

/* The thread counts whole values in the tally's histograms, the rest in its own. */
static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    struct thread *t = state;
    struct counting *c = t->counting;
    struct tally *tally;
    size_t part;
    int rc;

    if (c->moved == NULL)
        return run_block(t, engine, block, err);
    part = observe_cut_part(&c->moved->parts->cut, block->index);
    tally = tallies_take(&c->tallies, part, err);
    if (tally == NULL)
        return -1;
    observation_count_in(t->observation, tally->wholes);
    rc = run_block(t, engine, block, err);
    observation_count_in(t->observation, NULL);
    tally->n_records += block->n_records;
    tallies_give(&c->tallies, part, tally);
    return rc;
}

static void thread_destroy(void *context, void *state)
{
    struct counting *c = context;
    struct thread *t = state;
    struct error *err = &c->error;

    observation_settle(t->observation);
    if (err->code == 0 && c->merged != NULL)
        observation_merge(c->merged, t->observation, err);
    if (c->merged == NULL)
        c->merged = t->observation;
    else
        observation_destroy(t->observation);
    free(t);
}

/* ---- pauses ---- */

static const struct observation *begun(const struct counting *c)
{
    return c->request->checkpoint == NULL ? NULL : checkpoint_observation(c->request->checkpoint);
}

static bool is_due(void *context, bool is_at_end)
{
    return checkpoint_is_due(((struct counting *)context)->request->checkpoint, is_at_end);
}

static struct observation *create_with_parts(const struct counting *c, size_t channel_bins, size_t first, size_t last,
                                             struct error *err)
{
    struct observation *o =
        observation_create_share(c->request->pass.graph, c->request->bins, channel_bins, first, last, err);

    if (o == NULL || observation_collect(o, c->request->collects, err) != 0) {
        observation_destroy(o);
        return NULL;
    }
    if (!observation_has_wholes(c->request->bins, channel_bins))
        return o;
    if (observation_keep_parts(o, err) == 0) {
        o->parts->cut = c->cut;
        return o;
    }
    observation_destroy(o);
    return NULL;
}

static void cut_epoch(struct counting *c)
{
    uint64_t first_block[OBSERVE_PARTS + 1];

    epochs_cut(c->n_blocks, c->halvings, first_block);
    c->cut = observe_cut_ranges(first_block);
}

struct pause { /* what a checkpoint_source has to gather from */
    struct counting *counting;
    void *const *states;
    size_t n;
};

/* The threads go on with their states; a copy of all that was counted goes into the checkpoint. */
static int add_counted(const struct pause *pause, struct observation *all, struct error *err)
{
    const struct counting *c = pause->counting;
    const struct observation *earlier = begun(c);

    for (size_t i = 0; i < pause->n; i++)
        if (observation_merge(all, ((const struct thread *)pause->states[i])->observation, err) != 0)
            return -1;
    if (c->moved != NULL && observation_merge(all, c->moved, err) != 0)
        return -1;
    return earlier == NULL ? 0 : observation_merge(all, earlier, err);
}

static struct observation *gather(void *context, size_t first, size_t last, struct error *err)
{
    const struct pause *pause = context;
    const struct counting *c = pause->counting;
    struct observation *all = create_with_parts(c, c->request->channel_bins, first, last, err);
    int rc = comm_agree(c->comm, all == NULL ? -1 : add_counted(pause, all, err), err);

    if (rc == 0)
        rc = reduce_observation(c->comm, all, err);
    if (rc == 0)
        return all;
    observation_destroy(all);
    return NULL;
}

static int keep(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err)
{
    struct counting *c = context;
    struct pause pause = {c, states, n};
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        observation_settle(((struct thread *)states[i])->observation);
    if (c->moved != NULL)
        rc = tallies_empty(&c->tallies, err);
    rc = comm_agree(c->comm, rc, err);
    return rc != 0
               ? rc
               : checkpoint_write(c->request->checkpoint, &(struct checkpoint_source){&pause, gather}, progress, err);
}

/* ---- epochs ---- */

/* Collective. Parts of all ranks together, and of what was begun with; NULL after a failure. */
static struct observe_parts *gather_parts(struct counting *c, struct error *err)
{
    const struct observation *moved = c->moved, *earlier = begun(c);
    struct observe_parts *all = observe_parts_create(moved->tensor, moved->graph->n_values, err);
    int rc = all == NULL ? -1 : observe_parts_merge(all, moved->parts, err);

    if (rc == 0 && earlier != NULL)
        rc = observe_parts_merge(all, earlier->parts, err);
    rc = comm_agree(c->comm, rc, err);
    if (rc == 0)
        rc = reduce_parts(c->comm, all, err);
    if (rc == 0)
        rc = comm_agree(c->comm, observation_derive_parts(moved, all, err), err);
    if (rc == 0)
        return all;
    observe_parts_destroy(all);
    return NULL;
}

/* All that has parts on this rank goes on to an epoch of twice the length. */
static int double_epoch(struct counting *c, struct error *err)
{
    const struct observation *earlier = begun(c);

    c->halvings--;
    if (observe_parts_double(c->moved->parts, err) != 0 ||
        (earlier != NULL && observe_parts_double(earlier->parts, err) != 0))
        return -1;
    cut_epoch(c);
    c->moved->parts->cut = c->cut;
    return 0;
}

static int next_epoch(void *context, void *const *states, size_t n, uint64_t *end, struct error *err)
{
    struct counting *c = context;
    struct observe_parts *all;
    double moved = 0;
    int rc = comm_agree(c->comm, tallies_empty(&c->tallies, err), err);

    (void)states;
    (void)n;
    if (rc != 0 || (all = gather_parts(c, err)) == NULL)
        return -1;
    rc = convergence_find_movement(c->comm, c->request->method, c->request->percentile, all, &moved, err);
    observe_parts_destroy(all);
    if (rc != 0)
        return -1;
    log_info("%s: from %" PRIu64 " to %" PRIu64 " of %" PRIu64 " blocks thresholds have moved by at most %.2f %%%s",
             c->request->pass.what, c->cut.first_block[OBSERVE_PARTS / 2], *end, c->n_blocks, 100 * moved,
             moved <= c->request->stop_when_stable ? ": stable" : "");
    if (moved <= c->request->stop_when_stable)
        return 0;
    rc = double_epoch(c, err);
    *end = c->cut.first_block[OBSERVE_PARTS];
    return rc;
}

/* ---- the run ---- */

/* The epoch to begin in, and room for what parts are made of. Local. */
static int begin(struct counting *c, struct error *err)
{
    const struct measure_request *q = c->request;
    const struct pass_progress *earlier = q->checkpoint == NULL ? NULL : checkpoint_begun(q->checkpoint);

    c->n_blocks = (dataset_count(q->pass.dataset) + q->pass.block_size - 1) / q->pass.block_size;
    c->cut = observe_cut_in_turn(c->n_blocks);
    if (q->stop_when_stable > 0) {
        c->halvings = epochs_first(c->n_blocks, q->pass.block_size);
        while (c->halvings > 0 && earlier != NULL && epochs_end(c->n_blocks, c->halvings) < earlier->end)
            c->halvings--;
        cut_epoch(c);
    }
    if (!observation_has_wholes(q->bins, q->channel_bins))
        return 0;
    c->moved = create_with_parts(c, 0, 0, q->pass.graph->n_values, err);
    tallies_init(&c->tallies, c->moved, q->pass.n_threads);
    return c->moved == NULL ? -1 : 0;
}

/* The parts of all threads, and what the checkpoint had, which is one more rank's share. */
static int merge_rest(struct counting *c, struct error *err)
{
    const struct observation *earlier = begun(c);

    if (c->moved != NULL) {
        if (tallies_empty(&c->tallies, err) != 0)
            return -1;
        observation_take_wholes(c->merged, c->moved);
    }
    return earlier == NULL ? 0 : observation_merge(c->merged, earlier, err);
}

/* Collective. What the ranks' threads have left becomes the result. */
static int merge_all(struct counting *c, struct error *err)
{
    int rc;

    if (c->error.code != 0)
        *err = c->error;
    rc = comm_agree(c->comm, c->error.code != 0 ? -1 : 0, err);
    if (rc == 0)
        rc = comm_agree(c->comm, merge_rest(c, err), err);
    if (rc == 0)
        rc = reduce_observation(c->comm, c->merged, err);
    if (rc == 0)
        rc = comm_agree(c->comm, observation_derive(c->merged, err), err);
    return rc;
}

int measure_run(const struct comm *comm, const struct measure_request *q, struct observation **out,
                struct pass_result *records, struct error *err)
{
    struct counting counting = {.comm = comm, .request = q};
    struct pass_worker worker = {&counting, thread_create, thread_destroy, thread_run};
    struct pass_pauses pauses = {&counting, is_due, keep};
    struct pass_epochs epochs = {.context = &counting, .next = next_epoch};
    struct pass_request request = q->pass;
    int rc = comm_agree(comm, begin(&counting, err), err);

    if (q->checkpoint != NULL) {
        request.pauses = &pauses;
        request.begun = checkpoint_begun(q->checkpoint);
    }
    if (q->stop_when_stable > 0) {
        epochs.end = epochs_end(counting.n_blocks, counting.halvings);
        request.epochs = &epochs;
    }
    if (rc == 0)
        rc = pass_run(comm, &request, &worker, records, err);
    if (rc == 0)
        rc = merge_all(&counting, err);
    if (rc == 0)
        *out = counting.merged;
    else
        observation_destroy(counting.merged);
    tallies_fini(&counting.tallies);
    observation_destroy(counting.moved);
    return rc;
}

int measure_resume(const struct comm *comm, const struct graph *graph, size_t bins, size_t channel_bins,
                   unsigned collects, struct checkpoint *checkpoint, struct observation **out, struct error *err)
{
    struct observation *share = checkpoint_take_first(checkpoint);
    struct observation *first = observation_create(graph, bins, channel_bins, err);
    int rc = first == NULL ? -1 : observation_collect(first, collects, err);

    if (rc == 0 && observation_has_wholes(bins, channel_bins))
        rc = observation_keep_parts(first, err);
    if (rc == 0 && share != NULL)
        rc = observation_merge(first, share, err);
    if (rc == 0 && first->parts != NULL && share != NULL && share->parts != NULL)
        first->parts->cut = share->parts->cut;
    observation_destroy(share);
    rc = comm_agree(comm, rc, err);
    if (rc == 0 && first->parts != NULL)
        comm_broadcast(comm, &first->parts->cut, sizeof first->parts->cut);
    if (rc == 0)
        rc = reduce_observation(comm, first, err);
    if (rc == 0)
        *out = first;
    else
        observation_destroy(first);
    return rc;
}
