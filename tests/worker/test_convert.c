/* test_convert.c — bytes through arithmetic steps: the same bits on every instruction set, and as step by step. */
#include "worker/preprocess.h"
#include "worker/preprocess/convert.h"

#include "../common/draw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MAX = 3000 };

static const struct preprocess_step steps[] = {
    {.kind = STEP_MEAN, .n_values = 3, .values = {103.939f, 116.779f, 123.68f}},
    {.kind = STEP_DIVIDE, .n_values = 1, .values = {255}},
    {.kind = STEP_SCALE, .n_values = 3, .values = {0.017f, 1e-38f, -3e5f}}, /* denormals, too */
};

static void every_instruction_set_gives_the_same_bits(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 511, 512, 513, 1024, 1100, MAX};
    static const size_t strides[] = {1, 2, 3, 4};
    static uint8_t from[4 * MAX + 1];
    static float expected[MAX], found[MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 24);
    for (size_t n_steps = 0; n_steps <= 3; n_steps++)
        for (size_t c = 0; c < 3; c++) {
            struct conversion conversion;

            assert_true(conversion_init(&conversion, steps, n_steps, c));
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                for (size_t k = 0; k < sizeof strides / sizeof *strides; k++) {
                    for (size_t i = 0; i < sizes[s]; i++) { /* the definition, apart from our code */
                        float x = from[1 + i * strides[k]];

                        if (n_steps > 0)
                            x -= steps[0].values[c];
                        if (n_steps > 1)
                            x /= 255.0f;
                        if (n_steps > 2)
                            x *= steps[2].values[c];
                        expected[i] = x;
                    }
                    for (enum isa isa = 0; isa < ISA_COUNT; isa++) {
                        if (!isa_is_supported(isa))
                            continue;
                        found[sizes[s]] = 77;
                        convert_find(isa)(&conversion, from + 1, strides[k], found, sizes[s]);
                        assert_memory_equal(found, expected, sizes[s] * sizeof *found);
                        assert_true(found[sizes[s]] == 77); /* nothing beyond the end */
                    }
                }
        }
}

static void results_that_are_not_finite_are_left_to_the_check(void **state)
{
    struct preprocess_step wild = {.kind = STEP_SCALE, .n_values = 1, .values = {3e36f}};
    struct conversion conversion;

    (void)state;
    assert_false(conversion_init(&conversion, &wild, 1, 0)); /* 255 x 3e36 overflows */
    wild.values[0] = 1e36f;
    assert_true(conversion_init(&conversion, &wild, 1, 0));
    wild.kind = STEP_CROP;
    assert_false(conversion_init(&conversion, &wild, 1, 0));
}

/* The same pixels as bytes and as floats: the latter take the way of one step after the other. */
static void bytes_and_floats_give_the_same_input(void **state)
{
    static const struct preprocess_plan plan = {
        3,
        {{.kind = STEP_MEAN, .n_values = 3, .values = {103.939f, 116.779f, 123.68f}},
         {.kind = STEP_DIVIDE, .n_values = 3, .values = {58.395f, 57.12f, 57.375f}},
         {.kind = STEP_SCALE, .n_values = 1, .values = {0.3f}}}};
    const struct shape shape = {3, {3, 97, 101}};
    enum { N = 3 * 97 * 101 };
    static uint8_t bytes[N];
    static float values[N], a[N], b[N];
    struct record record = {.channels = 3, .height = 97, .width = 101, .order = PIXELS_RGB};
    struct preprocessor *preprocessor = preprocessor_create(&plan, &shape, NULL);

    (void)state;
    assert_non_null(preprocessor);
    for (size_t i = 0; i < N; i++)
        values[i] = bytes[i] = (uint8_t)draw_below(256);
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        record.is_planar = is_planar;
        record.is_float = false;
        record.bytes = bytes;
        assert_int_equal(preprocess(preprocessor, &record, a, NULL), 0);
        record.is_float = true;
        record.values = values;
        assert_int_equal(preprocess(preprocessor, &record, b, NULL), 0);
        assert_memory_equal(a, b, sizeof a);
    }
    preprocessor_destroy(preprocessor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(results_that_are_not_finite_are_left_to_the_check),
        cmocka_unit_test(bytes_and_floats_give_the_same_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
