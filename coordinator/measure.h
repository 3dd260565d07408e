/* measure.h — the statistics of every activation over a dataset, in one pass.
 */
#ifndef ETALON_MEASURE_H
#define ETALON_MEASURE_H

#include "coordinator/checkpoint.h"
#include "coordinator/pass.h"
#include "coordinator/thresholds.h"
#include "worker/observe.h"

struct measure_request {
    struct pass_request pass;
    size_t bins, channel_bins; /* channel_bins 0: per tensor only */
    unsigned collects;         /* kinds of extras */
    /* Where above 0, the pass ends with the first epoch (epochs.h) whose second half has moved no threshold of `method`
     * by more than that, relative to it. Whole values must be counted (observation_has_wholes). */
    double stop_when_stable;
    const struct threshold_method *method;
    double percentile;             /* for that method */
    struct checkpoint *checkpoint; /* to go on from, and to keep up to date; NULL: neither */
};

/* Collective. *out is the merged observation, with parts where whole values are counted, the same on every rank; owned
 * by the caller (observation_destroy). As pass_run. */
int measure_run(const struct comm *comm, const struct measure_request *request, struct observation **out,
                struct pass_result *records, struct error *err);

/* Collective. What a checkpoint of a second pass has of the first, now the same on every rank. */
int measure_resume(const struct comm *comm, const struct graph *graph, size_t bins, size_t channel_bins,
                   unsigned collects, struct checkpoint *checkpoint, struct observation **out, struct error *err);

/* SHA-256 over the activations that a fixed made-up record causes in this process: machines of one run must agree. The
 * graph has one input. Local. */
int measure_probe(const struct graph *graph, size_t batch, char hex[65], struct error *err);

#endif
