/* divide.c — x / divisor, per channel. Apart from `scale`, because x / 255 and x * (1 / 255) differ in the last bit and
 * frameworks divide.
 */
#include "worker/preprocess/steps.h"

static int divide_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    if (step_check_values(step, shape, err) < 0)
        return -1;
    for (size_t i = 0; i < step->n_values; i++)
        if (step->values[i] == 0.0f)
            return error_set(err, EX_CONFIG, "expected divisors other than 0");
    return 0;
}

static void divide_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    size_t channels = shape->channels, spatial = shape->height * shape->width;

    for (size_t c = 0; c < channels; c++) {
        float divisor = step_value(step, c);

        for (size_t i = 0; i < spatial; i++)
            x[c * spatial + i] /= divisor;
    }
}

const struct preprocess_op preprocess_divide = {"divide", divide_check, NULL, divide_compute, false};
