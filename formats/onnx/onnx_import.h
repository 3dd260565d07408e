/* onnx_import.h — what the files of the ONNX importer share with each other, and with nobody else.
 *
 * The walk: import.c reads the model and goes through the nodes in order; for each it finds the operator's row in
 * onnx_ops.c, whose `build` (ops_*.c) reads attributes (onnx_attr.c) and inputs and adds one or more nodes of our graph
 * (onnx_build.c). Every value has a shape, and what depends on constants only is a constant, before the next node is
 * looked at: so a build function can ask for the rank of any input.
 *
 * Two kinds of numbers leave the file: everything real becomes float32, everything integral int64 (onnx_tensor.c).
 *
 * Messages say what is wrong with a node; import.c puts 'path: node "conv1" (Conv, opset 13): ' in front.
 */
#ifndef ETALON_ONNX_IMPORT_H
#define ETALON_ONNX_IMPORT_H

#include "formats/import_graph.h"
#include "formats/model.h"
#include "formats/torch/weights.h"

#include <onnx/onnx.pb-c.h>

enum { ONNX_OPSET_MIN = 6, ONNX_OPSET_MAX = 21, ONNX_MAX_FILES = 64 };

/* Files of external data that are open so far; their bytes belong to the graph. */
struct onnx_files {
    size_t n;
    struct {
        const char *location; /* as the model writes it; borrowed from the model */
        const uint8_t *data;
        size_t size;
    } file[ONNX_MAX_FILES];
};

/* Who defines a value name of the file. */
struct onnx_definition {
    const char *name; /* borrowed from the model */
    enum onnx_definer { ONNX_BY_INITIALIZER, ONNX_BY_SPARSE_INITIALIZER, ONNX_BY_INPUT, ONNX_BY_NODE } by;
    size_t index; /* into the list of those */
};

struct onnx_import {
    struct graph *graph;
    const char *path;         /* of the model file; external data lies in its folder */
    const struct bytes *file; /* that the messages point into */
    int64_t opset;            /* of the default domain */
    int64_t batch; /* what the file fixes as the length of axis 0; INT32_MAX: open; 1 in an unbatched graph */
    struct torch_weights *weights; /* a checkpoint that takes the place of the file's parameters; NULL: none */
    void *definitions;             /* search tree of struct onnx_definition by name */
    uint8_t *element_types;        /* [element_types_capacity] by value; see onnx_note_type */
    size_t element_types_capacity;
    struct onnx_files files;
    struct import_budget budget; /* of decoded tensors */
    bool is_located;             /* the error in flight names its node already */
};

/* One node of the file, as a build function sees it. */
struct onnx_node {
    const Onnx__NodeProto *proto;
    const struct onnx_operator *operator;
    const char *name;  /* unique: the file's, or made up */
    size_t n_inputs;   /* trailing omitted inputs are not counted */
    const int *inputs; /* values of the graph, each constant or with a shape; GRAPH_NONE where omitted */
};

/* protobuf-c gives NULL for a string that is absent. */
static inline const char *onnx_text(const char *text)
{
    return text == NULL ? "" : text;
}

/* --- onnx_graph.c: the walk --- */

/* Reads the graph's nodes, as far as the outputs need them, into in->graph. EX_DATAERR, EX_UNAVAILABLE, EX_NOINPUT. */
int onnx_read_graph(struct onnx_import *in, const Onnx__GraphProto *proto, const struct model_request *request,
                    struct error *err);
/* NULL when nothing in the file has that name. */
const struct onnx_definition *onnx_definition_find(const struct onnx_import *in, const char *name);

/* --- onnx_ops.c: the table of operators --- */

struct onnx_operator {
    const char *type;     /* op_type in the file */
    int64_t since, until; /* the opsets of the model for which this row holds, closed */
    size_t min_inputs, max_inputs;
    const char *attributes; /* the names this row knows, separated by blanks; others are refused */
    /* Adds nodes that produce the node's outputs. 0, or -1: EX_DATAERR, EX_UNAVAILABLE. */
    int (*build)(struct onnx_import *in, const struct onnx_node *node, struct error *err);
    int variant; /* what tells rows apart that share a build function, e.g. an enum activation_kind */
};

/* The row for `type` at `opset`; NULL with EX_UNAVAILABLE: unknown, or known at other opsets. */
const struct onnx_operator *onnx_operator_find(const char *type, int64_t opset, struct error *err);
/* Number of inputs, and attributes that the row does not know: EX_DATAERR. */
int onnx_operator_check(const struct onnx_operator *row, const Onnx__NodeProto *proto, struct error *err);

/* --- onnx_attr.c: attributes --- */

