/* test_dataset_inputs.c — several inputs a record: what belongs together is found by names. */
#include "image_files.h"

#include "formats/record.h"

static void draw(const struct place *place, const char *name, size_t width)
{
    write_jpeg(in_place(place, name), 8, width, 3, (unsigned)width);
}

/* left/c.jpg (width 3), a.jpg (1), b.jpg (2); right/b.jpg (12), a.jpg (11), c.jpeg (13). */
static struct place two_folders(void)
{
    struct place place = place_create();

    mkdir(in_place(&place, "left"), 0755);
    mkdir(in_place(&place, "right"), 0755);
    draw(&place, "left/c.jpg", 3);
    draw(&place, "left/a.jpg", 1);
    draw(&place, "left/b.jpg", 2);
    draw(&place, "right/b.jpg", 12);
    draw(&place, "right/a.jpg", 11);
    draw(&place, "right/c.jpeg", 13);
    write_text(in_place(&place, "left.txt"), "c.jpg\na.jpg\nb.jpg\n");
    write_text(in_place(&place, "right.txt"), "a.jpg 5\nb.jpg 6\nc.jpeg 7\n");
    return place;
}

static struct dataset *open_two(const struct place *place, uint64_t limit, struct error *err)
{
    char left[80], right[80], left_list[80], right_list[80];
    struct dataset_input inputs[2] = {
        {"left", {.kind = "images", .path = left, .list = left_list}},
        {"right", {.kind = "images", .path = right, .list = right_list}},
    };
    struct dataset_request request = {.limit = limit, .n_inputs = 2, .inputs = inputs};

    snprintf(left, sizeof left, "%s/left", place->folder);
    snprintf(right, sizeof right, "%s/right", place->folder);
    snprintf(left_list, sizeof left_list, "%s/left.txt", place->folder);
    snprintf(right_list, sizeof right_list, "%s/right.txt", place->folder);
    return dataset_open(&request, err);
}

static void records_are_matched_by_name_in_the_first_inputs_order(void **state)
{
    static const size_t widths[] = {3, 1, 2};
    struct place place = two_folders();
    struct error err = {0};
    struct dataset *dataset = open_two(&place, 0, &err);
    struct dataset_cursor *cursor;
    struct record record = {0};

    (void)state;
    if (dataset == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(dataset_count(dataset), 3);
    assert_int_equal(dataset_n_inputs(dataset), 2);
    assert_string_equal(dataset_input_name(dataset, 1), "right");
    cursor = dataset_cursor_open(dataset, NULL);
    for (uint64_t i = 3; i-- > 0;) {
        assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
        assert_int_equal(record.width, widths[i]);
        assert_int_equal(record.label, -1);
        assert_int_equal(dataset_read_input(cursor, 1, i, &record, NULL), 0);
        assert_int_equal(record.width, 10 + widths[i]);
        assert_int_equal(record.label, 4 + widths[i]);
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    dataset = open_two(&place, 2, NULL);
    assert_int_equal(dataset_count(dataset), 2);
    dataset_close(dataset);
    place_destroy(&place);
}

static void a_name_without_partner_is_told(void **state)
{
    static const struct {
        const char *left, *right, *said;
    } cases[] = {
        {"c.jpg\na.jpg\nb.jpg\n", "a.jpg\nb.jpg\n",
         "input \"left\" has a record named \"c\", input \"right\" has not (1 "},
        {"a.jpg\n", "c.jpeg\na.jpg\nb.jpg\n", "input \"right\" has a record named \"b\", input \"left\" has not (2 "},
        {"a.jpg\nb.jpg\n", "b.jpg\nc.jpeg\n", "(1 and 1 records without a partner)"},
        {"a.jpg\na.jpg\n", "a.jpg\n", "input \"left\": two records are named \"a\""},
        {"a.jpg\n", "b.jpg\nb.jpg\n", "input \"right\": two records are named \"b\""},
    };
    struct place place = two_folders();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};

        write_text(in_place(&place, "left.txt"), cases[i].left);
        write_text(in_place(&place, "right.txt"), cases[i].right);
        assert_null(open_two(&place, 0, &err));
        assert_int_equal(err.code, EX_DATAERR);
        if (strstr(err.text, cases[i].said) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", cases[i].said, err.text);
    }
    place_destroy(&place);
}

static void a_bad_record_names_its_input(void **state)
{
    struct place place = two_folders();
    struct dataset *dataset = open_two(&place, 0, NULL);
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    struct error err = {0};

    (void)state;
    write_text(in_place(&place, "right/a.jpg"), "no image");
    assert_int_equal(dataset_read_input(cursor, 0, 1, &record, &err), 0);
    assert_int_equal(dataset_read_input(cursor, 1, 1, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_ptr_equal(strstr(err.text, "right: a.jpg: "), err.text);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    place_destroy(&place);
}

/* The second input's bytes and which of them belong to which of the first's are part of what the set is. */
static void identity_is_that_of_all_inputs(void **state)
{
    struct place place = two_folders();
    char first[65], hex[65];
    struct dataset *dataset = open_two(&place, 0, NULL);

    (void)state;
    assert_int_equal(dataset_fingerprint(dataset, first, NULL), 0);
    dataset_close(dataset);
    write_text(in_place(&place, "right.txt"),
               "c.jpeg 7\na.jpg 5\nb.jpg 6\n"); /* the order of the second is no matter */
    dataset = open_two(&place, 0, NULL);
    assert_int_equal(dataset_fingerprint(dataset, hex, NULL), 0);
    assert_string_equal(hex, first);
    dataset_close(dataset);
    draw(&place, "right/b.jpg", 14);
    dataset = open_two(&place, 0, NULL);
    assert_int_equal(dataset_fingerprint(dataset, hex, NULL), 0);
    assert_string_not_equal(hex, first);
    dataset_close(dataset);
    place_destroy(&place);
}

static void the_identity_of_one_input_is_its_own_and_that_of_several_knows_their_order(void **state)
{
    const struct record_identity inputs[] = {{1, 7}, {2, 8}}, swapped[] = {{1, 8}, {2, 7}},
                                 unnamed[] = {{0, 7}, {0, 8}};
    struct record_identity one = record_identity_join(inputs, 1), two = record_identity_join(inputs, 2);

    (void)state;
    assert_true(one.key == 1 && one.digest == 7);
    assert_true(two.key == record_identity_join(swapped, 2).key);
    assert_true(two.digest != record_identity_join(swapped, 2).digest);
    assert_true(record_identity_join(unnamed, 2).key == 0 && record_identity_join(unnamed, 2).digest == two.digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_matched_by_name_in_the_first_inputs_order),
        cmocka_unit_test(a_name_without_partner_is_told),
        cmocka_unit_test(a_bad_record_names_its_input),
        cmocka_unit_test(identity_is_that_of_all_inputs),
        cmocka_unit_test(the_identity_of_one_input_is_its_own_and_that_of_several_knows_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
