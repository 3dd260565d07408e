/* Tests of plan_read.h: what importers leave with a graph becomes the plan that was written, or a sentence. */
#include "coordinator/plan_read.h"

#include "plan_setting.h"

/* conv+relu, max pool, conv, add, reshape, dense; on integers but for the softmax behind. */
static void add_network(struct setting *s)
{
    struct graph *g = s->graph;
    struct error err;
    int x = observe(s, add_input(g, "x", SHAPE(1, 3, 8, 8)), 1, false);
    int a = observe(s, add_conv(g, "a", x, 3, 4, ACTIVATION_RELU), 2, true);
    int p = observe(s, add_pool(g, "p", a, POOL_MAX, false), 2, true);
    int c = observe(s, add_conv(g, "c", p, 4, 4, ACTIVATION_NONE), 0.5, false);
    int t = observe(s, add_node(g, OP_BINARY, "t", INTS(p, c)), 3, false);
    int r = observe(s, add_node(g, OP_RESHAPE, "r", INTS(t)), 3, false), v, y;

    g->values[r].shape = SHAPE(1, 64);
    g->values[r].has_shape = true;
    v = observe(s, add_dense(g, "v", r, 64, 5), 10, false);
    y = observe(s, add_node(g, OP_SOFTMAX, "y", INTS(v)), 0.2, true);
    last_node(g)->attr.softmax.axis = 1;
    assert_true(graph_add_output(g, y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
}

static struct coding *new_coding(struct graph *g, const struct code_range *codes, const float *scale, size_t n)
{
    struct error err;
    struct coding *coding = arena_create_array(g->arena, 1, sizeof *coding, &err);

    assert_non_null(coding);
    *coding = (struct coding){.codes = *codes, .n_scales = n, .axis = 1, .scale = scale};
    return coding;
}

static struct coding *coding_of(struct setting *s, const char *node, size_t slot)
{
    struct graph *g = s->graph;

    return (struct coding *)g->values[g->nodes[graph_find_node(g, node)].inputs[slot]].coding;
}

/* What an importer would leave of the file of the plan. */
static void give_codings(struct setting *s)
{
    struct graph *g = s->graph;

    for (size_t v = 0; v < g->n_values; v++)
        if (s->plan->values[v].is_quantized)
            g->values[v].coding =
                new_coding(g, &s->plan->values[v].codes, s->plan->values[v].scale, s->plan->values[v].n_scales);
    for (size_t n = 0; n < g->n_nodes; n++) {
        const struct plan_node *node = &s->plan->nodes[n];
        struct value *w = &g->values[g->nodes[n].inputs[g->nodes[n].n_inputs > 1]];
        size_t elements = (size_t)shape_elements(&w->shape);
        struct coding *coding;

        if (node->weight_codes == NULL)
            continue;
        for (size_t i = 0; i < elements; i++)
            ((float *)w->data)[i] =
                (float)node->weight_codes[i] * node->weight_scale[i / (elements / node->n_weight_scales)];
        coding = new_coding(g, &(struct code_range){-128, 127, 0}, node->weight_scale, node->n_weight_scales);
        coding->axis = 0;
        w->coding = coding;
        coding = new_coding(g, &(struct code_range){INT32_MIN, INT32_MAX, 0}, node->acc_scale, node->n_weight_scales);
        coding->axis = 0;
        coding->constant = node->bias_codes;
        g->values[g->nodes[n].inputs[2]].coding = coding;
    }
}

static struct setting new_written(void)
{
    struct setting s = new_setting();

    add_network(&s);
    decide(&s, "mse", "sweep");
    give_codings(&s);
    return s;
}

static void assert_same_layer(const struct setting *s, const struct plan *back, size_t n)
{
    const struct plan_node *a = &s->plan->nodes[n], *b = &back->nodes[n];
    const struct node *node = &s->graph->nodes[n];
    size_t elements = (size_t)shape_elements(&s->graph->values[node->inputs[1]].shape);
    size_t channels = (size_t)s->graph->values[node->outputs[0]].shape.dims[1];

    assert_int_equal(a->n_weight_scales, b->n_weight_scales);
    assert_memory_equal(a->weight_codes, b->weight_codes, elements * sizeof *a->weight_codes);
    assert_memory_equal(a->weight_scale, b->weight_scale, a->n_weight_scales * sizeof(float));
    assert_memory_equal(a->acc_scale, b->acc_scale, a->n_weight_scales * sizeof(float));
    assert_memory_equal(a->bias_codes, b->bias_codes, channels * sizeof *a->bias_codes);
}

static void what_was_written_is_read_back(void **state)
{
    struct setting s = new_written();
    struct error err;
    struct plan *back = plan_read(s.graph, &s.profile, &err);

    (void)state;
    assert_non_null(back);
    for (size_t v = 0; v < s.graph->n_values; v++) {
        const struct plan_value *a = &s.plan->values[v], *b = &back->values[v];

        assert_int_equal(a->is_quantized, b->is_quantized);
        if (!a->is_quantized)
            continue;
        assert_memory_equal(&a->codes, &b->codes, sizeof a->codes);
        assert_int_equal(a->is_unsigned, b->is_unsigned);
        assert_true(a->scale[0] == b->scale[0]);
    }
    for (size_t n = 0; n < s.graph->n_nodes; n++) {
        assert_int_equal(s.plan->nodes[n].is_quantized, back->nodes[n].is_quantized);
        if (s.plan->nodes[n].weight_codes != NULL)
            assert_same_layer(&s, back, n);
    }
    plan_destroy(back);
    end_setting(&s);
}

static bool is_read_as_integers(struct setting *s, const char *name)
{
    struct error err;
    struct plan *plan = plan_read(s->graph, &s->profile, &err);
    bool is_quantized;

    assert_non_null(plan);
    is_quantized = plan->nodes[graph_find_node(s->graph, name)].is_quantized;
    plan_destroy(plan);
    return is_quantized;
}

static void a_layer_without_some_of_its_codes_is_float(void **state)
{
    static const size_t weights = 1, bias = 2;

    (void)state;
    for (size_t slot = weights; slot <= bias; slot++) {
        struct setting s = new_written();
        struct graph *g = s.graph;

        assert_true(is_read_as_integers(&s, "c"));
        g->values[g->nodes[graph_find_node(g, "c")].inputs[slot]].coding = NULL;
        assert_false(is_read_as_integers(&s, "c"));
        assert_true(is_read_as_integers(&s, "a"));
        end_setting(&s);
    }
}

/* Codes of a bias can be added to the accumulator only where they count its steps. */
static void a_layer_whose_bias_has_a_scale_of_its_own_is_float(void **state)
{
    static const struct {
        float factor;
        bool is_integer;
    } cases[] = {{1, true}, {1.005F, true}, {0.995F, true}, {1.02F, false}, {0.98F, false}, {16, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setting s = new_written();
        const struct plan_node *node = &s.plan->nodes[graph_find_node(s.graph, "c")];
        struct coding *bias = coding_of(&s, "c", 2);
        float scale[4];

        assert_int_equal(bias->n_scales, 4);
        memcpy(scale, node->acc_scale, sizeof scale);
        scale[3] *= cases[i].factor; /* one channel is enough */
        bias->scale = scale;
        assert_int_equal(is_read_as_integers(&s, "c"), cases[i].is_integer);
        assert_true(is_read_as_integers(&s, "a"));
        end_setting(&s);
    }
}

/* The file says one thing, and ONNX Runtime computes another. */
static void a_dense_layer_whose_bias_has_a_scale_of_its_own_is_refused(void **state)
{
    struct setting s = new_written();
    struct coding *bias = coding_of(&s, "v", 2);
    float scale[8];
    struct error err;

    (void)state;
    assert_true(bias->n_scales <= sizeof scale / sizeof *scale);
    for (size_t i = 0; i < bias->n_scales; i++)
        scale[i] = 2 * bias->scale[i];
    bias->scale = scale;
    assert_null(plan_read(s.graph, &s.profile, &err));
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "node \"v\": its bias has a scale"));
    end_setting(&s);
}

static void codes_that_no_integer_network_has_are_refused(void **state)
{
    static const float zero[4] = {0}, three[3] = {1, 1, 1};
    static const int32_t large[4 * 4 * 9] = {[7] = 130};
    const struct {
        int code;
        const char *words;
        size_t slot;
        struct coding wrong; /* fields that are not 0 */
    } rows[] = {
        {EX_UNAVAILABLE, "not that of output channels", 1, {.axis = 3}},
        {EX_UNAVAILABLE, "is not above 0", 1, {.scale = zero}},
        {EX_UNAVAILABLE, "no weight code as large as this", 1, {.constant = large}},
        {EX_UNAVAILABLE, "are more than 16 bits hold", 0, {.codes = {-70000, 70000, 0}}},
        {EX_UNAVAILABLE, "expected one, or one a channel", 0, {.n_scales = 3, .scale = three}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setting s = new_written();
        struct coding *coding = coding_of(&s, "c", rows[i].slot);
        struct error err = {0};

        coding->axis = rows[i].wrong.axis != 0 ? rows[i].wrong.axis : coding->axis;
        coding->n_scales = rows[i].wrong.n_scales != 0 ? rows[i].wrong.n_scales : coding->n_scales;
        coding->scale = rows[i].wrong.scale != NULL ? rows[i].wrong.scale : coding->scale;
        coding->constant = rows[i].wrong.constant != NULL ? rows[i].wrong.constant : coding->constant;
        coding->codes = rows[i].wrong.codes.hi != 0 ? rows[i].wrong.codes : coding->codes;
        assert_null(plan_read(s.graph, &s.profile, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, rows[i].words));
        end_setting(&s);
    }
}

static void weights_that_something_was_folded_into_are_refused(void **state)
{
    struct setting s = new_written();
    struct graph *g = s.graph;
    struct error err = {0};

    (void)state;
    ((float *)g->values[g->nodes[graph_find_node(g, "c")].inputs[1]].data)[5] += 1e-4f;
    assert_null(plan_read(g, &s.profile, &err));
    assert_int_equal(err.code, EX_UNAVAILABLE);
    assert_non_null(strstr(err.text, "node \"c\": a weight is no whole number of its scale"));
    end_setting(&s);
}

/* A float is off by up to 2^-24 of itself: of such codes that is 0.002 steps. */
static void weights_of_16_bits_are_whole_numbers_of_their_scales(void **state)
{
    struct setting s = new_written();
    size_t n = (size_t)graph_find_node(s.graph, "c");
    const struct value *w = &s.graph->values[s.graph->nodes[n].inputs[1]];
    size_t elements = (size_t)shape_elements(&w->shape), n_scales = s.plan->nodes[n].n_weight_scales;
    struct error err = {0};
    struct plan *back;

    (void)state;
    s.profile.weight_limit = INT16_MAX;
    for (size_t i = 0; i < elements; i++)
        ((float *)w->data)[i] = (float)(INT16_MAX - (int)i) * w->coding->scale[i / (elements / n_scales)];
    back = plan_read(s.graph, &s.profile, &err);
    assert_succeeds(back == NULL ? -1 : 0, err);
    for (size_t i = 0; i < elements; i++)
        assert_int_equal(back->nodes[n].weight_codes[i], INT16_MAX - (int)i);
    plan_destroy(back);
    end_setting(&s);
}

static void values_are_matched_by_name_and_place(void **state)
{
    struct setting a = new_setting(), b = new_setting();
    int of_own[MAX_VALUES];
    struct error err = {0};

    (void)state;
    add_network(&a);
    add_network(&b);
    assert_succeeds(plan_match_values(a.graph, b.graph, of_own, &err), err);
    for (size_t v = 0; v < a.graph->n_values; v++)
        assert_int_equal(of_own[v], a.graph->values[v].is_constant ? GRAPH_NONE : (int)v);
    b.graph->values[graph_find_value(b.graph, "c")].shape.dims[3]++;
    assert_succeeds(plan_match_values(a.graph, b.graph, of_own, &err), err);
    assert_int_equal(of_own[graph_find_value(a.graph, "c")], GRAPH_NONE);
    b.graph->values[b.graph->inputs[0]].shape.dims[3]++;
    assert_fails(plan_match_values(a.graph, b.graph, of_own, &err), EX_DATAERR, err, "input 0", "expected float32");
    end_setting(&a);
    end_setting(&b);
}

/* Two inputs, added, twice a ReLU; the names of these four values. */
static void add_sum(struct setting *s, const char *x, const char *y, const char *sum, const char *out)
{
    struct graph *g = s->graph;
    struct error err;
    int a = add_input(g, x, SHAPE(1, 4)), b = add_input(g, y, SHAPE(1, 4)), r, t;

    t = add_node(g, OP_BINARY, sum, INTS(a, b));
    r = add_node(g, OP_ACTIVATION, out, INTS(t));
    assert_true(graph_add_output(g, r, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
}

/* Values of `names` (x, y, sum, out) matched with the network of x, y, sum, out. */
static int match_sum(const char *const *names, int *of_own, struct error *err)
{
    struct setting a = new_setting(), b = new_setting();
    int rc;

    *err = (struct error){0};
    add_sum(&a, "x", "y", "sum", "out");
    add_sum(&b, names[0], names[1], names[2], names[3]);
    rc = plan_match_values(a.graph, b.graph, of_own, err);
    end_setting(&a);
    end_setting(&b);
    return rc;
}

static void inputs_and_outputs_are_matched_with_each_other_whatever_the_rest_is_called(void **state)
{
    static const struct {
        const char *names[4]; /* of the other graph's x, y, sum, out */
        int of_own[4];
    } rows[] = {
        {{"x", "y", "sum", "out"}, {0, 1, 2, 3}},
        {{"y", "x", "sum", "out"}, {1, 0, 2, 3}}, /* called like its second input: that is what it is fed */
        {{"raw", "y", "x", "out"}, {0, 1, 2, 3}}, /* something computed has the input's name */
        {{"y", "raw", "sum", "out"}, {1, 0, 2, 3}},
        {{"raw", "x", "y", "out"}, {1, 0, GRAPH_NONE, 3}}, /* no such sum, of these inputs the other way round */
        {{"p", "q", "r", "s"}, {0, 1, 2, 3}},
        {{"p", "q", "r", "sum"}, {0, 1, 2, 3}}, /* and the output has the name of something computed */
    };
    int of_own[MAX_VALUES];
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_succeeds(match_sum(rows[i].names, of_own, &err), err);
        for (size_t v = 0; v < 4; v++)
            if (of_own[v] != rows[i].of_own[v])
                fail_msg("row %zu: value %zu is %d", i, v, of_own[v]);
    }
}

static void an_output_that_the_model_computes_on_the_way_is_refused(void **state)
{
    static const char *const names[] = {"x", "y", "out", "end"};
    int of_own[MAX_VALUES];
    struct error err;

    (void)state;
    assert_fails(match_sum(names, of_own, &err), EX_DATAERR, err, "the network's output \"out\"", "is no output");
}

/* x -> pairs of a ReLU and a sum of it with what it reads -> y; beside y another pair of `twin`. */
static void add_chain(struct graph *g, const char *prefix, size_t n, enum op twin)
{
    int v = add_input(g, "x", SHAPE(1, 4)), r = v, y;
    char name[32];
    struct error err;

    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s%zu", prefix, i);
        r = add_node(g, OP_ACTIVATION, name, INTS(v));
        snprintf(name, sizeof name, "%s%zu+", prefix, i);
        v = add_node(g, OP_BINARY, name, INTS(r, v));
    }
    snprintf(name, sizeof name, "%stwin", prefix);
    r = add_node(g, twin, name, INTS(r));
    y = add_node(g, OP_BINARY, "y", INTS(r, v));
    assert_true(graph_add_output(g, y, &err) >= 0);
    assert_succeeds(graph_infer_shapes(g, &err), err);
}

static void values_that_share_no_name_are_matched_by_what_computes_them_in_networks_of_any_size(void **state)
{
    enum { PAIRS = 15000 };
    static int of_own[2 * PAIRS + 3];
    struct graph *a = new_graph(), *b = new_graph();
    struct error err = {0};

    (void)state;
    add_chain(a, "a", PAIRS, OP_ACTIVATION); /* the last ReLU is there twice: of those alike each is taken once */
    add_chain(b, "b", PAIRS, OP_ACTIVATION);
    assert_succeeds(plan_match_values(a, b, of_own, &err), err);
    for (int v = 0; v < 2 * PAIRS + 3; v++)
        assert_int_equal(of_own[v], v);
    graph_destroy(b);
    b = new_graph();
    add_chain(b, "b", PAIRS, OP_SOFTMAX);
    assert_succeeds(plan_match_values(a, b, of_own, &err), err);
    assert_int_equal(of_own[graph_find_value(a, "atwin")], GRAPH_NONE);
    assert_int_equal(of_own[graph_find_value(a, "y")], graph_find_value(b, "y"));
    graph_destroy(a);
    graph_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_layer_without_some_of_its_codes_is_float),
        cmocka_unit_test(a_layer_whose_bias_has_a_scale_of_its_own_is_float),
        cmocka_unit_test(a_dense_layer_whose_bias_has_a_scale_of_its_own_is_refused),
        cmocka_unit_test(codes_that_no_integer_network_has_are_refused),
        cmocka_unit_test(weights_that_something_was_folded_into_are_refused),
        cmocka_unit_test(weights_of_16_bits_are_whole_numbers_of_their_scales),
        cmocka_unit_test(values_are_matched_by_name_and_place),
        cmocka_unit_test(inputs_and_outputs_are_matched_with_each_other_whatever_the_rest_is_called),
        cmocka_unit_test(an_output_that_the_model_computes_on_the_way_is_refused),
        cmocka_unit_test(values_that_share_no_name_are_matched_by_what_computes_them_in_networks_of_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
