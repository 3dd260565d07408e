/* test_json_text.c — texts of strangers in JSON, as keys and as values. */
#include "formats/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void bytes_that_are_no_utf8_are_escaped_in_keys_and_texts(void **state)
{
    static const char name[] = "caf\xe9\n";
    json_t *object = json_object();
    char *text;

    (void)state;
    json_put(&object, name, json_text(name));
    json_put(&object, "caf\xc3\xa9", json_true());
    assert_non_null(object);
    text = json_dumps(object, JSON_COMPACT);
    assert_string_equal(text, "{\"caf\\\\xe9\\\\x0a\":\"caf\\\\xe9\\\\x0a\",\"caf\xc3\xa9\":true}");
    free(text);
    json_decref(object);
}

static void what_is_made_of_nothing_is_nothing(void **state)
{
    json_t *object = json_object(), *list = json_array();

    (void)state;
    json_put(&object, "a", NULL);
    json_append(&list, NULL);
    assert_null(object);
    assert_null(list);
    json_put(&object, "b", json_true());
    json_append(&list, json_true());
    assert_null(object);
    assert_null(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped_in_keys_and_texts),
        cmocka_unit_test(what_is_made_of_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
