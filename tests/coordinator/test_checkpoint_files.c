/* test_checkpoint_files.c — what the files promise where several ranks write and read them: shards that cut all values,
 * add up to what was kept, and are nothing without their index. Ranks are played one after the other. */
#include "../formats/image_files.h"
#include "networks.h"

#include "coordinator/checkpoint_files.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { BINS = 1024, N_RECORDS = 100, BLOCK = 8 };

static const struct comm alone = {0, 1};

struct setting {
    struct place place;
    struct graph *graph;
    struct run_request request;
    struct keep_subject subject;
    struct output *output;
    struct checkpoint_files files;
    struct observation *whole; /* what is kept */
    struct pass_progress progress;
};

static struct observation *count_something(const struct graph *graph)
{
    struct observation *o = observation_create(graph, BINS, 0, NULL);
    float x[64];

    assert_int_equal(observation_keep_parts(o, NULL), 0);
    o->parts->cut = observe_cut_in_turn((N_RECORDS + BLOCK - 1) / BLOCK);
    for (size_t v = 0; v < graph->n_values; v++) {
        if (o->tensor[v].bins == 0)
            continue;
        network_draw_input(v, x, 64);
        assert_int_equal(histogram_observe(&o->tensor[v], x, 64, NULL), 0);
        assert_int_equal(histogram_observe(&o->parts->of[v % OBSERVE_PARTS][v], x, 64, NULL), 0);
    }
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        o->parts->n_records[p] = p + 1;
    return o;
}

static struct setting begin(void)
{
    struct setting s = {.place = place_create(), .graph = network_find("residual")->build(NULL)};

    assert_non_null(s.graph);
    s.request.model_name = "model";
    s.request.calibration.bins = BINS;
    s.request.calibration.block = BLOCK;
    s.subject = (struct keep_subject){.graph = s.graph,
                                      .n_records = N_RECORDS,
                                      .statistics = "statistics",
                                      .measurement = "measurement",
                                      .model = "model",
                                      .probe = "probe"};
    s.whole = count_something(s.graph);
    s.output = output_open(s.place.folder, NULL);
    assert_non_null(s.output);
    s.progress = (struct pass_progress){.n_records = N_RECORDS};
    s.progress.identities = calloc(N_RECORDS, sizeof *s.progress.identities);
    assert_int_equal(block_set_init(&s.progress.done, (N_RECORDS + BLOCK - 1) / BLOCK, NULL), 0);
    block_set_add(&s.progress.done, 3);
    return s;
}

/* Where the setting lies is known only now. */
static void open_files(struct setting *s)
{
    s->request.output = s->place.folder;
    s->subject.request = &s->request;
    assert_int_equal(checkpoint_files_open(&alone, &s->subject, s->output, &s->files, NULL), 0);
}

static void end(struct setting *s)
{
    assert_int_equal(checkpoint_files_remove(s->output, NULL), 0);
    checkpoint_files_close(&s->files);
    output_close(s->output);
    observation_destroy(s->whole);
    pass_progress_fini(&s->progress);
    graph_destroy(s->graph);
    place_destroy(&s->place);
}

/* What n ranks write of generation 0, without the index. */
static void write_shards(struct setting *s, size_t n, struct archive_shard *shards)
{
    for (size_t k = 0; k < n; k++) {
        char name[48];
        size_t first, last;
        struct observation *share;

        checkpoint_files_cut(&s->subject, n, k, &first, &last);
        share = observation_create_share(s->graph, BINS, 0, first, last, NULL);
        if (s->whole->parts != NULL) {
            assert_int_equal(observation_keep_parts(share, NULL), 0);
            share->parts->cut = s->whole->parts->cut;
        }
        assert_int_equal(observation_merge(share, s->whole, NULL), 0);
        if (s->whole->ranges != NULL)
            assert_non_null(share->ranges = ranges_create(share, NULL));
        snprintf(name, sizeof name, "checkpoint/0.%zu.h5", k);
        shards[k] = (struct archive_shard){0};
        assert_int_equal(keep_write_shard(&s->subject, share, &s->progress, s->output, name, &shards[k], NULL), 0);
        observation_destroy(share);
    }
}

