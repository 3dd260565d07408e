/* test_exported_operators.c — operators that tests/formats/test_exporters.c does not draw: what one network of each is
 * written as computes the same when it is read back, and the exporters that have a form for it do write it.
 */
#define _GNU_SOURCE /* mkdtemp */
#include "../formats/exported_files.h"

#include "check_engine.h"

static const double TOLERANCE = 2e-5; /* of an output's largest magnitude */

/* A network of one or a few nodes on `x`; returns what it gives. */
typedef int grow(struct graph *graph, int x);

/* ---- windows ---- */

static int convolve(struct graph *graph, int x, enum op op, struct shape weights, struct window window)
{
    int y = add_node(graph, op, NULL, INTS(x, add_random(graph, weights), add_random(graph, SHAPE(6))));

    last_node(graph)->attr.conv.window = window;
    last_node(graph)->attr.conv.group = 1;
    return y;
}

static struct window line_window(int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    return (struct window){{1, kernel}, {1, stride}, {1, dilation}, {0, pad}, {0, pad}};
}

static int line_conv(struct graph *graph, int x)
{
    return convolve(graph, x, OP_CONV, SHAPE(6, 4, 3), line_window(3, 2, 1, 1));
}

static int line_conv_dilated(struct graph *graph, int x)
{
    return convolve(graph, x, OP_CONV, SHAPE(6, 4, 3), line_window(3, 1, 0, 2));
}

static int line_deconv(struct graph *graph, int x)
{
    return convolve(graph, x, OP_DECONV, SHAPE(4, 6, 3), line_window(3, 2, 1, 1));
}

static int line_pool(struct graph *graph, int x, int64_t length, enum pool_kind kind)
{
    int y = add_node(graph, OP_POOL, NULL, INTS(x));

    last_node(graph)->attr.pool.kind = kind;
    last_node(graph)->attr.pool.window = line_window(3, 2, 1, 1);
    last_node(graph)->attr.pool.output[0] = 1;
    last_node(graph)->attr.pool.output[1] = (length + 1) / 2;
    return y;
}

static int line_max(struct graph *graph, int x)
{
    return line_pool(graph, x, 10, POOL_MAX);
}

static int line_average(struct graph *graph, int x)
{
    return line_pool(graph, x, 10, POOL_AVERAGE);
}

/* As in a network for sequences: nothing need be moved between the layers. */
static int line_network(struct graph *graph, int x)
{
    x = line_conv(graph, x);
    x = add_node(graph, OP_NORMALIZE, NULL, INTS(x, add_random(graph, SHAPE(6)), add_random(graph, SHAPE(6))));
    x = add_node(graph, OP_ACTIVATION, NULL, INTS(x));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    return line_pool(graph, x, 5, POOL_MAX);
}

static int dilated_deconv(struct graph *graph, int x)
{
    struct window w = make_window(3, 2, 1);

    w.dilation[0] = w.dilation[1] = 2;
    return convolve(graph, x, OP_DECONV, SHAPE(4, 6, 3, 3), w);
}

static int same_deconv(struct graph *graph, int x)
{
    struct window w = {{3, 3}, {2, 2}, {1, 1}, {0, 0}, {1, 1}};

    return convolve(graph, x, OP_DECONV, SHAPE(4, 6, 3, 3), w);
}

static int dilated_pool(struct graph *graph, int x, enum pool_kind kind)
{
    int y = add_node(graph, OP_POOL, NULL, INTS(x));
    struct window w = make_window(2, 2, 1);

    w.dilation[0] = w.dilation[1] = 2;
    last_node(graph)->attr.pool.kind = kind;
    last_node(graph)->attr.pool.window = w;
    last_node(graph)->attr.pool.output[0] = 3;
    last_node(graph)->attr.pool.output[1] = 4;
    return y;
}

static int dilated_max(struct graph *graph, int x)
{
    return dilated_pool(graph, x, POOL_MAX);
}

static int dilated_average(struct graph *graph, int x)
{
    return dilated_pool(graph, x, POOL_AVERAGE);
}

static int even_lrn(struct graph *graph, int x)
{
    int y = add_node(graph, OP_LRN, NULL, INTS(x));

    last_node(graph)->attr.lrn.size = 2;
    last_node(graph)->attr.lrn.alpha = 0.3f;
    last_node(graph)->attr.lrn.beta = 0.75f;
    last_node(graph)->attr.lrn.k = 1.5f;
    return y;
}

