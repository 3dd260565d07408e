/* test_tnn.c — TNN models: what is emitted imports again, genuine files are understood, broken ones are refused by
 * name.
 */
#include "../common/random_graph.h"
#include "../common/reference_executor.h"

#include "common/passes.h"
#include "formats/model.h"
#include "formats/target.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/etalon_tnn_XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static const char *in_root(const char *name)
{
    static char paths[4][300];
    static size_t at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static void put(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(in_root(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static struct graph *import_or_fail(const char *proto)
{
    const struct model_request request = {.file = proto};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

/* ---- A plan without a coordinator ---------------------------------------------------------------------------------
 */

static bool is_activation(const struct graph *graph, int value)
{
    return value != GRAPH_NONE && !graph->values[value].is_constant;
}

/* Every value gets a scale of its own; through nodes that move codes it stays the same. */
static void give_scales(struct plan *plan)
{
    const struct graph *graph = plan->graph;

    for (size_t v = 0; v < graph->n_values; v++) {
        float *scale = arena_create_array(plan->arena, 1, sizeof *scale, NULL);

        assert_non_null(scale);
        *scale = 0.01f + 0.003f * (float)(v % 17);
        plan->values[v].scale = scale;
        plan->values[v].n_scales = 1;
        plan->values[v].codes = plan->profile->signed_codes;
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        bool moves = node->op == OP_RESHAPE || node->op == OP_POOL || node->op == OP_ACTIVATION;

        if (moves && is_activation(graph, node->inputs[0]))
            plan->values[node->outputs[0]].scale = plan->values[node->inputs[0]].scale;
    }
}

/* Max-abs codes, one scale a channel. */
static void quantize_weights(struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    const struct value *w = &plan->graph->values[node->inputs[1]];
    struct plan_node *p = &plan->nodes[n];
    size_t channels = (size_t)w->shape.dims[0], run = (size_t)shape_elements(&w->shape) / channels;
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE;
    const float *data = w->data;

    p->weight_codes = arena_create_array(plan->arena, channels * run, sizeof *p->weight_codes, NULL);
    p->n_weight_scales = channels;
    p->weight_scale = arena_create_array(plan->arena, channels, sizeof(float), NULL);
    p->acc_scale = arena_create_array(plan->arena, channels, sizeof(float), NULL);
    p->bias_codes = has_bias ? arena_create_array(plan->arena, channels, sizeof(int32_t), NULL) : NULL;
    for (size_t c = 0; c < channels; c++) {
        float largest = 1e-6f;

        for (size_t i = c * run; i < (c + 1) * run; i++)
            largest = fmaxf(largest, fabsf(data[i]));
        p->weight_scale[c] = largest / 127;
        p->acc_scale[c] = p->weight_scale[c] * plan->values[node->inputs[0]].scale[0];
        for (size_t i = c * run; i < (c + 1) * run; i++)
            p->weight_codes[i] = (int16_t)roundf(data[i] / p->weight_scale[c]);
        if (has_bias)
            p->bias_codes[c] =
                (int32_t)roundf(((const float *)plan->graph->values[node->inputs[2]].data)[c] / p->acc_scale[c]);
    }
}

static bool computes(const struct plan *plan, const struct node *node)
{
    if ((plan->profile->quantized_ops >> node->op & 1) == 0)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (is_activation(plan->graph, node->inputs[i]) != (i == 0 || node->op == OP_BINARY || node->op == OP_CONCAT))
            return false;
    return plan->profile->allows(plan->graph, node);
}

/* All that may be integers is; the nodes that move codes, where codes come in. */
static struct plan *make_plan(const struct graph *graph, bool is_quantized)
{
    struct plan *plan = plan_create(graph, target_find("tnn")->profile, NULL);

    assert_non_null(plan);
    give_scales(plan);
    for (size_t n = 0; is_quantized && n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        bool moves = node->op == OP_RESHAPE || (node->op == OP_POOL && node->attr.pool.kind == POOL_MAX) ||
                     (node->op == OP_ACTIVATION && plan->profile->allows(graph, node));

        if (!computes(plan, node) && !(moves && plan->values[node->inputs[0]].is_quantized))
            continue;
        plan->nodes[n].is_quantized = true;
        for (size_t i = 0; i < node->n_inputs; i++)
            if (is_activation(graph, node->inputs[i]))
                plan->values[node->inputs[i]].is_quantized = true;
        plan->values[node->outputs[0]].is_quantized = true;
        if (node->op == OP_CONV || node->op == OP_DENSE)
            quantize_weights(plan, n);
    }
    return plan;
}

static const struct emit_info info = {
    .fingerprint = "0", .version = "0", .records = 1, .method = "mse", .model_name = "net"};

static int emit_plan(const struct plan *plan, struct error *err)
{
    struct output *output = output_open(root, err);
    int rc = target_find("tnn")->emit(plan, &info, output, err);

    output_close(output);
    return rc;
}

static int emit_graph(const struct graph *graph, bool is_quantized, struct error *err)
{
    struct plan *plan = make_plan(graph, is_quantized);
    int rc = emit_plan(plan, err);

    assert_int_equal(target_find("tnn")->check(plan, &(struct error){0}), rc); /* check says what emit will */
    plan_destroy(plan);
    return rc;
}

static struct graph *emit_and_import(const struct graph *graph, bool is_quantized)
{
    struct error err = {0};

    if (emit_graph(graph, is_quantized, &err) != 0)
        fail_msg("%s", err.text);
    return import_or_fail(in_root("tnn/net.quantized.tnnproto"));
}

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

/* x -> a convolution with these pads. */
static struct graph *one_convolution(int64_t pad_begin, int64_t pad_end)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2, 5, 6)), y;

    y = add_node(graph, OP_CONV, "conv", INTS(x, random_floats(graph, SHAPE(4, 2, 3, 3), -1, 1)));
    last_node(graph)->attr.conv.window = make_window(3, 2, 0);
    last_node(graph)->attr.conv.group = 1;
    for (size_t k = 0; k < 2; k++) {
        last_node(graph)->attr.conv.window.pad_begin[k] = pad_begin;
        last_node(graph)->attr.conv.window.pad_end[k] = pad_end;
    }
    settled(graph, y);
    graph_add_output(graph, y, NULL);
    return graph;
}

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

/* ---- Genuine files ------------------------------------------------------------------------------------------------
 */

static const char *shared(const char *name)
{
    static char paths[2][512];
    static size_t at;
    char *path = paths[at++ % 2];

    snprintf(path, sizeof paths[0], "%s/%s", SHARED_DATA, name);
    if (access(path, R_OK) != 0)
        skip();
    return path;
}

static const float *constant_of(const struct graph *graph, const char *node, size_t input, size_t *n)
{
    const struct value *value = &graph->values[find_node(graph, node)->inputs[input]];

    *n = (size_t)shape_elements(&value->shape);
    return value->data;
}

static void both_versions_of_the_files_are_one_network(void **state)
{
    struct graph *v1 = import_or_fail(shared("tnn_golden/tiny_v1.tnnproto"));
    struct graph *v2 = import_or_fail(shared("tnn_golden/tiny_v2.tnnproto"));

    (void)state;
    assert_int_equal(v1->n_nodes, 19);
    assert_int_equal(v1->n_nodes, v2->n_nodes);
    assert_int_equal(v1->n_values, v2->n_values);
    for (size_t i = 0; i < v1->n_values; i++) {
        assert_string_equal(v1->values[i].name, v2->values[i].name);
        assert_true(shape_equal(&v1->values[i].shape, &v2->values[i].shape));
        if (v1->values[i].is_constant)
            assert_memory_equal(v1->values[i].data, v2->values[i].data,
                                (size_t)shape_elements(&v1->values[i].shape) * sizeof(float));
    }
    assert_true(v1->outputs[0] != v1->outputs[1]);
    graph_destroy(v1);
    graph_destroy(v2);
}

/* Numbers of one of TNN's dumps, behind its first line; NULL when the file is not there. */
static double *read_dump(const char *blob, size_t n)
{
    char path[512];
    double *numbers = calloc(n, sizeof *numbers);
    FILE *file;

    assert_non_null(numbers);
    snprintf(path, sizeof path, SHARED_DATA "/tnn_golden/activations/float/%s.txt", blob);
    file = fopen(path, "r");
    if (file == NULL) {
        free(numbers);
        return NULL;
    }
    assert_int_equal(fscanf(file, "%*[^\n]"), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fscanf(file, "%lf", &numbers[i]), 1);
    fclose(file);
    return numbers;
}

/* TNN sums in float32, up to 144 products of magnitudes up to 10 or so. */
#define FLOAT_SUM_TOLERANCE 1e-4

static void a_genuine_network_computes_what_tnn_computes(void **state)
{
    const char *const outputs[] = {"fc_o"};
    const struct model_request request = {
        .file = shared("tnn_golden/tiny_v1.tnnproto"), .n_outputs = 1, .outputs = outputs};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);
    double *input = read_dump("data", 3 * 32 * 32);
    struct reference r;
    size_t n_compared = 0;

    (void)state;
    assert_non_null(graph);
    assert_non_null(input);
    r = reference_run(graph, input);
    for (size_t v = 0; v < graph->n_values; v++) {
        size_t n = reference_size(&graph->values[v]);
        double *expected = graph->values[v].is_constant ? NULL : read_dump(graph->values[v].name, n);

        for (size_t i = 0; expected != NULL && i < n; i++)
            if (!(fabs(expected[i] - r.data[v][i]) <= FLOAT_SUM_TOLERANCE * (1 + fabs(expected[i]))))
                fail_msg("%s[%zu]: TNN computes %g, we %g", graph->values[v].name, i, expected[i], r.data[v][i]);
        n_compared += expected != NULL;
        free(expected);
    }
    assert_true(n_compared > 10);
    reference_free(&r);
    free(input);
    graph_destroy(graph);
}

/* Scale i of a resource that holds one for all or one each. */
static double scale_at(const struct tnn_resource *resource, size_t i)
{
    return tnn_raw_real(&resource->scale, tnn_raw_count(&resource->scale) == 1 ? 0 : i);
}

/* TNN's tool quantizes w times the scale of its input channel in steps of S[o]: so w comes back within S[o] / 2 s_in.
 */
static void assert_genuine_layer(const struct graph *exact, const struct graph *quantized,
                                 const struct tnn_model *model, const char *layer, const char *input,
                                 const char *config)
{
    const struct node *node = find_node(exact, layer);
    const struct shape *shape = &exact->values[node->inputs[1]].shape;
    size_t n, m, run = 1, groups = node->op == OP_CONV ? (size_t)node->attr.conv.group : 1;
    size_t out = (size_t)shape->dims[0], in = node->op == OP_CONV ? (size_t)shape->dims[1] : 1;
    const float *a = constant_of(exact, layer, 1, &n), *b = constant_of(quantized, layer, 1, &m);
    const struct tnn_resource *weights = tnn_resource_find(model, layer), *blob = tnn_resource_find(model, input);

    assert_int_equal(n, m);
    assert_true(weights != NULL && blob != NULL);
    run = n / out / in;
    for (size_t i = 0; i < n; i++) {
        size_t o = i / (in * run), c = o / (out / groups) * in + i / run % in;
        double half = 0.5 * scale_at(weights, o) / scale_at(blob, c);

        if (!(fabs((double)a[i] - (double)b[i]) <= half * 1.0001))
            fail_msg("%s, %s [%zu]: expected %g within %g, found %g", config, layer, i, (double)a[i], half,
                     (double)b[i]);
    }
}

/* Layers whose input's scale the tool has not changed after it quantized them (its known defect). */
static void genuine_quantized_weights_are_read_within_half_a_step(void **state)
{
    static const char *const configs[] = {"b0w0t0", "b0w0t1", "b2w0t0", "b2w0t1"};
    static const char *const layers[][2] = {{"conv1", "data"}, {"dw", "p1"},      {"pw", "r2"}, {"b1", "r3"},
                                            {"b2", "r3"},      {"conv3", "bn_o"}, {"fc", "g"}};
    struct graph *exact = import_or_fail(shared("tnn_golden/tiny_v1.tnnproto"));
    size_t n_configs = 0;

    (void)state;
    for (size_t k = 0; k < sizeof configs / sizeof *configs; k++) {
        struct arena *arena = arena_create(NULL);
        struct bytes file = {0};
        struct graph *quantized;
        struct tnn_model model;
        struct error err;
        char name[512];

        snprintf(name, sizeof name, SHARED_DATA "/tnn_golden/%s.quantized.tnnmodel", configs[k]);
        if (access(name, R_OK) == 0) {
            assert_succeeds(bytes_read(name, 1 << 20, &file, &err), err);
            assert_succeeds(tnn_model_read(&file, arena, &model, &err), err);
            snprintf(name, sizeof name, SHARED_DATA "/tnn_golden/%s.quantized.tnnproto", configs[k]);
            quantized = import_or_fail(name);
            for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
                char blob[64];

                snprintf(blob, sizeof blob, "%s" TNN_SCALE_SUFFIX, layers[i][1]);
                assert_genuine_layer(exact, quantized, &model, layers[i][0], blob, configs[k]);
            }
            graph_destroy(quantized);
            n_configs++;
        }
        bytes_free(&file);
        arena_destroy(arena);
    }
    assert_true(n_configs >= 3);
    graph_destroy(exact);
}

