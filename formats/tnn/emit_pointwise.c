/* emit_pointwise.c — operators that compute element by element, or along one axis. */
#include "formats/tnn/emit.h"

#include <string.h>

/* ---- Activations */

/* Layer types, and how many of alpha and beta are their parameters. LeakyReLU has no kernel in TNN's reference device:
 * it is a PReLU with one slope. */
static const struct {
    const char *type;
    int n_params;
} activations[ACTIVATION_COUNT] = {
    [ACTIVATION_RELU] = {"ReLU", 0},
    [ACTIVATION_CLIP] = {"Clip", 2},
    [ACTIVATION_SIGMOID] = {"Sigmoid", 0},
    [ACTIVATION_TANH] = {"Tanh", 0},
    [ACTIVATION_ELU] = {"Elu", 1},
    [ACTIVATION_SWISH] = {"Swish", 0},
    [ACTIVATION_HARD_SIGMOID] = {"HardSigmoid", 2},
    [ACTIVATION_HARD_SWISH] = {"HardSwish", 2},
    [ACTIVATION_SOFTPLUS] = {"Softplus", 0},
    [ACTIVATION_EXP] = {"Exp", 0},
    [ACTIVATION_LOG] = {"Log", 0},
    [ACTIVATION_ABS] = {"Abs", 0},
    [ACTIVATION_SQRT] = {"Sqrt", 0},
    [ACTIVATION_ERF] = {"Erf", 0},
    [ACTIVATION_GELU] = {"GELU", 0},
};

static void put_prelu(struct tnn_emit *e, const char *name, const char *from, const char *to, const float *slope,
                      size_t n)
{
    tnn_layer_begin(&e->writer, false, "PReLU", name, &from, 1, &to, 1);
    tnn_param(&e->writer, n == 1); /* channel_shared */
    tnn_param(&e->writer, 0);      /* has_filler */
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, "PReLU", name);
    tnn_put_string(&e->writer, name);
    tnn_put_raw(&e->writer, TNN_FLOAT32, slope, n, NULL);
}

void tnn_put_power(struct tnn_emit *e, const char *name, const char *from, const char *to, float exponent, float scale,
                   float shift)
{
    tnn_layer_begin(&e->writer, false, "Power", name, &from, 1, &to, 1);
    tnn_param_real(&e->writer, exponent);
    tnn_param_real(&e->writer, scale);
    tnn_param_real(&e->writer, shift);
    tnn_layer_end(&e->writer);
}

void tnn_put_binary(struct tnn_emit *e, const char *type, const char *name, const char *a, const char *b,
                    const char *to)
{
    tnn_layer_begin(&e->writer, false, type, name, (const char *const[]){a, b}, 2, &to, 1);
    tnn_param(&e->writer, -1); /* no operand is constant */
    tnn_layer_end(&e->writer);
}

static void put_plain(struct tnn_emit *e, const char *type, const char *name, const char *from, const char *to)
{
    tnn_layer_begin(&e->writer, false, type, name, &from, 1, &to, 1);
    tnn_layer_end(&e->writer);
}

/* x tanh(softplus(x)) */
static void put_mish(struct tnn_emit *e, const char *name, const char *from, const char *to)
{
    const char *soft = tnn_fresh_name(e, name, "softplus"), *gate = tnn_fresh_name(e, name, "tanh");

    if (soft == NULL || gate == NULL)
        return;
    put_plain(e, "Softplus", soft, from, soft);
    put_plain(e, "Tanh", gate, soft, gate);
    tnn_put_binary(e, "Mul", name, from, gate, to);
}

/* x sigmoid(alpha x) */
static void put_swish(struct tnn_emit *e, const char *name, const char *from, const char *to, float alpha)
{
    const char *scaled = tnn_fresh_name(e, name, "scaled"), *gate = tnn_fresh_name(e, name, "gate");

    if (scaled == NULL || gate == NULL)
        return;
    tnn_put_power(e, scaled, from, scaled, 1, alpha, 0);
    put_plain(e, "Sigmoid", gate, scaled, gate);
    tnn_put_binary(e, "Mul", name, from, gate, to);
}

