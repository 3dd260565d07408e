/* write_binary.c — two operands: Eltwise where both are activations of one shape, Scale and Bias where one broadcasts,
 * Power, Scale, Bias and Clip where one is constant.
 *
 * Caffe can add and multiply. So a - b is a + (-b), and a / b is a b^-1: the latter within a rounding.
 */
#include "formats/caffe/write.h"

#include <float.h>

static bool is_summed(enum binary_kind kind)
{
    return kind == BINARY_ADD || kind == BINARY_SUB;
}

static bool is_multiplied(enum binary_kind kind)
{
    return kind == BINARY_MUL || kind == BINARY_DIV;
}

/* -b or 1/b, where a - b or a / b shall become a sum or a product; else b itself. */
static const char *put_inverse(struct caffe_writer *w, const char *b)
{
    const char *inverse;

    if (w->node->attr.binary.kind != BINARY_SUB && w->node->attr.binary.kind != BINARY_DIV)
        return b;
    inverse = caffe_inner_name(w, "inverse");
    if (w->node->attr.binary.kind == BINARY_SUB)
        caffe_put_power(w, inverse, b, inverse, 1, -1, 0);
    else
        caffe_put_power(w, inverse, b, inverse, -1, 1, 0);
    return inverse;
}

/* ---- Two activations of one shape */

static void put_eltwise(struct caffe_writer *w, struct caffe_link link, const char *b,
                        Caffe__EltwiseParameter__EltwiseOp operation, bool is_difference)
{
    Caffe__LayerParameter *layer =
        caffe_put_layer(w, "Eltwise", link.name, (const char *[]){link.from, b}, 2, &link.to, 1);
    Caffe__EltwiseParameter *param = caffe_put_message(w, &caffe__eltwise_parameter__descriptor);
    float *coefficients = caffe_put_floats(w, 2);

    if (coefficients == NULL)
        return;
    layer->eltwise_param = param;
    param->has_operation = true;
    param->operation = operation;
    coefficients[0] = 1;
    coefficients[1] = -1;
    param->coeff = coefficients;
    param->n_coeff = is_difference ? 2 : 0;
}

/* min(a, b) = -max(-a, -b) */
static void put_minimum(struct caffe_writer *w, const char *a, const char *b)
{
    const char *first = caffe_inner_name(w, "first"), *second = caffe_inner_name(w, "second");
    const char *max = caffe_inner_name(w, "max");

    caffe_put_power(w, first, a, first, 1, -1, 0);
    caffe_put_power(w, second, b, second, 1, -1, 0);
    put_eltwise(w, (struct caffe_link){max, first, max}, second, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__MAX, false);
    caffe_put_power(w, w->node->name, max, w->to, 1, -1, 0);
}

static void write_equals(struct caffe_writer *w, const char *a, const char *b)
{
    struct caffe_link link = {w->node->name, a, w->to};

    switch (w->node->attr.binary.kind) {
    case BINARY_ADD:
    case BINARY_SUB:
        put_eltwise(w, link, b, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM, w->node->attr.binary.kind == BINARY_SUB);
        break;
    case BINARY_MUL:
    case BINARY_DIV:
        caffe_put_product(w, w->node->name, a, put_inverse(w, b), w->to);
        break;
    case BINARY_MAX:
        put_eltwise(w, link, b, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__MAX, false);
        break;
    case BINARY_MIN:
        put_minimum(w, a, b);
        break;
    default:
        caffe_cannot(w, "a power of two activations has no form in Caffe");
        break;
    }
}

/* ---- Two activations, one of which broadcasts */

/* Scale or Bias with a blob or a second bottom that meets the axes [axis, axis + num_axes) of the first. */
static Caffe__LayerParameter *put_affine(struct caffe_writer *w, bool is_scale, const char *const *bottoms,
                                         size_t n_bottoms, size_t axis, size_t num_axes)
{
    Caffe__LayerParameter *layer =
        caffe_put_layer(w, is_scale ? "Scale" : "Bias", w->node->name, bottoms, n_bottoms, &w->to, 1);
    Caffe__ScaleParameter *scale = caffe_put_message(w, &caffe__scale_parameter__descriptor);
    Caffe__BiasParameter *bias = caffe_put_message(w, &caffe__bias_parameter__descriptor);

    if (bias == NULL)
        return NULL;
    scale->has_axis = bias->has_axis = axis != 1;
    scale->axis = bias->axis = (int32_t)axis;
    scale->has_num_axes = bias->has_num_axes = num_axes != 1 && n_bottoms == 1;
    scale->num_axes = bias->num_axes = (int32_t)num_axes;
    if (is_scale)
        layer->scale_param = scale;
    else
        layer->bias_param = bias;
    return layer;
}

