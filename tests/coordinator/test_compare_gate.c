/* test_compare_gate.c — what one run alone has fails a gate, however well the rest compares. */
#include "coordinator/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct compared_decision common = {
    "x", 0, {{.is_there = true, .threshold = 1, .sqnr_db = 30}, {.is_there = true, .threshold = 1, .sqnr_db = 29}}};
static struct compared_decision apart[] = {
    {"y", 0, {[AFTER] = {.is_there = true, .threshold = 1, .sqnr_db = 30}}},
    {"p", 0, {[BEFORE] = {.is_there = true, .threshold = 1, .sqnr_db = 30}}},
};

static struct compare_gate judge(const struct comparison *comparison, const char *text)
{
    struct compare_gate gate;

    assert_int_equal(compare_gate_read(text, &gate, NULL), 0);
    compare_gate_judge(comparison, &gate);
    return gate;
}

static void a_target_without_a_common_value_fails(void **state)
{
    struct compared_target targets[] = {{.name = "a", .is_there = {true, true}, .n_decisions = 1, .decisions = &common},
                                        {.name = "b", .is_there = {true, true}, .n_decisions = 2, .decisions = apart}};
    struct comparison comparison = {.targets = targets};
    const char *gates[] = {"threshold=1000", "sqnr=1000"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct compare_gate gate;

        comparison.n_targets = 1;
        assert_false(judge(&comparison, gates[i]).has_failed);
        comparison.n_targets = 2;
        gate = judge(&comparison, gates[i]);
        assert_true(gate.has_failed && isnan(gate.found) && gate.where == NULL);
        assert_string_equal(gate.network, "b");
    }
}

static void a_value_without_noise_passes_and_one_that_got_noise_fails(void **state)
{
    static const struct {
        double before, after;
        bool has_failed;
    } rows[] = {{INFINITY, INFINITY, false}, {30, INFINITY, false}, {INFINITY, 90, true}, {30, 29.9, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct compared_decision decision = common;
        struct compared_target target = {
            .name = "a", .is_there = {true, true}, .n_decisions = 1, .decisions = &decision};
        struct comparison comparison = {.targets = &target, .n_targets = 1};

        decision.at[BEFORE].sqnr_db = rows[i].before;
        decision.at[AFTER].sqnr_db = rows[i].after;
        assert_int_equal(judge(&comparison, "sqnr=0.5").has_failed, rows[i].has_failed);
    }
}

static void a_value_that_is_not_counted_any_more_fails(void **state)
{
    struct compared_value value = {.name = "x", .distance = 0.5};
    const char *lost[] = {"p", "q"};
    struct comparison comparison = {.has_statistics = true, .n_values = 1, .values = &value, .lost = lost};
    struct compare_gate gate;

    (void)state;
    assert_false(judge(&comparison, "statistics=1").has_failed);
    comparison.n_lost = 2;
    gate = judge(&comparison, "statistics=1");
    assert_true(gate.has_failed && isnan(gate.found) && gate.network == NULL);
    assert_string_equal(gate.where, "p");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_without_a_common_value_fails),
        cmocka_unit_test(a_value_without_noise_passes_and_one_that_got_noise_fails),
        cmocka_unit_test(a_value_that_is_not_counted_any_more_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
