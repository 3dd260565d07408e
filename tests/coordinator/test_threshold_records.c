/* Tests of the threshold methods that look at records: known answers of calibration.md, plain references. */
#include "../common/draw.h"
#include "common/plan.h"
#include "coordinator/thresholds.h"
#include "coordinator/thresholds/aciq.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { RECORDS = 400, ELEMENTS = 50, CLASSES = 10 };

/* Records of normal values times `unit`, and what is known of them. */
struct sample {
    struct histogram histogram;
    struct record_extrema extrema;
    struct top_two top;
    float second[RECORDS], gap[RECORDS];
    double smallest, largest;
    struct threshold_request request;
};

static void add(struct histogram *h, const float *x, size_t n)
{
    struct error err;

    assert_int_equal(histogram_observe(h, x, n, &err), 0);
}

static void add_record(struct sample *s, size_t r, const float *x, size_t n)
{
    float low = INFINITY, high = -INFINITY, next = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        low = fminf(low, x[i]);
        next = x[i] > high ? high : fmaxf(next, x[i]);
        high = fmaxf(high, x[i]);
    }
    s->extrema.records++;
    s->extrema.elements += n;
    exact_sum_add(&s->extrema.smallest, (double)low);
    exact_sum_add(&s->extrema.largest, (double)high);
    s->smallest += (double)low / RECORDS;
    s->largest += (double)high / RECORDS;
    s->second[r] = next;
    s->gap[r] = high - fmaxf(next, 0);
    add(&s->histogram, x, n);
    add(&s->top.second, &s->second[r], 1);
    add(&s->top.gap, &s->gap[r], 1);
}

static void init_sample(struct sample *s)
{
    struct error err;

    *s = (struct sample){
        .request = {.histogram = &s->histogram, .steps = 127, .extrema = &s->extrema, .top_two = &s->top}};
    assert_int_equal(histogram_init(&s->histogram, 2048, &err), 0);
    assert_int_equal(histogram_init(&s->top.second, 8192, &err), 0);
    assert_int_equal(histogram_init(&s->top.gap, 8192, &err), 0);
}

static void draw_sample(struct sample *s, double unit, double shift, size_t n)
{
    init_sample(s);
    for (size_t r = 0; r < RECORDS; r++) {
        float x[ELEMENTS];

        for (size_t i = 0; i < n; i++)
            x[i] = (float)((draw_normal() + shift) * unit);
        add_record(s, r, x, n);
    }
}

static void free_sample(struct sample *s)
{
    histogram_fini(&s->histogram);
    histogram_fini(&s->top.second);
    histogram_fini(&s->top.gap);
}

static struct threshold_found search(const char *name, const struct threshold_request *request)
{
    const struct threshold_method *method = threshold_method_find(name);
    struct threshold_found found = {-1, NULL};
    struct error err = {0};

    assert_non_null(method);
    assert_int_equal(method->search(method, request, &found, &err), 0);
    return found;
}

static void mean_of_extrema_is_the_mean_of_the_larger_side(void **state)
{
    static const double shifts[] = {0, 0.7, -0.7, 9};

    (void)state;
    draw_state = 41;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        struct sample s;
        double expected;

        draw_sample(&s, 3, shifts[i], ELEMENTS);
        expected = fmax(s.largest, -s.smallest);
        assert_true(fabs((double)search("mean-of-extrema", &s.request).threshold / expected - 1) < 1e-6);
        assert_true((double)search("mean-of-extrema", &s.request).threshold < (double)histogram_abs_max(&s.histogram));
        s.request.is_unsigned = true;
        assert_true(fabs((double)search("mean-of-extrema", &s.request).threshold / s.largest - 1) < 1e-6);
        free_sample(&s);
    }
}

static void the_mean_of_one_record_is_its_largest_value(void **state)
{
    static const float x[] = {1, -7.25F, 3};
    struct sample s;

    (void)state;
    draw_sample(&s, 0, 0, 1);
    free_sample(&s);
    s.extrema = (struct record_extrema){0};
    assert_int_equal(histogram_init(&s.histogram, 64, &(struct error){0}), 0);
    assert_int_equal(histogram_init(&s.top.second, 64, &(struct error){0}), 0);
    assert_int_equal(histogram_init(&s.top.gap, 64, &(struct error){0}), 0);
    add_record(&s, 0, x, 3);
    assert_true(search("mean-of-extrema", &s.request).threshold == 7.25F);
    free_sample(&s);
}

