/* test_convergence.c — thresholds against the number of records, against merging and searching by hand. */
#include "coordinator/convergence.h"

#include "../common/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 4, RECORDS = 3, PIXELS = 500, BINS = 512, UNOBSERVED = 2 };

static const struct comm alone = {0, 1};

/* Value v of part p: normal numbers, twice as wide from part to part of value 3. Nothing in parts beyond `filled`. */
static struct observe_parts *draw_parts(size_t filled)
{
    struct histogram tensor[VALUES] = {{.bins = BINS}, {.bins = BINS}, {.bins = 0}, {.bins = BINS}};
    struct error err = {0};
    struct observe_parts *parts = observe_parts_create(tensor, VALUES, &err);

    assert_non_null(parts);
    for (size_t p = 0; p < filled; p++)
        parts->cut.n_blocks[p] = 1;
    for (size_t p = 0; p < filled; p++)
        for (size_t v = 0; v < VALUES; v++) {
            float x[RECORDS * PIXELS];

            for (size_t i = 0; i < RECORDS * PIXELS; i++)
                x[i] = (float)ldexp(draw_normal(), v == 3 ? (int)p : 0);
            if (v != UNOBSERVED)
                assert_int_equal(histogram_observe(&parts->of[p][v], x, RECORDS * PIXELS, &err), 0);
        }
    return parts;
}

static float search(const struct observe_parts *parts, size_t v, size_t n_parts)
{
    struct histogram sum;
    struct threshold_request request = {.histogram = &sum, .steps = 127};
    char decided[64];
    float threshold;
    struct error err = {0};

    assert_int_equal(histogram_init(&sum, BINS, &err), 0);
    for (size_t p = 0; p < n_parts; p++)
        assert_int_equal(histogram_merge(&sum, &parts->of[p][v], &err), 0);
    assert_int_equal(threshold_decide(threshold_method_find("mse"), &request, &threshold, decided, &err), 0);
    histogram_fini(&sum);
    return threshold;
}

static struct convergence find(const struct observe_parts *parts)
{
    struct convergence found;
    struct error err = {0};

    assert_int_equal(convergence_find(&alone, threshold_method_find("mse"), 0, parts, &found, &err), 0);
    return found;
}

static void thresholds_are_those_of_the_parts_together(void **state)
{
    struct observe_parts *parts;
    struct convergence found, again;
    double moved = 0;
    struct error err;

    (void)state;
    draw_state = 123456789;
    parts = draw_parts(OBSERVE_PARTS);
    found = find(parts);
    again = find(parts);
    assert_int_equal(found.n_values, VALUES);
    assert_memory_equal(found.values, again.values, VALUES * sizeof *found.values);
    for (size_t v = 0; v < VALUES; v++)
        for (size_t p = 0; p < OBSERVE_PARTS; p++)
            assert_true(found.values[v].thresholds[p] == (v == UNOBSERVED ? 0 : search(parts, v, p + 1)));
    assert_int_equal(found.most, 3);
    assert_true(found.moved == 1 - (double)search(parts, 3, 4) / (double)search(parts, 3, 8));
    assert_int_equal(convergence_find_movement(&alone, threshold_method_find("mse"), 0, parts, &moved, &err), 0);
    assert_true(moved == found.moved);
    convergence_fini(&found);
    convergence_fini(&again);
    observe_parts_destroy(parts);
}

static void the_interval_holds_the_threshold_and_is_narrow_where_parts_are_alike(void **state)
{
    struct observe_parts *parts;
    struct convergence found;

    (void)state;
    draw_state = 362436069;
    parts = draw_parts(OBSERVE_PARTS);
    found = find(parts);
    for (size_t v = 0; v < VALUES; v++) {
        const struct convergence_value *value = &found.values[v];
        float threshold = value->thresholds[OBSERVE_PARTS - 1];

        assert_true(value->low <= threshold && threshold <= value->high);
        if (v != UNOBSERVED && v != 3)
            assert_true(value->high - value->low < 0.2f * threshold);
    }
    assert_true(found.values[3].high > 2 * found.values[3].low); /* its parts differ by powers of two */
    convergence_fini(&found);
    observe_parts_destroy(parts);
}

static void few_blocks_leave_parts_empty_and_no_interval_of_nothing(void **state)
{
    (void)state;
    for (size_t filled = 0; filled <= 3; filled++) {
        struct observe_parts *parts = draw_parts(filled);
        struct convergence found = find(parts);

        for (size_t p = 0; p < OBSERVE_PARTS; p++)
            assert_true((found.values[0].thresholds[p] > 0) == (filled > 0));
        assert_true((found.values[0].low > 0) == (filled > 0));
        if (filled == 1)
            assert_true(found.values[0].low == found.values[0].high && found.moved == 0);
        convergence_fini(&found);
        observe_parts_destroy(parts);
    }
}

static void settled_is_the_first_prefix_from_which_all_are_near(void **state)
{
    struct convergence_value values[2] = {{.thresholds = {5, 9.2f, 9.9f, 9.2f, 9.9f, 10, 10, 10}},
                                          {.thresholds = {1, 1, 1, 1, 1, 1, 1, 1}}};
    const struct convergence c = {.n_values = 2, .values = values};

    (void)state;
    assert_int_equal(convergence_settled(&c, 0.6), 0);
    assert_int_equal(convergence_settled(&c, 0.1), 1);
    assert_int_equal(convergence_settled(&c, 0.05), 4);
    assert_int_equal(convergence_settled(&c, 0.001), 5);
    values[1].thresholds[6] = 2;
    assert_int_equal(convergence_settled(&c, 0.05), 7);
}

static void records_are_counted_from_the_first_part_on(void **state)
{
    const uint64_t expected[OBSERVE_PARTS] = {1, 1, 3, 5, 6, 6, 6, 6};
    struct observe_parts *parts;
    struct convergence found;

    (void)state;
    draw_state = 88172645463325252;
    parts = draw_parts(5);
    memcpy(parts->n_records, (uint64_t[OBSERVE_PARTS]){1, 0, 2, 2, 1}, sizeof parts->n_records);
    found = find(parts);
    assert_memory_equal(found.records, expected, sizeof expected);
    convergence_fini(&found);
    observe_parts_destroy(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_are_those_of_the_parts_together),
        cmocka_unit_test(the_interval_holds_the_threshold_and_is_narrow_where_parts_are_alike),
        cmocka_unit_test(few_blocks_leave_parts_empty_and_no_interval_of_nothing),
        cmocka_unit_test(settled_is_the_first_prefix_from_which_all_are_near),
        cmocka_unit_test(records_are_counted_from_the_first_part_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
