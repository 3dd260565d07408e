/* tf_write.h — a frozen GraphDef while it grows, and what the files of the exporter share.
 *
 * The first failure is kept and every later call does nothing, so that writing reads as a list of what is written.
 *
 * Layout: stock TensorFlow computes with channels last on a CPU. So a value of four axes has them in the file's order,
 * NHWC, and all other values as the graph has them. Where an operator needs the graph's own order, it is restored by a
 * Transpose, and made again after it.
 */
#ifndef ETALON_TF_WRITE_H
#define ETALON_TF_WRITE_H

#include "common/graph.h"

#include <tensorflow.pb-c.h>

enum { TF_FLOAT = 1, TF_INT32 = 3, TF_INT64 = 9 }; /* DataType */

struct tf_writer {
    const struct graph *graph;
    struct arena *arena;
    struct error err; /* code 0: nothing failed yet */
    Tensorflow__NodeDef **nodes;
    size_t n_nodes, capacity;
    void *names;        /* search tree of all names given */
    size_t n_made_up;   /* names made up so far */
    const char **value; /* [n_values] the node that gives a value in the file's layout; NULL: not written yet */
};

/* --- tf_write.c: nodes --- */

int tf_writer_init(struct tf_writer *w, const struct graph *graph, struct error *err);
void tf_writer_fini(struct tf_writer *w);
/* The file's bytes, to be freed with free(). -1: the first failure. */
int tf_writer_finish(struct tf_writer *w, uint8_t **bytes, size_t *size, struct error *err);
/* EX_UNAVAILABLE; export.c puts the node in front. */
void tf_cannot(struct tf_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A legal name that no other node has: `wanted` if possible. "" after a failure. */
const char *tf_unique_name(struct tf_writer *w, const char *wanted);
/* A name for something on the way to `base`. */
const char *tf_name_near(struct tf_writer *w, const char *base, const char *what);

/* A node; returns its name. `type`: attribute T of most operators is float. Inputs are names. The calls below add
 * attributes to the latest node. */
const char *tf_put(struct tf_writer *w, const char *op, const char *name, const char *const *inputs, size_t n);
void tf_put_type(struct tf_writer *w, const char *key, int32_t type);
void tf_put_int(struct tf_writer *w, const char *key, int64_t value);
void tf_put_ints(struct tf_writer *w, const char *key, const int64_t *values, size_t n);
void tf_put_float(struct tf_writer *w, const char *key, float value);
void tf_put_bool(struct tf_writer *w, const char *key, bool value);
void tf_put_text(struct tf_writer *w, const char *key, const char *value);
void tf_put_shape(struct tf_writer *w, const char *key, const struct shape *shape); /* axis 0 is open */

/* Constants near `base`. Data is copied. */
const char *tf_const_floats(struct tf_writer *w, const char *base, const struct shape *shape, const float *data);
const char *tf_const_scalar(struct tf_writer *w, const char *base, float value);
const char *tf_const_ints(struct tf_writer *w, const char *base, const int64_t *values, size_t n); /* int32, one axis */
const char *tf_const_pairs(struct tf_writer *w, const char *base, const int64_t *values, size_t n); /* int32 [n, 2] */
const char *tf_const_index(struct tf_writer *w, const char *base, int64_t value);                   /* int32, no axis */

#define TF_INPUTS(...)                                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/* One operator of float values with attribute T, near `base`. */
const char *tf_step(struct tf_writer *w, const char *op, const char *base, const char *const *inputs, size_t n);

/* --- tf_write_layout.c --- */

/* The file's axis of a graph's axis, for values of this rank. */
size_t tf_file_axis(size_t rank, size_t axis);
struct shape tf_file_shape(const struct shape *shape);
/* The node that gives a value in the file's layout; constants are written at first use. */
const char *tf_value(struct tf_writer *w, int value);
/* The same in the graph's own order of axes. */
const char *tf_plain(struct tf_writer *w, int value);
/* From the graph's own order to the file's. */
const char *tf_to_file(struct tf_writer *w, const char *plain, size_t rank, const char *base);
/* An operand of something with `rank` axes, broadcast like numpy: in the file's layout, of that rank if that is 4. */
const char *tf_operand(struct tf_writer *w, int value, size_t rank);

/* --- tf_write_*.c: one function an operator, returning the node that gives the output, in the file's layout --- */

typedef const char *tf_write_node(struct tf_writer *w, const struct node *node, const char *base);

tf_write_node tf_write_conv, tf_write_deconv, tf_write_dense, tf_write_matmul, tf_write_pool, tf_write_activation,
    tf_write_prelu, tf_write_binary, tf_write_concat, tf_write_softmax, tf_write_reshape, tf_write_transpose,
    tf_write_slice, tf_write_pad, tf_write_normalize, tf_write_lrn, tf_write_reduce, tf_write_resize, tf_write_identity,
    tf_write_gather;
/* Element-wise, on any layout. */
const char *tf_activate(struct tf_writer *w, struct activation activation, const char *x, const char *base);

#endif
