/* draw.h — random numbers for property tests: the same sequence in every run, from a seed that each test may set. */
#ifndef ETALON_TESTS_DRAW_H
#define ETALON_TESTS_DRAW_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t draw_state = 88172645463325252u; /* never 0 */

static inline uint64_t draw(void) /* Marsaglia's xorshift, 64 bits */
{
    draw_state ^= draw_state << 13;
    draw_state ^= draw_state >> 7;
    draw_state ^= draw_state << 17;
    return draw_state;
}

static inline size_t draw_below(size_t n)
{
    return (size_t)(draw() >> 11) % n;
}

static inline double draw_uniform(double low, double high)
{
    return low + (high - low) * ((double)(draw() >> 11) * 0x1p-53);
}

static inline double draw_normal(void) /* Box and Muller */
{
    return sqrt(-2 * log(1 - draw_uniform(0, 1))) * cos(draw_uniform(0, 6.283185307179586));
}

static inline float draw_any_float(void) /* every bit pattern: denormals, NaN, Inf, -0 */
{
    uint32_t bits = (uint32_t)(draw() >> 32);
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
