/* test_ascend.c — the target ascend: what it writes, held against the plan; and the same from its own record.
 *
 * That real TensorFlow reads and runs it is in e2e/ascend_tensorflow.sh. */
#define _GNU_SOURCE /* mkdtemp */
#include "../common/random_network.h"
#include "formats/proto_guard.h"
#include "formats/proto_text.h"
#include "formats/target.h"

#include "common/memory.h"
#include "common/passes.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ascend.pb-c.h>
#include <tensorflow.pb-c.h>

/* ---- a plan, without a calibration ---- */

static float *numbers(struct plan *plan, size_t n)
{
    float *list = arena_create_array(plan->arena, n, sizeof *list, NULL);

    assert_non_null(list);
    return list;
}

static void plan_input(struct plan *plan, int value)
{
    struct plan_value *p = &plan->values[value];

    if (p->is_quantized)
        return;
    p->is_quantized = true;
    p->is_unsigned = draw_below(2) == 0;
    p->codes = p->is_unsigned ? plan->profile->unsigned_codes : plan->profile->signed_codes;
    if (!p->is_unsigned)
        p->codes.zero_point = (int32_t)draw_below(256) - 128;
    p->n_scales = 1;
    p->scale = numbers(plan, 1);
    p->scale[0] = (float)draw_uniform(0.01, 0.1);
}

static size_t output_channels(const struct graph *graph, const struct node *node)
{
    const struct shape *s = &graph->values[node->outputs[0]].shape;

    return (size_t)s->dims[node->op == OP_DENSE ? s->rank - 1 : 1];
}

static bool has_constant_weights(const struct graph *graph, const struct node *node)
{
    return node->op == OP_POOL || graph->values[node->inputs[1]].is_constant;
}

static void plan_weights(struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    struct plan_node *p = &plan->nodes[n];
    bool is_single = node->op == OP_DENSE || draw_below(3) == 0;

    p->n_weight_scales = is_single ? 1 : output_channels(plan->graph, node);
    p->weight_scale = numbers(plan, p->n_weight_scales);
    for (size_t c = 0; c < p->n_weight_scales; c++)
        p->weight_scale[c] = (float)draw_uniform(0.005, 0.01);
}

/* Some of the nodes that may be quantized are. */
static struct plan *make_plan(const struct graph *graph)
{
    struct plan *plan = plan_create(graph, target_find("ascend")->profile, NULL);

    assert_non_null(plan);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];

        if ((plan->profile->quantized_ops >> node->op & 1) == 0 || graph->values[node->inputs[0]].is_constant ||
            !has_constant_weights(graph, node) || !plan->profile->allows(graph, node) || draw_below(5) == 0)
            continue;
        plan->nodes[n].is_quantized = true;
        plan_input(plan, node->inputs[0]);
        if (node->op != OP_POOL)
            plan_weights(plan, n);
    }
    return plan;
}

/* ---- files ---- */

static const struct emit_info info = {
    .fingerprint = "cafe", .version = "1.2.3", .records = 77, .method = "mse", .model_name = "net"};

struct folder {
    char path[64];
    struct output *output;
};

static struct folder open_folder(void)
{
    struct folder f = {.path = "/tmp/etalon-ascend-XXXXXX"};
    struct error err;

    assert_non_null(mkdtemp(f.path));
    f.output = output_open(f.path, &err);
    assert_non_null(f.output);
    return f;
}

static void remove_folder(struct folder *f)
{
    const struct output_file *files;
    char path[256];
    size_t n = output_files(f->output, &files);

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, files[i].name);
        unlink(path);
    }
    output_close(f->output);
    snprintf(path, sizeof path, "%s/ascend/onnx", f->path);
    rmdir(path);
    snprintf(path, sizeof path, "%s/ascend", f->path);
    rmdir(path);
    rmdir(f->path);
}

static struct bytes read_bytes(const struct folder *f, const char *name)
{
    struct bytes bytes;
    struct error err;
    char path[256];

    snprintf(path, sizeof path, "%s/%s", f->path, name);
    assert_succeeds(bytes_read(path, 1 << 28, &bytes, &err), err);
    return bytes;
}

static Tensorflow__GraphDef *read_graph(const struct folder *f, const char *name)
{
    struct bytes bytes = read_bytes(f, name);
    Tensorflow__GraphDef *file = tensorflow__graph_def__unpack(NULL, bytes.size, bytes.data);

    assert_non_null(file);
    bytes_free(&bytes);
    return file;
}

static void forget_graph(Tensorflow__GraphDef *file)
{
    tensorflow__graph_def__free_unpacked(file, NULL);
}

