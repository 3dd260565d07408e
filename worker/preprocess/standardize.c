/* standardize.c — (x - mean) / max(deviation, 1 / sqrt(n)) over all n values of the picture, as TensorFlow's
 * per_image_standardization. Sums are taken in double precision in the order of the values.
 */
#include "worker/preprocess/steps.h"

#include <math.h>

static int standardize_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    (void)err;
    (void)step;
    shape->is_float = true;
    return 0;
}

static void standardize_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    size_t n = shape->channels * shape->height * shape->width;
    double sum = 0, squares = 0, mean, deviation, least = 1.0 / sqrt((double)n);

    (void)step;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    deviation = sqrt(squares / (double)n);
    deviation = deviation > least ? deviation : least;
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - (float)mean) / (float)deviation;
}

const struct preprocess_op preprocess_standardize = {"standardize", standardize_check, NULL, standardize_compute,
                                                     false};
