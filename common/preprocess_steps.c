/* preprocess_steps.c — see preprocess_steps.h. */
#include "common/preprocess_steps.h"

#define AT(field) offsetof(struct preprocess_step, field)
#define KEYS(...)                                                                                                      \
    .keys = {__VA_ARGS__}, .n_keys = sizeof((const struct step_key[]){__VA_ARGS__}) / sizeof(struct step_key)

const struct step_word resize_filter_words[] = {
    {"bilinear", FILTER_BILINEAR},
    {"opencv_linear", FILTER_OPENCV_LINEAR},
    {"nearest", FILTER_NEAREST},
    {NULL, 0},
};

static const struct step_word channel_words[] = {
    {"rgb", CHANNELS_RGB}, {"bgr", CHANNELS_BGR}, {"gray", CHANNELS_GRAY}, {NULL, 0}};

const struct step_word preset_words[] = {
    {"vgg", PRESET_VGG}, {"inception", PRESET_INCEPTION}, {"ssd_v", PRESET_SSD_V}, {"ssd_i", PRESET_SSD_I}, {NULL, 0}};

#define VALUES_ALONE                                                                                                   \
    {                                                                                                                  \
        NULL, KEY_FLOATS, 0, ANY_FORM, KEY_REQUIRED, NULL, NULL                                                        \
    }

const struct step_description step_descriptions[N_STEP_KINDS] = {
    [STEP_RESIZE] = {"resize", "either height and width, or short, or side", AT(resize.fit),
                     KEYS({"height", KEY_SIZE, AT(resize.height), FIT_WARP, KEY_REQUIRED, NULL, NULL},
                          {"width", KEY_SIZE, AT(resize.width), FIT_WARP, KEY_REQUIRED, NULL, NULL},
                          {"short", KEY_SIZE, AT(resize.height), FIT_SHORT, KEY_REQUIRED, NULL, NULL},
                          {"side", KEY_SIZE, AT(resize.height), FIT_SIDE_PAD, KEY_REQUIRED, NULL, NULL},
                          {"pad", KEY_FLOAT, AT(resize.pad), FIT_SIDE_PAD, KEY_SHOWN, NULL, NULL},
                          {"filter", KEY_WORD, AT(resize.filter), ANY_FORM, KEY_SHOWN, "filter", resize_filter_words})},
    [STEP_CROP] = {"crop", "height and width", 0,
                   KEYS({"height", KEY_SIZE, AT(crop.height), ANY_FORM, KEY_REQUIRED, NULL, NULL},
                        {"width", KEY_SIZE, AT(crop.width), ANY_FORM, KEY_REQUIRED, NULL, NULL})},
    [STEP_CHANNELS] = {"channels", NULL, 0,
                       KEYS({NULL, KEY_WORD, AT(channels), ANY_FORM, KEY_REQUIRED, "channel order", channel_words})},
    [STEP_MEAN] = {"mean", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_SCALE] = {"scale", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_DIVIDE] = {"divide", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_PRESET] = {"preset", NULL, 0,
                     KEYS({NULL, KEY_WORD, AT(preset), ANY_FORM, KEY_REQUIRED, "preset", preset_words})},
    [STEP_MEAN_FILE] = {"mean_file", NULL, 0, KEYS({NULL, KEY_FILE, AT(file), ANY_FORM, KEY_REQUIRED, NULL, NULL})},
};

const char *step_word(const struct step_word *words, int value)
{
    while (words->name != NULL && words->value != value)
        words++;
    return words->name == NULL ? "?" : words->name;
}
