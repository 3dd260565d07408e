/* random_graph.h — random small networks, and the pieces they grow from: layers, and what exporters write around them.
 *
 * One input "x" of 1 x CHANNELS x 5 x 6. Every value has a shape as soon as it is there.
 */
#ifndef ETALON_TESTS_RANDOM_GRAPH_H
#define ETALON_TESTS_RANDOM_GRAPH_H

#include "build_graph.h"
#include "draw.h"

#include <math.h>

enum { CHANNELS = 4 };

static inline int random_floats(struct graph *graph, struct shape shape, double lo, double hi)
{
    float data[4096];
    size_t n = (size_t)shape_elements(&shape);

    assert_true(n <= 4096);
    for (size_t i = 0; i < n; i++)
        data[i] = (float)draw_uniform(lo, hi);
    return add_floats(graph, shape, data);
}

static inline int scalar(struct graph *graph, double x)
{
    float data = (float)x;

    return draw_below(2) == 0 ? add_floats(graph, (struct shape){0}, &data) : add_floats(graph, SHAPE(1, 1, 1), &data);
}

static inline struct shape shape_of(const struct graph *graph, int value)
{
    return graph->values[value].shape;
}

/* Shapes are wanted as the graph grows. */
static inline int settled(struct graph *graph, int value)
{
    struct error err;

    assert_succeeds(graph_fold_node(graph, graph->values[value].producer, &err), err);
    return value;
}

static inline int binary(struct graph *graph, enum binary_kind kind, int a, int b)
{
    int y = add_node(graph, OP_BINARY, NULL, INTS(a, b));

    last_node(graph)->attr.binary.kind = kind;
    return settled(graph, y);
}

static inline int activation(struct graph *graph, enum activation_kind kind, float alpha, float beta, int x)
{
    int y = add_node(graph, OP_ACTIVATION, NULL, INTS(x));

    last_node(graph)->attr.activation = (struct activation){kind, alpha, beta};
    return settled(graph, y);
}

static inline int convolution(struct graph *graph, enum op op, int x)
{
    int64_t in = shape_of(graph, x).dims[1], group = draw_below(2) == 0 ? 1 : 2, out = 2 + 2 * (int64_t)draw_below(2);
    int64_t kernel = 1 + 2 * (int64_t)draw_below(2), pad = draw_below(2) == 0 ? 0 : kernel / 2;
    bool is_deconv = op == OP_DECONV;
    int inputs[3] = {x}, y;

    if (shape_of(graph, x).dims[2] + 2 * pad < kernel || shape_of(graph, x).dims[3] + 2 * pad < kernel)
        return x;
    inputs[1] = is_deconv ? random_floats(graph, SHAPE(in, out / group, kernel, kernel), -1, 1)
                          : random_floats(graph, SHAPE(out, in / group, kernel, kernel), -1, 1);
    inputs[2] = draw_below(2) == 0 ? GRAPH_NONE : random_floats(graph, SHAPE(out), -1, 1);
    y = add_node(graph, op, NULL, inputs, draw_below(2) == 0 && inputs[2] == GRAPH_NONE ? 2 : 3);
    last_node(graph)->attr.conv.window = make_window(kernel, 1, pad);
    last_node(graph)->attr.conv.group = group;
    return settled(graph, y);
}

static inline int pool(struct graph *graph, int x)
{
    int y;

    if (shape_of(graph, x).dims[2] < 2 || shape_of(graph, x).dims[3] < 2)
        return x;
    y = add_node(graph, OP_POOL, NULL, INTS(x));
    last_node(graph)->attr.pool.kind = draw_below(3) == 0 ? POOL_MAX : POOL_AVERAGE;
    last_node(graph)->attr.pool.window = make_window(2, 1, (int64_t)draw_below(2));
    last_node(graph)->attr.pool.count_include_pad = draw_below(2);
    return settled(graph, y);
}

static inline int pad(struct graph *graph, int x)
{
    int y = add_node(graph, OP_PAD, NULL, INTS(x));
    struct node *node = last_node(graph);

    for (size_t i = 0; i < 2; i++) {
        node->attr.pad.begin[2 + i] = (int64_t)draw_below(3);
        node->attr.pad.end[2 + i] = (int64_t)draw_below(2);
    }
    node->attr.pad.value = draw_below(4) == 0 ? 1 : 0;
    return settled(graph, y);
}

static inline int normalize(struct graph *graph, int x)
{
    struct shape vector = SHAPE(shape_of(graph, x).dims[1]);
    bool has_shift = draw_below(2);

    return settled(graph, add_node(graph, OP_NORMALIZE, NULL,
                                   INTS(x, random_floats(graph, vector, -2, 2),
                                        random_floats(graph, vector, has_shift ? -1 : 0, has_shift ? 1 : 0))));
}

