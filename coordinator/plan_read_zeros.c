/* plan_read_zeros.c — zero points that an emitter has hidden in biases, found again; see plan_read.h. */
#include "coordinator/plan_read.h"

#include "coordinator/plan_layer.h"

#include <math.h>

static bool is_layer(const struct plan *plan, int n)
{
    enum op op = n == GRAPH_NONE ? OP_COUNT : plan->graph->nodes[n].op;

    return (op == OP_CONV || op == OP_DENSE) && plan->nodes[n].is_quantized;
}

static bool ends_at_zero(const struct activation *fused)
{
    return fused->kind == ACTIVATION_RELU || (fused->kind == ACTIVATION_CLIP && fused->alpha == 0);
}

static void hide(const struct plan *plan, struct plan_value *value)
{
    value->is_unsigned = value->hides_zero_point = true;
    value->codes = plan->profile->unsigned_codes;
    for (size_t i = 0; i < value->n_scales; i++)
        value->threshold[i] = value->scale[i] * (float)plan->profile->unsigned_steps;
}

/* A layer that the network ends with a ReLU, and this file with nothing. */
static void find_sources(struct plan *plan, const struct graph *own, const int *of_own)
{
    for (size_t v = 0; v < own->n_values; v++) {
        int trained = own->values[v].producer, w = of_own[v],
            n = w == GRAPH_NONE ? GRAPH_NONE : plan->graph->values[w].producer;

        if (trained != GRAPH_NONE && is_layer(plan, n) && plan->values[w].is_quantized &&
            ends_at_zero(&own->nodes[trained].fused) && plan->graph->nodes[n].fused.kind == ACTIVATION_NONE)
            hide(plan, &plan->values[w]);
    }
}

/* Reshapes and averages give what lies as low as what they read. */
static void hand_on(struct plan *plan)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];

        bool hands_on = node->op == OP_RESHAPE || (node->op == OP_POOL && node->attr.pool.kind == POOL_AVERAGE);

        if (hands_on && plan->values[node->inputs[0]].hides_zero_point && plan->values[node->outputs[0]].is_quantized)
            hide(plan, &plan->values[node->outputs[0]]);
    }
}

static int clean_bias(struct plan *plan, int n, struct error *err)
{
    struct plan_layer layer = plan_layer_of(plan, n);
    struct plan_node *out = &plan->nodes[n];

    for (size_t c = 0; out->bias_codes != NULL && c < layer.out_channels; c++) {
        int64_t code = out->bias_codes[c] - plan_output_offset(plan, n, c) - plan_input_offset(plan, n, c);

        if (code < INT32_MIN || code > INT32_MAX)
            return error_set(err, EX_DATAERR, "node \"%s\": bias %zu less the zero points in it is %lld",
                             layer.node->name, c, (long long)code);
        out->bias_codes[c] = (int32_t)code;
        out->bias[c] = (float)((double)code * (double)out->acc_scale[out->n_weight_scales == 1 ? 0 : c]);
    }
    return 0;
}

int plan_read_hidden_zeros(struct plan *plan, const struct graph *own, const int *of_own, struct error *err)
{
    if (!plan->profile->zero_points_in_biases)
        return 0;
    find_sources(plan, own, of_own);
    hand_on(plan);
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (is_layer(plan, (int)n) && clean_bias(plan, (int)n, err) != 0)
            return -1;
    return 0;
}