static bool emit(const struct plan *plan, struct folder *f)
{
    struct error err = {0};

    *f = open_folder();
    if (target_find("ascend")->emit(plan, &info, f->output, &err) == 0)
        return true;
    if (err.code != EX_UNAVAILABLE || strstr(err.text, "node \"") == NULL)
        fail_msg("%s", err.text);
    remove_folder(f);
    return false;
}

/* Reading what was written, with the record. */
static int emit_given(const struct folder *from, const char *model, const char *record, struct folder *f,
                      struct error *err)
{
    char model_path[256], record_path[256];
    struct model_request request = {.file = model_path};

    snprintf(model_path, sizeof model_path, "%s/%s", from->path, model);
    snprintf(record_path, sizeof record_path, "%s/%s", from->path, record);
    *f = open_folder();
    *err = (struct error){0};
    return target_find("ascend")->emit_given(&request, record_path, "net", f->output, err);
}

static void assert_same_file(const struct folder *a, const char *a_name, const struct folder *b, const char *b_name)
{
    struct bytes x = read_bytes(a, a_name), y = read_bytes(b, b_name);

    if (x.size != y.size || memcmp(x.data, y.data, x.size) != 0)
        fail_msg("%s/%s and %s/%s differ", a->path, a_name, b->path, b_name);
    bytes_free(&x);
    bytes_free(&y);
}

/* ---- nodes ---- */

static const Tensorflow__NodeDef *find(const Tensorflow__GraphDef *file, const char *name)
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

static const Tensorflow__AttrValue *attribute(const Tensorflow__NodeDef *node, const char *key)
{
    for (size_t i = 0; i < node->n_attr; i++)
        if (strcmp(node->attr[i]->key, key) == 0)
            return node->attr[i]->value;
    fail_msg("%s has no %s", node->name, key);
    return NULL;
}

static ProtobufCBinaryData content(const Tensorflow__GraphDef *file, const char *name)
{
    const Tensorflow__NodeDef *node = find(file, name);

    assert_non_null(node);
    assert_string_equal(node->op, "Const");
    return attribute(node, "value")->tensor->tensor_content;
}

/* x -> conv (bias, ReLU fused) -> y; y -> first (1x1) and second (1x1) -> added -> out */
struct network {
    struct graph *graph;
    struct plan *plan;
};

static int convolve(struct graph *graph, const char *name, int x, struct shape weights)
{
    int y =
        add_node(graph, OP_CONV, name,
                 INTS(x, random_floats(graph, weights, -1, 1), random_floats(graph, SHAPE(weights.dims[0]), -1, 1)));

    last_node(graph)->attr.conv.window = make_window(weights.dims[2], 1, 0);
    last_node(graph)->attr.conv.group = 1;
    return settled(graph, y);
}

static struct network small_network(void)
{
    struct network n = {.graph = new_graph()};
    int y = convolve(n.graph, "scope/conv", add_input(n.graph, "x", SHAPE(1, 3, 6, 6)), SHAPE(4, 3, 3, 3)), a, b;
    struct error err;

    y = activation(n.graph, ACTIVATION_RELU, 0, 0, y);
    a = convolve(n.graph, "scope/first", y, SHAPE(2, 4, 1, 1));
    b = convolve(n.graph, "scope/second", y, SHAPE(2, 4, 1, 1));
    a = add_node(n.graph, OP_BINARY, "add", INTS(a, b));
    last_node(n.graph)->attr.binary.kind = BINARY_ADD;
    graph_add_output(n.graph, settled(n.graph, a), NULL);
    assert_succeeds(graph_normalise(n.graph, &err), err);
    n.plan = plan_create(n.graph, target_find("ascend")->profile, NULL);
    for (size_t i = 0; i < n.graph->n_nodes; i++) {
        const struct node *node = &n.graph->nodes[i];
        struct plan_node *p = &n.plan->nodes[i];

        if (node->op != OP_CONV)
            continue;
        p->is_quantized = true;
        p->n_weight_scales = output_channels(n.graph, node);
        p->weight_scale = numbers(n.plan, p->n_weight_scales);
        for (size_t c = 0; c < p->n_weight_scales; c++)
            p->weight_scale[c] = 0.01F / (float)(c + 1);
        plan_input(n.plan, node->inputs[0]);
    }
    return n;
}

static void free_network(struct network *n)
{
    plan_destroy(n->plan);
    graph_destroy(n->graph);
}

static const struct plan_value *read_by(const struct network *n, const char *name)
{
    int node = graph_find_node(n->graph, name);

    assert_true(node >= 0);
    return &n->plan->values[n->graph->nodes[node].inputs[0]];
}

