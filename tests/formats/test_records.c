/* test_records.c — datasets of image files: order, keys, labels, decoding, and every way to be damaged. */
#include "image_files.h"

#include "formats/record.h"
#include "formats/records/decode_image.h"

#include <errno.h>

static struct dataset *open_images(const struct place *place, const char *list, struct error *err)
{
    struct dataset_request request = {.kind = "images", .path = place->folder, .list = list};

    return dataset_open(&request, err);
}

static struct dataset *must_open(const struct place *place, const char *list)
{
    struct error err = {0};
    struct dataset *dataset = open_images(place, list, &err);

    if (dataset == NULL)
        fail_msg("%s", err.text);
    return dataset;
}

static void lists_give_order_keys_and_labels(void **state)
{
    static const struct {
        const char *key;
        int64_t label;
    } expected[] = {{"b.jpg", 7}, {"a photo.jpg", 0}, {"c/d.jpg", 2147483647}, {"b.jpg", -1}, {"c/d.jpg", -1}};
    struct place place = place_create();
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct record record = {0};

    (void)state;
    mkdir(in_place(&place, "c"), 0755);
    write_jpeg(in_place(&place, "a photo.jpg"), 8, 8, 3, 1);
    write_jpeg(in_place(&place, "b.jpg"), 8, 9, 3, 2);
    write_jpeg(in_place(&place, "c/d.jpg"), 8, 10, 1, 3);
    write_text(in_place(&place, "list.txt"), "\xef\xbb\xbf"
                                             "b.jpg 7\r\n"
                                             "a photo.jpg   0\n"
                                             "\n   \n"
                                             "  c/d.jpg\t2147483647  \n"
                                             "b.jpg -1\n"
                                             "c/d.jpg");
    dataset = must_open(&place, in_place(&place, "list.txt"));
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_count(dataset), sizeof expected / sizeof *expected);
    for (size_t i = sizeof expected / sizeof *expected; i-- > 0;) {
        assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
        assert_string_equal(record.key, expected[i].key);
        assert_int_equal(record.label, expected[i].label);
    }
    assert_int_equal(record.order, PIXELS_RGB);
    assert_int_equal(record.width, 9);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    place_destroy(&place);
}

static void folders_are_scanned_in_bytewise_order(void **state)
{
    static const char *const names[] = {"B/z.JPG", "B/zz.jpeg", "a-1.jpg", "a.jpg", "a/1.jpg", "b.jpg"};
    struct place place = place_create();
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct record record = {0};

    (void)state;
    mkdir(in_place(&place, "a"), 0755);
    mkdir(in_place(&place, "B"), 0755);
    mkdir(in_place(&place, ".hidden"), 0755);
    for (size_t i = sizeof names / sizeof *names; i-- > 0;)
        write_jpeg(in_place(&place, names[i]), 8, 8, 3, (unsigned)i);
    write_text(in_place(&place, "notes.txt"), "no image");
    write_text(in_place(&place, ".x.jpg"), "hidden");
    write_text(in_place(&place, ".hidden/y.jpg"), "hidden");
    assert_int_equal(symlink("nowhere.jpg", in_place(&place, "dangling.jpg")), 0);
    dataset = must_open(&place, NULL);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_count(dataset), sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
        assert_string_equal(record.key, names[i]);
        assert_int_equal(record.label, -1);
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);

    assert_int_equal(symlink("..", in_place(&place, "a/loop")), 0);
    struct error err = {0};
    assert_null(open_images(&place, NULL, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "a/loop/: leads back"));
    place_destroy(&place);
}

