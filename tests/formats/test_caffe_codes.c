/* test_caffe_codes.c — quantized networks of Sophon's and Cambricon's Caffe: what their files say of codes stays with
 * values and nodes, and what contradicts itself is refused by name. */
#include "caffe_files.h"

#include "common/passes.h"
#include "common/requantize.h"

#define NET                                                                                                            \
    INPUT("1,2,4,4")                                                                                                   \
    "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 2 kernel_size: 1 "  \
    "} "                                                                                                               \
    "}\n"                                                                                                              \
    "layer { name: 'r' type: 'ReLU' bottom: 'c' top: 'c_1' }\n"                                                        \
    "layer { name: 'e' type: 'Eltwise' bottom: 'c_1' bottom: 'data' top: 'e' }\n"

/* ---- Sophon's int8umodel ---- */

static float *floats(float a, float b)
{
    float *list = malloc(2 * sizeof *list);

    assert_non_null(list);
    list[0] = a;
    list[1] = b;
    return list;
}

static void put_steps(Caffe__LayerParameter *layer, float in, float second, size_t n_in, float out)
{
    layer->n_scaleconvertbacktofloat_input_mul = n_in;
    layer->scaleconvertbacktofloat_input_mul = n_in == 0 ? NULL : floats(in, second);
    layer->n_scaleconvertbacktofloat_output_mul = 1;
    layer->scaleconvertbacktofloat_output_mul = floats(out, 0);
}

static void put_integers(Caffe__BlobProto *blob, const int32_t *codes, size_t n)
{
    free(blob->data);
    blob->data = NULL;
    blob->n_data = 0;
    blob->int32_data = malloc(n * sizeof *codes);
    assert_non_null(blob->int32_data);
    memcpy(blob->int32_data, codes, n * sizeof *codes);
    blob->n_int32_data = n;
}

enum { DATA, CONV, RELU, SUM };

static Caffe__NetParameter *new_umodel(void)
{
    static const int32_t weights[] = {64, -127, 5, 0}, bias[] = {1000, -2000};
    Caffe__NetParameter *net = new_weights("data:;c:2x2x1x1,2;r:;e:");
    Caffe__LayerParameter *sum = net->layer[SUM];

    put_steps(net->layer[DATA], 0, 0, 0, 0.125f);
    put_steps(net->layer[CONV], 0.125f, 0, 1, 0.5f);
    put_steps(net->layer[RELU], 0.5f, 0, 1, 0.5f);
    put_steps(sum, 0.5f, 0.125f, 2, 1);
    put_integers(net->layer[CONV]->blobs[0], weights, 4);
    put_integers(net->layer[CONV]->blobs[1], bias, 2);
    net->layer[CONV]->blobs[0]->has_right_shift_num = true;
    net->layer[CONV]->blobs[0]->right_shift_num = 4;
    sum->mul_branch = malloc(2 * sizeof(uint32_t));
    sum->rshift_branch = malloc(2 * sizeof(uint32_t));
    assert_true(sum->mul_branch != NULL && sum->rshift_branch != NULL);
    sum->n_mul_branch = sum->n_rshift_branch = 2;
    sum->mul_branch[0] = 65;
    sum->mul_branch[1] = 33;
    sum->rshift_branch[0] = 7;
    sum->rshift_branch[1] = 8;
    return net;
}

static struct graph *import_umodel(const struct caffe_files *files, const char *prototxt,
                                   void (*change)(Caffe__NetParameter *net), struct error *err)
{
    struct model_request request = {.file = files->prototxt, .weights = files->weights};
    Caffe__NetParameter *net = new_umodel();

    *err = (struct error){0};
    if (change != NULL)
        change(net);
    write_file(files->prototxt, prototxt, strlen(prototxt));
    write_weights(files->weights, net);
    caffe__net_parameter__free_unpacked(net, NULL);
    return model_import(&request, err);
}

static const struct node *node(const struct graph *graph, const char *name)
{
    assert_true(graph_find_node(graph, name) != GRAPH_NONE);
    return &graph->nodes[graph_find_node(graph, name)];
}

static const struct coding *coding(const struct graph *graph, const char *value)
{
    assert_true(graph_find_value(graph, value) != GRAPH_NONE);
    return graph->values[graph_find_value(graph, value)].coding;
}

