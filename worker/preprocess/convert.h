/* convert.h — bytes through a run of arithmetic steps to floats, in one pass over memory.
 *
 * The bits are those of the steps one after the other on floats: each kernel does the same operations on the same
 * values, only on a strip at a time that stays in the first-level cache, in the processor's widest vectors. What a byte
 * becomes depends on nothing else, so that the 256 results are checked once and not pixel by pixel.
 */
#ifndef ETALON_PREPROCESS_CONVERT_H
#define ETALON_PREPROCESS_CONVERT_H

#include "common/isa.h"
#include "common/preprocess_plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens to the bytes of one channel. */
struct conversion {
    size_t n;
    struct {
        enum step_kind kind;
        float value;
    } ops[PREPROCESS_MAX_STEPS];
};

/* The steps[0..n) as channel `channel` meets them. False when there is one that no kernel knows (any but mean, scale
 * and divide), or when some byte would become NaN or Inf. */
bool conversion_init(struct conversion *conversion, const struct preprocess_step *steps, size_t n, size_t channel);

/* to[c * plane + i] = what from[i * interleave + c] becomes by conversions[c]; i < n, c < interleave. */
typedef void convert_kernel(const struct conversion *conversions, const uint8_t *from, size_t interleave, float *to,
                            size_t plane, size_t n);
convert_kernel convert_reference; /* one step after the other, each over all values: the definition */
/* Of an instruction set; the reference where there is none of its own. */
convert_kernel *convert_find(enum isa isa);

#endif
