/* test_leveldb.c — folders that only look like a LevelDB: what the library would hang or abort on. Real ones are read
 * in tests/e2e/sources.sh.
 */
#include "image_files.h"

#include "formats/record.h"

#include <sys/stat.h>

static const char magic[] = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";

/* A folder with CURRENT and one other file. */
static const char *folder_with(const struct place *place, const char *name, const void *bytes, size_t size)
{
    write_file(in_place(place, "CURRENT"), "MANIFEST-000001\n", 16);
    write_file(in_place(place, name), bytes, size);
    return place->folder;
}

static void refused(const char *path, const char *said)
{
    struct dataset_request request = {.kind = "leveldb", .path = path};
    struct error err = {0};

    assert_null(dataset_open(&request, &err));
    assert_int_equal(err.code, EX_DATAERR);
    if (strstr(err.text, said) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", said, err.text);
}

/* LevelDB allocates the size that a footer names, and an allocation that fails ends the program. */
static void a_table_that_names_blocks_beyond_its_end_is_refused(void **state)
{
    static const struct {
        const char *places; /* offset and size of the metaindex, then of the index, in 7 bits a byte */
        size_t n;
        const char *said;
    } cases[] = {
        {"\0\x08\0\x80\x80\x80\x80\x80\x80\x80\x80\x40", 12, "found one of 4611686018427387904 bytes at byte 0"},
        {"\x64\x08\0\x08", 4, "found one of 8 bytes at byte 100"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\0\x08", 13, "found one of 8 bytes at byte 1844674407370955161"},
        {"\0\x08\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 14, "expected the places of two blocks"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place place = place_create();
        uint8_t table[64] = {0};

        memcpy(table + 16, cases[i].places, cases[i].n);
        memcpy(table + 56, magic, 8);
        refused(folder_with(&place, "000005.ldb", table, sizeof table), cases[i].said);
        refused(place.folder, "000005.ldb");
        place_destroy(&place);
    }
}

static void a_table_shorter_than_its_footer_is_refused(void **state)
{
    struct place place = place_create();

    (void)state;
    refused(folder_with(&place, "000005.sst", magic, 8), "000005.sst: expected a table of at least 48 bytes, found 8");
    place_destroy(&place);
}

static void a_fifo_does_not_hang(void **state)
{
    struct place place = place_create();

    (void)state;
    assert_int_equal(mkfifo(in_place(&place, "CURRENT"), 0600), 0);
    refused(place.folder, "CURRENT: expected a regular file");
    place_destroy(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_names_blocks_beyond_its_end_is_refused),
        cmocka_unit_test(a_table_shorter_than_its_footer_is_refused),
        cmocka_unit_test(a_fifo_does_not_hang),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
