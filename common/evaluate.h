/* evaluate.h — the small evaluator: computes one node on constants, for graph_fold_constants only.
 */
#ifndef ETALON_EVALUATE_H
#define ETALON_EVALUATE_H

#include "common/op_rules.h"

/* Whether the evaluator knows the operator. Convolutions of constants and the like are not shape arithmetic. */
bool op_can_evaluate(enum op op);

/* Computes `node`, whose inputs are constants (OP_SHAPE: have a shape), into *out, of the dtype and shape that op_infer
 * found. Data live in the graph's arena, or are the input's own where nothing moves. Numpy's semantics; integer
 * division cuts toward zero. EX_DATAERR (index outside, division by zero, too large), EX_UNAVAILABLE (dtype). */
int op_evaluate(struct graph *graph, const struct node *node, const struct inferred *as, struct tensor *out,
                struct error *err);

#endif
