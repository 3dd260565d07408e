/* transform.c — transform_param as a chain of steps; see data.h.
 *
 * Caffe's order (data_transformer.cpp): the flat fields resize, crop, mirror, subtract the mean and multiply, wherever
 * they stand in the file. Sophon's transform_op lists run as written. Both work on pixels in B, G, R order and combine
 * them as OpenCV does.
 */
#include "common/log.h"
#include "formats/caffe/build.h"
#include "formats/caffe/data.h"

#include <string.h>

struct chain {
    const struct caffe_layer *layer;
    const char *prototxt;
    struct arena *arena;
    struct preprocess_plan *plan;
    struct error *err;
};

/* ---- Steps */

static struct preprocess_step *add(struct chain *chain, enum step_kind kind)
{
    if (chain->plan->n_steps == PREPROCESS_MAX_STEPS) {
        caffe_error(chain->layer, chain->err, EX_UNAVAILABLE, "its transformation takes more than %d steps",
                    PREPROCESS_MAX_STEPS);
        return NULL;
    }
    chain->plan->steps[chain->plan->n_steps].kind = kind;
    return &chain->plan->steps[chain->plan->n_steps++];
}

/* Of two orders in a row the second alone matters. */
static int add_channels(struct chain *chain, enum channel_order order)
{
    struct preprocess_plan *plan = chain->plan;
    struct preprocess_step *step = plan->n_steps > 0 && plan->steps[plan->n_steps - 1].kind == STEP_CHANNELS
                                       ? &plan->steps[plan->n_steps - 1]
                                       : add(chain, STEP_CHANNELS);

    if (step == NULL)
        return -1;
    step->channels = order;
    return 0;
}

/* FIT_WARP: to height x width; the others: `height` is the side. */
static int add_resize(struct chain *chain, enum resize_fit fit, size_t height, size_t width, enum resize_filter filter)
{
    struct preprocess_step *step;

    if (height == 0 || (fit == FIT_WARP && width == 0))
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it resizes to %zux%zu", height, width);
    step = add(chain, STEP_RESIZE);
    if (step == NULL)
        return -1;
    step->resize.fit = fit;
    step->resize.filter = filter;
    step->resize.height = height;
    step->resize.width = fit == FIT_WARP ? width : 0;
    return 0;
}

static int add_crop(struct chain *chain, size_t height, size_t width)
{
    struct preprocess_step *step;

    if (height == 0 || width == 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it crops to %zux%zu", height, width);
    step = add(chain, STEP_CROP);
    if (step == NULL)
        return -1;
    step->crop.height = height;
    step->crop.width = width;
    return 0;
}

static int add_values(struct chain *chain, enum step_kind kind, const char *what, const float *values, size_t n)
{
    struct preprocess_step *step;

    if (n == 0)
        return 0;
    if (n > PREPROCESS_MAX_CHANNELS)
        return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                           "it has %zu numbers of %s, at most %d are possible", n, what, PREPROCESS_MAX_CHANNELS);
    for (size_t i = 0; kind == STEP_DIVIDE && i < n; i++)
        if (values[i] == 0)
            return caffe_error(chain->layer, chain->err, EX_DATAERR, "it divides by 0");
    step = add(chain, kind);
    if (step == NULL)
        return -1;
    memcpy(step->values, values, n * sizeof *values);
    step->n_values = n;
    return 0;
}

static int add_mean_file(struct chain *chain, const char *file)
{
    struct preprocess_step *step = add(chain, STEP_MEAN_FILE);

    if (step == NULL)
        return -1;
    step->file.path = caffe_find_path(chain->prototxt, file, chain->arena, chain->err);
    return step->file.path == NULL ? -1 : 0;
}

static int add_mean(struct chain *chain, const float *values, size_t n, const char *file)
{
    if (file == NULL)
        return add_values(chain, STEP_MEAN, "mean_value", values, n);
    if (n > 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it has both mean_file and mean_value");
    return add_mean_file(chain, file);
}

static int refuse_fraction(const struct chain *chain)
{
    return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                       "crop_fraction is not translated: write preprocess in the job");
}

