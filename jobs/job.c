/* job.c — the schema of a job file: one table of keys per section; see job.h. */
#include "jobs/job.h"

#include "common/log.h"
#include "common/suggest.h"
#include "jobs/yaml_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct arena *arena;
    struct run_request request;
};

/* What every reading function needs. */
struct reader {
    struct arena *arena;
    const char *folder; /* of the job file */
    struct run_request *request;
    struct error *err;
};

struct field {
    const char *name;
    int (*read)(struct reader *r, const struct yaml *value, void *target);
    void *target;
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the small types ---- */

static int wrong(struct reader *r, const struct yaml *node, const char *expected)
{
    static const char *const kinds[] = {[YAML_SCALAR] = "a value", [YAML_LIST] = "a list", [YAML_MAP] = "keys"};
    char where[64];

    if (node->kind == YAML_SCALAR)
        return error_set(r->err, EX_CONFIG, "%s: expected %s, found \"%s\"", yaml_where(node, where), expected,
                         node->text);
    return error_set(r->err, EX_CONFIG, "%s: expected %s, found %s", yaml_where(node, where), expected,
                     kinds[node->kind]);
}

static int unknown(struct reader *r, const struct yaml *node, const char *what, const char *nearest)
{
    char where[64];

    return error_set(r->err, EX_CONFIG, "%s: %s \"%s\" does not exist; the nearest is \"%s\"", yaml_where(node, where),
                     what, node->text, nearest);
}

static int read_map(struct reader *r, const struct yaml *map, const struct field *fields, size_t n)
{
    if (map->kind != YAML_MAP)
        return wrong(r, map, "keys");
    for (size_t i = 0; i < map->n; i++) {
        size_t f = 0;

        while (f < n && strcmp(fields[f].name, map->keys[i]->text) != 0)
            f++;
        if (f == n)
            return unknown(r, map->keys[i], "key", suggest_nearest(map->keys[i]->text, &fields[0].name, n, sizeof *fields));
        if (fields[f].read(r, map->items[i], fields[f].target) != 0)
            return -1;
    }
    return 0;
}

static int read_text(struct reader *r, const struct yaml *node, void *target)
{
    if (node->kind != YAML_SCALAR)
        return wrong(r, node, "a text");
    *(const char **)target = node->text;
    return 0;
}

static int read_path(struct reader *r, const struct yaml *node, void *target)
{
    const char *path;

    if (node->kind != YAML_SCALAR || node->text[0] == '\0')
        return wrong(r, node, "a path");
    path = node->text[0] == '/' ? node->text : arena_format(r->arena, r->err, "%s/%s", r->folder, node->text);
    *(const char **)target = path;
    return path == NULL ? -1 : 0;
}

static int read_count(struct reader *r, const struct yaml *node, void *target)
{
    char *end;
    unsigned long long value;

    if (node->kind != YAML_SCALAR || node->text[0] < '0' || node->text[0] > '9')
        return wrong(r, node, "a whole number, 0 or more");
    errno = 0;
    value = strtoull(node->text, &end, 10);
    if (*end != '\0' || errno != 0)
        return wrong(r, node, "a whole number, 0 or more");
    *(uint64_t *)target = value;
    return 0;
}

static int read_number(struct reader *r, const struct yaml *node, void *target)
{
    char *end;
    double value;

    if (node->kind != YAML_SCALAR)
        return wrong(r, node, "a number");
    value = strtod(node->text, &end);
    if (end == node->text || *end != '\0' || !isfinite(value))
        return wrong(r, node, "a finite number");
    *(double *)target = value;
    return 0;
}

/* One of n words, given as an array of strings; *target becomes its index. */
static int read_word(struct reader *r, const struct yaml *node, const char *what, const char *const *words, size_t n,
                     size_t *index)
{
    if (node->kind != YAML_SCALAR)
        return wrong(r, node, what);
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], node->text) == 0) {
            *index = i;
            return 0;
        }
    return unknown(r, node, what, suggest_nearest(node->text, words, n, sizeof *words));
}

