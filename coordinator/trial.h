/* trial.h — other thresholds for a group of values, tried where they are felt.
 *
 * A scale is felt in what is computed from the values that have it. A trial runs the nodes that make values of a group
 * and those that read them once more for each candidate, on what the simulated network really gives them, and holds
 * what the readers make against fp32. So a threshold meets clipping and rounding as the target does them, the errors
 * that came before and the weights that come next, of all of which a histogram knows nothing.
 *
 * Candidates are the thresholds of the methods that the job's method chooses among (auto), else the present threshold
 * times a few factors, its zero point kept. Groups that a search has not decided are left alone: those of an override,
 * of the model's file, of the rule for logits, of codes of 16 bits, and scales of single channels.
 */
#ifndef ETALON_TRIAL_H
#define ETALON_TRIAL_H

#include "coordinator/plan_decide.h"

struct trial_candidate {
    struct threshold_result result;
    struct plan *plan; /* with that threshold; all else is borrowed from the plan that is tried */
};

struct trial {
    const struct threshold_job *job;
    bool *runs;      /* [n_nodes] nodes that read or make a value of the group */
    int first, last; /* of them */
    size_t n_judged;
    int *judged; /* values that the readers make, and outputs of the graph in the group */
    size_t n_candidates;
    struct trial_candidate *candidates; /* [n_candidates], all different */
};

/* All trials of one plan. */
struct trials {
    const struct plan *plan; /* borrowed */
    size_t n;
    struct trial *list;
};

/* Does the group hold this value? */
bool trial_holds(const struct trial *trial, int value);

/* One trial for each group of jobs[0..n_jobs), which are the plan's, that is open and has a candidate; `method` is the
 * job's. Jobs are borrowed. EX_OSERR; EX_DATAERR: a layer cannot be coded. */
int trials_init(struct trials *trials, const struct plan *plan, const struct threshold_job *jobs, size_t n_jobs,
                const struct threshold_method *method, struct error *err);
void trials_fini(struct trials *trials); /* may be called after a failure, and on {0} */

#endif
