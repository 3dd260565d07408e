/* tf_import.h — what the files of the TensorFlow importer share with each other, and with nobody else.
 *
 * The walk: import.c unpacks the GraphDef; tf_graph.c knows nodes by name, finds what the outputs need, and builds it
 * in topological order: for each node the operator's row in tf_ops.c, whose `build` (ops_*.c) reads attributes
 * (tf_attr.c) and inputs and adds one or more nodes of our graph (tf_build.c). Every value has a shape, and what
 * depends on constants only is a constant, before the next node is looked at.
 *
 * Axes (tf_layout.c): the file keeps channels last (NHWC) or first, our graph keeps them first. So each tensor of the
 * file is a value of the graph and an order of its axes. A Transpose of the file only changes the order; elements move
 * where an operator cannot do without. Axes in attributes and parameters are the file's, and go through the order.
 * Constants always have their axes as the file has them.
 *
 * Two kinds of numbers leave the file: everything real becomes float32, everything integral or bool int64.
 *
 * Messages say what is wrong with a node; tf_graph.c puts 'node "conv1" (Conv2D): ' in front, import.c the path.
 */
#ifndef ETALON_TF_IMPORT_H
#define ETALON_TF_IMPORT_H

#include "formats/import_graph.h"
#include "formats/model.h"

#include <tensorflow.pb-c.h>

/* For each axis of the file's tensor: the axis of the graph's value that it is. */
struct tf_order {
    uint8_t axis[TENSOR_MAX_RANK];
};

/* Between SpaceToBatchND and BatchToSpaceND: the value is still the whole image, which they cut into blocks so that a
 * convolution steps over pixels. Convolutions read this as dilation; see ops_dilation.c. */
struct tf_blocks {
    int64_t block[2], pad_begin[2], pad_end[2];
    bool is_convolved; /* the pads have gone into a convolution */
    bool is_joined;    /* ... and what BatchToSpaceND crops has been taken off them */
};

/* One output of a node of the file. */
struct tf_tensor {
    int value; /* of the graph; GRAPH_NONE: on the branch of a Switch that is not taken */
    struct tf_order order;
    struct tf_blocks *blocks; /* NULL nearly always; shared by all that come from one convolution */
};

/* Nodes of the file by name. */
struct tf_names {
    size_t n;
    struct tf_name {
        const char *name; /* borrowed from the file */
        size_t index;     /* of the node */
    } * sorted;
};

/* Where an entry of NodeDef.input, or a name that a user wrote, leads. */
struct tf_edge {
    size_t node, port;
    bool is_control;
};

/* What has become of a node of the file. */
struct tf_source {
    enum { TF_UNSEEN, TF_OPEN, TF_NEEDED } state;
    bool is_cut;  /* model.inputs makes it an input */
    bool is_dead; /* on the branch of a Switch that is not taken */
    size_t n_outputs;
    struct tf_tensor *outputs; /* once it is built */
};

struct tf_import {
    struct graph *graph;
    const Tensorflow__GraphDef *proto;
    const struct bytes *file; /* that proto points into */
    const struct model_request *request;
    struct tf_names names;
    struct tf_source *sources;       /* [n_node] */
    size_t *readers, *readers_begin; /* who reads node i: readers[readers_begin[i] .. readers_begin[i + 1]) */
    int64_t batch;                   /* what the file fixes as the length of axis 0; INT32_MAX: open */
    struct import_budget budget;     /* of decoded tensors */
    bool is_located;                 /* the error in flight names its node already */
    bool has_warned_of_fake_quant;
    size_t n_bare_weights; /* AscendWeightQuant of whose codes no AscendDequant has made weights yet */
};

/* One node of the file, as a build function sees it. */
struct tf_node {
    const Tensorflow__NodeDef *proto;
    const struct tf_operator *row;
    size_t n_inputs; /* data only */
    const struct tf_tensor *inputs;
    size_t n_outputs;
    struct tf_tensor *outputs; /* to be filled: one, unless the build function asks tf_create_outputs for more */
};

/* protobuf-c gives NULL for a string that is absent. */
static inline const char *tf_text(const char *text)
{
    return text == NULL ? "" : text;
}

/* --- import.c --- */

/* Do the bytes look like a GraphDef, in binary? */
bool tf_is_graph_def(const struct bytes *file);

