/* plan.c — see plan.h. */
#include "common/plan.h"

struct plan *plan_create(const struct graph *graph, const struct profile *profile, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct plan *plan = arena == NULL ? NULL : arena_create_array(arena, 1, sizeof *plan, err);

    if (plan == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    *plan = (struct plan){.arena = arena, .graph = graph, .profile = profile};
    plan->values = arena_create_array(arena, graph->n_values, sizeof *plan->values, err);
    plan->nodes = plan->values == NULL ? NULL : arena_create_array(arena, graph->n_nodes, sizeof *plan->nodes, err);
    if (plan->nodes == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    for (size_t i = 0; i < graph->n_values; i++)
        plan->values[i].scale_from = GRAPH_NONE;
    return plan;
}

void plan_destroy(struct plan *plan)
{
    if (plan != NULL)
        arena_destroy(plan->arena); /* the plan itself lives in it */
}
