/* test_tnn.c — TNN models that are emitted import again, or what TNN cannot say is refused. */
#include "tnn_files.h"

/* ---- What is emitted imports again --------------------------------------------------------------------------------
 */

static void assert_same_outputs(const struct graph *a, const struct graph *b)
{
    size_t n = (size_t)shape_elements(&a->values[a->inputs[0]].shape);
    double *input = calloc(n, sizeof *input);
    struct reference x, y;

    assert_non_null(input);
    for (size_t i = 0; i < n; i++)
        input[i] = (double)(float)draw_uniform(-2, 2);
    x = reference_run(a, input);
    y = reference_run(b, input);
    assert_int_equal(a->n_outputs, b->n_outputs);
    for (size_t o = 0; o < a->n_outputs; o++) {
        const struct value *v = &a->values[a->outputs[o]], *w = &b->values[b->outputs[o]];

        assert_string_equal(v->name, w->name);
        assert_true(shape_equal(&v->shape, &w->shape));
        for (size_t i = 0; i < reference_size(v); i++) {
            double expected = x.data[a->outputs[o]][i], found = y.data[b->outputs[o]][i];

            /* Both run in double on the same float parameters; only the order of fused activations may differ. */
            if (!(fabs(expected - found) <= 1e-6 * (1 + fabs(expected))))
                fail_msg("output %s[%zu]: expected %.9g, found %.9g", v->name, i, expected, found);
        }
    }
    reference_free(&x);
    reference_free(&y);
    free(input);
}

static void a_float_network_survives_emit_and_import(void **state)
{
    size_t n_written = 0, n_networks = 300;
    struct error err;

    (void)state;
    for (uint64_t seed = 0; seed < n_networks; seed++) {
        struct graph *graph = random_graph(seed), *again;

        assert_succeeds(graph_normalise(graph, &err), err);
        if (emit_graph(graph, false, &err) != 0) { /* what TNN cannot say is refused by the node's name */
            assert_int_equal(err.code, EX_UNAVAILABLE);
            assert_non_null(strstr(err.text, "node \""));
        } else {
            again = import_or_fail(in_root("tnn/net.quantized.tnnproto"));
            assert_same_outputs(graph, again);
            graph_destroy(again);
            n_written++;
        }
        graph_destroy(graph);
    }
    assert_true(n_written * 10 > n_networks * 9);
}

/* Weights and bias of one layer against the floats they came from; both steps are those of the plan. */
static void assert_within_half_a_step(const struct plan *plan, size_t n, const struct graph *again)
{
    const struct node *node = &plan->graph->nodes[n], *found = find_node(again, node->name);
    const struct plan_node *p = &plan->nodes[n];

    for (size_t k = 1; k < node->n_inputs; k++) {
        const struct value *expected, *value;
        size_t run, size;

        if (node->inputs[k] == GRAPH_NONE)
            continue;
        expected = &plan->graph->values[node->inputs[k]];
        value = &again->values[found->inputs[k]];
        assert_true(shape_equal(&expected->shape, &value->shape));
        size = (size_t)shape_elements(&value->shape);
        run = size / p->n_weight_scales;
        for (size_t i = 0; i < size; i++) {
            float step = k == 1 ? p->weight_scale[i / run] : p->acc_scale[i / run];
            float difference = fabsf(((const float *)expected->data)[i] - ((const float *)value->data)[i]);

            /* half a step, and the rounding of the float quotients */
            if (!(difference <= 0.5f * step * 1.0001f + 1e-6f * fabsf(((const float *)expected->data)[i])))
                fail_msg("node %s input %zu [%zu]: off by %g, half a step is %g", node->name, k, i, (double)difference,
                         (double)step / 2);
        }
    }
}

