/* test_edits.c — what a user asks for is done to the graph, and nothing else: nodes removed at its edges, nodes kept.
 */
#include "random_graph.h"

#include "common/passes.h"

#define NAMES(...)                                                                                                     \
    .n_names = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), .names = (const char *[])                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define TYPES(...)                                                                                                     \
    .n_types = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), .types = (const char *[])                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static int named(struct graph *graph, enum op op, const char *name, int x)
{
    return add_node(graph, op, name, INTS(x));
}

static void finish(struct graph *graph, int output)
{
    struct error err;

    assert_true(graph_add_output(graph, output, NULL) >= 0);
    assert_succeeds(graph_fold_constants(graph, &err), err);
}

/* x[1,5,6,4] -> "to_nchw" -> conv "conv" -> "flat" -> softmax "inner" -> dropout -> softmax "prob" */
static struct graph *classifier(void)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 5, 6, CHANNELS)), y;

    draw_state = 1;
    y = named(graph, OP_TRANSPOSE, "to_nchw", x);
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 3, 1, 2}, 4 * sizeof(int64_t));
    y = add_node(graph, OP_CONV, "conv",
                 INTS(settled(graph, y), random_floats(graph, SHAPE(2, CHANNELS, 1, 1), -1, 1)));
    last_node(graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(graph)->attr.conv.group = 1;
    y = named(graph, OP_RESHAPE, "flat", settled(graph, y));
    graph->values[y].shape = SHAPE(1, 60);
    graph->values[y].has_shape = true;
    y = named(graph, OP_SOFTMAX, "inner", settled(graph, y));
    last_node(graph)->attr.softmax.axis = 1;
    y = named(graph, OP_IDENTITY, "dropout", settled(graph, y));
    y = named(graph, OP_SOFTMAX, "prob", settled(graph, y));
    last_node(graph)->attr.softmax.axis = 1;
    finish(graph, settled(graph, y));
    return graph;
}

static const char *output_name(const struct graph *graph)
{
    return graph->values[graph->outputs[0]].name;
}

static void types_are_removed_at_both_edges_until_none_is_left(void **state)
{
    struct graph *graph = classifier();
    struct error err;

    (void)state;
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Softmax")}, &err), err);
    assert_string_equal(output_name(graph), "flat"); /* both, and the dropout between them */
    assert_int_equal(graph->n_nodes, 3);
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Transpose", "Reshape")}, &err), err);
    assert_int_equal(graph->n_nodes, 1);
    assert_string_equal(output_name(graph), "conv");
    assert_string_equal(graph->values[graph->inputs[0]].name, "to_nchw");
    assert_true(shape_equal(&graph->values[graph->inputs[0]].shape, &SHAPE(1, CHANNELS, 5, 6)));
    assert_succeeds(graph_validate(graph, &err), err);
    graph_destroy(graph);
}

static void names_are_removed_in_any_order(void **state)
{
    struct graph *graph = classifier();
    struct error err;

    (void)state;
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){NAMES("inner", "prob")}, &err), err);
    assert_string_equal(output_name(graph), "flat");
    assert_int_equal(graph_find_node(graph, "prob"), GRAPH_NONE);
    assert_true(graph_find_node(graph, "to_nchw") >= 0);
    graph_destroy(graph);
}

static void a_name_that_cannot_be_removed_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *name, *reason;
    } cases[] = {
        {"inner", "is not at an edge"},
        {"conv", "is a conv; expected a Quantize"},
        {"porb", "does not exist; the nearest is \"prob\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graph *graph = classifier();
        struct error err;

        assert_fails(graph_delete_edge_nodes(graph, &(struct edge_nodes){NAMES(cases[i].name)}, &err), EX_CONFIG, err,
                     cases[i].name, cases[i].reason);
        graph_destroy(graph);
    }
}

