/* watch.h — which rank makes no progress in a pass over data: a warning that names it, so that somebody can look.
 *
 * A rank that holds no block is not to blame: it waits for others, as all do for rank 0, which hands blocks out. So it
 * is named only if nothing is heard of it. Nobody is ended for being slow. Each rank tells the next one, in a ring, how
 * far it is, and is watched by it: no rank hears more where there are more of them, and rank 0 is watched like the
 * others. A process alone watches itself.
 */
#ifndef ETALON_WATCH_H
#define ETALON_WATCH_H

#include "coordinator/comm.h"

struct watch_word { /* what a rank tells: bytes, between processes of one program */
    uint64_t n_done;
    uint64_t n_held; /* blocks that are its own and not done */
    uint64_t block;  /* one that it is at; WATCH_NO_BLOCK: it waits for blocks or their records */
    uint64_t is_last;
    int64_t pid;
    char host[64];
};
#define WATCH_NO_BLOCK UINT64_MAX

struct watch {
    const struct comm *comm;
    const char *what; /* "calibration" */
    double limit;     /* seconds; 0: nobody is watched */
    struct watch_word own, other;
    /* Seconds of clock.h: when own was sent, other heard, other had done another block, or held none. */
    double told, heard, moved;
    double warned; /* for so many seconds without a block; 0: not */
};

/* The same limit on every rank. */
struct watch watch_begin(const struct comm *comm, const char *what, double limit);
/* To be called often, by the main thread; is_last: it has done all that it will do, and it stays so. Returns whether
 * the rank that is watched has ended, too: then nothing more is to be called. */
bool watch_tell(struct watch *watch, uint64_t n_done, uint64_t n_held, uint64_t block, bool is_last);

#endif
