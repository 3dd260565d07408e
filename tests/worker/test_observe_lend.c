/* test_observe_lend.c — one pass over a watched network tells what passes over it and over the equalized one would have
 * seen, bit for bit. */
#include "worker/observe.h"

#include "../common/uneven_chain.h"
#include "worker/engine.h"

#include <stdlib.h>

enum { BATCH = 3, BLOCKS = 5, BINS = 256, CHANNEL_BINS = 64, KINDS = EXTRAS_EXTREMA | EXTRAS_TOP_TWO | EXTRAS_SQUARES };

/* What a pass over BLOCKS blocks sees, always the same ones. */
static struct observation *observe(const struct graph *graph)
{
    struct error err = {0};
    struct observation *o = observation_create(graph, BINS, CHANNEL_BINS, &err);
    struct engine *engine = engine_create(graph, BATCH, NULL, &err);
    float input[BATCH * UNEVEN_INPUT];
    const float *inputs[] = {input};

    assert_non_null(o);
    if (engine == NULL)
        fail_msg("%s", err.text);
    assert_succeeds(observation_collect(o, KINDS, &err), err);
    for (uint64_t b = 0; b < BLOCKS; b++) {
        draw_state = 2463534242u + b;
        for (size_t i = 0; i < BATCH * UNEVEN_INPUT; i++)
            input[i] = (float)draw_uniform(-3, 3);
        assert_succeeds(engine_run(engine, inputs, BATCH, observation_observe, o, &err), err);
    }
    observation_settle(o);
    assert_succeeds(observation_derive(o, &err), err);
    for (size_t v = 0; v < graph->n_values; v++)
        for (size_t c = 0; o->sums[v] != NULL && c < observation_channels(graph, (int)v); c++)
            exact_sum_normalise(&o->sums[v][c]);
    extras_normalise(o->extras);
    engine_destroy(engine);
    return o;
}

static void assert_sums_equal(const struct exact_sum *a, const struct exact_sum *b, size_t n)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL)
        assert_memory_equal(a, b, n * sizeof *a);
}

static void assert_equal(const struct observation *a, const struct observation *b)
{
    for (size_t v = 0; v < a->graph->n_values; v++) {
        size_t n = observation_channels(a->graph, (int)v);

        assert_int_equal(a->tensor[v].bins, b->tensor[v].bins);
        if (a->tensor[v].bins == 0)
            continue;
        assert_true(histogram_equal(&a->tensor[v], &b->tensor[v]));
        for (size_t c = 0; c < n; c++)
            assert_true(histogram_equal(&a->channels[v][c], &b->channels[v][c]));
        assert_sums_equal(a->sums[v], b->sums[v], n);
        assert_sums_equal(a->extras->squares[v], b->extras->squares[v], n);
        assert_memory_equal(&a->extras->extrema[v], &b->extras->extrema[v], sizeof a->extras->extrema[v]);
        assert_int_equal(a->extras->top_two[v].gap.bins, b->extras->top_two[v].gap.bins);
    }
}

/* How far every channel reaches, as the search for an equalization asks. */
static struct equalization search(const struct graph *graph, const struct observation *o)
{
    struct equalization found;
    struct error err = {0};
    double **maxima = calloc(graph->n_values, sizeof *maxima);

    assert_non_null(maxima);
    for (size_t v = 0; v < graph->n_values; v++) {
        size_t n = observation_channels(graph, (int)v);

        if (!equalization_wants_maxima(graph, (int)v))
            continue;
        maxima[v] = calloc(n, sizeof **maxima);
        assert_non_null(maxima[v]);
        for (size_t c = 0; c < n; c++)
            maxima[v][c] = (double)o->channels[v][c].max;
    }
    assert_succeeds(equalization_search(graph, (const double *const *)maxima, false, &found, &err), err);
    for (size_t v = 0; v < graph->n_values; v++)
        free(maxima[v]);
    free(maxima);
    return found;
}

/* Returns how many values change. */
static size_t check(const struct graph *graph)
{
    struct error err = {0};
    struct observation *user = observe(graph), *both, *equalized, *lent_user, *lent;
    struct equalization found = search(graph, user);
    struct graph *after = graph_copy(graph, &err), *watched;
    const struct equalized_value **of_value = calloc(graph->n_values, sizeof *of_value);
    int *beside = calloc(graph->n_values, sizeof *beside);
    size_t n = 0;

    assert_true(after != NULL && of_value != NULL && beside != NULL);
    assert_succeeds(equalization_apply(after, &found, &err), err);
    assert_succeeds(graph_validate(after, &err), err);
    assert_succeeds(equalization_trace(graph, &found, of_value, &err), err);
    watched = equalization_watch(graph, of_value, beside, &err);
    assert_non_null(watched);
    both = observe(watched);
    equalized = observe(after);
    lent_user = observation_lend(both, graph, NULL, NULL, &err);
    lent = observation_lend(both, after, beside, of_value, &err);
    assert_true(lent_user != NULL && lent != NULL);
    assert_equal(lent_user, user);
    assert_equal(lent, equalized);
    for (size_t v = 0; v < graph->n_values; v++)
        n += of_value[v] != NULL;
    observation_return(lent_user);
    observation_return(lent);
    observation_destroy(user);
    observation_destroy(both);
    observation_destroy(equalized);
    graph_destroy(watched);
    graph_destroy(after);
    equalization_fini(&found);
    free(of_value);
    free(beside);
    return n;
}

static void what_was_seen_beside_is_what_the_equalized_network_shows(void **state)
{
    static const struct activation kinds[] = {{.kind = ACTIVATION_NONE},
                                              {.kind = ACTIVATION_RELU},
                                              {.kind = ACTIVATION_LEAKY_RELU, .alpha = 0.125F},
                                              {.kind = ACTIVATION_CLIP, .alpha = 0, .beta = 40}};
    size_t n = 0;

    (void)state;
    for (uint64_t seed = 1; seed < 12; seed++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct graph *g = uneven_chain(seed, kinds[k]);

            n += check(g);
            graph_destroy(g);
        }
    assert_true(n > 100); /* outputs of layers, and what pools and reshapes make of them */
}

static void a_network_without_pairs_is_watched_in_vain(void **state)
{
    struct error err = {0};
    struct equalization none = {0};
    const struct activation sigmoid = {.kind = ACTIVATION_SIGMOID};
    struct graph *g = uneven_chain(1, sigmoid), *watched;
    const struct equalized_value **of_value = calloc(g->n_values, sizeof *of_value);
    int *beside = calloc(g->n_values, sizeof *beside);

    (void)state;
    assert_true(of_value != NULL && beside != NULL);
    assert_succeeds(equalization_trace(g, &none, of_value, &err), err);
    watched = equalization_watch(g, of_value, beside, &err);
    assert_non_null(watched);
    assert_int_equal(watched->n_values, g->n_values);
    assert_int_equal(watched->n_nodes, g->n_nodes);
    graph_destroy(watched);
    graph_destroy(g);
    free(of_value);
    free(beside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_seen_beside_is_what_the_equalized_network_shows),
        cmocka_unit_test(a_network_without_pairs_is_watched_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
