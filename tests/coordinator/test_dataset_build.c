/* test_dataset_build.c — LMDBs made from image files, as convert_imageset makes them. */
#include "../formats/image_files.h"

#include "formats/record.h"
#include "coordinator/dataset_build.h"
#include "worker/preprocess.h"

/* Options for images of a folder, in the order of a list. */
#define FROM(directory, names, database_folder, ...)                                                                   \
    {                                                                                                                  \
        .source = {.kind = "images", .path = (directory), .list = (names)}, .encode = {.folder = (directory)},         \
        .database = "lmdb", .output = (database_folder), __VA_ARGS__                                                   \
    }

static struct dataset *open_kind(const char *kind, const char *path, const char *list)
{
    struct dataset_request request = {.kind = kind, .path = path, .list = list};
    struct error err = {0};
    struct dataset *dataset = dataset_open(&request, &err);

    if (dataset == NULL)
        fail_msg("%s", err.text);
    return dataset;
}

static int build_alone(const struct dataset_build_options *options, struct error *err)
{
    const struct comm comm = {0, 1};

    return dataset_build(&comm, options, err);
}

static void must_build(const struct dataset_build_options *options)
{
    struct error err = {0};

    if (build_alone(options, &err) < 0)
        fail_msg("%s", err.text);
}

/* Images 0.jpg ... of differing sizes, and a list with labels 10, 11 ... */
static void write_images(const struct place *place, unsigned n)
{
    FILE *list = fopen(in_place(place, "list.txt"), "w");

    assert_non_null(list);
    for (unsigned i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof name, "an image %u.jpg", i);
        write_jpeg(in_place(place, name), 10 + i % 3, 12, 3, i);
        fprintf(list, "%s %u\n", name, 10 + i);
    }
    fclose(list);
}

static void records_are_planes_in_list_order_with_numbered_keys(void **state)
{
    struct place place = place_create();
    char output[128], list[128], key[64];
    struct dataset_build_options options = FROM(place.folder, list, output);
    struct record raw = {0}, image = {0};
    struct dataset *a, *b;
    struct dataset_cursor *cursor_a, *cursor_b;

    (void)state;
    snprintf(output, sizeof output, "%s/db", place.folder);
    snprintf(list, sizeof list, "%s/list.txt", place.folder);
    write_images(&place, 5);
    must_build(&options);
    a = open_kind("lmdb", output, NULL);
    b = open_kind("images", place.folder, list);
    cursor_a = dataset_cursor_open(a, NULL);
    cursor_b = dataset_cursor_open(b, NULL);
    assert_int_equal(dataset_count(a), 5);
    for (unsigned i = 0; i < 5; i++) {
        size_t n;

        assert_int_equal(dataset_read(cursor_a, i, &raw, NULL), 0);
        assert_int_equal(dataset_read(cursor_b, i, &image, NULL), 0);
        snprintf(key, sizeof key, "%08u_an image %u.jpg", i, i);
        assert_string_equal(raw.key, key);
        assert_int_equal(raw.label, 10 + i);
        assert_true(raw.is_planar && raw.order == PIXELS_BGR && raw.channels == 3);
        assert_true(raw.height == image.height && raw.width == image.width);
        n = raw.height * raw.width;
        for (size_t k = 0; k < 3 * n; k++)
            assert_int_equal(raw.bytes[k], image.bytes[k % n * 3 + 2 - k / n]);
    }
    record_fini(&raw);
    record_fini(&image);
    dataset_cursor_close(cursor_a);
    dataset_cursor_close(cursor_b);
    dataset_close(a);
    dataset_close(b);
    place_destroy(&place);
}

