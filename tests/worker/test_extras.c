/* test_extras.c — extras against plain loops over plain copies, in every layout; and that they merge. */
#include "worker/extras.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <math.h>
#include <stdlib.h>

enum { RECORDS = 3, CHANNELS = 6, SPATIAL = 5, ALL = EXTRAS_EXTREMA | EXTRAS_TOP_TWO | EXTRAS_SQUARES };

/* A convolution, its output flattened pixel by pixel, a softmax over the classes. */
struct net {
    struct graph *graph;
    int x, y, softmax;
};

static struct net make_net(void)
{
    static const float zeros[CHANNELS * CHANNELS];
    struct net n = {.graph = new_graph()};
    struct error err;

    n.x = add_input(n.graph, "x", SHAPE(1, CHANNELS, 1, SPATIAL));
    n.y = add_node(n.graph, OP_CONV, "y",
                   INTS(n.x, add_floats(n.graph, SHAPE(CHANNELS, CHANNELS, 1, 1), zeros),
                        add_floats(n.graph, SHAPE(CHANNELS), zeros)));
    last_node(n.graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(n.graph)->attr.conv.group = 1;
    n.softmax = add_node(n.graph, OP_SOFTMAX, "softmax", INTS(n.y));
    last_node(n.graph)->attr.softmax.axis = 1;
    assert_true(graph_add_output(n.graph, n.softmax, NULL) >= 0);
    assert_succeeds(graph_infer_shapes(n.graph, &err), err);
    return n;
}

static struct extras *new_extras(const struct net *net)
{
    struct error err = {0};
    struct extras *e = extras_create(net->graph, ALL, &err);

    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

/* Plain values and the same in blocks of `block` channels, padded with numbers that are no data. */
static struct view draw_view(size_t block, float *plain, float *blocked)
{
    struct view v = {blocked, RECORDS, CHANNELS, SPATIAL, block};

    for (size_t i = 0; i < view_span(&v); i++)
        blocked[i] = 1e9F;
    for (size_t n = 0; n < RECORDS; n++)
        for (size_t c = 0; c < CHANNELS; c++)
            for (size_t s = 0; s < SPATIAL; s++) {
                float x = (float)draw_normal();

                plain[(n * CHANNELS + c) * SPATIAL + s] = x;
                blocked[((n * view_blocks(&v) + c / block) * SPATIAL + s) * block + c % block] = x;
            }
    return v;
}

static void observe(struct extras *e, int value, const struct view *v)
{
    struct error err;

    assert_succeeds(extras_observe(e, value, v, &err), err);
}

static void extras_are_those_of_plain_loops(void **state)
{
    static const size_t blocks[] = {1, 4, 8, CHANNELS};
    float plain[RECORDS * CHANNELS * SPATIAL], blocked[2 * RECORDS * CHANNELS * SPATIAL];

    (void)state;
    draw_state = 5;
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
        struct net net = make_net();
        struct extras *e = new_extras(&net);
        struct view v = draw_view(blocks[b], plain, blocked);
        struct top_two expected = {0};
        double smallest = 0, largest = 0;
        struct error err;

        observe(e, net.y, &v);
        observe(e, net.x, &v);
        assert_succeeds(histogram_init(&expected.second, e->top_two[net.y].second.bins, &err), err);
        assert_succeeds(histogram_init(&expected.gap, e->top_two[net.y].gap.bins, &err), err);
        for (size_t n = 0; n < RECORDS; n++) {
            const float *record = plain + n * CHANNELS * SPATIAL;
            float low = INFINITY, high = -INFINITY;

            for (size_t i = 0; i < CHANNELS * SPATIAL; i++) {
                low = fminf(low, record[i]);
                high = fmaxf(high, record[i]);
            }
            smallest += (double)low;
            largest += (double)high;
            for (size_t s = 0; s < SPATIAL; s++) {
                size_t best = 0, next = 1;
                float second, gap;

                for (size_t c = 1; c < CHANNELS; c++)
                    best = record[c * SPATIAL + s] > record[best * SPATIAL + s] ? c : best;
                next = best == 0;
                for (size_t c = 0; c < CHANNELS; c++)
                    next = c != best && record[c * SPATIAL + s] > record[next * SPATIAL + s] ? c : next;
                second = record[next * SPATIAL + s];
                gap = record[best * SPATIAL + s] - fmaxf(second, 0);
                assert_succeeds(histogram_observe(&expected.second, &second, 1, &err), err);
                assert_succeeds(histogram_observe(&expected.gap, &gap, 1, &err), err);
            }
        }
        assert_int_equal(e->extrema[net.y].records, RECORDS);
        assert_int_equal(e->extrema[net.y].elements, RECORDS * CHANNELS * SPATIAL);
        assert_true(fabs(exact_sum_value(&e->extrema[net.y].smallest) - smallest) < 1e-12);
        assert_true(fabs(exact_sum_value(&e->extrema[net.y].largest) - largest) < 1e-12);
        assert_true(histogram_equal(&e->top_two[net.y].second, &expected.second));
        assert_true(histogram_equal(&e->top_two[net.y].gap, &expected.gap));
        for (size_t c = 0; c < CHANNELS; c++) {
            double sum = 0;

            for (size_t i = 0; i < RECORDS * SPATIAL; i++) {
                double x = (double)plain[(i / SPATIAL * CHANNELS + c) * SPATIAL + i % SPATIAL];

                sum += x * x;
            }
            assert_true(fabs(exact_sum_value(&e->squares[net.x][c]) - sum) < 1e-12);
        }
        histogram_fini(&expected.second);
        histogram_fini(&expected.gap);
        extras_destroy(e);
        graph_destroy(net.graph);
    }
}

static void only_outputs_that_are_classes_have_a_top_two(void **state)
{
    struct net net = make_net();
    struct extras *e = new_extras(&net);

    (void)state;
    assert_true(e->top_two[net.softmax].second.bins > 0 && e->top_two[net.y].second.bins > 0);
    assert_int_equal(e->top_two[net.x].second.bins, 0); /* behind a layer */
    assert_int_equal(extras_n_squares(e, net.x), CHANNELS);
    assert_int_equal(extras_n_squares(e, net.y), 0);
    extras_destroy(e);
    graph_destroy(net.graph);
}

static void records_that_are_not_finite_have_no_extrema(void **state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    float plain[RECORDS * CHANNELS * SPATIAL], blocked[RECORDS * CHANNELS * SPATIAL];

    (void)state;
    draw_state = 6;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct net net = make_net();
        struct extras *e = new_extras(&net);
        struct view v = draw_view(1, plain, blocked);

        blocked[CHANNELS * SPATIAL + 7] = odd[i]; /* of the second record, pixel 2 */
        observe(e, net.y, &v);
        assert_int_equal(e->extrema[net.y].records, RECORDS - 1);
        assert_int_equal(e->top_two[net.y].second.nans, 1);
        assert_int_equal(e->top_two[net.y].gap.nans, 1);
        assert_true(isfinite(exact_sum_value(&e->extrema[net.y].largest)));
        extras_destroy(e);
        graph_destroy(net.graph);
    }
}

