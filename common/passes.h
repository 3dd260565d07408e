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

/* NULL-terminated, in the order in which graph_normalise runs them: the list in common/CMakeLists.txt. */
extern const struct pass *const passes[];

/* Every pass, again until none finds anything to do; compacts and validates after each. Afterwards: no OP_IDENTITY;
 * arithmetic with constants per channel is in a bias or in weights, or is an OP_NORMALIZE, which is there only where it
 * could not be folded into the CONV, DECONV or DENSE before it (single consumer) or after it (no padding); element-wise
 * activations are fused into the CONV, DECONV, DENSE or BINARY add whose only consumer they are; x * sigmoid(x),
 * hard-swish and gelu made of small operators are recognised; convolutions of slices are one with groups; reshapes of
 * reshapes are joined; zero padding of images is in the windows where that is exact. Graph outputs keep their names; a
 * fused layer bears its activation's output. The errors of graph_validate when the graph is not valid to begin with;
 * EX_SOFTWARE, naming the pass, should one break it. */
int graph_normalise(struct graph *graph, struct error *err);

#endif
