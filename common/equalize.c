/* equalize.c — see equalize.h. */
#include "common/equalize.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SWEEPS = 40, MAX_EXPONENT = EQUALIZATION_MAX_EXPONENT };
static const double at_rest = 1e-3; /* |s - 1| */
static const double dead = 1e-9;    /* of the layer's range: a channel that hardly is there */
/* Of what a few records reach to what all may reach, for clips. */
static const double headroom = 1.25;

void equalization_fini(struct equalization *equalization)
{
    for (size_t i = 0; i < equalization->n; i++)
        free(equalization->values[i].exponents);
    free(equalization->values);
    *equalization = (struct equalization){0};
}

/* ---- which layers ---------------------------------------------------------------------------------------------------
 */

/* A constant that this node alone reads. */
static bool is_own_constant(const struct graph *g, int value)
{
    return g->values[value].is_constant && graph_count_consumers(g, value) == 1;
}

/* A CONV or DENSE whose weights and bias may be rewritten. */
static bool is_layer(const struct graph *g, const struct node *node)
{
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE;

    return (node->op == OP_CONV || (node->op == OP_DENSE && g->values[node->inputs[0]].shape.rank == 2)) &&
           !node->is_kept && is_own_constant(g, node->inputs[1]) && (!has_bias || is_own_constant(g, node->inputs[2]));
}

/* f(s x) = s f(x) for s > 0; a clip from zero up is one below its end. */
static bool is_homogeneous(const struct activation *f)
{
    return f->kind == ACTIVATION_NONE || f->kind == ACTIVATION_RELU || f->kind == ACTIVATION_LEAKY_RELU ||
           (f->kind == ACTIVATION_CLIP && f->alpha == 0 && f->beta > 0);
}

/* The same of a node between the layers, channel by channel. Clips are fused where they follow a layer. */
static bool passes_channels(const struct node *node, const struct graph *g)
{
    const struct shape *in = &g->values[node->inputs[0]].shape, *out = &g->values[node->outputs[0]].shape;

    switch (node->op) {
    case OP_POOL:
    case OP_RESIZE:
        return true;
    case OP_ACTIVATION:
        return node->attr.activation.kind != ACTIVATION_CLIP && is_homogeneous(&node->attr.activation);
    case OP_PAD:
        return node->attr.pad.mode != PAD_CONSTANT || node->attr.pad.value == 0;
    case OP_REDUCE:
        return (node->attr.reduce.kind == REDUCE_MEAN || node->attr.reduce.kind == REDUCE_MAX) &&
               (node->attr.reduce.axes & 3) == 0;
    case OP_RESHAPE: /* N x C x ... to N x (C ...): channels stay side by side */
        return out->rank == 2 && out->dims[1] % in->dims[1] == 0 && in->dims[0] == out->dims[0];
    default:
        return false;
    }
}

static int only_reader(const struct graph *g, int value)
{
    int reader = GRAPH_NONE;

    if (graph_is_output(g, value))
        return GRAPH_NONE;
    for (size_t n = 0; n < g->n_nodes; n++) {
        for (size_t i = 0; i < g->nodes[n].n_inputs; i++) {
            if (g->nodes[n].inputs[i] != value)
                continue;
            if (reader != GRAPH_NONE || i > 0)
                return GRAPH_NONE;
            reader = (int)n;
        }
    }
    return reader;
}

/* The layer that reads what `n` makes, alone and through nothing but what passes channels; GRAPH_NONE. A model that was
 * quantized before brings scales along for its own ranges: it stays as it is. */
static int next_layer(const struct graph *g, int n)
{
    int value = g->nodes[n].outputs[0];

    if (!is_layer(g, &g->nodes[n]) || !is_homogeneous(&g->nodes[n].fused))
        return GRAPH_NONE;
    for (;;) {
        int reader = g->values[value].coding != NULL ? GRAPH_NONE : only_reader(g, value);

        if (reader == GRAPH_NONE || is_layer(g, &g->nodes[reader]))
            return reader;
        if (g->nodes[reader].is_kept || !passes_channels(&g->nodes[reader], g))
            return GRAPH_NONE;
        value = g->nodes[reader].outputs[0];
    }
}

bool equalization_wants_maxima(const struct graph *g, int value)
{
    int producer = g->values[value].producer;

    return producer != GRAPH_NONE && g->nodes[producer].fused.kind == ACTIVATION_CLIP &&
           next_layer(g, producer) != GRAPH_NONE;
}

