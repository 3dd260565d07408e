/* test_metrics.c — errors and accuracies against definitions that a reader can check by hand. */
#include "worker/metrics.h"

#include "../common/draw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLOCKS = 12, ELEMENTS = 200 };

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("expected %.17g, found %.17g", expected, found);
}

static void signal_noise_and_cosine_follow_their_definitions(void **state)
{
    const float x[] = {3, 4}, y[] = {3, 5}, opposite[] = {-3, -4};
    struct value_error e = {0}, reversed = {0};

    (void)state;
    value_error_add(&e, x, y, 2, 1);
    assert_near(value_error_sqnr_db(&e), 10 * log10(25.0 / 1), 1e-6);
    assert_near(value_error_cosine(&e), 29 / (5 * sqrt(34)), 1e-12);
    assert_int_equal(e.elements, 2);
    assert_int_equal(e.clipped, 1);
    value_error_add(&reversed, x, opposite, 2, 0);
    assert_near(value_error_cosine(&reversed), -1, 1e-12);
}

static void equal_values_have_infinite_sqnr_and_zeros_have_cosine_one(void **state)
{
    const float x[] = {1, -2}, zeros[] = {0, 0};
    struct value_error same = {0}, none = {0}, invented = {0};

    (void)state;
    value_error_add(&same, x, x, 2, 0);
    assert_true(isinf(value_error_sqnr_db(&same)) && value_error_sqnr_db(&same) > 0);
    assert_near(value_error_cosine(&same), 1, 1e-15);
    value_error_add(&none, zeros, zeros, 2, 0);
    assert_near(value_error_cosine(&none), 1, 0);
    value_error_add(&invented, zeros, x, 2, 0); /* noise where there was no signal */
    assert_true(isinf(value_error_sqnr_db(&invented)) && value_error_sqnr_db(&invented) < 0);
    assert_near(value_error_cosine(&invented), 0, 0);
}

/* Sums of blocks of very different size, merged as threads and ranks would: the same bytes. */
static void merging_is_independent_of_order_and_grouping(void **state)
{
    struct value_error straight = {0}, parts[3] = {0}, merged = {0};
    float x[BLOCKS][ELEMENTS], y[BLOCKS][ELEMENTS];

    (void)state;
    for (size_t b = 0; b < BLOCKS; b++)
        for (size_t i = 0; i < ELEMENTS; i++) {
            x[b][i] = (float)ldexp(draw_normal(), (int)draw_below(120) - 60);
            y[b][i] = x[b][i] + (float)ldexp(draw_normal(), (int)draw_below(60) - 60);
        }
    for (size_t b = 0; b < BLOCKS; b++)
        value_error_add(&straight, x[b], y[b], ELEMENTS, b);
    for (size_t b = BLOCKS; b-- > 0;)
        value_error_add(&parts[draw_below(3)], x[b], y[b], ELEMENTS, b);
    for (size_t p = 3; p-- > 0;)
        value_error_merge(&merged, &parts[p]);
    value_error_normalise(&straight);
    value_error_normalise(&merged);
    assert_memory_equal(&straight, &merged, sizeof merged);
}

/* One bad block among good ones, and every way for it to be bad. */
static void a_block_with_nan_or_inf_makes_the_error_unknown_never_good(void **state)
{
    const float good[] = {1, 2}, bad[][2] = {{NAN, 1}, {INFINITY, 1}, {1, -INFINITY}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int side = 0; side < 2; side++) {
            struct value_error e = {0}, whole = {0};

            value_error_add(&e, side == 0 ? bad[i] : good, side == 0 ? good : bad[i], 2, 0);
            value_error_add(&whole, good, good, 2, 0);
            value_error_merge(&whole, &e);
            assert_true(isnan(value_error_sqnr_db(&whole)));
            assert_true(isnan(value_error_cosine(&whole)));
            assert_int_equal(whole.elements, 4);
            assert_int_equal(whole.incomparable, 2);
        }
}

static void the_largest_error_and_the_codes_used_survive_merging(void **state)
{
    const float x[] = {1, 2, 3}, near[] = {1, 2.25F, 3}, far[] = {1, 2, -4};
    struct value_error e = {0}, other = {0};

    (void)state;
    assert_true(value_error_max(&e) == 0);
    value_error_add(&e, x, near, 3, 0);
    assert_true(value_error_max(&e) == 0.25);
    value_error_add(&other, x, far, 3, 0);
    e.used[0] = 5;
    other.used[0] = 4;
    other.used[3] = (uint64_t)1 << 63;
    value_error_merge(&e, &other);
    assert_true(value_error_max(&e) == 7);
    assert_int_equal(value_error_used_codes(&e), 3);
    value_error_add(&e, x, (const float[]){NAN, 0, 0}, 3, 0);
    assert_true(isnan(value_error_max(&e)));
}