static void merging_is_independent_of_grouping(void **state)
{
    enum { BLOCKS = 12 };
    float plain[RECORDS * CHANNELS * SPATIAL], blocked[RECORDS * CHANNELS * SPATIAL];
    struct net net = make_net();
    struct extras *straight = new_extras(&net);
    struct error err;

    (void)state;
    draw_state = 7;
    for (size_t i = 0; i < BLOCKS; i++) {
        struct view v = draw_view(1, plain, blocked);

        observe(straight, net.x, &v);
        observe(straight, net.y, &v);
    }
    extras_normalise(straight);
    for (size_t n = 1; n <= 5; n++) {
        struct extras *shares[5], *whole = new_extras(&net);

        for (size_t i = 0; i < n; i++)
            shares[i] = new_extras(&net);
        draw_state = 7;
        for (size_t i = 0; i < BLOCKS; i++) {
            struct view v = draw_view(1, plain, blocked);

            observe(shares[i * i % n], net.x, &v);
            observe(shares[i * i % n], net.y, &v);
        }
        for (size_t i = n; i-- > 0;) {
            assert_succeeds(extras_merge(whole, shares[i], &err), err);
            extras_destroy(shares[i]);
        }
        assert_memory_equal(whole->extrema, straight->extrema, net.graph->n_values * sizeof *whole->extrema);
        assert_memory_equal(whole->squares[net.x], straight->squares[net.x], CHANNELS * sizeof **whole->squares);
        assert_true(histogram_equal(&whole->top_two[net.y].second, &straight->top_two[net.y].second));
        assert_true(histogram_equal(&whole->top_two[net.y].gap, &straight->top_two[net.y].gap));
        extras_destroy(whole);
    }
    extras_destroy(straight);
    graph_destroy(net.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extras_are_those_of_plain_loops),
        cmocka_unit_test(only_outputs_that_are_classes_have_a_top_two),
        cmocka_unit_test(records_that_are_not_finite_have_no_extrema),
        cmocka_unit_test(merging_is_independent_of_grouping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