/* How many values have thresholds of the file; each must be 127 of its blob's scales. */
static size_t count_given(const struct graph *graph, const struct tnn_model *model)
{
    size_t count = 0;

    for (size_t v = 0; v < graph->n_values; v++) {
        const struct value *value = &graph->values[v];
        const struct tnn_resource *blob;
        char name[128];

        snprintf(name, sizeof name, "%s" TNN_SCALE_SUFFIX, value->name);
        blob = tnn_resource_find(model, name);
        if (!value->is_constant && (value->producer == GRAPH_NONE || graph->nodes[value->producer].op != OP_RESHAPE))
            assert_int_equal(value->coding != NULL,
                             blob != NULL); /* what is flattened for a layer has its scale, too */
        if (blob == NULL)
            continue;
        assert_int_equal(value->coding->n_scales, tnn_raw_count(&blob->scale));
        for (size_t i = 0; i < value->coding->n_scales; i++)
            assert_true(coding_threshold(value->coding, i) == (float)scale_at(blob, i) * 127);
        count++;
    }
    return count;
}

static void scales_of_genuine_quantized_models_stay_with_the_values(void **state)
{
    static const char *const configs[] = {"b0w0t0", "b0w0t1", "b0w1t0", "b0w1t1", "b2w0t1", "b2w1t0", "b2w1t1"};

    (void)state;
    for (size_t k = 0; k < sizeof configs / sizeof *configs; k++) {
        struct arena *arena = arena_create(NULL);
        struct bytes file = {0};
        struct graph *graph;
        struct tnn_model model;
        struct error err;
        size_t n_scales = 0;
        char name[512];

        snprintf(name, sizeof name, "tnn_golden/%s.quantized.tnnmodel", configs[k]);
        assert_succeeds(bytes_read(shared(name), 1 << 20, &file, &err), err);
        assert_succeeds(tnn_model_read(&file, arena, &model, &err), err);
        for (size_t i = 0; i < model.n_resources; i++)
            n_scales += strcmp(model.resources[i].type, "BlobScale") == 0;
        snprintf(name, sizeof name, "tnn_golden/%s.quantized.tnnproto", configs[k]);
        graph = import_or_fail(shared(name));
        assert_true(n_scales > 5);
        assert_int_equal(count_given(graph, &model), n_scales);
        assert_succeeds(graph_normalise(graph, &err), err);
        assert_true(count_given(graph, &model) + 3 > n_scales); /* what is fused or folded away takes its own along */
        graph_destroy(graph);
        bytes_free(&file);
        arena_destroy(arena);
    }
}

