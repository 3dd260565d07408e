/* test_lmdb.c — LMDBs of Datum messages: every form of Datum, ordinal access, damage, writing. */
#include "image_files.h"

#include "common/bus_error.h"
#include "common/log.h"
#include "formats/record.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_write.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <sys/wait.h>

/* Builds wire format by hand, apart from datum_write. */
struct message {
    uint8_t bytes[8192];
    size_t size;
};

static void put_varint(struct message *message, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        message->bytes[message->size++] = (uint8_t)(value | 0x80);
    message->bytes[message->size++] = (uint8_t)value;
}

static void put_integer(struct message *message, unsigned field, uint64_t value)
{
    put_varint(message, field << 3);
    put_varint(message, value);
}

static void put_bytes(struct message *message, unsigned field, const void *data, size_t size)
{
    put_varint(message, field << 3 | 2);
    put_varint(message, size);
    memcpy(message->bytes + message->size, data, size);
    message->size += size;
}

static void put_float(struct message *message, unsigned field, float value)
{
    put_varint(message, field << 3 | 5);
    memcpy(message->bytes + message->size, &value, sizeof value);
    message->size += sizeof value;
}

static struct message datum_of(uint64_t channels, uint64_t height, uint64_t width, uint64_t label, const void *data,
                               size_t size)
{
    struct message message = {.size = 0};

    put_integer(&message, 1, channels);
    put_integer(&message, 2, height);
    put_integer(&message, 3, width);
    if (data != NULL)
        put_bytes(&message, 4, data, size);
    put_integer(&message, 5, label);
    return message;
}

static void raw_datums_keep_their_planes_and_are_not_copied(void **state)
{
    static const uint8_t pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const struct {
        uint64_t channels, width;
        enum pixel_order order;
    } cases[] = {{3, 2, PIXELS_BGR}, {1, 6, PIXELS_GRAY}, {2, 3, PIXELS_NONE}};
    struct record record = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct message message = datum_of(cases[i].channels, 2, cases[i].width, 9, pixels, 12);

        assert_int_equal(datum_to_record(message.bytes, message.size, &record, NULL), 0);
        assert_true(record.is_planar && !record.is_float && record.order == cases[i].order && record.label == 9);
        assert_true(record.channels == cases[i].channels && record.height == 2 && record.width == cases[i].width);
        assert_memory_equal(record.bytes, pixels, 12);
        assert_in_range(record.bytes, message.bytes, message.bytes + message.size); /* lent, not copied */
    }
    record_fini(&record);
}

static void float_data_is_read_packed_single_and_mixed(void **state)
{
    static const float values[6] = {0.5f, -1.25f, 3e30f, -0.0f, 1e-40f, 7.0f};

    (void)state;
    for (size_t n_packed = 0; n_packed <= 6; n_packed++) {
        struct message message = datum_of(3, 1, 2, 0, NULL, 0);
        struct record record = {0};

        if (n_packed > 0)
            put_bytes(&message, 6, values, n_packed * sizeof *values);
        for (size_t i = n_packed; i < 6; i++)
            put_float(&message, 6, values[i]);
        assert_int_equal(datum_to_record(message.bytes, message.size, &record, NULL), 0);
        assert_true(record.is_float && record.is_planar && record.order == PIXELS_BGR);
        assert_memory_equal(record.values, values, sizeof values);
        put_bytes(&message, 4, "abcdef", 6); /* data wins */
        assert_int_equal(datum_to_record(message.bytes, message.size, &record, NULL), 0);
        assert_true(!record.is_float);
        assert_memory_equal(record.bytes, "abcdef", 6);
        record_fini(&record);
    }
}

