/* test_preprocess.c — resizing against PIL's and OpenCV's own results, arithmetic against plain formulas. */
#include "worker/preprocess.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wdouble-promotion"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_resize.h>
#pragma GCC diagnostic pop

struct golden {
    enum resize_filter filter;
    size_t height, width, channels, to_height, to_width;
    bool is_float;  /* pixels / 7, result float */
    uint64_t fnv1a; /* of the resulting bytes, HWC */
    size_t n_shown; /* of them, in full */
    uint8_t shown[64];
};
#include "preprocess_golden.h"
#include "../golden/preprocess.h"

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

static void opencvs_gray_has_its_own_weights(void **state)
{
    enum { H = 9, W = 11, N = H * W };
    uint8_t *pixels = draw(H, W, 3), bytes[N];
    struct preprocess_plan plan = {1, {{.kind = STEP_GRAY, .gray = GRAY_OPENCV}}};
    float out[N];

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, H, W, is_planar, false);

        assert_int_equal(run(&plan, &record, chw(1, H, W), out, NULL), 0);
        for (size_t i = 0; i < N; i++)
            bytes[i] = (uint8_t)out[i];
        assert_int_equal(fnv1a(bytes, N), golden_opencv_gray);
        record_fini(&record);
    }
    free(pixels);
}

