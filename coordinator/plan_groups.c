/* plan_groups.c — see plan_groups.h. */
#include "coordinator/plan_groups.h"

#include "common/memory.h"
#include "coordinator/plan_mark.h"

#include <stdlib.h>

static size_t find_root(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* The smaller index becomes the root, so that the result does not depend on the order of calls. */
static void join(size_t *parent, size_t a, size_t b)
{
    size_t x = find_root(parent, a), y = find_root(parent, b);

    parent[x > y ? x : y] = x > y ? y : x;
}

static size_t count_scales(const struct plan_groups *groups, int value)
{
    return groups->first[value + 1] - groups->first[value];
}

/* A Concat of values with scales per channel has nothing to compute: a channel keeps its scale, and so its codes. */
static bool moves_codes(const struct plan_groups *groups, const struct node *node, enum node_role role)
{
    return role == ROLE_SELECTS ||
           (role == ROLE_COMPUTES && node->op == OP_CONCAT && groups->is_per_channel[node->outputs[0]]);
}

/* An average pool in float, between values that lie lower by one number: the number, a zero point, needs one scale. */
static bool passes_offset(const struct plan_groups *groups, const struct node *node)
{
    return node->op == OP_POOL && groups->hides_zero_point[node->inputs[0]] &&
           groups->hides_zero_point[node->outputs[0]];
}

static void join_through(struct plan_groups *groups, size_t n)
{
    const struct plan *plan = groups->plan;
    const struct node *node = &plan->graph->nodes[n];
    enum node_role role = plan->nodes[n].is_quantized ? plan_node_role(plan->profile, node) : ROLE_FLOAT;
    size_t output = (size_t)node->outputs[0], channel = 0;

    for (size_t i = 0; i < node->n_inputs; i++) {
        int value = node->inputs[i];

        if (!plan_is_activation(plan->graph, value))
            continue;
        if (!moves_codes(groups, node, role))
            groups->is_read[value] = true;
        if (!moves_codes(groups, node, role) && role != ROLE_AVERAGES && !passes_offset(groups, node))
            continue;
        join(groups->family, (size_t)value, output);
        for (size_t c = 0; c < count_scales(groups, value); c++)
            join(groups->parent, groups->first[value] + c, groups->first[output] + channel + c);
        if (node->op == OP_CONCAT && groups->is_per_channel[output])
            channel += count_scales(groups, value);
    }
}

static void number_scales(struct plan_groups *groups)
{
    const struct graph *graph = groups->plan->graph;

    for (size_t v = 0; v < graph->n_values; v++)
        groups->first[v + 1] =
            groups->first[v] + (groups->is_per_channel[v] ? (size_t)graph->values[v].shape.dims[1] : 1);
    groups->n_scales = groups->first[graph->n_values];
}

static void tie_scales(struct plan_groups *groups)
{
    const struct graph *graph = groups->plan->graph;

    for (size_t v = 0; v < graph->n_values; v++)
        groups->family[v] = v;
    for (size_t i = 0; i < groups->n_scales; i++)
        groups->parent[i] = i;
    for (size_t i = 0; i < graph->n_outputs; i++)
        groups->is_read[graph->outputs[i]] = true;
    for (size_t n = 0; n < graph->n_nodes; n++)
        join_through(groups, n);
}

static void place_value(struct plan_groups *groups, int value)
{
    for (size_t c = 0; c < count_scales(groups, value); c++) {
        size_t root = find_root(groups->parent, groups->first[value] + c);

        groups->places[groups->end[root]++] = (struct scale_place){value, c};
    }
}

/* Bucket sort by root: what has no producer comes first, then what nodes make, in execution order. */
static void list_places(struct plan_groups *groups)
{
    const struct graph *graph = groups->plan->graph;
    size_t at = 0;

    for (size_t i = 0; i < groups->n_scales; i++)
        groups->n[find_root(groups->parent, i)]++;
    for (size_t i = 0; i < groups->n_scales; i++) {
        groups->end[i] = at;
        at += groups->n[i];
    }
    for (size_t v = 0; v < graph->n_values; v++) {
        if (graph->values[v].producer == GRAPH_NONE)
            place_value(groups, (int)v);
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        for (size_t o = 0; o < graph->nodes[n].n_outputs; o++)
            place_value(groups, graph->nodes[n].outputs[o]);
    }
}

static int make_values(struct plan_groups *groups, size_t n_values, struct error *err)
{
    static const char what[] = "groups of values";

    groups->is_per_channel = memory_create(n_values, sizeof *groups->is_per_channel, what, err);
    groups->is_read = memory_create(n_values, sizeof *groups->is_read, what, err);
    groups->decides_arg_max = memory_create(n_values, sizeof *groups->decides_arg_max, what, err);
    groups->hides_zero_point = memory_create(n_values, sizeof *groups->hides_zero_point, what, err);
    groups->first = memory_create(n_values + 1, sizeof *groups->first, what, err);
    groups->family = memory_create(n_values, sizeof *groups->family, what, err);
    return groups->is_per_channel == NULL || groups->is_read == NULL || groups->decides_arg_max == NULL ||
                   groups->hides_zero_point == NULL || groups->first == NULL || groups->family == NULL
               ? -1
               : 0;
}

static int make_scales(struct plan_groups *groups, struct error *err)
{
    static const char what[] = "groups of scales";

    groups->parent = memory_create(groups->n_scales, sizeof *groups->parent, what, err);
    groups->places = memory_create(groups->n_scales, sizeof *groups->places, what, err);
    groups->end = memory_create(groups->n_scales, sizeof *groups->end, what, err);
    groups->n = memory_create(groups->n_scales, sizeof *groups->n, what, err);
    return groups->parent == NULL || groups->places == NULL || groups->end == NULL || groups->n == NULL ? -1 : 0;
}

int plan_groups_init(struct plan_groups *groups, const struct plan *plan, const struct histogram *const *histograms,
                     const struct histogram *const *channel_histograms, struct error *err)
{
    *groups = (struct plan_groups){.plan = plan};
    if (make_values(groups, plan->graph->n_values, err) != 0)
        return -1;
    plan_mark_arg_max(plan->graph, groups->decides_arg_max);
    plan_mark_channels(plan, channel_histograms, groups->decides_arg_max, groups->is_per_channel);
    plan_mark_hidden_zeros(plan, histograms, groups->is_per_channel, groups->hides_zero_point);
    number_scales(groups);
    if (make_scales(groups, err) != 0)
        return -1;
    tie_scales(groups);
    list_places(groups);
    return 0;
}

void plan_groups_fini(struct plan_groups *groups)
{
    free(groups->is_per_channel);
    free(groups->is_read);
    free(groups->decides_arg_max);
    free(groups->hides_zero_point);
    free(groups->first);
    free(groups->family);
    free(groups->parent);
    free(groups->places);
    free(groups->end);
    free(groups->n);
    *groups = (struct plan_groups){0};
}

size_t plan_groups_family(const struct plan_groups *groups, int value)
{
    return find_root(groups->family, (size_t)value);
}
