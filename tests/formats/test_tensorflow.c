/* test_tensorflow.c — what the TensorFlow importer takes for a graph, where it begins and ends, and what it refuses.
 *
 * What operators compute is held against TensorFlow in tests/worker/test_engine_tensorflow.c.
 */
#define _GNU_SOURCE /* strndupa */

#include "tensorflow_files.h"

#include "../common/draw.h"

#include "common/log.h"
#include "common/passes.h"

#include <math.h>

/* x (N x 4 x 5 x 3) -> relu */
static struct tf_file *small_graph(void)
{
    struct tf_file *f = new_graph_def();

    add_placeholder(f, "x", -1, 4, 5, 3);
    add_op(f, "Relu", "relu", "x");
    return f;
}

/* x -> Conv2D with a 1 x 1 filter */
static struct tf_file *conv_graph(void)
{
    struct tf_file *f = new_graph_def();

    add_placeholder(f, "x", -1, 4, 5, 3);
    add_floats(f, "w", DIMS(1, 1, 3, 2), 1, 2, 3, 4, 5, 6);
    set_text(f, set_ints(f, add_op(f, "Conv2D", "conv", "x w"), "strides", 1, 1, 1, 1), "padding", "VALID");
    return f;
}

/* --- which files --- */

static const struct importer *importer_called(const char *name)
{
    for (size_t i = 0; importers[i] != NULL; i++)
        if (strcmp(importers[i]->name, name) == 0)
            return importers[i];
    fail_msg("there is no importer %s", name);
    return NULL;
}

static void a_graph_is_recognised_by_its_content(void **state)
{
    struct tf_file *f = conv_graph();
    size_t size = tensorflow__graph_def__get_packed_size(&f->graph);
    uint8_t *bytes = grab(&f->file, size, 1);
    struct bytes file = {.data = bytes, .size = size};
    const struct importer *importer = importer_called("tensorflow");

    (void)state;
    tensorflow__graph_def__pack(&f->graph, bytes);
    assert_int_equal(importer->recognise("anything", &file), 2);
    for (size_t i = 0; importers[i] != NULL; i++)
        if (importers[i] != importer)
            assert_true(importers[i]->recognise("anything", &file) < 2);
    file.size = 20; /* cut inside the first node */
    assert_int_equal(importer->recognise("anything", &file), 0);
    assert_int_equal(importer->recognise("frozen.pb", &file), 1);
    free_file(&f->file);
}

static void other_protobuf_files_are_not_taken_for_graphs(void **state)
{
    static const uint8_t caffe[] = "\x0a\x05LeNet\x12\x08\x0a\x02\x08\x01\x12\x02hi"; /* name, a legacy layer */
    static const uint8_t onnx[] = "\x08\x07\x3a\x04\x0a\x02\x0a\x00";                 /* ir_version, graph */
    const struct importer *importer = importer_called("tensorflow");

    (void)state;
    assert_int_equal(importer->recognise("x", &(struct bytes){.data = caffe, .size = sizeof caffe - 1}), 0);
    assert_int_equal(importer->recognise("x", &(struct bytes){.data = onnx, .size = sizeof onnx - 1}), 0);
    assert_int_equal(importer->recognise("x", &(struct bytes){.data = onnx, .size = 0}), 0);
}

static void a_saved_model_must_be_frozen_first(void **state)
{
    struct tf_file *f = small_graph();
    size_t size = tensorflow__graph_def__get_packed_size(&f->graph);
    uint8_t *bytes = grab(&f->file, size + 6, 1);
    struct error err = {0};

    (void)state;
    assert_true(size + 2 < 128);
    memcpy(bytes, (uint8_t[]){0x08, 1, 0x12, (uint8_t)(size + 2), 0x12, (uint8_t)size},
           6); /* version, a MetaGraphDef */
    tensorflow__graph_def__pack(&f->graph, bytes + 6);
    write_bytes(f->file.path, bytes, size + 6);
    assert_null(model_import(&f->file.request, &err));
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "SavedModel"));
    free_file(&f->file);
}

