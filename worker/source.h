/* source.h — blocks of preprocessed records, decoded ahead of the engines by threads.
 *
 * A block is a fixed run of consecutive records: block b holds records [b * size, min((b + 1) * size, count)). Blocks,
 * not ranks or threads, decide batch composition. Memory is fixed: `depth` blocks, whatever the dataset's length.
 */
#ifndef ETALON_SOURCE_H
#define ETALON_SOURCE_H

#include "worker/feed.h"

struct block {
    uint64_t index;   /* block number */
    size_t n_records; /* good ones: rows in use, at most the block size */
    const float
        *inputs[DATASET_MAX_INPUTS];        /* [block size][elements of the input] each, plain CHW; unused rows: zero */
    float *values;                          /* private: what `inputs` point into */
    int64_t *labels;                        /* [block size]; -1: none; of several inputs the first that has one */
    uint64_t *ordinals;                     /* [block size]: which record each row is */
    struct record_identity *identities;     /* [block size] of the rows */
    size_t n_bad;                           /* records of this block that could not be used */
    uint64_t *bad_ordinals;                 /* [block size] */
    struct record_identity *bad_identities; /* [block size] */
    char (*bad_reasons)[ERROR_TEXT_BYTES];  /* [block size] */
};

struct source_options {
    struct dataset *dataset; /* borrowed */
    size_t n_inputs;
    struct feed_input inputs[DATASET_MAX_INPUTS]; /* in the network's order */
    size_t block_size;
    size_t n_threads; /* decoding threads, at least 1 */
    size_t depth;     /* blocks held at once, at least n_threads + 1 */
};
/* Bytes of decoded records in one block, of which a source holds `depth`. SIZE_MAX: no fixed size, or more
 * than can be addressed. */
size_t source_block_bytes(const struct source_options *options);

struct source;
struct source *source_create(const struct source_options *options, struct error *err);
void source_destroy(struct source *source); /* stops and joins the threads; NULL is allowed */

/* Queues block numbers to decode, in this order. Thread safe. Never blocks (the queue of numbers is unbounded, 8 bytes
 * each; decoded blocks are bounded by depth). */
int source_request(struct source *source, const uint64_t *blocks, size_t n, struct error *err);
/* No more requests will come: after the queued ones source_take returns NULL. */
void source_finish(struct source *source);
/* Waits for a decoded block; NULL with err->code 0 at the end, NULL with an error when the dataset failed (EX_IOERR,
 * EX_NOINPUT; bad records are no failure, they are listed in the block). Thread safe. */
struct block *source_take(struct source *source, struct error *err);
void source_give_back(struct source *source, struct block *block);
/* What the decoding threads have spent their time on, all together, as of the blocks they have finished. Thread safe.
 */
struct feed_times source_times(struct source *source);
/* How many requested blocks nobody has taken yet: tells the scheduler when to claim more. */
size_t source_pending(struct source *source);

#endif
