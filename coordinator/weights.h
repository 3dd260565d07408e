/* weights.h — from float weights to int8 codes and scales. One method a file in weights/. Pure functions, local.
 *
 * A group is what shares one scale: an output channel, or a whole tensor. Scales are normal floats: where the method
 * would choose less than 2^-126 (weights of less than about 2^-119), it is 2^-126.
 */
#ifndef ETALON_WEIGHTS_H
#define ETALON_WEIGHTS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a vendor's tool does it: its sums, in its order and precision. Without the guarantee below. */
struct weight_tool {
    /* w[0..n) finite and not all 0. */
    float (*scale)(const float *w, size_t n, int32_t limit);
    void (*codes)(const float *w, size_t n, int32_t limit, float scale, int16_t *codes);
};

struct weight_method {
    const char *name;    /* "maxabs", "admm", "sweep" ... */
    const char *summary; /* one line of `etalon methods`, with its source */
    /* Guarantee: the squared error of weight_codes with the very float found is at most that with weight_scale_max_abs.
     * False where only some floats are scales. */
    bool beats_max_abs;
    /* One group: w[0..n), symmetric codes in [-limit, limit], 1 <= limit <= 127; more only of max-abs. Scale finite and
     * > 0; an all-zero group gets scale 1. EX_DATAERR: a weight is NaN or infinite. EX_OSERR. */
    int (*search)(const float *w, size_t n, int32_t limit, float *scale, struct error *err);
    /* Optional, besides: importance[n] >= 0, what the error of a weight counts by. Where it is not known, `search`. */
    int (*search_weighted)(const float *w, const double *importance, size_t n, int32_t limit, float *scale,
                           struct error *err);
    unsigned wants;                   /* kinds of extras (worker/extras.h) that the data pass must have counted */
    const struct weight_tool *in_tnn; /* what TNN's own tool does under this method; NULL: it has none */
};

extern const struct weight_method *const weight_methods[]; /* NULL-terminated */
const struct weight_method *weight_method_find(const char *name);

/* codes[i] = clamp(round half away(w[i] / scale), -limit, limit) of finite weights; returns the squared error sum (w -
 * scale code)^2. `codes` may be NULL: only the error is wanted. */
double weight_codes(const float *w, size_t n, int32_t limit, float scale, int16_t *codes);

/* max|w| / limit, at least 2^-126; 1 where all weights are zero. EX_DATAERR naming the first weight that is not finite.
 */
int weight_scale_max_abs(const float *w, size_t n, int32_t limit, float *scale, struct error *err);

bool weights_are_zero(const float *w, size_t n);

/* *scale becomes `candidate` (rounded to a normal float) if that codes w with less squared error than *scale does. */
void weight_scale_improve(const float *w, size_t n, int32_t limit, double candidate, float *scale);

/* One run of the ADMM alternation (Leng 2018) from scale `start` > 0 to its fixed point: a = sum w q / sum q^2 and
 * q = clamp(round half away(w / a)) in turn, until the codes repeat. Returns a; `start` itself when its codes are all
 * 0. */
double weight_alternate(const float *w, size_t n, int32_t limit, double start);

#endif
