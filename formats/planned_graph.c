/* planned_graph.c — see planned_graph.h. */
#include "formats/planned_graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS = 1, BIAS = 2, LARGEST_EXACT = 1 << 24 };

/* A constant at the end of the values, where there is room, for the caller to fill. */
static float *add_constant(struct planned_graph *planned, const char *name, const struct shape *shape,
                           struct error *err)
{
    float *data = arena_create_array(planned->arena, (size_t)shape_elements(shape), sizeof *data, err);

    if (data != NULL)
        planned->graph.values[planned->graph.n_values++] = (struct value){.name = name,
                                                                          .dtype = DTYPE_FLOAT32,
                                                                          .shape = *shape,
                                                                          .has_shape = true,
                                                                          .is_constant = true,
                                                                          .data = data,
                                                                          .producer = GRAPH_NONE};
    return data;
}

static int add_weight_codes(struct planned_graph *planned, const struct plan_node *p, struct node *node,
                            struct error *err)
{
    const struct value *weights = &planned->graph.values[node->inputs[WEIGHTS]];
    size_t n = (size_t)shape_elements(&weights->shape);
    float *data = add_constant(planned, weights->name, &weights->shape, err);

    if (data == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        data[i] = (float)p->weight_codes[i];
    node->inputs[WEIGHTS] = (int)planned->graph.n_values - 1;
    return 0;
}

static int add_bias(struct planned_graph *planned, const struct plan_node *p, bool as_codes, struct node *node,
                    struct error *err)
{
    struct shape shape = {1, {planned->graph.values[node->outputs[0]].shape.dims[1]}};
    float *data = add_constant(planned, node->name, &shape, err);

    if (data == NULL)
        return -1;
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        int32_t code = as_codes ? p->bias_codes[i] : 0;

        if (code > LARGEST_EXACT || code < -LARGEST_EXACT)
            return error_set(err, EX_UNAVAILABLE,
                             "node \"%s\": bias code %" PRId32 " of channel %" PRId64 " has more than 24 bits",
                             node->name, code, i);
        data[i] = as_codes ? (float)code : p->bias[i];
    }
    node->inputs[BIAS] = (int)planned->graph.n_values - 1;
    node->n_inputs = BIAS + 1;
    return 0;
}

static int replace_constants(struct planned_graph *planned, const struct plan_node *p, bool weights_too, bool as_codes,
                             struct node *node, struct error *err)
{
    int *inputs = arena_create_array(planned->arena, BIAS + 1, sizeof *inputs, err);

    if (inputs == NULL)
        return -1;
    memcpy(inputs, node->inputs, node->n_inputs * sizeof *inputs);
    node->inputs = inputs;
    if (weights_too && add_weight_codes(planned, p, node, err) != 0)
        return -1;
    return (as_codes ? p->bias_codes != NULL : p->bias != NULL) ? add_bias(planned, p, as_codes, node, err) : 0;
}

int planned_graph_init(struct planned_graph *planned, const struct plan *plan, const bool *codes_of, struct error *err)
{
    const struct graph *from = plan->graph;
    struct value *values;
    struct node *nodes;

    *planned = (struct planned_graph){.graph = *from, .arena = arena_create(err)};
    if (planned->arena == NULL)
        return -1;
    values = arena_create_array(planned->arena, from->n_values + BIAS * from->n_nodes, sizeof *values, err);
    nodes = arena_create_array(planned->arena, from->n_nodes, sizeof *nodes, err);
    if (values == NULL || nodes == NULL)
        return -1;
    planned->graph.values = memcpy(values, from->values, from->n_values * sizeof *values);
    planned->graph.nodes = memcpy(nodes, from->nodes, from->n_nodes * sizeof *nodes);
    for (size_t n = 0; n < from->n_nodes; n++)
        if (plan->nodes[n].is_quantized && plan->nodes[n].n_weight_scales > 0 &&
            replace_constants(planned, &plan->nodes[n], codes_of != NULL && codes_of[n], codes_of != NULL, &nodes[n],
                              err) != 0)
            return -1;
    return 0;
}

void planned_graph_fini(struct planned_graph *planned)
{
    arena_destroy(planned->arena);
}