/* Each reads one attribute of its type, or gives the fallback when it is absent. EX_DATAERR: another type, NaN, too
 * many. */
bool onnx_has(const struct onnx_node *node, const char *name);
int onnx_int(const struct onnx_node *node, const char *name, int64_t fallback, int64_t *out, struct error *err);
int onnx_flag(const struct onnx_node *node, const char *name, bool fallback, bool *out, struct error *err);
int onnx_float(const struct onnx_node *node, const char *name, float fallback, float *out, struct error *err);
/* *n items into out[0..max); *n = 0 when absent. */
int onnx_ints(const struct onnx_node *node, const char *name, int64_t *out, size_t max, size_t *n, struct error *err);
int onnx_floats(const struct onnx_node *node, const char *name, float *out, size_t max, size_t *n, struct error *err);
/* The position of a string attribute in the NULL-terminated list; EX_UNAVAILABLE for a string that is not there. */
int onnx_choice(const struct onnx_node *node, const char *name, const char *const *choices, int fallback, int *out,
                struct error *err);
const Onnx__AttributeProto *onnx_attribute(const struct onnx_node *node, const char *name); /* NULL when absent */

/* --- onnx_tensor.c, onnx_external.c: TensorProto --- */

/* Decodes a tensor (raw, typed or external payload) to float32 or int64. Its data lives as long as the graph.
 * EX_DATAERR (payload and shape disagree), EX_UNAVAILABLE (element type), EX_NOINPUT (external file). */
int onnx_tensor_read(struct onnx_import *in, const Onnx__TensorProto *proto, struct tensor *out, struct error *err);
/* float32 or int64 for an element type of the file; EX_UNAVAILABLE naming it. */
int onnx_dtype(int64_t data_type, enum dtype *out, struct error *err);
/* "float16", or "type 99". */
const char *onnx_dtype_name(int64_t data_type);
/* The bytes of a tensor kept outside the model file; borrowed from the graph. Only regular files inside the model's
 * folder are opened, through no symbolic link. EX_DATAERR, EX_NOINPUT. */
int onnx_external_find(struct onnx_import *in, const Onnx__TensorProto *proto, const uint8_t **data, size_t *size,
                       struct error *err);

/* --- onnx_weights.c: parameters from a checkpoint --- */

/* Replaces a constant of the file, just read, by the checkpoint's tensor of that name, of equal shape. `reader` is the
 * type of the node that reads it. EX_DATAERR: another shape; a parameter of a layer (weight, bias, statistics of a
 * BatchNormalization) that the checkpoint does not have. Other constants stay where the checkpoint has none. */
int onnx_weights_replace(struct onnx_import *in, const char *name, const char *reader, struct tensor *tensor,
                         struct error *err);

/* --- onnx_build.c: inputs, and nodes of our graph --- */

/* The element type that a constant has in the file, where ours is wider. Unknown (0) where memory failed or nobody
 * said, which later is refused as a type that is not supported. */
void onnx_note_type(struct onnx_import *in, int value, int64_t data_type);
int64_t onnx_element_type(const struct onnx_import *in, int value);
/* Input `slot` as a value index; GRAPH_NONE where omitted. */
int onnx_input(const struct onnx_node *node, size_t slot);
const struct shape *onnx_shape(const struct onnx_import *in, int value);
/* Is axis 0 of a value the batch, which no node may cut, move or join with others? */
bool onnx_has_batch(const struct onnx_import *in, int value);
/* A constant input; EX_DATAERR when omitted, EX_UNAVAILABLE when computed at run time. */
int onnx_constant(const struct onnx_import *in, const struct onnx_node *node, size_t slot, struct tensor *out,
                  struct error *err);
/* The same as a list of at most `max` integers, or as one number. */
int onnx_constant_ints(const struct onnx_import *in, const struct onnx_node *node, size_t slot, int64_t *out,
                       size_t max, size_t *n, struct error *err);
int onnx_constant_number(const struct onnx_import *in, const struct onnx_node *node, size_t slot, float *out,
                         struct error *err);
/* Axes as bits, from the attribute "axes" or, where newer opsets have it, from input 1; 0 when neither is there. */
int onnx_axes(const struct onnx_import *in, const struct onnx_node *node, size_t rank, uint32_t *out,
              struct error *err);

/* Where the result of an added node goes. */
struct onnx_result {
    size_t slot;               /* output of the ONNX node */
    const char *step;          /* not NULL: an intermediate value instead, called "<output>/<step>" */
    const struct shape *shape; /* NULL: by the operator's rule */
    enum dtype dtype;          /* CAST only */
};
/* Adds a node like `draft` (op, inputs, attr); gives the value it produces, with a shape, or -1. */
int onnx_add_as(struct onnx_import *in, const struct onnx_node *node, const struct node *draft,
                const struct onnx_result *result, struct error *err);
