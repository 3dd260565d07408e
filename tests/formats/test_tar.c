/* test_tar.c — tar files of samples: grouping, shards, and every way to be damaged. What GNU tar and Python write is
 * read in tests/e2e/sources.sh.
 */
#include "image_files.h"

#include "formats/record.h"
#include "formats/records/shard_list.h"

/* A tar file that grows. */
struct shard {
    uint8_t bytes[64 << 10];
    size_t size;
};

static void seal(uint8_t *header)
{
    unsigned sum = 0;

    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static void add(struct shard *shard, char type, const char *name, const void *data, size_t size)
{
    uint8_t *header = shard->bytes + shard->size;

    assert_true(shard->size + 1024 + size <= sizeof shard->bytes);
    memset(header, 0, 512);
    memcpy(header, name, strlen(name));
    snprintf((char *)header + 124, 12, "%011o", (unsigned)size);
    header[156] = (uint8_t)type;
    memcpy(header + 257, "ustar\00000", 8);
    seal(header);
    memset(header + 512, 0, (size + 511) / 512 * 512);
    memcpy(header + 512, data, size);
    shard->size += 512 + (size + 511) / 512 * 512;
}

static void add_text(struct shard *shard, char type, const char *name, const char *text)
{
    add(shard, type, name, text, strlen(text));
}

/* A PGM of one pixel. */
static void add_pixel(struct shard *shard, const char *name, char pixel)
{
    char image[] = "P5 1 1 255 x";

    image[11] = pixel;
    add(shard, '0', name, image, 12);
}

static const char *write_shard(const struct place *place, const char *name, const struct shard *shard)
{
    const char *path = in_place(place, name);

    write_file(path, shard->bytes, shard->size);
    return path;
}

static void check(struct dataset *dataset, uint64_t ordinal, const char *key, int64_t label, int pixel)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    struct error err = {0};

    if (dataset_read(cursor, ordinal, &record, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(record.key, key);
    assert_int_equal(record.label, label);
    assert_int_equal(record.bytes[0], pixel);
    record_fini(&record);
    dataset_cursor_close(cursor);
}

static void bad(struct dataset *dataset, uint64_t ordinal, int code, const char *said)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, NULL);
    struct record record = {0};
    struct error err = {0};

    assert_int_equal(dataset_read(cursor, ordinal, &record, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, said) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", said, err.text);
    if (strstr(said, "cls: ") != NULL)
        assert_true(record.digest != 0); /* what is bad about it is not the picture */
    record_fini(&record);
    dataset_cursor_close(cursor);
}

static struct dataset *must_open(const char *path, const char *member)
{
    struct dataset_request request = {.kind = "tar", .path = path, .member = member};
    struct error err = {0};
    struct dataset *dataset = dataset_open(&request, &err);

    if (dataset == NULL)
        fail_msg("%s", err.text);
    return dataset;
}

static void refused(const char *path, int code, const char *said)
{
    struct dataset_request request = {.kind = "tar", .path = path};
    struct error err = {0};

    assert_null(dataset_open(&request, &err));
    assert_int_equal(err.code, code);
    if (strstr(err.text, said) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", said, err.text);
}

static void members_of_one_name_are_a_sample(void **state)
{
    static struct shard shard;
    struct place place = place_create();
    struct dataset *dataset;
    const char *path;

    (void)state;
    shard.size = 0;
    add_text(&shard, '5', "train/", "");
    add_pixel(&shard, "train/a.b/7.pgm", 'p');
    add_text(&shard, '0', "train/a.b/7.cls", " 12\n");
    add_text(&shard, '0', "train/a.b/7.json", "{}");
    add_text(&shard, '0', "train/a.b/._7.pgm", "rubbish of another system");
    add_text(&shard, '0', "train/8.cls", "-1");
    add_pixel(&shard, "train/8.left.pgm", 'q');
    add_text(&shard, 'L', "././@LongLink", "long/name/9.pgm");
    add_pixel(&shard, "cut", 'r');
    add_text(&shard, 'x', "pax", "13 path=x.pgm\n11 mtime=1\n");
    shard.bytes[shard.size - 512 + 1] = '4'; /* the record's own length: "14 path=x.pgm\n" */
    add_pixel(&shard, "cut", 's');
    path = write_shard(&place, "a.tar", &shard);
    dataset = must_open(path, NULL);
    assert_int_equal(dataset_count(dataset), 4);
    check(dataset, 3, "x", -1, 's');
    check(dataset, 0, "train/a.b/7", 12, 'p');
    check(dataset, 1, "train/8", -1, 'q');
    check(dataset, 2, "long/name/9", -1, 'r');
    dataset_close(dataset);
    dataset = must_open(path, "left.pgm");
    assert_int_equal(dataset_count(dataset), 4);
    check(dataset, 1, "train/8", -1, 'q');
    bad(dataset, 0, EX_DATAERR, "train/a.b/7: the sample has no left.pgm");
    dataset_close(dataset);
    place_destroy(&place);
}

static void damage_is_told(void **state)
{
    static struct shard shard, cut;
    struct place place = place_create();
    struct dataset *dataset;

    (void)state;
    shard.size = 0;
    add_pixel(&shard, "0.pgm", 'p');
    add_text(&shard, '0', "0.cls", "cat");
    add_text(&shard, '0', "1.jpg", "no image");
    add_text(&shard, '0', "2.txt", "neither");
    dataset = must_open(write_shard(&place, "a.tar", &shard), NULL);
    bad(dataset, 0, EX_DATAERR, "0: cls: expected a label");
    bad(dataset, 1, EX_DATAERR, "1: expected a JPEG");
    bad(dataset, 2, EX_DATAERR, "2: the sample has no picture or array");
    cut = shard;
    cut.size = 1000;
    write_shard(&place, "a.tar", &cut);
    bad(dataset, 1, EX_DATAERR, "the file ends after 0");
    unlink(in_place(&place, "a.tar"));
    assert_int_equal(dataset_check_unchanged(dataset, NULL), -1);
    bad(dataset, 0, EX_NOINPUT, "a.tar: cannot be opened");
    dataset_close(dataset);

    add_pixel(&shard, "3.pgm", 'p');
    add_pixel(&shard, "3.PGM", 'p');
    refused(write_shard(&place, "b.tar", &shard), EX_DATAERR, "3.PGM: the sample has another picture or array");
    cut.size = 512 + 11;
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR,
            "byte 0: expected 12 bytes of contents, the file ends after 11");
    cut.size = 300;
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "byte 0: expected a header of 512 bytes");
    cut = shard;
    cut.bytes[1024]++;
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "byte 1024: expected a tar header");
    cut.size = 0;
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "holds no record");
    memset(cut.bytes + 124, 0xff, 12); /* a negative size */
    seal(cut.bytes);
    cut.size = 1024;
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "byte 0: expected a tar header");
    cut.size = 0;
    add_text(&cut, 'x', "pax", "99 path=x.pgm\n");
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "damaged extended header");
    cut.size = 0;
    add_text(&cut, 'x', "pax", "24 size=999999999999999\n");
    add_pixel(&cut, "0.pgm", 'p');
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "expected 999999999999999 bytes of contents");
    cut.size = 0;
    add_pixel(&cut, "0.pgm", 'p');
    add_text(&cut, '1', "1.pgm", "");
    refused(write_shard(&place, "c.tar", &cut), EX_DATAERR, "1.pgm: a hard link, which is not followed");
    place_destroy(&place);
}

