/* test_error.c — one error, filled once, wrapped on the way out, printable. */
#include "common/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void setting_an_error_fails_in_one_line(void **unused)
{
    struct error err = {0};

    (void)unused;
    assert_int_equal(error_set(&err, EX_DATAERR, "blob %d needs %zu floats", 3, (size_t)9408), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_string_equal(err.text, "blob 3 needs 9408 floats");
}

static void wrapping_prepends_and_keeps_the_code(void **unused)
{
    struct error err = {0};

    (void)unused;
    error_set(&err, EX_NOINPUT, "no such file");
    assert_int_equal(error_in(&err, "layer \"%s\"", "conv1"), -1);
    assert_int_equal(error_in(&err, "net.prototxt"), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    assert_string_equal(err.text, "net.prototxt: layer \"conv1\": no such file");
}

static void an_absent_error_is_allowed(void **unused)
{
    (void)unused;
    assert_int_equal(error_set(NULL, EX_OSERR, "nobody listens"), -1);
    assert_int_equal(error_in(NULL, "nowhere"), -1);
}

static void control_bytes_of_strangers_are_escaped(void **unused)
{
    struct error err = {0};

    (void)unused;
    error_set(&err, EX_DATAERR, "node \"%s\"", "a\x1b[31m\nb\x7f\xc3\xa9"); /* UTF-8 passes */
    assert_string_equal(err.text, "node \"a\\x1b[31m\\x0ab\\x7f\xc3\xa9\"");
    error_in(&err, "%s", "tab\there"); /* what is escaped already is not escaped again */
    assert_string_equal(err.text, "tab\\x09here: node \"a\\x1b[31m\\x0ab\\x7f\xc3\xa9\"");
}

static void long_text_is_cut_with_dots(void **unused)
{
    struct error err = {0};
    char name[3 * ERROR_TEXT_BYTES];
    size_t length;

    (void)unused;
    for (int byte = 1; byte < 128; byte += 63) { /* \x01, '@', 0x7f */
        memset(name, byte, sizeof name - 1);
        name[sizeof name - 1] = '\0';
        error_set(&err, EX_DATAERR, "%s", name);
        length = strnlen(err.text, ERROR_TEXT_BYTES);
        assert_in_range(length, ERROR_TEXT_BYTES - 12, ERROR_TEXT_BYTES - 1);
        assert_string_equal(err.text + length - 3, "...");
        for (int depth = 0; depth < 5; depth++)
            error_in(&err, "%s", name);
        length = strnlen(err.text, ERROR_TEXT_BYTES);
        assert_in_range(length, ERROR_TEXT_BYTES / 2, ERROR_TEXT_BYTES - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_fails_in_one_line), cmocka_unit_test(wrapping_prepends_and_keeps_the_code),
        cmocka_unit_test(an_absent_error_is_allowed),         cmocka_unit_test(control_bytes_of_strangers_are_escaped),
        cmocka_unit_test(long_text_is_cut_with_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
