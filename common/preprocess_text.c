/* preprocess_text.c — see preprocess_text.h. */
#include "common/preprocess_text.h"

#include "common/preprocess_preset.h"
#include "common/real_text.h"

const char *const resize_filter_names[N_FILTERS] = {
    [FILTER_BILINEAR] = "bilinear",
    [FILTER_OPENCV_LINEAR] = "opencv_linear",
    [FILTER_NEAREST] = "nearest",
};

const char *const channel_order_names[N_CHANNEL_ORDERS] = {
    [CHANNELS_RGB] = "rgb",
    [CHANNELS_BGR] = "bgr",
    [CHANNELS_GRAY] = "gray",
};

static void print_resize(const struct preprocess_step *step, FILE *out)
{
    char pad[REAL_TEXT_BYTES];

    if (step->resize.fit == FIT_WARP)
        fprintf(out, "{height: %zu, width: %zu", step->resize.height, step->resize.width);
    else if (step->resize.fit == FIT_SHORT)
        fprintf(out, "{short: %zu", step->resize.height);
    else
        fprintf(out, "{side: %zu, pad: %s", step->resize.height, real_text(step->resize.pad, pad));
    fprintf(out, ", filter: %s}", resize_filter_names[step->resize.filter]);
}

static void print_crop(const struct preprocess_step *step, FILE *out)
{
    fprintf(out, "{height: %zu, width: %zu}", step->crop.height, step->crop.width);
}

static void print_channels(const struct preprocess_step *step, FILE *out)
{
    fputs(channel_order_names[step->channels], out);
}

/* One value stands alone, several in a list. */
static void print_values(const struct preprocess_step *step, FILE *out)
{
    char text[REAL_TEXT_BYTES];

    for (size_t i = 0; i < step->n_values; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : step->n_values > 1 ? "[" : "", real_text(step->values[i], text));
    if (step->n_values > 1)
        fputc(']', out);
}

static void print_preset(const struct preprocess_step *step, FILE *out)
{
    fputs(preset_names[step->preset], out);
}

static const struct {
    const char *key;
    void (*print)(const struct preprocess_step *step, FILE *out);
} kinds[] = {
    [STEP_RESIZE] = {"resize", print_resize},       [STEP_CROP] = {"crop", print_crop},
    [STEP_CHANNELS] = {"channels", print_channels}, [STEP_MEAN] = {"mean", print_values},
    [STEP_SCALE] = {"scale", print_values},         [STEP_DIVIDE] = {"divide", print_values},
    [STEP_PRESET] = {"preset", print_preset},
};

const char *preprocess_step_name(enum step_kind kind)
{
    return kinds[kind].key;
}

static void print_step(const struct preprocess_step *step, FILE *out)
{
    fprintf(out, "%s: ", kinds[step->kind].key);
    kinds[step->kind].print(step, out);
}

void preprocess_print(const struct preprocess_plan *plan, const char *indent, FILE *out)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        fprintf(out, "%s- ", indent);
        print_step(&plan->steps[i], out);
        fputc('\n', out);
    }
}

void preprocess_print_flow(const struct preprocess_plan *plan, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < plan->n_steps; i++) {
        fputs(i > 0 ? ", {" : "{", out);
        print_step(&plan->steps[i], out);
        fputc('}', out);
    }
    fputc(']', out);
}
