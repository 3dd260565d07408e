/* preprocess_steps.c — see preprocess_steps.h. */
#include "common/preprocess_steps.h"

#define AT(field) offsetof(struct preprocess_step, field)
#define KEYS(...)                                                                                                      \
    .keys = {__VA_ARGS__}, .n_keys = sizeof((const struct step_key[]){__VA_ARGS__}) / sizeof(struct step_key)

/* The names without a library are those of the first word behind them. */
const struct step_word resize_filter_words[] = {
    {"bilinear", FILTER_BILINEAR},
    {"pil_bilinear", FILTER_BILINEAR},
    {"nearest", FILTER_NEAREST},
    {"pil_nearest", FILTER_NEAREST},
    {"pil_box", FILTER_PIL_BOX},
    {"pil_hamming", FILTER_PIL_HAMMING},
    {"pil_bicubic", FILTER_PIL_BICUBIC},
    {"bicubic", FILTER_PIL_BICUBIC},
    {"pil_lanczos", FILTER_PIL_LANCZOS},
    {"lanczos", FILTER_PIL_LANCZOS},
    {"opencv_nearest", FILTER_OPENCV_NEAREST},
    {"opencv_linear", FILTER_OPENCV_LINEAR},
    {"opencv_area", FILTER_OPENCV_AREA},
    {"area", FILTER_OPENCV_AREA},
    {"opencv_cubic", FILTER_OPENCV_CUBIC},
    {"opencv_lanczos4", FILTER_OPENCV_LANCZOS4},
    {"stb_default", FILTER_STB_DEFAULT},
    {"stb_box", FILTER_STB_BOX},
    {"stb_triangle", FILTER_STB_TRIANGLE},
    {"stb_cubicbspline", FILTER_STB_CUBICBSPLINE},
    {"stb_catmullrom", FILTER_STB_CATMULLROM},
    {"stb_mitchell", FILTER_STB_MITCHELL},
    {NULL, 0},
};

static const struct step_word rounding_words[] = {{"down", CROP_DOWN}, {"half_even", CROP_HALF_EVEN}, {NULL, 0}};
static const struct step_word scope_words[] = {{"image", 0}, {NULL, 0}};
static const struct step_word gray_words[] = {{"pil", GRAY_PIL}, {"opencv", GRAY_OPENCV}, {NULL, 0}};
static const struct step_word axes_words[] = {{"chw", AXES_CHW}, {"hwc", AXES_HWC}, {NULL, 0}};
static const struct step_word yuv_from_words[] = {
    {"image", YUV_IMAGE}, {"yuv444", YUV_444}, {"nv12", YUV_NV12}, {NULL, 0}};
static const struct step_word yuv_to_words[] = {
    {"yuv444", YUV_444}, {"nv12", YUV_NV12}, {"rgb", YUV_RGB}, {"bgr", YUV_BGR}, {NULL, 0}};
static const struct step_word matrix_words[] = {
    {"bt601", YUV_BT601}, {"bt709", YUV_BT709}, {"opencv", YUV_OPENCV}, {NULL, 0}};
static const struct step_word range_words[] = {{"full", YUV_FULL}, {"limited", YUV_LIMITED}, {NULL, 0}};
static const struct step_word grid_words[] = {{"int8", GRID_INT8}, {"uint8", GRID_UINT8}, {NULL, 0}};

static const struct step_word channel_words[] = {
    {"rgb", CHANNELS_RGB}, {"bgr", CHANNELS_BGR}, {"gray", CHANNELS_GRAY}, {NULL, 0}};

const struct step_word preset_words[] = {
    {"vgg", PRESET_VGG}, {"inception", PRESET_INCEPTION}, {"ssd_v", PRESET_SSD_V}, {"ssd_i", PRESET_SSD_I}, {NULL, 0}};

#define VALUES_ALONE                                                                                                   \
    {                                                                                                                  \
        NULL, KEY_FLOATS, 0, ANY_FORM, KEY_REQUIRED, NULL, NULL                                                        \
    }

