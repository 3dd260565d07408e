/* bench_import.c — how long the import of a large model takes, in passes of SHA-256 over the same warm file, and how
 * much memory it needs at its peak, in sizes of that file. Files of dense layers, 4096 x 4096 each, are written to the
 * current folder first and removed again.
 *
 *   bench_import [LAYERS]        64 MiB a layer; default 8
 */
#include "common/bytes.h"
#include "common/memory.h"
#include "common/output.h"
#include "formats/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 4096, WEIGHT_BYTES = WIDTH * WIDTH * 4 };

/* A protobuf message in the making; what is too large for it follows as weights. */
struct message {
    unsigned char bytes[1 << 16];
    size_t size;
};

static void add_varint(struct message *m, uint64_t number)
{
    for (; number >= 128; number >>= 7)
        m->bytes[m->size++] = (unsigned char)(number | 128);
    m->bytes[m->size++] = (unsigned char)number;
}

static void add_number(struct message *m, unsigned field, uint64_t number)
{
    add_varint(m, field << 3);
    add_varint(m, number);
}

static void begin_bytes(struct message *m, unsigned field, size_t size)
{
    add_varint(m, field << 3 | 2);
    add_varint(m, size);
}

static void add_bytes(struct message *m, unsigned field, const void *bytes, size_t size)
{
    begin_bytes(m, field, size);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void add_text(struct message *m, unsigned field, const char *text)
{
    add_bytes(m, field, text, strlen(text));
}

static void add_message(struct message *m, unsigned field, const struct message *part)
{
    add_bytes(m, field, part->bytes, part->size);
}

static void must_write(FILE *file, const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, file) != size) {
        perror("fwrite");
        exit(EXIT_FAILURE);
    }
}

static FILE *must_open(const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return file;
}

static void must_close(FILE *file)
{
    if (fclose(file) != 0) {
        perror("fclose");
        exit(EXIT_FAILURE);
    }
}

static struct message value_info(const char *name)
{
    struct message info = {0}, type = {0}, tensor = {0}, shape = {0}, dim = {0};

    add_number(&dim, 1, 1);
    add_message(&shape, 1, &dim);
    dim.size = 0;
    add_number(&dim, 1, WIDTH);
    add_message(&shape, 1, &dim);
    add_number(&tensor, 1, 1); /* float32 */
    add_message(&tensor, 2, &shape);
    add_message(&type, 1, &tensor);
    add_text(&info, 1, name);
    add_message(&info, 2, &type);
    return info;
}

/* ModelProto: ir_version 1, graph 7, opset_import 8. GraphProto: node 1, initializer 5, input 11, output 12. */
static void write_onnx(const char *path, int layers, const float *weights)
{
    struct message nodes = {0}, tensor = {0}, head = {0}, opset = {0}, part;
    FILE *file = must_open(path);
    unsigned char *digit;
    char name[32];

    for (int i = 0; i < layers; i++) {
        part = (struct message){0};
        for (int j = 0; j < 3; j++) { /* input y<i>, input w<i>, output y<i+1> */
            snprintf(name, sizeof name, "%s%d", j == 1 ? "w" : "y", j == 2 ? i + 1 : i);
            add_text(&part, j == 2 ? 2 : 1, name);
        }
        add_text(&part, 4, "MatMul");
        add_message(&nodes, 1, &part);
    }
    part = value_info("y0");
    add_message(&nodes, 11, &part);
    snprintf(name, sizeof name, "y%d", layers);
    part = value_info(name);
    add_message(&nodes, 12, &part);

    add_number(&tensor, 1, WIDTH);
    add_number(&tensor, 1, WIDTH);
    add_number(&tensor, 2, 1);
    add_text(&tensor, 8, "w0");
    digit = &tensor.bytes[tensor.size - 1];
    begin_bytes(&tensor, 9, WEIGHT_BYTES);
    part = (struct message){0};
    begin_bytes(&part, 5, tensor.size + WEIGHT_BYTES);

    add_number(&opset, 2, 13);
    add_number(&head, 1, 7);
    add_message(&head, 8, &opset);
    begin_bytes(&head, 7, nodes.size + (size_t)layers * (part.size + tensor.size + WEIGHT_BYTES));
    must_write(file, head.bytes, head.size);
    must_write(file, nodes.bytes, nodes.size);
    for (int i = 0; i < layers; i++) {
        *digit = (unsigned char)('0' + i);
        must_write(file, part.bytes, part.size);
        must_write(file, tensor.bytes, tensor.size);
        must_write(file, weights, WEIGHT_BYTES);
    }
    must_close(file);
}