/* --- tf_names.c: nodes by name --- */

/* EX_DATAERR: a node without name or operator, two nodes of one name. */
int tf_names_create(const Tensorflow__GraphDef *proto, struct tf_names *out, struct error *err);
void tf_names_free(struct tf_names *names);
/* False when no node has that name. "x" is "x:0"; "^x" a control edge. */
bool tf_names_find(const struct tf_names *names, const char *text, struct tf_edge *out);

/* --- tf_graph.c: the walk --- */

/* Reads what the outputs need into in->graph. EX_DATAERR, EX_UNAVAILABLE. */
int tf_read_graph(struct tf_import *in, struct error *err);

/* --- tf_input.c: graph inputs --- */

/* Whether the node gives values from outside: a Placeholder (not of a flag, which is false then), or what model.inputs
 * names. */
bool tf_is_input(const struct tf_import *in, size_t node);
/* Adds the graph input for such a node, as its output `port`; `given` (may be NULL) is the shape in model.inputs.
 * Shapes are in the file's axes; images get their channels first: which axis carries them is asked of the operators
 * that read it. */
int tf_add_input(struct tf_import *in, size_t node, size_t port, const struct shape *given, struct error *err);

/* --- tf_ops.c: the table of operators --- */

enum tf_flags {
    TF_KEEPS_AXES = 1,   /* axis i of the output is axis i of input 0 */
    TF_HAS_CHANNELS = 2, /* data_format says which axis of input 0 carries channels */
    TF_TAKES_BLOCKS = 4, /* may stand between SpaceToBatchND and BatchToSpaceND */
    TF_TAKES_DEAD = 8,   /* one live input is enough: Merge */
    TF_NO_RESULT = 16,   /* what nobody reads is no output of the network: Assert, NoOp */
};

struct tf_operator {
    const char *type; /* op in the file */
    size_t min_inputs, max_inputs;
    unsigned flags;
    /* Adds nodes that produce the node's outputs. 0, or -1: EX_DATAERR, EX_UNAVAILABLE. */
    int (*build)(struct tf_import *in, struct tf_node *node, struct error *err);
    int variant; /* what tells rows apart that share a build function, e.g. an enum activation_kind */
};

/* NULL: unknown. */
const struct tf_operator *tf_operator_find(const char *type);
/* Says, for an operator that is not there, what can be done. Returns -1, EX_UNAVAILABLE. */
int tf_operator_refuse(const char *type, struct error *err);

/* --- tf_attr.c: attributes --- */

const Tensorflow__AttrValue *tf_attribute(const Tensorflow__NodeDef *proto, const char *name); /* NULL when absent */
/* Each reads one attribute of its type, or gives the fallback when it is absent. EX_DATAERR: another type, NaN, too
 * many. */
int tf_int(const struct tf_node *node, const char *name, int64_t fallback, int64_t *out, struct error *err);
int tf_flag(const struct tf_node *node, const char *name, bool fallback, bool *out, struct error *err);
int tf_float(const struct tf_node *node, const char *name, float fallback, float *out, struct error *err);
int tf_type(const struct tf_node *node, const char *name, int32_t fallback, int32_t *out, struct error *err);
/* *n items into out[0..max); *n = 0 when absent. */
int tf_ints(const struct tf_node *node, const char *name, int64_t *out, size_t max, size_t *n, struct error *err);
/* The position of a string attribute in the NULL-terminated list; EX_UNAVAILABLE for a string that is not there. */
int tf_choice(const struct tf_node *node, const char *name, const char *const *choices, int fallback, int *out,
              struct error *err);
/* data_format: is it NHWC (the default)? EX_UNAVAILABLE: vectorised or three-dimensional ones. */
int tf_is_channels_last(const Tensorflow__NodeDef *proto, bool *out, struct error *err);

/* --- tf_tensor.c: TensorProto --- */

/* Decodes a tensor to float32 or int64. Its data live as long as the graph. EX_DATAERR (payload and shape disagree),
 * EX_UNAVAILABLE (element type). */
int tf_tensor_read(struct tf_import *in, const Tensorflow__TensorProto *proto, struct tensor *out, struct error *err);
/* float32 or int64 for an element type of the file; EX_UNAVAILABLE naming it. */
int tf_dtype(int32_t type, enum dtype *out, struct error *err);
/* "float16", or "a type newer than this importer". */
const char *tf_dtype_name(int32_t type);

