/* round_weights.h — codes of weights chosen by what they do to outputs, on a few fp32 records.
 *
 * The fp32 network runs once over the sample (sample.h); each layer's input gives second moments (input_moments.h), and
 * codes move by them (round_codes.h). What the network computes before the layer is that of fp32: codes that also try
 * to make up for what integers did there fitted the sample, not the evaluation set (a trial on MobileNet v1 0.25, 64
 * records: 15.2 dB at the output instead of 18.4).
 */
#ifndef ETALON_ROUND_WEIGHTS_H
#define ETALON_ROUND_WEIGHTS_H

#include "common/plan.h"
#include "coordinator/comm.h"
#include "worker/feed.h"
#include "worker/observe.h"

/* Collective. inputs[graph->n_inputs]: what feeds the network. Rewrites weight codes, and biases that are corrected, of
 * plans[0..n) in place, the same on every rank; each rank does its share of the layers. `statistics` has the means. */
int round_weights(const struct comm *comm, const struct observation *statistics, struct dataset *dataset,
                  const struct feed_input *inputs, bool corrects_bias, struct plan *const *plans, size_t n,
                  struct error *err);

#endif