static void quantized_weights_come_back_within_half_a_step(void **state)
{
    size_t n_layers = 0;
    struct error err;

    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct graph *graph = random_graph(seed), *again;
        struct plan *plan;

        assert_succeeds(graph_normalise(graph, &err), err);
        plan = make_plan(graph, true);
        if (emit_plan(plan, &err) == 0) {
            again = import_or_fail(in_root("tnn/net.quantized.tnnproto"));
            for (size_t n = 0; n < graph->n_nodes; n++)
                if (plan->nodes[n].weight_codes != NULL) {
                    assert_within_half_a_step(plan, n, again);
                    n_layers++;
                }
            graph_destroy(again);
        }
        plan_destroy(plan);
        graph_destroy(graph);
    }
    assert_true(n_layers > 100);
}

static void every_blob_of_an_integer_layer_has_a_scale_and_each_once(void **state)
{
    struct error err;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct graph *graph = random_graph(seed);
        struct arena *arena = arena_create(NULL);
        struct bytes file = {0};
        struct tnn_model model;

        assert_succeeds(graph_normalise(graph, &err), err);
        if (emit_graph(graph, true, &err) == 0) {
            FILE *proto = fopen(in_root("tnn/net.quantized.tnnproto"), "r");
            char line[4200], text[4200];

            assert_succeeds(bytes_read(in_root("tnn/net.quantized.tnnmodel"), 1 << 20, &file, &err), err);
            assert_succeeds(tnn_model_read(&file, arena, &model, &err), err); /* refuses a name that is there twice */
            assert_non_null(proto);
            while (fgets(line, sizeof line, proto) != NULL) {
                char *rest = NULL, *token = strtok_r(line, " \"", &rest);
                int n_inputs, n_outputs;

                if (token == NULL || strncmp(token, TNN_QUANTIZED, strlen(TNN_QUANTIZED)) != 0)
                    continue;
                strtok_r(NULL, " ", &rest);
                n_inputs = atoi(strtok_r(NULL, " ", &rest));
                n_outputs = atoi(strtok_r(NULL, " ", &rest));
                for (int i = 0; i < n_inputs + n_outputs; i++) {
                    snprintf(text, sizeof text, "%s" TNN_SCALE_SUFFIX, strtok_r(NULL, " ", &rest));
                    if (tnn_resource_find(&model, text) == NULL)
                        fail_msg("seed %d: no resource \"%s\"", (int)seed, text);
                }
            }
            fclose(proto);
        }
        bytes_free(&file);
        arena_destroy(arena);
        graph_destroy(graph);
    }
}

static void equal_plans_give_equal_bytes(void **state)
{
    char first[2][SHA256_HEX_BYTES], second[2][SHA256_HEX_BYTES];
    struct graph *graph = random_graph(7);
    struct error err;

    (void)state;
    assert_succeeds(graph_normalise(graph, &err), err);
    for (int round = 0; round < 2; round++) {
        assert_succeeds(emit_graph(graph, true, &err), err);
        for (int k = 0; k < 2; k++)
            assert_succeeds(sha256_file(in_root(k == 0 ? "tnn/net.quantized.tnnproto" : "tnn/net.quantized.tnnmodel"),
                                        round == 0 ? first[k] : second[k], &err),
                            err);
    }
    assert_memory_equal(first, second, sizeof first);
    graph_destroy(graph);
}

/* ---- Single things ------------------------------------------------------------------------------------------------
 */

static void pads_that_differ_become_a_layer(void **state)
{
    struct graph *graph = one_convolution(0, 1), *again = emit_and_import(graph, false);

    (void)state;
    assert_int_equal(again->n_nodes, 2);
    assert_int_equal(again->nodes[0].op, OP_PAD);
    assert_same_outputs(graph, again);
    graph_destroy(again);
    again = emit_and_import(graph, true); /* and an integer layer finds a scale for the padded blob */
    assert_int_equal(again->nodes[0].op, OP_PAD);
    graph_destroy(again);
    graph_destroy(graph);
}

