/* test_cambricon.c — which networks and preprocessing Cambricon's first convolution may take over. */
#include "onnx_files.h"

#include "formats/cambricon/firstconv.h"

/* A convolution "c" that reads the input "image", and another node where there is one. */
struct network {
    int64_t channels, group, dilation;
    bool is_float;
    const char *relu; /* what a Relu reads; NULL: there is none */
    const char *conv; /* what the convolution reads */
    bool may_be_reals;
};

static const struct network fit = {3, 1, 1, false, NULL, "image w", false};

static struct preprocess_step numbers(enum step_kind kind, float a, float b, float c)
{
    return (struct preprocess_step){.kind = kind, .n_values = 3, .values = {a, b, c}};
}

static int try_network(struct network net, const struct preprocess_plan *chain, struct firstconv *first,
                       struct error *err)
{
    struct onnx_file *f = new_model(13);
    struct graph *graph;
    struct plan *plan;
    Onnx__NodeProto *conv;
    int rc;

    add_input(f, "image", 1, net.channels, 8, 8);
    add_weights(f, "w", net.group * 2, net.channels / net.group, 3, 3);
    if (net.relu != NULL) {
        add_node(f, "Relu", "r", net.relu, "positive");
        add_output(f, "positive");
    }
    conv = add_node(f, "Conv", "c", net.conv, "y");
    set_int(f, conv, "group", net.group);
    set_ints(f, conv, "dilations", net.dilation, net.dilation);
    add_output(f, "y");
    graph = must_import(f);
    plan = plan_create(graph, target_find("cambricon-mlu220")->profile, NULL);
    assert_non_null(plan);
    plan->nodes[graph->n_nodes - 1].n_weight_scales = net.is_float ? 0 : 1;
    rc = firstconv_init(first, plan, &(struct emit_info){.preprocess = &chain, .may_be_reals = net.may_be_reals}, err);
    plan_destroy(plan);
    graph_destroy(graph);
    return rc;
}

static void a_plain_convolution_takes_means_and_scales(void **state)
{
    const struct preprocess_plan chain = {2, {numbers(STEP_MEAN, 127.5f, 128, 0), numbers(STEP_DIVIDE, 64, 64, 64)}};
    struct firstconv first;
    struct error err = {0};

    (void)state;
    assert_int_equal(try_network(fit, &chain, &first, &err), 0);
    assert_int_equal(first.channels, 3);
    assert_true(first.pixels.mean[1] == 128 && first.pixels.scale[1] == 1.0 / 64);
    assert_int_equal(firstconv_check_pytorch(&first, &err), 0);
    assert_int_equal(firstconv_check_caffe(&first, &err), 0);
}

static void other_networks_are_refused_by_name(void **state)
{
    static const struct {
        struct network net;
        const char *said;
    } cases[] = {
        {{3, 3, 1, false, NULL, "image w", false},
         "node \"c\" (Conv), which reads input \"image\", is a grouped or depthwise"},
        {{3, 1, 2, false, NULL, "image w", false}, "node \"c\" (Conv), which reads input \"image\", has a dilation"},
        {{2, 1, 1, false, NULL, "image w", false}, "reads no picture of 1, 3 or 4 channels"},
        {{3, 1, 1, true, NULL, "image w", false}, "computes in float"},
        {{3, 1, 1, false, "image", "image w", false}, "input \"image\" is read by 2 nodes"},
        {{3, 1, 1, false, "image", "positive w", false},
         "node \"r\" (Relu), which reads input \"image\", is no convolution"},
        {{3, 1, 1, false, NULL, "image w", true}, "it reads bytes, and the records are numbers of another type"},
    };
    const struct preprocess_plan chain = {1, {numbers(STEP_DIVIDE, 64, 64, 64)}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct firstconv first;
        struct error err = {0};

        assert_int_equal(try_network(cases[i].net, &chain, &first, &err), -1);
        assert_int_equal(err.code, EX_UNAVAILABLE);
        if (strstr(err.text, cases[i].said) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", cases[i].said, err.text);
    }
}

static void other_preprocessing_is_refused_by_its_step(void **state)
{
    const struct preprocess_plan resized = {2, {numbers(STEP_DIVIDE, 64, 64, 64), {.kind = STEP_RESIZE}}};
    const struct preprocess_plan standardized = {1, {{.kind = STEP_STANDARDIZE}}};
    struct firstconv first;
    struct error err = {0};

    (void)state;
    assert_int_equal(try_network(fit, &resized, &first, &err), -1);
    assert_non_null(strstr(err.text, "a resize or pad stands behind a mean or scale"));
    assert_int_equal(try_network(fit, &standardized, &first, &err), -1);
    assert_non_null(strstr(err.text, "standardize depends on the picture"));
    assert_int_equal(err.code, EX_UNAVAILABLE);
}

/* PyTorch's tool has both in [0, 1], of pixels over 255; Caffe has one factor. */
static void each_flow_has_limits_of_its_own(void **state)
{
    static const struct {
        struct preprocess_plan chain;
        bool suits_pytorch, suits_caffe;
    } cases[] = {
        {{1, {{.kind = STEP_DIVIDE, .n_values = 1, .values = {255}}}}, true, true},
        {{1, {{.kind = STEP_DIVIDE, .n_values = 1, .values = {256}}}}, false, true},
        {{1, {{.kind = STEP_SCALE, .n_values = 1, .values = {-1}}}}, false, true},
        {{1, {{.kind = STEP_MEAN, .n_values = 3, .values = {-1, 0, 0}}}}, false, true},
        {{1, {{.kind = STEP_DIVIDE, .n_values = 3, .values = {58.395f, 57.12f, 57.375f}}}}, true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct firstconv first;
        struct error err = {0};

        assert_int_equal(try_network(fit, &cases[i].chain, &first, &err), 0);
        assert_int_equal(firstconv_check_pytorch(&first, &err) == 0, cases[i].suits_pytorch);
        assert_int_equal(firstconv_check_caffe(&first, &err) == 0, cases[i].suits_caffe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_convolution_takes_means_and_scales),
        cmocka_unit_test(other_networks_are_refused_by_name),
        cmocka_unit_test(other_preprocessing_is_refused_by_its_step),
        cmocka_unit_test(each_flow_has_limits_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
