/* tf_write.h — a frozen GraphDef while it grows, and what the files of the exporter share.
 *
 * The first failure is kept and every later call does nothing, so that writing reads as a list of what is written.
 *
 * Layout: stock TensorFlow computes with channels last on a CPU. So values of three and four axes come in two forms:
 * plain, with the axes as the graph has them, and with channels last. An operator's result has the form in which it
 * was computed; the other one is made by a Transpose when something first asks for it, and kept.
 */
#ifndef ETALON_TF_WRITE_H
#define ETALON_TF_WRITE_H

#include "common/graph.h"

#include <tensorflow.pb-c.h>

enum { TF_FLOAT = 1, TF_INT32 = 3, TF_INT16 = 5, TF_INT8 = 6, TF_INT64 = 9, TF_UINT64 = 23 }; /* DataType */

struct tf_writer {
    const struct graph *graph;          /* NULL after tf_writer_adopt */
    const float *const *biases;         /* [graph->n_nodes] instead of the graph's own; NULL, or NULL entries: those */
    const Tensorflow__GraphDef *origin; /* what tf_writer_adopt was given */
    struct arena *arena;
    struct error err; /* code 0: nothing failed yet */
    Tensorflow__NodeDef **nodes;
    size_t n_nodes, capacity;
    size_t *begin;       /* [graph->n_nodes + 1] the nodes that node n became: nodes[begin[n] .. begin[n + 1]) */
    void *names;         /* search tree of all names given */
    size_t n_made_up;    /* names made up so far */
    bool is_last;        /* form of the values of the node that is being written, where they have three or four axes */
    const char **wanted; /* [n_values] the name kept for a value; NULL once a node bears it */
    struct tf_forms {
        const char *plain, *last; /* the nodes that give a value; NULL: not written yet */
    } * forms;                    /* [n_values] */
};

/* --- tf_write.c: nodes --- */

