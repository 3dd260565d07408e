/* test_plan_channel_weights.c — weights take up scales per channel, and TNN's files hold them all. */
#include "channel_net.h"

#include "formats/model.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"

#include <unistd.h>

/* ---- weights ---- */

/* Max-abs of the weights times the scales of the channels they meet, by definition (TNN's tool, section 3.6). */
static void assert_folded(const struct net *n, const char *name, int input, size_t in, size_t out)
{
    const struct node *node = find_node(n->set.graph, name);
    const float *w = n->set.graph->values[node->inputs[1]].data, *b = n->set.graph->values[node->inputs[2]].data;
    const struct plan_node *p = planned_node(n, name);

    for (size_t o = 0; o < out; o++) {
        float v[MAX_CHANNELS * TAPS], largest = 0;

        for (size_t i = 0; i < in * TAPS; i++) {
            v[i] = w[o * in * TAPS + i] * planned(n, input)->scale[i / TAPS];
            largest = fmaxf(largest, fabsf(v[i]));
        }
        assert_true(p->weight_scale[o] == largest / 127 && p->acc_scale[o] == largest / 127);
        for (size_t i = 0; i < in * TAPS; i++)
            assert_int_equal(p->weight_codes[o * in * TAPS + i], (int)roundf(v[i] / p->weight_scale[o]));
        assert_true(fabs((double)p->bias_codes[o] - (double)b[o] / (double)p->acc_scale[o]) <= 0.5);
    }
}

static void weights_take_up_the_scales_of_their_input_channels(void **state)
{
    struct net *n = new_net();
    const struct plan_node *e;
    const float *w;

    (void)state;
    build_net(n, -1);
    decide_channels(n, "mse", "maxabs", NULL);
    assert_folded(n, "a", n->x, 3, 4);
    assert_folded(n, "b", n->p, 4, 3);
    assert_folded(n, "c", n->b, 3, 4);
    assert_folded(n, "d", n->e, 7, 5);
    e = planned_node(n, "e"); /* depthwise: the scale stays outside */
    w = n->set.graph->values[find_node(n->set.graph, "e")->inputs[1]].data;
    for (size_t c = 0; c < 7; c++) {
        float largest = 0;

        for (size_t t = c * TAPS; t < (c + 1) * TAPS; t++)
            largest = fmaxf(largest, fabsf(w[t]));
        assert_true(e->weight_scale[c] == largest / 127);
        assert_true(e->acc_scale[c] == e->weight_scale[c] * planned(n, n->m)->scale[c]);
        for (size_t t = c * TAPS; t < (c + 1) * TAPS; t++)
            assert_int_equal(e->weight_codes[t], (int)roundf(w[t] / e->weight_scale[c]));
    }
    end_net(n);
}

/* Where the target has one weight scale, one accumulator step is shared by all channels, depthwise ones too. */
static void one_weight_scale_takes_up_all_input_channels(void **state)
{
    struct net *n = new_net();
    const struct plan_node *e;
    const float *w;
    float largest = 0;

    (void)state;
    build_net(n, -1);
    n->set.profile.per_channel_weights = false;
    decide_channels(n, "mse", "maxabs", NULL);
    e = planned_node(n, "e");
    w = n->set.graph->values[find_node(n->set.graph, "e")->inputs[1]].data;
    for (size_t i = 0; i < 7 * TAPS; i++)
        largest = fmaxf(largest, fabsf(w[i] * planned(n, n->m)->scale[i / TAPS]));
    assert_int_equal(e->n_weight_scales, 1);
    assert_true(e->acc_scale[0] == largest / 127);
    for (size_t i = 0; i < 7 * TAPS; i++)
        assert_int_equal(e->weight_codes[i], (int)roundf(w[i] * planned(n, n->m)->scale[i / TAPS] / e->acc_scale[0]));
    end_net(n);
}

/* Its scale is next to 0, so that its weights do not decide the scale that they share with others. */
static void a_dead_channel_disturbs_no_other(void **state)
{
    enum { DEAD = 1 };
    struct net *with = new_net(), *without = new_net();
    const struct plan_node *c, *d;

    (void)state;
    build_net(with, DEAD);
    build_net(without, -1);
    decide_channels(with, "mse", "maxabs", NULL);
    decide_channels(without, "mse", "maxabs", NULL);
    assert_true(planned(with, with->b)->scale[DEAD] == 0x1p-100F);
    assert_true(planned(with, with->m)->scale[4 + DEAD] == 0x1p-100F);
    for (size_t i = 0; i < 7; i++) {
        if (i != 4 + DEAD)
            assert_true(planned(with, with->cat)->scale[i] == planned(without, with->cat)->scale[i]);
    }
    assert_string_equal(planned(with, with->b)->method, "mse");
    c = planned_node(with, "c");
    for (size_t o = 0; o < 4; o++) {
        for (size_t t = 0; t < TAPS; t++)
            assert_int_equal(c->weight_codes[(o * 3 + DEAD) * TAPS + t], 0);
        assert_true(isnormal(c->acc_scale[o]));
    }
    /* A depthwise layer reads the dead channel alone: what it makes is its bias. */
    d = planned_node(with, "e");
    assert_true(isnormal(d->acc_scale[4 + DEAD]));
    assert_true(fabs((double)d->acc_scale[4 + DEAD] * d->bias_codes[4 + DEAD] / (0.25 * 6) - 1) < 1e-6);
    end_net(with);
    end_net(without);
}

