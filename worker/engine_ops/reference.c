/* reference.c — operators the library does not have, or seldom meets: the plain kernels of worker/reference.h. */
#include "worker/engine_private.h"

#include "worker/reference.h"

struct plain_node {
    const struct node *node;
    const float **inputs; /* refreshed at each run */
};

static int run(const struct engine *engine, const struct engine_step *step, struct error *err)
{
    const struct plain_node *plain = step->context;

    for (size_t i = 0; i < plain->node->n_inputs; i++)
        plain->inputs[i] = step->operands[i].data;
    return (engine->is_serial ? reference_run_node_serial : reference_run_node)(
        engine->graph, plain->node, engine->batch, plain->inputs, step->operands[plain->node->n_inputs].data, err);
}

int engine_build_reference(struct engine *engine, const struct node *node, struct error *err)
{
    struct plain_node *plain = arena_create_array(engine->arena, 1, sizeof *plain, err);
    int *buffers = arena_create_array(engine->arena, node->n_inputs, sizeof *buffers, err);
    int output;

    if (plain == NULL || buffers == NULL)
        return -1;
    if (!reference_supports(node->op))
        return error_set(err, EX_UNAVAILABLE, "no kernel for operator %s", op_name(node->op));
    plain->node = node;
    plain->inputs = arena_create_array(engine->arena, node->n_inputs, sizeof *plain->inputs, err);
    if (plain->inputs == NULL)
        return -1;
    for (size_t i = 0; i < node->n_inputs; i++) {
        buffers[i] = GRAPH_NONE; /* absent, or a constant, which the kernel finds by itself */
        if (node->inputs[i] != GRAPH_NONE && !engine->graph->values[node->inputs[i]].is_constant &&
            engine_read(engine, node->inputs[i], 1, &buffers[i], err) != 0)
            return -1;
    }
    if (engine_write(engine, node->outputs[0], 1, &output, err) != 0)
        return -1;
    return engine_add_kernel(engine, run, plain, buffers, node->n_inputs, output, err) == NULL ? -1 : 0;
}
