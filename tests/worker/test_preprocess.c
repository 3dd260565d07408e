/* test_preprocess.c — resizing against PIL's and OpenCV's own results, arithmetic against plain formulas. */
#include "worker/preprocess.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct golden {
    enum resize_filter filter;
    size_t height, width, channels, to_height, to_width;
    bool is_float;  /* pixels / 7, result float */
    uint64_t fnv1a; /* of the resulting bytes, HWC */
    size_t n_shown; /* of them, in full */
    uint8_t shown[64];
};
#include "preprocess_golden.h"

/* Bytes of a linear congruential generator, in HWC order: the same as in make_preprocess_golden.py. */
static uint8_t *draw(size_t height, size_t width, size_t channels)
{
    uint32_t state = (uint32_t)(height * 65536 + width * 16 + channels);
    uint8_t *pixels = malloc(height * width * channels);

    assert_non_null(pixels);
    for (size_t i = 0; i < height * width * channels; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    return pixels;
}

static uint64_t fnv1a(const void *data, size_t n)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        value = (value ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return value;
}

/* A record of HWC pixels in the wanted layout and type; freed by record_fini. */
static struct record make_record(const uint8_t *hwc, size_t channels, size_t height, size_t width, bool is_planar,
                                 bool is_float)
{
    struct record record = {.key = "the key", .is_planar = is_planar};
    struct error err = {0};
    size_t n = height * width;

    assert_int_equal(record_reserve(&record, channels, height, width, is_float, &err), 0);
    record.order = channels == 1 ? PIXELS_GRAY : channels == 3 ? PIXELS_RGB : PIXELS_NONE;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < channels; c++) {
            size_t to = is_planar ? c * n + i : i * channels + c;

            if (is_float)
                record.value_buffer[to] = (float)hwc[i * channels + c] / 7.0f;
            else
                record.byte_buffer[to] = hwc[i * channels + c];
        }
    return record;
}

static int run(const struct preprocess_plan *plan, const struct record *record, struct shape out_shape, float *out,
               struct error *err)
{
    struct preprocessor *preprocessor = preprocessor_create(plan, &out_shape, err);
    int rc = preprocessor == NULL ? -1 : preprocess(preprocessor, record, out, err);

    preprocessor_destroy(preprocessor);
    return rc;
}

static struct shape chw(size_t channels, size_t height, size_t width)
{
    return (struct shape){3, {(int64_t)channels, (int64_t)height, (int64_t)width}};
}

static struct preprocess_step resize_step(enum resize_fit fit, enum resize_filter filter, size_t height, size_t width)
{
    struct preprocess_step step = {.kind = STEP_RESIZE};

    step.resize.fit = fit;
    step.resize.filter = filter;
    step.resize.height = height;
    step.resize.width = width;
    return step;
}

static struct preprocess_step crop_step(size_t height, size_t width)
{
    struct preprocess_step step = {.kind = STEP_CROP};

    step.crop.height = height;
    step.crop.width = width;
    return step;
}

static struct preprocess_step value_step(enum step_kind kind, size_t n, const float *values)
{
    struct preprocess_step step = {.kind = kind, .n_values = n};

    memcpy(step.values, values, n * sizeof *values);
    return step;
}

static void check_golden(const struct golden *golden, bool is_planar)
{
    size_t c_count = golden->channels, n = golden->to_height * golden->to_width;
    uint8_t *pixels = draw(golden->height, golden->width, c_count), *bytes = malloc(n * c_count);
    float *out = malloc(n * c_count * sizeof *out);
    struct record record = make_record(pixels, c_count, golden->height, golden->width, is_planar, golden->is_float);
    struct preprocess_plan plan = {1, {resize_step(FIT_WARP, golden->filter, golden->to_height, golden->to_width)}};
    struct error err = {0};

    assert_non_null(bytes);
    assert_non_null(out);
    if (run(&plan, &record, chw(c_count, golden->to_height, golden->to_width), out, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < c_count; c++)
            bytes[i * c_count + c] = (uint8_t)out[c * n + i];
    if (golden->is_float)
        assert_int_equal(fnv1a(out, n * sizeof *out), golden->fnv1a);
    else
        assert_int_equal(fnv1a(bytes, n * c_count), golden->fnv1a);
    assert_memory_equal(bytes, golden->shown, golden->n_shown);
    record_fini(&record);
    free(pixels);
    free(bytes);
    free(out);
}

static void resizing_equals_pil_and_opencv_bit_for_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        check_golden(&goldens[i], false);
        check_golden(&goldens[i], true);
    }
}

