/* test_onnx.c — ONNX files as a whole: names and wiring, tensors, strangers' and real networks. What can be wrong with
 * them is in test_onnx_faults.c. */
#define _GNU_SOURCE /* nftw */
#include "onnx_files.h"

#include "common/passes.h"
#include "formats/onnx/write.h"

#include <ftw.h>
#include <sys/stat.h>

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
        cmocka_unit_test(the_conformance_models_import_or_are_refused_with_a_reason),
        cmocka_unit_test(real_networks_import_and_normalise),
        cmocka_unit_test(what_is_written_imports_again_to_an_equal_graph),
        cmocka_unit_test(quantization_at_the_edges_can_be_removed),
    };

    return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}