/* ---- resizing ---- */

static int resize(struct graph *graph, int x, enum resize_mode mode, enum resize_coordinates coordinates,
                  enum resize_rounding rounding)
{
    int y = add_node(graph, OP_RESIZE, NULL, INTS(x));
    struct shape s = graph->values[x].shape;

    s.dims[2] = 8;
    s.dims[3] = 9;
    last_node(graph)->attr.resize.mode = mode;
    last_node(graph)->attr.resize.coordinates = coordinates;
    last_node(graph)->attr.resize.rounding = rounding;
    last_node(graph)->attr.resize.cubic_a = -0.75f;
    for (size_t k = 0; k < 2; k++)
        last_node(graph)->attr.resize.scale[k] = (float)s.dims[2 + k] / (float)graph->values[x].shape.dims[2 + k];
    graph->values[y].shape = s;
    graph->values[y].has_shape = true;
    return y;
}

static int resize_cubic(struct graph *graph, int x)
{
    return resize(graph, x, RESIZE_CUBIC, RESIZE_HALF_PIXEL, RESIZE_FLOOR);
}

static int resize_linear(struct graph *graph, int x)
{
    return resize(graph, x, RESIZE_LINEAR, RESIZE_HALF_PIXEL, RESIZE_FLOOR);
}

static int resize_as_pytorch(struct graph *graph, int x)
{
    return resize(graph, x, RESIZE_LINEAR, RESIZE_PYTORCH_HALF_PIXEL, RESIZE_FLOOR);
}

static int resize_nearest(struct graph *graph, int x)
{
    return resize(graph, x, RESIZE_NEAREST, RESIZE_HALF_PIXEL, RESIZE_PREFER_FLOOR);
}

/* ---- normalisation ---- */

static int layer_norm(struct graph *graph, int x, uint32_t axes, struct shape parameters)
{
    int y = add_node(graph, OP_LAYER_NORM, NULL, INTS(x, add_random(graph, parameters), add_random(graph, parameters)));

    last_node(graph)->attr.layer_norm.axes = axes;
    last_node(graph)->attr.layer_norm.epsilon = 1e-3f;
    return y;
}

static int norm_of_features(struct graph *graph, int x) /* of a transformer */
{
    return layer_norm(graph, x, 1u << 2, SHAPE(10));
}

static int norm_of_image(struct graph *graph, int x) /* instance normalisation */
{
    return layer_norm(graph, x, 1u << 2 | 1u << 3, SHAPE(4, 1, 1));
}

static int norm_of_channels(struct graph *graph, int x)
{
    return layer_norm(graph, x, 1u << 1, SHAPE(4, 1, 1));
}

static int norm_without_parameters(struct graph *graph, int x)
{
    int y = add_node(graph, OP_LAYER_NORM, NULL, INTS(x));

    last_node(graph)->attr.layer_norm.axes = 1u << 1 | 1u << 2 | 1u << 3;
    last_node(graph)->attr.layer_norm.epsilon = 1e-3f;
    return y;
}

/* ---- movement, products ---- */

static int transpose(struct graph *graph, int x, const int64_t *perm)
{
    int y = add_node(graph, OP_TRANSPOSE, NULL, INTS(x));

    memcpy(last_node(graph)->attr.perm, perm, 4 * sizeof *perm);
    return y;
}

static int edge_pad(struct graph *graph, int x)
{
    int y = add_node(graph, OP_PAD, NULL, INTS(x));

    last_node(graph)->attr.pad.mode = PAD_EDGE;
    for (size_t i = 2; i < 4; i++) {
        last_node(graph)->attr.pad.begin[i] = (int64_t)i - 1;
        last_node(graph)->attr.pad.end[i] = 2;
    }
    return y;
}

static int join_with_constant(struct graph *graph, int x)
{
    int y = add_node(graph, OP_CONCAT, NULL, INTS(add_random(graph, SHAPE(1, 1, 10)), x));

    last_node(graph)->attr.axis = 1;
    return y;
}

static int gather(struct graph *graph, int x, int indices)
{
    int y = add_node(graph, OP_GATHER, NULL, INTS(x, indices));

    last_node(graph)->attr.axis = 1;
    return y;
}

static int gather_one(struct graph *graph, int x) /* of a transformer: the token of the class */
{
    return gather(graph, x, add_constant(graph, NULL, DTYPE_INT64, (struct shape){0}, (int64_t[]){-1}));
}

