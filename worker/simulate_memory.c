/* simulate_memory.c — where simulated values lie; see simulate_private.h.
 *
 * By liveness: a slot is taken when a value is born and freed after its last use.
 */
#include "worker/simulate_private.h"

#include "common/memory.h"

#include <limits.h>

static const size_t NO_SLOT = (size_t)-1;

static bool is_activation_value(const struct graph *g, int value)
{
    return value != GRAPH_NONE && !g->values[value].is_constant;
}

enum { SLACK = 256 }; /* bytes that kernels may read behind a value: whole vectors, see int_gemm.h, simulate_image.c */

static int take_slot(struct simulator *s, int value, struct error *err)
{
    size_t item = sim_is_coded(s->plan, value) ? sim_code_bytes(s->values[value].codes) : sizeof(float);
    size_t bytes = s->values[value].elements * s->batch * item + SLACK;
    size_t best = NO_SLOT;

    for (size_t i = 0; i < s->n_slots; i++) /* the free slot that needs to grow least, or wastes least */
        if (s->slots[i].is_free &&
            (best == NO_SLOT ||
             (s->slots[best].bytes < bytes ? s->slots[i].bytes > s->slots[best].bytes
                                           : s->slots[i].bytes >= bytes && s->slots[i].bytes < s->slots[best].bytes)))
            best = i;
    if (best == NO_SLOT) {
        best = s->n_slots;
        if (memory_grow((void **)&s->slots, &s->slots_capacity, s->n_slots, sizeof *s->slots, "slots", err) != 0)
            return -1;
        s->n_slots++;
    }
    if (s->slots[best].bytes < bytes)
        s->slots[best].bytes = bytes; /* memory is made once all sizes are known */
    s->slots[best].is_free = false;
    s->values[value].slot = best;
    return 0;
}

static void find_last_uses(struct simulator *s)
{
    const struct graph *g = s->plan->graph;

    for (size_t n = 0; n < g->n_nodes; n++)
        for (size_t i = 0; sim_runs(s, n) && i < g->nodes[n].n_inputs; i++)
            if (is_activation_value(g, g->nodes[n].inputs[i]))
                s->values[g->nodes[n].inputs[i]].last_use = (int)n;
    for (size_t i = 0; s->part == NULL && i < g->n_outputs; i++)
        s->values[g->outputs[i]].last_use = INT_MAX;
}

void sim_release_after(struct simulator *s, int n, bool planning)
{
    const struct graph *g = s->plan->graph;
    const struct node *node = &g->nodes[n];

    for (size_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
        int v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];

        if (!is_activation_value(g, v) || s->values[v].last_use > n)
            continue;
        if (planning)
            s->slots[s->values[v].slot].is_free = true;
        s->values[v].is_alive = false;
    }
}

/* What must be there before node `n` runs, and what it makes. A part is given what it does not make. */
static int take_slots(struct simulator *s, size_t n, struct error *err)
{
    const struct node *node = &s->plan->graph->nodes[n];

    for (size_t i = 0; i < node->n_inputs + node->n_outputs; i++) {
        int v = i < node->n_inputs ? node->inputs[i] : node->outputs[i - node->n_inputs];

        if (is_activation_value(s->plan->graph, v) && s->values[v].slot == NO_SLOT && take_slot(s, v, err) != 0)
            return -1;
    }
    return 0;
}

/* Floats of one record that must be made before node `n` can compute on reals. */
static size_t scratch_elements(const struct simulator *s, size_t n)
{
    const struct node *node = &s->plan->graph->nodes[n];
    size_t elements = 0;

    for (size_t i = 0; i < node->n_inputs && !sim_conv_applies(s->plan, (int)n); i++) {
        int v = node->inputs[i];

        if (is_activation_value(s->plan->graph, v) && (sim_reads_codes(s, (int)n, v) || s->values[v].is_last))
            elements += s->values[v].elements;
    }
    return elements;
}

static void set_geometry(struct sim_value *v, const struct graph *graph, int value)
{
    const struct shape *shape = &graph->values[value].shape;

    v->elements = (size_t)shape_elements(shape);
    v->images = shape->rank > 1 ? (size_t)shape->dims[0] : 1;
    v->channels = shape->rank > 1 ? (size_t)shape->dims[1] : v->elements;
    v->pixels = v->elements / v->images / v->channels;
}

