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

/* Scale or shift, input `slot`, behind `from`: a constant with all the axes of x broadcasts. `to` is where it ends. */
static void put_parameter(struct tnn_emit *e, const struct node *node, size_t slot, const char *type, const char *from,
                          const char *to)
{
    const struct value *v = &e->graph->values[node->inputs[slot]];
    const struct shape *x = tnn_value_shape(e, node->inputs[0]);
    struct shape shape = {x->rank, {1, 1, 1, 1, 1, 1, 1, 1}};
    const char *name = tnn_layer_name(e, node), *constant;

    if (!v->is_constant || v->shape.rank > x->rank) {
        tnn_cannot(e, "its parameter \"%s\" is no constant that broadcasts", v->name);
        return;
    }
    memcpy(shape.dims + x->rank - v->shape.rank, v->shape.dims, v->shape.rank * sizeof *shape.dims);
    constant = tnn_put_const(e, name, type, &shape, v->data);
    if (constant != NULL)
        tnn_put_binary(e, type, tnn_fresh_name(e, constant, "applied"), from, constant, to);
}

static bool has_parameter(const struct node *node, size_t slot)
{
    return slot < node->n_inputs && node->inputs[slot] != GRAPH_NONE;
}

/* By small layers, over any axes and with any parameters: (x - mean) / root(variance + epsilon). */
static void emit_restated_norm(struct tnn_emit *e, const struct node *node)
{
    static const char *const whats[] = {"mean", "centred", "square", "variance", "root", "normalised", "scaled"};
    enum { MEAN, CENTRED, SQUARE, VARIANCE, ROOT, NORMALISED, SCALED, N_BLOBS };
    const char *x = e->blobs[node->inputs[0]], *y = e->blobs[node->outputs[0]], *blobs[N_BLOBS];
    const size_t rank = tnn_value_shape(e, node->inputs[0])->rank;
    const uint32_t axes = node->attr.layer_norm.axes;
    bool has_scale = has_parameter(node, 1), has_shift = has_parameter(node, 2);

    for (size_t i = 0; i < N_BLOBS; i++)
        if ((blobs[i] = tnn_fresh_name(e, tnn_layer_name(e, node), whats[i])) == NULL)
            return;
    if (!has_shift)
        blobs[SCALED] = y;
    if (!has_scale)
        blobs[NORMALISED] = blobs[SCALED];
    tnn_put_reduce(e, "ReduceMean", blobs[MEAN], x, blobs[MEAN], axes, rank, true);
    tnn_put_binary(e, "Sub", blobs[CENTRED], x, blobs[MEAN], blobs[CENTRED]);
    tnn_put_binary(e, "Mul", blobs[SQUARE], blobs[CENTRED], blobs[CENTRED], blobs[SQUARE]);
    tnn_put_reduce(e, "ReduceMean", blobs[VARIANCE], blobs[SQUARE], blobs[VARIANCE], axes, rank, true);
    tnn_put_power(e, blobs[ROOT], blobs[VARIANCE], blobs[ROOT], 0.5F, 1, node->attr.layer_norm.epsilon);
    tnn_put_binary(e, "Div", tnn_layer_name(e, node), blobs[CENTRED], blobs[ROOT], blobs[NORMALISED]);
    if (has_scale)
        put_parameter(e, node, 1, "Mul", blobs[NORMALISED], blobs[SCALED]);
    if (has_shift)
        put_parameter(e, node, 2, "Add", blobs[SCALED], y);
}

/* TNN has a layer for it over the last axes, with a scale and a shift an element, and one over images, with those a
 * channel. */
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
        emit_restated_norm(e, node);
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
