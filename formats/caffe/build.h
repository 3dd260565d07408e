/* build.h — adding a layer's nodes, values and constants to the graph. Private to formats/caffe.
 *
 * All return an index, or -1 with err set and the layer named in it. A layer that takes several nodes calls the
 * additional values, nodes and constants "<layer>.<what>".
 */
#ifndef ETALON_CAFFE_BUILD_H
#define ETALON_CAFFE_BUILD_H

#include "formats/caffe/layers.h"

/* Fails with `layer "<name>" (<type>): <message>`. */
int caffe_error(const struct caffe_layer *layer, struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Prepends the layer to the message already there. */
int caffe_error_in(const struct caffe_layer *layer, struct error *err);
/* EX_DATAERR unless the layer has `bottoms` bottoms and `tops` tops, or at least so many where negative. */
int caffe_expect(const struct caffe_layer *layer, int bottoms, int tops, struct error *err);

const struct shape *caffe_bottom_shape(const struct caffe_import *in, const struct caffe_layer *layer, size_t index);
/* An axis as Caffe counts them: negative ones from the end. *out in [0, rank). */
int caffe_axis(const struct caffe_layer *layer, int64_t axis, size_t rank, size_t *out, struct error *err);

/* A shape as the file states it: 1 to TENSOR_MAX_RANK axes. 0 or -1. */
int caffe_copy_shape(const struct caffe_layer *layer, const Caffe__BlobShape *from, struct shape *to,
                     struct error *err);

/* The value of top `index`. shape_or_null: NULL where the operator's rule gives it. */
int caffe_top(struct caffe_import *in, const struct caffe_layer *layer, size_t index, const struct shape *shape_or_null,
              struct error *err);
/* Top `index` as a constant, for the caller to fill through *data: of layers that do not look at the image. */
int caffe_top_constant(struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                       const struct shape *shape, float **data, struct error *err);
/* A value between two nodes of the layer. */
int caffe_inner(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                const struct shape *shape_or_null, struct error *err);

/* EX_DATAERR unless the weights file holds `n` blobs for the layer, EX_CONFIG when the job names no weights file.
 * Claims them: once a layer. A layer that the file lacks has the blobs of those it shares them with (`param { name }`).
 */
int caffe_expect_blobs(const struct caffe_import *in, const struct caffe_layer *layer, size_t n, struct error *err);
/* Blob `index` of the layer's weights, which must have `shape`, borrowed for the graph's life. 0 or -1. */
int caffe_blob_values(const struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                      const struct shape *shape, const float **values, struct error *err);
/* The same from a PyTorch checkpoint, where the job names one: checkpoint.c. */
int caffe_checkpoint_values(const struct caffe_import *in, const struct caffe_layer *layer, size_t index,
                            const struct shape *shape, const float **values, struct error *err);
/* The same as a constant of the graph. */
int caffe_blob_constant(struct caffe_import *in, const struct caffe_layer *layer, size_t index, const char *what,
                        const struct shape *shape, struct error *err);
/* A new constant for the caller to fill through *data. */
int caffe_constant(struct caffe_import *in, const struct caffe_layer *layer, const char *what,
                   const struct shape *shape, float **data, struct error *err);

/* A node without attributes yet: caffe_finish_node infers the output's shape and checks all when they are filled in. */
int caffe_add_node(struct caffe_import *in, const struct caffe_layer *layer, enum op op, const int *inputs,
                   size_t n_inputs, int output, struct error *err);
/* 0 or -1; the message names the node, which bears the layer's name. */
int caffe_finish_node(struct caffe_import *in, int node, struct error *err);

/* y = x * scale + shift with the same two numbers everywhere. 0 or -1. */
int caffe_add_affine(struct caffe_import *in, const struct caffe_layer *layer, int x, float scale, float shift,
                     int output, struct error *err);
/* y = a op b, broadcast; y = activation(x); y = x in the shape that the value `output` declares. 0 or -1. */
int caffe_add_binary(struct caffe_import *in, const struct caffe_layer *layer, enum binary_kind kind, int a, int b,
                     int output, struct error *err);
int caffe_add_activation(struct caffe_import *in, const struct caffe_layer *layer, struct activation activation, int x,
                         int output, struct error *err);
int caffe_add_reshape(struct caffe_import *in, const struct caffe_layer *layer, int x, int output, struct error *err);
/* y = x[begin, begin + extents of y), with as many begins as axes; the value `output` declares its shape. 0 or -1. */
int caffe_add_slice(struct caffe_import *in, const struct caffe_layer *layer, int x, const int64_t *begin, int output,
                    struct error *err);
int caffe_add_concat(struct caffe_import *in, const struct caffe_layer *layer, const int *inputs, size_t n, size_t axis,
                     int output, struct error *err);
int caffe_add_transpose(struct caffe_import *in, const struct caffe_layer *layer, int x, const int64_t *perm,
                        int output, struct error *err);
/* Over the axes [first_axis, end_axis). 0 or -1. */
int caffe_add_reduce(struct caffe_import *in, const struct caffe_layer *layer, enum reduce_kind kind, size_t first_axis,
                     size_t end_axis, bool keep_dims, int x, int output, struct error *err);

#endif
