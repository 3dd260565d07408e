/* transform.c — transform_param as a chain of steps; see data.h.
 *
 * Caffe's order (data_transformer.cpp): the flat fields resize, crop, mirror, subtract the mean and multiply, wherever
 * they stand in the file. Sophon's transform_op lists run as written. Both work on pixels in B, G, R order and combine
 * them as OpenCV does.
 */
#include "common/log.h"
#include "formats/caffe/build.h"
#include "formats/caffe/transform_steps.h"

/* 0, the default, and 1 keep all. */
static bool cuts_fraction(protobuf_c_boolean has_fraction, float fraction)
{
    return has_fraction && fraction != 0 && fraction != 1;
}

/* ---- Flat fields */

const struct caffe_interpolation caffe_interpolations[CAFFE_INTERPOLATIONS] = {
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__LINEAR, FILTER_OPENCV_LINEAR},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__AREA, FILTER_OPENCV_AREA},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__NEAREST, FILTER_OPENCV_NEAREST},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__CUBIC, FILTER_OPENCV_CUBIC},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__LANCZOS4, FILTER_OPENCV_LANCZOS4},
};

/* Several modes are a random choice, for training. */
static int find_filter(const struct caffe_chain *chain, const Caffe__ResizeParameter *param, enum resize_filter *filter)
{
    *filter = FILTER_OPENCV_LINEAR;
    if (param->n_interp_mode == 0)
        return 0;
    if (param->n_interp_mode > 1)
        log_warning("%s: layer \"%s\": Caffe chooses one of %zu interp_mode at random, the first is used",
                    chain->prototxt, chain->layer->name, param->n_interp_mode);
    for (size_t i = 0; i < CAFFE_INTERPOLATIONS; i++)
        if (caffe_interpolations[i].mode == param->interp_mode[0]) {
            *filter = caffe_interpolations[i].filter;
            return 0;
        }
    return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                       "interp_mode number %d of its resize_param has no filter of ours: write preprocess in the job",
                       (int)param->interp_mode[0]);
}

/* One grey for the border; ours is square. */
static int add_letterbox(struct caffe_chain *chain, const Caffe__ResizeParameter *param, enum resize_filter filter)
{
    float pad = param->n_pad_value > 0 ? param->pad_value[0] : 0;

    for (size_t i = 1; i < param->n_pad_value; i++)
        if (param->pad_value[i] != pad)
            return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                               "its resize_param pads with another value in each channel: write preprocess in the job");
    if (param->pad_mode != CAFFE__RESIZE_PARAMETER__PAD_MODE__CONSTANT || param->height != param->width)
        return caffe_error(
            chain->layer, chain->err, EX_UNAVAILABLE,
            "its resize_param pads to %ux%u by pad_mode number %d: only squares and CONSTANT have a step "
            "of ours",
            param->height, param->width, (int)param->pad_mode);
    if (chain_resize(chain, FIT_SIDE_PAD, param->height, param->width, filter) < 0)
        return -1;
    chain->plan->steps[chain->plan->n_steps - 1].resize.pad = pad;
    return 0;
}

/* SSD's. */
static int add_resize_param(struct caffe_chain *chain, const Caffe__ResizeParameter *param)
{
    enum resize_filter filter;

    if (param == NULL)
        return 0;
    if (find_filter(chain, param, &filter) < 0)
        return -1;
    if (param->resize_mode == CAFFE__RESIZE_PARAMETER__RESIZE_MODE__FIT_LARGE_SIZE_AND_PAD)
        return add_letterbox(chain, param, filter);
    if (param->resize_mode == CAFFE__RESIZE_PARAMETER__RESIZE_MODE__WARP)
        return chain_resize(chain, FIT_WARP, param->height, param->width, filter);
    if (param->height != param->width)
        return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                           "its resize_param covers %ux%u: only a square has a step of ours", param->height,
                           param->width);
    return chain_resize(chain, FIT_SHORT, param->height, 0, filter);
}

