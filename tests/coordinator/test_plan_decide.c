/* Tests of plan_decide.h on small made-up networks with made-up statistics. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_mark.h"
#include "plan_setting.h"

#include <float.h>

static bool is_integer_node(const struct setting *s, const char *name)
{
    return s->plan->nodes[graph_find_node(s->graph, name)].is_quantized;
}

static void assert_one_scale(const struct setting *s, const int *values, size_t n, int scale_from, bool is_unsigned)
{
    for (size_t i = 0; i < n; i++) {
        const struct plan_value *value = &s->plan->values[values[i]], *first = &s->plan->values[values[0]];
        int32_t steps = is_unsigned ? s->profile.unsigned_steps : s->profile.signed_steps;

        assert_true(value->is_quantized);
        assert_int_equal(value->is_unsigned, is_unsigned);
        assert_int_equal(value->scale_from, scale_from);
        assert_int_equal(value->n_scales, 1);
        assert_true(value->scale[0] == first->scale[0]);
        assert_true(value->scale[0] == value->threshold[0] / (float)steps);
        assert_int_equal(value->codes.lo, is_unsigned ? s->profile.unsigned_codes.lo : s->profile.signed_codes.lo);
    }
}

/* What the method makes of these statistics counted together. */
static float threshold_of(const struct setting *s, const char *method, const int *values, size_t n, bool is_unsigned)
{
    struct histogram together = {0};
    struct threshold_request request = {
        .histogram = &together, .steps = is_unsigned ? 255 : 127, .is_unsigned = is_unsigned, .percentile = 0.999};
    char decided[PLAN_METHOD_BYTES];
    struct error err;
    float threshold;

    assert_succeeds(histogram_init(&together, 2048, &err), err);
    for (size_t i = 0; i < n; i++)
        assert_succeeds(histogram_merge(&together, s->histograms[values[i]], &err), err);
    assert_succeeds(threshold_decide(threshold_method_find(method), &request, &threshold, decided, &err), err);
    histogram_fini(&together);
    return threshold;
}

/* conv+relu, max pool, conv+relu, conv, add, concat, average pool, reshape, dense, softmax. */
struct residual {
    int x, a, p, b, c, s, t, u, r, v, y;
};

static struct residual add_residual(struct setting *s)
{
    struct graph *g = s->graph;
    struct residual n;
    struct error err;

