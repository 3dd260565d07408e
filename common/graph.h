/* graph.h — a neural network: values joined by nodes, one producer per value, typed attributes.
 *
 * Importers translate into this; everything else (passes, engine, simulator, emitters, archive) reads it. Names are the
 * user's own: node and value names of the source file are kept, so that reports speak the user's language.
 *
 * Conventions
 * - Activations are float32, NCHW (or N x features, N x C x L ...); dims[0] is the batch and is always 1 in the graph.
 *   The engine runs any batch by replacing that 1. An operator that would mix records is refused by graph_validate.
 * - An unbatched graph (is_unbatched) has no batch axis: shapes, dims[0] included, are those of one record, operators
 * may mix all axes, and scalars are allowed. The engine runs it with batch 1.
 * - Weights, biases and slopes are constant values and ordinary inputs of their node.
 * - Shape arithmetic (int64 values) exists only during import: after graph_fold_constants none is left.
 * - Nodes are stored in execution order (graph_sort restores it).
 * - The graph and everything hanging from it live in one arena; constant data is borrowed from it or from bytes that
 *   graph_keep_bytes put under the graph's care.
 */
#ifndef ETALON_GRAPH_H
#define ETALON_GRAPH_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/quant.h"
#include "common/tensor.h"

#include <stdio.h>

enum { GRAPH_NONE = -1 }; /* "no node", "no value" */

/* What a node computes. The table in ops.c has one row an operator: name, shape rule, quantization class. */
enum op {
    OP_CONV,       /* x, w[O,I/g,kh,kw], b[O]?          attr.conv */
    OP_DECONV,     /* x, w[I,O/g,kh,kw], b[O]?          attr.conv (+ output_padding) */
    OP_DENSE,      /* x[N,K], w[O,K], b[O]?             y = x w^T + b */
    OP_MATMUL,     /* a, b                              numpy matmul, either may be constant */
    OP_POOL,       /* x                                 attr.pool; a global pool has kernel = input size */
    OP_ACTIVATION, /* x                                 attr.activation, element-wise */
    OP_PRELU,      /* x, slope[C] or slope[1] */
    OP_BINARY,     /* a, b (numpy broadcast)            attr.binary */
    OP_CONCAT,     /* x...                              attr.axis */
    OP_SOFTMAX,    /* x                                 attr.softmax: over one axis */
    OP_RESHAPE,    /* x                                 to the output value's shape; also flatten, (un)squeeze */
    OP_TRANSPOSE,  /* x                                 attr.perm */
    OP_SLICE,      /* x                                 attr.slice: y[i] = x[begin + i * step], step > 0 */
    OP_PAD,        /* x                                 attr.pad */
    OP_NORMALIZE,  /* x, scale[C], shift[C]             y = x * scale[c] + shift[c], channel axis 1; BatchNorm, Scale */
    OP_LRN,        /* x                                 attr.lrn, across channels */
    OP_REDUCE,     /* x                                 attr.reduce */
    OP_RESIZE,     /* x                                 attr.resize, spatial axes only, to the output value's shape */
    OP_IDENTITY,   /* x                                 dropout, identity; passes remove it */
    OP_LAYER_NORM, /* x, scale?, shift? (broadcast)     attr.layer_norm; layer, instance, group normalisation */
    OP_HARDMAX,    /* x                                 attr.axis: 1 at the first maximum, else 0 */
    OP_GATHER,     /* data, int64 indices (constant)    attr.axis */
    /* Shape arithmetic: only before graph_fold_constants */
    OP_SHAPE,      /* x -> int64[rank] */
    OP_CAST,       /* x                                    to the output value's dtype */
    OP_FILL,       /* shape -> filled                      attr.fill (ConstantOfShape) */
    OP_RESHAPE_TO, /* x, int64 shape               attr.reshape_to; becomes OP_RESHAPE */
    OP_SLICE_TO,   /* x, starts, ends, axes?, steps?   becomes OP_SLICE */
    OP_PAD_TO,     /* x, int64 pads, value?        attr.pad.mode; becomes OP_PAD */
    OP_EXPAND,     /* x, int64 shape */
    OP_RESIZE_TO,  /* x, scales or sizes           becomes OP_RESIZE */
    OP_WHERE,      /* int64 condition, a, b (broadcast)    constants only */
    OP_COUNT
};

