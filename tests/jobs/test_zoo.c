/* test_zoo.c — each gate fails beyond its limit and nowhere else; what was never known fails none, and is told. */
#include "jobs/zoo/zoo.h"

#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct zoo_gates none = {NAN, NAN, NAN, NAN, NAN};

/* One target, "chip", with an fp32 network of 80 %. */
static json_t *results(double top1, double agreement, double sqnr_db, double threshold)
{
    return json_pack("{s:s, s:{s:f}, s:{s:{s:f, s:f, s:f, s:{s:f}}}}", "fingerprint", "f", "fp32", "top1", 80.0,
                     "targets", "chip", "top1", top1, "agreement", agreement, "sqnr_db", sqnr_db, "thresholds", "conv1",
                     threshold);
}

/* The sentence of the one gate that fails; "" where none does. */
static const char *judged(json_t *now, const json_t *then, const struct zoo_gates *gates)
{
    static char text[512];
    size_t n_unjudged = 0, n = zoo_judge(now, then, gates, &n_unjudged);
    json_t *target = json_object_get(json_object_get(now, "targets"), "chip"), *list = json_object_get(target, "gates");

    assert_int_equal(json_array_size(list), n);
    assert_int_equal(json_array_size(json_object_get(target, "not_judged")), n_unjudged);
    assert_true(n <= 1);
    assert_null(json_object_get(target, "thresholds"));
    snprintf(text, sizeof text, "%s", n == 0 ? "" : json_string_value(json_array_get(list, 0)));
    return text;
}

static void assert_verdict(json_t *now, const json_t *then, struct zoo_gates gates, const char *expected)
{
    assert_string_equal(judged(now, then, &gates), expected);
    json_decref(now);
}

static void each_gate_fails_beyond_its_limit(void **state)
{
    json_t *then = results(79.5, 98, 30, 2);
    struct zoo_gates drop = none, agreement = none, fall = none, sqnr = none, moved = none;

    (void)state;
    drop.accuracy_drop = 1;
    assert_verdict(results(79, 98, 30, 2), then, drop, "");
    assert_verdict(results(78.5, 98, 30, 2), then, drop, "top1 is 1.50 points below fp32, more than 1");
    agreement.agreement = 95;
    assert_verdict(results(79, 95, 30, 2), then, agreement, "");
    assert_verdict(results(79, 94.5, 30, 2), then, agreement, "agreement is 94.50 %, less than 95");
    fall.accuracy_fall = 0.5;
    assert_verdict(results(79, 98, 30, 2), then, fall, "");
    assert_verdict(results(78.5, 98, 30, 2), then, fall,
                   "top1 has fallen by 1.00 points since it was accepted, more than 0.5");
    sqnr.sqnr_fall = 2;
    assert_verdict(results(79, 98, 28, 2), then, sqnr, "");
    assert_verdict(results(79, 98, 27.5, 2), then, sqnr,
                   "SQNR has fallen by 2.50 dB since it was accepted, more than 2");
    moved.threshold_movement = 0.25;
    assert_verdict(results(79, 98, 30, 2.5), then, moved, "");
    assert_verdict(results(79, 98, 30, 1), then, moved,
                   "the threshold of conv1 has moved by 0.5 since it was accepted, more than 0.25");
    json_decref(then);
}

static void a_better_night_fails_nothing(void **state)
{
    json_t *then = results(79.5, 98, 30, 2);
    const struct zoo_gates all = {0, 0, 0, 0, 0};

    (void)state;
    assert_verdict(results(81, 99, 31, 2), then, all, "");
    json_decref(then);
}

/* A target of which nothing was measured. */
static json_t *nothing(void)
{
    return json_pack("{s:s, s:{}, s:{s:{s:{}}}}", "fingerprint", "f", "fp32", "targets", "chip", "thresholds");
}

static void what_was_never_known_fails_nothing_and_is_told(void **state)
{
    const struct zoo_gates of_accepted = {NAN, NAN, 0, 0, 0}, all = {0, 0, 0, 0, 0};
    json_t *now = nothing(), *then = nothing();
    size_t n_unjudged = 0;

    (void)state;
    assert_verdict(results(10, 10, 1, 100), NULL, of_accepted, ""); /* never accepted */
    assert_int_equal(zoo_judge(now, NULL, &of_accepted, &n_unjudged), 0);
    assert_int_equal(n_unjudged, 0);
    assert_int_equal(zoo_judge(now, then, &all, &n_unjudged), 0);
    assert_int_equal(n_unjudged, 5);
    json_decref(now);
    json_decref(then);
}

static void what_was_accepted_and_is_not_known_any_more_fails(void **state)
{
    json_t *then = results(79.5, 98, 30, 2);
    struct zoo_gates fall = none, sqnr = none, moved = none;

    (void)state;
    fall.accuracy_fall = sqnr.sqnr_fall = moved.threshold_movement = 1000;
    assert_verdict(nothing(), then, fall, "agreement is not known any more (accuracy_fall)");
    assert_verdict(nothing(), then, sqnr, "SQNR is not known any more (sqnr_fall)");
    assert_verdict(nothing(), then, moved, "thresholds are not known any more (threshold_movement)");
    json_decref(then);
}

static void a_target_that_was_accepted_and_is_gone_fails_where_nights_are_compared(void **state)
{
    const char *expected = "it was accepted, and is no target of this job any more";
    json_t *then = results(79.5, 98, 30, 2);
    struct zoo_gates fall = none, sqnr = none, moved = none, drop = none;

    (void)state;
    fall.accuracy_fall = sqnr.sqnr_fall = moved.threshold_movement = drop.accuracy_drop = 1000;
    for (size_t i = 0; i < 4; i++) {
        json_t *now = results(79.5, 98, 30, 2), *all = json_object_get(now, "targets");
        const struct zoo_gates *const gates[] = {&fall, &sqnr, &moved, &drop};

        json_object_set(all, "other chip", json_object_get(all, "chip"));
        json_object_del(all, "chip");
        assert_verdict(now, then, *gates[i], i < 3 ? expected : "");
    }
    json_decref(then);
}

static void a_target_that_failed_is_not_judged_by_figures(void **state)
{
    const struct zoo_gates all = {0, 0, 0, 0, 0};
    json_t *now = nothing(), *then = results(79.5, 98, 30, 2);

    (void)state;
    json_object_set_new(json_object_get(json_object_get(now, "targets"), "chip"), "error", json_string("no form"));
    assert_verdict(now, then, all, "");
    json_decref(then);
}

static void agreement_stands_in_where_there_are_no_labels(void **state)
{
    json_t *now = results(0, 90, 30, 2), *then = results(0, 98, 30, 2);
    struct zoo_gates fall = none;

    (void)state;
    json_object_set_new(json_object_get(now, "fp32"), "top1", json_null());
    fall.accuracy_fall = 5;
    assert_verdict(now, then, fall, "agreement has fallen by 8.00 points since it was accepted, more than 5");
    json_decref(then);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gate_fails_beyond_its_limit),
        cmocka_unit_test(a_better_night_fails_nothing),
        cmocka_unit_test(what_was_never_known_fails_nothing_and_is_told),
        cmocka_unit_test(what_was_accepted_and_is_not_known_any_more_fails),
        cmocka_unit_test(a_target_that_was_accepted_and_is_gone_fails_where_nights_are_compared),
        cmocka_unit_test(a_target_that_failed_is_not_judged_by_figures),
        cmocka_unit_test(agreement_stands_in_where_there_are_no_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