/* How many leading axes `small` has in common with `large`, all others being 1; 0: it broadcasts otherwise. */
static size_t common_axes(const struct shape *small, const struct shape *large)
{
    size_t n = small->rank;

    if (small->rank != large->rank)
        return 0;
    while (n > 1 && small->dims[n - 1] == 1)
        n--;
    for (size_t i = 0; i < n; i++)
        if (small->dims[i] != large->dims[i])
            return 0;
    return n;
}

static void write_broadcast(struct caffe_writer *w, const char *a, const char *b)
{
    const struct shape *x = caffe_shape_of(w, w->node->inputs[0]), *y = caffe_shape_of(w, w->node->inputs[1]);
    bool is_second_small = common_axes(y, x) > 0;
    const struct shape *small = is_second_small ? y : x;
    struct shape aligned = *small;
    const char *bottoms[2], *vector;

    aligned.rank = is_second_small ? common_axes(y, x) : common_axes(x, y);
    if (aligned.rank == 0 || (!is_summed(w->node->attr.binary.kind) && !is_multiplied(w->node->attr.binary.kind))) {
        caffe_cannot(w, "two activations that broadcast like this have no form in Caffe");
        return;
    }
    b = put_inverse(w, b);
    bottoms[0] = is_second_small ? a : b;
    bottoms[1] = vector = is_second_small ? b : a;
    if (aligned.rank < small->rank) {
        bottoms[1] = caffe_inner_name(w, "vector");
        caffe_put_reshape(w, bottoms[1], vector, bottoms[1], small, &aligned);
    }
    put_affine(w, is_multiplied(w->node->attr.binary.kind), bottoms, 2, 0, 0);
}

/* ---- A constant */

/* One number for all of x. */
static void write_with_number(struct caffe_writer *w, const char *x, float c, bool is_first)
{
    const char *name = w->node->name, *inverse;

    switch (w->node->attr.binary.kind) {
    case BINARY_ADD:
        caffe_put_power(w, name, x, w->to, 1, 1, c);
        break;
    case BINARY_SUB:
        caffe_put_power(w, name, x, w->to, 1, is_first ? -1 : 1, is_first ? c : -c);
        break;
    case BINARY_MUL:
        caffe_put_power(w, name, x, w->to, 1, c, 0);
        break;
    case BINARY_DIV:
        inverse = is_first ? put_inverse(w, x) : x;
        caffe_put_power(w, name, inverse, w->to, 1, is_first ? c : 1 / c, 0);
        break;
    case BINARY_MAX:
        caffe_put_activation(w, (struct activation){ACTIVATION_CLIP, c, FLT_MAX}, name, x, w->to);
        break;
    case BINARY_MIN:
        caffe_put_activation(w, (struct activation){ACTIVATION_CLIP, -FLT_MAX, c}, name, x, w->to);
        break;
    default:
        caffe_cannot(w, "this operator on an activation and a number has no form in Caffe");
        break;
    }
}

/* A constant, aligned at the end as numpy does, over the axes [first, first + shape.rank) of x that it differs along.
 */
struct cover {
    size_t first;
    struct shape shape;
    const float *numbers;
};

static bool find_cover(const struct shape *x, const struct value *constant, struct cover *cover)
{
    struct shape c = {.rank = x->rank};
    size_t last = 0;

    cover->first = 0;
    for (size_t i = 0; i < x->rank; i++) {
        size_t missing = x->rank - constant->shape.rank;

        c.dims[i] = i < missing ? 1 : constant->shape.dims[i - missing];
        if (c.dims[i] == 1)
            continue;
        cover->first = cover->first == 0 ? i : cover->first; /* never 0: that is the batch */
        last = i;
    }
    cover->shape.rank = last - cover->first + 1;
    for (size_t i = cover->first; i <= last; i++)
        cover->shape.dims[i - cover->first] = c.dims[i];
    return cover->first > 0;
}

