/* test_arrays.c — arrays of numbers as datasets (npy, bin, idx, txt): types, orders, labels, and every way to be
 * damaged. What NumPy itself writes is read in tests/e2e/sources.sh.
 */
#include "image_files.h"

#include "formats/record.h"
#include "formats/records/elements.h"

static struct dataset *must_open(const struct dataset_request *request)
{
    struct error err = {0};
    struct dataset *dataset = dataset_open(request, &err);

    if (dataset == NULL)
        fail_msg("%s", err.text);
    return dataset;
}

static void refused(const struct dataset_request *request, int code, const char *said)
{
    struct error err = {0};
    struct dataset *dataset = dataset_open(request, &err);

    if (dataset != NULL)
        fail_msg("expected \"%s\", was opened", said);
    assert_int_equal(err.code, code);
    if (strstr(err.text, said) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", said, err.text);
}

/* A .npy of version 1 with the given header and contents. */
static const char *write_npy(const struct place *place, const char *name, const char *header, const void *data,
                             size_t size)
{
    const char *path = in_place(place, name);
    uint8_t file[512] = "\x93NUMPY\1";
    size_t length = strlen(header);

    assert_true(10 + length + size <= sizeof file);
    file[7] = 0;
    file[8] = (uint8_t)length;
    file[9] = 0;
    memcpy(file + 10, header, length);
    if (size > 0)
        memcpy(file + 10 + length, data, size);
    write_file(path, file, 10 + length + size);
    return path;
}

/* Record `ordinal` has the dims and, as floats or bytes, the values. */
static void check_record(struct dataset *dataset, uint64_t ordinal, const size_t dims[3], const float *values)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    struct error err = {0};

    if (dataset_read(cursor, ordinal, &record, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(record.channels, dims[0]);
    assert_int_equal(record.height, dims[1]);
    assert_int_equal(record.width, dims[2]);
    assert_true(record.digest != 0);
    for (size_t i = 0; i < dims[0] * dims[1] * dims[2]; i++)
        assert_true((record.is_float ? record.values[i] : record.bytes[i]) == values[i]);
    record_fini(&record);
    dataset_cursor_close(cursor);
}

static void bad_record(struct dataset *dataset, uint64_t ordinal, const char *said)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    struct error err = {0};

    assert_int_equal(dataset_read(cursor, ordinal, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    if (strstr(err.text, said) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", said, err.text);
    record_fini(&record);
    dataset_cursor_close(cursor);
}

static void records_lie_along_the_first_axis(void **state)
{
    static const int16_t values[] = {0, 1, 2, 3, 4, 5, -6, 7, 8, 9, 10, 11};
    static const float second[] = {-6, 7, 8, 9, 10, 11};
    struct place place = place_create();
    struct dataset_request request = {
        .kind = "npy",
        .path = write_npy(&place, "a.npy", "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 1, 2), }", values,
                          sizeof values)};
    struct dataset *dataset = must_open(&request);

    (void)state;
    assert_int_equal(dataset_count(dataset), 2);
    check_record(dataset, 1, (const size_t[]){3, 1, 2}, second);
    dataset_close(dataset);
    place_destroy(&place);
}

static void the_same_bytes_of_another_type_order_or_shape_are_another_dataset(void **state)
{
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 1, 2), }",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2, 1, 2), }",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2, 1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }",
    };
    static const uint8_t values[32] = {0};
    struct place place = place_create();
    char hex[4][65];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct dataset_request request = {.kind = "npy",
                                          .path = write_npy(&place, "a.npy", headers[i], values, sizeof values)};
        struct dataset *dataset = must_open(&request);

        assert_int_equal(dataset_fingerprint(dataset, hex[i], NULL), 0);
        dataset_close(dataset);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(hex[i], hex[k]);
    }
    place_destroy(&place);
}

