/* equalize.h — cross-layer equalization of a run's network; see common/equalize.h. */
#ifndef ETALON_COORDINATOR_EQUALIZE_H
#define ETALON_COORDINATOR_EQUALIZE_H

#include "common/equalize.h"
#include "coordinator/comm.h"
#include "worker/feed.h"

/* Collective. What is best for this network, the same on every rank; the graph is not changed. Where layers clip, rank
 * 0 runs a sample of the records (sample.h) to see how far their channels reach. inputs[graph->n_inputs] feed the
 * network. keeps_biases as of equalization_search. *found: equalization_fini. */
int equalize_find(const struct comm *comm, const struct graph *graph, struct dataset *dataset,
                  const struct feed_input *inputs, bool keeps_biases, struct equalization *found, struct error *err);

#endif
