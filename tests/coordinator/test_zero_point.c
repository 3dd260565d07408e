/* The codes that a moved zero point gives, against a plain reference, on made-up histograms. */
#include "coordinator/zero_point.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <float.h>
#include <math.h>

static const struct code_range uint8_codes = {0, 255, 128}, int8_codes = {-128, 127, 0};
enum { STEPS = 127 };

/* What activations look like: [low, high] of the bulk, and tails. */
static float draw_value(double low, double high, int kind)
{
    double u = draw_uniform(0, 1), x = kind == 0 ? low + (high - low) * u : draw_normal() * (high - low) / 6;

    if (kind == 2)
        x = x / (1 + exp(-x)); /* SiLU */
    if (kind == 3)
        x = x < 0 ? 0.1 * x : x; /* leaky ReLU */
    if (kind == 4 && draw_below(50) == 0)
        x *= 8; /* outliers */
    return (float)x;
}

static void make_histogram(struct histogram *h, int kind)
{
    double low = -draw_uniform(0, 1) * (kind == 0 ? pow(8, draw_uniform(0, 1) * 2 - 1.5) : 4),
           high = draw_uniform(0, 1) * 8 + 0.01;
    double size = ldexp(1, (int)draw_below(40) - 20);
    struct error err;

    assert_succeeds(histogram_init(h, 2048, &err), err);
    for (int i = 0; i < 2000; i++) {
        float x = draw_value(low * size, high * size, kind);

        assert_succeeds(histogram_observe(h, &x, 1, &err), err);
    }
}

/* The exact integral of the squared error, bin by bin and code by code. */
static double plain_error(const struct histogram *h, double scale, struct code_range codes)
{
    double total = 0, width = ldexp(1, h->exponent);

    for (size_t k = 0; k < 2 * h->bins; k++) {
        bool is_negative = k >= h->bins;
        size_t bin = is_negative ? k - h->bins : k;
        uint64_t count = !is_negative ? h->positive[bin] : h->negative == NULL ? 0 : h->negative[bin];
        double from = (is_negative ? -(double)bin - 1 : (double)bin) * width, to = from + width;

        for (int32_t q = codes.lo; count > 0 && q <= codes.hi; q++) {
            double v = (q - codes.zero_point) * scale;
            double a = fmax(from, q == codes.lo ? -INFINITY : v - scale / 2);
            double b = fmin(to, q == codes.hi ? INFINITY : v + scale / 2);

            if (b > a)
                total += (double)count / width * (pow(b - v, 3) - pow(a - v, 3)) / 3;
        }
    }
    return total;
}

static void a_moved_zero_point_clips_no_more_and_errs_less(void **state)
{
    size_t n_moved = 0, n_kept = 0;

    (void)state;
    draw_state = 88172645463325252u;
    for (int i = 0; i < 300; i++) {
        struct code_range codes = i % 2 == 0 ? uint8_codes : int8_codes, moved;
        struct histogram h;
        struct zero_point_found found;
        struct error err;
        float threshold;
        double before, after, low, high;

        make_histogram(&h, i % 5);
        threshold = histogram_abs_max(&h) * (float)(i % 3 == 0 ? 1 : 0.4 + 0.6 * draw_uniform(0, 1));
        assert_succeeds(
            zero_point_find(
                &(struct zero_point_request){.histogram = &h, .codes = codes, .steps = STEPS, .threshold = threshold},
                &found, &err),
            err);
        moved = codes;
        moved.zero_point += found.moved;
        before = plain_error(&h, (double)threshold / STEPS, codes);
        after = plain_error(&h, (double)found.scale, moved);
        if (found.moved == 0) {
            assert_true(found.threshold == threshold && found.scale == threshold / STEPS);
            n_kept++;
        } else {
            assert_true(moved.zero_point >= moved.lo && moved.zero_point <= moved.hi);
            assert_true(found.scale <= threshold / STEPS);
            assert_true(after <= before * 15 / 16 * (1 + 1e-6));
            assert_true(found.threshold == (float)code_range_steps(moved) * found.scale);
            assert_true(fabsf(found.threshold - threshold) <= found.scale * 1.001F);
            low = fmax((double)h.min, -(double)threshold), high = fmin((double)h.max, (double)threshold);
            assert_true((moved.lo - moved.zero_point) * (double)found.scale <= low * (1 - 1e-6));
            assert_true((moved.hi - moved.zero_point) * (double)found.scale >= high * (1 - 1e-6));
            n_moved++;
        }
        histogram_fini(&h);
    }
    assert_true(n_moved > 100 && n_kept > 20);
}

