/* layers_pointwise.c — layers that compute element by element, or along one axis. */
#include "formats/tnn/import.h"

#include <stdio.h>
#include <string.h>

/* ---- Activations */

int tnn_activation(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err)
{
    /* What the file leaves out. Swish has no parameter: x sigmoid(x). */
    struct activation activation = {(enum activation_kind)kind, 1, 0};
    bool has_alpha = kind == ACTIVATION_ELU || kind == ACTIVATION_CLIP || kind == ACTIVATION_HARD_SIGMOID ||
                     kind == ACTIVATION_HARD_SWISH;
    bool has_beta = has_alpha && kind != ACTIVATION_ELU;
    int x, y;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        (has_alpha && tnn_real(layer, 0, 0, &activation.alpha, err) != 0) ||
        (has_beta && tnn_real(layer, 1, 0, &activation.beta, err) != 0) ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_activation(in, layer, NULL, activation, x, y, err);
}

int tnn_relu6(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int x, y;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_activation(in, layer, NULL, (struct activation){ACTIVATION_CLIP, 0, 6}, x, y, err);
}

int tnn_identity(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    int x, y, node;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_IDENTITY, &x, 1, y, err)) < 0)
        return -1;
    return tnn_finish_node(in, layer, node, err);
}

/* ---- Per channel */

/* One slope for all channels is how TNN writes a leaky ReLU. */
static int leaky_relu(struct tnn_import *in, const struct tnn_layer *layer, int x, float slope, struct error *err)
{
    int y = tnn_output(in, layer, 0, NULL, err);

    return y < 0 ? -1
                 : tnn_add_activation(in, layer, NULL, (struct activation){ACTIVATION_LEAKY_RELU, slope, 0}, x, y, err);
}

int tnn_prelu(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    struct shape slopes = {1, {0}};
    int inputs[2], y, node;

    (void)unused;
    if (resource == NULL || tnn_expect_inputs(layer, 1, err) != 0 || (inputs[0] = tnn_input(in, layer, 0, err)) < 0)
        return -1;
    if (tnn_raw_count(&resource->main) == 1)
        return leaky_relu(in, layer, inputs[0], (float)tnn_raw_real(&resource->main, 0), err);
    if (tnn_shape(in, inputs[0])->rank < 2)
        return tnn_expect_rank(in, layer, inputs[0], 4, err);
    slopes.dims[0] = tnn_shape(in, inputs[0])->dims[1];
    inputs[1] = tnn_raw_constant(in, layer, "slope", &resource->main, &slopes, err);
    if (inputs[1] < 0 || (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_PRELU, inputs, 2, y, err)) < 0)
        return -1;
    return tnn_finish_node(in, layer, node, err);
}

int tnn_channel_vector(struct tnn_import *in, const struct tnn_layer *layer, const char *what,
                       const struct tnn_raw *raw, int64_t channels, struct error *err)
{
    const struct shape shape = {1, {channels}};
    int64_t n = tnn_raw_count(raw);
    float *data;
    int value;

    if (n != 0 && n != 1)
        return tnn_raw_constant(in, layer, what, raw, &shape, err);
    value = tnn_constant(in, layer, what, &shape, &data, err);
    for (int64_t c = 0; value >= 0 && n == 1 && c < channels; c++)
        data[c] = (float)tnn_raw_real(raw, 0);
    return value;
}

/* BatchNormCxx and Scale: y = x scale[c] + bias[c], folded already. */
int tnn_normalize(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    int64_t axis = 1, channels;
    int inputs[3], y, node;

    (void)unused;
    if (resource == NULL || tnn_expect_inputs(layer, 1, err) != 0 || (inputs[0] = tnn_input(in, layer, 0, err)) < 0 ||
        (strcmp(layer->type, "Scale") == 0 && tnn_integer(layer, 0, 1, &axis, err) != 0))
        return -1;
    if (axis != 1 || tnn_shape(in, inputs[0])->rank < 2)
        return tnn_error(layer, err, EX_UNAVAILABLE, "only scales along axis 1 are supported, found axis %lld of %zu",
                         (long long)axis, tnn_shape(in, inputs[0])->rank);
    channels = tnn_shape(in, inputs[0])->dims[1];
    if (tnn_raw_count(&resource->main) == 0)
        return tnn_error(layer, err, EX_DATAERR, "its scale is empty");
    inputs[1] = tnn_channel_vector(in, layer, "scale", &resource->main, channels, err);
    if (inputs[1] < 0)
        return -1;
    inputs[2] = tnn_channel_vector(in, layer, "shift", &resource->bias, channels, err);
    if (inputs[2] < 0 || (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_NORMALIZE, inputs, 3, y, err)) < 0)
        return -1;
    return tnn_finish_node(in, layer, node, err);
}

