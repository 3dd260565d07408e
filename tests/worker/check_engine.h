/* check_engine.h — the engine against the plain kernels of worker/reference.h: every value of every record, observed in
 * execution order, within a tolerance.
 */
#ifndef ETALON_TESTS_CHECK_ENGINE_H
#define ETALON_TESTS_CHECK_ENGINE_H

#include "worker/engine.h"
#include "worker/reference.h"

#include "../common/build_graph.h"
#include "../common/draw.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 3 };

static inline float *draw_floats(size_t n)
{
    float *x = malloc(n * sizeof *x + 1);

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)draw_uniform(-2, 2);
    return x;
}

static inline size_t elements_of(const struct graph *graph, int value)
{
    return (size_t)shape_elements(&graph->values[value].shape);
}

struct expectation {
    const struct graph *graph;
    size_t n_records;
    float **values;   /* by value index, NULL for constants */
    double tolerance; /* of the largest magnitude */
    int last_node;    /* the observer's order */
    size_t n_seen;
};

static inline struct expectation expect(const struct graph *graph, const float *const *inputs, size_t n_records,
                                        double tolerance)
{
    struct expectation e = {graph, n_records, calloc(graph->n_values, sizeof *e.values), tolerance, GRAPH_NONE, 0};
    struct error err;

    assert_non_null(e.values);
    for (size_t i = 0; i < graph->n_values; i++)
        if (!graph->values[i].is_constant)
            e.values[i] = draw_floats(n_records * elements_of(graph, (int)i));
    for (size_t i = 0; i < graph->n_inputs; i++)
        memcpy(e.values[graph->inputs[i]], inputs[i], n_records * elements_of(graph, graph->inputs[i]) * sizeof(float));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];
        const float *operands[8];

        assert_true(node->n_inputs <= 8);
        for (size_t j = 0; j < node->n_inputs; j++)
            operands[j] = node->inputs[j] == GRAPH_NONE ? NULL : e.values[node->inputs[j]];
        assert_succeeds(reference_run_node(graph, node, n_records, operands, e.values[node->outputs[0]], &err), err);
    }
    return e;
}

static inline void forget(struct expectation *e)
{
    for (size_t i = 0; i < e->graph->n_values; i++)
        free(e->values[i]);
    free(e->values);
}

static inline void compare(const struct expectation *e, int value, const float *found)
{
    const float *expected = e->values[value];
    size_t n = e->n_records * elements_of(e->graph, value);
    double largest = 1e-3; /* values that small are noise everywhere */

    for (size_t i = 0; i < n; i++)
        if (isfinite(expected[i]))
            largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(expected[i] == found[i] || (isnan(expected[i]) && isnan(found[i])) ||
              fabs((double)expected[i] - (double)found[i]) <= e->tolerance * largest)) {
            char text[SHAPE_TEXT_BYTES];

            fail_msg(
                "value \"%s\" (%s of shape %s), element %zu: expected %.9g, found %.9g", e->graph->values[value].name,
                e->graph->values[value].producer < 0 ? "input"
                                                     : op_name(e->graph->nodes[e->graph->values[value].producer].op),
                shape_text(&e->graph->values[value].shape, text), i, (double)expected[i], (double)found[i]);
        }
}

static inline void check_padding_is_zero(const struct expectation *e, int value, const struct view *view)
{
    size_t blocks = view_blocks(view);

    for (size_t i = 0; i < view_span(view); i++) {
        size_t channel = i / view->block / view->spatial % blocks * view->block + i % view->block;

        if (channel >= view->channels && view->data[i] != 0)
            fail_msg("value \"%s\": padding channel %zu of %zu holds %g", e->graph->values[value].name, channel,
                     view->channels, (double)view->data[i]);
    }
}

static inline int observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct expectation *e = context;
    float *plain;

    (void)err;
    if (node != GRAPH_NONE) {
        assert_int_equal(node, e->last_node + 1);
        assert_int_equal(value, e->graph->nodes[node].outputs[0]);
        e->last_node = node;
    } else {
        assert_int_equal(value, e->graph->inputs[e->n_seen]);
    }
    e->n_seen++;
    assert_int_equal(view->records, e->n_records);
    assert_int_equal(view->records * view->channels * view->spatial, e->n_records * elements_of(e->graph, value));
    check_padding_is_zero(e, value, view);
    plain = draw_floats(e->n_records * elements_of(e->graph, value));
    view_copy_plain(view, plain);
    compare(e, value, plain);
    free(plain);
    return 0;
}

static inline void infer(struct graph *graph)
{
    struct error err;

    assert_succeeds(graph_infer_shapes(graph, &err), err);
    assert_succeeds(graph_validate(graph, &err), err);
}

/* Every value of every record, observed in order, equals the reference; for a full and a short block. Destroys graph.
 */
static inline void check_graph_within(struct graph *graph, double tolerance)
{
    struct engine *engine;
    struct error err = {0};
    float *inputs[4];

    infer(graph);
    assert_true(graph->n_inputs <= 4);
    for (size_t i = 0; i < graph->n_inputs; i++)
        inputs[i] = draw_floats(BATCH * elements_of(graph, graph->inputs[i]));
    engine = engine_create(graph, BATCH, NULL, &err);
    if (engine == NULL)
        fail_msg("%s", err.text);
    for (size_t n_records = BATCH; n_records >= BATCH - 1; n_records--) {
        struct expectation e = expect(graph, (const float *const *)inputs, n_records, tolerance);

        assert_succeeds(engine_run(engine, (const float *const *)inputs, n_records, observe, &e, &err), err);
        assert_int_equal(e.n_seen, graph->n_inputs + graph->n_nodes);
        for (size_t i = 0; i < graph->n_outputs; i++)
            compare(&e, graph->outputs[i], engine_output(engine, i));
        forget(&e);
    }
    engine_destroy(engine);
    for (size_t i = 0; i < graph->n_inputs; i++)
        free(inputs[i]);
    graph_destroy(graph);
}

static inline int add_random(struct graph *graph, struct shape shape)
{
    float *data = draw_floats((size_t)shape_elements(&shape));
    int value = add_floats(graph, shape, data);

    free(data);
    return value;
}

/* A 1x1 convolution, whose output the library likes to keep in blocks of channels. */
static inline int add_blocked(struct graph *graph, int x, int64_t from, int64_t to)
{
    int y = add_node(graph, OP_CONV, NULL, INTS(x, add_random(graph, SHAPE(to, from, 1, 1))));

    last_node(graph)->attr.conv.window = make_window(1, 1, 0);
    last_node(graph)->attr.conv.group = 1;
    return y;
}

#endif
