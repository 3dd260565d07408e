/* test_graph.c — building, finding, sorting, compacting, validating graphs. */
#include "build_graph.h"

#include <stdio.h>
#include <stdlib.h>

/* x -> relu a -> relu b -> y */
static struct graph *chain(void)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2, 3, 3)), a, b;

    a = add_node(graph, OP_ACTIVATION, "a", INTS(x));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    b = add_node(graph, OP_ACTIVATION, "b", INTS(a));
    last_node(graph)->attr.activation.kind = ACTIVATION_TANH;
    assert_true(graph_add_output(graph, b, NULL) >= 0);
    return graph;
}

static void names_lead_back_to_values_and_nodes(void **state)
{
    struct graph *graph = new_graph();
    char name[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "v%d", i * 7919 % 1000);
        assert_int_equal(add_input(graph, name, SHAPE(1, 4)), i);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "v%d", i * 7919 % 1000);
        assert_int_equal(graph_find_value(graph, name), i);
    }
    assert_int_equal(graph_find_value(graph, "v1000"), GRAPH_NONE);
    assert_int_equal(graph_find_node(graph, "v0"), GRAPH_NONE);
    graph_destroy(graph);
}

static void made_up_names_avoid_the_users_names(void **state)
{
    struct graph *graph = new_graph();
    int taken = add_value(graph, "value_0"), made = add_value(graph, NULL);

    (void)state;
    assert_string_not_equal(graph->values[taken].name, graph->values[made].name);
    assert_int_equal(graph_find_value(graph, graph->values[made].name), made);
    graph_destroy(graph);
}

static void names_become_utf8_and_stay_different(void **state)
{
    static const char *const names[] = {"é", "a\xff", "a\\xff", "a\xc3(", "\n"}, *const clean[] = {"é", "a\\xff_1",
                                                                                                   "a\\xff", "a\\xc3(",
                                                                                                   "\n"};
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4));
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        add_node(graph, OP_IDENTITY, names[i], INTS(x)); /* and its output */
    assert_succeeds(graph_make_names_utf8(graph, &err), err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int node = graph_find_node(graph, clean[i]);

        assert_int_equal(node, i);
        assert_string_equal(graph->nodes[node].name, clean[i]);
        assert_int_equal(graph_find_value(graph, clean[i]), graph->nodes[node].outputs[0]);
    }
    assert_int_equal(graph_find_value(graph, "a\xff"), GRAPH_NONE);
    graph_destroy(graph);
}

static void duplicate_names_are_refused(void **state)
{
    struct graph *graph = chain();
    struct error err;
    int value = add_value(graph, "free");

    (void)state;
    assert_fails(graph_add_value(graph, "a", DTYPE_FLOAT32, NULL, &err), EX_DATAERR, err, "\"a\"");
    assert_fails(graph_add_node(graph, OP_RESHAPE, "b", "Flatten", INTS(0), &value, 1, &err), EX_DATAERR, err, "\"b\"",
                 "activation", "Flatten");
    graph_destroy(graph);
}

static void a_value_has_one_producer(void **state)
{
    struct graph *graph = chain();
    struct error err;
    int a = graph_find_value(graph, "a"), x = graph_find_value(graph, "x");

    (void)state;
    assert_fails(graph_add_node(graph, OP_IDENTITY, "c", NULL, INTS(x), &a, 1, &err), EX_DATAERR, err, "\"a\"",
                 "\"c\"");
    assert_fails(graph_add_node(graph, OP_IDENTITY, "c", NULL, INTS(a), &x, 1, &err), EX_DATAERR, err, "\"x\"", "\"c\"",
                 "graph input");
    assert_fails(graph_add_input(graph, a, &err), EX_DATAERR, err, "\"a\"");
    assert_fails(graph_add_input(graph, x, &err), EX_DATAERR, err, "\"x\"", "twice");
    graph_destroy(graph);
}

static void overflowing_and_negative_extents_are_refused(void **state)
{
    static const struct shape bad[] = {
        {2, {1, -1}},
        {4, {1, 65536, 65536, 65536}},
        {2, {INT64_MAX, INT64_MAX}},
        {3, {0, INT64_MAX, 2}},
        {8, {256, 256, 256, 256, 256, 256, 256, 256}},
    };
    struct graph *graph = new_graph();
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(graph_add_value(graph, "v", DTYPE_FLOAT32, &bad[i], &err), EX_DATAERR, err, "\"v\"", "2^31");
    assert_fails(graph_add_value(graph, "v", DTYPE_FLOAT32, &(struct shape){9, {1}}, &err), EX_DATAERR, err, "\"v\"",
                 "9");
    graph_destroy(graph);
}

