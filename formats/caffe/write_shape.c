/* write_shape.c — operators that join or move axes. */
#include "formats/caffe/write.h"

void caffe_put_concat(struct caffe_writer *w, const char *name, const char *const *bottoms, size_t n, const char *to,
                      int64_t axis)
{
    Caffe__LayerParameter *layer = caffe_put_layer(w, "Concat", name, bottoms, n, &to, 1);
    Caffe__ConcatParameter *param = caffe_put_message(w, &caffe__concat_parameter__descriptor);

    if (param == NULL)
        return;
    layer->concat_param = param;
    param->has_axis = axis != 1;
    param->axis = (int32_t)axis;
}

void caffe_write_concat(struct caffe_writer *w)
{
    const char **bottoms = arena_create_array(w->arena, w->node->n_inputs, sizeof *bottoms, &w->err);

    for (size_t i = 0; bottoms != NULL && i < w->node->n_inputs; i++) {
        if (w->graph->values[w->node->inputs[i]].is_constant)
            caffe_cannot(w, "joining with a constant has no form in Caffe");
        bottoms[i] = w->blobs[w->node->inputs[i]];
    }
    caffe_put_concat(w, w->node->name, bottoms, w->node->n_inputs, w->to, w->node->attr.axis);
}

/* ---- Reshaping */

void caffe_put_reshape(struct caffe_writer *w, const char *name, const char *from, const char *to,
                       const struct shape *x, const struct shape *y)
{
    bool is_flat = y->rank == 2 && x->rank >= 2;
    Caffe__LayerParameter *layer = caffe_put_simple(w, is_flat ? "Flatten" : "Reshape", name, from, to);
    Caffe__ReshapeParameter *param = caffe_put_message(w, &caffe__reshape_parameter__descriptor);
    Caffe__BlobShape *shape = caffe_put_message(w, &caffe__blob_shape__descriptor);

    if (shape == NULL || is_flat)
        return;
    shape->dim = arena_create_array(w->arena, y->rank, sizeof *shape->dim, &w->err);
    for (size_t i = 0; shape->dim != NULL && i < y->rank; i++)
        shape->dim[shape->n_dim++] = i == 0 ? 0 : y->dims[i]; /* 0: as in the bottom */
    param->shape = shape;
    layer->reshape_param = param;
}

void caffe_write_reshape(struct caffe_writer *w)
{
    caffe_put_reshape(w, w->node->name, w->from, w->to, caffe_shape_of(w, w->node->inputs[0]),
                      caffe_shape_of(w, w->node->outputs[0]));
}

void caffe_put_permute(struct caffe_writer *w, const char *name, const char *from, const char *to, const int64_t *order,
                       size_t n)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Permute", name, from, to);
    Caffe__PermuteParameter *param = caffe_put_message(w, &caffe__permute_parameter__descriptor);
    uint32_t *axes = caffe_put_integers(w, order, n);

    if (axes == NULL)
        return;
    layer->permute_param = param;
    param->order = axes;
    param->n_order = n;
}

void caffe_write_transpose(struct caffe_writer *w)
{
    caffe_put_permute(w, w->node->name, w->from, w->to, w->node->attr.perm,
                      caffe_shape_of(w, w->node->inputs[0])->rank);
}
