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

/* The definition, apart from our code. */
static float convert_plainly(uint8_t byte, size_t n_steps, size_t c)
{
    float x = byte;

    if (n_steps > 0)
        x -= steps[0].values[c];
    if (n_steps > 1)
        x /= 255.0f;
    return n_steps > 2 ? x * steps[2].values[c] : x;
}

static void every_instruction_set_gives_the_same_bits(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 511, 512, 513, 1024, 1100, MAX};
    enum { INTERLEAVE = 4, PLANE = MAX + 1 };
    static uint8_t from[INTERLEAVE * MAX + 1];
    static float expected[INTERLEAVE * PLANE], found[INTERLEAVE * PLANE];

    (void)state;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 24);
    for (size_t n_steps = 0; n_steps <= 3; n_steps++)
        for (size_t interleave = 1; interleave <= INTERLEAVE; interleave++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                struct conversion conversions[INTERLEAVE];

                for (size_t i = 0; i < INTERLEAVE * PLANE; i++)
                    expected[i] = 77; /* nothing beyond the end */
                for (size_t c = 0; c < interleave; c++) {
                    assert_true(conversion_init(&conversions[c], steps, n_steps, c % 3));
                    for (size_t i = 0; i < sizes[s]; i++)
                        expected[c * PLANE + i] = convert_plainly(from[1 + i * interleave + c], n_steps, c % 3);
                }
                for (enum isa isa = 0; isa < ISA_COUNT; isa++) {
                    if (!isa_is_supported(isa))
                        continue;
                    for (size_t i = 0; i < INTERLEAVE * PLANE; i++)
                        found[i] = 77;
                    convert_find(isa)(conversions, from + 1, interleave, found, PLANE, sizes[s]);
                    assert_memory_equal(found, expected, sizeof found);
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
