/* weights.c — the registry of methods and what they share; see weights.h. */
#include "coordinator/weights.h"

#include "common/quant.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define WEIGHT_METHOD(id) extern const struct weight_method weight_method_##id;
#include "weight_methods.def"
#undef WEIGHT_METHOD

const struct weight_method *const weight_methods[] = {
#define WEIGHT_METHOD(id) &weight_method_##id,
#include "weight_methods.def"
#undef WEIGHT_METHOD
    NULL,
};

const struct weight_method *weight_method_find(const char *name)
{
    for (const struct weight_method *const *method = weight_methods; *method != NULL; method++) {
        if (strcmp((*method)->name, name) == 0)
            return *method;
    }
    return NULL;
}

double weight_codes(const float *w, size_t n, int32_t limit, float scale, int16_t *codes)
{
    struct code_range range = {.lo = -limit, .hi = limit};
    double error = 0;

    for (size_t i = 0; i < n; i++) {
        int32_t code = quantize(w[i], scale, range, ROUND_HALF_AWAY);
        double miss = (double)w[i] - (double)scale * code;

        error += miss * miss;
        if (codes != NULL)
            codes[i] = (int16_t)code;
    }
    return error;
}

int weight_scale_max_abs(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(w[i]))
            return error_set(err, EX_DATAERR, "weight %zu of %zu: expected a finite number, found %g", i, n,
                             (double)w[i]);
        largest = fmaxf(largest, fabsf(w[i]));
    }
    *scale = largest == 0 ? 1 : fmaxf(largest / (float)limit, FLT_MIN);
    return 0;
}

void weight_scale_improve(const float *w, size_t n, int32_t limit, double candidate, float *scale)
{
    float rounded = (float)fmin(fmax(candidate, FLT_MIN), FLT_MAX);

    if (weight_codes(w, n, limit, rounded, NULL) < weight_codes(w, n, limit, *scale, NULL))
        *scale = rounded;
}
