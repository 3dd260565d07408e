/* test_torch_weights.c — a PyTorch checkpoint as the weights of networks that ONNX or Caffe files describe.
 *
 * The checkpoint is a golden of make_torch_golden.py: names begin with "module.", element i of each tensor is i/2 - 1.
 */
#include "onnx_files.h"

#include <math.h>

static const char checkpoint[] = TESTS "/formats/torch/checkpoint.zip.pth";

static float at(size_t i)
{
    return (float)i / 2 - 1;
}

static void assert_ramp(const struct graph *graph, const char *name, size_t n)
{
    const struct value *value = value_called(graph, name);

    assert_true(value->is_constant);
    assert_int_equal(shape_elements(&value->shape), n);
    for (size_t i = 0; i < n; i++)
        assert_true(((const float *)value->data)[i] == at(i));
}

/* ---- ONNX: all five layers of the checkpoint's network */

static struct onnx_file *whole_network(void)
{
    struct onnx_file *f = new_model(13);

    add_input(f, "x", 1, 2, 4, 4);
    add_output(f, "y");
    add_weights(f, "block.conv.weight", 3, 2, 1, 1);
    add_weights(f, "block.conv.bias", 3);
    add_weights(f, "block.bn.weight", 3);
    add_weights(f, "block.bn.bias", 3);
    add_weights(f, "block.bn.running_mean", 3);
    add_weights(f, "block.bn.running_var", 3);
    add_weights(f, "head.1.weight", 2, 3);
    add_weights(f, "gain", 1, 3, 1, 1); /* no parameter of a module: stays as it is */
    add_node(f, "Conv", "conv", "x block.conv.weight block.conv.bias", "c");
    set_float(f,
              add_node(f, "BatchNormalization", "bn",
                       "c block.bn.weight block.bn.bias block.bn.running_mean block.bn.running_var", "b"),
              "epsilon", 2);
    add_node(f, "Mul", "mul", "b gain", "m");
    add_node(f, "GlobalAveragePool", "pool", "m", "p");
    add_node(f, "Flatten", "flatten", "p", "f");
    set_int(f, add_node(f, "Gemm", "head", "f head.1.weight", "y"), "transB", 1);
    f->file.request.weights = checkpoint;
    return f;
}

static void a_checkpoint_takes_the_place_of_an_onnx_files_parameters(void **unused)
{
    struct graph *graph = must_import(whole_network());
    const struct node *bn = node_called(graph, "bn");
    const float *scale = graph->values[bn->inputs[1]].data, *shift = graph->values[bn->inputs[2]].data;

    (void)unused;
    assert_ramp(graph, "block.conv.weight", 6);
    assert_ramp(graph, "block.conv.bias", 3);
    assert_ramp(graph, "head.1.weight", 6);
    for (size_t c = 0; c < 3; c++) {
        assert_true(fabsf(scale[c] - at(c) / sqrtf(at(c) + 2)) < 1e-6f);
        assert_true(fabsf(shift[c] - (at(c) - at(c) * scale[c])) < 1e-6f);
    }
    assert_true(((const float *)value_called(graph, "gain")->data)[1] == weight_at(1));
    graph_destroy(graph);
}

static void a_parameter_without_a_tensor_is_refused_by_name(void **unused)
{
    struct onnx_file *f = whole_network();

    (void)unused;
    f->tensors[1]->name = own_text(&f->file, "block.conv.offset");
    f->nodes[0]->input[2] = own_text(&f->file, "block.conv.offset");
    assert_refused(f, EX_DATAERR, "no tensor \"block.conv.offset\"", "checkpoint.zip.pth");
}

static void a_tensor_without_a_place_is_refused_by_name_unless_outputs_are_chosen(void **unused)
{
    static const char *const outputs[] = {"c"};
    struct onnx_file *f = whole_network();
    struct graph *graph;

    (void)unused;
    f->graph.output[0]->name = own_text(&f->file, "p");
    f->graph.n_node = 4;
    assert_refused(f, EX_DATAERR, "1 of its 8 tensors have no place", "\"module.head.1.weight\"");
    f = whole_network();
    f->file.request.outputs = outputs;
    f->file.request.n_outputs = 1;
    graph = must_import(f);
    assert_ramp(graph, "block.conv.weight", 6);
    graph_destroy(graph);
}

