/* test_preprocess_colours.c — gray, orders of channels and YUV against PIL's and OpenCV's own results. */
#include "preprocess_records.h"

#include "preprocess_golden.h"

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

static struct preprocess_step yuv_step(enum yuv_form from, enum yuv_form to, enum yuv_matrix matrix,
                                       enum yuv_range range)
{
    return (struct preprocess_step){.kind = STEP_YUV,
                                    .yuv = {.from = from, .to = to, .matrix = matrix, .range = range}};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gray_is_pils_luma_and_orders_reverse),
        cmocka_unit_test(gray_pixels_become_three_equal_channels),
        cmocka_unit_test(opencvs_gray_has_its_own_weights),
        cmocka_unit_test(yuv_by_opencvs_integers_equals_opencv),
        cmocka_unit_test(yuv_by_the_standards_matrices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
