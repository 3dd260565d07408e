/* histogram_neon.c — scan and drain for aarch64. NEON has no compress, so lanes are squeezed one by one, without
 * branches. */
#include "common/histogram_kernels.h"

#if defined __aarch64__

#include <arm_neon.h>

enum { QUARTER = HISTOGRAM_LANES / 4 }; /* a vector is a quarter of a row */

/* Lanes first..first + 3 of all rows; appends at index, returns its end, ORs the bins into *seen. */
static inline uint32_t *scan_quarter(struct histogram_scan *scan, size_t first, const float *x, size_t rows,
                                     size_t stride, uint32_t *index, uint32x4_t *seen)
{
    const uint32x4_t positive = vld1q_u32(scan->positive + first), negative = vld1q_u32(scan->negative + first);
    const uint32x4_t beyond = vdupq_n_u32(0x80000000);
    const float32x4_t scale = vld1q_f32(scan->scale + first);
    float32x4_t min = vld1q_f32(scan->extent.min + first), max = vld1q_f32(scan->extent.max + first);
    uint32x4_t nonzero = vld1q_u32(scan->extent.nonzero + first);

    for (size_t row = 0; row < rows; row++) {
        float32x4_t v = vld1q_f32(x + row * stride + first);
        uint32x4_t is_nonzero = vmvnq_u32(vceqzq_f32(v)), is_number = vceqq_f32(v, v);
        uint32x4_t is_negative = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_f32(v), 31));
        /* Conversion saturates, but turns NaN into 0. */
        uint32x4_t bin = vcvtq_u32_f32(vmulq_f32(vabsq_f32(v), scale));
        uint32_t indices[QUARTER], is_counted[QUARTER];

        bin = vandq_u32(vbslq_u32(is_number, bin, beyond), is_nonzero);
        *seen = vorrq_u32(*seen, bin);
        min = vminq_f32(v, min);
        max = vmaxq_f32(v, max);
        nonzero = vsubq_u32(nonzero, is_nonzero); /* the mask is -1 */
        vst1q_u32(indices, vaddq_u32(bin, vbslq_u32(is_negative, negative, positive)));
        vst1q_u32(is_counted, is_nonzero);
        for (size_t lane = 0; lane < QUARTER; lane++) {
            *index = indices[lane];
            index += is_counted[lane] & 1;
        }
    }
    vst1q_f32(scan->extent.min + first, min);
    vst1q_f32(scan->extent.max + first, max);
    vst1q_u32(scan->extent.nonzero + first, nonzero);
    return index;
}

static bool histogram_scan_neon(struct histogram_scan *scan, const float *x, size_t rows, size_t stride)
{
    uint32_t seen[QUARTER];
    uint32_t *index = scan->index;
    uint32x4_t all = vdupq_n_u32(0);

    for (size_t first = 0; first < HISTOGRAM_LANES; first += QUARTER)
        index = scan_quarter(scan, first, x, rows, stride, index, &all);
    vst1q_u32(seen, all);
    scan->n_index = (size_t)(index - scan->index);
    /* bins is a power of two, so the union of indices stays below it exactly when each index does. */
    return (seen[0] | seen[1] | seen[2] | seen[3]) < scan->bins;
}

static void histogram_drain_neon(uint8_t *delta, uint64_t *counts, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        counts[k] += delta[k];
        delta[k] = 0;
    }
}

const struct histogram_kernel histogram_kernel_neon = {ISA_NEON, histogram_scan_neon, histogram_drain_neon};

#endif
