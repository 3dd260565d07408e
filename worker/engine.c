/* engine.c — compiles a graph into a program of steps, and runs it; see engine.h and engine_private.h. */
#include "worker/engine_private.h"

#include "common/clock.h"
#include "worker/float_mode.h"

#include <stdlib.h>
#include <string.h>

static int build_inputs(struct engine *engine, struct error *err)
{
    const struct graph *graph = engine->graph;

    for (size_t i = 0; i < graph->n_values; i++)
        if (!graph->values[i].is_constant && engine_describe(engine, (int)i, err) != 0)
            return -1;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        int buffer;

        if (engine_write(engine, graph->inputs[i], 1, &buffer, err) != 0)
            return -1;
        engine_touch(engine, buffer, ENGINE_BEFORE);
    }
    return 0;
}

static int build_node(struct engine *engine, const struct node *node, struct error *err)
{
    engine_builder build = engine->is_serial ? engine_build_reference : engine_find_builder(node->op);

    if (build == NULL)
        return error_set(err, EX_UNAVAILABLE, "no kernel for operator %s", op_name(node->op));
    if (node->n_outputs != 1)
        return error_set(err, EX_UNAVAILABLE, "operator %s has %zu outputs, expected 1", op_name(node->op),
                         node->n_outputs);
    for (size_t i = 0; i < node->n_inputs; i++) {
        struct tensor tensor;

        if (graph_constant(engine->graph, node->inputs[i], &tensor) && tensor.dtype != DTYPE_FLOAT32 &&
            !(node->op == OP_GATHER && i == 1))
            return error_set(err, EX_UNAVAILABLE, "constant \"%s\" is %s, expected float32",
                             engine->graph->values[node->inputs[i]].name, dtype_name(tensor.dtype));
    }
    return build(engine, node, err);
}

static int build_program(struct engine *engine, struct error *err)
{
    const struct graph *graph = engine->graph;

    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct node *node = &graph->nodes[i];

        engine->node_steps[i] = engine->n_steps;
        if (build_node(engine, node, err) != 0)
            return error_in(err, "node \"%s\" (%s)", node->name, node->type != NULL ? node->type : op_name(node->op));
    }
    engine->node_steps[graph->n_nodes] = engine->n_steps;
    for (size_t i = 0; i < graph->n_outputs; i++) { /* plain copies of outputs follow the last node */
        int buffer;

        if (engine_read(engine, graph->outputs[i], 1, &buffer, err) != 0)
            return error_in(err, "output \"%s\"", graph->values[graph->outputs[i]].name);
        engine_touch(engine, buffer, ENGINE_FOREVER);
    }
    return 0;
}

/* What an engine is created with beside its graph. */
struct engine_origin {
    bool is_serial;
    struct engine *share;
    const void *given;
    size_t given_bytes;
};

static struct engine *create(const struct graph *graph, size_t batch, const struct engine_origin *origin,
                             struct error *err)
{
    struct engine *engine;
    dnnl_engine_t library;

    if (batch == 0 || batch > INT32_MAX) {
        error_set(err, EX_USAGE, "the engine's batch is %zu, expected at least 1", batch);
        return NULL;
    }
    if (graph->is_unbatched && batch != 1) {
        error_set(err, EX_USAGE, "the graph has no batch axis: the engine's batch is %zu, expected 1", batch);
        return NULL;
    }
    onednn_use_one_thread();
    library = onednn_engine(err);
    engine = library == NULL ? NULL : memory_create(1, sizeof *engine, "an engine", err);
    if (engine == NULL)
        return NULL;
    engine->graph = graph;
    engine->batch = batch;
    engine->is_serial = origin->is_serial;
    engine->share = origin->share;
    engine->given = origin->given;
    engine->given_bytes = origin->given_bytes;
    engine->arena = arena_create(err);
    engine->values = memory_create(graph->n_values, sizeof *engine->values, "the engine's values", err);
    engine->node_steps = memory_create(graph->n_nodes + 1, sizeof *engine->node_steps, "the engine's steps", err);
    if (engine->arena == NULL || engine->values == NULL || engine->node_steps == NULL ||
        onednn_check(dnnl_stream_create(&engine->stream, library, dnnl_stream_default_flags), "create a stream", err) !=
            0 ||
        build_inputs(engine, err) != 0 || build_program(engine, err) != 0 || engine_place(engine, err) != 0) {
        engine_destroy(engine);
        return NULL;
    }
    return engine;
}

struct engine *engine_create(const struct graph *graph, size_t batch, struct engine *share, struct error *err)
{
    return create(graph, batch, &(struct engine_origin){.share = share}, err);
}

struct engine *engine_create_serial(const struct graph *graph, size_t batch, struct error *err)
{
    return create(graph, batch, &(struct engine_origin){.is_serial = true}, err);
}

struct engine *engine_create_with(const struct graph *graph, size_t batch, const void *weights, size_t bytes,
                                  struct error *err)
{
    return create(graph, batch, &(struct engine_origin){.given = weights, .given_bytes = bytes}, err);
}

size_t engine_weights_bytes(const struct engine *engine)
{
    size_t bytes = 0;

    for (size_t i = 0; i < engine->n_weights; i++)
        bytes += engine_weights_place(engine->weights[i].bytes);
    return bytes;
}

