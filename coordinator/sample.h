/* sample.h — a few records of the calibration set, for what needs to look at data before or after the pass over all.
 *
 * Evenly spaced, so that a set sorted by class is not represented by its first class; the same for any number of ranks.
 */
#ifndef ETALON_SAMPLE_H
#define ETALON_SAMPLE_H

#include "common/graph.h"
#include "worker/feed.h"

enum { SAMPLE_RECORDS = 64 }; /* one batch. Bias correction: 50 gave 71.05, 64 71.15, 200 71.15 (see correct.h) */

struct sample {
    float *inputs[DATASET_MAX_INPUTS]; /* [batch][elements] each; rows from n on are zeros */
    size_t elements[DATASET_MAX_INPUTS];
    size_t n_inputs, n;
    size_t batch; /* what engines and simulators must have: SAMPLE_RECORDS, or all records of a smaller set */
};

/* Local. inputs[graph->n_inputs]: what feeds the network. Bad records are left out: the pass over all records judges
 * them. *sample is {0}; sample_fini in any case. */
int sample_read(struct sample *sample, const struct graph *graph, struct dataset *dataset,
                const struct feed_input *inputs, struct error *err);
void sample_fini(struct sample *sample);

#endif