    n.x = observe(s, add_input(g, "x", SHAPE(1, 3, 8, 8)), 1, false);
    n.a = observe(s, add_conv(g, "a", n.x, 3, 4, ACTIVATION_RELU), 2, true);
    n.p = observe(s, add_pool(g, "p", n.a, POOL_MAX, false), 1.9, true);
    n.b = observe(s, add_conv(g, "b", n.p, 4, 4, ACTIVATION_RELU), 0.7, true);
    n.c = observe(s, add_conv(g, "c", n.b, 4, 4, ACTIVATION_NONE), 0.5, false);
    n.s = observe(s, add_node(g, OP_BINARY, "s", INTS(n.p, n.c)), 3, true);
    last_node(g)->fused.kind = ACTIVATION_RELU;
    n.t = observe(s, add_node(g, OP_CONCAT, "t", INTS(n.s, n.b)), 2.5, true);
    last_node(g)->attr.axis = 1;
    n.u = observe(s, add_pool(g, "u", n.t, POOL_AVERAGE, true), 0.8, true);
    n.r = observe(s, add_node(g, OP_RESHAPE, "r", INTS(n.u)), 0.8, true);
    g->values[n.r].shape = SHAPE(1, 8);
    g->values[n.r].has_shape = true;
    n.v = observe(s, add_dense(g, "v", n.r, 8, 5), 10, false);
    n.y = observe(s, add_node(g, OP_SOFTMAX, "y", INTS(n.v)), 0.2, true);
    last_node(g)->attr.softmax.axis = 1;
    assert_true(graph_add_output(g, n.y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
    return n;
}

static void a_residual_network_is_planned_as_the_profile_says(void **state)
{
    static const char *const on_integers[] = {"a", "p", "b", "c", "s", "t", "u", "r", "v"};
    struct setting s = new_setting();
    struct residual n = add_residual(&s);

    (void)state;
    decide(&s, "mse", "sweep");
    for (size_t i = 0; i < sizeof on_integers / sizeof *on_integers; i++)
        assert_true(is_integer_node(&s, on_integers[i]));
    assert_false(is_integer_node(&s, "y"));
    assert_false(s.plan->values[n.y].is_quantized);

    assert_one_scale(&s, INTS(n.x), n.x, false);
    assert_one_scale(&s, INTS(n.a, n.p), n.p, true); /* max pool: only its output is read */
    assert_one_scale(&s, INTS(n.c), n.c, false);
    assert_one_scale(&s, INTS(n.s, n.b, n.t), n.t, true); /* concat; a convolution reads b as well */
    assert_one_scale(&s, INTS(n.u, n.r), n.r, true);
    assert_one_scale(&s, INTS(n.v), n.v, false);

    assert_true(s.plan->values[n.a].threshold[0] == threshold_of(&s, "mse", INTS(n.p), true));
    assert_true(s.plan->values[n.s].threshold[0] == threshold_of(&s, "mse", INTS(n.b, n.t), true));
    assert_true(s.plan->values[n.x].threshold[0] == threshold_of(&s, "mse", INTS(n.x), false));
    assert_string_equal(s.plan->values[n.x].method, "mse");
    /* The logits are read by softmax: never clipped. */
    assert_string_equal(s.plan->values[n.v].method, "minmax (logits)");
    assert_true(s.plan->values[n.v].threshold[0] == histogram_abs_max(s.histograms[n.v]));
    end_setting(&s);
}

static void zero_points_move_where_that_gains_and_is_allowed(void **state)
{
    (void)state;
    for (int is_fixed = 0; is_fixed < 2; is_fixed++) {
        struct setting s = new_setting();
        struct residual n = add_residual(&s);
        struct plan_choices choices = {.activations = threshold_method_find("minmax"), .fixes_zero_points = is_fixed};
        const struct threshold_job *jobs;
        struct threshold_result results[MAX_VALUES];
        struct histogram *h = &s.storage[n.c];
        const float low = -0.25F, high = 30;
        size_t n_jobs;
        struct error err;

        /* One sign is rare: of "c", of the logits, and of what the concat reads; and of an input all are alike. */
        assert_succeeds(histogram_observe(h, &high, 1, &err), err);
        assert_succeeds(histogram_observe(&s.storage[n.v], &(float){200}, 1, &err), err);
        assert_succeeds(histogram_observe(&s.storage[n.b], &low, 1, &err), err);
        s.profile.affine_activations = true;
        begin_plan(&s);
        assert_succeeds(plan_threshold_jobs(s.plan, s.histograms, &choices, &jobs, &n_jobs, &err), err);
        for (size_t i = 0; i < n_jobs; i++)
            assert_succeeds(plan_threshold_search(&jobs[i], &results[i], &err), err);
        assert_succeeds(plan_apply_thresholds(s.plan, jobs, n_jobs, results, &err), err);
        assert_int_equal(s.plan->values[n.c].codes.zero_point != 0, !is_fixed);
        assert_int_equal(s.plan->values[n.b].codes.zero_point != 0, !is_fixed);
        assert_int_equal(s.plan->values[n.t].codes.zero_point, s.plan->values[n.b].codes.zero_point);
        assert_int_equal(s.plan->values[n.s].codes.zero_point, s.plan->values[n.b].codes.zero_point);
        assert_true(s.plan->values[n.t].scale[0] == s.plan->values[n.b].scale[0]);
        assert_int_equal(s.plan->values[n.x].codes.zero_point, 0);
        assert_int_equal(s.plan->values[n.v].codes.zero_point, 0);
        if (!is_fixed)
            assert_true((float)(127 - s.plan->values[n.c].codes.zero_point) * s.plan->values[n.c].scale[0] >=
                        0.999F * high);
        end_setting(&s);
    }
}

static void a_long_sum_keeps_the_zero_point_of_what_it_reads(void **state)
{
    (void)state;
    for (int is_long = 0; is_long < 2; is_long++) {
        struct setting s = new_setting();
        const int64_t length = is_long ? 33156 : 33155;
        int x = observe(&s, add_input(s.graph, "x", SHAPE(1, length)), 1, false);
        int y = observe(&s, add_dense(s.graph, "y", x, length, 2), 1, false);
        int z = observe(&s, add_dense(s.graph, "z", y, 2, 2), 1, false);
        struct error err;

        assert_true(graph_add_output(s.graph, z, &err) >= 0);
        assert_succeeds(histogram_observe(&s.storage[x], &(float){100}, 1, &err), err);
        s.profile.affine_activations = true;
        decide(&s, "minmax", "maxabs");
        assert_int_equal(s.plan->values[x].codes.zero_point != 0, !is_long);
        end_setting(&s);
    }
}

static void codes_are_signed_where_the_target_has_no_other(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);

    (void)state;
    s.profile.unsigned_codes = s.profile.signed_codes;
    s.profile.unsigned_steps = s.profile.signed_steps;
    decide(&s, "mse", "maxabs");
    assert_one_scale(&s, INTS(n.a, n.p), n.p, false);
    end_setting(&s);
}

static void one_negative_value_makes_a_group_signed(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);
    const float x = -FLT_TRUE_MIN;
    struct error err;

