/* test_engine.c — the engine against the plain kernels of worker/reference.h, operator by operator, in every layout. */
#include "worker/engine.h"
#include "worker/reference.h"

#include "../common/build_graph.h"
#include "../common/draw.h"
#include "networks.h"

#include <math.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* Of the largest magnitude of a tensor. A float32 sum of n terms errs by about sqrt(n) 2^-24 of its largest term, 2e-6
 * for the 1152 terms of the longest sum here; where a sigmoid follows, sums of 50 become values of 1. */
static const double LAYER_TOLERANCE = 1e-4;
/* Errors of a dozen layers add up. */
static const double NETWORK_TOLERANCE = 2e-4;

enum { BATCH = 3 };

static const struct activation SOME_ACTIVATIONS[] = {{ACTIVATION_NONE, 0, 0},
                                                     {ACTIVATION_RELU, 0, 0},
                                                     {ACTIVATION_CLIP, 0, 6},
                                                     {ACTIVATION_HARD_SWISH, 1.0f / 6, 0.5f},
                                                     {ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f},
                                                     {ACTIVATION_ERF, 0, 0}};

static struct activation draw_activation(void)
{
    return SOME_ACTIVATIONS[draw_below(sizeof SOME_ACTIVATIONS / sizeof *SOME_ACTIVATIONS)];
}

/* Channel counts around the library's blocks of 8 and 16. */
static int64_t draw_channels(void)
{
    static const int64_t counts[] = {1, 3, 5, 8, 16, 17, 20, 32};

    return counts[draw_below(sizeof counts / sizeof *counts)];
}

static float *draw_floats(size_t n)
{
    float *x = malloc(n * sizeof *x + 1);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)draw_uniform(-2, 2);
    return x;
}

static int add_random(struct graph *graph, struct shape shape)
{
    float *data = draw_floats((size_t)shape_elements(&shape));
    int value = add_floats(graph, shape, data);

    free(data);
    return value;
}

static size_t elements_of(const struct graph *graph, int value)
{
    return (size_t)shape_elements(&graph->values[value].shape);
}

/* ---- the comparison ---- */

struct expectation {
    const struct graph *graph;
    size_t n_records;
    float **values;   /* by value index, NULL for constants */
    double tolerance; /* of the largest magnitude */
    int last_node;    /* the observer's order */
    size_t n_seen;
};

static struct expectation expect(const struct graph *graph, const float *const *inputs, size_t n_records,
                                 double tolerance)
{
    struct expectation e = {graph, n_records, calloc(graph->n_values, sizeof *e.values), tolerance, GRAPH_NONE, 0};
    struct error err;

    assert_non_null(e.values);
    for (size_t i = 0; i < graph->n_values; i++)
        if (!graph->values[i].is_constant)
            e.values[i] = draw_floats(n_records * elements_of(graph, (int)i));
    for (size_t i = 0; i < graph->n_inputs; i++)
        memcpy(e.values[graph->inputs[i]], inputs[i], n_records * elements_of(graph, graph->inputs[i]) * sizeof(float));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const float *operands[8];

        assert_true(node->n_inputs <= 8);
        for (size_t j = 0; j < node->n_inputs; j++)
            operands[j] = node->inputs[j] == GRAPH_NONE ? NULL : e.values[node->inputs[j]];
        assert_succeeds(reference_run_node(graph, node, n_records, operands, e.values[node->outputs[0]], &err), err);
    }
    return e;
}

static void forget(struct expectation *e)
{
    for (size_t i = 0; i < e->graph->n_values; i++)
        free(e->values[i]);
    free(e->values);
}

static void compare(const struct expectation *e, int value, const float *found)
{
    const float *expected = e->values[value];
    size_t n = e->n_records * elements_of(e->graph, value);
    double largest = 1e-3; /* values that small are noise everywhere */

    for (size_t i = 0; i < n; i++)
        if (isfinite(expected[i]))
            largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(expected[i] == found[i] || (isnan(expected[i]) && isnan(found[i])) ||
              fabs((double)expected[i] - (double)found[i]) <= e->tolerance * largest)) {
            char text[SHAPE_TEXT_BYTES];

            fail_msg(
                "value \"%s\" (%s of shape %s), element %zu: expected %.9g, found %.9g", e->graph->values[value].name,
                e->graph->values[value].producer < 0 ? "input"
                                                     : op_name(e->graph->nodes[e->graph->values[value].producer].op),
                shape_text(&e->graph->values[value].shape, text), i, (double)expected[i], (double)found[i]);
        }
}

static void check_padding_is_zero(const struct expectation *e, int value, const struct view *view)
{
    size_t blocks = view_blocks(view);

    for (size_t i = 0; i < view_span(view); i++) {
        size_t channel = i / view->block / view->spatial % blocks * view->block + i % view->block;

        if (channel >= view->channels && view->data[i] != 0)
            fail_msg("value \"%s\": padding channel %zu of %zu holds %g", e->graph->values[value].name, channel,
                     view->channels, (double)view->data[i]);
    }
}

