/* test_source.c — blocks are a function of the dataset alone: not of threads, delays, or who takes them. */
#include "worker/source.h"

#include "worker/preprocess.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { ROW = 6 }; /* values of a record, 1x2x3 */

/* A dataset without files: what it does is set by the test. */
static struct {
    uint64_t n_records;
    uint64_t bad_every;        /* records 1, 1 + bad_every, ... are bad; 0: none */
    uint64_t wrong_size_every; /* records 2, 2 + ... have another shape; 0: none */
    uint64_t failing;          /* this one fails with EX_IOERR */
    unsigned delay_us;         /* at most, a record */
    atomic_uint n_reads;
} made;

static void reset(uint64_t n_records, unsigned delay_us)
{
    made.n_records = n_records;
    made.bad_every = made.wrong_size_every = 0;
    made.failing = UINT64_MAX;
    made.delay_us = delay_us;
    atomic_store(&made.n_reads, 0);
}

static int made_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    (void)request;
    (void)err;
    *state = NULL;
    *n_records = made.n_records;
    return 0;
}

static void made_close(void *state)
{
    (void)state;
}

static bool is_every(uint64_t ordinal, uint64_t first, uint64_t every)
{
    return every != 0 && ordinal >= first && (ordinal - first) % every == 0;
}

static int made_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    unsigned n = atomic_fetch_add(&made.n_reads, 1);

    (void)state;
    (void)cursor;
    if (made.delay_us > 0) { /* differs from run to run with the interleaving of threads */
        struct timespec delay = {0, (long)(n * 2654435761u % made.delay_us) * 1000};

        nanosleep(&delay, NULL);
    }
    snprintf(record->key, sizeof record->key, "record %llu", (unsigned long long)ordinal);
    record->label = (int64_t)(ordinal % 10);
    record->digest = ordinal * 77 + 1;
    if (ordinal == made.failing)
        return error_set(err, EX_IOERR, "the disk is gone");
    if (is_every(ordinal, 1, made.bad_every))
        return error_set(err, EX_DATAERR, "rotten");
    if (record_reserve(record, 1, 2, is_every(ordinal, 2, made.wrong_size_every) ? 4 : 3, true, err) < 0)
        return -1;
    record->is_planar = true;
    record->order = PIXELS_GRAY;
    for (size_t i = 0; i < 2 * record->width; i++)
        record->value_buffer[i] = (float)(ordinal * 8 + i) + 0.5f;
    return 0;
}

static const struct record_kind kind_made = {
    .name = "made", .summary = "for tests", .open = made_open, .close = made_close, .read = made_read};

static struct dataset *open_made(void)
{
    struct dataset_request request = {.kind = "made", .path = "nowhere"};
    struct dataset *dataset = dataset_open_kind(&kind_made, &request, NULL);

    assert_non_null(dataset);
    return dataset;
}

static struct source *create(struct dataset *dataset, const struct preprocess_plan *plan, size_t block_size,
                             size_t n_threads, size_t depth)
{
    struct source_options options = {.dataset = dataset,
                                     .n_inputs = 1,
                                     .inputs = {{.plan = plan, .shape = {3, {1, 2, 3}}}},
                                     .block_size = block_size,
                                     .n_threads = n_threads,
                                     .depth = depth};
    struct error err = {0};
    struct source *source = source_create(&options, &err);

    if (source == NULL)
        fail_msg("%s", err.text);
    return source;
}

static const struct preprocess_plan doubled = {1, {{.kind = STEP_SCALE, .n_values = 1, .values = {2.0f}}}};

/* What block `index` must be, from the definition. */
static void check_block(const struct block *block, size_t block_size)
{
    size_t good = 0, bad = 0;

    for (uint64_t i = block->index * block_size; i < (block->index + 1) * block_size && i < made.n_records; i++) {
        if (is_every(i, 1, made.bad_every) || is_every(i, 2, made.wrong_size_every)) {
            char reason[80];

            snprintf(reason, sizeof reason, "record %llu: %s", (unsigned long long)i,
                     is_every(i, 1, made.bad_every) ? "rotten" : "expected 1x2x3, found 1x2x4");
            assert_int_equal(block->bad_ordinals[bad], i);
            assert_int_equal(block->bad_identities[bad].digest, i * 77 + 1);
            assert_string_equal(block->bad_reasons[bad], reason);
            bad++;
            continue;
        }
        assert_int_equal(block->ordinals[good], i);
        assert_int_equal(block->labels[good], i % 10);
        assert_int_equal(block->identities[good].digest, i * 77 + 1);
        assert_true(block->identities[good].key != 0);
        for (size_t k = 0; k < ROW; k++)
            assert_true(block->inputs[0][good * ROW + k] == 2.0f * ((float)(i * 8 + k) + 0.5f));
        good++;
    }
    assert_int_equal(block->n_records, good);
    assert_int_equal(block->n_bad, bad);
    for (size_t k = good * ROW; k < block_size * ROW; k++)
        assert_true(block->inputs[0][k] == 0.0f);
}

