/* test_fold_constants.c — the small evaluator, and operators whose parameters become attributes. */
#include "build_graph.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Folds the graph's last node and hands its output over; the node must have become a constant. */
static struct tensor fold(struct graph *graph)
{
    int node = (int)graph->n_nodes - 1;
    struct tensor out = {0};
    struct error err;

    assert_succeeds(graph_fold_node(graph, node, &err), err);
    assert_true(graph->nodes[node].is_removed);
    assert_true(graph_constant(graph, graph->nodes[node].outputs[0], &out));
    return out;
}

/* Compares with expected integers (or floats) and destroys the graph. */
static void assert_integers(struct graph *graph, struct shape shape, const int64_t *expected)
{
    struct tensor out = fold(graph);

    assert_true(shape_equal(&out.shape, &shape));
    for (int64_t i = 0; i < shape_elements(&shape); i++)
        assert_int_equal(tensor_integer(&out, (size_t)i), expected[i]);
    graph_destroy(graph);
}

static void assert_reals(struct graph *graph, struct shape shape, const double *expected)
{
    struct tensor out = fold(graph);

    assert_true(shape_equal(&out.shape, &shape));
    for (int64_t i = 0; i < shape_elements(&shape); i++)
        if (fabs(tensor_real(&out, (size_t)i) - expected[i]) > 1e-6 * fabs(expected[i]))
            fail_msg("element %d: expected %g, found %g", (int)i, expected[i], tensor_real(&out, (size_t)i));
    graph_destroy(graph);
}

/* The last node cannot be folded; destroys the graph. */
#define assert_refuses(built, code, ...)                                                                               \
    do {                                                                                                               \
        struct graph *taken_ = (built);                                                                                \
        struct error err_;                                                                                             \
        assert_fails(graph_fold_node(taken_, (int)taken_->n_nodes - 1, &err_), code, err_, __VA_ARGS__);               \
        graph_destroy(taken_);                                                                                         \
    } while (0)

#define LIST(...)                                                                                                      \
    (int64_t[])                                                                                                        \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define REALS(...)                                                                                                     \
    (double[])                                                                                                         \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static const int64_t counting[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                   12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

/* `op` on int64 0, 1, 2 ... of shape x, with more inputs from the list of constants. */
static struct graph *on_counting(enum op op, struct shape x)
{
    struct graph *graph = new_graph();

    add_node(graph, op, "node", INTS(add_constant(graph, "x", DTYPE_INT64, x, counting)));
    return graph;
}

static void give_inputs(struct graph *graph, const int *more, size_t n)
{
    struct node *node = last_node(graph);
    int *inputs = arena_create_array(graph->arena, n + 1, sizeof *inputs, NULL);

    inputs[0] = node->inputs[0];
    memcpy(inputs + 1, more, n * sizeof *inputs);
    node->inputs = inputs;
    node->n_inputs = n + 1;
}

/* --- the evaluator --- */

static void a_shape_is_a_constant(void **state)
{
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_SHAPE, "shape", INTS(add_input(graph, "x", SHAPE(1, 3, 5, 7))));
    assert_integers(graph, SHAPE(4), LIST(1, 3, 5, 7));
}

static void gathering_takes_negative_indices(void **state)
{
    struct graph *graph = on_counting(OP_GATHER, SHAPE(2, 3));
    int64_t scalar = -1;

    (void)state;
    last_node(graph)->attr.axis = 1;
    give_inputs(graph, INTS(add_ints(graph, 2, -3)));
    assert_integers(graph, SHAPE(2, 2), LIST(2, 0, 5, 3));
    graph = on_counting(OP_GATHER, SHAPE(2, 3));
    give_inputs(graph, INTS(add_constant(graph, NULL, DTYPE_INT64, (struct shape){0}, &scalar)));
    assert_integers(graph, SHAPE(3), LIST(3, 4, 5));
    graph = on_counting(OP_GATHER, SHAPE(2, 3));
    give_inputs(graph, INTS(add_ints(graph, 2)));
    assert_refuses(graph, EX_DATAERR, "\"node\"", "index 2", "axis of 2");
    graph = on_counting(OP_GATHER, SHAPE(2, 3));
    give_inputs(graph, INTS(add_ints(graph, -3)));
    assert_refuses(graph, EX_DATAERR, "\"node\"", "index -3", "axis of 2");
}

static struct graph *cast(enum dtype from, struct shape shape, const void *data, enum dtype to)
{
    struct graph *graph = new_graph();
    int y = add_node(graph, OP_CAST, "cast", INTS(add_constant(graph, "x", from, shape, data)));