enum activation_kind {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_LEAKY_RELU, /* x > 0 ? x : alpha x */
    ACTIVATION_CLIP,       /* min(max(x, alpha), beta); ReLU6 is alpha 0, beta 6 */
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH,
    ACTIVATION_ELU,          /* x > 0 ? x : alpha (e^x - 1) */
    ACTIVATION_SWISH,        /* x sigmoid(alpha x) */
    ACTIVATION_HARD_SIGMOID, /* max(0, min(1, alpha x + beta)) */
    ACTIVATION_HARD_SWISH,   /* x max(0, min(1, alpha x + beta)) */
    ACTIVATION_SOFTPLUS,     /* ln(1 + e^x) */
    ACTIVATION_EXP,
    ACTIVATION_LOG,
    ACTIVATION_ABS,
    ACTIVATION_SQRT,
    ACTIVATION_ERF,
    ACTIVATION_GELU,             /* x/2 (1 + erf(x/sqrt 2)) */
    ACTIVATION_POWER,            /* x^alpha */
    ACTIVATION_MISH,             /* x tanh(ln(1 + e^x)) */
    ACTIVATION_GELU_TANH,        /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    ACTIVATION_THRESHOLDED_RELU, /* x > alpha ? x : 0 */
    ACTIVATION_FLOOR,
    ACTIVATION_CEIL,
    ACTIVATION_ROUND, /* half to even */
    ACTIVATION_SIGN,
    ACTIVATION_COUNT
};

struct activation {
    enum activation_kind kind;
    float alpha, beta;
};

enum pool_kind { POOL_MAX, POOL_AVERAGE };
enum binary_kind {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_MAX,
    BINARY_MIN,
    BINARY_POW,
    /* Only of constants: graph_fold_constants evaluates them. Truth is an int64 0 or 1. */
    BINARY_FIRST_FOLDED,
    BINARY_REMAINDER = BINARY_FIRST_FOLDED, /* of a / b, with the sign of a (C's fmod) */
    BINARY_MODULO,                          /* with the sign of b */
    BINARY_EQUAL,
    BINARY_LESS,
    BINARY_LESS_EQUAL,
    BINARY_AND,
    BINARY_OR,
    BINARY_XOR,
    BINARY_SHIFT_LEFT,
    BINARY_SHIFT_RIGHT,
    BINARY_COUNT
};
enum reduce_kind {
    REDUCE_MEAN,
    REDUCE_SUM,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_L2,
    REDUCE_PROD,
    /* Only of constants, over one axis: the int64 index of the first extreme, or (is_last) of the last one. */
    REDUCE_FIRST_FOLDED,
    REDUCE_ARG_MAX = REDUCE_FIRST_FOLDED,
    REDUCE_ARG_MIN,
    REDUCE_COUNT
};
enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE };
enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };
enum resize_coordinates { RESIZE_HALF_PIXEL, RESIZE_ALIGN_CORNERS, RESIZE_ASYMMETRIC, RESIZE_PYTORCH_HALF_PIXEL };
enum resize_rounding { RESIZE_FLOOR, RESIZE_CEIL, RESIZE_PREFER_FLOOR, RESIZE_PREFER_CEIL };

struct multiplier; /* common/requantize.h */

/* What a model that was quantized before says of how a node computes. */
struct node_coding {
    bool is_float;                     /* on reals, whatever has codes */
    const struct multiplier *operands; /* [n_inputs] what brings each to the output's steps; NULL: their scales do */
};

