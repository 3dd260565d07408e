/* test_caffe.c — Caffe's files as a whole: names, phases, legacy forms, what is wrong with them, and real networks. */
#include "caffe_files.h"
#include "common/log.h"
#include "common/passes.h"

#define RELU(name, bottom, top) "layer { name: '" name "' type: 'ReLU' bottom: '" bottom "' top: '" top "' }\n"
#define CONV(name, bottom)                                                                                             \
    "layer { name: '" name "' type: 'Convolution' bottom: '" bottom "' top: '" name "' "                               \
    "convolution_param { num_output: 4 kernel_size: 1 } }\n"
#define LAYER(type, more) "layer { name: 'x' type: '" type "' bottom: 'data' top: 'x' " more " }\n"
#define PRIOR(more)                                                                                                    \
    "layer { name: 'p' type: 'PriorBox' bottom: 'data' bottom: 'data' top: 'p' prior_box_param { " more " } }\n"
#define DATA(more) "layer { name: 'd' type: 'Data' top: 'data' top: 'label' " more " }\n"

static const char *value_name(const struct graph *graph, int index)
{
    return graph->values[index].name;
}

/* ---- Names and wiring */

static void layers_in_place_become_versions_and_the_last_keeps_the_name(void **state)
{
    struct graph *graph = must_import(
        *state, INPUT("1,3,4,4") CONV("c", "data") RELU("r1", "c", "c") RELU("r2", "c", "c") RELU("out", "c", "out"),
        "c:4x3x1x1,4", NULL);

    assert_string_equal(value_name(graph, graph->nodes[0].outputs[0]), "c#1");
    assert_string_equal(value_name(graph, graph->nodes[1].outputs[0]), "c#2");
    assert_string_equal(value_name(graph, graph->nodes[2].outputs[0]), "c");
    assert_string_equal(value_name(graph, graph->nodes[3].inputs[0]), "c");
    assert_string_equal(graph->nodes[1].name, "r1");
    graph_destroy(graph);
}

static void an_input_keeps_its_name_when_it_is_overwritten(void **state)
{
    struct graph *graph = must_import(*state, INPUT("1,3,4,4") RELU("r", "data", "data"), NULL, NULL);

    assert_string_equal(value_name(graph, graph->inputs[0]), "data");
    assert_string_equal(value_name(graph, graph->outputs[0]), "data#2");
    graph_destroy(graph);
}

static void readers_bind_to_the_latest_writer_above_them(void **state)
{
    struct graph *graph = must_import(
        *state, INPUT("1,3,4,4") CONV("c", "data") RELU("before", "c", "b") RELU("r", "c", "c") RELU("after", "c", "a"),
        "c:4x3x1x1,4", NULL);

    assert_string_equal(value_name(graph, graph->nodes[graph_find_node(graph, "before")].inputs[0]), "c#1");
    assert_string_equal(value_name(graph, graph->nodes[graph_find_node(graph, "after")].inputs[0]), "c");
    graph_destroy(graph);
}

static void dropout_in_place_leaves_no_trace(void **state)
{
    struct graph *graph = must_import(*state,
                                      INPUT("1,3,4,4") RELU("r", "data", "r") "layer { name: 'p' type: 'Dropout' "
                                                                              "bottom: 'r' top: 'r' }",
                                      NULL, NULL);

    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(value_name(graph, graph->outputs[0]), "r");
    graph_destroy(graph);
}

static void two_bottoms_share_the_weights_of_a_layer(void **state)
{
    struct graph *graph = must_import(
        *state,
        INPUT("1,3,4,4") RELU("r", "data", "r") "layer { name: 'c' type: 'Convolution' bottom: 'data' bottom: "
                                                "'r' top: 'a' top: 'b' convolution_param { num_output: 4 "
                                                "kernel_size: 1 } }",
        "c:4x3x1x1,4", NULL);
    const struct node *a = &graph->nodes[graph_find_node(graph, "c")],
                      *b = &graph->nodes[graph_find_node(graph, "c.b")];

    assert_int_equal(a->inputs[1], b->inputs[1]);
    assert_int_equal(graph->n_outputs, 2);
    graph_destroy(graph);
}

/* ---- Phases, inputs and outputs */

static void only_layers_of_the_test_phase_are_imported(void **state)
{
    struct graph *graph = must_import(
        *state,
        INPUT("1,3,4,4") "layer { name: 'a' type: 'Nonsense' bottom: 'data' top: 'x' include { phase: TRAIN } }"
                         "layer { name: 'b' type: 'Nonsense' bottom: 'data' top: 'x' exclude { phase: TEST } }"
                         "layer { name: 'c' type: 'Nonsense' bottom: 'data' top: 'x' include { stage: 'other' } }"
                         "layer { name: 'e' type: 'Nonsense' bottom: 'data' top: 'x' include { min_level: 1 } }"
                         "layer { name: 'f' type: 'Nonsense' bottom: 'data' top: 'x' exclude { not_stage: 'other' } }"
                         "layer { name: 'g' type: 'ReLU' bottom: 'data' top: 'x' include { phase: TRAIN } include { "
                         "phase: TEST max_level: 0 } exclude_nothing: 1 }",
        NULL, NULL);

    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(graph->nodes[0].name, "g");
    graph_destroy(graph);
}

static const char train_val[] = DATA("include { phase: TRAIN } transform_param { crop_size: 3 }")
    DATA("include { phase: TEST } transform_param { crop_size: 6 mirror: false }")
        CONV("c", "data") "layer { name: 'acc' type: 'Accuracy' bottom: 'c' bottom: 'label' top: 'acc' }"
                          "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'c' bottom: 'label' top: 'loss' }";