    graph->values[y].dtype = to;
    return graph;
}

static void casts_cut_wrap_and_saturate(void **state)
{
    const float reals[] = {1.9f, -1.9f, 3e30f, NAN, 0.25f};
    const int64_t integers[] = {300, -1, 0};
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000};

    (void)state;
    assert_integers(cast(DTYPE_FLOAT32, SHAPE(5), reals, DTYPE_INT64), SHAPE(5), LIST(1, -1, INT64_MAX, 0, 0));
    assert_integers(cast(DTYPE_FLOAT32, SHAPE(5), reals, DTYPE_BOOL), SHAPE(5), LIST(1, 1, 1, 1, 1));
    assert_integers(cast(DTYPE_INT64, SHAPE(3), integers, DTYPE_UINT8), SHAPE(3), LIST(44, 255, 0));
    assert_integers(cast(DTYPE_INT64, SHAPE(3), integers, DTYPE_BOOL), SHAPE(3), LIST(1, 1, 0));
    assert_reals(cast(DTYPE_INT64, SHAPE(3), integers, DTYPE_FLOAT32), SHAPE(3), REALS(300, -1, 0));
    assert_reals(cast(DTYPE_FLOAT16, SHAPE(5), halves, DTYPE_FLOAT32), SHAPE(5), REALS(1, -2, 0x1p-24, 65504, 0));
    assert_refuses(cast(DTYPE_FLOAT32, SHAPE(5), reals, DTYPE_FLOAT16), EX_UNAVAILABLE, "float16");
}

static void filling_repeats_one_element(void **state)
{
    const int64_t seven = 7;
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_FILL, "fill", INTS(add_ints(graph, 2, 3)));
    last_node(graph)->attr.fill = (struct tensor){DTYPE_INT64, SHAPE(1), &seven};
    assert_integers(graph, SHAPE(2, 3), LIST(7, 7, 7, 7, 7, 7));
    graph = new_graph();
    add_node(graph, OP_FILL, "fill", INTS(add_ints(graph, 1 << 20, 1 << 10)));
    last_node(graph)->attr.fill = (struct tensor){DTYPE_INT64, SHAPE(1), &seven};
    assert_refuses(graph, EX_DATAERR, "\"fill\"", "would exceed");
    graph = new_graph();
    add_node(graph, OP_FILL, "fill", INTS(add_ints(graph, -2)));
    last_node(graph)->attr.fill = (struct tensor){DTYPE_INT64, SHAPE(1), &seven};
    assert_refuses(graph, EX_DATAERR, "\"fill\"", "negative");
}

static void joining_keeps_the_order(void **state)
{
    struct graph *graph = on_counting(OP_CONCAT, SHAPE(2, 2));

    (void)state;
    last_node(graph)->attr.axis = 1;
    give_inputs(graph, INTS(add_constant(graph, NULL, DTYPE_INT64, SHAPE(2, 0), NULL),
                            add_constant(graph, NULL, DTYPE_INT64, SHAPE(2, 1), LIST(9, 8))));
    assert_integers(graph, SHAPE(2, 3), LIST(0, 1, 9, 2, 3, 8));
}

static struct graph *slice(struct shape x, int64_t start, int64_t end, int64_t axis, int64_t step)
{
    struct graph *graph = on_counting(OP_SLICE_TO, x);

    give_inputs(graph,
                INTS(add_ints(graph, start), add_ints(graph, end), add_ints(graph, axis), add_ints(graph, step)));
    return graph;
}

