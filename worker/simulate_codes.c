/* simulate_codes.c — rounding and saturation of whole rows; see simulate_private.h.
 *
 * Codes are small, so float is exact here: fractions of |x| <= 2^15 have no rounding error, and each mode is a few
 * exact operations that the compiler turns into vectors. Clones for the instruction sets differ in speed only. The
 * folder's CMakeLists.txt compiles this file for that: without trapping comparisons, which nothing here unmasks, loops
 * vectorise.
 */
#include "worker/simulate_private.h"

#include <math.h>

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

/* x / scale inside the range of codes, NaN as 0. */
static inline float clamp_ratio(float x, float scale, float lo, float hi)
{
    float ratio = x / scale;

    ratio = ratio == ratio ? ratio : 0;
    ratio = ratio > lo ? ratio : lo;
    return ratio < hi ? ratio : hi;
}

CLONES static void codes_half_even(const float *x, size_t n, float scale, float lo, float hi, int16_t *out)
{
    for (size_t i = 0; i < n; i++) /* the rounding mode is the default one: float_mode.h checks */
        out[i] = (int16_t)rintf(clamp_ratio(x[i], scale, lo, hi));
}

CLONES static void codes_half_away(const float *x, size_t n, float scale, float lo, float hi, int16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        float ratio = clamp_ratio(x[i], scale, lo, hi), whole = truncf(ratio);
        float up = fabsf(ratio - whole) >= 0.5f ? 1.0f : 0.0f;

        out[i] = (int16_t)(whole + copysignf(up, ratio));
    }
}

CLONES static void codes_half_up(const float *x, size_t n, float scale, float lo, float hi, int16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        float ratio = clamp_ratio(x[i], scale, lo, hi), whole = floorf(ratio);

        out[i] = (int16_t)(whole + (ratio - whole >= 0.5f ? 1.0f : 0.0f));
    }
}

CLONES static void codes_toward_zero(const float *x, size_t n, float scale, float lo, float hi, int16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)truncf(clamp_ratio(x[i], scale, lo, hi));
}

CLONES static void codes_floor(const float *x, size_t n, float scale, float lo, float hi, int16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)floorf(clamp_ratio(x[i], scale, lo, hi));
}

void sim_codes(const float *x, size_t n, float scale, struct code_range codes, enum rounding rounding, int16_t *out)
{
    float lo = (float)(codes.lo - codes.zero_point), hi = (float)(codes.hi - codes.zero_point);

    switch (rounding) {
    case ROUND_HALF_EVEN:
        codes_half_even(x, n, scale, lo, hi, out);
        break;
    case ROUND_HALF_AWAY:
        codes_half_away(x, n, scale, lo, hi, out);
        break;
    case ROUND_HALF_UP:
        codes_half_up(x, n, scale, lo, hi, out);
        break;
    case ROUND_TOWARD_ZERO:
        codes_toward_zero(x, n, scale, lo, hi, out);
        break;
    case ROUND_FLOOR:
        codes_floor(x, n, scale, lo, hi, out);
        break;
    }
}

void sim_value_codes(const float *x, size_t n, float scale, const struct plan_value *value, enum rounding rounding,
                     int16_t *out)
{
    struct code_range codes = value->codes;

    if (value->hides_zero_point)
        codes.zero_point = 0;
    sim_codes(x, n, scale, codes, rounding, out);
    for (size_t i = 0; value->hides_zero_point && i < n; i++)
        out[i] = (int16_t)(out[i] - value->codes.zero_point);
}