/* What the plan makes of the record, as bytes of H x W x C. */
static uint64_t hash_of(const struct preprocess_plan *plan, const struct record *record, size_t channels, size_t height,
                        size_t width)
{
    size_t n = height * width;
    float *out = malloc(n * channels * sizeof *out);
    uint8_t *bytes = malloc(n * channels);
    struct error err = {0};
    uint64_t hash;

    assert_non_null(out);
    assert_non_null(bytes);
    if (run(plan, record, chw(channels, height, width), out, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n * channels; i++)
        bytes[i % n * channels + i / n] = (uint8_t)out[i];
    hash = fnv1a(bytes, n * channels);
    free(out);
    free(bytes);
    return hash;
}

static struct preprocess_step yuv_step(enum yuv_form from, enum yuv_form to, enum yuv_matrix matrix,
                                       enum yuv_range range)
{
    struct preprocess_step step = {.kind = STEP_YUV};

    step.yuv.from = from;
    step.yuv.to = to;
    step.yuv.matrix = matrix;
    step.yuv.range = range;
    return step;
}

static void yuv_by_opencvs_integers_equals_opencv(void **state)
{
    uint8_t *pixels = draw(10, 14, 3);
    const struct preprocess_step to_nv12 = yuv_step(YUV_IMAGE, YUV_NV12, YUV_OPENCV, 0),
                                 from_nv12 = yuv_step(YUV_NV12, YUV_RGB, YUV_OPENCV, 0),
                                 to_444 = yuv_step(YUV_IMAGE, YUV_444, YUV_OPENCV, 0),
                                 from_444 = yuv_step(YUV_444, YUV_RGB, YUV_OPENCV, 0);

    (void)state;
    for (int is_planar = 0; is_planar < 2; is_planar++) {
        struct record record = make_record(pixels, 3, 10, 14, is_planar, false);
        struct preprocess_plan plan = {2, {to_nv12, from_nv12}};

        assert_int_equal(hash_of(&plan, &record, 3, 10, 14), golden_yuv[1]);
        plan.n_steps = 1;
        assert_int_equal(hash_of(&plan, &record, 1, 15, 14), golden_yuv[0]);
        plan.steps[0] = to_444;
        assert_int_equal(hash_of(&plan, &record, 3, 10, 14), golden_yuv[2]);
        plan.steps[0] = from_444;
        assert_int_equal(hash_of(&plan, &record, 3, 10, 14), golden_yuv[3]);
        record_fini(&record);
    }
    free(pixels);
}

/* White, black and the primaries have the values of the standards' tables; there and back is within one step of 255
 * in full range (chroma is rounded), within two in the narrower limited range. */
static void yuv_by_the_standards_matrices(void **state)
{
    static const uint8_t rgb[5][3] = {{255, 255, 255}, {0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
    static const struct {
        enum yuv_matrix matrix;
        enum yuv_range range;
        uint8_t yuv[5][3];
    } cases[] = {
        {YUV_BT601, YUV_FULL, {{255, 128, 128}, {0, 128, 128}, {76, 85, 255}, {150, 44, 21}, {29, 255, 107}}},
        {YUV_BT601, YUV_LIMITED, {{235, 128, 128}, {16, 128, 128}, {81, 90, 240}, {145, 54, 34}, {41, 240, 110}}},
        {YUV_BT709, YUV_LIMITED, {{235, 128, 128}, {16, 128, 128}, {63, 102, 240}, {173, 42, 26}, {32, 240, 118}}},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct record record = make_record(&rgb[0][0], 3, 1, 5, false, false);
        struct preprocess_plan plan = {2,
                                       {yuv_step(YUV_IMAGE, YUV_444, cases[k].matrix, cases[k].range),
                                        yuv_step(YUV_444, YUV_BGR, cases[k].matrix, cases[k].range)}};
        float out[15];

        assert_int_equal(run(&plan, &record, chw(3, 1, 5), out, NULL), 0);
        for (size_t i = 0; i < 15; i++)
            assert_true(fabsf(out[i] - rgb[i % 5][2 - i / 5]) <= (cases[k].range == YUV_FULL ? 1 : 2));
        plan.n_steps = 1;
        assert_int_equal(run(&plan, &record, chw(3, 1, 5), out, NULL), 0);
        for (size_t i = 0; i < 15; i++)
            assert_true(out[i] == cases[k].yuv[i % 5][i / 5]);
        record_fini(&record);
    }
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

static void central_crops_equal_tensorflow(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof golden_central_crops / sizeof *golden_central_crops; k++) {
        size_t width = golden_central_crops[k].width, to_height = golden_central_crops[k].to_height;
        size_t to_width = golden_central_crops[k].to_width, n = to_height * to_width;
        uint8_t *pixels = draw(golden_central_crops[k].height, width, 1);
        struct record record = make_record(pixels, 1, golden_central_crops[k].height, width, false, false);
        struct preprocess_plan plan = {1, {{.kind = STEP_CROP_FRACTION, .fraction = golden_central_crops[k].fraction}}};
        struct error err = {0};
        float out[1200];

        assert_true(n <= sizeof out / sizeof *out);
        if (run(&plan, &record, chw(1, to_height, to_width), out, &err) < 0)
            fail_msg("crop %zu: %s", k, err.text);
        for (size_t i = 0; i < n; i++)
            assert_true(out[i] == pixels[(golden_central_crops[k].top + i / to_width) * width +
                                         golden_central_crops[k].left + i % to_width]);
        record_fini(&record);
        free(pixels);
    }
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

/* tf.image.central_crop: starts at int((size - size * fraction) / 2); torchvision.CenterCrop at round((size - crop) /
 * 2)
 */
static void crops_at_a_place_and_by_a_fraction(void **state)
{
    static const struct {
        struct preprocess_step step;
        size_t height, width, top, left;
    } cases[] = {
        {{.kind = STEP_CROP_FRACTION, .fraction = 0.875f}, 7, 10, 0, 0},
        {{.kind = STEP_CROP_FRACTION, .fraction = 0.5f}, 5, 6, 1, 2},
        {{.kind = STEP_CROP_FRACTION, .fraction = 1e-30f}, 1, 2, 3, 4},
        {{.kind = STEP_CROP, .crop = {.height = 4, .width = 7, .rounding = CROP_HALF_EVEN}}, 4, 7, 2, 2},
        {{.kind = STEP_CROP, .crop = {.height = 4, .width = 7}}, 4, 7, 1, 1},
        {{.kind = STEP_CROP, .crop = {.height = 4, .width = 7, .place = CROP_AT, .top = 3}}, 4, 7, 3, 0},
    };
    uint8_t *pixels = draw(7, 10, 3);
    struct record record = make_record(pixels, 3, 7, 10, false, false);

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct preprocess_plan plan = {1, {cases[k].step}};
        size_t n = cases[k].height * cases[k].width;
        float out[210];

        assert_int_equal(run(&plan, &record, chw(3, cases[k].height, cases[k].width), out, NULL), 0);
        for (size_t i = 0; i < 3 * n; i++) {
            size_t y = cases[k].top + i % n / cases[k].width, x = cases[k].left + i % cases[k].width;

            assert_true(out[i] == pixels[(y * 10 + x) * 3 + i / n]);
        }
    }
    record_fini(&record);
    free(pixels);
}

static void padding_surrounds_with_the_value(void **state)
{
    uint8_t *pixels = draw(3, 4, 1);
    struct record record = make_record(pixels, 1, 3, 4, false, false);
    struct preprocess_plan plan = {1, {{.kind = STEP_PAD, .pad = {.top = 1, .right = 2, .value = 9}}}};
    float out[36];

    (void)state;
    assert_int_equal(run(&plan, &record, chw(1, 4, 6), out, NULL), 0);
    for (size_t i = 0; i < 24; i++)
        assert_true(out[i] == (i < 6 || i % 6 > 3 ? 9 : pixels[(i / 6 - 1) * 4 + i % 6]));
    plan.steps[0].pad.form = PAD_TO;
    plan.steps[0].pad.height = plan.steps[0].pad.width = 6;
    assert_int_equal(run(&plan, &record, chw(1, 6, 6), out, NULL), 0);
    for (size_t i = 0; i < 36; i++)
        assert_true(out[i] == (i / 6 - 1 < 3 && i % 6 - 1 < 4 ? pixels[(i / 6 - 1) * 4 + i % 6 - 1] : 9));
    plan.steps[0].pad.width = 3;
    {
        struct error err = {0};

        assert_int_equal(run(&plan, &record, chw(1, 6, 3), out, &err), -1);
        assert_string_equal(err.text, "the key: pad: expected at most 6x3 pixels, found 3x4");
    }
    record_fini(&record);
    free(pixels);
}

/* The reference is the library. */
static void filters_of_stb_equal_stb_on_bytes_and_floats(void **state)
{
    static const size_t sizes[][2] = {{8, 5}, {29, 40}, {20, 9}};
    static const struct {
        enum resize_filter ours;
        stbir_filter theirs;
    } filters[] = {
        {FILTER_STB_DEFAULT, STBIR_FILTER_DEFAULT},       {FILTER_STB_BOX, STBIR_FILTER_BOX},
        {FILTER_STB_TRIANGLE, STBIR_FILTER_TRIANGLE},     {FILTER_STB_CUBICBSPLINE, STBIR_FILTER_CUBICBSPLINE},
        {FILTER_STB_CATMULLROM, STBIR_FILTER_CATMULLROM}, {FILTER_STB_MITCHELL, STBIR_FILTER_MITCHELL}};
    static uint8_t bytes[29 * 40 * 3];
    static float sevenths[13 * 17 * 3], want[29 * 40 * 3], out[29 * 40 * 3];
    uint8_t *pixels = draw(13, 17, 3);

    (void)state;
    for (size_t i = 0; i < 13 * 17 * 3; i++)
        sevenths[i] = (float)pixels[i] / 7.0f;
    for (size_t k = 0; k < 2 * 3 * 6; k++) {
        bool is_planar = k % 2 == 1;
        size_t height = sizes[k / 2 % 3][0], width = sizes[k / 2 % 3][1], n = height * width;
        struct preprocess_plan plan = {1, {resize_step(FIT_WARP, filters[k / 6].ours, height, width)}};
        struct record record = make_record(pixels, 3, 13, 17, is_planar, false);

        assert_true(stbir_resize_uint8_generic(pixels, 17, 13, 0, bytes, (int)width, (int)height, 0, 3,
                                               STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, filters[k / 6].theirs,
                                               STBIR_COLORSPACE_LINEAR, NULL) != 0);
        assert_int_equal(hash_of(&plan, &record, 3, height, width), fnv1a(bytes, n * 3));
        record_fini(&record);
        assert_true(stbir_resize_float_generic(sevenths, 17, 13, 0, want, (int)width, (int)height, 0, 3,
                                               STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, filters[k / 6].theirs,
                                               STBIR_COLORSPACE_LINEAR, NULL) != 0);
        record = make_record(pixels, 3, 13, 17, is_planar, true);
        assert_int_equal(run(&plan, &record, chw(3, height, width), out, NULL), 0);
        for (size_t i = 0; i < n * 3; i++)
            assert_true(out[i] == want[i % n * 3 + i / n]);
        record_fini(&record);
    }
    free(pixels);
}

/* How much source pixel k counts for target pixel i along a side. */
static double area_weight(size_t in, size_t out, size_t i, size_t k)
{
    double r = (double)in / (double)out;

    return fmax(0, fmin((double)(i + 1) * r, (double)k + 1) - fmax((double)i * r, (double)k)) / r;
}

/* Keys' cubic with a = -3/4; what lies outside is the pixel at the edge. */
static double cubic_weight(size_t in, size_t out, size_t i, size_t k)
{
    double s = ((double)i + 0.5) * (double)in / (double)out - 0.5, sum = 0;

    for (int j = -1; j <= 2; j++) {
        double at = floor(s) + j, x = fabs(s - at);

        if ((size_t)fmin(fmax(at, 0), (double)in - 1) == k)
            sum += x <= 1 ? (1.25 * x - 2.25) * x * x + 1 : ((-0.75 * x + 3.75) * x - 6) * x + 3;
    }
    return sum;
}

/* sin(pi x) sin(pi x / 4) / (pi x / 2)^2, without its constant factor. */
static double lanczos4_at(double x)
{
    return fabs(x) < 1e-9 ? M_PI * M_PI / 4 : sin(M_PI * x) * sin(M_PI * x / 4) / (x * x);
}

/* Over their sum, near and far. */
static double lanczos4_weight(size_t in, size_t out, size_t i, size_t k)
{
    double s = ((double)i + 0.5) * (double)in / (double)out - 0.5, mine = 0, sum = 0;

    for (int j = -3; j <= 4; j++) {
        double at = floor(s) + j, weight = lanczos4_at(s - at);

        sum += weight;
        if ((size_t)fmin(fmax(at, 0), (double)in - 1) == k)
            mine += weight;
    }
    return mine / sum;
}

/* In double precision, to single precision's roundings of values up to 37. */
static void area_cubic_and_lanczos4_on_floats_follow_their_formulas(void **state)
{
    static const struct {
        enum resize_filter filter;
        size_t height, width;
        double (*weight)(size_t in, size_t out, size_t i, size_t k);
    } cases[] = {{FILTER_OPENCV_AREA, 8, 8, area_weight},         {FILTER_OPENCV_AREA, 12, 5, area_weight},
                 {FILTER_OPENCV_AREA, 1, 17, area_weight},        {FILTER_OPENCV_CUBIC, 8, 5, cubic_weight},
                 {FILTER_OPENCV_CUBIC, 29, 40, cubic_weight},     {FILTER_OPENCV_CUBIC, 20, 9, cubic_weight},
                 {FILTER_OPENCV_LANCZOS4, 8, 5, lanczos4_weight}, {FILTER_OPENCV_LANCZOS4, 29, 40, lanczos4_weight},
                 {FILTER_OPENCV_LANCZOS4, 20, 9, lanczos4_weight}};
    uint8_t *pixels = draw(13, 17, 1);
    struct record record = make_record(pixels, 1, 13, 17, false, true);
    static float out[29 * 40];

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t height = cases[c].height, width = cases[c].width;
        struct preprocess_plan plan = {1, {resize_step(FIT_WARP, cases[c].filter, height, width)}};

        assert_int_equal(run(&plan, &record, chw(1, height, width), out, NULL), 0);
        for (size_t i = 0; i < height * width; i++) {
            double want = 0;

            for (size_t k = 0; k < 13 * 17; k++)
                want += (double)record.values[k] * cases[c].weight(13, height, i / width, k / 17) *
                        cases[c].weight(17, width, i % width, k % 17);
            assert_true(fabs((double)out[i] - want) < 5e-5);
        }
    }
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
static size_t draw_below(size_t n)
{
    static uint32_t state = 7;

    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

/* A resize and a crop of it, either from the centre or at a place. One side in four keeps its length. */
static struct preprocess_plan draw_resize_and_crop(size_t height, size_t width)
{
    size_t h = draw_below(4) == 0 ? height : 1 + draw_below(40), w = draw_below(4) == 0 ? width : 1 + draw_below(40);
    struct preprocess_step crop = crop_step(1 + draw_below(h), 1 + draw_below(w));

    if (draw_below(2) == 0) {
        crop.crop.place = CROP_AT;
        crop.crop.top = draw_below(h - crop.crop.height + 1);
        crop.crop.left = draw_below(w - crop.crop.width + 1);
    }
    return (struct preprocess_plan){2, {resize_step(FIT_WARP, (enum resize_filter)draw_below(N_FILTERS), h, w), crop}};
}

/* Filters, sizes, layouts, types and places drawn at random; the crop alone runs on what the resize alone has made. */
static void cropping_what_is_resized_equals_the_two_apart(void **state)
{
    (void)state;
    for (size_t round = 0; round < 3000; round++) {
        size_t height = 1 + draw_below(40), width = 1 + draw_below(40);
        size_t channels = draw_below(2) == 0 ? 3 : 1 + draw_below(4);
        struct preprocess_plan both = draw_resize_and_crop(height, width), resize = {1, {both.steps[0]}},
                               crop = {1, {both.steps[1]}};
        struct shape middle = chw(channels, both.steps[0].resize.height, both.steps[0].resize.width);
        struct shape last = chw(channels, both.steps[1].crop.height, both.steps[1].crop.width);
        uint8_t *pixels = draw(height, width, channels);
        struct record record = make_record(pixels, channels, height, width, draw_below(2), draw_below(2));
        struct record resized = {.key = "resized", .is_planar = true, .order = record.order};
        float expected[4 * 40 * 40], found[4 * 40 * 40];

        assert_int_equal(record_reserve(&resized, channels, (size_t)middle.dims[1], (size_t)middle.dims[2], true, NULL),
                         0);
        assert_int_equal(run(&resize, &record, middle, resized.value_buffer, NULL), 0);
        assert_int_equal(run(&crop, &resized, last, expected, NULL), 0);
        assert_int_equal(run(&both, &record, last, found, NULL), 0);
        assert_memory_equal(found, expected, (size_t)shape_elements(&last) * sizeof *found);
        record_fini(&record);
        record_fini(&resized);
        free(pixels);
    }
}

/* Chains whose first steps crop: other pixels than those of the wish never matter. */
static void pixels_outside_the_wish_do_not_matter(void **state)
{
    size_t n_parts = 0;

    (void)state;
    for (size_t round = 0; round < 2000; round++) {
        size_t height = 1 + draw_below(60), width = 1 + draw_below(60);
        struct preprocess_plan plan = draw_resize_and_crop(height, width);
        struct shape last = chw(3, plan.steps[1].crop.height, plan.steps[1].crop.width);
        bool is_crop_alone = draw_below(4) == 0 && (size_t)last.dims[1] <= height && (size_t)last.dims[2] <= width;
        uint8_t *pixels = draw(height, width, 3);
        struct record record = make_record(pixels, 3, height, width, false, false);
        float expected[3 * 60 * 60], found[3 * 60 * 60];
        const struct image_wish *wish;
        struct preprocessor *preprocessor;
        struct rectangle needed;

        if (is_crop_alone) {
            plan = (struct preprocess_plan){1, {plan.steps[1]}};
            plan.steps[0].crop.place = CROP_CENTRE;
        }
        preprocessor = preprocessor_create(&plan, &last, NULL);
        assert_non_null(preprocessor);
        assert_int_equal(preprocess(preprocessor, &record, expected, NULL), 0);
        wish = preprocessor_wish(preprocessor);
        needed = wish->find(wish->context, height, width);
        assert_true(needed.height > 0 && needed.top + needed.height <= height);
        assert_true(needed.width > 0 && needed.left + needed.width <= width);
        n_parts += needed.height * needed.width < height * width;
        for (size_t i = 0; i < height * width * 3; i++)
            if (i / 3 / width - needed.top >= needed.height || i / 3 % width - needed.left >= needed.width)
                record.byte_buffer[i] = (uint8_t)draw_below(256);
        assert_int_equal(preprocess(preprocessor, &record, found, NULL), 0);
        assert_memory_equal(found, expected, (size_t)shape_elements(&last) * sizeof *found);
        preprocessor_destroy(preprocessor);
        record_fini(&record);
        free(pixels);
    }
    assert_true(n_parts > 400); /* it is not all wholes */
}

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
        for (int filter = FILTER_BILINEAR; filter < N_FILTERS; filter++)
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
        cmocka_unit_test(opencvs_gray_has_its_own_weights),
        cmocka_unit_test(yuv_by_opencvs_integers_equals_opencv),
        cmocka_unit_test(yuv_by_the_standards_matrices),
        cmocka_unit_test(transposing_there_and_back_changes_nothing),
        cmocka_unit_test(standardizing_gives_mean_0_and_deviation_1),
        cmocka_unit_test(quantizing_rounds_half_to_even_and_clamps),
        cmocka_unit_test(crops_at_a_place_and_by_a_fraction),
        cmocka_unit_test(padding_surrounds_with_the_value),
        cmocka_unit_test(filters_of_stb_equal_stb_on_bytes_and_floats),
        cmocka_unit_test(area_cubic_and_lanczos4_on_floats_follow_their_formulas),
        cmocka_unit_test(standardizing_equals_tensorflow),
        cmocka_unit_test(central_crops_equal_tensorflow),
        cmocka_unit_test(crops_come_from_the_centre_rounded_down),
        cmocka_unit_test(cropping_what_is_resized_equals_the_two_apart),
        cmocka_unit_test(pixels_outside_the_wish_do_not_matter),
        cmocka_unit_test(fits_choose_the_sizes_of_torchvision_and_caffe),
        cmocka_unit_test(a_wrong_record_is_named_with_expected_and_found),
        cmocka_unit_test(tensors_need_only_the_right_count),
        cmocka_unit_test(a_wrong_plan_is_refused_before_any_record),
        cmocka_unit_test(one_preprocessor_serves_records_of_all_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
