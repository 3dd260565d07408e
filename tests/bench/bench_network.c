/* bench_network.c — a network of networks.h as an ONNX file, and records for it, for benchmarks of the program itself.
 *
 *   bench_network NAME FOLDER RECORDS     writes FOLDER/NAME.onnx and FOLDER/records.bin, floats
 */
#include "formats/exporter.h"

#include "networks.h"

#include <stdio.h>
#include <stdlib.h>

static int write_records(const struct graph *graph, uint64_t n, struct output *output, struct error *err)
{
    size_t row = (size_t)shape_elements(&graph->values[graph->inputs[0]].shape);
    float *records = memory_create(n * row, sizeof *records, "records", err);
    int rc = -1;

    for (uint64_t r = 0; records != NULL && r < n; r++)
        network_draw_input(r + 1, records + r * row, row);
    if (records != NULL)
        rc = output_write(output, "records.bin", records, n * row * sizeof *records, true, err);
    free(records);
    return rc;
}

int main(int argc, char **argv)
{
    const struct network *network = argc == 4 ? network_find(argv[1]) : NULL;
    struct error err = {0};
    struct graph *graph;
    struct output *output;
    int rc;

    if (network == NULL) {
        fprintf(stderr, "usage: bench_network squeezenet|resnet50|mobilenet|residual FOLDER RECORDS\n");
        return EX_USAGE;
    }
    graph = network->build(&err);
    output = graph == NULL ? NULL : output_open(argv[2], &err);
    rc = output == NULL ? -1 : exporter_find("onnx")->write(graph, network->name, output, &err);
    if (rc == 0)
        rc = write_records(graph, strtoull(argv[3], NULL, 10), output, &err);
    if (rc != 0)
        fprintf(stderr, "bench_network: %s\n", err.text);
    output_close(output);
    graph_destroy(graph);
    return rc == 0 ? 0 : err.code;
}
