/* test_plan_profiles.c — what the profiles of chips ask of a plan: reals between nodes, scales that leave a shift,
 * codes of 16 bits.
 */
#include "formats/cambricon/profile.h"
#include "formats/sophon/profile.h"

#include "coordinator/plan_shift.h"
#include "plan_setting.h"

#include <math.h>

enum { IN = 3, MID = 8, OUT = 5 };

/* x -> conv+relu a -> conv b; a + b -> s; s -> pool -> reshape -> dense y. */
struct net {
    int x, a, b, s, p, f, y;
};

static struct net add_net(struct setting *s, double input_deviation)
{
    struct graph *g = s->graph;
    struct net n;
    struct error err;

    n.x = observe(s, add_input(g, "x", SHAPE(1, IN, 4, 4)), input_deviation, false);
    n.a = observe(s, add_conv(g, "a", n.x, IN, MID, ACTIVATION_RELU), 2, true);
    n.b = observe(s, add_conv(g, "b", n.a, MID, MID, ACTIVATION_NONE), 3, false);
    n.s = observe(s, add_node(g, OP_BINARY, "s", INTS(n.a, n.b)), 4, false);
    n.p = observe(s, add_pool(g, "p", n.s, POOL_MAX, true), 4, false);
    n.f = observe(s, add_node(g, OP_RESHAPE, "f", INTS(n.p)), 4, false);
    g->values[n.f].shape = SHAPE(1, MID);
    g->values[n.f].has_shape = true;
    n.y = observe(s, add_dense(g, "y", n.f, MID, OUT), 1, false);
    assert_true(graph_add_output(g, n.y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
    return n;
}

static const struct plan_node *planned(const struct setting *s, const char *name)
{
    return &s->plan->nodes[graph_find_node(s->graph, name)];
}

static void only_what_integer_layers_read_has_codes_where_reals_run_between_them(void **state)
{
    static const struct profile *const profiles[] = {&cambricon_mlu220_profile, &cambricon_mlu270_int16_fp32_profile};

    (void)state;
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        struct setting s = new_setting();
        struct net n = add_net(&s, 1);

        s.profile = *profiles[i];
        decide(&s, "mse", "sweep");
        assert_true(planned(&s, "a")->is_quantized && planned(&s, "b")->is_quantized && planned(&s, "y")->is_quantized);
        assert_false(planned(&s, "s")->is_quantized || planned(&s, "p")->is_quantized);
        assert_true(s.plan->values[n.x].is_quantized && s.plan->values[n.a].is_quantized &&
                    s.plan->values[n.f].is_quantized);
        assert_false(s.plan->values[n.b].is_quantized || s.plan->values[n.s].is_quantized ||
                     s.plan->values[n.p].is_quantized || s.plan->values[n.y].is_quantized);
        end_setting(&s);
    }
}

static void sixteen_bits_reach_the_largest_magnitude(void **state)
{
    struct setting s = new_setting();
    struct net n = add_net(&s, 1);
    const struct plan_value *a;
    int32_t largest = 0;

    (void)state;
    s.profile = cambricon_mlu270_int16_profile;
    decide(&s, "kl", "admm");
    a = &s.plan->values[n.a];
    assert_string_equal(a->method, "minmax");
    assert_true(a->scale[0] == profile_kept_scale(s.plan->profile, a->threshold[0] / 32767));
    assert_string_equal(planned(&s, "b")->method, "maxabs");
    for (size_t i = 0; i < MID * MID * 9; i++)
        largest = abs(planned(&s, "b")->weight_codes[i]) > largest ? abs(planned(&s, "b")->weight_codes[i]) : largest;
    assert_int_equal(largest, 32767);
    end_setting(&s);
}

/* Every weight code is that of weight x 2^n x input scale / output scale, for the largest n below 127. */
static void a_chip_that_only_shifts_has_steps_a_power_of_two_apart(void **state)
{
    static const struct {
        const char *name;
        size_t weights;
    } layers[] = {{"a", MID * IN * 9}, {"b", MID * MID * 9}, {"y", OUT * MID}};

    (void)state;
    for (size_t deviation = 0; deviation < 3; deviation++) {
        struct setting s = new_setting();

        add_net(&s, ldexp(1, (int)deviation * 2));
        s.profile = sophon_bm1684_profile;
        decide(&s, "mse", "sweep");
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            const struct node *node = find_node(s.graph, layers[i].name);
            const struct plan_node *p = planned(&s, layers[i].name);
            const float *weights = s.graph->values[node->inputs[1]].data;
            double in = (double)s.plan->values[node->inputs[0]].scale[0];
            double out = (double)s.plan->values[node->outputs[0]].scale[0];
            double ratio = out / (double)p->acc_scale[0], largest = 0;
            int exponent;

            assert_true(frexp(ratio, &exponent) == 0.5 && exponent >= 1 && exponent <= 32);
            for (size_t k = 0; k < layers[i].weights; k++) {
                largest = fmax(largest, fabs((double)weights[k]));
                assert_true(fabs((double)weights[k] * ratio * in / out - p->weight_codes[k]) < 0.501);
            }
            largest *= ratio * in / out;
            assert_true(largest < 127 && (largest >= 63.4 || exponent == 32));
            assert_string_equal(p->method, "shift");
        }
        end_setting(&s);
    }
}