static int gather_list(struct graph *graph, int x)
{
    return gather(graph, x, add_ints(graph, 3, 0, -2));
}

static int product(struct graph *graph, int x) /* of two values, as attention has it */
{
    return add_node(graph, OP_MATMUL, NULL, INTS(x, transpose(graph, x, (int64_t[]){0, 1, 3, 2})));
}

static int product_with_constant(struct graph *graph, int x)
{
    return add_node(graph, OP_MATMUL, NULL, INTS(x, add_random(graph, SHAPE(10, 7))));
}

static int softmax_of_columns(struct graph *graph, int x)
{
    int y = add_node(graph, OP_SOFTMAX, NULL, INTS(x));

    last_node(graph)->attr.softmax.axis = 3;
    return y;
}

static int channels_to_the_end(struct graph *graph, int x) /* as detectors do before they reshape */
{
    x = transpose(graph, convolve(graph, x, OP_CONV, SHAPE(6, 4, 3, 3), make_window(3, 1, 1)), (int64_t[]){0, 2, 3, 1});
    x = add_node(graph, OP_RESHAPE, NULL, INTS(x));
    graph->values[x].shape = SHAPE(1, 30, 6);
    graph->values[x].has_shape = true;
    return x;
}

static int reduce_product(struct graph *graph, int x)
{
    int y = add_node(graph, OP_REDUCE, NULL, INTS(x));

    last_node(graph)->attr.reduce.kind = REDUCE_PROD;
    last_node(graph)->attr.reduce.axes = 1u << 3;
    return y;
}

static int power_of_values(struct graph *graph, int x)
{
    int base = add_node(graph, OP_ACTIVATION, NULL, INTS(x));

    last_node(graph)->attr.activation.kind = ACTIVATION_SIGMOID;
    x = add_node(graph, OP_BINARY, NULL, INTS(base, x));
    last_node(graph)->attr.binary.kind = BINARY_POW;
    return x;
}

/* ---- activations ---- */

static int activate(struct graph *graph, int x, struct activation a)
{
    int y = add_node(graph, OP_ACTIVATION, NULL, INTS(x));

    last_node(graph)->attr.activation = a;
    return y;
}

static int gelu_tanh(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_GELU_TANH});
}

static int gelu(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_GELU});
}

static int erf_of(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_ERF});
}

static int thresholded_relu(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){ACTIVATION_THRESHOLDED_RELU, 0.6f, 0});
}

static int floor_of(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_FLOOR});
}

static int ceil_of(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_CEIL});
}

static int round_of(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_ROUND});
}

static int sign_of(struct graph *graph, int x)
{
    return activate(graph, x, (struct activation){.kind = ACTIVATION_SIGN});
}

/* ---- the table ---- */

enum { ONNX = 1, TENSORFLOW = 2, TNN = 4, CAFFE = 8 };
enum { LINE, IMAGE };

static const struct {
    const char *name;
    grow *grow;
    int input;
    unsigned formats; /* that have a form for it */
} cases[] = {
    {"convolution over one axis", line_conv, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"dilated convolution over one axis", line_conv_dilated, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"transposed convolution over one axis", line_deconv, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"max pool over one axis", line_max, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"average pool over one axis", line_average, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"network over one axis", line_network, LINE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"dilated transposed convolution", dilated_deconv, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"transposed convolution with TensorFlow's pads", same_deconv, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"dilated max pool", dilated_max, IMAGE, ONNX | TENSORFLOW},
    {"dilated average pool", dilated_average, IMAGE, TENSORFLOW},
    {"lrn over an even number of channels", even_lrn, IMAGE, ONNX | TENSORFLOW | TNN},
    {"cubic resize", resize_cubic, IMAGE, ONNX | TENSORFLOW},
    {"linear resize", resize_linear, IMAGE, ONNX | TENSORFLOW | TNN},
    {"linear resize as in PyTorch", resize_as_pytorch, IMAGE, ONNX | TENSORFLOW},
    {"nearest resize by centres", resize_nearest, IMAGE, ONNX | TENSORFLOW},
    {"layer norm of features", norm_of_features, LINE, ONNX | TENSORFLOW | TNN},
    {"instance norm", norm_of_image, IMAGE, ONNX | TENSORFLOW | TNN},
    {"layer norm of channels", norm_of_channels, IMAGE, ONNX | TENSORFLOW | TNN},
    {"layer norm without parameters", norm_without_parameters, IMAGE, ONNX | TENSORFLOW | TNN},
    {"pad that repeats the edge", edge_pad, IMAGE, ONNX | TENSORFLOW | TNN},
    {"join with a constant", join_with_constant, LINE, ONNX | TENSORFLOW | TNN},
    {"gather of one", gather_one, LINE, ONNX | TENSORFLOW},
    {"gather of a list", gather_list, LINE, ONNX | TENSORFLOW},
    {"product of two values", product, IMAGE, ONNX | TENSORFLOW | TNN},
    {"product with a constant", product_with_constant, LINE, ONNX | TENSORFLOW | TNN},
    {"softmax of columns", softmax_of_columns, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"channels to the end", channels_to_the_end, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"product of a row", reduce_product, IMAGE, ONNX | TENSORFLOW | TNN},
    {"power of two values", power_of_values, IMAGE, ONNX | TENSORFLOW},
    {"gelu", gelu, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"gelu by tanh", gelu_tanh, IMAGE, ONNX | TENSORFLOW | CAFFE},
    {"erf", erf_of, IMAGE, ONNX | TENSORFLOW | TNN | CAFFE},
    {"thresholded relu", thresholded_relu, IMAGE, ONNX | TENSORFLOW},
    {"floor", floor_of, IMAGE, ONNX | TENSORFLOW},
    {"ceil", ceil_of, IMAGE, ONNX | TENSORFLOW},
    {"round", round_of, IMAGE, ONNX | TENSORFLOW},
    {"sign", sign_of, IMAGE, ONNX | TENSORFLOW},
};

