/* test_torch.c — PyTorch checkpoints: what PyTorch wrote is read, what we write is what it would have written, and
 * nothing that a stranger puts into a pickle is run, believed or paid for. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/model.h"
#include "formats/torch/pickle.h"
#include "formats/torch/torch.h"
#include "formats/torch/weights.h"
#include "torch_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

static struct torch_state *must_read(const char *path)
{
    struct error err = {0};
    struct torch_state *state = torch_read(path, &err);

    if (state == NULL)
        fail_msg("%s", err.text);
    return state;
}

static const struct tensor *must_find(const struct torch_state *state, const char *name)
{
    const struct torch_tensor *found = torch_find(state, name);

    if (found == NULL)
        fail_msg("there is no tensor \"%s\"", name);
    return &found->tensor;
}

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

static const char *const containers[] = {"legacy", "zip"};

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

/* ---- Pickles by hand */

/* One storage "0" of four floats; the tensors in each pickle refer to it. */
#define STORAGE_OF(class, key, n)       "(X\7\0\0\0storagec" class "\nX\1\0\0\0" key "X\3\0\0\0cpu" n "NtQ"
#define STORAGE                         STORAGE_OF("torch\nFloatStorage", "0", "K\4")
#define TENSOR(storage, offset, layout) "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset layout "\x89}tR"
#define GOOD                            TENSOR(STORAGE, "K\0", "K\4\x85K\1\x85")
#define NO_KEYS                         "\x80\2]."
#define KEYS                                                                                                           \
    "\x80\2](U\1"                                                                                                      \
    "0e."
#define STATE(tensor) "\x80\2}X\1\0\0\0a" tensor "s."

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

/* ---- What strangers write */

static void assert_refused(const char *what, const char *path, int code, const char *text)
{
    struct error err = {0};
    struct torch_state *state = torch_read(path, &err);

    if (state != NULL)
        fail_msg("%s: was read", what);
    if (err.code != code || strstr(err.text, text) == NULL)
        fail_msg("%s: expected %d with \"%s\", found %d: %s", what, code, text, err.code, err.text);
    assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
}