/* The same network, converted by its authors: weights must be equal bit for bit. */
static void a_genuine_tnn_model_equals_its_onnx_original(void **state)
{
    struct graph *tnn = import_or_fail(shared("ultraface/version-slim-320_simplified.tnnproto"));
    struct graph *onnx = import_or_fail(shared("ultraface/version-slim-320_simplified.onnx"));
    size_t i = 0, j = 0, n_equal = 0;

    (void)state;
    for (;; i++, j++) {
        while (i < tnn->n_nodes && tnn->nodes[i].op != OP_CONV)
            i++;
        while (j < onnx->n_nodes && onnx->nodes[j].op != OP_CONV)
            j++;
        if (i == tnn->n_nodes || j == onnx->n_nodes)
            break;
        for (size_t k = 1; k < tnn->nodes[i].n_inputs; k++) {
            const struct value *a = &tnn->values[tnn->nodes[i].inputs[k]], *b = &onnx->values[onnx->nodes[j].inputs[k]];

            assert_true(shape_equal(&a->shape, &b->shape));
            assert_memory_equal(a->data, b->data, (size_t)shape_elements(&a->shape) * sizeof(float));
        }
        assert_memory_equal(&tnn->nodes[i].attr.conv.window, &onnx->nodes[j].attr.conv.window, sizeof(struct window));
        n_equal++;
    }
    assert_true(i == tnn->n_nodes && j == onnx->n_nodes);
    assert_int_equal(n_equal, 42);
    for (size_t o = 0; o < 2; o++)
        assert_int_equal(shape_elements(&tnn->values[tnn->outputs[o]].shape),
                         shape_elements(&onnx->values[onnx->outputs[o]].shape));
    graph_destroy(tnn);
    graph_destroy(onnx);
}

