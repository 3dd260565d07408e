/* passes.h — rewriting a graph without changing what it computes. One file a pass in common/passes/.
 */
#ifndef ETALON_PASSES_H
#define ETALON_PASSES_H

#include "common/graph.h"

/* --- what a user asks for; before graph_normalise, after graph_fold_constants --- */

/* Nodes that the chip or the application does itself. All borrowed. */
struct edge_nodes {
    size_t n_names, n_types;
    const char *const *names; /* of nodes */
    const char *const *types; /* of edge_node_types */
};

/* "Quantize", "Dequantize", "Cast", "Transpose", "Reshape" (also flatten, squeeze, unsqueeze), "Softmax"; NULL. */
extern const char *const edge_node_types[];

/* Deletes the nodes named, and all of the types named, that stand at inputs or outputs of the graph: alone there,
 * identities aside. Again until none is left, in whatever order they were named. What a node read becomes the output,
 * what it computed the input, under its own name. Compacts: indices change. EX_CONFIG: a name that does not exist (with
 * the nearest), that is of no such type, or that is at no edge. */
int graph_delete_edge_nodes(struct graph *graph, const struct edge_nodes *request, struct error *err);

/* No pass will fold, fuse or rewrite nodes whose name matches one of `patterns` (with *, ? and [...]); identities go
 * all the same. EX_CONFIG: a pattern that matches no node. */
int graph_keep_nodes(struct graph *graph, const char *const *patterns, size_t n, struct error *err);

/* What a written model takes at once, as Horizon's input_batch, separate_batch and separate_name say it. */
struct batch_request {
    int64_t size;     /* records, 1 to 4096; 0: not fixed */
    bool is_separate; /* the one input becomes as many, of a record each */
    size_t n_separate;
    const char *const *separate; /* these inputs do, the others keep the batch */
};

/* Marks graph and inputs for writers; nothing else changes, the graph stays one of single records. EX_CONFIG: a size
 * out of range or too small to split, both ways of splitting, is_separate with several inputs, an unknown input. */
int graph_split_batch(struct graph *graph, const struct batch_request *request, struct error *err);

/* --- what is always done --- */

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
 * hard-swish, gelu, mish, PReLU and layer normalisation made of small operators are recognised; convolutions of slices
 * are one with groups; reshapes of reshapes are joined; an image that a DENSE flattens is not transposed before; zero
 * padding of images is in the windows where that is exact. All this but for nodes that are kept (graph_keep_nodes).
 * Graph outputs keep their names; a fused layer bears its activation's output. The errors of graph_validate when the
 * graph is not valid to begin with; EX_SOFTWARE, naming the pass, should one break it. */
int graph_normalise(struct graph *graph, struct error *err);

/* What one run of a pass did. Names are those of nodes, in execution order, borrowed from the graph; the lists are the
 * watcher's during the call. */
struct pass_changes {
    const struct pass *pass;
    size_t round; /* 1, 2, ...: all passes run in every round, the last of which changes nothing */
    size_t nodes_before, nodes_after;
    size_t n_gone, n_changed, n_added;
    const char *const *gone, *const *changed, *const *added; /* changed: attributes, inputs, weights, or output */
};

/* Called after every pass that changed something. A non-zero return ends it with *err. */
typedef int (*pass_watcher)(void *context, const struct pass_changes *changes, struct error *err);

/* graph_normalise, watched; `watch` may be NULL. */
int graph_normalise_watched(struct graph *graph, pass_watcher watch, void *context, struct error *err);

#endif
