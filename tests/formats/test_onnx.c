/* test_onnx.c — ONNX files as a whole: names and wiring, tensors, what is wrong with them, strangers' and real
 * networks. */
#define _GNU_SOURCE /* nftw */
#include "onnx_files.h"

#include "common/passes.h"
#include "formats/onnx/write.h"

#include <ftw.h>
#include <sys/stat.h>

/* x -> conv1 -> y -> relu1 -> z */
static struct onnx_file *small_model(void)
{
    struct onnx_file *f = new_model(13);

    add_input(f, "x", OPEN, 3, 4, 4);
    add_weights(f, "w", 2, 3, 3, 3);
    add_weights(f, "b", 2);
    add_node(f, "Conv", "conv1", "x w b", "y");
    add_node(f, "Relu", "relu1", "y", "z");
    add_output(f, "z");
    return f;
}

/* --- names and wiring --- */

static void nodes_and_values_keep_their_names(void **state)
{
    struct graph *graph = must_import(small_model());

    (void)state;
    assert_string_equal(graph->name, "net");
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(node_called(graph, "conv1")->op, OP_CONV);
    assert_shape(value_called(graph, "x"), "1x3x4x4");
    assert_shape(value_called(graph, "y"), "1x2x2x2");
    assert_true(value_called(graph, "w")->is_constant);
    assert_string_equal(graph->values[graph->outputs[0]].name, "z");
    graph_destroy(graph);
}

static void nodes_without_a_name_or_with_a_taken_one_get_their_own(void **state)
{
    struct onnx_file *f = small_model();
    struct graph *graph;

    (void)state;
    f->nodes[0]->name = own_text(&f->file, "");
    add_node(f, "Abs", "relu1", "z", "a");
    add_output(f, "a");
    graph = must_import(f);
    assert_int_equal(node_called(graph, "Conv_0")->op, OP_CONV);
    assert_int_equal(node_called(graph, "relu1")->attr.activation.kind, ACTIVATION_RELU);
    assert_int_equal(graph->n_nodes, 3);
    graph_destroy(graph);
}

static void initializers_listed_as_inputs_are_no_inputs(void **state)
{
    struct onnx_file *f = small_model();
    struct graph *graph;

    (void)state;
    add_input(f, "w", 2, 3, 3, 3); /* as IR version 3 demands */
    graph = must_import(f);
    assert_int_equal(graph->n_inputs, 1);
    graph_destroy(graph);
}

static void a_fixed_batch_becomes_one_record_in_reshapes_too(void **state)
{
    struct onnx_file *f = new_model(13);
    struct graph *graph;

    (void)state;
    add_input(f, "x", 8, 3, 4);
    add_ints(f, "shape", 8, -1);
    add_node(f, "Reshape", "flat", "x shape", "y");
    add_output(f, "y");
    graph = must_import(f);
    assert_shape(value_called(graph, "x"), "1x3x4");
    assert_shape(value_called(graph, "y"), "1x12");
    graph_destroy(graph);
}

static void requested_shapes_fill_open_axes_and_override_others(void **state)
{
    struct onnx_file *f = small_model();
    struct graph *graph;

    (void)state;
    f->inputs[0] = new_port(f, "x", DIMS(OPEN, 3, OPEN, 4));
    f->file.request.n_inputs = 1;
    f->file.request.inputs[0].name = "x";
    f->file.request.inputs[0].shape = (struct shape){4, {16, 3, 8, 6}};
    graph = must_import(f);
    assert_shape(value_called(graph, "x"), "1x3x8x6");
    assert_shape(value_called(graph, "z"), "1x2x6x4");
    graph_destroy(graph);
}

static void what_the_requested_outputs_do_not_need_is_not_looked_at(void **state)
{
    struct onnx_file *f = small_model();
    struct graph *graph;

    (void)state;
    add_input(f, "unread", OPEN, 1);
    add_node(f, "Frobnicate", "head", "z unread", "boxes");
    add_output(f, "boxes");
    f->output = "y";
    f->file.request.n_outputs = 1;
    f->file.request.outputs = &f->output;
    graph = must_import(f);
    assert_int_equal(graph->n_nodes, 1);
    assert_int_equal(graph->n_inputs, 1);
    assert_string_equal(graph->values[graph->outputs[0]].name, "y");
    graph_destroy(graph);
}

/* --- tensors --- */