static int observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct expectation *e = context;
    float *plain;

    (void)err;
    if (node != GRAPH_NONE) {
        assert_int_equal(node, e->last_node + 1);
        assert_int_equal(value, e->graph->nodes[node].outputs[0]);
        e->last_node = node;
    } else {
        assert_int_equal(value, e->graph->inputs[e->n_seen]);
    }
    e->n_seen++;
    assert_int_equal(view->records, e->n_records);
    assert_int_equal(view->records * view->channels * view->spatial, e->n_records * elements_of(e->graph, value));
    check_padding_is_zero(e, value, view);
    plain = draw_floats(e->n_records * elements_of(e->graph, value));
    view_copy_plain(view, plain);
    compare(e, value, plain);
    free(plain);
    return 0;
}

static void infer(struct graph *graph)
{
    struct error err;

    assert_succeeds(graph_infer_shapes(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
}

/* Every value of every record, observed in order, equals the reference; for a full and a short block. Destroys graph.
 */
static void check_graph_within(struct graph *graph, double tolerance)
{
    struct engine *engine;
    struct error err = {0};
    float *inputs[4];

    infer(graph);
    assert_true(graph->n_inputs <= 4);
    for (size_t i = 0; i < graph->n_inputs; i++)
        inputs[i] = draw_floats(BATCH * elements_of(graph, graph->inputs[i]));
    engine = engine_create(graph, BATCH, NULL, &err);
    if (engine == NULL)
        fail_msg("%s", err.text);
    for (size_t n_records = BATCH; n_records >= BATCH - 1; n_records--) {
        struct expectation e = expect(graph, (const float *const *)inputs, n_records, tolerance);

        assert_succeeds(engine_run(engine, (const float *const *)inputs, n_records, observe, &e, &err), err);
        assert_int_equal(e.n_seen, graph->n_inputs + graph->n_nodes);
        for (size_t i = 0; i < graph->n_outputs; i++)
            compare(&e, graph->outputs[i], engine_output(engine, i));
        forget(&e);
    }
    engine_destroy(engine);
    for (size_t i = 0; i < graph->n_inputs; i++)
        free(inputs[i]);
    graph_destroy(graph);
}

static void check_graph(struct graph *graph, int output)
{
    assert_true(graph_add_output(graph, output, NULL) >= 0);
    check_graph_within(graph, LAYER_TOLERANCE);
}

/* ---- graphs of one operator ---- */

/* A 1x1 convolution, whose output the library likes to keep in blocks of channels. */
static int add_blocked(struct graph *graph, int x, int64_t from, int64_t to)
{
    int y = add_node(graph, OP_CONV, NULL, INTS(x, add_random(graph, SHAPE(to, from, 1, 1))));

    last_node(graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(graph)->attr.conv.group = 1;
    return y;
}

/* An image of the given size: the graph's input half of the time, or something blocked. */
static int add_image(struct graph *graph, int64_t channels, int64_t rows, int64_t columns)
{
    bool is_blocked = draw_below(2) == 0;
    int64_t in = is_blocked ? 4 : channels;
    int x = add_input(graph, NULL, SHAPE(1, in, rows, columns));

    return is_blocked ? add_blocked(graph, x, in, channels) : x;
}

static struct window draw_window(void)
{
    struct window window;

    for (size_t i = 0; i < 2; i++) {
        window.kernel[i] = 1 + (int64_t)draw_below(3);
        window.stride[i] = 1 + (int64_t)draw_below(2);
        window.dilation[i] = 1 + (int64_t)draw_below(2);
        window.pad_begin[i] = (int64_t)draw_below(2);
        window.pad_end[i] = (int64_t)draw_below(3);
    }
    return window;
}

static void convolutions_of_any_window_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 150; round++) {
        struct graph *graph = new_graph();
        int64_t group = round % 3 == 0 ? 1 + (int64_t)draw_below(4) : 1;
        int64_t in = draw_channels() * group, out = draw_channels() * group;
        struct window window = draw_window();
        int x, w, y;

        if (round % 5 == 0) /* depthwise */
            out = in, group = in;
        x = add_image(graph, in, 6 + (int64_t)draw_below(5), 6 + (int64_t)draw_below(5));
        w = add_random(graph, SHAPE(out, in / group, window.kernel[0], window.kernel[1]));
        if (draw_below(2) == 0)
            y = add_node(graph, OP_CONV, "y", INTS(x, w, add_random(graph, SHAPE(out))));
        else
            y = add_node(graph, OP_CONV, "y", INTS(x, w));
        last_node(graph)->attr.conv.window = window;
        last_node(graph)->attr.conv.group = group;
        last_node(graph)->fused = draw_activation();
        check_graph(graph, y);
    }
}

static void one_dimensional_convolutions_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct graph *graph = new_graph();
        int64_t in = draw_channels(), out = draw_channels();
        int x = add_input(graph, "x", SHAPE(1, in, 11));
        int y = add_node(graph, OP_CONV, NULL, INTS(x, add_random(graph, SHAPE(out, in, 3))));

        last_node(graph)->attr.conv.window = (struct window){{1, 3}, {1, 2}, {1, 1}, {0, 1}, {0, 0}};
        last_node(graph)->attr.conv.group = 1;
        y = add_node(graph, OP_POOL, "y", INTS(y));
        last_node(graph)->attr.pool.window = (struct window){{1, 2}, {1, 2}, {1, 1}, {0, 0}, {0, 0}};
        last_node(graph)->attr.pool.output[0] = 1;
        last_node(graph)->attr.pool.output[1] = 2;
        check_graph(graph, y);
    }
}