static void gray_is_pils_luma_and_orders_reverse(void **state)
{
    enum { H = 9, W = 11, N = H * W };
    uint8_t *pixels = draw(H, W, 3), bytes[N];
    float out[3 * N];

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, H, W, is_planar, false);
        struct preprocess_plan plan = {1, {{.kind = STEP_CHANNELS, .channels = CHANNELS_GRAY}}};

        assert_int_equal(run(&plan, &record, chw(1, H, W), out, NULL), 0);
        for (size_t i = 0; i < N; i++)
            bytes[i] = (uint8_t)out[i];
        assert_int_equal(fnv1a(bytes, N), golden_luma);

        plan.steps[0].channels = CHANNELS_BGR; /* from RGB: reversed */
        assert_int_equal(run(&plan, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++)
            assert_true(out[i] == (float)pixels[i % N * 3 + 2 - i / N]);

        record.order = PIXELS_BGR; /* a datum: now bgr keeps, rgb reverses, no step keeps */
        assert_int_equal(run(&plan, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++)
            assert_true(out[i] == (float)pixels[i % N * 3 + i / N]);
        plan.steps[0].channels = CHANNELS_RGB;
        assert_int_equal(run(&plan, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++)
            assert_true(out[i] == (float)pixels[i % N * 3 + 2 - i / N]);
        plan.n_steps = 0;
        assert_int_equal(run(&plan, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++)
            assert_true(out[i] == (float)pixels[i % N * 3 + i / N]);
        record_fini(&record);
    }
    free(pixels);
}

static void gray_pixels_become_three_equal_channels(void **state)
{
    uint8_t *pixels = draw(4, 5, 1);
    struct record record = make_record(pixels, 1, 4, 5, false, false);
    struct preprocess_plan plan = {1, {{.kind = STEP_CHANNELS, .channels = CHANNELS_BGR}}};
    float out[60];

    (void)state;
    assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, NULL), 0);
    for (size_t i = 0; i < 60; i++)
        assert_true(out[i] == (float)pixels[i % 20]);
    record_fini(&record);
    free(pixels);
}

/* The reference is the formula, one rounding a step, in the order of the plan. */
static void arithmetic_rounds_once_a_step(void **state)
{
    enum { H = 6, W = 5, N = H * W };
    static const float means[] = {0.485f, 0.456f, 0.406f}, deviations[] = {0.229f, 0.224f, 0.225f}, one = 255;
    uint8_t *pixels = draw(H, W, 3);
    struct preprocess_plan divided = {
        3, {value_step(STEP_DIVIDE, 1, &one), value_step(STEP_MEAN, 3, means), value_step(STEP_DIVIDE, 3, deviations)}};
    struct preprocess_plan caffe = {2, {value_step(STEP_MEAN, 3, means), value_step(STEP_SCALE, 3, deviations)}};
    float out[3 * N];

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, H, W, is_planar, false);

        assert_int_equal(run(&divided, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++) {
            volatile float x = (float)pixels[i % N * 3 + i / N] / 255.0f; /* volatile: no wider intermediate */

            x = x - means[i / N];
            x = x / deviations[i / N];
            assert_true(out[i] == x);
        }
        assert_int_equal(run(&caffe, &record, chw(3, H, W), out, NULL), 0);
        for (size_t i = 0; i < 3 * N; i++) {
            volatile float x = (float)pixels[i % N * 3 + i / N] - means[i / N];

            x = x * deviations[i / N];
            assert_true(out[i] == x);
        }
        record_fini(&record);
    }
    free(pixels);
}