/* Adds the tensor to x and gives it back as what it became. */
static struct graph *import_tensor(struct onnx_file *f, const char *name, struct tensor *out)
{
    struct graph *graph;

    add_input(f, "x", OPEN, 2);
    add_node(f, "Cast", "cast", name, "c");
    set_int(f, f->nodes[f->graph.n_node - 1], "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    add_node(f, "Add", "add", "x c", "y");
    add_output(f, "y");
    graph = must_import(f);
    assert_true(graph_constant(graph, graph_find_value(graph, "c"), out));
    assert_int_equal(out->dtype, DTYPE_FLOAT32);
    return graph;
}

#define TYPE(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

static void raw_data_of_every_type_is_decoded(void **state)
{
    static const struct {
        int32_t type;
        size_t bytes;
        uint8_t raw[16];
        float expected[2];
    } cases[] = {
        {TYPE(UINT8), 2, {200, 1}, {200, 1}},
        {TYPE(INT8), 2, {200, 1}, {-56, 1}},
        {TYPE(BOOL), 2, {1, 0}, {1, 0}},
        {TYPE(UINT16), 4, {0, 255, 1, 0}, {65280, 1}},
        {TYPE(INT16), 4, {0, 255, 1, 0}, {-256, 1}},
        {TYPE(INT32), 8, {254, 255, 255, 255, 3}, {-2, 3}},
        {TYPE(UINT32), 8, {0, 0, 0, 128, 3}, {2147483648.0f, 3}},
        {TYPE(INT64), 16, {255, 255, 255, 255, 255, 255, 255, 255, 9}, {-1, 9}},
        {TYPE(FLOAT16), 4, {0x00, 0xbe, 0x01, 0x00}, {-1.5f, 0x1p-24f}}, /* the second one is subnormal */
        {TYPE(BFLOAT16), 4, {0xc0, 0xbf, 0x80, 0x3f}, {-1.5f, 1}},
        {TYPE(DOUBLE), 16, {0, 0, 0, 0, 0, 0, 0xf8, 0xbf, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, {-1.5f, 1}},
        {TYPE(FLOAT), 8, {0, 0, 0xc0, 0xbf, 0, 0, 0x80, 0x3f}, {-1.5f, 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = new_model(13);
        struct tensor tensor;
        struct graph *graph;

        add_tensor(f, "t", cases[i].type, DIMS(2), cases[i].raw, cases[i].bytes);
        graph = import_tensor(f, "t", &tensor);
        assert_memory_equal(tensor.data, cases[i].expected, sizeof cases[i].expected);
        graph_destroy(graph);
    }
}

static void typed_arrays_mean_the_same_as_raw_data(void **state)
{
    static const float expected[] = {-1.5f, 1};
    static const int32_t halves[] = {0xbe00, 0x3c00}, bytes[] = {-56, 1};
    static const double doubles[] = {-1.5, 1};
    static const float from_bytes[] = {-56, 1};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct onnx_file *f = new_model(13);
        Onnx__TensorProto *t = add_tensor(f, "t", TYPE(FLOAT), DIMS(2), NULL, 0);
        struct tensor tensor;
        struct graph *graph;

        t->has_raw_data = false;
        t->data_type = i == 0 ? TYPE(FLOAT) : i == 1 ? TYPE(FLOAT16) : i == 2 ? TYPE(DOUBLE) : TYPE(INT8);
        t->n_float_data = i == 0 ? 2 : 0;
        t->float_data = (float *)(uintptr_t)expected;
        t->n_int32_data = i == 1 || i == 3 ? 2 : 0;
        t->int32_data = (int32_t *)(uintptr_t)(i == 1 ? halves : bytes);
        t->n_double_data = i == 2 ? 2 : 0;
        t->double_data = (double *)(uintptr_t)doubles;
        graph = import_tensor(f, "t", &tensor);
        assert_memory_equal(tensor.data, i == 3 ? from_bytes : expected, sizeof expected);
        graph_destroy(graph);
    }
}

/* --- external data --- */

static void say_external(struct onnx_file *f, Onnx__TensorProto *t, const char *location, const char *offset,
                         const char *length)
{
    const char *const keys[] = {"location", "offset", "length"}, *const values[] = {location, offset, length};

    t->has_raw_data = false;
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = grab(&f->file, 3, sizeof *t->external_data);
    for (size_t i = 0; i < 3; i++) {
        Onnx__StringStringEntryProto *entry;

        if (values[i] == NULL)
            continue;
        entry = new_message(&f->file, &onnx__string_string_entry_proto__descriptor);
        entry->key = own_text(&f->file, keys[i]);
        entry->value = own_text(&f->file, values[i]);
        t->external_data[t->n_external_data++] = entry;
    }
}

static const float external_weights[2 * 3 * 3 * 3 + 1] = {9, 0.5f, -1, 2};

static void external_data_is_read_at_its_offset(void **state)
{
    struct onnx_file *f = small_model();
    char path[128];
    struct tensor w;
    struct graph *graph;

    (void)state;
    snprintf(path, sizeof path, "%s/weights.bin", f->file.folder);
    write_bytes(path, external_weights, sizeof external_weights);
    say_external(f, f->tensors[0], "weights.bin", "4", "216");
    graph = must_import(f); /* the folder stays: it is not empty */
    assert_true(graph_constant(graph, graph_find_value(graph, "w"), &w));
    assert_memory_equal(w.data, external_weights + 1, 216);
    graph_destroy(graph);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void external_data_outside_the_folder_or_the_file_is_refused(void **state)
{
    static const struct {
        const char *location, *offset, *length;
        int code;
        const char *word;
    } cases[] = {
        {"/etc/passwd", NULL, NULL, EX_DATAERR, "absolute path"},
        {"../weights.bin", NULL, NULL, EX_DATAERR, "\"..\" leaves"},
        {"sub/../../weights.bin", NULL, NULL, EX_DATAERR, "\"..\" leaves"},
        {"link", NULL, NULL, EX_DATAERR, "symbolic link"},
        {"folder/passwd", NULL, NULL, EX_DATAERR, "symbolic link"},
        {"absent.bin", NULL, NULL, EX_NOINPUT, "cannot be opened"},
        {"fifo", NULL, NULL, EX_DATAERR, "regular file"},
        {"weights.bin", "221", NULL, EX_DATAERR, "lie outside a file of 220 bytes"},
        {"weights.bin", "8", "216", EX_DATAERR, "lie outside a file of 220 bytes"},
        {"weights.bin", "18446744073709551615", "2", EX_DATAERR, "lie outside"},
        {"weights.bin", "-4", NULL, EX_DATAERR, "no number of bytes"},
        {"weights.bin", "4", "212", EX_DATAERR, "needs 54 elements of float32, the file holds 53"},
        {"weights.bin", "4", "215", EX_DATAERR, "no multiple"},
        {NULL, NULL, NULL, EX_DATAERR, "without a location"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = small_model();
        char bin[128], link_path[128], folder[128], fifo[128];

        snprintf(bin, sizeof bin, "%s/weights.bin", f->file.folder);
        snprintf(link_path, sizeof link_path, "%s/link", f->file.folder);
        snprintf(folder, sizeof folder, "%s/folder", f->file.folder);
        snprintf(fifo, sizeof fifo, "%s/fifo", f->file.folder);
        write_bytes(bin, external_weights, sizeof external_weights);
        assert_int_equal(symlink("weights.bin", link_path), 0);
        assert_int_equal(symlink("/etc", folder), 0);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        say_external(f, f->tensors[0], cases[i].location, cases[i].offset, cases[i].length);
        assert_refused(f, cases[i].code, cases[i].word, "initializer \"w\"");
        unlink(bin);
        unlink(link_path);
        unlink(folder);
        unlink(fifo);
        *strrchr(bin, '/') = '\0';
        rmdir(bin);
    }
}

/* --- one thing wrong per file --- */

static void no_graph(struct onnx_file *f)
{
    f->model.graph = NULL;
}
static void no_opset(struct onnx_file *f)
{
    f->model.n_opset_import = 0;
}
static void old_opset(struct onnx_file *f)
{
    f->opset.version = 5;
}
static void new_opset(struct onnx_file *f)
{
    f->opset.version = 22;
}
static void unknown_operator(struct onnx_file *f)
{
    f->nodes[1]->op_type = own_text(&f->file, "Frobnicate");
}
static void operator_of_a_later_opset(struct onnx_file *f)
{
    f->nodes[1]->op_type = own_text(&f->file, "HardSwish");
}
static void unknown_domain(struct onnx_file *f)
{
    f->nodes[1]->domain = own_text(&f->file, "com.example");
}
static void a_value_defined_twice(struct onnx_file *f)
{
    add_node(f, "Relu", "relu2", "x", "y");
}
static void a_value_and_an_initializer(struct onnx_file *f)
{
    add_node(f, "Relu", "relu2", "x", "w");
}
static void missing_producer(struct onnx_file *f)
{
    f->nodes[1]->input[0] = own_text(&f->file, "nothing");
}
static void cycle(struct onnx_file *f)
{
    f->nodes[0]->input[0] = own_text(&f->file, "z");
}
static void unread_input(struct onnx_file *f)
{
    add_input(f, "unread", OPEN, 3);
}
static void no_output(struct onnx_file *f)
{
    f->graph.n_output = 0;
}
static void unknown_requested_output(struct onnx_file *f)
{
    f->output = "prob";
    f->file.request.n_outputs = 1;
    f->file.request.outputs = &f->output;
}
static void unknown_requested_input(struct onnx_file *f)
{
    f->file.request.n_inputs = 1;
    f->file.request.inputs[0].name = "data";
    f->file.request.inputs[0].shape = (struct shape){4, {1, 3, 4, 4}};
}
static void requested_rank(struct onnx_file *f)
{
    f->file.request.n_inputs = 1;
    f->file.request.inputs[0].name = "x";
    f->file.request.inputs[0].shape = (struct shape){3, {1, 3, 4}};
}
static void open_axis(struct onnx_file *f)
{
    f->inputs[0] = new_port(f, "x", DIMS(OPEN, 3, OPEN, 4));
}
static void zero_axis(struct onnx_file *f)
{
    f->inputs[0] = new_port(f, "x", DIMS(1, 3, 0, 4));
}
static void integer_input(struct onnx_file *f)
{
    f->inputs[0]->type->tensor_type->elem_type = TYPE(INT64);
}
static void input_of_no_tensor(struct onnx_file *f)
{
    f->inputs[0]->type = NULL;
}
static void short_weights(struct onnx_file *f)
{
    f->tensors[0]->raw_data.len -= 4;
}
static void broken_weights(struct onnx_file *f)
{
    f->tensors[0]->raw_data.len -= 1;
}
static void negative_dim(struct onnx_file *f)
{
    f->tensors[0]->dims[0] = -2;
}
static void huge_dims(struct onnx_file *f)
{
    f->tensors[0]->dims[0] = INT64_MAX / 2;
}
static void nine_dims(struct onnx_file *f)
{
    f->tensors[0]->dims = grab(&f->file, 9, sizeof(int64_t));
    f->tensors[0]->n_dims = 9;
}
static void string_weights(struct onnx_file *f)
{
    f->tensors[0]->data_type = TYPE(STRING);
}
static void future_weights(struct onnx_file *f)
{
    f->tensors[0]->data_type = 99;
}
static void weights_at_run_time(struct onnx_file *f)
{
    f->graph.n_initializer = 0;
    add_weights(f, "b", 2);
    add_input(f, "w", 2, 3, 3, 3);
}
static void channels_that_differ(struct onnx_file *f)
{
    f->tensors[0]->dims[0] = 3;
    f->tensors[0]->dims[1] = 2;
}
static void bias_of_another_length(struct onnx_file *f)
{
    f->graph.n_initializer = 1;
    add_weights(f, "b", 3);
}
static void unknown_attribute(struct onnx_file *f)
{
    set_int(f, f->nodes[0], "stride", 2);
}
static void attribute_twice(struct onnx_file *f)
{
    set_int(f, f->nodes[0], "group", 1);
    set_int(f, f->nodes[0], "group", 1);
}
static void attribute_of_another_type(struct onnx_file *f)
{
    set_float(f, f->nodes[0], "group", 1);
}
static void attribute_without_a_name(struct onnx_file *f)
{
    set_int(f, f->nodes[0], "group", 1);
    f->nodes[0]->attribute[0]->name = NULL;
}
static void zero_stride(struct onnx_file *f)
{
    set_ints(f, f->nodes[0], "strides", 0, 1);
}
static void three_strides(struct onnx_file *f)
{
    set_ints(f, f->nodes[0], "strides", 1, 1, 1);
}
static void another_kernel(struct onnx_file *f)
{
    set_ints(f, f->nodes[0], "kernel_shape", 3, 5);
}
static void negative_pads(struct onnx_file *f)
{
    set_ints(f, f->nodes[0], "pads", 0, 0, -1, 0);
}
static void a_window_that_does_not_fit(struct onnx_file *f)
{
    set_ints(f, f->nodes[0], "dilations", 2, 2);
}
static void zero_groups(struct onnx_file *f)
{
    set_int(f, f->nodes[0], "group", 0);
}
static void unknown_padding(struct onnx_file *f)
{
    set_string(f, f->nodes[0], "auto_pad", "SAME");
}
static void both_kinds_of_padding(struct onnx_file *f)
{
    set_string(f, f->nodes[0], "auto_pad", "SAME_UPPER");
    set_ints(f, f->nodes[0], "pads", 1, 1, 1, 1);
}
static void too_few_inputs(struct onnx_file *f)
{
    f->nodes[0]->n_input = 1;
}
static void an_omitted_input(struct onnx_file *f)
{
    f->nodes[0]->input[0] = own_text(&f->file, "");
}
static void indices_of_a_pool(struct onnx_file *f)
{
    set_ints(f, add_node(f, "MaxPool", "pool", "y", "p indices"), "kernel_shape", 1, 1);
    add_output(f, "indices");
}
static void softmax_axis(struct onnx_file *f)
{
    set_int(f, add_node(f, "Softmax", "soft", "z", "s"), "axis", 4);
    add_output(f, "s");
}
static void softmax_over_the_batch(struct onnx_file *f)
{
    set_int(f, add_node(f, "Softmax", "soft", "z", "s"), "axis", 0);
    add_output(f, "s");
}
static void a_subgraph(struct onnx_file *f)
{
    Onnx__NodeProto *node = add_node(f, "If", "branch", "z", "s");

    set(f, node, "then_branch", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g =
        new_message(&f->file, &onnx__graph_proto__descriptor);
    add_output(f, "s");
}
static void a_control_byte_in_a_name(struct onnx_file *f)
{
    f->nodes[1]->input[0] = own_text(&f->file, "no\x1bthing");
}

static void every_fault_is_named(void **state)
{
    static const struct {
        void (*spoil)(struct onnx_file *f);
        int code;
        const char *where, *what;
    } cases[] = {
        {no_graph, EX_DATAERR, "", "holds no graph"},
        {no_opset, EX_DATAERR, "", "which opset"},
        {old_opset, EX_UNAVAILABLE, "opset 5", "6 to 21"},
        {new_opset, EX_UNAVAILABLE, "opset 22", "6 to 21"},
        {unknown_operator, EX_UNAVAILABLE, "node \"relu1\"", "Frobnicate (opset 13) is not known to the onnx importer"},
        {operator_of_a_later_opset, EX_UNAVAILABLE, "node \"relu1\"", "HardSwish does not exist at opset 13"},
        {unknown_domain, EX_UNAVAILABLE, "node \"relu1\"", "com.example"},
        {a_value_defined_twice, EX_DATAERR, "\"y\" is defined twice", "by conv1 and by relu2"},
        {a_value_and_an_initializer, EX_DATAERR, "\"w\" is defined twice", "by an initializer and by relu2"},
        {missing_producer, EX_DATAERR, "node \"relu1\"", "reads \"nothing\", which nothing produces"},
        {cycle, EX_DATAERR, "node \"conv1\"", "reads \"z\" before node \"relu1\" produces it"},
        {unread_input, EX_DATAERR, "\"unread\"", "read by no node"},
        {no_output, EX_DATAERR, "", "no outputs"},
        {unknown_requested_output, EX_DATAERR, "\"prob\"", "no value of that name"},
        {unknown_requested_input, EX_CONFIG, "\"data\"", "inputs begin with \"x\""},
        {requested_rank, EX_DATAERR, "input \"x\"", "gives 3 axes, the file 4"},
        {open_axis, EX_DATAERR, "input \"x\"", "axis 2 is open"},
        {zero_axis, EX_DATAERR, "input \"x\"", "axis 2 is open"},
        {integer_input, EX_UNAVAILABLE, "input \"x\"", "expected float32, found int64"},
        {input_of_no_tensor, EX_UNAVAILABLE, "input \"x\"", "expected a tensor"},
        {short_weights, EX_DATAERR, "initializer \"w\"", "needs 54 elements of float32, the file holds 53"},
        {broken_weights, EX_DATAERR, "initializer \"w\"", "215 bytes is no multiple"},
        {negative_dim, EX_DATAERR, "initializer \"w\"", "negative"},
        {huge_dims, EX_DATAERR, "initializer \"w\"", "2^31"},
        {nine_dims, EX_UNAVAILABLE, "initializer \"w\"", "at most 8 axes, found 9"},
        {string_weights, EX_UNAVAILABLE, "initializer \"w\"", "string"},
        {future_weights, EX_UNAVAILABLE, "initializer \"w\"", "type 99"},
        {weights_at_run_time, EX_UNAVAILABLE, "node \"conv1\"", "\"w\", computed at run time"},
        {channels_that_differ, EX_DATAERR, "node \"conv1\"", "has 3 channels"},
        {bias_of_another_length, EX_DATAERR, "node \"conv1\"", "bias \"b\": expected shape 2, found 3"},
        {unknown_attribute, EX_DATAERR, "node \"conv1\"", "\"stride\" is not one of"},
        {attribute_twice, EX_DATAERR, "node \"conv1\"", "\"group\" is there twice"},
        {attribute_of_another_type, EX_DATAERR, "node \"conv1\"", "\"group\": expected INT, found FLOAT"},
        {attribute_without_a_name, EX_DATAERR, "node \"conv1\"", "\"\" is not one of"},
        {zero_stride, EX_DATAERR, "node \"conv1\"", "\"strides\": expected 1 or more, found 0"},
        {three_strides, EX_DATAERR, "node \"conv1\"", "\"strides\": expected 2 items for 2 spatial axes, found 3"},
        {another_kernel, EX_DATAERR, "node \"conv1\"", "says 5 along spatial axis 1, the weights 3"},
        {negative_pads, EX_DATAERR, "node \"conv1\"", "\"pads\": expected 0 or more, found -1"},
        {a_window_that_does_not_fit, EX_DATAERR, "node \"conv1\"", "too small for kernel 3, dilation 2"},
        {zero_groups, EX_DATAERR, "node \"conv1\"", "at least one group, found 0"},
        {unknown_padding, EX_UNAVAILABLE, "node \"conv1\"", "\"auto_pad\": \"SAME\" is not supported"},
        {both_kinds_of_padding, EX_DATAERR, "node \"conv1\"", "exclude each other"},
        {too_few_inputs, EX_DATAERR, "node \"conv1\"", "expected 2 to 3 inputs, found 1"},
        {an_omitted_input, EX_DATAERR, "node \"conv1\"", "input 0 is missing"},
        {indices_of_a_pool, EX_UNAVAILABLE, "\"indices\"", "an optional output of node \"pool\""},
        {softmax_axis, EX_DATAERR, "node \"soft\"", "axis 4 does not exist"},
        {softmax_over_the_batch, EX_UNAVAILABLE, "node \"soft\"", "batch axis"},
        {a_subgraph, EX_UNAVAILABLE, "node \"branch\"", "If (opset 13) is not known"},
        {a_control_byte_in_a_name, EX_DATAERR, "node \"relu1\"", "no\\x1bthing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_file *f = small_model();

        cases[i].spoil(f);
        assert_refused(f, cases[i].code, cases[i].where, cases[i].what);
    }
}

static void messages_nested_deeper_than_64_are_refused(void **state)
{
    enum { LEVELS = 10000, HEADER = 6 };
    struct onnx_file *f = small_model();
    uint8_t *bytes = malloc(LEVELS * HEADER);
    size_t at = LEVELS * HEADER, size = 0;
    struct graph *graph;
    struct error err = {0};

    (void)state;
    assert_non_null(bytes);
    /* from the inside out: graph { node { attribute { g: graph { ... */
    for (int level = LEVELS; level > 0; level--) {
        static const uint8_t tags[] = {0x2a, 0x32, 0x0a}; /* NodeProto.attribute, AttributeProto.g, GraphProto.node */
        size_t length = size, n = 0;
        uint8_t header[HEADER];

        header[n++] = level == 1 ? 0x3a : tags[level % 3];
        do {
            header[n++] = (uint8_t)((length & 127) | (length > 127 ? 128 : 0));
            length >>= 7;
        } while (length > 0);
        at -= n;
        memcpy(bytes + at, header, n);
        size += n;
    }
    write_bytes(f->file.path, bytes + at, size);
    graph = model_import(&f->file.request, &err);
    assert_null(graph);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "deeper than 64"));
    free(bytes);
    free_file(&f->file);
}

/* Whatever the bytes, an import succeeds, or fails with code 65 or 69 and a sentence. */
static void import_bytes(struct onnx_file *f, const uint8_t *bytes, size_t size)
{
    struct error err = {0};
    struct graph *graph;

    write_bytes(f->file.path, bytes, size);
    graph = model_import(&f->file.request, &err);
    if (graph == NULL) {
        assert_true(err.code == EX_DATAERR || err.code == EX_UNAVAILABLE || err.code == EX_NOINPUT);
        assert_true(strlen(err.text) > strlen(f->file.path));
    }
    graph_destroy(graph);
}

static void files_cut_anywhere_or_with_any_byte_changed_do_no_harm(void **state)
{
    struct onnx_file *f = small_model();
    size_t size;
    uint8_t *bytes = pack_model(&f->file, &size);

    (void)state;
    for (size_t n = 0; n < size; n++)
        import_bytes(f, bytes, n);
    for (size_t i = 0; i < size; i++) {
        uint8_t before = bytes[i];

        for (int k = 0; k < 4; k++) {
            bytes[i] = (uint8_t)(k == 0 ? before ^ 1 : k == 1 ? before ^ 128 : k == 2 ? 0 : 255);
            import_bytes(f, bytes, size);
        }
        bytes[i] = before;
    }
    free_file(&f->file);
}

/* --- files of others --- */

static size_t n_seen, n_imported;

static int import_found(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    struct model_request request = {.file = path};
    struct error err = {0};
    struct graph *graph;
    size_t length = strlen(path);

    (void)info;
    (void)where;
    if (kind != FTW_F || length < 5 || strcmp(path + length - 5, ".onnx") != 0)
        return 0;
    graph = model_import(&request, &err);
    n_seen++;
    if (graph != NULL) {
        n_imported++;
        assert_int_equal(graph_normalise(graph, &err), 0);
    } else if ((err.code != EX_DATAERR && err.code != EX_UNAVAILABLE) || err.text[0] == '\0') {
        fail_msg("%s: code %d, \"%s\"", path, err.code, err.text);
    }
    graph_destroy(graph);
    return 0;
}

static void the_conformance_models_import_or_are_refused_with_a_reason(void **state)
{
    (void)state;
    if (access("/usr/share/libonnx-testdata/data", R_OK) != 0)
        skip(); /* Debian's libonnx-testdata is not installed */
    n_seen = n_imported = 0;
    assert_int_equal(nftw("/usr/share/libonnx-testdata/data", import_found, 16, FTW_PHYS), 0);
    assert_true(n_seen >= 1000);
    assert_true(n_imported >= 200); /* most node cases have their weights as inputs, or no batch */
}

static struct graph *import_shared(const char *path)
{
    struct model_request request = {.file = path};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

static const char *const networks[] = {
    SHARED_DATA "/resnet20/resnet20_opset13.onnx",
    SHARED_DATA "/resnet20/resnet20_torch_opset11.onnx",
    SHARED_DATA "/resnet20/resnet20_torch_opset13_bn.onnx",
    SHARED_DATA "/mobilenet025/mobilenet025_cifar10_opset13.onnx",
    SHARED_DATA "/ultraface/version-RFB-320_simplified.onnx",
    SHARED_DATA "/ultraface/version-slim-320_simplified.onnx",
};

static void real_networks_import_and_normalise(void **state)
{
    (void)state;
    if (access(SHARED_DATA, R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        struct graph *graph = import_shared(networks[i]);
        struct error err = {0};

        if (graph_normalise(graph, &err) != 0)
            fail_msg("%s: %s", networks[i], err.text);
        for (size_t n = 0; n < graph->n_nodes; n++) /* every one has its BatchNormalization folded */
            assert_true(graph->nodes[n].op != OP_NORMALIZE && graph->nodes[n].op != OP_IDENTITY);
        graph_destroy(graph);
    }
}

static bool same_constant(const struct graph *a, const struct graph *b, int va, int vb)
{
    struct tensor ta, tb;

    if (!graph_constant(a, va, &ta) || !graph_constant(b, vb, &tb))
        return false;
    return ta.dtype == tb.dtype && shape_equal(&ta.shape, &tb.shape) &&
           memcmp(ta.data, tb.data, (size_t)shape_elements(&ta.shape) * dtype_size(ta.dtype)) == 0;
}

static void assert_same_node(const struct graph *a, const struct graph *b, size_t index)
{
    const struct node *na = &a->nodes[index], *nb = &b->nodes[index];

    assert_int_equal(na->op, nb->op);
    assert_string_equal(na->name, nb->name);
    assert_int_equal(na->n_inputs, nb->n_inputs);
    assert_string_equal(a->values[na->outputs[0]].name, b->values[nb->outputs[0]].name);
    assert_true(shape_equal(&a->values[na->outputs[0]].shape, &b->values[nb->outputs[0]].shape));
    assert_memory_equal(&na->attr, &nb->attr, sizeof na->attr);
    for (size_t i = 0; i < na->n_inputs; i++)
        if (a->values[na->inputs[i]].is_constant)
            assert_true(same_constant(a, b, na->inputs[i], nb->inputs[i]));
        else
            assert_string_equal(a->values[na->inputs[i]].name, b->values[nb->inputs[i]].name);
}

static void what_is_written_imports_again_to_an_equal_graph(void **state)
{
    (void)state;
    if (access(SHARED_DATA, R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        struct graph *graph = import_shared(networks[i]), *again;
        struct onnx_file *f = new_model(13); /* for its folder */
        struct error err = {0};
        struct onnx_writer *writer = onnx_writer_create(networks[i], &err);
        const ProtobufCMessage *model;
        uint8_t *bytes;

        assert_non_null(writer);
        onnx_write_graph(writer, graph);
        model = onnx_writer_finish(writer, &err);
        if (model == NULL)
            fail_msg("%s: %s", networks[i], err.text);
        bytes = malloc(protobuf_c_message_get_packed_size(model));
        assert_non_null(bytes);
        write_bytes(f->file.path, bytes, protobuf_c_message_pack(model, bytes));
        free(bytes);
        onnx_writer_destroy(writer);
        again = model_import(&f->file.request, &err);
        if (again == NULL)
            fail_msg("%s: %s", networks[i], err.text);
        assert_int_equal(graph->n_nodes, again->n_nodes);
        for (size_t n = 0; n < graph->n_nodes; n++)
            assert_same_node(graph, again, n);
        graph_destroy(graph);
        graph_destroy(again);
        free_file(&f->file);
    }
}

/* uint8 x -> DequantizeLinear -> Relu -> QuantizeLinear: a float network that a chip feeds with bytes. */
static void quantization_at_the_edges_can_be_removed(void **state)
{
    static const char *const types[] = {"Quantize", "Dequantize"};

    (void)state;
    for (int is_removed = 0; is_removed < 2; is_removed++) {
        struct onnx_file *f = new_model(13);
        struct graph *graph;

        add_input(f, "x", 1, 3, 4, 4)->elem_type = TYPE(UINT8);
        add_number(f, "scale", 0.5f);
        add_node(f, "DequantizeLinear", "in", "x scale", "y");
        add_node(f, "Relu", "relu", "y", "z");
        add_node(f, "QuantizeLinear", "out", "z scale", "q");
        add_output(f, "q");
        if (is_removed) {
            f->file.request.remove = (struct edge_nodes){.n_types = 2, .types = types};
            graph = must_import(f);
            assert_int_equal(graph->n_nodes, 1);
            assert_string_equal(graph->values[graph->inputs[0]].name, "y");
            graph_destroy(graph);
        } else {
            assert_refused(f, EX_UNAVAILABLE, "node \"in\"", "DequantizeLinear", "from uint8 to float32");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_and_values_keep_their_names),
        cmocka_unit_test(nodes_without_a_name_or_with_a_taken_one_get_their_own),
        cmocka_unit_test(initializers_listed_as_inputs_are_no_inputs),
        cmocka_unit_test(a_fixed_batch_becomes_one_record_in_reshapes_too),
        cmocka_unit_test(requested_shapes_fill_open_axes_and_override_others),
        cmocka_unit_test(what_the_requested_outputs_do_not_need_is_not_looked_at),
        cmocka_unit_test(raw_data_of_every_type_is_decoded),
        cmocka_unit_test(typed_arrays_mean_the_same_as_raw_data),
        cmocka_unit_test(external_data_is_read_at_its_offset),
        cmocka_unit_test(external_data_outside_the_folder_or_the_file_is_refused),
        cmocka_unit_test(every_fault_is_named),
        cmocka_unit_test(messages_nested_deeper_than_64_are_refused),
        cmocka_unit_test(files_cut_anywhere_or_with_any_byte_changed_do_no_harm),
        cmocka_unit_test(the_conformance_models_import_or_are_refused_with_a_reason),
        cmocka_unit_test(real_networks_import_and_normalise),
        cmocka_unit_test(what_is_written_imports_again_to_an_equal_graph),
        cmocka_unit_test(quantization_at_the_edges_can_be_removed),
    };

    return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
