/* inputs.h — which input of a dataset feeds which input of the network, and through which preprocessing.
 */
#ifndef ETALON_INPUTS_H
#define ETALON_INPUTS_H

#include "common/graph.h"
#include "coordinator/run.h"
#include "worker/feed.h"

/* Fills inputs[0..graph->n_inputs), in the network's order. A plain dataset feeds the only input; the inputs of another
 * are found by their names. The plans are borrowed from the request. EX_CONFIG: an input that nobody feeds, or that the
 * network has not; preprocessing of one that is not there. */
int inputs_bind(const struct graph *graph, const struct dataset *dataset, const struct run_request *request,
                struct feed_input inputs[DATASET_MAX_INPUTS], struct error *err);

#endif