static void a_training_network_ends_in_the_softmax_of_its_loss(void **state)
{
    struct graph *graph = must_import(*state, train_val, "c:4x3x1x1,4", NULL);
    char text[SHAPE_TEXT_BYTES];

    assert_int_equal(graph->n_inputs, 1);
    assert_int_equal(graph->n_outputs, 1);
    assert_int_equal(graph->nodes[graph->n_nodes - 1].op, OP_SOFTMAX);
    assert_string_equal(value_name(graph, graph->outputs[0]), "loss");
    /* channels from the first convolution, rows and columns from the crop */
    assert_string_equal(shape_text(&graph->values[graph->inputs[0]].shape, text), "1x3x6x6");
    graph_destroy(graph);
}

static void the_job_decides_the_shape_of_an_input(void **state)
{
    struct model_request request = {.n_inputs = 1, .inputs = {{"data", {4, {7, 3, 8, 9}}}}};
    struct graph *graph = must_import(*state, train_val, "c:4x3x1x1,4", &request);
    char text[SHAPE_TEXT_BYTES];

    assert_string_equal(shape_text(&graph->values[graph->inputs[0]].shape, text), "1x3x8x9");
    graph_destroy(graph);
}

static void requested_outputs_cut_away_what_cannot_be_imported(void **state)
{
    static const char *const outputs[] = {"c"};
    struct model_request request = {.n_outputs = 1, .outputs = outputs};
    struct graph *graph =
        must_import(*state,
                    INPUT("1,3,4,4") CONV("c", "data") RELU("r", "c", "r") "layer { name: 'o' type: "
                                                                           "'DetectionOutput' bottom: "
                                                                           "'r' top: 'o' }",
                    "c:4x3x1x1,4", &request);

    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(value_name(graph, graph->outputs[0]), "c");
    graph_destroy(graph);
}

static void silenced_blobs_are_no_outputs(void **state)
{
    struct graph *graph =
        must_import(*state,
                    INPUT("1,4,2,2") "layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'b' }"
                                     "layer { name: 'q' type: 'Silence' bottom: 'b' }",
                    NULL, NULL);

    assert_int_equal(graph->n_outputs, 1);
    assert_string_equal(value_name(graph, graph->outputs[0]), "a");
    graph_destroy(graph);
}

static void a_detector_ends_in_front_of_its_decoder(void **state)
{
    struct graph *graph = must_import(
        *state,
        INPUT("1,3,4,4") CONV("c", "data") PRIOR("min_size: 4")
            CONV("l", "data") "layer { name: 'j' type: 'Concat' bottom: 'p' bottom: 'p' top: 'j' "
                              "concat_param { axis: 2 } }"
                              "layer { name: 'o' type: 'DetectionOutput' bottom: 'l' bottom: 'c' bottom: 'j' top: 'o' "
                              "detection_output_param { num_classes: 2 nms_param { nms_threshold: 0.5 } } }"
                              "layer { name: 'e' type: 'DetectionEvaluate' bottom: 'o' top: 'e' }",
        "c:4x3x1x1,4;l:4x3x1x1,4", NULL);

    assert_int_equal(graph->n_outputs, 2);
    assert_string_equal(value_name(graph, graph->outputs[0]), "c");
    assert_string_equal(value_name(graph, graph->outputs[1]), "l");
    assert_int_equal(graph->n_nodes, 2);
    graph_destroy(graph);
}

/* ---- Older forms, and other encodings of the same weights */

static void assert_same_graph(const struct graph *a, const struct graph *b)
{
    assert_int_equal(a->n_nodes, b->n_nodes);
    assert_int_equal(a->n_values, b->n_values);
    for (size_t i = 0; i < a->n_values; i++) {
        assert_string_equal(a->values[i].name, b->values[i].name);
        assert_true(shape_equal(&a->values[i].shape, &b->values[i].shape));
        if (a->values[i].is_constant)
            assert_memory_equal(a->values[i].data, b->values[i].data,
                                (size_t)shape_elements(&a->values[i].shape) * sizeof(float));
    }
    for (size_t i = 0; i < a->n_nodes; i++) {
        assert_int_equal(a->nodes[i].op, b->nodes[i].op);
        assert_string_equal(a->nodes[i].name, b->nodes[i].name);
        assert_string_equal(a->nodes[i].type, b->nodes[i].type);
    }
}

static const char modern[] = INPUT("1,3,4,4") CONV("c", "data")
    RELU("r", "c", "c") "layer { name: 'f' type: 'InnerProduct' bottom: 'c' top: 'f' "
                        "inner_product_param { num_output: 2 } }";
static const char modern_weights[] = "c:4x3x1x1,4;f:2x64,2";

static void legacy_spellings_import_as_the_same_network(void **state)
{
    static const char *const legacy[] = {
        "input: 'data' input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4 "
        "layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' blobs_lr: 1 weight_decay: 1 "
        "convolution_param { num_output: 4 kernel_size: 1 } } "
        "layers { name: 'r' type: RELU bottom: 'c' top: 'c' } "
        "layers { name: 'f' type: INNER_PRODUCT bottom: 'c' top: 'f' inner_product_param { num_output: 2 } }",
        "input: 'data' input_shape { dim: [9, 3, 4, 4] } layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' "
        "convolution_param { num_output: 4 kernel_size: 1 } }" RELU("r", "c",
                                                                    "c") "layer { name: 'f' type: "
                                                                         "'InnerProduct' bottom: 'c' top: 'f' "
                                                                         "inner_product_param { num_output: 2 } }",
    };

    for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++) {
        struct graph *a = must_import(*state, modern, modern_weights, NULL);
        struct graph *b = must_import(*state, legacy[i], modern_weights, NULL);

        assert_same_graph(a, b);
        graph_destroy(a);
        graph_destroy(b);
    }
}

