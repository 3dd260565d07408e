/* test_ops.c — shape rules, window arithmetic, activations. */
#include "build_graph.h"

#include <float.h>
#include <math.h>

/* --- windows --- */

/* Counts windows one by one. Without ceil_mode a window must end inside the padded image; with it, it may hang over by
 * less than a stride, and (unless Caffe does not look) must start before the end pad. */
static int64_t count_windows(int64_t in, int64_t extent, int64_t stride, int64_t pad_begin, int64_t pad_end,
                             bool ceil_mode, bool caffe_rule)
{
    int64_t padded = in + pad_begin + pad_end, n = 0;

    for (int64_t start = 0;; start += stride) {
        bool fits = ceil_mode ? start + extent < padded + stride : start + extent <= padded;
        bool is_checked = ceil_mode && (!caffe_rule || pad_begin + pad_end > 0);

        if (!fits || (is_checked && start >= in + pad_begin && n > 0))
            return n;
        n++;
    }
}

static void window_counts_match_counting(void **state)
{
    (void)state;
    for (int64_t in = 1; in < 12; in++)
        for (int64_t kernel = 1; kernel < 5; kernel++)
            for (int64_t stride = 1; stride < 5; stride++)
                for (int64_t dilation = 1; dilation < 3; dilation++)
                    for (int64_t begin = 0; begin < kernel; begin++)
                        for (int64_t end = 0; end < kernel; end++) {
                            int64_t extent = dilation * (kernel - 1) + 1;

                            if (in + begin + end < extent)
                                continue;
                            assert_int_equal(conv_output_size(in, kernel, stride, dilation, begin, end),
                                             count_windows(in, extent, stride, begin, end, false, false));
                            for (int rule = 0; rule < 2; rule++)
                                assert_int_equal(pool_output_size(in, kernel, stride, dilation, begin, end, true, rule),
                                                 count_windows(in, extent, stride, begin, end, true, rule));
                        }
}

static void known_networks_have_their_sizes(void **state)
{
    (void)state;
    assert_int_equal(conv_output_size(224, 7, 2, 1, 3, 3), 112);              /* ResNet conv1 */
    assert_int_equal(pool_output_size(112, 3, 2, 1, 0, 0, true, true), 56);   /* ResNet pool1 in Caffe */
    assert_int_equal(pool_output_size(112, 3, 2, 1, 1, 1, false, false), 56); /* and in PyTorch */
    assert_int_equal(pool_output_size(113, 3, 2, 1, 0, 0, true, true), 56);   /* SqueezeNet 1.1 pool1 */
    assert_int_equal(pool_output_size(2, 3, 2, 1, 0, 0, true, true), 1);      /* a window larger than the image */
    assert_int_equal(pool_output_size(4, 1, 5, 1, 0, 0, true, true), 2);      /* Caffe's stray window */
    assert_int_equal(pool_output_size(4, 1, 5, 1, 0, 0, true, false), 1);     /* PyTorch drops it */
}

static void senseless_windows_have_no_size(void **state)
{
    (void)state;
    assert_true(conv_output_size(2, 3, 1, 1, 0, 0) <= 0);
    assert_true(conv_output_size(2, 3, 2, 1, 0, 0) <= 0);
    assert_int_equal(conv_output_size(0, 1, 1, 1, 0, 0), -1);
    assert_int_equal(conv_output_size(4, 0, 1, 1, 0, 0), -1);
    assert_int_equal(conv_output_size(4, 1, 0, 1, 0, 0), -1);
    assert_int_equal(conv_output_size(4, 1, 1, 1, -1, 0), -1);
    assert_int_equal(conv_output_size(4, INT64_MAX, 1, INT64_MAX, 0, 0), -1);
    assert_int_equal(conv_output_size(INT64_MAX, 1, 1, 1, INT64_MAX, 0), -1);
}

/* --- rules --- */

/* Infers the only node's output; the message lands in err. */
static int infer(struct graph *graph, struct shape *out, struct error *err)
{
    *err = (struct error){0};
    if (graph_infer_shapes(graph, err) != 0)
        return -1;
    *out = graph->values[last_node(graph)->outputs[0]].shape;
    return 0;
}

static void assert_shape(struct graph *graph, struct shape expected)
{
    struct error err;
    struct shape found;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];

    assert_succeeds(infer(graph, &found, &err), err);
    if (!shape_equal(&found, &expected))
        fail_msg("expected %s, found %s", shape_text(&expected, a), shape_text(&found, b));
    graph_destroy(graph);
}

