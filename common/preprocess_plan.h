/* preprocess_plan.h — the description of a preprocessing chain; executed by worker/preprocess.
 *
 * Steps run in the order in which the job file writes them. Pixels enter as 0..255 (uint8) and become float at the
 * first step that needs it. The result must have the network input's shape: CHW, float.
 */
#ifndef ETALON_PREPROCESS_PLAN_H
#define ETALON_PREPROCESS_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { PREPROCESS_MAX_STEPS = 16, PREPROCESS_MAX_CHANNELS = 16, STEP_FILE_DIGEST_BYTES = 65 };

/* What each is and which keys it has: the table in preprocess_steps.c. */
enum step_kind {
    STEP_RESIZE,
    STEP_CROP,
    STEP_CHANNELS,
    STEP_MEAN,
    STEP_SCALE,
    STEP_DIVIDE,
    STEP_PRESET,
    STEP_MEAN_FILE,
    STEP_CROP_FRACTION,
    STEP_PAD,
    STEP_GRAY,
    STEP_STANDARDIZE,
    STEP_TRANSPOSE,
    STEP_YUV,
    STEP_QUANTIZE,
    N_STEP_KINDS
};
enum resize_fit { FIT_WARP, FIT_SHORT, FIT_SIDE_PAD, FIT_LONG };
/* Named after the library whose bits they give; formulas in jobs/doc/preprocess.md. BILINEAR and NEAREST are PIL's. */
enum resize_filter {
    FILTER_BILINEAR,
    FILTER_OPENCV_LINEAR,
    FILTER_NEAREST,
    FILTER_PIL_BOX,
    FILTER_PIL_HAMMING,
    FILTER_PIL_BICUBIC,
    FILTER_PIL_LANCZOS,
    FILTER_OPENCV_NEAREST,
    FILTER_OPENCV_AREA,
    FILTER_OPENCV_CUBIC,
    FILTER_OPENCV_LANCZOS4,
    FILTER_STB_BOX,
    FILTER_STB_TRIANGLE,
    FILTER_STB_CUBICBSPLINE,
    FILTER_STB_CATMULLROM,
    FILTER_STB_MITCHELL,
    FILTER_STB_DEFAULT,
    N_FILTERS
};
enum crop_place { CROP_CENTRE, CROP_AT };
enum crop_rounding { CROP_DOWN, CROP_HALF_EVEN }; /* of half the difference */
enum pad_form { PAD_SIDES, PAD_TO };
enum gray_formula { GRAY_PIL, GRAY_OPENCV };
enum axis_order { AXES_CHW, AXES_HWC };
enum yuv_form { YUV_IMAGE, YUV_444, YUV_NV12, YUV_RGB, YUV_BGR };
enum yuv_matrix { YUV_BT601, YUV_BT709, YUV_OPENCV };
enum yuv_range { YUV_FULL, YUV_LIMITED };
enum grid_type { GRID_INT8, GRID_UINT8 };
enum channel_order { CHANNELS_RGB, CHANNELS_BGR, CHANNELS_GRAY };
enum preset_name { PRESET_VGG, PRESET_INCEPTION, PRESET_SSD_V, PRESET_SSD_I, N_PRESETS };

/* A file that a step takes values from: planes of floats, read once per run (worker/preprocess_files.h). */
struct step_file {
    const char *path;
    size_t channels, height, width;
    const float *values;                 /* [channels x height x width]; NULL: not read yet */
    char sha256[STEP_FILE_DIGEST_BYTES]; /* of the values: what the step is, wherever the file lies */
};

struct preprocess_step {
    enum step_kind kind;
    struct {
        enum resize_fit fit;
        enum resize_filter filter;
        size_t height, width; /* WARP: both; SHORT, LONG and SIDE_PAD: height is the side */
        float pad;
    } resize;
    struct {
        size_t height, width;
        enum crop_place place;
        enum crop_rounding rounding; /* CENTRE */
        size_t top, left;            /* AT */
    } crop;
    float fraction; /* CROP_FRACTION: of both sides, more than 0, at most 1 */
    struct {
        enum pad_form form;
        size_t top, bottom, left, right; /* SIDES */
        size_t height, width;            /* TO: at least this size, the picture in the centre */
        float value;
    } pad;
    enum gray_formula gray;
    enum standard_scope { STANDARDIZE_IMAGE } standardize;
    enum axis_order axes; /* TRANSPOSE: what the tensor becomes */
    struct {
        enum yuv_form from, to;
        enum yuv_matrix matrix;
        enum yuv_range range;
    } yuv;
    struct {
        float scale, zero; /* zero: a whole number of the grid */
        enum grid_type type;
    } grid; /* QUANTIZE */
    enum channel_order channels;
    enum preset_name preset; /* stands for several steps, once the network is known: preprocess_preset.h */
    struct step_file file;   /* MEAN_FILE */
    size_t n_values;         /* MEAN, SCALE, DIVIDE: 1 or the channel count */
    float values[PREPROCESS_MAX_CHANNELS];
};

struct preprocess_plan {
    size_t n_steps;
    struct preprocess_step steps[PREPROCESS_MAX_STEPS];
};

#endif
