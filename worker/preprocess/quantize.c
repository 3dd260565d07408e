/* quantize.c — rounds to the grid of an int8 or uint8 input: (clamp(round(x / scale) + zero) - zero) * scale, rounding
 * half to even, as ONNX's QuantizeLinear and DequantizeLinear one after the other.
 */
#include "worker/preprocess/steps.h"

#include <math.h>

static const struct {
    float low, high;
} ranges[] = {[GRID_INT8] = {-128, 127}, [GRID_UINT8] = {0, 255}};

static int quantize_check(const struct preprocess_step *step, struct step_shape *shape, struct error *err)
{
    float zero = step->grid.zero;

    if (step->grid.type > GRID_UINT8)
        return error_set(err, EX_CONFIG, "unknown type %d", (int)step->grid.type);
    if (!(step->grid.scale > 0) || !isfinite(step->grid.scale))
        return error_set(err, EX_CONFIG, "expected a scale above 0, found %g", (double)step->grid.scale);
    if (!(zero >= ranges[step->grid.type].low && zero <= ranges[step->grid.type].high) || zero != floorf(zero))
        return error_set(err, EX_CONFIG, "expected a whole zero of %g to %g, found %g",
                         (double)ranges[step->grid.type].low, (double)ranges[step->grid.type].high, (double)zero);
    shape->is_float = true;
    return 0;
}

static void quantize_compute(const struct preprocess_step *step, float *x, const struct step_shape *shape)
{
    float scale = step->grid.scale, zero = step->grid.zero;
    float low = ranges[step->grid.type].low, high = ranges[step->grid.type].high;

    for (size_t i = 0, n = shape->channels * shape->height * shape->width; i < n; i++) {
        float q = rintf(x[i] / scale) + zero;

        q = q < low ? low : q > high ? high : q; /* NaN stays one, and is found at the end of the chain */
        x[i] = (q - zero) * scale;
    }
}

const struct preprocess_op preprocess_quantize = {"quantize", quantize_check, NULL, quantize_compute, false};
