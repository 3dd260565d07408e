/* pass.h — one pass over a dataset by all ranks: every block read, preprocessed, run in fp32, and shown to a worker.
 *
 * Which rank, which thread and in which order is decided at run time; a worker's results must therefore merge without
 * order. Statistics and evaluation are the two users.
 */
#ifndef ETALON_PASS_H
#define ETALON_PASS_H

#include "coordinator/comm.h"
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

struct pass_request {
    const struct graph *graph; /* of one input */
    struct dataset *dataset;
    const struct preprocess_plan *preprocess;
    size_t block_size, n_threads;
    uint64_t max_bad_records;
    const char *what; /* "calibration", for progress */
};

struct pass_result {
    uint64_t n_records, n_used;
    uint64_t *digests; /* [n_records], the same on every rank; 0 for bad ones */
    size_t n_bad;
    struct bad_record *bad;         /* by ordinal, the same on every rank */
    double seconds, engine_seconds; /* this rank; wall, and summed over its engine threads */
};

/* Collective. EX_DATAERR when more than max_bad_records records are bad, naming one of them. */
int pass_run(const struct comm *comm, const struct pass_request *request, const struct pass_worker *worker,
             struct pass_result *result, struct error *err);
void pass_result_fini(struct pass_result *result);

/* What one record looks like to the network: the shape of its only input without the batch dim. */
struct shape pass_record_shape(const struct graph *graph);

#endif
