/* test_torch.c — PyTorch checkpoints: what PyTorch wrote is read, and what we write is what it would have written. What
 * strangers put into them is in test_torch_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/model.h"
#include "formats/torch/torch.h"
#include "formats/torch/weights.h"
#include "torch_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_shape(const struct tensor *tensor, size_t rank, const int64_t *dims)
{
    assert_int_equal(tensor->shape.rank, rank);
    for (size_t i = 0; i < rank; i++)
        assert_int_equal(tensor->shape.dims[i], dims[i]);
}
#define DIMS(...)                                                                                                      \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[])                                                    \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* The file that PyTorch wrote: tests/formats/make_torch_golden.py says what is in it. */
static struct torch_state *golden(const char *name, const char *container)
{
    char path[512];

    snprintf(path, sizeof path, TESTS "/formats/torch/%s.%s.pth", name, container);
    return must_read(path);
}

/* ---- What PyTorch writes */

static void every_element_type_is_read(void **unused)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } types[] = {
        {"float32", DTYPE_FLOAT32},   {"float64", DTYPE_FLOAT64}, {"float16", DTYPE_FLOAT16},
        {"bfloat16", DTYPE_BFLOAT16}, {"int64", DTYPE_INT64},     {"int32", DTYPE_INT32},
        {"int16", DTYPE_INT16},       {"int8", DTYPE_INT8},       {"uint8", DTYPE_UINT8},
        {"bool", DTYPE_BOOL},
    };

    (void)unused;
    for (size_t c = 0; c < 2; c++) {
        struct torch_state *state = golden("types", containers[c]);

        assert_int_equal(state->n, 13);
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            const struct tensor *tensor = must_find(state, types[t].name);

            assert_int_equal(tensor->dtype, types[t].dtype);
            assert_shape(tensor, DIMS(2, 3));
            for (size_t i = 0; i < 6; i++) {
                double expected = dtype_is_real(tensor->dtype)  ? (double)i / 2 - 1
                                  : tensor->dtype == DTYPE_BOOL ? (double)(i % 2)
                                                                : (double)i;

                assert_true(tensor_real(tensor, i) == expected);
            }
        }
        assert_int_equal(must_find(state, "scalar")->shape.rank, 0);
        assert_int_equal(tensor_integer(must_find(state, "scalar"), 0), 41);
        assert_shape(must_find(state, "empty"), DIMS(0, 3));
        assert_shape(must_find(state, "rank 5"), DIMS(1, 2, 1, 3, 2));
        assert_null(torch_find(state, "float"));
        torch_destroy(state);
    }
}

/* The golden's base tensor is 4 x 6: element (r, c) is (6 r + c) / 2 - 1. */
static double base_at(size_t r, size_t c)
{
    return (double)(6 * r + c) / 2 - 1;
}

static void views_of_a_storage_become_contiguous(void **unused)
{
    (void)unused;
    for (size_t container = 0; container < 2; container++) {
        struct torch_state *state = golden("views", containers[container]);

        assert_shape(must_find(state, "transposed"), DIMS(6, 4));
        assert_shape(must_find(state, "rows"), DIMS(2, 6));
        assert_shape(must_find(state, "columns"), DIMS(4, 2));
        assert_shape(must_find(state, "expanded"), DIMS(3, 2));
        assert_shape(must_find(state, "parameter"), DIMS(6));
        for (size_t r = 0; r < 4; r++)
            for (size_t c = 0; c < 6; c++) {
                assert_true(tensor_real(must_find(state, "whole"), r * 6 + c) == base_at(r, c));
                assert_true(tensor_real(must_find(state, "transposed"), c * 4 + r) == base_at(r, c));
            }
        for (size_t i = 0; i < 6; i++) {
            assert_true(tensor_real(must_find(state, "rows"), 6 + i) == base_at(2, i));
            assert_true(tensor_real(must_find(state, "expanded"), i) == base_at(1, i % 2));
            assert_true(tensor_real(must_find(state, "parameter"), i) == base_at(3, i));
        }
        for (size_t i = 0; i < 8; i++)
            assert_true(tensor_real(must_find(state, "columns"), i) == base_at(i / 2, 2 + 2 * (i % 2)));
        torch_destroy(state);
    }
}

/* The network of the goldens, as its state_dict has it. */
static void assert_network(const struct torch_state *state, const char *prefix)
{
    static const struct {
        const char *name;
        size_t n;
    } tensors[] = {
        {"block.conv.weight", 6},
        {"block.conv.bias", 3},
        {"block.bn.weight", 3},
        {"block.bn.bias", 3},
        {"block.bn.running_mean", 3},
        {"block.bn.running_var", 3},
        {"block.bn.num_batches_tracked", 1},
        {"head.1.weight", 6},
    };

    assert_int_equal(state->n, sizeof tensors / sizeof *tensors);
    for (size_t t = 0; t < state->n; t++) {
        const struct tensor *tensor = &state->tensors[t].tensor;
        char name[64];

        snprintf(name, sizeof name, "%s%s", prefix, tensors[t].name);
        assert_string_equal(state->tensors[t].name, name);
        assert_int_equal(shape_elements(&tensor->shape), tensors[t].n);
        for (size_t i = 0; i < tensors[t].n; i++)
            assert_true(tensor_real(tensor, i) == (dtype_is_real(tensor->dtype) ? (double)i / 2 - 1 : (double)i));
    }
}

