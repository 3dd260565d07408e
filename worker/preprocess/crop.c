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

int crop_window(struct picture *picture, const struct rectangle *window, struct error *err)
{
    struct picture from = *picture;
    size_t height = window->height, width = window->width;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1);
    char *to;

    if (height == from.height && width == from.width)
        return 0;
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < height; y++, to += width * pixel)
            memcpy(to,
                   (const char *)from.data + ((p * from.height + window->top + y) * from.width + window->left) * pixel,
                   width * pixel);
    return 0;
}

/* Python's round(difference / 2): half goes to the even number. */
static size_t offset_of(size_t difference, enum crop_rounding rounding)
{
    size_t half = difference / 2;

    return rounding == CROP_HALF_EVEN && difference % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

int crop_find_window(const struct preprocess_step *step, size_t height, size_t width, struct rectangle *window,
                     struct error *err)
{
    bool is_at = step->crop.place == CROP_AT;
    size_t least_height = step->crop.height + (is_at ? step->crop.top : 0);
    size_t least_width = step->crop.width + (is_at ? step->crop.left : 0);

    if (least_height > height || least_width > width)
        return error_set(err, EX_DATAERR, "expected at least %zux%zu pixels to crop from, found %zux%zu", least_height,
                         least_width, height, width);
    window->height = step->crop.height;
    window->width = step->crop.width;
    window->top = is_at ? step->crop.top : offset_of(height - window->height, step->crop.rounding);
    window->left = is_at ? step->crop.left : offset_of(width - window->width, step->crop.rounding);
    return 0;
}

static int crop_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct rectangle window;

    return crop_find_window(step, picture->height, picture->width, &window, err) < 0
               ? -1
               : crop_window(picture, &window, err);
}

const struct preprocess_op preprocess_crop = {"crop", crop_check, crop_apply, NULL, false};
