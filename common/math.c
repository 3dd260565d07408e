/* math.c — logarithm and exponential in plain double arithmetic.
 *
 * Only + - * / on doubles and integer operations on their bits: IEEE 754 fixes every result, so every machine, and
 * every lane of every vector, gives the same. Polynomials are minimax fits (Remez, 200-bit arithmetic), reductions the
 * textbook ones; W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980.
 */
#include "common/math.h"

#include "common/isa.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 = LN2_HIGH + LN2_LOW; the high part has 42 bits, so its product with an exponent (11 bits) is exact. */
static const double LN2_HIGH = 0x1.62e42fefa3800p-1, LN2_LOW = 0x1.ef35793c76730p-45;

static inline uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x = 2^k m with m in [sqrt 1/2, sqrt 2), f = m - 1, s = f / (2 + f):
 *   ln m = ln((1 + s) / (1 - s)) = 2s + s^3 P(s^2),  and since 2s = f - s f = f - f^2/2 + s f^2/2,
 *   ln m = f - (f^2/2 - s (f^2/2 + s^2 P)),
 * which keeps the leading term exact. No branch, no table, no integer-to-double conversion: what AVX2 can do too.
 * |P's error| s^2 < 2^-65. */
static inline double log_of(double x)
{
    const uint64_t one = 0x3ff0000000000000, sqrt_half = 0x3fe6a09e667f3bcd, fraction = 0x000fffffffffffff;
    const uint64_t two_52 = 0x4330000000000000; /* a double whose last bit is worth 1 */
    uint64_t shifted = bits_of(x) + (one - sqrt_half);
    double k = double_of(shifted >> 52 | two_52) - (0x1p52 + 1023);
    double f = double_of((shifted & fraction) + sqrt_half) - 1;
    double s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
    double p = 0x1.0f6313ba97415p-3;

    p = p * z + 0x1.0f5cc8e1548dap-3;
    p = p * z + 0x1.3b20ab904acabp-3;
    p = p * z + 0x1.745cde35a0b19p-3;
    p = p * z + 0x1.c71c7258fd8f2p-3;
    p = p * z + 0x1.249249242b417p-2;
    p = p * z + 0x1.9999999999dffp-2;
    p = p * z + 0x1.5555555555555p-1;
    return k * LN2_HIGH - ((half_square - (s * (half_square + z * p) + k * LN2_LOW)) - f);
}

double math_log(double x)
{
    return log_of(x);
}

/* The compiler makes vectors of this loop, as wide as the function that it is inlined into may use (the file is
 * compiled with -O3). One algorithm, so one set of bits. On Zen 5: AVX-512 1720, AVX2 920, SSE2 450 M logs/s. */
static inline __attribute__((always_inline)) void log_all(const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = log_of(x[i]);
}

#if defined __x86_64__

__attribute__((target("avx512f,avx512dq"))) static void log_all_avx512(const double *x, double *y, size_t n)
{
    log_all(x, y, n);
}

__attribute__((target("avx2"))) static void log_all_avx2(const double *x, double *y, size_t n)
{
    log_all(x, y, n);
}

#endif

void math_log_array(const double *x, double *y, size_t n)
{
    switch (isa_best()) {
#if defined __x86_64__
    case ISA_AVX512:
        log_all_avx512(x, y, n);
        return;
    case ISA_AVX2:
        log_all_avx2(x, y, n);
        return;
#endif
    default:
        log_all(x, y, n);
    }
}

/* x = k ln 2 + r, |r| <= ln 2 / 2; e^x = 2^k (1 + r + r^2 P(r)). |P's error| r^2 < 2^-64. */
double math_exp(double x)
{
    const double log2_e = 0x1.71547652b82fep+0;
    double k, high, low, r, p = 0x1.1f9e016050fa9p-29;

    if (isnan(x))
        return x;
    if (x > 710)
        return INFINITY;
    if (x < -746)
        return 0;
    k = rint(x * log2_e);
    high = x - k * LN2_HIGH; /* exact: the product is, and the difference by Sterbenz' lemma */
    low = k * LN2_LOW;
    r = high - low;
    p = p * r + 0x1.af6cccf8ac0b6p-26;
    p = p * r + 0x1.27e4bf22d6aa9p-22;
    p = p * r + 0x1.71ddef93bda20p-19;
    p = p * r + 0x1.a01a01b45d4edp-16;
    p = p * r + 0x1.a01a01b3bb254p-13;
    p = p * r + 0x1.6c16c16c13569p-10;
    p = p * r + 0x1.111111110ebb3p-7;
    p = p * r + 0x1.555555555555ep-5;
    p = p * r + 0x1.555555555555cp-3;
    p = p * r + 0.5;
    return ldexp(1 + (high - (low - r * r * p)), (int)k); /* rounds once more only where the result is denormal */
}

/* sin(r) and cos(r) of |r| <= pi / 4: the Taylor series to r^17 and r^18, whose next terms are below 2^-59. */
static double sin_near_zero(double r)
{
    double s = r * r, sum = 0;

    for (int k = 16; k >= 2; k -= 2)
        sum = (1.0 - sum) * s / (double)(k * (k + 1));
    return r - r * sum;
}

static double cos_near_zero(double r)
{
    double s = r * r, sum = 0;

    for (int k = 17; k >= 1; k -= 2)
        sum = (1.0 - sum) * s / (double)(k * (k + 1));
    return 1.0 - sum;
}

/* x = quadrant * pi / 2 + r, with pi / 2 in two parts (Cody and Waite), the first of 33 bits so that products are
 * exact. */
static double reduce(double x, int *quadrant)
{
    const double n = floor(x * (2.0 / M_PI) + 0.5);

    *quadrant = (int)((long long)n & 3);
    return (x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34;
}

static double sin_of_quadrant(double r, int quadrant)
{
    double value = quadrant % 2 == 0 ? sin_near_zero(r) : cos_near_zero(r);

    return quadrant < 2 ? value : -value;
}

double math_sin(double x)
{
    int quadrant;
    double r = reduce(x, &quadrant);

    return sin_of_quadrant(r, quadrant);
}

double math_cos(double x)
{
    int quadrant;
    double r = reduce(x, &quadrant);

    return sin_of_quadrant(r, (quadrant + 1) & 3);
}
