/* test_histogram.c — the algebra of histograms: what is counted depends on the values only.
 *
 * Everything is held against `define`, which knows the whole array before it chooses the bins. That every kernel counts
 * alike is in test_histogram_kernels.c.
 */
#include "common/histogram.h"

#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 6000, ROUNDS = 60 };

static const size_t bin_counts[] = {2, 4, 32, 256, 2048, 8192};
enum { N_BIN_COUNTS = sizeof bin_counts / sizeof *bin_counts };

static float values[MOST];

static struct histogram fresh(size_t bins)
{
    struct histogram h;
    struct error err = {0};

    assert_int_equal(histogram_init(&h, bins, &err), 0);
    return h;
}

static void observe(struct histogram *h, const float *x, size_t n)
{
    struct error err = {0};

    assert_int_equal(histogram_observe(h, x, n, &err), 0);
}

static void merge(struct histogram *into, const struct histogram *from)
{
    struct error err = {0};

    assert_int_equal(histogram_merge(into, from, &err), 0);
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
    assert_true(histogram_equal(a, b));
    assert_memory_equal(a->positive, b->positive, a->bins * sizeof *a->positive);
    assert_memory_equal(&a->min, &b->min, sizeof a->min); /* == would let -0 pass for 0 */
    assert_memory_equal(&a->max, &b->max, sizeof a->max);
}

/* The definition in histogram.h, word by word, in two passes. */
static struct histogram define(size_t bins, const float *x, size_t n)
{
    struct histogram h = fresh(bins);
    double abs_max = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            abs_max = fmax(abs_max, fabs((double)x[i]));
    while (abs_max >= ldexp((double)bins, h.exponent))
        h.exponent++;
    h.n = n;
    for (size_t i = 0; i < n; i++) {
        size_t k;

        h.nans += isnan(x[i]) != 0;
        h.positive_infs += x[i] == INFINITY;
        h.negative_infs += x[i] == -INFINITY;
        h.zeros += x[i] == 0;
        if (!isfinite(x[i]))
            continue;
        h.min = fminf(h.min, x[i] == 0 ? 0 : x[i]);
        h.max = fmaxf(h.max, x[i] == 0 ? 0 : x[i]);
        k = (size_t)floor(ldexp(fabs((double)x[i]), -h.exponent));
        if (x[i] < 0 && h.negative == NULL)
            h.negative = calloc(bins, sizeof *h.negative);
        if (x[i] != 0)
            (x[i] < 0 ? h.negative : h.positive)[k]++;
    }
    return h;
}

/* Fills values with one of several kinds of data; returns how many. */
static size_t draw_values(int round)
{
    size_t n = draw_below(MOST);

    for (size_t i = 0; i < n; i++)
        switch (round % 6) {
        case 0: /* what a ReLU leaves */
            values[i] = fmaxf((float)draw_normal(), 0);
            break;
        case 1:
            values[i] = (float)draw_normal();
            break;
        case 2: /* the whole range of floats */
            values[i] = (float)ldexp(draw_uniform(-2, 2), (int)draw_below(276) - 149);
            break;
        case 3: /* on the edges of bins */
            values[i] = (float)ldexp((double)draw_below(9000), (int)draw_below(3) - 8);
            break;
        case 4: /* denormals, both zeros */
            values[i] = (float)ldexp((double)draw_below(50) - 25, -149);
            values[i] = copysignf(values[i], (float)draw_uniform(-1, 1));
            break;
        default:
            values[i] = draw_any_float();
        }
    return n;
}

static void counting_follows_the_definition(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t b = 0; b < N_BIN_COUNTS; b++) {
            size_t n = draw_values(round);
            struct histogram expected = define(bin_counts[b], values, n), found = fresh(bin_counts[b]);
            struct error err = {0};

            observe(&found, values, n);
            assert_same(&expected, &found);
            assert_int_equal(histogram_check(&found, &err), 0);
            histogram_fini(&expected);
            histogram_fini(&found);
        }
}

