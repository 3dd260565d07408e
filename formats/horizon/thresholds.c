/* thresholds.c — thresholds.json: what was decided, tensor by tensor. A format of ours, not of the vendor's. */
#include "formats/horizon/horizon.h"
#include "formats/json_text.h"

static json_t *scales(const float *list, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_append(&array, json_real((double)list[i]));
    return array;
}

static json_t *feature(const struct plan *plan, size_t v)
{
    const struct value *value = &plan->graph->values[v];
    const struct plan_value *p = &plan->values[v];

    return json_pack("{s:o, s:o, s:s, s:s, s:f, s:f, s:i, s:i}", "tensor", json_text(value->name), "node",
                     value->producer == GRAPH_NONE ? json_null() : json_text(plan->graph->nodes[value->producer].name),
                     "kind", "feature", "method", p->method, "threshold", (double)p->threshold[0], "scale",
                     (double)p->scale[0], "zero_point", (int)p->codes.zero_point, "bits", 8);
}

static json_t *weight(const struct plan *plan, size_t n)
{
    const struct node *node = &plan->graph->nodes[n];
    const struct plan_node *p = &plan->nodes[n];

    return json_pack("{s:o, s:o, s:s, s:s, s:i, s:o, s:i, s:i}", "tensor",
                     json_text(plan->graph->values[node->inputs[1]].name), "node", json_text(node->name), "kind",
                     "weight", "method", p->method, "axis", 0, "scales", scales(p->weight_scale, p->n_weight_scales),
                     "zero_point", 0, "bits", 8);
}

int horizon_write_thresholds(const struct horizon *h, struct error *err)
{
    const struct plan *plan = h->plan;
    json_t *tensors = json_array(), *root;

    for (size_t v = 0; v < plan->graph->n_values; v++)
        if (plan->values[v].is_quantized)
            json_append(&tensors, feature(plan, v));
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (plan->nodes[n].weight_codes != NULL)
            json_append(&tensors, weight(plan, n));
    root = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "format", "etalon thresholds 1", "version", h->info->version,
                     "fingerprint", h->info->fingerprint, "method", h->info->method, "records",
                     (json_int_t)h->info->records, "tensors", tensors);
    return json_file_write(root, h->output, HORIZON, "thresholds.json", err);
}
