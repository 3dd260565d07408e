/* layers_repeat.c — layers whose output repeats what they are given: copies of the input, a constant. */
#include "formats/tnn/import.h"

#include <string.h>

/* n copies of x along an axis. */
static int repeated(struct tnn_import *in, const struct tnn_layer *layer, const char *what, size_t axis, int64_t n,
                    int x, struct error *err)
{
    int *copies = arena_create_array(in->graph->arena, (size_t)n, sizeof *copies, err);
    int y = copies == NULL ? -1 : tnn_inner(in, layer, what, NULL, err), node;

    if (y < 0)
        return -1;
    for (int64_t i = 0; i < n; i++)
        copies[i] = x;
    node = tnn_add_node(in, layer, what, OP_CONCAT, copies, (size_t)n, y, err);
    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.axis = (int64_t)axis;
    return tnn_finish_node(in, layer, node, err) == 0 ? y : -1;
}

/* reps_1 .. reps_n to the end of the record, the last one for the last axis. */
int tnn_tile(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    enum { MAX_COPIES = 4096 }; /* a concatenation of as many inputs */
    static const char *const what[TENSOR_MAX_RANK] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    int x = tnn_expect_inputs(layer, 1, err) != 0 ? -1 : tnn_input(in, layer, 0, err), y, node;
    struct shape shape;

    (void)unused;
    if (x < 0)
        return -1;
    shape = *tnn_shape(in, x);
    if (layer->params.n > shape.rank)
        return tnn_error(layer, err, EX_UNAVAILABLE, "it repeats %zu axes of an input of %zu", layer->params.n,
                         shape.rank);
    for (size_t i = 0; i < layer->params.n; i++) {
        size_t axis = shape.rank - layer->params.n + i;
        int64_t n;

        if (tnn_integer(layer, i, 1, &n, err) != 0)
            return -1;
        if (n < 1 || n > MAX_COPIES || (axis == 0 && n > 1))
            return tnn_error(layer, err, EX_UNAVAILABLE, "%lld copies along axis %zu are not supported", (long long)n,
                             axis);
        if (n > 1 && (x = repeated(in, layer, what[axis], axis, n, x, err)) < 0)
            return -1;
    }
    y = tnn_output(in, layer, 0, NULL, err);
    node = y < 0 ? -1 : tnn_add_node(in, layer, NULL, OP_IDENTITY, &x, 1, y, err);
    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}

/* n, d_1 .. d_n: numpy's rule; the graph knows it for shapes. */
int tnn_expand(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int64_t dims[TENSOR_MAX_RANK];
    int x = tnn_expect_inputs(layer, 1, err) != 0 ? -1 : tnn_input(in, layer, 0, err), y, node, inputs[2];
    const char *name = arena_format(in->graph->arena, err, "%s/shape", layer->name);
    struct shape shape = {1, {0}};
    size_t n, next;
    void *data;

    (void)unused;
    if (x < 0 || name == NULL || tnn_integers(layer, 0, dims, &n, &next, err) != 0)
        return -1;
    shape.dims[0] = (int64_t)n;
    inputs[0] = x;
    inputs[1] = graph_create_constant(in->graph, name, DTYPE_INT64, &shape, &data, err);
    if (inputs[1] < 0)
        return tnn_error_in(layer, err);
    memcpy(data, dims, n * sizeof *dims);
    y = tnn_output(in, layer, 0, NULL, err);
    node = y < 0 ? -1 : tnn_add_node(in, layer, NULL, OP_EXPAND, inputs, 2, y, err);
    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}

/* n, d_1 .. d_n, and the numbers as a resource: a value that depends on nothing. */
int tnn_const(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    struct tensor tensor = {.dtype = DTYPE_FLOAT32};
    size_t next;

    (void)unused;
    if (resource == NULL || tnn_integers(layer, 0, tensor.shape.dims, &tensor.shape.rank, &next, err) != 0)
        return -1;
    if (layer->outputs.n != 1)
        return tnn_error(layer, err, EX_DATAERR, "expected one output, found %zu", layer->outputs.n);
    if (tnn_raw_floats(in, layer, "value", &resource->main, &tensor.shape, (const float **)&tensor.data, err) != 0)
        return -1;
    return graph_add_constant(in->graph, layer->outputs.tokens[0], &tensor, err) < 0 ? tnn_error_in(layer, err) : 0;
}
