/* pass.c — engine threads around a source, blocks from the scheduler; see pass.h. */
#include "coordinator/pass.h"

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/node_share.h"
#include "coordinator/pass_records.h"
#include "coordinator/progress.h"
#include "coordinator/schedule.h"
#include "coordinator/stop.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pass {
    const struct comm *comm;
    const struct pass_request *request;
    const struct pass_worker *worker;
    struct source *source;
    size_t depth;                /* blocks it holds */
    struct pass_thread *threads; /* [n_threads] */
    struct pass_result *result;
    struct comm_shared weights;  /* of the engines */
    struct block_set done, here; /* by anybody, up to the last pause; by this rank */
    uint64_t end;                /* of the epoch: only blocks below are handed out */
    atomic_size_t n_running;
    atomic_bool is_stopping;      /* finish the block in hand, take no other */
    atomic_uint_least64_t n_done; /* blocks, of this rank */
    uint64_t n_resumed;           /* of them, before the last pause */
    uint64_t n_claimed;           /* blocks, of this rank; what a pause abandons is not; main thread only */
    pthread_mutex_t mutex;        /* guards error, bad list, stages */
    struct error error;           /* of the first thread that failed */
    size_t bad_capacity;
    struct progress progress;
};

struct pass_thread {
    struct pass *pass;
    struct engine *engine;
    void *state;
    atomic_uint_least64_t at; /* the block in hand, or WATCH_NO_BLOCK */
    pthread_t id;
    bool is_started;
};

static void fail(struct pass *pass, const struct error *err)
{
    pthread_mutex_lock(&pass->mutex);
    if (pass->error.code == 0)
        pass->error = *err;
    pthread_mutex_unlock(&pass->mutex);
    atomic_store(&pass->is_stopping, true);
}

/* Notes what a block says of its records. Each record belongs to one block, so identities need no lock. */
static int account(struct pass *pass, const struct block *block, struct error *err)
{
    struct pass_result *result = pass->result;
    int rc = 0;

    for (size_t i = 0; i < block->n_records; i++)
        result->identities[block->ordinals[i]] = block->identities[i];
    for (size_t i = 0; i < block->n_bad; i++)
        result->identities[block->bad_ordinals[i]] = block->bad_identities[i];
    if (block->n_bad == 0)
        return 0;
    if (pass->request->max_bad_records == 0)
        return error_set(err, EX_DATAERR, "%s set: record %s", pass->request->what, block->bad_reasons[0]);
    pthread_mutex_lock(&pass->mutex);
    for (size_t i = 0; rc == 0 && i < block->n_bad; i++) {
        rc = memory_grow((void **)&result->bad, &pass->bad_capacity, result->n_bad, sizeof *result->bad,
                         "the list of bad records", err);
        if (rc != 0)
            break;
        result->bad[result->n_bad].ordinal = block->bad_ordinals[i];
        snprintf(result->bad[result->n_bad].reason, sizeof result->bad->reason, "%s", block->bad_reasons[i]);
        result->n_bad++;
    }
    if (rc == 0 && result->n_bad > pass->request->max_bad_records)
        rc = error_set(err, EX_DATAERR, "more than %" PRIu64 " bad records (limits.max_bad_records); the last: %s",
                       pass->request->max_bad_records, block->bad_reasons[block->n_bad - 1]);
    pthread_mutex_unlock(&pass->mutex);
    return rc;
}

static void *thread_main(void *argument)
{
    struct pass_thread *thread = argument;
    struct pass *pass = thread->pass;
    struct error err = {0};
    struct stages spent = {0};
    uint64_t run = engine_records_run(thread->engine);
    double before = clock_seconds(), observed = engine_observe_seconds(thread->engine);
    struct block *block;

    while (!atomic_load(&pass->is_stopping) && (block = source_take(pass->source, &err)) != NULL) {
        double start = clock_seconds();
        int rc = account(pass, block, &err);

        atomic_store(&thread->at, block->index);
        spent.wait += start - before; /* the wait for the end of the data, which has no block, is not counted */
        if (rc == 0 && block->n_records > 0)
            rc = pass->worker->run(thread->state, thread->engine, block, &err);
        if (rc == 0 && fault("block.done") != 0)
            rc = error_set(&err, EX_IOERR, "block %" PRIu64 ": %s", block->index, strerror(errno));
        if (rc == 0)
            block_set_add(&pass->here, block->index);
        source_give_back(pass->source, block);
        atomic_store(&thread->at, WATCH_NO_BLOCK);
        before = clock_seconds();
        spent.compute += before - start;
        if (rc != 0)
            break;
        atomic_fetch_add(&pass->n_done, 1);
    }
    if (err.code != 0)
        fail(pass, &err);
    spent.observe = engine_observe_seconds(thread->engine) - observed;
    spent.compute -= spent.observe;
    spent.records_run = engine_records_run(thread->engine) - run;
    pthread_mutex_lock(&pass->mutex);
    stages_add(&pass->result->stages, &spent);
    pthread_mutex_unlock(&pass->mutex);
    atomic_fetch_sub(&pass->n_running, 1);
    return NULL;
}

