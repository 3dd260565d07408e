/* random_network.h — random graphs with every operator that a float network may have, for what reads or writes whole
 * ones. Shapes are small; beside the pieces of random_graph.h there are windows with strides, dilations and uneven
 * pads, heads, and what detectors do.
 */
#ifndef ETALON_TESTS_RANDOM_NETWORK_H
#define ETALON_TESTS_RANDOM_NETWORK_H

#include "random_graph.h"

static inline bool is_image(const struct graph *graph, int x)
{
    return shape_of(graph, x).rank == 4;
}

/* Of any rank. */
static inline int number(struct graph *graph, float x)
{
    return add_floats(graph, (struct shape){0}, &x);
}

static inline int any_convolution(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int64_t out = draw_below(2) == 0 ? s.dims[1] : 4, group = draw_below(2) == 0 && out == s.dims[1] ? out : 1;
    struct window w = {.dilation = {1, 1}};
    int y;

    for (size_t k = 0; k < 2; k++) {
        w.kernel[k] = 1 + (int64_t)draw_below(3);
        w.stride[k] = 1 + (int64_t)draw_below(2);
        w.dilation[k] = 1 + (int64_t)draw_below(2);
        w.pad_begin[k] = w.dilation[k] * (int64_t)draw_below(2);
        w.pad_end[k] = draw_below(2) == 0 ? w.pad_begin[k] : w.dilation[k] * (int64_t)draw_below(2);
        if (s.dims[2 + k] + w.pad_begin[k] + w.pad_end[k] <= (w.kernel[k] - 1) * w.dilation[k])
            return x;
    }
    y = add_node(graph, OP_CONV, NULL,
                 INTS(x, random_floats(graph, SHAPE(out, s.dims[1] / group, w.kernel[0], w.kernel[1]), -1, 1),
                      random_floats(graph, SHAPE(out), -1, 1)));
    last_node(graph)->attr.conv.window = w;
    last_node(graph)->attr.conv.group = group;
    return settled(graph, y);
}

static inline int any_deconvolution(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    struct window w = make_window(2 + (int64_t)draw_below(2), 2, s.dims[2] > 1 && s.dims[3] > 1 && draw_below(2));
    int y = add_node(graph, OP_DECONV, NULL,
                     INTS(x, random_floats(graph, SHAPE(s.dims[1], 2, w.kernel[0], w.kernel[1]), -1, 1)));

    w.pad_end[1] = s.dims[3] > 1 && draw_below(2);
    last_node(graph)->attr.conv.window = w;
    last_node(graph)->attr.conv.group = 1;
    last_node(graph)->attr.conv.output_padding[draw_below(2)] = (int64_t)draw_below(2);
    return settled(graph, y);
}

static inline int any_pool(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    bool is_global = draw_below(4) == 0;
    struct window w = {.dilation = {1, 1}};
    int64_t output[2];
    int y;

    for (size_t k = 0; k < 2; k++) {
        int64_t in = s.dims[2 + k];

        w.kernel[k] = is_global ? in : 2 + (int64_t)draw_below(2);
        w.stride[k] = is_global ? 1 : 1 + (int64_t)draw_below(2);
        w.pad_begin[k] = is_global ? 0 : (int64_t)draw_below(2);
        w.pad_end[k] = is_global || draw_below(2) == 0 ? w.pad_begin[k] : (int64_t)draw_below(2);
        output[k] =
            pool_output_size(in, w.kernel[k], w.stride[k], 1, w.pad_begin[k], w.pad_end[k], draw_below(2), false);
        if (output[k] <= 0)
            return x;
    }
    y = add_node(graph, OP_POOL, NULL, INTS(x));
    last_node(graph)->attr.pool.kind = draw_below(2) == 0 ? POOL_MAX : POOL_AVERAGE;
    last_node(graph)->attr.pool.window = w;
    last_node(graph)->attr.pool.is_global = is_global;
    last_node(graph)->attr.pool.count_include_pad = draw_below(2);
    memcpy(last_node(graph)->attr.pool.output, output, sizeof output);
    return settled(graph, y);
}

