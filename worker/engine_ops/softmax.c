/* softmax.c — softmax and its logarithm over one axis, on row-major data. */
#include "worker/engine_private.h"

int engine_build_softmax(struct engine *engine, const struct node *node, struct error *err)
{
    const struct shape *shape = &engine->graph->values[node->outputs[0]].shape;
    size_t axis = (size_t)node->attr.softmax.axis;
    dnnl_primitive_attr_t attr = onednn_attributes((struct activation){0}, err);
    dnnl_engine_t library = onednn_engine(err);
    int64_t dims[3] = {(int64_t)engine->batch, shape->dims[axis], 1}; /* before the axis, the axis, behind it */
    dnnl_softmax_desc_t desc;                                         /* the logarithm's is the same type */
    dnnl_memory_desc_t md;
    dnnl_primitive_desc_t pd;
    dnnl_status_t status;
    int from, to;

    for (size_t i = 0; i < shape->rank; i++)
        dims[i < axis ? 0 : 2] *= i == axis ? 1 : shape->dims[i];
    if (attr == NULL || library == NULL)
        return -1;
    md = onednn_plain(dims, 3);
    status = node->attr.softmax.is_log ? dnnl_logsoftmax_forward_desc_init(&desc, dnnl_forward_inference, &md, 1)
                                       : dnnl_softmax_forward_desc_init(&desc, dnnl_forward_inference, &md, 1);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, attr, library, NULL);
    dnnl_primitive_attr_destroy(attr);
    if (onednn_check(status, "describe a softmax", err) != 0)
        return -1;
    if (engine_read(engine, node->inputs[0], 1, &from, err) != 0 ||
        engine_write(engine, node->outputs[0], 1, &to, err) != 0) {
        dnnl_primitive_desc_destroy(pd);
        return -1;
    }
    return engine_add_unary(engine, pd, &md, from, &md, to, err);
}