/* The same: as the node's first output; as an intermediate step; reshaped to `shape`, as a step or (NULL) as the
 * output. */
int onnx_add(struct onnx_import *in, const struct onnx_node *node, const struct node *draft, struct error *err);
int onnx_add_step(struct onnx_import *in, const struct onnx_node *node, const struct node *draft, const char *step,
                  struct error *err);
int onnx_add_reshape(struct onnx_import *in, const struct onnx_node *node, int x, const struct shape *shape,
                     const char *step, struct error *err);
/* Links of a chain that an operator becomes: each takes values as they came from the link before (-1: it failed, and so
 * does this one), and gives its own as a step or (NULL) as the node's output. */
int onnx_put_activation(struct onnx_import *in, const struct onnx_node *node, struct activation activation, int x,
                        const char *step, struct error *err);
int onnx_put_binary(struct onnx_import *in, const struct onnx_node *node, enum binary_kind kind, int a, int b,
                    const char *step, struct error *err);
int onnx_put_reduce(struct onnx_import *in, const struct onnx_node *node, enum reduce_kind kind, uint32_t axes,
                    bool keep_dims, int x, const char *step, struct error *err);
int onnx_put_cast(struct onnx_import *in, const struct onnx_node *node, enum dtype dtype, int x, const char *step,
                  struct error *err);
int onnx_put_reshape(struct onnx_import *in, const struct onnx_node *node, int x, const struct shape *shape,
                     const char *step, struct error *err);
/* One number, of the element type of value `like`. */
int onnx_put_number(struct onnx_import *in, const struct onnx_node *node, const char *what, int like, double number,
                    struct error *err);
/* A constant that the file does not spell out, called "<node>/<what>": zeroed data for the caller to fill, or a list.
 */
int onnx_add_constant(struct onnx_import *in, const struct onnx_node *node, const char *what, enum dtype dtype,
                      const struct shape *shape, void **data, struct error *err);
int onnx_add_ints(struct onnx_import *in, const struct onnx_node *node, const char *what, const int64_t *items,
                  size_t n, struct error *err);

/* --- ops_*.c: build functions, one or a few operators each --- */

typedef int onnx_build(struct onnx_import *in, const struct onnx_node *node, struct error *err);
onnx_build onnx_build_conv, onnx_build_deconv, onnx_build_pool, onnx_build_global_pool; /* ops_window.c */
onnx_build onnx_build_normalize, onnx_build_lrn, onnx_build_gemm, onnx_build_matmul;    /* ops_linear.c */
onnx_build onnx_build_activation, onnx_build_clip, onnx_build_gelu, onnx_build_prelu;   /* ops_elementwise.c */
onnx_build onnx_build_power, onnx_build_binary, onnx_build_variadic, onnx_build_identity;
onnx_build onnx_build_negate, onnx_build_scaled_elu, onnx_build_softsign, onnx_build_mean;
onnx_build onnx_build_compare, onnx_build_not, onnx_build_shift, onnx_build_remainder; /* ops_logic.c */
onnx_build onnx_build_where;
onnx_build onnx_build_layer_norm, onnx_build_instance_norm, onnx_build_group_norm; /* ops_normalize.c */
onnx_build onnx_build_mean_variance, onnx_build_lp_norm;
onnx_build onnx_build_softmax, onnx_build_reduce, onnx_build_reduce_chain, onnx_build_arg; /* ops_reduce.c */
onnx_build onnx_build_hardmax;
onnx_build onnx_build_depth_to_space, onnx_build_space_to_depth, onnx_build_tile, onnx_build_trilu; /* ops_space.c */
onnx_build onnx_build_cast_like, onnx_build_size, onnx_build_range;                                 /* ops_shape.c */
onnx_build onnx_build_concat, onnx_build_split, onnx_build_slice, onnx_build_pad;                   /* ops_move.c */
onnx_build onnx_build_transpose, onnx_build_expand, onnx_build_gather;
onnx_build onnx_build_reshape, onnx_build_flatten, onnx_build_squeeze, onnx_build_unsqueeze; /* ops_shape.c */
onnx_build onnx_build_shape, onnx_build_cast, onnx_build_constant, onnx_build_fill;
onnx_build onnx_build_quantize, onnx_build_dequantize; /* ops_quantize.c */
onnx_build onnx_build_resize, onnx_build_upsample;     /* ops_resize.c */

#endif