/* ---- Flat fields */

static const struct {
    Caffe__ResizeParameter__InterpMode mode;
    enum resize_filter filter;
} interpolations[] = {
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__LINEAR, FILTER_OPENCV_LINEAR},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__AREA, FILTER_OPENCV_AREA},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__NEAREST, FILTER_OPENCV_NEAREST},
    {CAFFE__RESIZE_PARAMETER__INTERP_MODE__CUBIC, FILTER_OPENCV_CUBIC},
};

/* Several modes are a random choice, for training. */
static int find_filter(const struct chain *chain, const Caffe__ResizeParameter *param, enum resize_filter *filter)
{
    *filter = FILTER_OPENCV_LINEAR;
    if (param->n_interp_mode == 0)
        return 0;
    if (param->n_interp_mode > 1)
        log_warning("%s: layer \"%s\": Caffe chooses one of %zu interp_mode at random, the first is used",
                    chain->prototxt, chain->layer->name, param->n_interp_mode);
    for (size_t i = 0; i < sizeof interpolations / sizeof *interpolations; i++)
        if (interpolations[i].mode == param->interp_mode[0]) {
            *filter = interpolations[i].filter;
            return 0;
        }
    return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                       "interp_mode number %d of its resize_param has no filter of ours: write preprocess in the job",
                       (int)param->interp_mode[0]);
}

/* One grey for the border; ours is square. */
static int add_letterbox(struct chain *chain, const Caffe__ResizeParameter *param, enum resize_filter filter)
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
    if (add_resize(chain, FIT_SIDE_PAD, param->height, param->width, filter) < 0)
        return -1;
    chain->plan->steps[chain->plan->n_steps - 1].resize.pad = pad;
    return 0;
}

/* SSD's. */
static int add_resize_param(struct chain *chain, const Caffe__ResizeParameter *param)
{
    enum resize_filter filter;

    if (param == NULL)
        return 0;
    if (find_filter(chain, param, &filter) < 0)
        return -1;
    if (param->resize_mode == CAFFE__RESIZE_PARAMETER__RESIZE_MODE__FIT_LARGE_SIZE_AND_PAD)
        return add_letterbox(chain, param, filter);
    if (param->resize_mode == CAFFE__RESIZE_PARAMETER__RESIZE_MODE__WARP)
        return add_resize(chain, FIT_WARP, param->height, param->width, filter);
    if (param->height != param->width)
        return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                           "its resize_param covers %ux%u: only a square has a step of ours", param->height,
                           param->width);
    return add_resize(chain, FIT_SHORT, param->height, 0, filter);
}

/* Sophon's `resize`: one number keeps the aspect. */
static int add_flat_resize(struct chain *chain, const Caffe__TransformationParameter *param)
{
    if (param->n_resize == 0)
        return 0;
    if (param->n_resize > 2)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "it has %zu numbers of resize, expected 1 or 2",
                           param->n_resize);
    return param->n_resize == 1 ? add_resize(chain, FIT_SHORT, param->resize[0], 0, FILTER_OPENCV_LINEAR)
                                : add_resize(chain, FIT_WARP, param->resize[0], param->resize[1], FILTER_OPENCV_LINEAR);
}

static int add_flat_crop(struct chain *chain, const Caffe__TransformationParameter *param)
{
    if (param->has_crop_fraction && param->crop_fraction > 0 && param->crop_fraction != 1)
        return refuse_fraction(chain);
    if (param->crop_size > 0)
        return add_crop(chain, param->crop_size, param->crop_size);
    return param->crop_h > 0 || param->crop_w > 0 ? add_crop(chain, param->crop_h, param->crop_w) : 0;
}