static void integers_and_steps_stay_with_values_and_nodes(void **state)
{
    static const int32_t weights[] = {64, -127, 5, 0}, bias[] = {1000, -2000};
    struct error err;
    struct graph *graph = import_umodel(*state, NET, NULL, &err);
    const struct coding *w, *b;
    struct tensor tensor;

    if (graph == NULL)
        fail_msg("%s", err.text);
    w = graph->values[node(graph, "c")->inputs[1]].coding;
    b = graph->values[node(graph, "c")->inputs[2]].coding;
    assert_true(w->has_input_scale && w->scale[0] == 0.03125f && b->scale[0] == 0.03125f); /* 0.5 / 2^4 */
    assert_memory_equal(w->constant, weights, sizeof weights);
    assert_memory_equal(b->constant, bias, sizeof bias);
    assert_true(graph_constant(graph, node(graph, "c")->inputs[1], &tensor));
    assert_true(tensor_real(&tensor, 0) == 64 * 0.25 && tensor_real(&tensor, 1) == -127 * 0.25);
    assert_true(coding(graph, "data")->scale[0] == 0.125f && coding(graph, "c_1")->scale[0] == 0.5f);
    assert_int_equal(node(graph, "e")->coding->operands[1].m, 33);
    assert_int_equal(node(graph, "e")->coding->operands[1].shift, 8);
    assert_false(node(graph, "e")->coding->is_float);
    graph->keeps_codings = true;
    assert_int_equal(graph_normalise(graph, &err), 0);
    assert_int_equal(node(graph, "c")->fused.kind, ACTIVATION_RELU); /* the ReLU is the end of the layer */
    graph_destroy(graph);
}

static void give_thresholds(Caffe__NetParameter *net)
{
    for (size_t i = 0; i < net->n_layer; i++) {
        Caffe__LayerParameter *layer = net->layer[i];

        layer->n_th_output = 1;
        layer->th_output = layer->scaleconvertbacktofloat_output_mul;
        layer->th_output[0] *= 127;
        layer->n_scaleconvertbacktofloat_output_mul = 0;
        layer->scaleconvertbacktofloat_output_mul = NULL;
    }
}

