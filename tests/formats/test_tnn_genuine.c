/* test_tnn_genuine.c — files of TNN's own tools are understood, float and quantized. */
#include "tnn_files.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_versions_of_the_files_are_one_network),
        TEST(a_genuine_network_computes_what_tnn_computes),
        TEST(genuine_quantized_weights_are_read_within_half_a_step),
        TEST(scales_of_genuine_quantized_models_stay_with_the_values),
        TEST(a_genuine_tnn_model_equals_its_onnx_original),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