    (void)state;
    assert_succeeds(histogram_observe(&s.storage[n.s], &x, 1, &err), err);
    decide(&s, "mse", "maxabs");
    assert_one_scale(&s, INTS(n.s, n.b, n.t), n.t, false);
    end_setting(&s);
}

/* SqueezeNet's end: clipping the map before the pool cost 6 points of top-1. */
static void a_map_of_logits_before_its_average_pool_is_not_clipped(void **state)
{
    for (int is_transparent = 0; is_transparent < 2; is_transparent++) {
        struct setting s = new_setting();
        struct graph *g = s.graph;
        int x = observe(&s, add_input(g, "x", SHAPE(1, 3, 4, 4)), 1, false);
        int a = observe(&s, add_conv(g, "a", x, 3, 5, ACTIVATION_RELU), 20, true);
        int b = observe(&s, add_conv(g, "b", a, 5, 5, ACTIVATION_NONE), 20, false);
        int u = observe(&s, add_pool(g, "u", b, POOL_AVERAGE, true), 3, false);
        int y = observe(&s, add_node(g, OP_SOFTMAX, "y", INTS(u)), 0.2, true);
        struct error err;

        (void)state;
        assert_true(graph_add_output(g, y, &err) >= 0);
        s.profile.average_pool_is_transparent = is_transparent;
        decide(&s, "kl", "maxabs");
        assert_string_equal(s.plan->values[b].method, "minmax (logits)");
        assert_true(s.plan->values[b].threshold[0] >= histogram_abs_max(s.histograms[b]));
        assert_string_equal(s.plan->values[u].method, "minmax (logits)");
        assert_int_equal(s.plan->values[u].scale[0] == s.plan->values[b].scale[0], is_transparent);
        assert_true(strncmp(s.plan->values[a].method, "minmax", 6) != 0);
        end_setting(&s);
    }
}

/* Someone outside reads it, besides the max pool that alone would not count. */
static void a_graph_output_inside_a_group_counts(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);
    struct error err;

    (void)state;
    assert_true(graph_add_output(s.graph, n.a, &err) >= 0);
    decide(&s, "mse", "maxabs");
    assert_string_equal(s.plan->values[n.p].method, "minmax (logits)");
    assert_true(histogram_abs_max(s.histograms[n.a]) > histogram_abs_max(s.histograms[n.p]));
    assert_true(s.plan->values[n.p].threshold[0] == histogram_abs_max(s.histograms[n.a]));
    end_setting(&s);
}

/* Its output alone would ask for a scale that clips what it averages. */
static void a_transparent_average_pool_counts_its_input(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);

    (void)state;
    s.profile.average_pool_is_transparent = true;
    decide(&s, "mse", "maxabs");
    assert_one_scale(&s, INTS(n.s, n.b, n.t, n.u, n.r), n.r, true);
    assert_true(s.plan->values[n.u].threshold[0] == threshold_of(&s, "mse", INTS(n.b, n.t, n.r), true));
    end_setting(&s);
}