/* --- inputs and outputs --- */

static void images_get_their_channels_first(void **state)
{
    struct graph *graph = must_import(conv_graph());
    const struct node *conv = node_called(graph, "conv");
    struct tensor w;

    (void)state;
    assert_shape(&graph->values[graph->inputs[0]], "1x3x4x5");
    assert_shape(&graph->values[graph->outputs[0]], "1x2x4x5");
    assert_int_equal(graph->n_nodes, 1);
    assert_true(graph_constant(graph, conv->inputs[1], &w));
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < 3; i++)
            assert_int_equal((int)tensor_real(&w, (size_t)(3 * o + i)), 2 * i + o + 1);
    graph_destroy(graph);
}

/* Asked of the nearest operator that knows, through whatever stands between. */
static void operators_say_which_axis_carries_channels(void **state)
{
    struct tf_file *f = new_graph_def();
    struct graph *graph;

    (void)state;
    add_placeholder(f, "x", -1, 3, 4, 5);
    add_ints(f, "perm", DIMS(4), 0, 2, 3, 1);
    add_op(f, "Relu", "relu", "x");
    add_op(f, "Transpose", "to_nhwc", "relu perm");
    add_floats(f, "bias", DIMS(3), 1, 2, 3);
    add_op(f, "BiasAdd", "add", "to_nhwc bias");
    graph = must_import(f);
    assert_shape(&graph->values[graph->inputs[0]], "1x3x4x5");
    assert_shape(&graph->values[graph->outputs[0]], "1x3x4x5");
    for (size_t i = 0; i < graph->n_nodes; i++)
        assert_true(graph->nodes[i].op != OP_TRANSPOSE);
    graph_destroy(graph);
}

static void shapes_of_inputs_come_from_the_request_where_the_file_leaves_them_open(void **state)
{
    struct tf_file *f;
    struct graph *graph;

    (void)state;
    for (int which = 0; which < 3; which++) {
        f = new_graph_def();
        if (which == 0)
            add_placeholder(f, "x", -1, -1, -1, 3);
        else if (which == 1)
            (void)(set(f, add_source(f, "Placeholder", "x", TYPE_FLOAT), "shape", TENSORFLOW__ATTR_VALUE__VALUE_SHAPE)
                       ->shape = shape_message(f, SCALAR)); /* how old writers say that nothing is known */
        else
            add_source(f, "Placeholder", "x", TYPE_FLOAT);
        add_op(f, "Relu", "relu", "x");
        want_input(f, which == 0 ? "x:0" : "x", 1, 4, 5, 3); /* in the file's order */
        graph = must_import(f);
        assert_shape(&graph->values[graph->inputs[0]], "1x3x4x5");
        graph_destroy(graph);
    }
    f = new_graph_def();
    add_placeholder(f, "x", -1, -1, 5, 3);
    add_op(f, "Relu", "relu", "x");
    assert_refused(f, EX_DATAERR, "\"x\"", "axis 1", "model.inputs");
    f = small_graph();
    want_input(f, "x", 1, 4, 5);
    assert_refused(f, EX_DATAERR, "3 axes", "the file 4");
    f = small_graph();
    want_input(f, "y", 1, 4, 5, 3);
    assert_refused(f, EX_CONFIG, "\"y\"");
}

static void the_network_ends_at_the_outputs_asked_for(void **state)
{
    struct tf_file *f = small_graph();
    struct graph *graph;

    (void)state;
    add_op(f, "ArgMax", "class", "relu");
    assert_refused(f, EX_UNAVAILABLE, "\"class\"", "ArgMax", "tensorflow importer");
    f = small_graph();
    add_op(f, "ArgMax", "class", "relu");
    want_output(f, "relu:0");
    graph = must_import(f);
    assert_int_equal(graph->n_outputs, 1);
    assert_string_equal(graph->values[graph->outputs[0]].name, "relu");
    graph_destroy(graph);
    f = small_graph();
    want_output(f, "prob");
    assert_refused(f, EX_DATAERR, "\"prob\"");
}

