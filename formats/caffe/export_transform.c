/* export_transform.c — a chain of steps as a transform_param; see export_data.h. The way back is transform.c. */
#include "common/preprocess_steps.h"
#include "common/preprocess_text.h"
#include "formats/caffe/data.h"
#include "formats/caffe/export_data.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int refuse(const struct preprocess_step *step, struct error *err)
{
    return error_set(err, EX_UNAVAILABLE, "the step \"%s\" of preprocess, at its place, has no form in a Data layer",
                     preprocess_step_name(step->kind));
}

/* Data layers crop at the centre, and have no step that keeps the longer side. */
static bool has_no_form(const struct preprocess_step *step)
{
    return (step->kind == STEP_CROP && (step->crop.place != CROP_CENTRE || step->crop.rounding != CROP_DOWN)) ||
           (step->kind == STEP_RESIZE && step->resize.fit == FIT_LONG);
}

/* A Data layer resizes by opencv_linear: whoever writes the network says so. */
static void note_filter(struct caffe_writer *w, const struct preprocess_step *step)
{
    if (step->resize.filter != FILTER_OPENCV_LINEAR)
        w->lost_filter = step_word(resize_filter_words, (int)step->resize.filter);
}

static char *copy_path(struct caffe_writer *w, const struct preprocess_step *step)
{
    return arena_copy_string(w->arena, step->file.path, &w->err);
}

static float *copy_values(struct caffe_writer *w, const struct preprocess_step *step)
{
    float *values = caffe_put_floats(w, step->n_values);

    if (values != NULL)
        memcpy(values, step->values, step->n_values * sizeof *values);
    return values;
}

/* ---- Flat fields, which run in an order of their own */

/* `place`, above 0: of the field among those of its form. It may stand behind places up to `behind`: where two fields
 * could run in either order, transform.c reads neither. */
static const struct {
    int place, behind;
} flat_places[] = {
    [STEP_CHANNELS] = {1, 0}, [STEP_RESIZE] = {2, 1},    [STEP_CROP] = {3, 2},  [STEP_CROP_FRACTION] = {3, 1},
    [STEP_MEAN] = {4, 3},     [STEP_MEAN_FILE] = {4, 3}, [STEP_SCALE] = {5, 4}, [STEP_STANDARDIZE] = {6, 3},
};

static bool fits_flat_fields(const struct preprocess_plan *plan)
{
    int latest = 0;

    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct preprocess_step *step = &plan->steps[i];

        if ((size_t)step->kind >= COUNT(flat_places) || flat_places[step->kind].place == 0 ||
            latest > flat_places[step->kind].behind ||
            (step->kind == STEP_CHANNELS && step->channels == CHANNELS_RGB) ||
            (step->kind == STEP_SCALE && step->n_values != 1))
            return false;
        latest = flat_places[step->kind].place;
    }
    return true;
}

/* LINEAR is what a resize_param without a mode means. */
static void put_interpolation(struct caffe_writer *w, Caffe__ResizeParameter *param, const struct preprocess_step *step)
{
    const enum resize_filter filter = step->resize.filter;
    size_t i = 0;

    while (i < CAFFE_INTERPOLATIONS && caffe_interpolations[i].filter != filter)
        i++;
    if (i == CAFFE_INTERPOLATIONS)
        note_filter(w, step);
    if (i == CAFFE_INTERPOLATIONS || filter == FILTER_OPENCV_LINEAR)
        return;
    param->interp_mode = arena_create_array(w->arena, 1, sizeof *param->interp_mode, &w->err);
    if (param->interp_mode != NULL)
        param->interp_mode[param->n_interp_mode++] = caffe_interpolations[i].mode;
}

