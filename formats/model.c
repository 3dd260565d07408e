/* model.c — see model.h. */
#include "formats/model.h"

#include "common/log.h"
#include "formats/model_data.h"

#include <string.h>

#define IMPORTER(id) extern const struct importer importer_##id;
#include "importers.def"
#undef IMPORTER

const struct importer *const importers[] = {
#define IMPORTER(id) &importer_##id,
#include "importers.def"
#undef IMPORTER
    NULL,
};

static const struct importer *find_importer(const char *path, const struct bytes *file)
{
    const struct importer *best = NULL;
    int certainty = 0;

    for (size_t i = 0; importers[i] != NULL; i++) {
        int found = importers[i]->recognise(path, file);

        if (found > certainty) {
            certainty = found;
            best = importers[i];
        }
    }
    return best;
}

const struct importer *model_importer(const char *path, struct error *err)
{
    struct bytes file = {0};
    const struct importer *importer;
    char known[256] = "";

    if (bytes_read(path, MODEL_MAX_BYTES, &file, err) < 0)
        return NULL;
    importer = find_importer(path, &file);
    bytes_free(&file);
    if (importer != NULL)
        return importer;
    for (size_t i = 0; importers[i] != NULL; i++) {
        strncat(known, i > 0 ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, importers[i]->name, sizeof known - strlen(known) - 1);
    }
    error_set(err, EX_DATAERR, "%s: neither content nor name is that of a model we can read (%s)", path, known);
    return NULL;
}

/* TensorFlow's users also write "node:0" for the value "node". */
static int find_value(const struct graph *graph, const char *name)
{
    size_t length = strlen(name);
    int found = graph_find_value(graph, name);

    for (size_t i = 0; found == GRAPH_NONE && length > 2 && strcmp(name + length - 2, ":0") == 0 && i < graph->n_values;
         i++)
        if (strncmp(graph->values[i].name, name, length - 2) == 0 && graph->values[i].name[length - 2] == '\0')
            found = (int)i;
    return found;
}

/* A shape for an input that does not exist is a slip of the job file that would go unnoticed. */
static int check_requested_inputs(const struct model_request *request, const struct graph *graph, struct error *err)
{
    for (size_t i = 0; i < request->n_inputs; i++) {
        const char *first = graph->n_inputs > 0 ? graph->values[graph->inputs[0]].name : "";
        bool is_input = false;

        for (size_t j = 0; j < graph->n_inputs; j++)
            is_input = is_input || graph->inputs[j] == find_value(graph, request->inputs[i].name);
        if (!is_input)
            return error_set(err, EX_CONFIG,
                             "model.inputs names \"%s\", but the network's %zu inputs begin with \"%s\"",
                             request->inputs[i].name, graph->n_inputs, first);
    }
    return 0;
}

static int check_batch_axis(const struct model_request *request, const struct graph *graph,
                            const struct importer *importer, struct error *err)
{
    if (graph->is_unbatched == request->is_unbatched)
        return 0;
    return error_set(err, EX_UNAVAILABLE, "%s: the %s importer reads networks with a batch axis only", request->file,
                     importer->name);
}

static int keep_requested_outputs(const struct model_request *request, struct graph *graph, struct error *err)
{
    int *values;

    if (request->n_outputs == 0)
        return 0;
    values = arena_create_array(graph->arena, request->n_outputs, sizeof *values, err);
    if (values == NULL)
        return -1;
    for (size_t i = 0; i < request->n_outputs; i++) {
        values[i] = find_value(graph, request->outputs[i]);
        if (values[i] == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "the requested output \"%s\" is no value of the network",
                             request->outputs[i]);
    }
    return graph_keep_outputs(graph, values, request->n_outputs, err);
}

static int finish(const struct model_request *request, struct graph *graph, struct error *err)
{
    return graph_make_names_utf8(graph, err) < 0 || keep_requested_outputs(request, graph, err) < 0 ||
                   graph_fold_constants(graph, err) < 0 || graph_infer_shapes(graph, err) < 0 ||
                   check_requested_inputs(request, graph, err) < 0 ||
                   graph_delete_edge_nodes(graph, &request->remove, err) < 0 || graph_validate(graph, err) < 0 ||
                   graph_keep_nodes(graph, request->kept, request->n_kept, err) < 0 ||
                   graph_split_batch(graph, &request->batch, err) < 0
               ? error_in(err, "%s", request->file)
               : 0;
}

struct graph *model_import(const struct model_request *request, struct error *err)
{
    const struct importer *importer;
    struct graph *graph;

    if ((importer = model_importer(request->file, err)) == NULL)
        return NULL;
    log_debug("%s: read by the %s importer", request->file, importer->name);
    graph = graph_create(NULL, err);
    if (graph == NULL)
        return NULL;
    if (importer->import(request, graph, err) < 0 || check_batch_axis(request, graph, importer, err) < 0 ||
        finish(request, graph, err) < 0) {
        graph_destroy(graph);
        return NULL;
    }
    return graph;
}

int model_describe_data(const struct model_request *request, const struct graph *graph, unsigned parts,
                        struct model_data *data, struct error *err)
{
    const struct importer *importer;

    *data = (struct model_data){0};
    if ((importer = model_importer(request->file, err)) == NULL)
        return -1;
    return importer->describe_data == NULL ? 0 : importer->describe_data(request, graph, parts, data, err);
}
