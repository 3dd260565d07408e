/* power2.c — the power of two with the least squared error, for chips that rescale by shifts.
 *
 * The smallest power of two that clips nothing, and those below it, which clip more and more. Rounding log2 of the
 * max-abs scale would decide between two of them by that scale alone; the error itself does not cost much more.
 */
#include "coordinator/weights.h"

#include <float.h>
#include <math.h>

enum { OCTAVES = 8 }; /* at 2^-8 of max-abs all that is left of the largest weight is 1/256 of it */

static int search(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    float max_abs;
    double candidate;
    int exponent;

    if (weight_scale_max_abs(w, n, limit, &max_abs, err) != 0)
        return -1;
    /* max_abs = m 2^exponent, 1/2 <= m < 1: a power of two is one half of the next. Its quotient by limit was rounded,
     * which clips half a step in 2^24 at most. */
    if (frexp((double)max_abs, &exponent) == 0.5)
        exponent--;
    exponent = exponent < FLT_MAX_EXP ? exponent : FLT_MAX_EXP - 1;
    candidate = ldexp(1, exponent);
    *scale = (float)candidate;
    for (int i = 1; i <= OCTAVES; i++)
        weight_scale_improve(w, n, limit, ldexp(candidate, -i), scale);
    return 0;
}

const struct weight_method weight_method_power2 = {
    .name = "power2",
    .summary = "the power of two with the least squared error, for chips that shift",
    .search = search,
};
