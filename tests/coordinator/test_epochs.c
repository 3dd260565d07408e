/* test_epochs.c — epochs and their parts are what their definition says, for few blocks and for very many. */
#include "coordinator/epochs.h"

#include "../common/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static uint64_t draw_blocks(void)
{
    return 1 + (draw() >> (1 + draw_below(60)));
}

static void parts_are_eighths_of_the_epoch_to_a_block(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint64_t n = draw_blocks(), cut[OBSERVE_PARTS + 1];
        unsigned halvings = (unsigned)draw_below(20);

        epochs_cut(n, halvings, cut);
        assert_true(cut[0] == 0 && cut[OBSERVE_PARTS] == epochs_end(n, halvings));
        assert_true(epochs_end(n, 0) == n);
        for (uint64_t p = 0; p < OBSERVE_PARTS; p++) {
            __uint128_t product = (__uint128_t)p * n, divisor = (__uint128_t)OBSERVE_PARTS << halvings;

            assert_true(cut[p] == (uint64_t)((product + divisor - 1) / divisor));
            assert_true(cut[p] <= cut[p + 1]);
        }
    }
}

static void two_parts_are_one_of_the_next_epoch(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint64_t n = draw_blocks(), now[OBSERVE_PARTS + 1], next[OBSERVE_PARTS + 1];
        unsigned halvings = 1 + (unsigned)draw_below(20);

        epochs_cut(n, halvings, now);
        epochs_cut(n, halvings - 1, next);
        for (size_t p = 0; p <= OBSERVE_PARTS / 2; p++)
            assert_true(next[p] == now[2 * p]);
    }
}

static void the_first_epoch_has_a_block_a_part_and_64_records(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint64_t n = 1 + (draw_blocks() >> 12);
        size_t block = 1 + draw_below(1024);
        unsigned halvings = epochs_first(n, block);
        uint64_t end = epochs_end(n, halvings), half = epochs_end(n, halvings + 1);

        if (halvings > 0)
            assert_true(end >= OBSERVE_PARTS && end * block >= EPOCHS_LEAST_RECORDS);
        assert_true(half <= OBSERVE_PARTS || half * block < EPOCHS_LEAST_RECORDS + block); /* nor can it be halved */
    }
    assert_int_equal(epochs_first(1, 8), 0);
    assert_int_equal(epochs_first(15, 8), 0);
    assert_int_equal(epochs_first(16, 8), 1);
    assert_int_equal(epochs_first(125, 8), 3);
    assert_int_equal(epochs_first(1000, 1), 3); /* 125 records; with 62 there were too few */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_eighths_of_the_epoch_to_a_block),
        cmocka_unit_test(two_parts_are_one_of_the_next_epoch),
        cmocka_unit_test(the_first_epoch_has_a_block_a_part_and_64_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
