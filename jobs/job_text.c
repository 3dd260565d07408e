/* job_text.c — what an archive keeps of a job, and the job that comes out of it again; see job.h. */
#include "jobs/job_private.h"

#include <string.h>

/* What decides models. Data and paths are not in it: emit needs none, and equal runs are equal bits wherever their
 * files lie. Nor is the block, which the archive knows itself: it may have come from the model; nor preprocessing, for
 * the same reason: coordinator/keep_job.h adds what was done. */
static const char *const kept_sections[] = {"model", "calibration", "targets", "target_options"};
static const char *const left_out[] = {"model.file", "model.weights", "calibration.block"};

/* The sections above of a copy that shares everything below its first two levels. */
static struct yaml *select_kept(const struct yaml *root, struct arena *arena, struct error *err)
{
    struct yaml *kept = arena_create_array(arena, 1, sizeof *kept, err), *calibration;

    if (kept == NULL)
        return NULL;
    kept->kind = YAML_MAP;
    for (size_t i = 0; i < COUNT(kept_sections); i++) {
        const struct yaml *section = yaml_get(root, kept_sections[i]);
        struct yaml *copy = section == NULL ? NULL : yaml_copy(section, arena, err);

        if (section != NULL && (copy == NULL || yaml_put(kept, kept_sections[i], copy, arena, err) != 0))
            return NULL;
    }
    for (size_t i = 0; i < COUNT(left_out); i++)
        yaml_remove(kept, left_out[i]);
    calibration = yaml_get(kept, "calibration");
    if (calibration != NULL && calibration->n == 0) /* as if it had not been written */
        yaml_remove(kept, "calibration");
    return kept;
}

const char *job_text(const struct yaml *root, struct arena *arena, struct error *err)
{
    const struct yaml *kept = select_kept(root, arena, err);

    return kept == NULL ? NULL : yaml_print(kept, arena, err);
}

static bool begins_with_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* The keys that may change: how statistics become models. The first that is none is refused. */
static int check_sets(const char *const *sets, size_t n_sets, struct error *err)
{
    static const char *const changeable[] = {"calibration.activations",
                                             "calibration.weights",
                                             "calibration.granularity",
                                             "calibration.percentile",
                                             "calibration.overrides",
                                             "calibration.bias_correction",
                                             "calibration.rounding",
                                             "calibration.refine",
                                             "calibration.zero_points",
                                             "model.input_batch",
                                             "model.separate_batch",
                                             "model.separate_name",
                                             "targets",
                                             "target_options"};

    static const char *const idle[] = {"engine", "evaluate", "checkpoint", "limits", "output"}; /* no network runs */

    for (size_t i = 0; i < n_sets; i++)
        if (!begins_with_one_of(sets[i], changeable, COUNT(changeable)))
            return error_set(err, EX_USAGE,
                             "--set %s: %s; what may change is how statistics become models: calibration's methods, "
                             "targets and target_options",
                             sets[i],
                             begins_with_one_of(sets[i], idle, COUNT(idle))
                                 ? "emit runs no network, nothing would follow from this key"
                                 : "the archive's statistics are of this key");
    return 0;
}

static int put_text(struct yaml *map, const char *key, const char *text, struct arena *arena, struct error *err)
{
    struct yaml *scalar = arena_create_array(arena, 1, sizeof *scalar, err);

    if (scalar == NULL)
        return -1;
    scalar->kind = YAML_SCALAR;
    scalar->text = text;
    return yaml_put(map, key, scalar, arena, err);
}

static int fill_paths(struct yaml *root, const struct emit_request *emit, struct arena *arena, struct error *err)
{
    struct yaml *model = yaml_get(root, "model");

    if (model == NULL || model->kind != YAML_MAP)
        return error_set(err, EX_DATAERR, "the archive's job has no model");
    if (put_text(model, "file", emit->model, arena, err) != 0 ||
        (emit->weights != NULL && put_text(model, "weights", emit->weights, arena, err) != 0))
        return -1;
    return put_text(root, "output", emit->output, arena, err);
}

/* The statistics are as fine as they are. */
static void take_sizes(struct run_request *q, const struct archive *archive)
{
    q->calibration.bins = archive->bins;
    q->calibration.block = archive->block_size;
    for (size_t i = 0; i < archive->n_values; i++)
        if (archive->values[i].channels > 0)
            q->calibration.channel_bins = archive->values[i].per_channel[0].bins;
}

struct job *job_from_archive(const struct archive *archive, const struct emit_request *emit, struct error *err)
{
    struct job *job;
    struct yaml *root;

    if (archive->n_job == 0) {
        error_set(err, EX_DATAERR, "the archive keeps no job");
        return NULL;
    }
    if (check_sets(emit->sets, emit->n_sets, err) != 0 || (job = job_create(err)) == NULL)
        return NULL;
    root = yaml_parse(archive->job, archive->n_job, false, job->arena, err);
    if (root != NULL && fill_paths(root, emit, job->arena, err) == 0 &&
        job_fill(job, root, ".", emit->sets, emit->n_sets, err) == 0) {
        const char *name = arena_copy_string(job->arena, archive->model, err); /* of files, as it was */

        take_sizes(&job->request, archive);
        job->request.model_name = name;
        job->request.evaluate.is_skipped = true;
        if (name != NULL)
            return job;
    }
    job_destroy(job);
    return NULL;
}

void job_take_data(struct job *job, const struct job *source)
{
    struct run_request *to = &job->request;
    const struct run_request *from = &source->request;

    to->dataset = from->dataset;
    to->preprocess = from->preprocess;
    to->n_preprocess_inputs = from->n_preprocess_inputs;
    to->preprocess_inputs = from->preprocess_inputs;
    to->may_take_preprocess = from->may_take_preprocess;
}