/* ---- the tests ---- */

static void a_layer_is_quantized_as_the_plan_says(void **state)
{
    struct network n = small_network();
    struct folder f;
    Tensorflow__GraphDef *file;
    const Tensorflow__NodeDef *layer, *quant, *weights, *dequant;
    const struct plan_value *input = read_by(&n, "scope/conv");
    const float *w = n.graph->values[n.graph->nodes[graph_find_node(n.graph, "scope/conv")].inputs[1]].data;
    ProtobufCBinaryData data;

    (void)state;
    assert_true(emit(n.plan, &f));
    file = read_graph(&f, "ascend/net_quantized.pb");
    layer = find(file, "scope/conv");
    assert_non_null(layer);
    assert_string_equal(layer->op, "Conv2D");
    quant = find(file, layer->input[0]);
    assert_string_equal(quant->name, "scope/act_quant/AscendQuant");
    assert_string_equal(quant->op, "AscendQuant");
    assert_string_equal(quant->input[0], "x");
    assert_true(attribute(quant, "scale")->f == 1 / input->scale[0]);
    assert_true(attribute(quant, "offset")->f == (float)input->codes.zero_point);
    assert_int_equal(attribute(quant, "quant_bits")->i, 8);
    weights = find(file, layer->input[1]);
    assert_string_equal(weights->name, "scope/weight_quant/AscendWeightQuant");
    data = content(file, weights->input[0]);
    assert_int_equal(data.len, 3 * 3 * 3 * 4);
    for (size_t o = 0; o < 4; o++) /* [h][w][I][O] of [O][I][h][w] */
        for (size_t i = 0; i < 3; i++)
            for (size_t t = 0; t < 9; t++)
                assert_int_equal(((const int8_t *)data.data)[(t * 3 + i) * 4 + o],
                                 quantize(w[(o * 3 + i) * 9 + t], 0.01F / (float)(o + 1),
                                          (struct code_range){-127, 127, 0}, ROUND_HALF_AWAY));
    data = content(file, weights->input[1]);
    assert_int_equal(data.len, 4); /* one offset a channel, all 0 */
    assert_memory_equal(data.data, "\0\0\0", 4);
    dequant = find(file, "scope/dequant/AscendDequant");
    assert_string_equal(dequant->input[0], "scope/conv");
    data = content(file, dequant->input[1]);
    assert_int_equal(data.len, 4 * sizeof(uint64_t));
    for (size_t c = 0; c < 4; c++) {
        float scale = input->scale[0] * (0.01F / (float)(c + 1)); /* rounded once */
        uint64_t expected = 0, found;

        memcpy(&expected, &scale, sizeof scale);
        memcpy(&found, data.data + c * sizeof found, sizeof found);
        assert_true(found == expected);
    }
    forget_graph(file);
    remove_folder(&f);
    free_network(&n);
}

static void layers_that_read_one_value_share_its_codes(void **state)
{
    struct network n = small_network();
    Tensorflow__GraphDef *file;
    struct folder f;

    (void)state;
    assert_true(emit(n.plan, &f));
    file = read_graph(&f, "ascend/net_quantized.pb");
    assert_int_equal(count(file, "AscendQuant"), 2);
    assert_int_equal(count(file, "AscendWeightQuant"), 3);
    assert_int_equal(count(file, "AscendDequant"), 3);
    assert_string_equal(find(file, "scope/first/Conv2D")->input[0], find(file, "scope/second/Conv2D")->input[0]);
    forget_graph(file);
    file = read_graph(&f, "ascend/net_fake_quant.pb");
    assert_int_equal(count(file, "FakeQuantWithMinMaxVars"), 2);
    assert_int_equal(count(file, "AscendQuant") + count(file, "AscendDequant") + count(file, "AscendWeightQuant"), 0);
    forget_graph(file);
    remove_folder(&f);
    free_network(&n);
}

