/* planned_graph.h — the graph of a plan with what the plan decided in it, for the fp32 writers.
 *
 * Quantized nodes read constants of their own: as bias the plan's, even where the original has none, and, if codes are
 * asked for, the integers of weights and bias as floats. A writer may pad, transpose or reshape what it writes; it does
 * the same to codes, and an emitter takes them out of its layers again. All else is the original's.
 */
#ifndef ETALON_PLANNED_GRAPH_H
#define ETALON_PLANNED_GRAPH_H

#include "common/plan.h"

struct planned_graph {
    struct graph graph;  /* nodes and values in the original's order, further constants behind them; never destroyed */
    struct arena *arena; /* of what is not the original's */
};

enum planned_constants { PLANNED_BIASES, PLANNED_CODES };

/* Borrows from the plan. Codes of a bias beyond 2^24 are refused: a float does not hold them (EX_UNAVAILABLE, naming
 * the node). EX_OSERR. To be released with planned_graph_fini even on failure. */
int planned_graph_init(struct planned_graph *planned, const struct plan *plan, enum planned_constants what,
                       struct error *err);
void planned_graph_fini(struct planned_graph *planned);

#endif