static void searched_ends_err_no_more_than_those_of_the_threshold(void **state)
{
    size_t n_better = 0;

    (void)state;
    draw_state = 1234567;
    for (int i = 0; i < 60; i++) {
        struct histogram h;
        struct zero_point_request request = {.codes = uint8_codes, .steps = STEPS};
        struct zero_point_found plain, searched;
        struct code_range of_plain = uint8_codes, of_searched = uint8_codes;
        struct error err;
        double error;

        make_histogram(&h, i % 5);
        request.histogram = &h;
        request.threshold = histogram_abs_max(&h) * (float)(0.3 + 0.7 * draw_uniform(0, 1));
        assert_succeeds(zero_point_find(&request, &plain, &err), err);
        request.searches_ends = true;
        assert_succeeds(zero_point_find(&request, &searched, &err), err);
        of_plain.zero_point += plain.moved;
        of_searched.zero_point += searched.moved;
        error = plain_error(&h, (double)plain.scale, of_plain);
        assert_true(plain_error(&h, (double)searched.scale, of_searched) <= error * (1 + 1e-6));
        assert_true(searched.threshold <= histogram_abs_max(&h) + searched.scale);
        n_better += plain_error(&h, (double)searched.scale, of_searched) < 0.99 * error;
        histogram_fini(&h);
    }
    assert_true(n_better > 10);
}

static void values_of_one_sign_have_all_codes_and_even_ones_the_middle(void **state)
{
    static const struct {
        double low, high;
        int32_t zero_point;
    } rows[] = {{0, 5, 0}, {-5, 0, 255}, {-5, 5, 128}, {-5, 4.9, 129}, {-1, 254, 1}, {-1, 2, 85}, {-0.001, 5, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float threshold = (float)fmax(-rows[i].low, rows[i].high);
        struct zero_point_found found = zero_point_of_ends(rows[i].low, rows[i].high, uint8_codes, threshold, STEPS);

        assert_int_equal(uint8_codes.zero_point + found.moved, rows[i].zero_point);
        assert_true(found.scale <= threshold / STEPS);
    }
}

/* Other tools' files: what they say comes out again. */
static void given_codes_are_found_again(void **state)
{
    (void)state;
    draw_state = 20240229;
    for (int32_t zero = 0; zero <= 255; zero++)
        for (int i = 0; i < 20; i++) {
            struct code_range codes = {0, 255, zero};
            float scale = (float)ldexp(draw_uniform(1, 2), (int)draw_below(40) - 20);
            float threshold = (float)code_range_steps(codes) * scale;
            struct zero_point_found found =
                zero_point_of_ends(-zero * (double)scale, (255 - zero) * (double)scale, uint8_codes, threshold, STEPS);

            assert_int_equal(uint8_codes.zero_point + found.moved, zero);
            assert_true(found.threshold == threshold);
            assert_true(found.scale == (found.moved == 0 ? threshold / STEPS : scale));
        }
}

/* 255 codes as of int8 without -128 are even: the 256th moves nothing. */
static void even_codes_stay_in_the_middle(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        float scale = (float)draw_uniform(0.5, 2), threshold = STEPS * scale;
        double end = STEPS * (double)scale;

        assert_int_equal(zero_point_of_ends(-end, end, uint8_codes, threshold, STEPS).moved, 0);
    }
}

