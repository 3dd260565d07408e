/* test_passes.c — no pass changes what a graph computes; each does what it is for. */
#include "random_graph.h"
#include "reference_executor.h"

#include "common/passes.h"

#include <stdio.h>

enum { N_GRAPHS = 150 };

/* --- what a pass may not change --- */

/* Relative to the largest element of an output: new weights are rounded to float32 once per pass. */
static const double tolerance = 1e-5;

static void assert_same_output(const struct reference *a, const struct reference *b, size_t output, uint64_t seed,
                               const char *pass)
{
    const struct value *before = &a->graph->values[a->graph->outputs[output]];
    const struct value *after = &b->graph->values[b->graph->outputs[output]];
    const double *x = a->data[a->graph->outputs[output]], *y = b->data[b->graph->outputs[output]];
    double largest = 0;

    assert_string_equal(before->name, after->name);
    assert_true(shape_equal(&before->shape, &after->shape));
    for (size_t i = 0; i < reference_size(before); i++)
        largest = fmax(largest, fabs(x[i]));
    for (size_t i = 0; i < reference_size(before); i++)
        if (!(fabs(x[i] - y[i]) <= tolerance * largest)) {
            graph_print(a->graph, stderr);
            graph_print(b->graph, stderr);
            fail_msg("graph %d, %s: output \"%s\"[%zu] was %.9g, is %.9g", (int)seed, pass, before->name, i, x[i],
                     y[i]);
        }
}

static void compare(struct graph *before, struct graph *after, uint64_t seed, const char *pass)
{
    double input[CHANNELS * 5 * 6];
    struct reference a, b;

    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
        input[i] = (double)(float)draw_uniform(-3, 3);
    a = reference_run(before, input);
    b = reference_run(after, input);
    assert_int_equal(before->n_outputs, after->n_outputs);
    for (size_t i = 0; i < before->n_outputs; i++)
        assert_same_output(&a, &b, i, seed, pass);
    reference_free(&a);
    reference_free(&b);
}

static void each_pass_keeps_every_output(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < N_GRAPHS; seed++)
        for (size_t i = 0; passes[i] != NULL; i++) {
            struct graph *before = random_graph(seed), *after = random_graph(seed);
            struct error err;

            assert_succeeds(passes[i]->run(after, &err), err);
            assert_succeeds(graph_compact(after, &err), err);
            assert_succeeds(graph_validate(after, &err), err);
            compare(before, after, seed, passes[i]->name);
            graph_destroy(before);
            graph_destroy(after);
        }
}

static size_t count_op(const struct graph *graph, enum op op)
{
    size_t n = 0;

    for (size_t i = 0; i < graph->n_nodes; i++)
        n += graph->nodes[i].op == op;
    return n;
}

/* What passes.h promises of every normalised graph. */
static void assert_normal(struct graph *graph)
{
    assert_int_equal(count_op(graph, OP_IDENTITY), 0);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        int producer = graph->values[node->inputs[0]].producer;
        const struct node *before = producer == GRAPH_NONE ? NULL : &graph->nodes[producer];
        bool is_own = before != NULL && graph_count_consumers(graph, node->inputs[0]) == 1;
        bool is_layer = is_own && before->fused.kind == ACTIVATION_NONE &&
                        (before->op == OP_CONV || before->op == OP_DECONV || before->op == OP_DENSE);

        assert_false(node->op == OP_NORMALIZE && is_layer);
        assert_false(node->op == OP_NORMALIZE && is_own && before->op == OP_NORMALIZE);
        assert_false(node->op == OP_ACTIVATION && is_layer);
        assert_false(node->op == OP_RESHAPE && before != NULL && before->op == OP_RESHAPE &&
                     !graph_is_output(graph, node->inputs[0]));
    }
}

static void normalising_keeps_every_output(void **state)
{
    size_t nodes_before = 0, nodes_after = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 4 * N_GRAPHS; seed++) {
        struct graph *before = random_graph(seed), *after = random_graph(seed);
        struct error err;
        uint64_t revision;

        assert_succeeds(graph_normalise(after, &err), err);
        compare(before, after, seed, "normalise");
        assert_normal(after);
        revision = after->revision;
        assert_succeeds(graph_normalise(after, &err), err); /* and again: nothing is left to do */
        assert_int_equal(after->revision, revision);
        nodes_before += before->n_nodes;
        nodes_after += after->n_nodes;
        graph_destroy(before);
        graph_destroy(after);
    }
    assert_true(nodes_after < nodes_before * 2 / 3); /* or the passes do nothing */
}