/* x op c or c op x, where c is per channel, one number, or (not per channel) a row. */
static inline int constant_arithmetic(struct graph *graph, int x)
{
    static const enum binary_kind kinds[] = {BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV};
    enum binary_kind kind = kinds[draw_below(4)];
    struct shape s = shape_of(graph, x);
    int c, order = draw_below(3) == 0;

    switch (draw_below(4)) {
    case 0:
        c = random_floats(graph, SHAPE(s.dims[1], 1, 1), 0.5, 2);
        break;
    case 1:
        c = random_floats(graph, SHAPE(1, s.dims[1], 1, 1), 0.5, 2);
        break;
    case 2:
        c = scalar(graph, draw_uniform(0.5, 2));
        break;
    default:
        c = random_floats(graph, SHAPE(s.dims[3]), 0.5, 2);
        break;
    }
    if (order != 0 && kind == BINARY_DIV) /* c / x wants an x away from zero */
        x = binary(graph, BINARY_ADD, activation(graph, ACTIVATION_SIGMOID, 0, 0, x), c);
    return order != 0 ? binary(graph, kind, c, x) : binary(graph, kind, x, c);
}

/* The ways in which exporters write activations. */
static inline int written_out(struct graph *graph, int x)
{
    int y, z;

    switch (draw_below(8)) {
    case 0:
        return binary(graph, BINARY_MUL, x, activation(graph, ACTIVATION_SIGMOID, 0, 0, x));
    case 1:
        y = binary(graph, BINARY_ADD, scalar(graph, 3), x);
        y = binary(graph, BINARY_MUL, activation(graph, ACTIVATION_CLIP, 0, 6, y), x);
        return binary(graph, BINARY_DIV, y, scalar(graph, 6));
    case 2:
        y = activation(graph, ACTIVATION_HARD_SIGMOID, 1.0f / 6, 0.5f, x);
        return binary(graph, BINARY_MUL, x, y);
    case 3:
        y = activation(graph, ACTIVATION_ERF, 0, 0, binary(graph, BINARY_DIV, x, scalar(graph, sqrt(2))));
        y = binary(graph, BINARY_MUL, x, binary(graph, BINARY_ADD, y, scalar(graph, 1)));
        return binary(graph, BINARY_MUL, y, scalar(graph, 0.5));
    case 4:
        y = binary(graph, BINARY_MAX, x, scalar(graph, -1));
        return binary(graph, BINARY_MIN, y, scalar(graph, 1));
    case 5:
        y = binary(graph, BINARY_MIN, x, scalar(graph, 6));
        return binary(graph, BINARY_MAX, scalar(graph, 0), y);
    case 6:
        return binary(graph, BINARY_MAX, x, binary(graph, BINARY_MUL, x, scalar(graph, 0.1)));
    default:
        y = binary(graph, BINARY_MUL, x, scalar(graph, 0.2));
        y = binary(graph, BINARY_ADD, y, scalar(graph, 0.5));
        z = activation(graph, ACTIVATION_RELU, 0, 0, y);
        return binary(graph, BINARY_MIN, z, scalar(graph, 1));
    }
}

static inline int reshaped(struct graph *graph, int x, struct shape shape)
{
    int y = add_node(graph, OP_RESHAPE, NULL, INTS(x));

    graph->values[y].shape = shape;
    graph->values[y].has_shape = true;
    return settled(graph, y);
}

static inline int transposed(struct graph *graph, int x, const int64_t perm[4])
{
    int y = add_node(graph, OP_TRANSPOSE, NULL, INTS(x));

    memcpy(last_node(graph)->attr.perm, perm, 4 * sizeof(int64_t));
    return settled(graph, y);
}

/* There and back: nothing in the end, but nothing that is nothing by itself. */
static inline int layout(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int y;

    switch (draw_below(4)) {
    case 0:
        y = reshaped(graph, x, SHAPE(1, s.dims[1], s.dims[2] * s.dims[3]));
        return reshaped(graph, reshaped(graph, y, SHAPE(1, s.dims[1] * s.dims[2] * s.dims[3])), s);
    case 1:
        y = transposed(graph, x, (int64_t[]){0, 2, 3, 1});
        return draw_below(2) == 0 ? transposed(graph, y, (int64_t[]){0, 3, 1, 2}) /* or any other way to four axes */
                                  : transposed(graph, y, (int64_t[]){0, 3, 2, 1});
    case 2:
        y = add_node(graph, OP_SLICE, NULL, INTS(x));
        for (size_t i = 0; i < 4; i++)
            last_node(graph)->attr.slice.step[i] = 1;
        graph->values[y].shape = s;
        graph->values[y].has_shape = true;
        return settled(graph, y);
    default:
        y = add_node(graph, OP_CONCAT, NULL, INTS(x));
        last_node(graph)->attr.axis = 1;
        return settled(graph, y);
    }
}

/* Channels begin to begin + count - 1. */
static inline int channels_of(struct graph *graph, int x, int64_t begin, int64_t count)
{
    struct shape shape = shape_of(graph, x);
    int y = add_node(graph, OP_SLICE, NULL, INTS(x));

    last_node(graph)->attr.slice.begin[1] = begin;
    for (size_t i = 0; i < shape.rank; i++)
        last_node(graph)->attr.slice.step[i] = 1;
    shape.dims[1] = count;
    graph->values[y].shape = shape;
    graph->values[y].has_shape = true;
    return settled(graph, y);
}

