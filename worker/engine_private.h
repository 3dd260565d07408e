/* engine_private.h — what the files of the engine share: the program that a graph is compiled into, and how operators
 * add to it.
 *
 * A program is a list of steps (a primitive of the library, or a kernel of ours) that read and write buffers. A value
 * may exist in several layouts ("forms"), each a buffer of its own: the first one is home, where its producer put it
 * and where observers look; others come from reorders, made once, when the first consumer asks. Buffers get their place
 * in one piece of memory last, when all uses are known (engine_memory.c).
 *
 * Every activation is seen as four-dimensional: rank 2 is [N, C, 1, 1], rank 3 [N, C, 1, L], higher ranks join their
 * last axes. That is common/view.h's picture too.
 */
#ifndef ETALON_ENGINE_PRIVATE_H
#define ETALON_ENGINE_PRIVATE_H

#include "worker/engine.h"
#include "worker/onednn.h"

enum {
    ENGINE_MAX_FORMS = 4,        /* blocks 1, 8, 16, channels */
    ENGINE_SCRATCHPAD = -2,      /* in place of a buffer: the memory all primitives share */
    ENGINE_BEFORE = -1,          /* "before the first step", as a time */
    ENGINE_FOREVER = 0x7fffffff, /* "never overwritten" */
};

struct engine_form {
    size_t block;
    int buffer;
};

struct engine_value {
    int64_t dims[ONEDNN_RANK]; /* batch included */
    size_t n_forms;
    struct engine_form forms[ENGINE_MAX_FORMS];
};

struct engine_buffer {
    size_t bytes;
    int first, last; /* steps that touch it, closed interval; first > last: none yet */
    int merged_into; /* another buffer, after the in-place pass; -1: itself */
    size_t offset;   /* in engine->memory */
    int constant;    /* value whose data, repeated for every record, fills it once; GRAPH_NONE */
};

struct engine_operand {
    int arg;               /* DNNL_ARG_*; 0 for kernels of ours */
    int buffer;            /* or ENGINE_SCRATCHPAD, or GRAPH_NONE: `fixed` */
    const void *fixed;     /* weights */
    dnnl_memory_desc_t md; /* primitives only */
    float *data;           /* where it is, once memory is placed */
};

struct engine_step;
typedef int (*engine_kernel)(const struct engine *engine, const struct engine_step *step, struct error *err);

struct engine_step {
    dnnl_primitive_t primitive; /* or NULL: kernel */
    engine_kernel kernel;
    const void *context; /* of the kernel; in engine->arena */
    size_t n_operands, capacity;
    struct engine_operand *operands;
    dnnl_exec_arg_t *args;        /* [n_operands], made when memory is placed */
    int overwriting, overwritten; /* buffers: the step may put `overwriting` where `overwritten` is; -1 */
};

/* Weights in the layout that a primitive wants. */
struct engine_weights {
    int node;
    size_t input;
    dnnl_memory_desc_t md;
    void *data;
    size_t bytes;
    bool is_owned; /* else another engine's */
};

struct engine {
    const struct graph *graph;
    size_t batch;
    bool is_serial; /* engine_create_serial */
    struct engine *share;
    const unsigned char *given; /* weights of an equal engine, one after the other; NULL: none */
    size_t given_bytes, given_used;
    struct arena *arena;
    dnnl_stream_t stream;
    struct engine_value *values; /* [graph->n_values]; constants have no form until one is read as an activation */
    size_t *node_steps;          /* [graph->n_nodes + 1]: node i runs steps [i], [i] + 1 ... [i + 1] - 1 */
    struct engine_buffer *buffers;
    struct engine_step *steps;
    struct engine_weights *weights;
    size_t n_buffers, n_steps, n_weights, buffers_capacity, steps_capacity, weights_capacity;
    size_t memory_bytes, scratchpad_bytes, weights_bytes;
    unsigned char *memory, *scratchpad;
    double observe_seconds;
    uint64_t records_run;
};

/* ---- engine_build.c: adding to the program. All return 0/-1 with err set; pointers to steps die with the next add.
 * ---- */

/* The value's four dimensions, from its shape. EX_UNAVAILABLE: not float32, or no batch of 1. */
int engine_describe(struct engine *engine, int value, struct error *err);
/* The layout a value is at home in; 1 for constants. */
size_t engine_home(const struct engine *engine, int value);
/* *buffer holds activation `value` in (a layout that coincides with) `block`; adds a reorder when none does yet. A
 * constant is repeated for every record. */
