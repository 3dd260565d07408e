/* Tests of plan_vary.h, trial.h and of simulators of parts: what a trial computes is what a plan with that threshold
 * would have computed there. */
#include "coordinator/plan_vary.h"
#include "coordinator/trial.h"
#include "worker/simulate.h"

#include "plan_setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { SIDE = 8, RECORDS = 3 };

/* conv and ReLU, a max pool, conv, a sum with the pool's, an average pool, dense: a selection, a value read twice, an
 * output. */
struct net {
    struct setting s;
    const struct threshold_job *jobs;
    struct threshold_result *results;
    size_t n_jobs;
    float *input;
};

static void make_graph(struct setting *s)
{
    int x = add_input(s->graph, "x", SHAPE(1, 3, SIDE, SIDE));
    int a = add_conv(s->graph, "a", x, 3, 4, ACTIVATION_RELU), p = add_pool(s->graph, "p", a, POOL_MAX, false);
    int c = add_conv(s->graph, "c", p, 4, 4, ACTIVATION_NONE), sum = add_node(s->graph, OP_BINARY, "sum", INTS(p, c));
    int g = add_pool(s->graph, "g", sum, POOL_AVERAGE, true);
    int y = add_conv(s->graph, "y", sum, 4, 2, ACTIVATION_NONE);
    struct error err;

    assert_true(graph_add_output(s->graph, g, &err) >= 0);
    assert_true(graph_add_output(s->graph, y, &err) >= 0);
    observe(s, x, 1, false);
    observe(s, a, 0.6, true);
    observe(s, p, 0.6, true);
    observe(s, c, 0.3, false);
    observe(s, sum, 0.8, false);
    observe(s, g, 0.2, false);
    observe(s, y, 0.3, false);
}

/* The plan of results[n_jobs]. */
static void decide_again(struct net *n)
{
    struct error err;

    assert_succeeds(plan_apply_thresholds(n->s.plan, n->jobs, n->n_jobs, n->results, &err), err);
    assert_succeeds(plan_decide_weights(n->s.plan, "sweep", &err), err);
}

/* In place: the plan points to the profile, and histograms to their storage. */
static void begin_net(struct net *n, enum requantization requantization, bool stores_reciprocals)
{
    struct plan_choices choices = {.activations = threshold_method_find("mse")};
    struct error err;

    *n = (struct net){.s = new_setting()};
    n->s.profile.requantization = requantization;
    n->s.profile.stores_reciprocals = stores_reciprocals;
    n->s.profile.largest_shift = 10;
    n->s.profile.affine_activations = requantization != REQUANTIZE_SHIFT;
    make_graph(&n->s);
    begin_plan(&n->s);
    assert_succeeds(plan_threshold_jobs(n->s.plan, n->s.histograms, &choices, &n->jobs, &n->n_jobs, &err), err);
    n->results = calloc(n->n_jobs, sizeof *n->results);
    n->input = malloc(RECORDS * 3 * SIDE * SIDE * sizeof *n->input);
    assert_true(n->results != NULL && n->input != NULL);
    for (size_t i = 0; i < n->n_jobs; i++)
        assert_succeeds(plan_threshold_search(&n->jobs[i], &n->results[i], &err), err);
    for (size_t i = 0; i < RECORDS * 3 * SIDE * SIDE; i++)
        n->input[i] = (float)draw_normal();
    decide_again(n);
}

static void end_net(struct net *n)
{
    free(n->results);
    free(n->input);
    end_setting(&n->s);
}

static void assert_same_layer(const struct plan *a, const struct plan *b, size_t node)
{
    const struct plan_node *p = &a->nodes[node], *q = &b->nodes[node];
    const struct shape *shape = &a->graph->values[a->graph->nodes[node].inputs[1]].shape;

    assert_int_equal(p->n_weight_scales, q->n_weight_scales);
    assert_memory_equal(p->weight_scale, q->weight_scale, p->n_weight_scales * sizeof *p->weight_scale);
    assert_memory_equal(p->acc_scale, q->acc_scale, p->n_weight_scales * sizeof *p->acc_scale);
    assert_memory_equal(p->weight_codes, q->weight_codes, (size_t)shape_elements(shape) * sizeof *p->weight_codes);
    assert_memory_equal(p->bias_codes, q->bias_codes, (size_t)shape->dims[0] * sizeof *p->bias_codes);
}