/* The constant's numbers, repeated along the axes of x that lie between those it differs along. */
static float *spread(struct caffe_writer *w, struct cover *cover, const struct shape *x, const float *numbers)
{
    const struct shape own = cover->shape;
    int64_t n;
    float *all;

    for (size_t i = 0; i < own.rank; i++)
        cover->shape.dims[i] = x->dims[cover->first + i];
    n = shape_elements(&cover->shape);
    all = caffe_put_floats(w, (size_t)n);
    for (int64_t i = 0; all != NULL && i < n; i++) {
        int64_t rest = i, from = 0, stride = 1;

        for (size_t k = own.rank; k-- > 0; rest /= cover->shape.dims[k], stride *= own.dims[k])
            from += own.dims[k] == 1 ? 0 : rest % cover->shape.dims[k] * stride;
        all[i] = numbers[from];
    }
    return all;
}

static void each(float *numbers, const struct shape *shape, float (*change)(float))
{
    for (int64_t i = 0; numbers != NULL && i < shape_elements(shape); i++)
        numbers[i] = change(numbers[i]);
}

static float negative(float x)
{
    return -x;
}

static float reciprocal(float x)
{
    return 1 / x;
}

static float minus_one(float x)
{
    (void)x;
    return -1;
}

static void write_with_numbers(struct caffe_writer *w, const char *x, struct cover *cover, bool is_first)
{
    enum binary_kind kind = w->node->attr.binary.kind;
    const struct shape *shape = caffe_shape_of(w, w->node->inputs[is_first]);
    float *numbers = spread(w, cover, shape, cover->numbers), *signs;
    bool is_turned = kind == BINARY_SUB && is_first; /* c - x: scale -1, then c */
    Caffe__LayerParameter *layer;

    if (!is_summed(kind) && !is_multiplied(kind)) {
        caffe_cannot(w, "this operator on an activation and several numbers has no form in Caffe");
        return;
    }
    if (kind == BINARY_DIV && is_first)
        x = put_inverse(w, x);
    else if (kind == BINARY_DIV || (kind == BINARY_SUB && !is_first))
        each(numbers, &cover->shape, kind == BINARY_DIV ? reciprocal : negative);
    layer = put_affine(w, is_multiplied(kind) || is_turned, &x, 1, cover->first, cover->shape.rank);
    if (layer == NULL)
        return;
    if (is_turned) {
        signs = caffe_put_floats(w, (size_t)shape_elements(&cover->shape));
        each(signs, &cover->shape, minus_one);
        layer->scale_param->has_bias_term = layer->scale_param->bias_term = true;
        caffe_put_blob(w, layer, &cover->shape, signs);
    }
    caffe_put_blob(w, layer, &cover->shape, numbers);
}

static void write_with_constant(struct caffe_writer *w, int x, const struct value *constant, bool is_first)
{
    struct cover cover = {.numbers = constant->data};

    if (!shape_equal(caffe_shape_of(w, x), caffe_shape_of(w, w->node->outputs[0])))
        caffe_cannot(w, "its constant \"%s\" would widen its input, which has no form in Caffe", constant->name);
    else if (find_cover(caffe_shape_of(w, x), constant, &cover))
        write_with_numbers(w, w->blobs[x], &cover, is_first);
    else
        write_with_number(w, w->blobs[x], cover.numbers[0], is_first);
}

void caffe_write_binary(struct caffe_writer *w)
{
    int a = w->node->inputs[0], b = w->node->inputs[1];

    if (w->graph->values[a].is_constant)
        write_with_constant(w, b, &w->graph->values[a], true);
    else if (w->graph->values[b].is_constant)
        write_with_constant(w, a, &w->graph->values[b], false);
    else if (shape_equal(caffe_shape_of(w, a), caffe_shape_of(w, b)))
        write_equals(w, w->blobs[a], w->blobs[b]);
    else
        write_broadcast(w, w->blobs[a], w->blobs[b]);
}
