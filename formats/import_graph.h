/* import_graph.h — what importers share while they write a graph: names that are free, nodes, and constants whose
 * memory stays in proportion to the file.
 */
#ifndef ETALON_IMPORT_GRAPH_H
#define ETALON_IMPORT_GRAPH_H

#include "common/graph.h"
#include "formats/element_type.h"

/* --- names --- */

/* `wanted`, or where a node has that name, "<wanted>_<n>". In the graph's arena; NULL: EX_OSERR. */
const char *import_node_name(struct graph *graph, const char *wanted, struct error *err);

/* The names that the file gives to values still to come; all false where `has` is NULL. */
struct import_names {
    bool (*has)(const void *file, const char *name);
    const void *file;
};
/* `wanted`, or where a value of the graph or of the file has that name, "<wanted>_<n>". NULL: EX_OSERR, also when
 * `wanted` is NULL: then err is set already. */
const char *import_value_name(struct graph *graph, const struct import_names *names, const char *wanted,
                              struct error *err);

/* --- nodes --- */

/* A few bytes of a file (one more input of a Sum, one more part of a Split) become a node of about a kilobyte: 64 MiB
 * of them, six times the nodes of the largest network we know. */
enum { IMPORT_MAX_NODES = 1 << 16 };

/* A node like `draft` (op, inputs, attr) and the one value it produces. */
struct import_node {
    const char *name, *source_type; /* `name` is made free */
    const char *value_name;         /* NULL: the graph makes one up */
    const struct node *draft;
    const struct shape *shape; /* of the value; NULL: by the operator's rule */
    enum dtype dtype;          /* casts and reshapes only */
};
/* Adds it, and folds it into a constant where it can be; gives the value, which has a shape, or -1. *is_located is set
 * where the message names the node already. EX_DATAERR, EX_UNAVAILABLE (too many nodes), EX_OSERR. */
int import_add_node(struct graph *graph, const struct import_node *node, bool *is_located, struct error *err);

/* What node `n` reads becomes codes of this coding. A value that is read in several codings keeps the first; of another
 * one there is a copy, made by a reshape to the same shape at the end of the nodes (graph_sort brings it to its place).
 * EX_DATAERR, EX_OSERR. */
int import_code_input(struct graph *graph, size_t n, const struct coding *coding, struct error *err);

/* An axis counted from the end when negative. EX_DATAERR outside [-rank, rank). */
int import_axis(int64_t axis, size_t rank, size_t *out, struct error *err);

/* --- attributes --- */

/* The position of a text of the file, which does not end in a zero byte, among NULL-terminated choices: what attribute
 * `name` says. EX_UNAVAILABLE: none of them. */
int import_choice(const char *name, const void *text, size_t length, const char *const *choices, int *out,
                  struct error *err);

/* --- constants that parameterize a node: its input `slot` --- */

/* EX_DATAERR when `value` is GRAPH_NONE, EX_UNAVAILABLE when it is computed at run time. */
int import_constant(const struct graph *graph, int value, size_t slot, struct tensor *out, struct error *err);
/* The elements of such a constant as a list of at most `max` integers. EX_DATAERR. */
int import_integers(const struct tensor *tensor, size_t slot, int64_t *out, size_t max, size_t *n, struct error *err);
/* As the one number it must be: `code` where there are more or none. EX_DATAERR: NaN. */
int import_number(const struct tensor *tensor, size_t slot, int code, float *out, struct error *err);

/* --- constants of the file --- */

/* dims[0..rank) as a shape. EX_UNAVAILABLE: more than TENSOR_MAX_RANK axes, of which dims then may hold fewer.
 * EX_DATAERR: negative, or more than TENSOR_MAX_ELEMENTS. */
int import_shape(const int64_t *dims, size_t rank, struct shape *out, struct error *err);

/* Memory that decoded constants take, and may take. */
struct import_budget {
    size_t used, limit; /* bytes; limit: proto_budget of the file and what it refers to */
};
/* Zeroed data for `n` elements, n <= TENSOR_MAX_ELEMENTS, in the graph's arena. NULL: EX_DATAERR over the budget,
 * EX_OSERR. */
void *import_create_data(struct graph *graph, struct import_budget *budget, size_t n, enum dtype dtype,
                         struct error *err);

#endif
