/* quant.c — see quant.h. */
#include "common/quant.h"

#include <math.h>

const char *rounding_name(enum rounding rounding)
{
    static const char *const names[] = {[ROUND_HALF_EVEN] = "half-even",
                                        [ROUND_HALF_AWAY] = "half-away",
                                        [ROUND_HALF_UP] = "half-up",
                                        [ROUND_TOWARD_ZERO] = "toward-zero",
                                        [ROUND_FLOOR] = "floor"};

    return names[rounding];
}

/* Built on truncation because x - trunc(x) is exact in binary floating point. The usual floor(x + 0.5) is not:
 * 0.49999999999999994 + 0.5 rounds to 1. The current rounding mode of the processor is never consulted. Which way a
 * fraction goes is a coin toss to a branch predictor, so it is added rather than branched on. */
double round_to_integer(double x, enum rounding rounding)
{
    int64_t whole = (int64_t)x;
    double fraction = x - (double)whole, magnitude = fabs(fraction);
    int away = x < 0 ? -1 : 1, rounds_away = 0;

    switch (rounding) {
    case ROUND_HALF_EVEN:
        rounds_away = (magnitude > 0.5) | ((magnitude == 0.5) & (int)(whole & 1));
        break;
    case ROUND_HALF_AWAY:
        rounds_away = magnitude >= 0.5;
        break;
    case ROUND_HALF_UP:
        rounds_away = (fraction >= 0.5) | (fraction < -0.5);
        break;
    case ROUND_TOWARD_ZERO:
        break;
    case ROUND_FLOOR:
        rounds_away = fraction < 0;
        break;
    }
    return (double)(whole + away * rounds_away);
}

int32_t code_range_steps(struct code_range range)
{
    int64_t above = (int64_t)range.hi - range.zero_point, below = (int64_t)range.zero_point - range.lo;

    return (int32_t)(below > above + 1 ? below : above);
}

int32_t quantize(float x, float scale, struct code_range range, enum rounding rounding)
{
    float steps = x / scale;
    double lo = (double)range.lo - range.zero_point, hi = (double)range.hi - range.zero_point;

    if (isnan(steps))
        return range.zero_point;
    /* Saturating first keeps the conversion to an integer defined; rounding is monotonic, so the order does not matter.
     */
    if ((double)steps <= lo)
        return range.lo;
    if ((double)steps >= hi)
        return range.hi;
    return (int32_t)round_to_integer((double)steps, rounding) + range.zero_point;
}

/* x - trunc(x) is exact, as above. */
void quantize_symmetric(const float *x, size_t n, float scale, int32_t limit, int16_t *codes)
{
    float most = (float)limit;

    for (size_t i = 0; i < n; i++) {
        float steps = x[i] / scale, fraction;
        int32_t whole;

        steps = steps < most ? steps : most;
        steps = steps > -most ? steps : -most;
        whole = (int32_t)steps;
        fraction = steps - (float)whole;
        codes[i] = (int16_t)(whole + (fraction >= 0.5F) - (fraction <= -0.5F));
    }
}
