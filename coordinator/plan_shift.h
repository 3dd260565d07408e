/* plan_shift.h — scales of weights on chips that bring accumulators to the output's steps by a right shift alone. */
#ifndef ETALON_PLAN_SHIFT_H
#define ETALON_PLAN_SHIFT_H

#include "coordinator/plan_decide.h"
#include "coordinator/plan_layer.h"

/* The step of an accumulator that the chip's shift can take to the output's: output scale / 2^n. n is the largest, up
 * to profile->largest_shift, at which the codes of weights up to `max_abs` stay below the limit and no more than 3 % of
 * the biases of the group (scale `i` of the layer) saturate. n is 0 where even that does not help: *saturates. */
float plan_shift_step(const struct plan *plan, const struct plan_layer *layer, size_t i, double max_abs,
                      bool *saturates);

/* After plan_apply_thresholds, where the profile only shifts; else nothing. The largest code of a layer's weights is
 * anything from half the limit up, as the thresholds of input and output happen to be: up to a bit is lost. So in the
 * order of nodes, each output's threshold may move, within a factor of two, to where that code is the limit: if the
 * output's squared error, of its own codes and of the weights', is less there. Down only where the job's method
 * minimises squared errors and the value does not decide the arg-max. Such values' methods end in " +shift".
 * histograms [n_values] as of plan_threshold_jobs. EX_OSERR; EX_DATAERR naming a weight that is not finite. */
int plan_fit_shifts(struct plan *plan, const struct histogram *const *histograms, const struct threshold_job *jobs,
                    size_t n_jobs, struct error *err);

#endif
