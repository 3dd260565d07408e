/* import.c — TNN: a tnnproto and a tnnmodel, version 1 or 2, float or quantized, into a graph.
 *
 * Of a quantized model the weights are read back as floats; the scales of its blobs become given thresholds.
 */
#include "formats/tnn/import.h"
#include "formats/tnn/tnn.h"

#include "common/log.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static const char proto_suffix[] = ".tnnproto", model_suffix[] = ".tnnmodel";

static bool ends_with(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);

    return length >= tail && strcmp(path + length - tail, suffix) == 0;
}

static int recognise(const char *path, const struct bytes *file)
{
    return tnn_proto_recognise(file) ? 2 : ends_with(path, proto_suffix);
}

/* v1: name and dimensions. v2: name, their number, dimensions, data type. */
static int read_input(const struct tnn_proto *proto, const struct tnn_record *record, struct shape *shape,
                      struct error *err)
{
    bool is_v2 = proto->magic == TNN_MAGIC_V2;
    size_t first = is_v2 ? 2 : 1;
    int64_t rank = (int64_t)record->n - 1, dtype = TNN_FLOAT32;

    if (is_v2 && (record->n < 3 || !tnn_parse_integer(record->tokens[1], &rank) ||
                  !tnn_parse_integer(record->tokens[record->n - 1], &dtype)))
        return error_set(err, EX_DATAERR, "expected a number of dimensions, these, and a data type");
    if (rank < 1 || rank > TENSOR_MAX_RANK || first + (size_t)rank > record->n)
        return error_set(err, EX_DATAERR, "expected 1 to %d dimensions, found %lld in %zu tokens", TENSOR_MAX_RANK,
                         (long long)rank, record->n);
    if (dtype != TNN_FLOAT32)
        return error_set(err, EX_UNAVAILABLE, "expected float data (0), found data type %lld", (long long)dtype);
    shape->rank = (size_t)rank;
    for (size_t i = 0; i < shape->rank; i++)
        if (!tnn_parse_integer(record->tokens[first + i], &shape->dims[i]))
            return error_set(err, EX_DATAERR, "expected a dimension, found \"%s\"", record->tokens[first + i]);
    return 0;
}

static int import_input(struct tnn_import *in, const struct tnn_record *record, struct error *err)
{
    const char *name = record->tokens[0];
    struct shape shape = {0};
    int value;

    if (read_input(in->proto, record, &shape, err) != 0)
        return error_in(err, "input \"%s\"", name);
    for (size_t i = 0; i < in->request->n_inputs; i++)
        if (strcmp(in->request->inputs[i].name, name) == 0)
            shape = in->request->inputs[i].shape;
    shape.dims[0] = 1;
    value = graph_add_value(in->graph, name, DTYPE_FLOAT32, &shape, err);
    return value < 0 || graph_add_input(in->graph, value, err) < 0 ? -1 : 0;
}

/* How far the codes of a constant are apart, of which only a matrix product's weights are int8; 1 for others. */
static int constant_step(const struct tnn_import *in, const struct tnn_resource *constant, float *step,
                         struct error *err)
{
    static const char suffix[] = "_dynamic_range_quant_scale";
    size_t length = strlen(constant->name);

    *step = 1;
    if (constant->main.dtype != TNN_INT8)
        return 0;
    for (size_t i = 0; i < in->model->n_constants; i++) {
        const struct tnn_resource *other = &in->model->constants[i];

        if (strncmp(other->name, constant->name, length) != 0 || strcmp(other->name + length, suffix) != 0)
            continue;
        if (tnn_raw_count(&other->main) != 1 || other->main.dtype != TNN_FLOAT32)
            return error_set(err, EX_DATAERR, "its scale \"%s\" is not one number", other->name);
        *step = (float)tnn_raw_real(&other->main, 0);
        return 0;
    }
    return 0;
}

/* Blobs that no layer makes. */
static int import_constant(struct tnn_import *in, const struct tnn_resource *constant, struct error *err)
{
    const struct tnn_layer as_layer = {.type = "constant", .name = constant->name};
    struct tensor tensor = {.dtype = DTYPE_FLOAT32};
    int64_t n = tnn_raw_count(&constant->main);
    float *data, step;

    if (constant_step(in, constant, &step, err) != 0)
        return tnn_error_in(&as_layer, err);
    tensor.shape.rank = constant->main.rank;
    memcpy(tensor.shape.dims, constant->main.dims, sizeof tensor.shape.dims);
    if (constant->main.rank == 0 && n != 1)
        tensor.shape = (struct shape){1, {n}};
    if (n < 0 || shape_elements(&tensor.shape) != n)
        return tnn_error(&as_layer, err, EX_DATAERR, "its %zu bytes of data type %d do not fit its dimensions",
                         constant->main.size, constant->main.dtype);
    data = arena_create_array(in->graph->arena, (size_t)n, sizeof *data, err);
    if (data == NULL)
        return -1;
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)tnn_raw_real(&constant->main, (size_t)i) * step;
    tensor.data = data;
    return graph_add_constant(in->graph, constant->name, &tensor, err) < 0 ? -1 : 0;
}

