/* test_exact_sum.c — sums that depend neither on order nor on grouping, and are rounded once. */
#include "common/exact_sum.h"

#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 2000, ROUNDS = 200 };

__extension__ typedef __int128 int128;

static double values[MOST];

static void draw_values(size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = ldexp(draw_uniform(-1, 1), (int)draw_below(1200) - 560);
}

static void shuffle(size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = draw_below(i);
        double swapped = values[i - 1];

        values[i - 1] = values[j];
        values[j] = swapped;
    }
}

static void assert_same(struct exact_sum a, struct exact_sum b)
{
    double x = exact_sum_value(&a), y = exact_sum_value(&b);

    assert_memory_equal(&x, &y, sizeof x); /* raw or normalised, one value */
    exact_sum_normalise(&a);
    exact_sum_normalise(&b);
    assert_memory_equal(&a, &b, sizeof a);
    for (size_t i = 0; i + 1 < EXACT_SUM_LIMBS; i++)
        assert_in_range(a.limb[i], 0, UINT32_MAX);
}

static void neither_order_nor_grouping_matters(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct exact_sum forward = {0}, merged = {0}, parts[7] = {{{0}}}, raw = {0};
        size_t n = draw_below(MOST);

        draw_values(n);
        for (size_t i = 0; i < n; i++)
            exact_sum_add(&forward, values[i]);
        shuffle(n);
        for (size_t i = 0; i < n; i++)
            exact_sum_add(&parts[draw_below(7)], values[i]);
        for (size_t p = 0; p < 7; p++)
            exact_sum_merge(&merged, &parts[3 * p % 7]);
        assert_same(forward, merged);

        for (size_t p = 0; p < 7; p++) { /* what a reduction over ranks does */
            exact_sum_normalise(&parts[p]);
            for (size_t i = 0; i < EXACT_SUM_LIMBS; i++)
                raw.limb[i] += parts[p].limb[i];
        }
        assert_same(forward, raw);
    }
}

static void what_is_added_and_taken_away_leaves_nothing(void **unused)
{
    const struct exact_sum zero = {0};
    struct exact_sum sum = {0};

    (void)unused;
    draw_values(MOST);
    for (size_t i = 0; i < MOST; i++)
        exact_sum_add(&sum, values[i]);
    shuffle(MOST);
    for (size_t i = 0; i < MOST; i++)
        exact_sum_add(&sum, -values[i]);
    assert_same(sum, zero);
    assert_true(exact_sum_value(&sum) == 0);
}

static void sums_equal_128_bit_integers(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct exact_sum sum = {0};
        int128 integer = 0;

        for (size_t i = draw_below(300); i > 0; i--) {
            double x = round % 2 == 0 ? draw_normal() : ldexp(draw_normal(), (int)draw_below(40) - 20);

            x = rint(ldexp(x, 60)); /* a multiple of 2^-60 */
            integer += (int128)x;
            exact_sum_add(&sum, ldexp(x, -60));
            /* The compiler's conversion rounds to nearest, half to even. */
            assert_true(exact_sum_value(&sum) == ldexp((double)integer, -60));
        }
    }
}

static void halves_round_to_even(void **unused)
{
    (void)unused;
    for (uint64_t odd = ((uint64_t)1 << 52) + 1; odd < ((uint64_t)1 << 52) + 40; odd += 2)
        for (int sign = -1; sign <= 1; sign += 2) {
            struct exact_sum sum = {0};

            exact_sum_add(&sum, sign * (double)odd);
            exact_sum_add(&sum, sign * 0.5);
            assert_true(exact_sum_value(&sum) == sign * (double)(odd + 1));
            exact_sum_add(&sum, sign * -0x1p-640); /* just below the half */
            assert_true(exact_sum_value(&sum) == sign * (double)odd);
            exact_sum_add(&sum, sign * 0x1p-639); /* just above it */
            assert_true(exact_sum_value(&sum) == sign * (double)(odd + 1));
            exact_sum_add(&sum, sign * -1.0); /* down to the next half, whose even neighbour lies below */
            exact_sum_add(&sum, sign * -0x1p-640);
            assert_true(exact_sum_value(&sum) == sign * (double)(odd - 1));
        }
}