/* Caffe's transformer: of a mean as large as the uncropped picture, the pixels that the crop has left. */
static void a_mean_file_is_cropped_as_the_picture(void **state)
{
    enum { H = 7, W = 10, N = 3 * H * W };
    uint8_t *pixels = draw(H, W, 3);
    float means[N], out[N];
    struct preprocess_plan plan = {2, {crop_step(4, 5), {.kind = STEP_MEAN_FILE}}};
    struct record record = make_record(pixels, 3, H, W, false, false);
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < N; i++)
        means[i] = (float)i / 3.0f;
    plan.steps[1].file = (struct step_file){.path = "mean", .channels = 3, .height = H, .width = W, .values = means};
    assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, &err), 0);
    for (size_t i = 0; i < 60; i++) {
        size_t c = i / 20, y = 1 + i / 5 % 4, x = 2 + i % 5;

        assert_true(out[i] == (float)pixels[(y * W + x) * 3 + c] - means[(c * H + y) * W + x]);
    }
    plan.steps[1].file.height = plan.steps[1].file.width = 1; /* a value per channel */
    assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, &err), 0);
    for (size_t i = 0; i < 60; i++)
        assert_true(out[i] == (float)pixels[((1 + i / 5 % 4) * W + 2 + i % 5) * 3 + i / 20] - means[i / 20]);
    plan.steps[1].file.height = 3;
    plan.steps[1].file.width = 9;
    assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, &err), -1);
    assert_non_null(strstr(err.text, "step 2 (mean_file): expected at most 3x9 pixels, as its mean has, found 4x5"));
    plan.steps[0] = plan.steps[1];
    plan.n_steps = 1;
    assert_int_equal(run(&plan, &record, (struct shape){1, {N}}, out, &err), -1);
    assert_string_equal(err.text, "the key: mean_file: expected at most 3x9 pixels, as its mean has, found 7x10");
    record_fini(&record);
    free(pixels);
}

static void arithmetic_before_geometry_is_done_in_float(void **state)
{
    static const float half = 0.5f;
    uint8_t *pixels = draw(4, 4, 1);
    struct record record = make_record(pixels, 1, 4, 4, false, false);
    struct preprocess_plan plan = {2, {value_step(STEP_SCALE, 1, &half), resize_step(FIT_SIDE_PAD, 0, 6, 0)}};
    float out[36];

    (void)state;
    plan.steps[1].resize.filter = FILTER_NEAREST;
    plan.steps[1].resize.pad = -0.25f; /* no pixel value, but a float */
    assert_int_equal(run(&plan, &record, chw(1, 6, 6), out, NULL), 0);
    assert_true(out[0] == (float)pixels[0] * 0.5f);

    plan.steps[1] = crop_step(2, 3);
    assert_int_equal(run(&plan, &record, chw(1, 2, 3), out, NULL), 0);
    for (size_t i = 0; i < 6; i++)
        assert_true(out[i] == (float)pixels[(1 + i / 3) * 4 + i % 3] * 0.5f);
    record_fini(&record);
    free(pixels);
}

static void crops_come_from_the_centre_rounded_down(void **state)
{
    uint8_t *pixels = draw(7, 10, 3);
    struct preprocess_plan plan = {1, {crop_step(4, 5)}};
    float out[60];

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, 7, 10, is_planar, false);

        assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, NULL), 0);
        for (size_t i = 0; i < 60; i++)
            assert_true(out[i] == (float)pixels[((1 + i / 5 % 4) * 10 + 2 + i % 5) * 3 + i / 20]);
        record_fini(&record);
    }
    free(pixels);
}

