/* plan.c — see plan.h. */
#include "common/plan.h"

#include <assert.h>
#include <math.h>

/* Beyond every accumulator of 32 bits: scales that were read from a file may be any. */
#define MOST_OFFSET 0x1p40

struct plan *plan_create(const struct graph *graph, const struct profile *profile, struct error *err)
{
    struct arena *arena = arena_create(err), *codes = arena_create(err);
    struct plan *plan = arena == NULL || codes == NULL ? NULL : arena_create_array(arena, 1, sizeof *plan, err);

    if (plan == NULL) {
        arena_destroy(codes);
        arena_destroy(arena);
        return NULL;
    }
    *plan = (struct plan){.arena = arena, .codes = codes, .graph = graph, .profile = profile};
    plan->values = arena_create_array(arena, graph->n_values, sizeof *plan->values, err);
    plan->nodes = plan->values == NULL ? NULL : arena_create_array(arena, graph->n_nodes, sizeof *plan->nodes, err);
    if (plan->nodes == NULL) {
        plan_destroy(plan);
        return NULL;
    }
    for (size_t i = 0; i < graph->n_values; i++)
        plan->values[i].scale_from = GRAPH_NONE;
    return plan;
}

void plan_destroy(struct plan *plan)
{
    if (plan == NULL)
        return;
    arena_destroy(plan->codes);
    arena_destroy(plan->arena); /* the plan itself lives in it */
}

void plan_weight_bytes(const struct plan_node *node, size_t n, int8_t *bytes)
{
    for (size_t i = 0; i < n; i++) {
        assert(node->weight_codes[i] >= INT8_MIN && node->weight_codes[i] <= INT8_MAX);
        bytes[i] = (int8_t)node->weight_codes[i];
    }
}

int64_t plan_output_offset(const struct plan *plan, int node, size_t channel)
{
    const struct plan_node *layer = &plan->nodes[node];
    const struct plan_value *output = &plan->values[plan->graph->nodes[node].outputs[0]];
    double step = (double)layer->acc_scale[layer->n_weight_scales == 1 ? 0 : channel], offset;

    if (!output->hides_zero_point)
        return 0;
    offset = output->codes.zero_point * ((double)output->scale[output->n_scales == 1 ? 0 : channel] / step);
    return (int64_t)round_to_integer(fmin(fmax(offset, -MOST_OFFSET), MOST_OFFSET), plan->profile->bias_rounding);
}

int64_t plan_input_offset(const struct plan *plan, int node, size_t channel)
{
    const struct node *n = &plan->graph->nodes[node];
    const struct plan_value *input = &plan->values[n->inputs[0]];
    const struct shape *shape = &plan->graph->values[n->inputs[1]].shape;
    size_t row = (size_t)(shape_elements(shape) / shape->dims[0]);
    int64_t sum = 0;

    if (!input->hides_zero_point)
        return 0;
    for (size_t i = 0; i < row; i++)
        sum += plan->nodes[node].weight_codes[channel * row + i];
    return -input->codes.zero_point * sum;
}

/* 1 / (1 / (1 / s)) is 1 / s for every float whose reciprocal is a normal one, so a second time changes nothing. */
float profile_kept_scale(const struct profile *profile, float scale)
{
    return profile->stores_reciprocals ? 1 / (1 / scale) : scale;
}

float profile_kept_weight_scale(const struct profile *profile, float scale)
{
    return profile->stores_weight_reciprocals ? 1 / (1 / scale) : scale;
}

int32_t profile_weight_limit(const struct profile *profile, const struct graph *graph, const struct node *node)
{
    return profile->weight_limit_of == NULL ? profile->weight_limit : profile->weight_limit_of(graph, node);
}