/* What convolutions make has its channels last, and so has what is made of it in this order. */
static bool becomes_last(const struct simulator *s, int n)
{
    const struct node *node = &s->plan->graph->nodes[n];

    if (sim_keeps_order(s->plan, s->values, n))
        return sim_order_is_last(s->plan, s->values, n);
    return sim_conv_applies(s->plan, n) && node->op != OP_DENSE && !sim_has_one_order(&s->values[node->outputs[0]]);
}

int sim_plan_memory(struct simulator *s, struct error *err)
{
    const struct graph *g = s->plan->graph;
    size_t largest = 0, inputs = 0, scratch = 0, channels = 0;

    for (size_t v = 0; v < g->n_values; v++) {
        s->values[v].slot = NO_SLOT;
        s->values[v].last_use = -1;
        if (!is_activation_value(g, (int)v))
            continue;
        set_geometry(&s->values[v], g, (int)v);
        s->values[v].codes = sim_codes_of(&s->plan->values[v]);
    }
    find_last_uses(s);
    for (size_t i = 0; i < g->n_inputs; i++)
        if ((s->part == NULL || s->values[g->inputs[i]].last_use >= 0) && take_slot(s, g->inputs[i], err) != 0)
            return -1;
    for (size_t n = 0; n < g->n_nodes; n++) {
        s->values[g->nodes[n].outputs[0]].is_last = becomes_last(s, (int)n);
        if (!sim_runs(s, n))
            continue;
        if (take_slots(s, n, err) != 0)
            return -1;
        inputs = g->nodes[n].n_inputs > inputs ? g->nodes[n].n_inputs : inputs;
        scratch = scratch_elements(s, n) > scratch ? scratch_elements(s, n) : scratch;
        sim_release_after(s, (int)n, true);
    }
    for (size_t v = 0; v < g->n_values; v++) {
        if (s->values[v].slot == NO_SLOT)
            continue;
        largest = s->values[v].elements > largest ? s->values[v].elements : largest;
        channels = s->values[v].channels > channels ? s->values[v].channels : channels;
    }
    for (size_t i = 0; i < s->n_slots; i++)
        if ((s->slots[i].memory = memory_create(s->slots[i].bytes, 1, "simulated activations", err)) == NULL)
            return -1;
    s->inputs = memory_create(inputs, sizeof *s->inputs, "scratch", err);
    s->scratch = memory_create(scratch * s->batch, sizeof *s->scratch, "scratch", err);
    s->result = memory_create(largest * s->batch, sizeof *s->result, "scratch", err);
    s->view = memory_create(largest * s->batch, sizeof *s->view, "scratch", err);
    s->sums = memory_create(channels, sizeof *s->sums, "scratch", err);
    if (s->inputs == NULL || s->scratch == NULL || s->result == NULL || s->view == NULL || s->sums == NULL)
        return -1;
    if (s->plan->profile->keeps_reals)
        s->codes = memory_create(largest * s->batch + SLACK, sizeof(int16_t), "codes", err);
    return s->plan->profile->keeps_reals && s->codes == NULL ? -1 : 0;
}

int sim_round_constants(struct simulator *s, struct error *err)
{
    const struct graph *g = s->plan->graph;

    s->halves = memory_create(g->n_values, sizeof *s->halves, "constants", err);
    for (size_t n = 0; s->halves != NULL && s->plan->profile->float_type == FLOAT_TYPE_FP16 && n < g->n_nodes; n++)
        for (size_t i = 0; sim_runs(s, n) && i < g->nodes[n].n_inputs && !sim_conv_applies(s->plan, (int)n); i++) {
            int v = g->nodes[n].inputs[i];
            size_t elements;

            if (v == GRAPH_NONE || !g->values[v].is_constant || g->values[v].dtype != DTYPE_FLOAT32 ||
                s->halves[v] != NULL)
                continue;
            elements = (size_t)shape_elements(&g->values[v].shape);
            if ((s->halves[v] = memory_create(elements, sizeof(float), "a constant", err)) == NULL)
                return -1;
            sim_store_reals(s->plan->profile, g->values[v].data, elements, s->halves[v]);
        }
    return s->halves == NULL ? -1 : 0;
}