/* Constant pictures keep their value under any filter, so that sizes and borders are all there is to see. */
static void fits_choose_the_sizes_of_torchvision_and_caffe(void **state)
{
    static const struct {
        enum resize_fit fit;
        size_t height, width, side, to_height, to_width, top, left, inner_height, inner_width;
    } cases[] = {
        {FIT_SHORT, 30, 41, 20, 20, 27, 0, 0, 20, 27}, /* floor(20 * 41 / 30) */
        {FIT_SHORT, 41, 30, 20, 27, 20, 0, 0, 27, 20},    {FIT_SHORT, 20, 20, 20, 20, 20, 0, 0, 20, 20},
        {FIT_SIDE_PAD, 30, 41, 20, 20, 20, 3, 0, 14, 20}, /* floor(20 * 30 / 41) = 14, 3 above and 3 below */
        {FIT_SIDE_PAD, 41, 29, 21, 21, 21, 0, 3, 21, 14}, /* 7 columns over: 3 left, 4 right */
        {FIT_SIDE_PAD, 1, 90, 8, 8, 8, 3, 0, 1, 8},       /* never less than one pixel */
        {FIT_SIDE_PAD, 8, 8, 8, 8, 8, 0, 0, 8, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int filter = FILTER_BILINEAR; filter <= FILTER_NEAREST; filter++)
            for (int layout = 0; layout < 2; layout++) {
                struct record record = {.key = "k", .is_planar = layout == 1, .order = PIXELS_RGB};
                struct preprocess_plan plan = {
                    1, {resize_step(cases[i].fit, (enum resize_filter)filter, cases[i].side, 0)}};
                struct error err = {0};
                float out[3 * 27 * 27];

                plan.steps[0].resize.pad = 7;
                assert_int_equal(record_reserve(&record, 3, cases[i].height, cases[i].width, false, &err), 0);
                memset(record.byte_buffer, 200, 3 * cases[i].height * cases[i].width);
                if (run(&plan, &record, chw(3, cases[i].to_height, cases[i].to_width), out, &err) < 0)
                    fail_msg("case %zu: %s", i, err.text);
                for (size_t k = 0; k < 3 * cases[i].to_height * cases[i].to_width; k++) {
                    size_t y = k / cases[i].to_width % cases[i].to_height, x = k % cases[i].to_width;
                    bool is_inside =
                        y - cases[i].top < cases[i].inner_height && x - cases[i].left < cases[i].inner_width;

                    assert_true(out[k] == (is_inside ? 200 : 7));
                }
                record_fini(&record);
            }
}

static void expect_failure(const struct preprocess_plan *plan, const struct record *record, struct shape shape,
                           int code, const char *text)
{
    struct error err = {0};
    float out[3 * 32 * 32];

    assert_int_equal(run(plan, record, shape, out, &err), -1);
    if (err.code != code || strstr(err.text, text) == NULL)
        fail_msg("expected %d and \"%s\", found %d: %s", code, text, err.code, err.text);
}

static void a_wrong_record_is_named_with_expected_and_found(void **state)
{
    static const float three[] = {1, 2, 3};
    uint8_t *pixels = draw(28, 28, 3);
    struct record gray = make_record(pixels, 1, 28, 28, true, false), small = make_record(pixels, 3, 8, 9, true, true),
                  tensor = make_record(pixels, 5, 4, 4, true, true);
    struct preprocess_plan none = {0}, crop = {1, {crop_step(9, 9)}}, mean = {1, {value_step(STEP_MEAN, 3, three)}},
                           order = {1, {{.kind = STEP_CHANNELS}}};

    (void)state;
    expect_failure(&none, &gray, chw(3, 32, 32), EX_DATAERR, "the key: expected 3x32x32, found 1x28x28");
    expect_failure(&crop, &small, chw(3, 9, 9), EX_DATAERR, "the key: crop: expected at least 9x9");
    expect_failure(&mean, &gray, (struct shape){1, {784}}, EX_DATAERR,
                   "the key: mean: expected 1 value or one for each of 1 channels, found 3");
    expect_failure(&order, &tensor, chw(3, 4, 4), EX_DATAERR, "found a tensor of 5x4x4");
    small.value_buffer[5] = NAN;
    expect_failure(&none, &small, chw(3, 8, 9), EX_DATAERR, "the key: expected finite numbers, value 5 is");
    small.value_buffer[5] = -INFINITY;
    expect_failure(&none, &small, chw(3, 8, 9), EX_DATAERR, "value 5 is -inf");
    record_fini(&gray);
    record_fini(&small);
    record_fini(&tensor);
    free(pixels);
}

static void tensors_need_only_the_right_count(void **state)
{
    uint8_t *pixels = draw(1, 1, 24);
    struct record flat = make_record(pixels, 24, 1, 1, true, true);
    struct preprocess_plan none = {0};
    float out[24];

    (void)state;
    assert_int_equal(run(&none, &flat, (struct shape){1, {24}}, out, NULL), 0);
    assert_memory_equal(out, flat.values, sizeof out);
    assert_int_equal(run(&none, &flat, chw(2, 3, 4), out, NULL), 0);
    assert_int_equal(run(&none, &flat, (struct shape){2, {5, 5}}, out, NULL), -1);
    record_fini(&flat);
    free(pixels);
}

static void a_wrong_plan_is_refused_before_any_record(void **state)
{
    static const float two[] = {1, 2}, zero = 0, infinite = INFINITY;
    static const struct {
        struct preprocess_plan plan;
        const char *text;
    } cases[] = {
        {{1, {{.kind = STEP_RESIZE}}}, "step 1 (resize): expected sizes"},
        {{2, {{.kind = STEP_CHANNELS}, {.kind = STEP_CROP}}}, "step 2 (crop): expected a height and width"},
        {{1, {{.kind = STEP_CHANNELS, .channels = CHANNELS_GRAY}}}, "ends with 1x0x0"},
        {{1, {{.kind = (enum step_kind)17}}}, "no known kind"},
        {{PREPROCESS_MAX_STEPS + 1, {{0}}}, "at most 16"},
    };
    struct preprocess_plan plan = {1, {value_step(STEP_MEAN, 2, two)}};
    struct shape shape = chw(3, 32, 32);
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(preprocessor_create(&cases[i].plan, &shape, &err));
        assert_int_equal(err.code, EX_CONFIG);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "one for each of 3 channels, found 2"));
    plan.steps[0] = value_step(STEP_DIVIDE, 1, &zero);
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "other than 0"));
    plan.steps[0] = value_step(STEP_SCALE, 1, &infinite);
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "finite"));
    plan.steps[0] = resize_step(FIT_WARP, FILTER_BILINEAR, 256, 256);
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "ends with 3x256x256"));
    plan = (struct preprocess_plan){2, {resize_step(FIT_WARP, FILTER_BILINEAR, 16, 16), crop_step(32, 32)}};
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "expected at most 16x16"));
    plan = (struct preprocess_plan){1, {resize_step(FIT_SIDE_PAD, FILTER_BILINEAR, 32, 0)}};
    plan.steps[0].resize.pad = 0.5f;
    assert_null(preprocessor_create(&plan, &shape, &err));
    assert_non_null(strstr(err.text, "pad of 0 to 255"));
}