static void neither_order_nor_batches_nor_merging_matter(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = draw_values(round), bins = bin_counts[draw_below(N_BIN_COUNTS)];
        struct histogram whole = fresh(bins), merged = fresh(bins), parts[5];

        observe(&whole, values, n);
        for (size_t i = n; i > 1; i--) { /* shuffle */
            size_t j = draw_below(i);
            float swapped = values[i - 1];

            values[i - 1] = values[j];
            values[j] = swapped;
        }
        for (size_t p = 0; p < 5; p++)
            parts[p] = fresh(bins);
        for (size_t i = 0; i < n;) {
            size_t batch = 1 + draw_below(700);

            batch = batch < n - i ? batch : n - i;
            observe(&parts[draw_below(5)], values + i, batch);
            i += batch;
        }
        for (size_t p = 0, first = draw_below(5); p < 5; p++)
            merge(&merged, &parts[(first + 2 * p) % 5]);
        assert_same(&whole, &merged);
        for (size_t p = 0; p < 5; p++)
            histogram_fini(&parts[p]);
        histogram_fini(&whole);
        histogram_fini(&merged);
    }
}

static void merging_finer_bins_equals_having_counted_in_coarse_ones(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = draw_values(round), half = n / 2, fine = 256 << draw_below(4), coarse = fine >> draw_below(4);
        struct histogram whole = fresh(coarse), into = fresh(coarse), from = fresh(fine);
        struct error err;

        observe(&whole, values, n);
        observe(&into, values, half);
        observe(&from, values, n); /* something else first: a cleared histogram is a fresh one */
        histogram_clear(&from);
        observe(&from, values + half, n - half);
        assert_int_equal(histogram_merge_finer(&into, &from, &err), 0);
        assert_same(&whole, &into);
        histogram_fini(&whole);
        histogram_fini(&into);
        histogram_fini(&from);
    }
}

static void merging_is_a_commutative_monoid(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t bins = 256;
        struct histogram part[3], left = fresh(bins), right = fresh(bins), empty = fresh(bins);

        for (size_t p = 0; p < 3; p++) {
            size_t n = draw_values((int)draw_below(6));

            part[p] = fresh(bins);
            observe(&part[p], values, n);
        }
        merge(&left, &empty); /* identity, from both sides */
        assert_same(&left, &empty);
        merge(&left, &part[0]);
        assert_same(&left, &part[0]);
        merge(&left, &empty);
        assert_same(&left, &part[0]);

        merge(&left, &part[1]); /* ((a b) c) */
        merge(&left, &part[2]);
        merge(&right, &part[2]); /* ((c b) a) = (a (b c)), by commutativity */
        merge(&right, &part[1]);
        merge(&part[0], &right);
        assert_same(&left, &part[0]);

        for (size_t p = 0; p < 3; p++)
            histogram_fini(&part[p]);
        histogram_fini(&left);
        histogram_fini(&right);
        histogram_fini(&empty);
    }
}

static void folding_equals_binning_with_wider_bins(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t bins = 256;
        size_t n = draw_values(round);
        struct histogram h = fresh(bins);
        uint64_t *positive = calloc(bins, sizeof *positive);
        int32_t e;

        observe(&h, values, n);
        e = h.exponent + (int32_t)draw_below(40);
        for (size_t i = 0; i < n; i++)
            if (isfinite(values[i]) && values[i] > 0)
                positive[(size_t)floor(ldexp((double)values[i], -e))]++;
        histogram_fold_to(&h, e);
        assert_int_equal(h.exponent, e);
        assert_memory_equal(h.positive, positive, bins * sizeof *positive);
        histogram_fold_to(&h, e - 3); /* never back */
        assert_int_equal(h.exponent, e);
        assert_memory_equal(h.positive, positive, bins * sizeof *positive);
        free(positive);
        histogram_fini(&h);
    }
}