static void slices_clamp_and_run_backwards(void **state)
{
    struct graph *graph;

    (void)state;
    assert_integers(slice(SHAPE(5), 1, INT64_MAX, 0, 2), SHAPE(2), LIST(1, 3));
    assert_integers(slice(SHAPE(5), -3, -1, -1, 1), SHAPE(2), LIST(2, 3));
    assert_integers(slice(SHAPE(5), -1, INT64_MIN, 0, -1), SHAPE(5), LIST(4, 3, 2, 1, 0));
    assert_integers(slice(SHAPE(5), -1, -INT64_MAX, 0, -2), SHAPE(3), LIST(4, 2, 0));
    assert_integers(slice(SHAPE(5), INT64_MAX, 1, 0, -1), SHAPE(3), LIST(4, 3, 2));
    assert_integers(slice(SHAPE(5), INT64_MIN, INT64_MAX, 0, INT64_MAX), SHAPE(1), LIST(0));
    assert_integers(slice(SHAPE(5), INT64_MAX, INT64_MIN, 0, INT64_MIN), SHAPE(1), LIST(4));
    assert_integers(slice(SHAPE(5), 4, 2, 0, 1), SHAPE(0), LIST(0));
    assert_integers(slice(SHAPE(5), 9, 12, 0, 1), SHAPE(0), LIST(0));
    assert_integers(slice(SHAPE(2, 3), 1, 3, 1, 1), SHAPE(2, 2), LIST(1, 2, 4, 5));
    assert_refuses(slice(SHAPE(5), 0, 1, 1, 1), EX_DATAERR, "\"node\"", "axis 1");
    assert_refuses(slice(SHAPE(5), 0, 1, 0, 0), EX_DATAERR, "\"node\"", "step 0");
    graph = on_counting(OP_SLICE_TO, SHAPE(2, 3)); /* without axes and steps */
    give_inputs(graph, INTS(add_ints(graph, 1, 0), add_ints(graph, 2, 2)));
    assert_integers(graph, SHAPE(1, 2), LIST(3, 4));
}

static struct graph *reshape(struct shape x, int shape_rank, const int64_t *shape, bool allow_zero)
{
    struct graph *graph = on_counting(OP_RESHAPE_TO, x);

    give_inputs(graph, INTS(add_constant(graph, "shape", DTYPE_INT64, SHAPE(shape_rank), shape)));
    last_node(graph)->attr.reshape_to.allow_zero = allow_zero;
    return graph;
}

static void reshapes_copy_and_infer_extents(void **state)
{
    (void)state;
    assert_integers(reshape(SHAPE(2, 3), 1, LIST(-1), false), SHAPE(6), counting);
    assert_integers(reshape(SHAPE(2, 3), 3, LIST(0, 1, -1), false), SHAPE(2, 1, 3), counting);
    assert_integers(reshape(SHAPE(2, 0), 2, LIST(0, 5), true), SHAPE(0, 5), counting);
    assert_refuses(reshape(SHAPE(2, 3), 2, LIST(-1, -1), false), EX_DATAERR, "\"node\"", "both");
    assert_refuses(reshape(SHAPE(2, 3), 2, LIST(-1, 4), false), EX_DATAERR, "\"node\"", "2x3");
    assert_refuses(reshape(SHAPE(2, 3), 2, LIST(2, 4), false), EX_DATAERR, "\"node\"", "2x3", "2x4");
    assert_refuses(reshape(SHAPE(2, 3), 2, LIST(2, -3), false), EX_DATAERR, "\"node\"", "negative");
    assert_refuses(reshape(SHAPE(2, 3), 3, LIST(INT64_MAX, INT64_MAX, -1), false), EX_DATAERR, "\"node\"");
    assert_refuses(reshape(SHAPE(2, 3), 3, LIST(6, 1, 0), false), EX_DATAERR, "\"node\"", "axis 2");
}

