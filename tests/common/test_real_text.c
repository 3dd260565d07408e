/* test_real_text.c — floats as text come back as the same bits. */
#include "draw.h"

#include "common/real_text.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_float_reads_back_to_the_same_bits(void **state)
{
    char text[REAL_TEXT_BYTES];

    (void)state;
    for (int i = 0; i < 200000; i++) {
        float x = draw_any_float(), back = strtof(real_text(x, text), NULL);

        assert_true(isnan(x) ? isnan(back) : memcmp(&x, &back, sizeof x) == 0);
    }
}

static void texts_are_short(void **state)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {-0.5f, "-0.5"},
                 {0.1f, "0.1"},
                 {1e-5f, "1e-05"},
                 {FLT_MAX, "3.4028235e+38"},
                 {1.0f / 3, "0.33333334"},
                 {16777216, "16777216"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"},
                 {-NAN, "nan"}};
    char text[REAL_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(real_text(cases[i].value, text), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float_reads_back_to_the_same_bits),
        cmocka_unit_test(texts_are_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
