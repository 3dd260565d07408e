/* crop.c — a window of the picture: from the centre, its offset floor((size - crop) / 2) as Caffe's at test time or
 * rounded half to even as torchvision's, or at a given place.
 */
#include "worker/preprocess/steps.h"

#include <string.h>

static int crop_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    size_t height = step->crop.height, width = step->crop.width;

    if (height == 0 || width == 0 || height > STEP_MAX_SIDE || width > STEP_MAX_SIDE)
        return error_set(err, EX_CONFIG, "expected a height and width of 1 to %d, found %zu and %zu", STEP_MAX_SIDE,
                         height, width);
    if ((shape->height != 0 && height > shape->height) || (shape->width != 0 && width > shape->width))
        return error_set(err, EX_CONFIG, "expected at most %zux%zu (the size before it), found %zux%zu", shape->height,
                         shape->width, height, width);
    shape->height = height;
    shape->width = width;
    return 0;
}

int crop_window(struct picture *picture, size_t top, size_t left, size_t height, size_t width, struct error *err)
{
    struct picture from = *picture;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1);
    char *to;

    if (height == from.height && width == from.width)
        return 0;
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < height; y++, to += width * pixel)
            memcpy(to, (const char *)from.data + ((p * from.height + top + y) * from.width + left) * pixel,
                   width * pixel);
    return 0;
}

/* Python's round(difference / 2): half goes to the even number. */
static size_t offset_of(size_t difference, enum crop_rounding rounding)
{
    size_t half = difference / 2;

    return rounding == CROP_HALF_EVEN && difference % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

static int crop_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    size_t height = step->crop.height, width = step->crop.width, top = step->crop.top, left = step->crop.left;
    bool is_at = step->crop.place == CROP_AT;

    if (height + (is_at ? top : 0) > picture->height || width + (is_at ? left : 0) > picture->width)
        return error_set(err, EX_DATAERR, "expected at least %zux%zu pixels to crop from, found %zux%zu",
                         height + (is_at ? top : 0), width + (is_at ? left : 0), picture->height, picture->width);
    if (!is_at) {
        top = offset_of(picture->height - height, step->crop.rounding);
        left = offset_of(picture->width - width, step->crop.rounding);
    }
    return crop_window(picture, top, left, height, width, err);
}

const struct preprocess_op preprocess_crop = {"crop", crop_check, crop_apply, NULL, false};