static void transposing_moves_elements(void **state)
{
    struct graph *graph = on_counting(OP_TRANSPOSE, SHAPE(2, 3, 2));

    (void)state;
    memcpy(last_node(graph)->attr.perm, LIST(2, 0, 1), 3 * sizeof(int64_t));
    assert_integers(graph, SHAPE(2, 2, 3), LIST(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
}

static void expanding_repeats(void **state)
{
    struct graph *graph = on_counting(OP_EXPAND, SHAPE(2, 1));

    (void)state;
    give_inputs(graph, INTS(add_ints(graph, 2, 1, 3)));
    assert_integers(graph, SHAPE(2, 2, 3), LIST(0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1));
}

static void padding_follows_its_mode(void **state)
{
    static const int64_t expected[3][9] = {
        {5, 5, 0, 1, 2, 5, 5, 5, 5}, {2, 1, 0, 1, 2, 1, 0, 0, 0}, {0, 0, 0, 1, 2, 2, 2, 2, 2}};
    static const int64_t ends[3] = {4, 2, 4};
    const int64_t five = 5;
    struct graph *graph;

    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        graph = on_counting(OP_PAD_TO, SHAPE(3));
        give_inputs(graph, INTS(add_ints(graph, 2, ends[mode]),
                                add_constant(graph, NULL, DTYPE_INT64, (struct shape){0}, &five)));
        last_node(graph)->attr.pad.mode = (enum pad_mode)mode;
        assert_integers(graph, SHAPE(5 + ends[mode]), expected[mode]);
    }
    graph = on_counting(OP_PAD_TO, SHAPE(2, 2)); /* more than one axis */
    give_inputs(graph, INTS(add_ints(graph, 0, 1, 1, 0)));
    assert_integers(graph, SHAPE(3, 3), LIST(0, 0, 1, 0, 2, 3, 0, 0, 0));
}

static struct graph *binary(enum binary_kind kind, enum dtype dtype, struct shape a_shape, const void *a,
                            struct shape b_shape, const void *b)
{
    struct graph *graph = new_graph();
    int x = add_constant(graph, "a", dtype, a_shape, a), y = add_constant(graph, "b", dtype, b_shape, b);

    add_node(graph, OP_BINARY, "node", INTS(x, y));
    last_node(graph)->attr.binary.kind = kind;
    return graph;
}

static void arithmetic_follows_numpy(void **state)
{
    const int64_t a[] = {-7, 7, INT64_MIN}, b[] = {2, -2, -1}, zero[] = {0};
    const float x[] = {1, -2, 0.5f}, y[] = {3, 0.25f};

    (void)state;
    assert_integers(binary(BINARY_ADD, DTYPE_INT64, SHAPE(3), a, SHAPE(3), b), SHAPE(3), LIST(-5, 5, INT64_MAX));
    assert_integers(binary(BINARY_DIV, DTYPE_INT64, SHAPE(3), a, SHAPE(3), b), SHAPE(3), LIST(-3, -3, INT64_MIN));
    assert_integers(binary(BINARY_MUL, DTYPE_INT64, SHAPE(3, 1), b, SHAPE(2), b), SHAPE(3, 2),
                    LIST(4, -4, -4, 4, -2, 2));
    assert_integers(binary(BINARY_MAX, DTYPE_INT64, SHAPE(3), a, SHAPE(3), b), SHAPE(3), LIST(2, 7, -1));
    assert_reals(binary(BINARY_SUB, DTYPE_FLOAT32, SHAPE(3, 1), x, SHAPE(2), y), SHAPE(3, 2),
                 REALS(-2, 0.75, -5, -2.25, -2.5, 0.25));
    assert_reals(binary(BINARY_DIV, DTYPE_FLOAT32, SHAPE(3), x, SHAPE(1), y), SHAPE(3),
                 REALS(1 / 3.0, -2 / 3.0, 0.5 / 3));
    assert_refuses(binary(BINARY_DIV, DTYPE_INT64, SHAPE(3), a, SHAPE(1), zero), EX_DATAERR, "\"node\"", "zero");
}

static void reductions_cover_every_kind(void **state)
{
    static const double expected[5][2] = {{2, 9}, {6, 27}, {4, 12}, {0, 6}, {4.4721359549995796, 16.15549442140351}};
    const float x[] = {0, 2, 4, 6, 9, 12};

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct graph *graph = new_graph();

        add_node(graph, OP_REDUCE, "node", INTS(add_floats(graph, SHAPE(2, 3), x)));
        last_node(graph)->attr.reduce.kind = (enum reduce_kind)kind;
        last_node(graph)->attr.reduce.axes = 2;
        last_node(graph)->attr.reduce.keep_dims = kind % 2 == 0;
        assert_reals(graph, kind % 2 == 0 ? SHAPE(2, 1) : SHAPE(2), expected[kind]);
    }
}

static void activations_of_constants_fold(void **state)
{
    const float x[] = {4, 2.25f};
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_ACTIVATION, "node", INTS(add_floats(graph, SHAPE(2), x)));
    last_node(graph)->attr.activation.kind = ACTIVATION_SQRT;
    assert_reals(graph, SHAPE(2), REALS(2, 1.5));
}

/* --- on activations --- */

static void parameters_computed_at_run_time_are_refused(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4)), shape = add_input(graph, "wanted", SHAPE(2));

    (void)state;
    add_node(graph, OP_RESHAPE_TO, "node", INTS(x, shape));
    assert_refuses(graph, EX_UNAVAILABLE, "\"node\"", "\"wanted\"", "run time");
}

/* A graph of one node on activations, folded and validated as a whole. */
static void assert_folds(struct graph *graph, enum op op, struct shape shape)
{
    struct error err;
    char text[SHAPE_TEXT_BYTES];

    graph_add_output(graph, graph->nodes[graph->n_nodes - 1].outputs[0], NULL);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
    assert_string_equal(op_name(last_node(graph)->op), op_name(op));
    if (!shape_equal(&graph->values[graph->outputs[0]].shape, &shape))
        fail_msg("found shape %s", shape_text(&graph->values[graph->outputs[0]].shape, text));
}