static void layers_may_share_blobs_that_the_file_holds_once(void **state)
{
    static const char shared[] = INPUT("1,3,4,4")
        CONV("c", "data") "layer { name: 'd' type: 'Convolution' bottom: 'data' top: 'd' param { name: 'w' } "
                          "param { name: 'b' } convolution_param { num_output: 4 kernel_size: 1 } }"
                          "layer { name: 'e' type: 'Convolution' bottom: 'data' top: 'e' param { name: 'w' } "
                          "param { name: 'b' } convolution_param { num_output: 4 kernel_size: 1 } }";
    static const char legacy[] = "input: 'data' input_shape { dim: [1, 3, 4, 4] }"
                                 "layers { name: 'd' type: CONVOLUTION bottom: 'data' top: 'd' param: 'w' param: 'b' "
                                 "convolution_param { num_output: 4 kernel_size: 1 } }"
                                 "layers { name: 'e' type: CONVOLUTION bottom: 'data' top: 'e' param: 'w' param: 'b' "
                                 "convolution_param { num_output: 4 kernel_size: 1 } }";
    static const char *const files[] = {shared, legacy};

    for (size_t i = 0; i < 2; i++) {
        struct graph *graph = must_import(*state, files[i], "c:4x3x1x1,4;d:4x3x1x1,4", NULL);
        const struct node *d = &graph->nodes[graph_find_node(graph, "d")],
                          *e = &graph->nodes[graph_find_node(graph, "e")];

        for (size_t slot = 1; slot < 3; slot++) {
            struct tensor a, b;

            assert_true(graph_constant(graph, d->inputs[slot], &a) && graph_constant(graph, e->inputs[slot], &b));
            assert_memory_equal(a.data, b.data, (slot == 1 ? 12 : 4) * sizeof(float));
        }
        graph_destroy(graph);
    }
}

static void the_crop_of_a_legacy_data_layer_is_its_transformation(void **state)
{
    static const char old[] = "layers { name: 'd' type: DATA top: 'data' top: 'label' data_param { crop_size: 6 } }"
                              "layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' "
                              "convolution_param { num_output: 4 kernel_size: 1 } }";
    struct graph *graph = must_import(*state, old, "c:4x3x1x1,4", NULL);
    struct error err = {0};
    char text[SHAPE_TEXT_BYTES];

    assert_string_equal(shape_text(&graph->values[graph->inputs[0]].shape, text), "1x3x6x6");
    graph_destroy(graph);
    /* the current form ignores the field there, as Caffe does */
    assert_null(import_net(*state, DATA("data_param { crop_size: 6 }") CONV("c", "data"), "c:4x3x1x1,4", NULL, &err));
    assert_non_null(strstr(err.text, "1 x 3 x H x W"));
}

/* Rewrites one blob without changing what it says. */
static void as_legacy_shape(Caffe__BlobProto *blob)
{
    int32_t dims[4] = {1, 1, 1, 1};
    size_t n = blob->shape->n_dim;

    for (size_t i = 0; i < n; i++)
        dims[4 - n + i] = (int32_t)blob->shape->dim[i];
    blob->has_num = blob->has_channels = blob->has_height = blob->has_width = 1;
    blob->num = dims[0];
    blob->channels = dims[1];
    blob->height = dims[2];
    blob->width = dims[3];
}

static void as_doubles(Caffe__BlobProto *blob)
{
    blob->double_data = malloc(blob->n_data * sizeof(double));
    assert_non_null(blob->double_data);
    for (size_t i = 0; i < blob->n_data; i++)
        blob->double_data[i] = (double)blob->data[i];
    blob->n_double_data = blob->n_data;
    blob->n_data = 0;
}

static void legacy_shapes_and_doubles_are_the_same_weights(void **state)
{
    void (*const rewrites[])(Caffe__BlobProto *) = {as_legacy_shape, as_doubles};
    struct caffe_files *files = *state;
    struct graph *expected = must_import(files, modern, modern_weights, NULL);

    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        struct model_request request = {.file = files->prototxt, .weights = files->weights};
        Caffe__NetParameter *net = new_weights(modern_weights);
        struct error err = {0};
        struct graph *graph;

        for (size_t l = 0; l < net->n_layer; l++)
            for (size_t b = 0; b < net->layer[l]->n_blobs; b++)
                rewrites[i](net->layer[l]->blobs[b]);
        write_weights(files->weights, net);
        caffe__net_parameter__free_unpacked(net, NULL);
        graph = model_import(&request, &err);
        if (graph == NULL)
            fail_msg("%s", err.text);
        assert_same_graph(expected, graph);
        graph_destroy(graph);
    }
    graph_destroy(expected);
}

/* By hand: protobuf-c packs what the schema calls packed. */
static void unpacked_floats_of_a_legacy_layer_are_read(void **state)
{
    static const uint8_t bytes[] = {
        0x12, 25,                                           /* NetParameter.layers */
        0x22, 1,  'x',  0x28, 18,                           /* name, type RELU (not looked at) */
        0x32, 18,                                           /* blobs */
        0x2d, 0,  0,    0x80, 0x3f, 0x2d, 0,    0, 0, 0x40, /* data: 1, then 2 */
        0x08, 1,  0x10, 1,    0x18, 1,    0x20, 2,          /* num, channels, height, width */
    };
    static const char text[] = INPUT("1,2,4,4") "layer { name: 'x' type: 'PReLU' bottom: 'data' top: 'x' }";
    struct caffe_files *files = *state;
    struct model_request request = {.file = files->prototxt, .weights = files->weights};
    struct error err = {0};
    struct tensor slope;
    struct graph *graph;

    write_file(files->prototxt, text, strlen(text));
    write_file(files->weights, bytes, sizeof bytes);
    graph = model_import(&request, &err);
    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_true(graph_constant(graph, graph->nodes[0].inputs[1], &slope));
    assert_true(((const float *)slope.data)[0] == 1.0f && ((const float *)slope.data)[1] == 2.0f);
    graph_destroy(graph);
}

