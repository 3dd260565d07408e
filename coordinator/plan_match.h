/* plan_match.h — shared by plan_match*.c.
 */
#ifndef ETALON_PLAN_MATCH_H
#define ETALON_PLAN_MATCH_H

#include "common/graph.h"

/* Completes of_own, in the order of own's nodes: two values are one where the same operator makes them of the same
 * values, and of constants of the same shapes, in the same shape. Of several alike the first that is not taken. Work
 * grows with the number of nodes times its logarithm. is_taken[other->n_values]. EX_OSERR. */
int plan_match_nodes(const struct graph *own, const struct graph *other, int *of_own, bool *is_taken,
                     struct error *err);

#endif
