/* int_gemm.h — exact integer matrix products for the simulator: int16 x int8 into int32.
 *
 * The library's int8 convolutions convert their accumulators to float before they are stored (exact only below 2^24)
 * and saturate pairs where VNNI is missing, so they cannot promise a chip's integers. Here products of two neighbours
 * along K are added in 32 bits (vpmaddwd and its kin), which no instruction set rounds: the bits are the same
 * everywhere.
 *
 * Range: |a| <= 255 and |w| <= 127, K <= 66,000, or the caller has checked sum |a||w| < 2^31.
 */
#ifndef ETALON_INT_GEMM_H
#define ETALON_INT_GEMM_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/* Weights packed for the kernels: [ceil(outputs/16)][ceil(K/2)][16][2] int16, zero where padded. */
struct int_weights {
    size_t outputs, k;
    int16_t *packed;
};

/* w: [outputs][k], row-major. EX_OSERR. */
int int_weights_init(struct int_weights *weights, const int16_t *w, size_t outputs, size_t k, struct error *err);
void int_weights_fini(struct int_weights *weights);

/* c[i * c_stride + o] = sum_k a[i * a_stride + k] w[o][k], i < rows, o < 16 ceil(outputs/16) (padding outputs are 0, so
 * c_stride is at least that). Where K is odd, a[i * a_stride + K] is read too and multiplied by zero. */
void int_gemm(const int16_t *a, size_t a_stride, size_t rows, const struct int_weights *weights, int32_t *c,
              size_t c_stride);
/* The plain definition, for tests. */
void int_gemm_reference(const int16_t *a, size_t a_stride, size_t rows, const struct int_weights *weights, int32_t *c,
                        size_t c_stride);

enum { INT_GEMM_LANES = 16 };
static inline size_t int_gemm_padded(size_t outputs)
{
    return (outputs + INT_GEMM_LANES - 1) / INT_GEMM_LANES * INT_GEMM_LANES;
}

#endif
