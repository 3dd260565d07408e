/* inputs.h — which input of a dataset feeds which input of the network, and through which preprocessing.
 */
#ifndef ETALON_INPUTS_H
#define ETALON_INPUTS_H

#include "common/graph.h"
#include "coordinator/run.h"
#include "worker/feed.h"

/* Does a dataset of the request need the network's shapes to be opened? (Raw numbers do, unless the job has a shape.)
 */
bool inputs_need_shapes(const struct dataset_request *request);
/* Writes them where they are lacking: into *request, or, for several inputs, into copies in inputs[0..n_inputs). */
void inputs_give_shapes(const struct graph *graph, struct dataset_request *request,
                        struct dataset_input inputs[DATASET_MAX_INPUTS]);

/* The preprocessing of the network's input of that name; borrowed. */
const struct preprocess_plan *inputs_preprocess(const struct run_request *request, const char *name);

/* Fills inputs[0..graph->n_inputs), in the network's order. A plain dataset feeds the only input; the inputs of another
 * are found by their names. The plans are borrowed from the request. EX_CONFIG: an input that nobody feeds, or that the
 * network has not; preprocessing of one that is not there. */
int inputs_bind(const struct graph *graph, const struct dataset *dataset, const struct run_request *request,
                struct feed_input inputs[DATASET_MAX_INPUTS], struct error *err);

#endif
