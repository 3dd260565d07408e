/* test_lmdb_index.c — ordinals of an LMDB: found once, usable elsewhere, never believed blindly. */
#include "image_files.h"

#include "formats/record.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_index.h"
#include "formats/records/lmdb_write.h"

/* Records 1x1x1 under "<prefix>%06u", whose label is their number. */
static void write_records(const char *folder, const char *prefix, unsigned n)
{
    struct error err = {0};
    struct lmdb_writer *writer = lmdb_writer_open(folder, &err);

    for (unsigned i = 0; writer != NULL && i < n; i++) {
        struct datum datum = {
            .channels = 1, .height = 1, .width = 1, .label = i, .data = (const uint8_t *)"p", .size = 1};
        uint8_t message[128];
        char key[32];

        snprintf(key, sizeof key, "%s%06u", prefix, i);
        if (lmdb_writer_put(writer, key, message, datum_write(&datum, NULL, message), &err) < 0)
            break;
    }
    if (err.code != 0 || lmdb_writer_commit(writer, &err) < 0)
        fail_msg("%s", err.text);
}

static struct dataset *open_with(const char *folder, const void *index, size_t size, struct error *err)
{
    struct dataset_request request = {.kind = "lmdb", .path = folder, .index = index, .index_size = size};

    assert_true(dataset_has_index(&request));
    return dataset_open(&request, err);
}

static void an_index_made_elsewhere_finds_every_record(void **state)
{
    static const unsigned counts[] = {1, 31, 32, 33, 64, 1000};
    struct place place = place_create();

    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        char name[16];
        struct dataset *first, *second;
        struct dataset_cursor *cursor;
        struct record record = {0};
        void *bytes;
        size_t size;
        char a[65], b[65];

        snprintf(name, sizeof name, "db%zu", c);
        write_records(in_place(&place, name), "k", counts[c]);
        first = open_with(in_place(&place, name), NULL, 0, NULL);
        assert_non_null(first);
        assert_int_equal(dataset_index(first, &bytes, &size, NULL), 0);
        second = open_with(in_place(&place, name), bytes, size, NULL);
        free(bytes);
        assert_non_null(second);
        assert_int_equal(dataset_count(second), counts[c]);
        cursor = dataset_cursor_open(second, NULL);
        for (uint64_t i = counts[c]; i-- > 0;) {
            assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
            assert_int_equal(record.label, i);
        }
        assert_int_equal(dataset_fingerprint(first, a, NULL), 0);
        assert_int_equal(dataset_fingerprint(second, b, NULL), 0);
        assert_string_equal(a, b);
        record_fini(&record);
        dataset_cursor_close(cursor);
        dataset_close(first);
        dataset_close(second);
    }
    place_destroy(&place);
}

static void a_damaged_index_is_an_error_or_finds_records(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct record record = {0};
    struct dataset *dataset;
    uint8_t *bytes;
    size_t size;

    (void)state;
    write_records(folder, "k", 100);
    dataset = open_with(folder, NULL, 0, NULL);
    assert_int_equal(dataset_index(dataset, (void **)&bytes, &size, NULL), 0);
    dataset_close(dataset);
    for (size_t i = 0; i < 2 * size; i++) { /* cut at every length, then one bit flipped at every place */
        struct error err = {0};
        size_t n = i < size ? i : size;

        if (i >= size)
            bytes[i - size] = (uint8_t)(bytes[i - size] ^ 1u << (i % 8));
        dataset = open_with(folder, bytes, n, &err);
        if (dataset == NULL) {
            assert_true(err.code == EX_DATAERR);
        } else {
            struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);

            for (uint64_t r = 0; r < dataset_count(dataset); r++)
                if (dataset_read(cursor, r, &record, &err) == 0)
                    assert_in_range(record.label, 0, 99);
            dataset_cursor_close(cursor);
            dataset_close(dataset);
        }
        if (i >= size)
            bytes[i - size] = (uint8_t)(bytes[i - size] ^ 1u << (i % 8));
    }
    free(bytes);
    record_fini(&record);
    place_destroy(&place);
}

static void the_index_of_another_set_is_refused(void **state)
{
    struct place place = place_create();
    struct error err = {0};
    struct record record = {0};
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    void *bytes;
    size_t size;

    (void)state;
    write_records(in_place(&place, "long"), "k", 100);
    write_records(in_place(&place, "short"), "k", 99);
    write_records(in_place(&place, "other"), "x", 100);
    dataset = open_with(in_place(&place, "long"), NULL, 0, NULL);
    assert_int_equal(dataset_index(dataset, &bytes, &size, NULL), 0);
    dataset_close(dataset);
    assert_null(open_with(in_place(&place, "short"), bytes, size, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "expected the 100 records of its index, found 99"));
    dataset = open_with(in_place(&place, "other"), bytes, size, &err); /* as many, under other keys */
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_read(cursor, 40, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    record_fini(&record);
    free(bytes);
    place_destroy(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_made_elsewhere_finds_every_record),
        cmocka_unit_test(a_damaged_index_is_an_error_or_finds_records),
        cmocka_unit_test(the_index_of_another_set_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
