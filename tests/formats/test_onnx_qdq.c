/* test_onnx_qdq.c — the emitted QDQ file: read back as protobuf, held against the plan that it came from. */
#include "onnx_files.h"

#include "formats/target.h"

#include <sys/stat.h>

enum { CHANNELS = 2 };

/* x -> conv (3x3, ReLU fused) -> y -> reshape -> flat -> dense -> logits; y unsigned, the others signed. */
struct planned {
    struct graph *graph;
    struct plan *plan;
    int x, y, flat, logits;
};

static int8_t conv_bytes[CHANNELS * 3 * 3 * 3], dense_bytes[4 * CHANNELS * 4];
static int16_t conv_codes[sizeof conv_bytes], dense_codes[sizeof dense_bytes];
static int32_t conv_bias[CHANNELS] = {1000, -70000}, dense_bias[4] = {1, 2, 3, 4};
static float conv_weight_scale[CHANNELS] = {0.01f, 0.02f}, dense_weight_scale[1] = {0.03f};
static float conv_acc_scale[CHANNELS] = {0.001f, 0.002f}, dense_acc_scale[1] = {0.0015f};
static float scales[4] = {0.1f, 0.05f, 0.05f, 0.25f};

static void plan_value(struct planned *p, int value, float *scale, bool is_unsigned)
{
    p->plan->values[value] = (struct plan_value){
        .is_quantized = true,
        .is_unsigned = is_unsigned,
        .codes = is_unsigned ? p->plan->profile->unsigned_codes : p->plan->profile->signed_codes,
        .n_scales = 1,
        .scale = scale,
        .threshold = scale,
    };
}

static int find_node(const struct planned *p, const char *name)
{
    int index = graph_find_node(p->graph, name);

    assert_true(index != GRAPH_NONE);
    return index;
}

static void plan_codes(void)
{
    for (size_t i = 0; i < sizeof conv_bytes; i++)
        conv_codes[i] = conv_bytes[i] = (int8_t)((int)(i * 37 % 255) - 127);
    for (size_t i = 0; i < sizeof dense_bytes; i++)
        dense_codes[i] = dense_bytes[i] = (int8_t)((int)(i * 91 % 255) - 127);
}

static struct planned make_plan(struct activation fused)
{
    struct onnx_file *f = new_model(13);
    struct planned p = {0};

    add_input(f, "x", OPEN, 3, 4, 4);
    add_weights(f, "w", CHANNELS, 3, 3, 3);
    add_weights(f, "b", CHANNELS);
    add_weights(f, "v", 4, CHANNELS * 4);
    add_weights(f, "c", 4);
    add_node(f, "Conv", "conv", "x w b", "y");
    add_node(f, "Flatten", "flatten", "y", "flat");
    set_int(f, add_node(f, "Gemm", "dense", "flat v c", "logits"), "transB", 1);
    add_output(f, "logits");
    p.graph = must_import(f);
    p.plan = plan_create(p.graph, target_find("onnx-qdq")->profile, NULL);
    assert_non_null(p.plan);
    p.x = graph_find_value(p.graph, "x");
    p.y = graph_find_value(p.graph, "y");
    p.flat = graph_find_value(p.graph, "flat");
    p.logits = graph_find_value(p.graph, "logits");
    p.graph->nodes[find_node(&p, "conv")].fused = fused;
    plan_codes();
    plan_value(&p, p.x, &scales[0], false);
    plan_value(&p, p.y, &scales[1], fused.kind != ACTIVATION_NONE);
    plan_value(&p, p.flat, &scales[2], fused.kind != ACTIVATION_NONE);
    plan_value(&p, p.logits, &scales[3], false);
    p.plan->nodes[find_node(&p, "conv")] = (struct plan_node){
        .is_quantized = true,
        .weight_codes = conv_codes,
        .n_weight_scales = CHANNELS,
        .weight_scale = conv_weight_scale,
        .acc_scale = conv_acc_scale,
        .bias_codes = conv_bias,
    };
    p.plan->nodes[find_node(&p, "flatten")].is_quantized = true;
    p.plan->nodes[find_node(&p, "dense")] = (struct plan_node){
        .is_quantized = true,
        .weight_codes = dense_codes,
        .n_weight_scales = 1,
        .weight_scale = dense_weight_scale,
        .acc_scale = dense_acc_scale,
        .bias_codes = dense_bias,
    };
    return p;
}

