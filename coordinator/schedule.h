/* schedule.h — which rank works on which blocks.
 *
 * Rank 0 hands out runs of consecutive blocks: a static first share, then a guided tail (half of an equal share of what
 * is left, at least one block), so few questions are asked and slow ranks do not hold up the end. Ranks claim ahead of
 * need. Which rank did a block leaves no trace in any result.
 */
#ifndef ETALON_SCHEDULE_H
#define ETALON_SCHEDULE_H

#include "coordinator/comm.h"
#include "coordinator/watch.h"

struct schedule_work { /* what a rank's workers offer to the scheduler; called by the main thread only */
    void *context;
    int (*push)(void *context, uint64_t first, uint64_t count, struct error *err); /* these blocks are yours */
    size_t (*pending)(void *context);                                              /* blocks pushed and not yet begun */
    void (*finish)(void *context);                                                 /* no more will come */
    bool (*is_done)(void *context);     /* all workers have stopped, by finishing or by failing */
    bool (*is_stopping)(void *context); /* a worker has failed, or the pass shall pause: claim no more */
    void (*abandon)(void *context);     /* another rank is stopping: end with the blocks in hand */
    /* For the watch: blocks that are done, that are claimed and not done yet, and one in hand (or WATCH_NO_BLOCK). */
    void (*progress)(void *context, uint64_t *n_done, uint64_t *n_held, uint64_t *block);
    size_t ahead; /* claim when fewer than this many blocks are pending */
};

/* Collective. Distributes blocks [first_block, n_blocks), returns when this rank's workers are done and (on rank 0)
 * every rank has been told that no block is left, and the rank that is watched has ended, too. Returns the local
 * verdict: callers follow with comm_agree. `progress` (may be NULL) is called on rank 0 about every 200 ms with the
 * number of blocks handed out. */
int schedule_run(const struct comm *comm, uint64_t first_block, uint64_t n_blocks, const struct schedule_work *work,
                 struct watch *watch, void (*progress)(void *context, uint64_t claimed), void *progress_context,
                 struct error *err);

#endif
