/* test_simulate_channels.c — a network with a scale per channel, simulated, against TNN's rules for integers written
 * down plainly: a concat copies codes, a max pool selects them, an Add rescales channel by channel.
 */
#include "worker/simulate.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <stdlib.h>

enum { X = 3, A = 4, B = 2, CAT = A + B, SIZE = 6, HALF = SIZE / 2, TAPS = 9, RECORDS = 2 };

/* conv+relu, max pool, depthwise conv, add, conv of two groups, concat. */
struct net {
    struct graph *graph;
    struct plan *plan;
    struct profile profile;
    int x, a, p, e, sum, b, cat;
};

static int add_conv(struct net *n, const char *name, int x, int64_t in, int64_t out, int64_t group, bool has_relu)
{
    float *zeros = calloc((size_t)(out * in / group) * TAPS, sizeof *zeros);
    int w = add_floats(n->graph, SHAPE(out, in / group, 3, 3), zeros), b = add_floats(n->graph, SHAPE(out), zeros);
    int y = add_node(n->graph, OP_CONV, name, INTS(x, w, b));

    last_node(n->graph)->attr.conv.window = make_window(3, 1, 1);
    last_node(n->graph)->attr.conv.group = group;
    last_node(n->graph)->fused.kind = has_relu ? ACTIVATION_RELU : ACTIVATION_NONE;
    free(zeros);
    return y;
}

static void draw_scales(struct net *n, int value, size_t channels)
{
    struct plan_value *p = &n->plan->values[value];

    p->is_quantized = true;
    p->codes = n->profile.signed_codes;
    p->n_scales = channels;
    p->scale = arena_create_array(n->plan->arena, channels, sizeof *p->scale, NULL);
    for (size_t c = 0; c < channels; c++)
        p->scale[c] = (float)draw_uniform(0.02, 0.32);
}

static void draw_codes(struct net *n, const char *name, size_t weights, size_t out, double step)
{
    struct plan_node *p = &n->plan->nodes[graph_find_node(n->graph, name)];

    p->is_quantized = true;
    p->n_weight_scales = out;
    p->weight_codes = arena_create_array(n->plan->arena, weights, sizeof *p->weight_codes, NULL);
    p->acc_scale = arena_create_array(n->plan->arena, out, sizeof *p->acc_scale, NULL);
    p->bias_codes = arena_create_array(n->plan->arena, out, sizeof *p->bias_codes, NULL);
    for (size_t i = 0; i < weights; i++)
        p->weight_codes[i] = (int16_t)((int)draw_below(255) - 127);
    for (size_t o = 0; o < out; o++) {
        p->acc_scale[o] = (float)draw_uniform(0.5 * step, 2 * step);
        p->bias_codes[o] = (int32_t)draw_below(2001) - 1000;
    }
}

static void make_plan(struct net *n)
{
    static const char *const moving[] = {"p", "sum", "cat"};
    struct error err;

    n->profile = (struct profile){.name = "test",
                                  .signed_codes = {-128, 127, 0},
                                  .requantization = REQUANTIZE_RATIO,
                                  .activation_rounding = ROUND_HALF_AWAY};
    n->plan = plan_create(n->graph, &n->profile, &err);
    assert_non_null(n->plan);
    draw_scales(n, n->x, X);
    draw_scales(n, n->a, A);
    n->plan->values[n->a].scale[1] = 0x1p-100F; /* a dead channel: what comes is clipped, and nothing overflows */
    n->plan->values[n->p] = n->plan->values[n->a];
    draw_scales(n, n->e, A);
    draw_scales(n, n->sum, A);
    draw_scales(n, n->b, B);
    draw_scales(n, n->cat, CAT);
    memcpy(n->plan->values[n->cat].scale, n->plan->values[n->sum].scale, A * sizeof(float));
    memcpy(n->plan->values[n->cat].scale + A, n->plan->values[n->b].scale, B * sizeof(float));
    draw_codes(n, "a", A * X * TAPS, A, 0.002);
    draw_codes(n, "e", A * TAPS, A, 0.002);
    draw_codes(n, "b", B * A / 2 * TAPS, B, 0.002);
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
        n->plan->nodes[graph_find_node(n->graph, moving[i])].is_quantized = true;
}

static void make_net(struct net *n)
{
    struct error err;

    n->graph = new_graph();
    n->x = add_input(n->graph, "x", SHAPE(1, X, SIZE, SIZE));
    n->a = add_conv(n, "a", n->x, X, A, 1, true);
    n->p = add_node(n->graph, OP_POOL, "p", INTS(n->a));
    last_node(n->graph)->attr.pool.kind = POOL_MAX;
    last_node(n->graph)->attr.pool.window = make_window(2, 2, 0);
    last_node(n->graph)->attr.pool.output[0] = last_node(n->graph)->attr.pool.output[1] = HALF;
    n->e = add_conv(n, "e", n->p, A, A, A, false);
    n->sum = add_node(n->graph, OP_BINARY, "sum", INTS(n->p, n->e));
    n->b = add_conv(n, "b", n->sum, A, B, 2, false);
    n->cat = add_node(n->graph, OP_CONCAT, "cat", INTS(n->sum, n->b));
    last_node(n->graph)->attr.axis = 1;
    assert_true(graph_add_output(n->graph, n->cat, &err) >= 0);
    assert_succeeds(graph_infer_shapes(n->graph, &err), err);
    make_plan(n);
}

/* ---- TNN's rules ---- */

/* Half away from zero, saturated. */
static int16_t rounded(float steps)
{
    float x = fmaxf(-128, fminf(127, steps + (steps >= 0 ? 0.5F : -0.5F)));

    return (int16_t)x;
}

