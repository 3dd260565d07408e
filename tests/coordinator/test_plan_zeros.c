/* test_plan_zeros.c — zero points hidden in biases: which values have them, and that arithmetic without zero points
 * gives the codes that the simulator gives.
 */
#include "plan_setting.h"

#include "worker/simulate.h"

#include <string.h>

enum { SIZE = 6, CHANNELS = 5, CLASSES = 3, RECORDS = 4 };

/* x -> a -> b -> c -> p -> r -> v: pads before a and c only. */
struct chain {
    int x, a, b, c, p, r, v;
};

static struct profile blind_profile(void)
{
    struct profile p = test_profile();

    p.unsigned_codes = (struct code_range){-128, 127, -128};
    p.zero_points_in_biases = true;
    p.requantization = REQUANTIZE_RATIO;
    p.activation_rounding = p.bias_rounding = ROUND_HALF_AWAY;
    p.quantized_ops = OPS(OP_CONV, OP_DENSE);
    p.transparent_ops = OPS(OP_RESHAPE);
    return p;
}

static int add_layer(struct setting *s, const char *name, int x, int64_t in, int64_t kernel, struct activation fused)
{
    struct graph *g = s->graph;
    int w = add_random_floats(g, SHAPE(CHANNELS, in, kernel, kernel)), b = add_random_floats(g, SHAPE(CHANNELS));
    int y = add_node(g, OP_CONV, name, INTS(x, w, b));

    last_node(g)->attr.conv.window = make_window(kernel, 1, kernel / 2);
    last_node(g)->attr.conv.group = 1;
    last_node(g)->fused = fused;
    return observe(s, y, 0.6, fused.kind != ACTIVATION_NONE);
}

static struct chain add_chain(struct setting *s)
{
    const struct activation relu = {.kind = ACTIVATION_RELU}, clip = {ACTIVATION_CLIP, 0, 1};
    struct graph *g = s->graph;
    struct chain n;
    struct error err;

    n.x = observe(s, add_input(g, "x", SHAPE(1, 2, SIZE, SIZE)), 1, false);
    n.a = add_layer(s, "a", n.x, 2, 3, relu);
    n.b = add_layer(s, "b", n.a, CHANNELS, 1, relu);
    n.c = add_layer(s, "c", n.b, CHANNELS, 3, clip);
    n.p = observe(s, add_node(g, OP_POOL, "p", INTS(n.c)), 0.3, true);
    last_node(g)->attr.pool.kind = POOL_AVERAGE;
    last_node(g)->attr.pool.is_global = true;
    last_node(g)->attr.pool.window = make_window(SIZE, 1, 0);
    last_node(g)->attr.pool.output[0] = last_node(g)->attr.pool.output[1] = 1;
    n.r = observe(s, add_node(g, OP_RESHAPE, "r", INTS(n.p)), 0.3, true);
    g->values[n.r].shape = SHAPE(1, CHANNELS);
    g->values[n.r].has_shape = true;
    n.v = observe(s, add_dense(g, "v", n.r, CHANNELS, CLASSES), 2, false);
    assert_true(graph_add_output(g, n.v, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
    return n;
}

static bool hides(const struct setting *s, int value)
{
    const struct plan_value *v = &s->plan->values[value];

    assert_int_equal(v->hides_zero_point, v->codes.zero_point != 0);
    return v->hides_zero_point;
}

static void what_relu_makes_and_no_pad_meets_hides_its_zero_point(void **state)
{
    struct setting s = new_setting();
    struct chain n;

    (void)state;
    s.profile = blind_profile();
    n = add_chain(&s);
    decide(&s, "mse", "maxabs");
    assert_false(hides(&s, n.x)); /* no layer makes it */
    assert_true(hides(&s, n.a));
    assert_false(hides(&s, n.b)); /* c pads it */
    assert_true(hides(&s, n.c) && hides(&s, n.p) && hides(&s, n.r));
    assert_true(s.plan->values[n.c].scale[0] == s.plan->values[n.r].scale[0]); /* a zero point is so many steps */
    assert_false(hides(&s, n.v));                                              /* an output */
    end_setting(&s);
}

static void any_other_reader_forbids_it(void **state)
{
    struct setting s = new_setting();
    struct chain n;
    struct error err;

    (void)state;
    s.profile = blind_profile();
    n = add_chain(&s);
    assert_true(graph_add_output(s.graph, n.a, &err) >= 0);
    assert_true(graph_add_output(s.graph, n.p, &err) >= 0);
    decide(&s, "mse", "maxabs");
    assert_false(hides(&s, n.a) || hides(&s, n.c) || hides(&s, n.p) || hides(&s, n.r));
    end_setting(&s);
}

static void other_targets_are_left_alone(void **state)
{
    struct setting s = new_setting();
    struct chain n = add_chain(&s);

    (void)state;
    decide(&s, "mse", "maxabs");
    for (int v = n.x; v <= n.v; v++)
        assert_false(s.plan->values[v].hides_zero_point);
    end_setting(&s);
}

/* ---- a target that knows scales only ---- */

static int32_t round_and_saturate(float y)
{
    float rounded = truncf(y + (y < 0 ? -0.5F : 0.5F)); /* far from where adding 0.5 rounds */

    return (int32_t)fminf(fmaxf(rounded, -128), 127);
}

/* Codes of one layer: symmetric arithmetic, whatever the codes stand for. ReLU where nothing is hidden. */
static void run_layer(const struct setting *s, int n, const int32_t *in, size_t size, int32_t *out)
{
    const struct node *node = &s->graph->nodes[n];
    const struct plan_node *p = &s->plan->nodes[n];
    const struct plan_value *output = &s->plan->values[node->outputs[0]];
    const struct shape *w = &s->graph->values[node->inputs[1]].shape;
    size_t kernel = node->op == OP_CONV ? (size_t)w->dims[2] : 1, row = (size_t)w->dims[1] * kernel * kernel;

    for (size_t c = 0; c < (size_t)w->dims[0]; c++) {
        int64_t bias = p->bias_codes[c] + plan_output_offset(s->plan, n, c) + plan_input_offset(s->plan, n, c);
        float ratio = p->acc_scale[c] / output->scale[0];

        for (size_t at = 0; at < size * size; at++) {
            int64_t sum = bias;
            float y;

            for (size_t k = 0; k < row; k++) {
                int64_t i = (int64_t)(at / size + k / kernel % kernel) - (int64_t)(kernel / 2);
                int64_t j = (int64_t)(at % size + k % kernel) - (int64_t)(kernel / 2);
                size_t channel = k / kernel / kernel;

                if (i >= 0 && j >= 0 && i < (int64_t)size && j < (int64_t)size)
                    sum += p->weight_codes[c * row + k] * in[(channel * size + (size_t)i) * size + (size_t)j];
            }
            y = (float)sum * ratio;
            if (!output->hides_zero_point && node->fused.kind != ACTIVATION_NONE)
                y = fmaxf(y, 0);
            out[c * size * size + at] = round_and_saturate(y);
        }
    }
}

/* The average pool is in float there: from and to codes by scale alone. */
static void average(const struct setting *s, const struct chain *n, const int32_t *in, int32_t *out)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        double sum = 0;

        for (size_t i = 0; i < SIZE * SIZE; i++)
            sum += (double)(s->plan->values[n->c].scale[0] * (float)in[c * SIZE * SIZE + i]);
        out[c] = round_and_saturate((float)(sum / (SIZE * SIZE)) / s->plan->values[n->p].scale[0]);
    }
}

