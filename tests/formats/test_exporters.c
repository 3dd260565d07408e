/* test_exporters.c — what an exporter writes is read back as the network that was given to it, whatever it was.
 *
 * For each exporter and many random networks, as imported and normalised: the same outputs (by the reference executor),
 * and the same nodes, unless the format has other words for one of them.
 */
#include "../common/random_network.h"
#include "../common/reference_executor.h"
#include "../common/same_graph.h"
#include "exported_files.h"

#include "common/passes.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_NETWORKS = 300 };

/* Relative to the largest element of an output: constants are rounded to float32 where they are restated. */
static const double tolerance = 2e-5;

/* --- comparing --- */

static void assert_same_outputs(const struct graph *a, const struct graph *b, const char *what)
{
    double input[CHANNELS * 5 * 6];
    struct reference before, after;

    assert_int_equal(a->n_outputs, b->n_outputs);
    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
        input[i] = (double)(float)draw_uniform(-3, 3);
    before = reference_run(a, input);
    after = reference_run(b, input);
    for (size_t o = 0; o < a->n_outputs; o++) {
        const struct value *x = &a->values[a->outputs[o]], *y = &b->values[b->outputs[o]];
        double largest = 0;

        if (strcmp(x->name, y->name) != 0 || !shape_equal(&x->shape, &y->shape))
            fail_msg("%s: output \"%s\" became \"%s\"", what, x->name, y->name);
        for (size_t i = 0; i < reference_size(x); i++)
            largest = fmax(largest, fabs(before.data[a->outputs[o]][i]));
        for (size_t i = 0; i < reference_size(x); i++) {
            double was = before.data[a->outputs[o]][i], is = after.data[b->outputs[o]][i];

            if (!(fabs(was - is) <= tolerance * largest)) {
                graph_print(a, stderr);
                graph_print(b, stderr);
                fail_msg("%s: output \"%s\"[%zu] was %.9g, is %.9g", what, x->name, i, was, is);
            }
        }
    }
    reference_free(&before);
    reference_free(&after);
}

static void normalise(struct graph *graph)
{
    struct error err;

    assert_succeeds(graph_normalise(graph, &err), err);
}

/* --- each exporter --- */

/* Has the format other words for this node? Then networks with it are compared by their outputs only. Some of them do
 * read back as they were; none of the others may fail to. */
typedef bool restates(const struct graph *graph, const struct node *node);

static bool has_uneven_pads(const struct window *w)
{
    return !same_pairs(w->pad_begin, w->pad_end);
}

static bool reads_constant(const struct graph *graph, const struct node *node)
{
    return graph->values[node->inputs[0]].is_constant ||
           (node->n_inputs > 1 && graph->values[node->inputs[1]].is_constant);
}

static bool onnx_restates(const struct graph *graph, const struct node *node)
{
    (void)graph;
    (void)node;
    return false;
}

static bool tnn_restates_activation(struct activation a)
{
    return a.kind == ACTIVATION_MISH || (a.kind == ACTIVATION_SWISH && a.alpha != 1);
}

/* Both axes rounded down, or both up? */
static bool is_rounded_alike(const struct node *pool, const struct shape *x)
{
    const struct window *w = &pool->attr.pool.window;
    bool is_alike[2] = {true, true};

    for (size_t k = 0; k < 2; k++)
        for (int up = 0; up < 2; up++)
            is_alike[up] =
                is_alike[up] && pool_output_size(x->dims[2 + k], w->kernel[k], w->stride[k], 1, w->pad_begin[k],
                                                 w->pad_end[k], up, false) == pool->attr.pool.output[k];
    return is_alike[0] || is_alike[1];
}

static bool tnn_restates(const struct graph *graph, const struct node *node)
{
    if (tnn_restates_activation(node->fused))
        return true;
    switch (node->op) {
    case OP_ACTIVATION:
        return tnn_restates_activation(node->attr.activation);
    case OP_POOL: /* pads that a layer of their own may lay */
        return has_uneven_pads(&node->attr.pool.window) ||
               !is_rounded_alike(node, &graph->values[node->inputs[0]].shape);
    case OP_CONV:
    case OP_DECONV:
        return has_uneven_pads(&node->attr.conv.window) || !same_pairs(node->attr.conv.output_padding, (int64_t[2]){0});
    case OP_PRELU: /* of one slope */
        return graph->values[node->inputs[1]].shape.dims[0] == 1;
    default:
        return false;
    }
}

