/* describe.c — the JSON files beside a quantized graph; see ascend.h.
 *
 * The map has the form that the vendor's comparison tool reads (the family of its compiler's graph dump): a node
 * without the attribute of original names was called the same before, one with an empty list was not there. */
#include "formats/ascend/ascend.h"

#include "formats/exporter.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Takes `root`, which is NULL where memory ended. */
static int write_json(json_t *root, struct output *output, const char *base, const char *ending, struct error *err)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    int rc = text == NULL ? error_set(err, EX_OSERR, "cannot allocate memory for %s%s", base, ending)
                          : exporter_write_file(output, base, ending, text, strlen(text), err);

    free(text);
    json_decref(root);
    return rc;
}

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

        if (text[0] == '^')
            json_array_append_new(inputs, json_sprintf("%s:-1", text + 1));
        else
            json_array_append_new(inputs, strchr(text, ':') != NULL ? json_string(text) : json_sprintf("%s:0", text));
    }
    return inputs;
}

/* The only entry of a node's attributes, or none. */
static json_t *list_originals(const Tensorflow__NodeDef *node)
{
    if (!is_inserted(node->op))
        return json_array();
    return json_pack("[{s:s,s:{s:{}}}]", "key", "_datadump_original_op_names", "value", "list");
}

/* What AscendDequant gives is what the layer gave. */
static json_t *list_outputs(const Tensorflow__NodeDef *node)
{
    char *layer;
    json_t *outputs;

    if (strcmp(node->op, "AscendDequant") != 0)
        return json_array();
    layer = node->input[0];
    outputs = json_pack("[{s:s,s:[{s:s,s:{s:s}},{s:s,s:{s:i}},{s:s,s:{s:s}}]}]", "dtype", "DT_FLOAT", "attr", "key",
                        "_datadump_origin_name", "value", "s", layer, "key", "_datadump_origin_output_index", "value",
                        "i", 0, "key", "_datadump_origin_format", "value", "s", "NHWC");
    return outputs;
}

int ascend_write_map(const struct tf_writer *w, struct output *output, const char *base, struct error *err)
{
    json_t *ops = json_array();

    for (size_t i = 0; i < w->n_nodes; i++) {
        const Tensorflow__NodeDef *node = w->nodes[i];
        json_t *op =
            json_pack("{s:s,s:s,s:I,s:o,s:o,s:o}", "name", node->name, "type", node->op, "id", (json_int_t)i, "input",
                      list_inputs(node), "attr", list_originals(node), "output_desc", list_outputs(node));

        if (op == NULL || json_array_append_new(ops, op) != 0)
            return error_set(err, EX_OSERR, "cannot allocate memory for %s_quant.json", base);
    }
    return write_json(json_pack("{s:[{s:s,s:o}]}", "graph", "name", "graph", "op", ops), output, base, "_quant.json",
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

    if (layer == NULL || object == NULL)
        return object;
    json_object_set_new(object, "activation_quant_params",
                        json_pack("{s:i,s:s,s:b,s:f,s:f,s:[f,f],s:f}", "num_bits", 8, "act_algo", "ifmr", "asymmetric",
                                  layer->offset_d != 0, "max_percentile", 0.999999, "min_percentile", 0.999999,
                                  "search_range", 0.7, 1.3, "search_step", 0.01));
    if (kind->weights != ASCEND_NO_WEIGHTS)
        json_object_set_new(object, "weight_quant_params",
                            json_pack("{s:i,s:s,s:b}", "num_bits", 8, "wts_algo", "arq_quantize", "channel_wise",
                                      kind->n_along > 0 && layer->n_scale_w > 1));
    return object;
}

int ascend_write_config(const struct tf_writer *w, const Ascend__ScaleOffsetRecord *record, struct output *output,
                        const char *name, struct error *err)
{
    bool is_affine = false;
    json_t *root;
    size_t at = 0;

    for (size_t i = 0; i < record->n_record; i++)
        is_affine = is_affine || record->record[i]->value->offset_d != 0;
    root = json_pack("{s:i,s:i,s:b,s:b,s:b,s:[]}", "version", 1, "batch_num", 1, "activation_offset", is_affine,
                     "joint_quant", false, "do_fusion", true, "skip_fusion_layers");
    for (size_t i = 0; root != NULL && i < w->n_nodes; i++) {
        const Tensorflow__NodeDef *node = w->nodes[i];

        if (ascend_operator_find(node->op) != NULL &&
            json_object_set_new(root, node->name, describe_layer(node, find_layer(record, &at, node->name))) != 0) {
            json_decref(root);
            root = NULL;
        }
    }
    return write_json(root, output, name, "", err);
}
