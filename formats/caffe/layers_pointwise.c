/* layers_pointwise.c — layers that treat every element alike: activations and arithmetic. */
#include "common/math.h"
#include "formats/caffe/build.h"
#include "formats/caffe/wiring.h"

#include <math.h>

/* Most of these layers are scale x + shift, then an activation, then another scaling; each step may be absent. */
struct step {
    bool is_activation;
    struct activation activation;
    float scale, shift;
};

static struct step affine(double scale, double shift)
{
    return (struct step){.scale = (float)scale, .shift = (float)shift};
}

static struct step activation(enum activation_kind kind, float alpha, float beta)
{
    return (struct step){.is_activation = true, .activation = {kind, alpha, beta}};
}

static bool has_no_effect(const struct step *step)
{
    return !step->is_activation && step->scale == 1 && step->shift == 0;
}

static int add_steps(struct caffe_import *in, const struct caffe_layer *layer, int x, const struct step *steps,
                     size_t n, int output, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        int y = i + 1 == n ? output : caffe_inner(in, layer, i == 0 ? "argument" : "result", NULL, err);

        if (y < 0 ||
            (steps[i].is_activation ? caffe_add_activation(in, layer, steps[i].activation, x, y, err)
                                    : caffe_add_affine(in, layer, x, steps[i].scale, steps[i].shift, y, err)) < 0)
            return -1;
        x = y;
    }
    return 0;
}

static int identity_node(struct caffe_import *in, const struct caffe_layer *layer, int output, struct error *err)
{
    int node = caffe_add_node(in, layer, OP_IDENTITY, layer->bottoms, 1, output, err);

    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

static int pointwise(struct caffe_import *in, const struct caffe_layer *layer, const struct step *steps, size_t n,
                     struct error *err)
{
    struct step effective[3];
    size_t kept = 0;
    int output;

    if (caffe_expect(layer, 1, 1, err) < 0)
        return -1;
    output = caffe_top(in, layer, 0, NULL, err);
    if (output < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!has_no_effect(&steps[i]))
            effective[kept++] = steps[i];
    return kept == 0 ? identity_node(in, layer, output, err)
                     : add_steps(in, layer, layer->bottoms[0], effective, kept, output, err);
}

static int one_activation(struct caffe_import *in, const struct caffe_layer *layer, enum activation_kind kind,
                          float alpha, float beta, struct error *err)
{
    const struct step step = activation(kind, alpha, beta);

    return pointwise(in, layer, &step, 1, err);
}

/* ---- Layers that repeat their bottom */

int caffe_identity(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    if (caffe_expect(layer, 1, -1, err) < 0)
        return -1;
    for (size_t i = 0; i < layer->n_tops; i++) {
        int output;

        if (in->wiring->blobs[layer->tops[i]].value != GRAPH_NONE)
            continue; /* in place: the top is the bottom */
        output = caffe_top(in, layer, i, NULL, err);
        if (output < 0 || identity_node(in, layer, output, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- Activations */

int caffe_relu(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__ReLUParameter defaults = CAFFE__RE_LUPARAMETER__INIT;
    const Caffe__ReLUParameter *param = layer->param->relu_param != NULL ? layer->param->relu_param : &defaults;
    float slope = param->negative_slope;

    if (param->upper_limit >= 0 && slope != 0)
        return caffe_error(layer, err, EX_UNAVAILABLE, "an upper_limit with a negative_slope is not supported");
    if (param->upper_limit >= 0)
        return one_activation(in, layer, ACTIVATION_CLIP, 0, param->upper_limit, err);
    return one_activation(in, layer, slope == 0 ? ACTIVATION_RELU : ACTIVATION_LEAKY_RELU, slope, 0, err);
}

int caffe_relu6(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    if (layer->param->relu6_param != NULL && layer->param->relu6_param->negative_slope != 0)
        return caffe_error(layer, err, EX_UNAVAILABLE, "a ReLU6 with a negative slope is not supported");
    return one_activation(in, layer, ACTIVATION_CLIP, 0, 6, err);
}

int caffe_prelu(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    bool is_shared = layer->param->prelu_param != NULL && layer->param->prelu_param->channel_shared;
    struct shape slope = {1, {1}};
    int inputs[2] = {GRAPH_NONE, GRAPH_NONE}, output, node;

    if (caffe_expect(layer, 1, 1, err) < 0 || caffe_expect_blobs(in, layer, 1, err) < 0)
        return -1;
    if (caffe_bottom_shape(in, layer, 0)->rank < 2)
        return caffe_error(layer, err, EX_DATAERR, "expected a bottom with channels");
    if (!is_shared)
        slope.dims[0] = caffe_bottom_shape(in, layer, 0)->dims[1];
    inputs[0] = layer->bottoms[0];
    inputs[1] = caffe_blob_constant(in, layer, 0, "slope", &slope, err);
    output = inputs[1] < 0 ? -1 : caffe_top(in, layer, 0, NULL, err);
    node = output < 0 ? -1 : caffe_add_node(in, layer, OP_PRELU, inputs, 2, output, err);
    return node < 0 ? -1 : caffe_finish_node(in, node, err);
}

int caffe_elu(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_ELU,
                          layer->param->elu_param != NULL ? layer->param->elu_param->alpha : 1, 0, err);
}

int caffe_sigmoid(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_SIGMOID, 0, 0, err);
}

int caffe_tanh(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_TANH, 0, 0, err);
}

int caffe_abs(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_ABS, 0, 0, err);
}

int caffe_bnll(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_SOFTPLUS, 0, 0, err);
}