static void consumers_are_nodes_and_graph_outputs_each_once(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2)), y = add_node(graph, OP_BINARY, "y", INTS(x, x));

    (void)state;
    assert_int_equal(graph_count_consumers(graph, x), 1);
    assert_int_equal(graph_count_consumers(graph, y), 0);
    assert_true(graph_add_output(graph, y, NULL) >= 0);
    assert_int_equal(graph_count_consumers(graph, y), 1);
    graph_replace_uses(graph, x, y);
    assert_int_equal(graph_count_consumers(graph, x), 0);
    assert_int_equal(graph->nodes[0].inputs[0], y);
    graph_replace_uses(graph, y, x);
    assert_true(graph_is_output(graph, x));
    graph_destroy(graph);
}

/* n nodes in a chain, added in a random order; also a long one, which must not exhaust the stack. */
static void sort_restores_execution_order(void **state)
{
    enum { N = 20000 };
    struct graph *graph = new_graph();
    int values[N + 1], order[N];
    struct error err;

    (void)state;
    srand(1);
    values[0] = add_input(graph, "x", SHAPE(1, 2));
    for (int i = 0; i < N; i++) {
        values[i + 1] = add_value(graph, NULL);
        order[i] = i;
    }
    for (int i = N - 1; i > 0; i--) {
        int j = rand() % (i + 1), swap = order[i];

        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0; i < N; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%d", order[i]);
        assert_true(
            graph_add_node(graph, OP_IDENTITY, name, NULL, &values[order[i]], 1, &values[order[i] + 1], 1, NULL) >= 0);
    }
    graph_add_output(graph, values[N], NULL);
    assert_fails(graph_validate(graph, &err), EX_DATAERR, err, "before");
    assert_succeeds(graph_sort(graph, &err), err);
    assert_succeeds(graph_infer_shapes(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
    for (int i = 0; i < N; i++) {
        assert_int_equal(graph->nodes[i].outputs[0], values[i + 1]);
        assert_int_equal(graph->values[values[i + 1]].producer, i);
        assert_int_equal(graph_find_node(graph, graph->nodes[i].name), i);
    }
    graph_destroy(graph);
}

static void sort_leaves_a_sorted_graph_alone(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2)), b, c;

    (void)state;
    add_node(graph, OP_IDENTITY, "a", INTS(x));
    b = add_node(graph, OP_IDENTITY, "b", INTS(x));
    c = add_node(graph, OP_IDENTITY, "c", INTS(0));
    add_node(graph, OP_BINARY, "d", INTS(c, b));
    assert_int_equal(graph_sort(graph, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(graph->nodes[i].name[0], 'a' + i);
    graph_destroy(graph);
}

static void a_cycle_is_named(void **state)
{
    struct graph *graph = chain();
    struct error err;
    int b = graph_find_value(graph, "b");

    (void)state;
    graph->nodes[0].inputs[0] = b; /* a reads what b produces from a */
    assert_fails(graph_sort(graph, &err), EX_DATAERR, err, "\"a\"", "\"b\"", "cycle");
    assert_fails(graph_validate(graph, &err), EX_DATAERR, err, "\"a\"", "\"b\"", "cycle");
    graph_destroy(graph);
}

static void a_missing_producer_is_named(void **state)
{
    struct graph *graph = chain();
    struct error err;

    (void)state;
    graph->nodes[1].inputs[0] = add_value(graph, "nowhere");
    assert_fails(graph_sort(graph, &err), EX_DATAERR, err, "\"nowhere\"", "\"b\"");
    assert_fails(graph_validate(graph, &err), EX_DATAERR, err, "\"nowhere\"", "\"b\"");
    graph_destroy(graph);
}

static void compact_keeps_what_the_outputs_need(void **state)
{
    struct graph *graph = chain();
    int x = graph_find_value(graph, "x"), dead = add_node(graph, OP_IDENTITY, "dead", INTS(x));
    uint64_t revision;
    struct error err;

    (void)state;
    add_node(graph, OP_IDENTITY, "dead2", INTS(dead));
    add_floats(graph, SHAPE(1), (float[]){1});
    add_value(graph, "nobody");
    revision = graph->revision;
    assert_succeeds(graph_compact(graph, &err), err);
    assert_true(graph->revision > revision); /* passes look again at what had another reader */
    assert_int_equal(graph->n_nodes, 2);
    assert_int_equal(graph->n_values, 3);
    assert_int_equal(graph_find_value(graph, "dead"), GRAPH_NONE);
    assert_int_equal(graph_find_node(graph, "dead2"), GRAPH_NONE);
    assert_true(add_value(graph, "nobody") >= 0); /* the name is free again */
    assert_succeeds(graph_compact(graph, &err), err);
    assert_succeeds(graph_infer_shapes(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
    graph_destroy(graph);
}

static void keeping_outputs_cuts_the_graph(void **state)
{
    struct graph *graph = chain();
    struct error err;
    int a = graph_find_value(graph, "a"), other = add_input(graph, "other", SHAPE(1, 2, 3, 3));

    (void)state;
    add_node(graph, OP_BINARY, "c", INTS(a, other));
    assert_succeeds(graph_keep_outputs(graph, &a, 1, &err), err);
    assert_int_equal(graph->n_nodes, 1);
    assert_int_equal(graph->n_inputs, 1);
    assert_int_equal(graph_find_value(graph, "other"), GRAPH_NONE);
    assert_string_equal(graph->values[graph->outputs[0]].name, "a");
    assert_succeeds(graph_infer_shapes(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
    graph_destroy(graph);
}

static void an_unread_input_is_refused(void **state)
{
    struct graph *graph = chain();
    struct error err;

    (void)state;
    add_input(graph, "unread", SHAPE(1, 2));
    graph_infer_shapes(graph, NULL);
    assert_fails(graph_validate(graph, &err), EX_DATAERR, err, "\"unread\"");
    graph_destroy(graph);
}

static void a_declared_shape_must_be_the_computed_one(void **state)
{
    struct graph *graph = chain();
    struct value *b = &graph->values[graph_find_value(graph, "b")];
    struct error err;

    (void)state;
    b->shape = SHAPE(1, 2, 3, 4);
    b->has_shape = true;
    assert_fails(graph_infer_shapes(graph, &err), EX_DATAERR, err, "\"b\"", "1x2x3x4", "1x2x3x3");
    graph_destroy(graph);
}

static void outputs_must_depend_on_inputs(void **state)
{
    struct graph *graph = chain();
    struct error err;

    (void)state;
    graph_infer_shapes(graph, NULL);
    graph_add_output(graph, add_floats(graph, SHAPE(1, 1), (float[]){1}), NULL);
    assert_fails(graph_validate(graph, &err), EX_DATAERR, err, "depends on no input");
    graph_destroy(graph);
}

/* Every operator that would mix records, one graph each. */
static struct graph *mixing_graph(int which)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 1, 4)), y = add_input(graph, "y", SHAPE(1, 4)), out;

    switch (which) {
    case 0:
        out = add_node(graph, OP_CONCAT, "bad", INTS(x)); /* along axis 0, if only of one */
        break;
    case 1:
        out = add_node(graph, OP_SOFTMAX, "bad", INTS(x));
        break;
    case 2:
        out = add_node(graph, OP_REDUCE, "bad", INTS(x));
        last_node(graph)->attr.reduce.axes = 1;
        last_node(graph)->attr.reduce.keep_dims = true;
        break;
    case 3:
        out = add_node(graph, OP_PAD, "bad", INTS(x));
        last_node(graph)->attr.pad.end[0] = 1;
        break;
    case 4:
        out = add_node(graph, OP_TRANSPOSE, "bad", INTS(x));
        memcpy(last_node(graph)->attr.perm, (int64_t[]){1, 0, 2}, 3 * sizeof(int64_t));
        break;
    case 5:
        out = add_node(graph, OP_BINARY, "bad", INTS(x, y)); /* y's batch meets x's axis 1 */
        break;
    case 6:
        x = add_input(graph, "column", SHAPE(1, 1)); /* as many columns as the batch has records */
        out = add_node(graph, OP_MATMUL, "bad", INTS(x, y));
        break;
    case 7:
        out = add_node(graph, OP_BINARY, "bad", INTS(y, add_floats(graph, SHAPE(1, 1, 4), (float[]){1, 2, 3, 4})));
        break;
    case 8:
        out = add_node(graph, OP_RESHAPE, "bad", INTS(x));
        graph->values[out].shape = SHAPE(4, 1);
        graph->values[out].has_shape = true;
        break;
    default:
        graph_destroy(graph);
        return NULL;
    }
    graph_add_output(graph, out, NULL);
    graph_keep_outputs(graph, graph->outputs, 1, NULL);
    return graph;
}

static void operators_that_mix_records_are_refused(void **state)
{
    struct graph *graph;

    (void)state;
    for (int which = 0; (graph = mixing_graph(which)) != NULL; which++) {
        struct error err = {0};

        assert_succeeds(graph_infer_shapes(graph, &err), err);
        assert_int_equal(graph_validate(graph, &err), -1);
        assert_int_equal(err.code, EX_UNAVAILABLE);
        if (strstr(err.text, "mixes records") == NULL && strstr(err.text, "batch of 1") == NULL)
            fail_msg("graph %d: %s", which, err.text);
        graph_destroy(graph);
    }
}

static void derived_constants_have_a_budget(void **state)
{
    struct graph *graph = new_graph();
    struct shape large = SHAPE(1 << 20);
    struct error err = {0};
    void *data;
    int n = 0;

    (void)state;
    while (n < 1000 && graph_create_constant(graph, NULL, DTYPE_FLOAT32, &large, &data, &err) >= 0)
        n++;
    assert_int_equal(n, 16); /* 64 MiB of 4 MiB each */
    assert_int_equal(err.code, EX_DATAERR);
    graph_destroy(graph);
}

static void printing_escapes_names_and_lists_nodes(void **state)
{
    struct graph *graph = chain();
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    add_input(graph, "bell\a", SHAPE(1, 1));
    graph_infer_shapes(graph, NULL);
    graph_print(graph, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "bell\\x07[1x1]"));
    assert_non_null(strstr(text, "activation a relu | x[1x2x3x3] -> a[1x2x3x3]"));
    free(text);
    graph_destroy(graph);
}

/* Each counted by hand: positions x filters x weights of a filter. */
static void totals_are_those_of_the_definitions(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4, 5, 6)), y;
    struct graph_totals totals;
    struct error err;

    (void)state;
    y = add_node(graph, OP_CONV, "conv", INTS(x, add_floats(graph, SHAPE(6, 2, 3, 3), (float[108]){0})));
    last_node(graph)->attr.conv.window = make_window(3, 1, 1);
    last_node(graph)->attr.conv.group = 2;
    y = add_node(graph, OP_DECONV, "deconv", INTS(y, add_floats(graph, SHAPE(6, 4, 2, 2), (float[96]){0})));
    last_node(graph)->attr.conv.window = make_window(2, 2, 0);
    last_node(graph)->attr.conv.group = 1;
    assert_succeeds(graph_add_output(graph, y, &err), err);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    assert_int_equal(node_macs(graph, find_node(graph, "conv")), 30 * 6 * 18);
    assert_int_equal(node_macs(graph, find_node(graph, "deconv")), 30 * 6 * 16);
    totals = graph_totals(graph);
    assert_int_equal(totals.parameters, 108 + 96);
    assert_int_equal(totals.macs, 30 * 6 * (18 + 16));
    assert_int_equal(totals.activation_bytes, 4 * (4 * 30 + 6 * 30 + 4 * 120));
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_those_of_the_definitions),
        cmocka_unit_test(names_lead_back_to_values_and_nodes),
        cmocka_unit_test(made_up_names_avoid_the_users_names),
        cmocka_unit_test(names_become_utf8_and_stay_different),
        cmocka_unit_test(duplicate_names_are_refused),
        cmocka_unit_test(a_value_has_one_producer),
        cmocka_unit_test(overflowing_and_negative_extents_are_refused),
        cmocka_unit_test(consumers_are_nodes_and_graph_outputs_each_once),
        cmocka_unit_test(sort_restores_execution_order),
        cmocka_unit_test(sort_leaves_a_sorted_graph_alone),
        cmocka_unit_test(a_cycle_is_named),
        cmocka_unit_test(a_missing_producer_is_named),
        cmocka_unit_test(compact_keeps_what_the_outputs_need),
        cmocka_unit_test(keeping_outputs_cuts_the_graph),
        cmocka_unit_test(an_unread_input_is_refused),
        cmocka_unit_test(a_declared_shape_must_be_the_computed_one),
        cmocka_unit_test(outputs_must_depend_on_inputs),
        cmocka_unit_test(operators_that_mix_records_are_refused),
        cmocka_unit_test(derived_constants_have_a_budget),
        cmocka_unit_test(printing_escapes_names_and_lists_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
