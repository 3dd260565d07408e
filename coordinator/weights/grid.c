/* grid.c — the best of evenly spaced parts of the max-abs scale: what most tools mean by MSE weights. */
#include "coordinator/weights.h"

/* 0.500 to 1.000 of it in steps of 0.005 (calibration.md section 8). */
enum { FIRST = 100, LAST = 200 };

static int search(const float *w, size_t n, int32_t limit, float *scale, struct error *err)
{
    double no_clip;

    if (weight_scale_max_abs(w, n, limit, scale, err) != 0)
        return -1;
    no_clip = (double)*scale;
    for (int part = FIRST; part < LAST; part++)
        weight_scale_improve(w, n, limit, no_clip * part / LAST, scale);
    return 0;
}

const struct weight_method weight_method_grid = {
    .name = "grid",
    .summary = "least squared error of 101 scales, 0.500 to 1.000 of max-abs",
    .beats_max_abs = true,
    .search = search,
};
