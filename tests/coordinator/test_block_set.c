/* test_block_set.c — sets of blocks against plain arrays of flags. */
#include "../common/build_graph.h"
#include "../common/draw.h"
#include "coordinator/block_set.h"

enum { MOST = 300 };

static void assert_is(const struct block_set *set, const bool *flags)
{
    uint64_t count = 0, first = set->n;

    for (uint64_t i = 0; i < set->n; i++) {
        assert_int_equal(block_set_has(set, i), flags[i]);
        assert_int_equal(block_set_count_below(set, i), count);
        count += flags[i];
        first = !flags[i] && first == set->n ? i : first;
    }
    assert_int_equal(block_set_count(set), count);
    assert_int_equal(block_set_first_missing(set), first);
}

static void a_set_is_what_was_added(void **state)
{
    const uint64_t sizes[] = {0, 1, 63, 64, 65, 128, MOST};

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        bool flags[MOST] = {false};
        struct block_set set;
        struct error err;

        assert_succeeds(block_set_init(&set, sizes[k], &err), err);
        assert_is(&set, flags);
        for (size_t i = 0; i < 3 * sizes[k]; i++) {
            size_t block = draw_below(sizes[k]);

            block_set_add(&set, block);
            flags[block] = true;
            assert_is(&set, flags);
        }
        for (uint64_t i = 0; i < sizes[k]; i++)
            block_set_add(&set, i);
        assert_int_equal(block_set_first_missing(&set), sizes[k]);
        block_set_fini(&set);
        block_set_fini(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_set_is_what_was_added)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