static void a_checkpoint_is_read_for_its_state_dict(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < 2; c++) {
        struct torch_state *state = golden("checkpoint", containers[c]);

        assert_network(state, "module.");
        torch_destroy(state);
    }
}

static void a_whole_module_is_read_under_the_names_of_its_state_dict(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < 2; c++) {
        struct torch_state *state = golden("module", containers[c]);

        assert_network(state, "");
        torch_destroy(state);
    }
}

static void protocol_4_is_read(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < 2; c++) {
        struct torch_state *state = golden("protocol4", containers[c]);

        assert_shape(must_find(state, "w"), DIMS(2, 2));
        assert_true(tensor_real(must_find(state, "w"), 3) == 0.5);
        torch_destroy(state);
    }
}

static void a_torchscript_archive_is_refused_by_name(void **unused)
{
    struct error err = {0};

    (void)unused;
    assert_null(torch_read(TESTS "/formats/torch/script.zip.pth", &err));
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "TorchScript"));
}

/* ---- What we write */

static void must_write(const struct torch_tensor *tensors, size_t n, const char *name)
{
    struct error err = {0};
    struct output *output = output_open(in_root("out"), &err);

    if (output == NULL || torch_write_legacy(tensors, n, output, name, &err) != 0)
        fail_msg("%s", err.text);
    output_close(output);
}

/* The smallest state_dict, byte by byte as PyTorch 1.13 was seen to read it in both of its modes. */
static void the_legacy_container_is_written_byte_by_byte(void **unused)
{
    static const char expected[] =
        "80028a0a6cfc9c46f9206aa850192e80024de9032e80027d28581000000070726f746f636f6c5f76657273696f6e4de903580d0000006c"
        "6974746c655f656e6469616e88580a000000747970655f73697a65737d28580500000073686f72744b025803000000696e744b04580400"
        "00006c6f6e674b0475752e800263636f6c6c656374696f6e730a4f726465726564446963740a29522858010000007763746f7263682e5f"
        "7574696c730a5f72656275696c645f74656e736f725f76320a2828580700000073746f7261676563746f7263680a466c6f617453746f72"
        "6167650a58010000003058030000006370754b014e74514b004b01854b01858963636f6c6c656374696f6e730a4f726465726564446963"
        "740a29527452752e80025d285801000000306"
        "52e01000000000000000000803f";
    const float one = 1;
    const struct torch_tensor tensor = {"w", {DTYPE_FLOAT32, {1, {1}}, &one}};
    uint8_t written[1024];
    size_t n;
    FILE *file;

    (void)unused;
    must_write(&tensor, 1, "w.pth");
    file = fopen(in_root("out/w.pth"), "rb");
    n = fread(written, 1, sizeof written, file);
    fclose(file);
    assert_int_equal(n, (sizeof expected - 1) / 2);
    for (size_t i = 0; i < n; i++) {
        char hex[3];

        snprintf(hex, sizeof hex, "%02x", written[i]);
        if (memcmp(hex, expected + 2 * i, 2) != 0)
            fail_msg("byte %zu: expected %.2s, found %s", i, expected + 2 * i, hex);
    }
}

static void assert_same_state(const struct torch_state *a, const struct torch_state *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct tensor *x = &a->tensors[i].tensor, *y = &b->tensors[i].tensor;

        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        assert_int_equal(x->dtype, y->dtype);
        assert_true(shape_equal(&x->shape, &y->shape));
        assert_memory_equal(x->data, y->data, (size_t)shape_elements(&x->shape) * dtype_size(x->dtype));
    }
}

static void what_is_written_reads_back(void **unused)
{
    static const char *const names[] = {"types", "views", "checkpoint"};

    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct torch_state *zip = golden(names[i], "zip"), *legacy;

        must_write(zip->tensors, zip->n, "again.pth");
        legacy = must_read(in_root("out/again.pth"));
        assert_same_state(zip, legacy);
        torch_destroy(zip);
        torch_destroy(legacy);
    }
}

/* Extents of an empty tensor may have any product. */
static void a_large_empty_tensor_is_read_and_written(void **unused)
{
#define BILLION  "\x8a\5\0\0\0\x80\0"
#define BILLIONS "(K\0" BILLION BILLION BILLION "t"
    static const char object[] = STATE(TENSOR(STORAGE, "K\0", BILLIONS "(K\0\x8a\x8\0\0\0\0\0\0\0\x40" BILLION "K\1t"));
    struct torch_state *state, *again;

    (void)unused;
    write_legacy("case.pth", object, sizeof object - 1, KEYS, sizeof KEYS - 1);
    state = must_read(in_root("case.pth"));
    assert_shape(must_find(state, "a"), DIMS(0, INT64_C(1) << 31, INT64_C(1) << 31, INT64_C(1) << 31));
    must_write(state->tensors, state->n, "again.pth");
    again = must_read(in_root("out/again.pth"));
    assert_same_state(state, again);
    torch_destroy(state);
    torch_destroy(again);
}