static bool caffe_restates_activation(struct activation a)
{
    return a.kind == ACTIVATION_SQRT || a.kind == ACTIVATION_HARD_SIGMOID || a.kind == ACTIVATION_HARD_SWISH ||
           a.kind == ACTIVATION_ERF || a.kind == ACTIVATION_GELU || a.kind == ACTIVATION_GELU_TANH ||
           a.kind == ACTIVATION_MISH;
}

static size_t count_cut_axes(const struct shape *x, const struct shape *y)
{
    size_t n = 0;

    for (size_t i = 0; i < x->rank; i++)
        n += x->dims[i] != y->dims[i];
    return n;
}

static bool caffe_restates(const struct graph *graph, const struct node *node)
{
    const struct shape *x = &graph->values[node->inputs[0]].shape, *y = &graph->values[node->outputs[0]].shape;
    const struct window *w = &node->attr.pool.window;

    if (caffe_restates_activation(node->fused))
        return true;
    switch (node->op) {
    case OP_CONV:
    case OP_DECONV:
        return has_uneven_pads(&node->attr.conv.window) || !same_pairs(node->attr.conv.output_padding, (int64_t[2]){0});
    case OP_POOL: /* uneven pads, and averages with pads that do not count */
        return has_uneven_pads(w) || (node->attr.pool.kind == POOL_AVERAGE && !node->attr.pool.is_global &&
                                      !node->attr.pool.count_include_pad);
    case OP_ACTIVATION:
        return caffe_restates_activation(node->attr.activation);
    case OP_BINARY:
        return reads_constant(graph, node) || node->attr.binary.kind == BINARY_DIV ||
               node->attr.binary.kind == BINARY_MIN || !shape_equal(x, &graph->values[node->inputs[1]].shape);
    case OP_SOFTMAX:
        return node->attr.softmax.is_log;
    case OP_SLICE: /* steps, and several axes */
        for (size_t i = 0; i < x->rank; i++)
            if (node->attr.slice.step[i] != 1)
                return true;
        return count_cut_axes(x, y) > 1;
    case OP_REDUCE:
    case OP_RESIZE:
    case OP_PAD:
        return true;
    default:
        return false;
    }
}

static const struct {
    const char *exporter;
    restates *restates; /* of nodes as they are written; a format that is not here restates everything */
} formats[] = {
    {"onnx", onnx_restates}, {"caffe", caffe_restates}, {"fp32umodel", caffe_restates}, {"tnn", tnn_restates}};

static bool is_restated(const struct exporter *exporter, const struct graph *graph)
{
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        if (strcmp(formats[f].exporter, exporter->name) != 0)
            continue;
        for (size_t i = 0; i < graph->n_nodes; i++)
            if (formats[f].restates(graph, &graph->nodes[i]))
                return true;
        return false;
    }
    return true;
}

struct tally {
    size_t written, same;
};

static void check_network(const struct exporter *exporter, uint64_t seed, bool is_normalised, struct tally *tally)
{
    struct graph *graph = random_network(seed), *back;
    struct written written;
    char what[64], why[256];
    struct error err = {0};
    bool is_same;

    snprintf(what, sizeof what, "network %d%s as %s", (int)seed, is_normalised ? ", normalised," : "", exporter->name);
    if (is_normalised)
        normalise(graph);
    if (write_graph(exporter, graph, &written)) {
        back = read_back(&written, &err);
        if (back == NULL) {
            graph_print(graph, stderr);
            fail_msg("%s: %s", what, err.text);
        }
        assert_same_outputs(graph, back, what);
        is_same = !is_restated(exporter, graph);
        normalise(graph);
        normalise(back);
        tally->written++;
        if (is_same) {
            tally->same++;
            if (!same_graph(graph, back, why)) {
                graph_print(graph, stderr);
                graph_print(back, stderr);
                fail_msg("%s: %s", what, why);
            }
        }
        graph_destroy(back);
    }
    remove_written(&written);
    graph_destroy(graph);
}