static float scale_of(const struct net *n, int value, size_t channel)
{
    return n->plan->values[value].scale[channel];
}

static int64_t accumulate(const struct plan_node *p, const int16_t *x, size_t size, size_t o, size_t per_group,
                          size_t first, size_t pixel)
{
    int64_t sum = p->bias_codes[o];

    for (size_t i = 0; i < per_group; i++)
        for (size_t t = 0; t < TAPS; t++) {
            size_t row = pixel / size + t / 3, column = pixel % size + t % 3; /* one more than it is: the pad */

            if (row >= 1 && row <= size && column >= 1 && column <= size)
                sum += (int64_t)x[((first + i) * size + row - 1) * size + column - 1] *
                       p->weight_codes[(o * per_group + i) * TAPS + t];
        }
    return sum;
}

static void plain_conv(const struct net *n, const char *name, const int16_t *x, size_t size, int16_t *y)
{
    const struct node *node = find_node(n->graph, name);
    const struct plan_node *p = &n->plan->nodes[graph_find_node(n->graph, name)];
    const struct shape *w = &n->graph->values[node->inputs[1]].shape;
    size_t out = (size_t)w->dims[0], per_group = (size_t)w->dims[1], groups = (size_t)node->attr.conv.group;

    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < size * size; i++) {
            int64_t sum = accumulate(p, x, size, o, per_group, o / (out / groups) * per_group, i);
            float steps = (float)sum * (p->acc_scale[o] / scale_of(n, node->outputs[0], o));

            if (node->fused.kind == ACTIVATION_RELU)
                steps = steps > 0 ? steps : 0;
            y[o * size * size + i] = rounded(steps);
        }
}

static void plain_max_pool(const int16_t *x, int16_t *y)
{
    for (size_t i = 0; i < A * HALF * HALF; i++) {
        const int16_t *at = x + i / (HALF * HALF) * SIZE * SIZE + i / HALF % HALF * 2 * SIZE + i % HALF * 2;
        int16_t first = at[0] > at[1] ? at[0] : at[1], second = at[SIZE] > at[SIZE + 1] ? at[SIZE] : at[SIZE + 1];

        y[i] = first > second ? first : second;
    }
}

static void plain_add(const struct net *n, const int16_t *p, const int16_t *e, int16_t *y)
{
    for (size_t i = 0; i < A * HALF * HALF; i++) {
        size_t c = i / (HALF * HALF);
        float sum = scale_of(n, n->p, c) * (float)p[i] + scale_of(n, n->e, c) * (float)e[i];

        y[i] = rounded(sum / scale_of(n, n->sum, c));
    }
}

static void assert_codes(struct simulator *s, int value, const int16_t *expected, size_t record, size_t elements)
{
    const int16_t *found = simulator_codes(s, value);

    assert_non_null(found);
    assert_memory_equal(found + record * elements, expected, elements * sizeof *expected);
}

/* Codes of one record after every node, recomputed from the simulator's own input codes. */
struct plain {
    int16_t x[X * SIZE * SIZE], a[A * SIZE * SIZE], p[A * HALF * HALF], e[A * HALF * HALF], sum[A * HALF * HALF],
        b[B * HALF * HALF];
};

static void compute_plainly(const struct net *n, struct plain *r)
{
    plain_conv(n, "a", r->x, SIZE, r->a);
    plain_max_pool(r->a, r->p);
    plain_conv(n, "e", r->p, HALF, r->e);
    plain_add(n, r->p, r->e, r->sum);
    plain_conv(n, "b", r->sum, HALF, r->b);
}

static void every_node_gives_the_codes_of_tnns_rules(void **state)
{
    static float x[RECORDS * X * SIZE * SIZE];
    const float *inputs[] = {x};
    struct plain plain[RECORDS];
    size_t n_saturated = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct simulator *s;
        struct error err;
        struct net n;

        make_net(&n);
        s = simulator_create(n.plan, RECORDS, &err);
        assert_non_null(s);
        for (size_t i = 0; i < sizeof x / sizeof *x; i++)
            x[i] = (float)(draw_normal() * 8);
        assert_succeeds(simulator_begin(s, inputs, RECORDS, &err), err);
        for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
            int16_t code = rounded(x[i] / scale_of(&n, n.x, i / (SIZE * SIZE) % X));

            plain[i / (X * SIZE * SIZE)].x[i % (X * SIZE * SIZE)] = code;
            n_saturated += code == 127 || code == -128;
        }
        for (size_t r = 0; r < RECORDS; r++) {
            assert_codes(s, n.x, plain[r].x, r, X * SIZE * SIZE);
            compute_plainly(&n, &plain[r]);
        }
        for (size_t node = 0; node < n.graph->n_nodes; node++) {
            assert_succeeds(simulator_step(s, (int)node, &err), err);
            for (size_t r = 0; r < RECORDS; r++) {
                const int16_t *const codes[] = {plain[r].a, plain[r].p, plain[r].e, plain[r].sum, plain[r].b};
                int value = n.graph->nodes[node].outputs[0];

                if (value != n.cat)
                    assert_codes(s, value, codes[node], r, (size_t)shape_elements(&n.graph->values[value].shape));
            }
        }
        for (size_t r = 0; r < RECORDS; r++) { /* bytes, copied */
            assert_memory_equal(simulator_codes(s, n.cat) + r * CAT * HALF * HALF, plain[r].sum, sizeof plain[r].sum);
            assert_memory_equal(simulator_codes(s, n.cat) + r * CAT * HALF * HALF + A * HALF * HALF, plain[r].b,
                                sizeof plain[r].b);
        }
        simulator_destroy(s);
        plan_destroy(n.plan);
        graph_destroy(n.graph);
    }
    assert_true(n_saturated > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_gives_the_codes_of_tnns_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
