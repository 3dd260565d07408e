/* test_observe.c — what an observation holds, against plain copies of what the engine showed; and that it merges. */
#include "worker/observe.h"

#include "../common/build_graph.h"
#include "../common/draw.h"
#include "worker/engine.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 3, BLOCKS = 7, X = 3, A = 5, B = 2, CAT = A + B, SIZE = 4, BINS = 256, CHANNEL_BINS = 64 };

/* Two convolutions, side by side in a concat that a third one reads, whose flattened output a dense layer reads. */
struct net {
    struct graph *graph;
    int x, a, b, cat, c, flat, y;
};

static int add_layer(struct graph *g, enum op op, const char *name, int x, struct shape weights)
{
    size_t n = (size_t)shape_elements(&weights);
    float *w = malloc(n * sizeof *w), *zeros = calloc((size_t)weights.dims[0], sizeof *zeros);
    int y;

    assert_true(w != NULL && zeros != NULL);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)draw_normal();
    y = add_node(g, op, name, INTS(x, add_floats(g, weights, w), add_floats(g, SHAPE(weights.dims[0]), zeros)));
    if (op == OP_CONV) {
        last_node(g)->attr.conv.window = make_window(3, 1, 1);
        last_node(g)->attr.conv.group = 1;
    }
    free(w);
    free(zeros);
    return y;
}

static struct net make_net(void)
{
    struct net n = {.graph = new_graph()};
    struct shape flat = SHAPE(1, 2 * SIZE * SIZE);
    struct error err;

    n.x = add_input(n.graph, "x", SHAPE(1, X, SIZE, SIZE));
    n.a = add_layer(n.graph, OP_CONV, "a", n.x, SHAPE(A, X, 3, 3));
    n.b = add_layer(n.graph, OP_CONV, "b", n.x, SHAPE(B, X, 3, 3));
    n.cat = add_node(n.graph, OP_CONCAT, "cat", INTS(n.a, n.b));
    last_node(n.graph)->attr.axis = 1;
    n.c = add_layer(n.graph, OP_CONV, "c", n.cat, SHAPE(2, CAT, 3, 3));
    n.flat = graph_add_value(n.graph, "flat", DTYPE_FLOAT32, &flat, NULL);
    assert_true(graph_add_node(n.graph, OP_RESHAPE, "flat", NULL, &n.c, 1, &n.flat, 1, NULL) >= 0);
    n.y = add_layer(n.graph, OP_DENSE, "y", n.flat, SHAPE(3, 2 * SIZE * SIZE));
    assert_true(graph_add_output(n.graph, n.y, NULL) >= 0);
    assert_succeeds(graph_infer_shapes(n.graph, &err), err);
    assert_succeeds(graph_validate(n.graph, &err), err);
    return n;
}

static struct observation *new_observation(const struct net *net, size_t channel_bins)
{
    struct error err = {0};
    struct observation *o = observation_create(net->graph, BINS, channel_bins, &err);

    if (o == NULL)
        fail_msg("%s", err.text);
    return o;
}

/* Block `b`, always the same numbers; the last one is short. Returns how many records it has. */
static size_t draw_block(size_t b, float *input)
{
    draw_state = 2463534242u + b;
    for (size_t i = 0; i < BATCH * X * SIZE * SIZE; i++)
        input[i] = (float)ldexp(draw_normal(), (int)b - 3);
    return b + 1 < BLOCKS ? BATCH : 1;
}

static void run_block(struct engine *engine, size_t b, engine_observer observer, void *context)
{
    float input[BATCH * X * SIZE * SIZE];
    const float *inputs[] = {input};
    size_t n = draw_block(b, input);
    struct error err;

    assert_succeeds(engine_run(engine, inputs, n, observer, context, &err), err);
}

static struct engine *new_engine(const struct net *net)
{
    struct error err = {0};
    struct engine *engine = engine_create(net->graph, BATCH, NULL, &err);

    if (engine == NULL)
        fail_msg("%s", err.text);
    return engine;
}

