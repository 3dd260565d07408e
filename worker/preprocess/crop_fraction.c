/* crop_fraction.c — the central part of both sides, as tf.image.central_crop: the offset is floor((size - size *
 * fraction) / 2) in double precision, the same on both ends; but a
 * pixel or two always remain.
 */
#include "worker/preprocess/steps.h"

#include <math.h>

/* The number that the job wrote, where that has at most six decimals: 10 x 0.8f is more than 8, and TensorFlow, which
 * multiplies by 0.8 in double precision, begins a pixel later. */
static double decimal_of(float fraction)
{
    double decimal = rint((double)fraction * 1e6) / 1e6;

    return (float)decimal == fraction ? decimal : (double)fraction;
}

static size_t start_of(size_t size, float fraction)
{
    size_t start = (size_t)(((double)size - (double)size * decimal_of(fraction)) / 2.0);

    return 2 * start < size || size == 0 ? start : (size - 1) / 2; /* a fraction that double precision loses */
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

int crop_fraction_find_window(const struct preprocess_step *step, size_t height, size_t width, struct rectangle *window,
                              struct error *err)
{
    (void)err;
    window->top = start_of(height, step->fraction);
    window->left = start_of(width, step->fraction);
    window->height = height - 2 * window->top;
    window->width = width - 2 * window->left;
    return 0;
}

static int crop_fraction_apply(const struct preprocess_step *step, struct picture *picture, struct error *err)
{
    struct rectangle window;

    return crop_fraction_find_window(step, picture->height, picture->width, &window, err) < 0
               ? -1
               : crop_window(picture, &window, err);
}

const struct preprocess_op preprocess_crop_fraction = {"crop_fraction", crop_fraction_check, crop_fraction_apply, NULL,
                                                       false};