static int push(void *context, uint64_t first, uint64_t count, struct error *err)
{
    struct pass *pass = context;
    uint64_t run[256];

    for (uint64_t at = 0; at < count;) {
        size_t n = 0;

        for (; n < sizeof run / sizeof *run && at < count; at++)
            if (!block_set_has(&pass->done, first + at))
                run[n++] = first + at;
        pass->n_claimed += n;
        if (n > 0 && source_request(pass->source, run, n, err) != 0)
            return -1;
    }
    return 0;
}

static size_t pending(void *context)
{
    return source_pending(((struct pass *)context)->source);
}

static void finish(void *context)
{
    source_finish(((struct pass *)context)->source);
}

static bool is_done(void *context)
{
    return atomic_load(&((struct pass *)context)->n_running) == 0;
}

static bool is_stopping(void *context)
{
    struct pass *pass = context;
    const struct pass_pauses *pauses = pass->request->pauses;

    if (stop_is_requested() || (pauses != NULL && pass->comm->rank == 0 && pauses->is_due(pauses->context, false)))
        atomic_store(&pass->is_stopping, true);
    return atomic_load(&pass->is_stopping);
}

static void abandon(void *context)
{
    atomic_store(&((struct pass *)context)->is_stopping, true);
}

/* Of the blocks in hand the first. */
static void progress(void *context, uint64_t *n_done, uint64_t *n_held, uint64_t *block)
{
    struct pass *pass = context;

    *n_done = atomic_load(&pass->n_done);
    *n_held = pass->n_claimed - *n_done;
    *block = WATCH_NO_BLOCK;
    for (size_t i = 0; i < pass->request->n_threads; i++) {
        uint64_t at = atomic_load(&pass->threads[i].at);

        *block = at < *block ? at : *block;
    }
}

/* Rank 0 takes the other ranks to be as far with their blocks as it is with its own. */
static void tell(void *context, uint64_t claimed)
{
    struct pass *pass = context;
    uint64_t own = pass->n_claimed - pass->n_resumed, done = atomic_load(&pass->n_done) - pass->n_resumed;
    double blocks = progress_blocks(&pass->done, claimed, own == 0 ? 0 : (double)done / (double)own);

    progress_tell(&pass->progress, blocks * (double)pass->request->block_size - pass->progress.skipped);
}

/* Collective. */
static int create_first_engine(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    const struct pass_request *request = pass->request;

    threads[0].engine = request->is_serial
                            ? engine_create_serial(request->graph, request->block_size, err)
                            : node_share_engine(pass->comm, request->graph, request->block_size, &pass->weights, err);
    return comm_agree(pass->comm, threads[0].engine == NULL ? -1 : 0, err);
}

static int create_threads(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    const struct pass_request *request = pass->request;

    for (size_t i = 0; i < request->n_threads; i++) {
        threads[i].pass = pass;
        if (i > 0) /* the first one is there */
            threads[i].engine = request->is_serial
                                    ? engine_create_serial(request->graph, request->block_size, err)
                                    : engine_create(request->graph, request->block_size, threads[0].engine, err);
        if (threads[i].engine == NULL)
            return -1;
        threads[i].state = pass->worker->create(pass->worker->context, err);
        if (threads[i].state == NULL)
            return -1;
    }
    return 0;
}

static void destroy_threads(struct pass *pass, struct pass_thread *threads)
{
    for (size_t i = pass->request->n_threads; threads != NULL && i-- > 0;) /* what is shared is the first one's */
        if (threads[i].state != NULL)
            pass->worker->destroy(pass->worker->context, threads[i].state);
    for (size_t i = pass->request->n_threads; threads != NULL && i-- > 0;)
        engine_destroy(threads[i].engine);
    free(threads);
}