static void a_nameless_layer_is_called_by_its_top(void **state)
{
    struct graph *graph = must_import(*state,
                                      INPUT("1,3,4,4") "layer { name: '' type: 'ReLU' bottom: 'data' top: 'a' }"
                                                       "layer { type: 'ReLU' bottom: 'a' top: 'b' }",
                                      NULL, NULL);

    assert_string_equal(graph->nodes[0].name, "a");
    assert_string_equal(graph->nodes[1].name, "b");
    graph_destroy(graph);
}

/* ---- Mistakes */

static const struct {
    const char *text, *weights;
    int code;
    const char *expected;
} mistakes[] = {
    {"", NULL, EX_DATAERR, "it holds no layer"},
    {"name: 'n'", NULL, EX_DATAERR, "it holds no layer"},
    {"layer { name: 'x' ", NULL, EX_DATAERR, "line 1, column 19: expected '}'"},
    {"layer { name: 'x' type: 'ReLU' } layers { name: 'y' type: RELU }", NULL, EX_DATAERR,
     "both \"layer\" (1) and legacy"},
    {"layers { layer { } }", NULL, EX_UNAVAILABLE, "before 2013"},
    {"layer { name: 'x' }", NULL, EX_DATAERR, "layer 1 (\"x\") has no type"},
    {"layer { name: 'x' type: 'ReLU' include { } exclude { } }", NULL, EX_DATAERR, "both include and exclude"},
    {"input: 'data' input_dim: 1 layer { type: 'ReLU' bottom: 'data' top: 'x' }", NULL, EX_DATAERR,
     "expected 4 input_dim for each of 1 inputs, found 1"},
    {"input: 'a' input: 'b' input_shape { dim: 1 } layer { type: 'ReLU' bottom: 'a' top: 'x' }", NULL, EX_DATAERR,
     "one input_shape for each of 2 inputs, found 1"},
    {INPUT("1,3,4,4") RELU("r", "nowhere", "r"), NULL, EX_DATAERR,
     "layer \"r\" (ReLU): bottom \"nowhere\" is produced by no layer above it"},
    {INPUT("1,3,4,4") RELU("r", "data", "t") RELU("s", "data", "t"), NULL, EX_DATAERR,
     "layer \"s\" (ReLU): top \"t\" is already produced by layer \"r\" (ReLU)"},
    {INPUT("1,3,4,4"), NULL, EX_DATAERR, "computes an output"},
    {INPUT("1,3,4,4") "layer { name: 'o' type: 'Mystery' bottom: 'data' top: 'o' }", NULL, EX_UNAVAILABLE,
     "layer \"o\" (Mystery): the caffe importer does not know this type of layer: choose model.outputs above it"},
    {DATA("") RELU("r", "label", "r"), NULL, EX_DATAERR, "bottom \"label\" is a label of layer \"d\""},
    {DATA("") RELU("r", "data", "r"), NULL, EX_DATAERR,
     "give it, 1 x C x H x W with numbers for the letters, under model.inputs"},
    {DATA("") CONV("c", "data"), "c:4x3x1x1,4", EX_DATAERR,
     "give it, 1 x 3 x H x W with numbers for the letters, under model.inputs"},
    {"layer { name: 'd' type: 'Input' top: 'data' }" RELU("r", "data", "r"), NULL, EX_DATAERR,
     "the shape of \"data\": give it, 1 x C x H x W with numbers for the letters, under model.inputs"},
    {INPUT("1,0,4,4") RELU("r", "data", "r"), NULL, EX_DATAERR, "has no elements"},
    {INPUT("1,-3,4,4") RELU("r", "data", "r"), NULL, EX_DATAERR, "negative"},
    {INPUT("1,65536,65536,65536") RELU("r", "data", "r"), NULL, EX_DATAERR, "more than 2^31 elements"},
    {INPUT("1,1,1,1,1,1,1,1,1") RELU("r", "data", "r"), NULL, EX_DATAERR, "1 to 8 axes, found 9"},
    {INPUT("1,3,4,4") "layer { name: 'r' type: 'ReLU' top: 'r' }", NULL, EX_DATAERR, "expected 1 bottoms, found 0"},

    /* weights */
    {INPUT("1,3,4,4") CONV("c", "data"), NULL, EX_CONFIG, "name the .caffemodel under model.weights"},
    {INPUT("1,3,4,4") CONV("c", "data"), "other:4x3x1x1,4", EX_DATAERR, "expected weights for it, found none among 1"},
    {INPUT("1,3,4,4") CONV("c", "data"), "c:4x3x1x1", EX_DATAERR, "expected 2 blobs of weights, found 1"},
    {INPUT("1,3,4,4") CONV("c", "data"), "c:4x3x1x1,4,4", EX_DATAERR, "expected 2 blobs of weights, found 3"},
    {INPUT("1,3,4,4") CONV("c", "data"), "c:4x3x3x3,4", EX_DATAERR, "blob 0: expected shape 4x3x1x1, found 4x3x3x3"},
    {INPUT("1,3,4,4") CONV("c", "data"), "c:4x3x1x1,5", EX_DATAERR, "blob 1: expected shape 4, found 5"},
    {INPUT("1,3,4,4")
         CONV("c", "data") "layer { name: 'c' type: 'Convolution' bottom: 'c' top: 'e' convolution_param { "
                           "num_output: 4 kernel_size: 1 } }",
     "c:4x3x1x1,4", EX_DATAERR, "another layer of this name"},

    /* parameters */
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' }", "c:1", EX_DATAERR,
     "no convolution_param"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "} }",
     "c:1", EX_DATAERR, "it has no kernel_size"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_size: 3 kernel_h: 3 kernel_w: 3 } }",
     "c:1", EX_DATAERR, "kernel_size is given both as a list and per axis"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_h: 3 } }",
     "c:1", EX_DATAERR, "kernel_size is given for one axis only"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_size: 1 group: 2 } }",
     "c:1", EX_DATAERR, "do not divide into 2 groups"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_size: 1 stride: 0 } }",
     "c:4x3x1x1,4", EX_DATAERR, "makes no sense"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_size: 5 } }",
     "c:4x3x5x5,4", EX_DATAERR, "too small for kernel 5"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 "
                      "kernel_size: [1, 1, 1] } }",
     "c:1", EX_UNAVAILABLE, "at most 2 axes, found 3"},
    {INPUT("1,3,4,4") "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: "
                      "4294967295 kernel_size: 4294967295 } }",
     "c:1,1", EX_DATAERR, "2^31"},
    {INPUT("1,3,4,4") "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { kernel_size: 2 pad: 2 "
                      "} }",
     NULL, EX_DATAERR, "a pad below the kernel"},
    {INPUT("1,3,4,4") "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { kernel_size: 2 "
                      "stride: 0 "
                      "} }",
     NULL, EX_DATAERR, "above 0"},
    {INPUT("1,3,4,4") "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { global_pooling: true "
                      "kernel_size: 2 } }",
     NULL, EX_DATAERR, "global_pooling excludes kernel"},
    {INPUT("1,3,4,4") "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' pooling_param { kernel_size: 2 pool: "
                      "STOCHASTIC } }",
     NULL, EX_UNAVAILABLE, "stochastic"},
    {INPUT("1,3,4,4") "layer { name: 'p' type: 'Pooling' bottom: 'data' top: 'p' top: 'mask' pooling_param { "
                      "kernel_size: "
                      "2 } }",
     NULL, EX_UNAVAILABLE, "second top"},
    {INPUT(
         "1,3,4,4") "layer { name: 'b' type: 'BatchNorm' bottom: 'data' top: 'b' batch_norm_param { use_global_stats: "
                    "false } }",
     "b:3,3,1", EX_UNAVAILABLE, "statistics of each batch"},
    {INPUT("1,3,4,4") "layer { name: 'b' type: 'BatchNorm' bottom: 'data' top: 'b' batch_norm_param { eps: -100 } }",
     "b:3,3,1", EX_DATAERR, "expected a positive variance"},
    {INPUT("1,3,4,4") LAYER("InnerProduct", "inner_product_param { num_output: 2 axis: 0 }"), "x:2x48,2",
     EX_UNAVAILABLE, "joins the records"},
    {INPUT("1,3,4,4") "layer { name: 'l' type: 'LRN' bottom: 'data' top: 'l' lrn_param { local_size: 4 } }", NULL,
     EX_DATAERR, "odd local_size, found 4"},
    {INPUT("1,3,4,4") "layer { name: 'k' type: 'Clip' bottom: 'data' top: 'k' }", NULL, EX_DATAERR, "no clip_param"},
    {INPUT("1,3,4,4") "layer { name: 'e' type: 'Exp' bottom: 'data' top: 'e' exp_param { base: 0 } }", NULL, EX_DATAERR,
     "expected a base above 0"},
    {INPUT("1,4,4,4") "layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'b' top: 'c' }", NULL, EX_DATAERR,
     "4 elements do not divide evenly among 3 tops"},
    {INPUT(
         "1,4,4,4") "layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' top: 'b' slice_param { slice_point: 4 } }",
     NULL, EX_DATAERR, "slice points must rise within (0, 4)"},
    {INPUT("1,4,4,4") "layer { name: 's' type: 'Slice' bottom: 'data' top: 'a' slice_param { slice_point: 1 } }", NULL,
     EX_DATAERR, "expected a slice_point between each of 1 tops, found 1"},
    {INPUT("1,4,4,4") "layer { name: 'r' type: 'Reshape' bottom: 'data' top: 'r' reshape_param { shape { dim: [1, -1, "
                      "-1] "
                      "} } }",
     NULL, EX_DATAERR, "more than one dim is -1"},
    {INPUT("1,4,4,4") "layer { name: 'r' type: 'Reshape' bottom: 'data' top: 'r' reshape_param { shape { dim: [1, 63] "
                      "} } "
                      "}",
     NULL, EX_DATAERR, "shape 1x4x4x4 cannot become 1x63"},
    {INPUT("1,4,4,4") "layer { name: 'r' type: 'Reshape' bottom: 'data' top: 'r' reshape_param { shape { dim: [2, 32] "
                      "} } "
                      "}",
     NULL, EX_UNAVAILABLE, "batch of 1"},
    {INPUT("1,4,4,4") "layer { name: 'p' type: 'Permute' bottom: 'data' top: 'p' permute_param { order: [1, 0] } }",
     NULL, EX_UNAVAILABLE, "batch"},
    {INPUT("1,4,4,4") "layer { name: 'p' type: 'Permute' bottom: 'data' top: 'p' permute_param { order: [0, 4] } }",
     NULL, EX_DATAERR, "axis 4 of its order"},
    {INPUT("1,4,4,4") "layer { name: 'c' type: 'Concat' bottom: 'data' bottom: 'data' top: 'c' concat_param { axis: 0 "
                      "} }",
     NULL, EX_UNAVAILABLE, "batch"},
    {INPUT("1,4,4,4") "layer { name: 'm' type: 'Softmax' bottom: 'data' top: 'm' softmax_param { axis: 4 } }", NULL,
     EX_DATAERR, "axis 4 does not exist: there are 4 axes"},
    {INPUT(
         "1,4,4,4") "layer { name: 'g' type: 'Pooling' bottom: 'data' top: 'g' pooling_param { global_pooling: true } }"
                    "layer { name: 'e' type: 'Eltwise' bottom: 'data' bottom: 'g' top: 'e' }",
     NULL, EX_DATAERR, "differ in shape: 1x4x4x4 and 1x4x1x1"},
    {INPUT("1,4,4,4") "layer { name: 'e' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'e' eltwise_param { coeff: "
                      "1 } "
                      "}",
     NULL, EX_DATAERR, "a coefficient for each of 2 bottoms, found 1"},
    {INPUT("1,4,4,4") "layer { name: 'e' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'e' eltwise_param { "
                      "operation: "
                      "PROD coeff: [1, 1] } }",
     NULL, EX_DATAERR, "SUM only"},
    {INPUT("1,4,4,4") "layer { name: 'r' type: 'Reduction' bottom: 'data' top: 'r' }", NULL, EX_UNAVAILABLE, "batch"},

    /* the layers of forks */
    {INPUT("1,4,4,4") LAYER("ShuffleChannel", "shuffle_channel_param { group: 3 }"), NULL, EX_DATAERR,
     "4 channels do not divide into 3 groups"},
    {INPUT("1,4,4,4") LAYER("ShuffleChannel", "shuffle_channel_param { group: 0 }"), NULL, EX_DATAERR, "0 groups"},
    {INPUT("1,4,5,4") LAYER("Reorg", "reorg_param { stride: 2 }"), NULL, EX_DATAERR, "the 5 rows"},
    {INPUT("1,4,4,4") LAYER("Reorg", ""), NULL, EX_DATAERR, "found 0"},
    {INPUT("1,4,4,4") LAYER("Reorg", "reorg_param { stride: 4294967295 }"), NULL, EX_DATAERR, "found 0"},
    {INPUT("1,4,4,4") LAYER("Reverse", ""), NULL, EX_UNAVAILABLE, "not the batch"},
    {INPUT("1,4,4,4") LAYER("Tile", "tile_param { tiles: 0 }"), NULL, EX_DATAERR, "1 to 1024 tiles, found 0"},
    {INPUT("1,4,4,4") LAYER("Tile", "tile_param { axis: 0 tiles: 2 }"), NULL, EX_UNAVAILABLE, "batch"},
    {INPUT("1,4,4,4") LAYER("Upsample", "upsample_param { scale: 4294967295 }"), NULL, EX_DATAERR, "size of at least"},
    {INPUT("1,4,4,4") LAYER("Upsample", "upsample_param { scale_h: 2 }"), NULL, EX_DATAERR, "one axis only"},
    {INPUT("1,4,4,4") LAYER("Interp", ""), NULL, EX_DATAERR, "no interp_param"},
    {INPUT("1,4,4,4") LAYER("Interp", "interp_param { height: -3 width: 3 }"), NULL, EX_DATAERR, "found -3x3"},
    {INPUT("1,4,4,4") LAYER("Interp", "interp_param { zoom_factor: 2147483647 }"), NULL, EX_DATAERR, "at least 1x1"},
    {INPUT("1,4,4,4") LAYER("Interp", "interp_param { shrink_factor: 0 }"), NULL, EX_DATAERR, "shrink 0"},
    {INPUT("1,4,4,4") LAYER("Interp", "interp_param { pad_beg: -9 zoom_factor: 2 }"), NULL, EX_DATAERR, "found -5x-5"},
    {INPUT("1,4,4,4") LAYER("Padding", "padding_param { pad_l: 4294967295 }"), NULL, EX_DATAERR, "too large"},
    {INPUT("1,4,4,4") LAYER("SPP", "spp_param { pyramid_height: 4 }"), NULL, EX_DATAERR, "8 windows are too many"},
    {INPUT("1,4,4,4") LAYER("SPP", "spp_param { pyramid_height: 99 }"), NULL, EX_DATAERR, "1 to 12"},
    {INPUT("1,4") LAYER("MVN", ""), NULL, EX_DATAERR, "more than 2 axes, found 2"},
    {INPUT("1,4,4,4") LAYER("Normalize", ""), "x:4", EX_DATAERR, "expected shape 1, found 4"},
    {INPUT("1,4,4,4") LAYER("BN", ""), "x:4,4", EX_DATAERR, "expected 4 blobs of weights, found 2"},
    {INPUT(
         "1,4,4,4") "layer { name: 'x' type: 'Crop' bottom: 'data' bottom: 'data' top: 'x' crop_param { offset: 1 } }",
     NULL, EX_DATAERR, "axis 2: 4 elements from offset 1 exceed 4"},
    {INPUT("1,4,4,4") "layer { name: 'x' type: 'Axpy' bottom: 'data' bottom: 'data' bottom: 'data' top: 'x' }", NULL,
     EX_DATAERR, "a factor for each channel"},
    {INPUT("1,4,4,4") PRIOR(""), NULL, EX_DATAERR, "expected 1 to 64 min_size"},
    {INPUT("1,4,4,4") PRIOR("min_size: 4 max_size: 3"), NULL, EX_DATAERR, "min_size < max_size"},
    {INPUT("1,4,4,4") PRIOR("min_size: nan"), NULL, EX_DATAERR, "found nan"},
    {INPUT("1,4,4,4") PRIOR("min_size: 4 aspect_ratio: -1"), NULL, EX_DATAERR, "positive aspect ratios, found -1"},
    {INPUT("1,4,4,4") PRIOR("min_size: 4 variance: [1, 2]"), NULL, EX_DATAERR, "four variances, found 2"},
    {INPUT("1,4,4,4") PRIOR("min_size: 4 step: 0"), NULL, EX_DATAERR, "a positive image size and step"},
    {INPUT("1,4,4096,4096") PRIOR("min_size: 4 aspect_ratio: [2, 3]"), NULL, EX_DATAERR, "would exceed"},
    {INPUT("1,4,4,4") LAYER("Parameter", ""), NULL, EX_DATAERR, "expected 0 bottoms"},
    {INPUT("1,4,4,4") LAYER("LSTM", ""), NULL, EX_UNAVAILABLE, "layer \"x\" (LSTM): it is not supported: it carries"},
    {INPUT("1,4,4,4") LAYER("ArgMax", "") RELU("r", "x", "r"), NULL, EX_DATAERR, "bottom \"x\" is the result of layer"},
    {INPUT("1,4,4,4") PRIOR("min_size: 4"), NULL, EX_DATAERR, "do not depend on its inputs"},
};

