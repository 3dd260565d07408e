/* write_pointwise.c — operators that treat every element alike, or work along one axis without changing the shape. */
#include "formats/caffe/write.h"

/* ---- Arithmetic with numbers */

void caffe_put_power(struct caffe_writer *w, const char *name, const char *from, const char *to, float power,
                     float scale, float shift)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Power", name, from, to);
    Caffe__PowerParameter *param = caffe_put_message(w, &caffe__power_parameter__descriptor);

    if (param == NULL)
        return;
    layer->power_param = param;
    param->has_power = power != 1;
    param->power = power;
    param->has_scale = scale != 1;
    param->scale = scale;
    param->has_shift = shift != 0;
    param->shift = shift;
}

void caffe_write_identity(struct caffe_writer *w)
{
    caffe_put_simple(w, "Split", w->node->name, w->from, w->to);
}

/* ---- Activations */

/* Those that are one layer; `put` fills in its parameters. */
typedef void put_parameters(struct caffe_writer *w, Caffe__LayerParameter *layer, struct activation a);

static void put_slope(struct caffe_writer *w, Caffe__LayerParameter *layer, struct activation a)
{
    Caffe__ReLUParameter *param = caffe_put_message(w, &caffe__re_luparameter__descriptor);

    if (param == NULL)
        return;
    layer->relu_param = param;
    param->has_negative_slope = true;
    param->negative_slope = a.alpha;
}

static void put_limits(struct caffe_writer *w, Caffe__LayerParameter *layer, struct activation a)
{
    Caffe__ClipParameter *param = caffe_put_message(w, &caffe__clip_parameter__descriptor);

    if (param == NULL)
        return;
    layer->clip_param = param;
    param->min = a.alpha;
    param->max = a.beta;
}

static void put_elu(struct caffe_writer *w, Caffe__LayerParameter *layer, struct activation a)
{
    Caffe__ELUParameter *param = caffe_put_message(w, &caffe__eluparameter__descriptor);

    if (param == NULL)
        return;
    layer->elu_param = param;
    param->has_alpha = a.alpha != 1;
    param->alpha = a.alpha;
}

static void put_swish(struct caffe_writer *w, Caffe__LayerParameter *layer, struct activation a)
{
    Caffe__SwishParameter *param = caffe_put_message(w, &caffe__swish_parameter__descriptor);

    if (param == NULL)
        return;
    layer->swish_param = param;
    param->has_beta = a.alpha != 1;
    param->beta = a.alpha;
}

static const struct {
    const char *type;
    put_parameters *put;
} layers[ACTIVATION_COUNT] = {
    [ACTIVATION_NONE] = {"Split", NULL},
    [ACTIVATION_RELU] = {"ReLU", NULL},
    [ACTIVATION_LEAKY_RELU] = {"ReLU", put_slope},
    [ACTIVATION_CLIP] = {"Clip", put_limits},
    [ACTIVATION_SIGMOID] = {"Sigmoid", NULL},
    [ACTIVATION_TANH] = {"TanH", NULL},
    [ACTIVATION_ELU] = {"ELU", put_elu},
    [ACTIVATION_SWISH] = {"Swish", put_swish},
    [ACTIVATION_SOFTPLUS] = {"BNLL", NULL},
    [ACTIVATION_EXP] = {"Exp", NULL},
    [ACTIVATION_LOG] = {"Log", NULL},
    [ACTIVATION_ABS] = {"AbsVal", NULL},
};

static void put_layer(struct caffe_writer *w, struct activation a, const char *name, const char *from, const char *to)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, layers[a.kind].type, name, from, to);

    if (layer != NULL && layers[a.kind].put != NULL)
        layers[a.kind].put(w, layer, a);
}

