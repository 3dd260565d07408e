/* test_engine_tensorflow.c — importer, passes and engine against graphs that TensorFlow made and ran.
 *
 * tests/golden/make_tensorflow.py says what tensorflow.bin holds, and makes it. A network is run as it was imported and
 * as the passes left it; how many transposes and nodes are left then is part of the expectation.
 */
#define _GNU_SOURCE /* mkstemps */

#include "worker/engine.h"

#include "common/log.h"
#include "common/passes.h"
#include "formats/model.h"

#include "../common/build_graph.h"

#include <tensorflow.pb-c.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* Of the largest magnitude, as in test_engine.c. */
static const double TOLERANCE = 1e-4;

enum { MAX_BYTES = 1 << 22 };

struct golden {
    char name[64];
    long transposes, nodes; /* after the passes; nodes -1: any number */
    size_t size;
    const uint8_t *data;
    Tensorflow__GraphDef *proto;
};

/* 1: *out is the next entry; 0: there is none. */
static int next_entry(const struct bytes *file, size_t *at, struct golden *out)
{
    char line[128] = "";
    size_t length = 0;

    if (*at == file->size)
        return 0;
    while (*at < file->size && file->data[*at] != '\n' && length + 1 < sizeof line)
        line[length++] = (char)file->data[(*at)++];
    assert_int_equal(sscanf(line, "%63s %ld %ld %zu", out->name, &out->transposes, &out->nodes, &out->size), 4);
    out->data = file->data + ++*at;
    assert_true(out->size <= file->size - *at);
    *at += out->size;
    out->proto = tensorflow__graph_def__unpack(NULL, out->size, out->data);
    assert_non_null(out->proto);
    return 1;
}

/* The float32 values kept under golden/KIND/NAME. */
static const float *values_of(const struct golden *golden, const char *kind, const char *name, size_t n)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "golden/%s/%s", kind, name);
    for (size_t i = 0; i < golden->proto->n_node; i++) {
        const Tensorflow__NodeDef *node = golden->proto->node[i];

        for (size_t k = 0; strcmp(node->name, wanted) == 0 && k < node->n_attr; k++) {
            const Tensorflow__AttrValue *value = node->attr[k]->value;

            if (value->value_case != TENSORFLOW__ATTR_VALUE__VALUE_TENSOR)
                continue;
            if (n == 1 && value->tensor->n_float_val == 1)
                return value->tensor->float_val;
            if (value->tensor->tensor_content.len != n * sizeof(float))
                fail_msg("%s: \"%s\" has %zu elements, TensorFlow's %zu", golden->name, name, n,
                         value->tensor->tensor_content.len / sizeof(float));
            return (const float *)(const void *)value->tensor->tensor_content.data;
        }
    }
    fail_msg("%s: no %s", golden->name, wanted);
    return NULL;
}

static struct graph *import(const struct golden *golden)
{
    char path[] = "/tmp/etalon-golden-XXXXXX.pb";
    struct error err = {0};
    struct graph *graph;
    int fd = mkstemps(path, 3);

    assert_true(fd >= 0 && write(fd, golden->data, golden->size) == (ssize_t)golden->size);
    close(fd);
    graph = model_import(&(struct model_request){.file = path}, &err);
    unlink(path);
    if (graph == NULL)
        fail_msg("%s: %s", golden->name, err.text);
    return graph;
}

static void compare(const struct golden *golden, const char *stage, const float *expected, const float *found, size_t n)
{
    double largest = 1e-3;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)expected[i] - (double)found[i]) <= TOLERANCE * largest))
            fail_msg("%s, %s: element %zu of %zu: expected %.9g, found %.9g", golden->name, stage, i, n,
                     (double)expected[i], (double)found[i]);
}

static void run(const struct golden *golden, const struct graph *graph, const char *stage)
{
    const float *inputs[MODEL_MAX_INPUTS];
    struct error err = {0};
    struct engine *engine = engine_create(graph, 1, NULL, &err);

    if (engine == NULL)
        fail_msg("%s, %s: %s", golden->name, stage, err.text);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const struct value *value = &graph->values[graph->inputs[i]];

        inputs[i] = values_of(golden, "in", value->name, (size_t)shape_elements(&value->shape));
    }
    assert_succeeds(engine_run(engine, inputs, 1, NULL, NULL, &err), err);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const struct value *value = &graph->values[graph->outputs[i]];
        size_t n = (size_t)shape_elements(&value->shape);

        compare(golden, stage, values_of(golden, "out", value->name, n), engine_output(engine, i), n);
    }
    engine_destroy(engine);
}

static void check_nodes(const struct golden *golden, const struct graph *graph)
{
    long transposes = 0;

    for (size_t i = 0; i < graph->n_nodes; i++)
        transposes += graph->nodes[i].op == OP_TRANSPOSE;
    if (transposes != golden->transposes)
        fail_msg("%s: expected %ld transposes to be left, found %ld", golden->name, golden->transposes, transposes);
    if (golden->nodes >= 0 && golden->nodes != (long)graph->n_nodes) {
        graph_print(graph, stderr);
        fail_msg("%s: expected %ld nodes to be left, found %zu", golden->name, golden->nodes, graph->n_nodes);
    }
}

static void networks_compute_what_tensorflow_computed(void **state)
{
    struct golden golden;
    struct bytes file = {0};
    struct error err = {0};
    size_t at = 0, n = 0;

    (void)state;
    log_set_level(LOG_QUIET);
    assert_succeeds(bytes_read(TESTS "/golden/tensorflow.bin", MAX_BYTES, &file, &err), err);
    for (; next_entry(&file, &at, &golden) == 1; n++) {
        struct graph *graph = import(&golden);

        run(&golden, graph, "as imported");
        assert_succeeds(graph_normalise(graph, &err), err);
        run(&golden, graph, "normalised");
        check_nodes(&golden, graph);
        graph_destroy(graph);
        tensorflow__graph_def__free_unpacked(golden.proto, NULL);
    }
    bytes_free(&file);
    print_message("%zu networks\n", n);
    assert_true(n >= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks_compute_what_tensorflow_computed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
