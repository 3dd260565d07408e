/* plan_mark_zeros.c — which values hide their zero point in biases; see plan_mark.h. */
#include "coordinator/plan_mark.h"

static bool is_padded(const struct window *w)
{
    return w->pad_begin[0] > 0 || w->pad_begin[1] > 0 || w->pad_end[0] > 0 || w->pad_end[1] > 0;
}

static bool is_layer(const struct plan *plan, size_t n)
{
    enum op op = plan->graph->nodes[n].op;

    return plan->nodes[n].is_quantized && (op == OP_CONV || op == OP_DENSE);
}

/* What is the same for values that all lie lower by one number, that of their one scale: on codes, or on reals in
 * between. */
static bool passes_offset(const struct node *node, const bool *is_per_channel)
{
    if (is_per_channel[node->inputs[0]] != is_per_channel[node->outputs[0]])
        return false;
    return node->op == OP_RESHAPE ||
           (node->op == OP_POOL && node->attr.pool.kind == POOL_AVERAGE && !is_padded(&node->attr.pool.window));
}

/* Saturation at the lowest code must be what the layer does anyway. */
static bool ends_at_zero(const struct activation *fused)
{
    return fused->kind == ACTIVATION_RELU || (fused->kind == ACTIVATION_CLIP && fused->alpha == 0);
}

static bool producer_allows(const struct plan *plan, int value, const bool *is_per_channel, const bool *hides)
{
    int n = plan->graph->values[value].producer;
    const struct node *node = n == GRAPH_NONE ? NULL : &plan->graph->nodes[n];

    if (node == NULL)
        return false;
    return is_layer(plan, (size_t)n) ? ends_at_zero(&node->fused)
                                     : passes_offset(node, is_per_channel) && hides[node->inputs[0]];
}

/* Pads are zeros of the target's, whatever code stands for 0 here. */
static bool reader_allows(const struct plan *plan, size_t n, const bool *is_per_channel, const bool *hides)
{
    const struct node *node = &plan->graph->nodes[n];

    if (is_layer(plan, n))
        return node->op == OP_DENSE || !is_padded(&node->attr.conv.window);
    return passes_offset(node, is_per_channel) && hides[node->outputs[0]];
}

/* Takes back what the neighbours do not allow; returns whether there was any. */
static bool withdraw(const struct plan *plan, const bool *is_per_channel, bool *hides)
{
    const struct graph *g = plan->graph;
    bool has_changed = false;

    for (size_t v = 0; v < g->n_values; v++)
        if (hides[v] && !producer_allows(plan, (int)v, is_per_channel, hides)) {
            hides[v] = false;
            has_changed = true;
        }
    for (size_t n = 0; n < g->n_nodes; n++)
        for (size_t i = 0; i < g->nodes[n].n_inputs; i++) {
            int v = g->nodes[n].inputs[i];

            if (v != GRAPH_NONE && hides[v] && !reader_allows(plan, n, is_per_channel, hides)) {
                hides[v] = false;
                has_changed = true;
            }
        }
    return has_changed;
}

void plan_mark_hidden_zeros(const struct plan *plan, const struct histogram *const *histograms,
                            const bool *is_per_channel, bool *hides)
{
    const struct graph *g = plan->graph;

    for (size_t v = 0; plan->profile->zero_points_in_biases && v < g->n_values; v++)
        hides[v] =
            plan->values[v].is_quantized && histogram_is_never_negative(histograms[v]) && !graph_is_output(g, (int)v);
    while (withdraw(plan, is_per_channel, hides))
        ;
}
