/* job.c — a job file read and checked: its sections, what they are without it, and how they hang together; see job.h.
 * The larger ones are in schema_*.c. */
#include "jobs/job_private.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* A list of steps for every input, or a list for each under its name. */
static int read_preprocess(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;

    if (node->kind != YAML_MAP || schema_is_preset(node))
        return schema_preprocess(r, node, &request->preprocess);
    request->preprocess_inputs = arena_create_array(r->arena, node->n, sizeof *request->preprocess_inputs, r->err);
    if (request->preprocess_inputs == NULL)
        return -1;
    for (size_t i = 0; i < node->n; i++) {
        request->preprocess_inputs[i].name = node->keys[i]->text;
        if (schema_preprocess(r, node->items[i], &request->preprocess_inputs[i].plan) != 0)
            return -1;
    }
    request->n_preprocess_inputs = node->n;
    return 0;
}

static int read_targets(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const char *names[RUN_MAX_TARGETS];
    size_t n = 0, index;
    char where[64];

    for (; targets[n] != NULL && n < COUNT(names); n++)
        names[n] = targets[n]->name;
    if (node->kind != YAML_LIST || node->n > RUN_MAX_TARGETS)
        return schema_wrong(r, node, "a list of targets");
    for (size_t i = 0; i < node->n; i++) {
        if (schema_word(r, node->items[i], "target", names, n, &index) != 0)
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

static int read_prefetch(struct schema *r, const struct yaml *node, void *target)
{
    uint64_t mib = 0;

    if (schema_count(r, node, &mib) != 0)
        return -1;
    if (mib == 0 || mib > 1 << 24)
        return schema_wrong(r, node, "1 to 16777216 MiB");
    *(uint64_t *)target = mib;
    return 0;
}

static int read_engine(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct schema_field fields[] = {
        {"threads", schema_size, &request->threads},
        {"decode_threads", schema_size, &request->decode_threads},
        {"prefetch", read_prefetch, &request->prefetch_mib},
        {"isa", schema_text, &request->isa},
    };

    return schema_map(r, node, fields, COUNT(fields));
}

static int read_checkpoint(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct schema_field fields[] = {{"interval", schema_count, &request->checkpoint_interval}};

    return schema_map(r, node, fields, COUNT(fields));
}

static int read_limits(struct schema *r, const struct yaml *node, void *target)
{
    struct run_request *request = target;
    const struct schema_field fields[] = {
        {"max_bad_records", schema_count, &request->max_bad_records},
        {"stall_seconds", schema_count, &request->stall_seconds},
    };

    return schema_map(r, node, fields, COUNT(fields));
}

static int read_job(struct schema *r, const struct yaml *root)
{
    struct run_request *q = r->request;
    const struct schema_field fields[] = {
        {"model", schema_model, &q->model},  {"dataset", schema_calibration_set, &q->dataset},
        {"preprocess", read_preprocess, q},  {"calibration", schema_calibration, q},
        {"targets", read_targets, q},        {"target_options", schema_target_options, &q->target_settings},
        {"evaluate", schema_evaluate, q},    {"engine", read_engine, q},
        {"checkpoint", read_checkpoint, q},  {"limits", read_limits, q},
        {"output", schema_path, &q->output},
    };
    static const char *const needed[] = {"model", "targets", "output"};

    if (schema_map(r, root, fields, COUNT(fields)) != 0)
        return -1;
    for (size_t i = 0; i < COUNT(needed); i++)
        if (yaml_get(root, needed[i]) == NULL)
            return error_set(r->err, EX_CONFIG, "the key \"%s\" is missing", needed[i]);
    if (q->model.file == NULL)
        return error_set(r->err, EX_CONFIG, "the key \"model.file\" is missing");
    q->may_take_preprocess = yaml_get(root, "preprocess") == NULL;
    return 0;
}

/* What TNN's tool does not know would not be its numbers. */
static int check_tool(const struct run_request *q, const struct profile *profile, struct error *err)
{
    static const char mode[] = "target_options.tnn.mode: tool-exact";

    if (!q->calibration.has_two_passes)
        return error_set(err, EX_CONFIG, "%s needs calibration.passes: two", mode);
    if (q->calibration.activations->in_tnn == NULL)
        return error_set(err, EX_CONFIG, "%s: expected calibration.activations minmax or kl-tnn, found %s", mode,
                         q->calibration.activations->name);
    if (q->calibration.weights->in_tnn == NULL)
        return error_set(err, EX_CONFIG, "%s: expected calibration.weights maxabs or admm, found %s", mode,
                         q->calibration.weights->name);
    if (run_equalizes(q, profile))
        return error_set(err, EX_CONFIG, "%s needs calibration.equalization: none", mode);
    for (size_t i = 0; i < q->calibration.n_overrides; i++)
        if (q->calibration.overrides[i].activations != NULL)
            return error_set(err, EX_CONFIG, "%s: an override of activations, of \"%s\", is unknown to the tool", mode,
                             q->calibration.overrides[i].node);
    return 0;
}

static int check_tools(const struct run_request *q, struct error *err)
{
    for (size_t i = 0; i < q->n_targets; i++) {
        const struct profile *profile = target_profile(q->targets[i], &q->target_settings);

        if (profile->is_tool_exact && check_tool(q, profile, err) != 0)
            return -1;
    }
    return 0;
}

/* "models/resnet20.onnx" -> "resnet20". */
static const char *base_name(struct schema *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = arena_copy_string(r->arena, slash == NULL ? path : slash + 1, r->err), *dot;

    if (name != NULL && (dot = strrchr(name, '.')) != NULL && dot != name)
        *dot = '\0';
    return name;
}

enum { TENSOR_BINS = 8192, CHANNEL_BINS = 2048 };

static int check_stop(const struct run_request *q, struct error *err)
{
    if (q->calibration.stop_when_stable <= 0)
        return 0;
    if (q->calibration.has_two_passes)
        return error_set(err, EX_CONFIG, "calibration.stop_when_stable: with passes: two all records are used");
    if (q->calibration.activations->reads == THRESHOLD_FROM_MODEL)
        return error_set(err, EX_CONFIG,
                         "calibration.stop_when_stable: the thresholds of \"%s\" are the model's, and "
                         "never move",
                         q->calibration.activations->name);
    if (q->calibration.activations->wants != 0)
        return error_set(err, EX_CONFIG,
                         "calibration.stop_when_stable: the thresholds of \"%s\" are not known before all records are "
                         "counted",
                         q->calibration.activations->name);
    if (q->calibration.granularity == GRANULARITY_PER_CHANNEL && q->calibration.bins == q->calibration.channel_bins)
        return error_set(err, EX_CONFIG,
                         "calibration.stop_when_stable: whole values must be counted beside their "
                         "channels: expected calibration.bins other than channel_bins, found %zu",
                         q->calibration.bins);
    return 0;
}

static void set_defaults(struct run_request *q)
{
    q->calibration.activations = threshold_method_find("mse");
    q->calibration.weights = weight_method_find("sweep");
    q->calibration.channel_bins = CHANNEL_BINS;
    q->calibration.percentile = 0.9999;
    q->calibration.bias_correction = BIAS_CORRECTION_SIMULATED;
    class_map_init(&q->evaluate.segmentation.classes);
    q->evaluate.segmentation.classes.of[SEGMENTATION_IGNORED] = CLASS_IGNORED;
    q->evaluate.n_top_k = 2;
    q->evaluate.top_k[0] = 1;
    q->evaluate.top_k[1] = 5;
    q->threads = 1;
    q->isa = "native";
    q->stall_seconds = 300;
}

struct job *job_create(struct error *err)
{
    struct arena *arena = arena_create(err);
    struct job *job = arena == NULL ? NULL : arena_create_array(arena, 1, sizeof *job, err);

    if (job == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    job->arena = arena;
    set_defaults(&job->request);
    return job;
}

int job_fill(struct job *job, struct yaml *root, const char *folder, const char *const *sets, size_t n_sets,
             struct error *err)
{
    struct run_request *q = &job->request;
    struct schema r = {.arena = job->arena, .folder = folder, .request = q, .err = err};

    if (root->kind != YAML_MAP)
        return schema_wrong(&r, root, "keys such as \"model:\"");
    for (size_t i = 0; i < n_sets; i++)
        if (yaml_set(root, sets[i], job->arena, err) != 0)
            return -1;
    if (read_job(&r, root) != 0)
        return -1;
    if (check_tools(q, err) != 0)
        return -1;
    if (q->calibration.bins == 0)
        q->calibration.bins = TENSOR_BINS;
    if (check_stop(q, err) != 0)
        return -1;
    if (q->calibration.block == 0 && dataset_is_given(&q->dataset))
        q->calibration.block = RUN_DEFAULT_BLOCK;
    q->model_name = base_name(&r, q->model.file);
    q->text = job_text(root, job->arena, err);
    return q->model_name == NULL || q->text == NULL ? -1 : 0;
}

struct job *job_read(const char *path, const char *const *sets, size_t n_sets, struct error *err)
{
    return job_read_with(path, NULL, sets, n_sets, err);
}

struct job *job_read_with(const char *path, const struct yaml *defaults, const char *const *sets, size_t n_sets,
                          struct error *err)
{
    struct job *job = job_create(err);
    char *copy = job == NULL ? NULL : arena_copy_string(job->arena, path, err); /* dirname writes into it */
    struct yaml *root = copy == NULL ? NULL : yaml_read(path, job->arena, err);

    if (root != NULL && root->kind == YAML_MAP && defaults != NULL && yaml_merge(root, defaults, job->arena, err) != 0)
        root = NULL;
    if (root != NULL && job_fill(job, root, dirname(copy), sets, n_sets, err) == 0)
        return job;
    if (root != NULL && err->code != EX_USAGE) /* of --set */
        error_in(err, "%s", path);
    job_destroy(job);
    return NULL;
}

int job_read_preprocess(const char *text, struct preprocess_plan *plan, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct schema r = {.arena = arena, .folder = ".", .err = err};
    struct yaml *root = arena == NULL ? NULL : yaml_parse(text, strlen(text), true, arena, err);
    int rc = root == NULL ? -1 : schema_preprocess(&r, root, plan);

    arena_destroy(arena);
    return rc;
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
