/* tnn_tool.c — see tnn_tool.h. Float32 throughout, sums in the order of storage. */
#include "coordinator/weights/tnn_tool.h"

#include <float.h>
#include <math.h>

enum { MAX_ROUNDS = 1000 };

static const float epsilon = 1e-9F; /* in both divisions of the alternation */

static float largest(const float *w, size_t n)
{
    float max = 0;

    for (size_t i = 0; i < n; i++)
        max = fmaxf(max, fabsf(w[i]));
    return max;
}

static float clamp_round(float steps, int32_t limit)
{
    return fminf(fmaxf(roundf(steps), (float)-limit), (float)limit);
}

static float max_abs_scale(const float *w, size_t n, int32_t limit)
{
    return largest(w, n) / (float)limit;
}

static void max_abs_codes(const float *w, size_t n, int32_t limit, float scale, int16_t *codes)
{
    float steps = 1 / scale;

    for (size_t i = 0; i < n; i++)
        codes[i] = (int16_t)clamp_round(w[i] * steps, limit);
}

/* A round is a function of the scale alone, so a scale that comes back is what all further rounds would give. */
static float admm_scale(const float *w, size_t n, int32_t limit)
{
    float scale = largest(w, n) / ((float)limit * 1.25F);

    for (int round = 0; round < MAX_ROUNDS; round++) {
        float correlation = 0, power = 0, last = scale;

        for (size_t i = 0; i < n; i++) {
            float code = clamp_round(w[i] / (last + epsilon), limit);

            correlation += w[i] * code;
            power += code * code;
        }
        scale = correlation / (power + epsilon);
        if (scale == last)
            break;
    }
    return scale;
}

static void admm_codes(const float *w, size_t n, int32_t limit, float scale, int16_t *codes)
{
    for (size_t i = 0; i < n; i++)
        codes[i] = (int16_t)clamp_round(w[i] / (scale + epsilon), limit);
}

const struct weight_tool tnn_tool_maxabs = {max_abs_scale, max_abs_codes};
const struct weight_tool tnn_tool_admm = {admm_scale, admm_codes};
