/* convert.c — `etalon convert`: a model of one format, written in fp32 as one of another. */
#include "common/output.h"
#include "formats/exporter.h"
#include "formats/torch/torch.h"
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
    return error_set(err, EX_USAGE, "convert: --to takes one of %s, or %s for a checkpoint, found \"%s\"", known,
                     checkpoint_format, name == NULL ? "" : name);
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

static void print_files(const struct output *output)
{
    const struct output_file *files;
    size_t n = output_files(output, &files);

    for (size_t i = 0; i < n; i++)
        printf("%s/%s\n", output_folder(output), files[i].name);
}

static int convert_checkpoint(const char *file, const char *folder, const char *base, struct error *err)
{
    struct torch_state *state = torch_read(file, err);
    struct output *output = state == NULL ? NULL : output_open(folder, err);
    char name[300];
    int rc = -1;

    snprintf(name, sizeof name, "%s.pth", base);
    if (output != NULL && torch_write_legacy(state->tensors, state->n, output, name, err) == 0) {
        print_files(output);
        rc = 0;
    }
    output_close(output);
    torch_destroy(state);
    return rc;
}

static int convert(const char *path, const struct model_options *model, const struct exporter *exporter,
                   const char *folder, const char *base, struct error *err)
{
    struct graph *graph = model_options_import(model, path, err);
    struct output *output = NULL;
    int rc = graph == NULL ? -1 : 0;

    if (rc == 0 && graph->batch > 1 && !exporter->takes_batch)
        rc = error_set(err, EX_UNAVAILABLE, "%s: a batch of %lld: only models of one record are written",
                       exporter->name, (long long)graph->batch);
    if (rc == 0)
        output = output_open(folder, err);
    if (output == NULL || exporter->write(graph, base, output, err) != 0)
        rc = -1;
    if (rc == 0)
        print_files(output);
    output_close(output);
    graph_destroy(graph);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const char *to = NULL, *folder = NULL, *name = NULL, *words[1];
    struct model_options model = {0};
    const struct exporter *exporter;
    bool wants_help = false;
    char base[256];
    size_t n_words;
    const struct option options[] = {
        {"to", 't', OPTION_TEXT, &to, "FORMAT", "the format to write"},
        {"output", 'o', OPTION_TEXT, &folder, "FOLDER", "where the files go"},
        {"name", 0, OPTION_TEXT, &name, "NAME", "their name without ending (default: the model's)"},
        MODEL_OPTIONS(&model),
        {"batch", 0, OPTION_TEXT, &model.batch, "N", "for N records at once (default: any number)"},
        {"separate-batch", 0, OPTION_FLAG, &model.is_separate, NULL, "the one input becomes N of a record each"},
        {"separate", 0, OPTION_LIST, &model.separate, "INPUT", "this input does, the others keep the batch"},
        {0},
    };

    (void)comm;
    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help("convert FILE --to FORMAT --output FOLDER [options]",
                         "Writes a model that Etalon reads as one of another format, in fp32.\n\n"
                         "Example: etalon convert deploy.prototxt --weights net.caffemodel --to onnx --output out\n",
                         options);
    if (n_words != 1 || folder == NULL)
        return error_set(err, EX_USAGE, "convert needs one model, and --output with a folder");
    if (name == NULL)
        base_of(words[0], base, sizeof base);
    else
        snprintf(base, sizeof base, "%s", name);
    if (to != NULL && strcmp(to, checkpoint_format) == 0)
        return convert_checkpoint(words[0], folder, base, err);
    if (find(to, &exporter, err) != 0)
        return -1;
    return convert(words[0], &model, exporter, folder, base, err);
}

const struct verb verb_convert = {"convert", "write a model in another format, in fp32", false, run};