static struct observation *observe_blocks(const struct net *net, struct engine *engine, size_t channel_bins,
                                          const size_t *blocks, size_t n)
{
    struct observation *o = new_observation(net, channel_bins);

    for (size_t i = 0; i < n; i++)
        run_block(engine, blocks[i], observation_observe, o);
    observation_settle(o);
    return o;
}

static void derive(struct observation *o)
{
    struct error err;

    assert_succeeds(observation_derive(o, &err), err);
}

static void merge(struct observation *into, struct observation *from)
{
    struct error err;

    assert_succeeds(observation_merge(into, from, &err), err);
    observation_destroy(from);
}

static void assert_same(const struct net *net, struct observation *a, struct observation *b)
{
    for (size_t v = 0; v < net->graph->n_values; v++) {
        size_t channels = observation_channels(net->graph, (int)v);

        if (a->tensor[v].bins == 0)
            continue;
        assert_true(histogram_equal(&a->tensor[v], &b->tensor[v]));
        for (size_t c = 0; c < channels; c++)
            assert_true(histogram_equal(&a->channels[v][c], &b->channels[v][c]));
        for (size_t c = 0; a->sums[v] != NULL && c < channels; c++) {
            exact_sum_normalise(&a->sums[v][c]);
            exact_sum_normalise(&b->sums[v][c]);
        }
        if (a->sums[v] != NULL)
            assert_memory_equal(a->sums[v], b->sums[v], channels * sizeof **a->sums);
    }
}

/* What the definitions say, from plain copies. */
struct plain {
    const struct net *net;
    struct histogram tensor, channels[2 * SIZE * SIZE];
    double sums[2 * SIZE * SIZE], magnitude;
    int value; /* the one looked at */
    float copy[BATCH * CAT * SIZE * SIZE];
};

static int look(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct plain *p = context;

    (void)node;
    if (value != p->value)
        return 0;
    view_copy_plain(view, p->copy);
    for (size_t r = 0; r < view->records; r++)
        for (size_t c = 0; c < view->channels; c++) {
            const float *x = p->copy + (r * view->channels + c) * view->spatial;

            if (histogram_observe(&p->tensor, x, view->spatial, err) != 0 ||
                histogram_observe(&p->channels[c], x, view->spatial, err) != 0)
                return -1;
            for (size_t s = 0; s < view->spatial; s++) {
                p->sums[c] += (double)x[s];
                p->magnitude += fabs((double)x[s]);
            }
        }
    return 0;
}

/* Every value: also those that are derived rather than observed. */
static void check_statistics(size_t channel_bins)
{
    const size_t all[BLOCKS] = {0, 1, 2, 3, 4, 5, 6};
    struct net net = make_net();
    struct engine *engine = new_engine(&net);
    struct observation *o = observe_blocks(&net, engine, channel_bins, all, BLOCKS);

    derive(o);
    for (size_t v = 0; v < net.graph->n_values; v++) {
        size_t channels = observation_channels(net.graph, (int)v);
        struct plain p = {.net = &net, .value = (int)v};
        struct error err;

        if (net.graph->values[v].is_constant)
            continue;
        assert_succeeds(histogram_init(&p.tensor, BINS, &err), err);
        for (size_t c = 0; c < channels; c++)
            assert_succeeds(histogram_init(&p.channels[c], channel_bins, &err), err);
        for (size_t b = 0; b < BLOCKS; b++)
            run_block(engine, b, look, &p);
        assert_true(histogram_equal(&o->tensor[v], &p.tensor));
        for (size_t c = 0; c < channels; c++) {
            assert_true(histogram_equal(&o->channels[v][c], &p.channels[c]));
            if (o->sums[v] != NULL) { /* runs of 32 floats are added in float */
                double mean = p.sums[c] / ((double)p.tensor.n / (double)channels);

                assert_true(fabs(observation_mean(o, (int)v, c) - mean) <= 1e-5 * p.magnitude / (double)p.tensor.n);
            }
            histogram_fini(&p.channels[c]);
        }
        histogram_fini(&p.tensor);
    }
    observation_destroy(o);
    engine_destroy(engine);
    graph_destroy(net.graph);
}