static void a_parameter_of_another_shape_is_refused(void **unused)
{
    struct onnx_file *f = whole_network();

    (void)unused;
    f->tensors[0]->dims[0] = 2;
    f->tensors[0]->dims[1] = 3;
    assert_refused(f, EX_DATAERR, "\"module.block.conv.weight\"", "expected shape 2x3x1x1, found 3x2x1x1");
}

static void what_is_no_checkpoint_is_refused(void **unused)
{
    struct onnx_file *f = whole_network();

    (void)unused;
    f->file.request.weights = f->file.path;
    assert_refused(f, EX_DATAERR, "model.weights", "no PyTorch checkpoint");
}

/* ---- Caffe: layers by the names of the modules */

static const char prototxt[] =
    "layer {name: 'x' type: 'Input' top: 'x' input_param {shape {dim: 1 dim: 2 dim: 4 dim: 4}}}\n"
    "layer {name: 'block.conv' type: 'Convolution' bottom: 'x' top: 'c'\n"
    "       convolution_param {num_output: 3 kernel_size: 1}}\n"
    "layer {name: 'block.bn' type: 'BatchNorm' bottom: 'c' top: 'c' batch_norm_param {eps: 2}}\n"
    "layer {name: 'scale' type: 'Scale' bottom: 'c' top: 'c' scale_param {bias_term: true}}\n"
    "layer {name: 'pool' type: 'Pooling' bottom: 'c' top: 'p' pooling_param {pool: AVE global_pooling: true}}\n"
    "layer {name: '%s' type: 'InnerProduct' bottom: 'p' top: 'y'\n"
    "       inner_product_param {num_output: 2 bias_term: false %s}}\n";

static struct graph *import_caffe(const char *head, const char *more, struct error *err)
{
    char path[] = "/tmp/etalon-torch-XXXXXX", text[sizeof prototxt + 128];
    int fd = mkstemp(path), n = snprintf(text, sizeof text, prototxt, head, more);
    struct model_request request = {.file = path, .weights = checkpoint};
    struct graph *graph;

    assert_true(fd >= 0);
    close(fd);
    write_bytes(path, text, (size_t)n);
    graph = model_import(&request, err);
    unlink(path);
    return graph;
}

static void a_checkpoint_takes_the_place_of_a_caffemodel(void **unused)
{
    static const char *const orders[] = {"", "transpose: true"}; /* PyTorch's is the same for both */

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        struct graph *graph = import_caffe("head.1", orders[i], &err);
        const float *scale, *shift;

        if (graph == NULL)
            fail_msg("%s", err.text);
        assert_ramp(graph, "block.conv.weight", 6);
        assert_ramp(graph, "block.conv.bias", 3);
        assert_ramp(graph, "scale.scale", 3); /* of block.bn, which PyTorch has in one */
        assert_ramp(graph, "scale.shift", 3);
        assert_ramp(graph, "head.1.weight", 6);
        scale = value_called(graph, "block.bn.scale")->data;
        shift = value_called(graph, "block.bn.shift")->data;
        for (size_t c = 0; c < 3; c++) {
            assert_true(fabsf(scale[c] - 1 / sqrtf(at(c) + 2)) < 1e-6f);
            assert_true(fabsf(shift[c] + at(c) * scale[c]) < 1e-6f);
        }
        graph_destroy(graph);
    }
}

static void a_layer_without_tensors_is_refused_by_name(void **unused)
{
    struct error err = {0};

    (void)unused;
    assert_null(import_caffe("fc", "", &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "layer \"fc\" (InnerProduct)"));
    assert_non_null(strstr(err.text, "no tensor \"fc.weight\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_takes_the_place_of_an_onnx_files_parameters),
        cmocka_unit_test(a_parameter_without_a_tensor_is_refused_by_name),
        cmocka_unit_test(a_tensor_without_a_place_is_refused_by_name_unless_outputs_are_chosen),
        cmocka_unit_test(a_parameter_of_another_shape_is_refused),
        cmocka_unit_test(what_is_no_checkpoint_is_refused),
        cmocka_unit_test(a_checkpoint_takes_the_place_of_a_caffemodel),
        cmocka_unit_test(a_layer_without_tensors_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