static void the_record_names_layers_of_the_folded_graph(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct graph *graph = random_network(seed);
        struct error err;
        struct folder f;
        struct plan *plan;
        size_t n = 0;

        assert_succeeds(graph_normalise(graph, &err), err);
        plan = make_plan(graph);
        if (emit(plan, &f)) {
            Tensorflow__GraphDef *folded = read_graph(&f, "ascend/net_folded.pb");
            struct bytes text = read_bytes(&f, "ascend/record.txt");
            Ascend__ScaleOffsetRecord *record = (Ascend__ScaleOffsetRecord *)proto_text_parse(
                &ascend__scale_offset_record__descriptor, text.data, text.size, NULL, &err);

            assert_non_null(record);
            for (size_t i = 0; i < record->n_record; i++) {
                const Tensorflow__NodeDef *node = find(folded, record->record[i]->key);
                const Ascend__SingleLayerRecord *layer = record->record[i]->value;

                assert_non_null(node);
                assert_int_equal(layer->n_scale_w == 0, strcmp(node->op, "AvgPool") == 0);
                assert_int_equal(layer->n_scale_w, layer->n_offset_w);
            }
            for (size_t i = 0; i < graph->n_nodes; i++)
                n += plan->nodes[i].is_quantized;
            assert_true(record->n_record >= n); /* a group is a layer of its own */
            bytes_free(&text);
            proto_free(&record->base);
            forget_graph(folded);
            remove_folder(&f);
        }
        plan_destroy(plan);
        graph_destroy(graph);
    }
}

static void its_own_record_gives_the_same_bytes(void **state)
{
    size_t n_compared = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct graph *graph = random_network(seed);
        struct error err;
        struct folder f, again;
        struct plan *plan;
        struct stat empty;
        char path[128];

        assert_succeeds(graph_normalise(graph, &err), err);
        plan = make_plan(graph);
        if (emit(plan, &f)) {
            snprintf(path, sizeof path, "%s/ascend/record.txt", f.path);
            assert_int_equal(stat(path, &empty), 0);
            if (empty.st_size > 0) { /* something is quantized */
                if (emit_given(&f, "ascend/net_folded.pb", "ascend/record.txt", &again, &err) != 0)
                    fail_msg("network %d: %s", (int)seed, err.text);
                assert_same_file(&f, "ascend/net_quantized.pb", &again, "net_quantized.pb");
                assert_same_file(&f, "ascend/net_fake_quant.pb", &again, "net_fake_quant.pb");
                assert_same_file(&f, "ascend/net_quant.json", &again, "net_quant.json");
                remove_folder(&again);
                n_compared++;
            }
            remove_folder(&f);
        }
        plan_destroy(plan);
        graph_destroy(graph);
    }
    assert_true(n_compared > 50);
}

static void a_wrong_record_is_refused_by_name(void **state)
{
    static const struct {
        int code;
        const char *text, *said;
    } records[] = {
        {EX_DATAERR, "", "it holds no record"},
        {EX_DATAERR, "record { value { scale_d: 1 offset_d: 0 } }", "has no key"},
        {EX_DATAERR, "record { key: \"scope/conv\" }", "scale_d"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 0 offset_d: 0 } }", "scale_d"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: nan offset_d: 0 } }", "scale_d"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 128 } }", "-128 to 127, found 128"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 } }", "offset_w"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 1 } }",
         "offset_w 0: expected 0, found 1"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: -1 offset_w: 0 } }",
         "scale_w 0"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 } }", "one or 4 scales"},
        {EX_DATAERR, "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: [1, 1] offset_w: [0, 0] } }",
         "one or 4 scales of weights, found 2"},
        {EX_UNAVAILABLE,
         "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 shift_bit: 4 } }",
         "shift_bit"},
        {EX_UNAVAILABLE,
         "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 skip_fusion: true } }",
         "skip_fusion"},
        {EX_DATAERR, "record { key: \"scope/con\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 } }",
         "the nearest is \"scope/conv\""},
        {EX_UNAVAILABLE, "record { key: \"x\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 } }",
         "layer \"x\": Placeholder takes no scales"},
        {EX_DATAERR,
         "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 } } "
         "record { key: \"scope/conv\" value { scale_d: 1 offset_d: 0 scale_w: 1 offset_w: 0 } }",
         "is there twice"},
    };
    struct network n = small_network();
    struct folder f, given;
    struct error err;

    (void)state;
    assert_true(emit(n.plan, &f));
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        assert_int_equal(output_write(f.output, "wrong.txt", records[i].text, strlen(records[i].text), true, &err), 0);
        assert_int_equal(emit_given(&f, "ascend/net_folded.pb", "wrong.txt", &given, &err), -1);
        if (strstr(err.text, records[i].said) == NULL || strstr(err.text, "wrong.txt") == NULL)
            fail_msg("\"%s\" does not say \"%s\" and name the file", err.text, records[i].said);
        assert_int_equal(err.code, records[i].code);
        remove_folder(&given);
    }
    remove_folder(&f);
    free_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_is_quantized_as_the_plan_says),
        cmocka_unit_test(layers_that_read_one_value_share_its_codes),
        cmocka_unit_test(the_record_names_layers_of_the_folded_graph),
        cmocka_unit_test(its_own_record_gives_the_same_bytes),
        cmocka_unit_test(a_wrong_record_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