/* Index 0 is the vertical axis, 1 the horizontal one. One-dimensional windows have height 1. */
struct window {
    int64_t kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2];
};

struct node {
    enum op op;
    const char *name; /* unique, never NULL */
    const char *type; /* the operator's name in the source file, for messages */
    size_t n_inputs, n_outputs;
    int *inputs;                      /* value indices; GRAPH_NONE where an optional input is absent */
    int *outputs;                     /* value indices */
    struct activation fused;          /* applied to the single output; CONV, DECONV, DENSE and BINARY nodes only */
    bool is_removed;                  /* set by passes; graph_compact drops it */
    bool is_kept;                     /* passes leave it as it is: graph_keep_nodes */
    const struct node_coding *coding; /* in the arena; NULL: the file says nothing */
    union {
        struct {
            struct window window;
            int64_t group;
            int64_t output_padding[2]; /* DECONV */
        } conv;
        struct {
            enum pool_kind kind;
            struct window window;
            /* Average divisor: window clipped to the image (false), or to image plus declared pads (true). What hangs
             * over the declared pads (ceil mode) is never counted: Caffe's rule, and ONNX's. */
            bool count_include_pad;
            int64_t output[2]; /* rows, columns: decided by the importer's rounding rule (pool_output_size) */
            bool is_global;
        } pool;
        struct activation activation;
        struct {
            enum binary_kind kind;
        } binary;
        int64_t axis; /* CONCAT, GATHER, HARDMAX; never negative */
        struct {
            int64_t axis;
            bool is_log;
        } softmax;
        int64_t perm[TENSOR_MAX_RANK];
        struct {
            int64_t begin[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK];
        } slice;
        struct {
            enum pad_mode mode;
            float value;
            int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK]; /* never negative */
        } pad;
        struct {
            int64_t size;
            float alpha, beta, k; /* y = x (k + alpha/size sum x^2)^-beta */
        } lrn;
        struct {
            enum reduce_kind kind;
            uint32_t axes; /* bit i: axis i */
            bool keep_dims;
            bool is_last; /* ARG_MAX, ARG_MIN */
        } reduce;
        struct {
            uint32_t axes; /* bit i: axis i; y = (x - mean) / sqrt(variance + epsilon) scale + shift over them */
            float epsilon;
        } layer_norm;
        struct {
            enum resize_mode mode;
            enum resize_coordinates coordinates;
            enum resize_rounding rounding; /* nearest */
            float cubic_a;
            float scale[2]; /* out / in as the coordinate map uses it (given scales, or the ratio of sizes) */
        } resize;
        struct {
            bool allow_zero;
        } reshape_to;
        struct tensor fill; /* one element */
    } attr;
};

/* How a model that was quantized before makes a value of codes: scale x (code - zero point). */
struct coding {
    struct code_range codes;
    size_t n_scales, axis; /* one scale, or one for each place along the axis */
    const float *scale;    /* [n_scales], finite; 0: of this channel the file says nothing */
    /* Of a constant whose codes floats need not hold: [elements], less the zero point. NULL: they follow from the data.
     */
    const int32_t *constant;
    bool has_input_scale; /* of weights: the scale is the accumulator's, the input's is a factor of it already */
    bool is_to_be_coded;  /* of weights: they are not codes times scale yet; the target rounds them to the nearest */
};

/* The largest magnitude that the codes of a channel show: one step more on the negative side is left out, so 127 steps
 * for int8 and for uint8 around 128, 255 for uint8 from 0. */
float coding_threshold(const struct coding *coding, size_t channel);
/* The same codes stand for the same numbers. */
bool coding_equal(const struct coding *a, const struct coding *b);