static void a_varied_plan_is_the_one_that_its_thresholds_decide(void **state)
{
    static const struct {
        enum requantization requantization;
        bool stores_reciprocals;
    } all[] = {{REQUANTIZE_RATIO, false}, {REQUANTIZE_RATIO, true}, {REQUANTIZE_SHIFT, false}};

    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        size_t n_layers = 0;
        struct net n;

        begin_net(&n, all[k].requantization, all[k].stores_reciprocals);
        for (size_t i = 0; i < n.n_jobs; i++) {
            float threshold = n.results[i].threshold * 0.6F;
            struct threshold_result before = n.results[i];
            struct plan_change change = {
                &n.jobs[i], {threshold, threshold / (float)n.jobs[i].request.steps, n.jobs[i].moves_zero ? -7 : 0, ""}};
            struct error err;
            struct plan *varied = plan_vary(n.s.plan, &change, 1, true, &err);

            assert_non_null(varied);
            n.results[i] = change.result;
            decide_again(&n);
            for (size_t node = 0; node < n.s.graph->n_nodes; node++)
                if (n.s.plan->nodes[node].weight_codes != NULL) {
                    assert_same_layer(varied, n.s.plan, node);
                    n_layers++;
                }
            for (size_t j = 0; j < n.jobs[i].n_places; j++) {
                int v = n.jobs[i].places[j].value;
                const struct plan_value *value = &varied->values[v];

                assert_true(value->scale[0] == n.s.plan->values[v].scale[0]);
                assert_int_equal(value->codes.zero_point, n.s.plan->values[v].codes.zero_point);
                assert_non_null(strstr(value->method, " +sim"));
            }
            plan_destroy(varied);
            n.results[i] = before;
            decide_again(&n);
        }
        assert_true(n_layers > 0);
        end_net(&n);
    }
}

/* One step of a part, given what it does not make. */
static void step_part(const struct net *n, const struct trial *trial, struct simulator *part,
                      const struct simulator *whole, int node)
{
    const struct node *at = &n->s.graph->nodes[node];
    struct error err;

    for (size_t i = 0; i < at->n_inputs; i++)
        if (!n->s.graph->values[at->inputs[i]].is_constant && !trial_holds(trial, at->inputs[i]))
            simulator_take(part, whole, at->inputs[i]);
    assert_succeeds(simulator_step(part, node, &err), err);
}

static size_t compare_window(struct net *n, const struct trial *trial)
{
    const float *const inputs[] = {n->input};
    struct error err;
    struct simulator *whole = simulator_create(n->s.plan, RECORDS, &err);
    struct simulator *part = simulator_create_part(n->s.plan, RECORDS, trial->runs, &err);
    size_t n_compared = 0;

    assert_true(whole != NULL && part != NULL);
    assert_succeeds(simulator_begin(whole, inputs, RECORDS, &err), err);
    assert_succeeds(simulator_begin(part, inputs, RECORDS, &err), err);
    for (size_t node = 0; node < n->s.graph->n_nodes; node++) {
        int value = n->s.graph->nodes[node].outputs[0];
        size_t elements = RECORDS * (size_t)shape_elements(&n->s.graph->values[value].shape);

        assert_succeeds(simulator_step(whole, (int)node, &err), err);
        if (!trial->runs[node])
            continue;
        step_part(n, trial, part, whole, (int)node);
        assert_memory_equal(simulator_value(part, value), simulator_value(whole, value), elements * sizeof(float));
        n_compared++;
    }
    simulator_destroy(whole);
    simulator_destroy(part);
    return n_compared;
}

static void a_part_computes_what_the_whole_does(void **state)
{
    struct net n;
    struct trials trials;
    struct error err;
    size_t n_compared = 0;

    (void)state;
    begin_net(&n, REQUANTIZE_RATIO, false);
    assert_succeeds(trials_init(&trials, n.s.plan, n.jobs, n.n_jobs, threshold_method_find("mse"), &err), err);
    assert_true(trials.n > 2);
    for (size_t i = 0; i < trials.n; i++)
        n_compared += compare_window(&n, &trials.list[i]);
    assert_true(n_compared > trials.n);
    trials_fini(&trials);
    end_net(&n);
}

static void a_trial_judges_what_reads_its_values(void **state)
{
    struct net n;
    int a, sum;
    struct trials trials;
    struct error err;
    bool is_found = false;

    (void)state;
    begin_net(&n, REQUANTIZE_RATIO, false);
    a = graph_find_value(n.s.graph, "a");
    sum = graph_find_value(n.s.graph, "sum");
    assert_succeeds(trials_init(&trials, n.s.plan, n.jobs, n.n_jobs, threshold_method_find("mse"), &err), err);
    for (size_t i = 0; i < trials.n; i++) {
        const struct trial *trial = &trials.list[i];

        if (!trial_holds(trial, a)) /* and the pool's, by one scale: read by "c" and by the sum */
            continue;
        is_found = true;
        assert_int_equal(trial->n_judged, 2);
        assert_true(trial->judged[0] == sum || trial->judged[1] == sum);
        for (size_t k = 0; k < trial->n_candidates; k++)
            assert_true(trial->candidates[k].result.threshold != n.s.plan->values[a].threshold[0]);
    }
    assert_true(is_found);
    trials_fini(&trials);
    /* What another method has decided, an override's say, is left alone. */
    assert_succeeds(trials_init(&trials, n.s.plan, n.jobs, n.n_jobs, threshold_method_find("kl"), &err), err);
    assert_int_equal(trials.n, 0);
    trials_fini(&trials);
    end_net(&n);
}