/* max(0, min(1, alpha x + beta)) */
static void put_hard_sigmoid(struct caffe_writer *w, struct activation a, const char *name, const char *from,
                             const char *to)
{
    caffe_put_power(w, caffe_inner_name(w, "argument"), from, to, 1, a.alpha, a.beta);
    put_layer(w, (struct activation){ACTIVATION_CLIP, 0, 1}, name, to, to);
}

bool caffe_is_in_place(enum activation_kind kind)
{
    return kind != ACTIVATION_HARD_SWISH && caffe_gated(kind) == NULL; /* they read their input twice */
}

void caffe_put_activation(struct caffe_writer *w, struct activation a, const char *name, const char *from,
                          const char *to)
{
    const char *gate;

    switch (a.kind) {
    case ACTIVATION_SQRT:
        caffe_put_power(w, name, from, to, 0.5F, 1, 0);
        break;
    case ACTIVATION_POWER:
        caffe_put_power(w, name, from, to, a.alpha, 1, 0);
        break;
    case ACTIVATION_HARD_SIGMOID:
        put_hard_sigmoid(w, a, name, from, to);
        break;
    case ACTIVATION_HARD_SWISH:
        gate = caffe_inner_name(w, "gate");
        put_hard_sigmoid(w, a, gate, from, gate);
        caffe_put_product(w, name, from, gate, to);
        break;
    default:
        if (caffe_gated(a.kind) != NULL)
            caffe_gated(a.kind)(w, name, from, to);
        else if (layers[a.kind].type == NULL)
            caffe_cannot(w, "its activation %s has no form in Caffe", activation_name(a.kind));
        else
            put_layer(w, a, name, from, to);
        break;
    }
}

void caffe_write_activation(struct caffe_writer *w)
{
    caffe_put_activation(w, w->node->attr.activation, w->node->name, w->from, w->to);
}

void caffe_write_prelu(struct caffe_writer *w)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "PReLU", w->node->name, w->from, w->to);
    Caffe__PReLUParameter *param = caffe_put_message(w, &caffe__pre_luparameter__descriptor);

    if (param == NULL)
        return;
    layer->prelu_param = param;
    param->has_channel_shared = param->channel_shared = caffe_shape_of(w, w->node->inputs[1])->dims[0] == 1;
    caffe_put_constant(w, layer, w->node->inputs[1]);
}

/* ---- Along an axis */

void caffe_write_lrn(struct caffe_writer *w)
{
    Caffe__LayerParameter *layer = caffe_put_simple(w, "LRN", w->node->name, w->from, w->to);
    Caffe__LRNParameter *param = caffe_put_message(w, &caffe__lrnparameter__descriptor);

    if (w->node->attr.lrn.size % 2 == 0)
        caffe_cannot(w, "Caffe's LRN takes an odd number of channels, not %lld", (long long)w->node->attr.lrn.size);
    if (param == NULL)
        return;
    layer->lrn_param = param;
    param->has_local_size = param->has_alpha = param->has_beta = true;
    param->local_size = (uint32_t)w->node->attr.lrn.size;
    param->alpha = w->node->attr.lrn.alpha;
    param->beta = w->node->attr.lrn.beta;
    param->has_k = w->node->attr.lrn.k != 1;
    param->k = w->node->attr.lrn.k;
}

void caffe_write_softmax(struct caffe_writer *w)
{
    const char *probabilities = w->node->attr.softmax.is_log ? caffe_inner_name(w, "softmax") : w->node->name;
    Caffe__LayerParameter *layer = caffe_put_simple(w, "Softmax", probabilities, w->from, w->to);
    Caffe__SoftmaxParameter *param = caffe_put_message(w, &caffe__softmax_parameter__descriptor);

    if (param == NULL)
        return;
    layer->softmax_param = param;
    param->has_axis = w->node->attr.softmax.axis != 1;
    param->axis = (int32_t)w->node->attr.softmax.axis;
    if (w->node->attr.softmax.is_log)
        caffe_put_simple(w, "Log", w->node->name, w->to, w->to);
}