int caffe_swish(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    return one_activation(in, layer, ACTIVATION_SWISH,
                          layer->param->swish_param != NULL ? layer->param->swish_param->beta : 1, 0, err);
}

int caffe_clip(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    const Caffe__ClipParameter *param = layer->param->clip_param;

    if (param == NULL)
        return caffe_error(layer, err, EX_DATAERR, "it has no clip_param with min and max");
    if (!(param->min <= param->max))
        return caffe_error(layer, err, EX_DATAERR, "expected min <= max, found %g and %g", (double)param->min,
                           (double)param->max);
    return one_activation(in, layer, ACTIVATION_CLIP, param->min, param->max, err);
}

/* ---- Arithmetic */

/* (shift + scale x)^power */
int caffe_power(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__PowerParameter defaults = CAFFE__POWER_PARAMETER__INIT;
    const Caffe__PowerParameter *param = layer->param->power_param != NULL ? layer->param->power_param : &defaults;
    const struct step steps[] = {affine((double)param->scale, (double)param->shift),
                                 activation(ACTIVATION_POWER, param->power, 0)};

    return pointwise(in, layer, steps, param->power == 1 ? 1 : 2, err);
}

/* The natural logarithm of a base; Caffe writes e as -1. */
static int log_of_base(const struct caffe_layer *layer, float base, double *out, struct error *err)
{
    if (base == -1) {
        *out = 1;
        return 0;
    }
    if (!(base > 0) || !isnormal(base) || base == 1)
        return caffe_error(layer, err, EX_DATAERR, "expected a base above 0 and not 1, or -1 for e, found %g",
                           (double)base);
    *out = math_log((double)base);
    return 0;
}

/* base^(shift + scale x) = e^(ln(base) (shift + scale x)) */
int caffe_exp(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__ExpParameter defaults = CAFFE__EXP_PARAMETER__INIT;
    const Caffe__ExpParameter *param = layer->param->exp_param != NULL ? layer->param->exp_param : &defaults;
    struct step steps[2];
    double log_base;

    if (log_of_base(layer, param->base, &log_base, err) < 0)
        return -1;
    steps[0] = affine((double)param->scale * log_base, (double)param->shift * log_base);
    steps[1] = activation(ACTIVATION_EXP, 0, 0);
    return pointwise(in, layer, steps, 2, err);
}

/* log_base(shift + scale x) = ln(shift + scale x) / ln(base) */
int caffe_log(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    Caffe__LogParameter defaults = CAFFE__LOG_PARAMETER__INIT;
    const Caffe__LogParameter *param = layer->param->log_param != NULL ? layer->param->log_param : &defaults;
    struct step steps[3];
    double log_base;

    if (log_of_base(layer, param->base, &log_base, err) < 0)
        return -1;
    steps[0] = affine((double)param->scale, (double)param->shift);
    steps[1] = activation(ACTIVATION_LOG, 0, 0);
    steps[2] = affine(1 / log_base, 0);
    return pointwise(in, layer, steps, 3, err);
}
