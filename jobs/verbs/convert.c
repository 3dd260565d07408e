/* convert.c — `etalon convert`: a model of one format, written in fp32 as one of another. */
#include "common/log.h"
#include "common/output.h"
#include "common/preprocess_preset.h"
#include "formats/exporter.h"
#include "formats/model_data.h"
#include "formats/target.h"
#include "formats/torch/torch.h"
#include "jobs/job.h"
#include "jobs/model_options.h"
#include "jobs/verb.h"

#include <stdio.h>
#include <string.h>

/* A checkpoint is no network, so this format is no exporter: it has the same tensors in another container. */
static const char checkpoint_format[] = "torch-legacy";

static int find(const char *name, const struct exporter **out, struct error *err)
{
    char known[256] = "";

    *out = name == NULL ? NULL : exporter_find(name);
    if (*out != NULL)
        return 0;
    for (size_t i = 0; exporters[i] != NULL; i++) {
        strncat(known, i > 0 ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, exporters[i]->name, sizeof known - strlen(known) - 1);
    }
    return error_set(
        err, EX_USAGE,
        "convert: --to takes one of %s, or %s for a checkpoint, or with --record a target that takes given "
        "scales, found \"%s\"",
        known, checkpoint_format, name == NULL ? "" : name);
}

/* "net" of "models/net.prototxt". */
static void base_of(const char *path, char *base, size_t size)
{
    const char *slash = strrchr(path, '/');
    char *dot;

    snprintf(base, size, "%s", slash == NULL ? path : slash + 1);
    dot = strrchr(base, '.');
    if (dot != NULL && dot != base)
        *dot = '\0';
}

/* Where the files go. */
struct place {
    const char *folder, *base; /* the latter: their name without ending */
    bool force;                /* what is there already is replaced */
};

static struct output *open_place(const struct place *place, struct error *err)
{
    struct output *output = output_open(place->folder, err);

    if (output != NULL && !place->force)
        output_keep_files(output);
    return output;
}

/* All files or none: the first of a format may be written when the second is found to be there already, or the disk to
 * be full. What --force has replaced is gone; without it every file is new. Returns rc. */
static int close_place(struct output *output, const struct place *place, int rc)
{
    const struct output_file *files;
    size_t n = output == NULL ? 0 : output_files(output, &files);

    for (size_t i = 0; i < n; i++) {
        struct error why = {0};

        if (rc == 0)
            printf("%s/%s\n", output_folder(output), files[i].name);
        else if (!place->force && output_remove(output, files[i].name, &why) != 0)
            log_warning("%s", why.text);
    }
    output_close(output);
    return rc;
}

static int convert_checkpoint(const char *file, const struct place *place, struct error *err)
{
    struct torch_state *state = torch_read(file, err);
    struct output *output = state == NULL ? NULL : open_place(place, err);
    char name[300];
    int rc = -1;

    snprintf(name, sizeof name, "%s.pth", place->base);
    if (output != NULL)
        rc = torch_write_legacy(state->tensors, state->n, output, name, err);
    torch_destroy(state);
    return close_place(output, place, rc);
}

