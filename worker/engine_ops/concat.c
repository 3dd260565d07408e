/* concat.c — joining values along one axis, in a blocked layout where every seam falls on a block's border. */
#include "worker/engine_private.h"

static bool is_nhwc(size_t block)
{
    return block != 1 && block != 8 && block != 16;
}

/* The block of one operand in a concatenation done in `block`: nhwc is another number for each. */
static size_t operand_block(const int64_t *dims, size_t block)
{
    return is_nhwc(block) ? (size_t)dims[1] : block;
}

/* The largest input decides: it is the dearest to reorder. */
static size_t choose_block(const struct engine *engine, const struct node *node)
{
    size_t block = 1;
    int64_t most = 0;

    for (size_t i = 0; i < node->n_inputs; i++) {
        const int64_t *dims = engine->values[node->inputs[i]].dims;

        if (dims[1] * dims[2] * dims[3] > most) {
            most = dims[1] * dims[2] * dims[3];
            block = engine_home(engine, node->inputs[i]);
        }
    }
    for (size_t i = 0; node->attr.axis == 1 && !is_nhwc(block) && i + 1 < node->n_inputs; i++)
        if (engine->values[node->inputs[i]].dims[1] % (int64_t)block != 0)
            return 1;
    return block;
}

static int describe(const struct node *node, const dnnl_memory_desc_t *in, const dnnl_memory_desc_t *out, int axis,
                    dnnl_primitive_desc_t *pd, struct error *err)
{
    dnnl_primitive_attr_t attr = onednn_attributes((struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_status_t status;

    if (attr == NULL || library == NULL)
        return -1;
    status = dnnl_concat_primitive_desc_create(pd, out, (int)node->n_inputs, axis, in, attr, library);
    dnnl_primitive_attr_destroy(attr);
    return onednn_check(status, "describe a concatenation", err);
}

int engine_build_concat(struct engine *engine, const struct node *node, struct error *err)
{
    size_t rank = engine->graph->values[node->outputs[0]].shape.rank;
    const int64_t *out_dims = engine->values[node->outputs[0]].dims;
    int axis = rank == 3 && node->attr.axis == 2 ? 3 : (int)node->attr.axis;
    dnnl_memory_desc_t *in, out;
    dnnl_primitive_desc_t pd;
    struct engine_step *step;
    size_t block;
    int *from, to;

    if (axis < 1 || (rank > 4 && axis >= 3))
        return engine_build_reference(engine, node, err);
    for (size_t i = 0; i < node->n_inputs; i++)
        if (engine->graph->values[node->inputs[i]].is_constant && engine_describe(engine, node->inputs[i], err) != 0)
            return -1;
    in = arena_create_array(engine->arena, node->n_inputs, sizeof *in, err);
    from = arena_create_array(engine->arena, node->n_inputs, sizeof *from, err);
    if (in == NULL || from == NULL)
        return -1;
    block = choose_block(engine, node);
    out = onednn_layout(out_dims, operand_block(out_dims, block));
    for (size_t i = 0; i < node->n_inputs; i++) {
        const int64_t *dims = engine->values[node->inputs[i]].dims;

        in[i] = onednn_layout(dims, operand_block(dims, block));
        if (engine_read(engine, node->inputs[i], operand_block(dims, block), &from[i], err) != 0)
            return -1;
    }
    if (engine_write(engine, node->outputs[0], operand_block(out_dims, block), &to, err) != 0 ||
        describe(node, in, &out, axis, &pd, err) != 0)
        return -1;
    step = engine_add_step(engine, node->n_inputs + 1, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    for (size_t i = 0; i < node->n_inputs; i++)
        engine_bind(engine, step, DNNL_ARG_MULTIPLE_SRC + (int)i, &in[i], from[i]);
    engine_bind(engine, step, DNNL_ARG_DST, &out, to);
    return engine_set_primitive(engine, step, pd, err);
}