static void a_node_that_is_not_fully_observed_stays_in_float(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);

    (void)state;
    s.histograms[n.c] = NULL;
    decide(&s, "mse", "sweep");
    assert_false(is_integer_node(&s, "c"));
    assert_false(is_integer_node(&s, "s"));
    assert_false(s.plan->values[n.c].is_quantized);
    assert_null(s.plan->nodes[graph_find_node(s.graph, "c")].weight_codes);
    assert_true(is_integer_node(&s, "b"));
    assert_true(is_integer_node(&s, "t")); /* b has codes, and concat spreads them to s */
    assert_one_scale(&s, INTS(n.s, n.b, n.t), n.t, true);
    end_setting(&s);
}

static void weights_that_are_computed_stay_in_float(void **state)
{
    struct setting s = new_setting();
    struct graph *g = s.graph;
    int x = observe(&s, add_input(g, "x", SHAPE(1, 8)), 1, false);
    int w = observe(&s, add_input(g, "w", SHAPE(5, 8)), 1, false);
    int y = observe(&s, add_node(g, OP_DENSE, "y", INTS(x, w)), 1, false);
    int k = add_random_floats(g, SHAPE(1, 5));
    int z = observe(&s, add_node(g, OP_BINARY, "z", INTS(y, k)), 1, false); /* a constant operand */
    struct error err;

    (void)state;
    assert_true(graph_add_output(g, z, &err) >= 0);
    decide(&s, "mse", "sweep");
    assert_false(is_integer_node(&s, "y"));
    assert_false(is_integer_node(&s, "z"));
    for (int value = x; value <= z; value++)
        assert_false(s.plan->values[value].is_quantized);
    end_setting(&s);
}

static void choices_override_single_nodes(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);
    const struct threshold_method *methods[MAX_VALUES] = {0};
    bool is_float[MAX_VALUES] = {false};
    struct plan_choices choices = {.activations = threshold_method_find("mse"),
                                   .percentile = 0.5,
                                   .node_methods = methods,
                                   .node_is_float = is_float};
    const struct threshold_job *jobs;
    struct error err;
    size_t n_jobs, seen = 0;

    (void)state;
    methods[graph_find_node(s.graph, "p")] = threshold_method_find("minmax");
    methods[graph_find_node(s.graph, "v")] = threshold_method_find("kl");
    is_float[graph_find_node(s.graph, "c")] = true;
    begin_plan(&s);
    assert_succeeds(plan_threshold_jobs(s.plan, s.histograms, &choices, &jobs, &n_jobs, &err), err);
    assert_false(is_integer_node(&s, "c"));
    for (size_t i = 0; i < n_jobs; i++) {
        const char *expected = jobs[i].scale_from == n.p ? "minmax" : jobs[i].scale_from == n.v ? "kl" : "mse";

        assert_string_equal(jobs[i].method->name, expected);
        assert_false(jobs[i].decides_arg_max); /* kl was asked for, by name */
        seen += jobs[i].scale_from == n.p || jobs[i].scale_from == n.v;
    }
    assert_int_equal(seen, 2);
    end_setting(&s);
}