/* ---- Two operands */

/* The shape of a constant operand. Only four dimensions in the file are believed; else TNN goes by the number of
 * elements, in this order: one, a channel, all, a row, an image, and what is left. */
static int element_shape(const struct tnn_layer *layer, const struct tnn_raw *raw, const struct shape *x,
                         struct shape *out, struct error *err)
{
    static const bool keeps[][3] = {{0, 0, 0}, {1, 0, 0}, {1, 1, 1}, {0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
    int64_t n = tnn_raw_count(raw);

    *out = (struct shape){.rank = raw->rank};
    memcpy(out->dims, raw->dims, sizeof out->dims);
    if ((raw->rank >= 4 || (raw->rank > 0 && x->rank < 4)) && shape_elements(out) == n)
        return 0;
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        *out = (struct shape){x->rank, {1, 1, 1, 1, 1, 1, 1, 1}};
        for (size_t k = 0; k < 3 && k + 1 < x->rank; k++)
            if (keeps[i][k])
                out->dims[k + 1] = x->dims[k + 1];
        if (shape_elements(out) == n)
            return 0;
    }
    return tnn_error(layer, err, EX_DATAERR, "its constant of %lld elements does not fit its input", (long long)n);
}

static int element_constant(struct tnn_import *in, const struct tnn_layer *layer, int x, struct error *err)
{
    const struct tnn_resource *resource = tnn_resource(in, layer, err);
    struct shape shape;

    if (resource == NULL || element_shape(layer, &resource->main, tnn_shape(in, x), &shape, err) != 0)
        return -1;
    return tnn_raw_constant(in, layer, "element", &resource->main, &shape, err);
}

/* a op b op c ...: one node for each two. */
static int chain(struct tnn_import *in, const struct tnn_layer *layer, enum binary_kind kind, int a, struct error *err)
{
    for (size_t i = 1; i < layer->inputs.n; i++) {
        bool is_last = i + 1 == layer->inputs.n;
        int b = tnn_input(in, layer, i, err), y;
        char what[32];

        snprintf(what, sizeof what, "%zu", i);
        y = b < 0 ? -1 : is_last ? tnn_output(in, layer, 0, NULL, err) : tnn_inner(in, layer, what, NULL, err);
        if (y < 0 || tnn_add_binary(in, layer, is_last ? NULL : what, kind, a, b, y, err) != 0)
            return -1;
        a = y;
    }
    return 0;
}

int tnn_binary(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err)
{
    int64_t position;
    int x, element, y;

    if (layer->inputs.n == 0 || layer->outputs.n != 1)
        return tnn_expect_inputs(layer, 2, err);
    if ((x = tnn_input(in, layer, 0, err)) < 0)
        return -1;
    if (layer->inputs.n > 1)
        return chain(in, layer, (enum binary_kind)kind, x, err);
    if (tnn_integer(layer, 0, 1, &position, err) != 0)
        return -1;
    if (position != 0 && position != 1)
        return tnn_error(layer, err, EX_DATAERR, "its constant is operand %lld, expected 0 or 1", (long long)position);
    if ((element = element_constant(in, layer, x, err)) < 0 || (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_binary(in, layer, NULL, (enum binary_kind)kind, position == 1 ? x : element,
                          position == 1 ? element : x, y, err);
}

/* y = x op number, unless that changes nothing. Returns the value that holds y. */
static int with_number(struct tnn_import *in, const struct tnn_layer *layer, const char *what, enum binary_kind kind,
                       float number, float neutral, int x, struct error *err)
{
    const struct shape one = {1, {1}};
    char name[32];
    float *data;
    int constant, y;

    if (number == neutral)
        return x;
    snprintf(name, sizeof name, "%s_by", what);
    constant = tnn_constant(in, layer, name, &one, &data, err);
    if (constant < 0)
        return -1;
    *data = number;
    y = tnn_inner(in, layer, what, NULL, err);
    return y < 0 || tnn_add_binary(in, layer, what, kind, x, constant, y, err) != 0 ? -1 : y;
}

/* y = (x scale + shift)^exponent */
int tnn_power(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    float exponent, scale, shift;
    int x, y;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_real(layer, 0, 1, &exponent, err) != 0 || tnn_real(layer, 1, 1, &scale, err) != 0 ||
        tnn_real(layer, 2, 0, &shift, err) != 0 ||
        (x = with_number(in, layer, "scale", BINARY_MUL, scale, 1, x, err)) < 0 ||
        (x = with_number(in, layer, "shift", BINARY_ADD, shift, 0, x, err)) < 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0)
        return -1;
    return tnn_add_activation(in, layer, NULL, (struct activation){ACTIVATION_POWER, exponent, 0}, x, y, err);
}

/* ---- Along an axis */

int tnn_softmax(struct tnn_import *in, const struct tnn_layer *layer, int is_log, struct error *err)
{
    int64_t axis;
    size_t counted;
    int x, y, node;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_integer(layer, 0, 1, &axis, err) != 0 ||
        tnn_axis(layer, axis, tnn_shape(in, x)->rank, &counted, err) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_SOFTMAX, &x, 1, y, err)) < 0)
        return -1;
    in->graph->nodes[node].attr.softmax.axis = (int64_t)counted;
    in->graph->nodes[node].attr.softmax.is_log = is_log != 0;
    return tnn_finish_node(in, layer, node, err);
}

