/* describe.c — the JSON files beside a quantized graph; see ascend.h.
 *
 * The map has the form that the vendor's comparison tool reads (the family of its compiler's graph dump): a node
 * without the attribute of original names was called the same before, one with an empty list was not there. */
#include "formats/ascend/ascend.h"

#include "formats/json_text.h"

#include <stdio.h>
#include <string.h>

/* ---- _quant.json ---- */

static bool is_inserted(const char *type)
{
    return strcmp(type, "AscendQuant") == 0 || strcmp(type, "AscendWeightQuant") == 0 ||
           strcmp(type, "AscendDequant") == 0;
}

/* The edges as "node:output", control edges end in ":-1". */
static json_t *list_inputs(const Tensorflow__NodeDef *node)
{
    json_t *inputs = json_array();

    for (size_t i = 0; i < node->n_input; i++) {
        const char *text = node->input[i];
        json_t *name = json_text(text + (text[0] == '^'));

        if (name != NULL && (text[0] == '^' || strchr(text, ':') == NULL)) {
            json_t *plain = name;

            name = json_sprintf("%s:%s", json_string_value(plain), text[0] == '^' ? "-1" : "0");
            json_decref(plain);
        }
        json_append(&inputs, name);
    }
    return inputs;
}

/* The only entry of a node's attributes, or none. */
static json_t *list_originals(const Tensorflow__NodeDef *node)
{
    return !is_inserted(node->op)
               ? json_array()
               : json_pack("[{s:s,s:{s:{}}}]", "key", "_datadump_original_op_names", "value", "list");
}

/* What AscendDequant gives is what the layer gave. */
static json_t *list_outputs(const Tensorflow__NodeDef *node)
{
    return strcmp(node->op, "AscendDequant") != 0
               ? json_array()
               : json_pack("[{s:s,s:[{s:s,s:{s:o}},{s:s,s:{s:i}},{s:s,s:{s:s}}]}]", "dtype", "DT_FLOAT", "attr", "key",
                           "_datadump_origin_name", "value", "s", json_text(node->input[0]), "key",
                           "_datadump_origin_output_index", "value", "i", 0, "key", "_datadump_origin_format", "value",
                           "s", "NHWC");
}

int ascend_write_map(const struct tf_writer *w, struct output *output, const char *folder, const char *model_name,
                     struct error *err)
{
    json_t *ops = json_array();
    char name[512];

    for (size_t i = 0; i < w->n_nodes; i++) {
        const Tensorflow__NodeDef *node = w->nodes[i];

        json_append(&ops, json_pack("{s:o,s:o,s:I,s:o,s:o,s:o}", "name", json_text(node->name), "type",
                                    json_text(node->op), "id", (json_int_t)i, "input", list_inputs(node), "attr",
                                    list_originals(node), "output_desc", list_outputs(node)));
    }
    snprintf(name, sizeof name, "%s_quant.json", model_name);
    return json_file_write(json_pack("{s:[{s:s,s:o}]}", "graph", "name", "graph", "op", ops), output, folder, name,
                           err);
}

/* ---- config.json ---- */

static const Ascend__SingleLayerRecord *find_layer(const Ascend__ScaleOffsetRecord *record, size_t *at,
                                                   const char *name)
{
    /* both go through the file in its order */
    if (*at >= record->n_record || strcmp(record->record[*at]->key, name) != 0)
        return NULL;
    return record->record[(*at)++]->value;
}

static json_t *describe_layer(const Tensorflow__NodeDef *node, const Ascend__SingleLayerRecord *layer)
{
    const struct ascend_operator *kind = ascend_operator_find(node->op);
    json_t *object = json_pack("{s:b}", "quant_enable", layer != NULL);

    if (layer == NULL)
        return object;
    json_put(&object, "activation_quant_params",
             json_pack("{s:i,s:s,s:b,s:f,s:f,s:[f,f],s:f}", "num_bits", 8, "act_algo", "ifmr", "asymmetric",
                       layer->offset_d != 0, "max_percentile", 0.999999, "min_percentile", 0.999999, "search_range",
                       0.7, 1.3, "search_step", 0.01));
    if (kind->weights != ASCEND_NO_WEIGHTS)
        json_put(&object, "weight_quant_params",
                 json_pack("{s:i,s:s,s:b}", "num_bits", 8, "wts_algo", "arq_quantize", "channel_wise",
                           kind->n_along > 0 && layer->n_scale_w > 1));
    return object;
}

int ascend_write_config(const struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, struct output *output,
                        const char *folder, struct error *err)
{
    bool is_affine = false;
    json_t *root;
    size_t at = 0;

    for (size_t i = 0; i < record->n_record; i++)
        is_affine = is_affine || record->record[i]->value->offset_d != 0;
    root = json_pack("{s:i,s:i,s:b,s:b,s:b,s:[]}", "version", 1, "batch_num", 1, "activation_offset", is_affine,
                     "joint_quant", false, "do_fusion", true, "skip_fusion_layers");
    for (size_t i = 0; i < w->n_nodes; i++) {
        const Tensorflow__NodeDef *node = w->nodes[i];

        if (ascend_operator_find(node->op) != NULL)
            json_put(&root, node->name, describe_layer(node, find_layer(record, &at, node->name)));
    }
    return json_file_write(root, output, folder, "config.json", err);
}