static void encoded_datums_decode_to_bgr(void **state)
{
    struct record record = {0};
    struct message message = {.size = 0}, gray = {.size = 0};
    uint8_t pixels[5 * 4 * 3], *png;
    size_t size;

    (void)state;
    draw_picture(pixels, 5, 4, 3, 1);
    png = encode_png(pixels, 5, 4, PNG_FORMAT_RGB, &size);
    put_bytes(&message, 4, png, size);
    put_integer(&message, 7, 1);
    assert_int_equal(datum_to_record(message.bytes, message.size, &record, NULL), 0);
    assert_true(record.order == PIXELS_BGR && !record.is_planar && record.label == -1);
    assert_true(record.channels == 3 && record.height == 5 && record.width == 4);
    for (size_t i = 0; i < 60; i++)
        assert_int_equal(record.bytes[i], pixels[i / 3 * 3 + 2 - i % 3]);
    free(png);
    png = encode_png(pixels, 5, 12, PNG_FORMAT_GRAY, &size);
    put_bytes(&gray, 4, png, size);
    put_integer(&gray, 7, 1);
    put_integer(&gray, 5, 3);
    assert_int_equal(datum_to_record(gray.bytes, gray.size, &record, NULL), 0);
    assert_true(record.order == PIXELS_GRAY && record.label == 3);
    assert_memory_equal(record.bytes, pixels, 60);
    free(png);
    record_fini(&record);
}

static void annotated_datums_give_their_inner_datum(void **state)
{
    struct message inner = datum_of(1, 2, 3, 5, "abcdef", 6), outer = {.size = 0};
    struct record record = {0};

    (void)state;
    put_bytes(&outer, 1, inner.bytes, inner.size);
    put_integer(&outer, 2, 0);           /* type */
    put_bytes(&outer, 3, "\x08\x01", 2); /* an annotation group */
    assert_int_equal(datum_to_record(outer.bytes, outer.size, &record, NULL), 0);
    assert_int_equal(record.label, 5);
    assert_memory_equal(record.bytes, "abcdef", 6);
    record_fini(&record);
}

static void wrong_datums_say_what_was_expected(void **state)
{
    const uint64_t minus_one = UINT64_MAX, huge = 2000000000;
    struct {
        struct message message;
        const char *text;
    } cases[] = {
        {datum_of(3, 2, 2, 0, "abcdef", 6), "expected 3x2x2 bytes, found 6"},
        {datum_of(1, 2, 2, 0, "abcdef", 6), "expected 1x2x2 bytes, found 6"},
        {datum_of(0, 2, 2, 0, "abcdef", 6), "expected positive dims, found 0x2x2"},
        {datum_of(minus_one, 2, 3, 0, "abcdef", 6), "expected positive dims, found -1x2x3"},
        {datum_of(huge, huge, huge, 0, "abcdef", 6), "expected 2000000000x2000000000x2000000000 bytes, found 6"},
        {datum_of(huge * 2, 1, 1, 0, "abcdef", 6), "\"channels\": 4000000000 is no int32"},
        {datum_of(1, 2, 3, 0, NULL, 0), "without data"},
        {{.size = 0}, "without data"},
        {{.bytes = {0x22, 0x7f, 'a'}, .size = 3}, "127 bytes, but 1 bytes are left"},
        {{.bytes = {0x0a, 0x05, 0x08}, .size = 3}, "5 bytes, but 1 bytes are left"},
        {{.bytes = {0x0d, 1, 2, 3, 4}, .size = 5}, "\"channels\" has the wrong wire type"},
        {{.bytes = {0x32, 3, 0, 0, 0}, .size = 5}, "\"float_data\" has the wrong wire type"},
        {{.bytes = {0x80, 0x80}, .size = 2}, "cut off"},
        {{.bytes = {0x0b}, .size = 1}, "wire type"},
        {{.bytes = {0x22, 4, 'G', 'I', 'F', '8', 0x38, 1}, .size = 8}, "expected a JPEG"},
        {{.bytes = {0x38, 1}, .size = 2}, "without data"},
    };
    struct record record = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};

        assert_int_equal(datum_to_record(cases[i].message.bytes, cases[i].message.size, &record, &err), -1);
        if (err.code != EX_DATAERR || strstr(err.text, cases[i].text) == NULL)
            fail_msg("case %zu: expected \"%s\", found %d: %s", i, cases[i].text, err.code, err.text);
    }
    record_fini(&record);
}

