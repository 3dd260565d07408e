/* quant_config.c — quant_config.json: what hb_compile's calibration is asked to do, model_config and node_config.
 *
 * Sections stand inside model_config, as in the public scripts that run.
 */
#include "formats/horizon/method.h"
#include "formats/json_text.h"

#include <string.h>

enum { NUM_BIN = 1024, MAX_NUM_BIN = 16384 };   /* at least 129 and 258 there */
static const double usual_percentile = 0.99995; /* what the vendor's default search tries beside 1 */

struct horizon_method horizon_method(const struct emit_info *info)
{
    if (strncmp(info->method, "kl", 2) == 0)
        return (struct horizon_method){.calibration_type = "kl", .is_same = true};
    if (strcmp(info->method, "minmax") == 0)
        return (struct horizon_method){"max", true, 1, true};
    if (strncmp(info->method, "percentile", 10) == 0 && info->percentile >= 0.5)
        return (struct horizon_method){"max", true, info->percentile, true};
    return (struct horizon_method){"max", true, usual_percentile, false};
}

static json_t *activation(const struct emit_info *info)
{
    struct horizon_method method = horizon_method(info);
    json_t *section = json_pack("{s:s}", "calibration_type", method.calibration_type);

    if (method.has_percentile)
        json_put(&section, "max_percentile", json_pack("[f]", method.percentile));
    else {
        json_put(&section, "num_bin", json_pack("[i]", NUM_BIN));
        json_put(&section, "max_num_bin", json_integer(MAX_NUM_BIN));
    }
    json_put(&section, "per_channel", json_pack("[b]", 0));
    json_put(&section, "asymmetric", json_pack("[b]", 0));
    return section;
}

/* What the job wants of a node, NULL: nothing. The profile would have layers with weights on integers, but for those
 * that the job keeps in float. */
static const char *wanted_type(const struct horizon *h, size_t n)
{
    const struct node *node = &h->plan->graph->nodes[n];

    if (horizon_is_listed(horizon_setting(h, "int16_nodes"), node->name))
        return "int16";
    if (horizon_is_listed(horizon_setting(h, "float16_nodes"), node->name))
        return "float16";
    return (node->op == OP_CONV || node->op == OP_DENSE) && !h->plan->nodes[n].is_quantized ? "float32" : NULL;
}

static json_t *node_config(const struct horizon *h)
{
    json_t *nodes = json_object();

    for (size_t i = 0; i < h->plan->graph->n_nodes; i++)
        if (wanted_type(h, i) != NULL)
            json_put(&nodes, h->plan->graph->nodes[i].name, json_pack("{s:s}", "qtype", wanted_type(h, i)));
    return nodes;
}

int horizon_write_quant_config(const struct horizon *h, struct error *err)
{
    json_t *nodes = node_config(h);
    json_t *root = json_pack("{s:{s:s, s:o}}", "model_config", "all_node_type", horizon_setting(h, "all_node_type"),
                             "activation", activation(h->info));

    if (nodes == NULL || json_object_size(nodes) > 0)
        json_put(&root, "node_config", nodes);
    else
        json_decref(nodes);
    return json_file_write(root, h->output, HORIZON, "quant_config.json", err);
}