/* Ranks search shares and gather: neither order nor place of a search may matter. */
static void searches_are_independent_of_each_other(void **state)
{
    struct setting s = new_setting();
    struct residual n = add_residual(&s);
    struct plan_choices choices = {
        .activations = threshold_method_find("mse"), .percentile = 0.999, .weights = weight_method_find("sweep")};
    const struct threshold_job *jobs;
    const struct weight_job *weight_jobs;
    struct threshold_result results[MAX_VALUES];
    float scales[256];
    struct error err;
    struct plan *whole;
    size_t n_jobs;

    (void)state;
    decide(&s, "mse", "sweep");
    whole = s.plan;
    begin_plan(&s);
    assert_succeeds(plan_threshold_jobs(s.plan, s.histograms, &choices, &jobs, &n_jobs, &err), err);
    assert_true(n_jobs > 0 && n_jobs <= MAX_VALUES);
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_threshold_search(&jobs[i], &results[i], &err), err);
    assert_succeeds(plan_apply_thresholds(s.plan, jobs, n_jobs, results, &err), err);
    assert_succeeds(plan_weight_jobs(s.plan, &choices, &weight_jobs, &n_jobs, &err), err);
    assert_int_equal(n_jobs, 4 + 4 + 4 + 5); /* output channels of a, b, c, v */
    for (size_t i = n_jobs; i-- > 0;)
        assert_succeeds(plan_weight_search(s.plan, &weight_jobs[i], &choices, &scales[i], &err), err);
    assert_succeeds(plan_apply_weights(s.plan, &choices, weight_jobs, n_jobs, scales, &err), err);
    for (int v = n.x; v <= n.y; v++) {
        const struct plan_value *a = &whole->values[v], *b = &s.plan->values[v];

        assert_int_equal(a->is_quantized, b->is_quantized);
        if (a->is_quantized) {
            assert_true(a->scale[0] == b->scale[0] && a->threshold[0] == b->threshold[0]);
            assert_string_equal(a->method, b->method);
        }
    }
    for (size_t i = 0; i < s.graph->n_nodes; i++) {
        const struct plan_node *a = &whole->nodes[i], *b = &s.plan->nodes[i];

        assert_int_equal(a->is_quantized, b->is_quantized);
        assert_int_equal(a->n_weight_scales, b->n_weight_scales);
        if (a->n_weight_scales > 0) {
            assert_memory_equal(a->weight_scale, b->weight_scale, a->n_weight_scales * sizeof(float));
            assert_memory_equal(a->weight_codes, b->weight_codes, 36 * sizeof *a->weight_codes);
            assert_memory_equal(a->bias_codes, b->bias_codes, a->n_weight_scales * sizeof(int32_t));
        }
    }
    plan_destroy(whole);
    end_setting(&s);
}

/* ---- weights ---- */

/* x -> one node with these weights and bias -> y, all observed. */
static int single_node(struct setting *s, enum op op, struct shape in, struct shape out, int weights, int bias)
{
    struct graph *g = s->graph;
    int x = observe(s, add_input(g, "x", in), 1, false);
    int y = observe(s, add_node(g, op, "y", INTS(x, weights, bias)), 1, false);
    struct error err;

    last_node(g)->attr.conv.group = 1;
    g->values[y].shape = out;
    g->values[y].has_shape = true;
    assert_true(graph_add_output(g, y, &err) >= 0);
    return x;
}

static void codes_of_a_channel_are_those_of_its_weights(void **state)
{
    for (int is_per_tensor = 0; is_per_tensor < 2; is_per_tensor++) {
        struct setting s = new_setting();
        int w = add_random_floats(s.graph, SHAPE(3, 20)), b = add_random_floats(s.graph, SHAPE(3));
        int x = single_node(&s, OP_DENSE, SHAPE(1, 20), SHAPE(1, 3), w, b);
        const float *weights = s.graph->values[w].data, *bias = s.graph->values[b].data;
        size_t channels = is_per_tensor ? 1 : 3, n = 60 / channels;
        double error = 0, max_abs_error = 0;
        const struct plan_node *node;

        (void)state;
        s.profile.per_channel_weights = !is_per_tensor;
        decide(&s, "mse", "sweep");
        node = &s.plan->nodes[0];
        assert_int_equal(node->n_weight_scales, channels);
        assert_string_equal(node->method, "sweep");
        for (size_t c = 0; c < channels; c++) {
            int16_t codes[60];
            struct error err;
            float scale;

            assert_succeeds(weight_method_find("sweep")->search(weights + c * n, n, 127, &scale, &err), err);
            assert_true(node->weight_scale[c] == scale);
            assert_true(node->acc_scale[c] == (float)((double)scale * (double)s.plan->values[x].scale[0]));
            error += weight_codes(weights + c * n, n, 127, scale, codes);
            assert_memory_equal(node->weight_codes + c * n, codes, n * sizeof *codes);
            assert_succeeds(weight_scale_max_abs(weights + c * n, n, 127, &scale, &err), err);
            max_abs_error += weight_codes(weights + c * n, n, 127, scale, NULL);
        }
        for (size_t c = 0; c < 3; c++) {
            double step = (double)node->acc_scale[is_per_tensor ? 0 : c];

            assert_true(fabs(node->bias_codes[c] * step - (double)bias[c]) <= step * 0.5000001);
        }
        assert_true(node->weight_mse == error / 60);
        assert_true(node->weight_mse_max_abs == max_abs_error / 60);
        end_setting(&s);
    }
}