static void broken_pickles_are_refused_by_name(void **unused)
{
    static const struct {
        const char *what, *object;
        size_t size;
        int code;
        const char *text;
    } cases[] = {
#define CASE(what, object, code, text) {what, object, sizeof object - 1, code, text}
        /* Calls. */
        CASE("a command is run", "\x80\2cposix\nsystem\nX\4\0\0\0true\x85R.", EX_DATAERR, "call posix.system"),
        CASE("in a tensor's place", STATE("cos\nsystem\nX\4\0\0\0true\x85R"), EX_DATAERR, "call os.system"),
        CASE("by protocol 4", "\x80\4X\5\0\0\0posixX\6\0\0\0system\x93)R.", EX_DATAERR, "call posix.system"),
        CASE("eval",
             "\x80\2c__builtin__\neval\nX\1\0\0\0"
             "1\x85R.",
             EX_DATAERR, "call __builtin__.eval"),
        CASE("a call of a result", "\x80\2ccollections\nOrderedDict\n)R)R.", EX_DATAERR, "call collections.Ordered"),
        CASE("a call of a number", "\x80\2K\1)R.", EX_DATAERR, "call something"),
        CASE("a method of a tensor", STATE("c__builtin__\ngetattr\n" GOOD "X\5\0\0\0numpy\x86R"), EX_DATAERR,
             "getattr"),
        CASE("INST", "\x80\2(iposix\nsystem\n.", EX_DATAERR, "opcode 0x69"),
        CASE("OBJ", "\x80\2(cposix\nsystem\no.", EX_DATAERR, "opcode 0x6f"),
        CASE("an extension", "\x80\2\x82\1.", EX_DATAERR, "opcode 0x82"),
        CASE("an instance of a stranger's class", "\x80\2cevil\nClass\n)\x81}b.", EX_DATAERR, "evil.Class"),
        CASE("an instance of a number", "\x80\2K\1)\x81.", EX_DATAERR, "no class"),
        /* The machine. */
        CASE("protocol 0", "I1\n.", EX_DATAERR, "opcode 0x49"),
        CASE("protocol 7", "\x80\7N.", EX_DATAERR, "protocol"),
        CASE("nothing on the stack", "\x80\2.", EX_DATAERR, "0 values"),
        CASE("two values at the end", "\x80\2NN.", EX_DATAERR, "2 values"),
        CASE("an open container at the end", "\x80\2N(.", EX_DATAERR, "values on the stack"),
        CASE("an end without a beginning", "\x80\2t.", EX_DATAERR, "never began"),
        CASE("a pair that reaches below its container", "\x80\2NN(\x86t.", EX_DATAERR, "empty"),
        CASE("a key without a value", "\x80\2}(Nu.", EX_DATAERR, "without a value"),
        CASE("items for a number", "\x80\2K\1(NNu.", EX_DATAERR, "not what this opcode works on"),
        CASE("a state for a dictionary", "\x80\2}}b.", EX_DATAERR, "not what this opcode works on"),
        CASE("a text longer than the file",
             "\x80\2X\xff\xff\xff\xff"
             "abc.",
             EX_DATAERR, "bytes more"),
        CASE("an integer of 4 GiB", "\x80\2\x8b\xff\xff\xff\xff.", EX_DATAERR, "at most 8"),
        CASE("a line without end", "\x80\2cposix.", EX_DATAERR, "end of a line"),
        CASE("a memo index of 2^31", "\x80\2Nr\xff\xff\xff\x7f.", EX_DATAERR, "memo index"),
        CASE("a memo entry that is not there", "\x80\2h\1.", EX_DATAERR, "nothing was put"),
        CASE("a global of numbers", "\x80\4K\1K\2\x93.", EX_DATAERR, "not texts"),
        /* Storages. */
        CASE("an element type that we do not have",
             STATE(TENSOR(STORAGE_OF("torch\nComplexFloatStorage", "0", "K\4"), "K\0", "))")), EX_UNAVAILABLE,
             "torch.ComplexFloatStorage"),
        CASE("a class of the wrong module", STATE(TENSOR(STORAGE_OF("evil\nFloatStorage", "0", "K\4"), "K\0", "))")),
             EX_UNAVAILABLE, "evil.FloatStorage"),
        CASE("more elements than there are", STATE(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", "K\5"), "K\0", "))")),
             EX_DATAERR, "expected a count and 20 bytes"),
        CASE("fewer", STATE(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", "K\3"), "K\0", "))")), EX_DATAERR,
             "expected 3 elements"),
        CASE("2^62 elements",
             STATE(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", "\x8a\x8\0\0\0\0\0\0\0\x40"), "K\0", "))")),
             EX_DATAERR, "elements"),
        CASE("a negative number of elements",
             STATE(TENSOR(STORAGE_OF("torch\nFloatStorage", "0", "J\xff\xff\xff\xff"), "K\0", "))")), EX_DATAERR,
             "persistent id"),
        CASE("a storage that is not there", STATE(TENSOR(STORAGE_OF("torch\nFloatStorage", "7", "K\4"), "K\0", "))")),
             EX_DATAERR, "in no tensor"),
        CASE("one storage of two types", "\x80\2(" STORAGE STORAGE_OF("torch\nIntStorage", "0", "K\4") "t.", EX_DATAERR,
             "storage \"0\""),
        CASE("a tensor of a number", STATE(TENSOR("K\1", "K\0", "))")), EX_DATAERR, "no storage"),
        /* Shapes. */
        CASE("an offset past the end", STATE(TENSOR(STORAGE, "K\4", "))")), EX_DATAERR, "reaches beyond"),
        CASE("a negative offset", STATE(TENSOR(STORAGE, "J\xff\xff\xff\xff", "))")), EX_DATAERR, "offset"),
        CASE("a size past the end", STATE(TENSOR(STORAGE, "K\0", "K\5\x85K\1\x85")), EX_DATAERR, "reaches beyond"),
        CASE("strides past the end", STATE(TENSOR(STORAGE, "K\0", "K\2\x85K\4\x85")), EX_DATAERR, "reaches beyond"),
        CASE("strides that overflow",
             STATE(TENSOR(STORAGE, "K\1", "K\3\x85\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f\x85")), EX_DATAERR,
             "reaches beyond"),
        CASE("a negative size", STATE(TENSOR(STORAGE, "K\0", "J\xff\xff\xff\xff\x85K\1\x85")), EX_DATAERR, "negative"),
        CASE("more sizes than strides", STATE(TENSOR(STORAGE, "K\0", "K\1K\1\x86K\1\x85")), EX_DATAERR,
             "as many strides"),
        CASE("nine axes", STATE(TENSOR(STORAGE, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)")), EX_UNAVAILABLE,
             "more than 8"),
        CASE("one number, a hundred million times", STATE(TENSOR(STORAGE, "K\0", "J\0\0\0\6\x85K\0\x85")), EX_DATAERR,
             "64 times the size"),
        CASE("one number, 2^40 times", STATE(TENSOR(STORAGE, "K\0", "\x8a\6\0\0\0\0\0\1\x85K\0\x85")), EX_DATAERR,
             "2^31"),
        CASE("a size that is a text", STATE(TENSOR(STORAGE, "K\0", "X\1\0\0\0a\x85K\1\x85")), EX_DATAERR, "no number"),
        CASE("too few arguments", STATE("ctorch._utils\n_rebuild_tensor_v2\n" STORAGE "\x85R"), EX_DATAERR, "tuple"),
        /* Names. */
        CASE("nothing", "\x80\2}.", EX_DATAERR, "no named tensors"),
        CASE("a list", "\x80\2](" GOOD "e.", EX_DATAERR, "no named tensors"),
        CASE("two tensors of one name", "\x80\2}X\1\0\0\0a" GOOD "sX\1\0\0\0a" GOOD "s.", EX_DATAERR, "called \"a\""),
        CASE("a name with a zero byte", "\x80\2}X\3\0\0\0a\0b" GOOD "s.", EX_DATAERR, "zero byte"),
        CASE("a dictionary in itself", "\x80\2}q\0X\1\0\0\0a" GOOD "sX\1\0\0\0bh\0s.", EX_DATAERR, "nested deeper"),
#undef CASE
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (memmem(cases[i].object, cases[i].size, "storage", strlen("storage")) != NULL)
            write_legacy("case.pth", cases[i].object, cases[i].size, KEYS, sizeof KEYS - 1);
        else
            write_legacy("case.pth", cases[i].object, cases[i].size, NO_KEYS, sizeof NO_KEYS - 1);
        assert_refused(cases[i].what, in_root("case.pth"), cases[i].code, cases[i].text);
    }
    write_legacy("case.pth", STATE(GOOD), sizeof STATE(GOOD) - 1, KEYS, sizeof KEYS - 1);
    torch_destroy(must_read(in_root("case.pth"))); /* the tensor that all of them change is a good one */
}

