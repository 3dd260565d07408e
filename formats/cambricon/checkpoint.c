/* checkpoint.c — the state_dict of a module with the vendor's entries: see cambricon.h.
 *
 * Source: Cambricon/catch, torch_mlu's quantized layers: `scale` is [S of the input, S of the weights]; with one scale
 * an output channel the second is 0 and the scales are in `scale_weight_per_channel`.
 */
#include "formats/cambricon/cambricon.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRIES = 4 }; /* of a layer, besides its weights */

struct checkpoint {
    const struct plan *plan;
    const struct module *module;
    struct arena *arena;
    struct torch_tensor *tensors;
    size_t n;
};

int cambricon_bits(const struct plan *plan)
{
    return plan->profile->weight_limit > 127 ? 16 : 8;
}

/* 1 / step in double, stored as a float. */
static float inverse(float step)
{
    return (float)(1.0 / (double)step);
}

/* <layer>.<what>: n elements in one row. Their memory, zeroed; NULL after a failure. */
static void *put_entry(struct checkpoint *c, const char *layer, const char *what, enum dtype dtype, size_t n,
                       struct error *err)
{
    char *name = arena_format(c->arena, err, "%s.%s", layer, what);
    void *data = arena_create_array(c->arena, n, dtype_size(dtype), err);

    if (name == NULL || data == NULL)
        return NULL;
    c->tensors[c->n++] = (struct torch_tensor){name, {dtype, {1, {(int64_t)n}}, data}};
    return data;
}

static int put_scales(struct checkpoint *c, size_t node, const char *layer, struct error *err)
{
    const struct plan_node *p = &c->plan->nodes[node];
    float *scale = put_entry(c, layer, "scale", DTYPE_FLOAT32, 2, err), *channels;
    int32_t *mode = put_entry(c, layer, "quantized_mode", DTYPE_INT32, 1, err);
    int64_t *by_channel;

    if (scale == NULL || mode == NULL)
        return -1;
    *mode = cambricon_bits(c->plan) == 8 ? 1 : 2;
    scale[0] = inverse(c->plan->values[c->plan->graph->nodes[node].inputs[0]].scale[0]);
    if (p->n_weight_scales == 1) {
        scale[1] = inverse(p->weight_scale[0]);
        return 0;
    }
    by_channel = put_entry(c, layer, "quantized_by_channel", DTYPE_INT64, 1, err);
    channels = put_entry(c, layer, "scale_weight_per_channel", DTYPE_FLOAT32, p->n_weight_scales, err);
    if (by_channel == NULL || channels == NULL)
        return -1;
    *by_channel = 1;
    for (size_t i = 0; i < p->n_weight_scales; i++)
        channels[i] = inverse(p->weight_scale[i]);
    return 0;
}

/* Transposed convolutions are not among the layers that the vendor's tool swaps. */
static bool is_swapped(const struct plan *plan, size_t node)
{
    return plan->nodes[node].n_weight_scales > 0 && plan->graph->nodes[node].op != OP_DECONV;
}

static int collect(struct checkpoint *c, struct error *err)
{
    const struct module *m = c->module;

    c->tensors = arena_create_array(c->arena, m->n_state + MAX_ENTRIES * m->graph->n_nodes, sizeof *c->tensors, err);
    if (c->tensors == NULL)
        return -1;
    if (m->n_state > 0)
        memcpy(c->tensors, m->state, m->n_state * sizeof *c->tensors);
    c->n = m->n_state;
    for (size_t i = 0; i < m->graph->n_nodes; i++)
        if (m->layers[i] != NULL && is_swapped(c->plan, i) && put_scales(c, i, m->layers[i], err) != 0)
            return -1;
    return 0;
}

int cambricon_write_checkpoint(const struct plan *plan, const struct module *m, const char *name, struct output *output,
                               struct error *err)
{
    struct checkpoint c = {.plan = plan, .module = m, .arena = arena_create(err)};
    int rc = c.arena == NULL || collect(&c, err) != 0 ? -1 : torch_write_legacy(c.tensors, c.n, output, name, err);

    arena_destroy(c.arena);
    return rc;
}
