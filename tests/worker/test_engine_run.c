/* test_engine_run.c — whole networks, memory, sharing, threads, and what goes wrong. */
#include "check_engine.h"
#include "networks.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* Of the largest magnitude of a tensor: errors of a dozen layers (test_engine.c) add up. */
static const double NETWORK_TOLERANCE = 2e-4;

static struct graph *build_residual(void)
{
    struct error err = {0};
    struct graph *graph = network_find("residual")->build(&err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

static void a_residual_network_equals_the_reference(void **state)
{
    (void)state;
    check_graph_within(build_residual(), NETWORK_TOLERANCE);
}

/* Outputs in the middle, an input that is an output, and values whose memory others would like to have. */
static void outputs_survive_until_the_next_run(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4, 6, 6)), a = add_blocked(graph, x, 4, 20), b, y;

    (void)state;
    b = add_node(graph, OP_ACTIVATION, "b", INTS(a));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    y = b;
    for (int i = 0; i < 4; i++)
        y = add_blocked(graph, y, 20, 20);
    y = add_node(graph, OP_BINARY, "y", INTS(y, b));
    assert_true(graph_add_output(graph, a, NULL) >= 0);
    assert_true(graph_add_output(graph, x, NULL) >= 0);
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    check_graph_within(graph, NETWORK_TOLERANCE);
}

/* A reshape has no step of its own: what it looks at must live until it has been looked at. */
static void values_that_nobody_reads_are_observed_all_the_same(void **state)
{
    const struct shape flat = SHAPE(1, 144);
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4, 6, 6)), unread, y = x, view;

    (void)state;
    unread = add_node(graph, OP_TRANSPOSE, "unread", INTS(x));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 1, 3, 2}, 4 * sizeof(int64_t));
    for (int i = 0; i < 4; i++)
        y = add_blocked(graph, y, 4, 4);
    view = graph_add_value(graph, "view", DTYPE_FLOAT32, &flat, NULL);
    assert_true(graph_add_node(graph, OP_RESHAPE, NULL, NULL, &unread, 1, &view, 1, NULL) >= 0);
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    check_graph_within(graph, NETWORK_TOLERANCE);
}

/* Where memory held other values before, padding must be written, not found. */
static void padding_is_zero_in_memory_that_was_used(void **state)
{
    struct graph *graph = new_graph();
    int x = add_blocked(graph, add_input(graph, "x", SHAPE(1, 4, 6, 6)), 4, 20), y, z;

    (void)state;
    y = add_blocked(graph, add_blocked(graph, x, 20, 48), 48, 48); /* fills every channel, then dies */
    y = add_blocked(graph, y, 48, 20);
    z = add_node(graph, OP_ACTIVATION, NULL, INTS(x)); /* x is read again: this cannot be done in place */
    last_node(graph)->attr.activation = (struct activation){ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f};
    y = add_node(graph, OP_BINARY, NULL, INTS(y, z));
    z = add_node(graph, OP_BINARY, NULL, INTS(add_random(graph, SHAPE(20, 1, 1)), x));
    y = add_node(graph, OP_BINARY, "y", INTS(y, z));
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    check_graph_within(graph, NETWORK_TOLERANCE);
}

static uint64_t hash_bytes(const void *data, size_t n)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

struct digests {
    uint64_t first_record[64];
    size_t n;
};

static int digest_first_record(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct digests *digests = context;
    struct view one = *view;

    (void)node;
    (void)value;
    (void)err;
    one.records = 1;
    assert_true(digests->n < 64);
    digests->first_record[digests->n++] = hash_bytes(one.data, view_span(&one) * sizeof *one.data);
    return 0;
}

static void a_record_gives_the_same_bits_whatever_shares_its_batch(void **state)
{
    struct graph *graph = build_residual();
    size_t elements = elements_of(graph, graph->inputs[0]);
    struct engine *engine = engine_create(graph, 8, NULL, NULL);
    struct engine *second = engine_create(graph, 8, engine, NULL);
    float *input = draw_floats(8 * elements);
    struct digests expected = {{0}, 0};

    (void)state;
    assert_non_null(engine);
    assert_non_null(second);
    for (int round = 0; round < 4; round++) {
        struct digests found = {{0}, 0};
        struct error err;

        assert_succeeds(engine_run(round == 3 ? second : engine, (const float *const *)&input, round == 1 ? 1 : 8,
                                   digest_first_record, &found, &err),
                        err);
        if (round == 0)
            expected = found;
        assert_int_equal(found.n, expected.n);
        assert_memory_equal(found.first_record, expected.first_record, found.n * sizeof *found.first_record);
        for (size_t i = elements; i < 8 * elements; i++) /* other neighbours */
            input[i] = round == 1 ? 0 : (float)draw_uniform(-9, 9);
    }
    free(input);
    engine_destroy(second);
    engine_destroy(engine);
    graph_destroy(graph);
}