/* Every record of the LMDB must be what the same steps make of the files when they are preprocessed directly. */
static void resized_and_gray_records_equal_direct_preprocessing(void **state)
{
    struct place place = place_create();
    char output[128];
    struct dataset_build_options options = FROM(place.folder, NULL, output, .is_size_checked = true);

    (void)state;
    options.encode.resize_height = 7;
    options.encode.resize_width = 9;
    write_images(&place, 4);
    for (int is_gray = 0; is_gray < 2; is_gray++) {
        struct shape shape = {3, {is_gray ? 1 : 3, 7, 9}};
        struct preprocess_plan plan = {2, {{.kind = STEP_CHANNELS}, {.kind = STEP_RESIZE}}}, none = {0};
        struct preprocessor *chain, *copy;
        struct dataset *a, *b;
        struct dataset_cursor *cursor_a, *cursor_b;
        struct record record = {0};
        float x[189], y[189];

        plan.steps[0].channels = is_gray ? CHANNELS_GRAY : CHANNELS_BGR;
        plan.steps[1].resize.filter = FILTER_OPENCV_LINEAR;
        plan.steps[1].resize.height = 7;
        plan.steps[1].resize.width = 9;
        snprintf(output, sizeof output, "%s/db%d", place.folder, is_gray);
        options.encode.is_gray = is_gray;
        must_build(&options);
        chain = preprocessor_create(&plan, &shape, NULL);
        copy = preprocessor_create(&none, &shape, NULL);
        a = open_kind("lmdb", output, NULL);
        b = open_kind("images", place.folder, NULL);
        cursor_a = dataset_cursor_open(a, NULL);
        cursor_b = dataset_cursor_open(b, NULL);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(dataset_read(cursor_a, i, &record, NULL), 0);
            assert_int_equal(record.label, -1);
            assert_int_equal(preprocess(copy, &record, x, NULL), 0);
            assert_int_equal(dataset_read(cursor_b, i, &record, NULL), 0);
            assert_int_equal(preprocess(chain, &record, y, NULL), 0);
            assert_memory_equal(x, y, (is_gray ? 63 : 189) * sizeof *x);
        }
        record_fini(&record);
        preprocessor_destroy(chain);
        preprocessor_destroy(copy);
        dataset_cursor_close(cursor_a);
        dataset_cursor_close(cursor_b);
        dataset_close(a);
        dataset_close(b);
    }
    place_destroy(&place);
}

static void encoded_records_hold_the_files_and_decode_alike(void **state)
{
    struct place place = place_create();
    char raw[128], encoded[128];
    struct dataset_build_options options = FROM(place.folder, NULL, raw);
    struct record x = {0}, y = {0};
    struct dataset *a, *b;
    struct dataset_cursor *cursor_a, *cursor_b;

    (void)state;
    snprintf(raw, sizeof raw, "%s/raw", place.folder);
    snprintf(encoded, sizeof encoded, "%s/encoded", place.folder);
    write_images(&place, 3);
    must_build(&options);
    options.output = encoded;
    options.encode.is_encoded = true;
    must_build(&options);
    a = open_kind("lmdb", raw, NULL);
    b = open_kind("lmdb", encoded, NULL);
    cursor_a = dataset_cursor_open(a, NULL);
    cursor_b = dataset_cursor_open(b, NULL);
    for (unsigned i = 0; i < 3; i++) {
        size_t n;

        assert_int_equal(dataset_read(cursor_a, i, &x, NULL), 0);
        assert_int_equal(dataset_read(cursor_b, i, &y, NULL), 0);
        assert_string_equal(x.key, y.key);
        assert_true(x.order == PIXELS_BGR && y.order == PIXELS_BGR && x.is_planar && !y.is_planar);
        assert_int_equal(x.height, y.height);
        n = x.height * x.width;
        for (size_t k = 0; k < 3 * n; k++)
            assert_int_equal(x.bytes[k], y.bytes[k % n * 3 + k / n]);
    }
    record_fini(&x);
    record_fini(&y);
    dataset_cursor_close(cursor_a);
    dataset_cursor_close(cursor_b);
    dataset_close(a);
    dataset_close(b);
    place_destroy(&place);
}

/* Labels in key order, as a string of numbers. */
static void labels_of(const char *path, char text[256])
{
    struct dataset *dataset = open_kind("lmdb", path, NULL);
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};

    text[0] = '\0';
    for (uint64_t i = 0; i < dataset_count(dataset); i++) {
        char number[16];

        assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
        snprintf(number, sizeof number, "%d ", (int)record.label);
        strcat(text, number);
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
}

