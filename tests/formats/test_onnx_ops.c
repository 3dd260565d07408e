/* test_onnx_ops.c — what operators of an ONNX file become, across opsets: defaults, old forms, folded parameters. */
#include "onnx_ops.h"

#include <math.h>

/* --- windows --- */

static void same_padding_puts_the_odd_pixel_at_the_end_or_the_begin(void **state)
{
    static const char *const rules[] = {"SAME_UPPER", "SAME_LOWER"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct onnx_file *f = MODEL(13, OPEN, 1, 6, 5);
        struct graph *graph;
        const struct window *w;

        add_weights(f, "w", 1, 1, 3, 3);
        set_ints(f, set_string(f, add_node(f, "Conv", "c", "x w", "y"), "auto_pad", rules[i]), "strides", 2, 2);
        graph = must_import(f);
        w = &only_node(graph)->attr.conv.window;
        assert_shape(value_called(graph, "y"), "1x1x3x3");
        assert_int_equal(w->pad_begin[0], i); /* 6 pixels need one more, 5 pixels one at either side */
        assert_int_equal(w->pad_end[0], 1 - i);
        assert_int_equal(w->pad_begin[1], 1);
        assert_int_equal(w->pad_end[1], 1);
        graph_destroy(graph);
    }
}

static void one_dimensional_windows_have_height_1(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 2, 9);
    struct graph *graph;
    const struct window *w;

    (void)state;
    add_weights(f, "w", 4, 2, 3);
    set_ints(f, set_ints(f, add_node(f, "Conv", "c", "x w", "y"), "strides", 2), "pads", 1, 0);
    graph = must_import(f);
    w = &only_node(graph)->attr.conv.window;
    assert_shape(value_called(graph, "y"), "1x4x4");
    assert_int_equal(w->kernel[0], 1);
    assert_int_equal(w->kernel[1], 3);
    assert_int_equal(w->stride[1], 2);
    assert_int_equal(w->pad_begin[1], 1);
    assert_int_equal(w->pad_begin[0], 0);
    graph_destroy(graph);
}

static void ceil_mode_keeps_only_windows_that_start_in_the_image(void **state)
{
    static const struct {
        int64_t in, stride, pad;
        const char *shape;
    } cases[] = {{6, 2, 0, "1x1x3"}, {7, 2, 0, "1x1x3"}, {5, 3, 1, "1x1x2"}, {4, 3, 1, "1x1x2"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(13, OPEN, 1, cases[i].in);
        Onnx__NodeProto *pool = add_node(f, "MaxPool", "p", "x", "y");
        struct graph *graph;

        set_ints(f, set_ints(f, pool, "kernel_shape", 3), "strides", cases[i].stride);
        set_int(f, set_ints(f, pool, "pads", cases[i].pad, cases[i].pad), "ceil_mode", 1);
        graph = must_import(f);
        assert_shape(value_called(graph, "y"), cases[i].shape);
        graph_destroy(graph);
    }
}

static void an_output_shape_of_a_deconvolution_becomes_pads_or_padding(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 1, 3, 3);
    Onnx__NodeProto *deconv = add_node(f, "ConvTranspose", "d", "x w", "y");
    struct graph *graph;
    const struct node *node;

    (void)state;
    add_weights(f, "w", 1, 2, 3, 3);
    set_ints(f, set_ints(f, deconv, "strides", 3, 2), "output_shape", 10, 6);
    graph = must_import(f);
    node = only_node(graph);
    assert_shape(value_called(graph, "y"), "1x2x10x6");
    assert_int_equal(node->attr.conv.output_padding[0], 1);   /* 3 * 2 + 3 = 9 rows: one is missing */
    assert_int_equal(node->attr.conv.window.pad_begin[1], 1); /* 2 * 2 + 3 = 7 columns: one is too many */
    assert_int_equal(node->attr.conv.window.pad_end[1], 0);
    graph_destroy(graph);
}

/* --- matrices and normalisation --- */

static void alpha_beta_and_transposition_of_a_gemm_are_folded(void **state)
{
    static const float w[] = {1, 2, 3, 4, 5, 6}; /* 3 x 2: K x O */
    static const float expected[] = {2, 6, 10, 4, 8, 12};
    struct onnx_file *f = MODEL(13, OPEN, 3);
    struct graph *graph;
    const struct node *node;

    (void)state;
    add_tensor(f, "w", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DIMS(3, 2), w, sizeof w);
    add_number(f, "c", 3);
    set_float(f, set_float(f, add_node(f, "Gemm", "g", "x w c", "y"), "alpha", 2), "beta", 0.5f);
    graph = must_import(f);
    node = only_node(graph);
    assert_int_equal(node->op, OP_DENSE);
    assert_memory_equal(constant_floats(graph, node->inputs[1], 6), expected, sizeof expected);
    assert_memory_equal(constant_floats(graph, node->inputs[2], 2), ((float[]){1.5f, 1.5f}), 2 * sizeof(float));
    graph_destroy(graph);
}

