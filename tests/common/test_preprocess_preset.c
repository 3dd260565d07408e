/* test_preprocess_preset.c — named chains of preprocessing, and the steps that they stand for. */
#include "common/preprocess_preset.h"
#include "common/preprocess_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct shape photo = {4, {1, 3, 224, 224}}, wide = {4, {1, 3, 299, 320}};

static void becomes(struct preprocess_plan plan, const struct shape *input, const char *expected)
{
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    struct error err = {0};

    assert_non_null(out);
    assert_int_equal(preprocess_expand(&plan, input, &err), 0);
    preprocess_print_flow(&plan, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
}

static struct preprocess_plan of(enum preset_name name)
{
    return (struct preprocess_plan){1, {{.kind = STEP_PRESET, .preset = name}}};
}

static void presets_have_the_size_of_the_network(void **state)
{
    (void)state;
    becomes(of(PRESET_VGG), &photo,
            "[{channels: rgb}, {resize: {short: 256, filter: opencv_linear}}, {crop: {height: 224, width: 224}}, "
            "{mean: [123.68, 116.78, 103.94]}]");
    becomes(of(PRESET_INCEPTION), &photo,
            "[{channels: rgb}, {resize: {height: 256, width: 256, filter: opencv_linear}}, "
            "{crop: {height: 224, width: 224}}, {divide: 127.5}, {mean: 1}]");
    becomes(of(PRESET_VGG), &wide,
            "[{channels: rgb}, {resize: {short: 366, filter: opencv_linear}}, {crop: {height: 299, width: 320}}, "
            "{mean: [123.68, 116.78, 103.94]}]");
    becomes(of(PRESET_INCEPTION), &wide,
            "[{channels: rgb}, {resize: {height: 342, width: 366, filter: opencv_linear}}, "
            "{crop: {height: 299, width: 320}}, {divide: 127.5}, {mean: 1}]");
    becomes(of(PRESET_SSD_V), &wide,
            "[{channels: rgb}, {resize: {height: 299, width: 320, filter: opencv_linear}}, {mean: [123, 117, 104]}]");
    becomes(
        of(PRESET_SSD_I), &wide,
        "[{channels: rgb}, {resize: {height: 299, width: 320, filter: opencv_linear}}, {divide: 127.5}, {mean: 1}]");
}

static void a_preset_stands_among_other_steps(void **state)
{
    struct preprocess_plan plan = of(PRESET_SSD_V);

    (void)state;
    plan.steps[plan.n_steps++] = (struct preprocess_step){.kind = STEP_SCALE, .n_values = 1, .values = {0.5f}};
    becomes(plan, &photo,
            "[{channels: rgb}, {resize: {height: 224, width: 224, filter: opencv_linear}}, {mean: [123, 117, 104]}, "
            "{scale: 0.5}]");
}

static void other_plans_stay_as_they_are(void **state)
{
    struct preprocess_plan plan = {2, {{.kind = STEP_CHANNELS, .channels = CHANNELS_GRAY}, {.kind = STEP_CROP}}};
    struct preprocess_plan before = plan;
    struct shape none = {0};

    (void)state;
    assert_int_equal(preprocess_expand(&plan, &none, NULL), 0);
    assert_memory_equal(&plan, &before, sizeof plan);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct shape gray = {4, {1, 1, 28, 28}};
    struct preprocess_plan plan = of(PRESET_VGG);
    struct error err = {0};

    (void)state;
    assert_int_equal(preprocess_expand(&plan, &gray, &err), -1);
    assert_int_equal(err.code, EX_CONFIG);
    assert_string_equal(err.text, "preset \"vgg\" is for an input of three channels, the network's is 1x1x28x28");
    for (size_t i = 0; i < 4; i++)
        plan.steps[plan.n_steps++] = plan.steps[0];
    assert_int_equal(preprocess_expand(&plan, &photo, &err), -1);
    assert_non_null(strstr(err.text, "at most 16 preprocessing steps"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_have_the_size_of_the_network),
        cmocka_unit_test(a_preset_stands_among_other_steps),
        cmocka_unit_test(other_plans_stay_as_they_are),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