static void write_index(struct setting *s, size_t n, struct archive_shard *shards)
{
    assert_int_equal(keep_write_index(&s->subject, &s->progress, shards, n, 1, s->output, "checkpoint/0.h5", NULL), 0);
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
    assert_int_equal(a->bins, b->bins);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->exponent, b->exponent);
    assert_memory_equal(a->positive, b->positive, a->bins * sizeof *a->positive);
    if (a->negative != NULL)
        assert_memory_equal(a->negative, b->negative, a->bins * sizeof *a->negative);
}

static void assert_is_whole(const struct setting *s, const struct observation *found)
{
    for (size_t v = 0; v < s->graph->n_values; v++) {
        if (s->whole->tensor[v].bins == 0)
            continue;
        assert_same(&found->tensor[v], &s->whole->tensor[v]);
        for (size_t p = 0; p < OBSERVE_PARTS; p++)
            assert_same(&found->parts->of[p][v], &s->whole->parts->of[p][v]);
    }
    assert_memory_equal(found->parts->n_records, s->whole->parts->n_records, sizeof found->parts->n_records);
}

/* What there is of generation 0 is refused, and set aside. */
static void assert_none_loads(struct setting *s)
{
    struct checkpoint_found found;
    struct error err = {0};

    assert_int_equal(checkpoint_files_load(&s->files, false, &found, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "no checkpoint loads"));
    assert_int_equal(access(in_place(&s->place, "checkpoint/0.h5"), F_OK), -1);
    assert_int_equal(access(in_place(&s->place, "checkpoint/0.h5.damaged"), F_OK), 0);
    assert_int_equal(output_remove_like(s->output, "checkpoint", "*.damaged", NULL), 0);
}

static void shards_cut_all_values_evenly(void **state)
{
    struct setting s = begin();
    uint64_t all = 0, largest = 0;

    (void)state;
    open_files(&s);
    for (size_t v = 0; v < s.graph->n_values; v++) {
        uint64_t bytes = observation_bytes(s.graph, BINS, 0, v);

        all += bytes;
        largest = bytes > largest ? bytes : largest;
    }
    for (size_t n = 1; n < 3 * s.graph->n_values; n++) {
        size_t at = 0;

        for (size_t k = 0; k < n; k++) {
            size_t first, last;
            uint64_t bytes = 0;

            checkpoint_files_cut(&s.subject, n, k, &first, &last);
            assert_int_equal(first, at);
            assert_true(last >= first);
            for (; at < last; at++)
                bytes += observation_bytes(s.graph, BINS, 0, at);
            assert_true(bytes <= all / n + 1 + largest);
        }
        assert_int_equal(at, s.graph->n_values);
    }
    end(&s);
}

static void what_many_ranks_have_written_one_reads(void **state)
{
    struct archive_shard shards[64];

    (void)state;
    for (size_t n = 2; n <= 64; n *= 2) {
        struct setting s = begin();
        struct checkpoint_found found;

        open_files(&s);
        write_shards(&s, n, shards);
        write_index(&s, n, shards);
        assert_int_equal(checkpoint_files_load(&s.files, false, &found, NULL), 0);
        assert_true(found.is_begun);
        assert_false(found.is_second);
        assert_int_equal(found.progress.end, (N_RECORDS + BLOCK - 1) / BLOCK);
        assert_int_equal(block_set_count(&found.progress.done), 1);
        assert_is_whole(&s, found.share);
        observation_destroy(found.share);
        pass_progress_fini(&found.progress);
        end(&s);
    }
}

static void shards_without_their_index_are_nothing(void **state)
{
    struct archive_shard shards[3];
    struct setting s = begin();
    struct checkpoint_found found;

    (void)state;
    open_files(&s);
    write_shards(&s, 3, shards);
    assert_int_equal(checkpoint_files_load(&s.files, false, &found, NULL), 0);
    assert_false(found.is_begun);
    end(&s);
}

