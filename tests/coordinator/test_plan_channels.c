/* test_plan_channels.c — plans with a scale per channel: who has them, what shares them, what weights make of them. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_groups.h"
#include "coordinator/plan_mark.h"
#include "formats/model.h"
#include "formats/target.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"
#include "plan_setting.h"

#include <float.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_CHANNELS = 8, TAPS = 9 };

/* The channels of a value: which one of the network each is, and by which power of two it is multiplied. */
struct order {
    size_t n;
    int id[MAX_CHANNELS], shift[MAX_CHANNELS];
};

static struct order plain_order(size_t n)
{
    struct order order = {.n = n};

    for (size_t c = 0; c < n; c++)
        order.id[c] = (int)c;
    return order;
}

static struct order joined(struct order a, struct order b)
{
    struct order order = {.n = a.n + b.n};

    for (size_t c = 0; c < order.n; c++) {
        order.id[c] = c < a.n ? a.id[c] : (int)a.n + b.id[c - a.n];
        order.shift[c] = c < a.n ? a.shift[c] : b.shift[c - a.n];
    }
    return order;
}

/* Where channel `id` of the network is. */
static size_t place_of(const struct order *order, int id)
{
    for (size_t c = 0; c < order->n; c++) {
        if (order->id[c] == id)
            return c;
    }
    fail();
    return 0;
}

/* conv+relu, max pool, conv+relu, conv, add+relu, concat, max pool, depthwise conv, conv, average pool, reshape, dense,
 * softmax; the orders of its channels are free. */
struct net {
    struct setting s;
    struct histogram channel_storage[MAX_VALUES][MAX_CHANNELS];
    const struct histogram *channels[MAX_VALUES];
    struct order of_x, of_a, of_b, of_t, of_d; /* a, p, c and s have the same; so have t, m and e */
    int x, a, p, b, c, s, t, m, e, d, u, r, v, y;
};

/* Statistics of a value whose channel `id` is always the same up to its power of two; of 0 alone where id is `dead`. */
static int observe_channels(struct net *n, int value, const struct order *order, bool is_positive, int dead)
{
    struct histogram *tensor = &n->s.storage[value];
    struct error err;

    assert_succeeds(histogram_init(tensor, 2048, &err), err);
    for (size_t c = 0; c < order->n; c++) {
        struct histogram *h = &n->channel_storage[value][c];

        draw_state = 88172645463325252u + (uint64_t)(value * 64 + order->id[c]) * 0x9e3779b97f4a7c15u;
        assert_succeeds(histogram_init(h, 256, &err), err);
        for (int i = 0; i < 500; i++) {
            double x = order->id[c] == dead ? 0 : draw_normal() * (1 + order->id[c] * order->id[c]);
            float scaled = (float)ldexp((double)(float)(is_positive ? fmax(x, 0) : x), order->shift[c]);

            assert_succeeds(histogram_observe(h, &scaled, 1, &err), err);
            assert_succeeds(histogram_observe(tensor, &scaled, 1, &err), err);
        }
    }
    n->s.histograms[value] = tensor;
    n->channels[value] = n->channel_storage[value];
    return value;
}

/* 3 x 3, with a bias. A weight belongs to its two channels wherever they are; `in` NULL: depthwise. */
static int add_ordered_conv(struct net *n, const char *name, int x, const struct order *in, const struct order *out,
                            enum activation_kind fused)
{
    struct graph *g = n->s.graph;
    float weights[MAX_CHANNELS * MAX_CHANNELS * TAPS], bias[MAX_CHANNELS];
    size_t per_group = in == NULL ? 1 : in->n, at = 0;
    int w, b, y;

    for (size_t o = 0; o < out->n; o++) {
        for (size_t i = 0; i < per_group; i++) {
            int id = in == NULL ? 0 : in->id[i], shift = in == NULL ? 0 : out->shift[o] - in->shift[i];

            draw_state = 88172645463325252u + (uint64_t)((name[0] * 8 + out->id[o]) * 8 + id) * 0x9e3779b97f4a7c15u;
            for (int t = 0; t < TAPS; t++)
                weights[at++] = (float)ldexp((double)(float)(draw_normal() * 0.1), shift);
        }
        bias[o] = (float)ldexp((double)(float)draw_normal(), out->shift[o]);
    }
    w = add_floats(g, SHAPE((int64_t)out->n, (int64_t)per_group, 3, 3), weights);
    b = add_floats(g, SHAPE((int64_t)out->n), bias);
    y = add_node(g, OP_CONV, name, INTS(x, w, b));
    last_node(g)->attr.conv.window = make_window(3, 1, 1);
    last_node(g)->attr.conv.group = in == NULL ? (int64_t)out->n : 1;
    last_node(g)->fused.kind = fused;
    return y;
}

static int add_max_pool(struct net *n, const char *name, int x, int64_t size)
{
    struct graph *g = n->s.graph;
    int y = add_node(g, OP_POOL, name, INTS(x));

    last_node(g)->attr.pool.kind = POOL_MAX;
    last_node(g)->attr.pool.window = make_window(2, 2, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = size;
    return y;
}

/* The orders of x, a and b are set. `dead`: a channel of b that never shows anything, or -1. */
static void build_net(struct net *n, int dead)
{
    struct graph *g = n->s.graph;
    struct order one[] = {plain_order(1), plain_order(4)};
    struct error err;

    n->of_t = joined(n->of_a, n->of_b);
    n->of_d = plain_order(5);
    n->x = observe_channels(n, add_input(g, "x", SHAPE(1, 3, 8, 8)), &n->of_x, false, -1);
    n->a = add_ordered_conv(n, "a", n->x, &n->of_x, &n->of_a, ACTIVATION_RELU);
    observe_channels(n, n->a, &n->of_a, true, -1);
    n->p = observe_channels(n, add_max_pool(n, "p", n->a, 4), &n->of_a, true, -1);
    n->b = add_ordered_conv(n, "b", n->p, &n->of_a, &n->of_b, ACTIVATION_RELU);
    observe_channels(n, n->b, &n->of_b, true, dead);
    n->c = add_ordered_conv(n, "c", n->b, &n->of_b, &n->of_a, ACTIVATION_NONE);
    observe_channels(n, n->c, &n->of_a, false, -1);
    n->s = (struct setting)n->s;
    {
        int sum = add_node(g, OP_BINARY, "s", INTS(n->p, n->c));

        last_node(g)->fused.kind = ACTIVATION_RELU;
        n->t = sum;
    }
    (void)one;
    (void)err;
}
