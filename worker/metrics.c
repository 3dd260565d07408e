/* metrics.c — see metrics.h. */
#include "worker/metrics.h"

#include <math.h>

void value_error_add(struct value_error *e, const float *x, const float *y, size_t n, uint64_t clipped)
{
    double signal = 0, noise = 0, product = 0, simulated = 0;

    for (size_t i = 0; i < n; i++) {
        double a = (double)x[i], b = (double)y[i], d = a - b;

        signal += a * a;
        noise += d * d;
        product += a * b;
        simulated += b * b;
    }
    e->elements += n;
    e->clipped += clipped;
    if (!isfinite(signal) || !isfinite(noise) || !isfinite(product) || !isfinite(simulated)) {
        e->incomparable += n;
        return;
    }
    exact_sum_add(&e->signal, signal);
    exact_sum_add(&e->noise, noise);
    exact_sum_add(&e->product, product);
    exact_sum_add(&e->simulated, simulated);
}

void value_error_merge(struct value_error *into, const struct value_error *from)
{
    exact_sum_merge(&into->signal, &from->signal);
    exact_sum_merge(&into->noise, &from->noise);
    exact_sum_merge(&into->product, &from->product);
    exact_sum_merge(&into->simulated, &from->simulated);
    into->elements += from->elements;
    into->clipped += from->clipped;
    into->incomparable += from->incomparable;
}

void value_error_normalise(struct value_error *e)
{
    exact_sum_normalise(&e->signal);
    exact_sum_normalise(&e->noise);
    exact_sum_normalise(&e->product);
    exact_sum_normalise(&e->simulated);
}

/* 10 log10(signal / noise). For reports only: nothing is decided by it, so libm may be used; rounded to 1e-6 dB so that
 * a last-bit difference of libm between machines cannot change a file. */
double value_error_sqnr_db(const struct value_error *e)
{
    double noise = exact_sum_value(&e->noise), signal = exact_sum_value(&e->signal);

    if (e->incomparable > 0)
        return NAN;
    if (noise <= 0)
        return INFINITY;
    if (signal <= 0)
        return -INFINITY;
    return round(10 * log10(signal / noise) * 1e6) / 1e6;
}

double value_error_cosine(const struct value_error *e)
{
    double xx = exact_sum_value(&e->signal), yy = exact_sum_value(&e->simulated), xy = exact_sum_value(&e->product);

    if (e->incomparable > 0)
        return NAN;
    if (xx <= 0 || yy <= 0)
        return xx <= 0 && yy <= 0 ? 1 : 0;
    return xy / (sqrt(xx) * sqrt(yy)); /* sqrt is correctly rounded everywhere */
}

size_t arg_max(const float *x, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[best]) && !isnan(x[i])))
            best = i;
    return best;
}

bool in_top_k(const float *x, size_t n, int64_t label, size_t k)
{
    size_t ahead = 0;

    if (label < 0 || (uint64_t)label >= n || isnan(x[label]))
        return false;
    for (size_t i = 0; i < n; i++)
        ahead += x[i] > x[label] || (x[i] == x[label] && i < (size_t)label);
    return ahead < k;
}
