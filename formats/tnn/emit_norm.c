/* emit_norm.c — normalisation by a record's own statistics, and constants that are blobs. */
#include "formats/tnn/emit.h"

#include <string.h>

const char *tnn_put_const(struct tnn_emit *e, const char *base, const char *what, const struct shape *shape,
                          const float *data)
{
    const char *blob = tnn_fresh_name(e, base, what);

    if (blob == NULL)
        return NULL;
    tnn_layer_begin(&e->writer, false, "Const", blob, NULL, 0, &blob, 1);
    tnn_param(&e->writer, (int64_t)shape->rank);
    for (size_t i = 0; i < shape->rank; i++)
        tnn_param(&e->writer, shape->dims[i]);
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, "Const", blob);
    tnn_put_raw(&e->writer, TNN_FLOAT32, data, (size_t)shape_elements(shape), shape);
    return blob;
}

/* Scale or shift, input `slot`, as one number for each element of `shape`; `none` where it is absent. NULL: it
 * broadcasts, or after latching. */
static const float *parameters(struct tnn_emit *e, const struct node *node, size_t slot, float none,
                               const struct shape *shape)
{
    size_t n = (size_t)shape_elements(shape);
    struct error err = {0};
    float *same;

    if (slot < node->n_inputs && node->inputs[slot] != GRAPH_NONE) {
        const struct value *v = &e->graph->values[node->inputs[slot]];
        size_t more = v->shape.rank > shape->rank ? v->shape.rank - shape->rank : 0;
        bool is_whole = v->is_constant && (size_t)shape_elements(&v->shape) == n && v->shape.rank >= shape->rank &&
                        memcmp(v->shape.dims + more, shape->dims, shape->rank * sizeof *shape->dims) == 0;

        return is_whole ? v->data : NULL;
    }
    same = arena_create_array(e->arena, n, sizeof *same, &err);
    if (same == NULL)
        tnn_writer_fail(&e->writer, err.code, "%s", err.text);
    for (size_t i = 0; same != NULL && i < n; i++)
        same[i] = none;
    return same;
}

/* Over all rows and columns, with one scale and one shift a channel. */
static void emit_instance_norm(struct tnn_emit *e, const struct node *node, const float *scale, const float *shift,
                               size_t channels)
{
    tnn_simple_layer(e, node, "InstBatchNormCxx");
    tnn_param(&e->writer, (int64_t)channels);
    tnn_param_real(&e->writer, node->attr.layer_norm.epsilon);
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, "InstBatchNormCxx", tnn_layer_name(e, node));
    tnn_put_raw(&e->writer, TNN_FLOAT32, scale, channels, NULL);
    tnn_put_raw(&e->writer, TNN_FLOAT32, shift, channels, NULL);
}

/* TNN has it over the last axes with a scale and a shift an element, and over images with those a channel. */
void tnn_emit_layer_norm(struct tnn_emit *e, const struct node *node)
{
    const struct shape *x = tnn_value_shape(e, node->inputs[0]);
    struct shape channel = {3, {x->rank > 1 ? x->dims[1] : 0, 1, 1}}, last = {0};
    uint32_t axes = node->attr.layer_norm.axes;
    const char *inputs[3] = {e->blobs[node->inputs[0]]}, *output = e->blobs[node->outputs[0]];
    const float *scale, *shift;

    if (x->rank == 4 && axes == (1u << 2 | 1u << 3) && (scale = parameters(e, node, 1, 1, &channel)) != NULL &&
        (shift = parameters(e, node, 2, 0, &channel)) != NULL) {
        emit_instance_norm(e, node, scale, shift, (size_t)x->dims[1]);
        return;
    }
    for (size_t i = 0; i < x->rank; i++)
        if ((axes >> i & 1) != 0)
            last.dims[last.rank++] = x->dims[i];
    if (axes >> (x->rank - last.rank) << (x->rank - last.rank) != axes ||
        (scale = parameters(e, node, 1, 1, &last)) == NULL || (shift = parameters(e, node, 2, 0, &last)) == NULL) {
        tnn_cannot(e, "layer norm other than over the last axes, element by element, is not written");
        return;
    }
    inputs[1] = tnn_put_const(e, tnn_layer_name(e, node), "scale", &last, scale);
    inputs[2] = tnn_put_const(e, tnn_layer_name(e, node), "shift", &last, shift);
    if (inputs[1] == NULL || inputs[2] == NULL)
        return;
    tnn_layer_begin(&e->writer, false, "LayerNorm", tnn_layer_name(e, node), inputs, 3, &output, 1);
    tnn_param(&e->writer, (int64_t)last.rank);
    tnn_param_real(&e->writer, node->attr.layer_norm.epsilon);
    tnn_layer_end(&e->writer);
}