struct value {
    const char *name; /* unique, never NULL */
    enum dtype dtype;
    struct shape shape;
    bool has_shape;
    bool is_constant;
    bool is_separate; /* graph input: a written model has one input a record of the batch; graph_split_batch */
    const void *data; /* constant only: dense, row-major */
    const struct coding *coding; /* of a model that was quantized before, in the arena; NULL: the file says nothing */
    const char *alias;           /* where passes kept its coding, another name that the file has for it; NULL: none */
    int producer;                /* node index; GRAPH_NONE for graph inputs and constants */
};

struct graph {
    struct arena *arena;
    const char *name;
    struct value *values;
    struct node *nodes;    /* execution order */
    int *inputs, *outputs; /* value indices */
    int64_t batch;         /* records that a written model takes at once; 0: any number, or the writer's usual one */
    size_t n_values, n_nodes, n_inputs, n_outputs;
    bool is_unbatched; /* see above; set by the importer before the first value */
    /* No pass does away with an activation that has a coding of its own: for the model as it was quantized, whose codes
     * are to be computed. Otherwise a coding goes with its value. */
    bool keeps_codings;
    size_t values_capacity, nodes_capacity, inputs_capacity, outputs_capacity; /* private */
    /* private from here on */
    struct bytes *kept;
    size_t n_kept, kept_capacity;
    void *value_names, *node_names; /* search trees: name -> index */
    size_t n_unnamed;               /* names made up so far */
    size_t source_bytes;            /* constants that came from the file */
    size_t derived_bytes;           /* constants made from them, see graph_create_constant */
    uint64_t revision;              /* rises with every rewrite of a pass */
};

struct graph *graph_create(const char *name, struct error *err);
void graph_destroy(struct graph *graph); /* NULL is allowed */

/* The graph frees `bytes` when it is destroyed; constants may point into them. Takes ownership even on failure. */
int graph_keep_bytes(struct graph *graph, struct bytes *bytes, struct error *err);

/* Adders copy names and shapes. They return the index, or -1 with err set (EX_DATAERR: duplicate name, bad shape). A
 * NULL name asks for a unique one. Pointers to nodes and values are invalidated by adding. */
int graph_add_value(struct graph *graph, const char *name, enum dtype dtype, const struct shape *shape_or_null,
                    struct error *err);
int graph_add_constant(struct graph *graph, const char *name, const struct tensor *borrowed, struct error *err);
/* The same graph once more, value by value and node by node under the same indices. Constants and codings are borrowed:
 * `from` is destroyed later. graph_begin_copy is without nodes, for those who add others between them. EX_OSERR. */
struct graph *graph_copy(const struct graph *from, struct error *err);
struct graph *graph_begin_copy(const struct graph *from, struct error *err);
int graph_copy_node(struct graph *copy, const struct graph *from, size_t node, struct error *err);
/* A new constant with zeroed data in the arena, returned in *data for the caller to fill: for what is computed from
 * other constants. All of them together may take 64 MiB plus 16 times the bytes of the constants added by
 * graph_add_constant (EX_DATAERR beyond): a small file cannot make us compute a large one. */
int graph_create_constant(struct graph *graph, const char *name, enum dtype dtype, const struct shape *shape,
                          void **data, struct error *err);
int graph_add_input(struct graph *graph, int value, struct error *err);
int graph_add_output(struct graph *graph, int value, struct error *err);
/* Replaces the graph's outputs, and drops everything that the new ones do not need, graph inputs included (compacts).
 */
int graph_keep_outputs(struct graph *graph, const int *values, size_t n, struct error *err);
/* Adds a node at the end; attr is zero, to be filled by the caller through graph->nodes[index]. */
int graph_add_node(struct graph *graph, enum op op, const char *name, const char *type, const int *inputs,
                   size_t n_inputs, const int *outputs, size_t n_outputs, struct error *err);

int graph_find_value(const struct graph *graph, const char *name); /* GRAPH_NONE when absent; O(log n) */
int graph_find_node(const struct graph *graph, const char *name);