static void a_plain_gemm_keeps_the_names_of_its_weights(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 3);
    struct graph *graph;

    (void)state;
    add_weights(f, "fc.weight", 2, 3);
    add_weights(f, "fc.bias", 2);
    set_int(f, add_node(f, "Gemm", "g", "x fc.weight fc.bias", "y"), "transB", 1);
    graph = must_import(f);
    assert_string_equal(graph->values[only_node(graph)->inputs[1]].name, "fc.weight");
    assert_string_equal(graph->values[only_node(graph)->inputs[2]].name, "fc.bias");
    graph_destroy(graph);
}

static void a_product_with_a_constant_matrix_is_a_dense_layer(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 3);
    struct graph *graph;

    (void)state;
    add_weights(f, "w", 3, 2);
    add_node(f, "MatMul", "m", "x w", "y");
    graph = must_import(f);
    assert_int_equal(only_node(graph)->op, OP_DENSE);
    assert_shape(value_called(graph, "y"), "1x2");
    graph_destroy(graph);
}

static void batch_normalisation_becomes_scale_and_shift(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 2, 4);
    struct graph *graph;
    const struct node *node;

    (void)state;
    add_floats(f, "s", 3, 1);
    add_floats(f, "b", 1, -1);
    add_floats(f, "m", 2, 0);
    add_floats(f, "v", 3, 0);
    set_float(f, add_node(f, "BatchNormalization", "bn", "x s b m v", "y"), "epsilon", 1);
    graph = must_import(f);
    node = only_node(graph);
    assert_int_equal(node->op, OP_NORMALIZE);
    assert_memory_equal(constant_floats(graph, node->inputs[1], 2), ((float[]){1.5f, 1}), 2 * sizeof(float));
    assert_memory_equal(constant_floats(graph, node->inputs[2], 2), ((float[]){-2, -1}), 2 * sizeof(float));
    graph_destroy(graph);
}

static void a_variance_that_gives_no_number_is_refused(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 1, 4);

    (void)state;
    add_floats(f, "one", 1);
    add_floats(f, "v", -1);
    add_node(f, "BatchNormalization", "bn", "x one one one v", "y");
    assert_refused(f, EX_DATAERR, "node \"bn\"", "variance -1 is not finite");
}

/* --- activations and arithmetic --- */

static void bounds_of_a_clip_are_attributes_or_inputs(void **state)
{
    (void)state;
    for (int64_t opset = 6; opset <= 13; opset += 7) {
        struct onnx_file *f = MODEL(opset, OPEN, 2);
        struct activation clip;
        struct graph *graph;

        if (opset == 6) {
            set_float(f, set_float(f, add_node(f, "Clip", "c", "x", "y"), "min", 0), "max", 6);
        } else {
            add_number(f, "lo", 0);
            add_number(f, "hi", 6);
            add_node(f, "Clip", "c", "x lo hi", "y");
        }
        graph = must_import(f);
        clip = only_node(graph)->attr.activation;
        assert_int_equal(clip.kind, ACTIVATION_CLIP);
        assert_true(clip.alpha == 0 && clip.beta == 6);
        graph_destroy(graph);
    }
}

static void a_clip_at_zero_alone_is_a_relu(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 2);
    struct graph *graph;

    (void)state;
    add_number(f, "lo", 0);
    add_node(f, "Clip", "c", "x lo", "y");
    graph = must_import(f);
    assert_int_equal(only_node(graph)->attr.activation.kind, ACTIVATION_RELU);
    graph_destroy(graph);
}