static struct graph *on_image(enum op op, int64_t parameter_count, const int64_t *parameter)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 3, 6, 8));

    add_node(graph, op, "node", INTS(x, add_constant(graph, NULL, DTYPE_INT64, SHAPE(parameter_count), parameter)));
    return graph;
}

static void pads_become_static_or_slices(void **state)
{
    const float value = -2;
    struct graph *graph = on_image(OP_PAD_TO, 8, LIST(0, 0, 1, 2, 0, 0, 0, 3));

    (void)state;
    last_node(graph)->attr.pad.mode = PAD_REFLECT;
    assert_folds(graph, OP_PAD, SHAPE(1, 3, 7, 13));
    assert_int_equal(last_node(graph)->attr.pad.mode, PAD_REFLECT);
    assert_int_equal(last_node(graph)->attr.pad.begin[3], 2);
    assert_int_equal(last_node(graph)->attr.pad.end[3], 3);
    graph_destroy(graph);
    graph = on_image(OP_PAD_TO, 8, LIST(0, 0, -1, 0, 0, 0, -2, -4));
    assert_folds(graph, OP_SLICE, SHAPE(1, 3, 3, 4));
    assert_int_equal(last_node(graph)->attr.slice.begin[2], 1);
    graph_destroy(graph);
    graph = on_image(OP_PAD_TO, 8, LIST(0, 0, 1, 0, 0, 0, 0, 0));
    give_inputs(graph, INTS(last_node(graph)->inputs[1], add_floats(graph, SHAPE(1), &value)));
    assert_folds(graph, OP_PAD, SHAPE(1, 3, 7, 8));
    assert_true(last_node(graph)->attr.pad.value == -2);
    graph_destroy(graph);
    assert_refuses(on_image(OP_PAD_TO, 8, LIST(0, 0, -4, 0, 0, 0, -4, 0)), EX_DATAERR, "\"node\"", "crop");
    assert_refuses(on_image(OP_PAD_TO, 8, LIST(0, 0, INT64_MIN, 0, 0, 0, INT64_MIN, 0)), EX_DATAERR, "\"node\"",
                   "crop");
    assert_refuses(on_image(OP_PAD_TO, 8, LIST(0, 0, INT64_MAX, 0, 0, 0, INT64_MAX, 0)), EX_DATAERR, "\"node\"");
    assert_refuses(on_image(OP_PAD_TO, 8, LIST(0, 0, -1, 1, 0, 0, 0, 0)), EX_UNAVAILABLE, "\"node\"");
    assert_refuses(on_image(OP_PAD_TO, 4, LIST(0, 0, 1, 1)), EX_DATAERR, "\"node\"", "8 pads", "4");
}

static void resizes_take_sizes_or_scales(void **state)
{
    const float scales[] = {1, 1, 1.5f, 0.9f};
    struct graph *graph = on_image(OP_RESIZE_TO, 4, LIST(1, 3, 12, 4));

    (void)state;
    assert_folds(graph, OP_RESIZE, SHAPE(1, 3, 12, 4));
    assert_true(last_node(graph)->attr.resize.scale[0] == 2 && last_node(graph)->attr.resize.scale[1] == 0.5f);
    graph_destroy(graph);
    graph = new_graph();
    add_node(graph, OP_RESIZE_TO, "node",
             INTS(add_input(graph, "x", SHAPE(1, 3, 6, 10)), add_floats(graph, SHAPE(4), scales)));
    assert_folds(graph, OP_RESIZE, SHAPE(1, 3, 9, 9));
    assert_true(last_node(graph)->attr.resize.scale[1] == 0.9f);
    graph_destroy(graph);
    assert_refuses(on_image(OP_RESIZE_TO, 4, LIST(1, 6, 12, 4)), EX_DATAERR, "\"node\"", "spatial");
    assert_refuses(on_image(OP_RESIZE_TO, 4, LIST(1, 3, 0, 4)), EX_DATAERR, "\"node\"");
    assert_refuses(on_image(OP_RESIZE_TO, 2, LIST(12, 4)), EX_DATAERR, "\"node\"", "4");
}

