/* simulate_codes.c — rounding, saturation and activation of whole rows; see simulate_private.h.
 *
 * Codes are small, so float is exact here: fractions of |x| <= 2^15 have no rounding error, and each mode is a few
 * exact operations that the compiler turns into vectors. Clones for the instruction sets differ in speed only. The
 * folder's CMakeLists.txt compiles this file for that: without trapping comparisons, which nothing here unmasks, loops
 * vectorise.
 */
#include "worker/simulate_private.h"

#include "common/isa.h"

#include <math.h>
#include <string.h>

/* `rounding` is a constant at every call. */
ISA_INLINE float round_ratio(float ratio, enum rounding rounding)
{
    float whole;

    switch (rounding) {
    case ROUND_HALF_EVEN:
        return rintf(ratio); /* the rounding mode is the default one: float_mode.h checks */
    case ROUND_HALF_AWAY:
        whole = truncf(ratio);
        return whole + copysignf(fabsf(ratio - whole) >= 0.5f ? 1.0f : 0.0f, ratio);
    case ROUND_HALF_UP:
        whole = floorf(ratio);
        return whole + (ratio - whole >= 0.5f ? 1.0f : 0.0f);
    case ROUND_TOWARD_ZERO:
        return truncf(ratio);
    case ROUND_FLOOR:
        break;
    }
    return floorf(ratio);
}

/* Rounded inside the range of codes, NaN as 0. */
ISA_INLINE int round_clamped(float ratio, float lo, float hi, enum rounding rounding)
{
    ratio = ratio == ratio ? ratio : 0;
    ratio = ratio > lo ? ratio : lo;
    ratio = ratio < hi ? ratio : hi;
    return (int)round_ratio(ratio, rounding);
}