/* --- what each pass is for --- */

static void normalise(struct graph *graph, int output)
{
    struct error err;

    if (output != GRAPH_NONE)
        assert_true(graph_add_output(graph, output, NULL) >= 0);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    assert_succeeds(graph_normalise(graph, &err), err);
}

static struct graph *image_graph(int *x)
{
    struct graph *graph = new_graph();

    *x = add_input(graph, "x", SHAPE(1, CHANNELS, 5, 6));
    return graph;
}

static int conv1x1(struct graph *graph, const char *name, int x)
{
    int y = add_node(graph, OP_CONV, name, INTS(x, random_floats(graph, SHAPE(CHANNELS, CHANNELS, 1, 1), -1, 1)));

    last_node(graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(graph)->attr.conv.group = 1;
    return settled(graph, y);
}

static int named(struct graph *graph, int value, const char *name) /* an identity that gives a value a name */
{
    return settled(graph, add_node(graph, OP_IDENTITY, name, INTS(value)));
}

static void a_layer_takes_its_normalisation_and_activation(void **state)
{
    int x, y;
    struct graph *graph = image_graph(&x);

    (void)state;
    y = normalize(graph, conv1x1(graph, "conv", x));
    y = binary(graph, BINARY_ADD, y, random_floats(graph, SHAPE(CHANNELS, 1, 1), 1, 2));
    y = add_node(graph, OP_ACTIVATION, "relu", INTS(y));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    normalise(graph, settled(graph, y));
    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(graph->nodes[0].name, "conv");
    assert_string_equal(graph->values[graph->nodes[0].outputs[0]].name, "relu");
    assert_int_equal(graph->nodes[0].fused.kind, ACTIVATION_RELU);
    assert_int_equal(graph->nodes[0].n_inputs, 3);
    graph_destroy(graph);
}

static void shared_weights_are_not_changed_for_the_other_reader(void **state)
{
    int x, a, b, weights;
    struct graph *graph = image_graph(&x);
    struct tensor before, after;

    (void)state;
    a = conv1x1(graph, "a", x);
    weights = last_node(graph)->inputs[1];
    b = conv1x1(graph, "b", x);
    last_node(graph)->inputs[1] = weights;
    graph_add_output(graph, a, NULL);
    graph_constant(graph, weights, &before);
    normalise(graph, normalize(graph, b));
    assert_int_equal(graph->n_nodes, 2);
    assert_true(graph_constant(graph, find_node(graph, "a")->inputs[1], &after));
    assert_ptr_equal(before.data, after.data);
    assert_true(graph_constant(graph, find_node(graph, "b")->inputs[1], &after));
    assert_ptr_not_equal(before.data, after.data);
    graph_destroy(graph);
}

static void a_value_with_other_readers_stays(void **state)
{
    int x, y;
    struct graph *graph = image_graph(&x);

    (void)state;
    y = conv1x1(graph, "conv", x);
    graph_add_output(graph, activation(graph, ACTIVATION_RELU, 0, 0, y), NULL);
    normalise(graph, activation(graph, ACTIVATION_TANH, 0, 0, y));
    assert_int_equal(graph->n_nodes, 3);
    assert_int_equal(find_node(graph, "conv")->fused.kind, ACTIVATION_NONE);
    graph_destroy(graph);
}

static void a_graph_output_is_not_fused_away(void **state)
{
    int x, y;
    struct graph *graph = image_graph(&x);

    (void)state;
    y = conv1x1(graph, "conv", x);
    graph_add_output(graph, y, NULL);
    normalise(graph, activation(graph, ACTIVATION_RELU, 0, 0, y));
    assert_int_equal(graph->n_nodes, 2);
    assert_string_equal(graph->values[graph->outputs[0]].name, "conv");
    graph_destroy(graph);
}

static void identities_before_outputs_hand_their_name_on(void **state)
{
    int x;
    struct graph *graph = image_graph(&x);

    (void)state;
    normalise(graph, named(graph, conv1x1(graph, "conv", x), "prob"));
    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(graph->values[graph->nodes[0].outputs[0]].name, "prob");
    graph_destroy(graph);
    graph = image_graph(&x); /* an input that is an output, too, and under two names */
    graph_add_output(graph, named(graph, x, "copy"), NULL);
    normalise(graph, named(graph, x, "other"));
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->nodes[0].op, OP_RESHAPE);
    assert_string_equal(graph->values[graph->outputs[0]].name, "copy");
    graph_destroy(graph);
}

