/* test_bytes.c — a file in memory, and the parts of it that are not needed there any more. */
#include "common/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void what_was_forgotten_reads_the_same_again(void **state)
{
    enum { SIZE = 5 * 4096 + 77 };
    char path[] = "/tmp/etalon-bytes.XXXXXX";
    FILE *out = fdopen(mkstemp(path), "wb");
    uint8_t *expected = malloc(SIZE);
    struct error err = {0};
    struct bytes file;

    (void)state;
    assert_non_null(out);
    assert_non_null(expected);
    for (size_t i = 0; i < SIZE; i++)
        expected[i] = (uint8_t)(i * 7 + i / 4096);
    assert_int_equal(fwrite(expected, 1, SIZE, out), SIZE);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(bytes_read(path, SIZE, &file, &err), 0);
    unlink(path);
    for (size_t begin = 0; begin < SIZE; begin += 1111) {
        bytes_forget(&file, file.data + begin, SIZE - begin);
        assert_memory_equal(file.data, expected, SIZE);
    }
    bytes_free(&file);
    free(expected);
}

/* The pages of ordinary memory would come back as zeros. */
static void what_is_not_of_the_file_is_left_alone(void **state)
{
    enum { SIZE = 1 << 20 };
    struct error err = {0};
    struct bytes file;
    uint8_t *other = malloc(SIZE);

    (void)state;
    assert_non_null(other);
    memset(other, 1, SIZE);
    assert_int_equal(bytes_read("/proc/self/exe", SIZE_MAX, &file, &err), 0);
    bytes_forget(&file, other, SIZE);
    bytes_forget(&file, file.data - 1, 1);
    bytes_forget(&file, file.data + 1, file.size);
    bytes_forget(&(struct bytes){.data = other, .size = SIZE}, other, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(other[i], 1);
    bytes_free(&file);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_forgotten_reads_the_same_again),
        cmocka_unit_test(what_is_not_of_the_file_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