static void a_shard_of_another_moment_is_not_taken(void **state)
{
    struct archive_shard shards[3], later[3];
    struct setting s = begin();
    float x = 3;

    (void)state;
    open_files(&s);
    write_shards(&s, 3, shards);
    for (size_t v = 0; v < s.graph->n_values; v++)
        if (s.whole->tensor[v].bins > 0) {
            assert_int_equal(histogram_observe(&s.whole->tensor[v], &x, 1, NULL), 0);
            assert_int_equal(histogram_observe(&s.whole->parts->of[0][v], &x, 1, NULL), 0);
        }
    write_shards(&s, 3, later);
    write_index(&s, 3, shards);
    assert_none_loads(&s);
    assert_int_equal(access(in_place(&s.place, "checkpoint/0.0.h5"), F_OK), -1);
    end(&s);
}

/* A rank may read such shards only, and goes on with the others. */
static void what_is_read_of_shards_without_values_has_parts(void **state)
{
    enum { N = 64 };
    struct archive_shard shards[N];
    struct setting s = begin();
    struct observe_cut other = observe_cut_in_turn(1);
    size_t n_empty = 0;

    (void)state;
    open_files(&s);
    write_shards(&s, N, shards);
    for (size_t k = 0; k < N; k++) {
        struct observation *share;
        char name[32];
        size_t first, last;

        snprintf(name, sizeof name, "checkpoint/0.%zu.h5", k);
        checkpoint_files_cut(&s.subject, N, k, &first, &last);
        share = keep_create_share(&s.subject, first, last, false, NULL);
        assert_int_equal(keep_read_shard(&s.subject, in_place(&s.place, name), shards, k, first, last, share, NULL), 0);
        assert_non_null(share->parts);
        assert_int_equal(keep_take_cut(share, &s.whole->parts->cut, NULL), 0);
        assert_memory_equal(&share->parts->cut, &s.whole->parts->cut, sizeof share->parts->cut);
        assert_int_equal(keep_take_cut(share, &other, NULL), -1);
        n_empty += shards[k].n_values == 0;
        observation_destroy(share);
    }
    assert_true(n_empty > 0);
    end(&s);
}

static void statistics_without_parts_are_not_gone_on_with(void **state)
{
    struct archive_shard shards[3];
    struct setting s = begin();

    (void)state;
    open_files(&s);
    observe_parts_destroy(s.whole->parts);
    s.whole->parts = NULL;
    write_shards(&s, 3, shards);
    write_index(&s, 3, shards);
    assert_none_loads(&s);
    assert_int_equal(checkpoint_files_write(&s.files, 1, s.whole, &s.progress, 1, NULL), 0);
    assert_none_loads(&s);
    end(&s);
}

static void shards_whose_parts_are_of_other_blocks_are_not_taken(void **state)
{
    struct archive_shard shards[3], others[3];
    struct setting s = begin();

    (void)state;
    open_files(&s);
    write_shards(&s, 3, shards);
    assert_int_equal(rename(in_place(&s.place, "checkpoint/0.0.h5"), in_place(&s.place, "kept.h5")), 0);
    s.whole->parts->cut = observe_cut_in_turn(1);
    write_shards(&s, 3, others);
    assert_int_equal(rename(in_place(&s.place, "kept.h5"), in_place(&s.place, "checkpoint/0.0.h5")), 0);
    others[0] = shards[0];
    write_index(&s, 3, others);
    assert_none_loads(&s);
    end(&s);
}

/* Its blocks are done, so counts that are left out would be missing for good. */
static void a_second_pass_without_its_counts_is_not_gone_on_with(void **state)
{
    struct archive_shard shards[3];
    struct setting s = begin();
    struct checkpoint_found found;
    size_t v = 0;

    (void)state;
    open_files(&s);
    write_shards(&s, 3, shards);
    assert_int_equal(keep_write_index(&s.subject, &s.progress, shards, 3, 2, s.output, "checkpoint/0.h5", NULL), 0);
    assert_none_loads(&s);
    s.whole->ranges = ranges_create(s.whole, NULL);
    assert_int_equal(checkpoint_files_write(&s.files, 1, s.whole, &s.progress, 2, NULL), 0);
    assert_int_equal(checkpoint_files_load(&s.files, false, &found, NULL), 0);
    assert_true(found.is_second);
    assert_non_null(found.share->ranges);
    observation_destroy(found.share);
    pass_progress_fini(&found.progress);
    while (s.whole->ranges->values[v].n == 0)
        v++;
    s.whole->ranges->values[v].n = 0;
    s.files.next = 0;
    assert_int_equal(checkpoint_files_write(&s.files, 1, s.whole, &s.progress, 2, NULL), 0);
    assert_none_loads(&s);
    end(&s);
}

