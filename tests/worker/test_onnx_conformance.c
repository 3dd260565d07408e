/* test_onnx_conformance.c — importer, passes and engine against ONNX's own conformance vectors (Debian:
 * libonnx-testdata), with the tolerance of ONNX's own runner.
 *
 * Etalon knows its weights before it runs, and most cases feed them at run time; a case may also mix the axis that we
 * take for the batch. So each case is tried in up to five ways, from the most to the least like a network: with a batch
 * axis or without, all inputs given at run time or all but the first frozen into the model, and at last all of them
 * frozen, which leaves everything to constant folding. The first way that the importer accepts must give the expected
 * output. A case that no way accepts must be refused with EX_UNAVAILABLE, naming the node (or the input) at fault.
 *
 * ETALON_CASE=name runs one case and prints what each way says.
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

/* |found - expected| <= ABSOLUTE + RELATIVE |expected|: onnx/backend/test/runner's default. */
static const double RELATIVE = 1e-3, ABSOLUTE = 1e-7;

/* Fewer passing cases than this are a step back. */
enum { LEAST_PASSED = 690 };

enum { PATH_BYTES = 512, MAX_BYTES = 1 << 28, MAX_CASES = 2048, NAME_BYTES = 120 };

/* --- ways to run a case --- */

enum frozen { NONE_FROZEN, FIRST_RUNS, ALL_FROZEN };

static const struct way {
    const char *name;
    enum frozen frozen;
    bool is_unbatched;
} ways[] = {
    {"batched", NONE_FROZEN, false},  {"batched, weights frozen", FIRST_RUNS, false},
    {"unbatched", NONE_FROZEN, true}, {"unbatched, weights frozen", FIRST_RUNS, true},
    {"folded", ALL_FROZEN, true},
};

enum { N_WAYS = sizeof ways / sizeof *ways };

enum verdict { PASSED, FAILED, REFUSED };

struct attempt {
    enum verdict verdict;
    struct error err; /* FAILED, REFUSED */
};

/* --- vectors --- */

/* `path`/test_data_set_0/`kind`_`index`.pb, unpacked; NULL when absent, or no tensor. */
static Onnx__TensorProto *read_vector(const char *folder, const char *kind, size_t index)
{
    char path[PATH_BYTES + 64];
    struct bytes file = {0};
    Onnx__TensorProto *tensor;

    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, index);
    if (bytes_read(path, MAX_BYTES, &file, NULL) != 0)
        return NULL;
    tensor = onnx__tensor_proto__unpack(NULL, file.size, file.data);
    bytes_free(&file);
    return tensor;
}

static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 0    ? ldexp(fraction, -24)
                       : exponent == 31 ? (double)(fraction == 0 ? INFINITY : NAN)
                                        : ldexp(fraction + 1024, exponent - 25);

    return bits >> 15 ? -magnitude : magnitude;
}

#define RAW(type) ((const type *)(const void *)tensor->raw_data.data)[i]

/* Element i of a vector as a number; *ok is false for element types that are none. */
static double element(const Onnx__TensorProto *tensor, size_t i, bool *ok)
{
    bool is_raw = tensor->raw_data.len > 0;

    *ok = true;
    switch (tensor->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        return (double)(is_raw ? RAW(float) : tensor->float_data[i]);
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        return is_raw ? RAW(double) : tensor->double_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        return half(is_raw ? RAW(uint16_t) : (uint16_t)tensor->int32_data[i]);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        return is_raw ? RAW(int8_t) : tensor->int32_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        return is_raw ? RAW(uint8_t) : tensor->int32_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        return is_raw ? RAW(int16_t) : tensor->int32_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        return is_raw ? RAW(uint16_t) : tensor->int32_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return is_raw ? RAW(int32_t) : tensor->int32_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        return is_raw ? RAW(uint32_t) : (double)tensor->uint64_data[i];
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return (double)(is_raw ? RAW(int64_t) : tensor->int64_data[i]);
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
        return (double)(is_raw ? RAW(uint64_t) : tensor->uint64_data[i]);
    default:
        *ok = false;
        return 0;
    }
}