static void what_is_written_reads_back_as_the_same_network(void **state)
{
    (void)state;
    for (size_t e = 0; exporters[e] != NULL; e++) {
        struct tally tally = {0};

        for (uint64_t seed = 0; seed < N_NETWORKS; seed++)
            for (int is_normalised = 0; is_normalised < 2; is_normalised++)
                check_network(exporters[e], seed, is_normalised, &tally);
        print_message("%s: %d networks, %zu written, %zu of them node by node\n", exporters[e]->name, 2 * N_NETWORKS,
                      tally.written, tally.same);
        assert_int_equal(tally.written, 2 * N_NETWORKS);
    }
}

/* "<odd>" + "2" -> relu -> "<odd> y", an output that is read, and -> sigmoid -> "z". */
static struct graph *oddly_named(const char *odd)
{
    struct graph *graph = new_graph();
    int a = add_input(graph, odd, SHAPE(1, 2, 3, 3)), b = add_input(graph, "2", SHAPE(1, 2, 3, 3)), y, z;
    char name[64];
    struct error err;

    y = binary(graph, BINARY_ADD, a, b);
    snprintf(name, sizeof name, "%s y", odd);
    y = add_node(graph, OP_ACTIVATION, name, INTS(y));
    last_node(graph)->attr.activation.kind = ACTIVATION_RELU;
    z = add_node(graph, OP_ACTIVATION, "z", INTS(y));
    last_node(graph)->attr.activation.kind = ACTIVATION_SIGMOID;
    assert_true(graph_add_output(graph, z, NULL) >= 0 && graph_add_output(graph, y, NULL) >= 0);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    return graph;
}

/* It has readable ones instead. */
static bool renames(const struct exporter *exporter)
{
    return strcmp(exporter->name, "tnn") == 0 || strcmp(exporter->name, "tensorflow") == 0;
}

static void odd_names_survive_where_a_format_has_them(void **state)
{
    static const char *const names[] = {"a b",   "a,b",  "a:b", "a\"b", "a\\n\\", "a\nb",
                                        "a\tb#", "a/b;", "{}",  "é",    "'",      "a_scale_data_"};

    (void)state;
    for (size_t e = 0; exporters[e] != NULL; e++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            struct graph *graph = oddly_named(names[i]), *back;
            struct written written;
            struct error err = {0};
            char why[256];

            if (write_graph(exporters[e], graph, &written)) {
                back = read_back(&written, &err);
                if (back == NULL)
                    fail_msg("%s of \"%s\": %s", exporters[e]->name, names[i], err.text);
                normalise(graph);
                normalise(back);
                assert_int_equal(back->n_outputs, 2);
                if (renames(exporters[e]))
                    assert_true(is_restated(exporters[e], graph) || back->n_nodes == graph->n_nodes);
                else if (!same_graph(graph, back, why))
                    fail_msg("%s of \"%s\": %s", exporters[e]->name, names[i], why);
                else
                    assert_string_equal(back->values[back->outputs[1]].name, graph->values[graph->outputs[1]].name);
                graph_destroy(back);
            }
            remove_written(&written);
            graph_destroy(graph);
        }
}

static void the_same_network_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t e = 0; exporters[e] != NULL; e++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct graph *graph = random_network(seed), *again = random_network(seed);
            struct written a, b;

            if (write_graph(exporters[e], graph, &a) && write_graph(exporters[e], again, &b)) {
                assert_int_equal(a.n, b.n);
                for (size_t i = 0; i < a.n; i++) {
                    char hex[2][SHA256_HEX_BYTES];

                    assert_int_equal(sha256_file(a.paths[i], hex[0], NULL), 0);
                    assert_int_equal(sha256_file(b.paths[i], hex[1], NULL), 0);
                    assert_string_equal(hex[0], hex[1]);
                }
                remove_written(&b);
            }
            remove_written(&a);
            graph_destroy(graph);
            graph_destroy(again);
        }
}

/* x -> conv, uneven pads, + relu -> average without its pads -> y, over a sequence; or the same of an image of one row.
 */
