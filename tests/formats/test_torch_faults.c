/* test_torch_faults.c — nothing that a stranger puts into a checkpoint, pickle or zip archive, is run, believed or paid
 * for. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/torch/pickle.h"
#include "formats/torch/torch.h"
#include "formats/torch/weights.h"
#include "torch_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
