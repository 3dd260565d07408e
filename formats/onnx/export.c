/* export.c — the exporter onnx: <base>.onnx, the float graph at opset 13. */
#include "formats/exporter.h"
#include "formats/onnx/write.h"

static int write(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    struct onnx_writer *writer = onnx_writer_create(graph->name[0] == '\0' ? "graph" : graph->name, err);
    const ProtobufCMessage *model;
    int rc;

    if (writer == NULL)
        return -1;
    onnx_write_graph(writer, graph);
    model = onnx_writer_finish(writer, err);
    rc = model == NULL ? error_in(err, "onnx") : exporter_write_message(output, base, ".onnx", model, err);
    onnx_writer_destroy(writer);
    return rc;
}

const struct exporter exporter_onnx = {
    .name = "onnx",
    .summary = "ONNX, opset 13: <name>.onnx",
    .takes_batch = true,
    .write = write,
};