/* How many blocks this rank holds at once: each thread has one in hand, and beyond that one may be ready for each
 * engine. */
static int choose_depth(struct pass *pass, struct source_options *options, struct error *err)
{
    const struct pass_request *request = pass->request;
    size_t least = request->n_threads + request->n_decoders, block_bytes = source_block_bytes(options);

    options->depth = least + request->n_threads;
    if (request->prefetch_bytes > 0) {
        options->depth = request->prefetch_bytes / block_bytes < least ? 0 : request->prefetch_bytes / block_bytes;
        if (options->depth == 0)
            return error_set(err, EX_CONFIG,
                             "engine.prefetch: expected at least %zu blocks, one for each of %zu engine and %zu "
                             "decoding threads, found room for %" PRIu64 " of %zu bytes",
                             least, request->n_threads, request->n_decoders, request->prefetch_bytes / block_bytes,
                             block_bytes);
    }
    if (options->depth > pass->end + least) /* more than there are would only take memory */
        options->depth = pass->end + least;
    pass->depth = options->depth;
    log_debug("%s: at most %zu blocks of %zu bytes are held at once", request->what, options->depth, block_bytes);
    return 0;
}

static int start(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    const struct pass_request *request = pass->request;
    struct source_options options = {.dataset = request->dataset,
                                     .n_inputs = request->graph->n_inputs + request->n_extra,
                                     .block_size = request->block_size,
                                     .n_threads = request->n_decoders};

    memcpy(options.inputs, request->inputs, options.n_inputs * sizeof *options.inputs);
    if (choose_depth(pass, &options, err) != 0)
        return -1;
    atomic_store(&pass->is_stopping, false);
    pass->n_claimed = pass->n_resumed = atomic_load(&pass->n_done);
    pass->source = source_create(&options, err);
    if (pass->source == NULL)
        return -1;
    for (size_t i = 0; i < request->n_threads; i++) {
        atomic_store(&threads[i].at, WATCH_NO_BLOCK);
        atomic_fetch_add(&pass->n_running, 1);
        if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]) != 0) {
            atomic_fetch_sub(&pass->n_running, 1);
            return error_set(err, EX_OSERR, "cannot start engine thread %zu of %zu", i + 1, request->n_threads);
        }
        threads[i].is_started = true;
    }
    return 0;
}

static void add_source_times(struct pass *pass)
{
    struct feed_times times = source_times(pass->source);
    struct stages spent = {
        .read = times.read, .decode = times.decode, .preprocess = times.preprocess, .records_read = times.records};

    stages_add(&pass->result->stages, &spent);
}

/* Collective. Works until no block is left, a pause is due, a stop is requested, or something fails; then all threads
 * are at rest. */
static int run_until_pause(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    int rc = start(pass, threads, err);
    struct schedule_work work = {pass, push, pending, finish, is_done, is_stopping, abandon, progress, pass->depth};
    struct watch watch;

    /* A rank whose threads could not start must not leave the others waiting: agree before any block is handed out. */
    rc = comm_agree(pass->comm, rc, err);
    watch = watch_begin(pass->comm, pass->request->what, pass->request->stall_seconds);
    if (rc == 0)
        rc = schedule_run(pass->comm, block_set_first_missing(&pass->done), pass->end, &work, &watch, tell, pass, err);
    progress_end(&pass->progress);
    if (rc != 0 && pass->source != NULL) { /* threads may wait for blocks that will not come */
        atomic_store(&pass->is_stopping, true);
        source_finish(pass->source);
    }
    for (size_t i = 0; i < pass->request->n_threads; i++) {
        if (threads[i].is_started)
            pthread_join(threads[i].id, NULL);
        threads[i].is_started = false;
    }
    if (pass->source != NULL)
        add_source_times(pass);
    source_destroy(pass->source);
    pass->source = NULL;
    if (rc == 0 && pass->error.code != 0) {
        *err = pass->error;
        rc = -1;
    }
    if (rc == 0)
        rc = dataset_check_unchanged(pass->request->dataset, err);
    return comm_agree(pass->comm, rc, err);
}

