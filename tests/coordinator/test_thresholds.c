/* Tests of thresholds.h and of the searches behind it: known answers, invariants, plain references. */
#include "threshold_samples.h"

/* E(T) by brute force: the midpoints of `parts` slices of each bin, each rounded to its code. */
static double sliced_error(const struct threshold_request *request, double threshold, int parts)
{
    const struct histogram *h = request->histogram;
    double s = threshold / request->steps, error = 0;

    for (size_t k = 0; k < h->bins; k++) {
        double count = (double)h->positive[k] + (h->negative != NULL ? (double)h->negative[k] : 0), sum = 0;

        for (int part = 0; part < parts && count > 0; part++) {
            double x = ldexp((double)k + (part + 0.5) / parts, h->exponent);
            double miss = x - s * fmin(floor(x / s + 0.5), request->steps);

            sum += miss * miss;
        }
        error += count * sum / parts;
    }
    return error;
}

static void squared_error_is_the_integral_over_each_bin(void **state)
{
    (void)state;
    draw_state = 1;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = observed((enum sample)kind, 256, 2000, 3);
        struct threshold_request request = request_of(&h);
        double limit = (double)threshold_limit(&request);

        request.steps = 15;
        for (double f = 0.02; f <= 1; f *= 1.31) {
            double exact = threshold_squared_error(&request, limit * f),
                   sliced = sliced_error(&request, limit * f, 400);

            assert_true(fabs(exact / sliced - 1) < 1e-3);
        }
        histogram_fini(&h);
    }
}

static void squared_error_of_one_bin_is_the_textbook_integral(void **state)
{
    float x = 5.5F;
    struct histogram h = of_values(8, &x, 1); /* one value in [5, 6) */
    struct threshold_request request = {.histogram = &h, .steps = 2};

    (void)state;
    assert_int_equal(h.exponent, 0);
    /* T = 4: everything becomes 4. ((6 - 4)^3 - (5 - 4)^3) / 3 */
    assert_true(fabs(threshold_squared_error(&request, 4) - 7.0 / 3) < 1e-14);
    /* T = 5.5: ((1/2)^3 + (1/2)^3) / 3 */
    assert_true(fabs(threshold_squared_error(&request, 5.5) - 1.0 / 12) < 1e-14);
    /* T = 7.5, s = 3.75, codes change at 5.625: ((5.625 - 3.75)^3 - (5 - 3.75)^3 + (6 - 7.5)^3 - (5.625 - 7.5)^3) / 3
     */
    assert_true(fabs(threshold_squared_error(&request, 7.5) -
                     (pow(1.875, 3) - pow(1.25, 3) - pow(1.5, 3) + pow(1.875, 3)) / 3) < 1e-13);
    histogram_fini(&h);
}

/* Every edge, and the largest value, by the plain formula. */
static double least_squared_error(const struct threshold_request *request)
{
    double least = threshold_squared_error(request, (double)threshold_limit(request));
    double limit = (double)threshold_limit(request), width = ldexp(1, request->histogram->exponent);

    for (double t = width * fmin(request->steps, ceil(limit / width / 2)); t <= limit; t += width)
        least = fmin(least, threshold_squared_error(request, t));
    return least;
}

static void mse_finds_the_least_squared_error_of_all_edges(void **state)
{
    (void)state;
    draw_state = 2;
    for (int kind = 0; kind < N_KINDS; kind++) {
        for (int32_t steps = 7; steps <= 255; steps = 2 * steps + 1) {
            struct histogram h = observed((enum sample)kind, 1024, 3000, 0.37);
            struct threshold_request request = request_of(&h);
            double found;

            request.steps = steps;
            request.is_unsigned = kind == RELU;
            found = threshold_squared_error(&request, (double)search("mse", &request));
            assert_true(found <= least_squared_error(&request) * (1 + 1e-6));
            histogram_fini(&h);
        }
    }
}