static void a_command_in_a_pickle_is_not_run(void **unused)
{
    char object[512];
    int n = snprintf(object, sizeof object, "%ccposix\nsystem\n(U%ctouch %stR.", 2, (int)strlen(in_root("ran")) + 6,
                     in_root("ran"));

    (void)unused;
    memmove(object + 1, object, (size_t)n);
    object[0] = (char)0x80;
    write_legacy("case.pth", object, (size_t)n + 1, "\x80\2].", 4);
    assert_refused("a command", in_root("case.pth"), EX_DATAERR, "posix.system");
    assert_int_not_equal(access(in_root("ran"), F_OK), 0);
}

/* `n` times `unit`, between `begin` and `end`. */
static void write_repeated(const char *begin, const char *unit, size_t n, const char *end)
{
    struct text object = {0};

    put_string(&object, begin);
    for (size_t i = 0; i < n; i++)
        put_string(&object, unit);
    put_string(&object, end);
    write_legacy("case.pth", (const char *)object.data, object.size, "\x80\2].", 4);
    free(object.data);
}

/* {"a": {"a": ... {"a": tensor}}}, n levels; where is_doubled, each level has the next one under "b" as well: 2^n
 * tensors out of one. */
static void write_nested(uint8_t n, bool is_doubled)
{
    struct text object = {0};

    put(&object, "\x80\2", 2);
    for (uint8_t i = 0; i < n; i++)
        put(&object, (const char[]){'}', 'q', (char)i, 'U', 1, 'a'}, 6);
    put(&object, GOOD "s", sizeof GOOD);
    for (uint8_t i = n - 1; i > 0; i--) {
        put(&object, "s", 1);
        if (is_doubled)
            put(&object, (const char[]){'U', 1, 'b', 'h', (char)i, 's'}, 6);
    }
    put(&object, ".", 1);
    write_legacy("case.pth", (const char *)object.data, object.size, KEYS, sizeof KEYS - 1);
    free(object.data);
}