/* --- tf_build.c: inputs, and nodes of our graph --- */

bool tf_is_constant(const struct tf_import *in, const struct tf_node *node, size_t slot);
/* A constant input; EX_DATAERR when missing, EX_UNAVAILABLE when computed at run time. */
int tf_constant(const struct tf_import *in, const struct tf_node *node, size_t slot, struct tensor *out,
                struct error *err);
/* The same as a list of at most `max` integers, as one integer, or as one number. */
int tf_constant_ints(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t *out, size_t max,
                     size_t *n, struct error *err);
int tf_constant_int(const struct tf_import *in, const struct tf_node *node, size_t slot, int64_t *out,
                    struct error *err);
int tf_constant_number(const struct tf_import *in, const struct tf_node *node, size_t slot, float *out,
                       struct error *err);
/* Room for `n` outputs of this node. */
int tf_create_outputs(struct tf_import *in, struct tf_node *node, size_t n, struct error *err);

/* "<node>/<step>", or that with a number behind it where the file or the graph has such a name. */
const char *tf_free_name(struct tf_import *in, const char *node, const char *step, struct error *err);

/* Where the result of an added node goes. */
struct tf_result {
    size_t port;               /* output of the file's node */
    const char *step;          /* not NULL: an intermediate value instead, called "<of>/<step>" */
    const char *of;            /* NULL: the node's name */
    const struct shape *shape; /* of the graph's value; NULL: by the operator's rule */
    enum dtype dtype;          /* CAST and reshapes only */
};
/* Adds a node like `draft` (op, inputs, attr); gives the value it produces, with a shape, or -1. */
int tf_add(struct tf_import *in, const struct tf_node *node, const struct node *draft, const struct tf_result *result,
           struct error *err);
/* The same as an intermediate step; and as output 0, whose axes lie in `order` (NULL: as in the file). */
int tf_add_step(struct tf_import *in, const struct tf_node *node, const struct node *draft, const char *step,
                struct error *err);
int tf_finish(struct tf_import *in, struct tf_node *node, const struct node *draft, const struct tf_order *order,
              struct error *err);
/* Value `value` under another shape: as step, or (NULL) under the name of output `port`. */
int tf_add_reshape(struct tf_import *in, const struct tf_node *node, int value, const struct shape *shape,
                   const char *step, size_t port, struct error *err);
/* A constant that the file does not spell out, called "<node>/<what>" (NULL: the node's own output): zeroed data for
 * the caller to fill. */
int tf_add_constant(struct tf_import *in, const struct tf_node *node, const char *what, enum dtype dtype,
                    const struct shape *shape, void **data, struct error *err);
/* Output 0 is a list of integers. */
int tf_finish_ints(struct tf_import *in, struct tf_node *node, const struct shape *shape, const int64_t *items,
                   struct error *err);

/* --- tf_layout.c: orders of axes --- */

struct tf_order tf_plain_order(void);
/* N x ... x C in the file (or N x C x ..., where not is_channels_last) as N x C x ... in the graph. */
struct tf_order tf_image_order(size_t rank, bool is_channels_last);
/* The shape of a tensor as the file sees it. */
struct shape tf_shape(const struct tf_import *in, const struct tf_tensor *tensor);
size_t tf_rank(const struct tf_import *in, const struct tf_tensor *tensor);
/* The tensor as a value with its axes in `order`: the same value, or a reshape or transpose of it. -1 on failure. */
int tf_arrange(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor, struct tf_order order,
               struct error *err);
/* Input `slot` arranged as an image with channels first, whose rank must be 4 (EX_UNAVAILABLE). */
int tf_image(struct tf_import *in, const struct tf_node *node, size_t slot, bool is_channels_last, struct error *err);
/* Output `port` is `tensor` under another shape (the file's). Moves elements only where axes that are joined or cut do
 * not lie side by side. */
int tf_reshape(struct tf_import *in, struct tf_node *node, const struct tf_tensor *tensor, const struct shape *shape,
               size_t port, struct error *err);