static void scaled_values_have_scaled_codes(void **state)
{
    struct histogram a, b;
    struct zero_point_request request = {.codes = uint8_codes, .steps = STEPS, .searches_ends = true};
    struct zero_point_found of_a, of_b;
    struct error err;

    (void)state;
    draw_state = 4711;
    assert_succeeds(histogram_init(&a, 2048, &err), err);
    assert_succeeds(histogram_init(&b, 2048, &err), err);
    for (int i = 0; i < 3000; i++) {
        float x = draw_value(-3, 3, 2), y = ldexpf(x, 17);

        assert_succeeds(histogram_observe(&a, &x, 1, &err), err);
        assert_succeeds(histogram_observe(&b, &y, 1, &err), err);
    }
    request.histogram = &a;
    request.threshold = 1;
    assert_succeeds(zero_point_find(&request, &of_a, &err), err);
    request.histogram = &b;
    request.threshold = 0x1p17F;
    assert_succeeds(zero_point_find(&request, &of_b, &err), err);
    assert_true(of_a.moved != 0);
    assert_int_equal(of_a.moved, of_b.moved);
    assert_true(of_b.scale == ldexpf(of_a.scale, 17) && of_b.threshold == ldexpf(of_a.threshold, 17));
    histogram_fini(&a);
    histogram_fini(&b);
}

static void an_end_too_small_beside_the_other_has_one_code(void **state)
{
    static const float ends[] = {1e-3F, 1e-13F, 3e-14F, 1e-20F, FLT_TRUE_MIN};

    (void)state;
    for (size_t i = 0; i < 4 * (sizeof ends / sizeof *ends); i++) {
        float end = ends[i / 4], sign = i % 2 == 0 ? 1 : -1;
        struct histogram h;
        struct zero_point_request request = {
            .histogram = &h, .codes = uint8_codes, .steps = STEPS, .threshold = 5, .searches_ends = i / 2 % 2 != 0};
        struct zero_point_found found, of_ends;
        struct error err;

        assert_succeeds(histogram_init(&h, 2048, &err), err);
        for (int k = 1; k <= 4000; k++) {
            float x = k == 4000 ? sign * end : -sign * 5 * (float)(k % 1000 + 1) / 1000;

            assert_succeeds(histogram_observe(&h, &x, 1, &err), err);
        }
        assert_succeeds(zero_point_find(&request, &found, &err), err);
        of_ends = zero_point_of_ends((double)h.min, (double)h.max, uint8_codes, 5, STEPS);
        assert_int_equal(uint8_codes.zero_point + of_ends.moved, sign > 0 ? 254 : 1);
        assert_true(of_ends.scale == 5.0F / 254);
        if (!request.searches_ends)
            assert_true(found.moved == of_ends.moved && found.scale == of_ends.scale);
        assert_true(uint8_codes.zero_point + found.moved >= 254 || uint8_codes.zero_point + found.moved <= 1);
        assert_true(found.scale >= 0.98F * 5 / 255 && found.scale <= 5.0F / 254);
        histogram_fini(&h);
    }
}

static void nothing_moves_for_want_of_values(void **state)
{
    struct histogram h;
    struct zero_point_found found;
    struct error err;
    float x = 0;

    (void)state;
    assert_succeeds(histogram_init(&h, 2048, &err), err);
    assert_succeeds(histogram_observe(&h, &x, 1, &err), err);
    assert_succeeds(
        zero_point_find(
            &(struct zero_point_request){.histogram = &h, .codes = uint8_codes, .steps = STEPS, .threshold = STEPS},
            &found, &err),
        err);
    assert_true(found.moved == 0 && found.scale == 1);
    histogram_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moved_zero_point_clips_no_more_and_errs_less),
        cmocka_unit_test(searched_ends_err_no_more_than_those_of_the_threshold),
        cmocka_unit_test(values_of_one_sign_have_all_codes_and_even_ones_the_middle),
        cmocka_unit_test(given_codes_are_found_again),
        cmocka_unit_test(even_codes_stay_in_the_middle),
        cmocka_unit_test(scaled_values_have_scaled_codes),
        cmocka_unit_test(an_end_too_small_beside_the_other_has_one_code),
        cmocka_unit_test(nothing_moves_for_want_of_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