#define assert_refused(built, code, ...)                                                                               \
    do {                                                                                                               \
        struct graph *taken_ = (built);                                                                                \
        struct shape found_;                                                                                           \
        struct error err_;                                                                                             \
        assert_fails(infer(taken_, &found_, &err_), code, err_, __VA_ARGS__);                                          \
        graph_destroy(taken_);                                                                                         \
    } while (0)

static int zeros(struct graph *graph, struct shape shape)
{
    static const float data[4096];

    return add_floats(graph, shape, data);
}

static struct graph *conv_graph(enum op op, struct shape x, struct shape w, int64_t group, int64_t bias)
{
    struct graph *graph = new_graph();
    int in = add_input(graph, "x", x), weights = zeros(graph, w);

    add_node(graph, op, "conv1", (int[]){in, weights, bias > 0 ? zeros(graph, SHAPE(bias)) : GRAPH_NONE}, 3);
    last_node(graph)->attr.conv.window = make_window(3, 2, 1);
    last_node(graph)->attr.conv.group = group;
    if (x.rank == 3)
        last_node(graph)->attr.conv.window = (struct window){{1, 3}, {1, 2}, {1, 1}, {0, 1}, {0, 1}};
    return graph;
}

static void convolutions_infer_their_shapes(void **state)
{
    struct graph *graph;

    (void)state;
    assert_shape(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 6), SHAPE(1, 6, 5, 4));
    assert_shape(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 2, 3, 3), 2, 0), SHAPE(1, 6, 5, 4));
    assert_shape(conv_graph(OP_CONV, SHAPE(1, 4, 9), SHAPE(6, 4, 3), 1, 0), SHAPE(1, 6, 5));
    assert_shape(conv_graph(OP_DECONV, SHAPE(1, 4, 9, 8), SHAPE(4, 3, 3, 3), 2, 6), SHAPE(1, 6, 17, 15));
    graph = conv_graph(OP_DECONV, SHAPE(1, 4, 9, 8), SHAPE(4, 6, 3, 3), 1, 0);
    last_node(graph)->attr.conv.output_padding[1] = 1;
    assert_shape(graph, SHAPE(1, 6, 17, 16));
}

static void wrong_convolutions_are_named(void **state)
{
    struct graph *graph;

    (void)state;
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 5, 9, 8), SHAPE(6, 4, 3, 3), 1, 0), EX_DATAERR, "\"conv1\"", "\"x\"",
                   "5 channels", "6x4x3x3");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(5, 2, 3, 3), 2, 0), EX_DATAERR, "\"conv1\"", "groups");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 0, 0), EX_DATAERR, "group");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 2), 1, 0), EX_DATAERR, "kernel", "6x4x3x2");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 5), EX_DATAERR, "bias", "6", "5");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 9), SHAPE(6, 4, 3, 3), 1, 0), EX_DATAERR, "3 axes");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4), SHAPE(6, 4), 1, 0), EX_DATAERR, "1x4");
    assert_refused(conv_graph(OP_CONV, SHAPE(1, 4, 2, 2, 2), SHAPE(6, 4, 3, 3, 3), 1, 0), EX_UNAVAILABLE, "\"conv1\"");
    graph = conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 0);
    last_node(graph)->attr.conv.window.dilation[0] = 9;
    assert_refused(graph, EX_DATAERR, "too small", "dilation 9");
    graph = conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 0);
    graph->values[last_node(graph)->inputs[1]].is_constant = false;
    assert_refused(graph, EX_UNAVAILABLE, "\"conv1\"", "constant");
    graph = conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 0);
    last_node(graph)->inputs[0] = GRAPH_NONE;
    assert_refused(graph, EX_DATAERR, "\"conv1\"", "input 0 is missing");
    graph = conv_graph(OP_CONV, SHAPE(1, 4, 9, 8), SHAPE(6, 4, 3, 3), 1, 0);
    last_node(graph)->attr.conv.group = INT64_MAX;
    assert_refused(graph, EX_DATAERR, "groups");
}

static struct graph *pool_graph(struct shape x, int64_t rows, int64_t columns, int64_t stride, int64_t pad)
{
    struct graph *graph = new_graph();

    add_node(graph, OP_POOL, "pool1", INTS(add_input(graph, "x", x)));
    last_node(graph)->attr.pool.window = make_window(3, stride, pad);
    last_node(graph)->attr.pool.output[0] = rows;
    last_node(graph)->attr.pool.output[1] = columns;
    return graph;
}