static size_t elements_of(const Onnx__TensorProto *tensor)
{
    size_t n = 1;

    for (size_t i = 0; i < tensor->n_dims; i++)
        n *= (size_t)tensor->dims[i];
    return n;
}

/* --- freezing inputs --- */

static bool is_initializer(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return true;
    return false;
}

static bool is_tensor(const Onnx__ValueInfoProto *input)
{
    return input->type != NULL && input->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
}

/* The vectors of inputs become initializers. */
static void freeze_inputs(Onnx__GraphProto *graph, const char *folder, enum frozen frozen)
{
    size_t n_vectors = 0;

    graph->initializer = realloc(graph->initializer, (graph->n_initializer + graph->n_input) * sizeof(void *) + 1);
    assert_non_null(graph->initializer);
    for (size_t i = 0; i < graph->n_input && frozen != NONE_FROZEN; i++) {
        Onnx__TensorProto *tensor;

        if (is_initializer(graph, graph->input[i]->name) || !is_tensor(graph->input[i]))
            continue;
        tensor = n_vectors == 0 && frozen == FIRST_RUNS ? NULL : read_vector(folder, "input", n_vectors);
        n_vectors++;
        if (tensor == NULL)
            continue;
        free(tensor->name);
        tensor->name = strdup(graph->input[i]->name);
        graph->initializer[graph->n_initializer++] = tensor;
    }
}

/* The model with its inputs frozen, as a file of a mkstemps name. */
static bool write_frozen(const char *folder, enum frozen frozen, char *path)
{
    char from[PATH_BYTES + 64];
    struct bytes bytes = {0};
    Onnx__ModelProto *model;
    uint8_t *packed;
    size_t size;
    int fd;

    snprintf(from, sizeof from, "%s/model.onnx", folder);
    assert_int_equal(bytes_read(from, MAX_BYTES, &bytes, NULL), 0);
    model = onnx__model_proto__unpack(NULL, bytes.size, bytes.data);
    bytes_free(&bytes);
    if (model == NULL || model->graph == NULL) {
        if (model != NULL)
            onnx__model_proto__free_unpacked(model, NULL);
        return false;
    }
    freeze_inputs(model->graph, folder, frozen);
    size = onnx__model_proto__get_packed_size(model);
    packed = malloc(size + 1);
    assert_non_null(packed);
    onnx__model_proto__pack(model, packed);
    onnx__model_proto__free_unpacked(model, NULL);
    fd = mkstemps(path, 5);
    assert_true(fd >= 0 && write(fd, packed, size) == (ssize_t)size);
    close(fd);
    free(packed);
    return true;
}

/* --- comparing --- */

/* Cases whose vectors are not what we hold right.
 * - ONNX's script divides by scale x input - 1 in two cases, with the fraction that the output's size has lost;
 *   onnxruntime and PyTorch, whose models we are given, by output - 1.
 * - bfloat16 numbers are stored as the integers of their bits, in vectors of type uint16. */
static bool is_excepted(const char *name)
{
    return strstr(name, "resize_downsample_scales_linear_align_corners") != NULL ||
           strstr(name, "resize_downsample_scales_cubic_align_corners") != NULL || strstr(name, "BFLOAT16") != NULL;
}

static bool is_close(double expected, double found)
{
    return expected == found || (isnan(expected) && isnan(found)) ||
           fabs(expected - found) <= ABSOLUTE + RELATIVE * fabs(expected);
}

/* n numbers of one output against the vector. */
static enum verdict compare(const char *folder, size_t output, const struct tensor *found, size_t n, struct error *err)
{
    Onnx__TensorProto *expected = read_vector(folder, "output", output);
    enum verdict verdict = PASSED;
    bool ok = true;