/* ---- Broken files -------------------------------------------------------------------------------------------------
 */

#define HEADER "\"1 2 1 4206624772 ,\"\"x 4 1 2 4 4 0 ,\"\" x y ,\"\"y ,\"\" 1 ,\"\n"

/* A model file without resources. */
static const uint8_t no_resources[] = {4, 0, 0xbc, 0xfa, 0, 0, 0, 0};

static int try_text(const char *text, struct error *err)
{
    const struct model_request request = {.file = in_root("t.tnnproto"), .weights = in_root("t.tnnmodel")};
    struct graph *graph;

    put("t.tnnproto", text, strlen(text));
    graph = model_import(&request, err);
    graph_destroy(graph);
    return graph == NULL ? -1 : 0;
}

static void a_broken_text_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *why;
    } cases[] = {
        {HEADER "\"ReLU r 1 1 x y ,\"", 0, NULL}, /* the good one */
        {HEADER "\"Frobnicate f 1 1 x y ,\"", EX_UNAVAILABLE, "layer \"f\" (Frobnicate)"},
        {HEADER "\"ReLU r 1 1 z y ,\"", EX_DATAERR, "its input \"z\""},
        {HEADER "\"ReLU r 1 1 x x ,\"", EX_DATAERR, "\"x\""},
        {HEADER "\"ReLU r 1 1 x z ,\"", EX_DATAERR, "the output \"y\" is made by no layer"},
        {HEADER "\"ReLU r 5 1 x y ,\"", EX_DATAERR, "expected 5 inputs and 1 outputs, found 2 names"},
        {HEADER "\"ReLU r -1 1 x y ,\"", EX_DATAERR, "layer \"r\""},
        {HEADER "\"ReLU r ,\"", EX_DATAERR, "record 5"},
        {HEADER "\"Clip c 1 1 x y 0 ,\"", EX_DATAERR, "expected at least 2 parameters, found 1"},
        {HEADER "\"Clip c 1 1 x y 0 nan ,\"", EX_DATAERR, "parameter 1"},
        {HEADER "\"Permute p 1 1 x y 4 0 1 1 2 ,\"", EX_DATAERR, "\"p\""},
        {HEADER "\"Permute p 1 1 x y 99 0 1 1 2 ,\"", EX_DATAERR, "layer \"p\""},
        {HEADER "\"Reshape r 1 1 x y 0 2 2 -1 -1 0 ,\"", EX_DATAERR, "leaves two extents open"},
        {HEADER "\"Reshape r 1 1 x y 0 2 2 5 -1 0 ,\"", EX_DATAERR, "layer \"r\""},
        {HEADER "\"Pooling p 1 1 x y 0 9 9 1 1 0 0 -1 -1 -1 0 ,\"", EX_DATAERR, "\"p\""},
        {HEADER "\"Pooling p 1 1 x y 0 2 2 0 1 0 0 -1 -1 -1 0 ,\"", EX_DATAERR, "layer \"p\""},
        {HEADER "\"SplitV s 1 1 x y 1 1 7 ,\"", EX_DATAERR, "\"s\""},
        {HEADER "\"Convolution c 1 1 x y 1 2 3 1 1 1 1 0 0 0 -1 1 1 0 ,\"", EX_DATAERR,
         "holds no weights of this name"},
        {HEADER "\"Convolution c 1 1 x y 3 2 3 1 1 1 1 0 0 0 -1 1 1 0 ,\"", EX_DATAERR, "divide into 3 groups"},
        {HEADER "\"Convolution c 1 1 x y 1 2 3 99999999999 1 1 1 0 0 0 -1 1 1 0 ,\"", EX_DATAERR, "parameter 3"},
        {"\"1 2 1 4206624772 ,\"\"x 4 1 2 4 4 0 ,\"", EX_DATAERR, "expected at least 6 records, found 2"},
        {"\"1 2 1 4206624772 ,\"\"x 4 1 2 0 4 0 ,\"\" x y ,\"\"y ,\"\" 1 ,\"\"ReLU r 1 1 x y ,\"", EX_DATAERR,
         "t.tnnproto"},
        {"\"1 2 1 4206624772 ,\"\"x 9 1 2 4 4 0 ,\"\" x y ,\"\"y ,\"\" 1 ,\"\"ReLU r 1 1 x y ,\"", EX_DATAERR,
         "input \"x\""},
        {"\"1 2 1 4206624772 ,\"\"x 4 1 2 4 4 3 ,\"\" x y ,\"\"y ,\"\" 1 ,\"\"ReLU r 1 1 x y ,\"", EX_UNAVAILABLE,
         "data type 3"},
    };
    char *long_text;

    (void)state;
    put("t.tnnmodel", no_resources, sizeof no_resources);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        int rc = try_text(cases[i].text, &err);

        assert_int_equal(rc, cases[i].code == 0 ? 0 : -1);
        if (err.code != cases[i].code || (rc != 0 && strstr(err.text, cases[i].why) == NULL))
            fail_msg("%s: expected %d \"%s\", found %d: %s", cases[i].text, cases[i].code, cases[i].why, err.code,
                     err.text);
    }
    long_text = calloc(1, 6000);
    assert_non_null(long_text);
    memcpy(long_text, HEADER, strlen(HEADER));
    memset(long_text + strlen(HEADER), 'a', 5000);
    {
        struct error err = {0};

        assert_int_equal(try_text(long_text, &err), -1);
        assert_non_null(strstr(err.text, "of which TNN reads 4095"));
    }
    free(long_text);
}