/* The search subtracts large terms; counts near the top of their range must not drown the result. */
static void mse_is_precise_with_large_counts(void **state)
{
    struct histogram h = {.bins = 8192, .exponent = -10, .positive = calloc(8192, sizeof(uint64_t)), .max = 7.9995F};
    struct threshold_request request = request_of(&h);

    (void)state;
    assert_non_null(h.positive);
    h.min = 0;
    for (size_t k = 0; k < h.bins; k++)
        h.n += h.positive[k] = (uint64_t)(0x1p54 * exp(-(double)k / 300)) + 1;
    h.positive[8191] = 1;
    double found = threshold_squared_error(&request, (double)search("mse", &request));

    assert_true(found <= least_squared_error(&request) * (1 + 1e-6));
    free(h.positive);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void percentile_is_within_one_bin_of_the_order_statistic(void **state)
{
    enum { N = 5000 };
    static const double fractions[] = {1 - 0x1p-1, 1 - 0x1p-2, 1 - 0x1p-4, 1 - 0x1p-7, 1 - 0x1p-10, 1};
    float x[N];

    (void)state;
    draw_state = 5;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = {0};
        struct threshold_request request = request_of(&h);

        for (size_t i = 0; i < N; i++)
            x[i] = random_value((enum sample)kind);
        h = of_values(8192, x, N);
        for (size_t i = 0; i < N; i++)
            x[i] = fabsf(x[i]);
        qsort(x, N, sizeof *x, ascending);
        for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
            size_t rank = (size_t)ceil(fractions[i] * N);
            double found;

            if (x[rank - 1] == 0) /* more than half zeros after a ReLU */
                continue;
            request.percentile = fractions[i];
            found = (double)search("percentile", &request);
            assert_true(fabs(found - (double)x[rank - 1]) <= ldexp(1, h.exponent));
        }
        assert_true(search("percentile", &request) == x[N - 1]);
        histogram_fini(&h);
    }
}

static void percentile_ranks_are_exact(void **state)
{
    /* 0.1 is a little more than a tenth: of 10 values, rank ceil(1.00...005) = 2; 0.5 of 10 is rank 5. */
    static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct histogram h = of_values(16, x, 10);
    struct threshold_request request = request_of(&h);

    (void)state;
    request.percentile = 0.5;
    assert_true(search("percentile", &request) == 6); /* all of bin [5, 6) */
    request.percentile = 0.1;
    assert_true(search("percentile", &request) == 3);
    request.percentile = nextafter(0.1, 0);
    assert_true(search("percentile", &request) == 2);
    request.percentile = DBL_TRUE_MIN;
    assert_true(search("percentile", &request) == 2);
    histogram_fini(&h);

    /* Counts beyond 2^53: p N = 0.75 x 2^60 exactly, the last value of bin 2. */
    uint64_t counts[4] = {(uint64_t)1 << 58, (uint64_t)1 << 58, (uint64_t)1 << 58, (uint64_t)1 << 58};
    struct histogram large = {.bins = 4, .positive = counts, .n = (uint64_t)1 << 60, .max = 3.5F};

    request = request_of(&large);
    request.percentile = 0.75;
    assert_true(search("percentile", &request) == 3);
}

static void percentile_counts_zeros(void **state)
{
    static const float x[] = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4};
    struct histogram h = of_values(8, x, 10);
    struct threshold_request request = request_of(&h);

    (void)state;
    request.percentile = 0.75;
    assert_true(search("percentile", &request) == 2.5F || search("percentile", &request) == 3);
    request.percentile = 0.3; /* a zero: the smallest magnitude stands in */
    assert_true(search("percentile", &request) > 0);
    histogram_fini(&h);
}

static void min_max_is_the_largest_magnitude(void **state)
{
    static const float x[] = {-7.25F, 3.5F, 0};
    struct histogram h = of_values(64, x, 3);
    struct threshold_request request = request_of(&h);

    (void)state;
    assert_true(search("minmax", &request) == 7.25F);
    request.is_unsigned = true;
    assert_true(search("minmax", &request) == 3.5F);
    histogram_fini(&h);
}

/* Same draws, other unit: every method must give the same threshold in that unit, to the bit. */
static void scaling_the_values_scales_every_threshold(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
            for (int j = -90; j <= 90; j += 45) {
                struct histogram plain = {0}, scaled = {0};
                struct threshold_request request = request_of(&plain), other = request_of(&scaled);

                draw_state = 6;
                plain = observed((enum sample)kind, 2048, 2000, 1);
                draw_state = 6;
                scaled = observed((enum sample)kind, 2048, 2000, ldexp(1, j));
                assert_true(search((*m)->name, &other) == ldexpf(search((*m)->name, &request), j));
                histogram_fini(&plain);
                histogram_fini(&scaled);
            }
        }
    }
}