static void deconvolutions_of_any_window_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 80; round++) {
        struct graph *graph = new_graph();
        int64_t group = round % 3 == 0 ? 1 + (int64_t)draw_below(3) : 1;
        int64_t in = draw_channels() * group, out = draw_channels() * group;
        struct window window = draw_window();
        int x, y;

        if (round % 5 == 0)
            out = in, group = in;
        x = add_image(graph, in, 4 + (int64_t)draw_below(3), 4 + (int64_t)draw_below(3));
        y = add_node(graph, OP_DECONV, "y",
                     INTS(x, add_random(graph, SHAPE(in, out / group, window.kernel[0], window.kernel[1])),
                          add_random(graph, SHAPE(out))));
        last_node(graph)->attr.conv.window = window;
        last_node(graph)->attr.conv.group = group;
        for (size_t i = 0; i < 2; i++)
            last_node(graph)->attr.conv.output_padding[i] = (int64_t)draw_below((size_t)window.stride[i]);
        last_node(graph)->fused = draw_activation();
        check_graph(graph, y);
    }
}

static void dense_layers_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct graph *graph = new_graph();
        int64_t k = 1 + (int64_t)draw_below(70), n = draw_channels();
        int x = add_input(graph, "x", SHAPE(1, k)), w = add_random(graph, SHAPE(n, k)), y;

        if (draw_below(2) == 0)
            y = add_node(graph, OP_DENSE, "y", INTS(x, w, add_random(graph, SHAPE(n))));
        else
            y = add_node(graph, OP_DENSE, "y", INTS(x, w));
        last_node(graph)->fused = draw_activation();
        check_graph(graph, y);
    }
}

static void matrix_products_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct graph *graph = new_graph();
        int64_t m = 1 + (int64_t)draw_below(9), k = 1 + (int64_t)draw_below(20), n = 1 + (int64_t)draw_below(20);
        int64_t stack = 1 + (int64_t)draw_below(3);
        int a, b;

        switch (round % 6) {
        case 0: /* a vector per record times a constant */
            a = add_input(graph, "a", SHAPE(1, k));
            b = add_random(graph, SHAPE(k, n));
            break;
        case 1: /* stacked matrices times one constant */
            a = add_input(graph, "a", SHAPE(1, stack, m, k));
            b = add_random(graph, SHAPE(k, n));
            break;
        case 2: /* attention */
            a = add_input(graph, "a", SHAPE(1, stack, m, k));
            b = add_input(graph, "b", SHAPE(1, stack, k, n));
            break;
        case 3: /* broadcast over the stack */
            a = add_input(graph, "a", SHAPE(1, stack, m, k));
            b = add_input(graph, "b", SHAPE(1, 1, k, n));
            break;
        case 4: /* a constant stack */
            a = add_input(graph, "a", SHAPE(1, stack, m, k));
            b = add_random(graph, SHAPE(stack, k, n));
            break;
        default: /* a constant on the left */
            a = add_random(graph, SHAPE(m, k));
            b = add_input(graph, "b", SHAPE(1, k, n));
        }
        check_graph(graph, add_node(graph, OP_MATMUL, "y", INTS(a, b)));
    }
}

