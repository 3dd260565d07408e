/* plan_tool.h — what is decided otherwise where a plan follows TNN's own tool (profile->is_tool_exact), defects
 * included.
 *
 * Every blob has its own scale, from counts over its range (worker/ranges.h): nothing is grouped, logits are clipped
 * like all else, no guard. Weights are coded times those scales. Only then does what a ReLU or a max pool makes hand
 * its scale to what it reads; layers that have been coded by the old one stay as they are.
 */
#ifndef ETALON_PLAN_TOOL_H
#define ETALON_PLAN_TOOL_H

#include "coordinator/plan_decide.h"

/* Instead of plan_threshold_jobs, after plan_mark. EX_UNAVAILABLE: no ranges, or a method that the tool does not have.
 */
int plan_tool_jobs(struct plan *plan, const struct plan_choices *choices, const struct threshold_job **jobs,
                   size_t *n_jobs, struct error *err);
/* One job of those. */
void plan_tool_search(const struct threshold_job *job, struct threshold_result *result);

/* After plan_apply_weights. EX_OSERR. */
int plan_tool_merge_scales(struct plan *plan, struct error *err);

#endif