/* All kinds, with arguments for which they are defined. */
static inline int any_activation(struct graph *graph, int x)
{
    enum activation_kind kind = (enum activation_kind)(1 + draw_below(ACTIVATION_POWER)); /* the continuous ones */
    float alpha = 0, beta = 0;

    switch (kind) {
    case ACTIVATION_LEAKY_RELU:
    case ACTIVATION_ELU:
        alpha = 0.3f;
        break;
    case ACTIVATION_CLIP:
        alpha = draw_below(2) == 0 ? 0 : -0.7f;
        beta = draw_below(2) == 0 ? 6 : 0.7f;
        break;
    case ACTIVATION_SWISH:
        alpha = draw_below(2) == 0 ? 1 : 1.25f;
        break;
    case ACTIVATION_HARD_SIGMOID:
    case ACTIVATION_HARD_SWISH:
        alpha = 0.2f;
        beta = 0.5f;
        break;
    case ACTIVATION_POWER:
        alpha = 2;
        break;
    case ACTIVATION_EXP: /* not of an exponential */
        x = activation(graph, ACTIVATION_TANH, 0, 0, x);
        break;
    case ACTIVATION_LOG: /* of what is above zero */
    case ACTIVATION_SQRT:
        x = binary(graph, BINARY_ADD, activation(graph, ACTIVATION_SIGMOID, 0, 0, x), number(graph, 0.25f));
        break;
    default:
        break;
    }
    return activation(graph, kind, alpha, beta, x);
}

static inline int prelu(struct graph *graph, int x)
{
    int64_t n = draw_below(4) == 0 ? 1 : shape_of(graph, x).dims[1];

    return settled(graph, add_node(graph, OP_PRELU, NULL, INTS(x, random_floats(graph, SHAPE(n), -0.5, 0.5))));
}

static inline int softmax(struct graph *graph, int x)
{
    int y = add_node(graph, OP_SOFTMAX, NULL, INTS(x));

    last_node(graph)->attr.softmax.axis = 1 + (int64_t)draw_below(shape_of(graph, x).rank - 1);
    last_node(graph)->attr.softmax.is_log = draw_below(4) == 0;
    return settled(graph, y);
}

static inline int lrn(struct graph *graph, int x)
{
    int y = add_node(graph, OP_LRN, NULL, INTS(x));

    last_node(graph)->attr.lrn.size = 3;
    last_node(graph)->attr.lrn.alpha = 0.3f;
    last_node(graph)->attr.lrn.beta = 0.75f;
    last_node(graph)->attr.lrn.k = 1.5f;
    return settled(graph, y);
}

static inline int reduce(struct graph *graph, int x)
{
    static const uint32_t axes[] = {1u << 2 | 1u << 3, 1u << 3, 1u << 1, 1u << 1 | 1u << 2 | 1u << 3};
    int y = add_node(graph, OP_REDUCE, NULL, INTS(x));

    last_node(graph)->attr.reduce.kind = (enum reduce_kind)draw_below(REDUCE_L2 + 1);
    last_node(graph)->attr.reduce.axes = axes[draw_below(4)];
    last_node(graph)->attr.reduce.keep_dims = draw_below(2);
    return settled(graph, y);
}

static inline int resize(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int y = add_node(graph, OP_RESIZE, NULL, INTS(x));
    int64_t factor = 1 + (int64_t)draw_below(2);

    for (size_t k = 0; k < 2; k++) {
        last_node(graph)->attr.resize.scale[k] = (float)factor;
        s.dims[2 + k] *= factor;
        factor = 2;
    }
    last_node(graph)->attr.resize.mode = RESIZE_NEAREST;
    last_node(graph)->attr.resize.coordinates = RESIZE_ASYMMETRIC;
    last_node(graph)->attr.resize.rounding = RESIZE_FLOOR;
    graph->values[y].shape = s;
    graph->values[y].has_shape = true;
    return settled(graph, y);
}

/* A part of one to three axes, at times every other element. */
static inline int slice(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int y = add_node(graph, OP_SLICE, NULL, INTS(x));
    int64_t step = draw_below(4) == 0 ? 2 : 1;

    for (size_t i = 0; i < 4; i++)
        last_node(graph)->attr.slice.step[i] = 1;
    for (size_t i = 1; i < 4; i++) {
        if (draw_below(2) == 0 || s.dims[i] < 3)
            continue;
        last_node(graph)->attr.slice.begin[i] = (int64_t)draw_below(2);
        last_node(graph)->attr.slice.step[i] = step;
        s.dims[i] = 1 + (s.dims[i] - 2) / step - (int64_t)draw_below(2);
        s.dims[i] = s.dims[i] < 1 ? 1 : s.dims[i];
    }
    graph->values[y].shape = s;
    graph->values[y].has_shape = true;
    return settled(graph, y);
}