static void statistics_are_those_of_the_numbers_shown(void **state)
{
    (void)state;
    check_statistics(CHANNEL_BINS);
}

static void channels_as_fine_as_their_tensor_add_up_to_it(void **state)
{
    (void)state;
    check_statistics(BINS);
}

/* The value below which a fraction p of a standard normal distribution lies. */
static double normal_quantile(double p)
{
    double low = -9, high = 9;

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (erfc(-middle / sqrt(2)) / 2 < p)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A normalised value of mean `shift` and deviation `scale`, its activation, and a layer that reads it. */
static struct graph *normal_network(float scale, float shift, enum activation_kind kind, int *read)
{
    static const float one = 1, zero = 0;
    struct graph *g = new_graph();
    int x = add_input(g, "x", SHAPE(1, 1, 256, 256)), y;
    struct error err;

    y = add_node(g, OP_NORMALIZE, "norm", INTS(x, add_floats(g, SHAPE(1), &scale), add_floats(g, SHAPE(1), &shift)));
    *read = add_node(g, OP_ACTIVATION, "activation", INTS(y));
    last_node(g)->attr.activation.kind = kind;
    if (kind == ACTIVATION_CLIP) {
        last_node(g)->attr.activation.alpha = 0;
        last_node(g)->attr.activation.beta = 6;
    }
    y = add_node(g, OP_CONV, "conv",
                 INTS(*read, add_floats(g, SHAPE(1, 1, 1, 1), &one), add_floats(g, SHAPE(1), &zero)));
    last_node(g)->attr.conv.window = make_window(1, 1, 0);
    last_node(g)->attr.conv.group = 1;
    assert_true(graph_add_output(g, y, NULL) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
    return g;
}

/* Bias correction takes measured means where the paper expects them of a batch normalisation's shift and scale (Nagel
 * et al. 2019, arXiv:1906.04721, section 4.2.1; calibration.md section 9): of normal values they are the same. */
static void means_are_those_that_batch_normalisation_lets_expect(void **state)
{
    static const struct {
        float shift, scale;
        enum activation_kind kind;
        double mean;
    } rows[] = {{0, 1, ACTIVATION_RELU, 0.3989422804},
                {1, 2, ACTIVATION_RELU, 1.3955931148},
                {4, 3, ACTIVATION_CLIP, 3.6738264037}};
    enum { N = 256 * 256 };
    float *x = malloc(N * sizeof *x);

    (void)state;
    assert_non_null(x);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)normal_quantile(((double)i + 0.5) / N);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int read;
        struct graph *g = normal_network(rows[i].scale, rows[i].shift, rows[i].kind, &read);
        struct error err = {0};
        struct observation *o = observation_create(g, BINS, 0, &err);
        struct engine *engine = engine_create(g, 1, NULL, &err);
        const float *inputs[] = {x};

        assert_true(o != NULL && engine != NULL);
        assert_succeeds(engine_run(engine, inputs, 1, observation_observe, o, &err), err);
        observation_settle(o);
        assert_true(fabs(observation_mean(o, read, 0) - rows[i].mean) < 2e-5);
        observation_destroy(o);
        engine_destroy(engine);
        graph_destroy(g);
    }
    free(x);
}

static void sums_are_kept_of_what_layers_read_and_of_nothing_else(void **state)
{
    struct net net = make_net();
    struct observation *o = new_observation(&net, 0);

    (void)state;
    assert_true(o->sums[net.x] != NULL && o->sums[net.cat] != NULL && o->sums[net.flat] != NULL);
    assert_true(o->sums[net.a] != NULL && o->sums[net.b] != NULL); /* the concat's come from them */
    assert_true(o->sums[net.c] == NULL && o->sums[net.y] == NULL);
    for (size_t v = 0; v < net.graph->n_values; v++) {
        assert_null(o->channels[v]);
        assert_int_equal(o->tensor[v].bins, net.graph->values[v].is_constant ? 0 : BINS);
    }
    observation_destroy(o);
    graph_destroy(net.graph);
}