static void activations_have_the_defaults_of_the_standard(void **state)
{
    static const struct {
        const char *type;
        enum activation_kind kind;
        float alpha, beta;
    } cases[] = {
        {"LeakyRelu", ACTIVATION_LEAKY_RELU, 0.01f, 0},
        {"Elu", ACTIVATION_ELU, 1, 0},
        {"HardSigmoid", ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f},
        {"HardSwish", ACTIVATION_HARD_SWISH, 1.0f / 6, 0.5f},
        {"Softplus", ACTIVATION_SOFTPLUS, 0, 0},
        {"Gelu", ACTIVATION_GELU, 0, 0},
        {"Erf", ACTIVATION_ERF, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(20, OPEN, 2);
        struct activation found;
        struct graph *graph;

        add_node(f, cases[i].type, "a", "x", "y");
        graph = must_import(f);
        found = only_node(graph)->attr.activation;
        assert_int_equal(found.kind, cases[i].kind);
        assert_true(found.alpha == cases[i].alpha && found.beta == cases[i].beta);
        graph_destroy(graph);
    }
}

static void slopes_lie_along_the_channels(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 3, 4, 4);
    struct graph *graph;

    (void)state;
    add_weights(f, "slope", 3, 1, 1);
    add_node(f, "PRelu", "p", "x slope", "y");
    graph = must_import(f);
    assert_shape(&graph->values[only_node(graph)->inputs[1]], "3");
    graph_destroy(graph);
    f = MODEL(6, OPEN, 3, 4, 4); /* the old rule: a vector lies along axis 1, whatever stands behind it */
    add_weights(f, "slope", 3);
    add_node(f, "PRelu", "p", "x slope", "y");
    graph = must_import(f);
    assert_string_equal(graph->values[only_node(graph)->inputs[1]].name, "slope");
    graph_destroy(graph);
    f = MODEL(13, OPEN, 3, 4, 4);
    add_weights(f, "slope", 4); /* along columns: a maximum and a sloped minimum, added */
    add_node(f, "PRelu", "p", "x slope", "y");
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 4);
    assert_int_equal(node_called(graph, "p")->attr.binary.kind, BINARY_ADD);
    graph_destroy(graph);
}

static void old_broadcasting_aligns_at_an_axis(void **state)
{
    struct onnx_file *f = MODEL(6, OPEN, 3, 4, 5);
    struct graph *graph;

    (void)state;
    add_weights(f, "b", 3);
    set_int(f, set_int(f, add_node(f, "Add", "a", "x b", "y"), "broadcast", 1), "axis", 1);
    graph = must_import(f);
    assert_shape(&graph->values[only_node(graph)->inputs[1]], "3x1x1");
    graph_destroy(graph);
}

static void variadic_operators_become_chains(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 2);
    struct graph *graph;

    (void)state;
    add_input(f, "a", OPEN, 2);
    add_input(f, "b", OPEN, 2);
    add_node(f, "Max", "m", "x a b", "y");
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->nodes[1].attr.binary.kind, BINARY_MAX);
    assert_string_equal(graph->nodes[1].name, "m");
    assert_string_equal(graph->values[graph->nodes[1].outputs[0]].name, "y");
    graph_destroy(graph);
}

/* --- softmax, reductions --- */

static void softmax_before_opset_13_runs_over_all_trailing_axes(void **state)
{
    struct onnx_file *f = MODEL(11, OPEN, 3, 4, 5);
    struct graph *graph;

    (void)state;
    add_node(f, "Softmax", "s", "x", "y");
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 3);
    assert_int_equal(graph->nodes[1].op, OP_SOFTMAX);
    assert_shape(&graph->values[graph->nodes[1].outputs[0]], "1x60");
    assert_shape(value_called(graph, "y"), "1x3x4x5");
    graph_destroy(graph);
    f = MODEL(11, OPEN, 3, 4, 5); /* over the last axis both rules are one */
    set_int(f, add_node(f, "Softmax", "s", "x", "y"), "axis", -1);
    graph = must_import(f);
    assert_int_equal(only_node(graph)->attr.softmax.axis, 3);
    graph_destroy(graph);
    f = MODEL(13, OPEN, 3, 4, 5);
    set_int(f, add_node(f, "LogSoftmax", "s", "x", "y"), "axis", 1);
    graph = must_import(f);
    assert_int_equal(only_node(graph)->attr.softmax.axis, 1);
    assert_true(only_node(graph)->attr.softmax.is_log);
    graph_destroy(graph);
}

static void axes_of_a_reduction_are_attributes_or_inputs(void **state)
{
    (void)state;
    for (int64_t opset = 13; opset <= 18; opset += 5) {
        struct onnx_file *f = MODEL(opset, OPEN, 3, 4, 5);
        struct graph *graph;

        add_ints(f, "axes", 2, -1);
        if (opset < 18)
            set_int(f, set_ints(f, add_node(f, "ReduceMean", "r", "x", "y"), "axes", 2, -1), "keepdims", 0);
        else
            set_int(f, add_node(f, "ReduceMean", "r", "x axes", "y"), "keepdims", 0);
        graph = must_import(f);
        assert_int_equal(only_node(graph)->attr.reduce.axes, 12);
        assert_shape(value_called(graph, "y"), "1x3");
        graph_destroy(graph);
    }
}

