/* histogram_avx2.c — scan and drain with AVX2. */
#include "common/histogram_kernels.h"

#if defined __x86_64__

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))

enum { HALF = HISTOGRAM_LANES / 2 }; /* a vector is half a row */

/* AVX2 cannot squeeze lanes together: squeeze[m] lists the lanes whose bit is set in m, lowest first. 2 KB, so it stays
 * in the first-level cache. (PDEP and PEXT would compute it, and are microcoded before Zen 3.) */
static uint8_t squeeze[1 << HALF][HALF];

__attribute__((constructor)) static void fill_squeeze(void)
{
    for (unsigned mask = 0; mask < 1u << HALF; mask++)
        for (unsigned lane = 0, n = 0; lane < HALF; lane++)
            if (mask >> lane & 1)
                squeeze[mask][n++] = (uint8_t)lane;
}

/* Lanes first..first + 7 of all rows; appends at index, returns its end, ORs the bins into *seen. */
AVX2 static inline uint32_t *scan_half(struct histogram_scan *scan, size_t first, const float *x, size_t rows,
                                       size_t stride, uint32_t *index, __m256i *seen)
{
    const __m256 positive = _mm256_loadu_ps((const float *)(const void *)(scan->positive + first));
    const __m256 negative = _mm256_loadu_ps((const float *)(const void *)(scan->negative + first));
    const __m256 scale = _mm256_loadu_ps(scan->scale + first), zero = _mm256_setzero_ps(), sign = _mm256_set1_ps(-0.0f);
    __m256 min = _mm256_loadu_ps(scan->extent.min + first), max = _mm256_loadu_ps(scan->extent.max + first);
    __m256i nonzero = _mm256_loadu_si256((const __m256i *)(const void *)(scan->extent.nonzero + first));

    for (size_t row = 0; row < rows; row++) {
        __m256 v = _mm256_loadu_ps(x + row * stride + first);
        __m256 is_nonzero = _mm256_cmp_ps(v, zero, _CMP_NEQ_UQ); /* NaN too */
        unsigned mask = (unsigned)_mm256_movemask_ps(is_nonzero);
        /* NaN, Inf and what exceeds 2^31 convert to 0x80000000: beyond every last bin. */
        __m256i bin = _mm256_and_si256(_mm256_cvttps_epi32(_mm256_mul_ps(_mm256_andnot_ps(sign, v), scale)),
                                       _mm256_castps_si256(is_nonzero));
        __m256i side = _mm256_castps_si256(_mm256_blendv_ps(positive, negative, v)); /* by v's sign bit */
        __m256i order = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)squeeze[mask]));

        *seen = _mm256_or_si256(*seen, bin);
        min = _mm256_min_ps(v, min);
        max = _mm256_max_ps(v, max);
        nonzero = _mm256_sub_epi32(nonzero, _mm256_castps_si256(is_nonzero)); /* the mask is -1 */
        _mm256_storeu_si256((__m256i *)(void *)index, _mm256_permutevar8x32_epi32(_mm256_add_epi32(bin, side), order));
        index += __builtin_popcount(mask);
    }
    _mm256_storeu_ps(scan->extent.min + first, min);
    _mm256_storeu_ps(scan->extent.max + first, max);
    _mm256_storeu_si256((__m256i *)(void *)(scan->extent.nonzero + first), nonzero);
    return index;
}

AVX2 static bool histogram_scan_avx2(struct histogram_scan *scan, const float *x, size_t rows, size_t stride)
{
    uint32_t seen[HALF], all = 0;
    uint32_t *index = scan->index;
    __m256i either = _mm256_setzero_si256();

    /* One half after the other: both at once need more than sixteen registers. The second read comes from the cache. */
    index = scan_half(scan, 0, x, rows, stride, index, &either);
    index = scan_half(scan, HALF, x, rows, stride, index, &either);
    _mm256_storeu_si256((__m256i *)(void *)seen, either);
    for (size_t lane = 0; lane < HALF; lane++)
        all |= seen[lane];
    scan->n_index = (size_t)(index - scan->index);
    /* bins is a power of two, so the union of indices stays below it exactly when each index does. */
    return all < scan->bins;
}

AVX2 static void histogram_drain_avx2(uint8_t *delta, uint64_t *counts, size_t n)
{
    for (size_t k = 0; k < n; k += 32) {
        __m256i *deltas = (__m256i *)(void *)(delta + k);
        __m256i all = _mm256_load_si256(deltas);

        if (_mm256_testz_si256(all, all)) /* tails are sparse */
            continue;
        for (size_t i = k; i < k + 32; i += 4) {
            __m256i add = _mm256_cvtepu8_epi64(_mm_loadu_si32(delta + i));
            __m256i *sum = (__m256i *)(void *)(counts + i);

            _mm256_storeu_si256(sum, _mm256_add_epi64(_mm256_loadu_si256(sum), add));
        }
        _mm256_store_si256(deltas, _mm256_setzero_si256());
    }
}

const struct histogram_kernel histogram_kernel_avx2 = {ISA_AVX2, histogram_scan_avx2, histogram_drain_avx2};

#endif