static int read_truth(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"false", "true"};
    size_t index;

    if (read_word(r, node, "truth value", words, COUNT(words), &index) != 0)
        return -1;
    *(bool *)target = index == 1;
    return 0;
}

/* A list of numbers, or one number alone. */
static int read_floats(struct reader *r, const struct yaml *node, float *values, size_t max, size_t *n)
{
    double value;

    if (node->kind == YAML_MAP || (node->kind == YAML_LIST && (node->n == 0 || node->n > max)))
        return wrong(r, node, "one number, or a list of at most 16");
    *n = node->kind == YAML_SCALAR ? 1 : node->n;
    for (size_t i = 0; i < *n; i++) {
        if (read_number(r, node->kind == YAML_SCALAR ? node : node->items[i], &value) != 0)
            return -1;
        values[i] = (float)value;
    }
    return 0;
}

/* ---- model ---- */

static int read_shape(struct reader *r, const struct yaml *node, struct shape *shape)
{
    if (node->kind != YAML_LIST || node->n == 0 || node->n > TENSOR_MAX_RANK)
        return wrong(r, node, "a list of 1 to 8 dimensions");
    shape->rank = node->n;
    for (size_t i = 0; i < node->n; i++) {
        uint64_t dim = 0;

        if (read_count(r, node->items[i], &dim) != 0)
            return -1;
        if (dim == 0 || dim > INT32_MAX)
            return wrong(r, node->items[i], "a dimension of at least 1");
        shape->dims[i] = (int64_t)dim;
    }
    return 0;
}

static int read_inputs(struct reader *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;

    if (node->kind != YAML_MAP || node->n > MODEL_MAX_INPUTS)
        return wrong(r, node, "at most 16 keys: the inputs' names");
    for (size_t i = 0; i < node->n; i++) {
        model->inputs[i].name = node->keys[i]->text;
        if (read_shape(r, node->items[i], &model->inputs[i].shape) != 0)
            return -1;
    }
    model->n_inputs = node->n;
    return 0;
}

static int read_outputs(struct reader *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;
    const char **names;

    if (node->kind != YAML_LIST)
        return wrong(r, node, "a list of names");
    names = arena_create_array(r->arena, node->n, sizeof *names, r->err);
    for (size_t i = 0; names != NULL && i < node->n; i++)
        if (read_text(r, node->items[i], &names[i]) != 0)
            return -1;
    model->outputs = names;
    model->n_outputs = node->n;
    return names == NULL ? -1 : 0;
}

static int read_model(struct reader *r, const struct yaml *node, void *target)
{
    struct model_request *model = target;
    const struct field fields[] = {
        {"file", read_path, &model->file},
        {"weights", read_path, &model->weights},
        {"inputs", read_inputs, model},
        {"outputs", read_outputs, model},
    };

    return read_map(r, node, fields, COUNT(fields));
}

/* ---- dataset ---- */

static int read_kind(struct reader *r, const struct yaml *node, void *target)
{
    size_t n = 0;

    if (node->kind != YAML_SCALAR)
        return wrong(r, node, "a kind of dataset");
    for (; record_kinds[n] != NULL; n++)
        if (strcmp(record_kinds[n]->name, node->text) == 0) {
            *(const char **)target = record_kinds[n]->name;
            return 0;
        }
    {
        const char *names[64];

        for (size_t i = 0; i < n && i < COUNT(names); i++)
            names[i] = record_kinds[i]->name;
        return unknown(r, node, "dataset kind", suggest_nearest(node->text, names, n, sizeof *names));
    }
}

