/* round_codes.c — see round_codes.h. */
#include "coordinator/round_codes.h"

#include "common/quant.h"

#include <math.h>
#include <string.h>

/* A step lowers the error, so rounds over all codes end by themselves, mostly after 3 to 10 of them. */
enum { MAX_ROUNDS = 1000 };

/* gradient = H (c - v), half of the derivative by c. */
static void find_gradient(const double *v, size_t n, double scale, const double *h, const int16_t *codes,
                          double *gradient)
{
    memset(gradient, 0, n * sizeof *gradient);
    for (size_t i = 0; i < n; i++) {
        double miss = scale * codes[i] - v[i];

        for (size_t j = 0; j < n; j++)
            gradient[j] += miss * h[i * n + j];
    }
}

size_t round_codes(const double *v, size_t n, double scale, int32_t limit, const double *h, double *gradient,
                   int16_t *codes)
{
    size_t moved = 0, before = SIZE_MAX;

    find_gradient(v, n, scale, h, codes, gradient);
    for (int round = 0; round < MAX_ROUNDS && moved != before; round++) {
        before = moved;
        for (size_t i = 0; i < n; i++) {
            double best = codes[i] - gradient[i] / (h[i * n + i] * scale), step;
            double code = round_to_integer(fmin(fmax(best, -limit), limit), ROUND_HALF_AWAY);

            /* The nearer of two codes must be nearer by more than the arithmetic errs. */
            if (code == codes[i] || fabs(best - codes[i]) < 0.5 + 1e-9)
                continue;
            step = scale * (code - codes[i]);
            for (size_t j = 0; j < n; j++)
                gradient[j] += step * h[i * n + j];
            codes[i] = (int16_t)code;
            moved++;
        }
    }
    return moved;
}

double round_codes_error(const double *v, size_t n, double scale, const double *h, const int16_t *codes)
{
    double error = 0;

    for (size_t i = 0; i < n; i++) {
        double along = 0;

        for (size_t j = 0; j < n; j++)
            along += h[i * n + j] * (scale * codes[j] - v[j]);
        error += along * (scale * codes[i] - v[i]);
    }
    return error;
}