static void names_that_tnn_cannot_read_become_readable_ones(void **state)
{
    static const char *const names[] = {"a b", "a,b", "a_b", "a\"b:c", "a\nb", "b_scale_data_", "\xc3\xa9t\xc3\xa9"};
    enum { NAMES = sizeof names / sizeof *names };
    struct graph *graph = new_graph(), *again;
    int x = add_input(graph, "in put", SHAPE(1, 2, 3, 3));

    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        x = add_node(graph, OP_CONV, names[i], INTS(x, random_floats(graph, SHAPE(2, 2, 1, 1), -1, 1)));
        last_node(graph)->attr.conv.window = make_window(1, 1, 0);
        last_node(graph)->attr.conv.group = 1;
        settled(graph, x);
    }
    graph_add_output(graph, x, NULL);
    again = emit_and_import(graph, true);
    assert_int_equal(again->n_nodes, NAMES);
    assert_true(graph_find_node(again, "a_b") != GRAPH_NONE); /* the one that needed no change */
    graph_destroy(again);
    graph_destroy(graph);
}

/* TNN merges a ReLU record into the convolution record before it, whatever it reads, if no layer reads the convolution.
 */
static void a_convolution_for_an_output_alone_comes_last(void **state)
{
    struct graph *graph = one_convolution(1, 1), *again;
    int x = graph->inputs[0], a, b;

    (void)state;
    a = settled(graph, add_node(graph, OP_NORMALIZE, "bn",
                                INTS(x, random_floats(graph, SHAPE(2), 1, 2), random_floats(graph, SHAPE(2), 1, 2))));
    b = activation(graph, ACTIVATION_RELU, 0, 0, a);
    graph_add_output(graph, b, NULL);
    again = emit_and_import(graph, false);
    assert_string_equal(again->nodes[again->n_nodes - 1].name, "conv");
    graph_destroy(again);
    graph_destroy(graph);
}

static void what_tnn_cannot_say_is_refused_by_the_nodes_name(void **state)
{
    struct graph *graph = one_convolution(1, 1);
    struct error err;
    int y;

    (void)state;
    y = add_node(graph, OP_RESIZE, "bigger", INTS(graph->outputs[0]));
    graph->values[y].shape = SHAPE(1, 4, 7, 7);
    graph->values[y].has_shape = true;
    last_node(graph)->attr.resize.mode = RESIZE_CUBIC;
    last_node(graph)->attr.resize.scale[0] = last_node(graph)->attr.resize.scale[1] = 2;
    graph_add_output(graph, y, NULL);
    assert_fails(emit_graph(graph, false, &err), EX_UNAVAILABLE, err, "node \"bigger\"");
    graph_destroy(graph);
}

static void a_record_that_tnn_would_cut_is_refused(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 1, 1, 1)), inputs[60];
    struct error err;

    (void)state;
    for (size_t i = 0; i < 60; i++) {
        char name[100];

        snprintf(name, sizeof name, "%095zu", i);
        inputs[i] = add_node(graph, OP_ACTIVATION, name, INTS(x));
        last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
        settled(graph, inputs[i]);
    }
    x = add_node(graph, OP_CONCAT, "joined", inputs, 60);
    last_node(graph)->attr.axis = 1;
    graph_add_output(graph, settled(graph, x), NULL);
    assert_fails(emit_graph(graph, false, &err), EX_UNAVAILABLE, err, "node \"joined\"", "4095");
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_float_network_survives_emit_and_import),
        TEST(quantized_weights_come_back_within_half_a_step),
        TEST(every_blob_of_an_integer_layer_has_a_scale_and_each_once),
        TEST(equal_plans_give_equal_bytes),
        TEST(pads_that_differ_become_a_layer),
        TEST(names_that_tnn_cannot_read_become_readable_ones),
        TEST(a_convolution_for_an_output_alone_comes_last),
        TEST(what_tnn_cannot_say_is_refused_by_the_nodes_name),
        TEST(a_record_that_tnn_would_cut_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
