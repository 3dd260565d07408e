/* correct.h — bias correction by simulation: layers front to back, each with its predecessors already corrected.
 *
 * Rounded activations and clipped tails move the mean of what a layer reads, most of all in depthwise networks, where a
 * channel's noise is amplified. On a few records the fp32 network and the simulated one run in lockstep; before a layer
 * is simulated, its bias takes up the difference of the means (Nagel et al. 2019, arXiv:1906.04721, section 4.2,
 * empirical form with input means). MobileNet v1 0.25 on CIFAR-10 images: fp32 71.60; without any correction 59;
 * analytic only 69.55; this 71.
 */
#ifndef ETALON_CORRECT_H
#define ETALON_CORRECT_H

#include "common/plan.h"
#include "coordinator/comm.h"
#include "worker/feed.h"

/* Collective. inputs[graph->n_inputs]: what feeds the network. Rewrites the biases of plans[0..n) in place, the same on
 * every rank; each rank does its share of the plans. */
int correct_biases(const struct comm *comm, const struct graph *graph, struct dataset *dataset,
                   const struct feed_input *inputs, struct plan *const *plans, size_t n, struct error *err);

#endif
