/* pad.c — a border of one value: so wide on each side, or up to a size with the picture in the centre, where the odd
 * pixel goes below or to the right.
 */
#include "worker/preprocess/steps.h"

#include <math.h>
#include <string.h>

int pad_check_value(float value, const struct step_shape *shape, struct error *err)
{
    if (isfinite(value) && (shape->is_float || (value >= 0 && value <= 255 && value == floorf(value))))
        return 0;
    return error_set(err, EX_CONFIG, "expected a pad of 0 to 255 (pixels are integers here), found %g", (double)value);
}

int pad_around(struct picture *picture, size_t top, size_t left, size_t height, size_t width, float value,
               struct error *err)
{
    struct picture from = *picture;
    size_t pixel = from.interleave * (from.is_float ? sizeof(float) : 1);
    char *to;

    if (from.height == height && from.width == width)
        return 0;
    to = picture_renew(picture, from.planes, height, width, from.interleave, from.is_float, err);
    if (to == NULL)
        return -1;
    if (!from.is_float)
        memset(to, (int)value, height * width * picture_channels(&from));
    for (size_t i = 0, n = height * width * picture_channels(&from); from.is_float && i < n; i++)
        ((float *)(void *)to)[i] = value;
    for (size_t p = 0; p < from.planes; p++)
        for (size_t y = 0; y < from.height; y++)
            memcpy(to + ((p * height + top + y) * width + left) * pixel,
                   (const char *)from.data + (p * from.height + y) * from.width * pixel, from.width * pixel);
    return 0;
}

static int pad_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (pad_check_value(step->pad.value, shape, err) < 0)
        return -1;
    if (step->pad.form == PAD_TO) {
        if (shape->height > step->pad.height || shape->width > step->pad.width)
            return error_set(err, EX_CONFIG, "expected at most %zux%zu pixels, found %zux%zu", step->pad.height,
                             step->pad.width, shape->height, shape->width);
        shape->height = step->pad.height;
        shape->width = step->pad.width;
        return 0;
    }
    shape->height += shape->height == 0 ? 0 : step->pad.top + step->pad.bottom;
    shape->width += shape->width == 0 ? 0 : step->pad.left + step->pad.right;
    return 0;
}

static int pad_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    size_t height = picture->height, width = picture->width;

    if (step->pad.form == PAD_SIDES)
        return pad_around(picture, step->pad.top, step->pad.left, height + step->pad.top + step->pad.bottom,
                          width + step->pad.left + step->pad.right, step->pad.value, err);
    if (height > step->pad.height || width > step->pad.width)
        return error_set(err, EX_DATAERR, "expected at most %zux%zu pixels, found %zux%zu", step->pad.height,
                         step->pad.width, height, width);
    return pad_around(picture, (step->pad.height - height) / 2, (step->pad.width - width) / 2, step->pad.height,
                      step->pad.width, step->pad.value, err);
}

const struct preprocess_op preprocess_pad = {"pad", pad_check, pad_apply, NULL, false};