static void gathers_of_activations_are_slices(void **state)
{
    const int64_t two = 2;
    struct graph *graph = on_image(OP_GATHER, 3, LIST(0, 2, 4));

    (void)state;
    last_node(graph)->attr.axis = 3;
    assert_folds(graph, OP_SLICE, SHAPE(1, 3, 6, 3));
    assert_int_equal(last_node(graph)->attr.slice.step[3], 2);
    graph_destroy(graph);
    graph = new_graph();
    add_node(
        graph, OP_GATHER, "node",
        INTS(add_input(graph, "x", SHAPE(1, 3, 6)), add_constant(graph, NULL, DTYPE_INT64, (struct shape){0}, &two)));
    last_node(graph)->attr.axis = 1;
    assert_folds(graph, OP_RESHAPE, SHAPE(1, 6));
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->nodes[0].attr.slice.begin[1], 2);
    assert_string_equal(graph->values[graph->outputs[0]].name, "node");
    graph_destroy(graph);
    graph = on_image(OP_GATHER, 2, LIST(4, 0)); /* unless they do not rise evenly */
    last_node(graph)->attr.axis = 3;
    assert_folds(graph, OP_GATHER, SHAPE(1, 3, 6, 2));
    graph_destroy(graph);
    graph = on_image(OP_GATHER, 1, LIST(8));
    last_node(graph)->attr.axis = 3;
    assert_refuses(graph, EX_DATAERR, "\"node\"", "index 8");
}

static void slices_of_activations_that_run_backwards_are_turned_by_gathers(void **state)
{
    struct graph *graph = new_graph();
    struct tensor indices;

    (void)state;
    add_node(graph, OP_SLICE_TO, "node",
             INTS(add_input(graph, "x", SHAPE(1, 3, 6, 8)), add_ints(graph, -1, -1), add_ints(graph, -100, 1),
                  add_ints(graph, 2, 3), add_ints(graph, -1, -2)));
    assert_folds(graph, OP_GATHER, SHAPE(1, 3, 6, 3)); /* columns 7, 5, 3 */
    assert_int_equal(graph->n_nodes, 3);
    assert_int_equal(graph->nodes[0].op, OP_SLICE);
    assert_int_equal(graph->nodes[0].attr.slice.begin[3], 3);
    assert_int_equal(graph->nodes[0].attr.slice.step[3], 2);
    for (size_t i = 1; i < 3; i++) {
        assert_true(graph_constant(graph, graph->nodes[i].inputs[1], &indices));
        assert_int_equal(tensor_integer(&indices, 0), graph->nodes[i].attr.axis == 2 ? 5 : 2);
    }
    graph_destroy(graph);
}

static struct graph *compare(enum binary_kind kind, int64_t a, int64_t b)
{
    struct graph *graph = new_graph();

    add_node(graph, OP_BINARY, "node", INTS(add_ints(graph, a), add_ints(graph, b)));
    last_node(graph)->attr.binary.kind = kind;
    return graph;
}

static void comparisons_and_remainders_of_constants_are_integers(void **state)
{
    static const struct {
        enum binary_kind kind;
        int64_t a, b, expected;
    } cases[] = {
        {BINARY_EQUAL, 3, 3, 1},       {BINARY_EQUAL, 3, 4, 0},       {BINARY_LESS, -1, 0, 1},
        {BINARY_LESS, 0, 0, 0},        {BINARY_LESS_EQUAL, 0, 0, 1},  {BINARY_AND, 2, 0, 0},
        {BINARY_AND, 2, 4, 1},         {BINARY_OR, 0, 4, 1},          {BINARY_XOR, 2, 4, 0},
        {BINARY_MODULO, -7, 3, 2},     {BINARY_MODULO, 7, -3, -2},    {BINARY_REMAINDER, -7, 3, -1},
        {BINARY_REMAINDER, 7, -1, 0},  {BINARY_POW, 3, 4, 81},        {BINARY_POW, 2, -1, 0},
        {BINARY_SHIFT_LEFT, 3, 2, 12}, {BINARY_SHIFT_RIGHT, 9, 1, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_integers(compare(cases[i].kind, cases[i].a, cases[i].b), SHAPE(1), &cases[i].expected);
    assert_refuses(compare(BINARY_MODULO, 1, 0), EX_DATAERR, "\"node\"", "zero");
    assert_refuses(compare(BINARY_SHIFT_LEFT, 1, 64), EX_DATAERR, "\"node\"", "64 bits");
}

static void a_choice_takes_from_one_or_the_other(void **state)
{
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_WHERE, "node", INTS(add_ints(graph, 1, 0, 2), add_ints(graph, 10), add_ints(graph, 20, 21, 22)));
    assert_integers(graph, SHAPE(3), LIST(10, 21, 10));
}

static void positions_of_extremes_are_integers(void **state)
{
    for (int is_last = 0; is_last < 2; is_last++)
        for (int is_max = 0; is_max < 2; is_max++) {
            struct graph *graph = new_graph();
            const int64_t data[] = {5, 1, 5, 1};

            (void)state;
            add_node(graph, OP_REDUCE, "node", INTS(add_constant(graph, NULL, DTYPE_INT64, SHAPE(1, 4), data)));
            last_node(graph)->attr.reduce.kind = is_max ? REDUCE_ARG_MAX : REDUCE_ARG_MIN;
            last_node(graph)->attr.reduce.axes = 2;
            last_node(graph)->attr.reduce.is_last = is_last;
            assert_integers(graph, SHAPE(1), LIST(is_max ? (is_last ? 2 : 0) : is_last ? 3 : 1));
        }
}

static void what_only_constants_have_is_refused_of_activations(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4));

    (void)state;
    add_node(graph, OP_BINARY, "node", INTS(x, x));
    last_node(graph)->attr.binary.kind = BINARY_LESS;
    assert_refuses(graph, EX_UNAVAILABLE, "\"node\"", "\"x\"", "constants only");
    graph = new_graph();
    add_node(graph, OP_REDUCE, "node", INTS(add_input(graph, "x", SHAPE(1, 4))));
    last_node(graph)->attr.reduce.kind = REDUCE_ARG_MAX;
    last_node(graph)->attr.reduce.axes = 2;
    assert_refuses(graph, EX_UNAVAILABLE, "\"node\"", "\"x\"", "constants only");
}

