/* fingerprint.c — see fingerprint.h. Everything is hashed as text with names, so that no field can pass for another. */
#include "coordinator/fingerprint.h"

#include "common/preprocess_text.h"
#include "common/printed.h"
#include "formats/records/elements.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(struct sha256 *state, const char *format, ...)
{
    char text[2048];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sha256_add(state, text, n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

/* A text of the user's: with its length, so that nothing in it can look like another field. */
static void add_text(struct sha256 *state, const char *name, const char *text)
{
    add(state, "%s %zu ", name, strlen(text));
    sha256_add(state, text, strlen(text));
    add(state, "\n");
}

static int add_file(struct sha256 *state, const char *name, const char *path, struct error *err)
{
    char hex[SHA256_HEX_BYTES];

    if (path == NULL)
        return 0;
    if (sha256_file(path, hex, err) != 0)
        return -1;
    add(state, "%s %s\n", name, hex);
    return 0;
}

/* A chain is the text that means it: kinds and keys that a later version adds leave the others' fingerprints alone. */
static int add_plan(struct sha256 *state, const struct preprocess_plan *plan, struct error *err)
{
    struct printed identity;
    size_t size;
    char *text;

    if (printed_begin(&identity, "a fingerprint of preprocessing", err) != 0)
        return -1;
    preprocess_print_identity(plan, identity.out);
    text = printed_end(&identity, &size, err);
    if (text == NULL)
        return -1;
    sha256_add(state, text, size);
    free(text);
    return 0;
}

static int add_plans(struct sha256 *state, const struct run_request *q, struct error *err)
{
    if (add_plan(state, &q->preprocess, err) != 0)
        return -1;
    for (size_t i = 0; i < q->n_preprocess_inputs; i++) {
        add_text(state, "preprocess input", q->preprocess_inputs[i].name);
        if (add_plan(state, &q->preprocess_inputs[i].plan, err) != 0)
            return -1;
    }
    return 0;
}

/* How stored bytes are read: the same bytes in another way are other records. What a job leaves alone adds nothing. */
static void add_reading(struct sha256 *state, const struct dataset_request *request)
{
    char shape[SHAPE_TEXT_BYTES];

    for (size_t i = 0; i < request->n_inputs; i++) {
        add_text(state, "reading of input", request->inputs[i].name);
        add_reading(state, &request->inputs[i].request);
    }
    if (request->shape.rank > 0)
        add(state, "record %s\n", shape_text(&request->shape, shape));
    if (request->dtype != NULL)
        add(state, "elements %s\n", request->dtype->name);
    if (request->is_interleaved || request->order != PIXELS_NONE)
        add(state, "interleaved %d channels %d\n", request->is_interleaved, (int)request->order);
    if (request->member != NULL)
        add_text(state, "member", request->member);
    if (request->is_oriented)
        add(state, "oriented\n");
}

/* The names of several inputs decide which of the network's inputs each feeds. */
static void add_inputs(struct sha256 *state, const struct dataset *dataset)
{
    for (size_t i = 0; i < dataset_n_inputs(dataset); i++)
        if (dataset_input_name(dataset, i) != NULL)
            add_text(state, "dataset input", dataset_input_name(dataset, i));
}

/* Labels decide accuracies; the dataset's own fingerprint is about pixels. */
static int add_labels(struct sha256 *state, const struct dataset_request *request, struct error *err)
{
    for (size_t i = 0; i < request->n_inputs; i++) {
        add_text(state, "labels of input", request->inputs[i].name);
        if (add_labels(state, &request->inputs[i].request, err) < 0)
            return -1;
    }
    return add_file(state, "labels", request->labels, err) < 0 ? -1 : add_file(state, "list", request->list, err);
}

/* What the pixels of label pictures mean; their content is the data set's. */
static int add_segmentation(struct sha256 *state, const struct run_request *q, struct error *err)
{
    const struct class_map *classes = &q->evaluate.segmentation.classes;

    add(state, "segmentation\n");
    if (!dataset_is_given(&q->evaluate.segmentation.labels))
        return 0;
    for (size_t i = 0; i < CLASS_MAP_VALUES; i++)
        add(state, "label %zu is %d\n", i, classes->of[i]);
    add_reading(state, &q->evaluate.segmentation.labels);
    return add_plan(state, &q->evaluate.segmentation.preprocess, err);
}

/* The model's files, and the graph that is made of them. */
static int add_model(struct sha256 *state, const struct run_request *q, struct error *err)
{
    char shape[SHAPE_TEXT_BYTES];

    if (add_file(state, "model", q->model.file, err) != 0 || add_file(state, "weights", q->model.weights, err) != 0)
        return -1;
    for (size_t i = 0; i < q->model.n_inputs; i++) {
        add_text(state, "input", q->model.inputs[i].name);
        add(state, "shape %s\n", shape_text(&q->model.inputs[i].shape, shape));
    }
    for (size_t i = 0; i < q->model.n_outputs; i++)
        add_text(state, "output", q->model.outputs[i]);
    for (size_t i = 0; i < q->model.remove.n_names; i++)
        add_text(state, "remove node", q->model.remove.names[i]);
    for (size_t i = 0; i < q->model.remove.n_types; i++)
        add_text(state, "remove type", q->model.remove.types[i]);
    for (size_t i = 0; i < q->model.n_kept; i++)
        add_text(state, "keep", q->model.kept[i]);
    return 0;
}

int fingerprint_model(const struct run_request *q, char hex[65], struct error *err)
{
    struct sha256 *state = sha256_create(err);
    int rc;

    if (state == NULL)
        return -1;
    add(state, "etalon model 1\n");
    rc = add_model(state, q, err);
    sha256_finish(state, hex);
    return rc;
}

int fingerprint_measurement(const struct run_request *q, const char *model, const struct dataset *dataset,
                            const char *probe, char hex[65], struct error *err)
{
    struct sha256 *state = sha256_create(err);
    int rc;

    if (state == NULL)
        return -1;
    add(state, "etalon measurement 1\nmodel %s\n", model);
    add_inputs(state, dataset);
    add_reading(state, &q->dataset);
    rc = add_plans(state, q, err);
    add(state, "bins %zu channel bins %zu block %zu\nprobe %s\n", q->calibration.bins,
        q->calibration.granularity == GRANULARITY_PER_CHANNEL ? q->calibration.channel_bins : 0, q->calibration.block,
        probe);
    if (q->calibration.has_two_passes) /* later versions leave the fingerprints of others alone */
        add(state, "two passes\n");
    if (run_collects(q) != 0)
        add(state, "extras %u\n", run_collects(q));
    add(state, "equalized %d\n", (int)run_equalized_targets(q));
    if (run_has_short_biases(q))
        add(state, "biases kept\n");
    if (q->calibration.stop_when_stable > 0) /* then how many records are used depends on thresholds */
        add(state, "stop when stable %a activations %s percentile %a\n", q->calibration.stop_when_stable,
            q->calibration.activations->name, q->calibration.percentile);
    sha256_finish(state, hex);
    return rc;
}

int fingerprint_statistics(const char *measurement, const char *dataset, char hex[65], struct error *err)
{
    struct sha256 *state = sha256_create(err);

    if (state == NULL)
        return -1;
    add(state, "etalon statistics 5\nmeasurement %s\ndataset %s\n", measurement, dataset);
    sha256_finish(state, hex);
    return 0;
}

/* What a job leaves alone, or sets to what it is anyway, adds nothing. In the order of the target's own list. */
static void add_settings(struct sha256 *state, const struct target_settings *settings, const struct target *target,
                         bool decides)
{
    for (const struct target_option *o = target->options; o != NULL && o->name != NULL; o++) {
        const char *text = target_setting(settings, target, o->name);

        if (o->decides != decides || strcmp(text, o->fallback) == 0)
            continue;
        add_text(state, "option", o->name);
        add_text(state, "is", text);
    }
}

int fingerprint_target(const struct run_request *q, const char *statistics, const struct target *target,
                       bool is_equalized_apart, bool rounds_by_output, char hex[65], struct error *err)
{
    const struct profile *profile = target_profile(target, &q->target_settings);
    struct sha256 *state = sha256_create(err);

    if (state == NULL)
        return -1;
    add(state, "etalon target 2 %s\nstatistics %s\n", target->name, statistics);
    add(state, "activations %s weights %s granularity %d percentile %a bias correction %d\n",
        q->calibration.activations->name, q->calibration.weights->name, (int)q->calibration.granularity,
        q->calibration.percentile, (int)q->calibration.bias_correction);
    if (is_equalized_apart)
        add(state, "equalized apart 1\n");
    if (rounds_by_output)
        add(state, "rounding output 1\n");
    if (q->calibration.refine > 0)
        add(state, "refine %u 1\n", q->calibration.refine);
    if (profile->affine_activations &&
        q->calibration.zero_points == ZERO_POINTS_FIXED) /* earlier archives keep what they decided */
        add(state, "zero points fixed 1\n");
    if (profile->requantization == REQUANTIZE_SHIFT)
        add(state, "thresholds fitted to shifts 1\n");
    for (size_t i = 0; i < q->calibration.n_overrides; i++) {
        add_text(state, "override", q->calibration.overrides[i].node);
        add(state, "activations %s precision %d\n",
            q->calibration.overrides[i].activations == NULL ? "-" : q->calibration.overrides[i].activations->name,
            (int)q->calibration.overrides[i].precision);
    }
    add_settings(state, &q->target_settings, target, true);
    sha256_finish(state, hex);
    return 0;
}

int fingerprint_decisions(const struct run_request *q, const char *statistics, struct dataset *evaluation,
                          bool has_records, char hex[65], struct error *err)
{
    char digest[65] = "none";
    struct sha256 *state;
    int rc = 0;

    if ((evaluation != NULL && dataset_fingerprint(evaluation, digest, err) != 0) ||
        (state = sha256_create(err)) == NULL)
        return -1;
    add(state, "etalon decisions 3 version %s\nstatistics %s\nevaluation %s\nmax bad records %" PRIu64 "\n",
        ETALON_VERSION, statistics, digest, q->max_bad_records);
    if (evaluation != NULL) {
        const struct dataset_request *request =
            dataset_is_given(&q->evaluate.dataset) ? &q->evaluate.dataset : &q->dataset;

        add_inputs(state, evaluation);
        add_reading(state, request);
        rc = add_labels(state, request, err);
        if (q->evaluate.with_local_errors)
            add(state, "local errors\n");
        if (q->evaluate.with_original)
            add(state, "original\n");
        if (rc == 0 && q->evaluate.segmentation.is_asked) /* others' fingerprints are left alone */
            rc = add_segmentation(state, q, err);
    }
    for (size_t i = 0; rc == 0 && i < q->n_targets; i++) {
        const struct profile *profile = target_profile(q->targets[i], &q->target_settings);

        rc = fingerprint_target(q, statistics, q->targets[i], run_equalizes(q, profile),
                                run_rounds_by_output(q, profile), digest, err);
        add(state, "target %s\n", digest);
        add_settings(state, &q->target_settings, q->targets[i], false);
        if (q->targets[i]->ships_records && !has_records)
            add(state, "without records\n");
    }
    add(state, "batch %" PRId64 " separate %d\n", q->model.batch.size, q->model.batch.is_separate);
    for (size_t i = 0; i < q->model.batch.n_separate; i++)
        add_text(state, "separate", q->model.batch.separate[i]);
    add_text(state, "model name", q->model_name);
    for (size_t i = 0; i < q->evaluate.n_top_k; i++)
        add(state, "top %zu\n", q->evaluate.top_k[i]);
    if (q->evaluate.skips_layers)
        add(state, "no errors of layers\n");
    sha256_finish(state, hex);
    return rc;
}
