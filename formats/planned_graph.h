/* planned_graph.h — the graph of a plan with what the plan decided in it, for the fp32 writers.
 *
 * Quantized nodes read constants of their own: as bias the plan's, even where the original has none, and, if codes are
 * asked for, the integers of bias and weights as floats. A writer may pad, transpose or reshape what it writes; it does
 * the same to codes, and an emitter takes them out of its layers again. All else is the original's.
 */
#ifndef ETALON_PLANNED_GRAPH_H
#define ETALON_PLANNED_GRAPH_H

#include "common/plan.h"

struct planned_graph {
    struct graph graph;  /* nodes and values in the original's order, further constants behind them; never destroyed */
    struct arena *arena; /* of what is not the original's */
};

/* Borrows from the plan. codes_of[n_nodes]: whose weights are codes, as all biases then are; NULL: no codes at all. (Of
 * a large network there is no room for codes as floats beside both the floats and the codes.) Codes of a bias beyond
 * 2^24 are refused: a float does not hold them (EX_UNAVAILABLE, naming the node). EX_OSERR. To be released with
 * planned_graph_fini even on failure. */
int planned_graph_init(struct planned_graph *planned, const struct plan *plan, const bool *codes_of, struct error *err);
void planned_graph_fini(struct planned_graph *planned);

#endif
