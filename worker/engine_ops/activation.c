/* activation.c — element-wise activations in any layout: the library's where it has one, else one value at a time. */
#include "worker/engine_private.h"

#include <string.h>

struct context {
    struct view shape; /* data is the operand's */
    struct activation activation;
};

/* Padding channels are left zero, whatever the activation makes of zero. */
static int run(const struct engine *engine, const struct engine_step *step, struct error *err)
{
    const struct context *context = step->context;
    const struct view *shape = &context->shape;
    const float *x = step->operands[0].data;
    float *y = step->operands[1].data;
    size_t blocks = view_blocks(shape);

    (void)engine;
    (void)err;
    for (size_t row = 0; row < shape->records * blocks; row++) {
        size_t left = shape->channels - row % blocks * shape->block;
        size_t channels = left < shape->block ? left : shape->block;

        for (size_t i = 0; i < shape->spatial; i++, x += shape->block, y += shape->block) {
            for (size_t c = 0; c < channels; c++)
                y[c] = activation_apply(context->activation, x[c]);
            for (size_t c = channels; c < shape->block; c++)
                y[c] = 0;
        }
    }
    return 0;
}

bool engine_fuses(struct activation activation)
{
    struct onednn_eltwise chain[ONEDNN_MAX_CHAIN];
    size_t n;

    return onednn_eltwise_chain(activation, chain, &n);
}

/* A primitive for a chain of one, in the library's optimised code; *pd is NULL when there is none. */
static int describe(const dnnl_memory_desc_t *md, struct activation activation, dnnl_primitive_desc_t *pd,
                    struct error *err)
{
    struct onednn_eltwise chain[ONEDNN_MAX_CHAIN];
    dnnl_engine_t library = onednn_engine(err);
    dnnl_primitive_attr_t attr;
    dnnl_eltwise_desc_t desc;
    dnnl_status_t status;
    size_t n = 0;

    *pd = NULL;
    if (!onednn_eltwise_chain(activation, chain, &n) || n != 1)
        return 0;
    attr = onednn_attributes((struct activation){0}, err);
    if (attr == NULL || library == NULL)
        return -1;
    status =
        dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, chain[0].kind, md, chain[0].alpha, chain[0].beta);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_unimplemented)
        return 0;
    if (onednn_check(status, "describe an activation", err) != 0)
        return -1;
    if (strncmp(onednn_implementation(*pd), "ref", 3) == 0) { /* slower than ours */
        dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
    }
    return 0;
}

int engine_add_activation(struct engine *engine, const int64_t dims[ONEDNN_RANK], size_t block,
                          struct activation activation, int from, int to, struct error *err)
{
    dnnl_memory_desc_t md = onednn_layout(dims, block);
    struct context *context;
    dnnl_primitive_desc_t pd;

    if (describe(&md, activation, &pd, err) != 0)
        return -1;
    if (pd != NULL) {
        if (engine_add_unary(engine, pd, &md, from, &md, to, err) != 0)
            return -1;
    } else {
        context = arena_create_array(engine->arena, 1, sizeof *context, err);
        if (context == NULL)
            return -1;
        context->activation = activation;
        context->shape = (struct view){NULL, (size_t)dims[0], (size_t)dims[1], (size_t)(dims[2] * dims[3]), block};
        if (engine_add_kernel(engine, run, context, &from, 1, to, err) == NULL)
            return -1;
    }
    engine_allow_in_place(engine, to, from);
    return 0;
}

int engine_build_activation(struct engine *engine, const struct node *node, struct error *err)
{
    const struct engine_value *value = &engine->values[node->outputs[0]];
    size_t block = engine_home(engine, node->inputs[0]);
    int from, to;

    if (engine_read(engine, node->inputs[0], block, &from, err) != 0 ||
        engine_write(engine, node->outputs[0], block, &to, err) != 0)
        return -1;
    return engine_add_activation(engine, value->dims, block, node->attr.activation, from, to, err);
}