static void expanded_activations_are_multiplied_by_ones(void **state)
{
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_EXPAND, "node", INTS(add_input(graph, "x", SHAPE(1, 3, 1, 1)), add_ints(graph, 1, 3, 4, 2)));
    assert_folds(graph, OP_BINARY, SHAPE(1, 3, 4, 2));
    assert_int_equal(last_node(graph)->attr.binary.kind, BINARY_MUL);
    assert_int_equal(shape_elements(&graph->values[last_node(graph)->inputs[1]].shape), 8);
    graph_destroy(graph);
    graph = on_image(OP_EXPAND, 1, LIST(1));
    assert_folds(graph, OP_IDENTITY, SHAPE(1, 3, 6, 8));
    graph_destroy(graph);
}

static void pools_take_their_window_from_the_input(void **state)
{
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_POOL, "node", INTS(add_input(graph, "x", SHAPE(1, 3, 6, 8))));
    last_node(graph)->attr.pool.is_global = true;
    assert_folds(graph, OP_POOL, SHAPE(1, 3, 1, 1));
    assert_int_equal(last_node(graph)->attr.pool.window.kernel[1], 8);
    graph_destroy(graph);
    graph = new_graph();
    add_node(graph, OP_POOL, "node", INTS(add_input(graph, "x", SHAPE(1, 3, 6, 8))));
    last_node(graph)->attr.pool.window = make_window(3, 2, 1);
    assert_folds(graph, OP_POOL, SHAPE(1, 3, 3, 4));
    graph_destroy(graph);
}

/* What PyTorch writes for F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8)) and for x.view(x.size(0), -1): the pads are
 * joined from a list and a fill, then turned back to front by reshape, backward slice and transpose. */
