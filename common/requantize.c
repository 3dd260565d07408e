/* requantize.c — see requantize.h. */
#include "common/requantize.h"

#include <assert.h>
#include <math.h>

struct multiplier multiplier_of_31_bits(double factor)
{
    int exponent;
    double fraction = frexp(factor, &exponent); /* in [1/2, 1) */
    int64_t m = (int64_t)round_to_integer(fraction * 0x1p31, ROUND_HALF_AWAY);

    assert(factor > 0 && isfinite(factor));
    if (m == INT64_C(1) << 31) {
        m >>= 1;
        exponent++;
    }
    return (struct multiplier){(int32_t)m, 31 - exponent};
}

struct multiplier multiplier_of_bits(double factor, int bits)
{
    const int lowest = -32, highest = 30;
    double limit = ldexp(1, bits - 1) - 1, least = INFINITY;
    struct multiplier best = {0, 0};

    assert(isfinite(factor) && (bits == 8 || bits == 16));
    for (int shift = lowest; shift <= highest; shift++) {
        double scaled = ldexp(factor, shift), m, error;

        if (fabs(scaled) > limit)
            break; /* larger shifts are larger yet */
        m = round_to_integer(scaled, ROUND_HALF_AWAY);
        error = fabs(ldexp(m, -shift) - factor);
        if (fabs(m) < limit && error < least) {
            least = error;
            best = (struct multiplier){(int32_t)m, shift};
        }
    }
    return best;
}

__extension__ typedef __int128 int128; /* GCC and clang on every 64-bit machine */

static int64_t saturate(int128 x)
{
    return x > INT64_MAX ? INT64_MAX : x < INT64_MIN ? INT64_MIN : (int64_t)x;
}

/* The quotient toward minus infinity, and what rounding adds to it: 0 or 1. */
static int64_t divide(int128 x, int n, enum rounding rounding)
{
    int128 one = 1, floor = x >> n, rest = x - floor * (one << n), half = one << (n - 1);
    bool is_half = rest == half, is_above = rest > half;

    switch (rounding) {
    case ROUND_HALF_EVEN:
        return saturate(floor + (is_above || (is_half && (floor & 1) != 0)));
    case ROUND_HALF_AWAY:
        return saturate(floor + (is_above || (is_half && x > 0)));
    case ROUND_HALF_UP:
        return saturate(floor + (is_above || is_half));
    case ROUND_TOWARD_ZERO:
        return saturate(floor + (x < 0 && rest != 0));
    case ROUND_FLOOR:
        break;
    }
    return saturate(floor);
}

/* |x| < 2^94: an accumulator times a multiplier. */
static int64_t shift_wide(int128 x, int n, enum rounding rounding)
{
    const int most = 120; /* beyond it nothing but the sign is left, as at it */

    if (n > 0)
        return divide(x, n < most ? n : most, rounding);
    if (n < -62)
        return x > 0 ? INT64_MAX : x < 0 ? INT64_MIN : 0;
    return saturate((int128)saturate(x) * ((int128)1 << -n));
}

int64_t shift_right(int64_t x, int n, enum rounding rounding)
{
    return shift_wide(x, n, rounding);
}

int64_t multiplier_apply(int64_t x, struct multiplier multiplier, enum rounding rounding)
{
    return shift_wide((int128)x * multiplier.m, multiplier.shift, rounding);
}

static int64_t saturate_32(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x;
}

int64_t multiplier_apply_twice(int64_t x, struct multiplier multiplier)
{
    int exponent = 31 - multiplier.shift, left = exponent > 0 ? exponent : 0, right = exponent > 0 ? 0 : -exponent;
    int64_t shifted = saturate_32(shift_right(x, -left, ROUND_FLOOR));

    return shift_right(shift_right(shifted * multiplier.m, 31, ROUND_HALF_UP), right, ROUND_HALF_AWAY);
}
