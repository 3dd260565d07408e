/* test_tensorflow_ascend.c — graphs with AscendQuant, AscendWeightQuant and AscendDequant: codes stay with the values,
 * and what contradicts itself is refused by name. */
#define _GNU_SOURCE /* mkdtemp */
#include "../common/build_graph.h"

#include "formats/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONSTANT(name, type, dims, items)                                                                              \
    "node { name: \"" name "\" op: \"Const\" attr { key: \"dtype\" value { type: " type                                \
    " } } attr { key: \"value\" value { tensor { dtype: " type " tensor_shape { " dims " } " items " } } } }\n"
#define DIM(n) "dim { size: " n " } "

/* The parts of a network of one layer; a test changes one of them. */
enum part { QUANT, CODES, OFFSETS, WEIGHT_QUANT, SCALES, DEQUANT, N_PARTS };

static const char *const parts[N_PARTS] = {
    [QUANT] = "node { name: \"q\" op: \"AscendQuant\" input: \"x\" attr { key: \"quant_bits\" value { i: 8 } } "
              "attr { key: \"scale\" value { f: 4 } } attr { key: \"offset\" value { f: -128 } } }\n",
    [CODES] = CONSTANT("w", "DT_INT8", DIM("1") DIM("1") DIM("1") DIM("2"), "int_val: [5, -127]"),
    [OFFSETS] = CONSTANT("o", "DT_INT8", DIM("1"), "int_val: 0"),
    [WEIGHT_QUANT] = "node { name: \"wq\" op: \"AscendWeightQuant\" input: [\"w\", \"o\"] }\n",
    [SCALES] = CONSTANT("d", "DT_UINT64", DIM("2"), "uint64_val: [1056964608, 1048576000]"), /* 0.5, 0.25 */
    [DEQUANT] = "node { name: \"y\" op: \"AscendDequant\" input: [\"conv\", \"d\"] }\n",
};

#define SECOND_LAYER                                                                                                   \
    "node { name: \"other\" op: \"Conv2D\" input: [\"q\", \"wq\"] attr { key: \"strides\" value { list { i: 1 i: 1 "   \
    "i: 1 i: 1 } } } attr { key: \"padding\" value { s: \"SAME\" } } }\n"

static struct graph *import(enum part changed, const char *as, struct error *err)
{
    char folder[] = "/tmp/etalon-ascend-XXXXXX", path[64];
    struct model_request request = {.file = path};
    struct graph *graph;
    FILE *file;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/graph.pbtxt", folder);
    file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "node { name: \"x\" op: \"Placeholder\" attr { key: \"dtype\" value { type: DT_FLOAT } } attr { key: "
                  "\"shape\" value { shape { dim { size: -1 } dim { size: 2 } dim { size: 2 } dim { size: 1 } } } } }\n"
                  "node { name: \"conv\" op: \"Conv2D\" input: [\"q\", \"wq\"] attr { key: \"strides\" value { list { "
                  "i: 1 i: 1 i: 1 i: 1 } } } attr { key: \"padding\" value { s: \"SAME\" } } }\n");
    for (size_t i = 0; i < N_PARTS; i++)
        fputs(i == changed ? as : parts[i], file);
    assert_int_equal(fclose(file), 0);
    *err = (struct error){0};
    graph = model_import(&request, err);
    unlink(path);
    rmdir(folder);
    return graph;
}

static void codes_and_scales_stay_with_the_values(void **state)
{
    static const int32_t codes[] = {5, -127};
    struct error err;
    struct graph *graph = import(N_PARTS, NULL, &err);
    const struct node *conv;
    const struct coding *x, *w;
    struct tensor weights;

    (void)state;
    if (graph == NULL)
        fail_msg("%s", err.text);
    x = graph->values[graph->inputs[0]].coding;
    conv = &graph->nodes[graph_find_node(graph, "conv")];
    w = graph->values[conv->inputs[1]].coding;
    assert_non_null(x);
    assert_non_null(w);
    assert_true(x->scale[0] == 0.25f && x->codes.zero_point == -128);
    assert_true(w->has_input_scale && w->n_scales == 2 && w->scale[0] == 0.5f && w->scale[1] == 0.25f);
    assert_memory_equal(w->constant, codes, sizeof codes);
    assert_true(graph_constant(graph, conv->inputs[1], &weights));
    assert_true(tensor_real(&weights, 0) == 5 * 2 && tensor_real(&weights, 1) == -127 * 1); /* 0.5 and 0.25 / 0.25 */
    graph_destroy(graph);
}