/* The mean output on the integers' weights, folded or not, is that of the floats. */
static void bias_correction_sees_real_weights(void **state)
{
    static const struct {
        const char *name;
        size_t in, out;
    } layers[] = {{"b", 4, 3}, {"e", 1, 7}, {"d", 7, 5}};
    double means[MAX_VALUES][MAX_CHANNELS];
    const double *list[MAX_VALUES];
    struct net *n = new_net();

    (void)state;
    build_net(n, -1);
    for (size_t v = 0; v < MAX_VALUES; v++) {
        list[v] = means[v];
        for (size_t c = 0; c < MAX_CHANNELS; c++)
            means[v][c] = 0.5 + (double)c;
    }
    decide_channels(n, "mse", "maxabs", list);
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        const struct node *node = find_node(n->set.graph, layers[k].name);
        const struct graph *g = n->set.graph;
        const struct plan_node *p = planned_node(n, layers[k].name);
        const float *w = g->values[node->inputs[1]].data, *b = g->values[node->inputs[2]].data;
        bool is_depthwise = node->attr.conv.group > 1;

        for (size_t o = 0; o < layers[k].out; o++) {
            double real = (double)b[o], coded = (double)p->bias[o];

            for (size_t i = 0; i < layers[k].in * TAPS; i++) {
                size_t at = o * layers[k].in * TAPS + i, channel = is_depthwise ? o : i / TAPS;
                double step = (double)p->acc_scale[o] / (double)planned(n, node->inputs[0])->scale[channel];

                real += (double)w[at] * means[node->inputs[0]][channel];
                coded += step * p->weight_codes[at] * means[node->inputs[0]][channel];
            }
            assert_true(fabs(real - coded) < 1e-5 * (1 + fabs(real)));
            assert_true(p->bias[o] != b[o]);
        }
        assert_string_equal(p->method, "maxabs +bias");
    }
    end_net(n);
}

/* ---- TNN's files ---- */

static void read_model(const char *path, struct bytes *file, struct arena *arena, struct tnn_model *model)
{
    struct error err;

    assert_succeeds(bytes_read(path, 1 << 20, file, &err), err);
    assert_succeeds(tnn_model_read(file, arena, model, &err), err);
}

static const struct tnn_resource *scale_of(const struct tnn_model *model, const char *blob)
{
    char name[300];

    snprintf(name, sizeof name, "%s" TNN_SCALE_SUFFIX, blob);
    assert_non_null(tnn_resource_find(model, name));
    return tnn_resource_find(model, name);
}

static void assert_floats(const struct tnn_raw *raw, const float *expected, size_t n)
{
    assert_int_equal(tnn_raw_count(raw), n);
    assert_memory_equal(raw->data, expected, n * sizeof *expected);
}

/* Imported, a weight is its code's: within half a step of the accumulator over the scale of its input channel. */
static void assert_imported(const struct net *n, const struct graph *again, const char *name, size_t in, size_t out)
{
    const struct node *node = find_node(n->set.graph, name), *found = find_node(again, name);
    const float *w = n->set.graph->values[node->inputs[1]].data, *x = again->values[found->inputs[1]].data;
    const float *scale = planned(n, node->inputs[0])->scale;

    for (size_t i = 0; i < out * in * TAPS; i++) {
        size_t o = i / (in * TAPS), channel = node->attr.conv.group > 1 ? o : i / TAPS % in;
        double step = (double)planned_node(n, name)->acc_scale[o] / (double)scale[channel];

        assert_true(fabs((double)w[i] - (double)x[i]) <= 0.5001 * step);
    }
}

