/* measure.h — the statistics of every activation over a dataset, in one pass.
 */
#ifndef ETALON_MEASURE_H
#define ETALON_MEASURE_H

#include "coordinator/checkpoint.h"
#include "coordinator/pass.h"
#include "worker/observe.h"

/* Collective. channel_bins 0: per tensor only. *out is the merged observation, the same on every rank; owned by the
 * caller (observation_destroy). Goes on from `checkpoint`, and keeps it up to date; NULL: neither. As pass_run. */
int measure_run(const struct comm *comm, const struct pass_request *request, size_t bins, size_t channel_bins,
                struct checkpoint *checkpoint, struct observation **out, struct pass_result *records,
                struct error *err);

/* SHA-256 over the activations that a fixed made-up record causes in this process: machines of one run must agree. The
 * graph has one input. Local. */
int measure_probe(const struct graph *graph, size_t batch, char hex[65], struct error *err);

#endif
