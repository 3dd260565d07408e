/* test_engine_serial.c — the serial engine has the last bits of TNN's reference device. */
#include "check_engine.h"

#include "common/passes.h"
#include "formats/model.h"

#include <stdio.h>
#include <unistd.h>

/* One output pixel as the header promises it: float32, rows, then columns, then channels, the bias last. */
static float plain_pixel(const struct window *w, const int64_t in[3], const float *x, const float *weights,
                         const float *bias, int64_t row, int64_t column)
{
    float sum = 0;

    for (int64_t i = 0; i < w->kernel[0]; i++)
        for (int64_t j = 0; j < w->kernel[1]; j++)
            for (int64_t c = 0; c < in[0]; c++) {
                int64_t y = row * w->stride[0] - w->pad_begin[0] + i * w->dilation[0];
                int64_t z = column * w->stride[1] - w->pad_begin[1] + j * w->dilation[1];
                float product;

                if (y < 0 || y >= in[1] || z < 0 || z >= in[2])
                    continue;
                product = x[(c * in[1] + y) * in[2] + z] * weights[(c * w->kernel[0] + i) * w->kernel[1] + j];
                sum = sum + product;
            }
    return bias == NULL ? sum : sum + *bias;
}

static void run_serial(const struct graph *graph, const float *x, size_t n_records, engine_observer observer,
                       void *context, float *y)
{
    struct error err = {0};
    struct engine *engine = engine_create_serial(graph, n_records, &err);

    if (engine == NULL)
        fail_msg("%s", err.text);
    assert_succeeds(engine_run(engine, &x, n_records, observer, context, &err), err);
    if (y != NULL)
        memcpy(y, engine_output(engine, 0), n_records * elements_of(graph, graph->outputs[0]) * sizeof *y);
    engine_destroy(engine);
}

static struct window draw_window(void)
{
    return (struct window){{1 + (int64_t)draw_below(4), 1 + (int64_t)draw_below(4)},
                           {1 + (int64_t)draw_below(3), 1 + (int64_t)draw_below(3)},
                           {1 + (int64_t)draw_below(2), 1 + (int64_t)draw_below(2)},
                           {(int64_t)draw_below(3), (int64_t)draw_below(3)},
                           {(int64_t)draw_below(3), (int64_t)draw_below(3)}};
}

static void convolutions_of_any_window_sum_in_the_promised_order(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct graph *graph = new_graph();
        int64_t group = round % 4 == 0 ? 3 : 1, in[3] = {1 + (int64_t)draw_below(20), 7, 9}, outputs = 2;
        struct window window = draw_window();
        int x = add_input(graph, "x", SHAPE(1, in[0] * group, in[1], in[2]));
        int w = add_random(graph, SHAPE(outputs * group, in[0], window.kernel[0], window.kernel[1]));
        int b = add_random(graph, SHAPE(outputs * group));
        bool has_bias = draw_below(2) == 0;
        int y = has_bias ? add_node(graph, OP_CONV, "y", INTS(x, w, b)) : add_node(graph, OP_CONV, "y", INTS(x, w));
        const float *weights = graph->values[w].data, *bias = graph->values[b].data;
        float *image, *found;
        const struct shape *out;
        size_t n_in, n_out;

        last_node(graph)->attr.conv.window = window;
        last_node(graph)->attr.conv.group = group;
        assert_true(graph_add_output(graph, y, NULL) >= 0);
        infer(graph);
        out = &graph->values[y].shape;
        n_in = elements_of(graph, x);
        n_out = elements_of(graph, y);
        image = draw_floats(2 * n_in);
        found = draw_floats(2 * n_out);
        run_serial(graph, image, 2, NULL, NULL, found);
        for (size_t i = 0; i < 2 * n_out; i++) {
            int64_t pixel = (int64_t)i % (out->dims[2] * out->dims[3]);
            int64_t o = (int64_t)(i % n_out) / (out->dims[2] * out->dims[3]);
            const float *of_group = image + i / n_out * n_in + o / outputs * in[0] * in[1] * in[2];
            float expected =
                plain_pixel(&window, in, of_group, weights + o * in[0] * window.kernel[0] * window.kernel[1],
                            has_bias ? bias + o : NULL, pixel / out->dims[3], pixel % out->dims[3]);

            assert_true(expected == found[i]);
        }
        free(image);
        free(found);
        graph_destroy(graph);
    }
}

/* ---- a network that TNN itself has run ---- */

