/* simulate_codes.c — rounding and saturation of whole rows; see simulate_private.h.
 *
 * Codes are small, so float is exact here: fractions of |x| <= 2^15 have no rounding error, and each mode is a few
 * exact operations that the compiler turns into vectors. Clones for the instruction sets differ in speed only. The
 * folder's CMakeLists.txt compiles this file for that: without trapping comparisons, which nothing here unmasks, loops
 * vectorise.
 */
#include "worker/simulate_private.h"

#include <math.h>
#include <string.h>

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

/* Half precision keeps 11 bits, or multiples of 2^-24 below 2^-14. */
CLONES void sim_round_to_half(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t dropped = 13, smallest_normal = 0x38800000, too_large = 0x477ff000, infinity = 0x7f800000;
        uint32_t bits, sign, rounded, tiny_bits;
        float tiny;

        memcpy(&bits, &x[i], sizeof bits);
        sign = bits & 0x80000000;
        bits ^= sign;
        rounded = (bits + ((1u << (dropped - 1)) - 1) + (bits >> dropped & 1)) >> dropped << dropped;
        memcpy(&tiny, &bits, sizeof tiny);
        tiny = (tiny + 0.5f) - 0.5f; /* the last bit of floats in [1/2, 1) is 2^-24 */
        memcpy(&tiny_bits, &tiny, sizeof tiny_bits);
        rounded = bits < smallest_normal ? tiny_bits : rounded;
        rounded = bits >= too_large ? infinity : rounded;
        rounded = (bits > infinity ? bits : rounded) | sign; /* NaN stays */
        memcpy(&x[i], &rounded, sizeof rounded);
    }
}

void sim_store_reals(const struct profile *profile, const float *from, size_t n, float *to)
{
    if (to != from)
        memcpy(to, from, n * sizeof *to);
    if (profile->float_type == FLOAT_TYPE_FP16)
        sim_round_to_half(to, n);
}
