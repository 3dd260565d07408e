/* test_engine_onnx.c — importer, passes and engine against ONNX's own conformance vectors (Debian: libonnx-testdata).
 *
 * Most cases feed weights at run time, which Etalon does not know: every input but the first becomes a constant of the
 * model before it is imported. Cases that are then still not ours (no batch of 1, unknown operators) are refused by the
 * importer with a reason, which tests/formats proves.
 */
#define _GNU_SOURCE /* nftw, mkstemps */

#include "worker/engine.h"

#include "common/log.h"
#include "common/passes.h"
#include "formats/model.h"

#include "../common/build_graph.h"

#include <onnx/onnx.pb-c.h>

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define VECTORS "/usr/share/libonnx-testdata/data"

/* Of the largest magnitude, as in test_engine.c. */
static const double TOLERANCE = 1e-4;

enum { PATH_BYTES = 512, MAX_BYTES = 1 << 28 };

static size_t n_imported, n_compared;

/* `path`/test_data_set_0/`kind`_`index`.pb, unpacked; NULL when absent. */
static Onnx__TensorProto *read_vector(const char *folder, const char *kind, size_t index)
{
    char path[PATH_BYTES];
    struct bytes file = {0};
    Onnx__TensorProto *tensor;

    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, index);
    if (bytes_read(path, MAX_BYTES, &file, NULL) != 0)
        return NULL;
    tensor = onnx__tensor_proto__unpack(NULL, file.size, file.data);
    bytes_free(&file);
    return tensor;
}

/* The floats of a vector and their number; NULL when it holds something else. */
static const float *floats_of(const Onnx__TensorProto *tensor, size_t *n)
{
    if (tensor == NULL || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return NULL;
    *n = tensor->n_float_data > 0 ? tensor->n_float_data : tensor->raw_data.len / sizeof(float);
    return tensor->n_float_data > 0 ? tensor->float_data : (const float *)(const void *)tensor->raw_data.data;
}

static bool is_initializer(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return true;
    return false;
}

/* All but the first input become constants. */
static void freeze_inputs(Onnx__GraphProto *graph, const char *folder)
{
    size_t n_runtime = 0;

    graph->initializer = realloc(graph->initializer, (graph->n_initializer + graph->n_input) * sizeof(void *) + 1);
    assert_non_null(graph->initializer);
    for (size_t i = 0; i < graph->n_input; i++) {
        Onnx__TensorProto *tensor;

        if (is_initializer(graph, graph->input[i]->name))
            continue;
        tensor = n_runtime == 0 ? NULL : read_vector(folder, "input", n_runtime);
        n_runtime++;
        if (tensor == NULL)
            continue;
        free(tensor->name);
        tensor->name = strdup(graph->input[i]->name);
        graph->initializer[graph->n_initializer++] = tensor;
    }
}

static struct graph *import_frozen(const char *folder, const char *file)
{
    char path[] = "/tmp/etalon-conformance-XXXXXX.onnx";
    struct model_request request = {.file = path};
    struct bytes bytes = {0};
    Onnx__ModelProto *model;
    struct graph *graph;
    uint8_t *packed;
    size_t size;
    int fd;

    assert_int_equal(bytes_read(file, MAX_BYTES, &bytes, NULL), 0);
    model = onnx__model_proto__unpack(NULL, bytes.size, bytes.data);
    bytes_free(&bytes);
    if (model == NULL || model->graph == NULL) {
        if (model != NULL)
            onnx__model_proto__free_unpacked(model, NULL);
        return NULL;
    }
    freeze_inputs(model->graph, folder);
    size = onnx__model_proto__get_packed_size(model);
    packed = malloc(size);
    assert_non_null(packed);
    onnx__model_proto__pack(model, packed);
    onnx__model_proto__free_unpacked(model, NULL);
    fd = mkstemps(path, 5);
    assert_true(fd >= 0 && write(fd, packed, size) == (ssize_t)size);
    close(fd);
    free(packed);
    graph = model_import(&request, NULL);
    unlink(path);
    return graph;
}

static void compare(const char *folder, const float *expected, const float *found, size_t n)
{
    double largest = 1e-3;

    for (size_t i = 0; i < n; i++)
        if (isfinite(expected[i]))
            largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(expected[i] == found[i] || (isnan(expected[i]) && isnan(found[i])) ||
              fabs((double)expected[i] - (double)found[i]) <= TOLERANCE * largest))
            fail_msg("%s: element %zu of %zu: expected %.9g, found %.9g", folder, i, n, (double)expected[i],
                     (double)found[i]);
}

/* Output `index` of every record; counts what could be compared. */
static void check_output(const char *folder, const struct graph *graph, struct engine *engine, size_t index)
{
    Onnx__TensorProto *tensor = read_vector(folder, "output", index);
    size_t elements = engine_batch(engine) * (size_t)shape_elements(&graph->values[graph->outputs[index]].shape), n = 0;
    const float *expected = floats_of(tensor, &n);

    if (expected != NULL) {
        assert_int_equal(n, elements);
        compare(folder, expected, engine_output(engine, index), elements);
        n_compared++;
    }
    if (tensor != NULL)
        onnx__tensor_proto__free_unpacked(tensor, NULL);
}

/* The first axis of the vectors is our batch, however long it is. */
static void run_case(const char *folder, const struct graph *graph)
{
    size_t elements = (size_t)shape_elements(&graph->values[graph->inputs[0]].shape), n = 0;
    Onnx__TensorProto *tensor = read_vector(folder, "input", 0);
    const float *x = floats_of(tensor, &n);

    if (x != NULL && n % elements == 0) {
        struct error err = {0};
        struct engine *engine = engine_create(graph, n / elements, NULL, &err);

        if (engine == NULL)
            fail_msg("%s: %s", folder, err.text);
        assert_succeeds(engine_run(engine, &x, n / elements, NULL, NULL, &err), err);
        for (size_t i = 0; i < graph->n_outputs; i++)
            check_output(folder, graph, engine, i);
        engine_destroy(engine);
    }
    if (tensor != NULL)
        onnx__tensor_proto__free_unpacked(tensor, NULL);
}

/* ONNX's script divides by scale x input - 1 there, with the fraction that the output's size has lost; onnxruntime and
 * PyTorch, whose models we are given, by output - 1. */
static bool is_excepted(const char *folder)
{
    return strstr(folder, "resize_downsample_scales_linear_align_corners") != NULL ||
           strstr(folder, "resize_downsample_scales_cubic_align_corners") != NULL;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    char folder[PATH_BYTES];
    struct graph *graph;

    (void)info;
    if (kind != FTW_F || strcmp(path + where->base, "model.onnx") != 0)
        return 0;
    snprintf(folder, sizeof folder, "%.*s", where->base - 1, path);
    graph = import_frozen(folder, path);
    if (graph != NULL && !is_excepted(folder) && graph->n_inputs == 1 && graph_normalise(graph, NULL) == 0) {
        n_imported++;
        run_case(folder, graph);
    }
    graph_destroy(graph);
    return 0;
}

static void the_conformance_vectors_come_out(void **state)
{
    (void)state;
    if (access(VECTORS, R_OK) != 0)
        skip();
    log_set_level(LOG_QUIET); /* every batch that is not 1 would be a warning */
    assert_int_equal(nftw(VECTORS, visit, 16, FTW_PHYS), 0);
    print_message("%zu cases imported, %zu outputs compared\n", n_imported, n_compared);
    assert_true(n_compared >= 280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_conformance_vectors_come_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