static void free_plan(struct planned *p)
{
    plan_destroy(p->plan);
    graph_destroy(p->graph);
}

/* --- the emitted file --- */

static const struct emit_info info = {
    .fingerprint = "cafe", .version = "1.2.3", .records = 77, .method = "mse", .model_name = "net"};

struct emitted {
    char folder[64], path[96];
    struct bytes bytes;
    Onnx__ModelProto *model;
};

/* Writes the plan for `target` and reads the file `name` back. */
static struct emitted emit_plan(const struct planned *p, const char *target, const char *name)
{
    struct emitted e = {.folder = "/tmp/etalon-qdq-XXXXXX"};
    struct output *output;
    struct error err = {0};

    assert_non_null(mkdtemp(e.folder));
    output = output_open(e.folder, &err);
    assert_non_null(output);
    if (target_find(target)->emit(p->plan, &info, output, &err) != 0)
        fail_msg("%s", err.text);
    output_close(output);
    snprintf(e.path, sizeof e.path, "%s/%s", e.folder, name);
    assert_int_equal(bytes_read(e.path, MODEL_MAX_BYTES, &e.bytes, &err), 0);
    return e;
}

static struct emitted emit_model(const struct planned *p)
{
    struct emitted e = emit_plan(p, "onnx-qdq", "onnx-qdq/net.onnx");

    e.model = onnx__model_proto__unpack(NULL, e.bytes.size, e.bytes.data);
    assert_non_null(e.model);
    return e;
}

static void remove_emitted(struct emitted *e)
{
    if (e->model != NULL)
        onnx__model_proto__free_unpacked(e->model, NULL);
    bytes_free(&e->bytes);
    unlink(e->path);
    *strrchr(e->path, '/') = '\0';
    rmdir(e->path);
    rmdir(e->folder);
}

static const Onnx__TensorProto *initializer(const struct emitted *e, const char *name)
{
    for (size_t i = 0; i < e->model->graph->n_initializer; i++)
        if (strcmp(e->model->graph->initializer[i]->name, name) == 0)
            return e->model->graph->initializer[i];
    fail_msg("no initializer \"%s\"", name);
    return NULL;
}

static void assert_initializer(const struct emitted *e, const char *name, int32_t type, size_t rank, const void *data,
                               size_t bytes)
{
    const Onnx__TensorProto *tensor = initializer(e, name);

    assert_int_equal(tensor->data_type, type);
    assert_int_equal(tensor->n_dims, rank);
    assert_int_equal(tensor->raw_data.len, bytes);
    assert_memory_equal(tensor->raw_data.data, data, bytes);
}

/* The node that produces `output`; NULL where nothing does. */
static const Onnx__NodeProto *producer(const struct emitted *e, const char *output)
{
    for (size_t i = 0; i < e->model->graph->n_node; i++)
        if (strcmp(e->model->graph->node[i]->output[0], output) == 0)
            return e->model->graph->node[i];
    return NULL;
}

static void assert_made_by(const struct emitted *e, const char *output, const char *type, const char *from)
{
    const Onnx__NodeProto *node = producer(e, output);

    if (node == NULL)
        fail_msg("nothing produces \"%s\"", output);
    assert_string_equal(node->op_type, type);
    assert_string_equal(node->input[0], from);
}

static const struct activation relu = {.kind = ACTIVATION_RELU};

/* --- tests --- */

static void codes_scales_and_zero_points_are_the_plan_s(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e = emit_model(&p);
    static const int8_t zeros[CHANNELS];
    static const int32_t zero32[CHANNELS];

    (void)state;
    assert_initializer(&e, "w/quantized", TYPE(INT8), 4, conv_bytes, sizeof conv_bytes);
    assert_initializer(&e, "w/scale", TYPE(FLOAT), 1, conv_weight_scale, sizeof conv_weight_scale);
    assert_initializer(&e, "w/zero_point", TYPE(INT8), 1, zeros, sizeof zeros);
    assert_initializer(&e, "b/quantized", TYPE(INT32), 1, conv_bias, sizeof conv_bias);
    assert_initializer(&e, "b/scale", TYPE(FLOAT), 1, conv_acc_scale, sizeof conv_acc_scale);
    assert_initializer(&e, "b/zero_point", TYPE(INT32), 1, zero32, sizeof zero32);
    assert_initializer(&e, "v/scale", TYPE(FLOAT), 0, dense_weight_scale, sizeof *dense_weight_scale);
    assert_initializer(&e, "x/scale", TYPE(FLOAT), 0, &scales[0], sizeof *scales);
    assert_initializer(&e, "x/zero_point", TYPE(UINT8), 0, &(uint8_t){128}, 1);
    assert_initializer(&e, "y/zero_point", TYPE(UINT8), 0, &(uint8_t){0}, 1);
    remove_emitted(&e);
    free_plan(&p);
}

