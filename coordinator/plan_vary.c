/* plan_vary.c — see plan_vary.h. */
#include "coordinator/plan_vary.h"

#include "coordinator/plan_layer.h"

#include <stdio.h>
#include <string.h>

static void *copy(struct arena *arena, const void *from, size_t n, size_t size, struct error *err)
{
    void *to = arena_create_array(arena, n, size, err);

    if (to != NULL)
        memcpy(to, from, n * size);
    return to;
}

/* The value's own arrays in the plan's arena. */
static int own_value(struct plan *plan, size_t v, struct error *err)
{
    struct plan_value *value = &plan->values[v];

    value->scale = copy(plan->arena, value->scale, value->n_scales, sizeof *value->scale, err);
    value->threshold = copy(plan->arena, value->threshold, value->n_scales, sizeof *value->threshold, err);
    return value->scale == NULL || value->threshold == NULL ? -1 : 0;
}

static int own_layer(struct plan *plan, size_t n, struct error *err)
{
    struct plan_node *node = &plan->nodes[n];
    struct plan_layer layer = plan_layer_of(plan, (int)n);
    struct arena *arena = plan->arena;

    node->weight_codes = copy(plan->codes, node->weight_codes, layer.elements, sizeof *node->weight_codes, err);
    node->weight_scale = copy(arena, node->weight_scale, node->n_weight_scales, sizeof *node->weight_scale, err);
    node->acc_scale = copy(arena, node->acc_scale, node->n_weight_scales, sizeof *node->acc_scale, err);
    if (node->weight_codes == NULL || node->weight_scale == NULL || node->acc_scale == NULL)
        return -1;
    if (node->bias != NULL &&
        (node->bias = copy(arena, node->bias, layer.out_channels, sizeof *node->bias, err)) == NULL)
        return -1;
    if (node->bias_codes != NULL &&
        (node->bias_codes = copy(arena, node->bias_codes, layer.out_channels, sizeof *node->bias_codes, err)) == NULL)
        return -1;
    return 0;
}

static int own_all(struct plan *plan, struct error *err)
{
    for (size_t v = 0; v < plan->graph->n_values; v++)
        if (plan->values[v].is_quantized && own_value(plan, v, err) != 0)
            return -1;
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (plan_has_weights(plan, n) && own_layer(plan, n, err) != 0)
            return -1;
    return 0;
}

/* "mse +sim"; a change of a change is one. */
static void name_change(struct plan_value *value)
{
    static const char changed[] = " +sim";
    size_t length = strlen(value->method), room = sizeof value->method - sizeof changed;

    if (strstr(value->method, changed) == NULL)
        snprintf(value->method + (length < room ? length : room), sizeof changed, "%s", changed);
}

static int change(struct plan *plan, const struct plan_change *change, bool *is_changed, struct error *err)
{
    for (size_t i = 0; i < change->job->n_places; i++) {
        int v = change->job->places[i].value;
        struct plan_value *value = &plan->values[v];

        if (own_value(plan, (size_t)v, err) != 0)
            return -1;
        value->threshold[0] = change->result.threshold;
        value->scale[0] = profile_kept_scale(plan->profile, change->result.scale);
        value->codes.zero_point = change->job->codes.zero_point + change->result.zero_moved;
        name_change(value);
        is_changed[v] = true;
    }
    return 0;
}

struct plan *plan_vary(const struct plan *base, const struct plan_change *changes, size_t n, bool is_lasting,
                       struct error *err)
{
    const struct graph *g = base->graph;
    struct plan *plan = plan_create(g, base->profile, err);
    bool *is_changed = plan == NULL ? NULL : arena_create_array(plan->arena, g->n_values, sizeof *is_changed, err);
    int rc = is_changed == NULL ? -1 : 0;

    if (rc == 0) {
        memcpy(plan->values, base->values, g->n_values * sizeof *plan->values);
        memcpy(plan->nodes, base->nodes, g->n_nodes * sizeof *plan->nodes);
    }
    if (rc == 0 && is_lasting)
        rc = own_all(plan, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = change(plan, &changes[i], is_changed, err);
    for (size_t i = 0; rc == 0 && i < g->n_nodes; i++)
        if (plan_has_weights(plan, i) && (is_changed[g->nodes[i].inputs[0]] || is_changed[g->nodes[i].outputs[0]]))
            rc = plan_recode_layer(plan, (int)i, err);
    if (rc == 0)
        return plan;
    plan_destroy(plan);
    return NULL;
}
