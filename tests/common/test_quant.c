/* Tests of quant.h and plan.h. */
#include "../common/draw.h"
#include "common/plan.h"
#include "common/quant.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const enum rounding modes[] = {ROUND_HALF_EVEN, ROUND_HALF_AWAY, ROUND_HALF_UP, ROUND_TOWARD_ZERO, ROUND_FLOOR};
enum { N_MODES = sizeof modes / sizeof *modes };

static void rounding_of_halves_follows_the_mode(void **state)
{
    static const struct {
        double x, expected[N_MODES]; /* even, away, up, toward zero, floor */
    } rows[] = {
        {-2.5, {-2, -3, -2, -2, -3}},  {2.5, {2, 3, 3, 2, 2}},
        {-1.5, {-2, -2, -1, -1, -2}},  {1.5, {2, 2, 2, 1, 1}},
        {-0.5, {0, -1, 0, 0, -1}},     {0.5, {0, 1, 1, 0, 0}},
        {3.5, {4, 4, 4, 3, 3}},        {-3.5, {-4, -4, -3, -3, -4}},
        {2.25, {2, 2, 2, 2, 2}},       {2.75, {3, 3, 3, 2, 2}},
        {-2.25, {-2, -2, -2, -2, -3}}, {-2.75, {-3, -3, -3, -2, -3}},
        {0, {0, 0, 0, 0, 0}},          {-127.5, {-128, -128, -127, -127, -128}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t mode = 0; mode < N_MODES; mode++)
            assert_true(round_to_integer(rows[i].x, modes[mode]) == rows[i].expected[mode]);
    }
}

/* floor(x + 0.5) fails here: the sum is rounded before floor sees it. */
static void rounding_is_exact_next_to_a_half(void **state)
{
    (void)state;
    for (int whole = -3; whole <= 3; whole++) {
        double half = whole + 0.5, under = nextafter(half, -INFINITY), over = nextafter(half, INFINITY);

        for (size_t mode = 0; mode < 3; mode++) {
            assert_true(round_to_integer(under, modes[mode]) == whole);
            assert_true(round_to_integer(over, modes[mode]) == whole + 1);
        }
    }
    for (size_t mode = 0; mode < N_MODES; mode++) {
        double large = 0x1p52 - 1;

        assert_true(round_to_integer(large, modes[mode]) == large);
        assert_true(round_to_integer(-large, modes[mode]) == -large);
        assert_true(round_to_integer(DBL_TRUE_MIN, modes[mode]) == 0);
        assert_true(round_to_integer(-DBL_TRUE_MIN, modes[mode]) == (modes[mode] == ROUND_FLOOR ? -1 : 0));
    }
}

/* A neighbouring integer with the least distance, for all quarters in a range. */
static void rounding_never_moves_further_than_needed(void **state)
{
    (void)state;
    for (int quarter = -4000; quarter <= 4000; quarter++) {
        double x = quarter / 4.0;

        for (size_t mode = 0; mode < 3; mode++)
            assert_true(fabs(round_to_integer(x, modes[mode]) - x) <= 0.5);
        assert_true(fabs(round_to_integer(x, ROUND_TOWARD_ZERO)) <= fabs(x));
        assert_true(fabs(round_to_integer(x, ROUND_TOWARD_ZERO) - x) < 1);
        assert_true(round_to_integer(x, ROUND_FLOOR) == floor(x));
    }
}

static void codes_saturate_at_both_ends_of_the_range(void **state)
{
    const struct code_range full = {-128, 127, 0}, narrow = {-127, 127, 0}, affine = {0, 255, 128},
                            wide = {-32767, 32767, 0};

    (void)state;
    assert_int_equal(quantize(1000, 1, full, ROUND_HALF_EVEN), 127);
    assert_int_equal(quantize(-1000, 1, full, ROUND_HALF_EVEN), -128);
    assert_int_equal(quantize(-1000, 1, narrow, ROUND_HALF_EVEN), -127);
    assert_int_equal(quantize(INFINITY, 1, full, ROUND_HALF_AWAY), 127);
    assert_int_equal(quantize(-INFINITY, 1, full, ROUND_HALF_AWAY), -128);
    assert_int_equal(quantize(FLT_MAX, FLT_MIN, full, ROUND_HALF_AWAY), 127);
    assert_int_equal(quantize(1000, 1, affine, ROUND_HALF_EVEN), 255);
    assert_int_equal(quantize(-1000, 1, affine, ROUND_HALF_EVEN), 0);
    assert_int_equal(quantize(40000, 1, wide, ROUND_HALF_EVEN), 32767);
    assert_int_equal(quantize(126.5F, 1, full, ROUND_HALF_AWAY), 127);
    assert_int_equal(quantize(127.4F, 1, full, ROUND_HALF_AWAY), 127);
    assert_int_equal(quantize(-127.5F, 1, full, ROUND_TOWARD_ZERO), -127);
    assert_int_equal(quantize(-127.5F, 1, full, ROUND_HALF_AWAY), -128);
}