static void codes_that_were_let_go_are_made_again(void **state)
{
    struct setting s = new_setting();
    int w = add_random_floats(s.graph, SHAPE(3, 20));
    int16_t before[60];
    struct error err;

    (void)state;
    single_node(&s, OP_DENSE, SHAPE(1, 20), SHAPE(1, 3), w, add_random_floats(s.graph, SHAPE(3)));
    decide(&s, "mse", "sweep");
    memcpy(before, s.plan->nodes[0].weight_codes, sizeof before);
    plan_drop_codes(s.plan);
    assert_null(s.plan->nodes[0].weight_codes);
    assert_succeeds(plan_make_codes(s.plan, &err), err);
    assert_memory_equal(s.plan->nodes[0].weight_codes, before, sizeof before);
    s.plan->nodes[0].is_rounded = true; /* no scale tells these */
    plan_drop_codes(s.plan);
    assert_non_null(s.plan->nodes[0].weight_codes);
    end_setting(&s);
}

/* DECONV weights are [I, O/g, kernel]: an output channel is scattered over them. */
static void channels_of_a_deconvolution_are_gathered(void **state)
{
    enum { GROUPS = 2, IN = 6, OUT = 4, TAPS = 9 }; /* each output channel sees 3 inputs */
    struct setting s = new_setting();
    float data[IN * OUT / GROUPS * TAPS];
    const struct plan_node *node;

    (void)state;
    for (int i = 0; i < IN; i++) {
        for (int o = 0; o < OUT / GROUPS; o++) {
            int channel = i / (IN / GROUPS) * (OUT / GROUPS) + o;

            for (int t = 0; t < TAPS; t++) /* the largest of a channel is its number + 1 */
                data[(i * (OUT / GROUPS) + o) * TAPS + t] = (float)(channel + 1) * (t == i ? 1 : 0.25F);
        }
    }
    int w = add_floats(s.graph, SHAPE(IN, OUT / GROUPS, 3, 3), data), b = add_random_floats(s.graph, SHAPE(OUT));

    single_node(&s, OP_DECONV, SHAPE(1, IN, 4, 4), SHAPE(1, OUT, 6, 6), w, b);
    last_node(s.graph)->attr.conv.group = GROUPS;
    decide(&s, "mse", "maxabs");
    node = &s.plan->nodes[0];
    assert_int_equal(node->n_weight_scales, OUT);
    for (int channel = 0; channel < OUT; channel++)
        assert_true(node->weight_scale[channel] == (float)(channel + 1) / 127);
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        assert_int_equal(node->weight_codes[i], i % TAPS == i / (OUT / GROUPS * TAPS) ? 127 : 32);
    end_setting(&s);
}

static void a_bias_too_large_for_its_codes_gets_a_larger_scale(void **state)
{
    static const float w[] = {1e-6F, -2e-6F, 0.5F, 0.25F}, b[] = {1000, 1};
    struct setting s = new_setting();
    const struct plan_node *node;

    (void)state;
    single_node(&s, OP_DENSE, SHAPE(1, 2), SHAPE(1, 2), add_floats(s.graph, SHAPE(2, 2), w),
                add_floats(s.graph, SHAPE(2), b));
    decide(&s, "mse", "sweep");
    node = &s.plan->nodes[0];
    assert_string_equal(node->method, "sweep (bias)");
    assert_true(node->weight_scale[0] > 2e-6F / 127);
    assert_true(node->bias_codes[0] <= 1 << 30 && node->bias_codes[0] > (1 << 30) - 1000);
    assert_true(fabs((double)node->acc_scale[0] * node->bias_codes[0] / 1000 - 1) < 1e-6);
    assert_true(node->weight_scale[1] < 0.6F / 127);
    end_setting(&s);
}