static int read_dataset(struct reader *r, const struct yaml *node, void *target)
{
    struct dataset_request *dataset = target;
    const struct field fields[] = {
        {"kind", read_kind, &dataset->kind},
        {"path", read_path, &dataset->path},
        {"list", read_path, &dataset->list},
        {"limit", read_count, &dataset->limit},
    };
    char where[64];

    if (read_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if (dataset->kind == NULL || dataset->path == NULL)
        return error_set(r->err, EX_CONFIG, "%s: a dataset needs \"kind\" and \"path\"", yaml_where(node, where));
    return 0;
}

/* ---- preprocess ---- */

static int read_size(struct reader *r, const struct yaml *node, void *target)
{
    uint64_t value = 0;

    if (read_count(r, node, &value) != 0)
        return -1;
    if (value == 0 || value > 65536)
        return wrong(r, node, "a size from 1 to 65536");
    *(size_t *)target = (size_t)value;
    return 0;
}

static int read_filter(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {
        [FILTER_BILINEAR] = "bilinear", [FILTER_OPENCV_LINEAR] = "opencv_linear", [FILTER_NEAREST] = "nearest"};
    size_t index;

    if (read_word(r, node, "filter", words, COUNT(words), &index) != 0)
        return -1;
    *(enum resize_filter *)target = (enum resize_filter)index;
    return 0;
}

static int read_resize(struct reader *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    size_t short_side = 0, side = 0;
    double pad = 0;
    const struct field fields[] = {
        {"height", read_size, &step->resize.height}, {"width", read_size, &step->resize.width},
        {"short", read_size, &short_side},           {"side", read_size, &side},
        {"filter", read_filter, &step->resize.filter}, {"pad", read_number, &pad},
    };
    char where[64];

    step->kind = STEP_RESIZE;
    if (read_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if ((short_side > 0) + (side > 0) + (step->resize.height > 0 && step->resize.width > 0) != 1 ||
        (step->resize.height > 0) != (step->resize.width > 0))
        return error_set(r->err, EX_CONFIG, "%s: resize needs either height and width, or short, or side",
                         yaml_where(node, where));
    step->resize.fit = short_side > 0 ? FIT_SHORT : side > 0 ? FIT_SIDE_PAD : FIT_WARP;
    if (step->resize.fit != FIT_WARP)
        step->resize.height = short_side + side;
    step->resize.pad = (float)pad;
    return 0;
}

static int read_crop(struct reader *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;
    const struct field fields[] = {
        {"height", read_size, &step->crop.height},
        {"width", read_size, &step->crop.width},
    };
    char where[64];

    step->kind = STEP_CROP;
    if (read_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    if (step->crop.height == 0 || step->crop.width == 0)
        return error_set(r->err, EX_CONFIG, "%s: crop needs height and width", yaml_where(node, where));
    return 0;
}

static int read_channels(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {
        [CHANNELS_RGB] = "rgb", [CHANNELS_BGR] = "bgr", [CHANNELS_GRAY] = "gray"};
    struct preprocess_step *step = target;
    size_t index;

    step->kind = STEP_CHANNELS;
    if (read_word(r, node, "channel order", words, COUNT(words), &index) != 0)
        return -1;
    step->channels = (enum channel_order)index;
    return 0;
}

static int read_values(struct reader *r, const struct yaml *node, struct preprocess_step *step, enum step_kind kind)
{
    step->kind = kind;
    return read_floats(r, node, step->values, PREPROCESS_MAX_CHANNELS, &step->n_values);
}

static int read_mean(struct reader *r, const struct yaml *node, void *target)
{
    return read_values(r, node, target, STEP_MEAN);
}

static int read_scale(struct reader *r, const struct yaml *node, void *target)
{
    return read_values(r, node, target, STEP_SCALE);
}

static int read_divide(struct reader *r, const struct yaml *node, void *target)
{
    struct preprocess_step *step = target;

    if (read_values(r, node, step, STEP_DIVIDE) != 0)
        return -1;
    for (size_t i = 0; i < step->n_values; i++)
        if (step->values[i] == 0)
            return wrong(r, node->kind == YAML_LIST ? node->items[i] : node, "a divisor other than 0");
    return 0;
}

static int read_preprocess(struct reader *r, const struct yaml *node, void *target)
{
    struct preprocess_plan *plan = target;

    if (node->kind != YAML_LIST || node->n > PREPROCESS_MAX_STEPS)
        return wrong(r, node, "a list of at most 16 steps");
    for (size_t i = 0; i < node->n; i++) {
        struct preprocess_step *step = &plan->steps[i];
        const struct field fields[] = {
            {"resize", read_resize, step}, {"crop", read_crop, step},   {"channels", read_channels, step},
            {"mean", read_mean, step},     {"scale", read_scale, step}, {"divide", read_divide, step},
        };

        if (node->items[i]->kind != YAML_MAP || node->items[i]->n != 1)
            return wrong(r, node->items[i], "one step, such as \"- mean: [104, 117, 123]\"");
        if (read_map(r, node->items[i], fields, COUNT(fields)) != 0)
            return -1;
    }
    plan->n_steps = node->n;
    return 0;
}

/* ---- calibration ---- */

static int read_threshold_method(struct reader *r, const struct yaml *node, void *target)
{
    const char *names[64];
    size_t n = 0, index;

    for (; threshold_methods[n] != NULL && n < COUNT(names); n++)
        names[n] = threshold_methods[n]->name;
    if (read_word(r, node, "activations method", names, n, &index) != 0)
        return -1;
    *(const struct threshold_method **)target = threshold_methods[index];
    return 0;
}

static int read_weight_method(struct reader *r, const struct yaml *node, void *target)
{
    const char *names[64];
    size_t n = 0, index;

    for (; weight_methods[n] != NULL && n < COUNT(names); n++)
        names[n] = weight_methods[n]->name;
    if (read_word(r, node, "weights method", names, n, &index) != 0)
        return -1;
    *(const struct weight_method **)target = weight_methods[index];
    return 0;
}

static int read_granularity(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {[GRANULARITY_MIXED] = "mixed",
                                        [GRANULARITY_PER_CHANNEL] = "per-channel",
                                        [GRANULARITY_PER_TENSOR] = "per-tensor"};
    size_t index;

    if (read_word(r, node, "granularity", words, COUNT(words), &index) != 0)
        return -1;
    *(enum granularity *)target = (enum granularity)index;
    return 0;
}

static int read_bins(struct reader *r, const struct yaml *node, void *target)
{
    uint64_t bins = 0;

    if (read_count(r, node, &bins) != 0)
        return -1;
    if (bins < 256 || bins > 65536 || (bins & (bins - 1)) != 0)
        return wrong(r, node, "a power of two from 256 to 65536");
    *(size_t *)target = (size_t)bins;
    return 0;
}

static int read_block(struct reader *r, const struct yaml *node, void *target)
{
    uint64_t block = 0;

    if (read_count(r, node, &block) != 0)
        return -1;
    if (block == 0 || block > 1024)
        return wrong(r, node, "1 to 1024 records");
    *(size_t *)target = (size_t)block;
    return 0;
}

static int read_percentile(struct reader *r, const struct yaml *node, void *target)
{
    if (read_number(r, node, target) != 0)
        return -1;
    return *(double *)target > 0 && *(double *)target <= 1 ? 0 : wrong(r, node, "a fraction above 0, at most 1");
}

static int read_passes(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"one", "two"};
    char where[64];
    size_t index;

    (void)target;
    if (read_word(r, node, "passes", words, COUNT(words), &index) != 0)
        return -1;
    return index == 0 ? 0
                      : error_set(r->err, EX_UNAVAILABLE, "%s: passes: two (exact vendor ranges) is not in this version",
                                  yaml_where(node, where));
}

static int read_precision(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"float", "int8", "int16"};
    char where[64];
    size_t index;

    if (read_word(r, node, "precision", words, COUNT(words), &index) != 0)
        return -1;
    if (index == 2)
        return error_set(r->err, EX_UNAVAILABLE, "%s: precision int16 is not in this version", yaml_where(node, where));
    *(enum precision *)target = index == 0 ? PRECISION_FLOAT : PRECISION_INT8;
    return 0;
}

static int read_overrides(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    char where[64];

    if (node->kind != YAML_LIST || node->n > RUN_MAX_OVERRIDES)
        return wrong(r, node, "a list of at most 256 overrides");
    for (size_t i = 0; i < node->n; i++) {
        const struct field fields[] = {
            {"node", read_text, &request->calibration.overrides[i].node},
            {"activations", read_threshold_method, &request->calibration.overrides[i].activations},
            {"precision", read_precision, &request->calibration.overrides[i].precision},
        };

        if (read_map(r, node->items[i], fields, COUNT(fields)) != 0)
            return -1;
        if (request->calibration.overrides[i].node == NULL)
            return error_set(r->err, EX_CONFIG, "%s: an override needs \"node\"", yaml_where(node->items[i], where));
    }
    request->calibration.n_overrides = node->n;
    return 0;
}

static int read_calibration(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct field fields[] = {
        {"activations", read_threshold_method, &request->calibration.activations},
        {"weights", read_weight_method, &request->calibration.weights},
        {"granularity", read_granularity, &request->calibration.granularity},
        {"bins", read_bins, &request->calibration.bins},
        {"channel_bins", read_bins, &request->calibration.channel_bins},
        {"block", read_block, &request->calibration.block},
        {"percentile", read_percentile, &request->calibration.percentile},
        {"bias_correction", read_truth, &request->calibration.corrects_bias},
        {"passes", read_passes, NULL},
        {"overrides", read_overrides, request},
    };

    return read_map(r, node, fields, COUNT(fields));
}

/* ---- targets, evaluation, the rest ---- */

static int read_targets(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const char *names[RUN_MAX_TARGETS];
    size_t n = 0, index;
    char where[64];

    for (; targets[n] != NULL && n < COUNT(names); n++)
        names[n] = targets[n]->name;
    if (node->kind != YAML_LIST || node->n > RUN_MAX_TARGETS)
        return wrong(r, node, "a list of targets");
    for (size_t i = 0; i < node->n; i++) {
        if (read_word(r, node->items[i], "target", names, n, &index) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (request->targets[j] == targets[index])
                return error_set(r->err, EX_CONFIG, "%s: target \"%s\" is listed twice",
                                 yaml_where(node->items[i], where), names[index]);
        request->targets[i] = targets[index];
    }
    request->n_targets = node->n;
    return 0;
}

/* Targets have no options yet beyond TNN's mode, whose only value here is the default. */
static int read_tnn_mode(struct reader *r, const struct yaml *node, void *target)
{
    static const char *const words[] = {"corrected", "tool-exact"};
    char where[64];
    size_t index;

    (void)target;
    if (read_word(r, node, "mode", words, COUNT(words), &index) != 0)
        return -1;
    return index == 0 ? 0
                      : error_set(r->err, EX_UNAVAILABLE, "%s: tnn mode tool-exact is not in this version",
                                  yaml_where(node, where));
}

static int read_tnn_options(struct reader *r, const struct yaml *node, void *target)
{
    const struct field fields[] = {{"mode", read_tnn_mode, target}};

    return read_map(r, node, fields, COUNT(fields));
}

static int read_target_options(struct reader *r, const struct yaml *node, void *target)
{
    const struct field fields[] = {{"tnn", read_tnn_options, target}};

    return read_map(r, node, fields, COUNT(fields));
}

static int read_top_k(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;

    if (node->kind != YAML_LIST || node->n == 0 || node->n > METRICS_MAX_TOP)
        return wrong(r, node, "a list of 1 to 4 numbers");
    for (size_t i = 0; i < node->n; i++)
        if (read_size(r, node->items[i], &request->evaluate.top_k[i]) != 0)
            return -1;
    request->evaluate.n_top_k = node->n;
    return 0;
}

static int read_evaluate(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct field fields[] = {
        {"top_k", read_top_k, request},
        {"dataset", read_dataset, &request->evaluate.dataset},
        {"skip", read_truth, &request->evaluate.is_skipped},
    };

    return read_map(r, node, fields, COUNT(fields));
}

static int read_engine(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct field fields[] = {
        {"threads", read_block, &request->threads},
        {"isa", read_text, &request->isa},
    };

    return read_map(r, node, fields, COUNT(fields));
}

static int read_checkpoint(struct reader *r, const struct yaml *node, void *target)
{
    uint64_t interval = 0;
    const struct field fields[] = {{"interval", read_count, &interval}};

    (void)target;
    if (read_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    log_warning("checkpoint.interval is read, but this version writes no checkpoints yet");
    return 0;
}

static int read_limits(struct reader *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct field fields[] = {{"max_bad_records", read_count, &request->max_bad_records}};

    return read_map(r, node, fields, COUNT(fields));
}

static int read_job(struct reader *r, const struct yaml *root)
{
    struct run_request *q = r->request;
    const struct field fields[] = {
        {"model", read_model, &q->model},   {"dataset", read_dataset, &q->dataset},
        {"preprocess", read_preprocess, &q->preprocess}, {"calibration", read_calibration, q},
        {"targets", read_targets, q},       {"target_options", read_target_options, q},
        {"evaluate", read_evaluate, q},     {"engine", read_engine, q},
        {"checkpoint", read_checkpoint, q}, {"limits", read_limits, q},
        {"output", read_path, &q->output},
    };
    static const char *const needed[] = {"model", "dataset", "targets", "output"};

    if (read_map(r, root, fields, COUNT(fields)) != 0)
        return -1;
    for (size_t i = 0; i < COUNT(needed); i++)
        if (yaml_get(root, needed[i]) == NULL)
            return error_set(r->err, EX_CONFIG, "the key \"%s\" is missing", needed[i]);
    if (q->model.file == NULL)
        return error_set(r->err, EX_CONFIG, "the key \"model.file\" is missing");
    return 0;
}

/* "models/resnet20.onnx" -> "resnet20". */
static const char *base_name(struct reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = arena_copy_string(r->arena, slash == NULL ? path : slash + 1, r->err), *dot;

    if (name != NULL && (dot = strrchr(name, '.')) != NULL && dot != name)
        *dot = '\0';
    return name;
}

static void set_defaults(struct run_request *q)
{
    q->calibration.activations = threshold_method_find("mse");
    q->calibration.weights = weight_method_find("sweep");
    q->calibration.bins = 8192;
    q->calibration.channel_bins = 2048;
    q->calibration.block = 8;
    q->calibration.percentile = 0.9999;
    q->calibration.corrects_bias = true;
    q->evaluate.n_top_k = 2;
    q->evaluate.top_k[0] = 1;
    q->evaluate.top_k[1] = 5;
    q->threads = 1;
    q->isa = "native";
}

struct job *job_read(const char *path, const char *const *sets, size_t n_sets, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct job *job = arena == NULL ? NULL : arena_create_array(arena, 1, sizeof *job, err);
    struct reader r = {.arena = arena, .err = err};
    struct yaml *root;
    char *copy;

    if (job == NULL)
        goto fail;
    job->arena = arena;
    r.request = &job->request;
    set_defaults(r.request);
    copy = arena_copy_string(arena, path, err);
    root = copy == NULL ? NULL : yaml_read(path, arena, err);
    if (root == NULL)
        goto fail;
    r.folder = dirname(copy);
    if (root->kind != YAML_MAP) {
        wrong(&r, root, "keys such as \"model:\"");
        error_in(err, "%s", path);
        goto fail;
    }
    for (size_t i = 0; i < n_sets; i++)
        if (yaml_set(root, sets[i], arena, err) != 0)
            goto fail;
    if (read_job(&r, root) != 0) {
        error_in(err, "%s", path);
        goto fail;
    }
    r.request->model_name = base_name(&r, r.request->model.file);
    if (r.request->model_name == NULL)
        goto fail;
    return job;
fail:
    arena_destroy(arena);
    return NULL;
}

void job_destroy(struct job *job)
{
    if (job != NULL)
        arena_destroy(job->arena); /* the job itself lives in it */
}

struct run_request *job_request(struct job *job)
{
    return &job->request;
}