/* One pooling layer of 2 x 2 by 1 on a 4 x 4 image. */
static struct node import_pooling(const char *pads, int64_t expected_size)
{
    char text[256];
    struct graph *graph;
    struct node node;

    put("t.tnnmodel", no_resources, sizeof no_resources);
    snprintf(text, sizeof text, HEADER "\"Pooling p 1 1 x y 0 2 2 %s ,\"", pads);
    put("t.tnnproto", text, strlen(text));
    graph = import_or_fail(in_root("t.tnnproto"));
    node = graph->nodes[0];
    assert_int_equal(node.attr.pool.output[0], expected_size);
    graph_destroy(graph);
    return node; /* its attributes are in the struct itself */
}

static void pad_types_follow_tnns_rules(void **state)
{
    struct node node = import_pooling("1 1 0 0 -1 -1 0 0", 4); /* SAME: the odd one goes to the end */

    (void)state;
    assert_int_equal(node.attr.pool.window.pad_begin[0], 0);
    assert_int_equal(node.attr.pool.window.pad_end[0], 1);
    node = import_pooling("1 1 1 1 -1 -1 1 0", 3); /* VALID: none, whatever is written */
    assert_int_equal(node.attr.pool.window.pad_begin[0] + node.attr.pool.window.pad_end[0], 0);
    node = import_pooling("3 3 0 0 -1 -1 -1 0", 1); /* explicit: rounded down, or up */
    node = import_pooling("3 3 0 0 -1 -1 -1 1", 2);
    node = import_pooling("3 3 0 0 -1 -1 1 1", 1); /* VALID does not round up */
    node = import_pooling("3 3 0 0", 1);           /* trailing parameters may be missing */
    assert_int_equal(node.attr.pool.kind, POOL_MAX);
}

