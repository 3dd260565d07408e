/* test_simulate_tnn.c — the simulator runs models that TNN's own tool has quantized, and gets TNN's own integers.
 *
 * The plan is made of what the file holds: codes, biases, steps, scales. Every node gets the inputs that TNN's runtime
 * had, so that one difference is seen once.
 */
#include "worker/simulate_private.h"

#include "formats/model.h"
#include "formats/target.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* One genuine model and TNN's activations of one record under it. */
struct genuine {
    const char *config; /* "b0w0t0" */
    struct arena *arena;
    struct bytes file;
    struct tnn_model model;
    struct graph *graph;
    struct plan *plan;
    size_t n_compared; /* values whose codes TNN has kept */
};

static const char *path_of(const struct genuine *g, const char *suffix)
{
    static char path[512];

    snprintf(path, sizeof path, SHARED_DATA "/tnn_golden/%s%s", g->config, suffix);
    return path;
}

/* The 1 x 1 convolution, Add and ReLU run as one operation, which rounds only its result. */
static bool is_inside_fused(const struct value *value)
{
    return strcmp(value->name, "pw_o") == 0 || strcmp(value->name, "a1") == 0;
}

/* A dead channel has scale 0 in TNN's files; its codes are 0, so any scale will do. */
static void take_scales(struct genuine *g, size_t v)
{
    const struct value *value = &g->graph->values[v];
    struct plan_value *p = &g->plan->values[v];
    const struct tnn_resource *blob;
    char name[300];

    snprintf(name, sizeof name, "%s" TNN_SCALE_SUFFIX, value->name);
    blob = value->is_constant || is_inside_fused(value) ? NULL : tnn_resource_find(&g->model, name);
    if (blob == NULL)
        return;
    p->is_quantized = true;
    p->codes = g->plan->profile->signed_codes;
    p->n_scales = (size_t)tnn_raw_count(&blob->scale);
    assert_true(p->n_scales == 1 || p->n_scales == (size_t)value->shape.dims[1]);
    p->scale = arena_create_array(g->arena, p->n_scales, sizeof *p->scale, NULL);
    for (size_t c = 0; c < p->n_scales; c++) {
        p->scale[c] = (float)tnn_raw_real(&blob->scale, c);
        if (p->scale[c] == 0)
            p->scale[c] = 0x1p-100F;
    }
}

static void take_weights(struct genuine *g, size_t n)
{
    const struct node *node = &g->graph->nodes[n];
    const struct tnn_resource *layer = tnn_resource_find(&g->model, node->name);
    struct plan_node *p = &g->plan->nodes[n];
    size_t elements;

    if (node->op != OP_CONV && node->op != OP_DENSE)
        return;
    assert_true(g->plan->values[node->inputs[0]].is_quantized && layer != NULL && layer->main.dtype == TNN_INT8);
    p->is_quantized = true;
    elements = (size_t)tnn_raw_count(&layer->main);
    p->n_weight_scales = (size_t)tnn_raw_count(&layer->scale);
    p->weight_codes = arena_create_array(g->arena, elements, sizeof *p->weight_codes, NULL);
    p->acc_scale = arena_create_array(g->arena, p->n_weight_scales, sizeof(float), NULL);
    for (size_t i = 0; i < elements; i++)
        p->weight_codes[i] = (int16_t)tnn_raw_integer(&layer->main, i);
    for (size_t i = 0; i < p->n_weight_scales; i++)
        p->acc_scale[i] = (float)tnn_raw_real(&layer->scale, i);
    if (layer->bias.size == 0)
        return;
    p->bias_codes = arena_create_array(g->arena, (size_t)tnn_raw_count(&layer->bias), sizeof(int32_t), NULL);
    for (size_t i = 0; i < (size_t)tnn_raw_count(&layer->bias); i++)
        p->bias_codes[i] = (int32_t)tnn_raw_integer(&layer->bias, i);
}

static void open_genuine(struct genuine *g, const char *config)
{
    struct model_request request = {0};
    struct error err = {0};

    *g = (struct genuine){.config = config, .arena = arena_create(NULL)};
    if (access(path_of(g, ".quantized.tnnmodel"), R_OK) != 0)
        skip();
    assert_int_equal(bytes_read(path_of(g, ".quantized.tnnmodel"), 1 << 20, &g->file, &err), 0);
    assert_int_equal(tnn_model_read(&g->file, g->arena, &g->model, &err), 0);
    request.file = path_of(g, ".quantized.tnnproto");
    g->graph = model_import(&request, &err);
    assert_non_null(g->graph);
    g->plan = plan_create(g->graph, target_find("tnn")->profile, &err);
    assert_non_null(g->plan);
    for (size_t v = 0; v < g->graph->n_values; v++)
        take_scales(g, v);
    for (size_t n = 0; n < g->graph->n_nodes; n++) {
        const struct node *node = &g->graph->nodes[n];

        if (node->op == OP_RESHAPE) /* the importer's own, before an inner product */
            g->plan->values[node->outputs[0]] = g->plan->values[node->inputs[0]];
        take_weights(g, n);
    }
}