static void scaling_by_a_power_of_two_shifts_the_exponent(void **unused)
{
    (void)unused;
    for (int power = -60; power <= 60; power += 7) {
        struct histogram h = fresh(2048), scaled = fresh(2048);

        for (size_t i = 0; i < MOST; i++)
            values[i] = (float)draw_normal();
        observe(&h, values, MOST);
        for (size_t i = 0; i < MOST; i++)
            values[i] = ldexpf(values[i], power);
        observe(&scaled, values, MOST);
        assert_int_equal(scaled.exponent, h.exponent + power);
        assert_memory_equal(scaled.positive, h.positive, 2048 * sizeof *h.positive);
        assert_memory_equal(scaled.negative, h.negative, 2048 * sizeof *h.negative);
        assert_true(scaled.max == ldexpf(h.max, power) && scaled.min == ldexpf(h.min, power));
        histogram_fini(&h);
        histogram_fini(&scaled);
    }
}

static void two_to_the_25_equal_values_are_counted_exactly(void **unused)
{
    const uint64_t n = ((uint64_t)1 << 25) + 3; /* a float counter stops at 2^24 */
    float *x = malloc(n * sizeof *x);
    struct histogram h = fresh(2048);

    (void)unused;
    for (size_t i = 0; i < n; i++)
        x[i] = 3;
    observe(&h, x, n);
    assert_true(h.n == n && h.zeros == 0);
    assert_int_equal(h.exponent, 2 - 11); /* 3 < 2^2 = 2048 2^-9 */
    assert_true(h.positive[3 << 9] == n);
    histogram_fini(&h);
    free(x);
}

static void every_power_of_two_lands_at_the_start_of_its_bin(void **unused)
{
    (void)unused;
    for (int power = -149; power <= 127; power++) {
        const float x[] = {ldexpf(1, power), nextafterf(ldexpf(1, power), 0)};
        struct histogram h = fresh(8192);
        int32_t e = power + 1 - 13;

        observe(&h, x, 1);
        assert_int_equal(h.exponent, e > -149 ? e : -149);
        assert_true(h.positive[e > -149 ? 4096 : (size_t)1 << (power + 149)] == 1);
        observe(&h, x + 1, 1); /* one bin lower, be it by one part in 2^24; below 2^-149 there is only zero */
        assert_true(h.positive[(e > -149 ? 4096 : (size_t)1 << (power + 149)) - 1] == (power > -149));
        assert_true(h.zeros == (power == -149));
        histogram_fini(&h);
    }
}

static void the_range_may_grow_by_2_to_the_60_in_mid_run(void **unused)
{
    (void)unused;
    for (size_t at = 0; at < MOST; at += 997) {
        struct histogram found = fresh(2048), expected;

        for (size_t i = 0; i < MOST; i++)
            values[i] = (float)ldexp(draw_normal(), i < at ? -30 : 30);
        observe(&found, values, MOST);
        expected = define(2048, values, MOST);
        assert_same(&expected, &found);
        histogram_fini(&found);
        histogram_fini(&expected);
    }
}

static void zeros_nans_and_infinities_are_counted_apart(void **unused)
{
    const float x[] = {0.0f, -0.0f, NAN, -NAN, INFINITY, INFINITY, -INFINITY};
    struct histogram h = fresh(64);
    struct error err = {0};

    (void)unused;
    assert_true(h.min == INFINITY && h.max == -INFINITY && histogram_abs_max(&h) == 0);
    observe(&h, x + 2, 5);
    assert_true(h.min == INFINITY && h.max == -INFINITY);
    assert_int_equal(histogram_check(&h, &err), 0);
    observe(&h, x, 2);
    assert_true(h.n == 7 && h.zeros == 2 && h.nans == 2 && h.positive_infs == 2 && h.negative_infs == 1);
    assert_true(h.min == 0 && h.max == 0 && !signbit(h.min) && !signbit(h.max));
    assert_null(h.negative);
    assert_int_equal(h.exponent, HISTOGRAM_EMPTY_EXPONENT);
    assert_int_equal(histogram_check(&h, &err), 0);
    histogram_fini(&h);
}