static void constants_come_in_every_form(void **state)
{
    struct onnx_file *f = MODEL(13, OPEN, 2);
    Onnx__AttributeProto *list;
    struct graph *graph;
    struct tensor tensor;

    (void)state;
    list = set(f, add_node(f, "Constant", "k", "", "c"), "value_floats", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    list->n_floats = 2;
    list->floats = (float[]){3, 4};
    set_float(f, add_node(f, "Constant", "l", "", "d"), "value_float", 5);
    add_node(f, "Add", "a", "x c", "s");
    add_node(f, "Add", "b", "s d", "y");
    graph = must_import(f);
    assert_true(graph_constant(graph, graph_find_value(graph, "c"), &tensor));
    assert_memory_equal(tensor.data, ((float[]){3, 4}), 8);
    assert_true(graph_constant(graph, graph_find_value(graph, "d"), &tensor));
    assert_int_equal(tensor.shape.rank, 0);
    graph_destroy(graph);
}

static void dropout_passes_and_its_training_is_refused(void **state)
{
    for (int trains = 0; trains < 2; trains++) {
        struct onnx_file *f = MODEL(13, OPEN, 2);
        uint8_t flag = (uint8_t)trains;
        struct graph *graph;

        (void)state;
        add_tensor(f, "training", ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, NULL, 0, &flag, 1);
        add_node(f, "Dropout", "d", "x - training", "y mask");
        if (trains) {
            assert_refused(f, EX_UNAVAILABLE, "node \"d\"", "training_mode");
            continue;
        }
        graph = must_import(f);
        assert_int_equal(only_node(graph)->op, OP_IDENTITY);
        graph_destroy(graph);
    }
}

/* --- the words of newer opsets --- */

static void normalisations_of_the_record_become_layer_norms(void **state)
{
    static const struct {
        const char *type, *inputs, *attribute;
        int64_t value;
        uint32_t axes;
        size_t n_nodes;
    } cases[] = {
        {"LayerNormalization", "x w v", "axis", 2, 12, 1},
        {"InstanceNormalization", "x c d", "none", 0, 12, 1},
        {"GroupNormalization", "x c d", "num_groups", 3, 4, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(21, OPEN, 6, 4, 5);
        Onnx__NodeProto *node;
        struct graph *graph;

        add_weights(f, "w", 4, 5);
        add_weights(f, "v", 4, 5);
        add_weights(f, "c", 6);
        add_weights(f, "d", 6);
        node = add_node(f, cases[i].type, "n", cases[i].inputs, "y");
        if (cases[i].value != 0)
            set_int(f, node, cases[i].attribute, cases[i].value);
        graph = must_import(f);
        assert_int_equal(graph->n_nodes, cases[i].n_nodes);
        for (size_t k = 0; k < graph->n_nodes; k++)
            if (graph->nodes[k].op == OP_LAYER_NORM) {
                assert_int_equal(graph->nodes[k].attr.layer_norm.axes, cases[i].axes);
                assert_true(graph->nodes[k].attr.layer_norm.epsilon == 1e-5f);
                break;
            }
        graph_destroy(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_padding_puts_the_odd_pixel_at_the_end_or_the_begin),
        cmocka_unit_test(one_dimensional_windows_have_height_1),
        cmocka_unit_test(ceil_mode_keeps_only_windows_that_start_in_the_image),
        cmocka_unit_test(an_output_shape_of_a_deconvolution_becomes_pads_or_padding),
        cmocka_unit_test(alpha_beta_and_transposition_of_a_gemm_are_folded),
        cmocka_unit_test(a_plain_gemm_keeps_the_names_of_its_weights),
        cmocka_unit_test(a_product_with_a_constant_matrix_is_a_dense_layer),
        cmocka_unit_test(batch_normalisation_becomes_scale_and_shift),
        cmocka_unit_test(a_variance_that_gives_no_number_is_refused),
        cmocka_unit_test(bounds_of_a_clip_are_attributes_or_inputs),
        cmocka_unit_test(a_clip_at_zero_alone_is_a_relu),
        cmocka_unit_test(activations_have_the_defaults_of_the_standard),
        cmocka_unit_test(slopes_lie_along_the_channels),
        cmocka_unit_test(old_broadcasting_aligns_at_an_axis),
        cmocka_unit_test(variadic_operators_become_chains),
        cmocka_unit_test(softmax_before_opset_13_runs_over_all_trailing_axes),
        cmocka_unit_test(axes_of_a_reduction_are_attributes_or_inputs),
        cmocka_unit_test(constants_come_in_every_form),
        cmocka_unit_test(normalisations_of_the_record_become_layer_norms),
        cmocka_unit_test(dropout_passes_and_its_training_is_refused),
    };

    return cmocka_run_group_tests_name("onnx_ops", tests, NULL, NULL);
}