static void pools_of_any_window_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct graph *graph = new_graph();
        int64_t size[2] = {5 + (int64_t)draw_below(5), 5 + (int64_t)draw_below(5)};
        int x = add_image(graph, draw_channels(), size[0], size[1]), y = add_node(graph, OP_POOL, "y", INTS(x));
        struct node *node = last_node(graph);
        struct window *window = &node->attr.pool.window;

        *window = draw_window();
        for (size_t i = 0; i < 2; i++) {
            if (round % 4 != 0) /* dilated pools are rare */
                window->dilation[i] = 1;
            if (window->pad_begin[i] > window->dilation[i] * (window->kernel[i] - 1))
                window->pad_begin[i] = 0;
            node->attr.pool.output[i] =
                pool_output_size(size[i], window->kernel[i], window->stride[i], window->dilation[i],
                                 window->pad_begin[i], window->pad_end[i], round % 2 == 0, false);
            while ((node->attr.pool.output[i] - 1) * window->stride[i] - window->pad_begin[i] >= size[i])
                node->attr.pool.output[i]--; /* a window must see a pixel */
        }
        node->attr.pool.kind = draw_below(3) == 0 ? POOL_MAX : POOL_AVERAGE;
        node->attr.pool.count_include_pad = draw_below(2) == 0;
        check_graph(graph, y);
    }
}

/* Caffe, pooling_layer.cpp: the divisor is the window clipped to the image and its pads, not to what hangs over them.
 */
static void an_overhanging_average_divides_by_what_the_pads_hold(void **state)
{
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, *inputs[] = {x};
    struct graph *graph = new_graph();
    int y = add_node(graph, OP_POOL, "y", INTS(add_input(graph, "x", SHAPE(1, 1, 4, 4))));
    struct engine *engine;
    struct error err;

    (void)state;
    last_node(graph)->attr.pool.kind = POOL_AVERAGE;
    last_node(graph)->attr.pool.count_include_pad = true;
    last_node(graph)->attr.pool.window = (struct window){{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}};
    last_node(graph)->attr.pool.output[0] = last_node(graph)->attr.pool.output[1] = 3; /* ceil((4 + 2 - 3) / 2) + 1 */
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    infer(graph);
    engine = engine_create(graph, 1, NULL, &err);
    assert_non_null(engine);
    assert_succeeds(engine_run(engine, inputs, 1, NULL, NULL, &err), err);
    assert_float_equal(engine_output(engine, 0)[0], 14 / 9.0f, 1e-6f); /* begin pads count */
    assert_float_equal(engine_output(engine, 0)[2], 12 / 6.0f, 1e-6f); /* one column hangs over */
    assert_float_equal(engine_output(engine, 0)[8], 16 / 4.0f, 1e-6f);
    engine_destroy(engine);
    graph_destroy(graph);
}

/* Values from 1/2 to 2: away from zero, where dividing magnifies rounding errors. */
static int add_divisor(struct graph *graph, int x)
{
    int y;

    if (graph->values[x].is_constant)
        return x;
    y = add_node(graph, OP_ACTIVATION, NULL, INTS(x));
    last_node(graph)->attr.activation = (struct activation){ACTIVATION_CLIP, 0.5f, 2};
    return y;
}

static void activations_equal_their_definition_and_leave_padding_zero(void **state)
{
    static const float alphas[ACTIVATION_COUNT] = {
        [ACTIVATION_LEAKY_RELU] = 0.1f,     [ACTIVATION_CLIP] = 0.25f, [ACTIVATION_ELU] = 0.7f,
        [ACTIVATION_SWISH] = 1.3f,          [ACTIVATION_POWER] = 2,    [ACTIVATION_HARD_SIGMOID] = 0.2f,
        [ACTIVATION_HARD_SWISH] = 1.0f / 6,
    };

    (void)state;
    for (int kind = ACTIVATION_RELU; kind < ACTIVATION_COUNT; kind++)
        for (int round = 0; round < 6; round++) {
            struct graph *graph = new_graph();
            int x = add_image(graph, round < 2 ? 20 : draw_channels(), 3, 4), y;

            if (kind == ACTIVATION_LOG || kind == ACTIVATION_SQRT) /* steep at zero */
                x = add_divisor(graph, x);
            y = add_node(graph, OP_ACTIVATION, "y", INTS(x));
            last_node(graph)->attr.activation =
                (struct activation){(enum activation_kind)kind, alphas[kind], kind == ACTIVATION_CLIP ? 1.5f : 0.5f};
            check_graph(graph, y);
        }
}

static void channelwise_operators_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct graph *graph = new_graph();
        int64_t channels = draw_channels();
        int x = add_image(graph, channels, 3, 4), y;

        y = add_node(graph, OP_PRELU, NULL, INTS(x, add_random(graph, SHAPE(round % 2 == 0 ? 1 : channels))));
        y = add_node(graph, OP_NORMALIZE, "y",
                     INTS(y, add_random(graph, SHAPE(channels)), add_random(graph, SHAPE(channels))));
        check_graph(graph, y);
    }
}

/* The operator that `round` asks for. */
static int add_binary(struct graph *graph, int a, int b, int round)
{
    enum binary_kind kind = (enum binary_kind)(round % 6);
    int y = add_node(graph, OP_BINARY, "y", INTS(a, kind == BINARY_DIV ? add_divisor(graph, b) : b));

    last_node(graph)->attr.binary.kind = kind;
    last_node(graph)->fused = draw_activation();
    return y;
}

