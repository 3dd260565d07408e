/* write_gate.c — activations that Caffe has no layer for, but the parts of: gates, and the error function.
 *
 * erf is the approximation 7.1.26 of Abramowitz and Stegun, Handbook of Mathematical Functions: its error is at most
 * 1.5e-7, about that of float32 close to 1.
 */
#include "formats/caffe/write.h"

#include <stdio.h>

static void put_eltwise(struct caffe_writer *w, Caffe__EltwiseParameter__EltwiseOp operation, const char *name,
                        const char *a, const char *b, const char *to)
{
    Caffe__LayerParameter *layer = caffe_put_layer(w, "Eltwise", name, (const char *[]){a, b}, 2, &to, 1);
    Caffe__EltwiseParameter *param = caffe_put_message(w, &caffe__eltwise_parameter__descriptor);

    if (param == NULL)
        return;
    layer->eltwise_param = param;
    param->has_operation = true;
    param->operation = operation;
}

void caffe_put_product(struct caffe_writer *w, const char *name, const char *a, const char *b, const char *to)
{
    put_eltwise(w, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__PROD, name, a, b, to);
}

/* A new blob between the layers of the node; the layer that makes it has its name. */
static const char *put_step(struct caffe_writer *w, const char *type, const char *what, const char *from)
{
    const char *to = caffe_inner_name(w, what);

    caffe_put_simple(w, type, to, from, to);
    return to;
}

/* t (a1 + t (a2 + t (a3 + t (a4 + t a5)))) */
static const char *put_polynomial(struct caffe_writer *w, const char *t)
{
    static const float a[] = {0.254829592F, -0.284496736F, 1.421413741F, -1.453152027F, 1.061405429F};
    const char *sum = caffe_inner_name(w, "sum4"), *product;
    char what[16];

    caffe_put_power(w, sum, t, sum, 1, a[4], a[3]);
    for (int i = 3; i >= 0; i--) {
        snprintf(what, sizeof what, "product%d", i);
        product = caffe_inner_name(w, what);
        caffe_put_product(w, product, sum, t, product);
        if (i == 0)
            return product;
        snprintf(what, sizeof what, "sum%d", i);
        sum = caffe_inner_name(w, what);
        caffe_put_power(w, sum, product, sum, 1, 1, a[i - 1]);
    }
    return sum;
}

/* erf(scale m) for m >= 0: 1 - P(t) exp(-(scale m)^2), t = 1 / (1 + p scale m). */
static const char *put_erf_of_magnitude(struct caffe_writer *w, const char *magnitude, float scale)
{
    const char *t = caffe_inner_name(w, "t"), *square = caffe_inner_name(w, "square"), *polynomial, *decay;
    const char *tail = caffe_inner_name(w, "tail"), *erf_of = caffe_inner_name(w, "erf");

    caffe_put_power(w, t, magnitude, t, -1, 0.3275911F * scale, 1);
    polynomial = put_polynomial(w, t);
    caffe_put_power(w, square, magnitude, square, 2, scale, 0);
    caffe_put_power(w, caffe_inner_name(w, "minus"), square, square, 1, -1, 0);
    decay = put_step(w, "Exp", "decay", square);
    caffe_put_product(w, tail, polynomial, decay, tail);
    caffe_put_power(w, erf_of, tail, erf_of, 1, -1, 1);
    return erf_of;
}

/* The sign of x times erf(|x|); the sign is a hyperbolic tangent so steep that no number lies on its slope. */
static void put_erf(struct caffe_writer *w, const char *name, const char *from, const char *to)
{
    const char *erf_of = put_erf_of_magnitude(w, put_step(w, "AbsVal", "magnitude", from), 1);
    const char *steep = caffe_inner_name(w, "steep");

    caffe_put_power(w, steep, from, steep, 1, 1e20F, 0);
    caffe_put_product(w, name, put_step(w, "TanH", "sign", steep), erf_of, to);
}

/* x (1 + erf(x / sqrt 2)) / 2 = (x + |x| erf(|x| / sqrt 2)) / 2 */
static void put_gelu(struct caffe_writer *w, const char *name, const char *from, const char *to)
{
    const char *magnitude = put_step(w, "AbsVal", "magnitude", from), *even = caffe_inner_name(w, "even");
    const char *sum = caffe_inner_name(w, "whole");

    caffe_put_product(w, even, magnitude, put_erf_of_magnitude(w, magnitude, 0.70710678F), even);
    put_eltwise(w, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM, sum, from, even, sum);
    caffe_put_power(w, name, sum, to, 1, 0.5F, 0);
}

/* x sigmoid(2 t), t = sqrt(2 / pi) (x + 0.044715 x^3) */
static void put_gelu_tanh(struct caffe_writer *w, const char *name, const char *from, const char *to)
{
    const char *cube = caffe_inner_name(w, "cube"), *sum = caffe_inner_name(w, "whole");

    caffe_put_power(w, cube, from, cube, 3, 1, 0);
    caffe_put_power(w, caffe_inner_name(w, "cubic"), cube, cube, 1, 0.044715F, 0);
    put_eltwise(w, CAFFE__ELTWISE_PARAMETER__ELTWISE_OP__SUM, sum, from, cube, sum);
    caffe_put_power(w, caffe_inner_name(w, "scaled"), sum, sum, 1, 1.5957691F, 0);
    caffe_put_product(w, name, from, put_step(w, "Sigmoid", "gate", sum), to);
}

/* x tanh(softplus(x)) */
static void put_mish(struct caffe_writer *w, const char *name, const char *from, const char *to)
{
    const char *gate = put_step(w, "TanH", "gate", put_step(w, "BNLL", "softplus", from));

    caffe_put_product(w, name, from, gate, to);
}

caffe_put_gated *caffe_gated(enum activation_kind kind)
{
    static caffe_put_gated *const gated[ACTIVATION_COUNT] = {[ACTIVATION_ERF] = put_erf,
                                                             [ACTIVATION_GELU] = put_gelu,
                                                             [ACTIVATION_GELU_TANH] = put_gelu_tanh,
                                                             [ACTIVATION_MISH] = put_mish};

    return gated[kind];
}