static void every_value_is_quantized_once_and_keeps_its_name(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e = emit_model(&p);

    (void)state;
    assert_made_by(&e, "x/quantized", "QuantizeLinear", "x");
    assert_made_by(&e, "x/dequantized", "DequantizeLinear", "x/quantized");
    assert_made_by(&e, "y/float", "Conv", "x/dequantized");
    assert_made_by(&e, "y/quantized", "QuantizeLinear", "y/float");
    assert_made_by(&e, "y", "DequantizeLinear", "y/quantized");
    assert_made_by(&e, "flat/float", "Reshape", "y");
    assert_made_by(&e, "logits/float", "Gemm", "flat");
    assert_made_by(&e, "logits", "DequantizeLinear", "logits/quantized");
    assert_made_by(&e, "w", "DequantizeLinear", "w/quantized");
    assert_string_equal(producer(&e, "y/float")->input[1], "w");
    assert_string_equal(producer(&e, "y/float")->input[2], "b");
    assert_int_equal(producer(&e, "w")->attribute[0]->i, 0); /* axis */
    assert_string_equal(e.model->graph->input[0]->name, "x");
    assert_string_equal(e.model->graph->output[0]->name, "logits");
    remove_emitted(&e);
    free_plan(&p);
}

static void any_batch_may_be_run(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e = emit_model(&p);
    const Onnx__TensorProto *shape = initializer(&e, producer(&e, "flat/float")->input[1]);

    (void)state;
    assert_string_equal(e.model->graph->input[0]->type->tensor_type->shape->dim[0]->dim_param, "N");
    assert_string_equal(e.model->graph->output[0]->type->tensor_type->shape->dim[0]->dim_param, "N");
    assert_memory_equal(shape->raw_data.data, ((int64_t[]){0, CHANNELS * 4}), 16);
    remove_emitted(&e);
    free_plan(&p);
}

static bool has_operator(const struct emitted *e, const char *type)
{
    for (size_t i = 0; i < e->model->graph->n_node; i++)
        if (strcmp(e->model->graph->node[i]->op_type, type) == 0)
            return true;
    return false;
}