static void blocks_do_not_depend_on_threads_or_delays(void **state)
{
    static const size_t thread_counts[] = {1, 2, 5};
    enum { N = 103, SIZE = 8, BLOCKS = 13 };

    (void)state;
    for (size_t t = 0; t < 3; t++)
        for (unsigned delay = 0; delay <= 300; delay += 150)
            for (size_t extra = 1; extra <= 4; extra += 3) {
                struct dataset *dataset;
                struct source *source;
                bool is_seen[BLOCKS] = {false};
                uint64_t numbers[BLOCKS];
                struct error err = {0};
                struct block *block;

                reset(N, delay);
                made.bad_every = 7;
                made.wrong_size_every = 11;
                dataset = open_made();
                source = create(dataset, &doubled, SIZE, thread_counts[t], thread_counts[t] + extra);
                for (uint64_t i = 0; i < BLOCKS; i++)
                    numbers[i] = (i * 5 + 3) % BLOCKS;
                assert_int_equal(source_request(source, numbers, 6, NULL), 0);
                assert_int_equal(source_request(source, numbers + 6, BLOCKS - 6, NULL), 0);
                assert_int_equal(source_request(source, NULL, 0, NULL), 0);
                source_finish(source);
                for (size_t i = 0; i < BLOCKS; i++) {
                    assert_int_equal(source_pending(source), BLOCKS - i);
                    block = source_take(source, &err);
                    assert_non_null(block);
                    if (thread_counts[t] == 1) /* one thread: the order of requests */
                        assert_int_equal(block->index, numbers[i]);
                    assert_false(is_seen[block->index]);
                    is_seen[block->index] = true;
                    check_block(block, SIZE);
                    source_give_back(source, block);
                }
                err.code = 5;
                assert_null(source_take(source, &err));
                assert_int_equal(err.code, 0);
                assert_null(source_take(source, &err)); /* and again */
                source_destroy(source);
                dataset_close(dataset);
            }
}

struct taker {
    struct source *source;
    size_t block_size, n_taken;
    atomic_uint *seen;
    int code;
};

static void *take_all(void *context)
{
    struct taker *taker = context;
    struct error err = {0};
    struct block *block;

    while ((block = source_take(taker->source, &err)) != NULL) {
        atomic_fetch_add(&taker->seen[block->index], 1);
        check_block(block, taker->block_size);
        taker->n_taken++;
        source_give_back(taker->source, block);
    }
    taker->code = err.code;
    return NULL;
}

static void several_takers_share_the_blocks_and_all_see_the_end(void **state)
{
    enum { N = 500, SIZE = 3, BLOCKS = 167, TAKERS = 4 };
    atomic_uint seen[BLOCKS] = {0};
    struct taker takers[TAKERS];
    pthread_t threads[TAKERS];
    struct dataset *dataset;
    struct source *source;
    size_t n_taken = 0;

    (void)state;
    reset(N, 50);
    dataset = open_made();
    source = create(dataset, &doubled, SIZE, 3, 4);
    for (size_t i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){source, SIZE, 0, seen, -1};
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
    }
    for (uint64_t b = 0; b < BLOCKS; b++) /* requests arrive while others are decoded */
        assert_int_equal(source_request(source, &b, 1, NULL), 0);
    source_finish(source);
    for (size_t i = 0; i < TAKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(takers[i].code, 0);
        n_taken += takers[i].n_taken;
    }
    assert_int_equal(n_taken, BLOCKS);
    for (size_t b = 0; b < BLOCKS; b++)
        assert_int_equal(atomic_load(&seen[b]), 1);
    source_destroy(source);
    dataset_close(dataset);
}

static void finishing_without_requests_ends_at_once(void **state)
{
    struct dataset *dataset;
    struct source *source;
    struct error err = {.code = 1};

    (void)state;
    reset(5, 0);
    dataset = open_made();
    source = create(dataset, &doubled, 2, 2, 3);
    source_finish(source);
    assert_null(source_take(source, &err));
    assert_int_equal(err.code, 0);
    source_destroy(source);
    dataset_close(dataset);
}

static void a_failing_dataset_reaches_every_taker(void **state)
{
    enum { TAKERS = 3 };
    atomic_uint seen[100] = {0};
    struct taker takers[TAKERS];
    pthread_t threads[TAKERS];
    struct error err = {0};

    (void)state;
    for (int is_finished = 0; is_finished < 2; is_finished++) {
        struct dataset *dataset;
        struct source *source;

        reset(200, 100);
        made.failing = 61;
        dataset = open_made();
        source = create(dataset, &doubled, 2, 2, 5);
        for (size_t i = 0; i < TAKERS; i++) {
            takers[i] = (struct taker){source, 2, 0, seen, -1};
            assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
        }
        for (uint64_t b = 0; b < 100; b++)
            assert_int_equal(source_request(source, &b, 1, NULL), 0);
        if (is_finished)
            source_finish(source);
        for (size_t i = 0; i < TAKERS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(takers[i].code, EX_IOERR);
        }
        assert_int_equal(atomic_load(&seen[30]), 0); /* the block of record 61 never came */
        assert_null(source_take(source, &err));
        assert_int_equal(err.code, EX_IOERR);
        assert_string_equal(err.text, "nowhere: record 61: the disk is gone");
        source_destroy(source);
        dataset_close(dataset);
    }
}

