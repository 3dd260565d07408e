/* checkpoint.h — what a calibration has measured so far, kept so that a run that was stopped or killed goes on.
 *
 * <output>/checkpoint/0.h5 and 1.h5 take turns: while one is written, the other is whole. Their content is integers and
 * a set of finished blocks; ranks, threads and schedules leave no trace, so any number of ranks may go on, with the
 * same results. A file that does not load is set aside as <name>.damaged.
 */
#ifndef ETALON_CHECKPOINT_H
#define ETALON_CHECKPOINT_H

#include "coordinator/run.h"
#include "worker/observe.h"

#include "coordinator/pass.h"

struct checkpoint;

/* Collective. Finds what an earlier run has kept of these statistics, unless `starts_anew`: then it is removed.
 * `output` is rank 0's, NULL elsewhere. NULL with EX_OSERR, EX_DATAERR. */
struct checkpoint *checkpoint_open(const struct comm *comm, const struct run_request *request,
                                   const struct graph *graph, const char *fingerprint, size_t channel_bins,
                                   uint64_t n_blocks, struct output *output, bool starts_anew, struct error *err);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is allowed */

/* What was kept of the pass; NULL: nothing. Observation and ranges are rank 0's, NULL elsewhere. All stay the
 * checkpoint's. */
const struct pass_progress *checkpoint_begun(const struct checkpoint *checkpoint);
const struct observation *checkpoint_observation(const struct checkpoint *checkpoint);
const struct ranges *checkpoint_ranges(const struct checkpoint *checkpoint);

/* Of two passes: was the second begun? Then the first is complete, and rank 0's observation (NULL elsewhere) changes
 * hands; the same on every rank. If not, checkpoint_end_first forgets what was kept of the first, once it is complete.
 */
bool checkpoint_is_second(const struct checkpoint *checkpoint);
struct observation *checkpoint_take_first(struct checkpoint *checkpoint);
void checkpoint_end_first(struct checkpoint *checkpoint);

/* Rank 0. Is it time? Every request->checkpoint_interval seconds, or, where that is 0, so often that keeping costs
 * little and a lost interval as little: sqrt(2 x cost x a day), a minute at least (Young 1974). At the end of the data
 * it is, when ten seconds would be lost. */
bool checkpoint_is_due(const struct checkpoint *checkpoint, bool is_at_end);
/* Rank 0. Adds the checkpoint's own observation to `measured`, which it may change, and writes both. A failure to write
 * is a warning: the earlier checkpoint is still there, and the next try has everything again. EX_OSERR. */
int checkpoint_write(struct checkpoint *checkpoint, struct observation *measured, const struct pass_progress *progress,
                     struct error *err);

/* The same in a second pass: `first` is whole; the checkpoint's own ranges are added to `counted`. */
void checkpoint_write_second(struct checkpoint *checkpoint, struct observation *first, struct ranges *counted,
                             const struct pass_progress *progress);

/* Rank 0, after the results are written: removes the files. */
int checkpoint_remove(struct output *output, struct error *err);

#endif