static void pools_must_touch_the_image(void **state)
{
    (void)state;
    assert_shape(pool_graph(SHAPE(1, 4, 8, 8), 4, 4, 2, 1), SHAPE(1, 4, 4, 4));
    assert_shape(pool_graph(SHAPE(1, 4, 8, 8), 5, 4, 2, 1), SHAPE(1, 4, 5, 4)); /* ceil mode: starts at row 7 */
    assert_refused(pool_graph(SHAPE(1, 4, 8, 8), 6, 4, 2, 1), EX_DATAERR, "\"pool1\"", "touch");
    assert_refused(pool_graph(SHAPE(1, 4, 8, 8), 4, 0, 2, 1), EX_DATAERR, "\"pool1\"");
    assert_refused(pool_graph(SHAPE(1, 4, 8, 8), 4, 4, 2, 3), EX_DATAERR, "\"pool1\"");
}

static struct graph *unary_graph(enum op op, struct shape x)
{
    struct graph *graph = new_graph();

    add_node(graph, op, "node", INTS(add_input(graph, "x", x)));
    return graph;
}

static struct graph *binary_graph(enum op op, struct shape a, struct shape b, bool constant)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", a);

    add_node(graph, op, "node", INTS(x, constant ? zeros(graph, b) : add_input(graph, "y", b)));
    return graph;
}

static void features_infer_their_shapes(void **state)
{
    struct graph *graph;

    (void)state;
    assert_shape(binary_graph(OP_DENSE, SHAPE(1, 8), SHAPE(5, 8), true), SHAPE(1, 5));
    assert_refused(binary_graph(OP_DENSE, SHAPE(1, 7), SHAPE(5, 8), true), EX_DATAERR, "\"node\"", "1x7", "5x8");
    assert_refused(binary_graph(OP_DENSE, SHAPE(1, 8, 1, 1), SHAPE(5, 8), true), EX_DATAERR, "1x8x1x1");
    assert_shape(binary_graph(OP_MATMUL, SHAPE(1, 2, 3, 4), SHAPE(4, 5), true), SHAPE(1, 2, 3, 5));
    assert_shape(binary_graph(OP_MATMUL, SHAPE(1, 2, 3, 4), SHAPE(1, 1, 4, 5), false), SHAPE(1, 2, 3, 5));
    assert_refused(binary_graph(OP_MATMUL, SHAPE(1, 3), SHAPE(4, 5), true), EX_DATAERR, "1x3", "4x5");
    assert_shape(binary_graph(OP_BINARY, SHAPE(1, 2, 3, 4), SHAPE(2, 1, 1), true), SHAPE(1, 2, 3, 4));
    assert_refused(binary_graph(OP_BINARY, SHAPE(1, 2, 3, 4), SHAPE(3), true), EX_DATAERR, "1x2x3x4", "3");
    assert_shape(binary_graph(OP_PRELU, SHAPE(1, 3, 2, 2), SHAPE(3), true), SHAPE(1, 3, 2, 2));
    assert_shape(binary_graph(OP_PRELU, SHAPE(1, 3, 2, 2), SHAPE(1), true), SHAPE(1, 3, 2, 2));
    assert_refused(binary_graph(OP_PRELU, SHAPE(1, 3, 2, 2), SHAPE(2), true), EX_DATAERR, "slope", "3", "2");
    graph = unary_graph(OP_SOFTMAX, SHAPE(1, 3));
    last_node(graph)->attr.softmax.axis = 2;
    assert_refused(graph, EX_DATAERR, "axis 2");
    graph = unary_graph(OP_REDUCE, SHAPE(1, 3, 4, 5));
    last_node(graph)->attr.reduce.axes = 1u << 2 | 1u << 3;
    assert_shape(graph, SHAPE(1, 3));
    graph = unary_graph(OP_REDUCE, SHAPE(1, 3, 4, 5));
    last_node(graph)->attr.reduce.axes = 1u << 2;
    last_node(graph)->attr.reduce.keep_dims = true;
    assert_shape(graph, SHAPE(1, 3, 1, 5));
    graph = unary_graph(OP_REDUCE, SHAPE(1, 3));
    last_node(graph)->attr.reduce.axes = 1u << 2;
    assert_refused(graph, EX_DATAERR, "axes");
    graph = unary_graph(OP_ACTIVATION, SHAPE(1, 3));
    last_node(graph)->fused.kind = ACTIVATION_RELU;
    assert_refused(graph, EX_DATAERR, "fused");
    graph = unary_graph(OP_ACTIVATION, SHAPE(1, 3));
    last_node(graph)->attr.activation.kind = (enum activation_kind)99;
    assert_refused(graph, EX_DATAERR, "99");
}

