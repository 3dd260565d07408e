/* test_onnx_shapes.c — ONNX operators that move elements or compute shapes: split, slice, pad, reshape, resize. */
#include "onnx_ops.h"

#include <math.h>

static void a_split_becomes_slices(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 5, 2);
    struct graph *graph;

    (void)state;
    add_ints(f, "parts", 2, 3);
    set_int(f, add_node(f, "Split", "s", "x parts", "y z"), "axis", 1);
    add_output(f, "z");
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 2);
    assert_shape(value_called(graph, "y"), "1x2x2");
    assert_shape(value_called(graph, "z"), "1x3x2");
    assert_int_equal(graph->nodes[1].attr.slice.begin[1], 2);
    graph_destroy(graph);
    f = MODEL(18, OPEN, 5, 2); /* the last part is smaller */
    set_int(f, set_int(f, add_node(f, "Split", "s", "x", "y z"), "axis", 1), "num_outputs", 2);
    add_output(f, "z");
    graph = must_import(f);
    assert_shape(value_called(graph, "y"), "1x3x2");
    assert_shape(value_called(graph, "z"), "1x2x2");
    graph_destroy(graph);
}

static void slices_and_pads_have_attributes_in_old_files(void **state)
{
    struct onnx_file *f = MODEL(9, OPEN, 8, 6);
    struct graph *graph;

    (void)state;
    set_ints(f, set_ints(f, set_ints(f, add_node(f, "Slice", "s", "x", "s"), "starts", 1), "ends", -1), "axes", 2);
    set_float(f, set_ints(f, add_node(f, "Pad", "p", "s", "y"), "pads", 0, 0, 1, 0, 2, 0), "value", 7);
    graph = must_import(f);
    assert_shape(value_called(graph, "s"), "1x8x4");
    assert_shape(value_called(graph, "y"), "1x10x5");
    assert_int_equal(node_called(graph, "s")->attr.slice.begin[2], 1);
    assert_int_equal(node_called(graph, "p")->attr.pad.end[1], 2);
    assert_true(node_called(graph, "p")->attr.pad.value == 7);
    graph_destroy(graph);
}

static void a_slice_of_the_batch_is_refused_unless_it_takes_all(void **state)
{
    for (int64_t end = 1; end != 0; end = end == 1 ? INT64_MAX : 0) {
        struct onnx_file *f = MODEL(13, OPEN, 4);

        (void)state;
        add_ints(f, "starts", 0);
        add_ints(f, "ends", end);
        add_node(f, "Slice", "s", "x starts ends", "y");
        if (end == 1)
            assert_refused(f, EX_UNAVAILABLE, "node \"s\"", "cuts the batch axis");
        else
            graph_destroy(must_import(f));
    }
}

static void pads_for_some_axes_are_spread(void **state)
{
    struct onnx_file *f = MODEL(18, OPEN, 2, 3, 4);
    struct graph *graph;

    (void)state;
    add_ints(f, "pads", 1, 2);
    add_ints(f, "axes", -1);
    set_string(f, add_node(f, "Pad", "p", "x pads - axes", "y"), "mode", "reflect");
    graph = must_import(f);
    assert_shape(value_called(graph, "y"), "1x2x3x7");
    assert_int_equal(only_node(graph)->attr.pad.mode, PAD_REFLECT);
    graph_destroy(graph);
}

static void shape_arithmetic_around_a_reshape_disappears(void **state)
{
    struct onnx_file *f = MODEL(11, OPEN, 3, 4, 5);
    struct graph *graph;

    (void)state; /* what torch exports for x.view(x.size(0), -1) */
    add_tensor(f, "zero", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, NULL, 0, (int64_t[]){0}, 8);
    add_ints(f, "rest", -1);
    add_node(f, "Shape", "shape", "x", "dims");
    add_node(f, "Gather", "gather", "dims zero", "batch");
    set_ints(f, add_node(f, "Unsqueeze", "unsqueeze", "batch", "batch1"), "axes", 0);
    set_int(f, add_node(f, "Concat", "concat", "batch1 rest", "wanted"), "axis", 0);
    add_node(f, "Reshape", "reshape", "x wanted", "y");
    graph = must_import(f);
    assert_int_equal(only_node(graph)->op, OP_RESHAPE);
    assert_shape(value_called(graph, "y"), "1x60");
    graph_destroy(graph);
}