/* No calibration: the scales are in a record. */
static int convert_given(const char *file, const struct model_options *options, const struct target *target,
                         const char *record, const struct place *place, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct model_request model;
    struct output *output = NULL;
    int rc = arena == NULL ? -1 : model_options_request(options, file, arena, &model, err);

    if (rc == 0 && (output = open_place(place, err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = target->emit_given(&model, record, place->base, output, err);
    arena_destroy(arena);
    return close_place(output, place, rc);
}

/* What a file that reads its own data says of it, for formats that have one. */
struct data_options {
    const char *preprocess, *dataset;
    bool with_accuracy;
};

/* What the source says itself may be beyond us, or beyond a Data layer: then the user writes that part by hand. */
static void take_from_source(const char *path, const struct graph *graph, unsigned parts, struct model_data *data)
{
    struct model_request request = {.file = path};
    struct error err = {0};

    if (model_describe_data(&request, graph, parts, data, &err) != 0) {
        log_warning("not taken over: %s", err.text);
        *data = (struct model_data){0};
    } else if (data->records.list != NULL) {
        log_warning("%s: not taken over: the list of images of %s; a Data layer reads an LMDB", path, data->origin);
        data->records = (struct dataset_request){0};
    }
}

/* What is given holds; the rest is as in the source's own data layer, if it has one. */
static int describe_data(const struct data_options *options, const char *path, const struct graph *graph,
                         struct model_data *data, struct error *err)
{
    struct model_data records = {0};

    *data = (struct model_data){0};
    if (options->preprocess == NULL) {
        take_from_source(path, graph, MODEL_DATA_PREPROCESS, data);
    } else {
        data->has_preprocess = true;
        if (job_read_preprocess(options->preprocess, &data->preprocess, err) != 0 ||
            preprocess_expand(&data->preprocess, &graph->values[graph->inputs[0]].shape, err) != 0)
            return error_in(err, "--preprocess");
    }
    if (options->dataset == NULL)
        take_from_source(path, graph, MODEL_DATA_RECORDS, &records);
    else
        records.records = (struct dataset_request){.kind = "lmdb", .path = options->dataset};
    data->records = records.records;
    data->batch = records.batch;
    return 0;
}

static int write_model(const struct graph *graph, const struct exporter *exporter, const struct data_options *options,
                       const char *path, const char *base, struct output *output, struct error *err)
{
    struct model_data data;

    if (exporter->write_with_data == NULL)
        return exporter->write(graph, base, output, err);
    if (describe_data(options, path, graph, &data, err) != 0)
        return -1;
    return exporter->write_with_data(graph, &data, options->with_accuracy, base, output, err);
}

static int convert(const char *path, const struct model_options *model, const struct data_options *data,
                   const struct exporter *exporter, const struct place *place, struct error *err)
{
    struct graph *graph = model_options_import(model, path, err);
    struct output *output = NULL;
    int rc = graph == NULL ? -1 : 0;

    if (rc == 0 && graph->batch > 1 && !exporter->takes_batch)
        rc = error_set(err, EX_UNAVAILABLE, "%s: a batch of %lld: only models of one record are written",
                       exporter->name, (long long)graph->batch);
    if (rc == 0)
        output = open_place(place, err);
    if (output == NULL || write_model(graph, exporter, data, path, place->base, output, err) != 0)
        rc = -1;
    graph_destroy(graph);
    return close_place(output, place, rc);
}

static int check_data_options(const struct data_options *data, const struct exporter *exporter, struct error *err)
{
    if (exporter->write_with_data != NULL ||
        (data->preprocess == NULL && data->dataset == NULL && !data->with_accuracy))
        return 0;
    return error_set(
        err, EX_USAGE,
        "--preprocess, --dataset and --accuracy are for formats with a file that reads its own data, which "
        "\"%s\" has not",
        exporter->name);
}

static int help(const struct comm *comm, const struct option *options)
{
    char text[1024];
    size_t n = (size_t)snprintf(text, sizeof text,
                                "Writes a model that Etalon reads as one of another format, in fp32.\n\n"
                                "Example: etalon convert deploy.prototxt --weights net.caffemodel --to onnx --output "
                                "out\n\nFORMAT:\n");

    for (size_t i = 0; exporters[i] != NULL && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  %-12s %s\n", exporters[i]->name, exporters[i]->summary);
    for (size_t i = 0; targets[i] != NULL && n < sizeof text; i++)
        if (targets[i]->emit_given != NULL)
            n += (size_t)snprintf(text + n, sizeof text - n, "  %-12s int8, with the scales of --record\n",
                                  targets[i]->name);
    if (n < sizeof text)
        snprintf(text + n, sizeof text - n, "  %-12s a PyTorch checkpoint in its older container: <name>.pth\n",
                 checkpoint_format);
    return verb_help(comm, "convert FILE --to FORMAT --output FOLDER [options]", text, options);
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const char *to = NULL, *name = NULL, *record = NULL, *words[1];
    struct place place = {0};
    struct model_options model = {0};
    struct data_options data = {0};
    const struct exporter *exporter;
    const struct target *target;
    bool wants_help = false;
    char base[256];
    size_t n_words;
    const struct option options[] = {
        {"to", 't', OPTION_TEXT, &to, "FORMAT", "the format to write"},
        {"output", 'o', OPTION_TEXT, &place.folder, "FOLDER", "where the files go"},
        {"name", 0, OPTION_TEXT, &name, "NAME", "their name without ending (default: the model's)"},
        MODEL_OPTIONS(&model),
        {"batch", 0, OPTION_TEXT, &model.batch, "N", "for N records at once (default: any number)"},
        {"separate-batch", 0, OPTION_FLAG, &model.is_separate, NULL, "the one input becomes N of a record each"},
        {"separate", 0, OPTION_LIST, &model.separate, "INPUT", "this input does, the others keep the batch"},
        {"record", 0, OPTION_TEXT, &record, "FILE", "scales of its layers: int8 without calibration (ascend)"},
        {"preprocess", 0, OPTION_TEXT, &data.preprocess, "CHAIN", "of its Data layer, as in a job: '[{mean: 127.5}]'"},
        {"dataset", 0, OPTION_TEXT, &data.dataset, "PATH", "the LMDB of its Data layer"},
        {"accuracy", 'a', OPTION_FLAG, &data.with_accuracy, NULL, "with layers of top-1 and top-5 accuracy"},
        {"force", 0, OPTION_FLAG, &place.force, NULL, "replace files that are there already"},
        {0},
    };

    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return help(comm, options);
    if (n_words != 1 || place.folder == NULL)
        return error_set(err, EX_USAGE, "convert needs one model, and --output with a folder");
    if (name == NULL)
        base_of(words[0], base, sizeof base);
    else
        snprintf(base, sizeof base, "%s", name);
    place.base = base;
    target = to == NULL ? NULL : target_find(to);
    if (record != NULL && (target == NULL || target->emit_given == NULL))
        return error_set(err, EX_USAGE, "--record is for targets that take given scales, which \"%s\" is not",
                         to == NULL ? "" : to);
    if (record != NULL)
        return convert_given(words[0], &model, target, record, &place, err);
    if (to != NULL && strcmp(to, checkpoint_format) == 0)
        return convert_checkpoint(words[0], &place, err);
    if (find(to, &exporter, err) != 0)
        return -1;
    if (check_data_options(&data, exporter, err) != 0)
        return -1;
    return convert(words[0], &model, &data, exporter, &place, err);
}

const struct verb verb_convert = {"convert", "write a model in another format, in fp32", false, run};
