/* weights.h — from float weights to int8 codes and scales. One method a file in weights/. Pure functions, local.
 */
#ifndef ETALON_WEIGHTS_H
#define ETALON_WEIGHTS_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct weight_method {
    const char *name;    /* "maxabs", "admm", "sweep" */
    const char *summary; /* one line of `etalon methods`, with its source */
    /* One group (an output channel, or a whole tensor): w[0..n), symmetric codes in [-limit, limit]. Scale finite and
     * > 0; an all-zero group gets scale 1. Guarantee: squared error <= that of max-abs (scale = max|w|/limit). */
    int (*search)(const float *w, size_t n, int32_t limit, float *scale, struct error *err);
};

extern const struct weight_method *const weight_methods[]; /* NULL-terminated */
const struct weight_method *weight_method_find(const char *name);

/* codes[i] = clamp(round half away(w[i] / scale), -limit, limit); returns the squared error sum (w - scale code)^2. */
double weight_codes(const float *w, size_t n, int32_t limit, float scale, int8_t *codes);

#endif
