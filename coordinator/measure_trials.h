/* measure_trials.h — a pass over the data with every plan simulated beside fp32, and its trials beside that.
 */
#ifndef ETALON_MEASURE_TRIALS_H
#define ETALON_MEASURE_TRIALS_H

#include "common/exact_sum.h"
#include "coordinator/pass.h"
#include "coordinator/sums_checkpoint.h"
#include "coordinator/trial.h"

/* How many sums a plan with these trials has. Squared errors against fp32, exact:
 *
 *   for each output of the graph: signal, noise of the plan
 *   for each trial, for each value it judges: signal, noise of the plan, noise of each candidate
 *
 * A block whose sum is no number counts 2^600. */
size_t measure_trials_count(const struct trials *trials);

/* Signal to noise of a plan's outputs in dB, their mean; `sums` begin with those of n_outputs. An output without any
 * signal tells nothing, and none counts more than 200 dB or less than -200: one that is always right would decide
 * alone. No output that tells: 0. The same bits everywhere, so that plans may be chosen by it. */
double measure_trials_output_db(const struct exact_sum *sums, size_t n_outputs);

static inline size_t measure_trials_row(const struct trial *trial)
{
    return 2 + trial->n_candidates;
}

/* Collective. trials[0..n), plan after plan, into sums[measure_trials_count of all], normalised, the same on every
 * rank. `checkpoint` may be NULL: nothing is kept. As pass_run. */
int measure_trials(const struct comm *comm, const struct pass_request *request, const struct trials *trials, size_t n,
                   struct sums_checkpoint *checkpoint, struct exact_sum *sums, size_t n_sums, struct error *err);

#endif
