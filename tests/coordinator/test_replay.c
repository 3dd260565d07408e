/* Tests of replay.h: what an archive says of codes is taken where the target has such codes, and else refused. */
#include "coordinator/replay.h"

#include "plan_setting.h"

#include <float.h>
#include <string.h>

/* x -> conv a -> conv b -> y; what `a` makes is skewed, so that its zero point moves. */
struct net {
    struct setting s;
    const struct threshold_job *jobs;
    struct threshold_result results[MAX_VALUES];
    size_t n_jobs;
    struct observation observation;
    struct archive_decision decisions[MAX_VALUES];
    struct archive_target target;
};

static void observe_skewed(struct setting *s, int value)
{
    struct histogram *h = &s->storage[value];
    struct error err;

    assert_succeeds(histogram_init(h, 2048, &err), err);
    for (int i = 0; i < 3000; i++) {
        float x = (float)draw_normal();

        x = x < 0 ? 0.1F * x : x;
        assert_succeeds(histogram_observe(h, &x, 1, &err), err);
    }
    s->histograms[value] = h;
}

/* Rows as an archive has them, of values in order. */
static void archive_plan(struct net *n)
{
    uint32_t row = 0;

    for (size_t v = 0; v < n->s.graph->n_values; v++) {
        const struct plan_value *p = &n->s.plan->values[v];

        if (n->s.storage[v].bins == 0)
            continue;
        assert_true(p->is_quantized);
        n->decisions[n->target.n_decisions++] = (struct archive_decision){.value = row++,
                                                                          .threshold = p->threshold[0],
                                                                          .scale = p->scale[0],
                                                                          .zero_point = p->codes.zero_point,
                                                                          .lo = p->codes.lo,
                                                                          .hi = p->codes.hi};
    }
    n->target.decisions = n->decisions;
}

/* In place. */
static void begin_net(struct net *n, bool stores_reciprocals)
{
    const struct plan_choices choices = {.activations = threshold_method_find("mse")};
    struct graph *g;
    int x, a, b, y;
    struct error err;

    *n = (struct net){.s = new_setting()};
    n->s.profile.affine_activations = true;
    n->s.profile.stores_reciprocals = stores_reciprocals;
    g = n->s.graph;
    x = observe(&n->s, add_input(g, "x", SHAPE(1, 3, 8, 8)), 1, false);
    a = add_conv(g, "a", x, 3, 4, ACTIVATION_NONE);
    b = add_conv(g, "b", a, 4, 4, ACTIVATION_NONE);
    y = add_conv(g, "y", b, 4, 2, ACTIVATION_NONE);
    assert_true(graph_add_output(g, y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
    observe_skewed(&n->s, a);
    observe(&n->s, b, 0.5, false);
    observe(&n->s, y, 0.5, false);
    begin_plan(&n->s);
    assert_succeeds(plan_threshold_jobs(n->s.plan, n->s.histograms, &choices, &n->jobs, &n->n_jobs, &err), err);
    for (size_t i = 0; i < n->n_jobs; i++)
        assert_succeeds(plan_threshold_search(&n->jobs[i], &n->results[i], &err), err);
    assert_succeeds(plan_apply_thresholds(n->s.plan, n->jobs, n->n_jobs, n->results, &err), err);
    n->observation = (struct observation){.graph = g, .tensor = n->s.storage};
    archive_plan(n);
}

static int replay_all(const struct net *n, struct threshold_result *results, struct error *err)
{
    struct replay *replay = replay_create(&n->target, &n->observation, err);
    int rc;

    assert_non_null(replay);
    rc = replay_thresholds(replay, n->s.plan, n->jobs, n->n_jobs, results, err);
    replay_destroy(replay);
    return rc;
}

static void assert_refused(const struct net *n)
{
    struct threshold_result results[MAX_VALUES];
    struct error err;

    assert_int_equal(replay_all(n, results, &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
}

/* The decision of the first value whose zero point was moved, or was not. */
static struct archive_decision *find(struct net *n, bool is_moved)
{
    for (size_t i = 0; i < n->target.n_decisions; i++)
        if ((n->decisions[i].zero_point != n->s.profile.signed_codes.zero_point) == is_moved)
            return &n->decisions[i];
    fail_msg("%s", "there is no such value");
    return NULL;
}

static void what_was_archived_is_decided_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct threshold_result results[MAX_VALUES];
        struct net n;
        struct error err;

        begin_net(&n, i == 1);
        find(&n, true);
        assert_succeeds(replay_all(&n, results, &err), err);
        for (size_t k = 0; k < n.n_jobs; k++) {
            assert_true(results[k].threshold == n.results[k].threshold);
            assert_true(results[k].scale == profile_kept_scale(&n.s.profile, n.results[k].scale));
            assert_int_equal(results[k].zero_moved, n.results[k].zero_moved);
        }
        end_setting(&n.s);
    }
}

static void codes_that_the_target_lacks_are_refused(void **state)
{
    static const int32_t zeros[] = {INT32_MIN, INT32_MAX, -129, 128};
    static const float scales[] = {0, -1, NAN, INFINITY, FLT_TRUE_MIN, FLT_MAX};
    struct net n;

    (void)state;
    begin_net(&n, true);
    for (int is_moved = 0; is_moved < 2; is_moved++) {
        struct archive_decision *d = find(&n, is_moved != 0), before = *d;

        for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++, *d = before) {
            d->zero_point = zeros[i];
            assert_refused(&n);
        }
        for (size_t i = 0; i < sizeof scales / sizeof *scales; i++, *d = before) {
            d->scale = scales[i];
            assert_refused(&n);
        }
        d->threshold *= 1.01F; /* steps that do not reach it */
        assert_refused(&n);
        *d = before;
    }
    end_setting(&n.s);
}

static void a_zero_point_that_nothing_moves_is_refused(void **state)
{
    struct net n;
    struct archive_decision *d;

    (void)state;
    begin_net(&n, false);
    d = &n.decisions[n.target.n_decisions - 1]; /* the output decides the arg-max */
    d->zero_point += 10;
    d->scale = d->threshold / (float)code_range_steps((struct code_range){d->lo, d->hi, d->zero_point});
    assert_refused(&n);
    end_setting(&n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_archived_is_decided_again),
        cmocka_unit_test(codes_that_the_target_lacks_are_refused),
        cmocka_unit_test(a_zero_point_that_nothing_moves_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