/* ---- ranges of weights ----------------------------------------------------------------------------------------------
 */

/* A layer's weights as [outputs][inputs of a group][taps]. One input channel of the value before may be several of a
 * DENSE, which flattens images. */
struct layer {
    const struct node *node;
    size_t outputs, inputs, taps, groups;
    float *largest;      /* [outputs][inputs]: of |w| over the taps */
    double *in, *out;    /* [groups x inputs], [outputs]: what the search multiplies and divides by */
    const float *bias;   /* [outputs], where it is to be kept small; else NULL */
    double largest_bias; /* 0 where NULL */
    int next;            /* layer by node; GRAPH_NONE */
    size_t spread;       /* inputs of the next layer for each output of this one */
};

static size_t row_input(const struct layer *layer, size_t output, size_t i)
{
    return output / (layer->outputs / layer->groups) * layer->inputs + i;
}

static int layer_init(struct layer *layer, const struct graph *g, int n, bool keeps_biases, struct error *err)
{
    const struct node *node = &g->nodes[n];
    const struct value *weights = &g->values[node->inputs[1]];
    const float *w = weights->data;

    layer->node = node;
    layer->outputs = (size_t)weights->shape.dims[0];
    layer->inputs = (size_t)weights->shape.dims[1];
    layer->taps = (size_t)shape_elements(&weights->shape) / (layer->outputs * layer->inputs);
    layer->groups = node->op == OP_CONV ? (size_t)node->attr.conv.group : 1;
    if (keeps_biases && node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE)
        layer->bias = g->values[node->inputs[2]].data;
    for (size_t o = 0; layer->bias != NULL && o < layer->outputs; o++)
        layer->largest_bias = fmax(layer->largest_bias, fabs((double)layer->bias[o]));
    layer->largest = memory_create(layer->outputs, layer->inputs * sizeof *layer->largest, "ranges of weights", err);
    layer->in = memory_create(layer->groups, layer->inputs * sizeof *layer->in, "ranges of weights", err);
    layer->out = memory_create(layer->outputs, sizeof *layer->out, "ranges of weights", err);
    if (layer->largest == NULL || layer->in == NULL || layer->out == NULL)
        return -1;
    for (size_t i = 0; i < layer->outputs * layer->inputs; i++)
        for (size_t t = 0; t < layer->taps; t++)
            layer->largest[i] = fmaxf(layer->largest[i], fabsf(w[i * layer->taps + t]));
    for (size_t i = 0; i < layer->groups * layer->inputs; i++)
        layer->in[i] = 1;
    for (size_t o = 0; o < layer->outputs; o++)
        layer->out[o] = 1;
    return 0;
}

static void layer_fini(struct layer *layer)
{
    free(layer->largest);
    free(layer->in);
    free(layer->out);
}

static double output_range(const struct layer *layer, size_t o)
{
    double range = 0;

    for (size_t i = 0; i < layer->inputs; i++)
        range = fmax(range, (double)layer->largest[o * layer->inputs + i] * layer->in[row_input(layer, o, i)]);
    return range / layer->out[o];
}

/* Of `spread` inputs that belong to one channel before. */
static double input_range(const struct layer *layer, size_t channel, size_t spread)
{
    size_t first = channel * spread, group = first / layer->inputs, rows = layer->outputs / layer->groups;
    double range = 0;

    for (size_t o = group * rows; o < (group + 1) * rows; o++)
        for (size_t i = first; i < first + spread; i++)
            range = fmax(range,
                         (double)layer->largest[o * layer->inputs + i % layer->inputs] * layer->in[i] / layer->out[o]);
    return range;
}

/* ---- the search -----------------------------------------------------------------------------------------------------
 */

/* What keeps the channel's bias within the layer's largest. */
static double least_of_bias(const struct layer *layer, size_t channel)
{
    return layer->largest_bias > 0 ? fabs((double)layer->bias[channel]) / layer->largest_bias : 0;
}

/* Nothing below is allowed, so that a clip stays out of the way, too; INFINITY: the channel stays. */
static double least_factor(const struct layer *layer, const double *maxima, size_t channel)
{
    double end = (double)layer->node->fused.beta, least = least_of_bias(layer, channel), reach;

    if (layer->node->fused.kind != ACTIVATION_CLIP)
        return least;
    reach = headroom * maxima[channel];
    return reach >= end ? INFINITY : fmax(least, reach / end);
}