/* Gives job `i` codes of all that lies above zero, and of a third as much below. */
static void clip_low_end(struct net *n, size_t i, double *low, double *high)
{
    const struct threshold_job *job = &n->jobs[i];
    int32_t moved = -64, above = job->codes.hi - job->codes.zero_point - moved;
    float scale = job->histograms[0]->max / (float)above;

    *low = (double)scale * (job->codes.zero_point + moved - job->codes.lo);
    *high = (double)scale * above;
    assert_true(job->n_histograms == 1 && -(double)job->histograms[0]->min > 1.25 * *low);
    n->results[i] = (struct threshold_result){.threshold = (float)above * scale, .scale = scale, .zero_moved = moved};
    decide_again(n);
}

static bool is_tried(const struct trials *trials, const struct threshold_job *job, double low, double high)
{
    for (size_t t = 0; t < trials->n; t++)
        for (size_t c = 0; trials->list[t].job == job && c < trials->list[t].n_candidates; c++) {
            const struct threshold_result *r = &trials->list[t].candidates[c].result;
            double step = (double)r->scale, zero = job->codes.zero_point + r->zero_moved;

            if (fabs((zero - job->codes.lo) * step - low) < 1.5 * step &&
                fabs((job->codes.hi - zero) * step - high) < 1.5 * step)
                return true;
        }
    return false;
}

static void each_end_is_tried_as_far_as_its_side_was_seen(void **state)
{
    struct net n;
    struct trials trials;
    struct error err;
    size_t i = 0;
    double low, high;

    (void)state;
    begin_net(&n, REQUANTIZE_RATIO, false);
    while (i < n.n_jobs && !n.jobs[i].moves_zero)
        i++;
    assert_true(i < n.n_jobs);
    clip_low_end(&n, i, &low, &high);
    assert_succeeds(trials_init(&trials, n.s.plan, n.jobs, n.n_jobs, threshold_method_find("mse"), &err), err);
    assert_true(is_tried(&trials, &n.jobs[i], 1.12 * low, high));
    assert_true(is_tried(&trials, &n.jobs[i], 1.25 * low, high));
    assert_true(is_tried(&trials, &n.jobs[i], 0.5 * low, 0.5 * high));
    assert_false(is_tried(&trials, &n.jobs[i], 1.25 * low, 1.25 * high));
    trials_fini(&trials);
    end_net(&n);
}

/* Not even the seventh: each threshold that a candidate finds, and that the group does not have yet, is tried. */
static void no_candidate_of_a_method_is_left_out(void **state)
{
    static const char *const names[] = {"mse",        "minmax",   "octav",   "kl",          "aciq-laplace",
                                        "aciq-gauss", "kl-s7310", "kl-ncnn", "kl-tpu-mlir", "ifmr",
                                        "hfmg",       "admm",     NULL};
    const struct threshold_method many = {.name = "many", .candidates = names};
    struct threshold_job jobs[16];
    struct net n;
    struct trials trials;
    struct error err;
    size_t most = 0;

    (void)state;
    begin_net(&n, REQUANTIZE_RATIO, false);
    assert_true(n.n_jobs <= sizeof jobs / sizeof *jobs);
    memcpy(jobs, n.jobs, n.n_jobs * sizeof *jobs);
    for (size_t i = 0; i < n.n_jobs; i++)
        jobs[i].method = jobs[i].method == threshold_method_find("mse") ? &many : jobs[i].method;
    assert_succeeds(trials_init(&trials, n.s.plan, jobs, n.n_jobs, &many, &err), err);
    for (size_t i = 0; i < trials.n; i++)
        for (const char *const *name = names; *name != NULL; name++) {
            const struct trial *trial = &trials.list[i];
            struct threshold_job job = *trial->job;
            struct threshold_result result;
            bool is_tried;

            job.method = threshold_method_find(*name);
            assert_succeeds(plan_threshold_search(&job, &result, &err), err);
            is_tried = result.threshold == n.s.plan->values[job.places[0].value].threshold[0];
            for (size_t k = 0; k < trial->n_candidates; k++)
                is_tried = is_tried || trial->candidates[k].result.threshold == result.threshold;
            assert_true(is_tried);
            most = trial->n_candidates > most ? trial->n_candidates : most;
        }
    assert_true(most > 6); /* as many as `auto` has */
    trials_fini(&trials);
    end_net(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_varied_plan_is_the_one_that_its_thresholds_decide),
        cmocka_unit_test(a_part_computes_what_the_whole_does),
        cmocka_unit_test(a_trial_judges_what_reads_its_values),
        cmocka_unit_test(each_end_is_tried_as_far_as_its_side_was_seen),
        cmocka_unit_test(no_candidate_of_a_method_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
