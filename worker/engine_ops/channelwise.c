/* channelwise.c — PReLU and normalisation: one or two numbers a channel, in any layout. */
#include "worker/engine_private.h"

struct context {
    struct view shape; /* data is the operand's */
    /* [channels rounded up to whole blocks]; the rest is zero, which keeps padding zero */
    float *scale, *shift;
};

/* n values that take their numbers from neighbouring channels (stride 1) or all from one (stride 0). */
typedef void (*row_kernel)(const float *scale, const float *shift, size_t stride, size_t n, const float *x, float *y);

static void prelu_row(const float *scale, const float *shift, size_t stride, size_t n, const float *x, float *y)
{
    (void)shift;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : x[i] * scale[i * stride];
}

static void normalize_row(const float *scale, const float *shift, size_t stride, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale[i * stride] + shift[i * stride];
}

static void run_rows(const struct engine_step *step, row_kernel row)
{
    const struct context *context = step->context;
    const struct view *shape = &context->shape;
    const float *x = step->operands[0].data;
    float *y = step->operands[1].data;
    size_t blocks = view_blocks(shape);
    bool is_plain = shape->block == 1;
    size_t rows = is_plain ? 1 : shape->spatial, n = is_plain ? shape->spatial : shape->block;

    for (size_t i = 0; i < shape->records * blocks; i++) {
        const float *scale = context->scale + i % blocks * shape->block;
        const float *shift = context->shift + i % blocks * shape->block;

        for (size_t j = 0; j < rows; j++, x += n, y += n)
            row(scale, shift, is_plain ? 0 : 1, n, x, y);
    }
}

static int run_prelu(const struct engine *engine, const struct engine_step *step, struct error *err)
{
    (void)engine;
    (void)err;
    run_rows(step, prelu_row);
    return 0;
}

static int run_normalize(const struct engine *engine, const struct engine_step *step, struct error *err)
{
    (void)engine;
    (void)err;
    run_rows(step, normalize_row);
    return 0;
}

/* Constant input `input`, one number a channel (or one for all), padded with zeros to whole blocks. */
static float *channel_numbers(struct engine *engine, const struct node *node, size_t input, const struct view *shape,
                              struct error *err)
{
    const float *numbers = engine_constant(engine, node, input);
    struct tensor tensor;
    float *padded;
    size_t n;

    if (numbers == NULL || !graph_constant(engine->graph, node->inputs[input], &tensor)) {
        error_set(err, EX_UNAVAILABLE, "input %zu is not constant", input);
        return NULL;
    }
    n = (size_t)shape_elements(&tensor.shape);
    if (n != 1 && n != shape->channels) {
        error_set(err, EX_UNAVAILABLE, "input %zu has %zu elements, expected 1 or %zu", input, n, shape->channels);
        return NULL;
    }
    padded = arena_create_array(engine->arena, view_blocks(shape) * shape->block, sizeof *padded, err);
    for (size_t i = 0; padded != NULL && i < shape->channels; i++)
        padded[i] = numbers[n == 1 ? 0 : i];
    return padded;
}

int engine_build_channelwise(struct engine *engine, const struct node *node, struct error *err)
{
    const struct engine_value *value = &engine->values[node->outputs[0]];
    size_t block = engine_home(engine, node->inputs[0]);
    struct context *context = arena_create_array(engine->arena, 1, sizeof *context, err);
    bool is_prelu = node->op == OP_PRELU;
    int from, to;

    if (context == NULL)
        return -1;
    context->shape = (struct view){NULL, (size_t)value->dims[0], (size_t)value->dims[1],
                                   (size_t)(value->dims[2] * value->dims[3]), block};
    context->scale = channel_numbers(engine, node, 1, &context->shape, err);
    context->shift = is_prelu ? context->scale : channel_numbers(engine, node, 2, &context->shape, err);
    if (context->scale == NULL || context->shift == NULL ||
        engine_read(engine, node->inputs[0], block, &from, err) != 0 ||
        engine_write(engine, node->outputs[0], block, &to, err) != 0 ||
        engine_add_kernel(engine, is_prelu ? run_prelu : run_normalize, context, &from, 1, to, err) == NULL)
        return -1;
    engine_allow_in_place(engine, to, from);
    return 0;
}
