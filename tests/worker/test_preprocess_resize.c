/* test_preprocess_resize.c — sizes and places of pixels against the results of PIL, OpenCV and stb. */
#include "preprocess_records.h"

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

#include "preprocess_golden.h"
#include "../golden/preprocess.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_equals_pil_and_opencv_bit_for_bit),
        cmocka_unit_test(crops_at_a_place_and_by_a_fraction),
        cmocka_unit_test(padding_surrounds_with_the_value),
        cmocka_unit_test(filters_of_stb_equal_stb_on_bytes_and_floats),
        cmocka_unit_test(area_cubic_and_lanczos4_on_floats_follow_their_formulas),
        cmocka_unit_test(central_crops_equal_tensorflow),
        cmocka_unit_test(crops_come_from_the_centre_rounded_down),
        cmocka_unit_test(cropping_what_is_resized_equals_the_two_apart),
        cmocka_unit_test(pixels_outside_the_wish_do_not_matter),
        cmocka_unit_test(fits_choose_the_sizes_of_torchvision_and_caffe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
