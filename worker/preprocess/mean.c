/* mean.c — x - mean, per channel. */
#include "worker/preprocess/steps.h"

#include <math.h>

int step_check_values(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (step->n_values == 0 || step->n_values > PREPROCESS_MAX_CHANNELS)
        return error_set(err, EX_CONFIG, "expected 1 to %d values, found %zu", PREPROCESS_MAX_CHANNELS, step->n_values);
    if (step->n_values != 1 && shape->channels != 0 && step->n_values != shape->channels)
        return error_set(err, EX_CONFIG, "expected 1 value or one for each of %zu channels, found %zu", shape->channels,
                         step->n_values);
    for (size_t i = 0; i < step->n_values; i++)
        if (!isfinite(step->values[i]))
            return error_set(err, EX_CONFIG, "expected finite values, found %g", (double)step->values[i]);
    shape->is_float = true;
    return 0;
}

static void mean_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    size_t channels = shape->channels, spatial = shape->height * shape->width;

    for (size_t c = 0; c < channels; c++) {
        float mean = step_value(step, c);

        for (size_t i = 0; i < spatial; i++)
            x[c * spatial + i] -= mean;
    }
}

const struct preprocess_op preprocess_mean = {"mean", step_check_values, NULL, mean_compute, false};
