/* test_libetalon.c — the public functions, read back by our own reader. */
#include "../formats/image_files.h"

#include "etalon/dataset.h"
#include "formats/record.h"

#include <sysexits.h>

static const float values[] = {1, -2, 3.5f, 4, 5, 6};

static struct etalon_tensor tensor(const char *name, size_t rank, int64_t a, int64_t b, int64_t c)
{
    struct etalon_tensor made = {name, values, rank, {a, b, c}};

    return made;
}

static struct etalon_dataset *create(const char *folder)
{
    struct etalon_error error;
    struct etalon_dataset *set = etalon_dataset_create(folder, &error);

    if (set == NULL)
        fail_msg("%s", error.text);
    return set;
}

static void tensors_of_any_rank_come_back_in_order(void **state)
{
    static const struct {
        struct etalon_tensor tensor;
        size_t channels, height, width;
    } cases[] = {{{NULL, values, 1, {6}}, 6, 1, 1},
                 {{"x", values, 2, {2, 3}}, 2, 3, 1},
                 {{"x", values, 3, {1, 2, 3}}, 1, 2, 3},
                 {{"x", values, 5, {1, 2, 1, 3, 1}}, 1, 2, 3}};
    struct record record = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place place = place_create();
        const char *folder = in_place(&place, "set");
        struct dataset_request request = {.kind = "lmdb", .path = folder};
        struct etalon_dataset *set = create(folder);
        struct dataset *back;
        struct dataset_cursor *cursor;

        assert_int_equal(etalon_dataset_append(set, "first", 7, &cases[i].tensor, 1, NULL), 0);
        assert_int_equal(etalon_dataset_append(set, NULL, -1, &cases[i].tensor, 1, NULL), 0);
        assert_int_equal(access(folder, F_OK), -1); /* not before it is whole */
        assert_int_equal(etalon_dataset_commit(set, NULL), 0);
        back = dataset_open(&request, NULL);
        assert_int_equal(dataset_count(back), 2);
        cursor = dataset_cursor_open(back, NULL);
        assert_int_equal(dataset_read(cursor, 0, &record, NULL), 0);
        assert_string_equal(record.key, "00000000_first");
        assert_int_equal(record.label, 7);
        assert_true(record.is_float && record.channels == cases[i].channels && record.height == cases[i].height &&
                    record.width == cases[i].width);
        assert_memory_equal(record.values, values, sizeof values);
        assert_int_equal(dataset_read(cursor, 1, &record, NULL), 0);
        assert_string_equal(record.key, "00000001");
        assert_int_equal(record.label, -1);
        dataset_cursor_close(cursor);
        dataset_close(back);
        place_destroy(&place);
    }
    record_fini(&record);
}

/* A call that must be refused with a sentence, and must not disturb the set. */
static void refused(struct etalon_dataset *set, const struct etalon_tensor *tensors, size_t n, const char *expected)
{
    struct etalon_error error = {0};

    assert_int_equal(etalon_dataset_append(set, "name", -1, tensors, n, &error), -1);
    assert_int_equal(error.code, EX_USAGE);
    if (strstr(error.text, expected) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", error.text, expected);
}

static void a_wrong_call_is_refused_and_the_set_goes_on(void **state)
{
    struct place place = place_create();
    const char *folder = in_place(&place, "set");
    struct etalon_dataset *set = create(folder);
    struct etalon_tensor good[] = {tensor("a/b", 3, 1, 2, 3), tensor("c", 1, 6, 0, 0)}, bad[2];

    (void)state;
    refused(set, good, 0, "found 0");
    bad[0] = tensor("x", 9, 1, 1, 1);
    refused(set, bad, 1, "rank 9");
    bad[0] = tensor("x", 2, 1, 0, 1);
    refused(set, bad, 1, "dim 1 is 0");
    bad[0] = tensor("x", 3, 1 << 20, 1 << 20, 1 << 20);
    refused(set, bad, 1, "dim 1 is 1048576");
    bad[0] = tensor("a/b", 1, 6, 0, 0);
    bad[1] = tensor("a_b", 1, 6, 0, 0);
    refused(set, bad, 2, "would both be written to \"a_b\"");
    assert_int_equal(etalon_dataset_append(set, NULL, 0, good, 2, NULL), 0);
    refused(set, good, 1, "expected 2 tensors");
    bad[0] = good[1];
    bad[1] = good[0];
    refused(set, bad, 2, "expected tensor \"a/b\" as in the first record, found \"c\"");
    bad[0] = tensor("a/b", 3, 1, 3, 2);
    bad[1] = good[1];
    refused(set, bad, 2, "expected the dims of the first record");
    assert_int_equal(etalon_dataset_append(set, NULL, 0, good, 2, NULL), 0);
    assert_int_equal(etalon_dataset_commit(set, NULL), 0);
    assert_int_equal(access(in_place(&place, "set/a_b/data.mdb"), F_OK), 0);
    assert_int_equal(access(in_place(&place, "set/c/data.mdb"), F_OK), 0);
    place_destroy(&place);
}

static void nothing_is_left_of_a_set_that_is_cancelled_or_empty(void **state)
{
    struct place place = place_create();
    struct etalon_tensor pair[] = {tensor("a", 1, 6, 0, 0), tensor("b", 1, 6, 0, 0)};
    struct etalon_error error;
    struct etalon_dataset *set = create(in_place(&place, "set"));

    (void)state;
    assert_int_equal(etalon_dataset_commit(set, &error), -1);
    assert_int_equal(error.code, EX_USAGE);
    for (size_t n = 1; n <= 2; n++) {
        set = create(in_place(&place, "set"));
        assert_int_equal(etalon_dataset_append(set, NULL, 0, pair, n, NULL), 0);
        etalon_dataset_cancel(set);
    }
    etalon_dataset_cancel(NULL);
    assert_null(etalon_dataset_create(in_place(&place, "no/such/parent"), &error));
    assert_int_equal(error.code, EX_CANTCREAT);
    assert_int_equal(rmdir(place.folder), 0); /* empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_any_rank_come_back_in_order),
        cmocka_unit_test(a_wrong_call_is_refused_and_the_set_goes_on),
        cmocka_unit_test(nothing_is_left_of_a_set_that_is_cancelled_or_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
