/* op_rules.h — the shape rules that the table in ops.c points to.
 *
 * A rule checks the node's attributes and its inputs' shapes and fills *out. The driver (op_infer) has checked arity,
 * that every present input has a shape, constness and dtypes, and has preset out->dtype with the first input's; it also
 * names the node in front of the rule's message.
 */
#ifndef ETALON_OP_RULES_H
#define ETALON_OP_RULES_H

#include "common/graph_private.h"

typedef int op_rule(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err);

/* NULL when the optional input is absent. */
static inline const struct value *node_input(const struct graph *graph, const struct node *node, size_t slot)
{
    return slot >= node->n_inputs || node->inputs[slot] == GRAPH_NONE ? NULL : &graph->values[node->inputs[slot]];
}

/* op_windows.c */
op_rule rule_conv, rule_deconv, rule_pool, rule_resize;
/* op_compute.c */
op_rule rule_dense, rule_matmul, rule_same, rule_prelu, rule_binary, rule_softmax, rule_normalize, rule_lrn,
    rule_reduce, rule_layer_norm, rule_hardmax;
/* op_layout.c: moving elements, and shape arithmetic */
op_rule rule_concat, rule_reshape, rule_transpose, rule_slice, rule_pad, rule_shape, rule_gather, rule_cast, rule_fill,
    rule_expand, rule_where;

/* A vector [n]: biases, scales. `what` names it in the message. */
int rule_check_vector(const struct value *vector, int64_t n, const char *what, struct error *err);

#endif
