/* test_tensorflow_write.c — what a written GraphDef looks like to those who open it: names, padding, transposes. That
 * it computes the same is in test_exporters.c and, in TensorFlow itself, in e2e/convert_tensorflow.sh.
 */
#define _GNU_SOURCE /* mkdtemp */
#include "../common/random_network.h"
#include "exported_files.h"

#include <tensorflow.pb-c.h>

static Tensorflow__GraphDef *write_and_open(const struct graph *graph)
{
    Tensorflow__GraphDef *file;
    struct written written;
    struct bytes bytes;
    struct error err;

    assert_true(write_graph(exporter_find("tensorflow"), graph, &written));
    assert_succeeds(bytes_read(written.paths[0], 1 << 28, &bytes, &err), err);
    file = tensorflow__graph_def__unpack(NULL, bytes.size, bytes.data);
    assert_non_null(file);
    bytes_free(&bytes);
    remove_written(&written);
    return file;
}

static void forget_file(Tensorflow__GraphDef *file)
{
    tensorflow__graph_def__free_unpacked(file, NULL);
}

static const Tensorflow__NodeDef *node_called(const Tensorflow__GraphDef *file, const char *name)
{
    for (size_t i = 0; i < file->n_node; i++)
        if (strcmp(file->node[i]->name, name) == 0)
            return file->node[i];
    return NULL;
}

static size_t count(const Tensorflow__GraphDef *file, const char *op)
{
    size_t n = 0;

    for (size_t i = 0; i < file->n_node; i++)
        n += strcmp(file->node[i]->op, op) == 0;
    return n;
}

static bool has_text(const Tensorflow__NodeDef *node, const char *key, const char *text)
{
    for (size_t i = 0; i < node->n_attr; i++)
        if (strcmp(node->attr[i]->key, key) == 0)
            return node->attr[i]->value->s.len == strlen(text) &&
                   memcmp(node->attr[i]->value->s.data, text, strlen(text)) == 0;
    return false;
}

static void every_value_is_found_under_its_name(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct graph *graph = random_network(seed);
        Tensorflow__GraphDef *file = write_and_open(graph);

        for (size_t v = 0; v < graph->n_values; v++)
            if (!graph->values[v].is_constant && node_called(file, graph->values[v].name) == NULL)
                fail_msg("network %d: \"%s\" is not there", (int)seed, graph->values[v].name);
        forget_file(file);
        graph_destroy(graph);
    }
}

static int add_conv(struct graph *graph, int x, const char *name, struct shape weights, struct window window)
{
    int y = add_node(graph, OP_CONV, name, INTS(x, random_floats(graph, weights, -1, 1)));

    last_node(graph)->attr.conv.window = window;
    last_node(graph)->attr.conv.group = 1;
    return settled(graph, y);
}

static int relu(struct graph *graph, int x)
{
    return activation(graph, ACTIVATION_RELU, 0, 0, x);
}

/* One layer on an image of 8 x 8, its pads before and after each axis; is it written with SAME padding? */
static bool is_same(int64_t kernel, int64_t stride, int64_t begin, int64_t end)
{
    struct graph *graph = new_graph();
    struct window w = {{kernel, kernel}, {stride, stride}, {1, 1}, {begin, begin}, {end, end}};
    int x = add_input(graph, "x", SHAPE(1, 3, 8, 8));
    Tensorflow__GraphDef *file;
    const Tensorflow__NodeDef *node;
    bool result;

    graph_add_output(graph, relu(graph, add_conv(graph, x, "layer", SHAPE(4, 3, kernel, kernel), w)), NULL);
    file = write_and_open(graph);
    node = node_called(file, "layer");
    assert_non_null(node);
    assert_string_equal(node->op, "Conv2D");
    result = has_text(node, "padding", "SAME");
    assert_int_equal(count(file, "Pad"), begin + end == 0 || result ? 0 : 1);
    forget_file(file);
    graph_destroy(graph);
    return result;
}

static void padding_is_same_where_tensorflow_would_pad_so(void **state)
{
    (void)state;
    assert_true(is_same(3, 1, 1, 1));
    assert_true(is_same(3, 2, 0, 1)); /* an even image: the odd pixel comes after */
    assert_true(is_same(2, 1, 0, 1));
    assert_true(is_same(5, 1, 2, 2));
    assert_false(is_same(3, 2, 1, 1)); /* as in PyTorch */
    assert_false(is_same(3, 2, 1, 0));
    assert_false(is_same(3, 1, 0, 0)); /* no pads are VALID */
    assert_false(is_same(2, 1, 1, 0));
}

static struct window line_window(int64_t kernel)
{
    return (struct window){{1, kernel}, {1, 1}, {1, 1}, {0, kernel / 2}, {0, kernel / 2}};
}

static void only_what_needs_it_is_transposed(void **state)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 3, 8));
    Tensorflow__GraphDef *file;

    (void)state;
    /* a sequence: once before the first of the layers, and once behind the last */
    x = relu(graph, add_conv(graph, x, "first", SHAPE(4, 3, 3), line_window(3)));
    x = relu(graph, add_conv(graph, x, "second", SHAPE(4, 4, 5), line_window(5)));
    graph_add_output(graph, x, NULL);
    file = write_and_open(graph);
    assert_int_equal(count(file, "Transpose"), 2);
    assert_int_equal(count(file, "Conv2D"), 2);
    forget_file(file);
    graph_destroy(graph);

    /* a detector: channels last is what it asks for */
    graph = new_graph();
    x = add_conv(graph, add_input(graph, "x", SHAPE(1, 3, 8, 8)), "boxes", SHAPE(4, 3, 3, 3), make_window(3, 1, 1));
    x = add_node(graph, OP_TRANSPOSE, "last", INTS(x));
    memcpy(last_node(graph)->attr.perm, (int64_t[]){0, 2, 3, 1}, 4 * sizeof(int64_t));
    graph_add_output(graph, reshaped(graph, settled(graph, x), SHAPE(1, 64, 4)), NULL);
    file = write_and_open(graph);
    assert_int_equal(count(file, "Transpose"), 0);
    forget_file(file);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_found_under_its_name),
        cmocka_unit_test(padding_is_same_where_tensorflow_would_pad_so),
        cmocka_unit_test(only_what_needs_it_is_transposed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
