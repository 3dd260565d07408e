/* threshold_samples.h — histograms of drawn values, and thresholds that methods find of them. */
#ifndef ETALON_TESTS_THRESHOLD_SAMPLES_H
#define ETALON_TESTS_THRESHOLD_SAMPLES_H

#include "coordinator/thresholds.h"

#include "../common/draw.h"
#include "common/plan.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum sample { NORMAL, RELU, LAPLACE, UNIFORM, PIXELS, OUTLIERS, N_KINDS };

static inline float random_value(enum sample kind)
{
    double normal = draw_normal(), u = draw_uniform(0, 1);

    switch (kind) {
    case RELU:
        return (float)fmax(normal, 0);
    case LAPLACE:
        return (float)copysign(-log(1 - u), normal);
    case UNIFORM:
        return (float)(2 * u - 1);
    case PIXELS: /* 256 different values: E(T) is jagged */
        return (float)(floor(u * 256) / 58.0 - 2.1);
    case OUTLIERS:
        return (float)(u < 1e-4 ? normal * 300 : normal);
    default:
        return (float)normal;
    }
}

static inline struct histogram observed(enum sample kind, size_t bins, size_t n, double unit)
{
    struct histogram h = {0};
    struct error err = {0};

    assert_int_equal(histogram_init(&h, bins, &err), 0);
    for (size_t i = 0; i < n; i++) {
        float x = (float)((double)random_value(kind) * unit);

        assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
    }
    return h;
}

static inline struct histogram of_values(size_t bins, const float *x, size_t n)
{
    struct histogram h = {0};
    struct error err = {0};

    assert_int_equal(histogram_init(&h, bins, &err), 0);
    assert_int_equal(histogram_observe(&h, x, n, &err), 0);
    return h;
}

static inline const struct threshold_method *method(const char *name)
{
    const struct threshold_method *found = threshold_method_find(name);

    assert_non_null(found);
    return found;
}

static inline struct threshold_request request_of(const struct histogram *h)
{
    return (struct threshold_request){.histogram = h, .steps = 127, .percentile = 0.999};
}

static inline float search(const char *name, const struct threshold_request *request)
{
    struct error err = {0};
    struct threshold_found found = {-1, NULL};

    assert_int_equal(method(name)->search(method(name), request, &found, &err), 0);
    return found.threshold;
}

static inline float decide(const char *name, const struct threshold_request *request, char decided[PLAN_METHOD_BYTES])
{
    struct error err = {0};
    float threshold = -1;

    assert_int_equal(threshold_decide(method(name), request, &threshold, decided, &err), 0);
    return threshold;
}

/* 100,000 values spread over [0, 1), `n` at 10. */
static inline struct histogram outliers_far_away(int n)
{
    struct histogram h = {0};
    struct error err = {0};

    draw_state = 8;
    assert_int_equal(histogram_init(&h, 2048, &err), 0);
    for (int i = 0; i < 100000 + n; i++) {
        float x = i < n ? 10 : (float)draw_uniform(0, 1);

        assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
    }
    return h;
}

#endif
