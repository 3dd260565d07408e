/* channel_net.h — a network whose channels differ a thousandfold, decided with a scale per channel; of which its
 * channels may stand in another order. */
#ifndef ETALON_TESTS_CHANNEL_NET_H
#define ETALON_TESTS_CHANNEL_NET_H

#include "coordinator/plan_decide.h"
#include "coordinator/plan_groups.h"
#include "coordinator/plan_mark.h"
#include "formats/target.h"
#include "plan_setting.h"

#include <float.h>
#include <stdio.h>

enum { MAX_CHANNELS = 8, TAPS = 9 };

/* The channels of a value: which one of the network each is, and by which power of two it is multiplied. */
struct order {
    size_t n;
    int id[MAX_CHANNELS], shift[MAX_CHANNELS];
};

static inline struct order plain_order(size_t n)
{
    struct order order = {.n = n};

    for (size_t c = 0; c < n; c++)
        order.id[c] = (int)c;
    return order;
}

static inline struct order joined(struct order a, struct order b)
{
    struct order order = {.n = a.n + b.n};

    for (size_t c = 0; c < order.n; c++) {
        order.id[c] = c < a.n ? a.id[c] : (int)a.n + b.id[c - a.n];
        order.shift[c] = c < a.n ? a.shift[c] : b.shift[c - a.n];
    }
    return order;
}

/* Where channel `id` of the network is. */
static inline size_t place_of(const struct order *order, int id)
{
    for (size_t c = 0; c < order->n; c++) {
        if (order->id[c] == id)
            return c;
    }
    fail();
    return 0;
}

/* conv+relu, max pool, conv+relu, conv, add+relu, concat, max pool, depthwise conv, conv, average pool, reshape, dense,
 * softmax. The order of its channels is free. */
struct net {
    struct setting set;
    struct histogram channel_storage[MAX_VALUES][MAX_CHANNELS];
    const struct histogram *channels[MAX_VALUES];
    struct order of_x, of_a, of_b; /* a, p, c and sum have the same */
    struct order of_cat, of_d;     /* cat, m and e */
    int x, a, p, b, c, sum, cat, m, e, d, u, r, v, y;
};

/* Statistics of a value whose channel `id` is always the same up to its power of two; of 0 alone where id is `dead`. */
static inline int observe_channels(struct net *n, int value, const struct order *order, bool is_positive, int dead)
{
    struct histogram *tensor = &n->set.storage[value];
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
    n->set.histograms[value] = tensor;
    n->channels[value] = n->channel_storage[value];
    return value;
}

/* 3 x 3, with a bias. A weight belongs to its two channels wherever they are. `in` NULL: depthwise. */
static inline int add_ordered_conv(struct net *n, const char *name, int x, const struct order *in,
                                   const struct order *out, enum activation_kind fused)
{
    struct graph *g = n->set.graph;
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
        bias[o] = (float)ldexp(0.25 * (1 + out->id[o]), out->shift[o]);
    }
    w = add_floats(g, SHAPE((int64_t)out->n, (int64_t)per_group, 3, 3), weights);
    b = add_floats(g, SHAPE((int64_t)out->n), bias);
    y = add_node(g, OP_CONV, name, INTS(x, w, b));
    last_node(g)->attr.conv.window = make_window(3, 1, 1);
    last_node(g)->attr.conv.group = in == NULL ? (int64_t)out->n : 1;
    last_node(g)->fused.kind = fused;
    return y;
}