static void what_is_not_frozen_says_so(void **state)
{
    static const char *const cases[][2] = {
        {"VarHandleOp", "freeze"}, {"StatefulPartitionedCall", "function"}, {"RandomUniform", "training"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tf_file *f = small_graph();

        add_op(f, cases[i][0], "odd", "relu");
        assert_refused(f, EX_UNAVAILABLE, "\"odd\"", cases[i][0], cases[i][1]);
    }
}

/* The front end of an audio network: strings, and operators that nobody else has. */
static struct tf_file *audio_graph(void)
{
    struct tf_file *f = new_graph_def();

    add_source(f, "Placeholder", "wav", TYPE_STRING);
    add_op(f, "DecodeWav", "decoded", "wav");
    add_op(f, "Mfcc", "spectrum", "decoded decoded:1");
    add_ints(f, "shape", DIMS(4), -1, 4, 5, 1);
    add_op(f, "Reshape", "image", "spectrum shape");
    add_op(f, "Relu", "relu", "image");
    return f;
}

static void the_network_begins_where_the_inputs_asked_for_cut_it(void **state)
{
    struct tf_file *f = audio_graph();
    struct graph *graph;

    (void)state;
    assert_refused(f, EX_UNAVAILABLE, "\"decoded\"", "DecodeWav", "model.inputs");
    f = audio_graph();
    want_input(f, "spectrum", 1, 4, 5);
    graph = must_import(f);
    assert_int_equal(graph->n_inputs, 1);
    assert_string_equal(graph->values[graph->inputs[0]].name, "spectrum");
    graph_destroy(graph);
    f = audio_graph();
    want_input(f, "decoded:1", 1, 7);
    want_input(f, "decoded", 1, 7);
    assert_refused(f, EX_UNAVAILABLE, "\"spectrum\"", "Mfcc"); /* the cut is there, the rest is not known either */
}

static void outputs_are_what_depends_on_an_input_and_nobody_reads(void **state)
{
    struct tf_file *f = small_graph();
    struct graph *graph;

    (void)state;
    add_floats(f, "lonely", SCALAR, 1);
    add_op(f, "Identity", "lonely/read", "lonely");
    add_op(f, "Sigmoid", "a", "relu");
    add_op(f, "Tanh", "b", "relu");
    add_op(f, "Shape", "shape", "relu");
    add_op(f, "Assert", "assert", "relu");
    add_op(f, "NoOp", "init", "^assert");
    graph = must_import(f);
    assert_int_equal(graph->n_outputs, 2);
    assert_string_equal(graph->values[graph->outputs[0]].name, "a");
    assert_string_equal(graph->values[graph->outputs[1]].name, "b");
    graph_destroy(graph);
}

/* --- edges --- */

static void nodes_may_stand_in_any_order(void **state)
{
    struct tf_file *f = new_graph_def();
    struct graph *graph;

    (void)state;
    add_op(f, "Tanh", "last", "middle");
    add_op(f, "Relu", "middle", "x");
    add_placeholder(f, "x", -1, 7);
    graph = must_import(f);
    assert_string_equal(graph->nodes[0].name, "middle");
    assert_string_equal(graph->nodes[1].name, "last");
    graph_destroy(graph);
}

static void control_edges_order_nothing_that_is_left(void **state)
{
    struct tf_file *f = small_graph();
    struct graph *graph;

    (void)state;
    add_op(f, "Print", "unknown", "relu");
    add_op(f, "Tanh", "tanh", "relu ^unknown ^not_there");
    want_output(f, "tanh");
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 2);
    graph_destroy(graph);
}

