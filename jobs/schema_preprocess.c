/* schema_preprocess.c — the steps under `preprocess:` of a job file. */
#include "common/preprocess_preset.h"
#include "common/preprocess_text.h"
#include "jobs/schema.h"

#include <string.h>

static int read_filter(struct schema *r, const struct yaml *node, void *target)
{
    size_t index;

    if (schema_word(r, node, "filter", resize_filter_names, N_FILTERS, &index) != 0)
        return -1;
    *(enum resize_filter *)target = (enum resize_filter)index;
    return 0;
}

static int read_pad(struct schema *r, const struct yaml *node, void *target)
{
    size_t n;

    return node->kind == YAML_SCALAR ? schema_floats(r, node, target, 1, &n) : schema_wrong(r, node, "a number");
}

static int read_resize(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    size_t short_side = 0, side = 0;
    const struct schema_field fields[] = {
        {"height", schema_size, &step->resize.height}, {"width", schema_size, &step->resize.width},
        {"short", schema_size, &short_side},           {"side", schema_size, &side},
        {"filter", read_filter, &step->resize.filter}, {"pad", read_pad, &step->resize.pad},
    };
    char where[64];

    step->kind = STEP_RESIZE;
    if (schema_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if ((short_side > 0) + (side > 0) + (step->resize.height > 0 && step->resize.width > 0) != 1 ||
        (step->resize.height > 0) != (step->resize.width > 0))
        return error_set(r->err, EX_CONFIG, "%s: resize needs either height and width, or short, or side",
                         yaml_where(node, where));
    step->resize.fit = short_side > 0 ? FIT_SHORT : side > 0 ? FIT_SIDE_PAD : FIT_WARP;
    if (step->resize.fit != FIT_WARP)
        step->resize.height = short_side + side;
    return 0;
}

static int read_crop(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    const struct schema_field fields[] = {
        {"height", schema_size, &step->crop.height},
        {"width", schema_size, &step->crop.width},
    };
    char where[64];

    step->kind = STEP_CROP;
    if (schema_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if (step->crop.height == 0 || step->crop.width == 0)
        return error_set(r->err, EX_CONFIG, "%s: crop needs height and width", yaml_where(node, where));
    return 0;
}

static int read_channels(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    size_t index;

    step->kind = STEP_CHANNELS;
    if (schema_word(r, node, "channel order", channel_order_names, N_CHANNEL_ORDERS, &index) != 0)
        return -1;
    step->channels = (enum channel_order)index;
    return 0;
}

static int read_values(struct schema *r, const struct yaml *node, struct preprocess_step *step, enum step_kind kind)
{
    step->kind = kind;
    return schema_floats(r, node, step->values, PREPROCESS_MAX_CHANNELS, &step->n_values);
}

static int read_mean(struct schema *r, const struct yaml *node, void *target)
{
    return read_values(r, node, target, STEP_MEAN);
}

static int read_scale(struct schema *r, const struct yaml *node, void *target)
{
    return read_values(r, node, target, STEP_SCALE);
}

static int read_divide(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;

    if (read_values(r, node, step, STEP_DIVIDE) != 0)
        return -1;
    for (size_t i = 0; i < step->n_values; i++)
        if (step->values[i] == 0)
            return schema_wrong(r, node->kind == YAML_LIST ? node->items[i] : node, "a divisor other than 0");
    return 0;
}

static int read_preset(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    size_t index;

    step->kind = STEP_PRESET;
    if (schema_word(r, node, "preset", preset_names, N_PRESETS, &index) != 0)
        return -1;
    step->preset = (enum preset_name)index;
    return 0;
}

static int read_step(struct schema *r, const struct yaml *node, struct preprocess_step *step)
{
    const struct schema_field fields[] = {
        {"resize", read_resize, step}, {"crop", read_crop, step},   {"channels", read_channels, step},
        {"mean", read_mean, step},     {"scale", read_scale, step}, {"divide", read_divide, step},
        {"preset", read_preset, step},
    };

    if (node->kind != YAML_MAP || node->n != 1)
        return schema_wrong(r, node, "one step, such as \"- mean: [104, 117, 123]\"");
    return schema_map(r, node, fields, COUNT(fields));
}

bool schema_is_preset(const struct yaml *node)
{
    return node->kind == YAML_MAP && node->n == 1 && strcmp(node->keys[0]->text, "preset") == 0 &&
           node->items[0]->kind == YAML_SCALAR;
}

int schema_preprocess(struct schema *r, const struct yaml *node, void *target)
{
    struct preprocess_plan *plan = target;

    if (schema_is_preset(node)) {
        plan->n_steps = 1;
        return read_step(r, node, &plan->steps[0]);
    }
    if (node->kind != YAML_LIST || node->n > PREPROCESS_MAX_STEPS)
        return schema_wrong(r, node, "a list of at most 16 steps");
    for (size_t i = 0; i < node->n; i++)
        if (read_step(r, node->items[i], &plan->steps[i]) != 0)
            return -1;
    plan->n_steps = node->n;
    return 0;
}