static Caffe__ResizeParameter *put_resize(struct caffe_writer *w, const struct preprocess_step *step)
{
    Caffe__ResizeParameter *param = caffe_put_message(w, &caffe__resize_parameter__descriptor);

    if (param == NULL)
        return NULL;
    put_interpolation(w, param, step);
    param->has_resize_mode = param->has_height = param->has_width = true;
    param->resize_mode = step->resize.fit == FIT_WARP    ? CAFFE__RESIZE_PARAMETER__RESIZE_MODE__WARP
                         : step->resize.fit == FIT_SHORT ? CAFFE__RESIZE_PARAMETER__RESIZE_MODE__FIT_SMALL_SIZE
                                                         : CAFFE__RESIZE_PARAMETER__RESIZE_MODE__FIT_LARGE_SIZE_AND_PAD;
    param->height = (uint32_t)step->resize.height;
    param->width = step->resize.fit == FIT_WARP ? (uint32_t)step->resize.width : param->height;
    if (step->resize.fit == FIT_SIDE_PAD && (param->pad_value = caffe_put_floats(w, 1)) != NULL)
        param->pad_value[param->n_pad_value++] = step->resize.pad;
    return param;
}

static void put_crop(Caffe__TransformationParameter *param, const struct preprocess_step *step)
{
    if (step->crop.height == step->crop.width) {
        param->has_crop_size = true;
        param->crop_size = (uint32_t)step->crop.height;
    } else {
        param->has_crop_h = param->has_crop_w = true;
        param->crop_h = (uint32_t)step->crop.height;
        param->crop_w = (uint32_t)step->crop.width;
    }
}

static void put_flat(struct caffe_writer *w, Caffe__TransformationParameter *param, const struct preprocess_step *step)
{
    if (step->kind == STEP_CHANNELS) {
        param->has_force_gray = param->force_gray = step->channels == CHANNELS_GRAY;
    } else if (step->kind == STEP_RESIZE) {
        param->resize_param = put_resize(w, step);
    } else if (step->kind == STEP_CROP) {
        put_crop(param, step);
    } else if (step->kind == STEP_MEAN) {
        param->mean_value = copy_values(w, step);
        param->n_mean_value = step->n_values;
    } else if (step->kind == STEP_MEAN_FILE) {
        param->mean_file = copy_path(w, step);
    } else if (step->kind == STEP_CROP_FRACTION) {
        param->has_crop_fraction = true;
        param->crop_fraction = step->fraction;
    } else if (step->kind == STEP_STANDARDIZE) {
        param->has_standardization = param->standardization = true;
    } else {
        param->has_scale = true;
        param->scale = step->values[0];
    }
}

/* ---- Sophon's list */

static Caffe__TransformOp *put_op(struct caffe_writer *w, Caffe__TransformationParameter *param,
                                  Caffe__TransformOp__Op kind)
{
    Caffe__TransformOp *op = caffe_put_message(w, &caffe__transform_op__descriptor);

    if (op == NULL)
        return NULL;
    op->has_op = true;
    op->op = kind;
    return param->transform_op[param->n_transform_op++] = op;
}

/* Records are B, G, R as they are; gray is decided while decoding. */
static int put_order(struct caffe_writer *w, Caffe__TransformationParameter *param, const struct preprocess_step *step,
                     bool is_first, struct error *err)
{
    Caffe__TransformOp *op;

    if (!is_first && step->channels != CHANNELS_RGB)
        return refuse(step, err);
    if (step->channels == CHANNELS_GRAY)
        param->has_force_gray = param->force_gray = true;
    if (step->channels == CHANNELS_RGB && (op = put_op(w, param, CAFFE__TRANSFORM_OP__OP__NONE)) != NULL)
        op->has_bgr2rgb = op->bgr2rgb = true;
    return 0;
}

static int put_resize_op(struct caffe_writer *w, Caffe__TransformationParameter *param,
                         const struct preprocess_step *step, struct error *err)
{
    Caffe__TransformOp *op;

    if (step->resize.fit == FIT_SIDE_PAD)
        return refuse(step, err);
    note_filter(w, step);
    op = put_op(w, param, CAFFE__TRANSFORM_OP__OP__RESIZE);
    if (op == NULL)
        return 0;
    if (step->resize.fit == FIT_SHORT) {
        op->has_resize_side = true;
        op->resize_side = (uint32_t)step->resize.height;
    } else {
        op->has_resize_h = op->has_resize_w = true;
        op->resize_h = (uint32_t)step->resize.height;
        op->resize_w = (uint32_t)step->resize.width;
    }
    return 0;
}