/* Squeeze and excitation: one factor a channel, computed from the image. */
static inline int gated(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int gate = add_node(graph, OP_POOL, NULL, INTS(x));
    struct node *node = last_node(graph);

    node->attr.pool.kind = POOL_AVERAGE;
    node->attr.pool.window = (struct window){.kernel = {s.dims[2], s.dims[3]}, .stride = {1, 1}, .dilation = {1, 1}};
    node->attr.pool.is_global = true;
    gate = activation(graph, ACTIVATION_SIGMOID, 0, 0, settled(graph, gate));
    return draw_below(2) == 0 ? binary(graph, (enum binary_kind)draw_below(3), x, gate)
                              : binary(graph, BINARY_MUL, gate, x);
}

static inline int joined(struct graph *graph, int x, int earlier)
{
    struct shape a = shape_of(graph, x), b = shape_of(graph, earlier);
    int y;

    if (b.rank != 4 || a.dims[2] != b.dims[2] || a.dims[3] != b.dims[3])
        return x;
    y = add_node(graph, OP_CONCAT, NULL, INTS(x, earlier, x));
    last_node(graph)->attr.axis = 1;
    return settled(graph, y);
}

/* x op earlier, kept away from division by zero. */
static inline int combined(struct graph *graph, int x, int earlier)
{
    struct shape a = shape_of(graph, x), b = shape_of(graph, earlier);
    enum binary_kind kind = (enum binary_kind)draw_below(BINARY_MIN + 1);

    if (!shape_equal(&a, &b) || x == earlier)
        return x;
    if (kind == BINARY_DIV)
        earlier = binary(graph, BINARY_ADD, activation(graph, ACTIVATION_SIGMOID, 0, 0, earlier), number(graph, 0.5f));
    return binary(graph, kind, x, earlier);
}

static inline int dense(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int64_t features = shape_elements(&s);

    if (features > 800)
        return x;
    if (s.rank != 2)
        x = reshaped(graph, x, SHAPE(1, features));
    return settled(graph, add_node(graph, OP_DENSE, NULL,
                                   INTS(x, random_floats(graph, SHAPE(5, features), -0.2, 0.2),
                                        draw_below(2) == 0 ? GRAPH_NONE : random_floats(graph, SHAPE(5), -1, 1))));
}

static inline int grow_network(struct graph *graph, int x, int earlier)
{
    if (!is_image(graph, x))
        switch (draw_below(4)) {
        case 0:
            return shape_of(graph, x).rank > 1 ? softmax(graph, x) : x;
        case 1:
            return dense(graph, x);
        case 2:
            return shape_of(graph, x).rank > 1 ? normalize(graph, x) : x;
        default:
            return any_activation(graph, x);
        }
    switch (draw_below(18)) {
    case 0:
    case 1:
        return any_convolution(graph, x);
    case 2:
        return shape_of(graph, x).dims[2] < 9 ? any_deconvolution(graph, x) : x;
    case 3:
    case 4:
        return any_pool(graph, x);
    case 5:
        return any_activation(graph, x);
    case 6:
        return prelu(graph, x);
    case 7:
        return draw_below(3) == 0 ? lrn(graph, x) : softmax(graph, x);
    case 8:
        return draw_below(3) == 0 ? reduce(graph, x) : gated(graph, x);
    case 9:
        return shape_of(graph, x).dims[2] < 9 ? resize(graph, x) : x;
    case 10:
        return slice(graph, x);
    case 11:
        return joined(graph, x, earlier);
    case 12:
        return combined(graph, x, earlier);
    case 13:
        return draw_below(3) == 0 ? dense(graph, x) : x;
    default:
        return grow(graph, x, earlier);
    }
}

static inline struct graph *random_network(uint64_t seed)
{
    return grown_graph(seed, 8, grow_network, NULL);
}

#endif
