/* describe.c — inputs and outputs of the offline models, for the application that will run them: see cambricon.h. */
#include "common/preprocess_text.h"
#include "formats/cambricon/cambricon.h"
#include "formats/json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* On the device an image is NHWC. */
static json_t *dims_on_device(const struct shape *shape)
{
    json_t *dims = json_array();

    for (size_t i = 0; i < shape->rank; i++) {
        size_t axis = shape->rank != 4 || i == 0 ? i : i == 3 ? 1 : i + 1;

        json_array_append_new(dims, json_integer(shape->dims[axis]));
    }
    return dims;
}

static json_t *list_values(const struct graph *graph, const int *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct value *value = &graph->values[values[i]];

        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:[s,s]}", "name", json_text(value->name), "dims",
                                              dims_on_device(&value->shape), "order",
                                              value->shape.rank == 4 ? "NHWC" : "as the network's", "type",
                                              "FLOAT16 in the fp16 variant", "FLOAT32 in the fp32 variant"));
    }
    return list;
}

static json_t *list_steps(const struct emit_info *info, size_t input)
{
    char *text = NULL;
    size_t size;
    FILE *out = info->preprocess == NULL ? NULL : open_memstream(&text, &size);
    json_t *steps;

    if (out == NULL)
        return json_null();
    preprocess_print_flow(info->preprocess[input], out);
    steps = fclose(out) == 0 ? json_text(text) : json_null();
    free(text);
    return steps;
}

static json_t *describe(const struct plan *plan, const struct emit_info *info, bool has_module, bool has_caffe)
{
    const struct graph *graph = plan->graph;
    json_t *preprocess = json_array();

    for (size_t i = 0; i < graph->n_inputs; i++)
        json_array_append_new(preprocess, list_steps(info, i));
    return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:b, s:b, s:b}", "note",
                     "made by etalon: not the vendor's .cambricon_twins", "target", plan->profile->name, "bits",
                     cambricon_bits(plan), "function", "subnet0", "inputs",
                     list_values(graph, graph->inputs, graph->n_inputs), "outputs",
                     list_values(graph, graph->outputs, graph->n_outputs), "preprocess_on_host", preprocess,
                     "firstconv", 0, "pytorch", has_module, "caffe", has_caffe);
}

int cambricon_write_description(const struct plan *plan, const struct emit_info *info, bool has_module, bool has_caffe,
                                const char *name, struct output *output, struct error *err)
{
    json_t *root = describe(plan, info, has_module, has_caffe);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    int rc = text == NULL ? error_set(err, EX_OSERR, "cannot allocate memory for the description of inputs and outputs")
                          : output_write(output, name, text, strlen(text), true, err);

    free(text);
    json_decref(root);
    return rc;
}