static void operators_on_equal_shapes_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct graph *graph = new_graph();
        int64_t channels = draw_channels();
        int a = add_image(graph, channels, 3, 4), b = round % 10 == 0 ? a : add_image(graph, channels, 3, 4);

        check_graph(graph, add_binary(graph, a, b, round));
    }
}

static void broadcast_operators_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct graph *graph = new_graph();
        int64_t dims[] = {draw_channels(), 1 + (int64_t)draw_below(4), 1 + (int64_t)draw_below(4)};
        unsigned repeated = (unsigned)draw_below(8); /* bit i: b has extent 1 there */
        int64_t other[3];
        size_t first = draw_below(4); /* axes that a constant lacks */
        int a = add_image(graph, dims[0], dims[1], dims[2]), b;

        for (size_t i = 0; i < 3; i++)
            other[i] = (repeated >> i & 1) != 0 ? 1 : dims[i];
        if (round % 3 == 0) {
            b = add_image(graph, other[0], other[1], other[2]);
        } else {
            struct shape shape = SHAPE(1, other[0], other[1], other[2]);

            for (size_t i = 0; i + first < 4; i++)
                shape.dims[i] = shape.dims[i + first];
            shape.rank -= first;
            b = add_random(graph, shape);
        }
        check_graph(graph, draw_below(2) == 0 ? add_binary(graph, a, b, round) : add_binary(graph, b, a, round));
    }
}

static void broadcasts_of_both_sides_and_of_other_ranks_equal_the_reference(void **state)
{
    struct graph *graph = new_graph();
    int y;

    (void)state;
    y = add_node(graph, OP_BINARY, "y", INTS(add_image(graph, 20, 1, 1), add_image(graph, 1, 3, 5)));
    last_node(graph)->attr.binary.kind = BINARY_MUL;
    check_graph(graph, y);
    graph = new_graph();
    y = add_node(graph, OP_BINARY, "y", INTS(add_input(graph, "x", SHAPE(1, 70)), add_random(graph, SHAPE(70))));
    check_graph(graph, y);
    graph = new_graph();
    y = add_node(graph, OP_BINARY, "y", INTS(add_input(graph, "x", SHAPE(1, 5, 7)), add_random(graph, SHAPE(7))));
    check_graph(graph, y);
    graph = new_graph();
    y = add_node(graph, OP_BINARY, "y",
                 INTS(add_input(graph, "x", SHAPE(1, 2, 3, 4, 5)), add_random(graph, SHAPE(3, 1, 5))));
    check_graph(graph, y);
}

static void concatenations_along_any_axis_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct graph *graph = new_graph();
        int axis = 1 + round % 3, parts[4], n = 1 + (int)draw_below(4), y;
        int64_t dims[] = {draw_channels(), 2, 3};

        for (int i = 0; i < n; i++) {
            dims[axis - 1] = axis == 1 ? draw_channels() : 1 + (int64_t)draw_below(3);
            parts[i] = i == 2 ? add_random(graph, SHAPE(1, dims[0], dims[1], dims[2]))
                              : add_image(graph, dims[0], dims[1], dims[2]);
        }
        y = add_node(graph, OP_CONCAT, NULL, parts, (size_t)n);
        last_node(graph)->attr.axis = axis;
        y = add_node(graph, OP_ACTIVATION, "y", INTS(y)); /* what follows a joined value sees its padding */
        last_node(graph)->attr.activation.kind = ACTIVATION_SIGMOID;
        check_graph(graph, y);
    }
}

static void softmax_over_any_axis_equals_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 24; round++) {
        struct graph *graph = new_graph();
        int y = add_node(graph, OP_SOFTMAX, "y", INTS(add_image(graph, draw_channels(), 2, 5)));

        last_node(graph)->attr.softmax.axis = 1 + round % 3;
        last_node(graph)->attr.softmax.is_log = round % 2 == 0;
        check_graph(graph, y);
    }
}

static void response_normalisations_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 24; round++) {
        struct graph *graph = new_graph();
        int y = add_node(graph, OP_LRN, "y", INTS(add_image(graph, draw_channels(), 3, 4)));

        last_node(graph)->attr.lrn.size = 2 + round % 5;
        last_node(graph)->attr.lrn.alpha = 0.3f;
        last_node(graph)->attr.lrn.beta = round % 2 == 0 ? 0.75f : 0.5f;
        last_node(graph)->attr.lrn.k = 1.5f;
        check_graph(graph, y);
    }
}

static int add_reshape(struct graph *graph, const char *name, int x, struct shape shape)
{
    int y = graph_add_value(graph, name, DTYPE_FLOAT32, &shape, NULL);

    assert_true(y >= 0 && graph_add_node(graph, OP_RESHAPE, NULL, NULL, &x, 1, &y, 1, NULL) >= 0);
    return y;
}

