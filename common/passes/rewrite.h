/* rewrite.h — the edits that passes are made of, with the list of uses of every value kept up to date.
 *
 * Who reads a value is asked at every step of every pass; without the lists each question would be a walk over the
 * graph. An edit counts up graph->revision, so graph_normalise knows when nothing moves any more. Graph outputs keep
 * their value, and so their name, but for rewrite_move_output: no other edit takes a producer away from one without
 * giving it another.
 */
#ifndef ETALON_REWRITE_H
#define ETALON_REWRITE_H

#include "common/graph_private.h"

struct use {
    int node, slot, next; /* current while the node is there and its input is still this value */
};

struct rewrite {
    struct graph *graph;
    /* private */
    int *first; /* [n_values] head of the list of uses */
    bool *is_output;
    struct use *uses;
    size_t first_capacity, is_output_capacity, n_uses, uses_capacity, n_values;
};

int rewrite_open(struct rewrite *rewrite, struct graph *graph, struct error *err);
void rewrite_close(struct rewrite *rewrite); /* may be called after a failed open */

/* Whether a pass may rewrite the node: it is there, and nobody wants it kept as it is. */
static inline bool rewrite_may_edit(const struct node *node)
{
    return !node->is_removed && !node->is_kept;
}

/* Whether the codes of a value are wanted as they are. */
static inline bool rewrite_keeps_codes(const struct graph *graph, int value)
{
    return graph->keeps_codings && graph->values[value].coding != NULL;
}

/* The node that computes `value` (GRAPH_NONE allowed), for passes that look for a pattern; NULL also where it is kept
 * as it is, or the value's codes are wanted. */
static inline const struct node *rewrite_producer(const struct graph *graph, int value)
{
    int producer = value == GRAPH_NONE ? GRAPH_NONE : graph->values[value].producer;

    return producer == GRAPH_NONE || graph->nodes[producer].is_kept || rewrite_keeps_codes(graph, value)
               ? NULL
               : &graph->nodes[producer];
}

/* The one node that reads `value`, or GRAPH_NONE: nobody, several, a graph output, or one whose codes are wanted. */
int rewrite_sole_consumer(struct rewrite *rewrite, int value);
/* The node that produces `value` for nobody but `consumer`, or GRAPH_NONE; also where it is kept as it is. */
int rewrite_own_producer(struct rewrite *rewrite, int value, int consumer);

/* Whether any node reads `value`. */
bool rewrite_is_read(struct rewrite *rewrite, int value);

/* Graph output `i` becomes `value`; where that is an output already, there is one less. */
void rewrite_move_output(struct rewrite *rewrite, size_t i, int value);

/* Input `slot` becomes `value`; the slot may be the first beyond the inputs (an absent bias). */
int rewrite_set_input(struct rewrite *rewrite, int node, size_t slot, int value, struct error *err);
/* The node becomes another operator on its first input (`value`), with zero attributes. */
struct node *rewrite_become(struct rewrite *rewrite, int node, enum op op, int value, struct error *err);

/* `producer` computes from now on what `node` did, under the name of node's output; `node` goes. Its output's only
 * consumer was `node`. */
void rewrite_absorb(struct rewrite *rewrite, int producer, int node);
/* The node computes nothing: its readers read its first input instead, which takes over a coding. An output that has no
 * other node to come from (an input of the graph passed through) keeps a reshape to the same shape; so does one with
 * codes of its own, where these are wanted and the input has others, or other readers. */
int rewrite_bypass(struct rewrite *rewrite, int node, struct error *err);

/* Data for a new float32 constant, zeroed. Then: it becomes input `slot` of `node`, in place of the old constant (and
 * under its name) where nobody else reads that, else as "<node>.<role>". */
float *rewrite_create_data(struct rewrite *rewrite, const struct shape *shape, struct error *err);
int rewrite_set_constant(struct rewrite *rewrite, int node, size_t slot, const struct shape *shape, const float *data,
                         const char *role, struct error *err);

/* The float32 data of constant input `slot`; NULL where it is absent or no constant. */
const float *rewrite_constant(const struct graph *graph, const struct node *node, size_t slot, struct shape *shape);

#endif
