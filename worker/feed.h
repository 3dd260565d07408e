/* feed.h — reads one record of a dataset into the inputs of the network, each preprocessed.
 */
#ifndef ETALON_FEED_H
#define ETALON_FEED_H

#include "common/preprocess_plan.h"
#include "formats/record.h"
#include "worker/class_map.h"

/* What one input of the network is fed with. */
struct feed_input {
    size_t part;                        /* which input of the dataset */
    const struct preprocess_plan *plan; /* borrowed */
    struct shape shape;                 /* of one record, without the batch dim */
    /* Borrowed. Not an input of the network, but a label picture: its numbers become classes, of a palette its indices
     * are the numbers. NULL: an input. */
    const struct class_map *classes;
};

/* What reading has taken. */
struct feed_times {
    double read, decode, preprocess; /* seconds */
    uint64_t records;                /* read; the same one as often as it was */
};

/* One thread's: cursor and scratch. */
struct feed;
/* inputs[0..n), 1 to DATASET_MAX_INPUTS of them in the network's order, are copied; the dataset is borrowed. EX_CONFIG:
 * a plan that cannot give the shape. */
struct feed *feed_create(struct dataset *dataset, const struct feed_input *inputs, size_t n, struct error *err);
void feed_destroy(struct feed *feed); /* NULL is allowed */

/* rows[input] gets the input's elements, plain CHW; on failure they hold anything. The label is that of the first input
 * that has one (-1: none has), the identity that of all together. EX_DATAERR: the record is bad, see dataset_read;
 * then, too, *identity is set. */
int feed_read(struct feed *feed, uint64_t ordinal, float *const *rows, int64_t *label, struct record_identity *identity,
              struct error *err);
/* What feed_read took, since feed_create. */
struct feed_times feed_times(const struct feed *feed);

#endif
