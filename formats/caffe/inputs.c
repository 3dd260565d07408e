/* inputs.c — inputs of the network: Input layers, and data layers turned into inputs. */
#include "formats/caffe/build.h"
#include "formats/caffe/data.h"
#include "formats/caffe/wiring.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 1, HEIGHT = 2, WIDTH = 3 }; /* axes of an image; 0 as an extent means: not known */

static bool requested_shape(const struct caffe_import *in, const char *name, struct shape *shape)
{
    for (size_t i = 0; i < in->request->n_inputs; i++)
        if (strcmp(in->request->inputs[i].name, name) == 0) {
            *shape = in->request->inputs[i].shape;
            return true;
        }
    return false;
}

/* ---- Layers that state shapes */

/* One shape serves all tops. */
static const Caffe__BlobShape *stated_shape(const Caffe__LayerParameter *param, size_t top)
{
    size_t n = 0;
    Caffe__BlobShape **shapes = NULL;

    if (param->input_param != NULL) {
        n = param->input_param->n_shape;
        shapes = param->input_param->shape;
    } else if (param->dummy_data_param != NULL) {
        n = param->dummy_data_param->n_shape;
        shapes = param->dummy_data_param->shape;
    }
    return n == 0 ? NULL : n == 1 ? shapes[0] : top < n ? shapes[top] : NULL;
}

/* DummyData in its older form, and MemoryData. */
static bool legacy_shape(const Caffe__LayerParameter *param, size_t top, struct shape *shape)
{
    const Caffe__DummyDataParameter *dummy = param->dummy_data_param;
    const Caffe__MemoryDataParameter *memory = param->memory_data_param;

    if (dummy != NULL && dummy->n_num > 0 && dummy->n_channels == dummy->n_num && dummy->n_height == dummy->n_num &&
        dummy->n_width == dummy->n_num) {
        size_t i = top < dummy->n_num ? top : 0;

        *shape = (struct shape){4, {dummy->num[i], dummy->channels[i], dummy->height[i], dummy->width[i]}};
        return true;
    }
    if (memory != NULL && memory->has_channels && memory->has_height && memory->has_width) {
        *shape = (struct shape){4, {memory->batch_size, memory->channels, memory->height, memory->width}};
        return true;
    }
    return false;
}

/* ---- Layers that read a dataset: what the file says about the images in it */

static void set_size(struct shape *shape, int64_t height, int64_t width)
{
    shape->dims[HEIGHT] = height;
    shape->dims[WIDTH] = width;
}

static void crop_size(const Caffe__TransformationParameter *transform, struct shape *shape)
{
    if (transform->crop_size > 0)
        set_size(shape, transform->crop_size, transform->crop_size);
    else if (transform->crop_h > 0 && transform->crop_w > 0)
        set_size(shape, transform->crop_h, transform->crop_w);
}

/* FIT_SMALL_SIZE and a single number of `resize` leave one side to the picture. */
static void resized_size(const Caffe__TransformationParameter *transform, struct shape *shape)
{
    const Caffe__ResizeParameter *resize = transform->resize_param;

    if (resize != NULL && resize->resize_mode != CAFFE__RESIZE_PARAMETER__RESIZE_MODE__FIT_SMALL_SIZE)
        set_size(shape, resize->height, resize->width);
    else if (transform->n_resize == 2)
        set_size(shape, transform->resize[0], transform->resize[1]);
    else if (resize != NULL || transform->n_resize > 0)
        set_size(shape, 0, 0);
}

static void listed_size(const Caffe__TransformationParameter *transform, struct shape *shape)
{
    for (size_t i = 0; i < transform->n_transform_op; i++) {
        const Caffe__TransformOp *op = transform->transform_op[i];

        if (op->op == CAFFE__TRANSFORM_OP__OP__RESIZE)
            set_size(shape, op->resize_side > 0 ? 0 : op->resize_h, op->resize_side > 0 ? 0 : op->resize_w);
        else if (op->op == CAFFE__TRANSFORM_OP__OP__CROP)
            set_size(shape, op->crop_h, op->crop_w);
    }
}

/* What the layer makes of the size of its pictures, as far as that is known. */
static void transformed_size(const Caffe__LayerParameter *param, struct shape *shape)
{
    if (param->image_data_param != NULL && param->image_data_param->new_height > 0)
        set_size(shape, param->image_data_param->new_height, param->image_data_param->new_width);
    if (param->transform_param == NULL)
        return;
    resized_size(param->transform_param, shape);
    crop_size(param->transform_param, shape);
    listed_size(param->transform_param, shape);
}

static bool is_convolution(const char *type)
{
    return strcmp(type, "Convolution") == 0;
}