static int add_flat(struct chain *chain, const Caffe__TransformationParameter *param)
{
    bool has_scale = param->has_scale && param->scale != 1;

    if (param->standardization)
        return caffe_error(chain->layer, chain->err, EX_UNAVAILABLE,
                           "standardization is not translated: write preprocess in the job");
    return add_resize_param(chain, param->resize_param) < 0 || add_flat_resize(chain, param) < 0 ||
                   add_flat_crop(chain, param) < 0 ||
                   add_mean(chain, param->mean_value, param->n_mean_value, param->mean_file) < 0 ||
                   (has_scale && add_values(chain, STEP_SCALE, "scale", &param->scale, 1) < 0)
               ? -1
               : 0;
}

/* ---- Sophon's list */

static int add_op_resize(struct chain *chain, const Caffe__TransformOp *op)
{
    if (op->resize_side > 0)
        return add_resize(chain, FIT_SHORT, op->resize_side, 0, FILTER_OPENCV_LINEAR);
    return add_resize(chain, FIT_WARP, op->resize_h, op->resize_w, FILTER_OPENCV_LINEAR);
}

static int add_op_crop(struct chain *chain, const Caffe__TransformOp *op)
{
    if (op->has_crop_fraction && op->crop_fraction > 0 && op->crop_fraction != 1)
        return refuse_fraction(chain);
    return add_crop(chain, op->crop_h, op->crop_w);
}

/* (x - mean) * scale, or (x - mean) / div. */
static int add_op_standardize(struct chain *chain, const Caffe__TransformOp *op)
{
    if (op->n_scale > 0 && op->n_div > 0)
        return caffe_error(chain->layer, chain->err, EX_DATAERR, "a transform_op has both scale and div");
    return add_mean(chain, op->mean_value, op->n_mean_value, op->mean_file) < 0 ||
                   add_values(chain, STEP_SCALE, "scale", op->scale, op->n_scale) < 0 ||
                   add_values(chain, STEP_DIVIDE, "div", op->div, op->n_div) < 0
               ? -1
               : 0;
}

static int add_nothing(struct chain *chain, const Caffe__TransformOp *op)
{
    (void)chain;
    (void)op;
    return 0;
}

static int (*const add_op[])(struct chain *, const Caffe__TransformOp *) = {
    [CAFFE__TRANSFORM_OP__OP__RESIZE] = add_op_resize,
    [CAFFE__TRANSFORM_OP__OP__CROP] = add_op_crop,
    [CAFFE__TRANSFORM_OP__OP__STAND] = add_op_standardize,
    [CAFFE__TRANSFORM_OP__OP__NONE] = add_nothing,
};

/* Channels are swapped in front of the op's own work: its means are then in the network's order, as the vendor's
 * scripts give them. */
static int add_ops(struct chain *chain, const Caffe__TransformationParameter *param)
{
    for (size_t i = 0; i < param->n_transform_op; i++) {
        const Caffe__TransformOp *op = param->transform_op[i];

        if ((op->bgr2rgb && add_channels(chain, CHANNELS_RGB) < 0) || add_op[op->op](chain, op) < 0)
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
static int add_order(struct chain *chain, size_t channels)
{
    const Caffe__LayerParameter *param = chain->layer->param;

    return is_gray(param)              ? add_channels(chain, CHANNELS_GRAY)
           : is_color(param, channels) ? add_channels(chain, CHANNELS_BGR)
                                       : 0;
}

static int add_image_resize(struct chain *chain)
{
    const Caffe__ImageDataParameter *param = chain->layer->param->image_data_param;

    if (param == NULL || (param->new_height == 0 && param->new_width == 0))
        return 0;
    return add_resize(chain, FIT_WARP, param->new_height, param->new_width, FILTER_OPENCV_LINEAR);
}

static int add_transform(struct chain *chain)
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
    struct chain chain = {layer, prototxt, arena, plan, err};

    return add_order(&chain, channels) < 0 || add_image_resize(&chain) < 0 || add_transform(&chain) < 0 ? -1 : 0;
}