static void thresholds_are_positive_and_at_most_the_largest_value(void **state)
{
    static const size_t bins[] = {2, 16, 2048, 8192};
    static const int32_t steps[] = {1, 7, 127, 255, 32767};

    (void)state;
    draw_state = 7;
    for (int kind = 0; kind < N_KINDS; kind++) {
        for (size_t b = 0; b < 4; b++) {
            struct histogram h = observed((enum sample)kind, bins[b], 300, 0.01);
            struct threshold_request request = request_of(&h);

            for (size_t s = 0; s < 5; s++) {
                for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
                    float t;

                    request.steps = steps[s];
                    request.is_unsigned = false;
                    t = search((*m)->name, &request);
                    assert_true(t > 0 && t <= histogram_abs_max(&h));
                    request.is_unsigned = true;
                    t = search((*m)->name, &request);
                    assert_true(t > 0 && t <= h.max);
                }
            }
            histogram_fini(&h);
        }
    }
}

static void methods_that_minimise_errors_are_never_worse_than_the_largest_value(void **state)
{
    static const int32_t steps[] = {1, 7, 127, 255};

    (void)state;
    draw_state = 12;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = observed((enum sample)kind, 2048, 3000, 0.7);
        struct threshold_request request = request_of(&h);

        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
                char decided[PLAN_METHOD_BYTES];
                double t, limit = (double)threshold_limit(&request);

                request.steps = steps[s];
                t = (double)decide((*m)->name, &request, decided);
                if ((*m)->minimizes_error)
                    assert_true(threshold_squared_error(&request, t) <=
                                threshold_squared_error(&request, limit) * (1 + 1e-9));
            }
        }
        histogram_fini(&h);
    }
}

/* Twice the counts are the same distribution. Percentiles interpolate ranks, hfmg removes whole counts, kl-ort moves
 * 1e-4 of a count, and kl-tnn begins at 1e-7: those may move, by a bin. */
static void twice_the_same_data_gives_the_same_threshold(void **state)
{
    (void)state;
    draw_state = 13;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = observed((enum sample)kind, 2048, 3000, 1), twice = {0};
        struct threshold_request request = request_of(&h), other = request_of(&twice);
        struct error err = {0};

        assert_int_equal(histogram_init(&twice, 2048, &err), 0);
        assert_int_equal(histogram_merge(&twice, &h, &err), 0);
        assert_int_equal(histogram_merge(&twice, &h, &err), 0);
        for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
            if (strncmp((*m)->name, "percentile", 10) == 0 || strcmp((*m)->name, "hfmg") == 0 ||
                strncmp((*m)->name, "kl", 2) == 0 || strcmp((*m)->name, "auto") == 0)
                continue;
            assert_true(fabs((double)search((*m)->name, &other) / (double)search((*m)->name, &request) - 1) < 1e-6);
        }
        histogram_fini(&h);
        histogram_fini(&twice);
    }
}

/* A larger fraction never cuts more. */
static void percentiles_rise_with_the_fraction(void **state)
{
    static const char *const names[] = {"percentile", "percentile-nz", "percentile-two", "percentile-two-nz"};

    (void)state;
    draw_state = 14;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = observed((enum sample)kind, 2048, 3000, 1);
        struct threshold_request request = request_of(&h);

        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            float last = 0;

            for (double cut = 0.9; cut > 1e-5; cut /= 2) {
                float t;

                request.percentile = 1 - cut;
                t = search(names[i], &request);
                assert_true(t >= last);
                last = t;
            }
            request.percentile = 1;
            assert_true(search(names[i], &request) == threshold_limit(&request));
        }
        histogram_fini(&h);
    }
}

/* A sign is a matter of taste to symmetric codes. */
static void the_mirror_image_gets_the_same_threshold(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct histogram h = {0}, mirrored = {0};
        struct threshold_request request = request_of(&h), other = request_of(&mirrored);
        struct error err = {0};

        draw_state = 15;
        assert_int_equal(histogram_init(&h, 2048, &err), 0);
        assert_int_equal(histogram_init(&mirrored, 2048, &err), 0);
        for (int i = 0; i < 3000; i++) {
            float x = random_value((enum sample)kind), y = -x;

            assert_int_equal(histogram_observe(&h, &x, 1, &err), 0);
            assert_int_equal(histogram_observe(&mirrored, &y, 1, &err), 0);
        }
        for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
            if (strcmp((*m)->name, "hfmg") == 0 || strncmp((*m)->name, "aciq", 4) == 0 ||
                strcmp((*m)->name, "auto") == 0 || strcmp((*m)->name, "kl-ort") == 0)
                continue; /* these look at signed values, and of ties take the first, or know one-sided data when >= 0
                           */
            assert_true(search((*m)->name, &other) == search((*m)->name, &request));
        }
        histogram_fini(&h);
        histogram_fini(&mirrored);
    }
}

