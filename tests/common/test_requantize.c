/* test_requantize.c — known answers (calibration.md section 12), and the bounds that the forms promise. */
#include "common/requantize.h"

#include "draw.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void thirty_one_bits_give_the_known_answers(void **state)
{
    static const struct {
        double factor;
        int32_t m;
        int exponent; /* the factor is m / 2^31 x 2^exponent */
    } rows[] = {
        {0.007247427341846, 1992157658, -7}, {0.25, 1073741824, -1}, {1.5, 1610612736, 1},
        {1 - 1e-12, 1073741824, 1},          {1, 1073741824, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct multiplier m = multiplier_of_31_bits(rows[i].factor);

        assert_int_equal(m.m, rows[i].m);
        assert_int_equal(31 - m.shift, rows[i].exponent);
    }
}

static void a_quarter_rounds_as_each_form_does(void **state)
{
    static const int64_t x[] = {2, -2, 6, -6, 10, -10}, twice[] = {1, -1, 2, -2, 3, -3}, once[] = {1, 0, 2, -1, 3, -2};
    struct multiplier quarter = multiplier_of_31_bits(0.25);

    (void)state;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        assert_int_equal(multiplier_apply_twice(x[i], quarter), twice[i]);
        assert_int_equal(multiplier_apply(x[i], quarter, ROUND_HALF_UP), once[i]);
    }
}

/* The operator RESCALE of TOSA with double_round, as its specification writes it. */
static int64_t tosa_rescale(int64_t x, struct multiplier m)
{
    int64_t round = INT64_C(1) << (m.shift - 1);

    if (m.shift > 31)
        round += x >= 0 ? INT64_C(1) << 30 : -(INT64_C(1) << 30);
    return (x * m.m + round) >> m.shift;
}

static void two_roundings_are_those_of_tosa(void **state)
{
    static const int64_t x[] = {2, -2, 6, -6, 10, -10}, known[] = {1, -1, 2, -2, 3, -3};
    struct multiplier quarter = multiplier_of_31_bits(0.25);

    (void)state;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        assert_int_equal(tosa_rescale(x[i], quarter), known[i]);
        assert_int_equal(multiplier_apply_twice(x[i], quarter), known[i]);
    }
    for (int i = 0; i < 20000; i++) {
        struct multiplier m = multiplier_of_31_bits(exp2(draw_uniform(-20, -1)));
        int64_t acc = (int64_t)draw_uniform(-0x1p31, 0x1p31);

        assert_int_equal(multiplier_apply_twice(acc, m), tosa_rescale(acc, m));
    }
}

static void shifts_round_minus_two_and_a_half_in_five_ways(void **state)
{
    (void)state;
    assert_int_equal(shift_right(-5, 1, ROUND_HALF_AWAY), -3);
    assert_int_equal(shift_right(-5, 1, ROUND_HALF_UP), -2);
    assert_int_equal(shift_right(-5, 1, ROUND_HALF_EVEN), -2);
    assert_int_equal(shift_right(-5, 1, ROUND_TOWARD_ZERO), -2);
    assert_int_equal(shift_right(-5, 1, ROUND_FLOOR), -3);
    assert_int_equal(shift_right(-7, 1, ROUND_HALF_EVEN), -4);
}

static void shifts_of_any_width_are_defined(void **state)
{
    (void)state;
    assert_int_equal(shift_right(5, 0, ROUND_FLOOR), 5);
    assert_int_equal(shift_right(5, -3, ROUND_FLOOR), 40);
    assert_int_equal(shift_right(1, -62, ROUND_FLOOR), INT64_C(1) << 62);
    assert_int_equal(shift_right(4, -62, ROUND_FLOOR), INT64_MAX);
    assert_int_equal(shift_right(-4, -1000, ROUND_FLOOR), INT64_MIN);
    assert_int_equal(shift_right(INT64_MAX, 1000, ROUND_HALF_UP), 0);
    assert_int_equal(shift_right(-1, 1000, ROUND_FLOOR), -1);
    assert_int_equal(multiplier_apply_twice(INT32_MAX, (struct multiplier){INT32_MAX, 29}), INT32_MAX - 1);
}

/* Relative errors: 1 / 126 for 8 bits, as m is below 127, 2^-15 for 16, 2^-31 for 31 (within what their shifts reach).
 */
static void multipliers_are_as_near_as_their_bits_allow(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        double factor = exp2(draw_uniform(-20, 5));
        struct multiplier m8 = multiplier_of_bits(factor, 8), m16 = multiplier_of_bits(factor, 16),
                          m31 = multiplier_of_31_bits(factor);

        assert_true(fabs(ldexp(m8.m, -m8.shift) / factor - 1) <= 1.0 / 126);
        assert_true(fabs(ldexp(m16.m, -m16.shift) / factor - 1) <= (factor < 0x1p-15 ? 0x1p-9 : 0x1p-15));
        assert_true(fabs(ldexp(m31.m, -m31.shift) / factor - 1) <= 0x1p-31);
        assert_true(m8.m < 127 && m16.m < 32767 && m31.m >= 1 << 30);
    }
    assert_int_equal(multiplier_of_bits(0, 8).m, 0);
    assert_int_equal(multiplier_of_bits(0.5, 8).m, 1);
    assert_int_equal(multiplier_of_bits(0.5, 8).shift, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thirty_one_bits_give_the_known_answers),
        cmocka_unit_test(a_quarter_rounds_as_each_form_does),
        cmocka_unit_test(two_roundings_are_those_of_tosa),
        cmocka_unit_test(shifts_round_minus_two_and_a_half_in_five_ways),
        cmocka_unit_test(shifts_of_any_width_are_defined),
        cmocka_unit_test(multipliers_are_as_near_as_their_bits_allow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