static void the_deviation_of_a_range_has_the_known_factor(void **state)
{
    (void)state;
    assert_true(fabs(aciq_sigma_of_range(1, exp(0.5)) - 0.5402084) < 5e-8); /* sqrt(2 ln n) = 1 */
    assert_true(fabs(aciq_sigma_of_range(3, 1000) - 3 * 0.5402084 / sqrt(2 * log(1000))) < 1e-7);
}

/* The guess is that of other tools, and near where the values are normal. */
static void aciq_range_clips_by_the_guessed_deviation(void **state)
{
    struct sample s;
    double sigma;

    (void)state;
    draw_state = 42;
    draw_sample(&s, 3, 0, ELEMENTS);
    s.request.steps = 7;
    sigma = (s.largest - s.smallest) * 0.5402084 / sqrt(2 * log(ELEMENTS));
    assert_true(fabs((double)search("aciq-range", &s.request).threshold / (2.559136 * sigma) - 1) < 1e-6);
    assert_true(sigma > 0.7 * 3 && sigma < 1.5 * 3);
    s.request.steps = 127;
    assert_true(search("aciq-range", &s.request).threshold <= histogram_abs_max(&s.histogram));
    free_sample(&s);
    draw_sample(&s, 3, 9, ELEMENTS); /* never negative: half a density */
    s.request.steps = 15;
    s.request.is_unsigned = true;
    sigma = 2 * s.largest * 0.5402084 / sqrt(2 * log(ELEMENTS));
    assert_true(fabs((double)search("aciq-range", &s.request).threshold /
                         fmin(2.936201 * sigma, (double)histogram_abs_max(&s.histogram)) -
                     1) < 1e-6);
    free_sample(&s);
}

/* Records of which both conditions hold. */
static size_t count_kept(const struct sample *s, double scale)
{
    size_t n = 0;

    for (size_t r = 0; r < RECORDS; r++)
        n += (double)s->second[r] <= (s->request.steps - 0.51) * scale && scale <= 2 * (double)s->gap[r];
    return n;
}

/* Of all interval ends, which is where the count changes. */
static size_t most_kept(const struct sample *s)
{
    size_t most = 0;

    for (size_t r = 0; r < RECORDS; r++) {
        double low = (double)s->second[r] / (s->request.steps - 0.51), high = 2 * (double)s->gap[r];
        double top = (double)threshold_limit(&s->request) / s->request.steps;
        size_t at_low = low > 0 && low <= top ? count_kept(s, low) : 0,
               at_high = high > 0 ? count_kept(s, fmin(high, top)) : 0;

        most = at_low > most ? at_low : most;
        most = at_high > most ? at_high : most;
    }
    return most;
}

static void isotone_keeps_the_order_of_as_many_records_as_any_scale(void **state)
{
    static const int32_t steps[] = {7, 15, 127, 255};

    (void)state;
    draw_state = 43;
    for (size_t i = 0; i < 12; i++) {
        struct sample s;
        double scale;

        draw_sample(&s, i < 6 ? 10 : 0.01, i % 3 == 0 ? 0 : i % 3 == 1 ? 4 : -1, CLASSES);
        s.request.steps = steps[i % 4];
        s.request.is_unsigned = i % 2 == 1;
        scale = (double)search("isotone", &s.request).threshold / s.request.steps;
        /* a bin is broken where one value of it may be: at most the records of a bin are lost by that */
        assert_true(count_kept(&s, scale) + RECORDS / 100 >= most_kept(&s));
        assert_true(most_kept(&s) > RECORDS / 3);
        free_sample(&s);
    }
}

static void isotone_takes_the_middle_of_what_serves_all(void **state)
{
    struct sample s;
    float threshold;

    (void)state;
    draw_sample(&s, 0, 0, 1);
    free_sample(&s);
    assert_int_equal(histogram_init(&s.histogram, 64, &(struct error){0}), 0);
    assert_int_equal(histogram_init(&s.top.second, 64, &(struct error){0}), 0);
    assert_int_equal(histogram_init(&s.top.gap, 64, &(struct error){0}), 0);
    for (size_t r = 0; r < 3; r++)
        add_record(&s, r, (const float[]){12.5F + (float)r, 12, -1}, 3); /* gaps of 0.5, 1.5, 2.5; scales to 1 */
    threshold = search("isotone", &s.request).threshold;
    /* 12 lies in a bin of width 1/4 that ends at 12.25; T is at most max|x| = 14.5 */
    assert_true(s.top.second.exponent == -2);
    assert_true(fabs((double)threshold / (127 * sqrt(12.25 / 126.49 * (14.5 / 127))) - 1) < 1e-6);
    free_sample(&s);
}