static void a_normalisation_goes_forward_where_it_cannot_go_back(void **state)
{
    int x, y;
    struct graph *graph = image_graph(&x);

    (void)state;
    y = conv1x1(graph, "conv", normalize(graph, activation(graph, ACTIVATION_TANH, 0, 0, x)));
    normalise(graph, y);
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(count_op(graph, OP_NORMALIZE), 0);
    graph_destroy(graph);
}

/* A shift before zero padding is not a bias: the border would differ. */
static void a_shift_does_not_cross_padding(void **state)
{
    for (int has_shift = 0; has_shift < 2; has_shift++) {
        const float scale[CHANNELS] = {2, 2, 2, 2}, shift[CHANNELS] = {0, 0, (float)has_shift, 0};
        int x, y;
        struct graph *graph = image_graph(&x);

        (void)state;
        y = settled(graph, add_node(graph, OP_NORMALIZE, NULL,
                                    INTS(x, add_floats(graph, SHAPE(CHANNELS), scale),
                                         add_floats(graph, SHAPE(CHANNELS), shift))));
        y = add_node(graph, OP_CONV, "conv", INTS(y, random_floats(graph, SHAPE(2, CHANNELS, 3, 3), -1, 1)));
        last_node(graph)->attr.conv.window = make_window(3, 1, 1);
        last_node(graph)->attr.conv.group = 1;
        normalise(graph, y);
        assert_int_equal(count_op(graph, OP_NORMALIZE), has_shift);
        graph_destroy(graph);
    }
}

static void a_matrix_product_and_sum_are_a_dense_layer(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 8)), y;

    (void)state;
    y = settled(graph, add_node(graph, OP_MATMUL, "fc", INTS(x, random_floats(graph, SHAPE(8, 3), -1, 1))));
    normalise(graph, binary(graph, BINARY_ADD, y, random_floats(graph, SHAPE(3), -1, 1)));
    assert_int_equal(graph->n_nodes, 1);
    assert_int_equal(graph->nodes[0].op, OP_DENSE);
    assert_int_equal(graph->nodes[0].n_inputs, 3);
    assert_int_equal(shape_of(graph, graph->nodes[0].inputs[1]).dims[0], 3);
    graph_destroy(graph);
}