static void depth_is_bounded(void **unused)
{
    (void)unused;
    write_repeated("\x80\2", "(", 10000, ".");
    assert_refused("10,000 containers", in_root("case.pth"), EX_DATAERR, "nested deeper than 64");
    write_repeated("\x80\2N", "\x85", 100000, ".");
    assert_refused("100,000 tuples", in_root("case.pth"), EX_DATAERR, "no named tensors");
    write_nested(64, false);
    torch_destroy(must_read(in_root("case.pth")));
    write_nested(65, false);
    assert_refused("65 dictionaries", in_root("case.pth"), EX_DATAERR, "nested deeper than 64");
}

static void a_small_pickle_does_not_unfold_into_a_large_state(void **unused)
{
    struct torch_state *state;

    (void)unused;
    write_nested(5, true);
    state = must_read(in_root("case.pth"));
    assert_int_equal(state->n, 16);
    torch_destroy(state);
    write_nested(40, true);
    assert_refused("2^39 tensors", in_root("case.pth"), EX_DATAERR, "contain each other");
}

static bool never(const struct pickle *pickle, int global)
{
    (void)pickle;
    (void)global;
    return false;
}

static void the_machine_keeps_to_its_budget(void **unused)
{
    uint8_t lists[1024];
    struct pickle pickle;
    struct error err = {0};
    size_t end;

    (void)unused;
    memset(lists, ']', sizeof lists);
    assert_int_equal(pickle_read(&pickle, lists, sizeof lists, 4096, never, &end, &err), -1);
    assert_non_null(strstr(err.text, "4096 bytes of memory"));
    pickle_fini(&pickle);
}

/* Every beginning of a file is refused, and every file with one byte changed is either refused or read. */
static void damaged_files_are_refused_or_read(void **unused)
{
    static const char *const names[] = {"views", "checkpoint", "module"};

    (void)unused;
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        struct text file = {0};
        char path[512];

        snprintf(path, sizeof path, TESTS "/formats/torch/%s.%s.pth", names[i / 2], containers[i % 2]);
        read_text(path, &file);
        for (size_t n = 0; n < file.size; n += n < 64 ? 1 : 13) {
            write_bytes("cut.pth", file.data, n);
            assert_null(torch_read(in_root("cut.pth"), NULL));
        }
        for (size_t n = 0; n < file.size; n += 3) {
            struct error err = {0};
            struct torch_state *state;

            file.data[n] ^= (uint8_t)(1 << n % 8);
            write_bytes("flipped.pth", file.data, file.size);
            file.data[n] ^= (uint8_t)(1 << n % 8);
            state = torch_read(in_root("flipped.pth"), &err);
            if (state == NULL) {
                assert_true(err.code == EX_DATAERR || err.code == EX_UNAVAILABLE);
                assert_true(strlen(err.text) > 20);
            }
            torch_destroy(state);
        }
        free(file.data);
    }
}

