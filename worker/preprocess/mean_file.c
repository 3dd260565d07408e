/* mean_file.c — x - mean, pixel by pixel, with the mean picture of a file.
 *
 * A mean that is larger than the picture is looked at through the same window in its centre that Caffe crops from the
 * picture itself (offset floor((mean - picture) / 2)): so the step stands behind `crop`, where Caffe subtracts, and a
 * mean of one pixel is a value per channel.
 */
#include "worker/preprocess/steps.h"

static int mean_file_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    const struct step_file *mean = &step->file;

    if (mean->values == NULL)
        return error_set(err, EX_CONFIG, "the file of the mean has not been read");
    if (shape->channels != 0 && shape->channels != mean->channels)
        return error_set(err, EX_CONFIG, "expected %zu channels, as its mean has, found %zu", mean->channels,
                         shape->channels);
    if ((mean->height != 1 || mean->width != 1) && (shape->height > mean->height || shape->width > mean->width))
        return error_set(err, EX_CONFIG, "expected at most %zux%zu pixels, as its mean has, found %zux%zu",
                         mean->height, mean->width, shape->height, shape->width);
    shape->channels = mean->channels;
    shape->is_float = true;
    return 0;
}

static void mean_file_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    const struct step_file *mean = &step->file;
    bool is_single = mean->height == 1 && mean->width == 1;
    size_t top = is_single ? 0 : (mean->height - shape->height) / 2;
    size_t left = is_single ? 0 : (mean->width - shape->width) / 2;

    for (size_t c = 0; c < shape->channels; c++)
        for (size_t y = 0; y < shape->height; y++, x += shape->width) {
            const float *row = mean->values + (is_single ? c : (c * mean->height + top + y) * mean->width + left);

            for (size_t i = 0; i < shape->width; i++)
                x[i] -= row[is_single ? 0 : i];
        }
}

const struct preprocess_op preprocess_mean_file = {"mean_file", mean_file_check, NULL, mean_file_compute, false};