/* Brings the ranges on both sides of one value together; the largest |s - 1|. */
static double equalize_pair(struct layer *first, struct layer *second, const double *maxima)
{
    double moved = 0, widest1 = 0, widest2 = 0;

    for (size_t c = 0; c < first->outputs; c++) {
        widest1 = fmax(widest1, output_range(first, c));
        widest2 = fmax(widest2, input_range(second, c, first->spread));
    }
    for (size_t c = 0; c < first->outputs; c++) {
        double r1 = output_range(first, c), r2 = input_range(second, c, first->spread), s;
        double least = least_factor(first, maxima, c);

        if (!(r1 > dead * widest1) || !(r2 > dead * widest2) || isinf(least))
            continue;
        s = fmax(sqrt(r1 / r2), least / first->out[c]);
        s = fmin(fmax(s, ldexp(1, -MAX_EXPONENT) / first->out[c]), ldexp(1, MAX_EXPONENT) / first->out[c]);
        first->out[c] *= s;
        for (size_t i = c * first->spread; i < (c + 1) * first->spread; i++)
            second->in[i] *= s;
        moved = fmax(moved, fabs(s - 1));
    }
    return moved;
}

/* The nearest power of two in the logarithm that is not below `least` (0: none is). */
static int32_t nearest_exponent(double factor, double least)
{
    const double root_half = 0.70710678118654752;
    int exponent, lowest;

    if (frexp(factor, &exponent) < root_half)
        exponent--;
    if (least > 0) {
        if (frexp(least, &lowest) == 0.5)
            lowest--;
        exponent = exponent < lowest ? lowest : exponent;
    }
    return exponent < -MAX_EXPONENT ? -MAX_EXPONENT : exponent > MAX_EXPONENT ? MAX_EXPONENT : exponent;
}

/* The exponents of one layer's output, or none where it stays as it is. */
static int list_exponents(const struct layer *layer, const double *maxima, struct equalization *out, struct error *err)
{
    struct equalized_value *to = &out->values[out->n];
    int32_t any = 0;

    to->exponents = memory_create(layer->outputs, sizeof *to->exponents, "equalization", err);
    if (to->exponents == NULL)
        return -1;
    to->value = layer->node->outputs[0];
    to->n_channels = layer->outputs;
    for (size_t c = 0; c < layer->outputs; c++) {
        double least = least_factor(layer, maxima, c);

        to->exponents[c] = isinf(least) || layer->out[c] == 1 ? 0 : nearest_exponent(layer->out[c], least);
        any |= to->exponents[c];
    }
    if (any != 0)
        out->n++;
    else
        free(to->exponents);
    return 0;
}

/* Layers by node, those without a part in it left empty. */
static int make_layers(const struct graph *g, bool keeps_biases, struct layer *layers, struct error *err)
{
    for (size_t n = 0; n < g->n_nodes; n++)
        layers[n].next = GRAPH_NONE;
    for (size_t n = 0; n < g->n_nodes; n++) {
        struct layer *layer = &layers[n], *next;
        int reader = next_layer(g, (int)n);

        if (reader == GRAPH_NONE)
            continue;
        next = &layers[reader];
        if ((layer->node == NULL && layer_init(layer, g, (int)n, keeps_biases, err) != 0) ||
            (next->node == NULL && layer_init(next, g, reader, keeps_biases, err) != 0))
            return -1;
        layer->next = reader;
        layer->spread = next->groups * next->inputs / layer->outputs;
        assert(layer->spread * layer->outputs == next->groups * next->inputs);
    }
    return 0;
}

int equalization_search(const struct graph *g, const double *const *maxima, bool keeps_biases, struct equalization *out,
                        struct error *err)
{
    struct layer *layers = memory_create(g->n_nodes, sizeof *layers, "ranges of weights", err);
    double moved = INFINITY;
    int rc = layers == NULL ? -1 : make_layers(g, keeps_biases, layers, err);

    *out = (struct equalization){0};
    if (rc == 0 && (out->values = memory_create(g->n_nodes, sizeof *out->values, "equalization", err)) == NULL)
        rc = -1;
    for (int sweep = 0; rc == 0 && sweep < MAX_SWEEPS && moved >= at_rest; sweep++) {
        moved = 0;
        for (size_t n = 0; n < g->n_nodes; n++)
            if (layers[n].next != GRAPH_NONE)
                moved = fmax(moved, equalize_pair(&layers[n], &layers[layers[n].next], maxima[g->nodes[n].outputs[0]]));
    }
    for (size_t n = 0; rc == 0 && n < g->n_nodes; n++)
        if (layers[n].next != GRAPH_NONE)
            rc = list_exponents(&layers[n], maxima[g->nodes[n].outputs[0]], out, err);
    for (size_t n = 0; layers != NULL && n < g->n_nodes; n++)
        layer_fini(&layers[n]);
    free(layers);
    if (rc != 0)
        equalization_fini(out);
    return rc;
}

