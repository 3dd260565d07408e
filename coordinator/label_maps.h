/* label_maps.h — the pictures that tell each pixel's class, as one more input of the evaluation set's records.
 *
 * A label picture belongs to the record of its name, like the other inputs of a data set; its own chain of
 * preprocessing brings it to the size of the network's output.
 */
#ifndef ETALON_LABEL_MAPS_H
#define ETALON_LABEL_MAPS_H

#include "common/graph.h"
#include "coordinator/run.h"
#include "worker/feed.h"
#include "worker/metrics/metric.h"

bool label_maps_are_given(const struct run_request *request);

/* The evaluation set with its label pictures behind its inputs; `inputs` is its room. EX_UNAVAILABLE: too many. */
int label_maps_join(const struct graph *graph, const struct run_request *request, struct dataset_request *joined,
                    struct dataset_input inputs[DATASET_MAX_INPUTS], struct error *err);

/* Is that the name of the label pictures among a data set's inputs? */
bool label_maps_is_input(const char *name);

/* What feeds them: *input and *classes, which it borrows. EX_CONFIG: a class that the network has not. */
int label_maps_bind(const struct dataset *dataset, const struct run_request *request, const struct metric_task *task,
                    struct feed_input *input, struct class_map *classes, struct error *err);

#endif
