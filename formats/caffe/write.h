/* write.h — a graph as a Caffe network: what the files of the writer share; emitters that add to what it puts use it
 * too.
 *
 * The walk: write_net.c names blobs, puts an Input layer for each input, and takes the nodes in order; for each it
 * finds the operator's function below (write_*.c), which puts one layer, or a few where Caffe has no single one. The
 * result is one message; net_files.h makes both files of it. Layers are those of BVLC's Caffe, and Permute of its SSD
 * branch; fields that are at their default are not set.
 *
 * The first failure is kept, and what follows it puts nothing: functions that return pointers then return NULL.
 */
#ifndef ETALON_CAFFE_WRITE_H
#define ETALON_CAFFE_WRITE_H

#include "common/graph.h"

#include <caffe.pb-c.h>

struct caffe_writer {
    const struct graph *graph;   /* borrowed; weights in `net` point into it */
    struct arena *arena;         /* messages, names, restated weights */
    struct error err;            /* code 0: nothing failed yet */
    Caffe__NetParameter net;     /* layers with their blobs */
    const struct node **sources; /* [net.n_layer] what each layer was put for; NULL: an input, or a copy of an output */
    size_t capacity, sources_capacity;
    const char **blobs;      /* [n_values] what layers call a value */
    bool *is_put;            /* [n_nodes] in a layer that it shares with a node before it */
    const char *lost_filter; /* of a resize, in whose place a Data layer has another (opencv_linear); NULL: none */
    size_t budget_numbers;   /* that may still be restated: see caffe_put_floats */

    /* The node being written. */
    const struct node *node;
    struct shape x;   /* of its first input; for windows over one axis, as an image of one row */
    const char *from; /* the blob of its first input */
    const char *to;   /* the blob that it makes, before its fused activation */
};

/* --- write_net.c --- */

/* Fills writer->net. EX_UNAVAILABLE naming a node that Caffe cannot express. `writer` starts zeroed and is released
 * with caffe_writer_fini even on failure. */
int caffe_write_net(struct caffe_writer *writer, const struct graph *graph, struct error *err);
void caffe_writer_fini(struct caffe_writer *writer);

/* --- write.c: layers, one at a time --- */

