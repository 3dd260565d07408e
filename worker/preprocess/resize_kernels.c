/* resize_kernels.c — see resize_kernels.h. Compiled with -O3. Vectors hold one channel of one pixel of each of eight
 * rows, as 32-bit integers, so that one weight multiplies all; the compiler cuts them to the registers there are.
 */
#include "worker/preprocess/resize_kernels.h"

#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

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

/* Eight rows at a time; the last few are done again together with some before. */
INLINE void compute_rows(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to, size_t to_stride,
                         size_t n_rows)
{
    for (size_t y = 0; y < n_rows; y += COLUMNS_ROWS) {
        size_t at = y + COLUMNS_ROWS <= n_rows ? y : n_rows - COLUMNS_ROWS;

        compute(columns, from + at * n, n, to + at * to_stride, to_stride);
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

        sum = sum < 0 ? 0 : sum; /* two steps: the compiler sees a maximum and a minimum */
        to[i] = (uint8_t)(sum > 255 ? 255 : sum);
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
                                         size_t to_stride, size_t n_rows)
{
    compute_rows(columns, from, n, to, to_stride, n_rows);
}

/* Few taps, as of a bilinear filter that shrinks to a half at most: four pixels a vector, a target pixel's R, G, B and
 * nothing in each quarter. Sixteen bytes of the source hold all five taps of a pixel. */
enum { QUAD = 4, QUAD_TAPS = 5, QUAD_ROWS = 16 /* weights are arranged once for as many as stay in the cache */ };

/* Moves the channels of tap k to the low bytes of three lanes; 0x80 gives 0. */
ISA_TARGET_AVX512 INLINE __m512i tap_channels(int k)
{
    const int r = 3 * k | (int)0x80808000, g = r + 1, b = r + 2;

    return _mm512_broadcast_i32x4(_mm_setr_epi32(r, g, b, (int)0x80808080));
}

ISA_TARGET_AVX512 INLINE __m512i load_quad(const uint8_t *from, const size_t *at)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(from + at[0])));

    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from + at[1])), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from + at[2])), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(from + at[3])), 3);
}

/* The target pixels x to x + 3 of n_rows; `taps`, a literal, is at least their counts. */
ISA_TARGET_AVX512 INLINE void compute_quad(const struct columns *columns, size_t x, const uint8_t *from, size_t n,
                                           uint8_t *to, size_t to_stride, size_t n_rows, int taps)
{
    const __m128i without_fourth = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const int32_t *weight = columns->weight + x * columns->stride;
    size_t at[QUAD];
    __m512i weights[QUAD_TAPS];

    for (size_t i = 0; i < QUAD; i++)
        at[i] = 3 * columns->first[x + i];
    for (int k = 0; k < taps; k++) {
        weights[k] = _mm512_set1_epi32(weight[k]);
        for (size_t i = 1; i < QUAD; i++)
            weights[k] =
                _mm512_mask_set1_epi32(weights[k], (__mmask16)(0xf << 4 * i), weight[i * columns->stride + (size_t)k]);
    }
    for (size_t row = 0; row < n_rows; row++, from += n, to += to_stride) {
        __m512i source = load_quad(from, at), sum = _mm512_set1_epi32(1 << (columns->bits - 1));
        __m128i bytes;
        int last;

        for (int k = 0; k < taps; k++)
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(_mm512_shuffle_epi8(source, tap_channels(k)), weights[k]));
        sum = _mm512_max_epi32(_mm512_sra_epi32(sum, _mm_cvtsi32_si128(columns->bits)), _mm512_setzero_si512());
        bytes = _mm_shuffle_epi8(_mm512_cvtusepi32_epi8(sum), without_fourth);
        _mm_storel_epi64((__m128i *)(to + 3 * x), bytes);
        last = _mm_extract_epi32(bytes, 2);
        memcpy(to + 3 * x + 8, &last, sizeof last);
    }
}

/* The last few pixels are computed again together with some before. */
ISA_TARGET_AVX512 static void compute_quads(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to,
                                            size_t to_stride, size_t n_rows)
{
    for (size_t i = 0; i < columns->width; i += QUAD) {
        size_t x = i + QUAD <= columns->width ? i : columns->width - QUAD, taps = 0;

        for (size_t j = 0; j < QUAD; j++)
            taps = columns->count[x + j] > taps ? columns->count[x + j] : taps;
        if (taps <= 3)
            compute_quad(columns, x, from, n, to, to_stride, n_rows, 3);
        else if (taps == 4)
            compute_quad(columns, x, from, n, to, to_stride, n_rows, 4);
        else
            compute_quad(columns, x, from, n, to, to_stride, n_rows, 5);
    }
}

ISA_TARGET_AVX512 static void columns_avx512(const struct columns *columns, const uint8_t *from, size_t n, uint8_t *to,
                                             size_t to_stride, size_t n_rows)
{
    if (columns->stride >= 3 && columns->stride <= QUAD_TAPS && columns->width >= QUAD)
        for (size_t y = 0; y < n_rows; y += QUAD_ROWS)
            compute_quads(columns, from + y * n, n, to + y * to_stride, to_stride,
                          n_rows - y < QUAD_ROWS ? n_rows - y : QUAD_ROWS);
    else
        compute_rows(columns, from, n, to, to_stride, n_rows);
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
