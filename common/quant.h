/* quant.h — how a real value becomes an integer code: q = clamp(round(x / scale) + zero_point, lo, hi).
 *
 * One struct for every target; what differs between chips (rounding mode, code range, how the requantization multiplier
 * is represented) is data here, and the simulator is driven by it alone.
 */
#ifndef ETALON_QUANT_H
#define ETALON_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rounding {
    ROUND_HALF_EVEN,   /* IEEE default; ONNX QuantizeLinear */
    ROUND_HALF_AWAY,   /* half away from zero; TNN, Caffe forks */
    ROUND_HALF_UP,     /* floor(x + 1/2) */
    ROUND_TOWARD_ZERO, /* truncation */
    ROUND_FLOOR,       /* toward minus infinity: a bare right shift */
};

const char *rounding_name(enum rounding rounding); /* "half-even", "half-away", "half-up", "toward-zero", "floor" */

struct code_range {
    int32_t lo, hi;     /* closed */
    int32_t zero_point; /* code of real 0 */
};

/* Steps from real zero to the end that is farther away. The lowest code of a range that has one more below zero than
 * above it, -128 of -128 to 127, does not count: a threshold has the same steps to either side. */
int32_t code_range_steps(struct code_range range);

/* Code of x under one scale. Saturates; NaN gives the zero point. Division, not multiplication by a reciprocal. */
int32_t quantize(float x, float scale, struct code_range range, enum rounding rounding);
/* codes[i] of x[i], a finite number, by steps of `scale` to either side: half away from zero, within [-limit, limit],
 * limit < 2^15. What quantize gives, several at a time. */
void quantize_symmetric(const float *x, size_t n, float scale, int32_t limit, int16_t *codes);
static inline float dequantize(int32_t q, float scale, int32_t zero_point)
{
    return scale * (float)(q - zero_point);
}

/* x rounded to an integral double by `rounding`; |x| < 2^52. */
double round_to_integer(double x, enum rounding rounding);

#endif