static void moves_of_values_are_exact(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct graph *graph = new_graph();
        int64_t channels = draw_channels();
        int x = add_image(graph, channels, 4, 6), y;

        y = add_reshape(graph, NULL, x, SHAPE(1, 2, channels, 2, 6));
        y = add_node(graph, OP_TRANSPOSE, NULL, INTS(y)); /* 1, 6, 2, C, 2 */
        memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 4, 3, 2, 1}, 5 * sizeof(int64_t));
        y = add_reshape(graph, NULL, y, SHAPE(1, 12, channels, 2));
        y = add_node(graph, OP_PAD, NULL, INTS(y)); /* 12, C, 5 */
        last_node(graph)->attr.pad.mode = (enum pad_mode)(round % 3);
        last_node(graph)->attr.pad.value = 7;
        last_node(graph)->attr.pad.begin[3] = 1;
        last_node(graph)->attr.pad.end[3] = round % 3 == PAD_REFLECT ? 1 : 2;
        last_node(graph)->attr.pad.begin[1] = 2;
        y = add_node(graph, OP_SLICE, "y", INTS(y));
        memcpy(last_node(graph)->attr.slice.begin, (int64_t[]){0, 1, 0, 1}, 4 * sizeof(int64_t));
        memcpy(last_node(graph)->attr.slice.step, (int64_t[]){1, 3, 1, 2}, 4 * sizeof(int64_t));
        graph->values[y].shape = SHAPE(1, 5, channels, 2);
        graph->values[y].has_shape = true;
        check_graph(graph, y);
    }
}

static void flattening_a_blocked_value_gives_row_major_order(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct graph *graph = new_graph();
        int64_t channels = draw_channels(), rows = 1 + round % 2;
        int x = add_blocked(graph, add_input(graph, "x", SHAPE(1, 4, rows, 2)), 4, channels);

        check_graph(graph, add_node(graph, OP_DENSE, "y",
                                    INTS(add_reshape(graph, NULL, x, SHAPE(1, channels * rows * 2)),
                                         add_random(graph, SHAPE(6, channels * rows * 2)))));
    }
}

static void reductions_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct graph *graph = new_graph();
        int y = add_node(graph, OP_REDUCE, "y", INTS(add_image(graph, draw_channels(), 3, 4)));

        last_node(graph)->attr.reduce.kind = (enum reduce_kind)(round % 5);
        last_node(graph)->attr.reduce.axes = round % 3 == 0 ? 12 : 2 * (uint32_t)draw_below(8);
        last_node(graph)->attr.reduce.keep_dims = draw_below(2) == 0;
        check_graph(graph, y);
    }
}

static void resized_images_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 48; round++) {
        struct graph *graph = new_graph();
        int64_t channels = draw_channels(), rows = 1 + (int64_t)draw_below(9), columns = 1 + (int64_t)draw_below(9);
        int x = add_image(graph, channels, 4, 5);
        int y = graph_add_value(graph, "y", DTYPE_FLOAT32, &SHAPE(1, channels, rows, columns), NULL);

        assert_true(graph_add_node(graph, OP_RESIZE, NULL, NULL, &x, 1, &y, 1, NULL) >= 0);
        last_node(graph)->attr.resize.mode = (enum resize_mode)(round % 3);
        last_node(graph)->attr.resize.coordinates = (enum resize_coordinates)(round % 4);
        last_node(graph)->attr.resize.rounding = (enum resize_rounding)(draw_below(4));
        last_node(graph)->attr.resize.cubic_a = -0.75f;
        last_node(graph)->attr.resize.scale[0] = (float)rows / 4;
        last_node(graph)->attr.resize.scale[1] = (float)columns / 5;
        check_graph(graph, y);
    }
}