static void layout_operators_infer_their_shapes(void **state)
{
    struct graph *graph;

    (void)state;
    graph = binary_graph(OP_CONCAT, SHAPE(1, 2, 3), SHAPE(1, 5, 3), false);
    last_node(graph)->attr.axis = 1;
    assert_shape(graph, SHAPE(1, 7, 3));
    graph = binary_graph(OP_CONCAT, SHAPE(1, 2, 3), SHAPE(1, 5, 4), false);
    last_node(graph)->attr.axis = 1;
    assert_refused(graph, EX_DATAERR, "1x2x3", "1x5x4", "\"x\"", "\"y\"");
    graph = unary_graph(OP_TRANSPOSE, SHAPE(1, 2, 3));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 1}, 3 * sizeof(int64_t));
    assert_shape(graph, SHAPE(1, 3, 2));
    graph = unary_graph(OP_TRANSPOSE, SHAPE(1, 2, 3));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 2}, 3 * sizeof(int64_t));
    assert_refused(graph, EX_DATAERR, "axis 2 twice");
    graph = unary_graph(OP_TRANSPOSE, SHAPE(1, 2, 3));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, -1}, 3 * sizeof(int64_t));
    assert_refused(graph, EX_DATAERR, "axis -1");
    graph = unary_graph(OP_PAD, SHAPE(1, 2, 3));
    last_node(graph)->attr.pad.begin[2] = 2;
    last_node(graph)->attr.pad.end[1] = 1;
    assert_shape(graph, SHAPE(1, 3, 5));
    graph = unary_graph(OP_PAD, SHAPE(1, 2, 3));
    last_node(graph)->attr.pad.begin[2] = 3;
    last_node(graph)->attr.pad.mode = PAD_REFLECT;
    assert_refused(graph, EX_DATAERR, "more than");
    graph = unary_graph(OP_PAD, SHAPE(1, 2, 3));
    last_node(graph)->attr.pad.begin[2] = -1;
    assert_refused(graph, EX_DATAERR, "negative");
    graph = unary_graph(OP_PAD, SHAPE(1, 2, 3));
    last_node(graph)->attr.pad.begin[2] = 0x7fffffff;
    assert_refused(graph, EX_DATAERR, "2^31");
}

/* Their extents are those of the declared output. */
static void reshapes_and_slices_check_the_declared_output(void **state)
{
    struct graph *graph = unary_graph(OP_RESHAPE, SHAPE(1, 6));
    struct value *y = &graph->values[last_node(graph)->outputs[0]];

    (void)state;
    y->shape = SHAPE(1, 2, 3);
    y->has_shape = true;
    assert_shape(graph, SHAPE(1, 2, 3));
    assert_refused(unary_graph(OP_RESHAPE, SHAPE(1, 6)), EX_DATAERR, "no shape");
    graph = unary_graph(OP_RESHAPE, SHAPE(1, 6));
    y = &graph->values[last_node(graph)->outputs[0]];
    y->shape = SHAPE(1, 5);
    y->has_shape = true;
    assert_refused(graph, EX_DATAERR, "1x6", "1x5");
    for (int64_t n = 1; n <= 4; n++) { /* x[2], x[5], x[8] of nine: a fourth lies outside */
        graph = unary_graph(OP_SLICE, SHAPE(1, 9));
        y = &graph->values[last_node(graph)->outputs[0]];
        y->shape = SHAPE(1, n);
        y->has_shape = true;
        last_node(graph)->attr.slice.begin[1] = 2;
        last_node(graph)->attr.slice.step[0] = 1;
        last_node(graph)->attr.slice.step[1] = 3;
        if (n < 4)
            assert_shape(graph, SHAPE(1, n));
        else
            assert_refused(graph, EX_DATAERR, "outside");
    }
}

static void every_operator_and_activation_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < OP_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(op_name((enum op)i), op_name((enum op)j));
    for (int i = 0; i < ACTIVATION_COUNT; i++)
        assert_string_not_equal(activation_name((enum activation_kind)i), "unknown");
    assert_string_equal(op_name(OP_COUNT), "unknown");
}

/* --- activations --- */

