/* test_digest.c — the digest of records is plain XXH3-64, whatever the size and place. */
#include "formats/records/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <xxhash.h>
#include <cmocka.h>

static void every_size_and_place_gives_xxh3(void **state)
{
    enum { MAX = 9000, SLACK = 64 };
    uint8_t *bytes = malloc(MAX + SLACK);
    uint32_t random = 1;

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < MAX + SLACK; i++)
        bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (size_t size = 0; size <= MAX; size += size < 300 || size % 2048 < 3 || size % 2048 > 2044 ? 1 : 37)
        for (size_t at = 0; at < SLACK; at += 21)
            assert_true(record_digest(bytes + at, size) == XXH3_64bits(bytes + at, size));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_size_and_place_gives_xxh3)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
