/* plan_setting.h — made-up networks with made-up statistics, for the tests of plan_decide.h.
 */
#ifndef ETALON_TESTS_PLAN_SETTING_H
#define ETALON_TESTS_PLAN_SETTING_H

#include "../common/build_graph.h"
#include "../common/draw.h"
#include "coordinator/plan_decide.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_VALUES = 64 };

#define OPS(...) ops_mask((enum op[]){__VA_ARGS__}, sizeof((enum op[]){__VA_ARGS__}) / sizeof(enum op))

static inline uint32_t ops_mask(const enum op *ops, size_t n)
{
    uint32_t mask = 0;

    for (size_t i = 0; i < n; i++)
        mask |= (uint32_t)1 << ops[i];
    return mask;
}

static inline struct profile test_profile(void)
{
    return (struct profile){
        .name = "test",
        .signed_codes = {-128, 127, 0},
        .unsigned_codes = {0, 255, 0},
        .signed_steps = 127,
        .unsigned_steps = 255,
        .weight_limit = 127,
        .per_channel_weights = true,
        .integer_bias = true,
        .bias_rounding = ROUND_HALF_EVEN,
        .quantized_ops = OPS(OP_CONV, OP_DECONV, OP_DENSE, OP_BINARY, OP_POOL),
        .transparent_ops = OPS(OP_POOL, OP_RESHAPE, OP_TRANSPOSE),
        .concat_shares_scale = true,
    };
}

/* A network under construction and, beside it, the statistics of its values. */
struct setting {
    struct profile profile;
    struct graph *graph;
    struct plan *plan;
    struct histogram storage[MAX_VALUES];
    const struct histogram *histograms[MAX_VALUES];
};

static inline struct setting new_setting(void)
{
    draw_state = 88172645463325252u;
    return (struct setting){.profile = test_profile(), .graph = new_graph()};
}

static inline void end_setting(struct setting *s)
{
    plan_destroy(s->plan);
    for (size_t i = 0; i < MAX_VALUES; i++)
        histogram_fini(&s->storage[i]);
    graph_destroy(s->graph);
}

/* Makes the statistics of `value`: normal values of that deviation, or their positive part. */
static inline int observe(struct setting *s, int value, double deviation, bool is_positive)
{
    struct histogram *h = &s->storage[value];
    struct error err;

    assert_succeeds(histogram_init(h, 2048, &err), err);
    for (int i = 0; i < 3000; i++) {
        float x = (float)(draw_normal() * deviation);

        x = is_positive ? fmaxf(x, 0) : x;
        assert_succeeds(histogram_observe(h, &x, 1, &err), err);
    }
    s->histograms[value] = h;
    return value;
}

static inline int add_random_floats(struct graph *graph, struct shape shape)
{
    size_t n = (size_t)shape_elements(&shape);
    float *data = malloc(n * sizeof *data);
    int value;

    assert_non_null(data);
    for (size_t i = 0; i < n; i++)
        data[i] = (float)(draw_normal() * 0.1);
    value = add_floats(graph, shape, data);
    free(data);
    return value;
}

/* 3 x 3, `in` to `out` channels, with bias. */
static inline int add_conv(struct graph *graph, const char *name, int x, int64_t in, int64_t out,
                           enum activation_kind fused)
{
    int w = add_random_floats(graph, SHAPE(out, in, 3, 3)), b = add_random_floats(graph, SHAPE(out));
    int y = add_node(graph, OP_CONV, name, INTS(x, w, b));

    last_node(graph)->attr.conv.window = make_window(3, 1, 1);
    last_node(graph)->attr.conv.group = 1;
    last_node(graph)->fused.kind = fused;
    return y;
}

static inline int add_pool(struct graph *graph, const char *name, int x, enum pool_kind kind, bool is_global)
{
    int y = add_node(graph, OP_POOL, name, INTS(x));

    last_node(graph)->attr.pool.kind = kind;
    last_node(graph)->attr.pool.is_global = is_global;
    last_node(graph)->attr.pool.window = make_window(is_global ? 4 : 2, 2, 0);
    last_node(graph)->attr.pool.output[0] = last_node(graph)->attr.pool.output[1] = is_global ? 1 : 4;
    return y;
}

static inline int add_dense(struct graph *graph, const char *name, int x, int64_t in, int64_t out)
{
    int w = add_random_floats(graph, SHAPE(out, in)), b = add_random_floats(graph, SHAPE(out));

    return add_node(graph, OP_DENSE, name, INTS(x, w, b));
}

static inline void begin_plan(struct setting *s)
{
    struct error err;

    assert_true(s->graph->n_values <= MAX_VALUES);
    s->plan = plan_create(s->graph, &s->profile, &err);
    assert_non_null(s->plan);
}

static inline void decide(struct setting *s, const char *activations, const char *weights)
{
    struct error err;

    begin_plan(s);
    assert_succeeds(plan_decide_values(s->plan, s->histograms, activations, 0.999, &err), err);
    assert_succeeds(plan_decide_weights(s->plan, weights, &err), err);
}

#endif
