/* test_stages.c — the sentence at the end of a pass names what was the limit, and what to do. */
#include "coordinator/stages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    struct stages stages;
    size_t engine_threads, decode_threads;
    const char *verdict;
} cases[] = {
    {{1, 5, 2, 0.2, 8, 2, 0, 0}, 1, 1, "computing was the limit: engines waited 2 % of the time for data"},
    {{0.5, 20, 2, 43, 47, 10, 0, 0},
     4,
     1,
     "data was the limit: engines waited 43 % of the time, mostly for decoding; try engine.decode_threads: 2 where "
     "cores are free"}, /* 22.5 s of data for 57 s of four engines' work */
    {{9, 1, 1, 5, 5, 0, 0, 0},
     1,
     1,
     "data was the limit: engines waited 50 % of the time, mostly for reading; try "
     "engine.decode_threads: 3 where cores are free"},
    {{1, 1, 9, 5, 5, 0, 0, 0},
     1,
     3,
     "data was the limit: engines waited 50 % of the time, mostly for preprocessing, though 3 "
     "decoding threads should do: cores, or storage, are busy with something else"},
    {{0, 0, 0, 0, 0, 0, 0, 0}, 1, 1, "computing was the limit: engines waited 0 % of the time for data"},
    {{0, 1e9, 0, 1, 1e-9, 0, 0, 0},
     1,
     1,
     "data was the limit: engines waited 100 % of the time, mostly for decoding; try "
     "engine.decode_threads: 1024 where cores are free"},
};

static void the_verdict_names_the_limit_and_a_number_of_threads(void **state)
{
    char text[STAGES_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(stages_verdict(&cases[i].stages, cases[i].engine_threads, cases[i].decode_threads, text),
                            cases[i].verdict);
}

static void stages_add_up(void **state)
{
    struct stages sum = {1, 2, 3, 4, 5, 6, 7, 8}, more = {10, 20, 30, 40, 50, 60, 70, 80},
                  all = {11, 22, 33, 44, 55, 66, 77, 88};

    (void)state;
    stages_add(&sum, &more);
    assert_memory_equal(&sum, &all, sizeof all);
    assert_true(stages_wait_share(&(struct stages){0}) == 0);
    assert_true(stages_wait_share(&(struct stages){.wait = 1, .compute = 2, .observe = 1}) == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verdict_names_the_limit_and_a_number_of_threads),
        cmocka_unit_test(stages_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
