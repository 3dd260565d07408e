/* int_gemm.c — see int_gemm.h. One register tile of up to 8 rows x 16 outputs; K runs innermost in pairs.
 */
#include "worker/int_gemm.h"

#include "common/isa.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROWS = 8 }; /* 8 accumulators of 16 lanes: half the AVX-512 registers, all 16 of AVX2 as 4 x 4 */

int int_weights_init(struct int_weights *weights, const int16_t *w, size_t outputs, size_t k, struct error *err)
{
    size_t pairs = (k + 1) / 2;

    *weights = (struct int_weights){outputs, k, NULL};
    weights->packed = memory_create(int_gemm_padded(outputs) * pairs, 2 * sizeof(int16_t), "packed weights", err);
    if (weights->packed == NULL)
        return -1;
    for (size_t o = 0; o < outputs; o++) {
        int16_t *block = weights->packed + o / INT_GEMM_LANES * pairs * 2 * INT_GEMM_LANES + o % INT_GEMM_LANES * 2;

        for (size_t i = 0; i < k; i++)
            block[i / 2 * 2 * INT_GEMM_LANES + i % 2] = w[o * k + i];
    }
    return 0;
}

void int_weights_fini(struct int_weights *weights)
{
    free(weights->packed);
    *weights = (struct int_weights){0};
}

/* One tile: rows x 16 outputs. */
typedef void tile_fn(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w, size_t pairs, int32_t *c,
                     size_t c_stride);

static void tile_reference(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w, size_t pairs, int32_t *c,
                           size_t c_stride)
{
    for (size_t i = 0; i < rows; i++) {
        int32_t *out = c + i * c_stride;

        memset(out, 0, INT_GEMM_LANES * sizeof *out);
        for (size_t p = 0; p < pairs; p++)
            for (size_t j = 0; j < INT_GEMM_LANES; j++)
                out[j] += a[i * a_stride + 2 * p] * w[(p * INT_GEMM_LANES + j) * 2] +
                          a[i * a_stride + 2 * p + 1] * w[(p * INT_GEMM_LANES + j) * 2 + 1];
    }
}

#if defined(__x86_64__)
static inline int32_t load_pair(const int16_t *at)
{
    int32_t pair;

    memcpy(&pair, at, sizeof pair);
    return pair;
}

/* `rows` is a constant at every call, so the loops unroll and the accumulators live in registers. */
__attribute__((target("avx512f,avx512bw"), always_inline)) static inline void
avx512_rows(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w, size_t pairs, int32_t *c, size_t c_stride)
{
    __m512i sum[ROWS];

    for (size_t i = 0; i < rows; i++)
        sum[i] = _mm512_setzero_si512();
    for (size_t p = 0; p < pairs; p++) {
        __m512i weights = _mm512_loadu_si512(w + p * 2 * INT_GEMM_LANES);

        for (size_t i = 0; i < rows; i++)
            sum[i] = _mm512_add_epi32(
                sum[i], _mm512_madd_epi16(weights, _mm512_set1_epi32(load_pair(a + i * a_stride + 2 * p))));
    }
    for (size_t i = 0; i < rows; i++)
        _mm512_storeu_si512(c + i * c_stride, sum[i]);
}

__attribute__((target("avx512f,avx512bw"))) static void
tile_avx512(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w, size_t pairs, int32_t *c, size_t c_stride)
{
    if (rows == ROWS) {
        avx512_rows(a, a_stride, ROWS, w, pairs, c, c_stride);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        avx512_rows(a + i * a_stride, a_stride, 1, w, pairs, c + i * c_stride, c_stride);
}

__attribute__((target("avx2"), always_inline)) static inline void
avx2_rows(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w, size_t pairs, int32_t *c, size_t c_stride)
{
    __m256i low[4], high[4];

    for (size_t i = 0; i < rows; i++)
        low[i] = high[i] = _mm256_setzero_si256();
    for (size_t p = 0; p < pairs; p++) {
        __m256i first = _mm256_loadu_si256((const __m256i *)(w + p * 2 * INT_GEMM_LANES));
        __m256i second = _mm256_loadu_si256((const __m256i *)(w + p * 2 * INT_GEMM_LANES + INT_GEMM_LANES));

        for (size_t i = 0; i < rows; i++) {
            __m256i pair = _mm256_set1_epi32(load_pair(a + i * a_stride + 2 * p));

            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(first, pair));
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(second, pair));
        }
    }
    for (size_t i = 0; i < rows; i++) {
        _mm256_storeu_si256((__m256i *)(c + i * c_stride), low[i]);
        _mm256_storeu_si256((__m256i *)(c + i * c_stride + 8), high[i]);
    }
}

__attribute__((target("avx2"))) static void tile_avx2(const int16_t *a, size_t a_stride, size_t rows, const int16_t *w,
                                                      size_t pairs, int32_t *c, size_t c_stride)
{
    size_t i = 0;

    for (; i + 4 <= rows; i += 4)
        avx2_rows(a + i * a_stride, a_stride, 4, w, pairs, c + i * c_stride, c_stride);
    for (; i < rows; i++)
        avx2_rows(a + i * a_stride, a_stride, 1, w, pairs, c + i * c_stride, c_stride);
}
#endif

static tile_fn *choose_tile(void)
{
#if defined(__x86_64__)
    switch (isa_best()) {
    case ISA_AVX512:
        return tile_avx512;
    case ISA_AVX2:
        return tile_avx2;
    default:
        break;
    }
#endif
    return tile_reference;
}

/* Rows outermost: a tile of rows stays in L1 while every block of weights passes by. */
static void run_tiles(tile_fn *tile, const int16_t *a, size_t a_stride, size_t rows, const struct int_weights *weights,
                      int32_t *c, size_t c_stride)
{
    size_t pairs = (weights->k + 1) / 2, blocks = int_gemm_padded(weights->outputs) / INT_GEMM_LANES;

    for (size_t i = 0; i < rows; i += ROWS)
        for (size_t b = 0; b < blocks; b++)
            tile(a + i * a_stride, a_stride, rows - i < ROWS ? rows - i : ROWS,
                 weights->packed + b * pairs * 2 * INT_GEMM_LANES, pairs, c + i * c_stride + b * INT_GEMM_LANES,
                 c_stride);
}

void int_gemm(const int16_t *a, size_t a_stride, size_t rows, const struct int_weights *weights, int32_t *c,
              size_t c_stride)
{
    run_tiles(choose_tile(), a, a_stride, rows, weights, c, c_stride);
}

void int_gemm_reference(const int16_t *a, size_t a_stride, size_t rows, const struct int_weights *weights, int32_t *c,
                        size_t c_stride)
{
    run_tiles(tile_reference, a, a_stride, rows, weights, c, c_stride);
}
