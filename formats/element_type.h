/* element_type.h — the types of numbers in files, by name, and their decoding to the types we compute with.
 *
 * Everything real becomes float32, everything integral int64; types that are not listed (strings, complex numbers) have
 * no numbers for us.
 */
#ifndef ETALON_ELEMENT_TYPE_H
#define ETALON_ELEMENT_TYPE_H

#include "common/tensor.h"

struct element_type {
    const char *name; /* "uint8", "float16" ... */
    size_t size;      /* bytes, at most 8 */
    enum element_coding { ELEMENT_UNSIGNED, ELEMENT_SIGNED, ELEMENT_FLOAT, ELEMENT_HALF, ELEMENT_BRAIN } coding;
};

/* NULL: no numbers are called so. */
const struct element_type *element_type_named(const char *name);
/* The same for a name that a user wrote. NULL: EX_CONFIG, with the nearest. */
const struct element_type *element_type_find(const char *name, struct error *err);

enum dtype element_type_decoded(const struct element_type *type); /* DTYPE_FLOAT32 or DTYPE_INT64 */

/* The element of these bits as the nearest float, whatever its type; and as an integer, of integral types. */
float element_real(const struct element_type *type, uint64_t bits);
int64_t element_integer(const struct element_type *type, uint64_t bits);

/* Where little-endian elements lie: element i is the low bytes at base + i * stride, aligned or not. */
struct element_run {
    const void *base; /* may be NULL where n is 0 */
    size_t n, stride;
};

/* Decodes all of them into to[0..n), floats or int64. EX_UNAVAILABLE: a finite float64 beyond float32. */
int elements_decode(const struct element_type *type, const struct element_run *run, void *to, struct error *err);

#endif