static void the_batch_stays_the_first_axis(void **state)
{
    static const struct {
        const char *type, *attribute;
        int64_t value;
    } cases[] = {{"Unsqueeze", "axes", 0}, {"Squeeze", "axes", 0}, {"Flatten", "axis", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(11, OPEN, 3, 1);
        Onnx__NodeProto *node = add_node(f, cases[i].type, "n", "x", "y");

        if (i == 2)
            set_int(f, node, cases[i].attribute, cases[i].value);
        else
            set_ints(f, node, cases[i].attribute, cases[i].value);
        assert_refused(f, EX_UNAVAILABLE, "node \"n\"", "axis 0");
    }
}

static void squeezing_without_axes_leaves_the_batch(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 3, 1, 1);
    struct graph *graph;

    (void)state;
    add_node(f, "Squeeze", "s", "x", "y");
    graph = must_import(f);
    assert_shape(value_called(graph, "y"), "1x3");
    graph_destroy(graph);
}

static void resizes_map_coordinates_as_their_opset_says(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 1, 3, 4);
    struct graph *graph;
    const struct node *node;

    (void)state;
    add_ints(f, "sizes", 1, 1, 6, 8);
    set_string(f, add_node(f, "Resize", "r", "x - - sizes", "y"), "mode", "linear");
    graph = must_import(f);
    node = only_node(graph);
    assert_shape(value_called(graph, "y"), "1x1x6x8");
    assert_int_equal(node->attr.resize.mode, RESIZE_LINEAR);
    assert_int_equal(node->attr.resize.coordinates, RESIZE_HALF_PIXEL);
    assert_true(node->attr.resize.scale[0] == 2 && node->attr.resize.scale[1] == 2);
    graph_destroy(graph);
    f = MODEL(9, OPEN, 1, 3, 4);
    add_floats(f, "scales", 1, 1, 2, 2);
    add_node(f, "Upsample", "u", "x scales", "y");
    graph = must_import(f);
    node = only_node(graph);
    assert_int_equal(node->attr.resize.coordinates, RESIZE_ASYMMETRIC);
    assert_int_equal(node->attr.resize.rounding, RESIZE_FLOOR);
    graph_destroy(graph);
    f = MODEL(18, OPEN, 1, 3, 4); /* only the axes named */
    add_floats(f, "scales", 2, 0.5f);
    set_ints(f, add_node(f, "Resize", "r", "x - scales", "y"), "axes", 2, 3);
    graph = must_import(f);
    assert_shape(value_called(graph, "y"), "1x1x6x2");
    graph_destroy(graph);
}

static void pixels_are_shuffled_by_a_transpose(void **state)
{
    static const char *const modes[] = {"DCR", "CRD"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct onnx_file *f = MODEL(13, OPEN, 8, 3, 5);
        struct graph *graph;

        set_string(f, set_int(f, add_node(f, "DepthToSpace", "d", "x", "s"), "blocksize", 2), "mode", modes[i]);
        set_int(f, add_node(f, "SpaceToDepth", "e", "s", "y"), "blocksize", 2);
        graph = must_import(f);
        assert_shape(value_called(graph, "s"), "1x2x6x10");
        assert_shape(value_called(graph, "y"), "1x8x3x5");
        assert_int_equal(graph->n_nodes, 6);
        assert_int_equal(graph->nodes[1].attr.perm[1], i == 0 ? 3 : 1);
        graph_destroy(graph);
    }
}

static void an_unbatched_network_keeps_its_first_axis(void **state)
{
    (void)state;
    for (int is_unbatched = 0; is_unbatched < 2; is_unbatched++) {
        struct onnx_file *f = MODEL(13, 4, 6);
        struct graph *graph;

        set_ints(f, add_node(f, "Transpose", "t", "x", "y"), "perm", 1, 0);
        f->file.request.is_unbatched = is_unbatched;
        if (!is_unbatched) {
            assert_refused(f, EX_UNAVAILABLE, "node \"t\"", "(Transpose)", "expected a batch of 1");
            continue;
        }
        graph = must_import(f);
        assert_true(graph->is_unbatched);
        assert_shape(value_called(graph, "y"), "6x4");
        graph_destroy(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_split_becomes_slices),
        cmocka_unit_test(slices_and_pads_have_attributes_in_old_files),
        cmocka_unit_test(a_slice_of_the_batch_is_refused_unless_it_takes_all),
        cmocka_unit_test(pads_for_some_axes_are_spread),
        cmocka_unit_test(shape_arithmetic_around_a_reshape_disappears),
        cmocka_unit_test(the_batch_stays_the_first_axis),
        cmocka_unit_test(squeezing_without_axes_leaves_the_batch),
        cmocka_unit_test(resizes_map_coordinates_as_their_opset_says),
        cmocka_unit_test(pixels_are_shuffled_by_a_transpose),
        cmocka_unit_test(an_unbatched_network_keeps_its_first_axis),
    };

    return cmocka_run_group_tests_name("onnx_shapes", tests, NULL, NULL);
}