/* Cuts or flips a good model everywhere: an error with a sentence, or a model; never a crash (see the sanitizers). */
static void a_damaged_model_is_an_error_or_a_model(void **state)
{
    struct graph *graph = one_convolution(1, 1);
    const struct model_request request = {.file = in_root("tnn/net.quantized.tnnproto"),
                                          .weights = in_root("damaged.tnnmodel")};
    struct bytes file = {0};
    struct error err = {0};
    uint8_t *copy;

    (void)state;
    assert_int_equal(emit_graph(graph, true, &err), 0);
    graph_destroy(graph);
    assert_int_equal(bytes_read(in_root("tnn/net.quantized.tnnmodel"), 1 << 20, &file, &err), 0);
    copy = malloc(file.size);
    assert_non_null(copy);
    for (size_t i = 0; i < 2 * file.size; i++) {
        size_t at = i % file.size, size = i < file.size ? at : file.size;

        memcpy(copy, file.data, file.size);
        copy[at] = (uint8_t)(copy[at] ^ (i < file.size ? 0 : 1 << (i % 8)));
        put("damaged.tnnmodel", copy, size);
        err = (struct error){0};
        graph = model_import(&request, &err);
        if (graph == NULL) {
            assert_true(err.code == EX_DATAERR || err.code == EX_UNAVAILABLE);
            assert_true(err.text[0] != '\0');
        } else if (i < file.size)
            fail_msg("a model cut to %zu of %zu bytes was accepted", size, file.size);
        graph_destroy(graph);
    }
    free(copy);
    bytes_free(&file);
}

static void weights_beside_the_proto_are_found_and_missing_ones_named(void **state)
{
    struct model_request request = {.file = in_root("t.tnnproto")};
    const char *text = HEADER "\"ReLU r 1 1 x y ,\"";
    struct graph *graph;
    struct error err = {0};

    (void)state;
    put("t.tnnproto", text, strlen(text));
    assert_null(model_import(&request, &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "model.weights"));
    put("t.tnnmodel", no_resources, sizeof no_resources);
    graph = import_or_fail(request.file);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
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
        TEST(both_versions_of_the_files_are_one_network),
        TEST(a_genuine_network_computes_what_tnn_computes),
        TEST(genuine_quantized_weights_are_read_within_half_a_step),
        TEST(scales_of_genuine_quantized_models_stay_with_the_values),
        TEST(a_genuine_tnn_model_equals_its_onnx_original),
        TEST(a_broken_text_is_refused_by_name),
        TEST(pad_types_follow_tnns_rules),
        TEST(a_damaged_model_is_an_error_or_a_model),
        TEST(weights_beside_the_proto_are_found_and_missing_ones_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
