/* test_tensorflow_text.c — GraphDefs in protobuf's text format, as TensorFlow writes them, and those that nobody
 * should.
 */
#define _GNU_SOURCE /* mkdtemp */
#include "../common/build_graph.h"
#include "../common/draw.h"

#include "common/log.h"
#include "formats/model.h"
#include "formats/proto_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* y = relu(x w + b) of an image with one pixel; the weights as a list, the bias as bytes. */
static const char network[] =
    "# written by hand\n"
    "node {\n  name: \"x\"\n  op: \"Placeholder\"\n  device: \"/cpu:0\"\n"
    "  attr { key: \"dtype\" value { type: DT_FLOAT } }\n"
    "  attr { key: \"shape\" value { shape { dim { size: -1 } dim { size: 1 } dim { size: 1 } dim { size: 2 } } } "
    "}\n}\n"
    "node {\n  name: \"w\"\n  op: \"Const\"\n  attr { key: \"dtype\" value { type: DT_FLOAT } }\n"
    "  attr { key: \"value\" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 1 } dim { "
    "size: 2 }\n"
    "    dim { size: 3 } } float_val: 1 float_val: 2 float_val: 3 float_val: 4 float_val: 5 float_val: 6 } } }\n}\n"
    "node {\n  name: \"b\"\n  op: \"Const\"\n  attr { key: \"dtype\" value { type: DT_FLOAT } }\n"
    "  attr { key: \"value\" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 3 } }\n"
    "    tensor_content: \"\\000\\000\\200?\\000\\000\\000@\\000\\000@@\" } } }\n}\n"
    "node {\n  name: \"conv\"\n  op: \"Conv2D\"\n  input: \"x\"\n  input: \"w\"\n"
    "  attr { key: \"strides\" value { list { i: 1 i: 1 i: 1 i: 1 } } }\n"
    "  attr { key: \"padding\" value { s: \"VALID\" } }\n}\n"
    "node { name: \"sum\" op: \"BiasAdd\" input: \"conv\" input: \"b\" }\n"
    "node { name: \"y\" op: \"Relu\" input: \"sum\" attr { key: \"T\" value { type: DT_FLOAT } } }\n"
    "library { function { signature { name: \"unused\" } } }\nversions { producer: 27 }\n";

/* NULL with err set; the file is called graph<ending>. */
static struct graph *import_as(const char *ending, const char *text, size_t size, struct error *err)
{
    char folder[] = "/tmp/etalon-text-XXXXXX", path[64];
    struct model_request request = {.file = path};
    struct graph *graph;
    FILE *file;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/graph%s", folder, ending);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    *err = (struct error){0};
    graph = model_import(&request, err);
    unlink(path);
    rmdir(folder);
    return graph;
}

static void assert_refused(const char *text, int code, const char *words)
{
    struct error err;

    assert_null(import_as(".pbtxt", text, strlen(text), &err));
    if (err.code != code || strstr(err.text, words) == NULL)
        fail_msg("expected %d with \"%s\", found %d: %s", code, words, err.code, err.text);
}

static void a_text_graph_is_read_under_any_name(void **state)
{
    static const char *const endings[] = {".pbtxt", ".pb", ""};
    static const float biases[] = {1, 2, 3};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct error err;
        struct graph *graph = import_as(endings[i], network, strlen(network), &err);
        struct tensor tensor;

        if (graph == NULL)
            fail_msg("\"graph%s\": %s", endings[i], err.text);
        assert_succeeds(graph_normalise(graph, &err), err);
        assert_int_equal(graph->n_nodes, 1);
        assert_int_equal(graph->nodes[0].op, OP_CONV);
        assert_string_equal(graph->values[graph->outputs[0]].name, "y");
        assert_true(graph_constant(graph, graph->nodes[0].inputs[1], &tensor));
        assert_int_equal(((const float *)tensor.data)[1], 4); /* [O][I], in the file [I][O] */
        assert_true(graph_constant(graph, graph->nodes[0].inputs[2], &tensor));
        assert_memory_equal(tensor.data, biases, sizeof biases);
        graph_destroy(graph);
    }
}

#define INPUT                                                                                                          \
    "node { name: \"x\" op: \"Placeholder\" attr { key: \"dtype\" value { type: DT_FLOAT } }"                          \
    " attr { key: \"shape\" value { shape { dim { size: 1 } dim { size: 2 } } } } }"

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    assert_refused("node { name: \"x\" op: \"Placeholder\"", EX_DATAERR, "line 1");
    assert_refused("node { name: \"x\" op: \"Relu\" attr { key: \"T\" value { type: DT_FLAOT } } }", EX_DATAERR,
                   "DT_FLAOT");
    assert_refused("node { name: \"x\"\n op: \"Relu\" input: 7 }", EX_DATAERR, "line 2");
    assert_refused("node { op: \"Relu\" }", EX_DATAERR, "name");
    assert_refused("", EX_DATAERR, "graph.pbtxt");
    assert_refused(INPUT "node { name: \"y\" op: \"NoSuch\" input: \"x\" }", EX_UNAVAILABLE, "NoSuch");
    assert_refused(
        INPUT "node { name: \"c\" op: \"Const\" attr { key: \"value\" value { tensor { dtype: DT_FLOAT tensor_shape {"
              "dim { size: 4611686018427387904 } dim { size: 8 } } float_val: 1 } } } }"
              "node { name: \"y\" op: \"AddV2\" input: \"x\" input: \"c\" }",
        EX_DATAERR, "\"c\"");
}

static void nesting_is_bounded(void **state)
{
    enum { LEVELS = 100000 };
    char *text = malloc(16 + 4 * LEVELS);
    struct error err;
    size_t n = (size_t)sprintf(text, "node {");

    (void)state;
    for (size_t i = 0; i < LEVELS; i++, n += 3)
        memcpy(text + n, "a {", 3); /* fields that the schema lacks are skipped, not entered without end */
    assert_null(import_as(".pbtxt", text, n, &err));
    assert_int_equal(err.code, EX_DATAERR);
    free(text);
}

/* Two bytes of text would be a message each. */
static void memory_is_bounded_by_the_size_of_the_file(void **state)
{
    enum { NODES = 3000000 };
    char *text = malloc(7 * NODES + 1);
    struct error err;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < NODES; i++)
        memcpy(text + 7 * i, "node{} ", 7);
    assert_null(import_as(".pbtxt", text, 7 * NODES, &err));
    assert_int_equal(err.code, EX_DATAERR);
    free(text);
}

static void damaged_text_does_no_more_than_fail(void **state)
{
    char damaged[sizeof network];
    size_t n_read = 0;

    (void)state;
    log_set_level(LOG_QUIET);
    for (int i = 0; i < 3000; i++) {
        size_t size = sizeof network - 1;
        struct graph *graph;
        struct error err;

        memcpy(damaged, network, size);
        for (uint64_t k = 0; k <= draw_below(3); k++)
            damaged[draw_below(size)] = "\"{}:0-9#\\xT\n\x80"[draw_below(13)];
        graph = import_as(".pbtxt", damaged, draw_below(4) == 0 ? draw_below(size) : size, &err);
        if (graph == NULL && (err.code == 0 || strstr(err.text, "graph.pbtxt") == NULL))
            fail_msg("%d: %s", err.code, err.text);
        n_read += graph != NULL;
        graph_destroy(graph);
    }
    assert_in_range(n_read, 1, 2999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_graph_is_read_under_any_name),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(memory_is_bounded_by_the_size_of_the_file),
        cmocka_unit_test(damaged_text_does_no_more_than_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
