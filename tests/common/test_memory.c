/* test_memory.c — sizes never overflow, memory comes zeroed and aligned, arenas die at once. */
#include "common/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Impossible sizes shall be answered with NULL here too. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void assert_zeroed_and_aligned(const unsigned char *memory, size_t bytes)
{
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 0);
}

static void products_that_overflow_are_noticed(void **unused)
{
    size_t product = 7;

    (void)unused;
    assert_true(size_multiply((size_t)1 << 31, (size_t)1 << 32, &product));
    assert_int_equal(product, (size_t)1 << 63);
    assert_false(size_multiply((size_t)1 << 32, (size_t)1 << 32, &product));
    assert_true(size_multiply(0, SIZE_MAX, &product));
    assert_int_equal(product, 0);
}

static void memory_comes_zeroed_and_aligned(void **unused)
{
    (void)unused;
    for (size_t n = 0; n < 300; n += 7) {
        struct error err = {0};
        unsigned char *memory = memory_create(n, 3, "a test", &err);

        assert_zeroed_and_aligned(memory, 3 * n);
        memset(memory, 0xff, 3 * n); /* so that the next one would show it */
        free(memory);
    }
}

static void impossible_sizes_are_errors_that_say_how_much_for_what(void **unused)
{
    const size_t impossible[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8, (size_t)1 << 60};
    struct arena *arena;

    (void)unused;
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        struct error err = {0};
        void *array = NULL;
        size_t capacity = 0;

        assert_null(memory_create(impossible[i], 8, "a dream", &err));
        assert_int_equal(err.code, EX_OSERR);
        assert_non_null(strstr(err.text, "a dream"));

        err = (struct error){0};
        assert_int_equal(memory_grow(&array, &capacity, (size_t)1 << 40, impossible[i], "a list", &err), -1);
        assert_int_equal(err.code, EX_OSERR);
        assert_null(array);
        assert_int_equal(capacity, 0);

        err = (struct error){0};
        arena = arena_create(&err);
        assert_null(arena_create_array(arena, impossible[i], 8, &err));
        assert_int_equal(err.code, EX_OSERR);
        assert_non_null(arena_create_array(arena, 1, 8, &err)); /* it goes on */
        arena_destroy(arena);
    }
}

static void the_last_sizes_that_a_number_can_hold_are_refused(void **unused)
{
    struct error err = {0};
    struct arena *arena = arena_create(&err);

    (void)unused;
    for (size_t below = 0; below < 300; below++) { /* rounding up and headers must not wrap round to a small size */
        assert_null(memory_create(SIZE_MAX - below, 1, "too much", &err));
        assert_null(arena_create_array(arena, SIZE_MAX - below, 1, &err));
    }
    arena_destroy(arena);
}

static void growing_keeps_items_and_zeroes_new_ones(void **unused)
{
    uint32_t *items = NULL;
    size_t capacity = 0;
    struct error err = {0};

    (void)unused;
    for (uint32_t i = 0; i < 5000; i++) {
        void *array = items;

        assert_int_equal(memory_grow(&array, &capacity, i, sizeof *items, "items", &err), 0);
        items = array;
        assert_true(capacity > i);
        assert_int_equal(items[i], 0);
        items[i] = i + 1;
    }
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(items[i], i + 1);
    free(items);
}

static void a_buffer_holds_what_was_added_in_order(void **unused)
{
    struct buffer buffer = {0};
    struct error err = {0};
    unsigned char piece[300];
    size_t total = 0;

    (void)unused;
    for (size_t n = 0; n <= sizeof piece; n++) {
        memset(piece, (int)(n % 251), n);
        assert_int_equal(buffer_add(&buffer, piece, n, "a test", &err), 0);
    }
    for (size_t n = 0; n <= sizeof piece; n++)
        for (size_t i = 0; i < n; i++)
            assert_int_equal(buffer.data[total++], n % 251);
    assert_int_equal(buffer.size, total);
    assert_int_equal(buffer_add(&buffer, piece, SIZE_MAX - 1, "a test", &err), -1);
    assert_int_equal(err.code, EX_OSERR);
    assert_int_equal(buffer.size, total);
    free(buffer.data);
}

static void an_arena_keeps_everything_apart_until_it_dies(void **unused)
{
    enum { N = 2000 };
    struct error err = {0};
    struct arena *arena = arena_create(&err);
    unsigned char *memory[N];

    (void)unused;
    assert_non_null(arena);
    for (size_t i = 0; i < N; i++) {
        size_t bytes = i % 100 == 99 ? 100000 : i % 97; /* some larger than a chunk */

        memory[i] = arena_create_array(arena, bytes, 1, &err);
        assert_zeroed_and_aligned(memory[i], bytes);
        memset(memory[i], (int)(i % 251), bytes);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t byte = 0; byte < (i % 100 == 99 ? 100000 : i % 97); byte++)
            assert_int_equal(memory[i][byte], i % 251);
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void strings_are_copied_and_formatted_into_the_arena(void **unused)
{
    struct error err = {0};
    struct arena *arena = arena_create(&err);
    char name[] = "conv1", *copy = arena_copy_string(arena, name, &err);

    (void)unused;
    name[0] = 'X';
    assert_string_equal(copy, "conv1");
    assert_string_equal(arena_copy_string(arena, "", &err), "");
    assert_string_equal(arena_format(arena, &err, "%s/%d", copy, 42), "conv1/42");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_that_overflow_are_noticed),
        cmocka_unit_test(memory_comes_zeroed_and_aligned),
        cmocka_unit_test(impossible_sizes_are_errors_that_say_how_much_for_what),
        cmocka_unit_test(the_last_sizes_that_a_number_can_hold_are_refused),
        cmocka_unit_test(growing_keeps_items_and_zeroes_new_ones),
        cmocka_unit_test(a_buffer_holds_what_was_added_in_order),
        cmocka_unit_test(an_arena_keeps_everything_apart_until_it_dies),
        cmocka_unit_test(strings_are_copied_and_formatted_into_the_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
