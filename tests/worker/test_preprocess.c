/* test_preprocess.c — arithmetic on pixels against plain formulas; what cannot be preprocessed is refused. */
#include "preprocess_records.h"

#include "../golden/preprocess.h"

static struct preprocess_step value_step(enum step_kind kind, size_t n, const float *values)
{
    struct preprocess_step step = {.kind = kind, .n_values = n};

    memcpy(step.values, values, n * sizeof *values);
    return step;
}

static void transposing_there_and_back_changes_nothing(void **state)
{
    uint8_t *pixels = draw(4, 5, 3);
    struct preprocess_plan plan = {2, {{.kind = STEP_TRANSPOSE, .axes = AXES_HWC}, {.kind = STEP_TRANSPOSE}}};
    float out[60];

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, 4, 5, is_planar, false);

        plan.n_steps = 2;
        assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, NULL), 0);
        for (size_t i = 0; i < 60; i++)
            assert_true(out[i] == pixels[i % 20 * 3 + i / 20]);
        plan.n_steps = 1;
        assert_int_equal(run(&plan, &record, chw(4, 5, 3), out, NULL), 0);
        for (size_t i = 0; i < 60; i++)
            assert_true(out[i] == pixels[i]);
        record_fini(&record);
    }
    free(pixels);
}

/* TensorFlow's formula in long double; the tolerance is that of single precision results of magnitude 2. */
static void standardizing_gives_mean_0_and_deviation_1(void **state)
{
    enum { N = 7 * 9 * 3 };
    uint8_t *pixels = draw(7, 9, 3);
    struct preprocess_plan plan = {1, {{.kind = STEP_STANDARDIZE}}};
    struct record record = make_record(pixels, 3, 7, 9, false, false);
    long double mean = 0, variance = 0;
    float out[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        mean += pixels[i] / (long double)N;
    for (size_t i = 0; i < N; i++)
        variance += (pixels[i] - mean) * (pixels[i] - mean) / N;
    assert_int_equal(run(&plan, &record, chw(3, 7, 9), out, NULL), 0);
    for (size_t i = 0; i < N; i++)
        assert_true(fabsl(out[i] - (pixels[i % 63 * 3 + i / 63] - mean) / sqrtl(variance)) < 1e-6L);
    memset(record.byte_buffer, 9, N); /* no deviation: it counts as 1 / sqrt(n) */
    assert_int_equal(run(&plan, &record, chw(3, 7, 9), out, NULL), 0);
    for (size_t i = 0; i < N; i++)
        assert_true(out[i] == 0);
    record_fini(&record);
    free(pixels);
}

/* TensorFlow's sums are in single precision: the tolerance is of a few roundings of values up to 8. */
static void standardizing_equals_tensorflow(void **state)
{
    uint8_t *pixels = draw(4, 5, 3);
    struct preprocess_plan plan = {1, {{.kind = STEP_STANDARDIZE}}};

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct record record = make_record(pixels, 3, 4, 5, false, false);
        float out[60];

        assert_int_equal(run(&plan, &record, chw(3, 4, 5), out, NULL), 0);
        for (size_t i = 0; i < 60; i++)
            assert_true(fabsf(out[i] - golden_standardized[k][i % 20 * 3 + i / 20]) < 4e-6f);
        record_fini(&record);
        memset(pixels, k == 0 ? 100 : 9, 60);
        pixels[7] = k == 0 ? 101 : 9;
    }
    free(pixels);
}

static void quantizing_rounds_half_to_even_and_clamps(void **state)
{
    static const float in[] = {0.25f, 0.75f, -0.25f, 100, -100, 0.3f}, want[] = {0, 1, 0, 63.5f, -64, 0.5f};
    static const float affine[] = {0.0f, 1.0f, 0.0f, 63.5f, -64, 0.5f};
    struct preprocess_plan plan = {1, {{.kind = STEP_QUANTIZE, .grid = {.scale = 0.5f}}}};
    struct record record = {.key = "k", .is_planar = true, .order = PIXELS_NONE};
    float out[6];

    (void)state;
    assert_int_equal(record_reserve(&record, 6, 1, 1, true, NULL), 0);
    memcpy(record.value_buffer, in, sizeof in);
    assert_int_equal(run(&plan, &record, chw(6, 1, 1), out, NULL), 0);
    assert_memory_equal(out, want, sizeof want);
    plan.steps[0].grid.type = GRID_UINT8; /* the same range around a zero of 128 */
    plan.steps[0].grid.zero = 128;
    assert_int_equal(run(&plan, &record, chw(6, 1, 1), out, NULL), 0);
    for (size_t i = 0; i < 6; i++)
        assert_true(out[i] == affine[i]);
    record_fini(&record);
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
        cmocka_unit_test(arithmetic_rounds_once_a_step),
        cmocka_unit_test(a_mean_file_is_cropped_as_the_picture),
        cmocka_unit_test(arithmetic_before_geometry_is_done_in_float),
        cmocka_unit_test(transposing_there_and_back_changes_nothing),
        cmocka_unit_test(standardizing_gives_mean_0_and_deviation_1),
        cmocka_unit_test(quantizing_rounds_half_to_even_and_clamps),
        cmocka_unit_test(standardizing_equals_tensorflow),
        cmocka_unit_test(a_wrong_record_is_named_with_expected_and_found),
        cmocka_unit_test(tensors_need_only_the_right_count),
        cmocka_unit_test(a_wrong_plan_is_refused_before_any_record),
        cmocka_unit_test(one_preprocessor_serves_records_of_all_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
