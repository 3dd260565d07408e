/* layers_combine.c — layers that combine several bottoms element by element: Eltwise and Axpy. */
#include "formats/caffe/build.h"

/* ---- Eltwise */

static int check_eltwise(const struct caffe_import *in, const struct caffe_layer *layer,
                         const Caffe__EltwiseParameter *param, struct error *err)
{
    const struct shape *first;
    char a_text[SHAPE_TEXT_BYTES], b_text[SHAPE_TEXT_BYTES];

    if (caffe_expect(layer, -2, 1, err) < 0)
        return -1;
    if (param->n_coeff > 0 && param->operation != CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM)
        return caffe_error(layer, err, EX_DATAERR, "coefficients make sense for SUM only");
    if (param->n_coeff > 0 && param->n_coeff != layer->n_bottoms)
        return caffe_error(layer, err, EX_DATAERR, "expected a coefficient for each of %zu bottoms, found %zu",
                           layer->n_bottoms, param->n_coeff);
    first = caffe_bottom_shape(in, layer, 0);
    for (size_t i = 1; i < layer->n_bottoms; i++)
        if (!shape_equal(first, caffe_bottom_shape(in, layer, i)))
            return caffe_error(layer, err, EX_DATAERR, "its bottoms differ in shape: %s and %s",
                               shape_text(first, a_text), shape_text(caffe_bottom_shape(in, layer, i), b_text));
    return 0;
}

/* Bottom `i` times its coefficient. */
static int scaled_bottom(struct caffe_import *in, const struct caffe_layer *layer, const Caffe__EltwiseParameter *param,
                         size_t i, bool is_sign_taken, struct error *err)
{
    float coeff = param->n_coeff > 0 ? param->coeff[i] : 1;
    int scaled;

    if (coeff == 1 || is_sign_taken)
        return layer->bottoms[i];
    scaled = caffe_inner(in, layer, "term", NULL, err);
    return scaled < 0 || caffe_add_affine(in, layer, layer->bottoms[i], coeff, 0, scaled, err) < 0 ? -1 : scaled;
}

/* From left to right, as Caffe does: ((b0 op b1) op b2) ... */
int caffe_eltwise(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    static const enum binary_kind kinds[] = {
        [CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__PROD] = BINARY_MUL,
        [CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM] = BINARY_ADD,
        [CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__MAX] = BINARY_MAX,
    };
    Caffe__EltwiseParameter defaults = CAFFE__ELTWISE_PARAMETER__INIT;
    const Caffe__EltwiseParameter *param =
        layer->param->eltwise_param != NULL ? layer->param->eltwise_param : &defaults;
    int left, output;

    if (check_eltwise(in, layer, param, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    left = output < 0 ? -1 : scaled_bottom(in, layer, param, 0, false, err);
    for (size_t i = 1; left >= 0 && i < layer->n_bottoms; i++) {
        bool is_difference = param->n_coeff > 0 && param->coeff[i] == -1;
        int right = scaled_bottom(in, layer, param, i, is_difference, err);
        int y = i + 1 == layer->n_bottoms ? output : caffe_inner(in, layer, "partial", NULL, err);

        if (right < 0 || y < 0 ||
            caffe_add_binary(in, layer, is_difference ? BINARY_SUB : kinds[param->operation], left, right, y, err) < 0)
            return -1;
        left = y;
    }
    return left < 0 ? -1 : 0;
}

/* ---- Axpy: a x + y, with one a for each channel: bottoms a [1, C] or [1, C, 1, 1], x, y */

int caffe_axpy(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    char a_text[SHAPE_TEXT_BYTES], x_text[SHAPE_TEXT_BYTES];
    struct shape a, x, aligned;
    int output, scale, product;

    if (caffe_expect(layer, 3, 1, err) < 0)
        return -1;
    a = *caffe_bottom_shape(in, layer, 0);
    aligned = x = *caffe_bottom_shape(in, layer, 1);
    for (size_t i = 2; i < x.rank; i++)
        aligned.dims[i] = 1;
    if (x.rank < 2 || shape_elements(&a) != x.dims[1] || !shape_equal(&x, caffe_bottom_shape(in, layer, 2)))
        return caffe_error(layer, err, EX_DATAERR,
                           "expected a factor for each channel of the second bottom and a third of its shape, found "
                           "shapes %s and %s",
                           shape_text(&a, a_text), shape_text(&x, x_text));
    output = caffe_top(in, layer, 0, NULL, err);
    scale = output < 0 ? -1 : layer->bottoms[0];
    if (scale >= 0 && a.rank != x.rank) {
        scale = caffe_inner(in, layer, "scale", &aligned, err);
        if (scale < 0 || caffe_add_reshape(in, layer, layer->bottoms[0], scale, err) < 0)
            return -1;
    }
    product = scale < 0 ? -1 : caffe_inner(in, layer, "scaled", NULL, err);
    if (product < 0 || caffe_add_binary(in, layer, BINARY_MUL, layer->bottoms[1], scale, product, err) < 0)
        return -1;
    return caffe_add_binary(in, layer, BINARY_ADD, product, layer->bottoms[2], output, err);
}