/* Builds pattern `which` on x; returns its end. */
static int pattern(struct graph *graph, int which, int x)
{
    int y;

    switch (which) {
    case 0:
        return binary(graph, BINARY_MUL, activation(graph, ACTIVATION_SIGMOID, 0, 0, x), x);
    case 1: /* x clip(x + 3, 0, 6) / 6 */
        y = activation(graph, ACTIVATION_CLIP, 0, 6, binary(graph, BINARY_ADD, x, scalar(graph, 3)));
        return binary(graph, BINARY_DIV, binary(graph, BINARY_MUL, x, y), scalar(graph, 6));
    case 2: /* x (clip(x + 3, 0, 6) / 6) */
        y = activation(graph, ACTIVATION_CLIP, 0, 6, binary(graph, BINARY_ADD, x, scalar(graph, 3)));
        return binary(graph, BINARY_MUL, x, binary(graph, BINARY_DIV, y, scalar(graph, 6)));
    case 3: /* (x / 6) min(max(x + 3, 0), 6) */
        y = binary(graph, BINARY_MAX, binary(graph, BINARY_ADD, x, scalar(graph, 3)), scalar(graph, 0));
        y = binary(graph, BINARY_MIN, y, scalar(graph, 6));
        return binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, x, scalar(graph, 1.0 / 6)), y);
    case 4: /* 0.5 x (1 + erf(x / sqrt 2)) in PyTorch's order */
        y = activation(graph, ACTIVATION_ERF, 0, 0, binary(graph, BINARY_DIV, x, scalar(graph, sqrt(2))));
        y = binary(graph, BINARY_MUL, x, binary(graph, BINARY_ADD, y, scalar(graph, 1)));
        return binary(graph, BINARY_MUL, y, scalar(graph, 0.5));
    case 5: /* in TensorFlow's */
        y = activation(graph, ACTIVATION_ERF, 0, 0, binary(graph, BINARY_MUL, x, scalar(graph, sqrt(0.5))));
        y = binary(graph, BINARY_ADD, scalar(graph, 1), y);
        return binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, scalar(graph, 0.5), x), y);
    case 6: /* relu 6 */
        return binary(graph, BINARY_MIN, activation(graph, ACTIVATION_RELU, 0, 0, x), scalar(graph, 6));
    case 7:
        return binary(graph, BINARY_MAX, x, scalar(graph, 0));
    case 8:
        return activation(graph, ACTIVATION_CLIP, 0, 1,
                          binary(graph, BINARY_DIV, binary(graph, BINARY_ADD, x, scalar(graph, 3)), scalar(graph, 6)));
    case 9: /* 0.5 x erfc(-x / sqrt 2), erfc(y) as 1 + erf(-y) */
        y = binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, x, scalar(graph, -1)), scalar(graph, sqrt(0.5)));
        y = activation(graph, ACTIVATION_ERF, 0, 0, binary(graph, BINARY_MUL, y, scalar(graph, -1)));
        y = binary(graph, BINARY_ADD, y, scalar(graph, 1));
        return binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, scalar(graph, 0.5), x), y);
    case 10:
        y = activation(graph, ACTIVATION_TANH, 0, 0, activation(graph, ACTIVATION_SOFTPLUS, 0, 0, x));
        return binary(graph, BINARY_MUL, x, y);
    case 11: /* 0.5 x (1 + tanh(0.798 (x + 0.0447 x^3))) */
        y = binary(graph, BINARY_MUL, activation(graph, ACTIVATION_POWER, 3, 0, x), scalar(graph, 0.044715));
        y = binary(graph, BINARY_MUL, scalar(graph, sqrt(2 / M_PI)), binary(graph, BINARY_ADD, x, y));
        y = binary(graph, BINARY_ADD, activation(graph, ACTIVATION_TANH, 0, 0, y), scalar(graph, 1));
        return binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, x, scalar(graph, 0.5)), y);
    case 12: /* x sigmoid(1.596 (x + 0.0447 x x x)) */
        y = binary(graph, BINARY_MUL, x, binary(graph, BINARY_MUL, x, x));
        y = binary(graph, BINARY_ADD, binary(graph, BINARY_MUL, y, scalar(graph, 0.044715)), x);
        y = binary(graph, BINARY_MUL, y, scalar(graph, sqrt(8 / M_PI)));
        return binary(graph, BINARY_MUL, x, activation(graph, ACTIVATION_SIGMOID, 0, 0, y));
    default:
        return binary(graph, BINARY_MAX, binary(graph, BINARY_MUL, scalar(graph, 0.25), x), x);
    }
}

static int mean(struct graph *graph, int x, uint32_t axes)
{
    int y = add_node(graph, OP_REDUCE, NULL, INTS(x));

    last_node(graph)->attr.reduce.axes = axes;
    last_node(graph)->attr.reduce.keep_dims = true;
    return settled(graph, y);
}

