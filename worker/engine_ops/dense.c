/* dense.c — fully connected layers: the library's inner product on row-major vectors, weights in its own layout. */
#include "worker/engine_private.h"

struct dense {
    dnnl_memory_desc_t in, weights, any_weights, bias, out;
    bool has_bias;
};

static int choose(const struct dense *dense, struct activation fused, dnnl_primitive_desc_t *pd, struct error *err)
{
    dnnl_primitive_attr_t attr = onednn_attributes(fused, err);
    dnnl_engine_t library = onednn_engine(err);
    dnnl_inner_product_desc_t desc;
    dnnl_status_t status;

    if (attr == NULL || library == NULL)
        return -1;
    status = dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, &dense->in, &dense->any_weights,
                                                  dense->has_bias ? &dense->bias : NULL, &dense->out);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    return onednn_check(status, "describe an inner product", err);
}

int engine_build_dense(struct engine *engine, const struct node *node, struct error *err)
{
    const int64_t *in = engine->values[node->inputs[0]].dims, *out = engine->values[node->outputs[0]].dims;
    const int64_t x[] = {in[0], in[1] * in[2] * in[3]}, w[] = {out[1], x[1]}, y[] = {out[0], out[1]};
    struct dense dense = {onednn_plain(x, 2),       onednn_plain(w, 2), onednn_any(w, 2),
                          onednn_plain(&out[1], 1), onednn_plain(y, 2), engine_constant(engine, node, 2) != NULL};
    bool is_fused = engine_fuses(node->fused);
    dnnl_memory_desc_t weights;
    const void *weights_data = NULL;
    dnnl_primitive_desc_t pd;
    struct engine_step *step = NULL;
    int from = -1, to = -1;

    if (engine_constant(engine, node, 1) == NULL)
        return error_set(err, EX_UNAVAILABLE, "weights are not constant");
    if (choose(&dense, is_fused ? node->fused : (struct activation){0}, &pd, err) != 0)
        return -1;
    weights = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (engine_get_weights(engine, node, 1, &dense.weights, &weights, &weights_data, err) == 0 &&
        engine_read(engine, node->inputs[0], 1, &from, err) == 0 &&
        engine_write(engine, node->outputs[0], 1, &to, err) == 0)
        step = engine_add_step(engine, 4, err);
    if (step == NULL) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    engine_bind(engine, step, DNNL_ARG_SRC, &dense.in, from);
    engine_bind(engine, step, DNNL_ARG_DST, &dense.out, to);
    engine_bind_fixed(step, DNNL_ARG_WEIGHTS, &weights, weights_data);
    if (dense.has_bias)
        engine_bind_fixed(step, DNNL_ARG_BIAS, &dense.bias, engine_constant(engine, node, 2));
    if (engine_set_primitive(engine, step, pd, err) != 0)
        return -1;
    return is_fused ? 0 : engine_add_activation(engine, out, 1, node->fused, to, to, err);
}
