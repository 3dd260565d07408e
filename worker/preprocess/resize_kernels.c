/* resize_kernels.c — see resize_kernels.h. Compiled with -O3. Vectors hold one channel of one pixel of each of eight
 * rows, as 32-bit integers, so that one weight multiplies all; the compiler cuts them to the registers there are.
 */
#include "worker/preprocess/resize_kernels.h"

#include <string.h>

/* One word a row: a pixel, and above it the next one's first byte. */
typedef uint32_t words __attribute__((vector_size(4 * COLUMNS_ROWS)));
typedef int32_t integers __attribute__((vector_size(4 * COLUMNS_ROWS)));

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t load(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Rounded already: cut to whole numbers, clipped to 0..255. By address: vectors by value are of another ABI without
 * AVX. */
INLINE void cut(integers *sum, int bits)
{
    integers whole = *sum >> bits, over;

    whole &= ~(whole >> 31);
    over = whole > 255;
    *sum = (whole & ~over) | (over & 255);
}

INLINE void compute(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to, size_t to_stride)
{
    for (size_t x = 0; x < columns->width; x++, to += 3) {
        const uint8_t *at = from + 3 * columns->first[x];
        const int32_t *weight = columns->weight + x * columns->stride;
        integers r = (integers){0} + (1 << (columns->bits - 1)), g = r, b = r;
        words pixels;

        for (size_t k = 0; k < columns->count[x]; k++, at += 3) {
            words w = {load(at),         load(at + n),     load(at + 2 * n), load(at + 3 * n),
                       load(at + 4 * n), load(at + 5 * n), load(at + 6 * n), load(at + 7 * n)};

            r += (integers)(w & 255) * weight[k];
            g += (integers)(w >> 8 & 255) * weight[k];
            b += (integers)(w >> 16 & 255) * weight[k];
        }
        cut(&r, columns->bits);
        cut(&g, columns->bits);
        cut(&b, columns->bits);
        pixels = (words)(r | g << 8 | b << 16);
        for (size_t row = 0; row < COLUMNS_ROWS; row++) {
            uint32_t word = pixels[row];

            memcpy(to + row * to_stride, &word, 3);
        }
    }
}

enum { STRIP = 64 }; /* sums kept at once, in registers */

INLINE void compute_strip(const uint8_t *restrict from, uint8_t *restrict to, size_t n, size_t m, const int32_t *weight,
                          size_t count, int bits)
{
    int32_t sums[STRIP];

    for (size_t i = 0; i < m; i++)
        sums[i] = 1 << (bits - 1);
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < m; i++)
            sums[i] += from[k * n + i] * weight[k];
    for (size_t i = 0; i < m; i++) {
        int32_t sum = sums[i] >> bits;

        to[i] = (uint8_t)(sum > 255 ? 255 : sum < 0 ? 0 : sum);
    }
}

/* Whole strips pass a literal length: the loops need no epilogues. */
INLINE void compute_row(const uint8_t *from, uint8_t *to, size_t n, const int32_t *weight, size_t count, int bits)
{
    size_t x = 0;

    for (; x + STRIP <= n; x += STRIP)
        compute_strip(from + x, to + x, n, STRIP, weight, count, bits);
    compute_strip(from + x, to + x, n, n - x, weight, count, bits);
}

static void row_reference(const uint8_t *from, uint8_t *to, size_t n, const int32_t *weight, size_t count, int bits)
{
    compute_row(from, to, n, weight, count, bits);
}

#if defined __x86_64__
ISA_TARGET_AVX2 static void columns_avx2(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to,
                                         size_t to_stride)
{
    compute(columns, from, n, to, to_stride);
}

ISA_TARGET_AVX512 static void columns_avx512(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to,
                                             size_t to_stride)
{
    compute(columns, from, n, to, to_stride);
}

ISA_TARGET_AVX2 static void row_avx2(const uint8_t *from, uint8_t *to, size_t n, const int32_t *weight, size_t count,
                                     int bits)
{
    compute_row(from, to, n, weight, count, bits);
}

ISA_TARGET_AVX512 static void row_avx512(const uint8_t *from, uint8_t *to, size_t n, const int32_t *weight,
                                         size_t count, int bits)
{
    compute_row(from, to, n, weight, count, bits);
}
#endif

static const struct {
    columns_kernel *columns;
    row_kernel *row;
} kernels[ISA_COUNT] = {
    [ISA_REFERENCE] = {NULL, row_reference},
#if defined __x86_64__
    [ISA_AVX2] = {columns_avx2, row_avx2},
    [ISA_AVX512] = {columns_avx512, row_avx512},
#endif
};

columns_kernel *columns_find(enum isa isa)
{
    return kernels[isa].columns;
}

row_kernel *row_find(enum isa isa)
{
    return kernels[isa].row != NULL ? kernels[isa].row : row_reference;
}