/* What the plain kernel for resizing means, on numbers anyone can check: a row of 2 doubled. */
static void a_doubled_row_is_what_the_definitions_say(void **state)
{
    static const struct {
        enum resize_mode mode;
        enum resize_coordinates coordinates;
        float expected[4];
    } cases[] = {
        {RESIZE_LINEAR, RESIZE_HALF_PIXEL, {0, 1, 3, 4}},
        {RESIZE_LINEAR, RESIZE_ASYMMETRIC, {0, 2, 4, 4}},
        {RESIZE_LINEAR, RESIZE_ALIGN_CORNERS, {0, 4 / 3.0f, 8 / 3.0f, 4}},
        {RESIZE_NEAREST, RESIZE_HALF_PIXEL, {0, 0, 4, 4}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float x[] = {0, 4}, *inputs[] = {x};
        struct graph *graph = new_graph();
        int in = add_input(graph, "x", SHAPE(1, 1, 1, 2));
        int y = graph_add_value(graph, "y", DTYPE_FLOAT32, &SHAPE(1, 1, 1, 4), NULL);
        struct error err;
        float found[4];

        assert_true(graph_add_node(graph, OP_RESIZE, NULL, NULL, &in, 1, &y, 1, NULL) >= 0);
        last_node(graph)->attr.resize.mode = cases[i].mode;
        last_node(graph)->attr.resize.coordinates = cases[i].coordinates;
        last_node(graph)->attr.resize.rounding = RESIZE_PREFER_FLOOR;
        last_node(graph)->attr.resize.scale[0] = 1;
        last_node(graph)->attr.resize.scale[1] = 2;
        assert_true(graph_add_output(graph, y, NULL) >= 0);
        infer(graph);
        assert_succeeds(reference_run_node(graph, last_node(graph), 1, inputs, found, &err), err);
        for (size_t j = 0; j < 4; j++)
            assert_float_equal(found[j], cases[i].expected[j], 1e-6f);
        graph_destroy(graph);
    }
}

/* ---- whole networks ---- */

static struct graph *build_residual(void)
{
    struct error err = {0};
    struct graph *graph = network_find("residual")->build(&err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

static void a_residual_network_equals_the_reference(void **state)
{
    (void)state;
    check_graph_within(build_residual(), NETWORK_TOLERANCE);
}

/* Outputs in the middle, an input that is an output, and values whose memory others would like to have. */
static void outputs_survive_until_the_next_run(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4, 6, 6)), a = add_blocked(graph, x, 4, 20), b, y;

    (void)state;
    b = add_node(graph, OP_ACTIVATION, "b", INTS(a));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    y = b;
    for (int i = 0; i < 4; i++)
        y = add_blocked(graph, y, 20, 20);
    y = add_node(graph, OP_BINARY, "y", INTS(y, b));
    assert_true(graph_add_output(graph, a, NULL) >= 0);
    assert_true(graph_add_output(graph, x, NULL) >= 0);
    check_graph(graph, y);
}

static uint64_t hash_bytes(const void *data, size_t n)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

struct digests {
    uint64_t first_record[64];
    size_t n;
};

static int digest_first_record(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct digests *digests = context;
    struct view one = *view;

    (void)node;
    (void)value;
    (void)err;
    one.records = 1;
    assert_true(digests->n < 64);
    digests->first_record[digests->n++] = hash_bytes(one.data, view_span(&one) * sizeof *one.data);
    return 0;
}

static void a_record_gives_the_same_bits_whatever_shares_its_batch(void **state)
{
    struct graph *graph = build_residual();
    size_t elements = elements_of(graph, graph->inputs[0]);
    struct engine *engine = engine_create(graph, 8, NULL, NULL);
    struct engine *second = engine_create(graph, 8, engine, NULL);
    float *input = draw_floats(8 * elements);
    struct digests expected = {{0}, 0};

    (void)state;
    assert_non_null(engine);
    assert_non_null(second);
    for (int round = 0; round < 4; round++) {
        struct digests found = {{0}, 0};
        struct error err;

        assert_succeeds(engine_run(round == 3 ? second : engine, (const float *const *)&input, round == 1 ? 1 : 8,
                                   digest_first_record, &found, &err),
                        err);
        if (round == 0)
            expected = found;
        assert_int_equal(found.n, expected.n);
        assert_memory_equal(found.first_record, expected.first_record, found.n * sizeof *found.first_record);
        for (size_t i = elements; i < 8 * elements; i++) /* other neighbours */
            input[i] = round == 1 ? 0 : (float)draw_uniform(-9, 9);
    }
    free(input);
    engine_destroy(second);
    engine_destroy(engine);
    graph_destroy(graph);
}

static void engines_that_share_weights_take_less_memory(void **state)
{
    struct graph *graph = build_residual();
    struct engine *first = engine_create(graph, 2, NULL, NULL), *second, *third;

    (void)state;
    assert_non_null(first);
    second = engine_create(graph, 2, first, NULL);
    assert_non_null(second);
    third = engine_create(graph, 2, second, NULL);
    assert_non_null(third);
    assert_true(engine_memory_bytes(second) < engine_memory_bytes(first));
    assert_int_equal(engine_memory_bytes(third), engine_memory_bytes(second));
    assert_int_equal(engine_batch(third), 2);
    engine_destroy(third);
    engine_destroy(second);
    engine_destroy(first);
    graph_destroy(graph);
}

/* ---- failures ---- */

static int refuse(void *context, int node, int value, const struct view *view, struct error *err)
{
    (void)value;
    (void)view;
    ++*(int *)context;
    return node == 2 ? error_set(err, EX_IOERR, "the observer has had enough") : 0;
}

static void an_observer_that_fails_stops_the_run(void **state)
{
    struct graph *graph = build_residual();
    struct engine *engine = engine_create(graph, 1, NULL, NULL);
    float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    struct error err;
    int calls = 0;

    (void)state;
    assert_non_null(engine);
    assert_fails(engine_run(engine, (const float *const *)&input, 1, refuse, &calls, &err), EX_IOERR, err, "enough");
    assert_int_equal(calls, 4); /* the input and nodes 0, 1, 2 */
    assert_fails(engine_run(engine, (const float *const *)&input, 2, NULL, NULL, &err), EX_SOFTWARE, err, "2 records");
    free(input);
    engine_destroy(engine);
    graph_destroy(graph);
}

static void flushed_denormals_are_found_out(void **state)
{
#if defined(__x86_64__)
    struct graph *graph = build_residual();
    struct engine *engine = engine_create(graph, 1, NULL, NULL);
    float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    unsigned mode = _mm_getcsr();
    struct error err;

    (void)state;
    assert_non_null(engine);
    _mm_setcsr(mode | 1u << 15); /* FTZ */
    assert_fails(engine_run(engine, (const float *const *)&input, 1, NULL, NULL, &err), EX_SOFTWARE, err, "denormals");
    _mm_setcsr(mode);
    assert_succeeds(engine_run(engine, (const float *const *)&input, 1, NULL, NULL, &err), err);
    free(input);
    engine_destroy(engine);
    graph_destroy(graph);
#else
    (void)state;
    skip();
#endif
}

static void what_the_engine_cannot_run_is_named(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4)), y = add_value(graph, "y");
    struct error err;

    (void)state;
    graph->values[y].shape = SHAPE(1, 4);
    graph->values[y].has_shape = true;
    assert_true(graph_add_node(graph, OP_GATHER, "pick", "Gather", &x, 1, &y, 1, NULL) >= 0);
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    assert_fails(engine_create(graph, 1, NULL, &err) == NULL ? -1 : 0, EX_UNAVAILABLE, err, "pick", "Gather");
    graph->values[x].shape = SHAPE(2, 4);
    assert_fails(engine_create(graph, 1, NULL, &err) == NULL ? -1 : 0, EX_UNAVAILABLE, err, "\"x\"", "2x4");
    assert_fails(engine_create(graph, 0, NULL, &err) == NULL ? -1 : 0, EX_USAGE, err, "batch");
    graph_destroy(graph);
}

