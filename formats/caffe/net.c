/* net.c — see net.h. Reference: Caffe's upgrade_proto.cpp and Net::FilterNet. */
#include "formats/caffe/net.h"

#include <stdbool.h>
#include <string.h>

enum { LEGACY_RANK = 4 }; /* numbers of input_dim to an input */

/* ---- Legacy layers */

#define V1(type) CAFFE__V1_LAYER_PARAMETER__LAYER_TYPE__##type

static const struct {
    Caffe__V1LayerParameter__LayerType legacy;
    const char *type;
} legacy_types[] = {
    {V1(ABSVAL), "AbsVal"},
    {V1(ACCURACY), "Accuracy"},
    {V1(ARGMAX), "ArgMax"},
    {V1(BNLL), "BNLL"},
    {V1(CONCAT), "Concat"},
    {V1(CONTRASTIVE_LOSS), "ContrastiveLoss"},
    {V1(CONVOLUTION), "Convolution"},
    {V1(DATA), "Data"},
    {V1(DECONVOLUTION), "Deconvolution"},
    {V1(DROPOUT), "Dropout"},
    {V1(DUMMY_DATA), "DummyData"},
    {V1(ELTWISE), "Eltwise"},
    {V1(EUCLIDEAN_LOSS), "EuclideanLoss"},
    {V1(EXP), "Exp"},
    {V1(FLATTEN), "Flatten"},
    {V1(HDF5_DATA), "HDF5Data"},
    {V1(HDF5_OUTPUT), "HDF5Output"},
    {V1(HINGE_LOSS), "HingeLoss"},
    {V1(IM2COL), "Im2col"},
    {V1(IMAGE_DATA), "ImageData"},
    {V1(INFOGAIN_LOSS), "InfogainLoss"},
    {V1(INNER_PRODUCT), "InnerProduct"},
    {V1(LRN), "LRN"},
    {V1(MEMORY_DATA), "MemoryData"},
    {V1(MULTINOMIAL_LOGISTIC_LOSS), "MultinomialLogisticLoss"},
    {V1(MVN), "MVN"},
    {V1(POOLING), "Pooling"},
    {V1(POWER), "Power"},
    {V1(RELU), "ReLU"},
    {V1(SIGMOID), "Sigmoid"},
    {V1(SIGMOID_CROSS_ENTROPY_LOSS), "SigmoidCrossEntropyLoss"},
    {V1(SILENCE), "Silence"},
    {V1(SLICE), "Slice"},
    {V1(SOFTMAX), "Softmax"},
    {V1(SOFTMAX_LOSS), "SoftmaxWithLoss"},
    {V1(SPLIT), "Split"},
    {V1(TANH), "TanH"},
    {V1(THRESHOLD), "Threshold"},
    {V1(WINDOW_DATA), "WindowData"},
};

static const char *modern_type(Caffe__V1LayerParameter__LayerType legacy)
{
    for (size_t i = 0; i < sizeof legacy_types / sizeof *legacy_types; i++)
        if (legacy_types[i].legacy == legacy)
            return legacy_types[i].type;
    return NULL;
}

/* The parameter messages are the same in both forms: only their places differ. What is left out matters for training.
 */
static void move_parameters(Caffe__LayerParameter *to, const Caffe__V1LayerParameter *from)
{
    to->transform_param = from->transform_param;
    to->argmax_param = from->argmax_param;
    to->concat_param = from->concat_param;
    to->convolution_param = from->convolution_param;
    to->data_param = from->data_param;
    to->dropout_param = from->dropout_param;
    to->dummy_data_param = from->dummy_data_param;
    to->eltwise_param = from->eltwise_param;
    to->exp_param = from->exp_param;
    to->hdf5_data_param = from->hdf5_data_param;
    to->image_data_param = from->image_data_param;
    to->inner_product_param = from->inner_product_param;
    to->lrn_param = from->lrn_param;
    to->memory_data_param = from->memory_data_param;
    to->mvn_param = from->mvn_param;
    to->pooling_param = from->pooling_param;
    to->power_param = from->power_param;
    to->relu_param = from->relu_param;
    to->sigmoid_param = from->sigmoid_param;
    to->slice_param = from->slice_param;
    to->softmax_param = from->softmax_param;
    to->tanh_param = from->tanh_param;
    to->threshold_param = from->threshold_param;
    to->window_data_param = from->window_data_param;
}

