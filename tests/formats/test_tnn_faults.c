/* test_tnn_faults.c — broken TNN files are refused by name; what they leave open follows the rules of TNN. */
#include "tnn_files.h"

#define HEADER "\"1 2 1 4206624772 ,\"\"x 4 1 2 4 4 0 ,\"\" x y ,\"\"y ,\"\" 1 ,\"\n"

/* A model file without resources. */
static const uint8_t no_resources[] = {4, 0, 0xbc, 0xfa, 0, 0, 0, 0};

static int try_text(const char *text, struct error *err)
{
    const struct model_request request = {.file = in_root("t.tnnproto"), .weights = in_root("t.tnnmodel")};
    struct graph *graph;

    write_bytes("t.tnnproto", text, strlen(text));
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
    write_bytes("t.tnnmodel", no_resources, sizeof no_resources);
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

    write_bytes("t.tnnmodel", no_resources, sizeof no_resources);
    snprintf(text, sizeof text, HEADER "\"Pooling p 1 1 x y 0 2 2 %s ,\"", pads);
    write_bytes("t.tnnproto", text, strlen(text));
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
        write_bytes("damaged.tnnmodel", copy, size);
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
    write_bytes("t.tnnproto", text, strlen(text));
    assert_null(model_import(&request, &err));
    assert_int_equal(err.code, EX_CONFIG);
    assert_non_null(strstr(err.text, "model.weights"));
    write_bytes("t.tnnmodel", no_resources, sizeof no_resources);
    graph = import_or_fail(request.file);
    assert_int_equal(graph->n_nodes, 1);
    graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_broken_text_is_refused_by_name),
        TEST(pad_types_follow_tnns_rules),
        TEST(a_damaged_model_is_an_error_or_a_model),
        TEST(weights_beside_the_proto_are_found_and_missing_ones_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
