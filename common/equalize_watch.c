/* equalize_watch.c — the values of an equalized network beside those of the one that is run; see equalize.h.
 *
 * Exponents are whole, so dividing what was computed gives the bits that the rewritten layers would compute.
 */
#include "common/equalize.h"

#include <math.h>

int32_t equalized_exponent(const struct equalized_value *equalized, const struct shape *shape, size_t channel)
{
    return equalized->exponents[channel / ((size_t)shape->dims[1] / equalized->n_channels)];
}

/* A constant of n numbers, to be filled. */
static int add_numbers(struct graph *g, size_t n, float **numbers, struct error *err)
{
    struct shape shape = {.rank = 1, .dims = {(int64_t)n}};
    struct tensor tensor = {.dtype = DTYPE_FLOAT32, .shape = shape};

    *numbers = arena_create_array(g->arena, n, sizeof **numbers, err);
    tensor.data = *numbers;
    return *numbers == NULL ? -1 : graph_add_constant(g, NULL, &tensor, err);
}

/* "<value> equalized", or any name where that is the user's. */
static int add_beside(struct graph *g, int value, struct error *err)
{
    const char *name = arena_format(g->arena, err, "%s equalized", g->values[value].name);
    struct shape shape = g->values[value].shape;

    if (name == NULL)
        return -1;
    return graph_add_value(g, graph_find_value(g, name) == GRAPH_NONE ? name : NULL, DTYPE_FLOAT32, &shape, err);
}

/* The value that is added; -1. */
static int watch_value(struct graph *g, int value, const struct equalized_value *equalized, struct error *err)
{
    const struct shape *shape = &g->values[value].shape;
    size_t channels = (size_t)shape->dims[1];
    float *factors, *zero;
    int inputs[3] = {value, add_numbers(g, channels, &factors, err)}, output;

    if (inputs[1] < 0 || (inputs[2] = add_numbers(g, 1, &zero, err)) < 0 || (output = add_beside(g, value, err)) < 0)
        return -1;
    shape = &g->values[value].shape; /* adding has moved it */
    for (size_t c = 0; c < channels; c++)
        factors[c] = ldexpf(1, -equalized_exponent(equalized, shape, c));
    return graph_add_node(g, OP_NORMALIZE, NULL, NULL, inputs, 3, &output, 1, err) < 0 ? -1 : output;
}

/* Right behind the node, lest its outputs have to be kept. */
static int watch_node(struct graph *g, const struct node *node, const struct equalized_value *const *of_value,
                      int *beside, struct error *err)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        int value = node->outputs[i];

        if (of_value[value] != NULL && (beside[value] = watch_value(g, value, of_value[value], err)) < 0)
            return -1;
    }
    return 0;
}

struct graph *equalization_watch(const struct graph *graph, const struct equalized_value *const *of_value, int *beside,
                                 struct error *err)
{
    struct graph *g = graph_begin_copy(graph, err);

    for (size_t v = 0; v < graph->n_values; v++)
        beside[v] = GRAPH_NONE;
    for (size_t n = 0; g != NULL && n < graph->n_nodes; n++)
        if (graph_copy_node(g, graph, n, err) != 0 || watch_node(g, &graph->nodes[n], of_value, beside, err) != 0) {
            graph_destroy(g);
            return NULL;
        }
    return g;
}
