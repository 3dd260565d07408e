/* pixel_affine.c — see pixel_affine.h. */
#include "formats/pixel_affine.h"

#include <math.h>

/* y = x * scale + shift, with one more step behind it. */
struct affine {
    double scale[PIXEL_MAX_CHANNELS], shift[PIXEL_MAX_CHANNELS];
};

static void add_step(struct affine *a, const struct preprocess_step *step, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        double value = (double)step->values[step->n_values == 1 ? 0 : c];

        if (step->kind == STEP_MEAN) {
            a->shift[c] -= value;
            continue;
        }
        value = step->kind == STEP_DIVIDE ? 1 / value : value;
        a->scale[c] *= value;
        a->shift[c] *= value;
    }
}

/* What a step is to the tools; `refusal` where they have no words for it. */
static const struct kind {
    bool is_number, resamples;
    const char *refusal;
} kinds[N_STEP_KINDS] = {
    [STEP_MEAN] = {.is_number = true},
    [STEP_SCALE] = {.is_number = true},
    [STEP_DIVIDE] = {.is_number = true},
    [STEP_RESIZE] = {.resamples = true},
    [STEP_PAD] = {.resamples = true},
    [STEP_PRESET] = {.refusal = "a preset that is not expanded is no mean and scale"},
    [STEP_MEAN_FILE] = {.refusal = "mean_file has a mean of its own for each pixel"},
    [STEP_STANDARDIZE] = {.refusal = "standardize depends on the picture"},
    [STEP_TRANSPOSE] = {.refusal = "transpose is no mean and scale"},
    [STEP_QUANTIZE] = {.refusal = "quantize is no mean and scale"},
};

bool pixel_affine_is_number(enum step_kind kind)
{
    return kinds[kind].is_number;
}

/* The colours behind a step; those before it where it does not change them. False: there are none such. */
static bool follow_colours(const struct preprocess_step *step, enum pixel_colours *colours)
{
    static const enum pixel_colours of_channels[] = {
        [CHANNELS_RGB] = PIXEL_RGB, [CHANNELS_BGR] = PIXEL_BGR, [CHANNELS_GRAY] = PIXEL_GRAY};
    static const enum pixel_colours of_yuv[] = {[YUV_444] = PIXEL_YUV444, [YUV_RGB] = PIXEL_RGB, [YUV_BGR] = PIXEL_BGR};

    if (step->kind == STEP_CHANNELS)
        *colours = of_channels[step->channels];
    if (step->kind == STEP_GRAY)
        *colours = PIXEL_GRAY;
    if (step->kind == STEP_YUV && (step->yuv.to == YUV_NV12 || step->yuv.to == YUV_IMAGE))
        return false;
    if (step->kind == STEP_YUV)
        *colours = of_yuv[step->yuv.to];
    return true;
}

const char *pixel_affine_read(const struct preprocess_plan *chain, size_t channels, struct pixel_affine *out)
{
    struct affine a = {{1, 1, 1, 1}, {0}};
    bool has_numbers = false;

    *out = (struct pixel_affine){.colours = PIXEL_COLOURS_AS_STORED};
    if (chain == NULL)
        return "nothing is known of it";
    if (channels == 0 || channels > PIXEL_MAX_CHANNELS)
        return "it makes no picture of one to four channels";
    for (size_t i = 0; i < chain->n_steps; i++) {
        const struct preprocess_step *step = &chain->steps[i];
        const struct kind *kind = &kinds[step->kind];
        enum pixel_colours before = out->colours;

        if (kind->refusal != NULL)
            return kind->refusal;
        if (!follow_colours(step, &out->colours))
            return "nv12 is no picture of one size in all channels";
        if (out->colours != before && has_numbers)
            return "its colours change behind a mean or scale";
        if (kind->is_number)
            add_step(&a, step, channels);
        has_numbers = has_numbers || kind->is_number;
        out->resamples_reals = out->resamples_reals || (has_numbers && kind->resamples);
    }
    for (size_t c = 0; c < channels; c++) {
        out->scale[c] = a.scale[c];
        out->mean[c] = 0 - a.shift[c] / a.scale[c]; /* never -0 */
        if (!isfinite(out->mean[c]) || !isfinite(out->scale[c]) || out->scale[c] == 0)
            return "its scale is 0 or no number";
    }
    return NULL;
}