/* Keeps the names of all values. */
int tf_writer_init(struct tf_writer *w, const struct graph *graph, struct error *err);
void tf_writer_fini(struct tf_writer *w);
/* Writes all of `graph` (export.c). `biases`: see above. EX_UNAVAILABLE naming the node that cannot be expressed. */
int tf_write_graph(struct tf_writer *w, const struct graph *graph, const float *const *biases, struct error *err);
/* The nodes of it that are its inputs and outputs. */
const char *tf_input_name(const struct tf_writer *w, size_t input);
const char *tf_output_name(const struct tf_writer *w, size_t output);
/* Begins with the nodes of a file that was read, which are borrowed: those that shall differ are replaced by copies. */
int tf_writer_adopt(struct tf_writer *w, const Tensorflow__GraphDef *file, struct error *err);
/* Names that no node bears are free again: what is added then does not depend on where the nodes came from. */
void tf_release_names(struct tf_writer *w);
/* The file as a message, for exporter_write_message; lives as long as the writer. NULL: the first failure. */
const ProtobufCMessage *tf_writer_finish(struct tf_writer *w, struct error *err);
/* EX_UNAVAILABLE; export.c puts the node in front. */
void tf_cannot(struct tf_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name kept for a value; once it is taken, another one near it. */
const char *tf_take_name(struct tf_writer *w, int value);
/* Takes a legal name; false when another node has it, or after a failure. */
bool tf_claim_name(struct tf_writer *w, const char *name);
/* A legal name for something on the way to `base`, that no other node has. "" after a failure. */
const char *tf_name_near(struct tf_writer *w, const char *base, const char *what);
/* Makes the node `y`, which nothing reads yet, bear the name kept for `value`: the latest node is renamed, an older one
 * gets an Identity. Returns the name. */
const char *tf_name_result(struct tf_writer *w, int value, const char *y);

/* A node; returns its name. `type`: attribute T of most operators is float. Inputs are names. The calls below add
 * attributes to the latest node. */
const char *tf_put(struct tf_writer *w, const char *op, const char *name, const char *const *inputs, size_t n);
/* A node as it is. */
void tf_put_node(struct tf_writer *w, Tensorflow__NodeDef *node);
void tf_put_type(struct tf_writer *w, const char *key, int32_t type);
void tf_put_int(struct tf_writer *w, const char *key, int64_t value);
void tf_put_ints(struct tf_writer *w, const char *key, const int64_t *values, size_t n);
void tf_put_float(struct tf_writer *w, const char *key, float value);
void tf_put_floats(struct tf_writer *w, const char *key, const float *values, size_t n);
void tf_put_bool(struct tf_writer *w, const char *key, bool value);
void tf_put_text(struct tf_writer *w, const char *key, const char *value);
/* The value that another node has, if it has one; shared. */
void tf_put_same(struct tf_writer *w, const char *key, const Tensorflow__NodeDef *node);
/* Axis 0 is open where the graph has a batch. */
void tf_put_shape(struct tf_writer *w, const char *key, const struct shape *shape);

/* A constant of any element type, of that very name; data is borrowed until tf_writer_fini. */
const char *tf_const_data(struct tf_writer *w, const char *name, int32_t type, const struct shape *shape,
                          const void *data, size_t bytes);
/* Constants near `base`. Floats are borrowed until tf_writer_fini, all else is copied. */
const char *tf_const_floats(struct tf_writer *w, const char *base, const struct shape *shape, const float *data);
/* The same under the name kept for a constant of the graph. */
const char *tf_const_value(struct tf_writer *w, int value, const struct shape *shape, const float *data);
const char *tf_const_scalar(struct tf_writer *w, const char *base, float value);
const char *tf_const_ints(struct tf_writer *w, const char *base, const int64_t *values, size_t n); /* int32, one axis */
const char *tf_const_pairs(struct tf_writer *w, const char *base, const int64_t *values, size_t n); /* int32 [n, 2] */
const char *tf_const_index(struct tf_writer *w, const char *base, int64_t value);                   /* int32, no axis */

#define TF_INPUTS(...)                                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/* One operator of float values with attribute T, near `base`. */
const char *tf_step(struct tf_writer *w, const char *op, const char *base, const char *const *inputs, size_t n);
/* The same, and where no other node has the name `base` this one gets it: for what the vendors call a layer. */
const char *tf_layer(struct tf_writer *w, const char *op, const char *base, const char *const *inputs, size_t n);
/* One with a list of integers as its second input, whose type is attribute `type_key`. */
const char *tf_step_ints(struct tf_writer *w, const char *op, const char *base, const char *x, const int64_t *values,
                         size_t n, const char *type_key);
/* To a shape whose axis 0 is open where the graph has a batch. */
const char *tf_step_reshape(struct tf_writer *w, const char *x, const struct shape *to, const char *base);
/* int32: the batch of node `x`, then `values`. */
const char *tf_batched_ints(struct tf_writer *w, const char *x, const int64_t *values, size_t n, const char *base);

/* --- tf_write_layout.c --- */

/* The axis and the shape in the form of the node that is being written. */
size_t tf_file_axis(const struct tf_writer *w, size_t rank, size_t axis);
struct shape tf_file_shape(const struct tf_writer *w, const struct shape *shape);
bool tf_has_channels_last(size_t rank);
/* The node that gives a value: in the form of the node that is being written, plain, or with channels last. */
const char *tf_value(struct tf_writer *w, int value);
const char *tf_plain(struct tf_writer *w, int value);
const char *tf_last(struct tf_writer *w, int value);
/* An operand of something with `rank` axes, broadcast like numpy. */
const char *tf_operand(struct tf_writer *w, int value, size_t rank);
/* Input 0 of a node as an image with channels last: what has three axes gets a height of 1. Refuses other ranks. And
 * the way back, for the result. */
const char *tf_as_image(struct tf_writer *w, const struct node *node, const char *base);
const char *tf_from_image(struct tf_writer *w, const struct node *node, const char *image, const char *base);
/* Rows and columns of such a value; of three axes, 1 and the length. */
void tf_image_size(const struct shape *shape, int64_t size[2]);

/* --- tf_write_*.c: one function an operator, returning the node that gives the output. It has the form w->is_last,
 * which a function may change --- */

typedef const char *tf_write_node(struct tf_writer *w, const struct node *node, const char *base);

tf_write_node tf_write_conv, tf_write_deconv, tf_write_dense, tf_write_matmul, tf_write_pool, tf_write_activation,
    tf_write_prelu, tf_write_binary, tf_write_concat, tf_write_softmax, tf_write_reshape, tf_write_transpose,
    tf_write_slice, tf_write_pad, tf_write_normalize, tf_write_lrn, tf_write_reduce, tf_write_resize, tf_write_identity,
    tf_write_gather, tf_write_layer_norm;
/* Element-wise, in either form. */
const char *tf_activate(struct tf_writer *w, struct activation activation, const char *x, const char *base);
/* Picks `indices` along an axis of a node's value. */
const char *tf_pick(struct tf_writer *w, const char *x, const int64_t *indices, size_t n, size_t file_axis,
                    const char *base);
/* Around an image: rows and columns of `value`. */
const char *tf_frame(struct tf_writer *w, const char *x, const int64_t begin[2], const int64_t end[2], float value,
                     const char *base);
/* "SAME" where TensorFlow's own padding of an image of `in` rows and columns is that of `window`, whose result has
 * `out`; "VALID" where there is none; else NULL. */
const char *tf_padding(const struct window *window, const int64_t in[2], const int64_t out[2]);

#endif
