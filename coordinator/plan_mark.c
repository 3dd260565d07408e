/* plan_mark.c — see plan_mark.h. */
#include "coordinator/plan_mark.h"

static bool has_op(uint32_t ops, enum op op)
{
    return (ops >> op & 1) != 0;
}

bool plan_is_activation(const struct graph *graph, int value)
{
    return value != GRAPH_NONE && !graph->values[value].is_constant && graph->values[value].dtype == DTYPE_FLOAT32;
}

/* Transparent where the profile says so, and where this node's attributes let codes pass unchanged. */
static enum node_role transparent_role(const struct profile *profile, const struct node *node)
{
    bool is_transparent = has_op(profile->transparent_ops, node->op);

    switch (node->op) {
    case OP_POOL:
        if (node->attr.pool.kind == POOL_AVERAGE)
            return profile->average_pool_is_transparent ? ROLE_AVERAGES : ROLE_FLOAT;
        break;
    case OP_ACTIVATION:
        is_transparent = profile->activation_is_transparent && (node->attr.activation.kind == ACTIVATION_RELU ||
                                                                node->attr.activation.kind == ACTIVATION_CLIP);
        break;
    case OP_CONCAT:
        is_transparent = is_transparent || profile->concat_shares_scale;
        break;
    case OP_PAD: /* 0 is the only constant that has a code under every scale */
        is_transparent = is_transparent && (node->attr.pad.mode != PAD_CONSTANT || node->attr.pad.value == 0);
        break;
    case OP_RESIZE:
        is_transparent = is_transparent && node->attr.resize.mode == RESIZE_NEAREST;
        break;
    default:
        break;
    }
    return is_transparent ? ROLE_SELECTS : ROLE_FLOAT;
}

enum node_role plan_node_role(const struct profile *profile, const struct node *node)
{
    enum node_role role = transparent_role(profile, node);

    return role == ROLE_FLOAT && has_op(profile->quantized_ops, node->op) ? ROLE_COMPUTES : role;
}

/* Operands that are constant where they must be, and only there. */
static bool operands_allow(const struct graph *graph, const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        int value = node->inputs[i];
        bool is_parameter = i > 0; /* weights, bias, slopes, scales */

        if (node->op == OP_BINARY || node->op == OP_MATMUL || node->op == OP_CONCAT)
            is_parameter = false;
        if (value == GRAPH_NONE ? !is_parameter : graph->values[value].is_constant != is_parameter)
            return false;
        if (graph->values[value == GRAPH_NONE ? node->inputs[0] : value].dtype != DTYPE_FLOAT32)
            return false;
    }
    return true;
}

static bool is_observed(const struct graph *graph, const struct histogram *const *histograms, const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (plan_is_activation(graph, node->inputs[i]) && histograms[node->inputs[i]] == NULL)
            return false;
    }
    return plan_is_activation(graph, node->outputs[0]) && histograms[node->outputs[0]] != NULL;
}

/* Marks the node and its activations, of which only the inputs have codes where reals run between nodes; returns
 * whether any of them is new. */
static bool mark_node(struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    bool is_new = !plan->nodes[n].is_quantized;

    plan->nodes[n].is_quantized = true;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (plan_is_activation(plan->graph, node->inputs[i]))
            plan->values[node->inputs[i]].is_quantized = true;
    }
    if (!plan->profile->keeps_reals)
        plan->values[node->outputs[0]].is_quantized = true;
    return is_new;
}

static bool touches_codes(const struct plan *plan, const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] != GRAPH_NONE && plan->values[node->inputs[i]].is_quantized)
            return true;
    }
    return plan->values[node->outputs[0]].is_quantized;
}

/* A tool that goes from layer to layer: what selects is on codes where that which it reads was made on them. */
static bool follows_codes(const struct plan *plan, const struct node *node)
{
    int producer = plan->graph->values[node->inputs[0]].producer;

    return !plan->profile->is_tool_exact || node->op == OP_RESHAPE ||
           (producer != GRAPH_NONE && plan->nodes[producer].is_quantized);
}

/* May this node take part, apart from what its neighbours do? */
static enum node_role possible_role(const struct plan *plan, const struct histogram *const *histograms,
                                    const bool *node_is_float, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];

    if ((node_is_float != NULL && node_is_float[n]) || node->n_inputs == 0 || node->n_outputs != 1 ||
        !operands_allow(plan->graph, node) || !is_observed(plan->graph, histograms, node) ||
        (plan->profile->allows != NULL && !plan->profile->allows(plan->graph, node)))
        return ROLE_FLOAT;
    return plan_node_role(plan->profile, node);
}

void plan_mark(struct plan *plan, const struct histogram *const *histograms, const bool *node_is_float)
{
    size_t n_nodes = plan->graph->n_nodes;
    bool has_changed = true;

    for (size_t n = 0; n < n_nodes; n++) {
        if (possible_role(plan, histograms, node_is_float, n) == ROLE_COMPUTES)
            mark_node(plan, n);
    }
    /* Codes spread through nodes that only move them: with the data in one walk, against it in one more per turn. */
    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < 2 * n_nodes; i++) {
            size_t n = i < n_nodes ? i : 2 * n_nodes - 1 - i;
            enum node_role role = possible_role(plan, histograms, node_is_float, n);

            if ((role == ROLE_SELECTS || role == ROLE_AVERAGES) && touches_codes(plan, &plan->graph->nodes[n]) &&
                follows_codes(plan, &plan->graph->nodes[n]))
                has_changed |= mark_node(plan, n);
        }
    }
}

/* Does the order of this node's inputs decide the order of its outputs? */
static bool keeps_order(const struct node *node)
{
    switch (node->op) {
    case OP_SOFTMAX:
    case OP_RESHAPE:
    case OP_TRANSPOSE:
    case OP_CONCAT:
        return true;
    case OP_POOL: /* a global max pool reads what a global average pool reads: the map of logits */
        return node->attr.pool.kind == POOL_AVERAGE || node->attr.pool.is_global;
    case OP_REDUCE:
        return node->attr.reduce.kind == REDUCE_MEAN;
    case OP_ACTIVATION:
        return node->attr.activation.kind == ACTIVATION_SIGMOID;
    default:
        return false;
    }
}

void plan_mark_arg_max(const struct graph *graph, bool *decides)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        decides[graph->outputs[i]] = true;
    for (size_t n = graph->n_nodes; n-- > 0;) { /* execution order: consumers have been seen */
        const struct node *node = &graph->nodes[n];

        if (node->n_outputs != 1 || !decides[node->outputs[0]] || !keeps_order(node))
            continue;
        for (size_t i = 0; i < node->n_inputs; i++) {
            if (plan_is_activation(graph, node->inputs[i]))
                decides[node->inputs[i]] = true;
        }
    }
}