static float *read_numbers(const char *path, size_t n)
{
    FILE *file = fopen(path, "r");
    float *x = calloc(n, sizeof *x);
    double number;

    if (file == NULL || x == NULL)
        fail_msg("%s cannot be read", path);
    if (fscanf(file, "#%*[^\n]") < 0)
        fail_msg("%s is empty", path);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fscanf(file, "%lf", &number), 1);
        x[i] = (float)number;
    }
    fclose(file);
    return x;
}

struct genuine {
    const struct graph *graph;
    size_t n_equal;
};

/* Softmax ends the network; TNN's exp is its own affair. */
static int compare_with_tnn(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct genuine *g = context;
    const char *name = g->graph->values[value].name;
    size_t n = view->records * view->channels * view->spatial;
    float *expected;
    char path[512];

    (void)node;
    (void)err;
    snprintf(path, sizeof path, SHARED_DATA "/tnn_golden/activations/float/%s.txt", name);
    if (access(path, R_OK) != 0 || strcmp(name, "prob") == 0)
        return 0;
    expected = read_numbers(path, n);
    assert_int_equal(view->block, 1);
    for (size_t i = 0; i < n; i++)
        if (expected[i] != view->data[i])
            fail_msg("%s: element %zu: expected %.9g, found %.9g", name, i, (double)expected[i], (double)view->data[i]);
    free(expected);
    g->n_equal++;
    return 0;
}

static void a_network_has_the_activations_of_tnns_reference_device(void **state)
{
    static const char *const protos[] = {SHARED_DATA "/tnn_golden/tiny_v1.tnnproto",
                                         SHARED_DATA "/tnn_golden/tiny_v2.tnnproto"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct model_request request = {.file = protos[i]};
        struct error err = {0};
        struct genuine g = {0};
        struct graph *graph;
        float *input;

        if (access(protos[i], R_OK) != 0)
            skip();
        graph = model_import(&request, &err);
        assert_non_null(graph);
        assert_succeeds(graph_normalise(graph, &err), err);
        g.graph = graph;
        input =
            read_numbers(SHARED_DATA "/tnn_golden/activations/float/data.txt", elements_of(graph, graph->inputs[0]));
        run_serial(graph, input, 1, compare_with_tnn, &g, NULL);
        assert_int_equal(g.n_equal, 13); /* all but prob, and a1, which is one with its ReLU here */
        free(input);
        graph_destroy(graph);
    }
}

/* ---- the others ---- */

static void other_operators_agree_with_the_reference(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct graph *graph = new_graph();
        int x = add_input(graph, "x", SHAPE(1, 5, 8, 6)), y;
        struct expectation e;
        float *image;

        y = add_node(graph, OP_NORMALIZE, NULL, INTS(x, add_random(graph, SHAPE(5)), add_random(graph, SHAPE(5))));
        y = add_node(graph, OP_POOL, NULL, INTS(y));
        last_node(graph)->attr.pool.kind = round % 3 == 0 ? POOL_MAX : POOL_AVERAGE;
        last_node(graph)->attr.pool.window = (struct window){
            {3, 2}, {2, 1}, {1, 1 + (int64_t)draw_below(2)}, {(int64_t)draw_below(2), 1}, {1, (int64_t)draw_below(2)}};
        last_node(graph)->attr.pool.count_include_pad = draw_below(2) == 0;
        last_node(graph)->attr.pool.output[0] = 4;
        last_node(graph)->attr.pool.output[1] = 5;
        y = add_node(graph, OP_DECONV, NULL, INTS(y, add_random(graph, SHAPE(5, 3, 1, 1))));
        last_node(graph)->attr.conv.window = make_window(1, 1, 0);
        last_node(graph)->attr.conv.group = 1;
        y = add_node(graph, OP_RESHAPE, NULL, INTS(y));
        graph->values[y].shape = SHAPE(1, 60);
        graph->values[y].has_shape = true;
        y = add_node(graph, OP_DENSE, "y", INTS(y, add_random(graph, SHAPE(7, 60)), add_random(graph, SHAPE(7))));
        assert_true(graph_add_output(graph, y, NULL) >= 0);
        infer(graph);
        image = draw_floats(BATCH * elements_of(graph, x));
        e = expect(graph, (const float *const *)&image, BATCH, 1e-5);
        run_serial(graph, image, BATCH, observe, &e, NULL);
        forget(&e);
        free(image);
        graph_destroy(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_any_window_sum_in_the_promised_order),
        cmocka_unit_test(a_network_has_the_activations_of_tnns_reference_device),
        cmocka_unit_test(other_operators_agree_with_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