static void broken_edges_are_named(void **state)
{
    struct tf_file *f = small_graph();

    (void)state;
    add_op(f, "AddV2", "sum", "relu nothing");
    assert_refused(f, EX_DATAERR, "\"sum\"", "\"nothing\"");
    f = small_graph();
    add_op(f, "Tanh", "tanh", "relu:1");
    assert_refused(f, EX_UNAVAILABLE, "\"tanh\"", "output 1", "\"relu\"");
    f = small_graph();
    add_op(f, "Tanh", "relu", "x");
    assert_refused(f, EX_DATAERR, "two nodes", "\"relu\"");
    f = small_graph();
    add_op(f, "AddV2", "a", "relu b");
    add_op(f, "Relu", "b", "a");
    add_op(f, "Relu", "end", "b");
    assert_refused(f, EX_UNAVAILABLE, "loops", "AddV2");
    f = small_graph();
    add_op(f, "AddV2", "sum", "relu");
    assert_refused(f, EX_DATAERR, "\"sum\"", "expected 2 to 2 inputs, found 1");
    f = small_graph();
    add_op(f, "Relu", "", "x");
    assert_refused(f, EX_DATAERR, "node 2", "no name");
}

/* --- branches --- */

/* y = flag ? unknown(x) : relu(x) */
static struct tf_file *branches(bool has_constant, bool flag)
{
    struct tf_file *f = small_graph();

    if (has_constant) {
        Tensorflow__TensorProto *tensor = add_tensor(f, "flag", TYPE_BOOL, SCALAR);

        tensor->n_bool_val = 1;
        tensor->bool_val = grab(&f->file, 1, sizeof *tensor->bool_val);
        tensor->bool_val[0] = flag;
    } else {
        add_source(f, "Placeholder", "flag", TYPE_BOOL);
    }
    add_op(f, "Switch", "switch", "relu flag");
    add_op(f, "Identity", "switch_t", "switch:1");
    add_op(f, "Dropout", "unknown", "switch:1");
    add_op(f, "Tanh", "tanh", "switch");
    add_op(f, "Merge", "merge", "tanh unknown");
    return f;
}

static void the_branch_that_is_not_taken_is_not_looked_at(void **state)
{
    struct tf_file *f;
    struct graph *graph;

    (void)state;
    for (int has_constant = 0; has_constant < 2; has_constant++) {
        graph = must_import(branches(has_constant, false));
        assert_string_equal(graph->values[graph->outputs[0]].name, "merge");
        assert_int_equal(node_called(graph, "tanh")->op, OP_ACTIVATION);
        graph_destroy(graph);
    }
    f = branches(true, true);
    assert_refused(f, EX_UNAVAILABLE, "\"unknown\"", "Dropout");
    f = branches(true, false);
    want_output(f, "unknown");
    assert_refused(f, EX_DATAERR, "\"unknown\"", "not taken");
    f = branches(true, false);
    add_floats(f, "constant", SCALAR, 1);
    add_op(f, "Identity", "alternative", "constant ^switch_t"); /* on the dead branch by a control edge alone */
    f->nodes[f->graph.n_node - 3]->input[1] = own_text(&f->file, "alternative");
    graph = must_import(f);
    graph_destroy(graph);
}

/* --- constants --- */

static struct tf_file *sum_graph(void)
{
    struct tf_file *f = new_graph_def();

    add_placeholder(f, "x", -1, 5);
    add_op(f, "AddV2", "sum", "x c");
    return f;
}