static int import_layer(struct tnn_import *in, const struct tnn_layer *layer, struct error *err)
{
    const struct tnn_kind *kind = tnn_kind_find(layer->type);

    if (kind == NULL)
        return tnn_error(layer, err, EX_UNAVAILABLE,
                         "the tnn importer does not know this type of layer: choose model.outputs above it, or add it "
                         "to formats/tnn/layers.c");
    if (layer->params.n < kind->min_params)
        return tnn_error(layer, err, EX_DATAERR, "expected at least %zu parameters, found %zu", kind->min_params,
                         layer->params.n);
    return kind->build(in, layer, kind->variant, err);
}

/* Layers that requested outputs do not need may be of unknown types: reading stops when all of them are there. */
static bool has_all_outputs(const struct tnn_import *in)
{
    for (size_t i = 0; i < in->request->n_outputs; i++)
        if (graph_find_value(in->graph, in->request->outputs[i]) == GRAPH_NONE)
            return false;
    return in->request->n_outputs > 0;
}

static int import_outputs(struct tnn_import *in, struct error *err)
{
    size_t n = in->request->n_outputs > 0 ? in->request->n_outputs : in->proto->outputs.n;
    const char *const *names = in->request->n_outputs > 0 ? in->request->outputs : in->proto->outputs.tokens;

    for (size_t i = 0; i < n; i++) {
        int value = graph_find_value(in->graph, names[i]);

        if (value == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "the output \"%s\" is made by no layer", names[i]);
        if (graph_add_output(in->graph, value, err) < 0)
            return -1;
    }
    return n > 0 ? 0 : error_set(err, EX_DATAERR, "the network names no outputs");
}

/* One scale or one a channel, of 127 codes on either side of zero and one more on the negative. */
static int give_coding(struct tnn_import *in, struct value *value, const struct tnn_resource *resource,
                       struct error *err)
{
    int64_t n = tnn_raw_count(&resource->scale);
    int64_t channels = value->shape.rank > 1 ? value->shape.dims[1] : 1;
    struct coding *coding;
    float *scale;

    if (n != 1 && n != channels)
        return error_set(err, EX_DATAERR, "blob \"%s\": expected a scale, or one for each of %lld channels, found %lld",
                         value->name, (long long)channels, (long long)n);
    coding = arena_create_array(in->graph->arena, 1, sizeof *coding, err);
    scale = coding == NULL ? NULL : arena_create_array(in->graph->arena, (size_t)n, sizeof *scale, err);
    if (scale == NULL)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        scale[i] = (float)tnn_raw_real(&resource->scale, (size_t)i);
        if (!(scale[i] >= 0) || isinf(scale[i] * TNN_CODES))
            return error_set(err, EX_DATAERR, "blob \"%s\": its scale %lld is %g", value->name, (long long)i,
                             (double)scale[i]);
    }
    *coding =
        (struct coding){.codes = {-TNN_CODES - 1, TNN_CODES, 0}, .n_scales = (size_t)n, .axis = 1, .scale = scale};
    value->coding = coding;
    return 0;
}

/* An inner product flattens by itself what here is flattened before it, and takes the first scale for all of it. */
static int scale_flattened(struct graph *graph, const struct node *dense, struct error *err)
{
    struct value *flat = &graph->values[dense->inputs[0]];
    const struct coding *coding;
    struct coding *first;

    if (flat->producer == GRAPH_NONE || graph->nodes[flat->producer].op != OP_RESHAPE || flat->coding != NULL)
        return 0;
    coding = graph->values[graph->nodes[flat->producer].inputs[0]].coding;
    if (coding == NULL)
        return 0;
    first = arena_create_array(graph->arena, 1, sizeof *first, err);
    if (first == NULL)
        return -1;
    *first = *coding;
    first->n_scales = 1;
    flat->coding = first;
    return 0;
}

/* Pads that a convolution has no room for are a layer in front of it, and only its result has a scale. To code before
 * zeros are put around is the same. */
static void scale_padded(struct graph *graph, const struct node *pad)
{
    struct value *x = &graph->values[pad->inputs[0]], *padded = &graph->values[pad->outputs[0]];

    if (pad->attr.pad.mode != PAD_CONSTANT || pad->attr.pad.value != 0 || x->coding != NULL || padded->coding == NULL ||
        padded->coding->n_scales != 1 || graph_count_consumers(graph, pad->inputs[0]) != 1)
        return;
    x->coding = padded->coding;
    padded->coding = NULL;
}

static int hand_scales_on(struct tnn_import *in, struct error *err)
{
    for (size_t n = 0; n < in->graph->n_nodes; n++) {
        const struct node *node = &in->graph->nodes[n];

        if (node->op == OP_DENSE && scale_flattened(in->graph, node, err) != 0)
            return -1;
        if (node->op == OP_PAD)
            scale_padded(in->graph, node);
    }
    return 0;
}