static void each_mistake_is_named_with_its_exit_code(void **state)
{
    const struct caffe_files *files = *state;

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct error err = {0};
        struct graph *graph = import_net(files, mistakes[i].text, mistakes[i].weights, NULL, &err);

        if (graph != NULL || err.code != mistakes[i].code || strstr(err.text, mistakes[i].expected) == NULL ||
            strncmp(err.text, files->folder, strlen(files->folder)) != 0)
            fail_msg("%s: expected %d \"%s\", found %d \"%s\"", mistakes[i].text, mistakes[i].code,
                     mistakes[i].expected, err.code, err.text);
    }
}

static void a_blob_shorter_or_longer_than_its_shape_is_refused(void **state)
{
    struct caffe_files *files = *state;

    for (int change = -1; change <= 1; change += 2) {
        struct model_request request = {.file = files->prototxt, .weights = files->weights};
        Caffe__NetParameter *net = new_weights("c:4x3x1x1,4");
        struct error err = {0};

        net->layer[0]->blobs[0]->data = realloc(net->layer[0]->blobs[0]->data, 13 * sizeof(float));
        net->layer[0]->blobs[0]->data[12] = 0;
        net->layer[0]->blobs[0]->n_data = (size_t)(12 + change);
        write_file(files->prototxt, INPUT("1,3,4,4") CONV("c", "data"), strlen(INPUT("1,3,4,4") CONV("c", "data")));
        write_weights(files->weights, net);
        caffe__net_parameter__free_unpacked(net, NULL);
        assert_null(model_import(&request, &err));
        assert_int_equal(err.code, EX_DATAERR);
        assert_non_null(strstr(err.text, change < 0 ? "shape 4x3x1x1 needs 12 floats, file holds 11"
                                                    : "shape 4x3x1x1 needs 12 floats, file holds 13"));
    }
}