static void thresholds_stand_in_for_steps(void **state)
{
    struct error err;
    struct graph *graph = import_umodel(*state, NET, give_thresholds, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_true(coding(graph, "c_1")->scale[0] == 0.5f && coding(graph, "e")->scale[0] == 1);
    graph_destroy(graph);
}

static void compute_in_float(Caffe__NetParameter *net)
{
    net->layer[SUM]->has_forward_with_float = net->layer[SUM]->forward_with_float = true;
}

static void a_layer_may_be_kept_in_float(void **state)
{
    struct error err;
    struct graph *graph = import_umodel(*state, NET, compute_in_float, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    assert_true(node(graph, "e")->coding->is_float);
    graph_destroy(graph);
}

static void lose_the_shift(Caffe__NetParameter *net)
{
    net->layer[CONV]->blobs[0]->has_right_shift_num = false;
}

static void shift_too_far(Caffe__NetParameter *net)
{
    net->layer[CONV]->blobs[0]->right_shift_num = 40;
}

static void lose_the_top(Caffe__NetParameter *net)
{
    net->layer[CONV]->scaleconvertbacktofloat_output_mul[0] = 0;
}

static void give_no_number(Caffe__NetParameter *net)
{
    net->layer[RELU]->scaleconvertbacktofloat_output_mul[0] = -1;
}

static void lose_an_integer(Caffe__NetParameter *net)
{
    net->layer[CONV]->blobs[0]->n_int32_data = 3;
}

static void give_a_large_integer(Caffe__NetParameter *net)
{
    net->layer[CONV]->blobs[1]->int32_data[1] = INT32_MIN;
}

static void lose_a_shift_of_operands(Caffe__NetParameter *net)
{
    net->layer[SUM]->n_rshift_branch = 1;
}

static void give_a_large_multiplier(Caffe__NetParameter *net)
{
    net->layer[SUM]->mul_branch[0] = 200;
}

static void read_in_other_steps(Caffe__NetParameter *net)
{
    net->layer[SUM]->scaleconvertbacktofloat_input_mul[0] = 0.25f;
}

static void give_tiny_steps(Caffe__NetParameter *net)
{
    net->layer[CONV]->scaleconvertbacktofloat_output_mul[0] = 1e-44f;
}

static void what_contradicts_itself_is_refused_by_name(void **state)
{
    static const struct {
        void (*change)(Caffe__NetParameter *net);
        int code;
        const char *words;
    } rows[] = {
        {lose_the_shift, EX_DATAERR, "blob 0: it holds integers, but no right shift"},
        {shift_too_far, EX_DATAERR, "expected a right shift of 0 to 31, found 40"},
        {lose_the_top, EX_DATAERR, "layer \"c\" (Convolution): it has integers, but no threshold of its top"},
        {give_no_number, EX_DATAERR, "threshold or step 0 is -1"},
        {lose_an_integer, EX_DATAERR, "needs 4 integers, file holds 3"},
        {give_a_large_integer, EX_UNAVAILABLE, "blob 1: integer -2147483648 has more than 22 bits"},
        {lose_a_shift_of_operands, EX_DATAERR, "2 multipliers of operands, but 1 shifts"},
        {give_a_large_multiplier, EX_DATAERR, "operand 0: expected a multiplier to 127"},
        {read_in_other_steps, EX_UNAVAILABLE, "layer \"e\" (Eltwise): it reads \"c_1\" in steps of 0.25"},
        {give_tiny_steps, EX_DATAERR, "leave no step of its weights"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;

        assert_null(import_umodel(*state, NET, rows[i].change, &err));
        if (err.code != rows[i].code || strstr(err.text, rows[i].words) == NULL)
            fail_msg("row %zu: %d: %s", i, err.code, err.text);
    }
}

/* ---- Cambricon's prototxt ---- */

#define QUANTIZED(name, group, types)                                                                                  \
    "layer { name: '" name "' type: 'Convolution' bottom: 'data' top: '" name                                          \
    "' convolution_param { num_output: 2 kernel_size: 1 group: " group " } " types " }\n"
#define IN      "bottom_mlu_dtype { type: DT_INT8 position: -4 scale: 1.25 } "
#define WEIGHTS "blobs_dtype { type: DT_INT8 position: -6 scale: 1 } "

static void positions_and_scales_stay_with_what_a_layer_reads(void **state)
{
    struct graph *graph =
        must_import(*state,
                    INPUT("1,2,4,4") QUANTIZED("a", "1", IN WEIGHTS)
                        QUANTIZED("b", "1", "bottom_mlu_dtype { type: DT_INT8 position: -3 scale: 1 } " WEIGHTS)
                            QUANTIZED("d", "2", IN WEIGHTS) QUANTIZED("h", "1", IN WEIGHTS "engine: CAFFE "),
                    "a:2x2x1x1,2;b:2x2x1x1,2;d:2x1x1x1,2;h:2x2x1x1,2", NULL);
    const struct coding *weights = graph->values[node(graph, "a")->inputs[1]].coding;
    int copy = node(graph, "b")->inputs[0];

    assert_true(coding(graph, "data")->scale[0] == 0.05f && coding(graph, "data")->codes.lo == -128);
    assert_true(weights->is_to_be_coded && weights->scale[0] == 0x1p-6f);
    assert_true(copy != graph->inputs[0] && graph->values[copy].coding->scale[0] == 0.125f); /* one of its own */
    assert_null(graph->values[node(graph, "d")->inputs[1]].coding);                          /* depthwise */
    assert_null(graph->values[node(graph, "h")->inputs[1]].coding);
    graph_destroy(graph);
}

static void positions_that_are_none_are_refused_by_name(void **state)
{
    static const struct {
        const char *types;
        int code;
        const char *words;
    } rows[] = {
        {IN "blobs_dtype { type: DT_INT8 position: [1, 2] scale: [1, 1] } ", EX_UNAVAILABLE,
         "layer \"a\" (Convolution): blobs_dtype: expected one position and one scale, found 2 and 2"},
        {IN "blobs_dtype { type: DT_INT8 } ", EX_UNAVAILABLE, "found 0 and 0"},
        {IN "blobs_dtype { type: DT_INT8 position: 1000 } ", EX_DATAERR, "position 1000 and scale 1 are no step"},
        {IN "blobs_dtype { type: DT_INT8 position: 1 scale: 0 } ", EX_DATAERR, "are no step"},
        {IN "blobs_dtype { type: DT_INT8 position: 1 scale: nan } ", EX_DATAERR, "are no step"},
        {IN "blobs_dtype { type: DT_INT16 position: 1 scale: 1 } ", EX_UNAVAILABLE,
         "its bottom has codes to 127, its weights to 32767"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char net[1024];
        struct error err = {0};

        snprintf(net, sizeof net,
                 INPUT("1,2,4,4") "layer { name: 'a' type: 'Convolution' bottom: 'data' top: 'a' convolution_param { "
                                  "num_output: 2 kernel_size: 1 } %s }\n",
                 rows[i].types);
        assert_null(import_net(*state, net, "a:2x2x1x1,2", NULL, &err));
        if (err.code != rows[i].code || strstr(err.text, rows[i].words) == NULL)
            fail_msg("row %zu: %d: %s", i, err.code, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(integers_and_steps_stay_with_values_and_nodes, make_files, remove_files),
        cmocka_unit_test_setup_teardown(thresholds_stand_in_for_steps, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_layer_may_be_kept_in_float, make_files, remove_files),
        cmocka_unit_test_setup_teardown(what_contradicts_itself_is_refused_by_name, make_files, remove_files),
        cmocka_unit_test_setup_teardown(positions_and_scales_stay_with_what_a_layer_reads, make_files, remove_files),
        cmocka_unit_test_setup_teardown(positions_that_are_none_are_refused_by_name, make_files, remove_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
