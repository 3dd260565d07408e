/* aciq.c — clips where a Laplace or Gauss density with the moments of the values would best be clipped (Banner, Nahshan
 * and Soudry, Post training 4-bit quantization of convolutional networks for rapid-deployment, 2019, arXiv:1810.05723).
 *
 * Of values that are never negative, non-zero ones are taken for half of a density around zero: the zeros of a ReLU are
 * no part of its shape. Of others, b = E|X - E X| and sigma are those of all finite values.
 */
#include "coordinator/thresholds/aciq.h"

#include "common/math.h"
#include "coordinator/thresholds/magnitudes.h"

#include <math.h>

/* w + ln w = ln x by Newton's method, concave in w: from below it climbs to the root. x >= 12 x 2^2. */
double aciq_laplace_ratio(double codes)
{
    double log_x = math_log(12 * codes * codes), w = 1;

    for (int i = 0; i < 50; i++)
        w = w * (1 + log_x - math_log(w)) / (1 + w);
    return w;
}

/* phi(r) - r Q(r), r >= 1. Q(r) = phi(r) / (r + 1 / (r + 2 / (r + 3 / ...))). */
static double normal_excess(double r)
{
    const double inverse_sqrt_2_pi = 0x1.9884533d43651p-2;
    double density = inverse_sqrt_2_pi * math_exp(-r * r / 2), fraction = r;

    for (int k = 300; k >= 1; k--)
        fraction = r + k / fraction;
    return density - r * (density / fraction);
}

/* The left side rises with r, the right side falls: bisection down to neighbouring doubles. */
double aciq_gauss_ratio(double codes)
{
    double low = 1, high = 40, slope = 1 / (6 * codes * codes);

    for (int i = 0; i < 60; i++) {
        double r = (low + high) / 2;

        if (slope * r < 4 * normal_excess(r))
            low = r;
        else
            high = r;
    }
    return low;
}

struct shape {
    double deviation, sigma; /* E|X - centre|, root of E(X - centre)^2, in bins */
};

static struct shape shape_of(const struct signed_counts *s)
{
    double origin = (double)s->origin, n = (double)s->total, sum = 0, absolute = 0, square = 0, mean = 0;
    bool is_one_sided = s->low >= origin;

    if (!is_one_sided) {
        n += (double)s->zeros;
        for (size_t k = 0; k < s->bins; k++)
            sum += (double)s->count[k] * ((double)k + 0.5 - origin);
        mean = sum / n;
        absolute = (double)s->zeros * fabs(mean);
        square = (double)s->zeros * mean * mean;
    }
    for (size_t k = 0; k < s->bins; k++) {
        double count = (double)s->count[k], distance = (double)k + 0.5 - origin - mean;

        absolute += count * fabs(distance);
        square += count * distance * distance;
    }
    return (struct shape){absolute / n, sqrt(square / n)};
}

enum family { LAPLACE, GAUSS, NEARER };

/* E|X - E X| / sigma is sqrt(2 / pi) = 0.7979 of a Gauss density and sqrt(1/2) = 0.7071 of a Laplace one. */
static enum family nearer_family(const struct shape *shape)
{
    const double middle = (0x1.988453p-1 + 0x1.6a09e6p-1) / 2;

    return shape->deviation > middle * shape->sigma ? GAUSS : LAPLACE;
}

static const enum family laplace = LAPLACE, gauss = GAUSS, nearer = NEARER;

static int search(const struct threshold_method *method, const struct threshold_request *request,
                  struct threshold_found *found, struct error *err)
{
    enum family family = *(const enum family *)method->parameters;
    double codes = (double)request->steps + 1;
    struct signed_counts s = {0};
    struct magnitudes m;
    int rc;

    if (magnitudes_init(&m, request, err) != 0)
        return -1;
    rc = signed_counts_init(&s, request, err);
    if (rc == 0) {
        struct shape shape = shape_of(&s);

        if (family == NEARER)
            family = nearer_family(&shape);
        found->threshold = magnitudes_threshold(&m, family == GAUSS ? aciq_gauss_ratio(codes) * shape.sigma
                                                                    : aciq_laplace_ratio(codes) * shape.deviation);
    }
    signed_counts_fini(&s);
    magnitudes_fini(&m);
    return rc;
}

#define ACIQ(id, text, says, row)                                                                                      \
    const struct threshold_method threshold_method_##id = {                                                            \
        .name = text, .summary = says, .minimizes_error = true, .parameters = &(row), .search = search}

ACIQ(aciq, "aciq", "clip of the nearer of a Laplace and a Gauss density (Banner 2019)", nearer);
ACIQ(aciq_laplace, "aciq-laplace", "clip of a Laplace density with the values' mean deviation", laplace);
ACIQ(aciq_gauss, "aciq-gauss", "clip of a Gauss density with the values' standard deviation", gauss);