struct job {
    const struct graph *graph;
    struct engine *share;
    const float *input;
    struct digests digests;
    int rc;
};

static void *run_job(void *context)
{
    struct job *job = context;
    struct engine *engine = engine_create(job->graph, 4, job->share, NULL);

    job->rc = engine == NULL ? -1 : 0;
    for (int i = 0; i < 3 && job->rc == 0; i++) {
        job->digests.n = 0;
        job->rc = engine_run(engine, &job->input, 4, digest_first_record, &job->digests, NULL);
    }
    engine_destroy(engine);
    return NULL;
}

static void engines_on_many_threads_give_the_same_bits(void **state)
{
    struct graph *graph = build_residual();
    struct engine *first = engine_create(graph, 4, NULL, NULL);
    float *input = draw_floats(4 * elements_of(graph, graph->inputs[0]));
    struct job jobs[4];
    pthread_t threads[4];

    (void)state;
    assert_non_null(first);
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = (struct job){.graph = graph, .share = i == 0 ? NULL : first, .input = input};
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(jobs[i].rc, 0);
        assert_int_equal(jobs[i].digests.n, graph->n_nodes + 1);
        assert_memory_equal(&jobs[i].digests, &jobs[0].digests, sizeof jobs[0].digests);
    }
    free(input);
    engine_destroy(first);
    graph_destroy(graph);
}

/* As two processes of one machine do: the second never reorders anything. */
static void weights_that_another_engine_has_left_give_the_same_bits(void **state)
{
    struct graph *graph = build_residual();
    size_t elements = elements_of(graph, graph->inputs[0]);
    struct engine *first = engine_create(graph, 4, NULL, NULL), *second;
    size_t bytes = engine_weights_bytes(first);
    unsigned char *weights = test_malloc(bytes);
    float *input = draw_floats(4 * elements);
    struct digests expected = {{0}, 0}, found = {{0}, 0};
    struct error err;

    (void)state;
    assert_true(bytes > 0);
    engine_copy_weights(first, weights);
    assert_succeeds(engine_run(first, (const float *const *)&input, 4, digest_first_record, &expected, &err), err);
    engine_destroy(first);
    second = engine_create_with(graph, 4, weights, bytes, &err);
    assert_non_null(second);
    assert_succeeds(engine_run(second, (const float *const *)&input, 4, digest_first_record, &found, &err), err);
    assert_int_equal(found.n, expected.n);
    assert_memory_equal(found.first_record, expected.first_record, found.n * sizeof *found.first_record);
    engine_destroy(second);
    assert_fails(engine_create_with(graph, 4, weights, bytes - 64, &err) == NULL ? -1 : 0, EX_SOFTWARE, err,
                 "weights of another engine", "expected");
    test_free(weights);
    free(input);
    graph_destroy(graph);
}

static void engines_that_share_weights_take_less_memory(void **state)
{
    struct graph *graph = build_residual();
    struct engine *first = engine_create(graph, 2, NULL, NULL), *second, *third;

    (void)state;
    assert_non_null(first);
    second = engine_create(graph, 2, first, NULL);
    assert_non_null(second);
    third = engine_create(graph, 2, second, NULL);
    assert_non_null(third);
    assert_true(engine_memory_bytes(second) < engine_memory_bytes(first));
    assert_int_equal(engine_memory_bytes(third), engine_memory_bytes(second));
    assert_int_equal(engine_batch(third), 2);
    engine_destroy(third);
    engine_destroy(second);
    engine_destroy(first);
    graph_destroy(graph);
}

/* ---- failures ---- */

static int refuse(void *context, int node, int value, const struct view *view, struct error *err)
{
    (void)value;
    (void)view;
    ++*(int *)context;
    return node == 2 ? error_set(err, EX_IOERR, "the observer has had enough") : 0;
}

static void an_observer_that_fails_stops_the_run(void **state)
{
    struct graph *graph = build_residual();
    struct engine *engine = engine_create(graph, 1, NULL, NULL);
    float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    struct error err;
    int calls = 0;

    (void)state;
    assert_non_null(engine);
    assert_fails(engine_run(engine, (const float *const *)&input, 1, refuse, &calls, &err), EX_IOERR, err, "enough");
    assert_int_equal(calls, 4); /* the input and nodes 0, 1, 2 */
    assert_fails(engine_run(engine, (const float *const *)&input, 2, NULL, NULL, &err), EX_SOFTWARE, err, "2 records");
    free(input);
    engine_destroy(engine);
    graph_destroy(graph);
}

