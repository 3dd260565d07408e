/* plan_mark_channels.c — which values have a scale per channel; see plan_mark.h. */
#include "coordinator/plan_mark.h"

/* What a node on integers asks of the granularity of the values it touches. */
enum channel_rule {
    CHANNELS_MERGE, /* it mixes channels of one value under one scale, or moves them elsewhere: one scale a value */
    CHANNELS_STAY,  /* channel c of the output comes from one channel of an input: the same granularity everywhere */
    CHANNELS_FREE,  /* every value may have the granularity it likes */
};

static enum channel_rule concat_rule(const struct graph *graph, const struct node *node)
{
    /* Operands of one channel each have one scale each, and TNN tells the granularity by that. */
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->attr.axis == 1 && graph->values[node->inputs[i]].shape.dims[1] > 1)
            return CHANNELS_STAY;
    }
    return CHANNELS_MERGE;
}

static enum channel_rule channel_rule(const struct plan *plan, const struct node *node)
{
    const struct value *values = plan->graph->values;
    const struct shape *out = &values[node->outputs[0]].shape;

    switch (node->op) {
    case OP_CONV: /* the input's scales go into the weights, the output's into the rescaling */
        return CHANNELS_FREE;
    case OP_CONCAT:
        return concat_rule(plan->graph, node);
    case OP_POOL:
    case OP_IDENTITY:
        return CHANNELS_STAY;
    case OP_ACTIVATION:
        return plan_node_role(plan->profile, node) == ROLE_SELECTS ? CHANNELS_STAY : CHANNELS_MERGE;
    case OP_BINARY:
        return node->attr.binary.kind == BINARY_ADD && shape_equal(&values[node->inputs[0]].shape, out) &&
                       shape_equal(&values[node->inputs[1]].shape, out)
                   ? CHANNELS_STAY
                   : CHANNELS_MERGE;
    default:
        return CHANNELS_MERGE;
    }
}

/* Makes the node's values keep one scale where one of them does, or all must. Returns whether one has changed. */
static bool merge_channels(const struct plan *plan, const struct node *node, bool *is_per_channel)
{
    enum channel_rule rule = channel_rule(plan, node);
    size_t n_marked = is_per_channel[node->outputs[0]], n = 1;

    for (size_t i = 0; i < node->n_inputs; i++) {
        if (plan_is_activation(plan->graph, node->inputs[i])) {
            n_marked += is_per_channel[node->inputs[i]];
            n++;
        }
    }
    if (rule == CHANNELS_FREE || (rule == CHANNELS_STAY && n_marked == n) || n_marked == 0)
        return false;
    is_per_channel[node->outputs[0]] = false;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (plan_is_activation(plan->graph, node->inputs[i]))
            is_per_channel[node->inputs[i]] = false;
    }
    return true;
}

void plan_mark_channels(const struct plan *plan, const struct histogram *const *channel_histograms,
                        const bool *decides_arg_max, bool *is_per_channel)
{
    const struct graph *graph = plan->graph;
    bool has_changed = plan->profile->per_channel_activations && channel_histograms != NULL;

    for (size_t v = 0; v < graph->n_values; v++)
        is_per_channel[v] = has_changed && plan->values[v].is_quantized && channel_histograms[v] != NULL &&
                            graph->values[v].shape.rank >= 3 && !decides_arg_max[v];
    while (has_changed) { /* as in plan_mark, and it ends: marks only go */
        has_changed = false;
        for (size_t i = 0; i < 2 * graph->n_nodes; i++) {
            size_t n = i < graph->n_nodes ? i : 2 * graph->n_nodes - 1 - i;

            if (plan->nodes[n].is_quantized)
                has_changed |= merge_channels(plan, &graph->nodes[n], is_per_channel);
        }
    }
}
