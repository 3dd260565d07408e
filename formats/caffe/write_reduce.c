/* write_reduce.c — reductions: Reduction layers for sums, pools for maxima. */
#include "formats/caffe/write.h"

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

/* ---- Maxima and minima: of an image whose rows are what is reduced */

/* The input as batch x kept x reduced x 1 elements. */
static void put_matrix(struct caffe_writer *w, struct caffe_chain *chain, const struct shape *matrix)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]);
    struct shape permuted = {.rank = x->rank};
    int64_t order[TENSOR_MAX_RANK];
    struct caffe_link link;
    size_t n_kept;

    if (find_order(w->node->attr.reduce.axes, x->rank, order, &n_kept)) {
        link = caffe_next_link(w, chain, "permuted");
        caffe_put_permute(w, link.name, link.from, link.to, order, x->rank);
    }
    for (size_t i = 0; i < x->rank; i++)
        permuted.dims[i] = x->dims[order[i]];
    link = caffe_next_link(w, chain, "matrix");
    caffe_put_reshape(w, link.name, link.from, link.to, &permuted, matrix);
}

static struct shape find_matrix(const struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]);
    struct shape matrix = {4, {1, 1, 1, 1}};

    for (size_t i = 1; i < x->rank; i++)
        matrix.dims[(w->node->attr.reduce.axes >> i & 1) != 0 ? 2 : 1] *= x->dims[i];
    return matrix;
}

static size_t count_permutes(const struct caffe_writer *w)
{
    int64_t order[TENSOR_MAX_RANK];
    size_t n_kept;

    return find_order(w->node->attr.reduce.axes, caffe_shape_of(w, w->node->inputs[0])->rank, order, &n_kept);
}

/* A maximum is a pool, a minimum one of negative numbers. */
static void write_extreme(struct caffe_writer *w)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->outputs[0]);
    bool is_image = x->rank == 4 && w->node->attr.reduce.axes == (1u << 2 | 1u << 3);
    struct shape matrix = is_image ? *x : find_matrix(w);
    const struct shape pooled = {4, {1, matrix.dims[1], 1, 1}};
    bool is_min = w->node->attr.reduce.kind == REDUCE_MIN, is_reshaped = !shape_equal(&pooled, y);
    struct caffe_chain chain = {w->from, (size_t)1 + 2 * is_min + is_reshaped + (is_image ? 0 : 1 + count_permutes(w))};
    struct caffe_link link;

    if (is_min) {
        link = caffe_next_link(w, &chain, "minus");
        caffe_put_power(w, link.name, link.from, link.to, 1, -1, 0);
    }
    if (!is_image)
        put_matrix(w, &chain, &matrix);
    link = caffe_next_link(w, &chain, "max");
    caffe_put_global_pool(w, link.name, link.from, link.to, true);
    if (is_min) {
        link = caffe_next_link(w, &chain, "min");
        caffe_put_power(w, link.name, link.from, link.to, 1, -1, 0);
    }
    if (is_reshaped) {
        link = caffe_next_link(w, &chain, "kept");
        caffe_put_reshape(w, link.name, link.from, link.to, &pooled, y);
    }
}

void caffe_write_reduce(struct caffe_writer *w)
{
    enum reduce_kind kind = w->node->attr.reduce.kind;

    if ((w->node->attr.reduce.axes & 1) != 0)
        caffe_cannot(w, "reducing the batch has no form in Caffe");
    else if (kind == REDUCE_MAX || kind == REDUCE_MIN)
        write_extreme(w);
    else if (kind == REDUCE_PROD)
        caffe_cannot(w, "a product of elements has no form in Caffe");
    else
        write_sum(w);
}
