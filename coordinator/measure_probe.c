/* measure_probe.c — what this machine computes, as a digest; see measure.h. */
#include "coordinator/measure.h"

#include "common/memory.h"
#include "common/output.h"

#include <stdlib.h>

static int digest_value(void *context, int node, int value, const struct view *view, struct error *err)
{
    (void)node;
    (void)value;
    (void)err;
    sha256_add(context, view->data, view_span(view) * sizeof *view->data);
    return 0;
}

/* Any fixed, varied numbers do: a linear congruence, -2 .. 2, that goes on from input to input. */
static float *probe_input(const struct graph *graph, size_t input, size_t batch, uint64_t *state, struct error *err)
{
    size_t n = (size_t)shape_elements(&graph->values[graph->inputs[input]].shape) * batch;
    float *values = memory_create(n, sizeof *values, "the probe record", err);

    for (size_t i = 0; values != NULL && i < n; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(int32_t)(*state >> 32) * 0x1p-30f;
    }
    return values;
}

int measure_probe(const struct graph *graph, size_t batch, char hex[65], struct error *err)
{
    float **inputs = memory_create(graph->n_inputs, sizeof *inputs, "the probe record", err);
    struct engine *engine = NULL;
    struct sha256 *digest = NULL;
    uint64_t state = 0x9e3779b97f4a7c15u;
    int rc = inputs == NULL ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < graph->n_inputs; i++)
        if ((inputs[i] = probe_input(graph, i, batch, &state, err)) == NULL)
            rc = -1;
    if (rc == 0 && ((engine = engine_create(graph, batch, NULL, err)) == NULL || (digest = sha256_create(err)) == NULL))
        rc = -1;
    if (rc == 0) {
        rc = engine_run(engine, (const float *const *)inputs, 1, digest_value, digest, err);
        sha256_finish(digest, hex);
    }
    engine_destroy(engine);
    for (size_t i = 0; inputs != NULL && i < graph->n_inputs; i++)
        free(inputs[i]);
    free(inputs);
    return rc;
}
