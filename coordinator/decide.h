/* decide.h — from merged statistics to one target's plan, the work spread over ranks.
 */
#ifndef ETALON_DECIDE_H
#define ETALON_DECIDE_H

#include "common/plan.h"
#include "coordinator/plan_decide.h"
#include "coordinator/run.h"
#include "formats/archive.h"
#include "worker/observe.h"

/* Collective. *out is the same plan on every rank, owned by the caller (plan_destroy). `earlier` is what an archive of
 * the same fingerprint decided, which is then not searched again, or NULL; the same on every rank. */
int decide_plan(const struct comm *comm, const struct run_request *request, const struct target *target,
                const struct observation *observation, const struct archive_target *earlier, struct plan **out,
                struct error *err);

/* Local. The groups of values that share a scale, as decide_plan has them; *holder is what they live in
 * (plan_destroy), a plan of marks without decisions. They borrow from `observation`. */
int decide_list_jobs(const struct run_request *request, const struct target *target,
                     const struct observation *observation, struct plan **holder, const struct threshold_job **jobs,
                     size_t *n_jobs, struct error *err);

#endif
