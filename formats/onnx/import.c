/* import.c — ONNX models, opsets 6 to 21, into our graph.
 *
 * A file is one serialized ModelProto without magic or length. Source: onnx.proto (IR version 8) and the operator lists
 * of the standard up to opset 21.
 */
#include "formats/onnx/onnx_import.h"

#include "formats/proto_guard.h"
#include "formats/proto_wire.h"

#include <stdlib.h>
#include <string.h>

/* The fields of ModelProto, by number, with the wire type each must have; 0 is also WIRE_VARINT, so +1. */
static const uint8_t model_fields[] = {
    [1] = WIRE_VARINT + 1,  [2] = WIRE_LENGTH + 1,  [3] = WIRE_LENGTH + 1,  [4] = WIRE_LENGTH + 1,
    [5] = WIRE_VARINT + 1,  [6] = WIRE_LENGTH + 1,  [7] = WIRE_LENGTH + 1,  [8] = WIRE_LENGTH + 1,
    [14] = WIRE_LENGTH + 1, [20] = WIRE_LENGTH + 1, [25] = WIRE_LENGTH + 1, [26] = WIRE_LENGTH + 1,
};

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* By content: an ir_version that exists, and nothing but fields of ModelProto as far as the bytes go. */
static int recognise(const char *path, const struct bytes *file)
{
    struct wire wire = {file->data, file->data, file->data + file->size};
    struct wire_field field;
    bool has_version = false;

    while (wire_next(&wire, &field, NULL) == 1) {
        if (field.number >= sizeof model_fields || model_fields[field.number] != field.type + 1)
            return has_suffix(path, ".onnx");
        if (field.number == 1)
            has_version = field.integer >= 1 && field.integer < 1000;
    }
    return has_version ? 2 : has_suffix(path, ".onnx");
}

static int find_opset(const Onnx__ModelProto *model, int64_t *out, struct error *err)
{
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = onnx_text(model->opset_import[i]->domain);

        if (domain[0] != '\0' && strcmp(domain, "ai.onnx") != 0)
            continue;
        *out = model->opset_import[i]->version;
        if (*out < ONNX_OPSET_MIN || *out > ONNX_OPSET_MAX)
            return error_set(err, EX_UNAVAILABLE, "opset %lld: this importer reads opsets %d to %d", (long long)*out,
                             ONNX_OPSET_MIN, ONNX_OPSET_MAX);
        return 0;
    }
    if (model->n_opset_import > 0)
        return error_set(err, EX_UNAVAILABLE, "the model uses only operators of domain \"%s\", not the standard ones",
                         onnx_text(model->opset_import[0]->domain));
    return error_set(err, EX_DATAERR, "the model does not say which opset of the standard operators it uses");
}

static int open_weights(struct onnx_import *in, const struct model_request *request, struct error *err)
{
    if (request->weights == NULL)
        return 0;
    in->weights = torch_weights_open(request->weights, err);
    return in->weights == NULL ? error_in(err, "model.weights") : 0;
}

static int read_model(const struct model_request *request, const struct bytes *file, struct graph *graph,
                      struct error *err)
{
    struct onnx_import in = {.graph = graph,
                             .path = request->file,
                             .file = file,
                             .batch = INT32_MAX,
                             .budget = {.limit = proto_budget(file->size)}};
    Onnx__ModelProto *model;
    int rc = -1;

    if (request->is_unbatched) {
        graph->is_unbatched = true;
        in.batch = 1;
    }
    model = (Onnx__ModelProto *)proto_unpack(&onnx__model_proto__descriptor, file->data, file->size,
                                             proto_budget(file->size), err);
    if (model == NULL)
        return -1;
    if (model->graph == NULL)
        error_set(err, EX_DATAERR, "the model holds no graph");
    else if (find_opset(model, &in.opset, err) == 0 && open_weights(&in, request, err) == 0)
        rc = onnx_read_graph(&in, model->graph, request, err);
    if (rc == 0 && in.weights != NULL && request->n_outputs == 0) /* a part of the network needs a part of them */
        rc = torch_weights_finish(in.weights, err);
    torch_weights_close(in.weights);
    free(in.element_types);
    proto_free_unpacked(&model->base);
    return rc;
}

static int import(const struct model_request *request, struct graph *graph, struct error *err)
{
    struct bytes file;
    int rc;

    if (bytes_read(request->file, MODEL_MAX_BYTES, &file, err) != 0)
        return -1; /* the message starts with the path */
    rc = read_model(request, &file, graph, err);
    bytes_free(&file);
    return rc == 0 ? 0 : error_in(err, "%s", request->file);
}

const struct importer importer_onnx = {
    .name = "onnx",
    .summary = "ONNX models, opsets 6 to 21 (.onnx)",
    .recognise = recognise,
    .import = import,
};