static void activations_that_quantizing_implies_are_left_out(void **state)
{
    static const struct {
        struct activation fused;
        bool is_unsigned;
        float scale;
        const char *written; /* NULL: nothing */
    } cases[] = {
        {{.kind = ACTIVATION_RELU}, true, 0.05f, NULL},
        {{.kind = ACTIVATION_RELU}, false, 0.05f, "Relu"},
        {{ACTIVATION_CLIP, 0, 6}, true, 6.0f / 255, NULL},
        {{ACTIVATION_CLIP, 0, 6}, true, 5.0f / 255, NULL}, /* the threshold clips more */
        {{ACTIVATION_CLIP, 0, 6}, true, 7.0f / 255, "Clip"},
        {{ACTIVATION_CLIP, 0, 6}, false, 6.0f / 127, "Clip"},
        {{ACTIVATION_CLIP, 1, 6}, true, 6.0f / 255, "Clip"},
        {{.kind = ACTIVATION_LEAKY_RELU, .alpha = 0.1f}, false, 0.05f, "LeakyRelu"},
        {{.kind = ACTIVATION_HARD_SWISH, .alpha = 1.0f / 6, .beta = 0.5f}, false, 0.05f, "HardSigmoid"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct planned p = make_plan(cases[i].fused);
        float scale = cases[i].scale;
        struct emitted e;

        plan_value(&p, p.y, &scale, cases[i].is_unsigned);
        plan_value(&p, p.flat, &scale, cases[i].is_unsigned);
        e = emit_model(&p);
        if (cases[i].written == NULL)
            assert_made_by(&e, "y/float", "Conv", "x/dequantized");
        else
            assert_true(has_operator(&e, cases[i].written));
        remove_emitted(&e);
        free_plan(&p);
    }
}

static void what_the_plan_leaves_in_float_stays_float(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e;

    (void)state;
    p.plan->nodes[find_node(&p, "dense")] = (struct plan_node){0};
    p.plan->values[p.logits] = (struct plan_value){0};
    e = emit_model(&p);
    assert_made_by(&e, "logits", "Gemm", "flat"); /* it reads what was dequantized */
    assert_int_equal(initializer(&e, "v")->data_type, TYPE(FLOAT));
    assert_int_equal(initializer(&e, "c")->data_type, TYPE(FLOAT));
    remove_emitted(&e);
    free_plan(&p);
}

static void a_bias_that_only_the_plan_has_is_added(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e;

    (void)state;
    p.graph->nodes[find_node(&p, "conv")].n_inputs = 2; /* the codes stay: a corrected mean needs them */
    e = emit_model(&p);
    assert_int_equal(producer(&e, "y/float")->n_input, 3);
    assert_string_equal(producer(&e, "y/float")->input[2], "conv/bias");
    assert_initializer(&e, "conv/bias/quantized", TYPE(INT32), 1, conv_bias, sizeof conv_bias);
    remove_emitted(&e);
    free_plan(&p);
}

static void for_tensorrt_codes_are_signed_and_biases_float(void **state)
{
    static const struct target_option flavour = {.name = "flavour"};
    static float biases[CHANNELS] = {0.5f, -70.0f};
    const struct target *target = target_find("onnx-qdq");
    struct target_setting item = {target, &flavour, "tensorrt"};
    const struct profile *profile = target_profile(target, &(struct target_settings){1, &item});
    struct planned p = make_plan(relu);
    struct plan_node *conv = &p.plan->nodes[find_node(&p, "conv")];
    struct emitted e;

    (void)state;
    assert_int_equal(profile->unsigned_codes.lo, -128);
    assert_false(profile->integer_bias);
    for (size_t v = 0; v < p.graph->n_values; v++)
        p.plan->values[v].codes = profile->signed_codes;
    conv->bias_codes = NULL;
    conv->bias = biases;
    e = emit_model(&p);
    assert_initializer(&e, "x/zero_point", TYPE(INT8), 0, &(int8_t){0}, 1);
    assert_initializer(&e, "b", TYPE(FLOAT), 1, biases, sizeof biases);
    assert_true(has_operator(&e, "Relu")); /* code -128 is below 0 */
    remove_emitted(&e);
    free_plan(&p);
}

static void codes_of_16_bits_are_of_opset_21(void **state)
{
    static const struct target_option weights = {.name = "weights"};
    const struct target *target = target_find("onnx-qdq-int16");
    struct target_setting item = {target, &weights, "int16"};
    struct planned p = make_plan(relu);
    struct emitted e;

    (void)state;
    for (int has_wide_weights = 0; has_wide_weights < 2; has_wide_weights++) {
        p.plan->profile = target_profile(target, &(struct target_settings){(size_t)has_wide_weights, &item});
        assert_int_equal(p.plan->profile->weight_limit, has_wide_weights ? 32767 : 127);
        assert_int_equal(p.plan->profile->integer_bias, !has_wide_weights);
        for (size_t v = 0; v < p.graph->n_values; v++)
            p.plan->values[v].codes = p.plan->profile->signed_codes;
        e = emit_plan(&p, "onnx-qdq-int16", "onnx-qdq-int16/net.onnx");
        e.model = onnx__model_proto__unpack(NULL, e.bytes.size, e.bytes.data);
        assert_non_null(e.model);
        assert_int_equal(e.model->opset_import[0]->version, 21);
        assert_int_equal(e.model->ir_version, 10);
        assert_initializer(&e, "x/zero_point", TYPE(INT16), 0, &(int16_t){0}, 2);
        if (has_wide_weights)
            assert_initializer(&e, "w/quantized", TYPE(INT16), 4, conv_codes, sizeof conv_codes);
        else
            assert_initializer(&e, "w/quantized", TYPE(INT8), 4, conv_bytes, sizeof conv_bytes);
        assert_true(has_operator(&e, "Relu")); /* code -32768 is below 0 */
        remove_emitted(&e);
    }
    free_plan(&p);
}

static void names_of_the_user_are_never_taken(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e;

    (void)state;
    assert_true(graph_add_value(p.graph, "y/quantized", DTYPE_FLOAT32, NULL, NULL) >= 0);
    p.plan->values = arena_create_array(p.plan->arena, p.graph->n_values, sizeof *p.plan->values, NULL);
    plan_value(&p, p.y, &scales[1], true);
    e = emit_model(&p);
    assert_made_by(&e, "y/quantized_", "QuantizeLinear", "y/float");
    remove_emitted(&e);
    free_plan(&p);
}

static void metadata_say_where_the_file_comes_from(void **state)
{
    static const char *const expected[][2] = {{"etalon.fingerprint", "cafe"},
                                              {"etalon.method", "mse"},
                                              {"etalon.records", "77"},
                                              {"etalon.version", "1.2.3"}};
    struct planned p = make_plan(relu);
    struct emitted e = emit_model(&p);

    (void)state;
    assert_int_equal(e.model->ir_version, 7);
    assert_int_equal(e.model->opset_import[0]->version, 13);
    assert_int_equal(e.model->n_metadata_props, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(e.model->metadata_props[i]->key, expected[i][0]);
        assert_string_equal(e.model->metadata_props[i]->value, expected[i][1]);
    }
    remove_emitted(&e);
    free_plan(&p);
}

static void equal_plans_give_equal_bytes(void **state)
{
    struct planned p = make_plan(relu), q = make_plan(relu);
    struct emitted a = emit_model(&p), b = emit_model(&q);

    (void)state;
    assert_int_equal(a.bytes.size, b.bytes.size);
    assert_memory_equal(a.bytes.data, b.bytes.data, a.bytes.size);
    remove_emitted(&a);
    remove_emitted(&b);
    free_plan(&p);
    free_plan(&q);
}

static void scales_per_channel_of_activations_are_refused(void **state)
{
    struct planned p = make_plan(relu);
    struct error err = {0};

    (void)state;
    assert_int_equal(target_find("onnx-qdq")->check(p.plan, &err), 0);
    p.plan->values[p.y].n_scales = CHANNELS;
    assert_int_equal(target_find("onnx-qdq")->check(p.plan, &err), -1);
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "value \"y\""));
    free_plan(&p);
}

