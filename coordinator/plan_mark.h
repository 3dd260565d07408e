/* plan_mark.h — which nodes and values of a graph become integers on a target; the first step of plan_decide.h.
 */
#ifndef ETALON_PLAN_MARK_H
#define ETALON_PLAN_MARK_H

#include "common/histogram.h"
#include "common/plan.h"

/* What a node does to codes on this target. */
enum node_role {
    ROLE_FLOAT,    /* nothing: it computes on real values */
    ROLE_COMPUTES, /* integers in, integers out, each value with its own scale */
    ROLE_SELECTS,  /* moves codes: every output value is one of the input values (or 0); one shared scale */
    ROLE_AVERAGES, /* averages codes without rescaling; one shared scale */
};

/* The role by operator and profile alone. */
enum node_role plan_node_role(const struct profile *profile, const struct node *node);

/* Fills is_quantized of plan->nodes and plan->values; `histograms` and `node_is_float` as in plan_decide.h. */
void plan_mark(struct plan *plan, const struct histogram *const *histograms, const bool *node_is_float);

/* decides[n_values], all false before: true for values whose order decides the arg-max of a graph output. */
void plan_mark_arg_max(const struct graph *graph, bool *decides);

/* is_per_channel[n_values]: the values with a scale per channel, after plan_mark. Those are images (rank 3 at least)
 * with statistics per channel that only CONV, ADD of equal shapes, CONCAT along the channels, POOL and selecting
 * activations touch; all but CONV need the same granularity on both sides. decides_arg_max: values that keep one scale
 * regardless.
 */
void plan_mark_channels(const struct plan *plan, const struct histogram *const *channel_histograms,
                        const bool *decides_arg_max, bool *is_per_channel);

/* hides[n_values], all false before: the values that may hide their zero point in biases (plan.h), after
 * plan_mark_channels. Layers with weights that end in a ReLU make them, layers without pads read them; reshapes and
 * average pools without pads hand them on, and tie their scales. Not graph outputs. None where the profile has no such.
 */
void plan_mark_hidden_zeros(const struct plan *plan, const struct histogram *const *histograms,
                            const bool *is_per_channel, bool *hides);

/* Is this a float32 value that changes with the input? */
bool plan_is_activation(const struct graph *graph, int value);

#endif