static void slips_of_the_job_file_are_named(void **state)
{
    static const char *const nowhere[] = {"nowhere"}, *const label[] = {"label"};
    struct model_request wrong_input = {.n_inputs = 1, .inputs = {{"dta", {4, {1, 3, 6, 6}}}}};
    struct model_request wrong_output = {.n_outputs = 1, .outputs = nowhere};
    struct model_request label_output = {.n_outputs = 1, .outputs = label};
    struct error err = {0};

    assert_null(import_net(*state, train_val, "c:4x3x1x1,4", &wrong_input, &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "model.inputs names \"dta\""));
    assert_null(import_net(*state, train_val, "c:4x3x1x1,4", &wrong_output, &err));
    assert_non_null(strstr(err.text, "the requested output \"nowhere\" is the top of no layer"));
    assert_null(import_net(*state, train_val, "c:4x3x1x1,4", &label_output, &err));
    assert_non_null(strstr(err.text, "the requested output \"label\" is a label"));
}

static void other_files_are_told_apart(void **state)
{
    static const uint8_t hdf5[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0};
    struct caffe_files *files = *state;
    struct model_request request = {.file = files->prototxt, .weights = files->weights};
    struct model_request swapped = {.file = files->weights};
    struct model_request absent = {.file = "/nonexistent/net.prototxt"};
    struct error err = {0};

    write_file(files->prototxt, modern, strlen(modern));
    write_file(files->weights, hdf5, sizeof hdf5);
    assert_null(model_import(&request, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "it is no HDF5 file, or a damaged one"));
    write_file(files->weights, "text", 4);
    assert_null(model_import(&request, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "it is no .caffemodel"));
    write_weights(files->weights, &(Caffe__NetParameter)CAFFE__NET_PARAMETER__INIT);
    assert_null(model_import(&swapped, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "name the .prototxt under model.file"));
    assert_null(model_import(&absent, &err));
    assert_int_equal(err.code, EX_NOINPUT);
}