static void assert_constant(struct tf_file *f, const float expected[5])
{
    struct graph *graph = must_import(f);
    struct tensor c;

    assert_true(graph_constant(graph, node_called(graph, "sum")->inputs[1], &c));
    assert_int_equal(shape_elements(&c.shape), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true((float)tensor_real(&c, i) == expected[i]);
    graph_destroy(graph);
}

static void a_short_list_repeats_its_last_element(void **state)
{
    struct tf_file *f = sum_graph();

    (void)state;
    add_floats(f, "c", DIMS(5), 1, 2, 3);
    assert_constant(f, (float[]){1, 2, 3, 3, 3});
    f = sum_graph();
    add_floats(f, "c", DIMS(5), 1, 2, 3, 4, 5, 6, 7);
    assert_constant(f, (float[]){1, 2, 3, 4, 5});
    f = sum_graph();
    add_tensor(f, "c", TYPE_FLOAT, DIMS(5));
    assert_constant(f, (float[]){0, 0, 0, 0, 0});
    f = sum_graph();
    add_tensor(f, "c", TYPE_FLOAT + 100, DIMS(5)); /* a reference to a variable that was */
    assert_constant(f, (float[]){0, 0, 0, 0, 0});
    f = sum_graph();
    {
        Tensorflow__TensorProto *tensor = add_tensor(f, "c", TYPE_HALF, DIMS(5));

        tensor->n_half_val = 2;
        tensor->half_val = memcpy(grab(&f->file, 2, sizeof(int32_t)), (int32_t[]){0x3c00, 0xc100}, 8);
    }
    assert_constant(f, (float[]){1, -2.5F, -2.5F, -2.5F, -2.5F});
}

static void content_must_fit_the_shape(void **state)
{
    struct tf_file *f = sum_graph();
    Tensorflow__TensorProto *tensor = add_tensor(f, "c", TYPE_FLOAT, DIMS(5));

    (void)state;
    tensor->has_tensor_content = true;
    tensor->tensor_content = (ProtobufCBinaryData){16, grab(&f->file, 16, 1)};
    assert_refused(f, EX_DATAERR, "\"c\"", "5 elements", "16 bytes");
    f = sum_graph();
    add_tensor(f, "c", TYPE_STRING, DIMS(5));
    assert_refused(f, EX_UNAVAILABLE, "\"c\"", "string");
    f = sum_graph();
    add_floats(f, "c", DIMS(1 << 15, 1 << 15), 1); /* 4 GiB from four bytes */
    assert_refused(f, EX_DATAERR, "\"c\"", "constants of the model");
    f = sum_graph();
    add_floats(f, "c", DIMS(1 << 20, 1 << 20), 1);
    assert_refused(f, EX_DATAERR, "\"c\"", "2^31");
    f = sum_graph();
    add_floats(f, "c", DIMS(-1), 1);
    assert_refused(f, EX_DATAERR, "\"c\"", "negative");
}

/* --- attributes, and what cannot be --- */

static struct tf_file *norm_graph(void)
{
    struct tf_file *f = new_graph_def();

    add_placeholder(f, "x", -1, 4, 5, 2);
    add_floats(f, "p", DIMS(2), 1, 2);
    add_op(f, "FusedBatchNormV3", "norm", "x p p p p");
    return f;
}

static void normalisation_by_the_batch_at_hand_is_refused(void **state)
{
    struct tf_file *f = norm_graph();

    (void)state;
    assert_refused(f, EX_UNAVAILABLE, "\"norm\"", "is_training"); /* absent means true */
    f = norm_graph();
    set_flag(f, f->nodes[2], "is_training", false);
    add_op(f, "Relu", "end", "norm:1");
    assert_refused(f, EX_UNAVAILABLE, "\"end\"", "output 1");
    f = norm_graph();
    set_flag(f, f->nodes[2], "is_training", false);
    graph_destroy(must_import(f));
}

/* y = (x - 3) / sqrt(0.21 + 0.04) [* 5] + 7; TensorFlow itself no longer runs it. */
static void the_normalisation_of_2015_scales_where_its_flag_says(void **state)
{
    (void)state;
    for (int scales = 0; scales < 2; scales++) {
        struct tf_file *f = new_graph_def();
        struct graph *graph;
        const struct node *norm;
        struct tensor scale, shift;

        add_placeholder(f, "x", -1, 4, 5, 2);
        add_floats(f, "mean", DIMS(2), 3, 3);
        add_floats(f, "variance", DIMS(2), 0.21F, 0.21F);
        add_floats(f, "beta", DIMS(2), 7, 7);
        add_floats(f, "gamma", DIMS(2), 5, 5);
        set_flag(f, add_op(f, "BatchNormWithGlobalNormalization", "norm", "x mean variance beta gamma"),
                 "scale_after_normalization", scales != 0);
        set(f, f->nodes[5], "variance_epsilon", TENSORFLOW__ATTR_VALUE__VALUE_F)->f = 0.04F;
        graph = must_import(f);
        norm = node_called(graph, "norm");
        assert_int_equal(norm->op, OP_NORMALIZE);
        assert_true(graph_constant(graph, norm->inputs[1], &scale) && graph_constant(graph, norm->inputs[2], &shift));
        for (size_t c = 0; c < 2; c++) {
            double factor = scales != 0 ? 10 : 2;

            assert_true(fabs(tensor_real(&scale, c) - factor) < 1e-5);
            assert_true(fabs(tensor_real(&shift, c) - (7 - 3 * factor)) < 1e-5);
        }
        graph_destroy(graph);
    }
}

static void attributes_are_checked(void **state)
{
    struct tf_file *f = conv_graph();

    (void)state;
    f->nodes[2]->n_attr--; /* padding */
    assert_refused(f, EX_DATAERR, "\"conv\"", "padding");
    f = conv_graph();
    set_text(f, f->nodes[2], "data_format", "NCHW_VECT_C");
    assert_refused(f, EX_UNAVAILABLE, "\"conv\"", "NCHW_VECT_C");
    f = conv_graph();
    set_int(f, f->nodes[2], "data_format", 1);
    assert_refused(f, EX_DATAERR, "data_format", "a string", "an integer");
    f = conv_graph();
    set_ints(f, f->nodes[2], "dilations", 1, 2);
    assert_refused(f, EX_DATAERR, "dilations", "4 items");
    f = conv_graph();
    set_ints(f, f->nodes[2], "dilations", 1, 2, 2, 3);
    assert_refused(f, EX_UNAVAILABLE, "dilations", "item 3");
    f = conv_graph();
    f->nodes[2]->attr[0]->value->list->i[1] = INT64_MAX;
    assert_refused(f, EX_DATAERR, "strides", "item 1");
    f = conv_graph();
    f->nodes[1]->attr[1]->value->tensor->tensor_shape->dim[2]->size = 6; /* now for six channels */
    assert_refused(f, EX_DATAERR, "\"conv\"", "3 channels", "for 6");
}

static void the_batch_stays_where_it_is(void **state)
{
    static const struct {
        const char *op, *word;
        int32_t argument[4];
        int64_t n;
    } cases[] = {
        {"Transpose", "batch", {3, 1, 2, 0}, 4},
        {"Reshape", "batch", {-1, 15}, 2},
        {"Mean", "batch", {0}, 1},
        {"ExpandDims", "batch", {0}, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tf_file *f = small_graph();
        struct error err;
        struct graph *graph;

        add_int_list(f, "argument", DIMS(cases[i].n), cases[i].argument, (size_t)cases[i].n);
        add_op(f, cases[i].op, "moved", "relu argument");
        graph = import_file(&f->file, &err);
        assert_null(graph);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_non_null(strstr(err.text, "\"moved\""));
        free_file(&f->file);
    }
}

static void what_stands_between_blocks_is_a_convolution(void **state)
{
    struct tf_file *f = small_graph();

    (void)state;
    add_ints(f, "two", DIMS(2), 2, 2);
    add_ints(f, "pads", DIMS(2, 2), 0, 0, 0, 1);
    add_op(f, "SpaceToBatchND", "cut", "relu two pads");
    add_op(f, "BatchToSpaceND", "joined", "cut two pads");
    assert_refused(f, EX_UNAVAILABLE, "\"joined\"", "convolution");
    f = small_graph();
    add_ints(f, "two", DIMS(2), 2, 2);
    add_ints(f, "pads", DIMS(2, 2), 0, 0, 0, 1);
    add_op(f, "SpaceToBatchND", "cut", "relu two pads");
    add_op(f, "Softmax", "softmax", "cut");
    assert_refused(f, EX_UNAVAILABLE, "\"softmax\"", "SpaceToBatchND");
}

/* Its crops would be taken off the pads twice. */
static void blocks_of_one_convolution_are_joined_once(void **state)
{
    (void)state;
    for (int n = 1; n <= 2; n++) {
        struct tf_file *f = conv_graph();

        add_ints(f, "two", DIMS(2), 2, 2);
        add_ints(f, "pads", DIMS(2, 2), 0, 0, 0, 1);
        add_op(f, "SpaceToBatchND", "cut", "x two pads");
        f->nodes[2]->input[0] = own_text(&f->file, "cut");
        add_op(f, "BatchToSpaceND", "joined", "conv two pads");
        if (n == 1) {
            struct graph *graph = must_import(f);

            assert_shape(&graph->values[graph->outputs[0]], "1x2x4x5");
            graph_destroy(graph);
        } else {
            add_op(f, "BatchToSpaceND", "again", "conv two pads");
            assert_refused(f, EX_UNAVAILABLE, "second BatchToSpaceND");
        }
    }
}

static void more_inputs_than_anyone_has_are_refused(void **state)
{
    struct tf_file *f = new_graph_def();
    char names[256] = "";

    (void)state;
    for (int i = 0; i <= MODEL_MAX_INPUTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "x%d", i);
        add_placeholder(f, name, 1, 4);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", name);
    }
    add_op(f, "AddN", "sum", names);
    assert_refused(f, EX_UNAVAILABLE, "17 inputs");
}

/* --- real files, damaged files --- */

static void real_networks_begin_and_end_where_they_should(void **state)
{
    struct model_request request = {.file = SHARED_DATA "/tensorflow/mnet.pb"};
    struct error err = {0};
    struct graph *graph;

    (void)state;
    if (access(request.file, R_OK) != 0)
        skip();
    graph = model_import(&request, &err);
    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_shape(&graph->values[graph->inputs[0]], "1x3x128x128");
    assert_shape(&graph->values[graph->outputs[0]], "1x256x4x4");
    graph_destroy(graph);

    request.file = SHARED_DATA "/tensorflow/DS_CNN_S.pb";
    assert_null(model_import(&request, &err));
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "\"decoded_sample_data\" (DecodeWav)"));
    request.n_inputs = 1;
    request.inputs[0].name = "Mfcc";
    request.inputs[0].shape = DIMS(1, 49, 10);
    graph = model_import(&request, &err);
    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_shape(&graph->values[graph->inputs[0]], "1x49x10");
    assert_string_equal(graph->values[graph->outputs[0]].name, "labels_softmax");
    graph_destroy(graph);
}