/* Fails with EX_UNAVAILABLE: node "<name>" (<type>): <message>. */
void caffe_cannot(struct caffe_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "<base>/<what>", unlike every name of the graph; "" after a failure. */
const char *caffe_fresh_name(struct caffe_writer *w, const char *base, const char *what);
/* The same for a layer or blob between those of the node. */
const char *caffe_inner_name(struct caffe_writer *w, const char *what);
const struct shape *caffe_shape_of(const struct caffe_writer *w, int value);

/* A layer; names are borrowed. Parameters and blobs are for the caller to fill in. */
Caffe__LayerParameter *caffe_put_layer(struct caffe_writer *w, const char *type, const char *name,
                                       const char *const *bottoms, size_t n_bottoms, const char *const *tops,
                                       size_t n_tops);
/* One bottom, one top. A layer that works element by element may have the same for both. */
Caffe__LayerParameter *caffe_put_simple(struct caffe_writer *w, const char *type, const char *name, const char *from,
                                        const char *to);
/* A message of parameters in its initial state; NULL after any failure, so that it is the last pointer to check. */
void *caffe_put_message(struct caffe_writer *w, const ProtobufCMessageDescriptor *type);
/* Weights, borrowed; in the order of the layer's blobs, at most MAX_BLOBS. */
void caffe_put_blob(struct caffe_writer *w, Caffe__LayerParameter *layer, const struct shape *shape, const float *data);
void caffe_put_constant(struct caffe_writer *w, Caffe__LayerParameter *layer, int value);
/* Zeroed numbers that live as long as the writer. All of them together may take 64 MiB plus 64 times the graph's own
 * constants (EX_UNAVAILABLE beyond): a small file cannot make us write a large one. n is below 2^31. */
float *caffe_put_floats(struct caffe_writer *w, size_t n);
uint32_t *caffe_put_integers(struct caffe_writer *w, const int64_t *items, size_t n);

/* Layers of one node, one after the other: the last one bears its name and makes its blob, the others what is inside.
 */
struct caffe_chain {
    const char *at; /* the blob so far */
    size_t n_left;
};

struct caffe_link {
    const char *name, *from, *to;
};

struct caffe_link caffe_next_link(struct caffe_writer *w, struct caffe_chain *chain, const char *what);

/* --- layers that several operators need --- */

/* y = (shift + scale x)^power, in place where from == to. */
void caffe_put_power(struct caffe_writer *w, const char *name, const char *from, const char *to, float power,
                     float scale, float shift);
/* The blob in another shape of as many elements; the batch stays open. */
void caffe_put_reshape(struct caffe_writer *w, const char *name, const char *from, const char *to,
                       const struct shape *x, const struct shape *y);
void caffe_put_permute(struct caffe_writer *w, const char *name, const char *from, const char *to, const int64_t *order,
                       size_t n);
/* `n` channels of an image, the first of which is `begin`, and so on by `step`. */
void caffe_put_selection(struct caffe_writer *w, struct caffe_link link, int64_t channels, int64_t begin, int64_t step,
                         int64_t n);
/* Every stride[0]-th row and stride[1]-th column of an image, from the first on. */
void caffe_put_subsample(struct caffe_writer *w, struct caffe_link link, int64_t channels, const int64_t stride[2]);
void caffe_put_concat(struct caffe_writer *w, const char *name, const char *const *bottoms, size_t n, const char *to,
                      int64_t axis);
/* Parts of an axis of `extent` elements: n of them, in their order, at least one; less than all of it. */
struct caffe_part {
    int64_t begin, end;
    const char *to;
};
void caffe_put_parts(struct caffe_writer *w, const char *name, const char *from, size_t axis, int64_t extent,
                     const struct caffe_part *parts, size_t n);
/* A maximum or an average over the whole image. */
/* Is the pool of x one in Caffe, too? An average that divides by other numbers gets factors behind it. */
bool caffe_is_plain_pool(const struct node *node, const struct shape *x);
void caffe_put_global_pool(struct caffe_writer *w, const char *name, const char *from, const char *to, bool is_max);
/* An activation. from == to where caffe_is_in_place says so. */
void caffe_put_activation(struct caffe_writer *w, struct activation activation, const char *name, const char *from,
                          const char *to);
bool caffe_is_in_place(enum activation_kind kind);
/* Eltwise: a times b. */
void caffe_put_product(struct caffe_writer *w, const char *name, const char *a, const char *b, const char *to);
/* An activation without parameters that is several layers, which read `from` more than once; NULL: it is none. */
typedef void caffe_put_gated(struct caffe_writer *w, const char *name, const char *from, const char *to);
caffe_put_gated *caffe_gated(enum activation_kind kind); /* write_gate.c */

/* --- write_*.c: one function an operator --- */
void caffe_write_conv(struct caffe_writer *w); /* write_conv.c */
void caffe_write_pad(struct caffe_writer *w);
void caffe_write_resize(struct caffe_writer *w);
void caffe_write_pool(struct caffe_writer *w);  /* write_pool.c */
void caffe_write_dense(struct caffe_writer *w); /* write_affine.c */
void caffe_write_matmul(struct caffe_writer *w);
void caffe_write_normalize(struct caffe_writer *w);
void caffe_write_activation(struct caffe_writer *w); /* write_pointwise.c */
void caffe_write_prelu(struct caffe_writer *w);
void caffe_write_lrn(struct caffe_writer *w);
void caffe_write_softmax(struct caffe_writer *w);
void caffe_write_identity(struct caffe_writer *w);
void caffe_write_binary(struct caffe_writer *w); /* write_binary.c */
void caffe_write_slice(struct caffe_writer *w);  /* write_slice.c */
void caffe_write_concat(struct caffe_writer *w); /* write_shape.c */
void caffe_write_reshape(struct caffe_writer *w);
void caffe_write_transpose(struct caffe_writer *w);
void caffe_write_reduce(struct caffe_writer *w); /* write_reduce.c */

#endif
