/* scale.c — x * scale, per channel. */
#include "worker/preprocess/steps.h"

static void scale_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    size_t channels = shape->channels, spatial = shape->height * shape->width;

    for (size_t c = 0; c < channels; c++) {
        float scale = step_value(step, c);

        for (size_t i = 0; i < spatial; i++)
            x[c * spatial + i] *= scale;
    }
}

const struct preprocess_op preprocess_scale = {"scale", step_check_values, NULL, scale_compute, false};
