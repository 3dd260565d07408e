/* plan_shift.h — scales of weights on chips that bring accumulators to the output's steps by a right shift alone. */
#ifndef ETALON_PLAN_SHIFT_H
#define ETALON_PLAN_SHIFT_H

#include "coordinator/plan_layer.h"

/* The step of an accumulator that the chip's shift can take to the output's: output scale / 2^n. n is the largest, up
 * to profile->largest_shift, at which the codes of weights up to `max_abs` stay below the limit and no more than 3 % of
 * the biases of the group (scale `i` of the layer) saturate. n is 0 where even that does not help: *saturates. */
float plan_shift_step(const struct plan *plan, const struct plan_layer *layer, size_t i, double max_abs,
                      bool *saturates);

#endif
