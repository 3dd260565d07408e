/* Tests of what a refinement judges plans by: measure_trials.h. */
#include "coordinator/measure_trials.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_OUTPUTS = 200 };

/* Signal 1, and noise of so many dB below it. */
static double judge(const double *db, size_t n)
{
    struct exact_sum sums[2 * MOST_OUTPUTS];

    memset(sums, 0, sizeof sums);
    for (size_t i = 0; i < n; i++) {
        exact_sum_add(&sums[2 * i], 1);
        exact_sum_add(&sums[2 * i + 1], pow(10, -db[i] / 10));
    }
    return measure_trials_output_db(sums, n);
}

static void several_outputs_count_their_mean_in_decibels(void **state)
{
    double many[MOST_OUTPUTS];

    (void)state;
    for (size_t i = 0; i < MOST_OUTPUTS; i++)
        many[i] = 40;
    assert_true(fabs(judge((double[]){31.25}, 1) - 31.25) < 1e-9);
    assert_true(fabs(judge((double[]){20, 40}, 2) - 30) < 1e-9);
    assert_true(fabs(judge((double[]){-3, 40, 14}, 3) - 17) < 1e-9);
    assert_true(fabs(judge(many, MOST_OUTPUTS) - 40) < 1e-9); /* their product, 10^-800, is 0 */
    many[7] = 41;
    assert_true(judge(many, MOST_OUTPUTS) > 40);
}

static void an_output_without_noise_does_not_decide_alone(void **state)
{
    (void)state;
    assert_true(judge((double[]){INFINITY, 31}, 2) > judge((double[]){INFINITY, 30}, 2));
    assert_true(isfinite(judge((double[]){INFINITY}, 1)));
}

static void an_output_without_signal_tells_nothing(void **state)
{
    struct exact_sum sums[4] = {0};

    (void)state;
    assert_true(measure_trials_output_db(sums, 2) == 0);
    exact_sum_add(&sums[1], 1e30);
    exact_sum_add(&sums[2], 100);
    exact_sum_add(&sums[3], 1);
    assert_true(fabs(measure_trials_output_db(sums, 2) - 20) < 1e-9);
}

static void what_is_no_number_still_has_an_order(void **state)
{
    struct exact_sum sums[2] = {0};

    (void)state;
    exact_sum_add(&sums[0], 0x1p-600);
    exact_sum_add(&sums[1], 0x1p600);
    assert_true(fabs(measure_trials_output_db(sums, 1) + 200) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_outputs_count_their_mean_in_decibels),
        cmocka_unit_test(an_output_without_noise_does_not_decide_alone),
        cmocka_unit_test(an_output_without_signal_tells_nothing),
        cmocka_unit_test(what_is_no_number_still_has_an_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
