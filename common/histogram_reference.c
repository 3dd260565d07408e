/* histogram_reference.c — counting one value at a time: what every kernel must equal, and where rare values go. */
#include "common/histogram_kernels.h"

int32_t histogram_exponent_for(float magnitude, size_t bins)
{
    int top; /* magnitude < 2^top, the smallest such */
    int32_t exponent;

    frexpf(magnitude, &top);
    exponent = top - __builtin_ctzll(bins);
    return exponent < HISTOGRAM_EMPTY_EXPONENT ? HISTOGRAM_EMPTY_EXPONENT : exponent;
}

static int count_finite(struct histogram *h, float x, struct error *err)
{
    double magnitude = fabs((double)x);

    if (x < h->min)
        h->min = x + 0.0f; /* -0 becomes 0 */
    if (x > h->max)
        h->max = x + 0.0f;
    if (magnitude == 0) {
        h->zeros++;
        return 0;
    }
    if (magnitude * histogram_scale(h->exponent) >= (double)h->bins)
        histogram_fold_to(h, histogram_exponent_for((float)magnitude, h->bins));
    if (x > 0) {
        h->positive[(size_t)(magnitude * histogram_scale(h->exponent))]++;
        return 0;
    }
    if (h->negative == NULL && histogram_need_negative(h, err) != 0)
        return -1;
    h->negative[(size_t)(magnitude * histogram_scale(h->exponent))]++;
    return 0;
}

int histogram_observe_reference(struct histogram *h, const float *x, size_t n, size_t stride, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        float value = x[i * stride];

        if (isnan(value))
            h->nans++;
        else if (isinf(value) && value > 0)
            h->positive_infs++;
        else if (isinf(value))
            h->negative_infs++;
        else if (count_finite(h, value, err) != 0)
            return -1;
        h->n++;
    }
    return 0;
}
