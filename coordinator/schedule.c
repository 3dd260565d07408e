/* schedule.c — dynamic claims, served by rank 0's main thread; see schedule.h.
 *
 * Two-sided messages and polling with sleeps: blocking calls in Open MPI spin and take a core from the engines, and
 * one-sided counters do not progress between hosts (measured; the numbers are in the project's reliability notes).
 */
#include "coordinator/schedule.h"

#include "common/memory.h"

#include <stdlib.h>
#include <time.h>

enum {
    POLL_NS = 1000000, /* 1 ms: far below a block's time, and a thousandth of a core */
    PROGRESS_POLLS = 200,
};

/* The `first` of an answer that nobody asked for: stop. Its count is 0. */
static const uint64_t STOP = UINT64_MAX;

struct ledger { /* rank 0 only */
    uint64_t next, n_blocks;
    int ranks_working; /* other ranks that have not been told that no block is left */
    bool *is_told;     /* [ranks] */
    bool stop;         /* some rank is stopping: nothing more is handed out */
    bool is_spread;    /* and the others know */
};

static void nap(void)
{
    nanosleep(&(struct timespec){0, POLL_NS}, NULL);
}

/* The next run for one rank. The first half of the work goes in equal parts, the rest in ever smaller ones. */
static uint64_t cut_run(struct ledger *ledger, int ranks, uint64_t *first)
{
    uint64_t left = ledger->n_blocks - ledger->next, run = left / (2 * (uint64_t)ranks);

    if (ledger->stop || left == 0)
        return 0;
    if (run == 0)
        run = 1;
    *first = ledger->next;
    ledger->next += run;
    return run;
}

static void serve(struct ledger *ledger, int ranks)
{
    uint64_t first = 0, count;
    bool stops;
    int rank;

    while (comm_poll_ask(&rank, &stops)) {
        ledger->stop = ledger->stop || stops;
        count = cut_run(ledger, ranks, &first);
        if (count == 0) {
            ledger->ranks_working--;
            ledger->is_told[rank] = true;
        }
        comm_answer(rank, first, count);
    }
}

/* Tells every rank that still works to stop. Each will ask once more and be told that no block is left: messages
 * between two ranks keep their order, so none is left over. */
static void spread_stop(struct ledger *ledger, int ranks, const struct schedule_work *work)
{
    for (int rank = 1; rank < ranks; rank++)
        if (!ledger->is_told[rank])
            comm_answer(rank, STOP, 0);
    ledger->is_spread = true;
    work->abandon(work->context);
}

/* Tells and watches; returns whether nobody is to be watched any more. */
static bool tell_watch(const struct schedule_work *work, struct watch *watch, bool is_idle)
{
    uint64_t n_done, n_held, block;

    work->progress(work->context, &n_done, &n_held, &block);
    return watch_tell(watch, n_done, n_held, block, is_idle);
}

int schedule_run(const struct comm *comm, uint64_t first_block, uint64_t n_blocks, const struct schedule_work *work,
                 struct watch *watch, void (*progress)(void *context, uint64_t claimed), void *progress_context,
                 struct error *err)
{
    struct ledger ledger = {.next = first_block, .n_blocks = n_blocks, .ranks_working = comm->size - 1};
    bool is_asking = false, is_told = false; /* told: no more blocks for this rank */
    unsigned polls = 0;
    int rc;

    ledger.is_told = memory_create((size_t)comm->size, sizeof *ledger.is_told, "the list of ranks", err);
    rc = comm_agree(comm, ledger.is_told == NULL ? -1 : 0, err);
    if (rc != 0) {
        free(ledger.is_told);
        return rc;
    }
    for (;;) {
        bool is_idle = is_told && work->is_done(work->context);
        bool stops = rc != 0 || work->is_stopping(work->context);
        bool wants = !is_told && !is_asking && (stops || work->pending(work->context) < work->ahead);
        uint64_t first = 0, count = 0;
        bool is_answered = false;

        if (tell_watch(work, watch, is_idle) && is_idle && (comm->rank > 0 || ledger.ranks_working == 0))
            break;
        if (comm->rank == 0) {
            ledger.stop = ledger.stop || stops;
            serve(&ledger, comm->size);
            if (ledger.stop && !ledger.is_spread)
                spread_stop(&ledger, comm->size, work);
            if (wants) {
                count = cut_run(&ledger, comm->size, &first);
                is_answered = true;
            }
            if (progress != NULL && polls++ % PROGRESS_POLLS == 0)
                progress(progress_context, ledger.next);
        } else {
            if (wants) {
                comm_ask(stops);
                is_asking = true;
            }
            is_answered = comm_poll_answer(&first, &count);
            if (is_answered && count == 0 && first == STOP) {
                work->abandon(work->context);
                continue;
            }
        }
        if (is_answered) {
            is_asking = false;
            if (count == 0) {
                is_told = true;
                work->finish(work->context);
            } else if (work->push(work->context, first, count, err) != 0) {
                rc = -1;
            }
        } else {
            nap();
        }
    }
    free(ledger.is_told);
    return rc;
}
