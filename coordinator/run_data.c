/* run_data.c — the job's data and what the model says: the one place where the two meet. What the job says holds; of
 * what it leaves out, a data layer may tell, and presets take the network's size. See run_private.h. */
#include "coordinator/run_private.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/preprocess_preset.h"
#include "common/preprocess_text.h"
#include "common/printed.h"
#include "formats/model_data.h"
#include "worker/preprocess_files.h"

#include <inttypes.h>
#include <stdlib.h>

enum { MAX_BLOCK = 64 }; /* batches for accuracy tests are larger; every block in flight takes memory */

static unsigned parts_left_out(const struct run_request *q)
{
    return (q->may_take_preprocess ? MODEL_DATA_PREPROCESS : 0) |
           (dataset_is_given(&q->dataset) ? 0 : MODEL_DATA_RECORDS);
}

static int take_preprocess(struct run_request *q, const struct model_data *data, struct error *err)
{
    struct printed flow;
    char *text;

    if (printed_begin(&flow, "a message", err) != 0)
        return -1;
    preprocess_print_flow(&data->preprocess, flow.out);
    text = printed_end(&flow, NULL, err);
    if (text == NULL)
        return -1;
    log_info("%s: preprocess, from %s: %s", q->model.file, data->origin, text);
    free(text);
    q->preprocess = data->preprocess;
    return 0;
}

static void take_records(struct run_request *q, const struct model_data *data)
{
    uint64_t limit = q->dataset.limit;

    q->dataset = data->records;
    q->dataset.limit = limit;
    if (q->calibration.block == 0 && data->batch > 0)
        q->calibration.block = data->batch < MAX_BLOCK ? (size_t)data->batch : MAX_BLOCK;
    log_info("%s: dataset, from %s: %s in %s, %" PRIu64 " at once", q->model.file, data->origin, q->dataset.kind,
             q->dataset.list != NULL ? q->dataset.list : q->dataset.path, data->batch);
}

/* Presets become steps of the size that the network has; where several inputs share a chain, of the first one's. */
static int expand_presets(struct run *run, struct error *err)
{
    struct run_request *q = &run->completed;
    const struct graph *graph = run->graph;
    const struct shape none = {0}, *first = graph->n_inputs > 0 ? &graph->values[graph->inputs[0]].shape : &none;
    struct input_preprocess *inputs =
        arena_create_array(graph->arena, q->n_preprocess_inputs, sizeof *inputs, err); /* the job's are not ours */

    if (inputs == NULL || preprocess_expand(&q->preprocess, first, err) < 0)
        return -1;
    for (size_t i = 0; i < q->n_preprocess_inputs; i++) {
        int value = graph_find_value(graph, q->preprocess_inputs[i].name);

        inputs[i] = q->preprocess_inputs[i];
        if (value != GRAPH_NONE && preprocess_expand(&inputs[i].plan, &graph->values[value].shape, err) < 0)
            return error_in(err, "input \"%s\"", inputs[i].name);
    }
    q->preprocess_inputs = inputs;
    return 0;
}

/* The values of mean files and the like; they live as long as the graph. */
static int read_files(struct run *run, struct error *err)
{
    struct run_request *q = &run->completed;

    if (preprocess_read_files(&q->preprocess, run->graph->arena, err) < 0)
        return -1;
    for (size_t i = 0; i < q->n_preprocess_inputs; i++)
        if (preprocess_read_files(&q->preprocess_inputs[i].plan, run->graph->arena, err) < 0)
            return error_in(err, "input \"%s\"", q->preprocess_inputs[i].name);
    return 0;
}

int run_take_preprocess(struct run *run, struct error *err)
{
    struct model_data data = {0};
    struct error unknown = {0}; /* what records need, a model that only gives its weights may not tell */

    run->completed = *run->request;
    run->request = &run->completed;
    if (run->graph->n_inputs == 1 && run->completed.may_take_preprocess &&
        model_describe_data(&run->completed.model, run->graph, MODEL_DATA_PREPROCESS, &data, &unknown) == 0 &&
        data.has_preprocess)
        run->completed.preprocess = data.preprocess;
    return expand_presets(run, err) != 0 ? error_in(err, "preprocess") : 0;
}

int run_take_data(struct run *run, struct error *err)
{
    unsigned parts = run->graph->n_inputs == 1 ? parts_left_out(run->request) : 0; /* of several the job must tell */
    struct model_data data = {0};

    run->completed = *run->request;
    run->request = &run->completed;
    if (parts != 0 && model_describe_data(&run->completed.model, run->graph, parts, &data, err) != 0)
        return -1;
    if (data.has_preprocess && take_preprocess(&run->completed, &data, err) != 0)
        return -1;
    if (data.records.kind != NULL)
        take_records(&run->completed, &data);
    if (expand_presets(run, err) != 0 || read_files(run, err) != 0)
        return error_in(err, "preprocess");
    if (!dataset_is_given(&run->completed.dataset))
        return error_set(err, EX_CONFIG, "the key \"dataset\" is missing, and %s has no data layer to take it from",
                         run->completed.model.file);
    if (run->completed.calibration.block == 0)
        run->completed.calibration.block = RUN_DEFAULT_BLOCK;
    run->preprocess_origin = data.has_preprocess ? data.origin : NULL;
    run->dataset_origin = data.records.kind != NULL ? data.origin : NULL;
    return 0;
}

int run_create_rows(const struct run *run, float *rows[DATASET_MAX_INPUTS], struct error *err)
{
    for (size_t i = 0; i < run->graph->n_inputs; i++) {
        rows[i] = memory_create((size_t)shape_elements(&run->inputs[i].shape), sizeof(float), "an input", err);
        if (rows[i] == NULL)
            return -1;
    }
    return 0;
}

void run_free_rows(float *rows[DATASET_MAX_INPUTS])
{
    for (size_t i = 0; i < DATASET_MAX_INPUTS; i++)
        free(rows[i]);
}
