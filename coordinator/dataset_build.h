/* dataset_build.h — makes a database of Caffe Datum messages from a dataset, on all ranks, as Caffe's convert_imageset
 * does on one.
 *
 * Blocks of records go round: block b is read, resized and encoded by rank b mod n, and written in order by rank 0. So
 * the database is the same for any number of ranks, and each rank holds one block.
 */
#ifndef ETALON_DATASET_BUILD_H
#define ETALON_DATASET_BUILD_H

#include "coordinator/comm.h"
#include "worker/dataset_encode.h"

struct dataset_build_options {
    struct dataset_request source; /* kind "images": a folder with a list; others: tensors, another database ... */
    struct encode_options encode;
    const char *database; /* "lmdb" or "leveldb" */
    const char *output;   /* its folder; must not exist; appears when complete */
    bool is_shuffled;
    uint64_t seed;            /* of the shuffle: the same seed gives the same order everywhere */
    bool is_size_checked;     /* every record must have the first one's size */
    uint64_t max_bad_records; /* that may be left out, each with a warning; their numbers stay unused */
};

/* Collective. Logs one info line with the counts. EX_USAGE: options that exclude each other; EX_NOINPUT; EX_DATAERR:
 * more bad records than allowed (named), none at all, or more than 10^8 (keys would no longer be in order);
 * EX_CANTCREAT: output exists or cannot be created; EX_IOERR. On failure nothing is left behind. */
int dataset_build(const struct comm *comm, const struct dataset_build_options *options, struct error *err);

#endif