int tnn_lrn(struct tnn_import *in, const struct tnn_layer *layer, int unused, struct error *err)
{
    float alpha, beta, k;
    int64_t size;
    int x, y, node;

    (void)unused;
    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_real(layer, 0, 0, &alpha, err) != 0 || tnn_real(layer, 1, 0, &beta, err) != 0 ||
        tnn_real(layer, 2, 1, &k, err) != 0 || tnn_integer(layer, 3, 0, &size, err) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_LRN, &x, 1, y, err)) < 0)
        return -1;
    in->graph->nodes[node].attr.lrn.alpha = alpha;
    in->graph->nodes[node].attr.lrn.beta = beta;
    in->graph->nodes[node].attr.lrn.k = k;
    in->graph->nodes[node].attr.lrn.size = size;
    return tnn_finish_node(in, layer, node, err);
}

int tnn_reduced_axes(const struct tnn_layer *layer, size_t rank, bool *keeps, uint32_t *axes, struct error *err)
{
    int64_t number, axis;

    if (tnn_integer(layer, 0, 1, &number, err) != 0)
        return -1;
    *keeps = number != 0;
    *axes = 0;
    for (size_t i = 1; i < layer->params.n; i++) {
        size_t counted;

        if (tnn_integer(layer, i, 0, &axis, err) != 0 || tnn_axis(layer, axis, rank, &counted, err) != 0)
            return -1;
        *axes |= 1u << counted;
    }
    return 0;
}

int tnn_reduce(struct tnn_import *in, const struct tnn_layer *layer, int kind, struct error *err)
{
    uint32_t axes;
    bool keeps;
    int x, y, node;

    if (tnn_expect_inputs(layer, 1, err) != 0 || (x = tnn_input(in, layer, 0, err)) < 0 ||
        tnn_reduced_axes(layer, tnn_shape(in, x)->rank, &keeps, &axes, err) != 0 ||
        (y = tnn_output(in, layer, 0, NULL, err)) < 0 ||
        (node = tnn_add_node(in, layer, NULL, OP_REDUCE, &x, 1, y, err)) < 0)
        return -1;
    in->graph->nodes[node].attr.reduce.kind = (enum reduce_kind)kind;
    in->graph->nodes[node].attr.reduce.axes = axes;
    in->graph->nodes[node].attr.reduce.keep_dims = keeps;
    return tnn_finish_node(in, layer, node, err);
}
