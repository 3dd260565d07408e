/* checkpoint.h — what a calibration has measured so far, kept so that a run that was stopped or killed goes on.
 *
 * Its content is integers and a set of finished blocks; ranks, threads and schedules leave no trace, so any number of
 * ranks may go on, with the same results. Where and how: checkpoint_files.h.
 */
#ifndef ETALON_CHECKPOINT_H
#define ETALON_CHECKPOINT_H

#include "coordinator/keep_checkpoint.h"

struct checkpoint;

/* Collective. Finds what an earlier run has kept of this subject, unless the request starts anew: then it is removed.
 * `output` is rank 0's, NULL elsewhere. NULL with EX_OSERR, EX_IOERR; EX_DATAERR: nothing loads, or it is another
 * job's, and the request does not say that it may be replaced. */
struct checkpoint *checkpoint_open(const struct comm *comm, const struct keep_subject *subject, struct output *output,
                                   struct error *err);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is allowed; before `output` is closed */

/* What was kept of the pass; NULL: nothing. Observation and ranges are a share of it, NULL on ranks that have none: all
 * ranks' shares add up to it. All stay the checkpoint's. */
const struct pass_progress *checkpoint_begun(const struct checkpoint *checkpoint);
const struct observation *checkpoint_observation(const struct checkpoint *checkpoint);
const struct ranges *checkpoint_ranges(const struct checkpoint *checkpoint);

/* Of two passes: was the second begun? Then the first is complete, and its shares change hands; the same on every rank.
 * If not, checkpoint_end_first forgets what was kept of the first, once it is complete. */
bool checkpoint_is_second(const struct checkpoint *checkpoint);
struct observation *checkpoint_take_first(struct checkpoint *checkpoint);
void checkpoint_end_first(struct checkpoint *checkpoint);

/* Rank 0. Is it time? Every request->checkpoint_interval seconds, or, where that is 0, so often that keeping costs
 * little and a lost interval as little: sqrt(2 x cost x a day), a minute at least (Young 1974); and never more than a
 * fifth of the time is spent on it. At the end of the data it is, when ten seconds would be lost. */
bool checkpoint_is_due(const struct checkpoint *checkpoint, bool is_at_end);

/* Collective. What all ranks have counted of values [first, last), what had begun included, on every rank; the caller's
 * to destroy. NULL on all ranks after a failure. */
struct checkpoint_source {
    void *context;
    struct observation *(*gather)(void *context, size_t first, size_t last, struct error *err);
};
/* Collective. Share after share is gathered, and all are written. `progress` is the same on every rank. A failure to
 * write is a warning: the earlier checkpoint is still there, and the next try has everything again. -1: to gather. */
int checkpoint_write(struct checkpoint *checkpoint, const struct checkpoint_source *source,
                     const struct pass_progress *progress, struct error *err);

/* Rank 0, after the results are written: removes the files. */
int checkpoint_remove(struct output *output, struct error *err);

#endif