/* Layer normalisation in small operators, in form `which`; with a scale and a shift along the columns. */
static int small_layer_norm(struct graph *graph, int which, int x, uint32_t axes, uint32_t variance_axes)
{
    int64_t columns = shape_of(graph, x).dims[3];
    int centred = binary(graph, BINARY_SUB, x, mean(graph, x, axes)), y;
    int other = which == 0 ? binary(graph, BINARY_SUB, x, mean(graph, x, axes)) : centred;

    y = which == 1 ? activation(graph, ACTIVATION_POWER, 2, 0, other) : binary(graph, BINARY_MUL, other, other);
    y = binary(graph, BINARY_ADD, mean(graph, y, variance_axes), scalar(graph, 1e-3));
    y = activation(graph, which == 1 ? ACTIVATION_POWER : ACTIVATION_SQRT, which == 1 ? -0.5f : 0, 0, y);
    if (which == 2)
        y = binary(graph, BINARY_DIV, scalar(graph, 1), y);
    y = binary(graph, which == 0 ? BINARY_DIV : BINARY_MUL, centred, y);
    y = binary(graph, BINARY_MUL, random_floats(graph, SHAPE(columns), 0.5, 1.5), y);
    return binary(graph, BINARY_ADD, y, random_floats(graph, SHAPE(1, 1, columns), -1, 1));
}

static void layer_normalisation_made_of_small_operators_is_recognised(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++)
        for (uint32_t axes = 8; axes <= 12; axes += 4) {
            struct graph *graphs[2];
            int x;

            for (int i = 0; i < 2; i++) {
                draw_state = 77;
                graphs[i] = image_graph(&x);
                graph_add_output(graphs[i], small_layer_norm(graphs[i], which, x, axes, axes), NULL);
            }
            normalise(graphs[1], GRAPH_NONE);
            assert_int_equal(graphs[1]->n_nodes, 1);
            assert_int_equal(graphs[1]->nodes[0].op, OP_LAYER_NORM);
            assert_int_equal(graphs[1]->nodes[0].n_inputs, 3);
            assert_int_equal(graphs[1]->nodes[0].attr.layer_norm.axes, axes);
            compare(graphs[0], graphs[1], (uint64_t)which, "recognise_layer_norm");
            graph_destroy(graphs[0]);
            graph_destroy(graphs[1]);
        }
}

static void statistics_over_different_axes_are_no_layer_norm(void **state)
{
    int x;
    struct graph *graph = image_graph(&x);

    (void)state;
    normalise(graph, small_layer_norm(graph, 1, x, 8, 12));
    assert_int_equal(count_op(graph, OP_LAYER_NORM), 0);
    graph_destroy(graph);
}

static void activations_made_of_small_operators_are_recognised(void **state)
{
    static const struct activation expected[] = {
        {ACTIVATION_SWISH, 1, 0},
        {ACTIVATION_HARD_SWISH, 1.0f / 6, 0.5f},
        {ACTIVATION_HARD_SWISH, 1.0f / 6, 0.5f},
        {ACTIVATION_HARD_SWISH, 1.0f / 6, 0.5f},
        {ACTIVATION_GELU, 0, 0},
        {ACTIVATION_GELU, 0, 0},
        {ACTIVATION_CLIP, 0, 6},
        {ACTIVATION_RELU, 0, 0},
        {ACTIVATION_HARD_SIGMOID, 1.0f / 6, 0.5f},
        {ACTIVATION_GELU, 0, 0},
        {ACTIVATION_MISH, 0, 0},
        {ACTIVATION_GELU_TANH, 0, 0},
        {ACTIVATION_GELU_TANH, 0, 0},
        {ACTIVATION_LEAKY_RELU, 0.25f, 0},
    };

    (void)state;
    for (int i = 0; i < (int)(sizeof expected / sizeof expected[0]); i++) {
        int x;
        struct graph *graph = image_graph(&x);
        const struct activation *found;

        normalise(graph, pattern(graph, i, conv1x1(graph, "conv", x)));
        if (graph->n_nodes != 1) {
            graph_print(graph, stderr);
            fail_msg("pattern %d left %zu nodes", i, graph->n_nodes);
        }
        found = &graph->nodes[0].fused;
        assert_string_equal(activation_name(found->kind), activation_name(expected[i].kind));
        assert_true(fabsf(found->alpha - expected[i].alpha) < 1e-6f && fabsf(found->beta - expected[i].beta) < 1e-6f);
        graph_destroy(graph);
    }
}