/* ---- the rewriting --------------------------------------------------------------------------------------------------
 */

/* A constant of the graph's own, to be changed. */
static float *copy_constant(struct graph *g, int value, struct error *err)
{
    size_t n = (size_t)shape_elements(&g->values[value].shape);
    float *copy = arena_create_array(g->arena, n, sizeof *copy, err);

    if (copy != NULL) {
        memcpy(copy, g->values[value].data, n * sizeof *copy);
        g->values[value].data = copy;
    }
    return copy;
}

static int divide_outputs(struct graph *g, const struct node *node, const int32_t *exponents, struct error *err)
{
    size_t outputs = (size_t)g->values[node->inputs[1]].shape.dims[0];
    size_t row = (size_t)shape_elements(&g->values[node->inputs[1]].shape) / outputs;
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE;
    float *w = copy_constant(g, node->inputs[1], err), *bias = NULL;

    if (w == NULL || (has_bias && (bias = copy_constant(g, node->inputs[2], err)) == NULL))
        return -1;
    for (size_t o = 0; o < outputs; o++) {
        for (size_t i = 0; i < row; i++)
            w[o * row + i] = ldexpf(w[o * row + i], -exponents[o]);
        if (bias != NULL)
            bias[o] = ldexpf(bias[o], -exponents[o]);
    }
    return 0;
}

static int multiply_inputs(struct graph *g, const struct node *node, const struct equalized_value *from,
                           struct error *err)
{
    const struct shape *shape = &g->values[node->inputs[1]].shape;
    size_t outputs = (size_t)shape->dims[0], inputs = (size_t)shape->dims[1];
    size_t taps = (size_t)shape_elements(shape) / (outputs * inputs);
    size_t groups = node->op == OP_CONV ? (size_t)node->attr.conv.group : 1;
    size_t spread = groups * inputs / from->n_channels;
    float *w = copy_constant(g, node->inputs[1], err);

    if (w == NULL)
        return -1;
    for (size_t o = 0; o < outputs; o++) {
        for (size_t i = 0; i < inputs; i++) {
            size_t input = o / (outputs / groups) * inputs + i;

            for (size_t t = 0; t < taps; t++, w++)
                *w = ldexpf(*w, from->exponents[input / spread]);
        }
    }
    return 0;
}

/* The layer that reads what changes; GRAPH_NONE with err set: the graph is another's. */
static int reader_of(const struct graph *g, const struct equalized_value *v, struct error *err)
{
    int producer = g->values[v->value].producer, reader = producer == GRAPH_NONE ? GRAPH_NONE : next_layer(g, producer);

    if (reader == GRAPH_NONE || g->values[v->value].shape.dims[1] != (int64_t)v->n_channels) {
        error_set(err, EX_DATAERR, "value \"%s\" is not one of %zu channels between two layers",
                  g->values[v->value].name, v->n_channels);
        return GRAPH_NONE;
    }
    return reader;
}

int equalization_apply(struct graph *g, const struct equalization *equalization, struct error *err)
{
    for (size_t k = 0; k < equalization->n; k++) {
        const struct equalized_value *v = &equalization->values[k];
        int reader = reader_of(g, v, err);

        if (reader == GRAPH_NONE ||
            divide_outputs(g, &g->nodes[g->values[v->value].producer], v->exponents, err) != 0 ||
            multiply_inputs(g, &g->nodes[reader], v, err) != 0)
            return -1;
    }
    return 0;
}

int equalization_trace(const struct graph *g, const struct equalization *equalization,
                       const struct equalized_value **of_value, struct error *err)
{
    for (size_t v = 0; v < g->n_values; v++)
        of_value[v] = NULL;
    for (size_t k = 0; k < equalization->n; k++) {
        int reader = reader_of(g, &equalization->values[k], err), value = equalization->values[k].value;

        if (reader == GRAPH_NONE)
            return -1;
        of_value[value] = &equalization->values[k];
        while (g->nodes[reader].inputs[0] != value) {
            value = g->nodes[only_reader(g, value)].outputs[0];
            of_value[value] = &equalization->values[k];
        }
    }
    return 0;
}