/* Blocks in any order, on any thread, merged in any order, then derived: the same integers. */
static void merging_is_independent_of_order_and_grouping(void **state)
{
    const size_t all[BLOCKS] = {0, 1, 2, 3, 4, 5, 6};
    struct net net = make_net();
    struct engine *engine = new_engine(&net);
    struct observation *straight = observe_blocks(&net, engine, CHANNEL_BINS, all, BLOCKS);

    (void)state;
    derive(straight);
    for (size_t round = 0; round < 20; round++) {
        struct observation *parts[3], *merged;
        size_t blocks[3][BLOCKS], n[3] = {0};

        draw_state = 88172645463325252u + round;
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t part = draw_below(3), at = draw_below(n[part] + 1);

            memmove(blocks[part] + at + 1, blocks[part] + at, (n[part] - at) * sizeof **blocks);
            blocks[part][at] = i;
            n[part]++;
        }
        for (size_t p = 0; p < 3; p++)
            parts[p] = observe_blocks(&net, engine, CHANNEL_BINS, blocks[p], n[p]);
        merged = parts[round % 3];
        merge(merged, parts[(round + 1 + round / 3 % 2) % 3]);
        merge(merged, parts[(round + 2 - round / 3 % 2) % 3]);
        derive(merged);
        assert_same(&net, straight, merged);
        observation_destroy(merged);
    }
    observation_destroy(straight);
    engine_destroy(engine);
    graph_destroy(net.graph);
}

/* A block a part, and none in the last, each counted by one thread or the other: whole values in a tally. */
static struct observation *observe_parts_of_threads(const struct net *net, struct engine *engine)
{
    struct observation *threads[2] = {new_observation(net, CHANNEL_BINS), new_observation(net, CHANNEL_BINS)};
    struct observation *whole = new_observation(net, CHANNEL_BINS);
    struct histogram *tally = observation_create_wholes(whole, NULL);
    size_t who = draw_below(1 << BLOCKS);
    struct error err;

    assert_non_null(tally);
    for (size_t t = 0; t < 2; t++)
        observation_drop_wholes(threads[t]);
    assert_succeeds(observation_keep_parts(whole, &err), err);
    whole->parts->cut = observe_cut_ranges((uint64_t[OBSERVE_PARTS + 1]){0, 1, 2, 3, 4, 5, 6, 7, 7});
    for (size_t b = 0; b < BLOCKS; b++) {
        struct observation *thread = threads[who >> b & 1];

        observation_count_in(thread, tally);
        run_block(engine, b, observation_observe, thread);
        observation_count_in(thread, NULL);
        assert_int_equal(observe_cut_part(&whole->parts->cut, b), b);
        assert_succeeds(observation_move(whole, b, tally, &err), err);
    }
    observation_destroy_wholes(tally, net->graph->n_values);
    for (size_t t = 0; t < 2; t++)
        observation_settle(threads[t]);
    merge(threads[0], threads[1]);
    observation_take_wholes(threads[0], whole);
    observation_destroy(whole);
    derive(threads[0]);
    return threads[0];
}

static void blocks_go_to_parts_in_turn_wherever_a_data_set_is_cut(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 40; n++) {
        struct observe_cut cut = observe_cut_in_turn(n);
        uint64_t found[OBSERVE_PARTS] = {0}, first_half = 0;

        for (uint64_t b = 0; b < n; b++) {
            found[observe_cut_part(&cut, b)]++;
            first_half += observe_cut_part(&cut, b) < OBSERVE_PARTS / 2;
            for (uint64_t before = 0; before <= b; before++) /* the block's number in a set that begins there */
                assert_int_equal(observe_cut_turned(observe_cut_part(&cut, b - before), before),
                                 observe_cut_part(&cut, b));
        }
        assert_memory_equal(found, cut.n_blocks, sizeof found);
        assert_int_equal(first_half, (n + 1) / 2); /* even few blocks lie in both halves */
    }
}

