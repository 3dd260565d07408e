/* keep_checkpoint.h — between a pass that is not over and its files: the statistics that all ranks have gathered in the
 * blocks that are done, before anything is derived from them.
 *
 * One file has it all, or an index has the records and the digests of shards, each with the statistics of some values.
 * What is in them does not depend on ranks. Not listed in the manifest. All calls are local.
 */
#ifndef ETALON_KEEP_CHECKPOINT_H
#define ETALON_KEEP_CHECKPOINT_H

#include "coordinator/run.h"
#include "formats/archive.h"
#include "worker/observe.h"

#include "coordinator/pass.h"

/* What is kept, the same for all ranks: another run's is of no use. */
struct keep_subject {
    const struct run_request *request;
    const struct graph *graph;
    size_t channel_bins; /* 0: per tensor only */
    unsigned collects;   /* kinds of extras (observe.h) */
    uint64_t n_records;
    /* Fingerprints in hex: of the statistics, and what these depend on. */
    const char *statistics, *measurement, *model, *probe;
};

uint64_t keep_subject_blocks(const struct keep_subject *subject);

/* All in one file. Errors as archive_write, in all three. */
int keep_write_whole(const struct keep_subject *subject, const struct observation *observation,
                     const struct pass_progress *progress, struct output *output, const char *name, struct error *err);
/* One of several files; fills *shard, which the index is to hold. */
int keep_write_shard(const struct keep_subject *subject, const struct observation *share,
                     const struct pass_progress *progress, struct output *output, const char *name,
                     struct archive_shard *shard, struct error *err);
/* The index, once all shards are written. n_passes: 2 where they hold counts of a second pass. */
int keep_write_index(const struct keep_subject *subject, const struct pass_progress *progress,
                     struct archive_shard *shards, size_t n_shards, unsigned n_passes, struct output *output,
                     const char *name, struct error *err);

enum { KEEP_DIFFERENCES_BYTES = 512 };
/* *is_there: the file exists. *archive is filled then (archive_fini); differences[0] is not 0 where it is not of this
 * subject: "the model, calibration.bins (4096, now 8192)". EX_DATAERR: it is damaged. */
int keep_read_checkpoint(const struct keep_subject *subject, const char *path, bool *is_there, struct archive *archive,
                         char differences[KEEP_DIFFERENCES_BYTES], struct error *err);
/* Does it hold counts of a second pass? */
bool keep_is_second(const struct archive *archive);
/* What a checkpoint of this subject has: *progress without its end, and, where it is a whole one, *out: with parts,
 * extras and ranges wherever the run counts them. EX_DATAERR: also where it lacks some of these. */
int keep_take_checkpoint(const struct keep_subject *subject, const char *path, const struct archive *archive,
                         struct observation **out, struct pass_progress *progress, struct error *err);

/* Room for values [first, last) as the run counts them: maybe none, but always with parts, extras and ranges, if any
 * value has them. The parts have no cut yet. EX_OSERR. */
struct observation *keep_create_share(const struct keep_subject *subject, size_t first, size_t last, bool is_second,
                                      struct error *err);
/* Values [first, last) from shard k are added to a share of these and maybe more, of keep_create_share. Of the parts,
 * numbers of records are in every shard, and taken from the first. EX_DATAERR: damaged, or not the one that the index
 * tells of, or lacks what the share has. */
int keep_read_shard(const struct keep_subject *subject, const char *path, const struct archive_shard *shards, size_t k,
                    size_t first, size_t last, struct observation *into, struct error *err);
/* The share has parts: `cut` becomes theirs. EX_DATAERR: shards that it has read are cut in another way. */
int keep_take_cut(struct observation *share, const struct observe_cut *cut, struct error *err);
/* The epoch that the statistics are of: blocks [0, *end). EX_DATAERR. */
int keep_find_epoch(const struct keep_subject *subject, const struct observation *observation, uint64_t *end,
                    struct error *err);

#endif