/* Element (n, i, j) is 100 n + 10 i + j; more records than a window holds, read out of order. */
static void fortrans_order_is_turned(void **state)
{
    enum { N = 150, ROWS = 2, COLUMNS = 3 };
    static uint8_t values[N * ROWS * COLUMNS];
    struct place place = place_create();
    struct dataset_request request = {.kind = "npy", .path = in_place(&place, "f.npy")};
    const char *header = "{\"shape\": (150L, 2, 3), \"fortran_order\": True, \"descr\": '|u1'}";
    uint8_t file[2048] = "\x93NUMPY\2";
    struct dataset *dataset;

    (void)state;
    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < COLUMNS; j++)
                values[n + N * (i + ROWS * j)] = (uint8_t)(n + 10 * i + j);
    file[8] = (uint8_t)strlen(header);
    memcpy(file + 12, header, strlen(header));
    memcpy(file + 12 + strlen(header), values, sizeof values);
    write_file(request.path, file, 12 + strlen(header) + sizeof values);
    dataset = must_open(&request);
    assert_int_equal(dataset_count(dataset), N);
    for (size_t k = 0, n = 7; k < N; k++, n = (n + 61) % N) {
        const float expected[] = {(float)(uint8_t)n,        (float)(uint8_t)(n + 1),  (float)(uint8_t)(n + 2),
                                  (float)(uint8_t)(n + 10), (float)(uint8_t)(n + 11), (float)(uint8_t)(n + 12)};

        check_record(dataset, n, (const size_t[]){1, 2, 3}, expected);
    }
    dataset_close(dataset);
    place_destroy(&place);
}

static void damaged_headers_are_told(void **state)
{
    static const struct {
        const char *header, *said;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "2x3 of float32 needs 12 bytes a record"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 5), }", "the file holds 16 behind byte"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", "needs 8 bytes a record"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }", "expected 1 to 536870912 elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "expected 'descr'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 100000, 100000), }", "expected 1 to 536870912"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "at most 8 dims"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "found a scalar"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 1), }", "found elements of \"<c8\""},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 1), }", "found elements of \"|O\""},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", "expected 'descr' (a plain type)"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", "each once"},
        {"{'descr': '<f4', 'shape': (4,), }", "lacks"},
        {"{'descr': '<f4", "expected 'descr'"},
        {"[]", "is no dictionary"},
    };
    static const float values[4];
    struct place place = place_create();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&(struct dataset_request){.kind = "npy",
                                          .path = write_npy(&place, "a.npy", cases[i].header, values, sizeof values)},
                EX_DATAERR, cases[i].said);
    write_text(in_place(&place, "a.npy"), "PK\3\4 not an array");
    refused(&(struct dataset_request){.kind = "npy", .path = in_place(&place, "a.npy")}, EX_DATAERR, "93 \"NUMPY\"");
    write_text(in_place(&place, "a.npy"), "");
    refused(&(struct dataset_request){.kind = "npy", .path = in_place(&place, "a.npy")}, EX_DATAERR, "93 \"NUMPY\"");
    refused(&(struct dataset_request){.kind = "npy", .path = in_place(&place, "b.npy")}, EX_NOINPUT,
            "cannot be opened");
    place_destroy(&place);
}

static void a_folder_holds_a_record_a_file(void **state)
{
    static const float values[] = {1, 2, 3, 4};
    static const size_t dims[] = {1, 2, 2};
    struct place place = place_create();
    struct dataset_request request = {.kind = "npy", .path = place.folder};
    struct dataset *dataset;

    (void)state;
    refused(&request, EX_DATAERR, "holds no record");
    write_npy(&place, "a.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }", values, 16);
    write_npy(&place, "b.NPY", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }", values, 16);
    write_npy(&place, "c.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }", values, 12);
    write_text(in_place(&place, "d.txt"), "not mine");
    dataset = must_open(&request);
    assert_int_equal(dataset_count(dataset), 3);
    check_record(dataset, 0, dims, values);
    check_record(dataset, 1, dims, values);
    bad_record(dataset, 2, "c.npy: expected 2x2 elements of float32, 16 bytes, found 12");
    dataset_close(dataset);
    place_destroy(&place);
}

