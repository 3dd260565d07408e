/* crop.c — a window from the centre; its offset is floor((size - crop) / 2), as Caffe's at test time. */
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

static int crop_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct picture from = *picture;
    size_t height = step->crop.height, width = step->crop.width;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1), top, left;
    char *to;

    if (height > from.height || width > from.width)
        return error_set(err, EX_DATAERR, "expected at least %zux%zu pixels to crop from, found %zux%zu", height, width,
                         from.height, from.width);
    if (height == from.height && width == from.width)
        return 0;
    top = (from.height - height) / 2;
    left = (from.width - width) / 2;
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < height; y++, to += width * pixel)
            memcpy(to, (const char *)from.data + ((p * from.height + top + y) * from.width + left) * pixel,
                   width * pixel);
    return 0;
}

const struct preprocess_op preprocess_crop = {"crop", crop_check, crop_apply, NULL};
