/* binary.c — operators on two tensors: the library's on equal shapes, a strided kernel where numpy's rule repeats one.
 *
 * Activations have the output's rank, and the batch in front (graph_validate); a constant may have fewer axes, and is
 * repeated for every record.
 */
#include "worker/engine_private.h"

#include <math.h>

enum { CHANNELS = 1, COLUMNS = 3 };

/* One operand as the kernel walks it, stride 0 where it is repeated. */
struct walk {
    size_t record, block, row, column, channel; /* strides in elements; channel: inside a block */
};

struct context {
    enum binary_kind kind;
    size_t dims[ONEDNN_RANK], block; /* of the output */
    struct walk walks[2];
};

static void apply_row(enum binary_kind kind, size_t n, const float *a, size_t a_step, const float *b, size_t b_step,
                      float *y)
{
    switch (kind) {
    case BINARY_ADD:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] + b[i * b_step];
        break;
    case BINARY_SUB:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] - b[i * b_step];
        break;
    case BINARY_MUL:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] * b[i * b_step];
        break;
    case BINARY_DIV:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] / b[i * b_step];
        break;
    case BINARY_MAX:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] > b[i * b_step] ? a[i * a_step] : b[i * b_step];
        break;
    case BINARY_MIN:
        for (size_t i = 0; i < n; i++)
            y[i] = a[i * a_step] < b[i * b_step] ? a[i * a_step] : b[i * b_step];
        break;
    case BINARY_POW:
        for (size_t i = 0; i < n; i++)
            y[i] = (float)pow((double)a[i * a_step], (double)b[i * b_step]);
        break;
    default: /* folded before anything runs */
        break;
    }
}

/* One row of pixels of one channel block. */
static float *run_row(const struct context *context, size_t channels, const float *a, const float *b, float *y)
{
    const struct walk *at = &context->walks[0], *bt = &context->walks[1];
    size_t columns = context->dims[COLUMNS];

    if (context->block == 1) {
        apply_row(context->kind, columns, a, at->column, b, bt->column, y);
        return y + columns;
    }
    for (size_t w = 0; w < columns; w++, y += context->block) {
        apply_row(context->kind, channels, a + w * at->column, at->channel, b + w * bt->column, bt->channel, y);
        for (size_t c = channels; c < context->block; c++)
            y[c] = 0;
    }
    return y;
}

static int run(const struct engine *engine, const struct engine_step *step, struct error *err)
{
    const struct context *context = step->context;
    const struct walk *at = &context->walks[0], *bt = &context->walks[1];
    size_t blocks = (context->dims[CHANNELS] + context->block - 1) / context->block;
    float *y = step->operands[2].data;

    (void)engine;
    (void)err;
    for (size_t i = 0; i < context->dims[0] * blocks; i++) {
        size_t left = context->dims[CHANNELS] - i % blocks * context->block;
        size_t channels = left < context->block ? left : context->block;
        const float *a = step->operands[0].data + i / blocks * at->record + i % blocks * at->block;
        const float *b = step->operands[1].data + i / blocks * bt->record + i % blocks * bt->block;

        for (size_t h = 0; h < context->dims[2]; h++)
            y = run_row(context, channels, a + h * at->row, b + h * bt->row, y);
    }
    return 0;
}

/* The operand's shape under numpy's rule, batch in front, in four dimensions; ranks above 4 are not handled here. */
static void align(const struct engine *engine, int value, size_t rank, int64_t dims[ONEDNN_RANK])
{
    const struct value *v = &engine->graph->values[value];
    int64_t aligned[ONEDNN_RANK] = {1, 1, 1, 1};

    for (size_t i = 0; i < v->shape.rank; i++)
        aligned[rank - v->shape.rank + i] = v->shape.dims[i];
    if (!v->is_constant && !engine->graph->is_unbatched)
        aligned[0] = (int64_t)engine->batch;
    dims[0] = aligned[0];
    dims[1] = rank > 1 ? aligned[1] : 1;
    dims[2] = rank > 3 ? aligned[2] : 1;
    dims[3] = rank > 2 ? aligned[rank - 1] : 1;
}

/* Strides of an operand of shape dims kept in layout `own`, walked along an output in layout `block`. */
static struct walk make_walk(const int64_t dims[ONEDNN_RANK], size_t own, size_t block)
{
    size_t channels = (size_t)dims[1], rows = (size_t)dims[2], columns = (size_t)dims[3], pixels = rows * columns;
    struct walk walk = {(channels + own - 1) / own * own * pixels, pixels * block, columns * own, own,
                        own == 1 ? pixels : 1};

    if (dims[0] == 1)
        walk.record = 0;
    if (channels == 1)
        walk.block = walk.channel = 0;
    if (rows == 1)
        walk.row = 0;
    if (columns == 1)
        walk.column = 0;
    return walk;
}

static bool is_full(const int64_t dims[ONEDNN_RANK], const int64_t out[ONEDNN_RANK])
{
    return dims[0] == out[0] && dims[1] == out[1] && dims[2] == out[2] && dims[3] == out[3];
}

static int build_broadcast(struct engine *engine, const struct node *node, int64_t dims[2][ONEDNN_RANK],
                           struct error *err)
{
    const struct value *values[] = {&engine->graph->values[node->inputs[0]], &engine->graph->values[node->inputs[1]]};
    const int64_t *out = engine->values[node->outputs[0]].dims;
    size_t block = 1;
    struct context *context = arena_create_array(engine->arena, 1, sizeof *context, err);
    int buffers[2] = {GRAPH_NONE, GRAPH_NONE}, to;
    struct engine_step *step = NULL;

