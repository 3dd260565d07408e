/* replay.h — what an archive says was decided, in the place of searches: the same plan without their cost, and without
 * the data that some of them need. Local.
 *
 * The plan's own lists of searches (plan_decide.h) say what is needed; the archive's rows answer them by place. A row
 * that does not answer is EX_DATAERR: the model is not that of the archive. Codes that are none of the profile's any
 * more are EX_UNAVAILABLE: that target alone cannot be replayed.
 */
#ifndef ETALON_REPLAY_H
#define ETALON_REPLAY_H

#include "coordinator/plan_decide.h"
#include "formats/archive.h"
#include "worker/observe.h"

/* The archive's decisions by value of this graph. */
struct replay;

/* The observation tells which values the archive has rows for. `from` is borrowed. EX_OSERR. */
struct replay *replay_create(const struct archive_target *from, const struct observation *observation,
                             struct error *err);
void replay_destroy(struct replay *replay); /* NULL is allowed */

/* results: [n_jobs], as plan_threshold_search would have found them. */
int replay_thresholds(const struct replay *replay, const struct plan *plan, const struct threshold_job *jobs,
                      size_t n_jobs, struct threshold_result *results, struct error *err);
/* scales: [n_jobs], as plan_weight_search would have found them. */
int replay_weights(const struct replay *replay, const struct plan *plan, const struct weight_job *jobs, size_t n_jobs,
                   float *scales, struct error *err);
/* After plan_apply_weights: biases as they were corrected, and who decided what. */
int replay_finish(const struct replay *replay, struct plan *plan, struct error *err);

#endif
