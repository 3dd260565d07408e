/* build.c — parameters of a TNN layer, and its values and nodes in the graph; see import.h. */
#include "formats/tnn/import.h"

#include "formats/import_graph.h"

#include <stdarg.h>
#include <string.h>

int tnn_error_in(const struct tnn_layer *layer, struct error *err)
{
    return error_in(err, "layer \"%s\" (%s)", layer->name, layer->type);
}

int tnn_error(const struct tnn_layer *layer, struct error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_setv(err, code, format, args);
    va_end(args);
    return tnn_error_in(layer, err);
}

/* ---- Parameters */

int tnn_integer(const struct tnn_layer *layer, size_t index, int64_t fallback, int64_t *out, struct error *err)
{
    *out = fallback;
    if (index >= layer->params.n || tnn_parse_integer(layer->params.tokens[index], out))
        return 0;
    return tnn_error(layer, err, EX_DATAERR, "parameter %zu: expected an integer, found \"%s\"", index,
                     layer->params.tokens[index]);
}

int tnn_real(const struct tnn_layer *layer, size_t index, float fallback, float *out, struct error *err)
{
    *out = fallback;
    if (index >= layer->params.n || tnn_parse_real(layer->params.tokens[index], out))
        return 0;
    return tnn_error(layer, err, EX_DATAERR, "parameter %zu: expected a number, found \"%s\"", index,
                     layer->params.tokens[index]);
}

int tnn_integers(const struct tnn_layer *layer, size_t index, int64_t *out, size_t *n, size_t *next, struct error *err)
{
    int64_t count;

    if (tnn_integer(layer, index, -1, &count, err) != 0)
        return -1;
    if (count < 0 || count > TENSOR_MAX_RANK || index + 1 + (size_t)count > layer->params.n)
        return tnn_error(layer, err, EX_DATAERR,
                         "parameter %zu: expected a count of at most %d and as many integers, found %lld", index,
                         TENSOR_MAX_RANK, (long long)count);
    *n = (size_t)count;
    *next = index + 1 + *n;
    for (size_t i = 0; i < *n; i++)
        if (tnn_integer(layer, index + 1 + i, 0, &out[i], err) != 0)
            return -1;
    return 0;
}

int tnn_axis(const struct tnn_layer *layer, int64_t axis, size_t rank, size_t *out, struct error *err)
{
    return import_axis(axis, rank, out, err) < 0 ? tnn_error_in(layer, err) : 0;
}

/* ---- Values */

int tnn_expect_inputs(const struct tnn_layer *layer, size_t n, struct error *err)
{
    if (layer->inputs.n == n && layer->outputs.n == 1)
        return 0;
    return tnn_error(layer, err, EX_DATAERR, "expected %zu inputs and one output, found %zu and %zu", n,
                     layer->inputs.n, layer->outputs.n);
}

int tnn_input(const struct tnn_import *in, const struct tnn_layer *layer, size_t index, struct error *err)
{
    int value = graph_find_value(in->graph, layer->inputs.tokens[index]);

    if (value == GRAPH_NONE)
        return tnn_error(layer, err, EX_DATAERR,
                         "its input \"%s\" is neither an input of the network nor the output of a layer above",
                         layer->inputs.tokens[index]);
    return value;
}

const struct shape *tnn_shape(const struct tnn_import *in, int value)
{
    return &in->graph->values[value].shape;
}

int tnn_expect_rank(const struct tnn_import *in, const struct tnn_layer *layer, int value, size_t rank,
                    struct error *err)
{
    char text[SHAPE_TEXT_BYTES];

    if (tnn_shape(in, value)->rank == rank)
        return 0;
    return tnn_error(layer, err, EX_UNAVAILABLE, "expected an input of %zu axes, found shape %s", rank,
                     shape_text(tnn_shape(in, value), text));
}

int tnn_output(struct tnn_import *in, const struct tnn_layer *layer, size_t index, const struct shape *shape_or_null,
               struct error *err)
{
    int value = graph_add_value(in->graph, layer->outputs.tokens[index], DTYPE_FLOAT32, shape_or_null, err);

    return value < 0 ? tnn_error_in(layer, err) : value;
}

static const char *inner_name(struct tnn_import *in, const struct tnn_layer *layer, const char *what, struct error *err)
{
    return arena_format(in->graph->arena, err, "%s/%s", layer->name, what);
}

int tnn_inner(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape_or_null,
              struct error *err)
{
    const char *name = inner_name(in, layer, what, err);
    int value = name == NULL ? -1 : graph_add_value(in->graph, name, DTYPE_FLOAT32, shape_or_null, err);

    return value < 0 ? tnn_error_in(layer, err) : value;
}

int tnn_constant(struct tnn_import *in, const struct tnn_layer *layer, const char *what, const struct shape *shape,
                 float **data, struct error *err)
{
    int64_t elements = shape_elements(shape);
    struct tensor tensor = {.dtype = DTYPE_FLOAT32, .shape = *shape};
    const char *name = inner_name(in, layer, what, err);
    int value;

    if (elements < 0)
        return tnn_error(layer, err, EX_DATAERR, "its %s would have more than 2^31 elements", what);
    tensor.data = *data = arena_create_array(in->graph->arena, (size_t)elements, sizeof **data, err);
    if (name == NULL || *data == NULL)
        return -1;
    value = graph_add_constant(in->graph, name, &tensor, err);
    return value < 0 ? tnn_error_in(layer, err) : value;
}

/* ---- Nodes */

int tnn_add_node(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum op op, const int *inputs,
                 size_t n_inputs, int output, struct error *err)
{
    const char *name = what == NULL ? layer->name : inner_name(in, layer, what, err);
    int node = name == NULL ? -1 : graph_add_node(in->graph, op, name, layer->type, inputs, n_inputs, &output, 1, err);

    return node < 0 ? tnn_error_in(layer, err) : node;
}

int tnn_finish_node(struct tnn_import *in, const struct tnn_layer *layer, int node, struct error *err)
{
    (void)layer; /* the message names the node, which is called like the layer */
    return graph_fold_node(in->graph, node, err);
}

int tnn_add_reshape(struct tnn_import *in, const struct tnn_layer *layer, const char *what, int x, int output,
                    struct error *err)
{
    int node = tnn_add_node(in, layer, what, OP_RESHAPE, &x, 1, output, err);

    return node < 0 ? -1 : tnn_finish_node(in, layer, node, err);
}

int tnn_add_transpose(struct tnn_import *in, const struct tnn_layer *layer, const char *what, int x,
                      const int64_t *perm, int output, struct error *err)
{
    int node = tnn_add_node(in, layer, what, OP_TRANSPOSE, &x, 1, output, err);

    if (node < 0)
        return -1;
    memcpy(in->graph->nodes[node].attr.perm, perm, sizeof in->graph->nodes[node].attr.perm);
    return tnn_finish_node(in, layer, node, err);
}

int tnn_add_binary(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum binary_kind kind, int a,
                   int b, int output, struct error *err)
{
    int node = tnn_add_node(in, layer, what, OP_BINARY, (int[]){a, b}, 2, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.binary.kind = kind;
    return tnn_finish_node(in, layer, node, err);
}

int tnn_add_activation(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                       struct activation activation, int x, int output, struct error *err)
{
    int node = tnn_add_node(in, layer, what, OP_ACTIVATION, &x, 1, output, err);

    if (node < 0)
        return -1;
    in->graph->nodes[node].attr.activation = activation;
    return tnn_finish_node(in, layer, node, err);
}