/* Names that are no UTF-8, which formats and their readers do not take, get each stray byte as \xNN, and "_<n>" where
 * that is another's name. EX_OSERR. */
int graph_make_names_utf8(struct graph *graph, struct error *err);

/* The constant behind value `index` as a tensor; false when it is no constant (or index is GRAPH_NONE). */
bool graph_constant(const struct graph *graph, int index, struct tensor *out);
size_t graph_count_consumers(const struct graph *graph, int value); /* nodes and graph outputs, each counted once */
bool graph_is_output(const struct graph *graph, int value);
/* Every use of `from` (inputs of nodes, graph outputs) becomes a use of `to`. */
void graph_replace_uses(struct graph *graph, int from, int to);

/* Stable topological order; EX_DATAERR naming the nodes on a cycle, or a value that nothing produces. */
int graph_sort(struct graph *graph, struct error *err);
/* Drops removed nodes, nodes none of whose outputs is used, and values nobody names; renumbers. Graph inputs stay, even
 * unread ones: graph_validate refuses those. */
int graph_compact(struct graph *graph, struct error *err);
/* Fills the shapes of all outputs from the operators' rules (ops.c), checks declared ones. Batch is 1. */
int graph_infer_shapes(struct graph *graph, struct error *err);
/* Evaluates what depends on constants only, turns *_TO operators into static ones, and refuses what stays dynamic
 * (EX_UNAVAILABLE). Also sorts, infers shapes on the way, and compacts: indices change. After it, no shape arithmetic
 * is left but casts of activations, which graph_validate refuses: graph_delete_edge_nodes may come between. */
int graph_fold_constants(struct graph *graph, struct error *err);
/* The same for one node whose inputs all have shapes: for importers that need shapes as they go (SAME padding, rounding
 * of pools), after each node. Indices stay; a node that became constant is marked removed, its output is the constant.
 * A POOL with is_global gets its window from the input, and where attr.pool.output is 0 the floor rule decides. */
int graph_fold_node(struct graph *graph, int node, struct error *err);
/* The invariants of this header, shapes included, and that every graph input is read. EX_DATAERR; EX_UNAVAILABLE for
 * what is meaningful but not supported (weights computed at run time). Importers end with it;
 * graph_normalise runs it after each pass. */
int graph_validate(const struct graph *graph, struct error *err);

const char *op_name(enum op op); /* "conv", "dense", ... */
const char *activation_name(enum activation_kind kind);

/* How large a valid graph is, for one record. */
struct graph_totals {
    uint64_t parameters;       /* elements of constants */
    uint64_t macs;             /* multiply-accumulates of CONV, DECONV, DENSE and MATMUL */
    uint64_t activation_bytes; /* of all other values in float32, as if none shared memory */
};
struct graph_totals graph_totals(const struct graph *graph);
uint64_t node_macs(const struct graph *graph, const struct node *node); /* the share of one node */

/* A table of nodes with shapes and attributes, and the totals below it, for `etalon inspect`. */
void graph_print(const struct graph *graph, FILE *out);
/* The attributes of one node, as the table has them: " kernel 3x3 pads 1,1,1,1 + relu". */
void graph_print_attributes(const struct graph *graph, const struct node *node, FILE *out);

/* Rows or columns of a pooled or convolved image; 0 or less where no window fits or an argument makes no sense (then
 * graph_infer_shapes names the node). For `ceil_mode` the last window must start inside image or begin pad (Caffe when
 * it pads, PyTorch always; `caffe_rule`: only checked when a pad is positive). Caffe checks both axes when either has a
 * pad: its importer passes caffe_rule = false then. */
int64_t conv_output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin,
                         int64_t pad_end);
int64_t pool_output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin,
                         int64_t pad_end, bool ceil_mode, bool caffe_rule);

/* Applies an activation to one value; the plain definition that engine and simulator agree with. */
float activation_apply(struct activation activation, float x);

#endif
