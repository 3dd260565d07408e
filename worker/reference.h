/* reference.h — every operator of a normalised graph as plain loops over row-major arrays.
 *
 * The definition of what the operators mean: sums in double, one rounding at the end. The engine falls back on it where
 * the library has no kernel, the simulator computes float nodes with it, and tests hold both against it. Slow; records
 * are computed one by one, so a result never depends on the batch.
 */
#ifndef ETALON_REFERENCE_H
#define ETALON_REFERENCE_H

#include "common/graph.h"

bool reference_supports(enum op op);

/* inputs[i] belongs to node->inputs[i]: n_records x elements for an activation; for a constant its elements once, or
 * NULL to read them from the graph; absent inputs are skipped. output: n_records x elements of node->outputs[0],
 * overlapping no input; the fused activation is applied. EX_UNAVAILABLE when the operator has no kernel. */
int reference_run_node(const struct graph *graph, const struct node *node, size_t n_records, const float *const *inputs,
                       float *output, struct error *err);

/* The same as TNN's reference device computes it, bit for bit: CONV, DENSE, NORMALIZE and average pools in float32,
 * each product and each sum rounded, kernel rows outermost, then columns, then channels, the bias last; ADD, CONCAT,
 * max pools, ReLU and clips have one result anyway. Other operators are those of reference_run_node, and may differ
 * from TNN's in last bits. */
int reference_run_node_serial(const struct graph *graph, const struct node *node, size_t n_records,
                              const float *const *inputs, float *output, struct error *err);

#endif