const struct step_description step_descriptions[N_STEP_KINDS] = {
    [STEP_RESIZE] = {"resize", "either height and width, or short, or long, or side (which pad goes with)",
                     AT(resize.fit),
                     KEYS({"height", KEY_SIZE, AT(resize.height), FIT_WARP, KEY_REQUIRED, NULL, NULL},
                          {"width", KEY_SIZE, AT(resize.width), FIT_WARP, KEY_REQUIRED, NULL, NULL},
                          {"short", KEY_SIZE, AT(resize.height), FIT_SHORT, KEY_REQUIRED, NULL, NULL},
                          {"long", KEY_SIZE, AT(resize.height), FIT_LONG, KEY_REQUIRED, NULL, NULL},
                          {"side", KEY_SIZE, AT(resize.height), FIT_SIDE_PAD, KEY_REQUIRED, NULL, NULL},
                          {"pad", KEY_FLOAT, AT(resize.pad), FIT_SIDE_PAD, KEY_SHOWN, NULL, NULL},
                          {"filter", KEY_WORD, AT(resize.filter), ANY_FORM, KEY_SHOWN, "filter", resize_filter_words})},
    [STEP_CROP] = {"crop", "height and width, and either round, or top or left", AT(crop.place),
                   KEYS({"height", KEY_SIZE, AT(crop.height), ANY_FORM, KEY_REQUIRED, NULL, NULL},
                        {"width", KEY_SIZE, AT(crop.width), ANY_FORM, KEY_REQUIRED, NULL, NULL},
                        {"round", KEY_WORD, AT(crop.rounding), CROP_CENTRE, KEY_OPTIONAL, "rounding", rounding_words},
                        {"top", KEY_OFFSET, AT(crop.top), CROP_AT, KEY_SHOWN, NULL, NULL},
                        {"left", KEY_OFFSET, AT(crop.left), CROP_AT, KEY_SHOWN, NULL, NULL})},
    [STEP_CHANNELS] = {"channels", NULL, 0,
                       KEYS({NULL, KEY_WORD, AT(channels), ANY_FORM, KEY_REQUIRED, "channel order", channel_words})},
    [STEP_MEAN] = {"mean", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_SCALE] = {"scale", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_DIVIDE] = {"divide", NULL, 0, KEYS(VALUES_ALONE)},
    [STEP_PRESET] = {"preset", NULL, 0,
                     KEYS({NULL, KEY_WORD, AT(preset), ANY_FORM, KEY_REQUIRED, "preset", preset_words})},
    [STEP_MEAN_FILE] = {"mean_file", NULL, 0, KEYS({NULL, KEY_FILE, AT(file), ANY_FORM, KEY_REQUIRED, NULL, NULL})},
    [STEP_CROP_FRACTION] = {"crop_fraction", NULL, 0,
                            KEYS({NULL, KEY_FLOAT, AT(fraction), ANY_FORM, KEY_REQUIRED, NULL, NULL})},
    [STEP_PAD] = {"pad", "some of top, bottom, left and right, or height and width", AT(pad.form),
                  KEYS({"top", KEY_OFFSET, AT(pad.top), PAD_SIDES, KEY_OPTIONAL, NULL, NULL},
                       {"bottom", KEY_OFFSET, AT(pad.bottom), PAD_SIDES, KEY_OPTIONAL, NULL, NULL},
                       {"left", KEY_OFFSET, AT(pad.left), PAD_SIDES, KEY_OPTIONAL, NULL, NULL},
                       {"right", KEY_OFFSET, AT(pad.right), PAD_SIDES, KEY_OPTIONAL, NULL, NULL},
                       {"height", KEY_SIZE, AT(pad.height), PAD_TO, KEY_REQUIRED, NULL, NULL},
                       {"width", KEY_SIZE, AT(pad.width), PAD_TO, KEY_REQUIRED, NULL, NULL},
                       {"value", KEY_FLOAT, AT(pad.value), ANY_FORM, KEY_SHOWN, NULL, NULL})},
    [STEP_GRAY] = {"gray", NULL, 0, KEYS({NULL, KEY_WORD, AT(gray), ANY_FORM, KEY_REQUIRED, "formula", gray_words})},
    [STEP_STANDARDIZE] = {"standardize", NULL, 0,
                          KEYS({NULL, KEY_WORD, AT(standardize), ANY_FORM, KEY_REQUIRED, "scope", scope_words})},
    [STEP_TRANSPOSE] = {"transpose", NULL, 0,
                        KEYS({NULL, KEY_WORD, AT(axes), ANY_FORM, KEY_REQUIRED, "order of axes", axes_words})},
    [STEP_YUV] = {"yuv", "to, and perhaps from, matrix and range", 0,
                  KEYS({"from", KEY_WORD, AT(yuv.from), ANY_FORM, KEY_SHOWN, "form of pixels", yuv_from_words},
                       {"to", KEY_WORD, AT(yuv.to), ANY_FORM, KEY_REQUIRED, "form of pixels", yuv_to_words},
                       {"matrix", KEY_WORD, AT(yuv.matrix), ANY_FORM, KEY_SHOWN, "matrix", matrix_words},
                       {"range", KEY_WORD, AT(yuv.range), ANY_FORM, KEY_SHOWN, "range", range_words})},
    [STEP_QUANTIZE] = {"quantize", "scale, and perhaps zero and type", 0,
                       KEYS({"scale", KEY_FLOAT, AT(grid.scale), ANY_FORM, KEY_REQUIRED, NULL, NULL},
                            {"zero", KEY_FLOAT, AT(grid.zero), ANY_FORM, KEY_SHOWN, NULL, NULL},
                            {"type", KEY_WORD, AT(grid.type), ANY_FORM, KEY_SHOWN, "type", grid_words})},
};

const char *step_word(const struct step_word *words, int value)
{
    while (words->name != NULL && words->value != value)
        words++;
    return words->name == NULL ? "?" : words->name;
}
