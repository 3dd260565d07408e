/* layers_shape.c — layers that move, join or reduce axes, and Softmax. */
#include "formats/caffe/build.h"

#include <string.h>

/* ---- Concat and Slice */

/* Both have a current `axis`, which may be negative, and a deprecated one, which may not. */
static int joined_axis(const struct caffe_import *in, const struct caffe_layer *layer, bool is_deprecated,
                       uint32_t deprecated, int32_t axis, size_t *out, struct error *err)
{
    return caffe_axis(layer, is_deprecated ? (int64_t)deprecated : axis, caffe_bottom_shape(in, layer, 0)->rank, out,
                      err);
}

int caffe_concat(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__ConcatParameter defaults = CAFFE__CONCAT_PARAMETER__INIT;
    const Caffe__ConcatParameter *param = layer->param->concat_param != NULL ? layer->param->concat_param : &defaults;
    int output;
    size_t axis;

    if (caffe_expect(layer, -1, 1, err) < 0 ||
        joined_axis(in, layer, param->has_concat_dim, param->concat_dim, param->axis, &axis, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    return output < 0 ? -1 : caffe_add_concat(in, layer, layer->bottoms, layer->n_bottoms, axis, output, err);
}

/* Where top `top` ends along the axis. */
static int64_t slice_end(const Caffe__SliceParameter *param, size_t n_tops, size_t top, int64_t extent)
{
    if (param->n_slice_point == 0)
        return extent / (int64_t)n_tops * ((int64_t)top + 1);
    return top < param->n_slice_point ? (int64_t)param->slice_point[top] : extent;
}

static int check_slice(const struct caffe_layer *layer, const Caffe__SliceParameter *param, int64_t extent,
                       struct error *err)
{
    int64_t begin = 0, end;

    if (param->n_slice_point > 0 && param->n_slice_point != layer->n_tops - 1)
        return caffe_error(layer, err, EX_DATAERR, "expected a slice_point between each of %zu tops, found %zu",
                           layer->n_tops, param->n_slice_point);
    if (param->n_slice_point == 0 && extent % (int64_t)layer->n_tops != 0)
        return caffe_error(layer, err, EX_DATAERR, "%lld elements do not divide evenly among %zu tops",
                           (long long)extent, layer->n_tops);
    for (size_t i = 0; i < layer->n_tops; i++, begin = end) {
        end = slice_end(param, layer->n_tops, i, extent);
        if (end <= begin || end > extent)
            return caffe_error(layer, err, EX_DATAERR,
                               "slice points must rise within (0, %lld): top %zu is [%lld, %lld)", (long long)extent, i,
                               (long long)begin, (long long)end);
    }
    return 0;
}

int caffe_slice(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__SliceParameter defaults = CAFFE__SLICE_PARAMETER__INIT;
    const Caffe__SliceParameter *param = layer->param->slice_param != NULL ? layer->param->slice_param : &defaults;
    struct shape shape;
    int64_t extent, begin[TENSOR_MAX_RANK] = {0}, end;
    size_t axis;

    if (caffe_expect(layer, 1, -1, err) < 0 ||
        joined_axis(in, layer, param->has_slice_dim, param->slice_dim, param->axis, &axis, err) < 0)
        return -1;
    shape = *caffe_bottom_shape(in, layer, 0);
    extent = shape.dims[axis];
    if (check_slice(layer, param, extent, err) < 0)
        return -1;
    for (size_t i = 0; i < layer->n_tops; i++, begin[axis] = end) {
        int output;

        end = slice_end(param, layer->n_tops, i, extent);
        shape.dims[axis] = end - begin[axis];
        output = caffe_top(in, layer, i, &shape, err);
        if (output < 0 || caffe_add_slice(in, layer, layer->bottoms[0], begin, output, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- Reshaping */

static int add_reshaped_top(struct caffe_import *in, const struct caffe_layer *layer, const struct shape *shape,
                            struct error *err)
{
    int output = caffe_top(in, layer, 0, shape, err);

    return output < 0 ? -1 : caffe_add_reshape(in, layer, layer->bottoms[0], output, err);
}

int caffe_flatten(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__FlattenParameter defaults = CAFFE__FLATTEN_PARAMETER__INIT;
    const Caffe__FlattenParameter *param =
        layer->param->flatten_param != NULL ? layer->param->flatten_param : &defaults;
    const struct shape *x;
    struct shape flat = {0};
    size_t first, last;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    x = caffe_bottom_shape(in, layer, 0);
    if (caffe_axis(layer, param->axis, x->rank, &first, err) < 0 ||
        caffe_axis(layer, param->end_axis, x->rank, &last, err) < 0)
        return -1;
    if (last < first)
        return caffe_error(layer, err, EX_DATAERR, "its last axis %zu comes before its first axis %zu", last, first);
    for (size_t i = 0; i < x->rank; i++)
        if (i > first && i <= last)
            flat.dims[flat.rank - 1] *= x->dims[i];
        else
            flat.dims[flat.rank++] = x->dims[i];
    return add_reshaped_top(in, layer, &flat, err);
}

/* The axes [first, first + n) of the bottom that the given dims replace. */
static int replaced_span(const struct caffe_layer *layer, const Caffe__ReshapeParameter *param, size_t rank,
                         size_t *first, size_t *n, struct error *err)
{
    int64_t start = param->axis < 0 ? param->axis + (int64_t)rank + 1 : param->axis; /* -1 appends */

    if (start < 0 || start > (int64_t)rank || param->num_axes < -1 ||
        (param->num_axes > 0 && start + param->num_axes > (int64_t)rank))
        return caffe_error(layer, err, EX_DATAERR, "axis %d with num_axes %d does not exist: its bottom has %zu axes",
                           param->axis, param->num_axes, rank);
    *first = (size_t)start;
    *n = param->num_axes == -1 ? rank - *first : (size_t)param->num_axes;
    return 0;
}

/* One new extent: 0 copies the bottom's, -1 is left for later, and a batch written as a number is the graph's 1. */
static int new_extent(const struct caffe_import *in, const struct caffe_layer *layer, int64_t dim, size_t from,
                      size_t to, int64_t *out, struct error *err)
{
    const struct shape *x = caffe_bottom_shape(in, layer, 0);

    if (dim == 0 && from >= x->rank)
        return caffe_error(layer, err, EX_DATAERR, "a dim of 0 copies axis %zu, but its bottom has %zu axes", from,
                           x->rank);
    if (dim < -1 || dim > TENSOR_MAX_ELEMENTS)
        return caffe_error(layer, err, EX_DATAERR, "expected a dim from -1 on, found %lld", (long long)dim);
    *out = dim == 0 ? x->dims[from] : to == 0 && dim == in->declared_batch ? 1 : dim;
    return 0;
}

/* Fills in the one extent that is -1. */
static int infer_extent(const struct caffe_layer *layer, const struct shape *x, struct shape *shape, struct error *err)
{
    struct shape known = *shape;
    int64_t total = shape_elements(x), rest;
    size_t unknown = shape->rank;
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];

    for (size_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] == -1) {
            if (unknown < shape->rank)
                return caffe_error(layer, err, EX_DATAERR, "more than one dim is -1");
            unknown = i;
            known.dims[i] = 1;
        }
    rest = shape_elements(&known);
    if (rest <= 0 || total % rest != 0 || (unknown == shape->rank && rest != total))
        return caffe_error(layer, err, EX_DATAERR, "shape %s cannot become %s", shape_text(x, from),
                           shape_text(shape, to));
    if (unknown < shape->rank)
        shape->dims[unknown] = total / rest;
    return 0;
}

int caffe_reshape(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__ReshapeParameter *param = layer->param->reshape_param;
    struct shape x, shape = {0};
    size_t first = 0, n = 0;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    if (param == NULL || param->shape == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no reshape_param with a shape");
    x = *caffe_bottom_shape(in, layer, 0);
    if (replaced_span(layer, param, x.rank, &first, &n, err) < 0)
        return -1;
    if (x.rank - n + param->shape->n_dim > TENSOR_MAX_RANK)
        return caffe_error(layer, err, EX_DATAERR, "expected at most %d axes, found %zu", TENSOR_MAX_RANK,
                           x.rank - n + param->shape->n_dim);
    for (size_t i = 0; i < first; i++)
        shape.dims[shape.rank++] = x.dims[i];
    for (size_t i = 0; i < param->shape->n_dim; i++, shape.rank++)
        if (new_extent(in, layer, param->shape->dim[i], first + i, shape.rank, &shape.dims[shape.rank], err) < 0)
            return -1;
    for (size_t i = first + n; i < x.rank; i++)
        shape.dims[shape.rank++] = x.dims[i];
    if (infer_extent(layer, &x, &shape, err) < 0)
        return -1;
    return add_reshaped_top(in, layer, &shape, err);
}

/* ---- Permute (SSD): the listed axes first, the others behind in their order */

int caffe_permute(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__PermuteParameter *param = layer->param->permute_param;
    int64_t perm[TENSOR_MAX_RANK];
    bool is_listed[TENSOR_MAX_RANK] = {false};
    size_t rank, n = 0;
    int output;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    rank = caffe_bottom_shape(in, layer, 0)->rank;
    for (size_t i = 0; param != NULL && i < param->n_order; i++) {
        if (param->order[i] >= rank || is_listed[param->order[i]])
            return caffe_error(layer, err, EX_DATAERR, "axis %u of its order is beyond %zu axes or named twice",
                               param->order[i], rank);
        is_listed[param->order[i]] = true;
        perm[n++] = param->order[i];
    }
    for (size_t i = 0; i < rank; i++)
        if (!is_listed[i])
            perm[n++] = (int64_t)i;
    output = caffe_top(in, layer, 0, NULL, err);
    return output < 0 ? -1 : caffe_add_transpose(in, layer, layer->bottoms[0], perm, output, err);
}

/* ---- Over an axis */

/* Also SoftmaxWithLoss, whose second bottom is the label. */
int caffe_softmax(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__SoftmaxParameter *param = layer->param->softmax_param;
    int output, node;
    size_t axis;

    if (caffe_expect(layer, -1, 1, err) < 0 ||
        caffe_axis(layer, param != NULL ? param->axis : 1, caffe_bottom_shape(in, layer, 0)->rank, &axis, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    node = output < 0 ? -1 : caffe_add_node(in, layer, OP_SOFTMAX, layer->bottoms, 1, output, err);
    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.softmax.axis = (int64_t)axis;
    return caffe_finish_node(in, node, err);
}

/* What Reduction adds up: the bottom, its magnitudes or its squares. */
static int addends(struct caffe_import *in, const struct caffe_layer *layer,
                   Caffe__ReductionParameter__ReductionOp operation, struct error *err)
{
    const struct activation magnitude = {.kind = ACTIVATION_ABS};
    const int x = layer->bottoms[0];
    int y;

    if (operation != CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__ASUM &&
        operation != CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__SUMSQ)
        return x;
    y = caffe_inner(in, layer, "addends", NULL, err);
    if (y < 0)
        return -1;
    return (operation == CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__ASUM
                ? caffe_add_activation(in, layer, magnitude, x, y, err)
                : caffe_add_binary(in, layer, BINARY_MUL, x, x, y, err)) < 0
               ? -1
               : y;
}

/* From an axis to the end, all of which disappear. */
int caffe_reduction(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__ReductionParameter defaults = CAFFE__REDUCTION_PARAMETER__INIT;
    const Caffe__ReductionParameter *param =
        layer->param->reduction_param != NULL ? layer->param->reduction_param : &defaults;
    bool is_mean = param->operation == CAFFE__REDUCTION_PARAMETER__REDUCTION_OP__MEAN;
    int output, x, reduced;
    size_t axis, rank;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    rank = caffe_bottom_shape(in, layer, 0)->rank;
    if (caffe_axis(layer, param->axis, rank, &axis, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    x = output < 0 ? -1 : addends(in, layer, param->operation, err);
    reduced = x < 0 || param->coeff == 1 ? output : caffe_inner(in, layer, "reduced", NULL, err);
    if (x < 0 || reduced < 0 ||
        caffe_add_reduce(in, layer, is_mean ? REDUCE_MEAN : REDUCE_SUM, axis, rank, false, x, reduced, err) < 0)
        return -1;
    return param->coeff == 1 ? 0 : caffe_add_affine(in, layer, reduced, param->coeff, 0, output, err);
}