static void shuffling_is_a_function_of_the_seed(void **state)
{
    struct place place = place_create();
    char output[128], list[128], texts[4][256];
    struct dataset_build_options options = FROM(place.folder, list, output, .is_shuffled = true);
    unsigned seen = 0;

    (void)state;
    snprintf(list, sizeof list, "%s/list.txt", place.folder);
    write_images(&place, 12);
    for (unsigned i = 0; i < 4; i++) {
        options.seed = i / 2;
        options.is_shuffled = i < 3;
        snprintf(output, sizeof output, "%s/db%u", place.folder, i);
        must_build(&options);
        labels_of(output, texts[i]);
    }
    assert_string_equal(texts[0], texts[1]);
    assert_string_not_equal(texts[0], texts[2]);
    assert_string_equal(texts[3], "10 11 12 13 14 15 16 17 18 19 20 21 ");
    for (char *word = strtok(texts[0], " "); word != NULL; word = strtok(NULL, " "))
        seen |= 1u << (atoi(word) - 10);
    assert_int_equal(seen, (1u << 12) - 1); /* a permutation */
    place_destroy(&place);
}

static void bad_images_are_left_out_only_on_request(void **state)
{
    struct place place = place_create();
    char output[128], list[128], text[256];
    struct dataset_build_options options = FROM(place.folder, list, output);
    struct error err = {0};

    (void)state;
    snprintf(output, sizeof output, "%s/db", place.folder);
    snprintf(list, sizeof list, "%s/list.txt", place.folder);
    write_images(&place, 4);
    write_text(in_place(&place, "an image 1.jpg"), "damaged");
    assert_int_equal(build_alone(&options, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "an image 1.jpg: "));
    assert_int_equal(access(output, F_OK), -1);

    options.max_bad_records = 1;
    must_build(&options);
    labels_of(output, text);
    assert_string_equal(text, "10 12 13 ");
    assert_int_equal(build_alone(&options, &err), -1); /* it is there now */
    assert_int_equal(err.code, EX_CANTCREAT);

    snprintf(output, sizeof output, "%s/checked", place.folder);
    options.is_size_checked = true; /* heights differ: two more would be left out */
    assert_int_equal(build_alone(&options, &err), -1);
    assert_non_null(strstr(err.text, "expected 360 bytes as in the first record, found 432"));
    assert_int_equal(access(output, F_OK), -1);
    place_destroy(&place);
}

static void contradicting_options_are_refused(void **state)
{
    struct place place = place_create();
    char output[128];
    struct dataset_build_options options = FROM(place.folder, NULL, output);
    struct error err = {0};

    (void)state;
    snprintf(output, sizeof output, "%s/db", place.folder);
    options.encode.resize_height = 4;
    assert_int_equal(build_alone(&options, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    options.encode.resize_height = 0;
    options.encode.encode_type = "webp";
    assert_int_equal(build_alone(&options, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    options.encode.encode_type = NULL;
    assert_int_equal(build_alone(&options, &err), -1); /* an empty folder */
    assert_int_equal(err.code, EX_DATAERR);
    write_images(&place, 1);
    options.database = "lmbd";
    assert_int_equal(build_alone(&options, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    assert_non_null(strstr(err.text, "the nearest is \"lmdb\""));
    options.output = NULL;
    assert_int_equal(build_alone(&options, &err), -1);
    assert_int_equal(err.code, EX_USAGE);
    place_destroy(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_planes_in_list_order_with_numbered_keys),
        cmocka_unit_test(resized_and_gray_records_equal_direct_preprocessing),
        cmocka_unit_test(encoded_records_hold_the_files_and_decode_alike),
        cmocka_unit_test(shuffling_is_a_function_of_the_seed),
        cmocka_unit_test(bad_images_are_left_out_only_on_request),
        cmocka_unit_test(contradicting_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