/* relu(x) and, for x < 0, a slope a channel, as Keras and as older code writes it; `which` 2 and 3 are near misses. */
static int prelu(struct graph *graph, int which, int x)
{
    int slope = random_floats(graph, SHAPE(CHANNELS, 1, 1), -1, 1), y;

    if (which % 2 == 0) { /* slope relu(-x) */
        y = binary(graph, BINARY_MUL, x, scalar(graph, which == 2 ? -2 : -1));
        y = binary(graph, BINARY_MUL, slope, activation(graph, ACTIVATION_RELU, 0, 0, y));
        return binary(graph, BINARY_ADD, activation(graph, ACTIVATION_RELU, 0, 0, x), y);
    } /* slope (x - |x|) / 2 */
    y = binary(graph, BINARY_SUB, x, activation(graph, ACTIVATION_ABS, 0, 0, x));
    y = binary(graph, BINARY_MUL, binary(graph, BINARY_MUL, slope, y), scalar(graph, 0.5));
    if (which == 3)
        y = binary(graph, BINARY_ADD, y, scalar(graph, 1));
    return binary(graph, BINARY_ADD, y, activation(graph, ACTIVATION_RELU, 0, 0, x));
}

static void a_prelu_made_of_small_operators_is_recognised(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct graph *graphs[2];

        for (int i = 0; i < 2; i++) {
            int x;

            draw_state = 1 + (uint64_t)which;
            graphs[i] = image_graph(&x);
            graph_add_output(graphs[i], prelu(graphs[i], which, conv1x1(graphs[i], "conv", x)), NULL);
        }
        normalise(graphs[1], GRAPH_NONE);
        assert_int_equal(count_op(graphs[1], OP_PRELU), which < 2);
        assert_true(which >= 2 || graphs[1]->n_nodes == 2);
        compare(graphs[0], graphs[1], (uint64_t)which, "recognise_prelu");
        graph_destroy(graphs[0]);
        graph_destroy(graphs[1]);
    }
}

static void near_misses_are_not_recognised(void **state)
{
    int x, y;
    struct graph *graph = image_graph(&x);

    (void)state;
    y = conv1x1(graph, "other", x);
    graph_add_output(graph, binary(graph, BINARY_MUL, x, activation(graph, ACTIVATION_SIGMOID, 0, 0, y)), NULL);
    y = activation(graph, ACTIVATION_CLIP, 0, 6, binary(graph, BINARY_ADD, x, scalar(graph, 3)));
    graph_add_output(graph, binary(graph, BINARY_DIV, binary(graph, BINARY_MUL, x, y), scalar(graph, 5)), NULL);
    graph_add_output(graph, binary(graph, BINARY_MAX, x, binary(graph, BINARY_MUL, x, scalar(graph, 1.5))), NULL);
    y = binary(graph, BINARY_MUL, x, scalar(graph, 0.5)); /* half a swish */
    graph_add_output(graph, binary(graph, BINARY_MUL, y, activation(graph, ACTIVATION_SIGMOID, 0, 0, x)), NULL);
    normalise(graph, GRAPH_NONE);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        enum activation_kind kind =
            graph->nodes[i].op == OP_ACTIVATION ? graph->nodes[i].attr.activation.kind : graph->nodes[i].fused.kind;

        assert_true(kind == ACTIVATION_NONE || kind == ACTIVATION_SIGMOID || kind == ACTIVATION_CLIP);
    }
    graph_destroy(graph);
}

static void padding_moves_into_windows_where_that_is_exact(void **state)
{
    enum { INTO_CONV, INTO_AVERAGE, INTO_PADDED_AVERAGE, INTO_MAX, OF_ONES, N };

    (void)state;
    for (int which = 0; which < N; which++) {
        int x, y;
        struct graph *graph = image_graph(&x);

        y = add_node(graph, OP_PAD, "pad", INTS(x));
        for (size_t i = 2; i < 4; i++)
            last_node(graph)->attr.pad.end[i] = 1;
        last_node(graph)->attr.pad.value = which == OF_ONES;
        y = settled(graph, y);
        if (which == INTO_CONV || which == OF_ONES) {
            y = add_node(graph, OP_CONV, "window", INTS(y, random_floats(graph, SHAPE(2, CHANNELS, 3, 3), -1, 1)));
            last_node(graph)->attr.conv.group = 1;
            last_node(graph)->attr.conv.window = make_window(3, 2, 0);
        } else {
            y = add_node(graph, OP_POOL, "window", INTS(y));
            last_node(graph)->attr.pool.kind = which == INTO_MAX ? POOL_MAX : POOL_AVERAGE;
            last_node(graph)->attr.pool.window = make_window(3, 2, which == INTO_PADDED_AVERAGE);
        }
        normalise(graph, settled(graph, y));
        assert_int_equal(count_op(graph, OP_PAD), which != INTO_CONV && which != INTO_AVERAGE);
        if (which == INTO_CONV)
            assert_int_equal(graph->nodes[0].attr.conv.window.pad_end[1], 1);
        graph_destroy(graph);
    }
}