static void what_pytorch_has_no_type_for_is_not_written(void **unused)
{
    const uint16_t one = 1;
    const struct torch_tensor tensor = {"w", {DTYPE_UINT16, {1, {1}}, &one}};
    struct output *output = output_open(in_root("out"), NULL);
    struct error err = {0};

    (void)unused;
    assert_int_equal(torch_write_legacy(&tensor, 1, output, "w.pth", &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    output_close(output);
}

/* ---- As weights of a network */

static void names_match_with_and_without_what_all_of_them_begin_with(void **unused)
{
    struct torch_weights *weights = torch_weights_open(TESTS "/formats/torch/checkpoint.zip.pth", NULL);
    struct arena *arena = arena_create(NULL);
    const struct shape six = {1, {6}}, head = {2, {2, 3}};
    const float *values;
    struct error err = {0};

    (void)unused;
    assert_true(torch_weights_has(weights, "module.head.1.weight"));
    assert_true(torch_weights_has(weights, "head.1.weight"));
    assert_false(torch_weights_has(weights, "1.weight"));
    assert_int_equal(torch_weights_read(weights, "head.1.weight", &head, arena, &values, &err), 0);
    for (size_t i = 0; i < 6; i++)
        assert_true(values[i] == (float)i / 2 - 1);
    assert_int_equal(torch_weights_read(weights, "head.1.weight", &six, arena, &values, &err), -1);
    assert_non_null(strstr(err.text, "expected shape 6, found 2x3"));
    assert_int_equal(torch_weights_read(weights, "head.2.weight", &six, arena, &values, &err), -1);
    assert_non_null(strstr(err.text, "\"head.2.weight\""));
    assert_int_equal(torch_weights_finish(weights, &err), -1);
    assert_non_null(strstr(err.text, "6 of its 8 tensors have no place in the network: \"module.block.conv.weight\""));
    arena_destroy(arena);
    torch_weights_close(weights);
}

static void half_precision_becomes_float(void **unused)
{
    struct torch_weights *weights = torch_weights_open(TESTS "/formats/torch/types.zip.pth", NULL);
    struct arena *arena = arena_create(NULL);
    const char *const names[] = {"float16", "bfloat16", "float64"};
    const struct shape shape = {2, {2, 3}};

    (void)unused;
    for (size_t t = 0; t < 3; t++) {
        const float *values;

        assert_int_equal(torch_weights_read(weights, names[t], &shape, arena, &values, NULL), 0);
        for (size_t i = 0; i < 6; i++)
            assert_true(values[i] == (float)i / 2 - 1);
    }
    arena_destroy(arena);
    torch_weights_close(weights);
}

/* ---- A genuine file: Python 2 style pairs, DataParallel, _rebuild_tensor */

static void a_genuine_checkpoint_holds_what_its_onnx_export_holds(void **unused)
{
    const char *path = SHARED_DATA "/resnet20/resnet20-12fca82f.th";
    struct model_request request = {.file = SHARED_DATA "/resnet20/resnet20_torch_opset13_bn.onnx"};
    struct torch_weights *weights;
    struct graph *graph;
    size_t n = 0;

    (void)unused;
    if (access(path, R_OK) != 0)
        skip();
    weights = torch_weights_open(path, NULL);
    graph = model_import(&request, NULL);
    assert_non_null(weights);
    assert_non_null(graph);
    for (size_t i = 0; i < graph->n_values; i++) {
        const struct value *value = &graph->values[i];
        const float *values;

        if (!value->is_constant || !torch_weights_has(weights, value->name))
            continue;
        assert_int_equal(torch_weights_read(weights, value->name, &value->shape, graph->arena, &values, NULL), 0);
        assert_memory_equal(values, value->data, (size_t)shape_elements(&value->shape) * sizeof *values);
        n++;
    }
    assert_int_equal(n, 21); /* 19 convolutions, and weight and bias of the classifier; BatchNormalization is folded */
    graph_destroy(graph);
    torch_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_element_type_is_read),
        TEST(views_of_a_storage_become_contiguous),
        TEST(a_checkpoint_is_read_for_its_state_dict),
        TEST(a_whole_module_is_read_under_the_names_of_its_state_dict),
        TEST(protocol_4_is_read),
        TEST(a_torchscript_archive_is_refused_by_name),
        TEST(the_legacy_container_is_written_byte_by_byte),
        TEST(what_is_written_reads_back),
        TEST(a_large_empty_tensor_is_read_and_written),
        TEST(what_pytorch_has_no_type_for_is_not_written),
        TEST(names_match_with_and_without_what_all_of_them_begin_with),
        TEST(half_precision_becomes_float),
        TEST(a_genuine_checkpoint_holds_what_its_onnx_export_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