static Caffe__LayerParameter *new_layer(struct arena *scratch, struct error *err)
{
    Caffe__LayerParameter *layer = arena_create_array(scratch, 1, sizeof *layer, err);

    if (layer != NULL)
        caffe__layer_parameter__init(layer);
    return layer;
}

/* A shallow copy: ours to complete, while the parser's message goes on owning every string and sub-message. */
static Caffe__LayerParameter *copy_layer(const Caffe__LayerParameter *from, struct arena *scratch, struct error *err)
{
    Caffe__LayerParameter *layer = arena_create_array(scratch, 1, sizeof *layer, err);

    if (layer != NULL)
        *layer = *from;
    return layer;
}

static Caffe__LayerParameter *upgrade_layer(const Caffe__V1LayerParameter *old, struct arena *scratch,
                                            struct error *err)
{
    Caffe__LayerParameter *layer;

    if (old->layer != NULL) {
        error_set(err, EX_UNAVAILABLE,
                  "its layers are written as they were before 2013: upgrade the file with Caffe's "
                  "upgrade_net_proto_text");
        return NULL;
    }
    layer = new_layer(scratch, err);
    if (layer == NULL)
        return NULL;
    layer->name = old->name;
    layer->type = old->has_type ? (char *)modern_type(old->type) : NULL;
    layer->n_bottom = old->n_bottom;
    layer->bottom = old->bottom;
    layer->n_top = old->n_top;
    layer->top = old->top;
    layer->n_include = old->n_include;
    layer->include = old->include;
    layer->n_exclude = old->n_exclude;
    layer->exclude = old->exclude;
    move_parameters(layer, old);
    return layer;
}

/* ---- Top-level inputs */

static Caffe__BlobShape *legacy_shape(const int32_t dims[LEGACY_RANK], struct arena *scratch, struct error *err)
{
    Caffe__BlobShape *shape = arena_create_array(scratch, 1, sizeof *shape, err);
    int64_t *copy = arena_create_array(scratch, LEGACY_RANK, sizeof *copy, err);

    if (shape == NULL || copy == NULL)
        return NULL;
    caffe__blob_shape__init(shape);
    for (size_t i = 0; i < LEGACY_RANK; i++)
        copy[i] = dims[i];
    shape->n_dim = LEGACY_RANK;
    shape->dim = copy;
    return shape;
}

/* One shape an input, or none at all: then the job file must give them. */
static int input_shapes(const Caffe__NetParameter *message, Caffe__InputParameter *out, struct arena *scratch,
                        struct error *err)
{
    if (message->n_input_shape > 0) {
        if (message->n_input_shape != message->n_input || message->n_input_dim > 0)
            return error_set(err, EX_DATAERR,
                             "expected one input_shape for each of %zu inputs, found %zu, and %zu "
                             "input_dim",
                             message->n_input, message->n_input_shape, message->n_input_dim);
        out->n_shape = message->n_input_shape;
        out->shape = message->input_shape;
        return 0;
    }
    if (message->n_input_dim == 0)
        return 0;
    if (message->n_input_dim % LEGACY_RANK != 0 || message->n_input_dim / LEGACY_RANK != message->n_input)
        return error_set(err, EX_DATAERR, "expected 4 input_dim for each of %zu inputs, found %zu", message->n_input,
                         message->n_input_dim);
    out->shape = arena_create_array(scratch, message->n_input, sizeof *out->shape, err);
    if (out->shape == NULL)
        return -1;
    for (out->n_shape = 0; out->n_shape < message->n_input; out->n_shape++) {
        out->shape[out->n_shape] = legacy_shape(message->input_dim + LEGACY_RANK * out->n_shape, scratch, err);
        if (out->shape[out->n_shape] == NULL)
            return -1;
    }
    return 0;
}

