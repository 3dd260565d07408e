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

/* Against the definition, place by place: [2, 5, 2] in blocks of 2 along the middle axis, the last of them short. */
static void blocks_of_codes_stand_for_what_onnx_says(void **state)
{
    enum { OUTER = 2, MIDDLE = 5, INNER = 2, BLOCK = 2, BLOCKS = 3 };
    int8_t codes[OUTER][MIDDLE][INNER], zeros[OUTER][BLOCKS][INNER];
    float scales[OUTER][BLOCKS][INNER];
    struct tensor tensor;
    struct graph *graph;
    struct onnx_file *f = MODEL(21, OPEN, OUTER, MIDDLE, INNER);

    (void)state;
    for (size_t i = 0; i < sizeof codes; i++)
        (&codes[0][0][0])[i] = (int8_t)(i * 37);
    for (size_t i = 0; i < sizeof zeros; i++) {
        (&zeros[0][0][0])[i] = (int8_t)(i - 5);
        (&scales[0][0][0])[i] = (float)(i + 1) * 0.25f;
    }
    add_tensor(f, "w", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, DIMS(OUTER, MIDDLE, INNER), codes, sizeof codes);
    add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DIMS(OUTER, BLOCKS, INNER), scales, sizeof scales);
    add_tensor(f, "z", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, DIMS(OUTER, BLOCKS, INNER), zeros, sizeof zeros);
    set_int(f, add_node(f, "DequantizeLinear", "d", "w s z", "wd"), "block_size", BLOCK);
    add_node(f, "Add", "a", "x wd", "y");
    graph = must_import(f);
    assert_true(graph_constant(graph, graph_find_value(graph, "wd"), &tensor));
    assert_null(value_called(graph, "wd")->coding);
    for (size_t o = 0; o < OUTER; o++)
        for (size_t m = 0; m < MIDDLE; m++)
            for (size_t i = 0; i < INNER; i++) {
                size_t b = m / BLOCK;

                assert_true(tensor_real(&tensor, (o * MIDDLE + m) * INNER + i) ==
                            (double)(codes[o][m][i] - zeros[o][b][i]) * (double)scales[o][b][i]);
            }
    graph_destroy(graph);
}

static void blocks_that_do_not_fit_are_refused(void **state)
{
    static const float scales[6] = {1, 1, 1, 1, 1, 1};
    static const int8_t codes[10];
    static const struct {
        int64_t block, dims[2];
        size_t rank;
        const char *text;
    } cases[] = {
        {2, {2, 2}, 2, "expected 3 scales along axis 1, found 2"},
        {2, {1, 3}, 2, "expected 2 scales along axis 0, found 1"},
        {2, {6}, 1, "blocks of 2: expected scales of 2 axes, found 1"},
        {-1, {2, 3}, 2, "blocks of -1"},
        {INT64_MAX, {2, 3}, 2, "expected 1 scales along axis 1, found 3"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = MODEL(21, OPEN, 5);
        size_t n = (size_t)(cases[i].dims[0] * (cases[i].rank > 1 ? cases[i].dims[1] : 1));

        add_tensor(f, "w", ONNX__TENSOR_PROTO__DATA_TYPE__INT8, DIMS(2, 5), codes, sizeof codes);
        add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, cases[i].dims, cases[i].rank, scales,
                   n * sizeof *scales);
        set_int(f, add_node(f, "DequantizeLinear", "d", "w s", "wd"), "block_size", cases[i].block);
        add_node(f, "MatMul", "m", "x wd", "y");
        assert_refused(f, EX_DATAERR, "node \"d\"", cases[i].text);
    }
}

static void blocks_of_activations_are_refused(void **state)
{
    static const float scales[3] = {1, 1, 1};
    struct onnx_file *f = MODEL(21, OPEN, 5);

    (void)state;
    add_tensor(f, "s", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DIMS(1, 3), scales, sizeof scales);
    set_int(f, add_node(f, "QuantizeLinear", "q", "x s", "y"), "block_size", 2);
    assert_refused(f, EX_UNAVAILABLE, "node \"q\"", "activations with several scales");
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
        cmocka_unit_test(blocks_of_codes_stand_for_what_onnx_says),
        cmocka_unit_test(blocks_that_do_not_fit_are_refused),
        cmocka_unit_test(blocks_of_activations_are_refused),
        cmocka_unit_test(codes_beyond_the_type_of_their_zero_point_are_refused),
    };

    return cmocka_run_group_tests_name("onnx_codes", tests, NULL, NULL);
}
