/* test_threshold_guard.c — a threshold that clips catastrophically is not taken, and no other is touched. */
#include "threshold_samples.h"

static void the_guard_rejects_a_threshold_that_clips_the_energy(void **state)
{
    struct histogram h = {0};
    struct threshold_request request = request_of(&h);
    char decided[PLAN_METHOD_BYTES];

    (void)state;
    draw_state = 9;
    h = observed(NORMAL, 8192, 20000, 1);
    request.steps = 1; /* so coarse that mse's error is no better than half */
    request.percentile = 0.9;
    assert_true(threshold_clipped_energy(&request, (double)search("percentile", &request)) > 0.01);
    assert_true(threshold_squared_error(&request, (double)search("percentile", &request)) <
                1.5 * threshold_squared_error(&request, (double)search("mse", &request)));
    assert_true(decide("percentile", &request, decided) == search("mse", &request));
    assert_string_equal(decided, "mse (guard)");
    histogram_fini(&h);
}

static void the_guard_rejects_a_threshold_with_twice_the_error(void **state)
{
    struct histogram h = {0};
    struct threshold_request request = request_of(&h);
    char decided[PLAN_METHOD_BYTES];

    (void)state;
    draw_state = 10;
    h = observed(NORMAL, 8192, 20000, 1);
    request.percentile = 0.99;
    assert_true(threshold_clipped_energy(&request, (double)search("percentile", &request)) < 0.01);
    assert_true(decide("percentile", &request, decided) == search("mse", &request));
    assert_string_equal(decided, "mse (guard)");
    histogram_fini(&h);
}

static void the_guard_leaves_other_thresholds_alone(void **state)
{
    struct histogram h = {0};
    struct threshold_request request = request_of(&h);
    char decided[PLAN_METHOD_BYTES];

    (void)state;
    draw_state = 11;
    h = observed(NORMAL, 8192, 20000, 1);
    request.percentile = 0.9999;
    decide("percentile", &request, decided);
    assert_string_equal(decided, "percentile");
    decide("kl", &request, decided);
    assert_string_equal(decided, "kl");
    histogram_fini(&h);

    h = outliers_far_away(1); /* min-max is what was asked for: it clips nothing, however large its error */
    request.steps = 40;
    assert_true(threshold_squared_error(&request, 10) >
                2 * threshold_squared_error(&request, (double)search("mse", &request)));
    assert_true(decide("minmax", &request, decided) == 10);
    assert_string_equal(decided, "minmax");
    histogram_fini(&h);
}

static void clipped_energy_is_a_fraction(void **state)
{
    static const float x[] = {1.5F, 1.5F, -3.5F, 0};
    struct histogram h = of_values(4, x, 4);
    struct threshold_request request = request_of(&h);

    (void)state;
    assert_true(threshold_clipped_energy(&request, 3.5) == 0);
    assert_true(fabs(threshold_clipped_energy(&request, 2.5) - 1 / (2 * 2.25 + 12.25)) < 1e-15);
    assert_true(threshold_clipped_energy(&request, 0) == 1);
    request.is_unsigned = true; /* the negative value is lost whatever the threshold */
    assert_true(fabs(threshold_clipped_energy(&request, 3.5) - 12.25 / (2 * 2.25 + 12.25)) < 1e-15);
    histogram_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guard_rejects_a_threshold_that_clips_the_energy),
        cmocka_unit_test(the_guard_rejects_a_threshold_with_twice_the_error),
        cmocka_unit_test(the_guard_leaves_other_thresholds_alone),
        cmocka_unit_test(clipped_energy_is_a_fraction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