/* Collective. pass->done becomes what all ranks have done; each block is counted exactly once, or this is no result. */
static int add_up_blocks(struct pass *pass, struct error *err)
{
    uint64_t n[2] = {block_set_count(&pass->here), 0};
    struct block_set all;
    int rc = comm_agree(pass->comm, block_set_init(&all, pass->done.n, err), err);

    if (rc == 0) {
        memcpy(all.words, pass->here.words, all.n_words * sizeof *all.words);
        comm_sum_uint64(pass->comm, all.words, all.n_words); /* disjoint bits: the sum is the union */
        comm_sum_uint64(pass->comm, n, 1);
        for (size_t i = 0; pass->request->begun != NULL && i < all.n_words; i++)
            all.words[i] |= pass->request->begun->done.words[i];
        n[0] += pass->request->begun == NULL ? 0 : block_set_count(&pass->request->begun->done);
        n[1] = block_set_count(&all);
        memcpy(pass->done.words, all.words, all.n_words * sizeof *all.words);
    }
    block_set_fini(&all);
    if (rc == 0 && n[0] != n[1])
        return error_set(err, EX_SOFTWARE, "%s: %" PRIu64 " blocks were done %" PRIu64 " times", pass->request->what,
                         n[1], n[0]);
    return rc;
}

/* What an earlier run had found of its records: rank 0 adds it to its own. */
static int take_begun(struct pass *pass, struct error *err)
{
    const struct pass_progress *begun = pass->request->begun;
    struct pass_result *result = pass->result;

    if (begun == NULL)
        return 0;
    memcpy(pass->done.words, begun->done.words, pass->done.n_words * sizeof *pass->done.words);
    if (pass->comm->rank > 0)
        return 0;
    memcpy(result->identities, begun->identities, result->n_records * sizeof *result->identities);
    result->bad = memory_create(begun->n_bad, sizeof *result->bad, "the list of bad records", err);
    if (result->bad == NULL)
        return -1;
    pass->bad_capacity = result->n_bad = begun->n_bad;
    if (begun->n_bad > 0)
        memcpy(result->bad, begun->bad, begun->n_bad * sizeof *result->bad);
    return 0;
}

static void **list_states(const struct pass *pass, const struct pass_thread *threads, struct error *err)
{
    void **states = memory_create(pass->request->n_threads, sizeof *states, "states", err);

    for (size_t i = 0; states != NULL && i < pass->request->n_threads; i++)
        states[i] = threads[i].state;
    return states;
}

/* Collective. Hands the threads' states and everybody's progress to the keeper. */
static int keep(struct pass *pass, const struct pass_thread *threads, struct error *err)
{
    const struct pass_pauses *pauses = pass->request->pauses;
    const struct pass_result *result = pass->result;
    struct pass_progress progress = {.done = pass->done, .end = pass->end, .n_records = result->n_records};
    void **states = list_states(pass, threads, err);
    int rc = states == NULL ? -1 : 0;

    progress.identities = memory_create(result->n_records, sizeof *progress.identities, "identities of records", err);
    rc = comm_agree(pass->comm, rc == 0 && progress.identities != NULL ? 0 : -1, err);
    if (rc == 0) {
        memcpy(progress.identities, result->identities, result->n_records * sizeof *progress.identities);
        pass_sum_identities(pass->comm, progress.identities, result->n_records);
        rc = pass_gather_bad(pass->comm, result, &progress.bad, &progress.n_bad, err);
    }
    if (rc == 0)
        rc = pauses->keep(pauses->context, states, pass->request->n_threads, &progress, err);
    free(progress.bad);
    free(progress.identities);
    free(states);
    return comm_agree(pass->comm, rc, err);
}

/* Collective. From pause to pause, to the end of the epoch or a stop. */
static int run_epoch(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    uint64_t n_done = block_set_count(&pass->done);
    int rc = 0;

    while (rc == 0 && n_done < pass->end) {
        int32_t is_stopping = 0, is_due = 0;

        rc = run_until_pause(pass, threads, err);
        if (rc == 0)
            rc = add_up_blocks(pass, err);
        if (rc != 0)
            break;
        n_done = block_set_count(&pass->done);
        is_stopping = stop_is_requested();
        if (pass->request->pauses != NULL && pass->comm->rank == 0)
            is_due = pass->request->pauses->is_due(pass->request->pauses->context, n_done == pass->end);
        comm_max_int32(pass->comm, &is_stopping, 1);
        comm_max_int32(pass->comm, &is_due, 1);
        if (pass->request->pauses != NULL && (is_stopping || is_due))
            rc = keep(pass, threads, err);
        if (rc == 0 && is_stopping)
            rc = error_set(err, EX_TEMPFAIL,
                           "%s: stopped on request after %" PRIu64 " of %" PRIu64 " blocks; run the same "
                           "command again",
                           pass->request->what, n_done, pass->done.n);
    }
    return rc;
}

