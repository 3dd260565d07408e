/* inputs.c — see inputs.h. */
#include "coordinator/inputs.h"

#include "common/suggest.h"
#include "coordinator/label_maps.h"

#include <string.h>

static const char *input_name(const struct graph *graph, size_t input)
{
    return graph->values[graph->inputs[input]].name;
}

/* What one record of an input looks like: its shape without the batch dim. */
static struct shape record_shape(const struct graph *graph, size_t input)
{
    const struct shape *full = &graph->values[graph->inputs[input]].shape;
    struct shape shape = {0};

    for (size_t i = 1; i < full->rank; i++)
        shape.dims[shape.rank++] = full->dims[i];
    return shape;
}

bool inputs_need_shapes(const struct dataset_request *request)
{
    for (size_t i = 0; i < request->n_inputs; i++)
        if (dataset_needs_shape(&request->inputs[i].request))
            return true;
    return dataset_needs_shape(request);
}

void inputs_give_shapes(const struct graph *graph, struct dataset_request *request,
                        struct dataset_input inputs[DATASET_MAX_INPUTS])
{
    if (dataset_needs_shape(request))
        request->shape = record_shape(graph, 0);
    for (size_t i = 0; i < request->n_inputs && i < DATASET_MAX_INPUTS; i++) {
        inputs[i] = request->inputs[i];
        for (size_t k = 0; k < graph->n_inputs; k++)
            if (strcmp(input_name(graph, k), inputs[i].name) == 0 && dataset_needs_shape(&inputs[i].request))
                inputs[i].request.shape = record_shape(graph, k);
    }
    if (request->n_inputs > 0)
        request->inputs = inputs;
}

/* Every name that somebody wrote must be one of the network's. */
static int check_name(const struct graph *graph, const char *what, const char *name, struct error *err)
{
    const char *names[DATASET_MAX_INPUTS];

    for (size_t i = 0; i < graph->n_inputs; i++) {
        names[i] = input_name(graph, i);
        if (strcmp(names[i], name) == 0)
            return 0;
    }
    return error_set(err, EX_CONFIG, "%s \"%s\": the network has no such input; the nearest is \"%s\"", what, name,
                     suggest_nearest(name, names, graph->n_inputs, sizeof *names));
}

static int check_names(const struct graph *graph, const struct dataset *dataset, const struct run_request *request,
                       struct error *err)
{
    for (size_t i = 0; i < dataset_n_inputs(dataset); i++) {
        const char *name = dataset_input_name(dataset, i);

        if (name != NULL && !label_maps_is_input(name) && check_name(graph, "input", name, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < request->n_preprocess_inputs; i++)
        if (check_name(graph, "preprocess", request->preprocess_inputs[i].name, err) < 0)
            return -1;
    return 0;
}

const struct preprocess_plan *inputs_preprocess(const struct run_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_preprocess_inputs; i++)
        if (strcmp(request->preprocess_inputs[i].name, name) == 0)
            return &request->preprocess_inputs[i].plan;
    return &request->preprocess;
}

/* The place among the dataset's inputs, or their number. */
static size_t find_part(const struct dataset *dataset, const char *name)
{
    size_t n = dataset_n_inputs(dataset);

    for (size_t i = 0; i < n; i++) {
        const char *other = dataset_input_name(dataset, i);

        if (other == NULL || strcmp(other, name) == 0)
            return i;
    }
    return n;
}

int inputs_bind(const struct graph *graph, const struct dataset *dataset, const struct run_request *request,
                struct feed_input inputs[DATASET_MAX_INPUTS], struct error *err)
{
    if (graph->n_inputs > 1 && dataset_input_name(dataset, 0) == NULL)
        return error_set(err, EX_CONFIG,
                         "the network has %zu inputs (the second is \"%s\"): the dataset needs \"inputs\", with a "
                         "dataset for each by its name",
                         graph->n_inputs, input_name(graph, 1));
    if (check_names(graph, dataset, request, err) < 0)
        return -1;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const char *name = input_name(graph, i);
        size_t part = find_part(dataset, name);

        if (part == dataset_n_inputs(dataset))
            return error_set(err, EX_CONFIG, "no input of the dataset is named \"%s\", as the network's is", name);
        inputs[i] =
            (struct feed_input){part, inputs_preprocess(request, name), record_shape(graph, i), .classes = NULL};
    }
    return 0;
}