static const struct {
    const char *exporter;
    unsigned bit;
} formats[] = {{"onnx", ONNX}, {"tensorflow", ONNX | TENSORFLOW}, {"tnn", TNN}, {"caffe", CAFFE}};

static void assert_same_results(const struct graph *graph, const struct graph *back, const char *what)
{
    const float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    struct expectation a = expect(graph, &input, 1, TOLERANCE), b = expect(back, &input, 1, TOLERANCE);
    const float *x = a.values[graph->outputs[0]], *y = b.values[back->outputs[0]];
    double largest = 0;

    if (!shape_equal(&graph->values[graph->outputs[0]].shape, &back->values[back->outputs[0]].shape))
        fail_msg("%s: another shape", what);
    for (size_t i = 0; i < elements_of(graph, graph->outputs[0]); i++)
        largest = fmax(largest, fabs((double)x[i]));
    for (size_t i = 0; i < elements_of(graph, graph->outputs[0]); i++)
        if (!(fabs((double)x[i] - (double)y[i]) <= TOLERANCE * largest)) {
            graph_print(back, stderr);
            fail_msg("%s: element %zu was %.9g, is %.9g", what, i, (double)x[i], (double)y[i]);
        }
    forget(&a);
    forget(&b);
    free((void *)input);
}

/* false: the exporter refused it, with a sentence. */
static bool round_trip(const struct exporter *exporter, size_t c)
{
    struct graph *graph = new_graph(), *back;
    int x = add_input(graph, "x", cases[c].input == LINE ? SHAPE(1, 4, 10) : SHAPE(1, 4, 5, 6));
    struct written written;
    struct error err = {0};
    char what[128];
    bool is_written;

    snprintf(what, sizeof what, "%s as %s", cases[c].name, exporter->name);
    graph_add_output(graph, cases[c].grow(graph, x), NULL);
    infer(graph);
    is_written = write_graph(exporter, graph, &written);
    if (is_written) {
        back = read_back(&written, &err);
        if (back == NULL)
            fail_msg("%s: %s", what, err.text);
        assert_same_results(graph, back, what);
        graph_destroy(back);
    }
    remove_written(&written);
    graph_destroy(graph);
    return is_written;
}

static void operators_are_written_where_a_format_has_them_and_read_back_as_they_were(void **state)
{
    bool is_as_said = true;

    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        const struct exporter *exporter = exporter_find(formats[f].exporter);
        size_t n = 0;

        assert_non_null(exporter);
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            bool is_written = round_trip(exporter, c);

            n += is_written;
            if (is_written != ((cases[c].formats & formats[f].bit) != 0)) {
                print_error("%s as %s: %s\n", cases[c].name, exporter->name, is_written ? "written" : "refused");
                is_as_said = false;
            }
        }
        print_message("%s: %zu of %zu\n", exporter->name, n, sizeof cases / sizeof cases[0]);
    }
    assert_true(is_as_said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_are_written_where_a_format_has_them_and_read_back_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
