/* test_tallies.c — what threads count in tallies ends in the part that it was counted for. */
#include "coordinator/tallies.h"

#include "../common/draw.h"
#include "networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { BINS = 2048, MAX_THREADS = 9, STEPS = 3000, FEW = 16 };

struct hand { /* of a thread */
    struct tally *tally;
    size_t part;
};

/* Any value that has a tally's histogram. */
static size_t observed_value(const struct observation *o)
{
    struct histogram *wholes = observation_create_wholes(o, NULL);
    size_t v = 0;

    assert_non_null(wholes);
    while (wholes[v].bins == 0)
        v++;
    observation_destroy_wholes(wholes, o->graph->n_values);
    return v;
}

/* Threads begin and end blocks in any order; so more parts are in hand, or idle, than there may be tallies. */
static void play(size_t n_threads)
{
    struct graph *graph = network_find("residual")->build(NULL);
    struct observation *moved = observation_create(graph, BINS, 0, NULL);
    struct tallies tallies;
    struct hand hands[MAX_THREADS] = {{0}};
    uint64_t counted[OBSERVE_PARTS] = {0}, n = 0;
    size_t v = observed_value(moved);

    assert_int_equal(observation_keep_parts(moved, NULL), 0);
    tallies_init(&tallies, moved, n_threads);
    for (size_t step = 0; step < STEPS + n_threads; step++) {
        struct hand *hand = &hands[step < STEPS ? draw_below(n_threads) : step - STEPS];
        float x[FEW];

        if (hand->tally != NULL) {
            tallies_give(&tallies, hand->part, hand->tally);
            hand->tally = NULL;
        } else if (step < STEPS) {
            hand->part = draw_below(OBSERVE_PARTS);
            hand->tally = tallies_take(&tallies, hand->part, NULL);
            assert_non_null(hand->tally);
            for (size_t i = 0; i < FEW; i++)
                x[i] = (float)draw_uniform(-3, 3);
            assert_int_equal(histogram_observe(&hand->tally->wholes[v], x, FEW, NULL), 0);
            hand->tally->n_records++;
            counted[hand->part]++;
            n++;
        }
        assert_true(tallies.n <= tallies.most);
    }
    assert_int_equal(tallies_empty(&tallies, NULL), 0);
    assert_int_equal(moved->tensor[v].n, n * FEW);
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        assert_int_equal(moved->parts->n_records[p], counted[p]);
        assert_int_equal(moved->parts->of[p][v].n, counted[p] * FEW);
    }
    tallies_fini(&tallies);
    observation_destroy(moved);
    graph_destroy(graph);
}

static void every_part_gets_what_was_counted_for_it(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= MAX_THREADS; n_threads++)
        play(n_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_gets_what_was_counted_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
