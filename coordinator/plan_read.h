/* plan_read.h — the plan that a ready-made quantized model is: its scales, weight codes and biases, for one target.
 *
 * Emission backwards. Importers leave what a file says of codes with the values of the graph (struct coding); here it
 * becomes what the simulator executes, in the arithmetic of the target's profile.
 */
#ifndef ETALON_PLAN_READ_H
#define ETALON_PLAN_READ_H

#include "common/plan.h"

/* The plan of `graph`, whose keeps_codings was set before it was normalised; owned by the caller (plan_destroy).
 *
 * A layer with weights computes on integers where the profile does so, and the file has codes for what it reads, for
 * its weights, for its bias where the profile wants that in codes (one of zeros needs none), and for what it makes
 * where the profile keeps codes between nodes; other nodes where all their activations have codes. All else is float,
 * as the file says. NULL: EX_UNAVAILABLE naming the value or node whose codes this arithmetic does not have,
 * EX_DATAERR: codes that contradict the graph, or a model without any; EX_OSERR. */
struct plan *plan_read(const struct graph *graph, const struct profile *profile, struct error *err);

/* Zero points that hide in biases (plan.h) are in no file: what a layer of the network `own` cuts off at 0, and the
 * plan's own layer does not, saturates at the lowest code. Marks such values and what hands them on, and takes their
 * zero points out of the biases again; nothing where the profile hides none. of_own: plan_match_values. EX_DATAERR: a
 * bias that then needs more than 32 bits. */
int plan_read_hidden_zeros(struct plan *plan, const struct graph *own, const int *of_own, struct error *err);

/* of_own[own->n_values]: the value of `other` that is this one of `own`, by its name or its alias, or because the same
 * operator makes it of the same values, and of the same shape; GRAPH_NONE where there is none. Inputs are matched with
 * inputs and outputs with outputs, all of them and one to one, by name or else by their places: EX_DATAERR naming one
 * that does not correspond, or an output that `other` computes, but not as an output. */
int plan_match_values(const struct graph *own, const struct graph *other, int *of_own, struct error *err);

/* `plan`, of another graph, as far as it is about values and layers of `graph`: for reports, not for a simulator.
 * Everything but the lists is borrowed from `plan`. NULL: EX_OSERR. */
struct plan *plan_project(const struct plan *plan, const struct graph *graph, const int *of_own, struct error *err);

#endif