/* Outputs x and -x: no second largest is positive. One record is all but undecided, which no scale can mend. */
static void isotone_of_opposite_outputs_gives_up_only_the_undecided(void **state)
{
    static const double offsets[] = {0, 1}; /* of |x|: gaps from 0 on, or all well above it but one */

    (void)state;
    draw_state = 47;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct sample s;
        double threshold;

        init_sample(&s);
        for (size_t r = 0; r < RECORDS; r++) {
            float x = r == 0 ? 1e-6F : (float)(offsets[i] + fabs(draw_normal()));

            add_record(&s, r, (const float[]){x, -x}, 2);
        }
        assert_true(s.top.gap.positive[0] > 0);
        threshold = (double)search("isotone", &s.request).threshold;
        assert_true(count_kept(&s, threshold / s.request.steps) + RECORDS / 100 >= most_kept(&s));
        assert_true(most_kept(&s) >= RECORDS - RECORDS / 100);
        assert_true(threshold > 0.02 * (double)histogram_abs_max(&s.histogram)); /* 127 steps of two bins of 8192 */
        if (offsets[i] > 0)
            assert_true(threshold == (double)histogram_abs_max(&s.histogram));
        free_sample(&s);
    }
}

static void isotone_is_not_held_to_squared_errors(void **state)
{
    char decided[PLAN_METHOD_BYTES];
    struct error err = {0};
    float threshold;
    struct sample s;

    (void)state;
    draw_state = 44;
    draw_sample(&s, 1, 0, CLASSES);
    for (size_t r = 0; r < 20; r++)
        add(&s.histogram, (const float[]){100}, 1); /* most of the energy, clipped */
    assert_int_equal(threshold_decide(threshold_method_find("isotone"), &s.request, &threshold, decided, &err), 0);
    assert_string_equal(decided, "isotone");
    assert_true(threshold_clipped_energy(&s.request, (double)threshold) > 0.01);
    free_sample(&s);
}

static void without_records_the_threshold_is_that_of_mse(void **state)
{
    static const char *const names[] = {"mean-of-extrema", "aciq-range", "isotone"};

    (void)state;
    draw_state = 45;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct threshold_found found;
        struct sample s;

        draw_sample(&s, 1, 0, ELEMENTS);
        s.request.extrema = NULL;
        s.request.top_two = NULL;
        found = search(names[i], &s.request);
        assert_string_equal(found.by, "mse");
        assert_true(found.threshold == search("mse", &s.request).threshold);
        free_sample(&s);
    }
}

/* The invariant of every method, calibration.md section 18. */
static void scaling_the_values_scales_every_threshold(void **state)
{
    static const char *const names[] = {"mean-of-extrema", "aciq-range", "isotone"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int j = -40; j <= 40; j += 8) {
            struct sample plain, scaled;

            draw_state = 46;
            draw_sample(&plain, 1, 0.5, CLASSES);
            draw_state = 46;
            draw_sample(&scaled, ldexp(1, j), 0.5, CLASSES);
            assert_true(ldexpf(search(names[i], &plain.request).threshold, j) ==
                        search(names[i], &scaled.request).threshold);
            free_sample(&plain);
            free_sample(&scaled);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_of_extrema_is_the_mean_of_the_larger_side),
        cmocka_unit_test(the_mean_of_one_record_is_its_largest_value),
        cmocka_unit_test(the_deviation_of_a_range_has_the_known_factor),
        cmocka_unit_test(aciq_range_clips_by_the_guessed_deviation),
        cmocka_unit_test(isotone_keeps_the_order_of_as_many_records_as_any_scale),
        cmocka_unit_test(isotone_takes_the_middle_of_what_serves_all),
        cmocka_unit_test(isotone_of_opposite_outputs_gives_up_only_the_undecided),
        cmocka_unit_test(isotone_is_not_held_to_squared_errors),
        cmocka_unit_test(without_records_the_threshold_is_that_of_mse),
        cmocka_unit_test(scaling_the_values_scales_every_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
