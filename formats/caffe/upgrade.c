/* upgrade.c — see upgrade.h. Reference: Caffe's upgrade_proto.cpp. */
#include "formats/caffe/upgrade.h"

#include <stdbool.h>

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

/* Sharing is by a list of names there, one a blob. */
static int name_shared_blobs(Caffe__LayerParameter *to, const Caffe__V1LayerParameter *from, struct arena *scratch,
                             struct error *err)
{
    Caffe__ParamSpec *specs = arena_create_array(scratch, from->n_param, sizeof *specs, err);

    to->param = arena_create_array(scratch, from->n_param, sizeof *to->param, err);
    if (specs == NULL || to->param == NULL)
        return -1;
    for (to->n_param = 0; to->n_param < from->n_param; to->n_param++) {
        caffe__param_spec__init(&specs[to->n_param]);
        specs[to->n_param].name = from->param[to->n_param];
        to->param[to->n_param] = &specs[to->n_param];
    }
    return 0;
}

/* What a data layer said itself of its transformation, before there was a transform_param. */
struct old_transform {
    bool has_scale, has_mirror, has_crop_size;
    float scale;
    char *mean_file; /* NULL: none */
    uint32_t crop_size;
    bool mirror;
};

#define OLD_TRANSFORM(p)                                                                                               \
    ((struct old_transform){(p)->has_scale, (p)->has_mirror, (p)->has_crop_size, (p)->scale, (p)->mean_file,           \
                            (p)->crop_size, (p)->mirror})

static int upgrade_transform(Caffe__LayerParameter *layer, struct arena *scratch, struct error *err)
{
    struct old_transform old = {0};
    Caffe__TransformationParameter *to;

    if (layer->data_param != NULL)
        old = OLD_TRANSFORM(layer->data_param);
    else if (layer->image_data_param != NULL)
        old = OLD_TRANSFORM(layer->image_data_param);
    else if (layer->window_data_param != NULL)
        old = OLD_TRANSFORM(layer->window_data_param);
    if (!old.has_scale && !old.has_mirror && !old.has_crop_size && old.mean_file == NULL)
        return 0;
    to = arena_create_array(scratch, 1, sizeof *to, err);
    if (to == NULL)
        return -1;
    caffe__transformation_parameter__init(to);
    if (layer->transform_param != NULL)
        *to = *layer->transform_param;
    if (old.has_scale) {
        to->has_scale = true;
        to->scale = old.scale;
    }
    if (old.mean_file != NULL)
        to->mean_file = old.mean_file;
    if (old.has_crop_size) {
        to->has_crop_size = true;
        to->crop_size = old.crop_size;
    }
    if (old.has_mirror) {
        to->has_mirror = true;
        to->mirror = old.mirror;
    }
    layer->transform_param = to;
    return 0;
}

Caffe__LayerParameter *caffe_upgrade_layer(const Caffe__V1LayerParameter *old, struct arena *scratch, struct error *err)
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
    return name_shared_blobs(layer, old, scratch, err) < 0 || upgrade_transform(layer, scratch, err) < 0 ? NULL : layer;
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

Caffe__LayerParameter *caffe_upgrade_inputs(const Caffe__NetParameter *message, struct arena *scratch,
                                            struct error *err)
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