static void magnitudes_add_both_sides(void **unused)
{
    const float x[] = {1, -1, -1, 3, -5};
    struct histogram h = fresh(8);
    uint64_t counts[8];

    (void)unused;
    observe(&h, x, 5);
    histogram_magnitudes(&h, counts);
    assert_int_equal(h.exponent, 0);
    assert_true(counts[1] == 3 && counts[3] == 1 && counts[5] == 1 && counts[0] + counts[2] + counts[4] == 0);
    assert_true(histogram_abs_max(&h) == 5);
    histogram_fini(&h);
}

static void a_histogram_has_a_power_of_two_of_bins(void **unused)
{
    const size_t wrong[] = {0, 1, 3, 2047, (size_t)1 << 25, (size_t)1 << 63, SIZE_MAX};
    struct histogram h;

    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {0};

        assert_int_equal(histogram_init(&h, wrong[i], &err), -1);
        assert_int_equal(err.code, EX_USAGE);
        histogram_fini(&h); /* after a failure, and twice */
        histogram_fini(&h);
    }
}

static void histograms_of_different_bins_do_not_merge(void **unused)
{
    struct histogram a = fresh(64), b = fresh(128);
    struct error err = {0};

    (void)unused;
    assert_int_equal(histogram_merge(&a, &b, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    assert_non_null(strstr(err.text, "64 and 128"));
    assert_int_equal(histogram_merge_finer(&b, &a, &err), -1); /* coarser bins cannot be told apart */
    assert_int_equal(err.code, EX_SOFTWARE);
    histogram_fini(&a);
    histogram_fini(&b);
}

static void counters_never_wrap(void **unused)
{
    struct histogram big = fresh(64), small = fresh(64);
    const float one = 1;
    struct error err = {0};

    (void)unused;
    observe(&big, &one, 1);
    big.n = big.positive[32] = ((uint64_t)1 << 63) - 1; /* 1 is in bin 32 of width 2^-5 */
    assert_int_equal(histogram_check(&big, &err), 0);
    observe(&small, &one, 1);
    assert_int_equal(histogram_merge(&big, &small, &err), 0); /* 2^63: the last one that fits */
    assert_true(big.positive[32] == (uint64_t)1 << 63);
    assert_int_equal(histogram_merge(&big, &small, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_int_equal(histogram_merge(&small, &big, &err), -1);
    assert_int_equal(histogram_merge(&big, &big, &err), -1);
    assert_true(big.n == (uint64_t)1 << 63 && small.n == 1 && small.positive[32] == 1); /* unchanged */

    big.positive[31] = (uint64_t)1 << 63; /* from a file: the sum would wrap round to n */
    big.n = 0;
    assert_int_equal(histogram_check(&big, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    histogram_fini(&big);
    histogram_fini(&small);
}

static void equality_looks_at_everything(void **unused)
{
    const float x[] = {0, 1, -2, NAN, INFINITY, -INFINITY};
    struct histogram a = fresh(64), b = fresh(64), positive = fresh(64), twin = fresh(64);

    (void)unused;
    observe(&a, x, 6);
    observe(&b, x, 6);
    assert_true(histogram_equal(&a, &b));
#define DIFFERS(change, undo)                                                                                          \
    do {                                                                                                               \
        change;                                                                                                        \
        assert_false(histogram_equal(&a, &b));                                                                         \
        assert_false(histogram_equal(&b, &a));                                                                         \
        undo;                                                                                                          \
        assert_true(histogram_equal(&a, &b));                                                                          \
    } while (0)
    DIFFERS(b.n++, b.n--);
    DIFFERS(b.zeros++, b.zeros--);
    DIFFERS(b.nans++, b.nans--);
    DIFFERS(b.positive_infs++, b.positive_infs--);
    DIFFERS(b.negative_infs++, b.negative_infs--);
    DIFFERS(b.exponent++, b.exponent--);
    DIFFERS(b.min -= 1, b.min += 1);
    DIFFERS(b.max += 1, b.max -= 1);
    DIFFERS(b.positive[63]++, b.positive[63]--);
    DIFFERS(b.negative[0]++, b.negative[0]--);
#undef DIFFERS
    observe(&positive, x, 2);
    observe(&twin, x, 2);
    twin.negative = calloc(64, sizeof *twin.negative); /* an empty half is as good as none */
    assert_true(histogram_equal(&positive, &twin) && histogram_equal(&twin, &positive));
    twin.negative[5] = 1;
    assert_false(histogram_equal(&positive, &twin) || histogram_equal(&twin, &positive));
    histogram_fini(&a);
    histogram_fini(&b);
    histogram_fini(&positive);
    histogram_fini(&twin);
}

/* One wrong thing at a time, as a damaged file might have it. */
static void damage(struct histogram *h, int what)
{
    switch (what) {
    case 0:
        h->n++;
        break;
    case 1:
        h->zeros++;
        break;
    case 2:
        h->nans--;
        break;
    case 3:
        h->positive[3]++;
        break;
    case 4:
        h->exponent++;
        break;
    case 5:
        h->exponent = INT32_MAX;
        break;
    case 6:
        h->exponent = INT32_MIN;
        break;
    case 7:
        h->min = NAN;
        break;
    case 8:
        h->max = INFINITY;
        break;
    case 9:
        h->max = -3;
        break;
    case 10:
        h->max = h->max / 2;
        break;
    case 11:
        h->min = 0;
        break;
    case 12:
        h->min = 0.5f;
        break;
    case 13:
        h->bins = 63;
        break;
    case 14:
        h->bins = 0;
        break;
    case 15: /* a count in the wrong bin of the positive side */
        h->positive[60]++;
        h->n++;
        break;
    default: /* and of the negative side, which is not the longer one */
        h->negative[60]++;
        h->n++;
    }
}

static void a_check_finds_every_kind_of_damage(void **unused)
{
    const float x[] = {0, 1, 1.5f, -0.75f, NAN};

    (void)unused;
    for (int what = 0; what <= 16; what++) {
        struct histogram h = fresh(64);
        struct error err = {0};

        observe(&h, x, 5);
        assert_int_equal(histogram_check(&h, &err), 0);
        damage(&h, what);
        if (histogram_check(&h, &err) != -1 || err.code != EX_DATAERR || err.text[0] == '\0')
            fail_msg("damage %d was not found", what);
        histogram_fini(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_follows_the_definition),
        cmocka_unit_test(neither_order_nor_batches_nor_merging_matter),
        cmocka_unit_test(merging_finer_bins_equals_having_counted_in_coarse_ones),
        cmocka_unit_test(merging_is_a_commutative_monoid),
        cmocka_unit_test(folding_equals_binning_with_wider_bins),
        cmocka_unit_test(scaling_by_a_power_of_two_shifts_the_exponent),
        cmocka_unit_test(two_to_the_25_equal_values_are_counted_exactly),
        cmocka_unit_test(every_power_of_two_lands_at_the_start_of_its_bin),
        cmocka_unit_test(the_range_may_grow_by_2_to_the_60_in_mid_run),
        cmocka_unit_test(zeros_nans_and_infinities_are_counted_apart),
        cmocka_unit_test(magnitudes_add_both_sides),
        cmocka_unit_test(a_histogram_has_a_power_of_two_of_bins),
        cmocka_unit_test(histograms_of_different_bins_do_not_merge),
        cmocka_unit_test(counters_never_wrap),
        cmocka_unit_test(equality_looks_at_everything),
        cmocka_unit_test(a_check_finds_every_kind_of_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