/* A scratch that shrank and grew again must not show old pixels. */
static void one_preprocessor_serves_records_of_all_sizes(void **state)
{
    struct preprocess_plan plan = {2, {resize_step(FIT_SHORT, FILTER_BILINEAR, 12, 0), crop_step(12, 12)}};
    struct shape shape = chw(3, 12, 12);
    struct preprocessor *kept = preprocessor_create(&plan, &shape, NULL);
    float a[432], b[432];

    (void)state;
    assert_non_null(kept);
    for (size_t i = 0; i < 40; i++) {
        size_t height = 1 + i * 37 % 90, width = 1 + i * 53 % 70;
        uint8_t *pixels = draw(height, width, 3);
        struct record record = make_record(pixels, 3, height, width, i % 3 == 0, i % 2 == 0);

        assert_int_equal(preprocess(kept, &record, a, NULL), 0);
        assert_int_equal(run(&plan, &record, shape, b, NULL), 0);
        assert_memory_equal(a, b, sizeof a);
        record_fini(&record);
        free(pixels);
    }
    preprocessor_destroy(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_equals_pil_and_opencv_bit_for_bit),
        cmocka_unit_test(gray_is_pils_luma_and_orders_reverse),
        cmocka_unit_test(gray_pixels_become_three_equal_channels),
        cmocka_unit_test(arithmetic_rounds_once_a_step),
        cmocka_unit_test(a_mean_file_is_cropped_as_the_picture),
        cmocka_unit_test(arithmetic_before_geometry_is_done_in_float),
        cmocka_unit_test(crops_come_from_the_centre_rounded_down),
        cmocka_unit_test(fits_choose_the_sizes_of_torchvision_and_caffe),
        cmocka_unit_test(a_wrong_record_is_named_with_expected_and_found),
        cmocka_unit_test(tensors_need_only_the_right_count),
        cmocka_unit_test(a_wrong_plan_is_refused_before_any_record),
        cmocka_unit_test(one_preprocessor_serves_records_of_all_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
