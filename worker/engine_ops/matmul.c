/* matmul.c — matrix products: one large one where the right side is constant, a stack of small ones where both are
 * activations of the same shape; what else numpy allows takes the plain kernel. */
#include "worker/engine_private.h"

static int describe(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b, const dnnl_memory_desc_t *y,
                    dnnl_primitive_desc_t *pd, struct error *err)
{
    dnnl_primitive_attr_t attr = onednn_attributes((struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_matmul_desc_t desc;
    dnnl_status_t status;

    if (attr == NULL || library == NULL)
        return -1;
    status = dnnl_matmul_desc_init(&desc, a, b, NULL, y);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    return onednn_check(status, "describe a matrix product", err);
}

/* All rows of all records times one constant matrix. */
static int build_constant(struct engine *engine, const struct node *node, int64_t k, int64_t n, struct error *err)
{
    const int64_t rows = shape_elements(&engine->graph->values[node->inputs[0]].shape) / k * (int64_t)engine->batch;
    const int64_t a_dims[] = {rows, k}, b_dims[] = {k, n}, y_dims[] = {rows, n};
    dnnl_memory_desc_t a = onednn_plain(a_dims, 2), b = onednn_any(b_dims, 2), y = onednn_plain(y_dims, 2);
    dnnl_memory_desc_t plain = onednn_plain(b_dims, 2);
    const void *weights = NULL;
    dnnl_primitive_desc_t pd;
    struct engine_step *step = NULL;
    int from = -1, to = -1;

    if (describe(&a, &b, &y, &pd, err) != 0)
        return -1;
    b = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (engine_get_weights(engine, node, 1, &plain, &b, &weights, err) == 0 &&
        engine_read(engine, node->inputs[0], 1, &from, err) == 0 &&
        engine_write(engine, node->outputs[0], 1, &to, err) == 0)
        step = engine_add_step(engine, 3, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC, &a, from);
    engine_bind_fixed(step, DNNL_ARG_WEIGHTS, &b, weights);
    engine_bind(engine, step, DNNL_ARG_DST, &y, to);
    return engine_set_primitive(engine, step, pd, err);
}

static int build_stack(struct engine *engine, const struct node *node, int64_t m, int64_t k, int64_t n,
                       struct error *err)
{
    const int64_t matrices =
        shape_elements(&engine->graph->values[node->inputs[0]].shape) / (m * k) * (int64_t)engine->batch;
    const int64_t a_dims[] = {matrices, m, k}, b_dims[] = {matrices, k, n}, y_dims[] = {matrices, m, n};
    dnnl_memory_desc_t a = onednn_plain(a_dims, 3), b = onednn_plain(b_dims, 3), y = onednn_plain(y_dims, 3);
    dnnl_primitive_desc_t pd;
    struct engine_step *step = NULL;
    int left = -1, right = -1, to = -1;

    if (describe(&a, &b, &y, &pd, err) != 0)
        return -1;
    if (engine_read(engine, node->inputs[0], 1, &left, err) == 0 &&
        engine_read(engine, node->inputs[1], 1, &right, err) == 0 &&
        engine_write(engine, node->outputs[0], 1, &to, err) == 0)
        step = engine_add_step(engine, 3, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC, &a, left);
    engine_bind(engine, step, DNNL_ARG_WEIGHTS, &b, right);
    engine_bind(engine, step, DNNL_ARG_DST, &y, to);
    return engine_set_primitive(engine, step, pd, err);
}

int engine_build_matmul(struct engine *engine, const struct node *node, struct error *err)
{
    const struct value *a = &engine->graph->values[node->inputs[0]], *b = &engine->graph->values[node->inputs[1]];
    size_t rank = a->shape.rank;
    const int64_t *in = a->shape.dims;

    if (!a->is_constant && b->is_constant && rank >= 2 && b->shape.rank == 2)
        return build_constant(engine, node, b->shape.dims[0], b->shape.dims[1], err);
    if (!a->is_constant && !b->is_constant && rank >= 3 && b->shape.rank == rank) {
        bool is_stack = true;

        for (size_t i = 0; i + 2 < rank; i++)
            is_stack = is_stack && in[i] == b->shape.dims[i];
        if (is_stack)
            return build_stack(engine, node, in[rank - 2], in[rank - 1], b->shape.dims[rank - 1], err);
    }
    return engine_build_reference(engine, node, err);
}
