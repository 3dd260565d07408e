/* bench_import.c — how long import and export of a large model take, in passes of SHA-256 over the same warm file, and
 * how much memory they need at their peak, in sizes of that file. Networks of dense layers or matrix products, 4096 x
 * 4096 each, are written to the current folder by each exporter first, read by its importer, and removed again.
 *
 *   bench_import [LAYERS]        64 MiB a layer; default 8
 */
#include "common/bytes.h"
#include "common/memory.h"
#include "common/output.h"
#include "formats/exporter.h"
#include "formats/model.h"
#include "formats/torch/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 4096, MAX_LAYERS = 9 }; /* a protobuf file holds 2 GiB, and this is to be quick */

static const char folder[] = "bench_import.tmp";

/* A file format, and the operator that the network is made of. */
static const struct row {
    const char *what, *exporter;
    enum op op;
    const char *file, *weights; /* the large one is the last */
    bool is_checkpoint;         /* the weights are written by themselves, over those of the model */
} rows[] = {
    {"ONNX, Gemm", "onnx", OP_DENSE, "m.onnx", NULL, false},
    {"ONNX, MatMul", "onnx", OP_MATMUL, "m.onnx", NULL, false},
    {"GraphDef, MatMul", "tensorflow", OP_DENSE, "m.pb", NULL, false},
    {"caffemodel", "caffe", OP_DENSE, "m.prototxt", "m.caffemodel", false},
    {"tnnmodel", "tnn", OP_DENSE, "m.tnnproto", "m.tnnmodel", false},
    {"prototxt with .pth", "caffe", OP_DENSE, "m.prototxt", "m.pth", true},
};

static void must(bool is_true, const struct error *err)
{
    if (is_true)
        return;
    fprintf(stderr, "bench_import: %s\n", err->text);
    exit(EXIT_FAILURE);
}

/* y<i> to y<i + 1> by the weights w<i>, which all are the same. */
static struct graph *build(enum op op, int layers)
{
    struct error err = {0};
    struct graph *graph = graph_create("bench", &err);
    struct shape row = {2, {1, WIDTH}};
    struct tensor weights = {DTYPE_FLOAT32, {2, {WIDTH, WIDTH}}, NULL};
    float *data;
    int x;

    must(graph != NULL, &err);
    x = graph_add_value(graph, "y0", DTYPE_FLOAT32, &row, &err);
    must(x >= 0 && graph_add_input(graph, x, &err) >= 0, &err);
    for (int i = 0; i < layers; i++) {
        char name[3][32];
        int inputs[2] = {x}, y;

        snprintf(name[0], sizeof name[0], "fc%d", i);
        snprintf(name[1], sizeof name[1], "fc%d.weight", i);
        snprintf(name[2], sizeof name[2], "y%d", i + 1);
        weights.data = data = arena_create_array(graph->arena, (size_t)WIDTH * WIDTH, sizeof *data, &err);
        must(data != NULL, &err);
        for (size_t k = 0; k < (size_t)WIDTH * WIDTH; k++)
            data[k] = (float)(k * 2654435761u % 2001) / 1000.0f - 1.0f;
        inputs[1] = graph_add_constant(graph, name[1], &weights, &err);
        y = graph_add_value(graph, name[2], DTYPE_FLOAT32, &row, &err);
        must(inputs[1] >= 0 && y >= 0 && graph_add_node(graph, op, name[0], op_name(op), inputs, 2, &y, 1, &err) >= 0,
             &err);
        x = y;
    }
    must(graph_add_output(graph, x, &err) >= 0, &err);
    return graph;
}

