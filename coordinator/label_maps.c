/* label_maps.c — see label_maps.h. */
#include "coordinator/label_maps.h"

#include <string.h>

static const char input_name[] = "evaluate.segmentation.labels"; /* as messages call it: the key of the job */

bool label_maps_are_given(const struct run_request *request)
{
    return !request->evaluate.is_skipped && dataset_is_given(&request->evaluate.segmentation.labels);
}

bool label_maps_is_input(const char *name)
{
    return strcmp(name, input_name) == 0;
}

int label_maps_join(const struct graph *graph, const struct run_request *request, struct dataset_request *joined,
                    struct dataset_input inputs[DATASET_MAX_INPUTS], struct error *err)
{
    const struct dataset_request *pictures =
        dataset_is_given(&request->evaluate.dataset) ? &request->evaluate.dataset : &request->dataset;
    size_t n = pictures->n_inputs > 0 ? pictures->n_inputs : 1;

    if (n == DATASET_MAX_INPUTS)
        return error_set(err, EX_UNAVAILABLE, "%s: at most %d inputs, labels included, are fed", input_name,
                         DATASET_MAX_INPUTS);
    if (pictures->n_inputs > 0)
        memcpy(inputs, pictures->inputs, n * sizeof *inputs);
    else
        inputs[0] = (struct dataset_input){graph->values[graph->inputs[0]].name, *pictures};
    if (pictures->n_inputs == 0)
        inputs[0].request.limit = 0; /* of matched records, not of an input's */
    inputs[n] = (struct dataset_input){input_name, request->evaluate.segmentation.labels};
    *joined = (struct dataset_request){.limit = pictures->limit, .n_inputs = n + 1, .inputs = inputs};
    return 0;
}

int label_maps_bind(const struct dataset *dataset, const struct run_request *request, const struct metric_task *task,
                    struct feed_input *input, struct class_map *classes, struct error *err)
{
    *classes = request->evaluate.segmentation.classes;
    classes->n_classes = (size_t)task->output.dims[1];
    for (size_t i = 0; classes->is_given && i < CLASS_MAP_VALUES; i++)
        if (classes->of[i] >= (int)classes->n_classes)
            return error_set(
                err, EX_CONFIG,
                "evaluate.segmentation.classes: expected classes below %zu, of which the network has scores, "
                "found %d for the label %zu",
                classes->n_classes, classes->of[i], i);
    *input = (struct feed_input){.part = dataset_n_inputs(dataset) - 1,
                                 .plan = &request->evaluate.segmentation.preprocess,
                                 .shape = {.rank = 3, .dims = {1, task->output.dims[2], task->output.dims[3]}},
                                 .classes = classes};
    return 0;
}
