/* test_caffe_write.c — graphs as prototxts: the words that Caffe has for what it does not do by itself, and what it has
 * no words for. That everything computes the same is test_exporters.c's to say.
 */
#include "../common/build_graph.h"

#include "formats/exporter.h"
#include "formats/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- writing --- */

static const char *const endings[] = {".prototxt", ".caffemodel", "_deploy.prototxt", "_test.prototxt", ".fp32umodel"};

/* The graph's file <base><ending> as text, to be freed; NULL with err when it cannot be written. The graph goes. */
static char *write_as(const char *exporter, struct graph *graph, const char *ending, struct error *err)
{
    char folder[] = "/tmp/etalon-caffe-XXXXXX", path[64], *text = NULL;
    struct output *output;
    struct bytes file;

    assert_non_null(mkdtemp(folder));
    output = output_open(folder, NULL);
    assert_non_null(output);
    *err = (struct error){0};
    assert_succeeds(graph_fold_constants(graph, err), *err);
    if (exporter_find(exporter)->write(graph, "net", output, err) == 0) {
        snprintf(path, sizeof path, "%s/net%s", folder, ending);
        assert_int_equal(bytes_read(path, MODEL_MAX_BYTES, &file, err), 0);
        text = calloc(file.size + 1, 1);
        memcpy(text, file.data, file.size);
        bytes_free(&file);
    }
    output_close(output);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/net%s", folder, endings[i]);
        unlink(path);
    }
    rmdir(folder);
    graph_destroy(graph);
    return text;
}

/* Blanks and line ends count as one blank, so that expected texts read as lines. */
static void squeeze(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        bool is_blank = *from == ' ' || *from == '\n';

        if (!is_blank || (to > text && to[-1] != ' '))
            *to++ = is_blank ? ' ' : *from;
    }
    *to = '\0';
}