/* Sophon's `resize`: one number keeps the aspect. */
static int add_flat_resize(struct caffe_chain *chain, const Caffe__TransformationParameter *param)
{
    if (param->n_resize == 0)
        return 0;
    if (param->n_resize > 2)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it has %zu numbers of resize, expected 1 or 2",
                           param->n_resize);
    return param->n_resize == 1
               ? chain_resize(chain, FIT_SHORT, param->resize[0], 0, FILTER_OPENCV_LINEAR)
               : chain_resize(chain, FIT_WARP, param->resize[0], param->resize[1], FILTER_OPENCV_LINEAR);
}

/* The fields behind TensorFlow's functions: nobody says where they stand among those of Caffe. So they are read where
 * only one order is possible. */
static int refuse_order(const struct caffe_chain *chain, const char *first, const char *second)
{
    return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                       "its %s may run before or after its %s: write the one order that is meant as a list of "
                       "transform_op, or as preprocess in the job",
                       first, second);
}

static int add_flat_crop(struct caffe_chain *chain, const Caffe__TransformationParameter *param)
{
    bool has_size = param->crop_size > 0 || param->crop_h > 0 || param->crop_w > 0;

    if (cuts_fraction(param->has_crop_fraction, param->crop_fraction))
        return param->resize_param != NULL || param->n_resize > 0
                   ? refuse_order(chain, "crop_fraction", param->n_resize > 0 ? "resize" : "resize_param")
                   : chain_crop_fraction(chain, param->crop_fraction, has_size);
    if (param->crop_size > 0)
        return chain_crop(chain, param->crop_size, param->crop_size);
    return has_size ? chain_crop(chain, param->crop_h, param->crop_w) : 0;
}

/* As tf.image.per_image_standardization. */
static int add_standardization(struct caffe_chain *chain, const Caffe__TransformationParameter *param, bool has_scale)
{
    struct preprocess_step *step;

    if (!param->standardization)
        return 0;
    if (has_scale || param->n_mean_value > 0 || param->mean_file != NULL)
        return refuse_order(chain, "standardization",
                            has_scale                 ? "scale"
                            : param->n_mean_value > 0 ? "mean_value"
                                                      : "mean_file");
    step = chain_step(chain, STEP_STANDARDIZE);
    if (step == NULL)
        return -1;
    step->standardize = STANDARDIZE_IMAGE;
    return 0;
}

static int add_flat(struct caffe_chain *chain, const Caffe__TransformationParameter *param)
{
    bool has_scale = param->has_scale && param->scale != 1;

    return add_resize_param(chain, param->resize_param) < 0 || add_flat_resize(chain, param) < 0 ||
                   add_flat_crop(chain, param) < 0 || add_standardization(chain, param, has_scale) < 0 ||
                   chain_mean(chain, param->mean_value, param->n_mean_value, param->mean_file) < 0 ||
                   (has_scale && chain_values(chain, STEP_SCALE, "scale", &param->scale, 1) < 0)
               ? -1
               : 0;
}

/* ---- Sophon's list */

static int add_op_resize(struct caffe_chain *chain, const Caffe__TransformOp *op)
{
    if (op->resize_side > 0)
        return chain_resize(chain, FIT_SHORT, op->resize_side, 0, FILTER_OPENCV_LINEAR);
    return chain_resize(chain, FIT_WARP, op->resize_h, op->resize_w, FILTER_OPENCV_LINEAR);
}

static int add_op_crop(struct caffe_chain *chain, const Caffe__TransformOp *op)
{
    bool has_size = op->crop_h > 0 || op->crop_w > 0;

    if (cuts_fraction(op->has_crop_fraction, op->crop_fraction))
        return chain_crop_fraction(chain, op->crop_fraction, has_size);
    return op->has_crop_fraction && !has_size ? 0 : chain_crop(chain, op->crop_h, op->crop_w);
}

/* (x - mean) * scale, or (x - mean) / div. */
static int add_op_standardize(struct caffe_chain *chain, const Caffe__TransformOp *op)
{
    if (op->n_scale > 0 && op->n_div > 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "a transform_op has both scale and div");
    return chain_mean(chain, op->mean_value, op->n_mean_value, op->mean_file) < 0 ||
                   chain_values(chain, STEP_SCALE, "scale", op->scale, op->n_scale) < 0 ||
                   chain_values(chain, STEP_DIVIDE, "div", op->div, op->n_div) < 0
               ? -1
               : 0;
}

