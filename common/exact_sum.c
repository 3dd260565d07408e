/* exact_sum.c — a long accumulator (Kulisch); see exact_sum.h. */
#include "common/exact_sum.h"

#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128; /* GCC and clang on every 64-bit machine */

enum {
    LIMB_BITS = 32,
    LOWEST_BIT = -640, /* exponent of bit 0 of limb 0 */
    LAST = EXACT_SUM_LIMBS - 1,
};

static const int64_t LIMB_MASK = ((int64_t)1 << LIMB_BITS) - 1;
/* A limb beyond this is brought back below 2^32: adding a significand (32 bits a limb), or another sum's limb within
 * the same bound, then cannot overflow. */
static const int64_t LIMB_BOUND = (int64_t)1 << 61;

static bool is_large(int64_t limb)
{
    return limb > LIMB_BOUND || limb < -LIMB_BOUND;
}

void exact_sum_normalise(struct exact_sum *sum)
{
    int64_t carry = 0;

    for (size_t i = 0; i < LAST; i++) {
        int64_t limb = sum->limb[i] + carry;

        carry = limb >> LIMB_BITS; /* arithmetic: floor */
        sum->limb[i] = limb & LIMB_MASK;
    }
    sum->limb[LAST] += carry;
}

/* A normalised sum, by fewer bits than a limb has. */
static void shift_up(struct exact_sum *sum, int bits)
{
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
        sum->limb[i] = (int64_t)((uint64_t)sum->limb[i] << bits);
    exact_sum_normalise(sum);
}

static void shift_down(struct exact_sum *sum, int bits)
{
    for (size_t i = 0; i < LAST; i++)
        sum->limb[i] =
            sum->limb[i] >> bits | (int64_t)((uint64_t)sum->limb[i + 1] << (LIMB_BITS - bits) & (uint64_t)LIMB_MASK);
    sum->limb[LAST] >>= bits; /* arithmetic: floor */
}

void exact_sum_scale(struct exact_sum *sum, int exponent)
{
    enum { STEP = LIMB_BITS - 8 }; /* a limb and its carry stay within int64 */

    exact_sum_normalise(sum);
    for (int left = exponent; left > 0; left -= STEP)
        shift_up(sum, left < STEP ? left : STEP);
    for (int left = -exponent; left > 0; left -= STEP)
        shift_down(sum, left < STEP ? left : STEP);
}

bool exact_sum_is_normalised(const struct exact_sum *sum)
{
    for (size_t i = 0; i < LAST; i++)
        if ((sum->limb[i] & ~LIMB_MASK) != 0)
            return false;
    return sum->limb[LAST] >> 48 == 0 || sum->limb[LAST] >> 48 == -1;
}

/* |x| = significand 2^exponent, x finite, significand below 2^53. */
static uint64_t decompose(double x, int *exponent)
{
    uint64_t bits;
    int field;

    memcpy(&bits, &x, sizeof bits);
    field = (int)(bits >> 52 & 0x7ff);
    bits &= ((uint64_t)1 << 52) - 1;
    *exponent = (field > 0 ? field : 1) - 1075;
    return field > 0 ? bits | (uint64_t)1 << 52 : bits;
}

void exact_sum_add(struct exact_sum *sum, double x)
{
    int exponent, shift;
    uint64_t significand;
    uint128 placed; /* |x| in units of the first limb that it touches: below 2^84 */

    if (!(fabs(x) < 0x1p640))
        return;
    significand = decompose(x, &exponent);
    shift = exponent - LOWEST_BIT;
    if (shift < 0) { /* cut toward zero */
        significand = -shift < 64 ? significand >> -shift : 0;
        shift = 0;
    }
    placed = (uint128)significand << shift % LIMB_BITS;
    for (size_t i = (size_t)shift / LIMB_BITS; placed != 0; i++, placed >>= LIMB_BITS) {
        int64_t part = (int64_t)(placed & LIMB_MASK);

        sum->limb[i] += x < 0 ? -part : part;
        if (is_large(sum->limb[i]))
            exact_sum_normalise(sum);
    }
}

void exact_sum_merge(struct exact_sum *into, const struct exact_sum *from)
{
    bool has_large = false;

    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++) {
        into->limb[i] += from->limb[i];
        has_large = has_large || is_large(into->limb[i]);
    }
    if (has_large)
        exact_sum_normalise(into);
}

/* -sum, normalised; sum is normalised. */
static void negate(struct exact_sum *sum)
{
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
        sum->limb[i] = -sum->limb[i];
    exact_sum_normalise(sum);
}

/* The 64 bits from the highest set one down, of a positive normalised sum; bit 0 is also set when anything lies below.
 * *weight: exponent of bit 0. */
static uint64_t leading_bits(const struct exact_sum *sum, int *weight)
{
    size_t top = LAST;
    uint128 window; /* three limbs: at least 65 bits, and at most 128, since the last limb has up to 64 */
    bool has_more = false;
    int excess = 0;

    while (sum->limb[top] == 0)
        top--;
    window = (uint128)(uint64_t)sum->limb[top] << LIMB_BITS;
    window = (window | (top > 0 ? (uint64_t)sum->limb[top - 1] : 0)) << LIMB_BITS;
    window = window | (top > 1 ? (uint64_t)sum->limb[top - 2] : 0);
    for (size_t i = 0; i + 2 < top; i++)
        has_more = has_more || sum->limb[i] != 0;
    while (window >> excess >> 64 != 0)
        excess++;
    has_more = has_more || (window & (((uint128)1 << excess) - 1)) != 0;
    *weight = LIMB_BITS * ((int)top - 2) + LOWEST_BIT + excess;
    return (uint64_t)(window >> excess) | has_more;
}

static bool is_zero(const struct exact_sum *sum)
{
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
        if (sum->limb[i] != 0)
            return false;
    return true;
}

double exact_sum_value(const struct exact_sum *sum)
{
    enum { DROP = 64 - 53 }; /* bits that a double does not hold */
    const uint64_t half = (uint64_t)1 << (DROP - 1);
    struct exact_sum copy = *sum;
    uint64_t bits, kept, rest;
    bool is_negative;
    double value;
    int weight;

    exact_sum_normalise(&copy);
    if (is_zero(&copy))
        return 0;
    is_negative = copy.limb[LAST] < 0;
    if (is_negative)
        negate(&copy);
    bits = leading_bits(&copy, &weight);
    kept = bits >> DROP;
    rest = bits & (2 * half - 1);
    if (rest > half || (rest == half && (kept & 1) != 0)) /* nearest, half to even */
        kept++;
    value = ldexp((double)kept, weight + DROP); /* at most 2^53, and far from the ends of a double's range: exact */
    return is_negative ? -value : value;
}
