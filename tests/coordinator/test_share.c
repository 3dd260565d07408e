/* test_share.c — work is dealt out whole, in order, and by cost. */
#include "coordinator/share.h"

#include "../common/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MOST = 500, RANKS = 40 };

static uint64_t costs[MOST];

static uint64_t cost(void *context, size_t i)
{
    (void)context;
    return costs[i];
}

struct hand {               /* what was dealt */
    size_t n, strips, last; /* searches; runs of one rank; that rank */
    uint64_t costs[RANKS];
};

static int take(void *context, size_t i, size_t rank, struct error *err)
{
    struct hand *hand = context;

    (void)err;
    assert_int_equal(i, hand->n++);
    assert_true(rank < RANKS);
    hand->strips += i == 0 || rank != hand->last;
    hand->last = rank;
    hand->costs[rank] += costs[i];
    return 0;
}

static void every_rank_has_strips_of_about_equal_cost(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct share_work work = {.n = draw_below(MOST), .cost = cost};
        size_t ranks = 1 + draw_below(RANKS);
        struct hand hand = {0};
        uint64_t total = 0, most = 0;
        struct error err;

        for (size_t i = 0; i < work.n; i++) {
            costs[i] = draw() >> (40 + draw_below(24));
            total += costs[i];
            most = costs[i] > most ? costs[i] : most;
        }
        assert_int_equal(share_deal(&work, ranks, take, &hand, &err), 0);
        assert_int_equal(hand.n, work.n);
        assert_true(hand.strips <= ranks * SHARE_STRIPS);
        for (size_t r = 0; r < RANKS; r++)
            assert_true(r < ranks ? hand.costs[r] <= total / ranks + SHARE_STRIPS * (most + 1) : hand.costs[r] == 0);
    }
}

static void equal_costs_are_dealt_equally(void **state)
{
    (void)state;
    for (size_t ranks = 1; ranks <= RANKS; ranks++)
        for (size_t n = 0; n <= 6 * ranks; n += n < ranks ? 1 : ranks) {
            struct share_work work = {.n = n, .cost = cost};
            struct hand hand = {0};
            struct error err;

            for (size_t i = 0; i < n; i++)
                costs[i] = 2048;
            assert_int_equal(share_deal(&work, ranks, take, &hand, &err), 0);
            for (size_t r = 0; r < ranks; r++)
                assert_true(n < ranks ? hand.costs[r] <= 2048 : hand.costs[r] == n / ranks * 2048);
        }
}

static int square(void *context, size_t i, struct error *err)
{
    (void)err;
    ((uint64_t *)context)[i] = i * i;
    return 0;
}

static int refuse(void *context, size_t i, struct error *err)
{
    (void)context;
    return i == 3 ? error_set(err, EX_DATAERR, "the third") : 0;
}

static void one_rank_does_all_of_it_and_a_failure_is_told(void **state)
{
    const struct comm alone = {0, 1};
    uint64_t results[7] = {0};
    struct share_work work = {results, 7, cost, square, results, sizeof *results};
    struct error err = {0};

    (void)state;
    assert_int_equal(share_run(&alone, &work, &err), 0);
    for (size_t i = 0; i < 7; i++)
        assert_true(results[i] == i * i);
    work.search = refuse;
    assert_int_equal(share_run(&alone, &work, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_has_strips_of_about_equal_cost),
        cmocka_unit_test(equal_costs_are_dealt_equally),
        cmocka_unit_test(one_rank_does_all_of_it_and_a_failure_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