static void transposes_around_one_pixel_vanish(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, CHANNELS, 1, 1)), y;

    (void)state;
    y = conv1x1(graph, "conv", x);
    y = add_node(graph, OP_TRANSPOSE, NULL, INTS(y));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 3, 1}, 4 * sizeof(int64_t));
    normalise(graph, reshaped(graph, settled(graph, y), SHAPE(1, CHANNELS)));
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->nodes[1].op, OP_RESHAPE);
    graph_destroy(graph);
}

enum { FOLDED, OTHER_READER_OF_TRANSPOSE, OTHER_READER_OF_RESHAPE, KEPT, N_FLATTENED };

/* A dense layer on the image with its channels last; the weights depend on `which` alone. */
static struct graph *flattened(int which)
{
    enum { ELEMENTS = CHANNELS * 5 * 6 };
    int x, y;
    struct graph *graph = image_graph(&x);

    draw_state = 1 + (uint64_t)which;
    y = add_node(graph, OP_TRANSPOSE, "transpose", INTS(x));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 3, 1}, 4 * sizeof(int64_t));
    last_node(graph)->is_kept = which == KEPT;
    settled(graph, y);
    if (which == OTHER_READER_OF_TRANSPOSE)
        graph_add_output(graph, y, NULL);
    y = reshaped(graph, y, SHAPE(1, ELEMENTS));
    if (which == OTHER_READER_OF_RESHAPE)
        graph_add_output(graph, y, NULL);
    y = add_node(graph, OP_DENSE, "dense", INTS(y, random_floats(graph, SHAPE(7, ELEMENTS), -1, 1)));
    graph_add_output(graph, settled(graph, y), NULL);
    return graph;
}

static void a_transpose_before_flattening_moves_into_the_dense_weights(void **state)
{
    (void)state;
    for (int which = 0; which < N_FLATTENED; which++) {
        struct graph *before = flattened(which), *after = flattened(which);
        bool is_left = which == OTHER_READER_OF_RESHAPE || which == KEPT;

        normalise(after, GRAPH_NONE);
        assert_int_equal(count_op(after, OP_TRANSPOSE), is_left || which == OTHER_READER_OF_TRANSPOSE);
        compare(before, after, (uint64_t)which, "permute_dense");
        graph_destroy(before);
        graph_destroy(after);
    }
}

static void slices_convolutions_and_their_join_are_one_grouped_layer(void **state)
{
    enum { GROUPED, LONE_TANH, OTHER_ORDER, OTHER_READER, N };

    (void)state;
    for (int which = 0; which < N; which++) {
        int x, parts[2], y;
        struct graph *graph = image_graph(&x);

        for (int i = 0; i < 2; i++) {
            y = channels_of(graph, x, which == OTHER_ORDER ? 2 - 2 * i : 2 * i, 2);
            y = add_node(graph, OP_CONV, i == 0 ? "left" : "right",
                         INTS(y, random_floats(graph, SHAPE(3, 2, 1, 1), -1, 1)));
            last_node(graph)->attr.conv.window = make_window(1, 1, 0);
            last_node(graph)->attr.conv.group = 1;
            parts[i] = normalize(graph, settled(graph, y)); /* folded first */
        }
        if (which == OTHER_READER)
            graph_add_output(graph, parts[1], NULL);
        if (which == LONE_TANH)
            parts[1] = activation(graph, ACTIVATION_TANH, 0, 0, parts[1]);
        y = add_node(graph, OP_CONCAT, "join", parts, 2);
        last_node(graph)->attr.axis = 1;
        normalise(graph, activation(graph, ACTIVATION_RELU, 0, 0, settled(graph, y)));
        assert_int_equal(count_op(graph, OP_CONCAT), which != GROUPED);
        if (which == GROUPED) {
            const struct node *node = find_node(graph, "join");

            assert_int_equal(graph->n_nodes, 1);
            assert_int_equal(node->attr.conv.group, 2);
            assert_int_equal(node->fused.kind, ACTIVATION_RELU);
            assert_true(shape_equal(&graph->values[node->inputs[1]].shape, &SHAPE(6, 2, 1, 1)));
        }
        graph_destroy(graph);
    }
}

