/* export.c — the exporter onnx: <base>.onnx, the float graph at opset 13. */
#include "formats/exporter.h"
#include "formats/onnx/write.h"

#include <stdlib.h>

static int write(const struct graph *graph, const char *base, struct output *output, struct error *err)
{
    uint8_t *bytes;
    size_t size;
    int rc;

    if (onnx_write_graph(graph, &bytes, &size, err) != 0)
        return error_in(err, "onnx");
    rc = exporter_write_file(output, base, ".onnx", bytes, size, err);
    free(bytes);
    return rc;
}

const struct exporter exporter_onnx = {
    .name = "onnx",
    .summary = "ONNX, opset 13: <name>.onnx",
    .takes_batch = true,
    .write = write,
};
