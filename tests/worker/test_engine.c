/* test_engine.c — the engine's operators, one by one, in every layout, on shapes that fit no block. */
#include "check_engine.h"

/* Of the largest magnitude of a tensor. A float32 sum of n terms errs by about sqrt(n) 2^-24 of its largest term, 2e-6
 * for the 1152 terms of the longest sum here; where a sigmoid follows, sums of 50 become values of 1. */
static const double LAYER_TOLERANCE = 1e-4;
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

static void check_graph(struct graph *graph, int output)
{
    assert_true(graph_add_output(graph, output, NULL) >= 0);
    check_graph_within(graph, LAYER_TOLERANCE);
}

/* ---- graphs of one operator ---- */

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

        last_node(graph)->attr.reduce.kind = (enum reduce_kind)(round % REDUCE_FIRST_FOLDED);
        last_node(graph)->attr.reduce.axes = round % 3 == 0 ? 12 : 2 * (uint32_t)draw_below(8);
        last_node(graph)->attr.reduce.keep_dims = draw_below(2) == 0;
        check_graph(graph, y);
    }
}

static void layer_norms_over_any_axes_equal_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 24; round++) {
        struct graph *graph = new_graph();
        int x = add_blocked(graph, add_image(graph, 12, 3, 5), 12, 20), y;
        struct shape operand = round % 2 == 0 ? SHAPE(5) : SHAPE(20, 1, 1);
        const int inputs[] = {x, add_random(graph, operand), add_random(graph, operand)};

        y = graph_add_value(graph, "y", DTYPE_FLOAT32, NULL, NULL);
        assert_true(
            graph_add_node(graph, OP_LAYER_NORM, NULL, "LayerNorm", inputs, 1 + (size_t)round % 3, &y, 1, NULL) >= 0);
        last_node(graph)->attr.layer_norm.axes = 2 * (1 + (uint32_t)draw_below(7));
        last_node(graph)->attr.layer_norm.epsilon = 1e-3f;
        check_graph(graph, y);
    }
}

static void a_layer_norm_has_mean_0_and_variance_1(void **state)
{
    const float x[] = {1, 2, 3, 6}, scale[] = {2}, shift[] = {10};
    struct graph *graph = new_graph();
    int input = add_input(graph, "x", SHAPE(1, 4)), y;
    float out[4];

    (void)state;
    y = add_node(graph, OP_LAYER_NORM, "y",
                 INTS(input, add_floats(graph, SHAPE(1), scale), add_floats(graph, SHAPE(1), shift)));
    last_node(graph)->attr.layer_norm.axes = 2;
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    infer(graph);
    assert_int_equal(reference_run_node(graph, last_node(graph), 1, (const float *const[]){x, scale, shift}, out, NULL),
                     0);
    for (int i = 0; i < 4; i++) /* mean 3, variance 3.5 */
        assert_true(fabs((double)out[i] - (10 + 2 * ((double)x[i] - 3) / sqrt(3.5))) < 1e-6);
    graph_destroy(graph);
}

static void gathers_and_hardmaxes_are_exact(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct graph *graph = new_graph();
        int x = add_blocked(graph, add_image(graph, 12, 3, 5), 12, 20);
        int64_t axis = 1 + round % 3;
        int y = round < 6 ? add_node(graph, OP_GATHER, "y", INTS(x, add_ints(graph, 2, -1, 0, 2)))
                          : add_node(graph, OP_HARDMAX, "y", INTS(x));

        last_node(graph)->attr.axis = axis;
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
        cmocka_unit_test(layer_norms_over_any_axes_equal_the_reference),
        cmocka_unit_test(a_layer_norm_has_mean_0_and_variance_1),
        cmocka_unit_test(gathers_and_hardmaxes_are_exact),
        cmocka_unit_test(resized_images_equal_the_reference),
        cmocka_unit_test(a_doubled_row_is_what_the_definitions_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