static int add_nothing(struct caffe_chain *chain, const Caffe__TransformOp *op)
{
    (void)chain;
    (void)op;
    return 0;
}

static int (*const add_op[])(struct caffe_chain *, const Caffe__TransformOp *) = {
    [CAFFE__TRANSFORM_OP__OP__RESIZE] = add_op_resize,
    [CAFFE__TRANSFORM_OP__OP__CROP] = add_op_crop,
    [CAFFE__TRANSFORM_OP__OP__STAND] = add_op_standardize,
    [CAFFE__TRANSFORM_OP__OP__NONE] = add_nothing,
};

/* Channels are swapped in front of the op's own work: its means are then in the network's order, as the vendor's
 * scripts give them. */
static int add_ops(struct caffe_chain *chain, const Caffe__TransformationParameter *param)
{
    for (size_t i = 0; i < param->n_transform_op; i++) {
        const Caffe__TransformOp *op = param->transform_op[i];

        if ((op->bgr2rgb && chain_channels(chain, CHANNELS_RGB) < 0) || add_op[op->op](chain, op) < 0)
            return -1;
    }
    return 0;
}

/* What says how to decode (force_color, force_gray), and mirror, which is ignored, belong to both forms. */
static const char *flat_field(const Caffe__TransformationParameter *param)
{
    return param->has_scale              ? "scale"
           : param->crop_size > 0        ? "crop_size"
           : param->mean_file != NULL    ? "mean_file"
           : param->n_mean_value > 0     ? "mean_value"
           : param->resize_param != NULL ? "resize_param"
           : param->crop_h > 0           ? "crop_h"
           : param->crop_w > 0           ? "crop_w"
           : param->has_crop_fraction    ? "crop_fraction"
           : param->n_resize > 0         ? "resize"
           : param->standardization      ? "standardization"
                                         : NULL;
}

/* ---- */

static bool is_gray(const Caffe__LayerParameter *param)
{
    return (param->transform_param != NULL && param->transform_param->force_gray) ||
           (param->image_data_param != NULL && !param->image_data_param->is_color);
}

static bool is_color(const Caffe__LayerParameter *param, size_t channels)
{
    return (param->transform_param != NULL && param->transform_param->force_color) ||
           (param->data_param != NULL && param->data_param->force_encoded_color) || param->image_data_param != NULL ||
           channels == 3;
}

/* A network of three channels that was trained by Caffe takes B, G, R, whatever dataset the job then names. */
static int add_order(struct caffe_chain *chain, size_t channels)
{
    const Caffe__LayerParameter *param = chain->layer->param;

    return is_gray(param)              ? chain_channels(chain, CHANNELS_GRAY)
           : is_color(param, channels) ? chain_channels(chain, CHANNELS_BGR)
                                       : 0;
}

static int add_image_resize(struct caffe_chain *chain)
{
    const Caffe__ImageDataParameter *param = chain->layer->param->image_data_param;

    if (param == NULL || (param->new_height == 0 && param->new_width == 0))
        return 0;
    return chain_resize(chain, FIT_WARP, param->new_height, param->new_width, FILTER_OPENCV_LINEAR);
}

static int add_transform(struct caffe_chain *chain)
{
    const Caffe__TransformationParameter *param = chain->layer->param->transform_param;
    const char *flat;

    if (param == NULL)
        return 0;
    if (param->mirror)
        log_warning("%s: layer \"%s\": mirror is random in Caffe, in tests as well: it is ignored", chain->prototxt,
                    chain->layer->name);
    if (param->n_transform_op == 0)
        return add_flat(chain, param);
    flat = flat_field(param);
    return flat == NULL ? add_ops(chain, param)
                        : caffe_error(chain->layer, chain->err, EX_DATAERR,
                                      "its transform_param has both %s and a list of transform_op: one of the two "
                                      "forms holds",
                                      flat);
}

int caffe_transform(const struct caffe_layer *layer, const char *prototxt, size_t channels, struct arena *arena,
                    struct preprocess_plan *plan, struct error *err)
{
    struct caffe_chain chain = {layer, prototxt, arena, plan, err};

    return add_order(&chain, channels) < 0 || add_image_resize(&chain) < 0 || add_transform(&chain) < 0 ? -1 : 0;
}