static bool is_symmetric(const struct tnn_resource *resource)
{
    for (int64_t i = 0; i < tnn_raw_count(&resource->zero_point); i++)
        if (tnn_raw_integer(&resource->zero_point, (size_t)i) != 0)
            return false;
    return true;
}

/* The scales of a quantized model stay with the values; of asymmetric ones, which only TNN's reference
 * device honours, there are none. */
static int import_scales(struct tnn_import *in, struct error *err)
{
    const size_t suffix = strlen(TNN_SCALE_SUFFIX);
    size_t n_asymmetric = 0;

    for (size_t i = 0; i < in->model->n_resources; i++) {
        const struct tnn_resource *resource = &in->model->resources[i];
        size_t length = strlen(resource->name);
        char *blob;
        int value;

        if (strcmp(resource->type, "BlobScale") != 0 || length <= suffix ||
            !ends_with(resource->name, TNN_SCALE_SUFFIX))
            continue;
        blob = arena_format(in->graph->arena, err, "%.*s", (int)(length - suffix), resource->name);
        if (blob == NULL)
            return -1;
        value = graph_find_value(in->graph, blob);
        if (value == GRAPH_NONE || in->graph->values[value].is_constant)
            continue; /* of a blob that was fused away, or that is not needed */
        if (!is_symmetric(resource))
            n_asymmetric++;
        else if (give_coding(in, &in->graph->values[value], resource, err) != 0)
            return -1;
    }
    if (n_asymmetric > 0)
        log_warning("%s: the scales of %zu blobs have zero points and are not taken over", in->request->weights,
                    n_asymmetric);
    return 0;
}

static int import_network(struct tnn_import *in, struct error *err)
{
    for (size_t i = 0; i < in->proto->n_inputs; i++)
        if (import_input(in, &in->proto->inputs[i], err) != 0)
            return -1;
    for (size_t i = 0; i < in->model->n_constants; i++)
        if (import_constant(in, &in->model->constants[i], err) != 0)
            return -1;
    for (size_t i = 0; i < in->proto->n_layers && !has_all_outputs(in); i++)
        if (import_layer(in, &in->proto->layers[i], err) != 0)
            return -1;
    if (import_scales(in, err) != 0 || hand_scales_on(in, err) != 0)
        return -1;
    return import_outputs(in, err);
}

static int read_weights(const char *path, struct arena *scratch, struct bytes *file, struct tnn_model *model,
                        struct error *err)
{
    if (bytes_read(path, MODEL_MAX_BYTES, file, err) != 0)
        return -1; /* the message starts with the path */
    return tnn_model_read(file, scratch, model, err) == 0 ? 0 : error_in(err, "%s", path);
}

/* The weights that the request names, or those that lie beside the proto under the same name. */
static const char *weights_path(const struct model_request *request, struct arena *scratch, struct error *err)
{
    size_t stem = strlen(request->file) - (sizeof proto_suffix - 1);
    char *path;

    if (request->weights != NULL)
        return request->weights;
    if (ends_with(request->file, proto_suffix)) {
        path = arena_format(scratch, err, "%.*s%s", (int)stem, request->file, model_suffix);
        if (path == NULL || access(path, F_OK) == 0)
            return path;
    }
    error_set(err, EX_CONFIG, "%s: no weights are given: name the .tnnmodel under model.weights", request->file);
    return NULL;
}

static int import_files(const struct model_request *request, const struct bytes *text, struct arena *scratch,
                        struct graph *graph, struct error *err)
{
    struct model_request resolved = *request;
    struct bytes weights = {0};
    struct tnn_proto proto;
    struct tnn_model model;
    struct tnn_import in = {&resolved, graph, &proto, &model, &weights};
    int rc = -1;

    resolved.weights = weights_path(request, scratch, err);
    if (resolved.weights == NULL)
        return -1;
    if (tnn_proto_read(text, scratch, &proto, err) != 0)
        return error_in(err, "%s", request->file);
    if (read_weights(resolved.weights, scratch, &weights, &model, err) == 0)
        rc = import_network(&in, err) == 0 ? 0 : error_in(err, "%s", request->file);
    bytes_free(&weights);
    return rc;
}

static int import(const struct model_request *request, struct graph *graph, struct error *err)
{
    struct arena *scratch = arena_create(err);
    struct bytes text = {0};
    int rc = -1;

    if (scratch != NULL && bytes_read(request->file, MODEL_MAX_BYTES, &text, err) == 0)
        rc = import_files(request, &text, scratch, graph, err);
    bytes_free(&text);
    arena_destroy(scratch);
    return rc;
}

const struct importer importer_tnn = {
    .name = "tnn",
    .summary = "TNN: .tnnproto, with .tnnmodel as weights; float or quantized",
    .recognise = recognise,
    .import = import,
};