static void what_is_emitted_for_tnn_holds_every_channel(void **state)
{
    static const struct emit_info info = {
        .fingerprint = "0", .version = "0", .records = 1, .method = "mse", .model_name = "net"};
    char root[] = "/tmp/etalon_channels_XXXXXX", path[300];
    struct net *n = new_net();
    struct arena *arena = arena_create(NULL);
    struct model_request request = {.file = path};
    struct bytes file = {0};
    struct tnn_model model;
    struct output *output;
    struct graph *again;
    struct error err;

    (void)state;
    build_net(n, 2);
    decide_channels(n, "mse", "sweep", NULL);
    assert_non_null(mkdtemp(root));
    output = output_open(root, &err);
    assert_non_null(output);
    assert_succeeds(target_find("tnn")->emit(n->set.plan, &info, output, &err), err);
    output_close(output);
    snprintf(path, sizeof path, "%s/tnn/net.quantized.tnnmodel", root);
    read_model(path, &file, arena, &model);
    {
        const int values[] = {n->x, n->a, n->p, n->b, n->c, n->sum, n->cat, n->m, n->e, n->d, n->u, n->v};
        static const char *const layers[] = {"a", "b", "c", "d", "e", "v"};

        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            assert_floats(&scale_of(&model, n->set.graph->values[values[i]].name)->scale, planned(n, values[i])->scale,
                          planned(n, values[i])->n_scales);
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            assert_floats(&tnn_resource_find(&model, layers[i])->scale, planned_node(n, layers[i])->acc_scale,
                          planned_node(n, layers[i])->n_weight_scales);
    }
    snprintf(path, sizeof path, "%s/tnn/net.quantized.tnnproto", root);
    again = model_import(&request, &err);
    assert_non_null(again);
    assert_imported(n, again, "a", 3, 4);
    assert_imported(n, again, "e", 1, 7);
    assert_imported(n, again, "d", 7, 5);
    graph_destroy(again);
    bytes_free(&file);
    arena_destroy(arena);
    snprintf(path, sizeof path, "rm -rf '%s'", root);
    assert_int_equal(system(path), 0);
    end_net(n);
}

/* Min-max weights per channel under the scales of its own tool; those of a dead channel are 0 there. */
static void weights_are_coded_as_tnns_own_tool_codes_them(void **state)
{
    static const char *const layers[][2] = {{"conv1", "data"}, {"dw", "p1"}, {"pw", "r2"},
                                            {"b1", "r3"},      {"b2", "r3"}, {"conv3", "bn_o"}};
    const struct model_request request = {.file = SHARED_DATA "/tnn_golden/tiny_v2.tnnproto"};
    struct arena *arena;
    struct bytes file = {0};
    struct tnn_model model;
    struct graph *graph;
    struct plan *plan;
    struct error err;

    (void)state;
    if (access(request.file, R_OK) != 0)
        skip();
    arena = arena_create(NULL);
    read_model(SHARED_DATA "/tnn_golden/b0w0t0.quantized.tnnmodel", &file, arena, &model);
    graph = model_import(&request, &err);
    assert_non_null(graph);
    plan = plan_create(graph, target_find("tnn")->profile, &err);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        int n = graph_find_node(graph, layers[i][0]);
        const struct tnn_raw *scale = &scale_of(&model, layers[i][1])->scale;
        struct plan_value *input = &plan->values[graph->nodes[n].inputs[0]];

        plan->nodes[n].is_quantized = true;
        input->n_scales = (size_t)tnn_raw_count(scale);
        assert_int_equal(input->n_scales, graph->values[graph->nodes[n].inputs[0]].shape.dims[1]);
        input->scale = arena_create_array(arena, input->n_scales, sizeof *input->scale, NULL);
        for (size_t c = 0; c < input->n_scales; c++)
            input->scale[c] = tnn_raw_real(scale, c) > 0 ? (float)tnn_raw_real(scale, c) : 0x1p-100F;
    }
    assert_succeeds(plan_decide_weights(plan, "maxabs", &err), err);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const struct tnn_resource *layer = tnn_resource_find(&model, layers[i][0]);
        const struct plan_node *p = &plan->nodes[graph_find_node(graph, layers[i][0])];

        assert_floats(&layer->scale, p->acc_scale, p->n_weight_scales);
        for (size_t k = 0; k < layer->main.size; k++)
            assert_int_equal((int8_t)layer->main.data[k], p->weight_codes[k]);
        for (size_t o = 0; layer->bias.size > 0 && o < p->n_weight_scales; o++) /* it truncates, we round */
            assert_in_range(p->bias_codes[o] - tnn_raw_integer(&layer->bias, o) + 1, 0, 2);
    }
    plan_destroy(plan);
    graph_destroy(graph);
    bytes_free(&file);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_take_up_the_scales_of_their_input_channels),
        cmocka_unit_test(one_weight_scale_takes_up_all_input_channels),
        cmocka_unit_test(a_dead_channel_disturbs_no_other),
        cmocka_unit_test(bias_correction_sees_real_weights),
        cmocka_unit_test(what_is_emitted_for_tnn_holds_every_channel),
        cmocka_unit_test(weights_are_coded_as_tnns_own_tool_codes_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