static struct graph *windows(bool is_image)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 4, 30)), y;
    struct window conv = {{1, 3}, {1, 2}, {1, 1}, {0, 1}, {0, 0}}, average = {{1, 4}, {1, 3}, {1, 1}, {0, 1}, {0, 2}};
    struct error err;

    draw_state = 1;
    x = is_image ? reshaped(graph, x, SHAPE(1, 4, 1, 30)) : x;
    y = add_node(graph, OP_CONV, NULL,
                 INTS(x, random_floats(graph, is_image ? SHAPE(5, 4, 1, 3) : SHAPE(5, 4, 3), -1, 1),
                      random_floats(graph, SHAPE(5), -1, 1)));
    last_node(graph)->attr.conv.window = conv;
    last_node(graph)->attr.conv.group = 1;
    last_node(graph)->fused.kind = ACTIVATION_RELU;
    y = add_node(graph, OP_POOL, is_image ? NULL : "y", INTS(settled(graph, y)));
    last_node(graph)->attr.pool.kind = POOL_AVERAGE;
    last_node(graph)->attr.pool.window = average;
    y = settled(graph, y);
    if (is_image) {
        y = add_node(graph, OP_RESHAPE, "y", INTS(y));
        graph->values[y].shape = SHAPE(1, 5, 5);
        graph->values[y].has_shape = true;
        y = settled(graph, y);
    }
    graph_add_output(graph, y, NULL);
    assert_succeeds(graph_fold_constants(graph, &err), err);
    return graph;
}

static void windows_over_a_sequence_are_those_of_an_image(void **state)
{
    (void)state;
    for (size_t e = 0; exporters[e] != NULL; e++) {
        struct graph *graph = windows(false), *same = windows(true), *back;
        struct written written;
        struct error err = {0};

        assert_true(write_graph(exporters[e], graph, &written));
        back = read_back(&written, &err);
        if (back == NULL)
            fail_msg("%s: %s", exporters[e]->name, err.text);
        if (strcmp(exporters[e]->name, "tnn") == 0) /* the reference knows images only */
            assert_same_outputs(same, back, exporters[e]->name);
        graph_destroy(back);
        graph_destroy(same);
        graph_destroy(graph);
        remove_written(&written);
    }
}

static void layer_norms_over_any_axes_are_written(void **state)
{
    static const uint32_t axes[] = {1u << 1, 1u << 2, 1u << 3, 1u << 1 | 1u << 3, 1u << 1 | 1u << 2 | 1u << 3};
    size_t written_as_tnn = 0;

    (void)state;
    for (size_t e = 0; exporters[e] != NULL; e++)
        for (size_t i = 0; i < 4 * sizeof axes / sizeof *axes; i++) {
            struct graph *graph = new_graph(), *back;
            int inputs[3] = {add_input(graph, "x", SHAPE(1, CHANNELS, 5, 6)), GRAPH_NONE, GRAPH_NONE};
            struct written written;
            struct error err = {0};
            int y;

            if (i % 2 != 0)
                inputs[1] = random_floats(graph, SHAPE(CHANNELS, 1, 1), 0.5, 2);
            if (i / 2 % 2 != 0)
                inputs[2] = random_floats(graph, SHAPE(5, 1), -1, 1);
            y = add_node(graph, OP_LAYER_NORM, "y", inputs, 3);
            last_node(graph)->attr.layer_norm.axes = axes[i / 4];
            last_node(graph)->attr.layer_norm.epsilon = 1e-3f;
            graph_add_output(graph, settled(graph, y), NULL);
            assert_succeeds(graph_fold_constants(graph, &err), err);
            if (write_graph(exporters[e], graph, &written)) {
                back = read_back(&written, &err);
                if (back == NULL)
                    fail_msg("%s, case %zu: %s", exporters[e]->name, i, err.text);
                assert_same_outputs(graph, back, exporters[e]->name);
                written_as_tnn += strcmp(exporters[e]->name, "tnn") == 0;
                graph_destroy(back);
            }
            remove_written(&written);
            graph_destroy(graph);
        }
    assert_int_equal(written_as_tnn, 4 * sizeof axes / sizeof *axes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_as_the_same_network),
        cmocka_unit_test(windows_over_a_sequence_are_those_of_an_image),
        cmocka_unit_test(layer_norms_over_any_axes_are_written),
        cmocka_unit_test(odd_names_survive_where_a_format_has_them),
        cmocka_unit_test(the_same_network_gives_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
