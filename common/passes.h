/* passes.h — rewriting a graph without changing what it computes. One file a pass in common/passes/.
 */
#ifndef ETALON_PASSES_H
#define ETALON_PASSES_H

#include "common/graph.h"

struct pass {
    const char *name;                                   /* "fold_normalize" */
    const char *summary;                                /* one line */
    int (*run)(struct graph *graph, struct error *err); /* leaves graph_compact to the caller */
};

/* NULL-terminated, in the order in which graph_normalise runs them. */
extern const struct pass *const passes[];

/* Every pass, then graph_compact and graph_validate. Afterwards: no OP_IDENTITY; OP_NORMALIZE only where it could not
 * be folded into the CONV, DECONV or DENSE before it (single consumer) or after it (no padding); adds of constants
 * folded into biases; element-wise activations fused into the CONV, DECONV, DENSE or BINARY add whose only consumer
 * they are; x * sigmoid(x), hard-swish and gelu made of small operators recognised; reshapes of reshapes joined. */
int graph_normalise(struct graph *graph, struct error *err);

#endif
