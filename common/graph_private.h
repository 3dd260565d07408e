/* graph_private.h — what the files of the graph share with each other, and with nobody else.
 */
#ifndef ETALON_GRAPH_PRIVATE_H
#define ETALON_GRAPH_PRIVATE_H

#include "common/graph.h"

enum {
    /* Beyond it a window's arithmetic could overflow int64: (2^31)^2 + 2^33 does not. */
    GRAPH_MAX_EXTENT = 0x7fffffff,
};

/* What an operator's rule says about its output. */
struct inferred {
    enum dtype dtype;
    struct shape shape;
};

/* Checks number, presence, dtypes and constness of one node's inputs, and that they have shapes. EX_DATAERR,
 * EX_UNAVAILABLE; the message starts with the node. */
int op_check(const struct graph *graph, const struct node *node, struct error *err);
/* op_check, then the attributes and shapes by the operator's rule, which fills *out. */
int op_infer(const struct graph *graph, const struct node *node, struct inferred *out, struct error *err);
/* op_infer, then compares with what is declared for the output, and writes it there. */
int op_infer_output(struct graph *graph, int node, struct error *err);

bool op_is_shape_arithmetic(enum op op);
bool op_may_fuse_activation(enum op op);

/* Prepends 'node "conv1" (Convolution)'; returns -1. */
int node_error_in(const struct node *node, struct error *err);

/* Trees of names, on tsearch(3): no hostile set of names makes them slow, and nothing depends on their order. */
struct name_entry {
    const char *name; /* borrowed from the value or node */
    int index;
};
/* NULL when absent. */
struct name_entry *names_find(void *const *tree, const char *name);
void names_remove(void **tree, const char *name);
/* A name that the tree lacks. EX_OSERR. */
int names_add(struct graph *graph, void **tree, const char *name, int index, struct error *err);

/* Makes value `index` a constant: its producer no longer counts. */
void graph_set_constant(struct graph *graph, int index, const struct tensor *tensor);

/* Zeroed memory for a derived constant, charged to the graph's budget; NULL with EX_DATAERR or EX_OSERR. */
void *graph_create_data(struct graph *graph, enum dtype dtype, const struct shape *shape, struct error *err);

#endif
