/* checkpoint_files.h — the files of a checkpoint, written and read by all ranks that see the output folder.
 *
 * <output>/checkpoint/0.h5 and 1.h5 are two generations that take turns: while one is written, the other is whole.
 * Small statistics are in that file. Larger ones are cut by values into shards 0.<k>.h5, each reduced to one rank and
 * written by it, at the same time as the others'; the file of the generation is then their index, written last, by rank
 * 0: it has their digests, so shards without it, or of another moment, count for nothing. A rank holds its shard and
 * the one that is being reduced, however many there are. Any number of ranks reads them.
 */
#ifndef ETALON_CHECKPOINT_FILES_H
#define ETALON_CHECKPOINT_FILES_H

#include "coordinator/keep_checkpoint.h"

struct checkpoint_files {
    const struct comm *comm;
    struct keep_subject subject;
    struct output *output; /* rank 0's */
    struct output *way;    /* this rank's own into the same folder; NULL: it does not see it */
    size_t place;          /* among the ranks that see it; SIZE_MAX where it does not */
    size_t n_places;
    size_t next; /* the generation to write */
};

struct checkpoint_found {
    bool is_begun; /* else there is nothing, and the rest is empty */
    bool is_second;
    struct pass_progress progress; /* on every rank `done` and `end`, on rank 0 the rest */
    struct observation *share;     /* what this rank has read of the statistics, NULL: nothing. All shares add up, and
                                      each has parts where whole values are counted, even a share of no values */
};

/* Collective. `output` is rank 0's. To be closed in any case, before it. EX_IOERR, EX_OSERR. */
int checkpoint_files_open(const struct comm *comm, const struct keep_subject *subject, struct output *output,
                          struct checkpoint_files *files, struct error *err);
void checkpoint_files_close(struct checkpoint_files *files); /* may be called on {0} */

/* Collective. The generation that has come furthest of those that load; what does not load is set aside as
 * <name>.damaged. EX_DATAERR: none loads, or they are of another model, dataset or job: then the message says what
 * differs, unless `may_replace`: a warning, and they are removed. */
int checkpoint_files_load(struct checkpoint_files *files, bool may_replace, struct checkpoint_found *found,
                          struct error *err);

/* How many shards the statistics are cut into: no more than there are ranks that see the folder. */
size_t checkpoint_files_shards(const struct checkpoint_files *files);
/* Shard k of n is of values [*first, *last): maybe of none where one value is large, but the first is of one. */
void checkpoint_files_cut(const struct keep_subject *subject, size_t n, size_t k, size_t *first, size_t *last);

/* Collective. `share`: shard files->place of n, what all ranks have counted; NULL on ranks without one. `progress` is
 * the same on every rank. Every rank gets the verdict: after a failure the other generation is still there. */
int checkpoint_files_write(struct checkpoint_files *files, size_t n, const struct observation *share,
                           const struct pass_progress *progress, unsigned n_passes, struct error *err);

/* Rank 0. Removes all of them. */
int checkpoint_files_remove(struct output *output, struct error *err);

#endif
