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
    enum { CHUNK = 256 };
    int16_t unwanted[CHUNK];
    double error = 0;

    for (size_t i = 0; i < n; i += CHUNK) {
        size_t count = n - i < CHUNK ? n - i : CHUNK;
        int16_t *chunk = codes == NULL ? unwanted : codes + i;

        quantize_symmetric(w + i, count, scale, limit, chunk);
        for (size_t k = 0; k < count; k++) {
            double miss = (double)w[i + k] - (double)scale * chunk[k];

            error += miss * miss;
        }
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

bool weights_are_zero(const float *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i] != 0)
            return false;
    }
    return true;
}

void weight_scale_improve(const float *w, size_t n, int32_t limit, double candidate, float *scale)
{
    float rounded = (float)fmin(fmax(candidate, FLT_MIN), FLT_MAX);

    if (weight_codes(w, n, limit, rounded, NULL) < weight_codes(w, n, limit, *scale, NULL))
        *scale = rounded;
}
