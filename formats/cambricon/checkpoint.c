/* checkpoint.c — the state_dict of a module with the vendor's entries: see cambricon.h.
 *
 * Source: Cambricon/catch, torch_mlu's quantized layers: `scale` is [S of the input, S of the weights]; with one scale
 * an output channel the second is 0 and the scales are in `scale_weight_per_channel`.
 */
#include "formats/cambricon/cambricon.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ENTRIES = 6 }; /* of a layer, besides its weights */

struct checkpoint {
    const struct cambricon *target;
    const struct module *module;
    struct arena *arena;
    struct torch_tensor *tensors;
    size_t n;
};

static struct shape row(size_t n)
{
    return (struct shape){1, {(int64_t)n}};
}

/* <layer>.<what>. Its memory, zeroed; NULL after a failure. */
static void *put_entry(struct checkpoint *c, const char *layer, const char *what, enum dtype dtype, struct shape shape,
                       struct error *err)
{
    char *name = arena_format(c->arena, err, "%s.%s", layer, what);
    void *data = arena_create_array(c->arena, (size_t)shape_elements(&shape), dtype_size(dtype), err);

    if (name == NULL || data == NULL)
        return NULL;
    c->tensors[c->n++] = (struct torch_tensor){name, {dtype, shape, data}};
    return data;
}

static int put_scales(struct checkpoint *c, size_t node, const char *layer, struct error *err)
{
    const struct plan *plan = c->target->plan;
    const struct plan_node *p = &plan->nodes[node];
    float *scale = put_entry(c, layer, "scale", DTYPE_FLOAT32, row(2), err), *channels;
    int32_t *mode = put_entry(c, layer, "quantized_mode", DTYPE_INT32, row(1), err);
    int64_t *by_channel;

    if (scale == NULL || mode == NULL)
        return -1;
    *mode = c->target->bits == 8 ? 1 : 2;
    scale[0] = cambricon_factor(plan->values[plan->graph->nodes[node].inputs[0]].scale[0]);
    if (p->n_weight_scales == 1) {
        scale[1] = cambricon_factor(p->weight_scale[0]);
        return 0;
    }
    by_channel = put_entry(c, layer, "quantized_by_channel", DTYPE_INT64, row(1), err);
    channels = put_entry(c, layer, "scale_weight_per_channel", DTYPE_FLOAT32, row(p->n_weight_scales), err);
    if (by_channel == NULL || channels == NULL)
        return -1;
    *by_channel = 1;
    for (size_t i = 0; i < p->n_weight_scales; i++)
        channels[i] = cambricon_factor(p->weight_scale[i]);
    return 0;
}

/* Of the first layer: what is subtracted from bytes, and what they are divided by then. */
static int put_firstconv(struct checkpoint *c, const struct firstconv *first, const char *layer, struct error *err)
{
    const struct shape shape = {4, {1, (int64_t)first->channels, 1, 1}};
    float *mean = put_entry(c, layer, "input_mean", DTYPE_FLOAT32, shape, err);
    float *std = mean == NULL ? NULL : put_entry(c, layer, "input_std", DTYPE_FLOAT32, shape, err);

    for (size_t i = 0; std != NULL && i < first->channels; i++) {
        mean[i] = (float)first->pixels.mean[i];
        std[i] = (float)(1 / first->pixels.scale[i]);
    }
    return std == NULL ? -1 : 0;
}

/* Transposed convolutions are not among the layers that the vendor's tool swaps. */
static bool is_swapped(const struct plan *plan, size_t node)
{
    return plan->nodes[node].n_weight_scales > 0 && plan->graph->nodes[node].op != OP_DECONV;
}

static int collect(struct checkpoint *c, struct error *err)
{
    const struct module *m = c->module;
    const struct firstconv *first = c->target->first;

    c->tensors = arena_create_array(c->arena, m->n_state + MAX_ENTRIES * m->graph->n_nodes, sizeof *c->tensors, err);
    if (c->tensors == NULL)
        return -1;
    if (m->n_state > 0)
        memcpy(c->tensors, m->state, m->n_state * sizeof *c->tensors);
    c->n = m->n_state;
    for (size_t i = 0; i < m->graph->n_nodes; i++) {
        if (m->layers[i] != NULL && is_swapped(c->target->plan, i) && put_scales(c, i, m->layers[i], err) != 0)
            return -1;
        if (first != NULL && first->node == i && put_firstconv(c, first, m->layers[i], err) != 0)
            return -1;
    }
    return 0;
}

int cambricon_write_checkpoint(const struct cambricon *target, const struct module *m, struct error *err)
{
    struct checkpoint c = {.target = target, .module = m, .arena = arena_create(err)};
    char name[CAMBRICON_NAME_BYTES + sizeof ".pth"];
    int rc = c.arena == NULL || collect(&c, err) != 0 ? -1 : 0;

    snprintf(name, sizeof name, "%s.pth", target->base);
    if (rc == 0)
        rc = torch_write_legacy(c.tensors, c.n, target->output, name, err);
    arena_destroy(c.arena);
    return rc;
}
