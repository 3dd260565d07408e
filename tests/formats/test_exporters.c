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

static bool tnn_restates(const struct graph *graph, const struct node *node)
{
    switch (node->op) {
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
    return a.kind == ACTIVATION_SQRT || a.kind == ACTIVATION_HARD_SIGMOID || a.kind == ACTIVATION_HARD_SWISH;
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
               !shape_equal(x, &graph->values[node->inputs[1]].shape);
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
        assert_true(tally.written >= N_NETWORKS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_as_the_same_network),
        cmocka_unit_test(odd_names_survive_where_a_format_has_them),
        cmocka_unit_test(the_same_network_gives_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
