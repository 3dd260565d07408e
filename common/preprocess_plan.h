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
    N_STEP_KINDS
};
enum resize_fit { FIT_WARP, FIT_SHORT, FIT_SIDE_PAD };
/* BILINEAR is PIL's antialiased triangle filter (on uint8 with fixed-point coefficients; the pass along rows of pixels
 * first, then down the columns, as all Pillows before 13 do); OPENCV_LINEAR the two-tap half-pixel filter of
 * cv::resize(INTER_LINEAR); NEAREST PIL's. */
enum resize_filter { FILTER_BILINEAR, FILTER_OPENCV_LINEAR, FILTER_NEAREST, N_FILTERS };
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
        size_t height, width; /* WARP: both; SHORT and SIDE_PAD: height is the side */
        float pad;
    } resize;
    struct {
        size_t height, width; /* centre; offset floor((size - crop) / 2) */
    } crop;
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