/* ---- Damage: every file either imports or is refused with a sentence and a code of the table */

static void check_damaged(struct caffe_files *files, const char *what, size_t place)
{
    struct model_request request = {.file = files->prototxt, .weights = files->weights};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);

    if (graph != NULL)
        assert_int_equal(graph_validate(graph, &err), 0);
    else if ((err.code != EX_DATAERR && err.code != EX_UNAVAILABLE) ||
             strncmp(err.text, files->folder, strlen(files->folder)) != 0)
        fail_msg("%s at %zu: %d: %s", what, place, err.code, err.text);
    graph_destroy(graph);
}

static void damaged_weights_are_accepted_or_refused(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct caffe_files *files = *state;
    Caffe__NetParameter *net = new_weights("c:4x3x1x1,4;f:2x64,2");
    size_t size = caffe__net_parameter__get_packed_size(net);
    uint8_t *bytes = malloc(size), kept;

    assert_non_null(bytes);
    caffe__net_parameter__pack(net, bytes);
    caffe__net_parameter__free_unpacked(net, NULL);
    write_file(files->prototxt, modern, strlen(modern));
    for (size_t cut = 0; cut < size; cut++) {
        struct model_request request = {.file = files->prototxt, .weights = files->weights};
        struct error err = {0};

        write_file(files->weights, bytes, cut);
        assert_null(model_import(&request, &err));
        assert_int_equal(err.code, EX_DATAERR);
    }
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof values; k++) {
            kept = bytes[i];
            bytes[i] = values[k];
            write_file(files->weights, bytes, size);
            check_damaged(files, "weights", i);
            bytes[i] = kept;
        }
    free(bytes);
}