/* The thresholds of plan_decide_values, and those before shifts had a say. */
static void find_thresholds(struct setting *s, bool fits_shifts)
{
    struct plan_choices choices = {.activations = threshold_method_find("mse")};
    const struct threshold_job *jobs;
    struct threshold_result *results;
    struct error err;
    size_t n;

    s->plan = plan_create(s->graph, &s->profile, &err);
    assert_non_null(s->plan);
    assert_succeeds(plan_threshold_jobs(s->plan, s->histograms, &choices, &jobs, &n, &err), err);
    results = calloc(n, sizeof *results);
    assert_non_null(results);
    for (size_t i = 0; i < n; i++)
        assert_succeeds(plan_threshold_search(&jobs[i], &results[i], &err), err);
    assert_succeeds(plan_apply_thresholds(s->plan, jobs, n, results, &err), err);
    if (fits_shifts)
        assert_succeeds(plan_fit_shifts(s->plan, s->histograms, jobs, n, &err), err);
    assert_succeeds(plan_decide_weights(s->plan, "sweep", &err), err);
    free(results);
}

static int32_t largest_code(const struct plan_node *node, size_t n)
{
    int32_t largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = abs(node->weight_codes[i]) > largest ? abs(node->weight_codes[i]) : largest;
    return largest;
}

/* Weights have few steps where thresholds happen to stand badly, so there a threshold moves: to where they have all. */
static void a_threshold_moves_to_where_the_shift_leaves_weights_all_their_steps(void **state)
{
    static const struct {
        const char *name;
        size_t weights;
    } layers[] = {{"a", MID * IN * 9}, {"b", MID * MID * 9}, {"y", OUT * MID}};
    size_t n_moved = 0;

    (void)state;
    for (int i = 0; i < 12; i++) {
        struct setting before = new_setting(), after;

        add_net(&before, 10 * pow(1.1, i)); /* wide inputs: errors of weights count */
        after = new_setting();              /* begins the same draws again */
        add_net(&after, 10 * pow(1.1, i));
        before.profile = after.profile = sophon_bm1684_profile;
        find_thresholds(&before, false);
        find_thresholds(&after, true);
        for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
            int v = find_node(after.graph, layers[k].name)->outputs[0];
            const struct plan_value *was = &before.plan->values[v], *is = &after.plan->values[v];

            if (strstr(is->method, " +shift") == NULL) {
                assert_true(is->threshold[0] == was->threshold[0]);
                continue;
            }
            n_moved++;
            assert_true(is->threshold[0] >= was->threshold[0] / 2 && is->threshold[0] <= 2 * was->threshold[0]);
            assert_in_range(largest_code(planned(&after, layers[k].name), layers[k].weights), 126, 127);
            if (strcmp(layers[k].name, "y") == 0) /* decides the arg-max: nothing is clipped */
                assert_true(is->threshold[0] >= was->threshold[0]);
        }
        end_setting(&before);
        end_setting(&after);
    }
    assert_in_range(n_moved, 4, 32); /* of 36 */
}

static void biases_beyond_sixteen_bits_cost_bits_of_the_weights_then_saturate(void **state)
{
    struct setting s = new_setting();
    struct net n = add_net(&s, 0.001); /* tiny inputs: weights alone would take a large shift */
    float *bias = arena_create_array(s.graph->arena, MID, sizeof *bias, NULL);
    const struct plan_node *p;

    (void)state;
    for (size_t c = 0; c < MID; c++)
        bias[c] = 1;
    s.graph->values[s.graph->nodes[graph_find_node(s.graph, "a")].inputs[2]].data = bias;
    s.profile = sophon_bm1684_profile;
    decide(&s, "mse", "sweep");
    p = planned(&s, "a");
    for (size_t c = 0; c < MID; c++) {
        assert_in_range(p->bias_codes[c], 16384, 32767);
        assert_true(fabs(p->bias_codes[c] * (double)p->acc_scale[0] - 1) < 0.001);
    }
    assert_true(s.plan->values[n.a].is_quantized);
    end_setting(&s);

    s = new_setting();
    n = add_net(&s, 1);
    bias = arena_create_array(s.graph->arena, MID, sizeof *bias, NULL);
    for (size_t c = 0; c < MID; c++)
        bias[c] = 1e9F;
    s.graph->values[s.graph->nodes[graph_find_node(s.graph, "a")].inputs[2]].data = bias;
    s.profile = sophon_bm1684_profile;
    decide(&s, "mse", "sweep");
    assert_int_equal(planned(&s, "a")->bias_codes[0], 32767); /* no shift helps */
    end_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_integer_layers_read_has_codes_where_reals_run_between_them),
        cmocka_unit_test(sixteen_bits_reach_the_largest_magnitude),
        cmocka_unit_test(a_chip_that_only_shifts_has_steps_a_power_of_two_apart),
        cmocka_unit_test(a_threshold_moves_to_where_the_shift_leaves_weights_all_their_steps),
        cmocka_unit_test(biases_beyond_sixteen_bits_cost_bits_of_the_weights_then_saturate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