int engine_read(struct engine *engine, int value, size_t block, int *buffer, struct error *err);
/* A new buffer, home of `value`. */
int engine_write(struct engine *engine, int value, size_t block, int *buffer, struct error *err);
/* `value` is at home in a buffer that exists already. */
void engine_alias(struct engine *engine, int value, size_t block, int buffer);

/* The buffer must keep its content at time `step` (or ENGINE_BEFORE, ENGINE_FOREVER). */
void engine_touch(struct engine *engine, int buffer, int step);

/* A step of at most `capacity` operands, to be filled. NULL with err set. */
struct engine_step *engine_add_step(struct engine *engine, size_t capacity, struct error *err);
/* The step runs the primitive that pd describes. Takes pd, even on failure. */
int engine_set_primitive(struct engine *engine, struct engine_step *step, dnnl_primitive_desc_t pd, struct error *err);
void engine_bind(struct engine *engine, struct engine_step *step, int arg, const dnnl_memory_desc_t *md, int buffer);
void engine_bind_fixed(struct engine_step *step, int arg, const dnnl_memory_desc_t *md, const void *data);
/* A primitive with one input and one output, the most frequent kind of step. Takes pd, even on failure. */
int engine_add_unary(struct engine *engine, dnnl_primitive_desc_t pd, const dnnl_memory_desc_t *from, int from_buffer,
                     const dnnl_memory_desc_t *to, int to_buffer, struct error *err);
/* A kernel of ours with `context`, reading n buffers (negative ones are skipped) and writing one. */
struct engine_step *engine_add_kernel(struct engine *engine, engine_kernel kernel, const void *context,
                                      const int *inputs, size_t n, int output, struct error *err);

/* The step added last may put `output` where it reads `input`: same size, and element i depends on element i only. */
void engine_allow_in_place(struct engine *engine, int output, int input);

/* Constant input `input` of `node`, described by `from`, in the layout `to`: the constant itself where they are equal,
 * a shared or a new copy otherwise. */
int engine_get_weights(struct engine *engine, const struct node *node, size_t input, const dnnl_memory_desc_t *from,
                       const dnnl_memory_desc_t *to, const void **data, struct error *err);

/* What weights of so many bytes take beside others. */
static inline size_t engine_weights_place(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* NULL when input `i` is absent or no constant. */
const float *engine_constant(const struct engine *engine, const struct node *node, size_t i);

/* ---- engine_memory.c: places all buffers, allocates, makes the primitives' arguments. ---- */
int engine_place(struct engine *engine, struct error *err);
void engine_unmap(struct engine *engine); /* frees engine->memory, if any */

/* ---- engine_ops/: one builder per operator; see table.c. ---- */
typedef int (*engine_builder)(struct engine *engine, const struct node *node, struct error *err);
engine_builder engine_find_builder(enum op op); /* NULL when the operator has none */

int engine_build_conv(struct engine *engine, const struct node *node, struct error *err);
int engine_build_dense(struct engine *engine, const struct node *node, struct error *err);
int engine_build_matmul(struct engine *engine, const struct node *node, struct error *err);
int engine_build_pool(struct engine *engine, const struct node *node, struct error *err);
int engine_build_activation(struct engine *engine, const struct node *node, struct error *err);
int engine_build_channelwise(struct engine *engine, const struct node *node, struct error *err);
int engine_build_binary(struct engine *engine, const struct node *node, struct error *err);
int engine_build_concat(struct engine *engine, const struct node *node, struct error *err);
int engine_build_softmax(struct engine *engine, const struct node *node, struct error *err);
int engine_build_lrn(struct engine *engine, const struct node *node, struct error *err);
int engine_build_reduce(struct engine *engine, const struct node *node, struct error *err);
int engine_build_reshape(struct engine *engine, const struct node *node, struct error *err);
/* The plain kernel of reference.h, serial or not as the engine is, on row-major data: any operator it has. */
int engine_build_reference(struct engine *engine, const struct node *node, struct error *err);

/* Applies `activation` to a buffer in layout `block` of shape `dims`; from == to is allowed. Padding becomes zero. */
int engine_add_activation(struct engine *engine, const int64_t dims[ONEDNN_RANK], size_t block,
                          struct activation activation, int from, int to, struct error *err);
/* Can a primitive's post-operations do it? */
bool engine_fuses(struct activation activation);

#endif