static void patterns_name_shards(void **state)
{
    struct place place = place_create();
    struct shard_list list = {0};
    struct error err = {0};
    char pattern[128];

    (void)state;
    for (int i = 8; i <= 11; i++) {
        snprintf(pattern, sizeof pattern, "s%03d.tar", i);
        write_text(in_place(&place, pattern), "");
    }
    snprintf(pattern, sizeof pattern, "%s/s{008..010}.tar", place.folder);
    assert_int_equal(shard_list_read(&list, pattern, &err), 0);
    assert_int_equal(list.n, 3);
    assert_non_null(strstr(list.paths[2], "/s010.tar"));
    shard_list_fini(&list);
    snprintf(pattern, sizeof pattern, "%s/s{01?,008}.tar", place.folder);
    assert_int_equal(shard_list_read(&list, pattern, &err), 0);
    assert_int_equal(list.n, 3);
    assert_non_null(strstr(list.paths[2], "/s008.tar"));
    shard_list_fini(&list);
    assert_int_equal(shard_list_read(&list, place.folder, &err), 0);
    assert_int_equal(list.n, 4);
    assert_non_null(strstr(list.paths[0], "/s008.tar"));
    shard_list_fini(&list);
    snprintf(pattern, sizeof pattern, "%s/s{010..013}.tar",
             place.folder); /* two are missing: found when they are read */
    assert_int_equal(shard_list_read(&list, pattern, &err), 0);
    assert_int_equal(list.n, 4);
    shard_list_fini(&list);
    snprintf(pattern, sizeof pattern, "%s/t*.tar", place.folder);
    assert_int_equal(shard_list_read(&list, pattern, &err), -1);
    assert_int_equal(err.code, EX_NOINPUT);
    shard_list_fini(&list);
    assert_int_equal(shard_list_read(&list, "{0..99999999999}.tar", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    shard_list_fini(&list);
    assert_int_equal(shard_list_read(&list, "{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}", &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    shard_list_fini(&list);
    place_destroy(&place);
}

static void a_dataset_with_another_label_is_another_one(void **state)
{
    static struct shard shards[2];
    struct place place = place_create();
    char hex[2][65];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dataset *dataset;

        add_pixel(&shards[i], "a.pgm", 1);
        add_text(&shards[i], '0', "a.cls", i == 0 ? "3" : "4");
        dataset = must_open(write_shard(&place, "a.tar", &shards[i]), NULL);
        assert_int_equal(dataset_fingerprint(dataset, hex[i], NULL), 0);
        dataset_close(dataset);
    }
    assert_string_not_equal(hex[0], hex[1]);
    place_destroy(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dataset_with_another_label_is_another_one),
        cmocka_unit_test(members_of_one_name_are_a_sample),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(patterns_name_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