static void damaged_text_is_accepted_or_refused(void **state)
{
    static const char replacements[] = {'"', '\'', '{', '}', '0', '9', '-', 'x', '\n', '#'};
    struct caffe_files *files = *state;
    char text[sizeof modern];

    graph_destroy(must_import(files, modern, modern_weights, NULL));
    for (size_t i = 0; i < sizeof modern - 1; i++)
        for (size_t k = 0; k < sizeof replacements; k++) {
            memcpy(text, modern, sizeof modern);
            text[i] = replacements[k];
            write_file(files->prototxt, text, sizeof text - 1);
            check_damaged(files, "text", i);
        }
}

/* ---- Real networks */

static void real_network(const char *prototxt, const char *weights, struct model_request *request, size_t nodes,
                         size_t normalised, const char *shape)
{
    struct error err = {0};
    struct graph *graph;
    char text[SHAPE_TEXT_BYTES];
    FILE *printed = tmpfile();

    if (access(prototxt, R_OK) != 0 || access(weights, R_OK) != 0)
        skip();
    request->file = prototxt;
    request->weights = weights;
    graph = model_import(request, &err);
    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(graph->n_nodes, nodes);
    assert_string_equal(shape_text(&graph->values[graph->outputs[0]].shape, text), shape);
    if (graph_normalise(graph, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(graph->n_nodes, normalised);
    assert_non_null(printed);
    graph_print(graph, printed);
    assert_true(ftell(printed) > 100);
    fclose(printed);
    graph_destroy(graph);
}

static void resnet20_imports(void **state)
{
    (void)state;
    real_network(SHARED_DATA "/resnet20/resnet20.prototxt", SHARED_DATA "/resnet20/resnet20.caffemodel",
                 &(struct model_request){0}, 90, 33, "1x10");
}

static void lenet_imports_from_its_training_file(void **state)
{
    (void)state;
    real_network(SHARED_DATA "/lenet/lenet_train_test.prototxt", SHARED_DATA "/lenet/lenet_iter_10000.caffemodel",
                 &(struct model_request){.n_inputs = 1, .inputs = {{"data", {4, {1, 1, 28, 28}}}}}, 9, 8, "1x10");
}

static void ultraface_imports(void **state)
{
    (void)state;
    real_network(SHARED_DATA "/ultraface/RFB-320.prototxt", SHARED_DATA "/ultraface/RFB-320.caffemodel",
                 &(struct model_request){0}, 110, 73, "1x4420x4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_in_place_become_versions_and_the_last_keeps_the_name),
        cmocka_unit_test(an_input_keeps_its_name_when_it_is_overwritten),
        cmocka_unit_test(readers_bind_to_the_latest_writer_above_them),
        cmocka_unit_test(dropout_in_place_leaves_no_trace),
        cmocka_unit_test(two_bottoms_share_the_weights_of_a_layer),
        cmocka_unit_test(only_layers_of_the_test_phase_are_imported),
        cmocka_unit_test(a_training_network_ends_in_the_softmax_of_its_loss),
        cmocka_unit_test(the_job_decides_the_shape_of_an_input),
        cmocka_unit_test(requested_outputs_cut_away_what_cannot_be_imported),
        cmocka_unit_test(silenced_blobs_are_no_outputs),
        cmocka_unit_test(a_detector_ends_in_front_of_its_decoder),
        cmocka_unit_test(legacy_spellings_import_as_the_same_network),
        cmocka_unit_test(layers_may_share_blobs_that_the_file_holds_once),
        cmocka_unit_test(the_crop_of_a_legacy_data_layer_is_its_transformation),
        cmocka_unit_test(legacy_shapes_and_doubles_are_the_same_weights),
        cmocka_unit_test(unpacked_floats_of_a_legacy_layer_are_read),
        cmocka_unit_test(a_nameless_layer_is_called_by_its_top),
        cmocka_unit_test(each_mistake_is_named_with_its_exit_code),
        cmocka_unit_test(a_blob_shorter_or_longer_than_its_shape_is_refused),
        cmocka_unit_test(slips_of_the_job_file_are_named),
        cmocka_unit_test(other_files_are_told_apart),
        cmocka_unit_test(damaged_weights_are_accepted_or_refused),
        cmocka_unit_test(damaged_text_is_accepted_or_refused),
        cmocka_unit_test(resnet20_imports),
        cmocka_unit_test(lenet_imports_from_its_training_file),
        cmocka_unit_test(ultraface_imports),
    };

    log_setup(LOG_QUIET, -1); /* damaged text holds many unknown fields */
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