/* ---- Zip archives */

static const char zip_object[] = STATE(TENSOR("(U\7storagectorch\nFloatStorage\nU\1"
                                              "0U\3cpuK\4tQ",
                                              "K\0", "K\4\x85K\1\x85"));
static const float zip_elements[4] = {0, 1, 2, 3};
#define OBJECT                                                                                                         \
    {                                                                                                                  \
        .name = "a/data.pkl", .data = zip_object, .size = sizeof zip_object - 1                                        \
    }
#define ELEMENTS .name = "a/data/0", .data = zip_elements, .size = sizeof zip_elements

static void zip_archives_are_believed_only_where_they_agree(void **unused)
{
    static const struct {
        const char *what;
        struct zip_member members[3];
        size_t n;
        int code;
        const char *text;
    } cases[] = {
        {"no pickle", {{ELEMENTS}}, 1, EX_DATAERR, "found 0"},
        {"two pickles", {OBJECT, {ELEMENTS}, {"b/data.pkl", "N.", 2, 0, 0, 0}}, 3, EX_DATAERR, "found 2"},
        {"two members of one name", {OBJECT, {ELEMENTS}, {ELEMENTS}}, 3, EX_DATAERR, "zip"},
        {"no elements", {OBJECT}, 1, EX_DATAERR, "no member \"a/data/0\""},
        {"elements of another root", {OBJECT, {"b/data/0", zip_elements, 16, 0, 0, 0}}, 2, EX_DATAERR, "no member"},
        {"too few bytes",
         {OBJECT, {"a/data/0", zip_elements, 12, 0, 0, 0}},
         2,
         EX_DATAERR,
         "expected 16 bytes, found 12"},
        {"a checksum that is wrong", {OBJECT, {ELEMENTS, .crc_error = 1}}, 2, EX_DATAERR, "checksum"},
        {"a local size that differs", {OBJECT, {ELEMENTS, .local_size = 12}}, 2, EX_DATAERR, "zip"},
        {"a size beyond the file",
         {OBJECT, {ELEMENTS, .local_size = 1u << 30, .directory_size = 1u << 30}},
         2,
         EX_DATAERR,
         ""},
        {"big-endian numbers",
         {OBJECT, {ELEMENTS}, {"a/byteorder", "big", 3, 0, 0, 0}},
         3,
         EX_UNAVAILABLE,
         "little-endian"},
        {"a program", {OBJECT, {ELEMENTS}, {"a/constants.pkl", ").", 2, 0, 0, 0}}, 3, EX_UNAVAILABLE, "TorchScript"},
    };
    const struct zip_member good[] = {OBJECT, {ELEMENTS}};

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_zip("case.pth", cases[i].members, cases[i].n);
        assert_refused(cases[i].what, in_root("case.pth"), cases[i].code, cases[i].text);
    }
    write_zip("case.pth", good, 2);
    torch_destroy(must_read(in_root("case.pth")));
}

/* Names that would lead elsewhere as paths are only names. */
static void names_in_a_zip_archive_are_not_paths(void **unused)
{
    const struct zip_member members[] = {
        {.name = "../../../tmp/a/data.pkl", .data = zip_object, .size = sizeof zip_object - 1},
        {.name = "../../../tmp/a/data/0", .data = zip_elements, .size = sizeof zip_elements},
        {.name = "/etc/passwd", .data = "x", .size = 1},
    };
    struct torch_state *state;

    (void)unused;
    write_zip("case.pth", members, 3);
    state = must_read(in_root("case.pth"));
    assert_true(tensor_real(must_find(state, "a"), 3) == 3);
    torch_destroy(state);
}