static void destroying_early_stops_the_threads(void **state)
{
    (void)state;
    for (size_t n_taken = 0; n_taken < 4; n_taken++) {
        uint64_t numbers[250];
        struct dataset *dataset;
        struct source *source;
        struct block *block = NULL;

        reset(1000, 200);
        dataset = open_made();
        source = create(dataset, &doubled, 4, 3, 4);
        for (uint64_t i = 0; i < 250; i++)
            numbers[i] = i;
        assert_int_equal(source_request(source, numbers, 250, NULL), 0);
        for (size_t i = 0; i < n_taken; i++) {
            block = source_take(source, NULL);
            assert_non_null(block);
            if (i > 0) /* the first one is never given back */
                source_give_back(source, block);
        }
        source_destroy(source);
        assert_true(atomic_load(&made.n_reads) < 200);
        dataset_close(dataset);
    }
}

static void memory_is_bounded_by_depth(void **state)
{
    enum { SIZE = 4, DEPTH = 4 };
    uint64_t numbers[100];
    struct timespec pause = {0, 50 * 1000000};
    struct dataset *dataset;
    struct source *source;

    (void)state;
    reset(400, 0);
    dataset = open_made();
    source = create(dataset, &doubled, SIZE, 2, DEPTH);
    for (uint64_t i = 0; i < 100; i++)
        numbers[i] = i;
    assert_int_equal(source_request(source, numbers, 100, NULL), 0);
    nanosleep(&pause, NULL);
    assert_in_range(atomic_load(&made.n_reads), 0,
                    SIZE * DEPTH); /* nobody takes: nothing beyond the blocks there are */
    assert_int_equal(source_pending(source), 100);
    source_destroy(source);
    dataset_close(dataset);
}

static void times_and_sizes_are_told(void **state)
{
    struct source_options options = {
        .n_inputs = 2, .inputs = {{.shape = {3, {1, 2, 3}}}, {.shape = {1, {4}}}}, .block_size = 5};
    struct error err = {0};
    struct feed_times times;
    struct dataset *dataset;
    struct source *source;
    struct block *block;

    (void)state;
    assert_int_equal(source_block_bytes(&options), 5 * (6 + 4) * sizeof(float));
    options.inputs[1].shape.dims[0] = 0;
    assert_true(source_block_bytes(&options) == SIZE_MAX);
    reset(8, 2000);
    dataset = open_made();
    source = create(dataset, &doubled, 8, 1, 2);
    assert_int_equal(source_request(source, &(uint64_t){0}, 1, NULL), 0);
    assert_non_null(block = source_take(source, &err));
    times = source_times(source);
    assert_true(times.read > 0.0005 && times.decode == 0 && times.preprocess > 0); /* eight delays of 1 ms on average */
    source_give_back(source, block);
    source_destroy(source);
    dataset_close(dataset);
}

static void wrong_requests_and_options_are_refused(void **state)
{
    struct source_options options = {.n_inputs = 1,
                                     .inputs = {{.plan = &doubled, .shape = {3, {1, 2, 3}}}},
                                     .block_size = 8,
                                     .n_threads = 2,
                                     .depth = 3};
    uint64_t number = 2;
    struct error err = {0};
    struct source *source;

    (void)state;
    reset(16, 0);
    options.dataset = open_made();
    source = source_create(&options, &err);
    assert_non_null(source);
    assert_int_equal(source_request(source, &number, 1, &err), -1);
    assert_int_equal(err.code, EX_SOFTWARE);
    assert_int_equal(source_pending(source), 0);
    source_destroy(source);

    options.depth = 2;
    assert_null(source_create(&options, &err));
    assert_int_equal(err.code, EX_CONFIG);
    options.depth = 3;
    options.inputs[0].shape.dims[1] = -1;
    assert_null(source_create(&options, &err));
    assert_int_equal(err.code, EX_CONFIG);
    options.inputs[0].shape.dims[1] = 2;
    options.inputs[0].plan = &(struct preprocess_plan){1, {{.kind = STEP_DIVIDE, .n_values = 1}}};
    assert_null(source_create(&options, &err)); /* the plan's own error comes through */
    assert_non_null(strstr(err.text, "other than 0"));
    source_destroy(NULL);
    dataset_close(options.dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_do_not_depend_on_threads_or_delays),
        cmocka_unit_test(several_takers_share_the_blocks_and_all_see_the_end),
        cmocka_unit_test(finishing_without_requests_ends_at_once),
        cmocka_unit_test(a_failing_dataset_reaches_every_taker),
        cmocka_unit_test(destroying_early_stops_the_threads),
        cmocka_unit_test(memory_is_bounded_by_depth),
        cmocka_unit_test(times_and_sizes_are_told),
        cmocka_unit_test(wrong_requests_and_options_are_refused),
    };

    alarm(120); /* a hang is a failure, not a wait */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