/* Of this thread: others use the machine too. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const char *path_of(const char *name)
{
    static char paths[2][64];
    static int i;

    i = !i;
    snprintf(paths[i], sizeof paths[i], "%s/%s", folder, name);
    return paths[i];
}

static double digest_seconds(const char *path, size_t *size)
{
    struct error err = {0};
    struct bytes file = {0};
    char hex[SHA256_HEX_BYTES];
    double start;

    must(bytes_read(path, SIZE_MAX, &file, &err) == 0, &err);
    start = seconds();
    sha256_bytes(file.data, file.size, hex);
    *size = file.size;
    bytes_free(&file);
    return seconds() - start;
}

static void export_checkpoint(const struct graph *graph, struct output *output)
{
    struct torch_tensor tensors[MAX_LAYERS];
    struct error err = {0};
    size_t n = 0;

    for (size_t i = 0; i < graph->n_nodes; i++, n++) {
        tensors[n].name = graph->values[graph->nodes[i].inputs[1]].name;
        must(graph_constant(graph, graph->nodes[i].inputs[1], &tensors[n].tensor), &err);
    }
    must(torch_write_legacy(tensors, n, output, "m.pth", &err) == 0, &err);
}

static double export_seconds(const struct row *row, int layers)
{
    struct graph *graph = build(row->op, layers);
    struct error err = {0};
    struct output *output = output_open(folder, &err);
    double start = seconds();

    must(output != NULL, &err);
    must(exporter_find(row->exporter)->write(graph, "m", output, &err) == 0, &err);
    if (row->is_checkpoint)
        export_checkpoint(graph, output);
    output_close(output);
    return seconds() - start;
}

static double import_seconds(const struct row *row, int layers)
{
    struct model_request request = {.file = path_of(row->file),
                                    .weights = row->weights == NULL ? NULL : path_of(row->weights)};
    struct error err = {0};
    double start = seconds();

    (void)layers;
    must(model_import(&request, &err) != NULL, &err);
    return seconds() - start;
}

/* In a process of its own, so that the peak is its own. */
static double measure(double (*work)(const struct row *, int), const struct row *row, int layers, double *peak_bytes)
{
    int ends[2], status;
    struct rusage usage;
    double spent = 0;
    pid_t child;

    fflush(stdout);
    if (pipe(ends) != 0 || (child = fork()) < 0) {
        perror("bench_import");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        spent = work(row, layers);
        _exit(write(ends[1], &spent, sizeof spent) == (ssize_t)sizeof spent ? 0 : 1);
    }
    if (wait4(child, &status, 0, &usage) != child || status != 0 ||
        read(ends[0], &spent, sizeof spent) != (ssize_t)sizeof spent)
        exit(EXIT_FAILURE);
    close(ends[0]);
    close(ends[1]);
    *peak_bytes = (double)usage.ru_maxrss * 1024;
    return spent;
}

static void measure_row(const struct row *row, int layers)
{
    const char *large = row->weights == NULL ? row->file : row->weights;
    double digest = 1e9, import = 1e9, export, export_peak, import_peak = 0;
    size_t size = 1;

    export = measure(export_seconds, row, layers, &export_peak);
    for (int i = 0; i < 3; i++) { /* the best of three */
        double d = digest_seconds(path_of(large), &size), once = measure(import_seconds, row, layers, &import_peak);

        digest = d < digest ? d : digest;
        import = once < import ? once : import;
    }
    printf("| %s | %zu | %.2f | %.2f | %.2f | %.2f |\n", row->what, size >> 20, import / digest,
           import_peak / (double)size, export / digest, export_peak / (double)size);
    unlink(path_of(row->file));
    if (row->weights != NULL)
        unlink(path_of(row->weights));
    unlink(path_of("m.caffemodel"));
}

int main(int argc, char **argv)
{
    int layers = argc > 1 ? atoi(argv[1]) : 8;

    if (layers < 1 || layers > MAX_LAYERS) {
        fprintf(stderr, "usage: bench_import [LAYERS], 1 to %d\n", MAX_LAYERS);
        return 64;
    }
    printf("| file | MiB | import: passes | peak, sizes | export: passes | peak, sizes, with the network |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        measure_row(&rows[i], layers);
    rmdir(folder);
    return 0;
}
