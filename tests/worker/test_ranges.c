/* test_ranges.c — counts of the second pass: what they count, in any order and layout. */
#include "worker/observe.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <math.h>
#include <stdlib.h>

enum { CHANNELS = 5, PIXELS = 12, RECORDS = 9, BLOCK = 8 };

/* conv -> y (an image), reshape -> flat, dense -> z, on x. */
static struct graph *build(void)
{
    struct graph *graph = new_graph();
    float weights[CHANNELS * PIXELS * 2] = {0};
    int x = add_input(graph, "x", SHAPE(1, CHANNELS, 3, 4)), y, flat, z;

    y = add_node(graph, OP_ACTIVATION, "y", INTS(x));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    flat = add_node(graph, OP_RESHAPE, "flat", INTS(y));
    graph->values[flat].shape = SHAPE(1, CHANNELS * PIXELS);
    graph->values[flat].has_shape = true;
    z = add_node(graph, OP_DENSE, "z", INTS(flat, add_floats(graph, SHAPE(2, CHANNELS * PIXELS), weights)));
    assert_true(graph_add_output(graph, z, NULL) >= 0);
    assert_int_equal(graph_infer_shapes(graph, NULL), 0);
    return graph;
}

/* Numbers of every kind, and of the channels' own sizes; channel 1 is dead. */
static void draw_images(float *images)
{
    for (size_t i = 0; i < RECORDS * CHANNELS * PIXELS; i++) {
        size_t c = i / PIXELS % CHANNELS;
        double x = draw_normal() * (double)(c + 1);

        images[i] = c == 1 ? 0 : draw_below(8) == 0 ? 0 : (float)x;
    }
    images[0] = NAN;
    images[1] = INFINITY;
    images[2] = -INFINITY;
    images[3] = -0.0F;
    images[4] = 0x1p-140F;
}

static struct view plain_view(const float *images, size_t records)
{
    return (struct view){images, records, CHANNELS, PIXELS, 1};
}

static struct observation *observe_images(const struct graph *graph, const float *images)
{
    struct observation *o = observation_create(graph, 256, 256, NULL);
    struct view view = plain_view(images, RECORDS);

    assert_non_null(o);
    assert_int_equal(observation_observe(o, GRAPH_NONE, graph->inputs[0], &view, NULL), 0);
    observation_settle(o);
    assert_int_equal(observation_derive(o, NULL), 0);
    return o;
}

static void each_magnitude_is_in_its_bin(void **state)
{
    static float images[RECORDS * CHANNELS * PIXELS];
    struct graph *graph = build();
    struct observation *o;
    struct ranges *ranges;
    const struct value_ranges *r;
    struct view view = plain_view(images, RECORDS);

    (void)state;
    draw_images(images);
    o = observe_images(graph, images);
    ranges = ranges_create(o, NULL);
    assert_non_null(ranges);
    assert_int_equal(ranges_observe(ranges, GRAPH_NONE, graph->inputs[0], &view, NULL), 0);
    r = &ranges->values[graph->inputs[0]];
    assert_int_equal(r->n, CHANNELS);
    for (size_t c = 0; c < CHANNELS; c++) {
        static uint64_t expected[RANGE_BINS];
        float largest = 0;

        memset(expected, 0, sizeof expected);
        for (size_t i = 0; i < RECORDS * CHANNELS * PIXELS; i++)
            if (i / PIXELS % CHANNELS == c && isfinite(images[i]))
                largest = fmaxf(largest, fabsf(images[i]));
        assert_true(r->limits[c] == largest);
        for (size_t i = 0; i < RECORDS * CHANNELS * PIXELS; i++) {
            float k = 2048 / largest, bin = truncf(fabsf(images[i]) * k);

            if (i / PIXELS % CHANNELS == c && isfinite(images[i]) && images[i] != 0)
                expected[bin > 2047 ? 2047 : (size_t)bin]++;
        }
        assert_memory_equal(r->counts + c * RANGE_BINS, expected, sizeof expected);
    }
    ranges_destroy(ranges);
    observation_destroy(o);
    graph_destroy(graph);
}

static void shares_in_any_layout_add_up(void **state)
{
    static float images[RECORDS * CHANNELS * PIXELS], blocked[RECORDS * PIXELS * BLOCK];
    struct graph *graph = build();
    struct observation *o;
    struct ranges *whole, *merged, *share;
    struct view view = plain_view(images, RECORDS);
    const size_t first = 4, per_record = CHANNELS * PIXELS;

    (void)state;
    draw_images(images);
    o = observe_images(graph, images);
    whole = ranges_create(o, NULL);
    merged = ranges_create(o, NULL);
    share = ranges_create(o, NULL);
    ranges_observe(whole, GRAPH_NONE, graph->inputs[0], &view, NULL);
    for (size_t i = 0; i < RECORDS * per_record; i++) /* view.h: padding is not data, here it would show */
        blocked[(i / per_record * PIXELS + i % PIXELS) * BLOCK + i / PIXELS % CHANNELS] = images[i];
    for (size_t i = 0; i < RECORDS * PIXELS; i++)
        blocked[i * BLOCK + CHANNELS] = 1;
    view = (struct view){blocked, first, CHANNELS, PIXELS, BLOCK};
    ranges_observe(share, GRAPH_NONE, graph->inputs[0], &view, NULL);
    view = plain_view(images + first * per_record, RECORDS - first);
    ranges_observe(merged, GRAPH_NONE, graph->inputs[0], &view, NULL);
    ranges_merge(merged, share);
    assert_memory_equal(whole->values[graph->inputs[0]].counts, merged->values[graph->inputs[0]].counts,
                        CHANNELS * RANGE_BINS * sizeof(uint64_t));
    ranges_destroy(whole);
    ranges_destroy(merged);
    ranges_destroy(share);
    observation_destroy(o);
    graph_destroy(graph);
}

static void an_inner_product_has_one_range_a_value(void **state)
{
    static float images[RECORDS * CHANNELS * PIXELS];
    struct graph *graph = build();
    struct observation *o;
    struct ranges *ranges;

    (void)state;
    o = observe_images(graph, images);
    ranges = ranges_create(o, NULL);
    assert_int_equal(ranges->values[graph_find_value(graph, "x")].n, CHANNELS);
    assert_int_equal(ranges->values[graph_find_value(graph, "y")].n, 1);
    assert_int_equal(ranges->values[graph_find_value(graph, "flat")].n, 1);
    assert_int_equal(ranges->values[graph_find_value(graph, "z")].n, 1);
    assert_true(range_factor(0) == 0 && range_factor(1e-5F) == 0 && range_factor(2) == 1024);
    ranges_destroy(ranges);
    observation_destroy(o);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_magnitude_is_in_its_bin),
        cmocka_unit_test(shares_in_any_layout_add_up),
        cmocka_unit_test(an_inner_product_has_one_range_a_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
