/* resize_kernels.h — the hot loops of resize_pil.c on bytes, in the processor's vectors. Every kernel gives the same
 * bytes.
 */
#ifndef ETALON_PREPROCESS_RESIZE_KERNELS_H
#define ETALON_PREPROCESS_RESIZE_KERNELS_H

#include "common/isa.h"

#include <stddef.h>
#include <stdint.h>

/* Of `width` target pixels, pixel x is the sum of weight[x * stride + k] * source[first[x] + k], k < count[x], in units
 * of 2^-bits; weights from count[x] to stride are 0. */
struct columns {
    size_t width, stride;
    const size_t *first, *count;
    const int32_t *weight;
    int bits;
};

enum { COLUMNS_ROWS = 8, COLUMNS_READ_BEHIND = 13 };

/* n_rows, at least COLUMNS_ROWS, of interleaved RGB that lie from_stride and to_stride bytes apart. Reads up to
 * COLUMNS_READ_BEHIND bytes behind the last. */
typedef void columns_kernel(const struct columns *columns, const uint8_t *from, size_t from_stride, uint8_t *to,
                            size_t to_stride, size_t n_rows);
/* NULL: none for this instruction set; a plain loop over single rows is faster. */
columns_kernel *columns_find(enum isa isa);

/* to[i] = the sum of weight[k] * from[k * n + i], k < count, in units of 2^-bits; i < n. */
typedef void row_kernel(const uint8_t *from, uint8_t *to, size_t n, const int32_t *weight, size_t count, int bits);
row_kernel *row_find(enum isa isa);

#endif
