/* test_math.c — our logarithm and exponential against long double, and vectors against scalars. */
#include "common/math.h"

#include "draw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 300000 };

/* Distance in units of the last place of the true value. */
static double ulps(double found, long double expected)
{
    double rounded = fabs((double)expected), ulp = nextafter(rounded, INFINITY) - rounded;

    return (double)(fabsl((long double)found - expected) / (long double)ulp);
}

static void assert_log(double x)
{
    double error = ulps(math_log(x), logl((long double)x));

    if (!(error < 1))
        fail_msg("math_log(%a) is off by %g ulp", x, error);
}

static void assert_exp(double x)
{
    double error = ulps(math_exp(x), expl((long double)x));

    if (!(error < 1))
        fail_msg("math_exp(%a) is off by %g ulp", x, error);
}

static void the_logarithm_of_counts_is_within_one_ulp(void **unused)
{
    (void)unused;
    for (uint64_t count = 1; count <= 100000; count++)
        assert_log((double)count);
    for (int i = 0; i < ROUNDS; i++)
        assert_log((double)(draw() >> (draw() & 63) | 1));
    for (int power = 0; power <= 63; power++) {
        assert_log(ldexp(1, power));
        assert_log(nextafter(ldexp(1, power), 0));
        assert_log(nextafter(ldexp(1, power), INFINITY));
    }
}

static void the_logarithm_of_ratios_is_within_one_ulp(void **unused)
{
    (void)unused;
    assert_true(math_log(1) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_log((double)(draw() >> 32 | 1) / (double)(draw() >> 32 | 1));
        assert_log(draw_uniform(0.5, 2));                                    /* where terms cancel */
        assert_log(1 + ldexp(draw_uniform(-1, 1), -(int)(draw() % 50) - 1)); /* and the result is tiny */
        assert_log(draw_uniform(0.7, 0.71));                                 /* on both sides of sqrt 1/2 */
    }
}

static void the_logarithm_covers_every_normal_double(void **unused)
{
    (void)unused;
    assert_log(0x1p-1022);
    assert_log(0x1.fffffffffffffp1023);
    for (int i = 0; i < ROUNDS; i++)
        assert_log(ldexp(draw_uniform(1, 2), (int)(draw() % 2046) - 1022));
}

static void an_array_of_logarithms_has_the_bits_of_single_ones(void **unused)
{
    enum { MOST = 67 }; /* every remainder of every vector width, several vectors */
    double x[MOST + 1], y[MOST + 1], expected;

    (void)unused;
    for (int round = 0; round < 2000; round++) {
        size_t n = draw() % (MOST + 1), first = draw() % (MOST + 1 - n);

        for (size_t i = 0; i <= MOST; i++) {
            x[i] = ldexp(draw_uniform(1, 2), round % 2 == 0 ? 0 : (int)(draw() % 2046) - 1022);
            y[i] = -1;
        }
        math_log_array(x + first, y + first, n);
        for (size_t i = 0; i <= MOST; i++) {
            expected = i >= first && i < first + n ? math_log(x[i]) : -1;
            assert_memory_equal(&y[i], &expected, sizeof expected);
        }
    }
}

static void logarithms_have_the_bits_they_always_had(void **unused)
{
    /* Rounding by hand from 60 digits would fix values to half an ulp; these fix every bit, on every machine. */
    static const struct {
        double x, log;
    } known[] = {
        {0x1.8p+1, 0x1.193ea7aad030ap+0},
        {0x1.4p+3, 0x1.26bb1bbb55516p+1},
        {0x1.6666666666666p-1, -0x1.6d3c324e13f5p-2},
        {0x1.6a09e667f3bcdp+0, 0x1.62e42fefa39fp-2},
        {0x1.1079f3p+25, 0x1.1641c1c770e9ep+4},
        {0x1p+63, 0x1.5d589f2fe5107p+5},
        {0x1.fffffffffffffp-1, -0x1p-53},
        {0x1.56e1fc2f8f359p-997, -0x1.5963447f87fb5p+9},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(math_log(known[i].x) == known[i].log);
}

static void the_exponential_is_within_one_ulp(void **unused)
{
    (void)unused;
    assert_true(math_exp(0) == 1);
    for (int i = 0; i < ROUNDS; i++) {
        assert_exp(draw_uniform(-1, 1));
        assert_exp(draw_uniform(-708, 709.78));
        assert_exp(draw_uniform(-745.13, -708)); /* denormal results */
        assert_exp(ldexp(draw_uniform(-1, 1), -(int)(draw() % 60)));
    }
}

static void the_exponential_saturates(void **unused)
{
    (void)unused;
    assert_true(math_exp(709.79) == INFINITY);
    assert_true(math_exp(1e300) == INFINITY);
    assert_true(math_exp(INFINITY) == INFINITY);
    assert_true(math_exp(-745.14) == 0);
    assert_true(math_exp(-1e300) == 0);
    assert_true(math_exp(-INFINITY) == 0);
    assert_true(isnan(math_exp(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_logarithm_of_counts_is_within_one_ulp),
        cmocka_unit_test(the_logarithm_of_ratios_is_within_one_ulp),
        cmocka_unit_test(the_logarithm_covers_every_normal_double),
        cmocka_unit_test(an_array_of_logarithms_has_the_bits_of_single_ones),
        cmocka_unit_test(logarithms_have_the_bits_they_always_had),
        cmocka_unit_test(the_exponential_is_within_one_ulp),
        cmocka_unit_test(the_exponential_saturates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