/* NetParameter: layer 100. LayerParameter: name 1, blobs 7. BlobProto: data 5 (packed), shape 7 { dim 1 }. */
static void write_caffe(const char *prototxt, const char *caffemodel, int layers, const float *weights)
{
    FILE *text = must_open(prototxt), *file = must_open(caffemodel);

    fprintf(text, "input: \"y0\" input_shape { dim: 1 dim: %d }\n", WIDTH);
    for (int i = 0; i < layers; i++) {
        struct message shape = {0}, blob = {0}, layer = {0}, head = {0};
        char name[32];

        snprintf(name, sizeof name, "w%d", i);
        fprintf(text,
                "layer { name: \"%s\" type: \"InnerProduct\" bottom: \"y%d\" top: \"y%d\"\n"
                "  inner_product_param { num_output: %d bias_term: false } }\n",
                name, i, i + 1, WIDTH);
        add_number(&shape, 1, WIDTH);
        add_number(&shape, 1, WIDTH);
        add_message(&blob, 7, &shape);
        begin_bytes(&blob, 5, WEIGHT_BYTES);
        add_text(&layer, 1, name);
        begin_bytes(&layer, 7, blob.size + WEIGHT_BYTES);
        begin_bytes(&head, 100, layer.size + blob.size + WEIGHT_BYTES);
        must_write(file, head.bytes, head.size);
        must_write(file, layer.bytes, layer.size);
        must_write(file, blob.bytes, blob.size);
        must_write(file, weights, WEIGHT_BYTES);
    }
    must_close(text);
    must_close(file);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double digest_seconds(const char *path, size_t *size)
{
    struct error err = {0};
    struct bytes file = {0};
    struct sha256 *state = sha256_create(&err);
    char hex[SHA256_HEX_BYTES];
    double start;

    if (state == NULL || bytes_read(path, SIZE_MAX, &file, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    start = seconds();
    sha256_add(state, file.data, file.size);
    sha256_finish(state, hex);
    *size = file.size;
    bytes_free(&file);
    return seconds() - start;
}

static double import_seconds(const char *path, const char *weights)
{
    struct model_request request = {.file = path, .weights = weights};
    struct error err = {0};
    double start = seconds(), spent;
    struct graph *graph = model_import(&request, &err);

    spent = seconds() - start;
    if (graph == NULL) {
        fprintf(stderr, "%s\n", err.text);
        exit(EXIT_FAILURE);
    }
    graph_destroy(graph);
    return spent;
}

/* In processes of their own, so that the peak is this import's; the best of three. */
static void measure(const char *what, const char *path, const char *weights)
{
    double digest = 1e9, import = 1e9, once;
    size_t size = 1;
    struct rusage usage;
    long peak_kb = 0;

    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        int ends[2], status;
        pid_t child;

        once = digest_seconds(weights != NULL ? weights : path, &size);
        digest = once < digest ? once : digest;
        if (pipe(ends) != 0 || (child = fork()) < 0) {
            perror("fork");
            exit(EXIT_FAILURE);
        }
        if (child == 0) {
            once = import_seconds(path, weights);
            _exit(write(ends[1], &once, sizeof once) == (ssize_t)sizeof once ? 0 : 1);
        }
        if (wait4(child, &status, 0, &usage) != child || status != 0 ||
            read(ends[0], &once, sizeof once) != (ssize_t)sizeof once)
            exit(EXIT_FAILURE);
        close(ends[0]);
        close(ends[1]);
        import = once < import ? once : import;
        peak_kb = usage.ru_maxrss;
    }
    printf("%s of %zu MiB: SHA-256 %.3f s, import %.3f s: %.2f passes; peak %.2f times its size\n", what, size >> 20,
           digest, import, import / digest, (double)peak_kb * 1024 / (double)size);
}

int main(int argc, char **argv)
{
    int layers = argc > 1 ? atoi(argv[1]) : 8;
    float *weights = malloc(WEIGHT_BYTES);

    if (weights == NULL || layers < 1 || layers > 9) {
        fprintf(stderr, "usage: bench_import [LAYERS], 1 to 9\n");
        return 64;
    }
    for (size_t i = 0; i < WEIGHT_BYTES / sizeof *weights; i++)
        weights[i] = (float)(i * 2654435761u % 2001) / 1000.0f - 1.0f;
    write_onnx("bench_import.onnx", layers, weights);
    write_caffe("bench_import.prototxt", "bench_import.caffemodel", layers, weights);
    free(weights);
    measure("ONNX", "bench_import.onnx", NULL);
    measure("caffemodel", "bench_import.prototxt", "bench_import.caffemodel");
    unlink("bench_import.onnx");
    unlink("bench_import.prototxt");
    unlink("bench_import.caffemodel");
    return 0;
}
