/* refine.h — thresholds once more, by what the simulated network makes of them; kept where its outputs gain.
 *
 * A pass over the calibration set runs every plan beside fp32, and the trials of its groups (trial.h). Where a
 * candidate's error is less than that of the present threshold by a fiftieth, it is taken; then follows all that
 * follows thresholds: codes of weights, biases. The next pass, with the same records, shows the new plan's outputs.
 * Where their mean signal to noise has not risen, the plan before stays, and that target is done. So there is one pass
 * more than asked for, and no refined plan is worse than the first on these records. Every sum is exact: the same bits
 * for any number of ranks.
 */
#ifndef ETALON_REFINE_H
#define ETALON_REFINE_H

#include "coordinator/pass.h"
#include "coordinator/plan_decide.h"
#include "coordinator/sums_checkpoint.h"

struct refine_plan {
    struct plan *plan;                /* replaced by a better one; owned by the caller */
    const struct threshold_job *jobs; /* that decided it, borrowed */
    size_t n_jobs;
    unsigned n_kept;      /* how many passes have found a better plan */
    double before, after; /* dB, measure_trials_output_db of the first plan and of the last */
};

struct refine_request {
    struct pass_request pass;
    const struct threshold_method *method; /* the job's */
    unsigned passes;                       /* at least 1 */
    struct sums_checkpoint *checkpoint;    /* NULL: none */
    /* Collective. What follows thresholds in plans[0..n), and needs the data. */
    int (*finish)(void *context, struct plan *const *plans, size_t n, struct error *err);
    void *context;
};

/* Collective. plans[0..n), n at least 1, become the same on every rank. */
int refine_plans(const struct comm *comm, const struct refine_request *request, struct refine_plan *plans, size_t n,
                 struct error *err);

#endif