static void instruction_sets_are_pinned_by_name_and_in_time(void **state)
{
    struct error err;

    (void)state;
    assert_succeeds(engine_pin_isa("native", &err), err);
    assert_fails(engine_pin_isa("mmx", &err), EX_CONFIG, err, "mmx");
    assert_fails(engine_pin_isa("avx2", &err), EX_SOFTWARE, err, "before the first engine"); /* others ran already */
    assert_true(strlen(engine_isa()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_any_window_equal_the_reference),
        cmocka_unit_test(one_dimensional_convolutions_equal_the_reference),
        cmocka_unit_test(deconvolutions_of_any_window_equal_the_reference),
        cmocka_unit_test(dense_layers_equal_the_reference),
        cmocka_unit_test(matrix_products_equal_the_reference),
        cmocka_unit_test(pools_of_any_window_equal_the_reference),
        cmocka_unit_test(an_overhanging_average_divides_by_what_the_pads_hold),
        cmocka_unit_test(activations_equal_their_definition_and_leave_padding_zero),
        cmocka_unit_test(channelwise_operators_equal_the_reference),
        cmocka_unit_test(operators_on_equal_shapes_equal_the_reference),
        cmocka_unit_test(broadcast_operators_equal_the_reference),
        cmocka_unit_test(broadcasts_of_both_sides_and_of_other_ranks_equal_the_reference),
        cmocka_unit_test(concatenations_along_any_axis_equal_the_reference),
        cmocka_unit_test(softmax_over_any_axis_equals_the_reference),
        cmocka_unit_test(response_normalisations_equal_the_reference),
        cmocka_unit_test(moves_of_values_are_exact),
        cmocka_unit_test(flattening_a_blocked_value_gives_row_major_order),
        cmocka_unit_test(reductions_equal_the_reference),
        cmocka_unit_test(resized_images_equal_the_reference),
        cmocka_unit_test(a_doubled_row_is_what_the_definitions_say),
        cmocka_unit_test(a_residual_network_equals_the_reference),
        cmocka_unit_test(outputs_survive_until_the_next_run),
        cmocka_unit_test(a_record_gives_the_same_bits_whatever_shares_its_batch),
        cmocka_unit_test(engines_that_share_weights_take_less_memory),
        cmocka_unit_test(an_observer_that_fails_stops_the_run),
        cmocka_unit_test(flushed_denormals_are_found_out),
        cmocka_unit_test(what_the_engine_cannot_run_is_named),
        cmocka_unit_test(instruction_sets_are_pinned_by_name_and_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
