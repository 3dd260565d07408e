/* admm.c — alternating between codes and scale (Leng 2018, arXiv:1707.09870), from several starts.
 *
 * Each half step minimises the squared error in one variable, so the error never rises and, codes being finitely many,
 * the run ends; but in a local optimum. The usual single start, max|w| / (1.25 limit), can end worse than max-abs
 * (calibration.md section 8), hence the others, and max-abs itself as the one to beat.
 */
#include "coordinator/weights.h"

#include "common/quant.h"
#include "coordinator/weights/tnn_tool.h"

#include <math.h>

enum { MAX_ROUNDS = 1000, GRID = 51 };

/* What codes of scale a say about the best scale: correlation = sum w q, power = sum q^2. */
struct fit {
    double correlation, power;
};

static struct fit fit_codes(const float *w, size_t n, int32_t limit, double a)
{
    struct fit fit = {0};

    for (size_t i = 0; i < n; i++) {
        double steps = fmin(fmax((double)w[i] / a, -limit), limit), q = round_to_integer(steps, ROUND_HALF_AWAY);

        fit.correlation += (double)w[i] * q;
        fit.power += q * q;
    }
    return fit;
}

double weight_alternate(const float *w, size_t n, int32_t limit, double start)
{
    double a = start;
    struct fit last = {0};

    /* Equal codes give equal fits, and an equal fit the same scale: that is the fixed point. Typically 2 to 15 rounds.
     */
    for (int round = 0; round < MAX_ROUNDS; round++) {
        struct fit fit = fit_codes(w, n, limit, a);

        if (fit.power == 0 || (fit.correlation == last.correlation && fit.power == last.power))
            break;
        a = fit.correlation / fit.power;
        last = fit;
    }
    return a;
}

/* The scale f max|w| / limit, f = 0.50, 0.51 ... 1.00, whose codes and their best scale leave the least error. */
static double best_of_grid(const float *w, size_t n, int32_t limit, double no_clip)
{
    double best = no_clip, most = 0;

    for (int i = 0; i < GRID; i++) {
        double a = no_clip * (0.5 + 0.01 * i);
        struct fit fit = fit_codes(w, n, limit, a);

        /* ||w - a q||^2 at its best a is ||w||^2 - correlation^2 / power */
        if (fit.power > 0 && fit.correlation / fit.power * fit.correlation > most) {
            most = fit.correlation / fit.power * fit.correlation;
            best = a;
        }
    }
    return best;
}

static int search(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    double no_clip;

    if (weight_scale_max_abs(w, n, limit, scale, err) != 0)
        return -1;
    no_clip = (double)*scale;

    double starts[] = {no_clip, no_clip / 1.25, no_clip * 0.9, best_of_grid(w, n, limit, no_clip)};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        weight_scale_improve(w, n, limit, weight_alternate(w, n, limit, starts[i]), scale);
    return 0;
}

const struct weight_method weight_method_admm = {
    .name = "admm",
    .summary = "alternating codes and scale to a fixed point, four starts (Leng 2018)",
    .beats_max_abs = true,
    .search = search,
    .in_tnn = &tnn_tool_admm,
};
