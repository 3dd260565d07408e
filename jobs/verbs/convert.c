/* convert.c — `etalon convert`: a model of one format, written in fp32 as one of another. */
#include "common/output.h"
#include "common/passes.h"
#include "formats/exporter.h"
#include "formats/model.h"
#include "jobs/verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return error_set(err, EX_USAGE, "convert: --to takes one of %s, found \"%s\"", known, name == NULL ? "" : name);
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

/* "data=1x3x224x224" */
static int read_input(const char *text, struct model_request *request, struct arena *arena, struct error *err)
{
    const char *equals = strrchr(text, '='), *at = equals == NULL ? text : equals + 1;
    struct shape shape = {0};
    char *end = NULL;

    for (; equals != NULL && shape.rank < TENSOR_MAX_RANK; at = end + 1) {
        errno = 0;
        shape.dims[shape.rank++] = strtoll(at, &end, 10);
        if (end == at || errno != 0 || shape.dims[shape.rank - 1] < 1 || *end != 'x')
            break;
    }
    if (end == NULL || end == at || equals == text || *end != '\0' || shape_elements(&shape) < 1)
        return error_set(err, EX_USAGE, "--input takes a name and a shape, such as data=1x3x224x224, found \"%s\"",
                         text);
    if (request->n_inputs == MODEL_MAX_INPUTS)
        return error_set(err, EX_USAGE, "--input may be given %d times", MODEL_MAX_INPUTS);
    request->inputs[request->n_inputs].name = arena_format(arena, err, "%.*s", (int)(equals - text), text);
    request->inputs[request->n_inputs].shape = shape;
    return request->inputs[request->n_inputs++].name == NULL ? -1 : 0;
}

static int convert(const struct model_request *request, bool normalised, const struct exporter *exporter,
                   const char *folder, const char *base, struct error *err)
{
    struct graph *graph = model_import(request, err);
    struct output *output = NULL;
    int rc = graph == NULL || (normalised && graph_normalise(graph, err) != 0) ? -1 : 0;

    if (rc == 0)
        output = output_open(folder, err);
    if (output == NULL || exporter->write(graph, base, output, err) != 0)
        rc = -1;
    if (rc == 0) {
        const struct output_file *files;
        size_t n = output_files(output, &files);

        for (size_t i = 0; i < n; i++)
            printf("%s/%s\n", folder, files[i].name);
    }
    output_close(output);
    graph_destroy(graph);
    return rc;
}

static int run(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const char *weights = NULL, *to = NULL, *folder = NULL, *name = NULL, *words[1];
    bool normalised = false, wants_help = false;
    const struct exporter *exporter;
    struct model_request request = {0};
    struct option_list inputs = {0};
    struct arena *arena;
    int rc = 0;
    char base[256];
    size_t n_words;
    const struct option options[] = {
        {"to", 't', OPTION_TEXT, &to, "FORMAT", "the format to write"},
        {"output", 'o', OPTION_TEXT, &folder, "FOLDER", "where the files go"},
        {"name", 0, OPTION_TEXT, &name, "NAME", "their name without ending (default: the model's)"},
        {"weights", 0, OPTION_TEXT, &weights, "FILE", "the weights, where the model has two files"},
        {"input", 0, OPTION_LIST, &inputs, "NAME=SHAPE", "the shape of an input that the model leaves open"},
        {"normalised", 0, OPTION_FLAG, &normalised, NULL, "after folding and fusing"},
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
    if (find(to, &exporter, err) != 0)
        return -1;
    if (name == NULL)
        base_of(words[0], base, sizeof base);
    else
        snprintf(base, sizeof base, "%s", name);
    request.file = words[0];
    request.weights = weights;
    arena = arena_create(err);
    for (size_t i = 0; arena != NULL && i < inputs.n && rc == 0; i++)
        rc = read_input(inputs.items[i], &request, arena, err);
    if (arena == NULL || rc != 0 || convert(&request, normalised, exporter, folder, base, err) != 0)
        rc = -1;
    arena_destroy(arena);
    return rc;
}

const struct verb verb_convert = {"convert", "write a model in another format, in fp32", false, run};
