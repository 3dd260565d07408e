/* tensor.h — element types, shapes and constant tensors.
 *
 * All tensors are dense and row-major. Activations are NCHW; convolution weights OIHW with I counted per group.
 */
#ifndef ETALON_TENSOR_H
#define ETALON_TENSOR_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_FLOAT32,
    DTYPE_FLOAT64,
    DTYPE_FLOAT16,
    DTYPE_BFLOAT16, /* the upper half of a float32 */
    DTYPE_INT8,
    DTYPE_UINT8,
    DTYPE_INT16,
    DTYPE_UINT16,
    DTYPE_INT32,
    DTYPE_INT64,
    DTYPE_BOOL, /* one byte, 0 or 1 */
    DTYPE_COUNT
};

enum { TENSOR_MAX_RANK = 8 };

struct shape {
    size_t rank; /* 0: a scalar, one element */
    int64_t dims[TENSOR_MAX_RANK];
};

struct tensor {
    enum dtype dtype;
    struct shape shape;
    const void *data; /* borrowed; aligned for dtype; NULL only when there are no elements */
};

size_t dtype_size(enum dtype dtype);
const char *dtype_name(enum dtype dtype);
bool dtype_is_real(enum dtype dtype); /* float32, float64, float16, bfloat16 */

#define TENSOR_MAX_ELEMENTS (INT64_C(1) << 31) /* the budget of one tensor */

/* Product of the dims; -1 when a dim is negative, or a dim or the product exceeds TENSOR_MAX_ELEMENTS. */
int64_t shape_elements(const struct shape *shape);
bool shape_equal(const struct shape *a, const struct shape *b);

/* "1x3x224x224", "scalar". Returns `buffer`. */
enum { SHAPE_TEXT_BYTES = 160 };
const char *shape_text(const struct shape *shape, char buffer[SHAPE_TEXT_BYTES]);

/* a[0..n) broadcast with b by numpy's rule into *out; EX_DATAERR naming both shapes when they do not match. */
int shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out, struct error *err);

/* Element `index` (row-major) of any dtype. A real number read as an integer is cut toward zero and saturates (NaN: 0).
 */
double tensor_real(const struct tensor *tensor, size_t index);
int64_t tensor_integer(const struct tensor *tensor, size_t index);

float half_to_float(uint16_t half); /* IEEE binary16 to binary32; exact */

#endif