    if (expected == NULL || elements_of(expected) != n) {
        error_set(err, EX_DATAERR, "output %zu: expected %zu elements, found %zu", output,
                  expected == NULL ? 0 : elements_of(expected), n);
        verdict = FAILED;
    }
    for (size_t i = 0; i < n && verdict == PASSED; i++) {
        double e = element(expected, i, &ok), f = tensor_real(found, i);

        if (!ok || !is_close(e, f)) {
            error_set(err, EX_DATAERR, "output %zu: element %zu of %zu: expected %.9g, found %.9g", output, i, n, e, f);
            verdict = FAILED;
        }
    }
    if (expected != NULL)
        onnx__tensor_proto__free_unpacked(expected, NULL);
    return verdict;
}

/* --- running --- */

/* The inputs that the graph kept, as floats; the first axis of the vectors is our batch, however long it is. */
static bool read_inputs(const char *folder, const struct graph *graph, float **inputs, size_t *batch)
{
    *batch = 0;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        Onnx__TensorProto *tensor = read_vector(folder, "input", i); /* frozen ones come last */
        size_t record = (size_t)shape_elements(&graph->values[graph->inputs[i]].shape), n;
        bool ok = tensor != NULL;

        n = ok ? elements_of(tensor) : 0;
        inputs[i] = malloc(n * sizeof(float) + 1);
        for (size_t j = 0; j < n && ok; j++)
            inputs[i][j] = (float)element(tensor, j, &ok);
        if (tensor != NULL)
            onnx__tensor_proto__free_unpacked(tensor, NULL);
        if (!ok || n == 0 || n % record != 0 || (*batch != 0 && n / record != *batch))
            return false;
        *batch = n / record;
    }
    return graph->n_inputs > 0;
}

static enum verdict run_engine(const char *folder, const struct graph *graph, struct error *err)
{
    float *inputs[MODEL_MAX_INPUTS] = {NULL};
    enum verdict verdict = PASSED;
    struct engine *engine = NULL;
    size_t batch = 0;

    if (graph->n_inputs > MODEL_MAX_INPUTS || !read_inputs(folder, graph, inputs, &batch)) {
        error_set(err, EX_UNAVAILABLE, "the vectors are no batch of records");
        verdict = REFUSED;
    }
    if (verdict == PASSED && (engine = engine_create(graph, batch, NULL, err)) == NULL)
        verdict = REFUSED;
    if (verdict == PASSED && engine_run(engine, (const float *const *)inputs, batch, NULL, NULL, err) != 0)
        verdict = FAILED;
    for (size_t i = 0; i < graph->n_outputs && verdict == PASSED; i++) {
        const struct shape *shape = &graph->values[graph->outputs[i]].shape;
        struct tensor found = {DTYPE_FLOAT32, *shape, engine_output(engine, i)};

        verdict = compare(folder, i, &found, batch * (size_t)shape_elements(shape), err);
    }
    engine_destroy(engine);
    for (size_t i = 0; i < MODEL_MAX_INPUTS; i++)
        free(inputs[i]);
    return verdict;
}

static enum verdict run_way(const char *folder, const struct way *way, const char *path, struct error *err)
{
    struct model_request request = {.file = path, .is_unbatched = way->is_unbatched};
    enum verdict verdict = REFUSED;
    struct graph *graph;

    if (way->frozen != ALL_FROZEN) {
        graph = model_import(&request, err);
        if (graph != NULL && graph_normalise(graph, err) == 0)
            verdict = run_engine(folder, graph, err);
        graph_destroy(graph);
        return verdict;
    }
    graph = graph_create(NULL, err); /* what depends on no input is no network: the importer alone folds it */
    for (size_t i = 0; importers[i] != NULL; i++)
        if (strcmp(importers[i]->name, "onnx") == 0 && importers[i]->import(&request, graph, err) == 0)
            verdict = PASSED;
    for (size_t i = 0; i < graph->n_outputs && verdict == PASSED; i++) {
        struct tensor found;

        if (graph_constant(graph, graph->outputs[i], &found))
            verdict = compare(folder, i, &found, (size_t)shape_elements(&found.shape), err);
        else
            verdict = REFUSED;
    }
    graph_destroy(graph);
    return verdict;
}