static void every_truncation_and_flip_of_a_datum_is_survived(void **state)
{
    struct message message = datum_of(3, 2, 2, 300, "abcdefghijkl", 12);
    struct record record = {0};

    (void)state;
    put_float(&message, 6, 1.0f);
    for (size_t cut = 0; cut < message.size; cut++) {
        uint8_t *part = malloc(cut + 1);

        memcpy(part, message.bytes, cut);
        datum_to_record(part, cut, &record, NULL); /* cut between fields it may be whole */
        free(part);
    }
    for (size_t bit = 0; bit < 8 * message.size; bit++) {
        uint8_t *copy = malloc(message.size);
        struct error err = {0};

        memcpy(copy, message.bytes, message.size);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (datum_to_record(copy, message.size, &record, &err) < 0)
            assert_true(err.code == EX_DATAERR && err.text[0] != '\0');
        free(copy);
    }
    record_fini(&record);
}

static void datums_are_written_as_they_are_read(void **state)
{
    struct datum datum = {.channels = 3,
                          .height = 2,
                          .width = 1,
                          .label = -1,
                          .data = (const uint8_t *)"abcdef",
                          .size = 6},
                 back;
    uint8_t message[128];
    struct message byhand = datum_of(3, 2, 1, UINT64_MAX, "abcdef", 6), floats = datum_of(2, 1, 1, 4, NULL, 0);
    static const float values[2] = {-1.5f, 3e-40f};
    size_t size = datum_write(&datum, NULL, message);

    (void)state;
    put_integer(&byhand, 7, 0); /* Caffe sets `encoded` even to false */
    assert_true(size <= datum_bound(&datum));
    assert_int_equal(size, byhand.size);
    assert_memory_equal(message, byhand.bytes, size);
    put_float(&floats, 6, values[0]);
    put_float(&floats, 6, values[1]);
    datum = (struct datum){.channels = 2, .height = 1, .width = 1, .label = 4, .n_values = 2};
    size = datum_write(&datum, values, message);
    assert_true(size <= datum_bound(&datum));
    assert_int_equal(size, floats.size);
    assert_memory_equal(message, floats.bytes, size);
    datum = (struct datum){.label = 70000, .data = (const uint8_t *)"xyz", .size = 3, .is_encoded = true};
    size = datum_write(&datum, NULL, message);
    assert_int_equal(datum_parse(message, size, &back, NULL), 0);
    assert_true(back.channels == 0 && back.label == 70000 && back.is_encoded && back.size == 3);
    assert_memory_equal(back.data, "xyz", 3);
}

/* n records of 1x2x3, "%08u_k", labels = number; value bytes differ with the number. */
static void write_lmdb(const char *folder, unsigned n, size_t width)
{
    struct error err = {0};
    struct lmdb_writer *writer = lmdb_writer_open(folder, &err);
    uint8_t *pixels = malloc(2 * width), *message = malloc(2 * width + 128);

    if (writer == NULL)
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < n; i++) {
        struct datum datum = {
            .channels = 1, .height = 2, .width = (int64_t)width, .label = i, .data = pixels, .size = 2 * width};
        char key[32];

        draw_picture(pixels, 2, width, 1, i);
        snprintf(key, sizeof key, "%08u_k", i);
        if (lmdb_writer_put(writer, key, message, datum_write(&datum, NULL, message), &err) < 0)
            fail_msg("%s", err.text);
    }
    if (lmdb_writer_commit(writer, &err) < 0)
        fail_msg("%s", err.text);
    free(pixels);
    free(message);
}

static struct dataset *open_lmdb(const char *path, struct error *err)
{
    struct dataset_request request = {.kind = "lmdb", .path = path};

    return dataset_open(&request, err);
}

