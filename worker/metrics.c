/* metrics.c — see metrics.h. */
#include "worker/metrics.h"

#include "common/isa.h"
#include "common/math.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Sums run in so many lanes, on every machine: in one, each addition waits for the last. */
enum { LANES = 8 };
typedef double double_lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef float float_lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int64_t int64_lanes __attribute__((vector_size(LANES * sizeof(int64_t))));

struct error_sums {
    double signal, noise, product, simulated, largest;
};

static double sum_lanes(const double_lanes *x)
{
    double sum = 0;

    for (size_t i = 0; i < LANES; i++)
        sum += (*x)[i];
    return sum;
}

/* n is a multiple of LANES. */
ISA_CLONES static void add_errors(const float *x, const float *y, size_t n, struct error_sums *sums)
{
    double_lanes signal = {0}, noise = {0}, product = {0}, simulated = {0}, largest = {0};
    const int64_lanes sign = (int64_lanes){0} + INT64_MIN;

    for (size_t i = 0; i < n; i += LANES) {
        float_lanes p, q;
        double_lanes a, b, d;
        int64_lanes magnitude, is_larger;

        memcpy(&p, x + i, sizeof p);
        memcpy(&q, y + i, sizeof q);
        a = __builtin_convertvector(p, double_lanes);
        b = __builtin_convertvector(q, double_lanes);
        d = a - b;
        signal += a * a;
        noise += d * d;
        product += a * b;
        simulated += b * b;
        magnitude = (int64_lanes)d & ~sign;
        is_larger = (double_lanes)magnitude > largest;
        largest = (double_lanes)((magnitude & is_larger) | ((int64_lanes)largest & ~is_larger));
    }
    sums->signal = sum_lanes(&signal);
    sums->noise = sum_lanes(&noise);
    sums->product = sum_lanes(&product);
    sums->simulated = sum_lanes(&simulated);
    for (size_t i = 0; i < LANES; i++)
        sums->largest = largest[i] > sums->largest ? largest[i] : sums->largest;
}

void value_error_add(struct value_error *e, const float *x, const float *y, size_t n, uint64_t clipped)
{
    struct error_sums sums = {0}, rest = {0};
    size_t whole = n / LANES * LANES;
    double signal, noise, product, simulated, largest;
    float last_x[LANES] = {0}, last_y[LANES] = {0}, rounded;
    uint32_t bits;

    add_errors(x, y, whole, &sums);
    memcpy(last_x, x + whole, (n - whole) * sizeof *x);
    memcpy(last_y, y + whole, (n - whole) * sizeof *y);
    add_errors(last_x, last_y, LANES, &rest);
    signal = sums.signal + rest.signal;
    noise = sums.noise + rest.noise;
    product = sums.product + rest.product;
    simulated = sums.simulated + rest.simulated;
    largest = fmax(sums.largest, rest.largest);
    rounded = (float)largest;
    memcpy(&bits, &rounded, sizeof bits);
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
    e->largest = bits > e->largest ? bits : e->largest;
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
    into->largest = from->largest > into->largest ? from->largest : into->largest;
    for (size_t i = 0; i < METRICS_CODES / 64; i++)
        into->used[i] |= from->used[i];
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

double value_error_mse(const struct value_error *e)
{
    return e->incomparable > 0 || e->elements == 0 ? NAN : exact_sum_value(&e->noise) / (double)e->elements;
}

double value_error_max(const struct value_error *e)
{
    uint32_t bits = (uint32_t)e->largest;
    float largest;

    memcpy(&largest, &bits, sizeof largest);
    return e->incomparable > 0 ? NAN : (double)largest;
}

size_t value_error_used_codes(const struct value_error *e)
{
    size_t n = 0;

    for (size_t i = 0; i < METRICS_CODES; i++)
        n += e->used[i / 64] >> i % 64 & 1;
    return n;
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

/* What scores are divided by to be probabilities: sum e^(x - max). */
static double partition(const float *x, size_t n, double max)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += math_exp((double)x[i] - max);
    return sum;
}

static double divergence_of_probabilities(const float *p, const float *q, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        if (p[i] >= FLT_MIN)
            sum += (double)p[i] * (math_log((double)p[i]) - math_log((double)(q[i] >= FLT_MIN ? q[i] : FLT_MIN)));
    return sum;
}

/* ln p - ln q is a difference of logits, less that of the logarithms of both sums. */
static double divergence_of_logits(const float *p, const float *q, size_t n)
{
    double p_max = (double)p[arg_max(p, n)], q_max = (double)q[arg_max(q, n)];
    double p_sum = partition(p, n, p_max), q_sum = partition(q, n, q_max);
    double shift = q_max + math_log(q_sum) - p_max - math_log(p_sum), sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += math_exp((double)p[i] - p_max) / p_sum * ((double)p[i] - (double)q[i] + shift);
    return sum;
}

double output_divergence(const float *p, const float *q, size_t n, bool are_probabilities)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p[i]) || !isfinite(q[i]))
            return NAN;
    return n == 0 ? 0 : are_probabilities ? divergence_of_probabilities(p, q, n) : divergence_of_logits(p, q, n);
}

double standard_error(uint64_t hits, uint64_t n)
{
    double a = (double)hits / (double)n;

    return n == 0 ? NAN : sqrt(a * (1 - a) / (double)n);
}

/* 2 sum over i <= min(lost, gained) of C(n, i) / 2^n, from the largest term down; it is formed as a logarithm, since
 * 2^-n alone is 0 from n = 1,075. */
double mcnemar_p(uint64_t lost, uint64_t gained)
{
    uint64_t n = lost + gained, least = lost < gained ? lost : gained;
    double log_term = -(double)n * math_log(2), term, sum = 0;

    if (lost == gained)
        return 1;
    for (uint64_t i = 1; i <= least; i++)
        log_term += math_log((double)(n - least + i) / (double)i);
    term = math_exp(log_term);
    for (uint64_t i = least + 1; i-- > 0 && term > 0;) {
        sum += term;
        term *= (double)i / (double)(n - i + 1);
    }
    return fmin(2 * sum, 1);
}
