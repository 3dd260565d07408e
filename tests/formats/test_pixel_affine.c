/* test_pixel_affine.c — preprocessing chains as a mean and a scale of pixels, and those that are none. */
#include "formats/pixel_affine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NUMBERS(step, ...)                                                                                             \
    {                                                                                                                  \
        .kind = step, .n_values = sizeof((float[]){__VA_ARGS__}) / sizeof(float), .values = { __VA_ARGS__ }            \
    }
#define COLOURS(order)                                                                                                 \
    {                                                                                                                  \
        .kind = STEP_CHANNELS, .channels = order                                                                       \
    }

static void steps_become_one_mean_and_one_scale(void **state)
{
    const struct preprocess_plan chain = {
        4,
        {COLOURS(CHANNELS_BGR), NUMBERS(STEP_DIVIDE, 2, 4, 8), NUMBERS(STEP_MEAN, 3, 5, 7), NUMBERS(STEP_SCALE, 0.5f)}};
    const double means[] = {6, 20, 56}, scales[] = {0.25, 0.125, 0.0625};
    struct pixel_affine pixels;

    (void)state;
    assert_null(pixel_affine_read(&chain, 3, &pixels));
    assert_int_equal(pixels.colours, PIXEL_BGR);
    assert_false(pixels.resamples_reals);
    for (size_t c = 0; c < 3; c++) { /* x / 2 - 3 = (x - 6) / 2, ... */
        assert_true(pixels.mean[c] == means[c]);
        assert_true(pixels.scale[c] == scales[c]);
    }
}

static void what_does_nothing_is_a_scale_of_one(void **state)
{
    const struct preprocess_plan chain = {0};
    struct pixel_affine pixels;

    (void)state;
    assert_null(pixel_affine_read(&chain, 4, &pixels));
    assert_int_equal(pixels.colours, PIXEL_COLOURS_AS_STORED);
    assert_true(pixels.scale[3] == 1 && pixels.mean[3] == 0);
}

static void a_resize_is_of_bytes_in_front_of_the_numbers_alone(void **state)
{
    const struct preprocess_plan chains[] = {{2, {{.kind = STEP_RESIZE}, NUMBERS(STEP_MEAN, 3)}},
                                             {2, {NUMBERS(STEP_MEAN, 3), {.kind = STEP_RESIZE}}},
                                             {2, {NUMBERS(STEP_MEAN, 3), {.kind = STEP_PAD}}},
                                             {2, {NUMBERS(STEP_MEAN, 3), {.kind = STEP_CROP}}}};
    const bool expected[] = {false, true, true, false};
    struct pixel_affine pixels;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_null(pixel_affine_read(&chains[i], 1, &pixels));
        assert_int_equal(pixels.resamples_reals, expected[i]);
    }
}

static void what_is_no_mean_and_scale_is_refused_by_name(void **state)
{
    static const struct {
        struct preprocess_plan chain;
        const char *reason;
    } cases[] = {
        {{1, {{.kind = STEP_MEAN_FILE}}}, "mean_file"},
        {{1, {{.kind = STEP_STANDARDIZE}}}, "standardize"},
        {{1, {{.kind = STEP_TRANSPOSE}}}, "transpose"},
        {{1, {{.kind = STEP_QUANTIZE}}}, "quantize"},
        {{1, {{.kind = STEP_YUV, .yuv = {.to = YUV_NV12}}}}, "nv12"},
        {{2, {NUMBERS(STEP_SCALE, 2), COLOURS(CHANNELS_BGR)}}, "colours change behind"},
        {{1, {NUMBERS(STEP_SCALE, 0)}}, "scale is 0"},
    };
    struct pixel_affine pixels;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *reason = pixel_affine_read(&cases[i].chain, 3, &pixels);

        assert_non_null(reason);
        assert_non_null(strstr(reason, cases[i].reason));
    }
    assert_non_null(pixel_affine_read(NULL, 3, &pixels));
    assert_non_null(pixel_affine_read(&cases[0].chain, 5, &pixels));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_become_one_mean_and_one_scale),
        cmocka_unit_test(what_does_nothing_is_a_scale_of_one),
        cmocka_unit_test(a_resize_is_of_bytes_in_front_of_the_numbers_alone),
        cmocka_unit_test(what_is_no_mean_and_scale_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