static void check_record(struct dataset_cursor *cursor, uint64_t ordinal, struct record *record)
{
    struct error err = {0};
    uint8_t pixels[6];
    char key[32];

    if (dataset_read(cursor, ordinal, record, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(key, sizeof key, "%08u_k", (unsigned)ordinal);
    draw_picture(pixels, 2, 3, 1, (unsigned)ordinal);
    assert_string_equal(record->key, key);
    assert_int_equal(record->label, ordinal);
    assert_memory_equal(record->bytes, pixels, 6);
}

static void any_ordinal_is_found_in_any_order(void **state)
{
    enum { N = 1000 };
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct dataset *dataset, *again;
    struct dataset_cursor *cursor, *other;
    struct record record = {0};
    uint32_t random = 1;

    (void)state;
    write_lmdb(folder, N, 3);
    dataset = open_lmdb(folder, NULL);
    again = open_lmdb(in_place(&place, "db/data.mdb"), NULL); /* the same environment under another name */
    assert_non_null(dataset);
    assert_non_null(again);
    assert_int_equal(dataset_count(dataset), N);
    cursor = dataset_cursor_open(dataset, NULL);
    other = dataset_cursor_open(again, NULL);
    for (uint64_t i = 0; i < N; i++)
        check_record(cursor, i, &record);
    for (uint64_t i = N; i-- > 0;)
        check_record(cursor, i, &record);
    for (int i = 0; i < 5000; i++) {
        random = random * 1664525u + 1013904223u;
        check_record(i % 3 == 0 ? other : cursor, (random >> 8) % N, &record);
        if (i % 5 == 0) /* the same once more, and the next */
            check_record(cursor, (random >> 8) % N, &record);
    }
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    check_record(other, 17, &record); /* closing one user leaves the other its environment */
    dataset_cursor_close(other);
    dataset_close(again);
    record_fini(&record);
    place_destroy(&place);
}

struct reader {
    struct dataset *dataset;
    uint32_t seed;
    uint64_t digests; /* sum over all records */
    int rc;
};

static void *read_all_records(void *context)
{
    struct reader *reader = context;
    struct dataset_cursor *cursor = dataset_cursor_open(reader->dataset, NULL);
    struct record record = {0};
    uint64_t n = dataset_count(reader->dataset);

    for (uint64_t i = 0; i < n && reader->rc == 0; i++) {
        uint64_t ordinal = (i * 7 + reader->seed) % n; /* n is no multiple of 7: a permutation */

        reader->rc = dataset_read(cursor, ordinal, &record, NULL);
        reader->digests += record.digest;
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    return NULL;
}

static void threads_read_side_by_side(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct reader readers[4];
    pthread_t threads[4];
    struct dataset *dataset;

    (void)state;
    write_lmdb(folder, 500, 3);
    dataset = open_lmdb(folder, NULL);
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (struct reader){dataset, i * 31, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_records, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].rc, 0);
        assert_int_equal(readers[i].digests, readers[0].digests);
    }
    dataset_close(dataset);
    place_destroy(&place);
}

static void truncated_files_are_refused_before_a_page_is_touched(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db"), *file = in_place(&place, "db/data.mdb");
    size_t size, page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *data;

    (void)state;
    write_lmdb(folder, 300, 300);
    data = read_whole(file, &size);
    {
        const size_t cuts[] = {0, 1, 100, page, page + 1, 2 * page, size / 2, size - page, size - 1};

        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
            char found[64];
            struct error err = {0};

            write_file(file, data, cuts[i]);
            assert_null(open_lmdb(folder, &err));
            snprintf(found, sizeof found, "found %zu bytes", cuts[i]);
            if (err.code != EX_DATAERR || strstr(err.text, "data.mdb: ") == NULL || strstr(err.text, found) == NULL)
                fail_msg("cut at %zu: %d: %s", cuts[i], err.code, err.text);
            if (cuts[i] >= 2 * page) {
                snprintf(found, sizeof found, "expected %zu pages of %zu bytes", size / page, page);
                assert_non_null(strstr(err.text, found));
            }
        }
    }
    write_file(file, data, size);
    struct dataset *dataset = open_lmdb(folder, NULL);
    assert_non_null(dataset);
    dataset_close(dataset);
    memset(data, 0xee, 2 * page); /* both headers */
    write_file(file, data, size);
    struct error err = {0};
    assert_null(open_lmdb(folder, &err));
    assert_int_equal(err.code, EX_DATAERR);
    free(data);
    place_destroy(&place);
}