static void assert_says(struct graph *graph, const char *const *parts, size_t n)
{
    struct error err;
    char *text = write_as("caffe", graph, ".prototxt", &err);

    if (text == NULL)
        fail_msg("%s", err.text);
    squeeze(text);
    for (size_t i = 0; i < n; i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("expected \"%s\" in\n%s", parts[i], text);
    free(text);
}

#define assert_layers(graph, ...)                                                                                      \
    assert_says(graph, (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void assert_refused(struct graph *graph, const char *reason)
{
    struct error err;
    char *text = write_as("caffe", graph, ".prototxt", &err);

    assert_null(text);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    if (strstr(err.text, reason) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", reason, err.text);
}

/* --- graphs of one node --- */

static int image(struct graph *graph)
{
    return add_input(graph, "x", SHAPE(1, 2, 5, 6));
}

static struct graph *finish(struct graph *graph, int y)
{
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    return graph;
}

static struct graph *make_conv(struct window window, enum op op)
{
    struct graph *graph = new_graph();
    int x = image(graph),
        w = add_constant(graph, "w", DTYPE_FLOAT32, SHAPE(2, 2, window.kernel[0], window.kernel[1]), NULL);
    int y = add_node(graph, op, "y", INTS(x, w));

    last_node(graph)->attr.conv.window = window;
    last_node(graph)->attr.conv.group = 1;
    return finish(graph, y);
}

static struct graph *make_pool(enum pool_kind kind, struct window window, int64_t rows, int64_t columns)
{
    struct graph *graph = new_graph();
    int y = add_node(graph, OP_POOL, "y", INTS(image(graph)));

    last_node(graph)->attr.pool.kind = kind;
    last_node(graph)->attr.pool.window = window;
    last_node(graph)->attr.pool.output[0] = rows;
    last_node(graph)->attr.pool.output[1] = columns;
    return finish(graph, y);
}

static struct graph *make_activation(enum activation_kind kind, float alpha, float beta)
{
    struct graph *graph = new_graph();
    int y = add_node(graph, OP_ACTIVATION, "y", INTS(image(graph)));

    last_node(graph)->attr.activation = (struct activation){kind, alpha, beta};
    return finish(graph, y);
}

static struct graph *make_binary(enum binary_kind kind, struct shape shape, const float *numbers, bool is_first)
{
    struct graph *graph = new_graph();
    int x = image(graph), c = add_constant(graph, "c", DTYPE_FLOAT32, shape, numbers);
    int y = is_first ? add_node(graph, OP_BINARY, "y", INTS(c, x)) : add_node(graph, OP_BINARY, "y", INTS(x, c));

    last_node(graph)->attr.binary.kind = kind;
    return finish(graph, y);
}

/* --- windows --- */

static void uneven_pads_of_a_convolution_grow_its_kernel(void **state)
{
    struct window w = make_window(3, 2, 0);

    (void)state;
    w.pad_end[0] = w.pad_end[1] = 1;
    assert_layers(make_conv(w, OP_CONV),
                  "convolution_param { num_output: 2 bias_term: false pad: 1 kernel_size: 4 stride: 2 }");
    w.pad_end[1] = 0;
    assert_layers(make_conv(w, OP_CONV), "pad_h: 1 pad_w: 0 kernel_h: 4 kernel_w: 3 stride_h: 2 stride_w: 2");
    assert_layers(make_conv(w, OP_DECONV), "type: \"Deconvolution\"", "pad_h: 1 pad_w: 0 kernel_h: 4 kernel_w: 3");
    w.dilation[0] = 2;
    assert_layers(make_conv(w, OP_CONV), "name: \"y/padded\" type: \"Convolution\" bottom: \"x\" top: \"y/padded\"",
                  "name: \"y\" type: \"Convolution\" bottom: \"y/padded\" top: \"y\"");
    assert_refused(make_conv(w, OP_DECONV), "node \"y\" (deconv): its pads differ by no multiple of the dilation");
}

static void a_small_file_cannot_make_us_write_a_large_one(void **state)
{
    struct window w = make_window(1, 100000, 0);

    (void)state;
    w.pad_begin[0] = w.pad_begin[1] = 20000;
    assert_refused(make_conv(w, OP_CONV), "its kernels would become too large");
    w.pad_begin[0] = w.pad_begin[1] = 200000;
    assert_refused(make_conv(w, OP_CONV), "its kernels would become too large");
}

static void windows_over_a_sequence_are_windows_over_one_row(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2, 9)), w = add_constant(graph, "w", DTYPE_FLOAT32, SHAPE(3, 2, 3), NULL);
    int y = add_node(graph, OP_CONV, "y", INTS(x, w));

    (void)state;
    last_node(graph)->attr.conv.window = (struct window){{1, 3}, {1, 1}, {1, 1}, {0, 1}, {0, 1}};
    last_node(graph)->attr.conv.group = 1;
    last_node(graph)->fused.kind = ACTIVATION_RELU;
    assert_layers(
        finish(graph, y),
        "type: \"Reshape\" bottom: \"x\" top: \"y/row\" reshape_param { shape { dim: 0 dim: 2 dim: 1 dim: 9 } }",
        "name: \"y\" type: \"Convolution\" bottom: \"y/row\" top: \"y/result\"",
        "pad_h: 0 pad_w: 1 kernel_h: 1 kernel_w: 3",
        "bottom: \"y/result\" top: \"y\" reshape_param { shape { dim: 0 dim: 3 dim: 9 } }",
        "type: \"ReLU\" bottom: \"y\" top: \"y\"");
}

static void a_pool_is_rounded_as_its_size_wants(void **state)
{
    struct window w = make_window(2, 2, 0);

    (void)state;
    assert_layers(make_pool(POOL_MAX, w, 3, 3), "pooling_param { pool: MAX kernel_size: 2 stride: 2 }");
    assert_layers(make_pool(POOL_MAX, w, 2, 3), "stride: 2 round_mode: FLOOR }");
    w = make_window(2, 1, 0); /* pads for a size that stays the same: one row more than Caffe's, of which one goes */
    w.pad_end[0] = w.pad_end[1] = 1;
    assert_layers(make_pool(POOL_MAX, w, 5, 6), "top: \"y/pool\" pooling_param { pool: MAX kernel_size: 2 pad: 1 }",
                  "name: \"y/rows\" type: \"Slice\" bottom: \"y/pool\" top: \"y/rest2_0\" top: \"y/rows\"",
                  "name: \"y\" type: \"Slice\" bottom: \"y/rows\" top: \"y/rest3_0\" top: \"y\"");
    w = make_window(4, 2, 0);
    w.pad_end[0] = 3;
    assert_layers(make_pool(POOL_MAX, w, 3, 2), "pad_h: 2 pad_w: 0", "slice_point: 1 axis: 2");
    w.dilation[1] = 2;
    assert_refused(make_pool(POOL_MAX, w, 3, 1), "node \"y\" (pool): pools over so many axes, or with dilation");
}

static void an_average_that_does_not_count_pads_is_corrected(void **state)
{
    (void)state;
    assert_layers(make_pool(POOL_AVERAGE, make_window(3, 1, 1), 5, 6),
                  "name: \"y/pool\" type: \"Pooling\" bottom: \"x\" top: \"y/pool\"",
                  "name: \"y\" type: \"Scale\" bottom: \"y/pool\" top: \"y\" scale_param { axis: 2 num_axes: 2 }");
    assert_layers(make_pool(POOL_AVERAGE, make_window(3, 1, 0), 3, 4), "name: \"y\" type: \"Pooling\"");
}

/* --- arithmetic --- */

static void activations_have_their_layers(void **state)
{
    (void)state;
    assert_layers(make_activation(ACTIVATION_RELU, 0, 0), "type: \"ReLU\" bottom: \"x\" top: \"y\" }");
    assert_layers(make_activation(ACTIVATION_LEAKY_RELU, 0.1f, 0), "relu_param { negative_slope: 0.1 }");
    assert_layers(make_activation(ACTIVATION_CLIP, 0, 6), "type: \"Clip\"", "clip_param { min: 0 max: 6 }");
    assert_layers(
        make_activation(ACTIVATION_HARD_SWISH, 0.5f, 0.25f),
        "name: \"y/argument\" type: \"Power\" bottom: \"x\" top: \"y/gate\" power_param { scale: 0.5 shift: 0.25 }",
        "name: \"y/gate\" type: \"Clip\" bottom: \"y/gate\" top: \"y/gate\" clip_param { min: 0 max: 1 }",
        "name: \"y\" type: \"Eltwise\" bottom: \"x\" bottom: \"y/gate\" top: \"y\" eltwise_param { operation: PROD }");
    assert_layers(make_activation(ACTIVATION_MISH, 0, 0), "name: \"y/softplus\" type: \"BNLL\" bottom: \"x\"",
                  "name: \"y/gate\" type: \"TanH\" bottom: \"y/softplus\"",
                  "name: \"y\" type: \"Eltwise\" bottom: \"x\" bottom: \"y/gate\" top: \"y\"");
    assert_layers(make_activation(ACTIVATION_GELU, 0, 0), "name: \"y/magnitude\" type: \"AbsVal\" bottom: \"x\"",
                  "name: \"y\" type: \"Power\" bottom: \"y/whole\" top: \"y\" power_param { scale: 0.5 }");
    assert_refused(make_activation(ACTIVATION_FLOOR, 0, 0), "node \"y\" (activation): its activation floor");
}

static void constants_become_numbers_vectors_or_images(void **state)
{
    static const float numbers[60] = {2, 4};
    const char *scale = "type: \"Scale\" bottom: \"x\" top: \"y\"", *bias = "type: \"Bias\" bottom: \"x\" top: \"y\"";

    (void)state;
    assert_layers(make_binary(BINARY_MUL, SHAPE(1, 1, 1), numbers, false), "power_param { scale: 2 }");
    assert_layers(make_binary(BINARY_SUB, SHAPE(1), numbers, true), "power_param { scale: -1 shift: 2 }");
    assert_layers(make_binary(BINARY_DIV, SHAPE(1), numbers, true), "power_param { power: -1 }",
                  "name: \"y\" type: \"Power\" bottom: \"y/inverse\" top: \"y\" power_param { scale: 2 }");
    assert_layers(make_binary(BINARY_MAX, SHAPE(1), numbers, true), "clip_param { min: 2 max: 3.4028235e+38 }");
    assert_layers(make_binary(BINARY_MUL, SHAPE(2, 1, 1), numbers, false), scale, "scale_param { }");
    assert_layers(make_binary(BINARY_SUB, SHAPE(2, 1, 1), numbers, true), scale, "scale_param { bias_term: true }");
    assert_layers(make_binary(BINARY_ADD, SHAPE(6), numbers, false), bias, "bias_param { axis: 3 }");
    assert_layers(make_binary(BINARY_ADD, SHAPE(2, 1, 6), numbers, false), "bias_param { num_axes: 3 }");
    assert_refused(make_binary(BINARY_MIN, SHAPE(6), numbers, false),
                   "node \"y\" (binary): this operator on an activation and several numbers");
}

/* --- the network --- */

/* x -> relu -> a -> sigmoid -> b; outputs b, a. */
static void outputs_that_are_read_or_out_of_order_are_copied_in_order(void **state)
{
    struct graph *graph = new_graph();
    int a = add_node(graph, OP_ACTIVATION, "a", INTS(image(graph))), b;

    (void)state;
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    b = add_node(graph, OP_ACTIVATION, "b", INTS(a));
    last_node(graph)->attr.activation.kind = ACTIVATION_SIGMOID;
    assert_true(graph_add_output(graph, b, NULL) >= 0);
    assert_layers(finish(graph, a), "type: \"Sigmoid\" bottom: \"a/copied\" top: \"b/copied\"",
                  "name: \"b/copy\" type: \"Split\" bottom: \"b/copied\" top: \"b\" } "
                  "layer { name: \"a/copy\" type: \"Split\" bottom: \"a/copied\" top: \"a\" }");
}

static void fused_activations_work_in_place(void **state)
{
    struct graph *graph = make_conv(make_window(3, 1, 1), OP_CONV);

    (void)state;
    last_node(graph)->fused.kind = ACTIVATION_RELU;
    assert_layers(graph, "name: \"y/relu\" type: \"ReLU\" bottom: \"y\" top: \"y\"");
    graph = make_conv(make_window(3, 1, 1), OP_CONV);
    last_node(graph)->fused = (struct activation){ACTIVATION_HARD_SWISH, 1, 0};
    assert_layers(graph, "type: \"Convolution\" bottom: \"x\" top: \"y/linear\"",
                  "bottom: \"y/linear\" bottom: \"y/gate\" top: \"y\"");
}

static void made_up_names_avoid_the_users(void **state)
{
    struct graph *graph = new_graph();
    int x = image(graph), y = add_node(graph, OP_IDENTITY, "y/gate", INTS(x)), z;

    (void)state;
    z = add_node(graph, OP_ACTIVATION, "y", INTS(y));
    last_node(graph)->attr.activation = (struct activation){ACTIVATION_HARD_SWISH, 1, 0};
    assert_layers(finish(graph, z), "top: \"y/gate\" }", "top: \"y/gate_\"");
    graph = new_graph();
    x = image(graph);
    y = add_value(graph, "z");
    assert_true(graph_add_node(graph, OP_IDENTITY, "x", NULL, &x, 1, &y, 1, NULL) >= 0);
    assert_layers(finish(graph, y), "name: \"x/input\" type: \"Input\" top: \"x\"");
}

static void a_batch_is_the_first_extent_or_as_many_inputs(void **state)
{
    struct graph *graph = make_activation(ACTIVATION_RELU, 0, 0);

    (void)state;
    graph->batch = 2;
    assert_layers(graph, "top: \"x\" input_param { shape { dim: 2 dim: 2 dim: 5 dim: 6 } }");
    graph = make_activation(ACTIVATION_RELU, 0, 0);
    graph->batch = 2;
    graph->values[graph->inputs[0]].is_separate = true;
    assert_layers(graph, "name: \"x_0\" type: \"Input\" top: \"x_0\" input_param { shape { dim: 1 dim: 2",
                  "name: \"x_1\" type: \"Input\" top: \"x_1\"",
                  "type: \"Concat\" bottom: \"x_0\" bottom: \"x_1\" top: \"x\" concat_param { axis: 0 }");
}

static void a_slice_silences_what_it_leaves(void **state)
{
    struct graph *graph = new_graph();
    int y = add_node(graph, OP_SLICE, "y", INTS(image(graph)));

    (void)state;
    for (size_t i = 0; i < 4; i++)
        last_node(graph)->attr.slice.step[i] = 1;
    last_node(graph)->attr.slice.begin[3] = 2;
    graph->values[y].shape = SHAPE(1, 2, 5, 3);
    graph->values[y].has_shape = true;
    assert_layers(finish(graph, y),
                  "name: \"y\" type: \"Slice\" bottom: \"x\" top: \"y/rest3_0\" top: \"y\" top: \"y/rest3_1\" "
                  "slice_param { slice_point: 2 slice_point: 5 axis: 3 }",
                  "type: \"Silence\" bottom: \"y/rest3_0\" bottom: \"y/rest3_1\" }");
}

/* A part of the columns of x. */
static int columns(struct graph *graph, const char *name, int64_t begin, int64_t n)
{
    int y = add_node(graph, OP_SLICE, name, INTS(graph->inputs[0]));

    for (size_t i = 0; i < 4; i++)
        last_node(graph)->attr.slice.step[i] = 1;
    last_node(graph)->attr.slice.begin[3] = begin;
    graph->values[y].shape = SHAPE(1, 2, 5, n);
    graph->values[y].has_shape = true;
    return y;
}

static void slices_that_follow_each_other_share_a_layer(void **state)
{
    struct graph *graph = new_graph();
    int a, b, c, y;

    (void)state;
    image(graph);
    a = columns(graph, "a", 0, 2);
    b = columns(graph, "b", 1, 3); /* overlaps */
    c = columns(graph, "c", 2, 4);
    y = add_node(graph, OP_CONCAT, "y", INTS(c, b, a));
    last_node(graph)->attr.axis = 3;
    assert_layers(
        finish(graph, y),
        "name: \"a\" type: \"Slice\" bottom: \"x\" top: \"a\" top: \"c\" slice_param { slice_point: 2 axis: 3 } } "
        "layer { name: \"b\" type: \"Slice\" bottom: \"x\" top: \"b/rest3_0\" top: \"b\" top: \"b/rest3_1\"");
}

static void the_test_prototxt_begins_with_a_data_layer(void **state)
{
    struct error err;
    char *text = write_as("fp32umodel", make_activation(ACTIVATION_RELU, 0, 0), "_test.prototxt", &err);

    (void)state;
    assert_non_null(text);
    assert_string_equal(text, "name: \"test\"\n"
                              "layer {\n"
                              "  name: \"x\"\n"
                              "  type: \"Data\"\n"
                              "  top: \"x\"\n"
                              "  include {\n"
                              "    phase: TEST\n"
                              "  }\n"
                              "  data_param {\n"
                              "    source: \"x_lmdb\"\n"
                              "    batch_size: 1\n"
                              "    backend: LMDB\n"
                              "  }\n"
                              "}\n"
                              "layer {\n"
                              "  name: \"y\"\n"
                              "  type: \"ReLU\"\n"
                              "  bottom: \"x\"\n"
                              "  top: \"y\"\n"
                              "}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uneven_pads_of_a_convolution_grow_its_kernel),
        cmocka_unit_test(a_small_file_cannot_make_us_write_a_large_one),
        cmocka_unit_test(windows_over_a_sequence_are_windows_over_one_row),
        cmocka_unit_test(a_pool_is_rounded_as_its_size_wants),
        cmocka_unit_test(an_average_that_does_not_count_pads_is_corrected),
        cmocka_unit_test(activations_have_their_layers),
        cmocka_unit_test(constants_become_numbers_vectors_or_images),
        cmocka_unit_test(outputs_that_are_read_or_out_of_order_are_copied_in_order),
        cmocka_unit_test(fused_activations_work_in_place),
        cmocka_unit_test(made_up_names_avoid_the_users),
        cmocka_unit_test(a_batch_is_the_first_extent_or_as_many_inputs),
        cmocka_unit_test(a_slice_silences_what_it_leaves),
        cmocka_unit_test(slices_that_follow_each_other_share_a_layer),
        cmocka_unit_test(the_test_prototxt_begins_with_a_data_layer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