/* Channels that the first convolution on the blob expects: its weights are [out][in / group][kh][kw]. 0: not known. */
static int64_t expected_channels(const struct caffe_import *in, int blob)
{
    const struct caffe_net *net = in->wiring->net;
    const struct caffe_layer_weights *weights;
    struct shape shape;
    struct error unused;

    for (size_t i = 0; in->weights != NULL && i < net->n_layers; i++) {
        const Caffe__LayerParameter *reader = net->layers[i];

        if (!is_convolution(reader->type) || reader->n_bottom == 0 || in->wiring->layers[i].bottoms[0] != blob)
            continue;
        if (caffe_weights_find(in->weights, reader->name, &weights, &unused) == 0 &&
            caffe_weights_shape(in->weights, weights, 0, &shape, &unused) == 0 && shape.rank == 4 &&
            shape.dims[1] > 0 && shape.dims[1] <= UINT16_MAX)
            return shape.dims[1] * (reader->convolution_param != NULL ? reader->convolution_param->group : 1);
    }
    return 0;
}

static int64_t channels_of_dataset(const struct caffe_import *in, const struct caffe_layer *layer, size_t top)
{
    const Caffe__TransformationParameter *transform = layer->param->transform_param;
    int64_t expected = expected_channels(in, layer->tops[top]);

    if (expected != 0)
        return expected;
    if (transform != NULL && (transform->force_color || transform->force_gray))
        return transform->force_color ? 3 : 1;
    if (layer->param->image_data_param != NULL)
        return layer->param->image_data_param->is_color ? 3 : 1;
    return 0;
}

static void append_extent(char *text, size_t size, const char *separator, int64_t extent, char letter)
{
    size_t used = strlen(text);

    if (extent > 0)
        snprintf(text + used, size - used, "%s%lld", separator, (long long)extent);
    else
        snprintf(text + used, size - used, "%s%c", separator, letter);
}

static bool is_known(const struct shape *shape)
{
    return shape->dims[CHANNELS] > 0 && shape->dims[HEIGHT] > 0 && shape->dims[WIDTH] > 0;
}

/* What neither the file nor the weights tell, the first record may, as in Caffe. */
static int dataset_shape(const struct caffe_import *in, const struct caffe_layer *layer, size_t top,
                         struct shape *shape, struct error *err)
{
    static const char letters[4] = {'N', 'C', 'H', 'W'};
    char known[SHAPE_TEXT_BYTES] = "1";
    int64_t record[3];
    struct error why = {0};

    *shape = (struct shape){4, {1, 0, 0, 0}};
    shape->dims[CHANNELS] = channels_of_dataset(in, layer, top);
    transformed_size(layer->param, shape);
    if (!is_known(shape) && caffe_peek_record(layer, in->request->file, record, &why) == 0) {
        shape->dims[CHANNELS] = shape->dims[CHANNELS] > 0 ? shape->dims[CHANNELS] : record[0];
        set_size(shape, record[1], record[2]);
        transformed_size(layer->param, shape);
    }
    if (is_known(shape))
        return 0;
    for (size_t i = CHANNELS; i <= WIDTH; i++)
        append_extent(known, sizeof known, " x ", shape->dims[i], letters[i]);
    if (strcmp(layer->type, "Input") == 0) /* which has no records */
        why = (struct error){0};
    return caffe_error(layer, err, EX_DATAERR,
                       "the file does not tell the shape of \"%s\"%s%s%s: give it, %s with numbers for the letters, "
                       "under model.inputs",
                       layer->param->top[top], why.code != 0 ? " (" : "", why.text, why.code != 0 ? ")" : "", known);
}

/* ---- */

static int input_shape(const struct caffe_import *in, const struct caffe_layer *layer, size_t top, struct shape *shape,
                       struct error *err)
{
    const Caffe__BlobShape *stated = stated_shape(layer->param, top);

    if (requested_shape(in, layer->param->top[top], shape) || legacy_shape(layer->param, top, shape))
        return 0;
    if (stated != NULL)
        return caffe_copy_shape(layer, stated, shape, err);
    return dataset_shape(in, layer, top, shape, err);
}

int caffe_input(struct caffe_import *in, const struct caffe_layer *layer, struct error *err)
{
    for (size_t i = 0; i < layer->n_tops; i++) {
        struct shape shape;
        int value;

        if (!in->wiring->blobs[layer->tops[i]].is_needed)
            continue;
        if (input_shape(in, layer, i, &shape, err) < 0)
            return -1;
        if (shape.rank == 0)
            return caffe_error(layer, err, EX_DATAERR, "input \"%s\" has no axes", layer->param->top[i]);
        if (shape.dims[0] > 1)
            in->declared_batch = shape.dims[0];
        shape.dims[0] = 1;
        value = caffe_top(in, layer, i, &shape, err);
        if (value < 0)
            return -1;
        if (graph_add_input(in->graph, value, err) < 0)
            return caffe_error_in(layer, err);
    }
    return 0;
}
