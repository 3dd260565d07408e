/* tnn_files.h — for tests of TNN's files: a folder of their own, and plans without a coordinator. */
#ifndef ETALON_TESTS_TNN_FILES_H
#define ETALON_TESTS_TNN_FILES_H

#include "../common/random_graph.h"
#include "../common/reference_executor.h"
#include "../common/root_folder.h"

#include "common/passes.h"
#include "formats/model.h"
#include "formats/target.h"
#include "formats/tnn/resource.h"
#include "formats/tnn/tnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline struct graph *import_or_fail(const char *proto)
{
    const struct model_request request = {.file = proto};
    struct error err = {0};
    struct graph *graph = model_import(&request, &err);

    if (graph == NULL)
        fail_msg("%s", err.text);
    return graph;
}

/* ---- A plan without a coordinator ---------------------------------------------------------------------------------
 */

static inline bool is_activation(const struct graph *graph, int value)
{
    return value != GRAPH_NONE && !graph->values[value].is_constant;
}

/* Every value gets a scale of its own; through nodes that move codes it stays the same. */
static inline void give_scales(struct plan *plan)
{
    const struct graph *graph = plan->graph;

    for (size_t v = 0; v < graph->n_values; v++) {
        float *scale = arena_create_array(plan->arena, 1, sizeof *scale, NULL);

        assert_non_null(scale);
        *scale = 0.01f + 0.003f * (float)(v % 17);
        plan->values[v].scale = scale;
        plan->values[v].n_scales = 1;
        plan->values[v].codes = plan->profile->signed_codes;
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        bool moves = node->op == OP_RESHAPE || node->op == OP_POOL || node->op == OP_ACTIVATION;

        if (moves && is_activation(graph, node->inputs[0]))
            plan->values[node->outputs[0]].scale = plan->values[node->inputs[0]].scale;
    }
}

/* Max-abs codes, one scale a channel. */
static inline void quantize_weights(struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    const struct value *w = &plan->graph->values[node->inputs[1]];
    struct plan_node *p = &plan->nodes[n];
    size_t channels = (size_t)w->shape.dims[0], run = (size_t)shape_elements(&w->shape) / channels;
    bool has_bias = node->n_inputs > 2 && node->inputs[2] != GRAPH_NONE;
    const float *data = w->data;

    p->weight_codes = arena_create_array(plan->arena, channels * run, sizeof *p->weight_codes, NULL);
    p->n_weight_scales = channels;
    p->weight_scale = arena_create_array(plan->arena, channels, sizeof(float), NULL);
    p->acc_scale = arena_create_array(plan->arena, channels, sizeof(float), NULL);
    p->bias_codes = has_bias ? arena_create_array(plan->arena, channels, sizeof(int32_t), NULL) : NULL;
    for (size_t c = 0; c < channels; c++) {
        float largest = 1e-6f;

        for (size_t i = c * run; i < (c + 1) * run; i++)
            largest = fmaxf(largest, fabsf(data[i]));
        p->weight_scale[c] = largest / 127;
        p->acc_scale[c] = p->weight_scale[c] * plan->values[node->inputs[0]].scale[0];
        for (size_t i = c * run; i < (c + 1) * run; i++)
            p->weight_codes[i] = (int16_t)roundf(data[i] / p->weight_scale[c]);
        if (has_bias)
            p->bias_codes[c] =
                (int32_t)roundf(((const float *)plan->graph->values[node->inputs[2]].data)[c] / p->acc_scale[c]);
    }
}

static inline bool computes(const struct plan *plan, const struct node *node)
{
    if ((plan->profile->quantized_ops >> node->op & 1) == 0)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (is_activation(plan->graph, node->inputs[i]) != (i == 0 || node->op == OP_BINARY || node->op == OP_CONCAT))
            return false;
    return plan->profile->allows(plan->graph, node);
}

/* All that may be integers is; the nodes that move codes, where codes come in. */
static inline struct plan *make_plan(const struct graph *graph, bool is_quantized)
{
    struct plan *plan = plan_create(graph, target_find("tnn")->profile, NULL);

    assert_non_null(plan);
    give_scales(plan);
    for (size_t n = 0; is_quantized && n < graph->n_nodes; n++) {
        const struct node *node = &graph->nodes[n];
        bool moves = node->op == OP_RESHAPE || (node->op == OP_POOL && node->attr.pool.kind == POOL_MAX) ||
                     (node->op == OP_ACTIVATION && plan->profile->allows(graph, node));

        if (!computes(plan, node) && !(moves && plan->values[node->inputs[0]].is_quantized))
            continue;
        plan->nodes[n].is_quantized = true;
        for (size_t i = 0; i < node->n_inputs; i++)
            if (is_activation(graph, node->inputs[i]))
                plan->values[node->inputs[i]].is_quantized = true;
        plan->values[node->outputs[0]].is_quantized = true;
        if (node->op == OP_CONV || node->op == OP_DENSE)
            quantize_weights(plan, n);
    }
    return plan;
}

static const struct emit_info info = {
    .fingerprint = "0", .version = "0", .records = 1, .method = "mse", .model_name = "net"};

static inline int emit_plan(const struct plan *plan, struct error *err)
{
    struct output *output = output_open(root, err);
    int rc = target_find("tnn")->emit(plan, &info, output, err);

    output_close(output);
    return rc;
}

static inline int emit_graph(const struct graph *graph, bool is_quantized, struct error *err)
{
    struct plan *plan = make_plan(graph, is_quantized);
    int rc = emit_plan(plan, err);

    assert_int_equal(target_find("tnn")->check(plan, &(struct error){0}), rc); /* check says what emit will */
    plan_destroy(plan);
    return rc;
}

static inline struct graph *emit_and_import(const struct graph *graph, bool is_quantized)
{
    struct error err = {0};

    if (emit_graph(graph, is_quantized, &err) != 0)
        fail_msg("%s", err.text);
    return import_or_fail(in_root("tnn/net.quantized.tnnproto"));
}

/* x -> a convolution with these pads. */
static inline struct graph *one_convolution(int64_t pad_begin, int64_t pad_end)
{
    struct graph *graph = new_graph();
    int x = add_input(graph, "x", SHAPE(1, 2, 5, 6)), y;

    y = add_node(graph, OP_CONV, "conv", INTS(x, random_floats(graph, SHAPE(4, 2, 3, 3), -1, 1)));
    last_node(graph)->attr.conv.window = make_window(3, 2, 0);
    last_node(graph)->attr.conv.group = 1;
    for (size_t k = 0; k < 2; k++) {
        last_node(graph)->attr.conv.window.pad_begin[k] = pad_begin;
        last_node(graph)->attr.conv.window.pad_end[k] = pad_end;
    }
    settled(graph, y);
    graph_add_output(graph, y, NULL);
    return graph;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

#endif
