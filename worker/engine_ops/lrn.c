/* lrn.c — local response normalisation across channels, in the layout the input has. */
#include "worker/engine_private.h"

int engine_build_lrn(struct engine *engine, const struct node *node, struct error *err)
{
    size_t block = engine_home(engine, node->inputs[0]);
    dnnl_memory_desc_t md = onednn_layout(engine->values[node->inputs[0]].dims, block);
    dnnl_primitive_attr_t attr;
    dnnl_engine_t library = onednn_engine(err);
    dnnl_primitive_desc_t pd;
    dnnl_lrn_desc_t desc;
    dnnl_status_t status;
    int from, to;

    if (node->attr.lrn.size % 2 == 0) /* the library centres its window; an even one is not centred */
        return engine_build_reference(engine, node, err);
    attr = onednn_attributes((struct activation){0}, err);
    if (attr == NULL || library == NULL)
        return -1;
    status =
        dnnl_lrn_forward_desc_init(&desc, dnnl_forward_inference, dnnl_lrn_across_channels, &md, node->attr.lrn.size,
                                   node->attr.lrn.alpha, node->attr.lrn.beta, node->attr.lrn.k);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (onednn_check(status, "describe a response normalisation", err) != 0)
        return -1;
    if (engine_read(engine, node->inputs[0], block, &from, err) != 0 ||
        engine_write(engine, node->outputs[0], block, &to, err) != 0) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    return engine_add_unary(engine, pd, &md, from, &md, to, err);
}
