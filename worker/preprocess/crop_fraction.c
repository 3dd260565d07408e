/* crop_fraction.c — the central part of both sides, as tf.image.central_crop: the offset is floor((size - size *
 * fraction) / 2) in double precision, the same on both ends.
 */
#include "worker/preprocess/steps.h"

static size_t start_of(size_t size, float fraction)
{
    return (size_t)(((double)size - (double)size * (double)fraction) / 2.0);
}

static int crop_fraction_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (!(step->fraction > 0 && step->fraction <= 1))
        return error_set(err, EX_CONFIG, "expected a fraction of more than 0, at most 1, found %g",
                         (double)step->fraction);
    shape->height -= 2 * start_of(shape->height, step->fraction);
    shape->width -= 2 * start_of(shape->width, step->fraction);
    return 0;
}

static int crop_fraction_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    size_t top = start_of(picture->height, step->fraction), left = start_of(picture->width, step->fraction);

    return crop_window(picture, top, left, picture->height - 2 * top, picture->width - 2 * left, err);
}

const struct preprocess_op preprocess_crop_fraction = {"crop_fraction", crop_fraction_check, crop_fraction_apply, NULL,
                                                       false};