/* The definitions of graph.h, written with libm. */
static double definition(struct activation a, double x)
{
    double alpha = (double)a.alpha, beta = (double)a.beta;

    switch (a.kind) {
    case ACTIVATION_RELU:
        return fmax(x, 0);
    case ACTIVATION_LEAKY_RELU:
        return x > 0 ? x : alpha * x;
    case ACTIVATION_CLIP:
        return fmin(fmax(x, alpha), beta);
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_ELU:
        return x > 0 ? x : alpha * expm1(x);
    case ACTIVATION_SWISH:
        return x / (1 + exp(-alpha * x));
    case ACTIVATION_HARD_SIGMOID:
        return fmax(0, fmin(1, alpha * x + beta));
    case ACTIVATION_HARD_SWISH:
        return x * fmax(0, fmin(1, alpha * x + beta));
    case ACTIVATION_SOFTPLUS:
        return x > 30 ? x + log1p(exp(-x)) : log1p(exp(x));
    case ACTIVATION_EXP:
        return exp(x);
    case ACTIVATION_LOG:
        return log(x);
    case ACTIVATION_ABS:
        return fabs(x);
    case ACTIVATION_SQRT:
        return sqrt(x);
    case ACTIVATION_ERF:
        return erf(x);
    case ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case ACTIVATION_POWER:
        return pow(x, alpha);
    case ACTIVATION_MISH:
        return x * tanh(x > 30 ? x : log1p(exp(x)));
    case ACTIVATION_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * pow(x, 3))));
    case ACTIVATION_THRESHOLDED_RELU:
        return x > alpha ? x : 0;
    case ACTIVATION_FLOOR:
        return floor(x);
    case ACTIVATION_CEIL:
        return ceil(x);
    case ACTIVATION_ROUND:
        return nearbyint(x);
    case ACTIVATION_SIGN:
        return x == 0 ? 0 : copysign(1, x);
    default:
        return x;
    }
}

static void activations_follow_their_definitions(void **state)
{
    static const float inputs[] = {0,    1e-30f, 1e-10f, 1e-6f, 9e-6f, 2e-5f, 0.001f, 0.1f, 0.5f, 1,  1.5f,
                                   2.5f, 3,      5,      7,     12,    25,    33,     60,   90,   700};
    static const struct activation parameters[] = {{0, 0.1f, 0.5f}, {0, 1, 6}, {0, 3, 4}, {0, -2, 0.5f}, {0, 0.5f, 1}};
    const double tolerance = 1e-6; /* two roundings to float32, and gelu's cancellation for negative x */

    (void)state;
    for (int kind = 0; kind < ACTIVATION_COUNT; kind++)
        for (size_t p = 0; p < sizeof parameters / sizeof parameters[0]; p++)
            for (size_t i = 0; i < 2 * sizeof inputs / sizeof inputs[0]; i++) {
                struct activation a = parameters[p];
                float x = i % 2 == 0 ? inputs[i / 2] : -inputs[i / 2], found;
                double expected;

                a.kind = (enum activation_kind)kind;
                expected = definition(a, (double)x);
                found = activation_apply(a, x);
                if (fabs(expected) > (double)FLT_MAX)
                    expected = copysign(INFINITY, expected);
                if (isnan(expected)   ? !isnan(found)
                    : isinf(expected) ? (double)found != expected
                                      : fabs((double)found - expected) > tolerance * fabs(expected) + 1e-15)
                    fail_msg("%s(%g; %g, %g): expected %.9g, found %.9g", activation_name(a.kind), (double)x,
                             (double)a.alpha, (double)a.beta, expected, (double)found);
            }
    assert_true(isnan(activation_apply((struct activation){.kind = ACTIVATION_RELU}, NAN)));
    assert_true(activation_apply((struct activation){ACTIVATION_SWISH, 1, 0}, -INFINITY) == 0);
    assert_true(activation_apply((struct activation){.kind = ACTIVATION_GELU}, -INFINITY) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_counts_match_counting),
        cmocka_unit_test(known_networks_have_their_sizes),
        cmocka_unit_test(senseless_windows_have_no_size),
        cmocka_unit_test(convolutions_infer_their_shapes),
        cmocka_unit_test(wrong_convolutions_are_named),
        cmocka_unit_test(pools_must_touch_the_image),
        cmocka_unit_test(features_infer_their_shapes),
        cmocka_unit_test(layout_operators_infer_their_shapes),
        cmocka_unit_test(reshapes_and_slices_check_the_declared_output),
        cmocka_unit_test(every_operator_and_activation_has_a_name),
        cmocka_unit_test(activations_follow_their_definitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
