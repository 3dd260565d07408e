/* equalize.c — see equalize.h. */
#include "coordinator/equalize.h"

#include "common/memory.h"
#include "coordinator/sample.h"
#include "worker/engine.h"

#include <math.h>
#include <stdlib.h>

/* Largest values by channel, of the values that the search asks about: [n_values], one block of numbers. */
struct maxima {
    double **of_value; /* NULL entries: not asked about */
    double *numbers;
    size_t n;
};

static size_t channels_of(const struct graph *graph, size_t v)
{
    return equalization_wants_maxima(graph, (int)v) ? (size_t)graph->values[v].shape.dims[1] : 0;
}

static int maxima_init(struct maxima *maxima, const struct graph *graph, struct error *err)
{
    size_t at = 0;

    for (size_t v = 0; v < graph->n_values; v++)
        maxima->n += channels_of(graph, v);
    maxima->of_value = memory_create(graph->n_values, sizeof *maxima->of_value, "largest values", err);
    maxima->numbers = memory_create(maxima->n, sizeof *maxima->numbers, "largest values", err);
    if (maxima->of_value == NULL || maxima->numbers == NULL)
        return -1;
    for (size_t v = 0; v < graph->n_values; v++) {
        size_t channels = channels_of(graph, v);

        maxima->of_value[v] = channels == 0 ? NULL : maxima->numbers + at;
        at += channels;
    }
    return 0;
}

static void maxima_fini(struct maxima *maxima)
{
    free(maxima->of_value);
    free(maxima->numbers);
}

/* An engine_observer. */
static int observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    double *largest = ((struct maxima *)context)->of_value[value];
    size_t blocks = view_blocks(view);

    (void)node;
    (void)err;
    for (size_t i = 0; largest != NULL && i < view->records * blocks; i++) {
        const float *at = view->data + i * view->spatial * view->block;
        size_t first = i % blocks * view->block;

        for (size_t k = 0; k < view->spatial * view->block; k++) {
            size_t channel = first + k % view->block;

            if (channel < view->channels)
                largest[channel] = fmax(largest[channel], (double)at[k]);
        }
    }
    return 0;
}

/* Rank 0. Without a single good record nothing is known, and nothing that clips is touched. */
static int look(struct maxima *maxima, const struct graph *graph, struct dataset *dataset,
                const struct feed_input *inputs, struct error *err)
{
    struct sample sample = {0};
    struct engine *engine = NULL;
    int rc = sample_read(&sample, graph, dataset, inputs, err);

    for (size_t i = 0; sample.n == 0 && i < maxima->n; i++)
        maxima->numbers[i] = INFINITY;
    if (rc == 0 && sample.n > 0) {
        engine = engine_create(graph, sample.batch, NULL, err);
        rc = engine == NULL ? -1
                            : engine_run(engine, (const float *const *)sample.inputs, sample.n, observe, maxima, err);
    }
    engine_destroy(engine);
    sample_fini(&sample);
    return rc;
}

int equalize_find(const struct comm *comm, const struct graph *graph, struct dataset *dataset,
                  const struct feed_input *inputs, bool keeps_biases, struct equalization *found, struct error *err)
{
    struct maxima maxima = {0};
    int rc = maxima_init(&maxima, graph, err);

    *found = (struct equalization){0};
    if (rc == 0 && comm->rank == 0 && maxima.n > 0)
        rc = look(&maxima, graph, dataset, inputs, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0) {
        if (maxima.n > 0)
            comm_broadcast(comm, maxima.numbers, maxima.n * sizeof *maxima.numbers);
        rc = equalization_search(graph, (const double *const *)maxima.of_value, keeps_biases, found, err);
        rc = comm_agree(comm, rc, err);
    }
    maxima_fini(&maxima);
    return rc;
}