static void wrong_lists_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *text, *message;
        int code;
    } cases[] = {
        {"a.jpg 1\nb.jpg one\n",
         "list.txt: line 2: expected a label of -1 to 2147483647 after the last space, found \"one\"", EX_DATAERR},
        {"a.jpg 2147483648\n", "line 1", EX_DATAERR},
        {"a.jpg -2\n", "line 1", EX_DATAERR},
        {"my holiday.jpg\n", "found \"holiday.jpg\"", EX_DATAERR},
        {"", "list.txt: holds no record", EX_DATAERR},
        {"\n \r\n", "list.txt: holds no record", EX_DATAERR},
    };
    struct place place = place_create();
    const char *list = in_place(&place, "list.txt");
    char line[1024];
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(list, cases[i].text);
        assert_null(open_images(&place, list, &err));
        assert_int_equal(err.code, cases[i].code);
        if (strstr(err.text, cases[i].message) == NULL)
            fail_msg("case %zu: %s", i, err.text);
    }
    memset(line, 'x', 600);
    memcpy(line + 600, " 3\n", 4);
    write_text(list, line);
    assert_null(open_images(&place, list, &err));
    assert_non_null(strstr(err.text, "line 1: expected a path of at most 511 bytes, found 600"));
    write_file(list, "a\0b.jpg 1\n", 10);
    assert_null(open_images(&place, list, &err));
    assert_int_equal(err.code, EX_DATAERR);
    assert_null(open_images(&place, in_place(&place, "missing.txt"), &err));
    assert_int_equal(err.code, EX_NOINPUT);
    place_destroy(&place);
}

static void opening_nothing_is_refused(void **state)
{
    struct place place = place_create();
    struct dataset_request request = {.kind = "imges", .path = place.folder};
    struct error err = {0};

    (void)state;
    assert_null(dataset_open(&request, &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "the nearest is \"images\""));
    request.kind = "images";
    assert_null(dataset_open(&request, &err)); /* an empty folder */
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "holds no record"));
    request.path = "/nonexistent/folder";
    assert_null(dataset_open(&request, &err));
    assert_int_equal(err.code, EX_NOINPUT);
    request.path = NULL;
    assert_null(dataset_open(&request, &err));
    assert_int_equal(err.code, EX_CONFIG);
    place_destroy(&place);
}

static void limits_keep_the_first_records(void **state)
{
    struct place place = place_create();
    struct dataset_request request = {.kind = "images", .path = place.folder, .limit = 2};
    struct dataset *dataset;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u.jpg", i);
        write_jpeg(in_place(&place, name), 8, 8, 3, i);
    }
    for (request.limit = 0; request.limit < 6; request.limit++) {
        dataset = dataset_open(&request, NULL);
        assert_non_null(dataset);
        assert_int_equal(dataset_count(dataset), request.limit == 0 || request.limit > 4 ? 4 : request.limit);
        dataset_close(dataset);
    }
    request.limit = 1;
    request.list = in_place(&place, "list.txt");
    write_text(request.list, "3.jpg 1\nno label here\n"); /* the second line is beyond the limit */
    dataset = dataset_open(&request, NULL);
    assert_non_null(dataset);
    assert_int_equal(dataset_count(dataset), 1);
    dataset_close(dataset);
    place_destroy(&place);
}

/* Lossless formats must give back what was put in. */
static void lossless_images_decode_to_their_pixels(void **state)
{
    enum { H = 7, W = 5, N = H * W };
    static const char *const headers[] = {"P6\n5 7\n255\n", "P6 # a comment\n# another\n5\t7 255 "};
    uint8_t pixels[4 * N], rgb[3 * N], file[4096], *png;
    uint16_t deep[3 * N];
    struct record record = {0};
    size_t size;

    (void)state;
    draw_picture(pixels, H, W, 4, 3);
    for (size_t i = 0; i < N; i++)
        memcpy(rgb + 3 * i, pixels + 4 * i, 3);

    png = encode_png(pixels, H, W, PNG_FORMAT_RGBA, &size); /* alpha is dropped, not blended */
    assert_int_equal(decode_image(png, size, &record, NULL), 0);
    assert_true(record.channels == 3 && record.height == H && record.width == W && record.order == PIXELS_RGB);
    assert_memory_equal(record.bytes, rgb, sizeof rgb);
    free(png);
    png = encode_png(rgb, H, 3 * W, PNG_FORMAT_GRAY, &size);
    assert_int_equal(decode_image(png, size, &record, NULL), 0);
    assert_true(record.channels == 1 && record.height == H && record.width == 3 * W && record.order == PIXELS_GRAY);
    assert_memory_equal(record.bytes, rgb, sizeof rgb);
    free(png);
    for (size_t i = 0; i < 3 * N; i++)
        deep[i] = 65535; /* linear 16-bit formats are converted by libpng's writer: only the ends are exact */
    png = encode_png(deep, H, W, PNG_FORMAT_LINEAR_RGB, &size);
    assert_int_equal(decode_image(png, size, &record, NULL), 0);
    assert_true(record.channels == 3 && record.bytes[0] == 255 && record.bytes[3 * N - 1] == 255);
    free(png);

    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(headers[i]);

        memcpy(file, headers[i], length);
        memcpy(file + length, rgb, sizeof rgb);
        assert_int_equal(decode_image(file, length + sizeof rgb, &record, NULL), 0);
        assert_memory_equal(record.bytes, rgb, sizeof rgb);
        assert_int_equal(decode_image(file, length + sizeof rgb - 1, &record, NULL), -1);
    }
    assert_int_equal(decode_image((const uint8_t *)"P5 2 1 4\n\1\4", 11, &record, NULL), 0); /* 1/4 and 4/4 of 255 */
    assert_true(record.bytes[0] == 64 && record.bytes[1] == 255);
    assert_int_equal(decode_image((const uint8_t *)"P5 2 1 65535\n\x80\0\xff\xff", 17, &record, NULL), 0);
    assert_true(record.bytes[0] == 128 && record.bytes[1] == 255);
    record_fini(&record);
}