static void assert_codes(struct simulator *sim, const struct setting *s, int value, const int32_t *expected, size_t n)
{
    const int16_t *found = simulator_codes(sim, value);

    assert_non_null(found);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(found[i] + s->plan->values[value].codes.zero_point, expected[i]);
}

static void run_both(struct setting *s, const struct chain *n)
{
    enum { MOST = CHANNELS * SIZE * SIZE };
    float x[2 * SIZE * SIZE], scale = s->plan->values[n->x].scale[0];
    const float *inputs[] = {x};
    int32_t codes[2][MOST];
    int values[] = {n->a, n->b, n->c};
    struct error err;
    struct simulator *sim = simulator_create(s->plan, 1, &err);

    assert_non_null(sim);
    for (size_t i = 0; i < 2 * SIZE * SIZE; i++) {
        x[i] = (float)draw_normal();
        codes[0][i] = round_and_saturate(x[i] / scale);
    }
    assert_succeeds(simulator_begin(sim, inputs, 1, &err), err);
    for (size_t k = 0; k < 3; k++) {
        run_layer(s, (int)k, codes[k % 2], SIZE, codes[1 - k % 2]);
        assert_succeeds(simulator_step(sim, (int)k, &err), err);
        assert_codes(sim, s, values[k], codes[1 - k % 2], MOST);
    }
    average(s, n, codes[1], codes[0]);
    assert_succeeds(simulator_step(sim, 3, &err), err);
    assert_codes(sim, s, n->p, codes[0], CHANNELS);
    assert_succeeds(simulator_step(sim, 4, &err), err);
    run_layer(s, 5, codes[0], 1, codes[1]);
    assert_succeeds(simulator_step(sim, 5, &err), err);
    assert_codes(sim, s, n->v, codes[1], CLASSES);
    simulator_destroy(sim);
}

static void arithmetic_without_zero_points_gives_the_simulated_codes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct setting s = new_setting();
        struct chain n;

        draw_state = seed * 0x9E3779B97F4A7C15u;
        s.profile = blind_profile();
        n = add_chain(&s);
        decide(&s, "mse", "sweep");
        for (int i = 0; i < RECORDS; i++)
            run_both(&s, &n);
        end_setting(&s);
    }
}

/* All 256 codes serve: half the step that the same threshold would have with 127 steps. */
static void a_hidden_zero_point_halves_the_step(void **state)
{
    struct setting s = new_setting();
    struct chain n;

    (void)state;
    s.profile = blind_profile();
    n = add_chain(&s);
    decide(&s, "minmax", "maxabs");
    assert_true(s.plan->values[n.a].scale[0] == histogram_abs_max(s.histograms[n.a]) / 255);
    assert_true(s.plan->values[n.b].scale[0] == histogram_abs_max(s.histograms[n.b]) / 127);
    end_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_relu_makes_and_no_pad_meets_hides_its_zero_point),
        cmocka_unit_test(any_other_reader_forbids_it),
        cmocka_unit_test(other_targets_are_left_alone),
        cmocka_unit_test(arithmetic_without_zero_points_gives_the_simulated_codes),
        cmocka_unit_test(a_hidden_zero_point_halves_the_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