/* A channel whose normalisation died keeps only its bias; scale 1 would round that to a multiple of the input's step.
 */
static void a_channel_of_zeros_keeps_its_bias(void **state)
{
    static const float w[6] = {0, 0, 0, 0, 0.5F, 0.25F}, b[] = {0.0123F, 0, 1};
    struct setting s = new_setting();
    const struct plan_node *node;

    (void)state;
    single_node(&s, OP_DENSE, SHAPE(1, 2), SHAPE(1, 3), add_floats(s.graph, SHAPE(3, 2), w),
                add_floats(s.graph, SHAPE(3), b));
    decide(&s, "mse", "sweep");
    node = &s.plan->nodes[0];
    assert_true(fabs((double)node->acc_scale[0] * node->bias_codes[0] / (double)b[0] - 1) < 1e-5);
    assert_true(node->weight_scale[1] == 1);
    assert_int_equal(node->bias_codes[1], 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(node->weight_codes[i], 0);
    end_setting(&s);
}

static void accumulator_steps_are_normal_floats(void **state)
{
    static const float w[] = {FLT_TRUE_MIN, 0}, b[] = {0}, x[] = {FLT_TRUE_MIN, FLT_TRUE_MIN * 7};
    struct setting s = new_setting();
    const struct plan_node *node;
    struct error err;
    int in;

    (void)state;
    in = single_node(&s, OP_DENSE, SHAPE(1, 2), SHAPE(1, 1), add_floats(s.graph, SHAPE(1, 2), w),
                     add_floats(s.graph, SHAPE(1), b));
    histogram_fini(&s.storage[in]);
    assert_succeeds(histogram_init(&s.storage[in], 2048, &err), err);
    assert_succeeds(histogram_observe(&s.storage[in], x, 2, &err), err);
    decide(&s, "mse", "sweep");
    node = &s.plan->nodes[0];
    assert_true(isnormal(s.plan->values[in].scale[0]) && isnormal(node->weight_scale[0]) &&
                isnormal(node->acc_scale[0]));
    assert_string_equal(node->method, "sweep (floor)");
    end_setting(&s);
}

static void bad_weights_and_biases_are_named(void **state)
{
    static const struct {
        float w[4], b[2];
        const char *words[2];
    } rows[] = {
        {{1, 2, NAN, 3}, {0, 0}, {"node \"y\": output channel 1", "weight 0"}},
        {{1, INFINITY, 1, 3}, {0, 0}, {"node \"y\": output channel 0", "weight 1"}},
        {{1, 2, 1, 3}, {0, -INFINITY}, {"node \"y\"", "bias 1"}},
        {{1, 2, 1, 3}, {NAN, 0}, {"node \"y\"", "bias 0"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setting s = new_setting();
        struct error err;

        single_node(&s, OP_DENSE, SHAPE(1, 2), SHAPE(1, 2), add_floats(s.graph, SHAPE(2, 2), rows[i].w),
                    add_floats(s.graph, SHAPE(2), rows[i].b));
        begin_plan(&s);
        assert_succeeds(plan_decide_values(s.plan, s.histograms, "mse", 1, &err), err);
        assert_fails(plan_decide_weights(s.plan, "sweep", &err), EX_DATAERR, err, rows[i].words[0], rows[i].words[1]);
        end_setting(&s);
    }
}

static void a_bias_of_the_wrong_size_is_a_data_error(void **state)
{
    struct setting s = new_setting();
    struct error err;

    (void)state;
    single_node(&s, OP_DENSE, SHAPE(1, 2), SHAPE(1, 3), add_random_floats(s.graph, SHAPE(3, 2)),
                add_random_floats(s.graph, SHAPE(2)));
    begin_plan(&s);
    assert_succeeds(plan_decide_values(s.plan, s.histograms, "mse", 1, &err), err);
    assert_fails(plan_decide_weights(s.plan, "sweep", &err), EX_DATAERR, err, "node \"y\"", "3 elements, found 2");
    end_setting(&s);
}

static void thresholds_that_a_model_brings_along_are_taken_as_they_are(void **state)
{
    static const float of_a[] = {1.5f}, of_p[] = {1.25f}, of_v[] = {0.5f, 3, 2, 0, 1}, of_x[] = {0};
    struct setting s = new_setting();
    struct residual n = add_residual(&s);
    const struct {
        int value;
        const float *scale;
        size_t n;
    } given[] = {{n.a, of_a, 1}, {n.p, of_p, 1}, {n.v, of_v, 5}, {n.x, of_x, 1}};
    struct coding codings[sizeof given / sizeof *given];

    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        codings[i] = (struct coding){.codes = {0, 1, 0}, .n_scales = given[i].n, .axis = 1, .scale = given[i].scale};
        s.graph->values[given[i].value].coding = &codings[i];
    }
    decide(&s, "given", "maxabs");
    assert_true(s.plan->values[n.a].threshold[0] == 1.5f); /* of a group the largest */
    assert_true(s.plan->values[n.p].threshold[0] == 1.5f);
    assert_string_equal(s.plan->values[n.a].method, "given");
    assert_true(s.plan->values[n.v].threshold[0] == 3); /* of channels that share a scale; of logits, too */
    assert_string_equal(s.plan->values[n.v].method, "given");
    assert_true(s.plan->values[n.c].threshold[0] == threshold_of(&s, "mse", INTS(n.c), false)); /* nothing is said */
    assert_true(s.plan->values[n.x].threshold[0] == threshold_of(&s, "mse", INTS(n.x), false)); /* 0 says nothing */
    plan_destroy(s.plan);
    decide(&s, "mse", "maxabs"); /* who does not ask for them does not get them */
    assert_true(s.plan->values[n.a].threshold[0] == threshold_of(&s, "mse", INTS(n.p), true));
    assert_string_equal(s.plan->values[n.v].method, "minmax (logits)");
    end_setting(&s);
}

static void unknown_methods_are_usage_errors(void **state)
{
    struct setting s = new_setting();
    struct error err;

    (void)state;
    begin_plan(&s);
    assert_fails(plan_decide_values(s.plan, s.histograms, "median", 1, &err), EX_USAGE, err, "median");
    assert_fails(plan_decide_weights(s.plan, "guess", &err), EX_USAGE, err, "guess");
    end_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_residual_network_is_planned_as_the_profile_says),
        cmocka_unit_test(zero_points_move_where_that_gains_and_is_allowed),
        cmocka_unit_test(a_long_sum_keeps_the_zero_point_of_what_it_reads),
        cmocka_unit_test(codes_are_signed_where_the_target_has_no_other),
        cmocka_unit_test(one_negative_value_makes_a_group_signed),
        cmocka_unit_test(a_map_of_logits_before_its_average_pool_is_not_clipped),
        cmocka_unit_test(a_graph_output_inside_a_group_counts),
        cmocka_unit_test(a_transparent_average_pool_counts_its_input),
        cmocka_unit_test(a_node_that_is_not_fully_observed_stays_in_float),
        cmocka_unit_test(weights_that_are_computed_stay_in_float),
        cmocka_unit_test(choices_override_single_nodes),
        cmocka_unit_test(searches_are_independent_of_each_other),
        cmocka_unit_test(codes_of_a_channel_are_those_of_its_weights),
        cmocka_unit_test(codes_that_were_let_go_are_made_again),
        cmocka_unit_test(channels_of_a_deconvolution_are_gathered),
        cmocka_unit_test(a_bias_too_large_for_its_codes_gets_a_larger_scale),
        cmocka_unit_test(a_channel_of_zeros_keeps_its_bias),
        cmocka_unit_test(accumulator_steps_are_normal_floats),
        cmocka_unit_test(bad_weights_and_biases_are_named),
        cmocka_unit_test(a_bias_of_the_wrong_size_is_a_data_error),
        cmocka_unit_test(thresholds_that_a_model_brings_along_are_taken_as_they_are),
        cmocka_unit_test(unknown_methods_are_usage_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
