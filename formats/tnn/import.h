/* import.h — what the files of the TNN importer share with each other, and with nobody else.
 *
 * The walk: import.c reads both files (proto.c, resource.c) and goes through the layers in order; for each it finds the
 * row in layers.c, whose `build` (layers_*.c) reads parameters and weights and adds nodes. Every blob has a shape
 * before the next layer is looked at.
 *
 * Functions return an index, or 0; -1 with err set, the layer named in it.
 */
#ifndef ETALON_TNN_IMPORT_H
#define ETALON_TNN_IMPORT_H

#include "formats/model.h"
#include "formats/tnn/proto.h"
#include "formats/tnn/resource.h"

struct tnn_import {
    const struct model_request *request;
    struct graph *graph;
    const struct tnn_proto *proto;
    const struct tnn_model *model;
    const struct bytes *weights; /* that model points into */
};

struct tnn_kind {
    const char *type; /* without prefixes */
    size_t min_params;
    int (*build)(struct tnn_import *in, const struct tnn_layer *layer, int variant, struct error *err);
    int variant; /* what tells rows apart that share a build function */
};
const struct tnn_kind *tnn_kind_find(const char *type); /* NULL when there is none */

/* --- build.c: parameters, values, nodes --- */

/* Fails with `layer "<name>" (<type>): <message>`. */
int tnn_error(const struct tnn_layer *layer, struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int tnn_error_in(const struct tnn_layer *layer, struct error *err);

/* Parameter `index`; a missing one is `fallback`. EX_DATAERR: no number. */
int tnn_integer(const struct tnn_layer *layer, size_t index, int64_t fallback, int64_t *out, struct error *err);
int tnn_real(const struct tnn_layer *layer, size_t index, float fallback, float *out, struct error *err);
/* A count at `index` and as many integers behind it, at most TENSOR_MAX_RANK. *next: the parameter after them. */
int tnn_integers(const struct tnn_layer *layer, size_t index, int64_t *out, size_t *n, size_t *next, struct error *err);
/* An axis, negative ones counted from the end. */
int tnn_axis(const struct tnn_layer *layer, int64_t axis, size_t rank, size_t *out, struct error *err);

/* EX_DATAERR unless the layer has so many inputs and one output. */
int tnn_expect_inputs(const struct tnn_layer *layer, size_t n, struct error *err);
int tnn_input(const struct tnn_import *in, const struct tnn_layer *layer, size_t index, struct error *err);
const struct shape *tnn_shape(const struct tnn_import *in, int value);
/* EX_UNAVAILABLE unless the value has this many axes. */
int tnn_expect_rank(const struct tnn_import *in, const struct tnn_layer *layer, int value, size_t rank,
                    struct error *err);

/* The value of output `index`; one between two nodes of the layer, called "<layer>/<what>". shape_or_null: NULL where
 * the operator's rule gives it. */
int tnn_output(struct tnn_import *in, const struct tnn_layer *layer, size_t index, const struct shape *shape_or_null,
               struct error *err);
int tnn_inner(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape_or_null,
              struct error *err);
/* A constant called "<layer>/<what>" for the caller to fill. */
int tnn_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape,
                 float **data, struct error *err);
/* A node with attributes yet to be filled in; `what` is NULL for the layer's main node. */
int tnn_add_node(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum op op, const int *inputs,
                 size_t n_inputs, int output, struct error *err);
int tnn_finish_node(struct tnn_import *in, const struct tnn_layer *layer, int node, struct error *err);

/* Whole nodes without attributes of interest. */
int tnn_add_reshape(struct tnn_import *in, const struct tnn_layer *layer, const char *what, int x, int output,
                    struct error *err);
int tnn_add_transpose(struct tnn_import *in, const struct tnn_layer *layer, const char *what, int x,
                      const int64_t *perm, int output, struct error *err);
int tnn_add_binary(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum binary_kind kind, int a,
                   int b, int output, struct error *err);
int tnn_add_activation(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                       struct activation activation, int x, int output, struct error *err);

/* --- weights.c: resources as constants --- */

/* The layer's resource; NULL with EX_DATAERR when the model file has none. */
const struct tnn_resource *tnn_resource(const struct tnn_import *in, const struct tnn_layer *layer, struct error *err);
/* A buffer of exactly as many numbers as `shape` has elements: as floats in the graph's arena, or as a constant called
 * "<layer>/<what>". */
int tnn_raw_floats(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                   const struct shape *shape, const float **out, struct error *err);
int tnn_raw_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct tnn_raw *raw,
                     const struct shape *shape, struct error *err);
/* The same of codes that are one scale apart. */
int tnn_scaled_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                        const struct tnn_raw *raw, const struct tnn_raw *scale, const struct shape *shape,
                        struct error *err);
/* A vector of one number a channel, from as many, from one for all, or from none (zeros). */
int tnn_channel_vector(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                       const struct tnn_raw *raw, int64_t channels, struct error *err);
/* Weights and bias of a convolution or inner product, as floats. Int8 ones are dequantized: q S[o], for a quantized
 * layer divided by the scale of the input channel, since TNN multiplies it in. `weights` is out x in-per-group x ...;
 * deconvolutions (which are never int8) are transposed. *bias is GRAPH_NONE where there is none. */
int tnn_weights(struct tnn_import *in, const struct tnn_layer *layer, const struct shape *weights, int64_t out_channels,
                int64_t groups, int *weight, int *bias, struct error *err);

/* --- layers_*.c --- */

/* Parameters of all reductions: keep_dims, then axes to the end of the record, here as bits. */
int tnn_reduced_axes(const struct tnn_layer *layer, size_t rank, bool *keeps, uint32_t *axes, struct error *err);
/* Reductions that are more than one step. */
enum { TNN_REDUCE_L1, TNN_REDUCE_LOG_SUM, TNN_REDUCE_SUM_SQUARE };

enum { TNN_CONV_IMAGE, TNN_CONV_TRANSPOSED, TNN_CONV_SIGNAL }; /* kinds of convolution */
int tnn_convolution(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err);
int tnn_pooling(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_inner_product(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_matmul(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_activation(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err);
int tnn_relu6(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_prelu(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_normalize(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_binary(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err);
int tnn_power(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_softmax(struct tnn_import *in, const struct tnn_layer *layer, int is_log, struct error *err);
int tnn_lrn(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_reduce(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err);
int tnn_concat(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_reshape(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_flatten(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_squeeze(struct tnn_import *in, const struct tnn_layer *layer, int is_unsqueeze, struct error *err);
int tnn_permute(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_shuffle(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_pad(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_pad_v2(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_upsample(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_split(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_slice(struct tnn_import *in, const struct tnn_layer *layer, int has_axes, struct error *err);
int tnn_negate(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_reciprocal(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_selu(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_hard_swish(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_squared_difference(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_cast(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_reduce_composed(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err);
int tnn_log_sum_exp(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_instance_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_group_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_layer_norm(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_normalize_p(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_pixel_shuffle(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_tile(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_expand(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_const(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);
int tnn_identity(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err);

#endif