/* The first member holds the second one, header and all: bytes are sold twice. */
static void overlapping_members_are_refused(void **unused)
{
    static const uint8_t zeros[1000];
    const struct zip_member inner = {.name = "a/data/1", .data = zeros, .size = sizeof zeros};
    struct zip_member outer = {.name = "a/data.pkl"};
    struct text inside = {0}, zip = {0};
    size_t position, directory;

    (void)unused;
    put_zip_local(&inside, &inner);
    put(&inside, zeros, sizeof zeros);
    outer.data = inside.data;
    outer.size = inside.size;
    put_zip_local(&zip, &outer);
    position = zip.size;
    put(&zip, inside.data, inside.size);
    directory = zip.size;
    put_zip_central(&zip, &outer, 0);
    put_zip_central(&zip, &inner, position);
    put_zip_end(&zip, directory, 2);
    write_text("case.pth", &zip);
    free(inside.data);
    assert_refused("overlap", in_root("case.pth"), EX_DATAERR, "overlap");
}

/* 100 MiB of zeros in 100 KB of file, by libzip itself. */
static void a_compressed_member_is_read_and_a_zip_bomb_is_not(void **unused)
{
    static uint8_t zeros[100 << 20];
    const char *names[] = {"a/data.pkl", "a/data/0"};
    const void *contents[] = {zip_object, zip_elements};
    const size_t sizes[] = {sizeof zip_object - 1, sizeof zip_elements};

    (void)unused;
    for (int is_bomb = 0; is_bomb < 2; is_bomb++) {
        zip_t *zip = zip_open(in_root(is_bomb ? "bomb.pth" : "good.pth"), ZIP_CREATE, NULL);

        assert_non_null(zip);
        for (size_t i = 0; i < 2; i++) {
            zip_source_t *source = is_bomb && i == 0 ? zip_source_buffer(zip, zeros, sizeof zeros, 0)
                                                     : zip_source_buffer(zip, contents[i], sizes[i], 0);
            zip_int64_t index = zip_file_add(zip, names[i], source, 0);

            assert_true(index >= 0);
            assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_DEFLATE, 1), 0);
        }
        assert_int_equal(zip_close(zip), 0);
    }
    torch_destroy(must_read(in_root("good.pth")));
    assert_refused("a bomb", in_root("bomb.pth"), EX_DATAERR, "64 times the size");
}

static void what_is_no_checkpoint_is_said_to_be_none(void **unused)
{
    (void)unused;
    write_bytes("case.pth", "hello", 5);
    assert_refused("a text", in_root("case.pth"), EX_DATAERR, "no PyTorch checkpoint");
    write_bytes("case.pth", "", 0);
    assert_refused("nothing", in_root("case.pth"), EX_DATAERR, "no PyTorch checkpoint");
    assert_refused("no file", in_root("absent.pth"), EX_NOINPUT, "cannot be opened");
    assert_false(torch_weights_recognise(in_root("absent.pth")));
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
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
        TEST(broken_pickles_are_refused_by_name),
        TEST(a_command_in_a_pickle_is_not_run),
        TEST(depth_is_bounded),
        TEST(a_small_pickle_does_not_unfold_into_a_large_state),
        TEST(the_machine_keeps_to_its_budget),
        TEST(damaged_files_are_refused_or_read),
        TEST(zip_archives_are_believed_only_where_they_agree),
        TEST(names_in_a_zip_archive_are_not_paths),
        TEST(overlapping_members_are_refused),
        TEST(a_compressed_member_is_read_and_a_zip_bomb_is_not),
        TEST(what_is_no_checkpoint_is_said_to_be_none),
        TEST(names_match_with_and_without_what_all_of_them_begin_with),
        TEST(half_precision_becomes_float),
        TEST(a_genuine_checkpoint_holds_what_its_onnx_export_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