static inline int add_max_pool(struct net *n, const char *name, int x, int64_t size)
{
    struct graph *g = n->set.graph;
    int y = add_node(g, OP_POOL, name, INTS(x));

    last_node(g)->attr.pool.kind = POOL_MAX;
    last_node(g)->attr.pool.window = make_window(2, 2, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = size;
    return y;
}

static inline void add_classifier(struct net *n)
{
    struct order classes = plain_order(3);
    struct graph *g = n->set.graph;
    struct error err;

    n->u = observe_channels(n, add_node(g, OP_POOL, "u", INTS(n->d)), &n->of_d, false, -1);
    last_node(g)->attr.pool.kind = POOL_AVERAGE;
    last_node(g)->attr.pool.is_global = true;
    last_node(g)->attr.pool.window = make_window(2, 1, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = 1;
    n->r = observe_channels(n, add_node(g, OP_RESHAPE, "r", INTS(n->u)), &n->of_d, false, -1);
    g->values[n->r].shape = SHAPE(1, 5);
    g->values[n->r].has_shape = true;
    n->v = observe_channels(n, add_dense(g, "v", n->r, 5, 3), &classes, false, -1);
    n->y = add_node(g, OP_SOFTMAX, "y", INTS(n->v));
    last_node(g)->attr.softmax.axis = 1;
    assert_true(graph_add_output(g, n->y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
}

/* The orders of x, a and b are set. `dead`: a channel of b that never shows anything, or -1. */
static inline void build_net(struct net *n, int dead)
{
    struct graph *g = n->set.graph;

    n->of_cat = joined(n->of_a, n->of_b);
    n->of_d = plain_order(5);
    n->x = observe_channels(n, add_input(g, "x", SHAPE(1, 3, 8, 8)), &n->of_x, false, -1);
    n->a = observe_channels(n, add_ordered_conv(n, "a", n->x, &n->of_x, &n->of_a, ACTIVATION_RELU), &n->of_a, true, -1);
    n->p = observe_channels(n, add_max_pool(n, "p", n->a, 4), &n->of_a, true, -1);
    n->b =
        observe_channels(n, add_ordered_conv(n, "b", n->p, &n->of_a, &n->of_b, ACTIVATION_RELU), &n->of_b, true, dead);
    n->c =
        observe_channels(n, add_ordered_conv(n, "c", n->b, &n->of_b, &n->of_a, ACTIVATION_NONE), &n->of_a, false, -1);
    n->sum = add_node(g, OP_BINARY, "sum", INTS(n->p, n->c));
    last_node(g)->fused.kind = ACTIVATION_RELU;
    observe_channels(n, n->sum, &n->of_a, true, -1);
    n->cat = add_node(g, OP_CONCAT, "cat", INTS(n->sum, n->b));
    last_node(g)->attr.axis = 1;
    dead = dead < 0 ? -1 : (int)n->of_a.n + dead;
    observe_channels(n, n->cat, &n->of_cat, true, dead);
    n->m = observe_channels(n, add_max_pool(n, "m", n->cat, 2), &n->of_cat, true, dead);
    n->e =
        observe_channels(n, add_ordered_conv(n, "e", n->m, NULL, &n->of_cat, ACTIVATION_NONE), &n->of_cat, false, -1);
    n->d =
        observe_channels(n, add_ordered_conv(n, "d", n->e, &n->of_cat, &n->of_d, ACTIVATION_NONE), &n->of_d, false, -1);
    add_classifier(n);
}

static inline struct net *new_net(void)
{
    struct net *n = calloc(1, sizeof *n);

    assert_non_null(n);
    n->set = new_setting();
    n->set.profile = *target_find("tnn")->profile;
    n->of_x = plain_order(3);
    n->of_a = plain_order(4);
    n->of_b = plain_order(3);
    return n;
}

static inline void end_net(struct net *n)
{
    for (size_t v = 0; v < MAX_VALUES; v++) {
        for (size_t c = 0; c < MAX_CHANNELS; c++)
            histogram_fini(&n->channel_storage[v][c]);
    }
    end_setting(&n->set);
    free(n);
}

/* What decide.c does, in one process. `means` as in plan_choices. */
static inline void decide_channels(struct net *n, const char *activations, const char *weights,
                                   const double *const *means)
{
    struct plan_choices choices = {.activations = threshold_method_find(activations),
                                   .percentile = 0.999,
                                   .weights = weight_method_find(weights),
                                   .channel_histograms = n->channels,
                                   .input_means = means};
    const struct threshold_job *jobs;
    const struct weight_job *weight_jobs;
    struct threshold_result results[MAX_VALUES * MAX_CHANNELS];
    float scales[MAX_VALUES * MAX_CHANNELS];
    struct error err;
    size_t n_jobs;

    begin_plan(&n->set);
    assert_succeeds(plan_threshold_jobs(n->set.plan, n->set.histograms, &choices, &jobs, &n_jobs, &err), err);
    assert_true(n_jobs <= MAX_VALUES * MAX_CHANNELS);
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_threshold_search(&jobs[i], &results[i], &err), err);
    assert_succeeds(plan_apply_thresholds(n->set.plan, jobs, n_jobs, results, &err), err);
    assert_succeeds(plan_weight_jobs(n->set.plan, &choices, &weight_jobs, &n_jobs, &err), err);
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_weight_search(n->set.plan, &weight_jobs[i], &choices, &scales[i], &err), err);
    assert_succeeds(plan_apply_weights(n->set.plan, &choices, weight_jobs, n_jobs, scales, &err), err);
}

static inline const struct plan_value *planned(const struct net *n, int value)
{
    assert_true(n->set.plan->values[value].is_quantized);
    return &n->set.plan->values[value];
}

static inline const struct plan_node *planned_node(const struct net *n, const char *name)
{
    return &n->set.plan->nodes[graph_find_node(n->set.graph, name)];
}

#endif
