/* requantize.h — the integer arithmetic that brings an accumulator to the steps of an output: multiply, shift, round.
 *
 * A chip without floats stands in for the real factor M = accumulator step / output step by m / 2^shift. The forms
 * differ in the bits of m and in how often they round (calibration.md section 12 has the known answers that tests use).
 */
#ifndef ETALON_REQUANTIZE_H
#define ETALON_REQUANTIZE_H

#include "common/profile.h"

struct multiplier { /* m / 2^shift; a negative shift multiplies */
    int32_t m;
    int shift;
};

/* 2^30 <= m < 2^31, the nearest to `factor`, ties away from zero. `factor` is finite and > 0. */
struct multiplier multiplier_of_31_bits(double factor);
/* |m| < 2^(bits - 1) - 1, bits 8 or 16: of the shifts in [-32, 30], the first that comes nearest to `factor`; m rounds
 * half away. `factor` is finite; 0 has m = 0. */
struct multiplier multiplier_of_bits(double factor, int bits);

/* x / 2^n, rounded. A negative n multiplies; results beyond 63 bits saturate. */
int64_t shift_right(int64_t x, int n, enum rounding rounding);
/* x m / 2^shift with one rounding. |x| < 2^62. */
int64_t multiplier_apply(int64_t x, struct multiplier multiplier, enum rounding rounding);
/* gemmlowp's and TensorFlow Lite's two roundings: x 2^left m / 2^31 to the nearest, ties upward, then / 2^right to the
 * nearest, ties away. |x| < 2^31; x 2^left saturates to 32 bits. */
int64_t multiplier_apply_twice(int64_t x, struct multiplier multiplier);

#endif