static void known_sums_are_correctly_rounded(void **unused)
{
    static const struct {
        size_t n;
        double x[6], sum; /* from Python's fractions.Fraction */
    } known[] = {
        {2, {0x1.0000000000000p+0, 0x1.0000000000000p-53}, 0x1.0000000000000p+0},
        {3, {0x1.0000000000000p+0, 0x1.0000000000000p-53, 0x1.0000000000000p-600}, 0x1.0000000000001p+0},
        {3, {0x1.0000000000000p+0, 0x1.0000000000000p-53, -0x1.0000000000000p-600}, 0x1.0000000000000p+0},
        {2, {0x1.0000000000001p+0, 0x1.0000000000000p-53}, 0x1.0000000000002p+0},
        {3, {0x1.fffffffffffffp+639, -0x1.0000000000000p+639, 0x1.0000000000000p-640}, 0x1.ffffffffffffep+638},
        {3, {-0x1.0000000000000p+0, -0x1.0000000000000p-53, -0x1.0000000000000p-200}, -0x1.0000000000001p+0},
        {3, {0x1.0000000000000p+600, 0x1.0000000000000p+0, -0x1.0000000000000p+600}, 0x1.0000000000000p+0},
        {4, {0x1.0000000000000p+600, 0x1.0000000000000p+0, -0x1.0000000000000p+600, -0x1.0000000000000p+0}, 0x0.0p+0},
        {2, {0x1.0000000000000p-640, -0x1.0000000000000p-639}, -0x1.0000000000000p-640},
        {6,
         {0x1.0000000000000p+639, 0x1.0000000000000p+639, 0x1.0000000000000p+639, 0x1.0000000000000p+639,
          0x1.0000000000000p+639, 0x1.0000000000000p+639},
         0x1.8000000000000p+641},
        {6,
         {0x1.f767c482c9b00p+31, -0x1.21b822346e320p+543, -0x1.e24c74146f792p-2, 0x1.1a94e1f8bfe9ap-31,
          0x1.3119920d46410p+53, -0x1.5f625df18277ap+220},
         -0x1.21b822346e320p+543},
        {6,
         {-0x1.fac5d10d6c780p-34, -0x1.e86a62e9982d8p-335, 0x1.2edcf47fa8468p-62, 0x1.d976d9377b9a8p+293,
          -0x1.c39ebfd1637d8p+55, 0x1.78473262034aap+256},
         0x1.d976d937875ccp+293},
        {6,
         {-0x1.5c90b69e793a6p+41, -0x1.b65786ee3cdeap+370, -0x1.7e428e6f12bb6p-61, 0x1.e3ac62ef8a30cp-531,
          -0x1.2984441cfae1cp-34, 0x1.d72b8efdbff98p-202},
         -0x1.b65786ee3cdeap+370},
        {6,
         {0x1.7d5876154f5d0p-24, -0x1.7da45a09dc944p-135, 0x1.4151938125520p+22, 0x1.017ed5346c6e0p-170,
          0x1.c38f367bf9ab0p+27, -0x1.36655704479f0p+243},
         -0x1.36655704479f0p+243},
        {6,
         {-0x1.9c1490fa7a600p-16, -0x1.5c8ac7ab07cf0p-245, -0x1.e3b690ef53010p-20, -0x1.96d10a2ebeda8p-536,
          0x1.8921395b1a328p+27, -0x1.4bfcbaef19274p+92},
         -0x1.4bfcbaef19274p+92},
        {6,
         {-0x1.283d8c2e75998p-23, -0x1.3b788a6dbb740p+101, -0x1.42cacdc2676fap-1, 0x1.a329922d16348p-426,
          -0x1.f356f0065fe04p+58, -0x1.e895ee067ff1ap+191},
         -0x1.e895ee067ff1ap+191},
        {6,
         {0x1.612874b3bfe88p-59, 0x1.91f2bf26a4de0p+313, -0x1.120ddf9fa6844p+12, 0x1.5d6c7881297b0p+386,
          -0x1.d026c425682d8p-38, 0x1.faba83e90d568p-141},
         0x1.5d6c7881297b0p+386},
        {6,
         {-0x1.861f799f44078p-30, 0x1.b7f79068e526ep+405, -0x1.3eb4bf7ccd0fcp-17, 0x1.9222db43296dep-28,
          0x1.1a37ad3b3ea92p-48, 0x1.6fabb77f2e078p+209},
         0x1.b7f79068e526ep+405},
        {6,
         {0x1.7053b525dedd8p-57, -0x1.12870a1bc0148p-357, -0x1.2a835454629d4p+4, 0x1.c5f318b9aa0c0p-240,
          -0x1.47c34cb96d460p+56, 0x1.9ef0478b8e8f4p-354},
         -0x1.47c34cb96d461p+56},
        {6,
         {-0x1.801a0550648b4p-22, -0x1.8cf62ed290d14p-382, 0x1.03b2be261c374p+30, 0x1.836df74f2e84cp+448,
          -0x1.5a980523d2d1ap-55, -0x1.ad194901b3d80p+551},
         -0x1.ad194901b3d80p+551},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct exact_sum sum = {0};

        for (size_t j = 0; j < known[i].n; j++)
            exact_sum_add(&sum, known[i].x[j]);
        assert_true(exact_sum_value(&sum) == known[i].sum);
    }
}

