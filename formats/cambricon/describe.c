/* describe.c — inputs and outputs of the offline models, for the application that will run them: see cambricon.h. */
#include "common/preprocess_text.h"
#include "common/printed.h"
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

static json_t *describe_value(const struct value *value)
{
    return json_pack("{s:o, s:o, s:s, s:[s,s]}", "name", json_text(value->name), "dims", dims_on_device(&value->shape),
                     "order", value->shape.rank == 4 ? "NHWC" : "as the network's", "type",
                     "FLOAT16 in the fp16 variant", "FLOAT32 in the fp32 variant");
}

static json_t *list_values(const struct graph *graph, const int *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, describe_value(&graph->values[values[i]]));
    return list;
}

/* What the model does to bytes: (byte - mean) / std. */
static void describe_pixels(const struct firstconv *first, json_t *input)
{
    json_t *mean = json_array(), *std = json_array();

    for (size_t i = 0; i < first->channels; i++) {
        json_array_append_new(mean, json_real(first->pixels.mean[i]));
        json_array_append_new(std, json_real(1 / first->pixels.scale[i]));
    }
    json_object_set_new(input, "type", json_pack("[s]", "UINT8"));
    json_object_set_new(input, "channel_order", json_string(firstconv_channel_order(first)));
    json_object_set_new(input, "bytes_per_pixel", json_integer(first->channels == 3 ? 4 : (json_int_t)first->channels));
    json_object_set_new(input, "mean", mean);
    json_object_set_new(input, "std", std);
}

/* A chain without its numbers: those are the model's. */
static struct preprocess_plan leave_bytes(const struct preprocess_plan *chain)
{
    struct preprocess_plan left = {0};

    for (size_t i = 0; i < chain->n_steps; i++)
        if (!pixel_affine_is_number(chain->steps[i].kind))
            left.steps[left.n_steps++] = chain->steps[i];
    return left;
}

static json_t *list_steps(const struct cambricon *c, size_t input)
{
    struct preprocess_plan chain;
    struct printed flow;
    char *text;
    json_t *steps;

    if (c->info->preprocess == NULL || printed_begin(&flow, "io.json", &(struct error){0}) != 0)
        return json_null();
    chain = c->first == NULL ? *c->info->preprocess[input] : leave_bytes(c->info->preprocess[input]);
    preprocess_print_flow(&chain, flow.out);
    text = printed_end(&flow, NULL, &(struct error){0});
    steps = text == NULL ? json_null() : json_text(text);
    free(text);
    return steps;
}

static json_t *describe(const struct cambricon *c)
{
    const struct graph *graph = c->graph;
    json_t *preprocess = json_array(), *inputs = list_values(graph, graph->inputs, graph->n_inputs);

    for (size_t i = 0; i < graph->n_inputs; i++)
        json_array_append_new(preprocess, list_steps(c, i));
    if (c->first != NULL)
        describe_pixels(c->first, json_array_get(inputs, 0));
    return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b}", "note",
                     "made by etalon: not the vendor's .cambricon_twins", "target", c->plan->profile->name, "bits",
                     c->bits, "function", "subnet0", "inputs", inputs, "outputs",
                     list_values(graph, graph->outputs, graph->n_outputs), "preprocess_on_host", preprocess,
                     "firstconv", c->first != NULL, "pytorch", c->has_pytorch, "caffe", c->has_caffe, "tensorflow",
                     c->has_tensorflow);
}

int cambricon_write_description(const struct cambricon *c, struct error *err)
{
    char name[CAMBRICON_NAME_BYTES];
    json_t *root = describe(c);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    int rc = -1;

    snprintf(name, sizeof name, "%s/io.json", c->folder);
    if (text != NULL)
        rc = output_write(c->output, name, text, strlen(text), true, err);
    else
        error_set(err, EX_OSERR, "cannot allocate memory for the description of inputs and outputs");
    free(text);
    json_decref(root);
    return rc;
}