/* The index tells which blocks are done, and these would be counted in other ranges: nobody knows which are. */
static void a_first_pass_with_counts_of_a_second_is_not_gone_on_with(void **state)
{
    struct archive_shard shards[3];
    struct setting s = begin();
    struct checkpoint_found found;

    (void)state;
    open_files(&s);
    s.whole->ranges = ranges_create(s.whole, NULL);
    write_shards(&s, 3, shards);
    write_index(&s, 3, shards);
    assert_none_loads(&s);
    write_shards(&s, 3, shards);
    assert_int_equal(keep_write_index(&s.subject, &s.progress, shards, 3, 2, s.output, "checkpoint/0.h5", NULL), 0);
    assert_int_equal(checkpoint_files_load(&s.files, false, &found, NULL), 0);
    assert_true(found.is_second);
    observation_destroy(found.share);
    pass_progress_fini(&found.progress);
    end(&s);
}

/* An index that has lost shards would make the next run refuse to begin. */
static void an_index_is_removed_before_its_shards(void **state)
{
    struct archive_shard shards[3];
    struct setting s = begin();
    char path[300];

    (void)state;
    open_files(&s);
    write_shards(&s, 3, shards);
    write_index(&s, 3, shards);
    snprintf(path, sizeof path, "%s", in_place(&s.place, "checkpoint/0.9.h5"));
    assert_int_equal(mkdir(path, 0777), 0); /* no file: ends the removal on its way */
    assert_int_equal(checkpoint_files_remove(s.output, NULL), -1);
    assert_int_equal(access(in_place(&s.place, "checkpoint/0.h5"), F_OK), -1);
    assert_int_equal(rmdir(path), 0);
    end(&s);
}

static void another_jobs_checkpoint_is_refused_saying_what_differs(void **state)
{
    struct setting s = begin();
    struct checkpoint_found found;
    struct error err = {0};

    (void)state;
    open_files(&s);
    assert_int_equal(checkpoint_files_write(&s.files, 1, s.whole, &s.progress, 1, NULL), 0);
    s.request.calibration.block = 2 * BLOCK;
    s.files.subject.statistics = "others";
    s.files.subject.model = "another";
    assert_int_equal(checkpoint_files_load(&s.files, false, &found, &err), -1);
    assert_int_equal(err.code, EX_DATAERR);
    assert_non_null(strstr(err.text, "holds 1 blocks of another job, which differs in the model, calibration.block (8, "
                                     "now 16): "));
    assert_int_equal(checkpoint_files_load(&s.files, true, &found, NULL), 0);
    assert_false(found.is_begun);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_cut_all_values_evenly),
        cmocka_unit_test(what_many_ranks_have_written_one_reads),
        cmocka_unit_test(shards_without_their_index_are_nothing),
        cmocka_unit_test(a_shard_of_another_moment_is_not_taken),
        cmocka_unit_test(what_is_read_of_shards_without_values_has_parts),
        cmocka_unit_test(statistics_without_parts_are_not_gone_on_with),
        cmocka_unit_test(shards_whose_parts_are_of_other_blocks_are_not_taken),
        cmocka_unit_test(a_second_pass_without_its_counts_is_not_gone_on_with),
        cmocka_unit_test(a_first_pass_with_counts_of_a_second_is_not_gone_on_with),
        cmocka_unit_test(an_index_is_removed_before_its_shards),
        cmocka_unit_test(another_jobs_checkpoint_is_refused_saying_what_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
