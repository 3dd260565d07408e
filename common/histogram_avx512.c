/* histogram_avx512.c — scan and drain with AVX-512 F, BW, DQ, VL. */
#include "common/histogram_kernels.h"

#if defined __x86_64__

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,popcnt")))

AVX512 static bool histogram_scan_avx512(struct histogram_scan *scan, const float *x, size_t rows, size_t stride)
{
    const __m512i positive = _mm512_loadu_si512(scan->positive), negative = _mm512_loadu_si512(scan->negative);
    const __m512i one = _mm512_set1_epi32(1);
    const __m512 scale = _mm512_loadu_ps(scan->scale), zero = _mm512_setzero_ps();
    __m512 min = _mm512_loadu_ps(scan->extent.min), max = _mm512_loadu_ps(scan->extent.max);
    __m512i nonzero = _mm512_loadu_si512(scan->extent.nonzero), seen = _mm512_setzero_si512();
    uint32_t *index = scan->index;

    for (size_t row = 0; row < rows; row++) {
        __m512 v = _mm512_loadu_ps(x + row * stride);
        __mmask16 is_nonzero = _mm512_cmp_ps_mask(v, zero, _CMP_NEQ_UQ); /* NaN too */
        __mmask16 is_negative = _mm512_movepi32_mask(_mm512_castps_si512(v));
        /* NaN, Inf and what exceeds 2^31 convert to 0x80000000: beyond every last bin. */
        __m512i bin = _mm512_maskz_cvttps_epi32(is_nonzero, _mm512_mul_ps(_mm512_abs_ps(v), scale));
        __m512i side = _mm512_mask_mov_epi32(positive, is_negative, negative);

        seen = _mm512_or_si512(seen, bin);
        min = _mm512_min_ps(v, min);
        max = _mm512_max_ps(v, max);
        nonzero = _mm512_mask_add_epi32(nonzero, is_nonzero, nonzero, one);
        /* Compressing into a register and storing all of it: the store form of the instruction is microcoded on Zen 4.
         */
        _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(is_nonzero, _mm512_add_epi32(bin, side)));
        index += __builtin_popcount(is_nonzero);
    }
    _mm512_storeu_ps(scan->extent.min, min);
    _mm512_storeu_ps(scan->extent.max, max);
    _mm512_storeu_si512(scan->extent.nonzero, nonzero);
    scan->n_index = (size_t)(index - scan->index);
    /* bins is a power of two, so the union of indices stays below it exactly when each index does. */
    return (uint32_t)_mm512_reduce_or_epi32(seen) < scan->bins;
}

AVX512 static void histogram_drain_avx512(uint8_t *delta, uint64_t *counts, size_t n)
{
    for (size_t k = 0; k < n; k += HISTOGRAM_DRAIN_BINS) {
        __m512i all = _mm512_load_si512(delta + k);

        if (_mm512_test_epi32_mask(all, all) == 0) /* tails are sparse */
            continue;
        for (size_t i = k; i < k + HISTOGRAM_DRAIN_BINS; i += 8) {
            __m512i add = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(delta + i)));

            _mm512_storeu_si512(counts + i, _mm512_add_epi64(_mm512_loadu_si512(counts + i), add));
        }
        _mm512_store_si512(delta + k, _mm512_setzero_si512());
    }
}

const struct histogram_kernel histogram_kernel_avx512 = {ISA_AVX512, histogram_scan_avx512, histogram_drain_avx512};

#endif
