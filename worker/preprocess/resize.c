/* resize.c — brings pictures to a size: stretched, by the short side, or whole with a border. */
#include "worker/preprocess/steps.h"

#include <math.h>
#include <string.h>

typedef int resize_function(struct picture *picture, size_t height, size_t width, struct error *err);

static resize_function *const filters[] = {
    [FILTER_BILINEAR] = resize_bilinear,
    [FILTER_OPENCV_LINEAR] = resize_opencv_linear,
    [FILTER_NEAREST] = resize_nearest,
};

static int resize_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    size_t height = step->resize.height, width = step->resize.fit == FIT_WARP ? step->resize.width : height;
    float pad = step->resize.pad;

    if (step->resize.fit > FIT_SIDE_PAD || step->resize.filter > FILTER_NEAREST)
        return error_set(err, EX_CONFIG, "unknown fit %d or filter %d", (int)step->resize.fit,
                         (int)step->resize.filter);
    if (height == 0 || width == 0 || height > STEP_MAX_SIDE || width > STEP_MAX_SIDE)
        return error_set(err, EX_CONFIG, "expected sizes of 1 to %d, found %zux%zu", STEP_MAX_SIDE, height, width);
    if (step->resize.fit == FIT_SIDE_PAD &&
        (!isfinite(pad) || (!shape->is_float && (pad < 0 || pad > 255 || pad != floorf(pad)))))
        return error_set(err, EX_CONFIG, "expected a pad of 0 to 255 (pixels are integers here), found %g",
                         (double)pad);
    shape->height = step->resize.fit == FIT_SHORT ? 0 : height;
    shape->width = step->resize.fit == FIT_SHORT ? 0 : width;
    return 0;
}

/* Surrounds the picture with `value` to side x side; the odd pixel goes below or to the right. */
static int pad_to_side(struct picture *picture, size_t side, float value, struct error *err)
{
    struct picture from = *picture;
    size_t top = (side - from.height) / 2, left = (side - from.width) / 2;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1), n = side * side * picture_channels(&from);
    char *to;

    if (from.height == side && from.width == side)
        return 0;
    to = picture_renew(picture, from.planes, side, side, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    if (!from.is_float)
        memset(to, (int)value, n);
    for (size_t i = 0; from.is_float && i < n; i++)
        ((float *)(void *)to)[i] = value;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < from.height; y++)
            memcpy(to + ((p * side + top + y) * side + left) * pixel,
                   (const char *)from.data + (p * from.height + y) * from.width * pixel, from.width * pixel);
    return 0;
}

static int resize_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    size_t height = step->resize.height, width = step->resize.width;

    if (step->resize.fit != FIT_WARP) {
        /* The other side keeps the aspect, rounded down as torchvision and Caffe's SSD branch do; at least one pixel.
         */
        size_t side = height, h = picture->height, w = picture->width;
        bool height_is_side = step->resize.fit == FIT_SHORT ? h <= w : h >= w;
        size_t other = height_is_side ? side * w / h : side * h / w;

        other = other > 0 ? other : 1;
        height = height_is_side ? side : other;
        width = height_is_side ? other : side;
    }
    if ((height != picture->height || width != picture->width) &&
        filters[step->resize.filter](picture, height, width, err) < 0)
        return -1;
    return step->resize.fit == FIT_SIDE_PAD ? pad_to_side(picture, step->resize.height, step->resize.pad, err) : 0;
}

const struct preprocess_op preprocess_resize = {"resize", resize_check, resize_apply, NULL};
