/* write_shape.c — operators that join, move or reduce axes. */
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

/* ---- Reducing */

static void put_reduction(struct caffe_writer *w, struct caffe_link link, bool is_mean, size_t axis)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Reduction", link.name, link.from, link.to);
    Caffe__ReductionParameter *param = caffe_put_message(w, &caffe__reduction_parameter__descriptor);

    if (param == NULL)
        return;
    layer->reduction_param = param;
    param->has_operation = true;
    param->operation =
        is_mean ? CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__MEAN : CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__SUM;
    param->has_axis = true;
    param->axis = (int32_t)axis;
}

/* Caffe reduces all axes from one on: the others come first then, in their order. true: that is another order. */
static bool find_order(uint32_t axes, size_t rank, int64_t *order, size_t *n_kept)
{
    size_t n = 0;
    bool is_other = false;

    for (uint32_t is_reduced = 0; is_reduced < 2; is_reduced++) {
        for (size_t i = 0; i < rank; i++)
            if ((axes >> i & 1) == is_reduced) {
                is_other = is_other || i != n;
                order[n++] = (int64_t)i;
            }
        *n_kept = is_reduced == 0 ? n : *n_kept;
    }
    return is_other;
}

/* Sums and means; of squares, under a root, for the L2 norm. Axes of extent 1 are put back by a reshape. */
static void write_sum(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->outputs[0]);
    bool is_root = w->node->attr.reduce.kind == REDUCE_L2, keeps = w->node->attr.reduce.keep_dims, is_permuted;
    struct caffe_chain chain = {.at = w->from};
    struct shape reduced = {0};
    struct caffe_link link;
    int64_t order[TENSOR_MAX_RANK];

    is_permuted = find_order(w->node->attr.reduce.axes, x->rank, order, &reduced.rank);
    chain.n_left = (size_t)1 + 2 * is_root + is_permuted + keeps;
    if (is_root) {
        link = caffe_next_link(w, &chain, "square");
        caffe_put_power(w, link.name, link.from, link.to, 2, 1, 0);
    }
    if (is_permuted) {
        link = caffe_next_link(w, &chain, "permuted");
        caffe_put_permute(w, link.name, link.from, link.to, order, x->rank);
    }
    link = caffe_next_link(w, &chain, "reduced");
    put_reduction(w, link, w->node->attr.reduce.kind == REDUCE_MEAN, reduced.rank);
    if (is_root) {
        link = caffe_next_link(w, &chain, "root");
        caffe_put_power(w, link.name, link.from, link.to, 0.5F, 1, 0);
    }
    if (keeps) {
        link = caffe_next_link(w, &chain, "kept");
        caffe_put_reshape(w, link.name, link.from, link.to, &reduced, y);
    }
}

/* A maximum is a pool. */
static void write_max(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->outputs[0]);
    const struct shape pooled = {4, {1, x->dims[1], 1, 1}};
    const char *max;

    if (x->rank != 4 || w->node->attr.reduce.axes != (1u << 2 | 1u << 3)) {
        caffe_cannot(w, "a maximum over other than rows and columns has no form in Caffe");
        return;
    }
    if (y->rank == 4) {
        caffe_put_global_pool(w, w->node->name, w->from, w->to, true);
        return;
    }
    max = caffe_inner_name(w, "max");
    caffe_put_global_pool(w, max, w->from, max, true);
    caffe_put_reshape(w, w->node->name, max, w->to, &pooled, y);
}

void caffe_write_reduce(struct caffe_writer *w)
{
    switch (w->node->attr.reduce.kind) {
    case REDUCE_MEAN:
    case REDUCE_SUM:
    case REDUCE_L2:
        write_sum(w);
        break;
    case REDUCE_MAX:
        write_max(w);
        break;
    default: /* the minimum among them */
        caffe_cannot(w, "this reduction has no form in Caffe");
        break;
    }
}