static void divergence_is_that_of_the_softmax(void **state)
{
    const float logits[] = {1, 2, 0.5F}, others[] = {0, 2.5F, -1}, shifted[] = {101, 102, 100.5F};
    double p[3], q[3], p_sum = 0, q_sum = 0, expected = 0;
    float as_p[3], as_q[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        p_sum += p[i] = exp((double)logits[i]);
        q_sum += q[i] = exp((double)others[i]);
    }
    for (int i = 0; i < 3; i++) {
        expected += p[i] / p_sum * log(p[i] / p_sum / (q[i] / q_sum));
        as_p[i] = (float)(p[i] / p_sum);
        as_q[i] = (float)(q[i] / q_sum);
    }
    assert_near(output_divergence(logits, others, 3, false), expected, 1e-12);
    assert_near(output_divergence(shifted, others, 3, false), expected, 1e-6);
    assert_near(output_divergence(as_p, as_q, 3, true), expected, 1e-6);
    assert_near(output_divergence(logits, logits, 3, false), 0, 1e-15);
    assert_near(output_divergence((const float[]){1, 0}, (const float[]){0.5F, 0.5F}, 2, true), log(2), 1e-12);
    assert_true(isfinite(output_divergence((const float[]){0.5F, 0.5F}, (const float[]){1, 0}, 2, true)));
    assert_true(isnan(output_divergence((const float[]){NAN, 0}, logits, 2, false)));
}

/* By hand: 0 of 2 is 2 x 1/4; 1 of 5 is 2 x 6/32; 12 of 31 by the sum of binomial coefficients. */
static void mcnemars_test_is_the_binomial_tail_on_both_sides(void **state)
{
    (void)state;
    assert_near(mcnemar_p(0, 2), 0.5, 1e-15);
    assert_near(mcnemar_p(4, 1), 0.375, 1e-14);
    assert_near(mcnemar_p(0, 0), 1, 0);
    assert_near(mcnemar_p(7, 7), 1, 0);
    assert_near(mcnemar_p(12, 19), mcnemar_p(19, 12), 0);
    for (uint64_t n = 1; n <= 40; n++)
        for (uint64_t lost = 0; 2 * lost < n; lost++) {
            double sum = 0, choose = 1;

            for (uint64_t i = 0; i <= lost; i++) {
                sum += choose;
                choose = choose * (double)(n - i) / (double)(i + 1);
            }
            assert_near(mcnemar_p(lost, n - lost), fmin(1, 2 * ldexp(sum, -(int)n)), 1e-12);
        }
    assert_true(mcnemar_p(900, 1100) < 1e-4 && mcnemar_p(900, 1100) > 1e-6); /* 2^-2000 is 0 */
    assert_true(mcnemar_p(0, 100000) == 0);
}

static void a_fraction_has_the_binomials_standard_error(void **state)
{
    (void)state;
    assert_near(standard_error(37500, 50000), 0.0019365, 1e-6);
    assert_near(standard_error(5, 5), 0, 0);
    assert_true(isnan(standard_error(0, 0)));
}

static void the_first_of_equals_is_the_largest(void **state)
{
    const float x[] = {1, 7, 7, -8}, one[] = {-3}, minus[] = {-INFINITY, -5, -4};

    (void)state;
    assert_int_equal(arg_max(x, 4), 1);
    assert_int_equal(arg_max(one, 1), 0);
    assert_int_equal(arg_max(minus, 3), 2);
}

static void a_score_that_is_nan_never_wins(void **state)
{
    const float first[] = {NAN, -1, -2}, middle[] = {-2, NAN, -1}, all[] = {NAN, NAN};

    (void)state;
    assert_int_equal(arg_max(first, 3), 1);
    assert_int_equal(arg_max(middle, 3), 2);
    assert_int_equal(arg_max(all, 2), 0);
    for (size_t k = 1; k <= 3; k++) {
        assert_false(in_top_k(first, 3, 0, k));
        assert_false(in_top_k(middle, 3, 1, k));
        assert_false(in_top_k(all, 2, 0, k));
    }
    assert_true(in_top_k(first, 3, 1, 1));
}

/* Against a sort of (score down, index up). */
static void top_k_is_a_prefix_of_the_stable_order(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        float x[9];
        size_t n = 1 + draw_below(9), order[9];

        for (size_t i = 0; i < n; i++) {
            x[i] = (float)draw_below(4);
            order[i] = i;
            for (size_t j = i; j > 0 && x[order[j]] > x[order[j - 1]]; j--) {
                size_t swap = order[j];

                order[j] = order[j - 1];
                order[j - 1] = swap;
            }
        }
        assert_int_equal(arg_max(x, n), order[0]);
        for (size_t place = 0; place < n; place++)
            for (size_t k = 1; k <= n + 1; k++)
                assert_int_equal(in_top_k(x, n, (int64_t)order[place], k), place < k);
    }
}

static void a_label_outside_the_classes_is_no_hit(void **state)
{
    const float x[] = {1, 2};

    (void)state;
    assert_false(in_top_k(x, 2, -1, 2));
    assert_false(in_top_k(x, 2, 2, 5));
    assert_false(in_top_k(x, 2, INT64_MAX, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signal_noise_and_cosine_follow_their_definitions),
        cmocka_unit_test(equal_values_have_infinite_sqnr_and_zeros_have_cosine_one),
        cmocka_unit_test(merging_is_independent_of_order_and_grouping),
        cmocka_unit_test(a_block_with_nan_or_inf_makes_the_error_unknown_never_good),
        cmocka_unit_test(the_largest_error_and_the_codes_used_survive_merging),
        cmocka_unit_test(divergence_is_that_of_the_softmax),
        cmocka_unit_test(mcnemars_test_is_the_binomial_tail_on_both_sides),
        cmocka_unit_test(a_fraction_has_the_binomials_standard_error),
        cmocka_unit_test(the_first_of_equals_is_the_largest),
        cmocka_unit_test(a_score_that_is_nan_never_wins),
        cmocka_unit_test(top_k_is_a_prefix_of_the_stable_order),
        cmocka_unit_test(a_label_outside_the_classes_is_no_hit),
    };

    draw_state = 2463534242u;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