static void the_shape_arithmetic_of_pytorch_folds(void **state)
{
    const int64_t zero = 0;
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 16, 32, 32)), rows, columns, fill, joined, pairs, backwards, turned, flat,
        pads, padded, shape, batch, vector, wanted;

    (void)state;
    rows = add_node(graph, OP_SLICE_TO, "rows",
                    INTS(x, add_ints(graph, 0), add_ints(graph, INT64_MAX), add_ints(graph, 2), add_ints(graph, 2)));
    columns =
        add_node(graph, OP_SLICE_TO, "columns",
                 INTS(rows, add_ints(graph, 0), add_ints(graph, INT64_MAX), add_ints(graph, 3), add_ints(graph, 2)));
    fill = add_node(graph, OP_FILL, "fill", INTS(add_ints(graph, 2)));
    last_node(graph)->attr.fill = (struct tensor){DTYPE_INT64, SHAPE(1), &zero};
    joined = add_node(graph, OP_CONCAT, "joined", INTS(add_ints(graph, 0, 0, 0, 0, 8, 8), fill));
    pairs = add_node(graph, OP_RESHAPE_TO, "pairs", INTS(joined, add_ints(graph, -1, 2)));
    backwards = add_node(
        graph, OP_SLICE_TO, "backwards",
        INTS(pairs, add_ints(graph, -1), add_ints(graph, -INT64_MAX), add_ints(graph, 0), add_ints(graph, -1)));
    turned = add_node(graph, OP_TRANSPOSE, "turned", INTS(backwards));
    memcpy(last_node(graph)->attr.perm, LIST(1, 0), 2 * sizeof(int64_t));
    flat = add_node(graph, OP_RESHAPE_TO, "flat", INTS(turned, add_ints(graph, -1)));
    pads = add_node(graph, OP_CAST, "pads", INTS(flat));
    graph->values[pads].dtype = DTYPE_INT64;
    padded = add_node(graph, OP_PAD_TO, "padded", INTS(columns, pads));
    shape = add_node(graph, OP_SHAPE, "shape", INTS(padded));
    batch = add_node(graph, OP_GATHER, "batch",
                     INTS(shape, add_constant(graph, NULL, DTYPE_INT64, (struct shape){0}, &zero)));
    vector = add_node(graph, OP_RESHAPE, "vector", INTS(batch)); /* Unsqueeze */
    graph->values[vector].shape = SHAPE(1);
    graph->values[vector].has_shape = true;
    wanted = add_node(graph, OP_CONCAT, "wanted", INTS(vector, add_ints(graph, -1)));
    add_node(graph, OP_RESHAPE_TO, "flattened", INTS(padded, wanted));
    assert_folds(graph, OP_RESHAPE, SHAPE(1, 32 * 16 * 16));
    assert_int_equal(graph->n_nodes, 4); /* two slices, a pad, a reshape */
    assert_int_equal(find_node(graph, "padded")->attr.pad.begin[1], 8);
    assert_int_equal(find_node(graph, "padded")->attr.pad.end[1], 8);
    assert_int_equal(find_node(graph, "rows")->attr.slice.step[2], 2);
    graph_destroy(graph);
}

static void dead_branches_are_dropped_unseen(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4));
    struct error err;

    (void)state;
    add_node(graph, OP_RESHAPE_TO, "unsupported", INTS(x, x));
    add_node(graph, OP_IDENTITY, "y", INTS(x));
    graph_add_output(graph, graph_find_value(graph, "y"), NULL);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

static void what_cannot_be_evaluated_is_named(void **state)
{
    const float x[] = {1, 2};
    struct graph *graph = new_graph();

    (void)state;
    add_node(graph, OP_SOFTMAX, "node", INTS(add_floats(graph, SHAPE(1, 2), x)));
    assert_refuses(graph, EX_UNAVAILABLE, "\"node\"", "softmax");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_is_a_constant),
        cmocka_unit_test(gathering_takes_negative_indices),
        cmocka_unit_test(casts_cut_wrap_and_saturate),
        cmocka_unit_test(filling_repeats_one_element),
        cmocka_unit_test(joining_keeps_the_order),
        cmocka_unit_test(slices_clamp_and_run_backwards),
        cmocka_unit_test(reshapes_copy_and_infer_extents),
        cmocka_unit_test(transposing_moves_elements),
        cmocka_unit_test(expanding_repeats),
        cmocka_unit_test(padding_follows_its_mode),
        cmocka_unit_test(arithmetic_follows_numpy),
        cmocka_unit_test(reductions_cover_every_kind),
        cmocka_unit_test(activations_of_constants_fold),
        cmocka_unit_test(parameters_computed_at_run_time_are_refused),
        cmocka_unit_test(pads_become_static_or_slices),
        cmocka_unit_test(resizes_take_sizes_or_scales),
        cmocka_unit_test(gathers_of_activations_are_slices),
        cmocka_unit_test(slices_of_activations_that_run_backwards_are_turned_by_gathers),
        cmocka_unit_test(comparisons_and_remainders_of_constants_are_integers),
        cmocka_unit_test(a_choice_takes_from_one_or_the_other),
        cmocka_unit_test(positions_of_extremes_are_integers),
        cmocka_unit_test(what_only_constants_have_is_refused_of_activations),
        cmocka_unit_test(expanded_activations_are_multiplied_by_ones),
        cmocka_unit_test(pools_take_their_window_from_the_input),
        cmocka_unit_test(the_shape_arithmetic_of_pytorch_folds),
        cmocka_unit_test(dead_branches_are_dropped_unseen),
        cmocka_unit_test(what_cannot_be_evaluated_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