static void raw_numbers_are_what_the_job_says(void **state)
{
    static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float second[] = {7, 8, 9, 10, 11, 12};
    struct place place = place_create();
    struct dataset_request request = {.kind = "bin",
                                      .path = in_place(&place, "a.bin"),
                                      .dtype = element_type_find("uint8", NULL),
                                      .shape = {3, {1, 2, 3}},
                                      .is_interleaved = true,
                                      .order = PIXELS_BGR};
    struct dataset *dataset;

    (void)state;
    write_file(request.path, pixels, sizeof pixels);
    dataset = must_open(&request);
    assert_int_equal(dataset_count(dataset), 2);
    check_record(dataset, 1, (const size_t[]){3, 1, 2}, second); /* as stored: pixel by pixel */
    dataset_close(dataset);
    request.shape.dims[2] = 5;
    refused(&request, EX_DATAERR, "expected a multiple of 10 bytes (1x2x5 of uint8), found 12");
    request.shape.dims[2] = 2;
    dataset = must_open(&request);
    bad_record(dataset, 0, "00000000: expected 3 channels, found 2");
    dataset_close(dataset);
    write_text(request.path, "");
    refused(&request, EX_DATAERR, "found 0");
    place_destroy(&place);
}

static int64_t label_at(struct dataset *dataset, uint64_t ordinal)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    int64_t label;

    assert_int_equal(dataset_read(cursor, ordinal, &record, NULL), 0);
    label = record.label;
    record_fini(&record);
    dataset_cursor_close(cursor);
    return label;
}

static void idx_files_have_labels_of_their_own(void **state)
{
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
    static const uint8_t digits[] = {0, 0, 8, 1, 0, 0, 0, 2, 9, 4};
    static const float second[] = {3, 4};
    struct place place = place_create();
    struct dataset_request request = {
        .kind = "idx", .path = in_place(&place, "images"), .labels = in_place(&place, "labels")};
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct record record = {0};

    (void)state;
    write_file(request.path, images, sizeof images);
    write_file(request.labels, digits, sizeof digits);
    dataset = must_open(&request);
    check_record(dataset, 1, (const size_t[]){1, 1, 2}, second);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_read(cursor, 0, &record, NULL), 0);
    assert_int_equal(record.label, 9);
    assert_string_equal(record.key, "00000000");
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    write_text(request.labels, "7\n-1\n");
    dataset_close(must_open(&request));
    write_text(request.labels, "7\n");
    refused(&request, EX_DATAERR, "labels: expected 2 labels, found 1");
    write_text(request.labels, "7 8 9");
    refused(&request, EX_DATAERR, "expected 2 labels, found 3");
    write_text(request.labels, "7 cat");
    refused(&request, EX_DATAERR, "label 1: expected a whole number of -1 to 2147483647");
    write_text(request.labels, "7 -2");
    refused(&request, EX_DATAERR, "label 1: ");
    write_npy(&place, "labels", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", (const float[]){1, 1.5f},
              8);
    refused(&request, EX_DATAERR, "label 1: expected a whole number of -1 to 2147483647, found 1.5");
    write_npy(&place, "labels", "{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }",
              (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 1, 0, 0, 1}, 8);
    dataset = must_open(&request);
    assert_int_equal(label_at(dataset, 0), -1);
    assert_int_equal(label_at(dataset, 1), 16777217); /* no float is */
    dataset_close(dataset);
    write_text(request.labels, "2147483647 2147483648");
    refused(&request, EX_DATAERR, "label 1: ");
    request.labels = NULL;
    write_file(request.path, images, sizeof images - 1);
    refused(&request, EX_DATAERR, "the file holds 3 behind byte 16");
    write_file(request.path, images, 10);
    refused(&request, EX_DATAERR, "dims of four bytes each");
    write_text(request.path, "\x1f\x8b\x08 gzip");
    refused(&request, EX_DATAERR, "found a gzip file: unpack it");
    place_destroy(&place);
}

