/* test_onnx_codes.c — networks quantized by Q/DQ pairs are read as floats that keep their thresholds. */
#include "onnx_ops.h"

#include <math.h>

/* x -> Q -> DQ -> Add of a weight in int8 codes -> Q -> DQ -> y */
static void a_quantized_network_is_read_as_floats_that_keep_their_thresholds(void **state)
{
    static const float scale = 0.5f, wide = 2, per_axis[] = {0.25f, 0.125f};
    static const int8_t zero = 0, codes[] = {-128, 3};
    static const uint8_t middle = 128;
    struct onnx_file *f = MODEL(13, OPEN, 2);
    struct graph *graph;
    struct tensor tensor;

    (void)state;
    add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scale, sizeof scale);
    add_tensor(f, "z", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, NULL, 0, &zero, 1);
    add_tensor(f, "t", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &wide, sizeof wide);
    add_tensor(f, "m", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, NULL, 0, &middle, 1);
    add_tensor(f, "p", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DIMS(2), per_axis, sizeof per_axis);
    add_tensor(f, "w", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, DIMS(2), codes, sizeof codes);
    add_node(f, "QuantizeLinear", "q", "x s z", "xq");
    add_node(f, "DequantizeLinear", "d", "xq s z", "xd");
    set_int(f, add_node(f, "DequantizeLinear", "e", "w p", "wd"), "axis", 0);
    add_node(f, "Add", "a", "xd wd", "sum");
    add_node(f, "QuantizeLinear", "r", "sum t m", "rq");
    add_node(f, "DequantizeLinear", "u", "rq t m", "y");
    graph = must_import(f);
    assert_true(coding_threshold(value_called(graph, "xd")->coding, 0) == 127 * 0.5f);
    assert_true(coding_threshold(value_called(graph, "y")->coding, 0) == 127 * 2.0f);
    assert_true(graph_constant(graph, graph_find_value(graph, "wd"), &tensor));
    assert_true(tensor_real(&tensor, 0) == -32 && tensor_real(&tensor, 1) == 0.375);
    for (size_t i = 0; i < graph->n_nodes; i++)
        assert_true(graph->nodes[i].op == OP_BINARY || graph->nodes[i].op == OP_IDENTITY);
    graph_destroy(graph);
}

static void codes_from_0_on_behind_a_layer_are_its_relu(void **state)
{
    static const float scale = 0.5f;
    static const uint8_t zero = 0;

    (void)state;
    for (int has_relu = 0; has_relu < 2; has_relu++) {
        struct onnx_file *f = MODEL(13, OPEN, 2);
        struct graph *graph;

        add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scale, sizeof scale);
        add_tensor(f, "z", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, NULL, 0, &zero, 1);
        add_weights(f, "w", 2, 2);
        add_node(f, "MatMul", "m", "x w", "p");
        if (has_relu)
            add_node(f, "Relu", "r", "p", "v");
        add_node(f, "QuantizeLinear", "q", has_relu ? "v s z" : "p s z", "vq");
        add_node(f, "DequantizeLinear", "d", "vq s z", "y");
        graph = must_import(f);
        assert_int_equal(node_called(graph, "d")->op, has_relu ? OP_IDENTITY : OP_ACTIVATION);
        assert_true(coding_threshold(value_called(graph, "y")->coding, 0) == 127.5f);
        if (!has_relu) {
            assert_int_equal(node_called(graph, "d")->attr.activation.kind, ACTIVATION_CLIP);
            assert_true(node_called(graph, "d")->attr.activation.beta == 127.5f);
        }
        graph_destroy(graph);
    }
}

static void codes_that_are_read_with_another_scale_stay_casts(void **state)
{
    static const float scales[] = {0.5f, 0.25f};
    struct onnx_file *f = MODEL(13, OPEN, 2);

    (void)state;
    add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scales[0], sizeof *scales);
    add_tensor(f, "t", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scales[1], sizeof *scales);
    add_node(f, "QuantizeLinear", "q", "x s", "xq");
    add_node(f, "DequantizeLinear", "d", "xq t", "y");
    assert_refused(f, EX_UNAVAILABLE, "node \"q\"", "cast of activations");
}

static void bad_scales_are_refused(void **state)
{
    static const float scales[] = {0, -1, INFINITY, NAN};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct onnx_file *f = MODEL(13, OPEN, 2);

        add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scales[i], sizeof *scales);
        add_node(f, "QuantizeLinear", "q", "x s", "xq");
        add_node(f, "DequantizeLinear", "d", "xq s", "y");
        assert_refused(f, EX_DATAERR, "node \"q\"", "scale 0 is");
    }
}

/* Codes and zero point have one type in ONNX, but a file may say otherwise. */
static void codes_beyond_the_type_of_their_zero_point_are_refused(void **state)
{
    static const float scale = 0.5f;
    static const int8_t zero = 1;
    static const struct {
        int64_t code;
        const char *text;
    } cases[] = {
        {128, "code 1 is 128: expected -128 to 127"},
        {INT64_MIN, "code 1 is -9223372036854775808: expected -128 to 127"},
        {-128, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(13, OPEN, 2);
        int64_t codes[] = {0, cases[i].code};

        add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, &scale, sizeof scale);
        add_tensor(f, "w", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, DIMS(2), codes, sizeof codes);
        add_tensor(f, "z", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, NULL, 0, &zero, 1);
        add_node(f, "DequantizeLinear", "d", "w s z", "wd");
        add_node(f, "Add", "a", "x wd", "y");
        if (cases[i].text == NULL)
            graph_destroy(must_import(f));
        else
            assert_refused(f, EX_DATAERR, "node \"d\"", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantized_network_is_read_as_floats_that_keep_their_thresholds),
        cmocka_unit_test(codes_from_0_on_behind_a_layer_are_its_relu),
        cmocka_unit_test(codes_that_are_read_with_another_scale_stay_casts),
        cmocka_unit_test(bad_scales_are_refused),
        cmocka_unit_test(codes_beyond_the_type_of_their_zero_point_are_refused),
    };

    return cmocka_run_group_tests_name("onnx_codes", tests, NULL, NULL);
}