static Caffe__LayerParameter *input_layer(const Caffe__NetParameter *message, struct arena *scratch, struct error *err)
{
    static char name[] = "input", type[] = "Input";
    Caffe__LayerParameter *layer = new_layer(scratch, err);

    if (layer == NULL)
        return NULL;
    layer->name = name;
    layer->type = type;
    layer->n_top = message->n_input;
    layer->top = message->input;
    layer->input_param = arena_create_array(scratch, 1, sizeof *layer->input_param, err);
    if (layer->input_param == NULL)
        return NULL;
    caffe__input_parameter__init(layer->input_param);
    return input_shapes(message, layer->input_param, scratch, err) < 0 ? NULL : layer;
}

/* ---- Phases */

static bool has_stage(const Caffe__NetState *state, const char *stage)
{
    for (size_t i = 0; state != NULL && i < state->n_stage; i++)
        if (strcmp(state->stage[i], stage) == 0)
            return true;
    return false;
}

/* Every condition that is present holds. The phase is TEST whatever the file's state says: that is what we calibrate.
 */
static bool is_met(const Caffe__NetStateRule *rule, const Caffe__NetState *state)
{
    int32_t level = state != NULL ? state->level : 0;

    if ((rule->has_phase && rule->phase != CAFFE__PHASE__TEST) || (rule->has_min_level && level < rule->min_level) ||
        (rule->has_max_level && level > rule->max_level))
        return false;
    for (size_t i = 0; i < rule->n_stage; i++)
        if (!has_stage(state, rule->stage[i]))
            return false;
    for (size_t i = 0; i < rule->n_not_stage; i++)
        if (has_stage(state, rule->not_stage[i]))
            return false;
    return true;
}

static bool is_included(const Caffe__LayerParameter *layer, const Caffe__NetState *state)
{
    for (size_t i = 0; i < layer->n_include; i++)
        if (is_met(layer->include[i], state))
            return true;
    for (size_t i = 0; i < layer->n_exclude; i++)
        if (is_met(layer->exclude[i], state))
            return false;
    return layer->n_include == 0;
}

/* ---- The net */

static bool is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

static int add_layer(struct caffe_net *net, Caffe__LayerParameter *layer, const Caffe__NetState *state, size_t number,
                     struct error *err)
{
    if (is_empty(layer->type))
        return error_set(err, EX_DATAERR, "layer %zu (\"%s\") has no type", number,
                         is_empty(layer->name) ? "no name" : layer->name);
    if (layer->n_include > 0 && layer->n_exclude > 0)
        return error_set(err, EX_DATAERR, "layer %zu (\"%s\") has both include and exclude rules", number,
                         is_empty(layer->name) ? "no name" : layer->name);
    if (is_empty(layer->name)) /* Caffe allows it; messages and nodes need one */
        layer->name = layer->n_top > 0 && !is_empty(layer->top[0]) ? layer->top[0] : layer->type;
    if (is_included(layer, state))
        net->layers[net->n_layers++] = layer;
    return 0;
}

int caffe_net_init(struct caffe_net *net, const Caffe__NetParameter *message, struct arena *scratch, struct error *err)
{
    size_t n = message->n_layer + message->n_layers;
    Caffe__LayerParameter *layer;

    if (message->n_layer > 0 && message->n_layers > 0)
        return error_set(err, EX_DATAERR, "it holds both \"layer\" (%zu) and legacy \"layers\" (%zu)", message->n_layer,
                         message->n_layers);
    if (n == 0)
        return error_set(err, EX_DATAERR, "it holds no layer");
    *net = (struct caffe_net){.name = message->name != NULL ? message->name : ""};
    net->layers = arena_create_array(scratch, n + 1, sizeof *net->layers, err);
    if (net->layers == NULL)
        return -1;
    if (message->n_input > 0) {
        layer = input_layer(message, scratch, err);
        if (layer == NULL)
            return -1;
        net->layers[net->n_layers++] = layer;
    }
    for (size_t i = 0; i < n; i++) {
        layer = message->n_layer > 0 ? copy_layer(message->layer[i], scratch, err)
                                     : upgrade_layer(message->layers[i], scratch, err);
        if (layer == NULL || add_layer(net, layer, message->state, i + 1, err) < 0)
            return -1;
    }
    return 0;
}