static void put_little(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void bmps_decode_to_their_pixels_and_must_be_whole(void **state)
{
    enum { H = 4, W = 3, STRIDE = 12, HEADER = 54, SIZE = HEADER + H * STRIDE };
    uint8_t rgb[H * W * 3], file[SIZE] = {'B', 'M'};
    struct record record = {0};
    struct error err = {0};

    (void)state;
    draw_picture(rgb, H, W, 3, 5);
    put_little(file + 2, SIZE, 4);
    put_little(file + 10, HEADER, 4);
    put_little(file + 14, 40, 4);
    put_little(file + 18, W, 4);
    put_little(file + 22, H, 4);
    put_little(file + 26, 1, 2);
    put_little(file + 28, 24, 2);
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++)
            for (size_t c = 0; c < 3; c++) /* bottom row first, blue first */
                file[HEADER + (H - 1 - y) * STRIDE + x * 3 + 2 - c] = rgb[(y * W + x) * 3 + c];
    assert_int_equal(decode_image(file, SIZE, &record, &err), 0);
    assert_memory_equal(record.bytes, rgb, sizeof rgb);
    for (size_t cut = 0; cut < SIZE; cut++) {
        assert_int_equal(decode_image(file, cut, &record, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
    }
    put_little(file + 22, 0x80000000u, 4); /* a height whose magnitude is no int32 */
    assert_int_equal(decode_image(file, SIZE, &record, &err), -1);
    put_little(file + 22, H, 4);
    put_little(file + 30, 1, 4); /* run lengths */
    assert_int_equal(decode_image(file, SIZE, &record, &err), -1);
    assert_non_null(strstr(err.text, "compression 1"));
    record_fini(&record);
}

/* Writes `data` as bad.jpg and expects reading it to fail as one bad record whose message holds `text`. */
static void expect_bad(const struct place *place, const void *data, size_t size, const char *text)
{
    const char *list = in_place(place, "bad.txt");
    struct record record = {0};
    struct dataset_cursor *cursor;
    struct dataset *dataset;
    struct error err = {0};

    write_file(in_place(place, "bad.jpg"), data, size);
    write_text(list, "bad.jpg 4\n");
    dataset = must_open(place, list);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_read(cursor, 0, &record, &err), -1);
    if (err.code != EX_DATAERR || strncmp(err.text, "bad.jpg: ", 9) != 0 || strstr(err.text, text) == NULL)
        fail_msg("expected \"%s\", found %d: %s", text, err.code, err.text);
    assert_string_equal(record.key, "bad.jpg"); /* a bad record still has an identity */
    assert_int_equal(record.label, 4);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
}

static void damaged_images_are_bad_records(void **state)
{
    /* SOI, a frame header of 65500 x 65500 pixels in 3 components, a scan header; the rest of the 200 bytes is zero. */
    static const uint8_t huge[200] = {0xff, 0xd8, 0xff, 0xc0, 0,    17, 8, 0xff, 0xdc, 0xff, 0xdc, 3,
                                      1,    0x11, 0,    2,    0x11, 0,  3, 0x11, 0,    0xff, 0xda, 0,
                                      12,   3,    1,    0,    2,    0,  3, 0,    0,    63};
    struct place place = place_create();
    uint8_t pixels[32 * 32 * 3], *jpeg, *png;
    size_t size, png_size;

    (void)state;
    draw_picture(pixels, 32, 32, 3, 9);
    jpeg = encode_jpeg(pixels, 32, 32, 3, &size);
    png = encode_png(pixels, 32, 32, PNG_FORMAT_RGB, &png_size);

    expect_bad(&place, "", 0, "found an empty file");
    expect_bad(&place, "GIF89a..", 8, "expected a JPEG, PNG, BMP, PGM or PPM image, found the bytes 47 49 46 38");
    expect_bad(&place, jpeg, size / 2, "JPEG: ");
    expect_bad(&place, jpeg, size - 1, "JPEG: Premature end");
    expect_bad(&place, jpeg, 3, "JPEG: ");
    expect_bad(&place, huge, sizeof huge, "JPEG: an image of 65500 x 65500 pixels is larger than the limit");
    expect_bad(&place, png, png_size / 2, "PNG: ");
    expect_bad(&place, png, 30, "PNG: ");
    png[png_size / 2] ^= 4; /* in the compressed pixels: the checksum notices */
    expect_bad(&place, png, png_size, "PNG: ");
    memset(jpeg + size / 2, 0xff, 40); /* in the coded pixels */
    jpeg[size / 2 + 1] = 0xd9;
    expect_bad(&place, jpeg, size, "JPEG: ");
    free(jpeg);
    free(png);
    place_destroy(&place);
}

/* 8192 x 8192 pixels of nothing: legal, but 192 MB out of 20 bytes is no image anybody has. */
static void headers_cannot_claim_memory(void **state)
{
    struct record record = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(decode_image((const uint8_t *)"P6 8192 8192 255\n...", 20, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "budget"));
    assert_int_equal(record.bytes_capacity, 0);
    assert_int_equal(decode_image((const uint8_t *)"P6 134217729 1 255\n...", 22, &record, &err), -1);
    assert_int_equal(decode_image((const uint8_t *)"P6 99999999999999999999 1 255\n...", 33, &record, &err), -1);
    assert_int_equal(decode_image((const uint8_t *)"P6 0 5 255\n...", 14, &record, &err), -1);
    assert_int_equal(record.bytes_capacity, 0);
    record_fini(&record);
}

static void every_truncation_of_a_jpeg_is_noticed(void **state)
{
    uint8_t pixels[24 * 20 * 3], *jpeg;
    struct record record = {0};
    struct error err = {0};
    size_t size;

    (void)state;
    draw_picture(pixels, 24, 20, 3, 4);
    jpeg = encode_jpeg(pixels, 24, 20, 3, &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut + 1); /* its own block: reading past the end is seen by the sanitizer */

        memcpy(part, jpeg, cut);
        err = (struct error){0};
        assert_int_equal(decode_image(part, cut, &record, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
        assert_true(err.text[0] != '\0');
        free(part);
    }
    assert_int_equal(decode_image(jpeg, size, &record, &err), 0);
    free(jpeg);
    record_fini(&record);
}

static void missing_and_odd_files_are_bad_records(void **state)
{
    struct place place = place_create();
    const char *list = in_place(&place, "list.txt");
    struct record record = {0};
    struct error err = {0};
    struct dataset *dataset;
    struct dataset_cursor *cursor;

    (void)state;
    mkdir(in_place(&place, "folder.jpg"), 0755);
    assert_int_equal(mkfifo(in_place(&place, "fifo.jpg"), 0644), 0);
    write_text(list, "\nmissing/cat.jpg 3\nfolder.jpg 1\nfifo.jpg 1\n");
    dataset = must_open(&place, list);
    cursor = dataset_cursor_open(dataset, NULL);
    assert_int_equal(dataset_read(cursor, 0, &record, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_string_equal(err.text, "missing/cat.jpg: cannot be opened: No such file or directory");
    for (uint64_t i = 1; i < 3; i++) {
        assert_int_equal(dataset_read(cursor, i, &record, &err), -1);
        assert_int_equal(err.code, EX_DATAERR);
        assert_non_null(strstr(err.text, "expected a regular file"));
    }
    assert_int_equal(dataset_read(cursor, 3, &record, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    record_fini(&record);
    dataset_cursor_close(cursor);
    dataset_close(dataset);
    place_destroy(&place);
}

static void fingerprint_of(const struct place *place, const char *list, char hex[65])
{
    struct dataset *dataset = must_open(place, list);
    struct error err = {0};

    if (dataset_fingerprint(dataset, hex, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(strlen(hex), 64);
    dataset_close(dataset);
}

static void write_set(const struct place *place, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof name, "%03u.jpg", i);
        write_jpeg(in_place(place, name), 8, 8, 3, i);
    }
}

static void fingerprints_follow_content_not_places(void **state)
{
    struct place one = place_create(), two = place_create();
    char a[65], b[65];

    (void)state;
    write_set(&one, 70);
    write_set(&two, 70);
    fingerprint_of(&one, NULL, a);
    fingerprint_of(&two, NULL, b);
    assert_string_equal(a, b);

    write_text(in_place(&two, "000.jpg"), "damaged"); /* a bad record is part of the identity, too */
    fingerprint_of(&two, NULL, b);
    assert_string_not_equal(a, b);
    write_jpeg(in_place(&two, "000.jpg"), 8, 8, 3, 0);
    fingerprint_of(&two, NULL, b);
    assert_string_equal(a, b);
    write_jpeg(in_place(&two, "zzz.jpg"), 8, 8, 3, 0); /* one more */
    fingerprint_of(&two, NULL, b);
    assert_string_not_equal(a, b);
    unlink(in_place(&two, "zzz.jpg"));
    rename(in_place(&two, "000.jpg"), in_place(&two, "000_.jpg")); /* another key */
    fingerprint_of(&two, NULL, b);
    assert_string_not_equal(a, b);
    place_destroy(&one);
    place_destroy(&two);
}

static void both_cifar_lists_are_read_whole(void **state)
{
    static const struct {
        const char *list;
        uint64_t n;
    } sets[] = {{SHARED_DATA "/cifar10/calibration.txt", 1000}, {SHARED_DATA "/cifar10/evaluation.txt", 2000}};
    struct record record = {0};

    (void)state;
    if (access(sets[0].list, R_OK) != 0)
        skip();
    for (size_t s = 0; s < 2; s++) {
        struct dataset_request request = {.kind = "images", .path = SHARED_DATA "/cifar10", .list = sets[s].list};
        struct dataset *dataset = dataset_open(&request, NULL);
        struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
        uint64_t histogram[10] = {0};

        assert_int_equal(dataset_count(dataset), sets[s].n);
        for (uint64_t i = 0; i < sets[s].n; i++) {
            assert_int_equal(dataset_read(cursor, i, &record, NULL), 0);
            assert_true(record.channels == 3 && record.height == 32 && record.width == 32);
            assert_in_range(record.label, 0, 9);
            histogram[record.label]++;
        }
        for (size_t c = 0; s == 0 && c < 10; c++)
            assert_int_equal(histogram[c], 100);
        dataset_cursor_close(cursor);
        dataset_close(dataset);
    }
    record_fini(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_give_order_keys_and_labels),
        cmocka_unit_test(folders_are_scanned_in_bytewise_order),
        cmocka_unit_test(wrong_lists_are_refused_with_their_line),
        cmocka_unit_test(opening_nothing_is_refused),
        cmocka_unit_test(limits_keep_the_first_records),
        cmocka_unit_test(lossless_images_decode_to_their_pixels),
        cmocka_unit_test(bmps_decode_to_their_pixels_and_must_be_whole),
        cmocka_unit_test(damaged_images_are_bad_records),
        cmocka_unit_test(headers_cannot_claim_memory),
        cmocka_unit_test(every_truncation_of_a_jpeg_is_noticed),
        cmocka_unit_test(missing_and_odd_files_are_bad_records),
        cmocka_unit_test(fingerprints_follow_content_not_places),
        cmocka_unit_test(both_cifar_lists_are_read_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