static void what_somebody_else_reads_is_at_no_edge(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 8)), y;
    struct error err;

    (void)state;
    y = named(graph, OP_SOFTMAX, "prob", x);
    last_node(graph)->attr.softmax.axis = 1;
    settled(graph, y);
    graph_add_output(graph, activation(graph, ACTIVATION_RELU, 0, 0, y), NULL); /* reads it as well */
    finish(graph, y);
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Softmax")}, &err), err);
    assert_int_equal(graph->n_nodes, 2);
    graph_destroy(graph);
}

/* Without its nodes a graph would be nothing. */
static void the_last_node_stays(void **state)
{
    struct graph *graph = new_graph();
    struct error err;
    int y = named(graph, OP_SOFTMAX, "prob", add_input(graph, "x", SHAPE(1, 8)));

    (void)state;
    last_node(graph)->attr.softmax.axis = 1;
    finish(graph, settled(graph, y));
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Softmax")}, &err), err);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

/* A small file may hold a long chain; each step must not walk over the graph. */
static void a_long_chain_goes_at_once(void **state)
{
    enum { LENGTH = 50000 };
    struct graph *graph = new_graph();
    int y = activation(graph, ACTIVATION_RELU, 0, 0, add_input(graph, "x", SHAPE(1, 2, 3)));
    struct error err;

    (void)state;
    for (int i = 0; i < LENGTH; i++) {
        y = named(graph, OP_TRANSPOSE, NULL, y);
        memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 1}, 3 * sizeof(int64_t));
        settled(graph, y);
    }
    finish(graph, y);
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Transpose")}, &err), err);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

static void logits_that_were_an_output_already_remain_one(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 8)), logits, y;
    struct error err;

    (void)state;
    logits = activation(graph, ACTIVATION_RELU, 0, 0, x);
    y = named(graph, OP_SOFTMAX, "prob", logits);
    last_node(graph)->attr.softmax.axis = 1;
    settled(graph, y);
    graph_add_output(graph, y, NULL);
    finish(graph, logits);
    assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Softmax")}, &err), err);
    assert_int_equal(graph->n_outputs, 1);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

/* uint8 x -> cast to float -> relu -> cast to uint8 */
static void casts_of_activations_are_refused_unless_they_are_removed(void **state)
{
    for (int is_removed = 0; is_removed < 2; is_removed++) {
        struct graph *graph = new_graph();
        int x = graph_add_value(graph, "x", DTYPE_UINT8, &SHAPE(1, 8), NULL), y;
        struct error err;

        (void)state;
        graph_add_input(graph, x, NULL);
        y = activation(graph, ACTIVATION_RELU, 0, 0, settled(graph, named(graph, OP_CAST, "in", x)));
        y = named(graph, OP_CAST, "out", y);
        graph->values[y].dtype = DTYPE_UINT8;
        finish(graph, settled(graph, y));
        if (is_removed) {
            assert_succeeds(graph_delete_edge_nodes(graph, &(struct edge_nodes){TYPES("Cast")}, &err), err);
            assert_succeeds(graph_validate(graph, &err), err);
            assert_int_equal(graph->n_nodes, 1);
        } else {
            assert_fails(graph_validate(graph, &err), EX_UNAVAILABLE, err, "\"in\"", "from uint8 to float32");
        }
        graph_destroy(graph);
    }
}

static void a_pattern_that_keeps_nothing_is_refused(void **state)
{
    struct graph *graph = classifier();
    struct error err;

    (void)state;
    assert_fails(graph_keep_nodes(graph, (const char *[]){"con"}, 1, &err), EX_CONFIG, err, "\"con\"", "\"conv\"");
    graph_destroy(graph);
}

