/* preprocess_preset.c — see preprocess_preset.h.
 *
 * The four are those that TensorFlow's model collections evaluate with: slim's vgg_preprocessing and
 * inception_preprocessing (which takes the central 87.5 %), and SSD with the means of VGG or with the range of
 * Inception. Pixels are combined as OpenCV does, which the vendor's tools read pictures with.
 */
#include "common/preprocess_preset.h"

#include "common/preprocess_steps.h"

/* Before a crop, sides are 8/7 of what remains: 256 for 224, which is also the inverse of 87.5 %. */
enum fit { TO_SIZE, SHORT_SIDE_THEN_CROP, STRETCH_THEN_CROP };

static const struct preset {
    enum fit fit;
    size_t n_arithmetic;
    struct preprocess_step arithmetic[2];
} presets[N_PRESETS] = {
    [PRESET_VGG] = {SHORT_SIDE_THEN_CROP,
                    1,
                    {{.kind = STEP_MEAN, .n_values = 3, .values = {123.68f, 116.78f, 103.94f}}}},
    [PRESET_INCEPTION] = {STRETCH_THEN_CROP,
                          2,
                          {{.kind = STEP_DIVIDE, .n_values = 1, .values = {127.5f}},
                           {.kind = STEP_MEAN, .n_values = 1, .values = {1}}}},
    [PRESET_SSD_V] = {TO_SIZE, 1, {{.kind = STEP_MEAN, .n_values = 3, .values = {123, 117, 104}}}},
    [PRESET_SSD_I] = {TO_SIZE,
                      2,
                      {{.kind = STEP_DIVIDE, .n_values = 1, .values = {127.5f}},
                       {.kind = STEP_MEAN, .n_values = 1, .values = {1}}}},
};

static size_t enlarged(size_t side)
{
    return (side * 8 + 3) / 7; /* to the nearest */
}

static int append(struct preprocess_plan *plan, struct preprocess_step step, struct error *err)
{
    if (plan->n_steps == PREPROCESS_MAX_STEPS)
        return error_set(err, EX_CONFIG, "expected at most %d preprocessing steps, those of presets included",
                         PREPROCESS_MAX_STEPS);
    plan->steps[plan->n_steps++] = step;
    return 0;
}

static int append_geometry(struct preprocess_plan *plan, enum fit fit, size_t height, size_t width, struct error *err)
{
    struct preprocess_step resize = {.kind = STEP_RESIZE}, crop = {.kind = STEP_CROP};

    resize.resize.filter = FILTER_OPENCV_LINEAR;
    resize.resize.fit = fit == SHORT_SIDE_THEN_CROP ? FIT_SHORT : FIT_WARP;
    if (fit == SHORT_SIDE_THEN_CROP) {
        resize.resize.height = enlarged(height > width ? height : width);
    } else {
        resize.resize.height = fit == TO_SIZE ? height : enlarged(height);
        resize.resize.width = fit == TO_SIZE ? width : enlarged(width);
    }
    crop.crop.height = height;
    crop.crop.width = width;
    return append(plan, resize, err) < 0 || (fit != TO_SIZE && append(plan, crop, err) < 0) ? -1 : 0;
}

static int append_preset(struct preprocess_plan *plan, enum preset_name name, const struct shape *input,
                         struct error *err)
{
    const struct preset *preset = &presets[name];
    struct preprocess_step channels = {.kind = STEP_CHANNELS, .channels = CHANNELS_RGB};
    char text[SHAPE_TEXT_BYTES];

    if (input->rank != 4 || input->dims[1] != 3)
        return error_set(err, EX_CONFIG, "preset \"%s\" is for an input of three channels, the network's is %s",
                         step_word(preset_words, (int)name), shape_text(input, text));
    if (append(plan, channels, err) < 0 ||
        append_geometry(plan, preset->fit, (size_t)input->dims[2], (size_t)input->dims[3], err) < 0)
        return -1;
    for (size_t i = 0; i < preset->n_arithmetic; i++)
        if (append(plan, preset->arithmetic[i], err) < 0)
            return -1;
    return 0;
}

int preprocess_expand(struct preprocess_plan *plan, const struct shape *input, struct error *err)
{
    struct preprocess_plan expanded = {0};

    for (size_t i = 0; i < plan->n_steps; i++)
        if ((plan->steps[i].kind == STEP_PRESET ? append_preset(&expanded, plan->steps[i].preset, input, err)
                                                : append(&expanded, plan->steps[i], err)) < 0)
            return -1;
    *plan = expanded;
    return 0;
}
