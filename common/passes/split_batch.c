/* split_batch.c — an edit that a user asks for: how many records a written model takes at once, and through which
 * inputs.
 *
 * Chips that are fed by a camera's hardware read one picture an address, so a batch must come as as many inputs.
 * Whatever is asked for, the graph itself stays one of single records: the engine, statistics and thresholds know
 * nothing of it, and only writers look at the marks that this leaves.
 */
#include "common/passes.h"

#include <string.h>

enum { MAX_BATCH = 4096 };

static int check(const struct graph *graph, const struct batch_request *request, struct error *err)
{
    bool is_split = request->is_separate || request->n_separate > 0;

    if (request->size > MAX_BATCH)
        return error_set(err, EX_CONFIG, "expected a batch of 1 to %d, found %lld", MAX_BATCH,
                         (long long)request->size);
    if (request->size > 0 && graph->is_unbatched)
        return error_set(err, EX_CONFIG, "a batch of %lld of a network without a batch axis", (long long)request->size);
    if (is_split && request->size < 2)
        return error_set(err, EX_CONFIG, "expected a batch of at least 2 to be split, found %lld",
                         (long long)request->size);
    if (request->is_separate && request->n_separate > 0)
        return error_set(err, EX_CONFIG, "either the whole batch is split, or that of inputs by name; found both");
    if (request->is_separate && graph->n_inputs != 1)
        return error_set(
            err, EX_CONFIG,
            "the whole batch can be split where there is one input; the network has %zu: name those to split",
            graph->n_inputs);
    return 0;
}

static int mark(struct graph *graph, const char *name, struct error *err)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        struct value *input = &graph->values[graph->inputs[i]];

        if (strcmp(input->name, name) == 0) {
            input->is_separate = true;
            return 0;
        }
    }
    return error_set(err, EX_CONFIG,
                     "the batch of \"%s\" cannot be split: it is no input of the network; the first is \"%s\"", name,
                     graph->n_inputs == 0 ? "" : graph->values[graph->inputs[0]].name);
}

int graph_split_batch(struct graph *graph, const struct batch_request *request, struct error *err)
{
    if (check(graph, request, err) != 0)
        return -1;
    graph->batch = request->size;
    if (request->is_separate)
        graph->values[graph->inputs[0]].is_separate = true;
    for (size_t i = 0; i < request->n_separate; i++)
        if (mark(graph, request->separate[i], err) != 0)
            return -1;
    return 0;
}