static void flushed_denormals_are_found_out(void **state)
{
#if defined(__x86_64__)
    struct graph *graph = build_residual();
    struct engine *engine = engine_create(graph, 1, NULL, NULL);
    float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    unsigned mode = _mm_getcsr();
    struct error err;

    (void)state;
    assert_non_null(engine);
    _mm_setcsr(mode | 1u << 15); /* FTZ */
    assert_fails(engine_run(engine, (const float *const *)&input, 1, NULL, NULL, &err), EX_SOFTWARE, err, "denormals");
    _mm_setcsr(mode);
    assert_succeeds(engine_run(engine, (const float *const *)&input, 1, NULL, NULL, &err), err);
    free(input);
    engine_destroy(engine);
    graph_destroy(graph);
#else
    (void)state;
    skip();
#endif
}

static void what_the_engine_cannot_run_is_named(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4)), y = add_value(graph, "y");
    struct error err;

    (void)state;
    graph->values[y].shape = SHAPE(1, 4);
    graph->values[y].has_shape = true;
    assert_true(graph_add_node(graph, OP_SHAPE, "pick", "Gather", &x, 1, &y, 1, NULL) >= 0);
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    assert_fails(engine_create(graph, 1, NULL, &err) == NULL ? -1 : 0, EX_UNAVAILABLE, err, "pick", "Gather");
    graph->values[x].shape = SHAPE(2, 4);
    assert_fails(engine_create(graph, 1, NULL, &err) == NULL ? -1 : 0, EX_UNAVAILABLE, err, "\"x\"", "2x4");
    assert_fails(engine_create(graph, 0, NULL, &err) == NULL ? -1 : 0, EX_USAGE, err, "batch");
    graph_destroy(graph);
}

/* In a child, because the library's choice is for the life of a process. */
static int status_of(int (*job)(const char *), const char *argument)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(job(argument));
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run_pinned(const char *isa)
{
    struct error err = {0};
    struct graph *graph = network_find("residual")->build(&err);
    float *input = draw_floats(elements_of(graph, graph->inputs[0]));
    struct engine *engine;

    if (engine_pin_isa(isa, &err) != 0)
        return err.code;
    engine = engine_create(graph, 1, NULL, &err);
    if (engine == NULL || engine_run(engine, (const float *const *)&input, 1, NULL, NULL, &err) != 0)
        return err.code;
    if (engine_pin_isa(isa, &err) != 0) /* as it is already */
        return err.code;
    if (engine_pin_isa("native", &err) == 0 || err.code != EX_UNAVAILABLE)
        return EX_PROTOCOL; /* too late, and must have said so */
    engine_destroy(engine);
    graph_destroy(graph);
    free(input);
    return strcmp(engine_isa(), isa) == 0 ? 0 : EX_DATAERR;
}

static int run_asked_first(const char *isa)
{
    struct error err = {0};

    return strlen(engine_isa()) > 0 && engine_pin_isa(isa, &err) != 0 ? err.code : 0;
}

static void instruction_sets_are_pinned_by_name_and_in_time(void **state)
{
    (void)state;
#if defined(__x86_64__)
    assert_int_equal(status_of(run_pinned, "sse41"), 0);
    if (__builtin_cpu_supports("avx2"))
        assert_int_equal(status_of(run_pinned, "avx2"), 0);
    if (!__builtin_cpu_supports("avx512f"))
        assert_int_equal(status_of(run_pinned, "avx512_core"), EX_UNAVAILABLE);
#endif
    assert_int_equal(status_of(run_asked_first, "sse41"), EX_SOFTWARE);
    assert_int_equal(status_of(run_pinned, "mmx"), EX_CONFIG);
    assert_int_equal(engine_pin_isa("native", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instruction_sets_are_pinned_by_name_and_in_time), /* first: a child wants a fresh library */
        cmocka_unit_test(a_residual_network_equals_the_reference),
        cmocka_unit_test(outputs_survive_until_the_next_run),
        cmocka_unit_test(values_that_nobody_reads_are_observed_all_the_same),
        cmocka_unit_test(padding_is_zero_in_memory_that_was_used),
        cmocka_unit_test(a_record_gives_the_same_bits_whatever_shares_its_batch),
        cmocka_unit_test(engines_on_many_threads_give_the_same_bits),
        cmocka_unit_test(weights_that_another_engine_has_left_give_the_same_bits),
        cmocka_unit_test(engines_that_share_weights_take_less_memory),
        cmocka_unit_test(an_observer_that_fails_stops_the_run),
        cmocka_unit_test(flushed_denormals_are_found_out),
        cmocka_unit_test(what_the_engine_cannot_run_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