static void empty_and_missing_environments_are_refused(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct error err = {0};
    struct dataset_request request = {.kind = "lmdb", .path = folder, .list = "list.txt"};

    (void)state;
    write_lmdb(folder, 0, 3);
    assert_null(open_lmdb(folder, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "holds no record"));
    assert_null(dataset_open(&request, &err)); /* lists are for images */
    assert_int_equal(err.code, EX_CONFIG);
    assert_null(open_lmdb(in_place(&place, "nowhere"), &err));
    assert_int_equal(err.code, EX_NOINPUT);
    assert_null(open_lmdb(place.folder, &err)); /* a folder without data.mdb */
    assert_int_equal(err.code, EX_NOINPUT);
    place_destroy(&place);
}

static void bad_records_are_named_by_key_and_do_not_end_the_walk(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct lmdb_writer *writer = lmdb_writer_open(folder, NULL);
    struct message good = datum_of(1, 1, 1, 2, "x", 1), bad = datum_of(1, 1, 2, 2, "x", 1);
    struct record record = {0};
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct error err = {0};
    char hex[65];

    (void)state;
    assert_int_equal(lmdb_writer_put(writer, "\x01\xff", good.bytes, good.size, NULL), 0);
    assert_int_equal(lmdb_writer_put(writer, "k1", bad.bytes, bad.size, NULL), 0);
    assert_int_equal(lmdb_writer_put(writer, "k2", good.bytes, good.size, NULL), 0);
    assert_int_equal(lmdb_writer_commit(writer, NULL), 0);
    dataset = open_lmdb(folder, NULL);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_read(cursor, 0, &record, NULL), 0);
    assert_string_equal(record.key, "0x01ff"); /* no text: in hex */
    assert_int_equal(dataset_read(cursor, 1, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_string_equal(err.text, "k1: expected 1x1x2 bytes, found 1");
    assert_true(record.digest != 0);
    assert_int_equal(dataset_read(cursor, 2, &record, NULL), 0);
    assert_int_equal(dataset_fingerprint(dataset, hex, NULL), 0);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    place_destroy(&place);
}

/* In a child: LMDB must not be opened twice in one process. */
static void add_record_elsewhere(const char *folder)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi database;
        MDB_val key = {3, "zzz"}, value = {1, "v"};
        int failed = mdb_env_create(&env) || mdb_env_open(env, folder, 0, 0644) || mdb_txn_begin(env, NULL, 0, &txn) ||
                     mdb_dbi_open(txn, NULL, 0, &database) || mdb_put(txn, database, &key, &value, 0) ||
                     mdb_txn_commit(txn);

        _exit(failed != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_write_during_the_run_is_noticed(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct dataset *dataset;
    struct error err = {0};

    (void)state;
    write_lmdb(folder, 50, 3);
    dataset = open_lmdb(folder, NULL);
    assert_int_equal(dataset_check_unchanged(dataset, &err), 0);
    add_record_elsewhere(folder);
    assert_int_equal(dataset_check_unchanged(dataset, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "changed during the run"));
    assert_null(dataset_cursor_open(dataset, &err)); /* nor does a late cursor see another snapshot */
    assert_int_equal(err.code, EX_DATAERR);
    dataset_close(dataset);
    place_destroy(&place);
}

/* LMDB reads a mapping: the fault is a signal. */
static void a_file_that_shrinks_during_the_run_ends_it_with_74(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db"), *file = in_place(&place, "db/data.mdb");
    int status;
    pid_t child;

    (void)state;
    write_lmdb(folder, 200, 4000);
    child = fork();
    if (child == 0) {
        struct dataset *dataset = open_lmdb(folder, NULL);
        struct dataset_cursor *cursor = dataset == NULL ? NULL : dataset_cursor_open(dataset, NULL);
        struct record record = {0};

        if (cursor == NULL || freopen("/dev/null", "w", stderr) == NULL || bus_error_listen(NULL) != 0 ||
            truncate(file, 65536) != 0)
            _exit(1);
        for (uint64_t i = 0; i < 200; i++)
            if (dataset_read(cursor, i, &record, NULL) != 0)
                _exit(2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_IOERR);
    place_destroy(&place);
}

static void read_only_folders_work_and_stay_as_they_are(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db");
    struct dataset *dataset;

    (void)state;
    write_lmdb(folder, 5, 3);
    chmod(in_place(&place, "db/data.mdb"), 0444);
    chmod(folder, 0555);
    dataset = open_lmdb(folder, NULL);
    assert_non_null(dataset);
    assert_int_equal(access(in_place(&place, "db/lock.mdb"), F_OK), -1); /* also for root, whom modes do not stop */
    dataset_close(dataset);
    place_destroy(&place);
}

static void limits_stop_the_walk(void **state)
{
    struct place place = place_create();
    struct dataset_request request = {.kind = "lmdb", .path = in_place(&place, "db")};

    (void)state;
    write_lmdb(request.path, 100, 3);
    for (request.limit = 0; request.limit < 120; request.limit++) {
        struct dataset *dataset = dataset_open(&request, NULL);
        struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
        struct record record = {0};
        uint64_t n = request.limit == 0 || request.limit > 100 ? 100 : request.limit;

        assert_int_equal(dataset_count(dataset), n);
        check_record(cursor, n - 1, &record);
        assert_int_equal(dataset_read(cursor, n, &record, NULL), -1);
        record_fini(&record);
        dataset_cursor_close(cursor);
        dataset_close(dataset);
    }
    place_destroy(&place);
}

/* 2,500 records of 40 KB: three transactions by number and more by size, a map that grows. */
static void writing_twice_gives_the_same_bytes(void **state)
{
    struct place place = place_create();
    size_t a_size, b_size;
    uint8_t *a, *b;

    (void)state;
    write_lmdb(in_place(&place, "a"), 2500, 20000);
    write_lmdb(in_place(&place, "b"), 2500, 20000);
    a = read_whole(in_place(&place, "a/data.mdb"), &a_size);
    b = read_whole(in_place(&place, "b/data.mdb"), &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    free(a);
    free(b);
    struct dataset *dataset = open_lmdb(in_place(&place, "a"), NULL);
    assert_int_equal(dataset_count(dataset), 2500);
    dataset_close(dataset);
    place_destroy(&place);
}

static size_t count_names(const char *folder)
{
    DIR *open = opendir(folder);
    size_t n = 0;

    assert_non_null(open);
    while (readdir(open) != NULL)
        n++;
    closedir(open);
    return n - 2; /* . and .. */
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "db/");
    struct lmdb_writer *writer = lmdb_writer_open(folder, NULL);
    struct error err = {0};

    (void)state;
    assert_int_equal(lmdb_writer_put(writer, "b", "x", 1, &err), 0);
    assert_int_equal(lmdb_writer_put(writer, "a", "x", 1, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "keys do not rise"));
    assert_int_equal(access(folder, F_OK), -1); /* not there before it is whole */
    lmdb_writer_cancel(writer);
    assert_int_equal(count_names(place.folder), 0);

    writer = lmdb_writer_open(folder, NULL);
    mkdir(in_place(&place, "db"), 0755); /* someone else was faster, and put something in */
    write_text(in_place(&place, "db/file"), "theirs");
    assert_int_equal(lmdb_writer_commit(writer, &err), -1);
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_int_equal(count_names(place.folder), 1);
    assert_null(lmdb_writer_open(folder, &err));
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_non_null(strstr(err.text, "exists already"));
    assert_null(lmdb_writer_open(in_place(&place, "no/such/folder"), &err));
    assert_int_equal(err.code, EX_CANTCREAT);
    assert_int_equal(count_names(place.folder), 1);
    place_destroy(&place);
}

/* The calibration set exists as JPEG files and as decoded BGR planes: our decoder must give those planes. */
static void jpegs_decode_to_the_pixels_of_the_shared_lmdb(void **state)
{
    struct dataset_request lmdb = {.kind = "lmdb", .path = SHARED_DATA "/lmdb/cifar10_calib1000_bgr_lmdb"},
                           files = {.kind = "images",
                                    .path = SHARED_DATA "/cifar10",
                                    .list = SHARED_DATA "/cifar10/calibration.txt"};
    struct record raw = {0}, decoded = {0};
    struct dataset *a, *b;
    struct dataset_cursor *cursor_a, *cursor_b;

    (void)state;
    if (access(lmdb.path, R_OK) != 0)
        skip();
    a = dataset_open(&lmdb, NULL);
    b = dataset_open(&files, NULL);
    cursor_a = dataset_cursor_open(a, NULL);
    cursor_b = dataset_cursor_open(b, NULL);
    assert_int_equal(dataset_count(a), 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(dataset_read(cursor_a, i, &raw, NULL), 0);
        assert_int_equal(dataset_read(cursor_b, i, &decoded, NULL), 0);
        assert_true(raw.is_planar && raw.order == PIXELS_BGR && decoded.order == PIXELS_RGB);
        assert_int_equal(raw.label, decoded.label);
        for (size_t k = 0; k < 3 * 1024; k++)
            assert_int_equal(raw.bytes[k], decoded.bytes[k % 1024 * 3 + 2 - k / 1024]);
    }
    assert_int_equal(dataset_check_unchanged(a, NULL), 0);
    record_fini(&raw);
    record_fini(&decoded);
    dataset_cursor_close(cursor_a);
    dataset_cursor_close(cursor_b);
    dataset_close(a);
    dataset_close(b);
}

static void the_shared_mnist_lmdb_is_read_whole(void **state)
{
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct record record = {0};

    (void)state;
    if (access(SHARED_DATA "/lmdb/mnist_test1000_lmdb", R_OK) != 0)
        skip();
    dataset = open_lmdb(SHARED_DATA "/lmdb/mnist_test1000_lmdb", NULL);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_count(dataset), 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof key, "%08u", (unsigned)i);
        assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
        assert_string_equal(record.key, key);
        assert_true(record.channels == 1 && record.height == 28 && record.width == 28 && record.order == PIXELS_GRAY);
        assert_in_range(record.label, 0, 9);
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_datums_keep_their_planes_and_are_not_copied),
        cmocka_unit_test(float_data_is_read_packed_single_and_mixed),
        cmocka_unit_test(encoded_datums_decode_to_bgr),
        cmocka_unit_test(annotated_datums_give_their_inner_datum),
        cmocka_unit_test(wrong_datums_say_what_was_expected),
        cmocka_unit_test(every_truncation_and_flip_of_a_datum_is_survived),
        cmocka_unit_test(datums_are_written_as_they_are_read),
        cmocka_unit_test(any_ordinal_is_found_in_any_order),
        cmocka_unit_test(threads_read_side_by_side),
        cmocka_unit_test(truncated_files_are_refused_before_a_page_is_touched),
        cmocka_unit_test(empty_and_missing_environments_are_refused),
        cmocka_unit_test(bad_records_are_named_by_key_and_do_not_end_the_walk),
        cmocka_unit_test(a_write_during_the_run_is_noticed),
        cmocka_unit_test(a_file_that_shrinks_during_the_run_ends_it_with_74),
        cmocka_unit_test(read_only_folders_work_and_stay_as_they_are),
        cmocka_unit_test(limits_stop_the_walk),
        cmocka_unit_test(writing_twice_gives_the_same_bytes),
        cmocka_unit_test(a_failed_write_leaves_nothing_behind),
        cmocka_unit_test(jpegs_decode_to_the_pixels_of_the_shared_lmdb),
        cmocka_unit_test(the_shared_mnist_lmdb_is_read_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
