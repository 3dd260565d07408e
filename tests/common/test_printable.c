/* test_printable.c — characters against the definition of UTF-8, all of them; and what is not one. */
#include "common/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The definition: the shortest form. */
static size_t encode(uint32_t point, char text[8])
{
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    memset(text, 0, 8);
    for (size_t i = n; i-- > 1; point >>= 6)
        text[i] = (char)(0x80 | (point & 63));
    text[0] = (char)(lead[n] | point);
    return n;
}

static void every_code_point_has_the_length_of_its_encoding(void **state)
{
    char text[8];

    (void)state;
    for (uint32_t point = 1; point < 0x120000; point++) {
        size_t n = encode(point, text);
        bool is_valid = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);

        assert_int_equal(printable_utf8_length(text), is_valid ? n : 0);
    }
}

static void a_character_that_is_cut_is_none(void **state)
{
    static const uint32_t points[] = {0xe9, 0x20ac, 0x1f600};
    char text[8];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t kept = encode(points[i], text) - 1; kept > 0; kept--) {
            text[kept] = '\0';
            assert_int_equal(printable_utf8_length(text), 0);
            text[kept] = 'x';
            assert_int_equal(printable_utf8_length(text), 0);
        }
}

static void stray_bytes_overlong_forms_and_the_end_are_no_characters(void **state)
{
    static const char *const none[] = {
        "",     "\x80", "\xbf",         "\xc0\x80",         "\xc1\xbf",
        "\xfe", "\xff", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf5\x80\x80\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(printable_utf8_length(none[i]), 0);
}

static void utf8_passes_and_everything_else_is_escaped(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(printable_copy(text, sizeof text, "caf\xc3\xa9 \xe2\x82\xac"), "caf\xc3\xa9 \xe2\x82\xac");
    assert_string_equal(printable_copy(text, sizeof text, "caf\xe9.jpg"), "caf\\xe9.jpg");
    assert_string_equal(printable_copy(text, sizeof text, "\x1b[2J\n\t\x7f"), "\\x1b[2J\\x0a\\x09\\x7f");
    assert_string_equal(printable_copy(text, sizeof text, "\xc2\x9b"), "\\xc2\\x9b"); /* U+009B, a one-byte ESC [ */
    assert_string_equal(printable_copy(text, sizeof text, ""), "");
}

/* Every size: never beyond it, never in the middle of a character or an escape. */
static void what_does_not_fit_is_cut_between_characters(void **state)
{
    const char from[] = "a\xc3\xa9\x01\xe2\x82\xac-------";
    const size_t ends[] = {0, 1, 3, 7, 10, 11, 12, 13, 14, 15, 16, 17}; /* of the copy's characters */

    (void)state;
    for (size_t size = PRINTABLE_MARGIN; size < 40; size++) {
        char text[48], whole[48];
        size_t length, kept;
        bool is_end = false;

        memset(text, '!', sizeof text);
        printable_copy(text, size, from);
        length = strlen(text);
        assert_true(length < size);
        assert_int_equal(text[size], '!');
        printable_copy(whole, sizeof whole, from);
        if (strcmp(text, whole) == 0)
            continue;
        kept = length - 3;
        assert_string_equal(text + kept, "...");
        assert_memory_equal(text, whole, kept);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            is_end = is_end || ends[i] == kept;
        assert_true(is_end);
    }
}

static void a_copy_fits_in_the_growth_that_is_promised(void **state)
{
    char from[40], text[PRINTABLE_GROWTH * 39 + PRINTABLE_MARGIN];

    (void)state;
    memset(from, 0xff, sizeof from - 1);
    from[39] = '\0';
    assert_int_equal(strlen(printable_copy(text, sizeof text, from)), 4 * 39);
}

static void a_line_has_no_control_characters_nor_what_ends_lines(void **state)
{
    static const char *const lines[] = {"", "conv1", "caf\xc3\xa9 \xe2\x82\xac", "a'\"\\", "\xf0\x9f\x98\x80"};
    static const char *const others[] = {"a\n",      "\r",           "\t",           "\x7f",
                                         "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "caf\xe9"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_true(printable_is_line(lines[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(printable_is_line(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_has_the_length_of_its_encoding),
        cmocka_unit_test(a_character_that_is_cut_is_none),
        cmocka_unit_test(stray_bytes_overlong_forms_and_the_end_are_no_characters),
        cmocka_unit_test(utf8_passes_and_everything_else_is_escaped),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(a_copy_fits_in_the_growth_that_is_promised),
        cmocka_unit_test(a_line_has_no_control_characters_nor_what_ends_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