static void close_genuine(struct genuine *g)
{
    plan_destroy(g->plan);
    graph_destroy(g->graph);
    bytes_free(&g->file);
    arena_destroy(g->arena);
}

/* TNN's numbers for a value, in `to` as the simulator keeps it: codes or floats. False: TNN did not keep it. */
static bool read_activation(const struct genuine *g, int value, void *to)
{
    bool is_quantized = g->plan->values[value].is_quantized;
    size_t n = (size_t)shape_elements(&g->graph->values[value].shape);
    int dtype = -1;
    char path[512];
    FILE *file = NULL;

    /* Where the graph has one value, TNN may have two: of floats, and of codes behind a conversion. */
    for (int k = 0; k < 2 && dtype != (is_quantized ? TNN_INT8 : TNN_FLOAT32); k++) {
        if (file != NULL)
            fclose(file);
        snprintf(path, sizeof path, SHARED_DATA "/tnn_golden/activations/%s/%s%s.txt", g->config,
                 g->graph->values[value].name, k == 1 ? "_int8_reformat" : "");
        file = fopen(path, "r");
        if (file == NULL)
            return false;
        assert_int_equal(fscanf(file, "# %*s dtype=%d%*[^\n]", &dtype), 1);
    }
    for (size_t i = 0; i < n; i++) {
        double x;

        assert_int_equal(fscanf(file, "%lf", &x), 1);
        if (is_quantized)
            ((int16_t *)to)[i] = (int16_t)x;
        else
            ((float *)to)[i] = (float)x;
    }
    fclose(file);
    return true;
}

/* Plain codes or reals of one record take the place of a value's own. */
static void replace(struct simulator *s, int value, const void *plain, bool is_quantized)
{
    const struct sim_value *v = &s->values[value];
    size_t item = is_quantized ? sim_code_bytes(v->codes) : sizeof(float);
    void *items = calloc(v->elements, sizeof(float));

    memcpy(items, plain, v->elements * (is_quantized ? sizeof(int16_t) : sizeof(float)));
    for (size_t i = 0; is_quantized && v->codes.are_bytes && i < v->elements; i++)
        ((uint8_t *)items)[i] = (uint8_t)(((const int16_t *)plain)[i] - v->codes.lowest);
    if (v->is_last)
        sim_turn(items, 1, v->channels, v->pixels, item, sim_data(s, value));
    else
        memcpy(sim_data(s, value), items, v->elements * item);
    free(items);
}

/* How many codes of a value differ from TNN's, which then take their place, and by how much at most. */
static size_t compare(struct simulator *s, struct genuine *g, int value, int *largest)
{
    size_t n = (size_t)shape_elements(&g->graph->values[value].shape), n_different = 0;
    bool is_quantized = g->plan->values[value].is_quantized;
    const int16_t *found = simulator_codes(s, value);
    void *expected = calloc(n, sizeof(float));

    assert_non_null(expected);
    *largest = 0;
    if (read_activation(g, value, expected)) {
        g->n_compared += is_quantized;
        for (size_t i = 0; is_quantized && i < n; i++) {
            int difference = abs(((int16_t *)expected)[i] - found[i]);

            n_different += difference != 0;
            *largest = difference > *largest ? difference : *largest;
        }
        replace(s, value, expected, is_quantized);
    }
    free(expected);
    return n_different;
}

static void assert_node_equals(struct genuine *g, struct simulator *s, const struct node *node)
{
    int largest;
    size_t n = compare(s, g, node->outputs[0], &largest);

    if (n > 0)
        fail_msg("%s: node \"%s\": %zu codes differ, by up to %d", g->config, node->name, n, largest);
}

static void genuine_models_give_tnns_own_codes(void **state)
{
    static const char *const configs[] = {"b0w0t0", "b0w0t1", "b2w1t0", "b2w1t1"}; /* t0: per channel */

    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        struct genuine g;
        struct error err = {0};
        float input[3 * 32 * 32];
        const float *inputs[] = {input};
        struct simulator *s;
        int largest;

        open_genuine(&g, configs[i]);
        assert_int_equal(g.plan->values[graph_find_value(g.graph, "c1")].n_scales, i % 2 == 0 ? 16 : 1);
        s = simulator_create(g.plan, 1, &err);
        assert_non_null(s);
        g.plan->values[g.graph->inputs[0]].is_quantized = false; /* the record itself, then as codes */
        g.config = "float";
        assert_true(read_activation(&g, g.graph->inputs[0], input));
        g.config = configs[i];
        g.plan->values[g.graph->inputs[0]].is_quantized = true;
        assert_int_equal(simulator_begin(s, inputs, 1, &err), 0);
        assert_int_equal(compare(s, &g, g.graph->inputs[0], &largest), 0);
        for (size_t n = 0; n < g.graph->n_nodes; n++) {
            assert_int_equal(simulator_step(s, (int)n, &err), 0);
            assert_node_equals(&g, s, &g.graph->nodes[n]);
        }
        assert_int_equal(g.n_compared, 12); /* all but those inside the fused operation, and prob */
        simulator_destroy(s);
        close_genuine(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_models_give_tnns_own_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
