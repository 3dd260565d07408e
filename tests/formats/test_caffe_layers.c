/* test_caffe_layers.c — every supported layer of Caffe: which nodes it becomes, with which shapes and constants. */
#include "caffe_files.h"

#include "common/passes.h"

#include <math.h>

#define ONE(type, more) "layer { name: 'x' type: '" type "' bottom: 'data' top: 'x' " more " }\n"
#define CONV(more)      ONE("Convolution", "convolution_param { " more " }")
#define POOL(more)      ONE("Pooling", "pooling_param { " more " }")

static const struct {
    const char *text, *weights;
    const char *ops;   /* of the nodes, in order */
    const char *shape; /* of the first output */
} layers[] = {
    {INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3"), "x:8x3x3x3,8", "conv", "1x8x7x7"},
    {INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3 bias_term: false"), "x:8x3x3x3", "conv", "1x8x7x7"},
    {INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: [3, 5] stride: [2, 1] pad: [1, 0] dilation: [1, 2]"),
     "x:8x3x3x5,8", "conv", "1x8x5x1"},
    {INPUT("1,3,9,9") CONV("num_output: 8 kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 2 pad_h: 1"), "x:8x3x3x1,8",
     "conv", "1x8x9x5"},
    {INPUT("1,4,9,9") CONV("num_output: 8 kernel_size: 3 group: 2"), "x:8x2x3x3,8", "conv", "1x8x7x7"},
    {INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3 mean_value: [1, 2, 3] std: 0.5"), "x:8x3x3x3,8",
     "normalize conv", "1x8x7x7"},
    {INPUT("1,4,9,9") ONE("ConvolutionDepthwise", "convolution_param { num_output: 8 kernel_size: 3 }"), "x:8x1x3x3,8",
     "conv", "1x8x7x7"},
    {INPUT("1,4,5,5")
         ONE("Deconvolution", "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2 }"),
     "x:4x3x4x4,6", "deconv", "1x6x10x10"},
    {INPUT("1,3,4,5") ONE("InnerProduct", "inner_product_param { num_output: 7 }"), "x:7x60,7", "reshape dense", "1x7"},
    {INPUT("1,60") ONE("InnerProduct", "inner_product_param { num_output: 7 bias_term: false }"), "x:7x60", "dense",
     "1x7"},
    {INPUT("1,60") ONE("InnerProduct", "inner_product_param { num_output: 7 transpose: true }"), "x:60x7,7", "dense",
     "1x7"},

    /* Rounding up: 7 rows of kernel 2, stride 2 are 4 windows, of which the last hangs over. */
    {INPUT("1,3,7,7") POOL("kernel_size: 2 stride: 2"), NULL, "pool", "1x3x4x4"},
    {INPUT("1,3,7,7") POOL("kernel_size: 2 stride: 2 round_mode: FLOOR"), NULL, "pool", "1x3x3x3"},
    {INPUT("1,3,112,112") POOL("kernel_size: 3 stride: 2"), NULL, "pool", "1x3x56x56"},
    /* With a pad a window that starts beyond the image and its begin pad is dropped ... */
    {INPUT("1,3,4,4") POOL("kernel_size: 2 stride: 2 pad: 1"), NULL, "pool", "1x3x3x3"},
    {INPUT("1,3,5,5") POOL("kernel_size: 2 stride: 3 pad: 1"), NULL, "pool", "1x3x2x2"},
    /* ... on both axes, even when only one has the pad. */
    {INPUT("1,3,6,6") POOL("kernel_h: 2 kernel_w: 2 stride: 3 pad_h: 1 pad_w: 0"), NULL, "pool", "1x3x3x2"},
    {INPUT("1,3,2,2") POOL("kernel_size: 3 stride: 2"), NULL, "pool", "1x3x1x1"},
    {INPUT("1,3,6,8") POOL("pool: AVE global_pooling: true"), NULL, "pool", "1x3x1x1"},

    {INPUT("1,3,4,4") ONE("BatchNorm", ""), "x:3,3,1", "normalize", "1x3x4x4"},
    {INPUT("1,3") ONE("BatchNorm", "batch_norm_param { use_global_stats: true }"), "x:3,3,1", "normalize", "1x3"},
    {INPUT("1,3,4,4") ONE("Scale", ""), "x:3", "normalize", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Scale", "scale_param { bias_term: true axis: -3 }"), "x:3,3", "normalize", "1x3x4x4"},
    {INPUT("1,3,4,5") ONE("Scale", "scale_param { num_axes: -1 bias_term: true }"), "x:3x4x5,3x4x5", "binary binary",
     "1x3x4x5"},
    {INPUT("1,3,4,5") ONE("Scale", "scale_param { axis: 2 num_axes: 1 }"), "x:4", "binary", "1x3x4x5"},
    {INPUT("1,3,4,5") ONE("Scale", "scale_param { num_axes: 0 }"), "x:s", "binary", "1x3x4x5"},
    {INPUT("1,3,4,5") ONE("Bias", ""), "x:3", "normalize", "1x3x4x5"},
    {INPUT("1,3,4,5") ONE("Bias", "bias_param { axis: 3 }"), "x:5", "binary", "1x3x4x5"},
    {INPUT(
         "1,3,4,5") "layer { name: 'g' type: 'Pooling' bottom: 'data' top: 'g' pooling_param { global_pooling: true } }"
                    "layer { name: 'f' type: 'Flatten' bottom: 'g' top: 'f' }"
                    "layer { name: 'x' type: 'Scale' bottom: 'data' bottom: 'f' top: 'x' scale_param { axis: 0 } }",
     NULL, "pool reshape reshape binary", "1x3x4x5"},

    {INPUT("1,3,4,4") ONE("ReLU", ""), NULL, "activation", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("PReLU", ""), "x:3", "prelu", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("PReLU", "prelu_param { channel_shared: true }"), "x:s", "prelu", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Power", ""), NULL, "identity", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Power", "power_param { power: 2 }"), NULL, "activation", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Power", "power_param { shift: 1 }"), NULL, "normalize", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Power", "power_param { power: 0.5 scale: 2 shift: 1 }"), NULL, "normalize activation",
     "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Exp", ""), NULL, "activation", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Exp", "exp_param { base: 2 }"), NULL, "normalize activation", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Log", "log_param { base: 10 scale: 2 }"), NULL, "normalize activation normalize", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Dropout", ""), NULL, "identity", "1x3x4x4"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Split' bottom: 'data' top: 'a' top: 'b' }", NULL, "identity identity",
     "1x3x4x4"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' bottom: 'data' top: 'x' }", NULL,
     "binary binary", "1x3x4x4"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'x' "
                      "eltwise_param { coeff: [0.5, -1] } }",
     NULL, "normalize binary", "1x3x4x4"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'x' "
                      "eltwise_param { operation: MAX } }",
     NULL, "binary", "1x3x4x4"},

    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Concat' bottom: 'data' bottom: 'data' top: 'x' }", NULL, "concat",
     "1x6x4x4"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Concat' bottom: 'data' bottom: 'data' top: 'x' "
                      "concat_param { axis: -1 } }",
     NULL, "concat", "1x3x4x8"},
    {INPUT("1,3,4,4") "layer { name: 'x' type: 'Concat' bottom: 'data' bottom: 'data' top: 'x' "
                      "concat_param { concat_dim: 2 } }",
     NULL, "concat", "1x3x8x4"},
    {INPUT("1,6,4,4") "layer { name: 'x' type: 'Slice' bottom: 'data' top: 'a' top: 'b' top: 'c' }", NULL,
     "slice slice slice", "1x2x4x4"},
    {INPUT(
         "1,6,4,4") "layer { name: 'x' type: 'Slice' bottom: 'data' top: 'a' top: 'b' slice_param { slice_point: 1 } }",
     NULL, "slice slice", "1x1x4x4"},
    {INPUT("1,3,4,4") ONE("Softmax", ""), NULL, "softmax", "1x3x4x4"},
    {INPUT("1,3,4,4") ONE("Flatten", ""), NULL, "reshape", "1x48"},
    {INPUT("1,3,4,5") ONE("Flatten", "flatten_param { axis: 1 end_axis: -2 }"), NULL, "reshape", "1x12x5"},
    {INPUT("1,3,4,5") ONE("Reshape", "reshape_param { shape { dim: [0, -1, 2] } }"), NULL, "reshape", "1x30x2"},
    {INPUT("8,3,4,5") ONE("Reshape", "reshape_param { shape { dim: [8, 60] } }"), NULL, "reshape", "1x60"},
    {INPUT("1,3,4,5") ONE("Reshape", "reshape_param { shape { dim: [20] } axis: 2 num_axes: 2 }"), NULL, "reshape",
     "1x3x20"},
    {INPUT("1,3,4") ONE("Reshape", "reshape_param { shape { dim: 1 } axis: -1 }"), NULL, "reshape", "1x3x4x1"},
    {INPUT("1,3,4") ONE("Reshape", "reshape_param { shape { dim: [1, 1] } axis: 1 num_axes: 0 }"), NULL, "reshape",
     "1x1x1x3x4"},
    {INPUT("1,3,4,5") ONE("Permute", "permute_param { order: [0, 2, 3, 1] }"), NULL, "transpose", "1x4x5x3"},
    {INPUT("1,3,4,5") ONE("Permute", "permute_param { order: [0, 3] }"), NULL, "transpose", "1x5x3x4"},
    {INPUT("1,3,4,5") ONE("Reduction", "reduction_param { operation: MEAN axis: 2 }"), NULL, "reduce", "1x3"},
    {INPUT("1,3,4,5") ONE("Reduction", "reduction_param { axis: 1 coeff: 0.5 }"), NULL, "reduce binary", "1"},
    {INPUT("1,8,4,5") ONE("LRN", "lrn_param { local_size: 3 alpha: 0.1 }"), NULL, "lrn", "1x8x4x5"},
};

