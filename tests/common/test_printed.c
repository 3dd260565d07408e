/* test_printed.c — what is printed piece by piece is one text. */
#include "common/printed.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void pieces_are_one_text(void **state)
{
    struct printed printed;
    struct error err = {0};
    size_t size;
    char *text;

    (void)state;
    assert_int_equal(printed_begin(&printed, "a page", &err), 0);
    fputs("one", printed.out);
    fprintf(printed.out, " and %d", 2);
    text = printed_end(&printed, &size, &err);
    assert_non_null(text);
    assert_string_equal(text, "one and 2");
    assert_int_equal(size, strlen(text));
    free(text);
}

static void nothing_printed_is_an_empty_text(void **state)
{
    struct printed printed;
    struct error err = {0};
    char *text;

    (void)state;
    assert_int_equal(printed_begin(&printed, "a page", &err), 0);
    text = printed_end(&printed, NULL, &err);
    assert_non_null(text);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_one_text),
        cmocka_unit_test(nothing_printed_is_an_empty_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