static void zero_and_nan_become_the_zero_point(void **state)
{
    const struct code_range affine = {0, 255, 128};

    (void)state;
    for (size_t mode = 0; mode < N_MODES; mode++) {
        assert_int_equal(quantize(0, 0.1F, affine, modes[mode]), 128);
        assert_int_equal(quantize(-0.0F, 0.1F, affine, modes[mode]), 128);
        assert_int_equal(quantize(NAN, 0.1F, affine, modes[mode]), 128);
    }
}

/* 11.4375 / 7.625 is 1.5, a half; times the rounded reciprocal of 7.625 it is 1.49999988. */
static void codes_divide_by_the_scale(void **state)
{
    const struct code_range range = {-128, 127, 0};

    (void)state;
    assert_int_equal(quantize(11.4375F, 7.625F, range, ROUND_HALF_EVEN), 2);
    assert_int_equal(quantize(45.9375F, 30.625F, range, ROUND_HALF_AWAY), 2);
}

static void codes_survive_dequantization(void **state)
{
    const struct code_range range = {0, 255, 100};

    (void)state;
    for (int32_t code = 0; code <= 255; code++) {
        for (float scale = FLT_MIN; scale < FLT_MAX / 512; scale *= 13.7F) {
            for (size_t mode = 0; mode < 3; mode++)
                assert_int_equal(quantize(dequantize(code, scale, 100), scale, range, modes[mode]), code);
        }
    }
}

static void symmetric_codes_are_those_of_quantize(void **state)
{
    enum { N = 4096 };
    static const int32_t limits[] = {1, 31, 127, 32767};
    static float x[N];
    static int16_t codes[N];

    (void)state;
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        struct code_range range = {.lo = -limits[l], .hi = limits[l]};
        float scale = l == 1 ? 0.125F : 0.0371F;

        for (size_t i = 0; i < N; i++) /* halves exactly, in the second row, and numbers beyond the range */
            x[i] = l == 1 ? (float)((int)i - N / 2) * scale / 2
                          : (float)draw_uniform(-1.1, 1.1) * scale * (float)limits[l];
        x[0] = nextafterf(scale / 2, 0);
        x[1] = -x[0];
        quantize_symmetric(x, N, scale, limits[l], codes);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(codes[i], quantize(x[i], scale, range, ROUND_HALF_AWAY));
    }
}

static void an_empty_plan_quantizes_nothing(void **state)
{
    const struct profile profile = {.name = "test"};
    struct graph graph = {.n_values = 3, .n_nodes = 2};
    struct error err = {0};
    struct plan *plan = plan_create(&graph, &profile, &err);

    (void)state;
    assert_non_null(plan);
    assert_ptr_equal(plan->graph, &graph);
    assert_ptr_equal(plan->profile, &profile);
    for (size_t i = 0; i < graph.n_values; i++) {
        assert_false(plan->values[i].is_quantized);
        assert_int_equal(plan->values[i].scale_from, GRAPH_NONE);
    }
    for (size_t i = 0; i < graph.n_nodes; i++)
        assert_false(plan->nodes[i].is_quantized);
    plan_destroy(plan);
    plan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_of_halves_follows_the_mode),
        cmocka_unit_test(rounding_is_exact_next_to_a_half),
        cmocka_unit_test(rounding_never_moves_further_than_needed),
        cmocka_unit_test(codes_saturate_at_both_ends_of_the_range),
        cmocka_unit_test(zero_and_nan_become_the_zero_point),
        cmocka_unit_test(codes_divide_by_the_scale),
        cmocka_unit_test(codes_survive_dequantization),
        cmocka_unit_test(symmetric_codes_are_those_of_quantize),
        cmocka_unit_test(an_empty_plan_quantizes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
