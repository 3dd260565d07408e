/* sample.c — see sample.h. */
#include "coordinator/sample.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

static int sample_init(struct sample *sample, const struct feed_input *inputs, size_t n_inputs, struct error *err)
{
    for (; sample->n_inputs < n_inputs; sample->n_inputs++) {
        size_t i = sample->n_inputs;

        sample->elements[i] = (size_t)shape_elements(&inputs[i].shape);
        sample->inputs[i] = memory_create(sample->batch, sample->elements[i] * sizeof(float), "records", err);
        if (sample->inputs[i] == NULL)
            return -1;
    }
    return 0;
}

void sample_fini(struct sample *sample)
{
    for (size_t i = 0; i < sample->n_inputs; i++)
        free(sample->inputs[i]);
}

static int read_records(struct sample *sample, struct dataset *dataset, struct feed *feed, struct error *err)
{
    uint64_t count = dataset_count(dataset), n = sample->batch;
    struct record_identity identity;
    int64_t label;

    for (uint64_t i = 0; i < n; i++) {
        float *rows[DATASET_MAX_INPUTS];

        for (size_t k = 0; k < sample->n_inputs; k++)
            rows[k] = sample->inputs[k] + sample->n * sample->elements[k];
        if (feed_read(feed, i * count / n, rows, &label, &identity, err) == 0)
            sample->n++;
        else if (err->code == EX_DATAERR)
            *err = (struct error){0};
        else
            return -1;
    }
    for (size_t k = 0; k < sample->n_inputs; k++) /* finite numbers, whatever a bad record left */
        memset(sample->inputs[k] + sample->n * sample->elements[k], 0,
               (sample->batch - sample->n) * sample->elements[k] * sizeof(float));
    return 0;
}

int sample_read(struct sample *sample, const struct graph *graph, struct dataset *dataset,
                const struct feed_input *inputs, struct error *err)
{
    struct feed *feed = feed_create(dataset, inputs, graph->n_inputs, err);
    uint64_t count = dataset_count(dataset);
    int rc;

    sample->batch = count < SAMPLE_RECORDS ? (size_t)count : SAMPLE_RECORDS;
    rc = feed == NULL || sample_init(sample, inputs, graph->n_inputs, err) < 0
             ? -1
             : read_records(sample, dataset, feed, err);

    feed_destroy(feed);
    return rc;
}