    if (context == NULL)
        return -1;
    for (size_t i = 2; i-- > 0;) /* an operand that is not repeated decides the layout */
        if (!values[i]->is_constant && is_full(dims[i], out))
            block = engine_home(engine, node->inputs[i]);
    context->kind = node->attr.binary.kind;
    context->block = block;
    for (size_t i = 0; i < ONEDNN_RANK; i++)
        context->dims[i] = (size_t)out[i];
    if (block == 1 && out[2] * out[3] == 1) { /* a row of channels is walked as a row of columns */
        context->dims[CHANNELS] = 1;
        context->dims[COLUMNS] = (size_t)out[1];
    }
    for (size_t i = 0; i < 2; i++) {
        size_t own = !values[i]->is_constant && dims[i][1] == out[1] ? block : 1;

        if (!values[i]->is_constant && engine_read(engine, node->inputs[i], own, &buffers[i], err) != 0)
            return -1;
        if (context->dims[CHANNELS] != (size_t)out[1]) {
            dims[i][COLUMNS] = dims[i][CHANNELS];
            dims[i][CHANNELS] = 1;
        }
        context->walks[i] = make_walk(dims[i], own, block);
    }
    if (engine_write(engine, node->outputs[0], block, &to, err) != 0)
        return -1;
    step = engine_add_kernel(engine, run, context, buffers, 2, to, err);
    if (step == NULL)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (values[i]->is_constant)
            step->operands[i].fixed = values[i]->data;
    return node->fused.kind == ACTIVATION_NONE ? 0
                                               : engine_add_activation(engine, out, block, node->fused, to, to, err);
}

static dnnl_alg_kind_t algorithm(enum binary_kind kind)
{
    static const dnnl_alg_kind_t algorithms[] = {
        [BINARY_ADD] = dnnl_binary_add, [BINARY_SUB] = dnnl_binary_sub, [BINARY_MUL] = dnnl_binary_mul,
        [BINARY_DIV] = dnnl_binary_div, [BINARY_MAX] = dnnl_binary_max, [BINARY_MIN] = dnnl_binary_min,
    };

    return algorithms[kind];
}

/* oneDNN 2.6.3 forgets post-operations in the last block of channels where that is not a whole vector (8 channels on
 * AVX-512, 20 on AVX2): a test under each instruction set found it. A vector has at most 16 floats. */
static bool can_fuse(const int64_t dims[ONEDNN_RANK], size_t block, struct activation fused)
{
    return engine_fuses(fused) && (block == 1 || dims[1] % 16 == 0);
}

static int build_same_shape(struct engine *engine, const struct node *node, struct error *err)
{
    const int64_t *dims = engine->values[node->outputs[0]].dims;
    size_t first = engine_home(engine, node->inputs[0]);
    size_t block = first == 1 ? engine_home(engine, node->inputs[1]) : first; /* prefer blocks: what follows will */
    bool is_fused = can_fuse(dims, block, node->fused);
    dnnl_primitive_attr_t attr = onednn_attributes(is_fused ? node->fused : (struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_memory_desc_t md;
    dnnl_primitive_desc_t pd;
    dnnl_binary_desc_t desc;
    struct engine_step *step = NULL;
    dnnl_status_t status;
    int a = -1, b = -1, to = -1;

    if (attr == NULL || library == NULL)
        return -1;
    md = onednn_layout(dims, block);
    status = dnnl_binary_desc_init(&desc, algorithm(node->attr.binary.kind), &md, &md, &md);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (onednn_check(status, "describe an operator on two tensors", err) != 0)
        return -1;
    if (engine_read(engine, node->inputs[0], block, &a, err) == 0 &&
        engine_read(engine, node->inputs[1], block, &b, err) == 0 &&
        engine_write(engine, node->outputs[0], block, &to, err) == 0)
        step = engine_add_step(engine, 3, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC_0, &md, a);
    engine_bind(engine, step, DNNL_ARG_SRC_1, &md, b);
    engine_bind(engine, step, DNNL_ARG_DST, &md, to);
    if (engine_set_primitive(engine, step, pd, err) != 0)
        return -1;
    engine_allow_in_place(engine, to, a);
    return is_fused ? 0 : engine_add_activation(engine, dims, block, node->fused, to, to, err);
}

int engine_build_binary(struct engine *engine, const struct node *node, struct error *err)
{
    const struct value *a = &engine->graph->values[node->inputs[0]], *b = &engine->graph->values[node->inputs[1]];
    size_t rank = engine->graph->values[node->outputs[0]].shape.rank;
    int64_t dims[2][ONEDNN_RANK];

    if (!a->is_constant && !b->is_constant && shape_equal(&a->shape, &b->shape) &&
        node->attr.binary.kind <= BINARY_MIN) /* the library has no power of two tensors */
        return build_same_shape(engine, node, err);
    if (rank > ONEDNN_RANK)
        return engine_build_reference(engine, node, err);
    align(engine, node->inputs[0], rank, dims[0]);
    align(engine, node->inputs[1], rank, dims[1]);
    return build_broadcast(engine, node, dims, err);
}
