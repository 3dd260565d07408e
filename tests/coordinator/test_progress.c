/* test_progress.c — how many blocks are done, after pauses that leave gaps. */
#include "../common/build_graph.h"
#include "../common/draw.h"
#include "coordinator/progress.h"

enum { BLOCKS = 200 };

static void blocks_done_before_a_pause_are_done_whatever_is_claimed_after_it(void **state)
{
    struct block_set done;
    struct error err;

    (void)state;
    assert_succeeds(block_set_init(&done, BLOCKS, &err), err);
    for (size_t i = 0; i < 100; i++)
        block_set_add(&done, draw_below(BLOCKS));
    for (uint64_t claimed = block_set_first_missing(&done); claimed <= BLOCKS; claimed++) {
        double known = (double)block_set_count(&done), new = 0;

        for (uint64_t i = 0; i < claimed; i++)
            new += !block_set_has(&done, i);
        assert_true(progress_blocks(&done, claimed, 0) == known);
        assert_true(progress_blocks(&done, claimed, 0.5) == known + new / 2);
        assert_true(progress_blocks(&done, claimed, 1) == known + new);
    }
    assert_true(progress_blocks(&done, BLOCKS, 1) == BLOCKS);
    block_set_fini(&done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_done_before_a_pause_are_done_whatever_is_claimed_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