static void each_layer_becomes_its_nodes(void **state)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        struct graph *graph = must_import(*state, layers[i].text, layers[i].weights, NULL);
        char ops[256] = "", shape[SHAPE_TEXT_BYTES];

        for (size_t k = 0; k < graph->n_nodes; k++) {
            strcat(ops, k > 0 ? " " : "");
            strcat(ops, op_name(graph->nodes[k].op));
        }
        shape_text(&graph->values[graph->outputs[0]].shape, shape);
        if (strcmp(ops, layers[i].ops) != 0 || strcmp(shape, layers[i].shape) != 0)
            fail_msg("%s: expected %s of shape %s, found %s of shape %s", layers[i].text, layers[i].ops,
                     layers[i].shape, ops, shape);
        graph_destroy(graph);
    }
}

static void activations_carry_their_parameters(void **state)
{
    static const struct {
        const char *text;
        struct activation expected;
    } cases[] = {
        {ONE("ReLU", ""), {ACTIVATION_RELU, 0, 0}},
        {ONE("ReLU", "relu_param { negative_slope: 0.25 }"), {ACTIVATION_LEAKY_RELU, 0.25f, 0}},
        {ONE("ReLU6", ""), {ACTIVATION_CLIP, 0, 6}},
        {ONE("Clip", "clip_param { min: -1 max: 2 }"), {ACTIVATION_CLIP, -1, 2}},
        {ONE("ELU", ""), {ACTIVATION_ELU, 1, 0}},
        {ONE("ELU", "elu_param { alpha: 0.5 }"), {ACTIVATION_ELU, 0.5f, 0}},
        {ONE("Sigmoid", ""), {ACTIVATION_SIGMOID, 0, 0}},
        {ONE("TanH", ""), {ACTIVATION_TANH, 0, 0}},
        {ONE("AbsVal", ""), {ACTIVATION_ABS, 0, 0}},
        {ONE("BNLL", ""), {ACTIVATION_SOFTPLUS, 0, 0}},
        {ONE("Swish", ""), {ACTIVATION_SWISH, 1, 0}},
        {ONE("Swish", "swish_param { beta: 2 }"), {ACTIVATION_SWISH, 2, 0}},
        {ONE("Exp", ""), {ACTIVATION_EXP, 0, 0}},
        {ONE("Log", ""), {ACTIVATION_LOG, 0, 0}},
        {ONE("Power", "power_param { power: 3 }"), {ACTIVATION_POWER, 3, 0}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct graph *graph;
        struct activation found;

        snprintf(text, sizeof text, "%s%s", INPUT("1,3,4,4"), cases[i].text);
        graph = must_import(*state, text, NULL, NULL);
        assert_int_equal(graph->n_nodes, 1);
        found = graph->nodes[0].attr.activation;
        if (found.kind != cases[i].expected.kind || found.alpha != cases[i].expected.alpha ||
            found.beta != cases[i].expected.beta)
            fail_msg("%s: %s %g %g", cases[i].text, activation_name(found.kind), (double)found.alpha,
                     (double)found.beta);
        graph_destroy(graph);
    }
}

/* The constant that node 0 takes as input `slot`. */
static const float *constant(const struct graph *graph, size_t slot)
{
    struct tensor tensor;

    assert_true(graph_constant(graph, graph->nodes[0].inputs[slot], &tensor));
    return tensor.data;
}

static void weights_arrive_unchanged(void **state)
{
    struct graph *graph =
        must_import(*state, INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3"), "x:8x3x3x3,8", NULL);

    for (size_t i = 0; i < 8 * 27; i++)
        assert_true(constant(graph, 1)[i] == caffe_value(0, i));
    for (size_t i = 0; i < 8; i++)
        assert_true(constant(graph, 2)[i] == caffe_value(1, i));
    assert_string_equal(graph->values[graph->nodes[0].inputs[1]].name, "x.weight");
    assert_string_equal(graph->values[graph->nodes[0].inputs[2]].name, "x.bias");
    graph_destroy(graph);
}

static void transposed_inner_product_weights_are_turned(void **state)
{
    struct graph *graph =
        must_import(*state, INPUT("1,5") ONE("InnerProduct", "inner_product_param { num_output: 3 transpose: true }"),
                    "x:5x3,3", NULL);

    for (size_t o = 0; o < 3; o++)
        for (size_t k = 0; k < 5; k++)
            assert_true(constant(graph, 1)[o * 5 + k] == caffe_value(0, k * 3 + o));
    graph_destroy(graph);
}

static void batch_norm_divides_by_its_factor(void **state)
{
    struct graph *graph =
        must_import(*state, INPUT("1,3,4,4") ONE("BatchNorm", "batch_norm_param { eps: 0.5 }"), "x:3,3,1", NULL);
    double factor = (double)caffe_value(2, 0);

    for (size_t c = 0; c < 3; c++) {
        double mean = (double)caffe_value(0, c) / factor, variance = (double)caffe_value(1, c) / factor;

        /* one rounding to float of a double: half an ulp, 2^-24 */
        assert_true(fabs((double)constant(graph, 1)[c] * sqrt(variance + 0.5) - 1) < 0x1p-23);
        assert_true(fabs((double)constant(graph, 2)[c] * sqrt(variance + 0.5) / -mean - 1) < 0x1p-23);
    }
    graph_destroy(graph);
}

static void a_batch_norm_factor_of_zero_means_no_statistics(void **state)
{
    Caffe__NetParameter *net = new_weights("x:3,3,1");
    struct caffe_files *files = *state;
    struct model_request request = {.file = files->prototxt, .weights = files->weights};
    struct error err = {0};
    struct graph *graph;

    net->layer[0]->blobs[2]->data[0] = 0;
    write_file(files->prototxt, INPUT("1,3,4,4") ONE("BatchNorm", "batch_norm_param { eps: 0.25 }"),
               strlen(INPUT("1,3,4,4") ONE("BatchNorm", "batch_norm_param { eps: 0.25 }")));
    write_weights(files->weights, net);
    caffe__net_parameter__free_unpacked(net, NULL);
    graph = model_import(&request, &err);
    assert_non_null(graph);
    assert_true(constant(graph, 1)[0] == 2.0f && constant(graph, 2)[0] == 0.0f);
    graph_destroy(graph);
}

static void windows_keep_both_axes_apart(void **state)
{
    struct graph *graph =
        must_import(*state,
                    INPUT("1,3,9,9") CONV("num_output: 8 kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: "
                                          "2 pad_h: 1 pad_w: 2 dilation: 1 dilation: 1"),
                    "x:8x3x3x5,8", NULL);
    const struct window *w = &graph->nodes[0].attr.conv.window;

    assert_true(w->kernel[0] == 3 && w->kernel[1] == 5 && w->stride[0] == 1 && w->stride[1] == 2);
    assert_true(w->pad_begin[0] == 1 && w->pad_begin[1] == 2 && w->pad_end[0] == 1 && w->pad_end[1] == 2);
    graph_destroy(graph);
}

static void average_pools_count_their_pads(void **state)
{
    struct graph *graph = must_import(*state, INPUT("1,3,9,9") POOL("pool: AVE kernel_size: 3 pad: 1"), NULL, NULL);

    assert_int_equal(graph->nodes[0].attr.pool.kind, POOL_AVERAGE);
    assert_true(graph->nodes[0].attr.pool.count_include_pad);
    graph_destroy(graph);
}

static void a_difference_is_a_subtraction(void **state)
{
    struct graph *graph =
        must_import(*state,
                    INPUT("1,3,4,4") "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'x' "
                                     "eltwise_param { coeff: [1, -1] } }",
                    NULL, NULL);

    assert_int_equal(graph->n_nodes, 1);
    assert_int_equal(graph->nodes[0].attr.binary.kind, BINARY_SUB);
    graph_destroy(graph);
}

/* The opt-out of folding, for one layer of the file. */
static void a_kept_normalisation_is_not_folded(void **state)
{
    for (size_t is_kept = 0; is_kept < 2; is_kept++) {
        struct graph *graph =
            must_import(*state,
                        INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' "
                                         "convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }\n"
                                         "layer { name: 'n' type: 'BatchNorm' bottom: 'c' top: 'n' }\n",
                        "c:2x3x1x1;n:2,2,1", NULL);
        struct error err;

        assert_int_equal(graph_keep_nodes(graph, (const char *[]){"n"}, is_kept, &err), 0);
        assert_int_equal(graph_normalise(graph, &err), 0);
        assert_int_equal(graph->n_nodes, 1 + is_kept);
        assert_int_equal(graph->nodes[graph->n_nodes - 1].op, is_kept ? OP_NORMALIZE : OP_CONV);
        graph_destroy(graph);
    }
}

/* Cambricon's first convolution: (x - mean) std, in front of the pads. */
static void a_first_convolution_normalises_what_it_reads(void **state)
{
    struct graph *graph =
        must_import(*state, INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3 pad: 1 mean_value: [1, 2, 3] std: 0.5"),
                    "x:8x3x3x3,8", NULL);
    const struct node *node = &graph->nodes[0];

    assert_int_equal(node->op, OP_NORMALIZE);
    for (size_t c = 0; c < 3; c++) {
        assert_true(((const float *)graph->values[node->inputs[1]].data)[c] == 0.5f);
        assert_true(((const float *)graph->values[node->inputs[2]].data)[c] == -0.5f * (float)(c + 1));
    }
    graph_destroy(graph);
}

static void a_first_convolution_that_is_not_understood_is_refused_by_name(void **state)
{
    static const struct {
        const char *more, *said;
        int code;
    } cases[] = {
        {"mean_file: 'm'", "mean_file of a convolution is not supported", EX_UNAVAILABLE},
        {"scale: 2", "scale of a convolution is not supported", EX_UNAVAILABLE},
        {"mean_value: [1, 2]", "mean_value for all or each of 3 channels, found 1 and 2", EX_DATAERR},
        {"mean_value: nan", "found nan and 1", EX_DATAERR},
        {"mean_value: [1, -inf, 1] std: 0.5", "found -inf and 0.5", EX_DATAERR},
        {"std: 0", "found 0 and 0", EX_DATAERR},
        {"std: nan", "found 0 and nan", EX_DATAERR},
        {"std: 1e-40", "found 0 and 9.99995e-41", EX_DATAERR},
        {"std: 3e38", "found 0 and 3e+38", EX_DATAERR},
        {"mean_value: 3e20 std: 2e18", "found 3e+20 and 2e+18", EX_DATAERR},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct error err = {0};

        snprintf(text, sizeof text, INPUT("1,3,9,9") CONV("num_output: 8 kernel_size: 3 %s"), cases[i].more);
        assert_null(import_net(*state, text, "x:8x3x3x3,8", NULL, &err));
        assert_int_equal(err.code, cases[i].code);
        if (strstr(err.text, cases[i].said) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", cases[i].said, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_normalisation_is_not_folded),
        cmocka_unit_test(each_layer_becomes_its_nodes),
        cmocka_unit_test(activations_carry_their_parameters),
        cmocka_unit_test(weights_arrive_unchanged),
        cmocka_unit_test(transposed_inner_product_weights_are_turned),
        cmocka_unit_test(batch_norm_divides_by_its_factor),
        cmocka_unit_test(a_batch_norm_factor_of_zero_means_no_statistics),
        cmocka_unit_test(windows_keep_both_axes_apart),
        cmocka_unit_test(average_pools_count_their_pads),
        cmocka_unit_test(a_difference_is_a_subtraction),
        cmocka_unit_test(a_first_convolution_normalises_what_it_reads),
        cmocka_unit_test(a_first_convolution_that_is_not_understood_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