static void put_crop_op(struct caffe_writer *w, Caffe__TransformationParameter *param,
                        const struct preprocess_step *step)
{
    Caffe__TransformOp *op = put_op(w, param, CAFFE__TRANSFORM_OP__OP__CROP);

    if (op == NULL)
        return;
    if (step->kind == STEP_CROP_FRACTION) {
        op->has_crop_fraction = true;
        op->crop_fraction = step->fraction;
        return;
    }
    op->has_crop_h = op->has_crop_w = true;
    op->crop_h = (uint32_t)step->crop.height;
    op->crop_w = (uint32_t)step->crop.width;
}

static void put_mean_op(struct caffe_writer *w, Caffe__TransformationParameter *param,
                        const struct preprocess_step *step)
{
    Caffe__TransformOp *op = put_op(w, param, CAFFE__TRANSFORM_OP__OP__STAND);

    if (op == NULL)
        return;
    if (step->kind == STEP_MEAN_FILE) {
        op->mean_file = copy_path(w, step);
    } else {
        op->mean_value = copy_values(w, step);
        op->n_mean_value = step->n_values;
    }
}

/* Behind a mean it is part of the same op. */
static void put_factor_op(struct caffe_writer *w, Caffe__TransformationParameter *param,
                          const struct preprocess_step *step)
{
    Caffe__TransformOp *op = param->n_transform_op > 0 ? param->transform_op[param->n_transform_op - 1] : NULL;

    if (op == NULL || (op->n_mean_value == 0 && op->mean_file == NULL) || op->n_scale + op->n_div > 0)
        op = put_op(w, param, CAFFE__TRANSFORM_OP__OP__STAND);
    if (op == NULL)
        return;
    *(step->kind == STEP_SCALE ? &op->scale : &op->div) = copy_values(w, step);
    *(step->kind == STEP_SCALE ? &op->n_scale : &op->n_div) = step->n_values;
}

static int put_listed(struct caffe_writer *w, Caffe__TransformationParameter *param, const struct preprocess_step *step,
                      bool is_first, struct error *err)
{
    if (step->kind == STEP_CHANNELS)
        return put_order(w, param, step, is_first, err);
    if (step->kind == STEP_RESIZE)
        return put_resize_op(w, param, step, err);
    if (step->kind == STEP_CROP || step->kind == STEP_CROP_FRACTION)
        put_crop_op(w, param, step);
    else if (step->kind == STEP_MEAN || step->kind == STEP_MEAN_FILE)
        put_mean_op(w, param, step);
    else if (step->kind == STEP_SCALE || step->kind == STEP_DIVIDE)
        put_factor_op(w, param, step);
    else
        return refuse(step, err);
    return 0;
}

/* ---- */

Caffe__TransformationParameter *caffe_put_transform(struct caffe_writer *w, const struct preprocess_plan *plan,
                                                    struct error *err)
{
    Caffe__TransformationParameter *param = caffe_put_message(w, &caffe__transformation_parameter__descriptor);
    bool is_flat = fits_flat_fields(plan);

    if (param != NULL && !is_flat)
        param->transform_op = arena_create_array(w->arena, plan->n_steps, sizeof *param->transform_op, &w->err);
    for (size_t i = 0; w->err.code == 0 && i < plan->n_steps; i++) {
        if (has_no_form(&plan->steps[i])) {
            refuse(&plan->steps[i], err);
            return NULL;
        }
        if (is_flat)
            put_flat(w, param, &plan->steps[i]);
        else if (put_listed(w, param, &plan->steps[i], i == 0, err) < 0)
            return NULL;
    }
    if (w->err.code == 0)
        return param;
    error_set(err, w->err.code, "%s", w->err.text);
    return NULL;
}