static void limbs_never_overflow(void **unused)
{
    struct exact_sum sum = {0}, doubled = {0};
    const double x = 0x1.fffffffffffffp+63;

    (void)unused;
    exact_sum_add(&sum, x);
    exact_sum_merge(&doubled, &sum);
    for (int times = 0; times < 500; times++) { /* x 2^500, by merging a sum with itself, never normalised by hand */
        sum = doubled;
        exact_sum_merge(&doubled, &sum);
    }
    assert_true(exact_sum_value(&doubled) == ldexp(x, 500));

    memset(&sum, 0, sizeof sum); /* and limbs near their bound, where adding must carry */
    for (size_t i = 0; i + 1 < EXACT_SUM_LIMBS; i++)
        sum.limb[i] = i % 2 == 0 ? (int64_t)1 << 61 : -((int64_t)1 << 61);
    doubled = sum;
    for (int times = 0; times < 1000; times++) {
        exact_sum_add(&sum, 0x1.fffffffffffffp+5);
        exact_sum_add(&sum, -0x1.fffffffffffffp-300);
    }
    for (int times = 0; times < 1000; times++) {
        exact_sum_add(&sum, 0x1.fffffffffffffp-300);
        exact_sum_add(&sum, -0x1.fffffffffffffp+5);
    }
    assert_same(sum, doubled);
}

static void bits_below_the_last_are_cut(void **unused)
{
    struct exact_sum sum = {0};

    (void)unused;
    for (int power = -1074; power < -640; power++) {
        exact_sum_add(&sum, ldexp(1, power));
        exact_sum_add(&sum, -ldexp(1, power));
        assert_true(exact_sum_value(&sum) == 0);
    }
    exact_sum_add(&sum, 0x1.8p-640);
    assert_true(exact_sum_value(&sum) == 0x1p-640);
    exact_sum_add(&sum, -0x1.8p-640); /* toward zero, so that x and -x always cancel */
    assert_true(exact_sum_value(&sum) == 0);
}

static void what_is_no_number_in_range_is_ignored(void **unused)
{
    const double others[] = {NAN, INFINITY, -INFINITY, 0x1p640, -0x1p1000, 0.0, -0.0};
    const struct exact_sum zero = {0};
    struct exact_sum sum = {0};

    (void)unused;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        exact_sum_add(&sum, others[i]);
    assert_memory_equal(&sum, &zero, sizeof sum);
}

static void what_no_sum_leaves_is_told_without_adding_it(void **unused)
{
    struct exact_sum sum = {0}, hostile;

    (void)unused;
    for (int i = 0; i < 1000; i++)
        exact_sum_add(&sum, ldexp(i % 2 ? 1 : -1.5, i - 500));
    exact_sum_normalise(&sum);
    assert_true(exact_sum_is_normalised(&sum));
    for (size_t i = 0; i < EXACT_SUM_LIMBS; i++) {
        const int64_t wrong[] = {INT64_MIN, INT64_MAX, (int64_t)1 << 60, i + 1 < EXACT_SUM_LIMBS ? -1 : INT64_MIN};

        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            hostile = sum;
            hostile.limb[i] = wrong[k];
            assert_false(exact_sum_is_normalised(&hostile));
        }
    }
}

static void scaling_is_as_if_every_number_had_been_scaled(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct exact_sum plain = {0}, scaled = {0};
        size_t n = draw_below(100);
        int exponent = (int)draw_below(129) - 64;

        for (size_t i = 0; i < n; i++) {
            double x = ldexp(draw_uniform(-1, 1), (int)draw_below(400) - 300); /* bits from 2^-400 up: none is cut */

            exact_sum_add(&plain, x);
            exact_sum_add(&scaled, ldexp(x, exponent));
        }
        exact_sum_scale(&plain, exponent);
        assert_same(plain, scaled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaling_is_as_if_every_number_had_been_scaled),
        cmocka_unit_test(neither_order_nor_grouping_matters),
        cmocka_unit_test(what_is_added_and_taken_away_leaves_nothing),
        cmocka_unit_test(sums_equal_128_bit_integers),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(known_sums_are_correctly_rounded),
        cmocka_unit_test(limbs_never_overflow),
        cmocka_unit_test(bits_below_the_last_are_cut),
        cmocka_unit_test(what_is_no_number_in_range_is_ignored),
        cmocka_unit_test(what_no_sum_leaves_is_told_without_adding_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