/* --- the cases --- */

static struct {
    size_t n, n_passed, n_by[N_WAYS];
    struct {
        char name[NAME_BYTES];
        struct attempt attempt;
    } not_passed[MAX_CASES];
} results;

static void try_case(const char *folder, const char *name)
{
    struct attempt attempt = {.verdict = REFUSED};
    bool is_only = getenv("ETALON_CASE") != NULL;

    for (size_t i = 0; i < N_WAYS && attempt.verdict == REFUSED; i++) {
        char path[] = "/tmp/etalon-conformance-XXXXXX.onnx";

        attempt.err = (struct error){0};
        if (!write_frozen(folder, ways[i].frozen, path))
            return;
        attempt.verdict = run_way(folder, &ways[i], path, &attempt.err);
        unlink(path);
        if (is_only)
            print_message("%s: %s: %s\n", name, ways[i].name, attempt.verdict == PASSED ? "passed" : attempt.err.text);
        if (attempt.verdict == PASSED)
            results.n_by[i]++;
    }
    if (attempt.verdict == PASSED) {
        results.n_passed++;
    } else if (results.n - results.n_passed < MAX_CASES) {
        snprintf(results.not_passed[results.n - results.n_passed].name, NAME_BYTES, "%s", name);
        results.not_passed[results.n - results.n_passed].attempt = attempt;
    }
    results.n++;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    const char *only = getenv("ETALON_CASE"), *name;
    char folder[PATH_BYTES];

    (void)info;
    if (kind != FTW_F || strcmp(path + where->base, "model.onnx") != 0)
        return 0;
    snprintf(folder, sizeof folder, "%.*s", where->base - 1, path);
    name = strrchr(folder, '/') + 1;
    if (!is_excepted(name) && (only == NULL || strcmp(only, name) == 0))
        try_case(folder, name);
    return 0;
}

/* Names the operator's node, or the input or initializer that we cannot take. */
static bool is_a_named_refusal(const struct error *err)
{
    return err->code == EX_UNAVAILABLE &&
           (strstr(err->text, "node \"") != NULL || strstr(err->text, "put \"") != NULL ||
            strstr(err->text, "initializer \"") != NULL || strstr(err->text, "opset") ||
            strstr(err->text, "domain \""));
}

static void every_case_passes_or_is_refused_by_name(void **state)
{
    size_t n_failed = 0, n_unnamed = 0, n_not_passed;

    (void)state;
    if (access(VECTORS, R_OK) != 0)
        skip();
    log_set_level(LOG_QUIET); /* every batch that is not 1 would be a warning */
    assert_int_equal(nftw(VECTORS, visit, 16, FTW_PHYS), 0);
    n_not_passed = results.n - results.n_passed;
    for (size_t i = 0; i < n_not_passed; i++) {
        const struct attempt *attempt = &results.not_passed[i].attempt;
        bool is_failure = attempt->verdict == FAILED, is_unnamed = !is_failure && !is_a_named_refusal(&attempt->err);

        n_failed += is_failure;
        n_unnamed += is_unnamed;
        print_message("%s %s: %d: %s\n",
                      is_failure   ? "failed"
                      : is_unnamed ? "unnamed"
                                   : "unsupported",
                      results.not_passed[i].name, attempt->err.code, attempt->err.text);
    }
    print_message("%zu cases: %zu passed (", results.n, results.n_passed);
    for (size_t i = 0; i < N_WAYS; i++)
        print_message("%s%s %zu", i > 0 ? "; " : "", ways[i].name, results.n_by[i]);
    print_message("), %zu failed, %zu unsupported\n", n_failed, n_not_passed - n_failed);
    if (getenv("ETALON_CASE") != NULL)
        return;
    assert_int_equal(n_failed, 0);
    assert_int_equal(n_unnamed, 0);
    assert_true(results.n_passed >= LEAST_PASSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_passes_or_is_refused_by_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