static void the_null_target_writes_one_line(void **state)
{
    struct planned p = make_plan(relu);
    struct emitted e = emit_plan(&p, "null", "null/net.txt");

    (void)state;
    assert_int_equal(e.bytes.size, strlen("3 of 3 nodes are quantized\n"));
    assert_memory_equal(e.bytes.data, "3 of 3 nodes are quantized\n", e.bytes.size);
    remove_emitted(&e);
    free_plan(&p);
}

static void every_target_is_found_by_its_name(void **state)
{
    (void)state;
    assert_non_null(targets[0]);
    for (size_t i = 0; targets[i] != NULL; i++) {
        assert_ptr_equal(target_find(targets[i]->name), targets[i]);
        assert_string_equal(targets[i]->profile->name, targets[i]->name);
        assert_non_null(targets[i]->summary);
        assert_non_null(targets[i]->emit);
    }
    assert_null(target_find("no-such-target"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_scales_and_zero_points_are_the_plan_s),
        cmocka_unit_test(every_value_is_quantized_once_and_keeps_its_name),
        cmocka_unit_test(any_batch_may_be_run),
        cmocka_unit_test(activations_that_quantizing_implies_are_left_out),
        cmocka_unit_test(what_the_plan_leaves_in_float_stays_float),
        cmocka_unit_test(a_bias_that_only_the_plan_has_is_added),
        cmocka_unit_test(for_tensorrt_codes_are_signed_and_biases_float),
        cmocka_unit_test(codes_of_16_bits_are_of_opset_21),
        cmocka_unit_test(names_of_the_user_are_never_taken),
        cmocka_unit_test(metadata_say_where_the_file_comes_from),
        cmocka_unit_test(equal_plans_give_equal_bytes),
        cmocka_unit_test(scales_per_channel_of_activations_are_refused),
        cmocka_unit_test(the_null_target_writes_one_line),
        cmocka_unit_test(every_target_is_found_by_its_name),
    };

    return cmocka_run_group_tests_name("onnx_qdq", tests, NULL, NULL);
}