/* Collective. */
static int find_next_epoch(struct pass *pass, const struct pass_thread *threads, struct error *err)
{
    const struct pass_epochs *epochs = pass->request->epochs;
    void **states = list_states(pass, threads, err);
    int rc = comm_agree(pass->comm, states == NULL ? -1 : 0, err);

    if (rc == 0)
        rc = comm_agree(pass->comm, epochs->next(epochs->context, states, pass->request->n_threads, &pass->end, err),
                        err);
    free(states);
    return rc;
}

/* Collective. Epoch after epoch, to the last block, a decision to end, or a stop. */
static int run_blocks(struct pass *pass, struct pass_thread *threads, struct error *err)
{
    uint64_t end = pass->done.n;
    int rc;

    pass->progress.skipped = (double)(block_set_count(&pass->done) * pass->request->block_size);
    pass->end = pass->request->epochs == NULL ? end : pass->request->epochs->end;
    do {
        end = pass->end;
        rc = run_epoch(pass, threads, err);
        if (rc == 0 && end < pass->done.n)
            rc = find_next_epoch(pass, threads, err);
    } while (rc == 0 && pass->end > end);
    pass->result->n_shown = pass->end * pass->request->block_size;
    if (pass->result->n_shown > pass->result->n_records)
        pass->result->n_shown = pass->result->n_records;
    return rc;
}

/* Collective. */
static void tell_stages(const struct comm *comm, const struct pass_request *request, struct pass_result *result)
{
    struct stages *s = &result->stages;
    char text[STAGES_TEXT_BYTES];

    result->idle = fmax(0, (double)request->n_threads * result->seconds - s->compute - s->observe);
    stages_sum(comm, s);
    if (s->compute <= 0) /* all was done by an earlier run */
        return;
    log_info("%s: %.1f s; all threads: read %.1f s, decode %.1f s, preprocess %.1f s, wait for data %.1f s, "
             "compute %.1f s, observe %.1f s",
             request->what, result->seconds, s->read, s->decode, s->preprocess, s->wait, s->compute, s->observe);
    log_info("%s: %s", request->what, stages_verdict(s, request->n_threads, request->n_decoders, text));
}

int pass_run(const struct comm *comm, const struct pass_request *request, const struct pass_worker *worker,
             struct pass_result *result, struct error *err)
{
    struct pass pass = {.comm = comm, .request = request, .worker = worker, .result = result};
    struct pass_thread *threads = pass.threads =
        memory_create(request->n_threads, sizeof *threads, "engine threads", err);
    uint64_t n_blocks;
    int rc = -1;

    *result = (struct pass_result){.n_records = dataset_count(request->dataset)};
    pass.progress = progress_begin(request->what, (double)result->n_records);
    n_blocks = (result->n_records + request->block_size - 1) / request->block_size;
    pthread_mutex_init(&pass.mutex, NULL);
    result->identities = memory_create(result->n_records, sizeof *result->identities, "identities of records", err);
    if (threads != NULL && result->identities != NULL && block_set_init(&pass.done, n_blocks, err) == 0 &&
        block_set_init(&pass.here, n_blocks, err) == 0 && take_begun(&pass, err) == 0)
        rc = 0;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = create_first_engine(&pass, threads, err);
    if (rc == 0)
        rc = comm_agree(comm, create_threads(&pass, threads, err), err);
    if (rc == 0)
        rc = run_blocks(&pass, threads, err);
    destroy_threads(&pass, threads);
    comm_shared_fini(&pass.weights);
    pthread_mutex_destroy(&pass.mutex);
    block_set_fini(&pass.done);
    block_set_fini(&pass.here);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = pass_share_records(comm, request, result, err);
    result->seconds = progress_seconds(&pass.progress);
    if (rc == 0)
        tell_stages(comm, request, result);
    return rc;
}