static void texts_hold_the_numbers_of_a_record(void **state)
{
    static const float values[] = {1, -2.5f, 1e-3f, 4};
    static const struct {
        const char *text, *said;
    } cases[] = {{"1 2 3", "expected 2x2 numbers, found 3"},
                 {"1 2 3 4 5", "expected 2x2 numbers, found 5"},
                 {"1 2 x 4", "number 2: expected a number, found \"?\""},
                 {"1 nan 3 4", "number 1: expected a number"},
                 {"1 0x10 3 4", "number 1: expected a number"},
                 {"1 1.2.3 3 4", "number 1: expected a number"},
                 {"", "expected 2x2 numbers, found 0"}};
    struct place place = place_create();
    struct dataset_request request = {.kind = "txt", .path = place.folder, .shape = {2, {2, 2}}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset *dataset;

        write_text(in_place(&place, "a.txt"), cases[i].text);
        dataset = must_open(&request);
        bad_record(dataset, 0, cases[i].said);
        dataset_close(dataset);
    }
    write_text(in_place(&place, "a.txt"), "  1 -2.5\r\n1e-3\t4\n");
    {
        struct dataset *dataset = must_open(&request);

        check_record(dataset, 0, (const size_t[]){1, 2, 2}, values);
        dataset_close(dataset);
    }
    place_destroy(&place);
}

static void keys_that_a_kind_does_not_take_are_refused(void **state)
{
    const struct element_type *type = element_type_find("int8", NULL);

    (void)state;
    refused(&(struct dataset_request){.kind = "lmdb", .path = "x", .list = "l"}, EX_CONFIG, "\"lmdb\" takes no list");
    refused(&(struct dataset_request){.kind = "images", .path = "x", .labels = "l"}, EX_CONFIG, "takes no labels");
    refused(&(struct dataset_request){.kind = "npy", .path = "x", .dtype = type}, EX_CONFIG, "takes no dtype");
    refused(&(struct dataset_request){.kind = "idx", .path = "x", .list = "l"}, EX_CONFIG, "takes no list");
    refused(&(struct dataset_request){.kind = "images", .path = "x", .order = PIXELS_BGR}, EX_CONFIG,
            "takes no channels");
    assert_null(element_type_find("floaty32", NULL));
    assert_true(dataset_needs_shape(&(struct dataset_request){.kind = "bin", .path = "x"}));
    assert_false(dataset_needs_shape(&(struct dataset_request){.kind = "bin", .path = "x", .shape = {1, {3}}}));
    assert_false(dataset_needs_shape(&(struct dataset_request){.kind = "npy", .path = "x"}));
}

static void a_file_that_changes_is_found_out(void **state)
{
    static const uint8_t images[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 2};
    struct place place = place_create();
    struct dataset_request request = {.kind = "idx", .path = in_place(&place, "images")};
    struct dataset *dataset;
    struct error err = {0};

    (void)state;
    write_file(request.path, images, sizeof images);
    dataset = must_open(&request);
    assert_int_equal(dataset_check_unchanged(dataset, NULL), 0);
    write_file(request.path, images, sizeof images - 1);
    assert_int_equal(dataset_check_unchanged(dataset, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    bad_record(dataset, 1, "expected 1 bytes from byte 9 on, the file ends after 0");
    dataset_close(dataset);
    place_destroy(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_lie_along_the_first_axis),
        cmocka_unit_test(the_same_bytes_of_another_type_order_or_shape_are_another_dataset),
        cmocka_unit_test(fortrans_order_is_turned),
        cmocka_unit_test(damaged_headers_are_told),
        cmocka_unit_test(a_folder_holds_a_record_a_file),
        cmocka_unit_test(raw_numbers_are_what_the_job_says),
        cmocka_unit_test(idx_files_have_labels_of_their_own),
        cmocka_unit_test(texts_hold_the_numbers_of_a_record),
        cmocka_unit_test(keys_that_a_kind_does_not_take_are_refused),
        cmocka_unit_test(a_file_that_changes_is_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