static void a_batch_that_cannot_be_is_refused(void **state)
{
    static const char *const x[] = {"x"}, *const conv[] = {"conv"};
    static const struct {
        struct batch_request request;
        const char *reason;
    } cases[] = {
        {{.size = 4097}, "1 to 4096, found 4097"},
        {{.size = 1, .is_separate = true}, "at least 2"},
        {{.n_separate = 1, .separate = x}, "at least 2"},
        {{.size = 2, .is_separate = true, .n_separate = 1, .separate = x}, "found both"},
        {{.size = 2, .n_separate = 1, .separate = conv}, "\"conv\" cannot be split: it is no input"},
    };
    struct graph *graph = classifier();
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(graph_split_batch(graph, &cases[i].request, &err), EX_CONFIG, err, cases[i].reason);
    assert_succeeds(graph_split_batch(graph, &(struct batch_request){.size = 2, .is_separate = true}, &err), err);
    assert_int_equal(graph->batch, 2);
    assert_true(graph->values[graph->inputs[0]].is_separate);
    assert_succeeds(graph_normalise(graph, &err), err);
    assert_true(graph->values[graph->inputs[0]].is_separate);
    graph->is_unbatched = true;
    assert_fails(graph_split_batch(graph, &(struct batch_request){.size = 2}, &err), EX_CONFIG, err, "without a batch");
    graph_destroy(graph);
}

/* conv -> normalize "bn" -> relu, where `kept` stays. */
static struct graph *kept_layer(const char *kept)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, CHANNELS, 5, 6)), y;
    struct shape vector = SHAPE(CHANNELS);
    struct error err;

    y = add_node(graph, OP_CONV, "conv", INTS(x, random_floats(graph, SHAPE(CHANNELS, CHANNELS, 1, 1), -1, 1)));
    last_node(graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(graph)->attr.conv.group = 1;
    y = add_node(graph, OP_NORMALIZE, "bn",
                 INTS(settled(graph, y), random_floats(graph, vector, 1, 2), random_floats(graph, vector, 1, 2)));
    y = named(graph, OP_ACTIVATION, "relu", settled(graph, y));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    finish(graph, settled(graph, y));
    assert_succeeds(graph_keep_nodes(graph, &kept, 1, &err), err);
    assert_succeeds(graph_normalise(graph, &err), err);
    return graph;
}

static void no_pass_touches_a_node_that_is_kept(void **state)
{
    static const struct {
        const char *kept;
        size_t n_nodes;
    } cases[] = {
        {"bn", 3},    /* the activation is fused into layers only */
        {"conv", 3},  /* takes neither */
        {"relu", 2},  /* the normalisation is folded all the same */
        {"[bc]*", 3}, /* patterns */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct graph *graph = kept_layer(cases[i].kept);

        assert_int_equal(graph->n_nodes, cases[i].n_nodes);
        assert_true(i == 3 || graph_find_node(graph, cases[i].kept) >= 0);
        graph_destroy(graph);
    }
}

/* Every node of random networks kept: only identities go, and biases that were missing come. */
static void a_graph_that_is_kept_stays(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct graph *before = random_graph(seed), *after = random_graph(seed);
        struct error err;

        assert_succeeds(graph_keep_nodes(after, (const char *[]){"*"}, 1, &err), err);
        assert_succeeds(graph_normalise(after, &err), err);
        for (size_t i = 0; i < after->n_nodes; i++) {
            const struct node *node = &after->nodes[i], *old = find_node(before, node->name);

            assert_true(node->op == old->op ||
                        node->op == OP_RESHAPE); /* what is left of an identity before an output */
            ;
            assert_int_equal(node->fused.kind, old->fused.kind);
        }
        graph_destroy(before);
        graph_destroy(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_removed_at_both_edges_until_none_is_left),
        cmocka_unit_test(names_are_removed_in_any_order),
        cmocka_unit_test(a_name_that_cannot_be_removed_is_refused_with_the_reason),
        cmocka_unit_test(what_somebody_else_reads_is_at_no_edge),
        cmocka_unit_test(the_last_node_stays),
        cmocka_unit_test(a_long_chain_goes_at_once),
        cmocka_unit_test(logits_that_were_an_output_already_remain_one),
        cmocka_unit_test(casts_of_activations_are_refused_unless_they_are_removed),
        cmocka_unit_test(a_pattern_that_keeps_nothing_is_refused),
        cmocka_unit_test(a_batch_that_cannot_be_is_refused),
        cmocka_unit_test(no_pass_touches_a_node_that_is_kept),
        cmocka_unit_test(a_graph_that_is_kept_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