/* The same, and a transposition, as intermediate tensors. */
int tf_reshape_step(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                    const struct shape *shape, const char *step, struct tf_tensor *out, struct error *err);
struct tf_tensor tf_transposed(const struct tf_tensor *tensor, const int64_t *perm, size_t rank);
/* Makes the value of an output lie as the file says, under the same name, unless it is an image with channels first.
 * Its other readers keep what they read. */
int tf_restore_order(struct tf_import *in, const struct tf_node *node, struct tf_tensor *tensor, struct error *err);
/* A constant, broadcast against `x` by numpy's rule in the file's axes, as a value that broadcasts in x's. */
int tf_align_constant(struct tf_import *in, const struct tf_node *node, int constant, const struct tf_tensor *x,
                      const char *step, struct error *err);

/* --- ops_*.c: build functions, one or a few operators each --- */

typedef int tf_build(struct tf_import *in, struct tf_node *node, struct error *err);
tf_build tf_build_conv, tf_build_depthwise, tf_build_deconv, tf_build_pool;                        /* ops_window.c */
tf_build tf_build_matmul, tf_build_bias, tf_build_normalize, tf_build_old_normalize, tf_build_lrn; /* ops_linear.c */
tf_build tf_build_activation, tf_build_clip, tf_build_power, tf_build_negate, tf_build_square; /* ops_elementwise.c */
tf_build tf_build_erfc, tf_build_power_by, tf_build_selu, tf_build_binary, tf_build_squared_difference,
    tf_build_sum_of_all;
tf_build tf_build_softmax, tf_build_reduce, tf_build_product;                          /* ops_reduce.c */
tf_build tf_build_concat, tf_build_concat_first, tf_build_pack, tf_build_tile;         /* ops_join.c */
tf_build tf_build_split, tf_build_split_sizes, tf_build_unpack;                        /* ops_split.c */
tf_build tf_build_slice, tf_build_strided, tf_build_reverse, tf_build_gather;          /* ops_slice.c */
tf_build tf_build_pad, tf_build_mirror_pad;                                            /* ops_pad.c */
tf_build tf_build_reshape, tf_build_squeeze, tf_build_expand_dims, tf_build_transpose; /* ops_shape.c */
tf_build tf_build_shape, tf_build_size, tf_build_rank, tf_build_fill, tf_build_range, tf_build_cast;
tf_build tf_build_resize, tf_build_space_to_depth, tf_build_depth_to_space; /* ops_resize.c */
tf_build tf_build_space_to_batch, tf_build_batch_to_space;                  /* ops_dilation.c */
/* Marks output 0 as a convolution of an image in `blocks`. */
int tf_mark_convolved(struct tf_import *in, struct tf_node *node, const struct tf_blocks *blocks, struct error *err);
tf_build tf_build_const, tf_build_identity, tf_build_fake_quant, tf_build_switch, tf_build_merge; /* ops_control.c */
tf_build tf_build_identities, tf_build_nothing;
tf_build tf_build_ascend_quant, tf_build_ascend_weight_quant, tf_build_ascend_dequant; /* ops_ascend.c */
/* What is made of constants: codes of an AscendWeightQuant stay marked as such where their axes are moved. */
void tf_hand_on_weight_codes(struct graph *graph, const struct node *draft, int value);
/* Nobody computes with codes for want of their scales; EX_DATAERR. */
int tf_check_weight_codes(const struct tf_import *in, struct error *err);

/* --- ops_slice.c: parts of a value, also for ops_split.c --- */

/* y[i] = x[begin + i * step] along each axis of the file, with `size` elements. */
struct tf_part {
    int64_t begin[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
    struct shape size;
};
struct tf_part tf_whole(const struct tf_import *in, const struct tf_tensor *tensor);
/* Adds the slice, as a step, or (NULL) as output `port`; the graph's rule checks that it lies inside. */
int tf_add_part(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *tensor,
                const struct tf_part *part, size_t port, const char *step, struct tf_tensor *out, struct error *err);
/* One axis of the file backward, as a step, or (NULL) as output 0. EX_UNAVAILABLE: the batch, long axes. In ops_join.c.
 */
int tf_reverse(struct tf_import *in, const struct tf_node *node, const struct tf_tensor *x, size_t axis,
               const char *step, struct tf_tensor *out, struct error *err);

#endif
