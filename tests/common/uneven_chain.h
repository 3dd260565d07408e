/* uneven_chain.h — layers one after the other, whose channels have ranges of weights of their own: for tests of
 * equalization.
 */
#ifndef ETALON_TESTS_UNEVEN_CHAIN_H
#define ETALON_TESTS_UNEVEN_CHAIN_H

#include "random_graph.h"

#include <math.h>

enum { UNEVEN_SIDE = 5, UNEVEN_INPUT = CHANNELS * 5 * 6 };

/* Weights of which every output channel has a range of its own, from 1/100 to 100. */
static inline int uneven_weights(struct graph *g, struct shape shape)
{
    size_t n = (size_t)shape_elements(&shape), row = n / (size_t)shape.dims[0];
    double spread = 1;
    float data[4096];

    assert_true(n <= 4096);
    for (size_t i = 0; i < n; i++) {
        spread = i % row == 0 ? pow(100, draw_uniform(-1, 1)) : spread;
        data[i] = (float)(draw_uniform(-1, 1) * spread);
    }
    return add_floats(g, shape, data);
}

static inline int uneven_conv(struct graph *g, int x, int64_t out, int64_t group, struct activation fused)
{
    struct shape s = shape_of(g, x);
    int y = add_node(
        g, OP_CONV, NULL,
        INTS(x, uneven_weights(g, SHAPE(out, s.dims[1] / group, 3, 3)), random_floats(g, SHAPE(out), -0.1, 0.1)));

    last_node(g)->attr.conv.window = make_window(3, 1, 1);
    last_node(g)->attr.conv.group = group;
    last_node(g)->fused = fused;
    return settled(g, y);
}

static inline int uneven_dense(struct graph *g, int x, int64_t out)
{
    return settled(g, add_node(g, OP_DENSE, NULL,
                               INTS(x, uneven_weights(g, SHAPE(out, shape_of(g, x).dims[1])),
                                    random_floats(g, SHAPE(out), -0.1, 0.1))));
}

static inline int uneven_flatten(struct graph *g, int x)
{
    struct shape s = shape_of(g, x), flat = SHAPE(1, shape_elements(&s));
    int y = add_value(g, NULL);

    assert_true(graph_add_node(g, OP_RESHAPE, NULL, NULL, &x, 1, &y, 1, NULL) >= 0);
    g->values[y].shape = flat;
    g->values[y].has_shape = true;
    return y;
}

static inline int uneven_pool(struct graph *g, int x)
{
    struct shape s = shape_of(g, x);
    int y = add_node(g, OP_POOL, NULL, INTS(x));

    last_node(g)->attr.pool.kind = POOL_MAX;
    last_node(g)->attr.pool.window = make_window(2, 1, 0);
    last_node(g)->attr.pool.output[0] = s.dims[2] - 1;
    last_node(g)->attr.pool.output[1] = s.dims[3] - 1;
    return settled(g, y);
}

/* conv + f, depthwise conv + f, max pool, conv + relu, flatten, dense. */
static inline struct graph *uneven_chain(uint64_t seed, struct activation f)
{
    const struct activation relu = {.kind = ACTIVATION_RELU};
    struct graph *g = new_graph();
    struct error err = {0};
    int x = add_input(g, "x", SHAPE(1, CHANNELS, UNEVEN_SIDE, 6));

    draw_state = seed;
    x = uneven_conv(g, x, 6, 1, f);
    x = uneven_conv(g, x, 6, 6, f);
    x = uneven_conv(g, uneven_pool(g, x), 4, 2, relu);
    x = uneven_dense(g, uneven_flatten(g, x), 3);
    assert_true(graph_add_output(g, x, &err) >= 0);
    assert_succeeds(graph_validate(g, &err), err);
    return g;
}

#endif
