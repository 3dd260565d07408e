/* plan_codes.c — codes of weights let go and made again; see plan_decide.h. */
#include "coordinator/plan_decide.h"

#include "coordinator/plan_layer.h"
#include "coordinator/weights.h"

#include <stdlib.h>

/* Do the codes follow from weights and scales alone? A tool makes them in its own way, and what was chosen by outputs
 * cannot be found again. */
static bool codes_follow(const struct plan *plan)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (plan->nodes[n].is_rounded)
            return false;
    return !plan->profile->is_tool_exact;
}

void plan_drop_codes(struct plan *plan)
{
    if (!codes_follow(plan))
        return;
    arena_destroy(plan->codes);
    plan->codes = NULL;
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        plan->nodes[n].weight_codes = NULL;
}

/* Of the weights that share scale i. */
static int make_group(struct plan *plan, const struct plan_layer *layer, int n, size_t i, struct error *err)
{
    struct plan_node *out = &plan->nodes[n];
    struct weight_group group = plan_layer_group(layer, i);
    size_t count = group.runs * group.run;
    float *copy;
    const float *weights = plan_layer_gather(layer, group, &copy, err);
    int16_t *codes = memory_create(count, sizeof *codes, "the codes of an output channel", err);
    int rc = weights == NULL || codes == NULL ? -1 : 0;

    if (rc == 0) {
        weight_codes(weights, count, profile_weight_limit(plan->profile, plan->graph, layer->node),
                     out->weight_scale[i], codes);
        plan_layer_scatter(out->weight_codes, group, codes);
    }
    free(copy);
    free(codes);
    return rc;
}

int plan_make_codes(struct plan *plan, struct error *err)
{
    if (plan->codes != NULL)
        return 0;
    plan->codes = arena_create(err);
    if (plan->codes == NULL)
        return -1;
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        struct plan_node *out = &plan->nodes[n];
        struct plan_layer layer;

        if (!plan_has_weights(plan, n))
            continue;
        layer = plan_layer_of(plan, (int)n);
        out->weight_codes = arena_create_array(plan->codes, layer.elements, sizeof *out->weight_codes, err);
        for (size_t i = 0; i < out->n_weight_scales; i++)
            if (out->weight_codes == NULL || make_group(plan, &layer, (int)n, i, err) != 0)
                return -1;
    }
    return 0;
}
