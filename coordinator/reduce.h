/* reduce.h — partial statistics of all ranks become the statistics of the run. Only integers (and extrema) travel.
 */
#ifndef ETALON_REDUCE_H
#define ETALON_REDUCE_H

#include "coordinator/comm.h"
#include "worker/metrics/metric.h"
#include "worker/observe.h"

/* Collective. Afterwards every rank's observation holds the merged state: exponents by maximum, then every histogram
 * folded to it, then 64-bit sums: the same bits for any number of ranks. */
int reduce_observation(const struct comm *comm, struct observation *observation, struct error *err);
/* The same of parts alone. */
int reduce_parts(const struct comm *comm, struct observe_parts *parts, struct error *err);

/* Collective. errors[0..n): sums of exact accumulators and counters, larger errors and codes that occur anywhere, in
 * place, on every rank. EX_OSERR. */
int reduce_errors(const struct comm *comm, struct value_error *errors, size_t n, struct error *err);

/* Collective. The state of all metrics of one network, the sum on every rank. */
void reduce_metrics(const struct comm *comm, const struct metric_task *task, uint64_t *state);

/* Collective. All ranks get the sum. */
void reduce_ranges(const struct comm *comm, struct ranges *ranges);

#endif
