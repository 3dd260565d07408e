/* pass.h — one pass over a dataset by all ranks: every block read, preprocessed, run in fp32, and shown to a worker.
 *
 * Which rank, which thread and in which order is decided at run time; a worker's results must therefore merge without
 * order. Statistics and evaluation are the two users.
 */
#ifndef ETALON_PASS_H
#define ETALON_PASS_H

#include "coordinator/block_set.h"
#include "coordinator/comm.h"
#include "coordinator/stages.h"
#include "worker/engine.h"
#include "worker/source.h"

struct pass_worker { /* what one engine thread does; all calls from that thread except destroy and create */
    void *context;   /* handed to create */
    void *(*create)(void *context, struct error *err); /* one state per thread */
    void (*destroy)(void *context, void *state);       /* main thread; after a good pass: merge, then free */
    /* Runs one block with `engine`. */
    int (*run)(void *state, struct engine *engine, const struct block *block, struct error *err);
};

struct bad_record {
    uint64_t ordinal;
    char reason[256];
};

/* What is done of a pass, by all ranks together. */
struct pass_progress {
    struct block_set done;
    uint64_t end; /* of the epoch: blocks beyond are not done */
    uint64_t n_records;
    struct record_identity *identities; /* [n_records], of records in blocks that are done; else 0 */
    size_t n_bad;
    struct bad_record *bad;
};
void pass_progress_fini(struct pass_progress *progress); /* may be called on {0} and twice */

/* A pass may pause between blocks, so that what it has measured can be kept. */
struct pass_pauses {
    void *context;
    /* Rank 0, main thread, a thousand times a second: pause now? Or, once all blocks are done: keep that? */
    bool (*is_due)(void *context, bool is_at_end);
    /* Collective, all engine threads at rest: keeps the states of this rank's n threads, and `progress`, the same on
     * every rank, which a later run of the pass begins with. A failure ends the pass. */
    int (*keep)(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err);
};

/* A pass may end early, after the blocks of an epoch: no block beyond is handed out before this one has been decided
 * about. */
struct pass_epochs {
    void *context;
    uint64_t end; /* of the epoch that this run begins in: blocks [0, end) */
    /* Collective, all engine threads at rest, all blocks below *end done, and there are more: sets *end to the end of
     * the next epoch, or leaves it, and the pass is over. */
    int (*next)(void *context, void *const *states, size_t n, uint64_t *end, struct error *err);
};

struct pass_request {
    const struct graph *graph;
    struct dataset *dataset;
    const struct feed_input *inputs; /* [graph->n_inputs + n_extra] */
    size_t n_extra;                  /* inputs behind the network's, for the worker alone */
    size_t block_size;
    bool is_serial;               /* engine_create_serial */
    size_t n_threads, n_decoders; /* of engines and of decoding, on this rank */
    uint64_t prefetch_bytes;      /* of decoded blocks on this rank; 0: two blocks an engine thread, one a decoder */
    uint64_t max_bad_records;
    double stall_seconds; /* a rank that finishes no block for so long is named in a warning; 0: none */
    const char *what;     /* "calibration", for progress */
    /* All may be NULL. `begun`: what an earlier run has done already, on every rank `done` and `end`, on rank 0 the
     * rest.
     */
    const struct pass_pauses *pauses;
    const struct pass_epochs *epochs; /* NULL: one, to the last block */
    const struct pass_progress *begun;
};

struct pass_result {
    uint64_t n_records, n_used;
    uint64_t n_shown; /* the first so many records were run, or bad; the others were beyond the last epoch */
    struct record_identity *identities; /* [n_records], the same on every rank, bad ones' too; 0 for those beyond */
    size_t n_bad;
    struct bad_record *bad; /* by ordinal, the same on every rank */
    double seconds;         /* of this rank, by the clock on the wall */
    double idle;            /* of this rank's engine threads: seconds of the pass in which they had no block */
    struct stages stages;   /* of all ranks' threads together */
};

/* Collective. Logs where the time went. EX_CONFIG: prefetch_bytes is less than one block for each thread. EX_DATAERR
 * when more than max_bad_records records are bad, naming one of them; EX_TEMPFAIL when a stop was requested (stop.h):
 * the blocks in hand were finished, and where there are pauses, kept. */
int pass_run(const struct comm *comm, const struct pass_request *request, const struct pass_worker *worker,
             struct pass_result *result, struct error *err);
void pass_result_fini(struct pass_result *result);

/* EX_DATAERR: more than max_bad_records are bad; the message names the first. */
int pass_check_bad(const struct pass_result *result, uint64_t max_bad_records, struct error *err);

#endif