void engine_copy_weights(const struct engine *engine, void *memory)
{
    unsigned char *to = memory;

    for (size_t i = 0; i < engine->n_weights; i++) {
        memcpy(to, engine->weights[i].data, engine->weights[i].bytes);
        to += engine_weights_place(engine->weights[i].bytes);
    }
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (size_t i = 0; i < engine->n_steps; i++) {
        const struct engine_step *step = &engine->steps[i];

        for (size_t j = 0; step->args != NULL && step->primitive != NULL && j < step->n_operands; j++)
            dnnl_memory_destroy(step->args[j].memory);
        dnnl_primitive_destroy(step->primitive);
    }
    for (size_t i = 0; i < engine->n_weights; i++)
        if (engine->weights[i].is_owned)
            free(engine->weights[i].data);
    if (engine->stream != NULL)
        dnnl_stream_destroy(engine->stream);
    engine_unmap(engine);
    free(engine->scratchpad);
    free(engine->steps);
    free(engine->buffers);
    free(engine->weights);
    free(engine->values);
    free(engine->node_steps);
    arena_destroy(engine->arena);
    free(engine);
}

static float *form_data(const struct engine *engine, const struct engine_form *form)
{
    return (float *)(void *)(engine->memory + engine->buffers[form->buffer].offset);
}

static int observe(struct engine *engine, int node, int value, size_t n_records, engine_observer observer,
                   void *context, struct error *err)
{
    const struct engine_value *v = &engine->values[value];
    size_t lead = (size_t)v->dims[0] / engine->batch; /* 1 where axis 0 is the batch */
    struct view view = {form_data(engine, &v->forms[0]), n_records * lead, (size_t)v->dims[1],
                        (size_t)(v->dims[2] * v->dims[3]), v->forms[0].block};

    double began;
    int rc;

    if (observer == NULL)
        return 0;
    began = clock_seconds();
    rc = observer(context, node, value, &view, err);
    engine->observe_seconds += clock_seconds() - began;
    return rc;
}

double engine_observe_seconds(const struct engine *engine)
{
    return engine->observe_seconds;
}

uint64_t engine_records_run(const struct engine *engine)
{
    return engine->records_run;
}

static int run_steps(struct engine *engine, size_t from, size_t to, struct error *err)
{
    for (size_t i = from; i < to; i++) {
        const struct engine_step *step = &engine->steps[i];

        if (step->primitive == NULL) {
            if (step->kernel(engine, step, err) != 0)
                return -1;
        } else if (onednn_check(
                       dnnl_primitive_execute(step->primitive, engine->stream, (int)step->n_operands, step->args),
                       "run a primitive", err) != 0) {
            return -1;
        }
    }
    if (!float_mode_is_default())
        return error_set(err, EX_SOFTWARE,
                         "the floating-point mode is not IEEE 754's: denormals are flushed, or "
                         "rounding is not to the nearest");
    return 0;
}

int engine_run(struct engine *engine, const float *const *inputs, size_t n_records, engine_observer observer,
               void *context, struct error *err)
{
    const struct graph *graph = engine->graph;

    if (n_records == 0 || n_records > engine->batch)
        return error_set(err, EX_SOFTWARE, "%zu records for an engine of batch %zu", n_records, engine->batch);
    engine->records_run += n_records;
    onednn_use_one_thread();
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const struct engine_form *form = &engine->values[graph->inputs[i]].forms[0];

        memcpy(form_data(engine, form), inputs[i], engine->buffers[form->buffer].bytes);
    }
    if (run_steps(engine, 0, 0, err) != 0) /* the floating-point mode */
        return -1;
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (observe(engine, GRAPH_NONE, graph->inputs[i], n_records, observer, context, err) != 0)
            return -1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (run_steps(engine, engine->node_steps[i], engine->node_steps[i + 1], err) != 0)
            return error_in(err, "node \"%s\"", graph->nodes[i].name);
        if (observe(engine, (int)i, graph->nodes[i].outputs[0], n_records, observer, context, err) != 0)
            return -1;
    }
    if (run_steps(engine, engine->node_steps[graph->n_nodes], engine->n_steps, err) != 0)
        return -1;
    return onednn_check(dnnl_stream_wait(engine->stream), "wait for the last primitive", err);
}

const float *engine_output(struct engine *engine, size_t output)
{
    const struct engine_value *value = &engine->values[engine->graph->outputs[output]];

    for (size_t i = 0; i < value->n_forms; i++)
        if (onednn_layouts_coincide(value->dims, value->forms[i].block, 1))
            return form_data(engine, &value->forms[i]);
    return NULL; /* not reached: build_program asked for this form */
}

size_t engine_batch(const struct engine *engine)
{
    return engine->batch;
}

size_t engine_memory_bytes(const struct engine *engine)
{
    return engine->memory_bytes + engine->scratchpad_bytes + engine->weights_bytes;
}

const char *engine_isa(void)
{
    return onednn_isa();
}

int engine_pin_isa(const char *isa, struct error *err)
{
    return onednn_pin_isa(isa, err);
}
