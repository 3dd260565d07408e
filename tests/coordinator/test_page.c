/* test_page.c — report.html holds its data, and nothing that the data could add; the look is tests/e2e/report.sh's. */
#include "coordinator/page.h"

#include "common/plan.h"
#include "coordinator/compare_methods.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void fill(struct histogram *h, size_t bins)
{
    struct error err = {0};
    float x[1000];

    for (int i = 0; i < 1000; i++)
        x[i] = (float)(i - 300) / 64;
    assert_int_equal(histogram_init(h, bins, &err), 0);
    assert_int_equal(histogram_observe(h, x, 1000, &err), 0);
}

static const char begin[] = "<script type=\"application/json\" id=\"data\">";

/* The page's data, which end at the first "</script>" behind their beginning, as for a browser. */
static json_t *data_of(const char *text)
{
    const char *at = strstr(text, begin), *end;
    json_t *root;

    assert_non_null(at);
    at += sizeof begin - 1;
    end = strstr(at, "</script>");
    assert_non_null(end);
    root = json_loadb(at, (size_t)(end - at), 0, NULL);
    assert_non_null(root);
    return root;
}

static uint64_t sum(json_t *list)
{
    uint64_t total = 0;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) total += (uint64_t)json_integer_value(item);
    return total;
}

static void folded_counts_add_up_and_names_stay_text(void **state)
{
    const char name[] = "</script><script>alert(1)</script><!--";
    struct error err = {0};

    (void)state;
    for (size_t bins = 2; bins <= 8192; bins *= 8) {
        struct histogram h;
        struct page_value value = {name, &h};
        struct page page = {.report = "{\"model\": \"</script>\", \"targets\": {}}", .n_values = 1, .values = &value};
        json_t *root, *shown;
        size_t size;
        char *text;

        fill(&h, bins);
        text = page_text(&page, &size, &err);
        assert_non_null(text);
        assert_int_equal(strlen(text), size);
        root = data_of(text);
        shown = json_array_get(json_object_get(root, "values"), 0);
        assert_string_equal(json_string_value(json_object_get(shown, "name")), name);
        assert_int_equal(sum(json_object_get(shown, "positive")) + sum(json_object_get(shown, "negative")) + h.zeros,
                         1000);
        assert_true(json_array_size(json_object_get(shown, "positive")) <= 256);
        assert_string_equal(json_string_value(json_object_get(json_object_get(root, "report"), "model")), "</script>");
        json_decref(root);
        free(text);
        histogram_fini(&h);
    }
}

static void every_method_says_what_it_decides_alone(void **state)
{
    const struct comm comm = {0, 1};
    const struct threshold_method *methods[64];
    struct histogram h, empty;
    const struct histogram *both[] = {&h, &empty};
    size_t n = compared_methods(methods);
    struct error err = {0};
    float *found;

    (void)state;
    fill(&h, 2048);
    assert_int_equal(histogram_init(&empty, 2048, &err), 0);
    assert_int_equal(compare_methods(&comm, both, 2, 0.999, &found, &err), 0);
    for (size_t i = 0; i < n; i++) {
        const struct threshold_request request = {.histogram = &h, .steps = 127, .percentile = 0.999};
        char decided[PLAN_METHOD_BYTES];
        float threshold;

        assert_int_equal(threshold_decide(methods[i], &request, &threshold, decided, &err), 0);
        assert_true(found[i] == threshold);
        assert_true(found[n + i] == 0);
    }
    free(found);
    histogram_fini(&h);
    histogram_fini(&empty);
}

static void what_is_no_report_is_refused(void **state)
{
    static const struct {
        const char *report, *message;
    } rows[] = {{"{\"model\": }", "report.json: line 1"},
                {"{\"model\": \"x\"}", "report.json: no report"},
                {"{\"targets\": 5}", "report.json: no report"},
                {"[]", "report.json: no report"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct page page = {.report = rows[i].report};
        struct error err = {0};
        size_t size;

        assert_null(page_text(&page, &size, &err));
        assert_int_equal(err.code, EX_DATAERR);
        assert_non_null(strstr(err.text, rows[i].message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_counts_add_up_and_names_stay_text),
        cmocka_unit_test(every_method_says_what_it_decides_alone),
        cmocka_unit_test(what_is_no_report_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