void tnn_put_activation(struct tnn_emit *e, struct activation activation, bool is_quantized, const char *name,
                        const char *from, const char *to)
{
    const char *type = activations[activation.kind].type;
    int n_params = activations[activation.kind].n_params;

    if (activation.kind == ACTIVATION_LEAKY_RELU) {
        put_prelu(e, name, from, to, &activation.alpha, 1);
        return;
    }
    if (activation.kind == ACTIVATION_POWER) {
        tnn_put_power(e, name, from, to, activation.alpha, 1, 0);
        return;
    }
    if (activation.kind == ACTIVATION_MISH) {
        put_mish(e, name, from, to);
        return;
    }
    if (activation.kind == ACTIVATION_SWISH && activation.alpha != 1) {
        put_swish(e, name, from, to, activation.alpha);
        return;
    }
    if (type == NULL) {
        tnn_cannot(e, "its activation %s has no form in TNN", activation_name(activation.kind));
        return;
    }
    if (activation.kind == ACTIVATION_CLIP && activation.alpha == 0 && activation.beta == 6) {
        type = "ReLU6";
        n_params = 0;
    }
    tnn_layer_begin(&e->writer, is_quantized, type, name, &from, 1, &to, 1);
    if (n_params > 0)
        tnn_param_real(&e->writer, activation.alpha);
    if (n_params > 1)
        tnn_param_real(&e->writer, activation.beta);
    tnn_layer_end(&e->writer);
}

void tnn_emit_activation(struct tnn_emit *e, const struct node *node)
{
    bool is_integer = tnn_is_integer(e, node) && node->attr.activation.kind == ACTIVATION_RELU;

    if (is_integer)
        tnn_put_scale(e, node->inputs[0]);
    tnn_put_activation(e, node->attr.activation, is_integer, tnn_layer_name(e, node), e->blobs[node->inputs[0]],
                       e->blobs[node->outputs[0]]);
    if (is_integer)
        tnn_put_scale(e, node->outputs[0]);
}

void tnn_emit_prelu(struct tnn_emit *e, const struct node *node)
{
    const struct value *slope = &e->graph->values[node->inputs[1]];

    put_prelu(e, tnn_layer_name(e, node), e->blobs[node->inputs[0]], e->blobs[node->outputs[0]], slope->data,
              (size_t)shape_elements(&slope->shape));
}

/* ---- Two operands */

/* The shape that TNN will give a constant operand: of four dimensions the file's; of fewer it goes by the number of
 * elements, which only means one thing for a single one, one a channel, or as many as x has. */
static bool element_shape(const struct shape *x, const struct shape *own, struct shape *out)
{
    int64_t n = shape_elements(own), channels = x->rank > 1 ? x->dims[1] : 0;

    *out = (struct shape){0};
    if (own->rank > x->rank)
        return false;
    *out = (struct shape){x->rank, {1, 1, 1, 1, 1, 1, 1, 1}};
    memcpy(out->dims + x->rank - own->rank, own->dims, own->rank * sizeof *own->dims);
    return x->rank == 4 || n == 1 || (x->rank < 4 && n == channels && out->dims[1] == channels) ||
           (x->rank == 2 && shape_equal(out, x));
}

static void put_binary_constant(struct tnn_emit *e, const struct node *node, const char *type, int constant,
                                const char *to)
{
    const struct value *element = &e->graph->values[node->inputs[constant]];
    const char *from = e->blobs[node->inputs[1 - constant]], *name = tnn_layer_name(e, node), *inputs[2];
    struct shape shape;

    if (!element_shape(tnn_value_shape(e, node->inputs[1 - constant]), &element->shape, &shape)) {
        inputs[1 - constant] = from; /* as a blob with all its axes, it is broadcast by numpy's rule */
        inputs[constant] = shape.rank == 0 ? NULL : tnn_put_const(e, name, "const", &shape, element->data);
        if (inputs[constant] == NULL) {
            tnn_cannot(e, "TNN cannot tell how its constant \"%s\" is to be broadcast", element->name);
            return;
        }
        tnn_put_binary(e, type, name, inputs[0], inputs[1], to);
        return;
    }
    tnn_layer_begin(&e->writer, false, type, name, &from, 1, &to, 1);
    tnn_param(&e->writer, constant);
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, type, name);
    tnn_put_raw(&e->writer, TNN_FLOAT32, element->data, (size_t)shape_elements(&element->shape), &shape);
}