static void odd_statistics_get_a_normal_scale(void **state)
{
    static const struct {
        float x[4];
        size_t n;
        const char *decided; /* NULL: the method, or the guard */
    } rows[] = {
        {{0}, 0, "zero"},
        {{0, -0.0F, 0}, 3, "zero"},
        {{NAN, INFINITY, -INFINITY, 0}, 4, "zero"},
        {{3.7F}, 1, "minmax (one bin)"},
        {{-3.7F, -3.7F, 0, 3.7F}, 4, "minmax (one bin)"},
        {{1, 1000}, 2, NULL},
        {{-1e-3F, 1000, 1000, 1000}, 4, NULL},
        {{FLT_TRUE_MIN}, 1, "floor"},
        {{FLT_TRUE_MIN, -3 * FLT_TRUE_MIN, 5 * FLT_TRUE_MIN}, 3, "floor"},
        {{FLT_MIN / 2, FLT_MIN / 3, FLT_MIN / 5}, 3, "floor"},
        {{FLT_MAX, -FLT_MAX}, 2, "minmax (one bin)"},
        {{FLT_MAX, FLT_TRUE_MIN}, 2, NULL},
        {{1, NAN, INFINITY, 0.5F}, 4, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
            for (int is_unsigned = 0; is_unsigned < 2; is_unsigned++) {
                struct histogram h = of_values(2048, rows[i].x, rows[i].n);
                struct threshold_request request = request_of(&h);
                char decided[PLAN_METHOD_BYTES];
                float t;

                request.is_unsigned = is_unsigned;
                request.steps = is_unsigned ? 255 : 127;
                t = decide((*m)->name, &request, decided);
                assert_true(isfinite(t) && isnormal(t / (float)request.steps) && t > 0);
                if (rows[i].decided != NULL && !is_unsigned)
                    assert_string_equal(decided, rows[i].decided);
                else if (rows[i].decided == NULL)
                    assert_true(t <= histogram_abs_max(&h));
                histogram_fini(&h);
            }
        }
    }
}

static void nothing_but_zeros_gets_scale_one(void **state)
{
    static const float x[] = {0, 0};
    struct histogram h = of_values(2048, x, 2);
    struct threshold_request request = request_of(&h);
    char decided[PLAN_METHOD_BYTES];

    (void)state;
    assert_true(decide("mse", &request, decided) / 127 == 1);
    histogram_fini(&h);
}

/* More than half of the least error is clipping, and the way down to it leads over larger errors. */
static void mse_looks_far_below_an_outlier(void **state)
{
    (void)state;
    for (int n = 1; n <= 4; n++) {
        struct histogram h = outliers_far_away(n);
        struct threshold_request request = request_of(&h);
        double found;

        request.steps = 40;
        found = threshold_squared_error(&request, (double)search("mse", &request));
        assert_true(found <= least_squared_error(&request) * (1 + 1e-6));
        histogram_fini(&h);
    }
}

static void methods_are_found_by_name(void **state)
{
    (void)state;
    for (const struct threshold_method *const *m = threshold_methods; *m != NULL; m++) {
        assert_ptr_equal(threshold_method_find((*m)->name), *m);
        assert_true(strlen((*m)->name) < PLAN_METHOD_BYTES);
    }
    assert_null(threshold_method_find("no such method"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squared_error_is_the_integral_over_each_bin),
        cmocka_unit_test(squared_error_of_one_bin_is_the_textbook_integral),
        cmocka_unit_test(mse_finds_the_least_squared_error_of_all_edges),
        cmocka_unit_test(mse_is_precise_with_large_counts),
        cmocka_unit_test(percentile_is_within_one_bin_of_the_order_statistic),
        cmocka_unit_test(percentile_ranks_are_exact),
        cmocka_unit_test(percentile_counts_zeros),
        cmocka_unit_test(min_max_is_the_largest_magnitude),
        cmocka_unit_test(scaling_the_values_scales_every_threshold),
        cmocka_unit_test(thresholds_are_positive_and_at_most_the_largest_value),
        cmocka_unit_test(methods_that_minimise_errors_are_never_worse_than_the_largest_value),
        cmocka_unit_test(twice_the_same_data_gives_the_same_threshold),
        cmocka_unit_test(percentiles_rise_with_the_fraction),
        cmocka_unit_test(the_mirror_image_gets_the_same_threshold),
        cmocka_unit_test(odd_statistics_get_a_normal_scale),
        cmocka_unit_test(nothing_but_zeros_gets_scale_one),
        cmocka_unit_test(mse_looks_far_below_an_outlier),
        cmocka_unit_test(methods_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
