/* simulate_operands.c — ADD and CONCAT whose operands come to the output's steps by a multiplier and a shift each.
 *
 * Every operand is rounded by itself, as on chips that have no wider place to add in. What comes out are whole numbers,
 * which float32 holds exactly, so the operator itself is computed by the plain kernel of reference.h.
 */
#include "worker/simulate_private.h"

static bool has_one_scale(const struct plan *plan, int value)
{
    return value != GRAPH_NONE && !plan->graph->values[value].is_constant && sim_is_coded(plan, value) &&
           plan->values[value].n_scales == 1;
}

bool sim_operands_apply(const struct plan *plan, int node)
{
    const struct node *n = &plan->graph->nodes[node];
    bool is_sum = n->op == OP_BINARY && n->attr.binary.kind == BINARY_ADD &&
                  (n->fused.kind == ACTIVATION_NONE || n->fused.kind == ACTIVATION_RELU);

    if (!plan->profile->operands_are_rescaled || !plan->nodes[node].is_quantized || !(is_sum || n->op == OP_CONCAT) ||
        !has_one_scale(plan, n->outputs[0]))
        return false;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (!has_one_scale(plan, n->inputs[i]))
            return false;
    return true;
}

/* As the model has it, or as the scales give it. */
static struct multiplier multiplier_for(const struct simulator *s, int node, size_t input)
{
    const struct node *n = &s->plan->graph->nodes[node];
    double in = (double)sim_plan_value(s, n->inputs[input])->scale[0];

    if (s->plan->nodes[node].operands != NULL)
        return s->plan->nodes[node].operands[input];
    return multiplier_of_bits(in / (double)sim_plan_value(s, n->outputs[0])->scale[0],
                              s->plan->profile->multiplier_bits);
}

struct sim_operand sim_operand_of(const struct simulator *s, int node, size_t input)
{
    int value = s->plan->graph->nodes[node].inputs[input];
    struct sim_codes codes = s->values[value].codes;
    struct sim_operand o = {.codes = codes,
                            .data = sim_data(s, value),
                            .multiplier = multiplier_for(s, node, input),
                            .rounding = s->plan->profile->requantization_rounding};

    for (int byte = 0; codes.are_bytes && byte <= UINT8_MAX; byte++)
        o.of_byte[byte] = (float)multiplier_apply(byte + codes.lowest, o.multiplier, o.rounding);
    return o;
}

void sim_operand_steps(const struct sim_operand *o, size_t at, size_t n, float *steps)
{
    const uint8_t *bytes = (const uint8_t *)o->data + at;
    const int16_t *words = (const int16_t *)o->data + at;

    if (o->codes.are_bytes)
        for (size_t i = 0; i < n; i++)
            steps[i] = o->of_byte[bytes[i]];
    else
        for (size_t i = 0; i < n; i++)
            steps[i] = (float)multiplier_apply(words[i], o->multiplier, o->rounding);
}