static void two_layers_may_share_codes(void **state)
{
    struct error err;
    struct graph *graph = import(DEQUANT,
                                 "node { name: \"y\" op: \"AscendDequant\" input: [\"conv\", \"d\"] }\n" SECOND_LAYER
                                 "node { name: \"z\" op: \"AscendDequant\" input: [\"other\", \"d\"] }\n",
                                 &err);

    (void)state;
    if (graph == NULL)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < 2; i++) {
        const struct node *layer = &graph->nodes[graph_find_node(graph, i == 0 ? "conv" : "other")];
        struct tensor weights;

        assert_true(graph_constant(graph, layer->inputs[1], &weights));
        assert_true(tensor_real(&weights, 0) == 5 * 2 && tensor_real(&weights, 1) == -127 * 1);
        assert_non_null(graph->values[layer->inputs[1]].coding->constant);
    }
    graph_destroy(graph);
}

static void what_contradicts_itself_is_refused_by_name(void **state)
{
    static const struct {
        enum part changed;
        const char *as;
        int code;
        const char *words;
    } rows[] = {
        {QUANT, "node { name: \"q\" op: \"AscendQuant\" input: \"x\" attr { key: \"scale\" value { f: 0 } } }\n",
         EX_DATAERR, "node \"q\" (AscendQuant): attribute \"scale\" is 0"},
        {QUANT,
         "node { name: \"q\" op: \"AscendQuant\" input: \"x\" attr { key: \"scale\" value { f: 4 } } attr { key: "
         "\"offset\" value { f: 0.5 } } }\n",
         EX_DATAERR, "\"offset\" is 0.5: expected an integer"},
        {QUANT,
         "node { name: \"q\" op: \"AscendQuant\" input: \"x\" attr { key: \"scale\" value { f: 4 } } attr { key: "
         "\"quant_bits\" value { i: 4 } } }\n",
         EX_UNAVAILABLE, "\"quant_bits\" is 4"},
        {QUANT, "node { name: \"q\" op: \"Identity\" input: \"x\" }\n", EX_DATAERR,
         "node \"y\" (AscendDequant): the layer \"conv\" before it reads no codes"},
        {CODES, CONSTANT("w", "DT_FLOAT", DIM("1") DIM("1") DIM("1") DIM("2"), "float_val: [0.5, 1]"), EX_DATAERR,
         "the weights of \"conv\" are no codes"},
        {CODES, CONSTANT("w", "DT_INT32", DIM("1") DIM("1") DIM("1") DIM("2"), "int_val: [5, 1000]"), EX_DATAERR,
         "code 1 is 1000"},
        {WEIGHT_QUANT,
         "node { name: \"codes\" op: \"AscendWeightQuant\" input: [\"w\", \"o\"] }\n" /* 5 and -127, twice that */
         CONSTANT("two", "DT_FLOAT", "",
                  "float_val: 2") "node { name: \"wq\" op: \"Mul\" input: [\"codes\", \"two\"] }\n",
         EX_DATAERR, "the weights of \"conv\" are no codes"},
        {OFFSETS, CONSTANT("o", "DT_INT8", DIM("1"), "int_val: 3"), EX_UNAVAILABLE, "weights with an offset (3)"},
        {SCALES, CONSTANT("d", "DT_UINT64", DIM("3"), "uint64_val: [1056964608, 1048576000, 1048576000]"), EX_DATAERR,
         "3 scales do not belong to the weights of \"conv\""},
        {SCALES, CONSTANT("d", "DT_UINT64", DIM("1"), "uint64_val: 4294967296"), EX_UNAVAILABLE, "scale 0 has a shift"},
        {SCALES, CONSTANT("d", "DT_UINT64", DIM("1"), "uint64_val: 0"), EX_DATAERR, "scale 0 is 0"},
        {DEQUANT, "node { name: \"y\" op: \"Relu\" input: \"conv\" }\n", EX_DATAERR,
         "1 AscendWeightQuant without an AscendDequant"},
        {DEQUANT,
         "node { name: \"y\" op: \"AscendDequant\" input: [\"conv\", \"d\"] }\n" SECOND_LAYER
         "node { name: \"z\" op: \"Relu\" input: \"other\" }\n",
         EX_DATAERR, "no AscendDequant gives the codes that \"other\" reads a scale"},
        {DEQUANT, "node { name: \"y\" op: \"AscendDequant\" input: [\"x\", \"d\"] }\n", EX_DATAERR,
         "what it reads is no layer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;

        assert_null(import(rows[i].changed, rows[i].as, &err));
        if (err.code != rows[i].code || strstr(err.text, rows[i].words) == NULL)
            fail_msg("row %zu: expected %d with \"%s\", found %d: %s", i, rows[i].code, rows[i].words, err.code,
                     err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_scales_stay_with_the_values),
        cmocka_unit_test(two_layers_may_share_codes),
        cmocka_unit_test(what_contradicts_itself_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
