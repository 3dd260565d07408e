/* int_gemm.h — exact integer matrix products for the simulator: codes of 8 or 16 bits, sums of 32.
 *
 * The library's int8 convolutions convert their accumulators to float before they are stored (exact only below 2^24)
 * and saturate pairs where VNNI is missing, so they cannot promise a chip's integers. Here sums are 32-bit integers
 * modulo 2^32, which no instruction set rounds or saturates: where the true sum fits, the bits are the same everywhere.
 *
 * Rows come in words (int16) times words, or in bytes (uint8) times int8, which needs instructions that add four
 * products without saturating (AVX-512 VNNI) to be worth it. Both are read four bytes at a time: a *unit* is 2 words or
 * 4 bytes along K.
 */
#ifndef ETALON_INT_GEMM_H
#define ETALON_INT_GEMM_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INT_GEMM_LANES = 16,
    INT_GEMM_PANEL = 64, /* outputs computed together, and the stride of their sums */
    INT_GEMM_UNIT = 4,   /* bytes */
};

/* Weights packed for the kernels: [panels][units][lanes][INT_GEMM_UNIT bytes], zero where padded; the lanes of the last
 * panel are the outputs left over, rounded up to INT_GEMM_LANES. */
struct int_weights {
    size_t outputs, units; /* of K, all segments together */
    bool are_bytes;
    void *packed;
};

/* w: [outputs][segments][items], row-major; within int8 where are_bytes. Each segment is padded to whole units.
 * EX_OSERR. */
int int_weights_init(struct int_weights *weights, const int16_t *w, size_t outputs, size_t segments, size_t items,
                     bool are_bytes, struct error *err);
void int_weights_fini(struct int_weights *weights);
static inline size_t int_weights_panels(const struct int_weights *weights)
{
    return (weights->outputs + INT_GEMM_PANEL - 1) / INT_GEMM_PANEL;
}
/* Units that hold so many items. */
static inline size_t int_gemm_units(size_t items, bool are_bytes)
{
    size_t in_unit = are_bytes ? 4 : 2;

    return (items + in_unit - 1) / in_unit;
}

/* Where rows of codes lie: row i is `segments` runs of `units`, `stride` bytes apart, the first at base + at[i]. So a
 * convolution reads its windows where they are in an image of neighbouring channels: a segment is a row of taps. */
struct int_rows {
    const char *base;
    const size_t *at; /* [n] bytes */
    size_t n;
    size_t segments, stride, units;
};

/* sums[i * INT_GEMM_PANEL + o] = sum over K of row i times output INT_GEMM_PANEL x panel + o, modulo 2^32; o < lanes of
 * the panel. `first_unit` of the weights meets the first unit of the rows: a row may be a part of K. Padding at the end
 * of a segment is read, and multiplied by zero. */
void int_gemm(const struct int_rows *rows, const struct int_weights *weights, size_t panel, size_t first_unit,
              int32_t *sums);
/* The plain definition, for tests. */
void int_gemm_reference(const struct int_rows *rows, const struct int_weights *weights, size_t panel, size_t first_unit,
                        int32_t *sums);

/* Are bytes faster than words here? */
bool int_gemm_prefers_bytes(void);

#endif