/* A grouped layer as frameworks without one write it: slices of the channels, a layer of each, the join. Sometimes it
 * is none, because the slices are in another order. */
static inline int written_out_groups(struct graph *graph, enum op op, int x)
{
    struct shape s = shape_of(graph, x);
    int64_t n = s.dims[1] % 4 == 0 && draw_below(2) == 0 ? 4 : 2, in = s.dims[1] / n, turn = draw_below(4) == 0;
    bool has_bias = draw_below(2), has_norm = draw_below(2);
    int parts[4], y;

    for (int64_t i = 0; i < n; i++) {
        int w = random_floats(graph, op == OP_CONV ? SHAPE(2, in, 3, 3) : SHAPE(in, 2, 3, 3), -1, 1);
        int inputs[3] = {channels_of(graph, x, (i + turn) % n * in, in), w, GRAPH_NONE};

        if (has_bias && i > 0)
            inputs[2] = random_floats(graph, SHAPE(2), -1, 1);
        parts[i] = add_node(graph, op, NULL, inputs, 3);
        last_node(graph)->attr.conv.window = make_window(3, 1, 1);
        last_node(graph)->attr.conv.group = 1;
        settled(graph, parts[i]);
        if (has_norm)
            parts[i] = activation(graph, ACTIVATION_RELU, 0, 0, normalize(graph, parts[i]));
    }
    y = add_node(graph, OP_CONCAT, NULL, parts, (size_t)n);
    last_node(graph)->attr.axis = 1;
    return settled(graph, y);
}

static inline int grow(struct graph *graph, int x, int earlier)
{
    struct shape a = shape_of(graph, x), b = shape_of(graph, earlier);

    switch (draw_below(13)) {
    case 0:
    case 1:
        return convolution(graph, OP_CONV, x);
    case 2:
        return convolution(graph, OP_DECONV, x);
    case 3:
        return pool(graph, x);
    case 4:
        return a.dims[2] < 9 ? pad(graph, x) : x;
    case 5:
    case 6:
        return normalize(graph, x);
    case 7:
        return constant_arithmetic(graph, x);
    case 8:
        return written_out(graph, x);
    case 9:
        return layout(graph, x);
    case 10:
        return written_out_groups(graph, draw_below(2) == 0 ? OP_CONV : OP_DECONV, x);
    case 11:
        return activation(graph, draw_below(2) == 0 ? ACTIVATION_RELU : ACTIVATION_TANH, 0, 0, x);
    default:
        if (shape_equal(&a, &b) && x != earlier)
            return binary(graph, BINARY_ADD, x, earlier);
        return settled(graph, add_node(graph, OP_IDENTITY, NULL, INTS(x)));
    }
}

/* At times, a dense head written as a matrix product and an addition. */
static inline int head(struct graph *graph, int x)
{
    struct shape s = shape_of(graph, x);
    int64_t features = s.dims[1] * s.dims[2] * s.dims[3];
    int y;

    if (draw_below(2) != 0 || features > 1000)
        return x;
    y = reshaped(graph, x, SHAPE(1, features));
    y = settled(graph, add_node(graph, OP_MATMUL, NULL, INTS(y, random_floats(graph, SHAPE(features, 3), -1, 1))));
    return draw_below(2) == 0 ? y : binary(graph, BINARY_ADD, y, random_floats(graph, SHAPE(3), -1, 1));
}

/* One more layer on x, or x itself; `earlier` is a value from before. */
typedef int grow_step(struct graph *graph, int x, int earlier);

/* 2 to more_steps + 1 steps; then `finish`, or nothing where it is NULL. The same graph for the same seed. Any value
 * may be a graph output beside the last. */
static inline struct graph *grown_graph(uint64_t seed, size_t more_steps, grow_step *step,
                                        int (*finish)(struct graph *graph, int x))
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, CHANNELS, 5, 6)), earlier = x;
    size_t steps;
    struct error err;

    draw_state = 0x9e3779b97f4a7c15u * (seed + 1);
    steps = 2 + draw_below(more_steps);
    for (size_t i = 0; i < steps; i++) {
        int next = step(graph, x, earlier);

        if (draw_below(3) == 0)
            earlier = x;
        if (draw_below(8) == 0 && next != graph->inputs[0] && !graph_is_output(graph, next))
            graph_add_output(graph, next, NULL);
        x = next;
    }
    if (finish != NULL)
        x = finish(graph, x);
    if (x == graph->inputs[0])
        x = normalize(graph, x);
    if (!graph_is_output(graph, x))
        graph_add_output(graph, x, NULL);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
    return graph;
}

static inline struct graph *random_graph(uint64_t seed)
{
    return grown_graph(seed, 10, grow, head);
}

#endif