/* The golden networks with bytes changed or cut off: whatever comes of it, the importer returns. */
static void damaged_files_do_no_more_than_fail(void **state)
{
    enum { ROUNDS = 3000 };
    struct tf_file *f = new_graph_def();
    struct bytes golden = {0};
    struct error err = {0};
    size_t n_refused = 0;

    (void)state;
    log_set_level(LOG_QUIET);
    if (bytes_read(TESTS "/golden/tensorflow.bin", 1 << 22, &golden, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t at = 0, round = 0; round < ROUNDS; round++) {
        const uint8_t *line = golden.data + at, *end = memchr(line, '\n', golden.size - at);
        size_t size = strtoul(strrchr(strndupa((const char *)line, (size_t)(end - line)), ' '), NULL, 10);
        uint8_t *copy = malloc(size);
        struct graph *graph;

        assert_non_null(copy);
        memcpy(copy, end + 1, size);
        for (size_t k = draw_below(4); k < 4; k++)
            copy[draw_below(size)] = (uint8_t)draw();
        write_bytes(f->file.path, copy, draw_below(8) == 0 ? draw_below(size) : size);
        free(copy);
        err = (struct error){0};
        graph = model_import(&f->file.request, &err);
        n_refused += graph == NULL;
        assert_true(graph != NULL || err.code != 0);
        graph_destroy(graph);
        at = (size_t)(end + 1 - golden.data) + size;
        at = at == golden.size ? 0 : at;
    }
    assert_true(n_refused > ROUNDS / 4 && n_refused < ROUNDS);
    bytes_free(&golden);
    free_file(&f->file);
}

/* The opt-out of folding, for one layer of the file. */
static void a_kept_normalisation_is_not_folded(void **state)
{
    (void)state;
    for (size_t is_kept = 0; is_kept < 2; is_kept++) {
        struct tf_file *f = new_graph_def();
        struct graph *graph;
        struct error err;

        add_placeholder(f, "x", -1, 4, 5, 3);
        add_floats(f, "w", DIMS(1, 1, 3, 2), 1, 2, 3, 4, 5, 6);
        add_floats(f, "p", DIMS(2), 2, 3);
        set_text(f, set_ints(f, add_op(f, "Conv2D", "conv", "x w"), "strides", 1, 1, 1, 1), "padding", "SAME");
        set_flag(f, add_op(f, "FusedBatchNormV3", "norm", "conv p p p p"), "is_training", false);
        graph = must_import(f);
        assert_int_equal(graph_keep_nodes(graph, (const char *[]){"norm"}, is_kept, &err), 0);
        assert_int_equal(graph_normalise(graph, &err), 0);
        assert_int_equal(graph->n_nodes, 1 + is_kept);
        assert_int_equal(graph->nodes[graph->n_nodes - 1].op, is_kept ? OP_NORMALIZE : OP_CONV);
        graph_destroy(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_normalisation_is_not_folded),
        cmocka_unit_test(a_graph_is_recognised_by_its_content),
        cmocka_unit_test(other_protobuf_files_are_not_taken_for_graphs),
        cmocka_unit_test(a_saved_model_must_be_frozen_first),
        cmocka_unit_test(images_get_their_channels_first),
        cmocka_unit_test(operators_say_which_axis_carries_channels),
        cmocka_unit_test(shapes_of_inputs_come_from_the_request_where_the_file_leaves_them_open),
        cmocka_unit_test(the_network_ends_at_the_outputs_asked_for),
        cmocka_unit_test(what_is_not_frozen_says_so),
        cmocka_unit_test(the_network_begins_where_the_inputs_asked_for_cut_it),
        cmocka_unit_test(outputs_are_what_depends_on_an_input_and_nobody_reads),
        cmocka_unit_test(nodes_may_stand_in_any_order),
        cmocka_unit_test(control_edges_order_nothing_that_is_left),
        cmocka_unit_test(broken_edges_are_named),
        cmocka_unit_test(the_branch_that_is_not_taken_is_not_looked_at),
        cmocka_unit_test(a_short_list_repeats_its_last_element),
        cmocka_unit_test(content_must_fit_the_shape),
        cmocka_unit_test(normalisation_by_the_batch_at_hand_is_refused),
        cmocka_unit_test(the_normalisation_of_2015_scales_where_its_flag_says),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(the_batch_stays_where_it_is),
        cmocka_unit_test(what_stands_between_blocks_is_a_convolution),
        cmocka_unit_test(blocks_of_one_convolution_are_joined_once),
        cmocka_unit_test(more_inputs_than_anyone_has_are_refused),
        cmocka_unit_test(real_networks_begin_and_end_where_they_should),
        cmocka_unit_test(damaged_files_do_no_more_than_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