static void assert_parts_add_up(const struct observation *o, const uint8_t times[OBSERVE_PARTS])
{
    for (size_t v = 0; v < o->graph->n_values; v++) {
        struct histogram sum;
        struct error err;

        if (o->tensor[v].bins == 0)
            continue;
        assert_succeeds(histogram_init(&sum, BINS, &err), err);
        assert_succeeds(observe_parts_sum(o->parts, v, times, &sum, &err), err);
        assert_true(histogram_equal(&sum, &o->tensor[v]));
        histogram_fini(&sum);
    }
}

static void parts_are_of_blocks_and_add_up_to_the_whole(void **state)
{
    const size_t all[BLOCKS] = {0, 1, 2, 3, 4, 5, 6};
    struct net net = make_net();
    struct engine *engine = new_engine(&net);
    struct observation *straight = observe_blocks(&net, engine, CHANNEL_BINS, all, BLOCKS);

    (void)state;
    derive(straight);
    for (size_t round = 0; round < 5; round++) {
        struct observation *whole;
        struct error err;

        draw_state = 521288629u + round;
        whole = observe_parts_of_threads(&net, engine);
        assert_same(&net, straight, whole);
        assert_parts_add_up(whole, (const uint8_t[OBSERVE_PARTS]){1, 1, 1, 1, 1, 1, 1, 1});
        for (size_t b = 0; b < BLOCKS; b++) {
            struct observation *alone = observe_blocks(&net, engine, 0, &b, 1);

            derive(alone);
            for (size_t v = 0; v < net.graph->n_values; v++)
                assert_true(histogram_equal(&whole->parts->of[b][v], &alone->tensor[v]));
            observation_destroy(alone);
        }
        assert_succeeds(observe_parts_double(whole->parts, &err), err);
        assert_parts_add_up(whole, (const uint8_t[OBSERVE_PARTS]){1, 1, 1, 1});
        observation_destroy(whole);
    }
    observation_destroy(straight);
    engine_destroy(engine);
    graph_destroy(net.graph);
}

static void a_mean_over_something_not_finite_is_nan(void **state)
{
    const float odd[] = {NAN, INFINITY, -INFINITY};
    struct net net = make_net();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct observation *o = new_observation(&net, 0);
        float x[X * SIZE * SIZE] = {1, 2, 3};
        const struct view view = {x, 1, X, SIZE * SIZE, 1};
        struct error err;

        assert_true(isnan(observation_mean(o, net.x, 0))); /* nothing seen */
        assert_succeeds(observation_observe(o, GRAPH_NONE, net.x, &view, &err), err);
        assert_true(observation_mean(o, net.x, 0) == 6.0 / (SIZE * SIZE));
        x[0] = odd[i];
        assert_succeeds(observation_observe(o, GRAPH_NONE, net.x, &view, &err), err);
        for (size_t c = 0; c < X; c++)
            assert_true(isnan(observation_mean(o, net.x, c)));
        observation_destroy(o);
    }
    graph_destroy(net.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_those_of_the_numbers_shown),
        cmocka_unit_test(channels_as_fine_as_their_tensor_add_up_to_it),
        cmocka_unit_test(means_are_those_that_batch_normalisation_lets_expect),
        cmocka_unit_test(sums_are_kept_of_what_layers_read_and_of_nothing_else),
        cmocka_unit_test(merging_is_independent_of_order_and_grouping),
        cmocka_unit_test(blocks_go_to_parts_in_turn_wherever_a_data_set_is_cut),
        cmocka_unit_test(parts_are_of_blocks_and_add_up_to_the_whole),
        cmocka_unit_test(a_mean_over_something_not_finite_is_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