void tnn_emit_binary(struct tnn_emit *e, const struct node *node)
{
    static const char *const types[BINARY_COUNT] = {
        [BINARY_ADD] = "Add", [BINARY_SUB] = "Sub",     [BINARY_MUL] = "Mul",
        [BINARY_DIV] = "Div", [BINARY_MAX] = "Maximum", [BINARY_MIN] = "Minimum"};
    const char *type = types[node->attr.binary.kind], *to;
    const char *inputs[2] = {e->blobs[node->inputs[0]], e->blobs[node->inputs[1]]};
    bool is_integer = tnn_is_integer(e, node);

    if (type == NULL) {
        tnn_cannot(e, "a power of two tensors has no form in TNN");
        return;
    }
    to = tnn_output_before(e, node, false);
    for (int i = 0; i < 2; i++)
        if (e->graph->values[node->inputs[i]].is_constant) {
            put_binary_constant(e, node, type, i, to);
            tnn_finish_activation(e, node, to);
            return;
        }
    for (size_t i = 0; is_integer && i < 2; i++)
        tnn_put_scale(e, node->inputs[i]);
    tnn_layer_begin(&e->writer, is_integer, type, tnn_layer_name(e, node), inputs, 2, &to, 1);
    tnn_param(&e->writer, -1); /* no operand is constant */
    tnn_layer_end(&e->writer);
    if (is_integer)
        tnn_put_scale_as(e, node->outputs[0], to);
    tnn_finish_activation(e, node, to);
}

/* ---- Along an axis */

void tnn_emit_softmax(struct tnn_emit *e, const struct node *node)
{
    tnn_simple_layer(e, node, node->attr.softmax.is_log ? "LogSoftmax" : "SoftmaxCaffe");
    tnn_param(&e->writer, node->attr.softmax.axis);
    tnn_layer_end(&e->writer);
}

void tnn_emit_normalize(struct tnn_emit *e, const struct node *node)
{
    tnn_simple_layer(e, node, "BatchNormCxx");
    tnn_layer_end(&e->writer);
    tnn_resource_begin(&e->writer, "BatchNormCxx", tnn_layer_name(e, node));
    for (size_t i = 1; i < 3; i++) {
        const struct value *vector = &e->graph->values[node->inputs[i]];

        tnn_put_raw(&e->writer, TNN_FLOAT32, vector->data, (size_t)shape_elements(&vector->shape), &vector->shape);
    }
}

void tnn_emit_lrn(struct tnn_emit *e, const struct node *node)
{
    tnn_simple_layer(e, node, "LRN");
    tnn_param_real(&e->writer, node->attr.lrn.alpha);
    tnn_param_real(&e->writer, node->attr.lrn.beta);
    tnn_param_real(&e->writer, node->attr.lrn.k);
    tnn_param(&e->writer, node->attr.lrn.size);
    tnn_layer_end(&e->writer);
}

void tnn_put_reduce(struct tnn_emit *e, const char *type, const char *name, const char *from, const char *to,
                    uint32_t axes, size_t rank, bool keep_dims)
{
    tnn_layer_begin(&e->writer, false, type, name, &from, 1, &to, 1);
    tnn_param(&e->writer, keep_dims);
    for (size_t axis = 0; axis < rank; axis++)
        if ((axes >> axis & 1) != 0)
            tnn_param(&e->writer, (int64_t)axis);
    tnn_layer_end(&e->writer);
}

void tnn_emit_reduce(struct tnn_emit *e, const struct node *node)
{
    static const char *const types[REDUCE_COUNT] = {
        [REDUCE_MEAN] = "ReduceMean", [REDUCE_SUM] = "ReduceSum", [REDUCE_MAX] = "ReduceMax",
        [REDUCE_MIN] = "ReduceMin",   [REDUCE_L2] = "ReduceL2",   [REDUCE_PROD] = "ReduceProd"};

    tnn_put_reduce(e, types[node->attr.reduce.kind], tnn_layer_name(e, node), e->blobs[node->inputs[0]],
                   e->blobs[node->outputs[0]], node->attr.reduce.axes, tnn_value_shape(e, node->inputs[0])->rank,
                   node->attr.reduce.keep_dims);
}
