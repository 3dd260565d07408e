/* Tests of weights.h: known answers, the guarantee, and the sweep against a scan of every interval. */
#include "coordinator/weights.h"

#include "../common/draw.h"
#include "common/quant.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The example of calibration.md section 8. */
static const float example[] = {-1, -.6F, -.33F, -.1F, .05F, .2F, .47F, .9F};
enum { EXAMPLE_N = sizeof example / sizeof *example };

/* Normal; one in `outliers` ten times larger (0: none). */
static void random_weights(float *w, size_t n, unsigned outliers)
{
    for (size_t i = 0; i < n; i++) {
        bool is_outlier = outliers != 0 && draw_below(outliers) == 0;

        w[i] = (float)(draw_normal() * (is_outlier ? 0.4 : 0.04));
    }
}

static const struct weight_method *method(const char *name)
{
    const struct weight_method *found = weight_method_find(name);

    assert_non_null(found);
    return found;
}

static float search(const char *name, const float *w, size_t n, int32_t limit)
{
    struct error err = {0};
    float scale = -1;

    assert_int_equal(method(name)->search(w, n, limit, &scale, &err), 0);
    return scale;
}

/* sum (w - a clamp(round(w / a)))^2 in plain double arithmetic. */
static double error_at(const float *w, size_t n, int32_t limit, double a)
{
    double error = 0;

    for (size_t i = 0; i < n; i++) {
        double q = fmin(fmax(round((double)w[i] / a), -limit), limit), miss = (double)w[i] - a * q;

        error += miss * miss;
    }
    return error;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* The least error of all scales: between neighbouring breakpoints codes are constant, so the codes at the middle of
 * each interval, with their own best scale, are all there is. O(n^2 limit). */
static double least_error(const float *w, size_t n, int32_t limit)
{
    size_t count = n * (size_t)limit;
    double *points = malloc((count + 1) * sizeof *points), least = INFINITY;

    assert_non_null(points);
    for (size_t i = 0; i < n; i++) {
        for (int32_t m = 0; m < limit; m++)
            points[i * (size_t)limit + (size_t)m] = fabs((double)w[i]) / (m + 0.5);
    }
    points[count] = 0;
    qsort(points, count + 1, sizeof *points, descending);
    for (size_t k = 0; k < count; k++) {
        double a = (points[k] + points[k + 1]) / 2, correlation = 0, power = 0;

        if (a == 0)
            break;
        for (size_t i = 0; i < n; i++) {
            double q = fmin(fmax(round((double)w[i] / a), -limit), limit);

            correlation += (double)w[i] * q;
            power += q * q;
        }
        if (power > 0)
            least = fmin(least, error_at(w, n, limit, correlation / power));
    }
    free(points);
    return least;
}

static void assert_codes(const float *w, size_t n, int32_t limit, float scale, const int16_t *expected)
{
    int16_t codes[64];

    weight_codes(w, n, limit, scale, codes);
    assert_memory_equal(codes, expected, n * sizeof *codes);
}

static void alternation_gives_the_known_answers(void **state)
{
    static const struct {
        int32_t limit;
        double start, a, error;
        int16_t codes[EXAMPLE_N];
    } rows[] = {
        {127, 1 / (1.25 * 127), 0.0078395300, 6.26276e-5, {-127, -77, -42, -13, 6, 26, 60, 115}},
        {127, 1.0 / 127, 0.0078807641, 3.57440e-5, {-127, -76, -42, -13, 6, 25, 60, 114}},
        {7, 1 / (1.25 * 7), 0.1285620915, 0.0234836601, {-7, -5, -3, -1, 0, 2, 4, 7}},
        {7, 1.0 / 7, 0.1480172414, 0.0108439655, {-7, -4, -2, -1, 0, 1, 3, 6}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double a = weight_alternate(example, EXAMPLE_N, rows[i].limit, rows[i].start);

        assert_true(fabs(a - rows[i].a) < 1e-9);
        assert_true(fabs(error_at(example, EXAMPLE_N, rows[i].limit, a) / rows[i].error - 1) < 1e-4);
        assert_codes(example, EXAMPLE_N, rows[i].limit, (float)a, rows[i].codes);
    }
}

static void max_abs_gives_the_known_errors(void **state)
{
    (void)state;
    assert_true(search("maxabs", example, EXAMPLE_N, 127) == 1.0F / 127);
    assert_true(fabs(weight_codes(example, EXAMPLE_N, 127, 1.0F / 127, NULL) / 3.76155e-5 - 1) < 1e-4);
    assert_true(fabs(weight_codes(example, EXAMPLE_N, 7, 1.0F / 7, NULL) / 0.0139326531 - 1) < 1e-6);
}

static void the_sweep_gives_the_known_answers(void **state)
{
    static const int16_t fine[] = {-100, -60, -33, -10, 5, 20, 47, 90}, coarse[] = {-7, -4, -2, -1, 0, 1, 3, 6};
    float scale = search("sweep", example, EXAMPLE_N, 127);

    (void)state;
    assert_true(fabs((double)scale - 0.01) < 1e-8);
    assert_codes(example, EXAMPLE_N, 127, scale, fine);
    assert_true(weight_codes(example, EXAMPLE_N, 127, scale, NULL) < 1e-13);
    scale = search("sweep", example, EXAMPLE_N, 7);
    assert_true(fabs((double)scale - 0.1480172414) < 1e-7);
    assert_codes(example, EXAMPLE_N, 7, scale, coarse);
    assert_true(fabs(weight_codes(example, EXAMPLE_N, 7, scale, NULL) / 0.0108439655 - 1) < 1e-6);
}

static void the_sweep_finds_the_least_error_of_all_scales(void **state)
{
    static const int32_t limits[] = {1, 3, 7, 31, 127};
    float w[40];

    (void)state;
    draw_state = 1;
    for (int round = 0; round < 200; round++) {
        int32_t limit = limits[round % 5];
        size_t n = 1 + draw_below(limit > 7 ? 12 : 40);
        double least, found, unit = ldexp(1, round % 40 * 4 - 80);

        random_weights(w, n, round % 3 == 0 ? 8 : 0);
        if (round % 4 == 0) { /* many equal breakpoints, codes that fit exactly */
            for (size_t i = 0; i < n; i++)
                w[i] = roundf(w[i] * 100) / 64;
        }
        for (size_t i = 0; i < n; i++)
            w[i] = (float)((double)w[i] * unit);
        found = weight_codes(w, n, limit, search("sweep", w, n, limit), NULL);
        least = least_error(w, n, limit);
        /* The scale is rounded to a float: |da| / a <= 2^-24 costs sum (a q)^2 2^-48 on top of the optimum. */
        if (isfinite(least)) {
            double energy = 0;

            for (size_t i = 0; i < n; i++)
                energy += (double)w[i] * (double)w[i];
            assert_true(found <= least * (1 + 1e-9) + 4 * energy * 0x1p-48);
        }
    }
}

static void no_scan_beats_the_sweep_on_a_large_group(void **state)
{
    enum { N = 4608 };
    static float w[N];

    (void)state;
    draw_state = 2;
    for (int round = 0; round < 3; round++) {
        float scale;
        double found;

        random_weights(w, N, round == 0 ? 0 : 1000);
        scale = search("sweep", w, N, 127);
        found = weight_codes(w, N, 127, scale, NULL);
        for (double f = 0.2; f < 8; f *= 1.003)
            assert_true(found <= error_at(w, N, 127, (double)scale * f) * (1 + 1e-9));
    }
}

static void the_sweep_takes_the_finest_of_equal_scales(void **state)
{
    static const float halves[] = {0.5F, -0.25F, 0}, single[] = {-0.3F};
    static const int16_t halves_codes[] = {126, -63, 0}, single_code[] = {-127};

    (void)state;
    assert_codes(halves, 3, 127, search("sweep", halves, 3, 127), halves_codes);
    assert_true(weight_codes(halves, 3, 127, search("sweep", halves, 3, 127), NULL) < 1e-14);
    assert_codes(single, 1, 127, search("sweep", single, 1, 127), single_code);
}

/* The sweep takes breakpoints in windows of about a million: this needs several. */
static void windows_do_not_change_the_sweep(void **state)
{
    enum { SMALL = 500, COPIES = 200 };
    float *w = malloc((size_t)SMALL * COPIES * sizeof *w), once, repeated;

    (void)state;
    assert_non_null(w);
    draw_state = 3;
    random_weights(w, SMALL, 0);
    for (size_t copy = 1; copy < COPIES; copy++)
        memcpy(w + copy * SMALL, w, SMALL * sizeof *w);
    once = search("sweep", w, SMALL, 127);
    repeated = search("sweep", w, (size_t)SMALL * COPIES, 127);
    assert_true(fabsf(once / repeated - 1) < 1e-6F);
    free(w);
}

static void no_method_is_worse_than_max_abs(void **state)
{
    float w[300];

    (void)state;
    draw_state = 4;
    for (int round = 0; round < 300; round++) {
        static const int32_t limits[] = {1, 7, 63, 127};
        size_t n = 1 + draw_below(299);
        int32_t limit = limits[round % 4];
        float reference;

        random_weights(w, n, (unsigned)(round % 5) * 20);
        reference = search("maxabs", w, n, limit);
        for (const struct weight_method *const *m = weight_methods; *m != NULL; m++) {
            float scale = search((*m)->name, w, n, limit);

            assert_true(isnormal(scale) && scale > 0);
            assert_true(!(*m)->beats_max_abs ||
                        weight_codes(w, n, limit, scale, NULL) <= weight_codes(w, n, limit, reference, NULL));
        }
        assert_true(weight_codes(w, n, limit, search("sweep", w, n, limit), NULL) <=
                    weight_codes(w, n, limit, search("admm", w, n, limit), NULL) * (1 + 1e-9));
    }
}

static void the_grid_finds_the_best_of_its_scales(void **state)
{
    float w[200];

    (void)state;
    draw_state = 6;
    for (int round = 0; round < 50; round++) {
        float found, max_abs;
        double least = INFINITY;

        random_weights(w, 200, (unsigned)(round % 3) * 30);
        found = search("grid", w, 200, 127);
        max_abs = search("maxabs", w, 200, 127);
        for (int part = 0; part <= 100; part++)
            least = fmin(least, error_at(w, 200, 127, (double)max_abs * (0.5 + 0.005 * part)));
        assert_true(fabs(weight_codes(w, 200, 127, found, NULL) / least - 1) < 1e-5);
        assert_true(found >= max_abs * 0.4999F && found <= max_abs);
    }
}

static double weighted_error_at(const float *w, const double *importance, size_t n, double scale)
{
    int16_t codes[200];
    double error = 0;

    weight_codes(w, n, 127, (float)scale, codes);
    for (size_t i = 0; i < n; i++)
        error += pow((double)w[i] - (double)(float)scale * codes[i], 2) * importance[i];
    return error;
}

static void the_weighted_grid_finds_the_best_scale_that_max_abs_does_not_beat(void **state)
{
    const struct weight_method *weighted = method("grid-output");
    struct error err = {0};
    double importance[200];
    float w[200], found;

    (void)state;
    draw_state = 16;
    for (int round = 0; round < 50; round++) {
        double least = INFINITY, plain;
        float max_abs;

        random_weights(w, 200, (unsigned)(round % 3) * 30);
        max_abs = search("maxabs", w, 200, 127);
        plain = weight_codes(w, 200, 127, max_abs, NULL);
        for (size_t i = 0; i < 200; i++)
            importance[i] = round < 5 ? 3 : pow(draw_uniform(0, 2), 6);
        assert_int_equal(weighted->search_weighted(w, importance, 200, 127, &found, &err), 0);
        for (int part = 100; part <= 200; part++) {
            double scale = (double)max_abs * part / 200;

            if (error_at(w, 200, 127, scale) <= plain)
                least = fmin(least, weighted_error_at(w, importance, 200, scale));
        }
        assert_true(fabs(weighted_error_at(w, importance, 200, (double)found) / least - 1) < 1e-9);
        assert_true(weight_codes(w, 200, 127, found, NULL) <= plain);
        if (round < 5)
            assert_true(found == search("grid", w, 200, 127));
    }
}

static void power2_finds_the_best_power_of_two(void **state)
{
    static const float ones[] = {1, -1, 1};
    float w[200];

    (void)state;
    draw_state = 7;
    for (int round = 0; round < 50; round++) {
        float found;
        int exponent;

        random_weights(w, 200, (unsigned)(round % 3) * 30);
        found = search("power2", w, 200, 127);
        assert_true(frexpf(found, &exponent) == 0.5F);
        for (int e = -30; e < 10; e++)
            assert_true(weight_codes(w, 200, 127, found, NULL) <= weight_codes(w, 200, 127, ldexpf(1, e), NULL));
    }
    assert_true(search("power2", ones, 3, 127) == 0x1p-6F); /* of scales without any error the largest */
    assert_true(search("power2", ones, 3, 1) == 1);         /* max-abs is one already */
}

static void scaling_the_weights_scales_the_scale(void **state)
{
    float w[64], scaled[64];

    (void)state;
    draw_state = 5;
    for (int j = -60; j <= 60; j += 7) {
        random_weights(w, 64, 10);
        for (size_t i = 0; i < 64; i++)
            scaled[i] = ldexpf(w[i], j);
        for (const struct weight_method *const *m = weight_methods; *m != NULL; m++)
            assert_true(search((*m)->name, scaled, 64, 127) == ldexpf(search((*m)->name, w, 64, 127), j));
    }
}

static void odd_groups_get_a_normal_scale(void **state)
{
    static const struct {
        float w[3];
        size_t n;
    } rows[] = {
        {{0, 0, 0}, 3},
        {{-0.0F}, 1},
        {{FLT_TRUE_MIN, -FLT_TRUE_MIN, 0}, 3},
        {{FLT_TRUE_MIN * 1000, FLT_TRUE_MIN * 3, 0}, 3},
        {{FLT_MIN, FLT_MIN / 2, FLT_MIN / 3}, 3},
        {{FLT_MAX, -FLT_MAX, FLT_MAX}, 3},
        {{FLT_MAX, FLT_TRUE_MIN, 1}, 3},
        {{FLT_MAX / 3, FLT_MAX, FLT_MAX / 7}, 3},
        {{5}, 1},
        {{-3, -3, -3}, 3},
        {{1, 0, 0}, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (const struct weight_method *const *m = weight_methods; *m != NULL; m++) {
            float scale = search((*m)->name, rows[i].w, rows[i].n, 127);

            assert_true(isnormal(scale) && scale > 0);
            assert_true(isfinite(weight_codes(rows[i].w, rows[i].n, 127, scale, NULL)));
            assert_true(isnormal(search((*m)->name, rows[i].w, rows[i].n, 1)));
        }
    }
    assert_true(search("sweep", rows[0].w, 3, 127) == 1);
    assert_true(search("maxabs", rows[0].w, 0, 127) == 1);
}

static void weights_that_are_not_finite_are_data_errors(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (const struct weight_method *const *m = weight_methods; *m != NULL; m++) {
            const float w[] = {1, 2, bad[i], 3};
            struct error err = {0};
            float scale = -1;

            assert_int_equal((*m)->search(w, 4, 127, &scale, &err), -1);
            assert_int_equal(err.code, EX_DATAERR);
            assert_non_null(strstr(err.text, "weight 2 of 4"));
        }
    }
}

static void methods_are_found_by_name(void **state)
{
    (void)state;
    for (const struct weight_method *const *m = weight_methods; *m != NULL; m++) {
        assert_ptr_equal(weight_method_find((*m)->name), *m);
        assert_true(strlen((*m)->summary) > 10);
    }
    assert_null(weight_method_find("no such method"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternation_gives_the_known_answers),
        cmocka_unit_test(max_abs_gives_the_known_errors),
        cmocka_unit_test(the_sweep_gives_the_known_answers),
        cmocka_unit_test(the_sweep_finds_the_least_error_of_all_scales),
        cmocka_unit_test(no_scan_beats_the_sweep_on_a_large_group),
        cmocka_unit_test(the_sweep_takes_the_finest_of_equal_scales),
        cmocka_unit_test(windows_do_not_change_the_sweep),
        cmocka_unit_test(no_method_is_worse_than_max_abs),
        cmocka_unit_test(the_grid_finds_the_best_of_its_scales),
        cmocka_unit_test(the_weighted_grid_finds_the_best_scale_that_max_abs_does_not_beat),
        cmocka_unit_test(power2_finds_the_best_power_of_two),
        cmocka_unit_test(scaling_the_weights_scales_the_scale),
        cmocka_unit_test(odd_groups_get_a_normal_scale),
        cmocka_unit_test(weights_that_are_not_finite_are_data_errors),
        cmocka_unit_test(methods_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