/* --- telling --- */

struct told {
    size_t n_nodes, n_gone, n_added;
    bool is_sound;
};

static int listen(void *context, const struct pass_changes *changes, struct error *err)
{
    struct told *told = context;

    (void)err;
    told->is_sound = told->is_sound && changes->nodes_before == told->n_nodes &&
                     changes->nodes_before - changes->n_gone + changes->n_added == changes->nodes_after &&
                     changes->n_gone + changes->n_added + changes->n_changed > 0;
    told->n_nodes = changes->nodes_after;
    return 0;
}

static void what_passes_change_adds_up(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < N_GRAPHS; seed++) {
        struct graph *graph = random_graph(seed);
        struct told told = {.n_nodes = graph->n_nodes, .is_sound = true};
        struct error err;

        assert_succeeds(graph_normalise_watched(graph, listen, &told, &err), err);
        assert_true(told.is_sound);
        assert_int_equal(told.n_nodes, graph->n_nodes);
        told.n_nodes = 0; /* a second time nothing is told */
        assert_succeeds(graph_normalise_watched(graph, listen, &told, &err), err);
        assert_true(told.is_sound && told.n_nodes == 0);
        graph_destroy(graph);
    }
}

static int stop(void *context, const struct pass_changes *changes, struct error *err)
{
    ++*(int *)context;
    return error_set(err, EX_SOFTWARE, "enough of %s", changes->pass->name);
}

static void a_watcher_can_stop_it(void **state)
{
    int x, calls = 0;
    struct graph *graph = image_graph(&x);
    struct error err;

    (void)state;
    graph_add_output(graph, activation(graph, ACTIVATION_RELU, 0, 0, conv1x1(graph, "conv", x)), NULL);
    assert_fails(graph_normalise_watched(graph, stop, &calls, &err), EX_SOFTWARE, err, "enough of fuse_activation");
    assert_int_equal(calls, 1);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pass_keeps_every_output),
        cmocka_unit_test(normalising_keeps_every_output),
        cmocka_unit_test(a_layer_takes_its_normalisation_and_activation),
        cmocka_unit_test(shared_weights_are_not_changed_for_the_other_reader),
        cmocka_unit_test(a_value_with_other_readers_stays),
        cmocka_unit_test(a_graph_output_is_not_fused_away),
        cmocka_unit_test(identities_before_outputs_hand_their_name_on),
        cmocka_unit_test(a_normalisation_goes_forward_where_it_cannot_go_back),
        cmocka_unit_test(a_shift_does_not_cross_padding),
        cmocka_unit_test(a_matrix_product_and_sum_are_a_dense_layer),
        cmocka_unit_test(activations_made_of_small_operators_are_recognised),
        cmocka_unit_test(a_prelu_made_of_small_operators_is_recognised),
        cmocka_unit_test(layer_normalisation_made_of_small_operators_is_recognised),
        cmocka_unit_test(statistics_over_different_axes_are_no_layer_norm),
        cmocka_unit_test(near_misses_are_not_recognised),
        cmocka_unit_test(padding_moves_into_windows_where_that_is_exact),
        cmocka_unit_test(transposes_around_one_pixel_vanish),
        cmocka_unit_test(a_transpose_before_flattening_moves_into_the_dense_weights),
        cmocka_unit_test(slices_convolutions_and_their_join_are_one_grouped_layer),
        cmocka_unit_test(what_passes_change_adds_up),
        cmocka_unit_test(a_watcher_can_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