ISA_INLINE void to_bytes(const float *restrict x, size_t n, const struct sim_quantizer *q, enum rounding rounding,
                         uint8_t *restrict out)
{
    const float lo = (float)q->lo, hi = (float)q->hi, scale = q->scale, *scales = q->scales;
    const int offset = q->lowered - q->codes.lowest;

    if (scales != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(round_clamped(x[i] / scales[i], lo, hi, rounding) + offset);
    else if (scale != 1)
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(round_clamped(x[i] / scale, lo, hi, rounding) + offset);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(round_clamped(x[i], lo, hi, rounding) + offset);
}

ISA_INLINE void to_words(const float *restrict x, size_t n, const struct sim_quantizer *q, enum rounding rounding,
                         int16_t *restrict out)
{
    const float lo = (float)q->lo, hi = (float)q->hi, scale = q->scale, *scales = q->scales;
    const int offset = q->lowered;

    if (scales != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = (int16_t)(round_clamped(x[i] / scales[i], lo, hi, rounding) + offset);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (int16_t)(round_clamped(x[i] / scale, lo, hi, rounding) + offset);
}

ISA_INLINE void rows_to_codes(struct sim_rows rows, const struct sim_quantizer *q, enum rounding rounding)
{
    for (size_t i = 0; i < rows.n; i++)
        if (q->codes.are_bytes)
            to_bytes(rows.x + i * rows.x_stride, rows.length, q, rounding, (uint8_t *)rows.out + i * rows.out_stride);
        else
            to_words(rows.x + i * rows.x_stride, rows.length, q, rounding, (int16_t *)rows.out + i * rows.out_stride);
}

ISA_CLONES static void rows_half_even(struct sim_rows rows, const struct sim_quantizer *q)
{
    rows_to_codes(rows, q, ROUND_HALF_EVEN);
}

ISA_CLONES static void rows_half_away(struct sim_rows rows, const struct sim_quantizer *q)
{
    rows_to_codes(rows, q, ROUND_HALF_AWAY);
}

ISA_CLONES static void rows_half_up(struct sim_rows rows, const struct sim_quantizer *q)
{
    rows_to_codes(rows, q, ROUND_HALF_UP);
}

ISA_CLONES static void rows_toward_zero(struct sim_rows rows, const struct sim_quantizer *q)
{
    rows_to_codes(rows, q, ROUND_TOWARD_ZERO);
}

ISA_CLONES static void rows_floor(struct sim_rows rows, const struct sim_quantizer *q)
{
    rows_to_codes(rows, q, ROUND_FLOOR);
}

void sim_quantize_rows(struct sim_rows rows, const struct sim_quantizer *q)
{
    switch (q->rounding) {
    case ROUND_HALF_EVEN:
        rows_half_even(rows, q);
        break;
    case ROUND_HALF_AWAY:
        rows_half_away(rows, q);
        break;
    case ROUND_HALF_UP:
        rows_half_up(rows, q);
        break;
    case ROUND_TOWARD_ZERO:
        rows_toward_zero(rows, q);
        break;
    case ROUND_FLOOR:
        rows_floor(rows, q);
        break;
    }
}

void sim_quantize(const float *x, size_t n, const struct sim_quantizer *q, void *out)
{
    sim_quantize_rows((struct sim_rows){.x = x, .out = out, .n = 1, .length = n}, q);
}

struct sim_codes sim_codes_of(const struct plan_value *value)
{
    const struct code_range *codes = &value->codes;

    return (struct sim_codes){.are_bytes = codes->hi - codes->lo <= UINT8_MAX && codes->lo <= codes->zero_point &&
                                           codes->zero_point <= codes->lo + UINT8_MAX,
                              .lowest = codes->lo - codes->zero_point,
                              .all = codes->hi - codes->lo + 1};
}

struct sim_quantizer sim_quantizer_of(const struct plan_value *value, enum rounding rounding)
{
    int zero_point = value->codes.zero_point, from = value->hides_zero_point ? 0 : zero_point;

    return (struct sim_quantizer){.scale = 1,
                                  .rounding = rounding,
                                  .lo = value->codes.lo - from,
                                  .hi = value->codes.hi - from,
                                  .lowered = from - zero_point,
                                  .codes = sim_codes_of(value)};
}

ISA_CLONES static void bytes_to_reals(const uint8_t *restrict codes, int offset, size_t n, const float *scales,
                                      float scale, float *restrict out)
{
    if (scales != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = scales[i] * (float)(codes[i] + offset);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = scale * (float)(codes[i] + offset);
}

ISA_CLONES static void words_to_reals(const int16_t *restrict codes, int offset, size_t n, const float *scales,
                                      float scale, float *restrict out)
{
    if (scales != NULL)
        for (size_t i = 0; i < n; i++)
            out[i] = scales[i] * (float)(codes[i] + offset);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = scale * (float)(codes[i] + offset);
}

void sim_dequantize(const void *codes, struct sim_codes kind, size_t n, const float *scales, float scale,
                    int zero_point, float *out)
{
    if (kind.are_bytes)
        bytes_to_reals(codes, kind.lowest + zero_point, n, scales, scale, out);
    else
        words_to_reals(codes, zero_point, n, scales, scale, out);
}

ISA_CLONES static void cut_negatives(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] <= 0 ? 0 : x[i];
}

ISA_CLONES static void clip(float *x, size_t n, float low, float high)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

void sim_activate(struct activation activation, float *x, size_t n)
{
    if (activation.kind == ACTIVATION_NONE)
        return;
    if (activation.kind == ACTIVATION_RELU)
        cut_negatives(x, n);
    else if (activation.kind == ACTIVATION_CLIP)
        clip(x, n, activation.alpha, activation.beta);
    else
        for (size_t i = 0; i < n; i++)
            x[i] = activation_apply(activation, x[i]);
}

/* Half precision keeps 11 bits, or multiples of 2^-24 below 2^-14. */
ISA_CLONES void sim_round_to_half(float *x, size_t n)
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
