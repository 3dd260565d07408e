/* test_onnx_faults.c — ONNX files that are wrong: every fault is one sentence that names its place, and no bytes do
 * harm. */
#include "onnx_files.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_named),
        cmocka_unit_test(messages_nested_deeper_than_64_are_refused),
        cmocka_unit_test(files_cut_anywhere_or_with_any_byte_changed_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
