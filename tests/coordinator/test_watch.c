/* test_watch.c — who is warned of: a process alone watches itself, as a rank watches another one. */
#include "common/log.h"
#include "coordinator/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

static const double limit = 0.05;

/* Whether there is a warning of a rank that tells this for four times the limit, and does no block. */
static bool is_warned_of(struct watch *watch, uint64_t n_held, uint64_t block)
{
    for (int i = 0; i < 40; i++) {
        assert_false(watch_tell(watch, 3, n_held, block, false));
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    return watch->warned > 0;
}

static void a_rank_that_holds_no_block_is_not_to_blame(void **state)
{
    struct comm comm = {0, 1};
    struct watch watch = watch_begin(&comm, "calibration", limit);

    (void)state;
    assert_false(is_warned_of(&watch, 0, WATCH_NO_BLOCK));
}

static void a_rank_that_waits_for_records_is_named(void **state)
{
    struct comm comm = {0, 1};
    struct watch watch = watch_begin(&comm, "calibration", limit);

    (void)state;
    assert_true(is_warned_of(&watch, 2, WATCH_NO_BLOCK));
    assert_true(watch_tell(&watch, 3, 0, WATCH_NO_BLOCK, true));
    assert_true(watch.warned == 0);
}

static void a_rank_that_is_at_a_block_is_named_after_the_limit_and_not_at_once(void **state)
{
    struct comm comm = {0, 1};
    struct watch watch = watch_begin(&comm, "calibration", limit);

    (void)state;
    assert_false(is_warned_of(&watch, 0, WATCH_NO_BLOCK));
    assert_false(watch_tell(&watch, 3, 1, 7, false));
    assert_true(watch.warned == 0);
    assert_true(is_warned_of(&watch, 1, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_that_holds_no_block_is_not_to_blame),
        cmocka_unit_test(a_rank_that_waits_for_records_is_named),
        cmocka_unit_test(a_rank_that_is_at_a_block_is_named_after_the_limit_and_not_at_once),
    };

    log_set_level(LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
