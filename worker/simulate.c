/* simulate.c — memory and order of the simulated network; see simulate.h.
 *
 * Convolutions and dense layers run on integers (simulate_conv.c). Every other node is what chips and runtimes do too:
 * take the codes' real values, compute in float32 with the plain kernels of reference.h, round to the output's codes.
 * For operators that only move or select codes (max pool, reshape, ReLU with a shared scale) that is exact.
 */
#include "worker/simulate_private.h"

#include "common/memory.h"
#include "worker/metrics.h"
#include "worker/reference.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const size_t NO_SLOT = (size_t)-1;

static bool is_activation_value(const struct graph *g, int value)
{
    return value != GRAPH_NONE && !g->values[value].is_constant;
}

/* ---- memory by liveness: a slot is taken when a value is born and freed after its last use ---- */

static int take_slot(struct simulator *s, int value, struct error *err)
{
    size_t bytes =
        s->values[value].elements * s->batch * (sim_is_coded(s->plan, value) ? sizeof(int16_t) : sizeof(float));
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
        for (size_t i = 0; i < g->nodes[n].n_inputs; i++)
            if (is_activation_value(g, g->nodes[n].inputs[i]))
                s->values[g->nodes[n].inputs[i]].last_use = (int)n;
    for (size_t i = 0; i < g->n_outputs; i++)
        s->values[g->outputs[i]].last_use = INT_MAX;
}

/* Frees the slots of what node `n` read or made for the last time. */
static void release_after(struct simulator *s, int n, bool planning)
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

/* Does node `n` see the codes of a value: those that are kept, or that it makes of reals for itself? */
static bool reads_codes(const struct simulator *s, size_t n, int value)
{
    return sim_plan_value(s, value)->is_quantized && (!s->plan->profile->keeps_reals || s->plan->nodes[n].is_quantized);
}

/* Floats of one record that must be dequantized before node `n` can compute on reals. */
static size_t scratch_elements(const struct simulator *s, size_t n)
{
    const struct node *node = &s->plan->graph->nodes[n];
    size_t elements = 0;

    for (size_t i = 0; i < node->n_inputs && !sim_conv_applies(s->plan, (int)n); i++)
        if (is_activation_value(s->plan->graph, node->inputs[i]) && reads_codes(s, n, node->inputs[i]))
            elements += s->values[node->inputs[i]].elements;
    return elements;
}

static int plan_memory(struct simulator *s, struct error *err)
{
    const struct graph *g = s->plan->graph;
    size_t largest = 0, inputs = 0, scratch = 0;

    for (size_t v = 0; v < g->n_values; v++) {
        s->values[v].slot = NO_SLOT;
        s->values[v].last_use = -1;
        if (!is_activation_value(g, (int)v))
            continue;
        s->values[v].elements = (size_t)shape_elements(&g->values[v].shape);
        largest = s->values[v].elements > largest ? s->values[v].elements : largest;
    }
    find_last_uses(s);
    for (size_t i = 0; i < g->n_inputs; i++)
        if (take_slot(s, g->inputs[i], err) != 0)
            return -1;
    for (size_t n = 0; n < g->n_nodes; n++) {
        for (size_t i = 0; i < g->nodes[n].n_outputs; i++)
            if (take_slot(s, g->nodes[n].outputs[i], err) != 0)
                return -1;
        inputs = g->nodes[n].n_inputs > inputs ? g->nodes[n].n_inputs : inputs;
        scratch = scratch_elements(s, n) > scratch ? scratch_elements(s, n) : scratch;
        release_after(s, (int)n, true);
    }
    for (size_t i = 0; i < s->n_slots; i++)
        if ((s->slots[i].memory = memory_create(s->slots[i].bytes, 1, "simulated activations", err)) == NULL)
            return -1;
    s->inputs = memory_create(inputs, sizeof *s->inputs, "scratch", err);
    s->scratch = memory_create(scratch * s->batch, sizeof *s->scratch, "scratch", err);
    s->result = memory_create(largest * s->batch, sizeof *s->result, "scratch", err);
    s->view = memory_create(largest * s->batch, sizeof *s->view, "scratch", err);
    if (s->inputs == NULL || s->scratch == NULL || s->result == NULL || s->view == NULL)
        return -1;
    if (s->plan->profile->keeps_reals)
        s->codes = memory_create(largest * s->batch, sizeof *s->codes, "codes", err);
    return s->plan->profile->keeps_reals && s->codes == NULL ? -1 : 0;
}

/* The constants that nodes in float read, as half precision has them. */
static int round_constants(struct simulator *s, struct error *err)
{
    const struct graph *g = s->plan->graph;

    s->halves = memory_create(g->n_values, sizeof *s->halves, "constants", err);
    for (size_t n = 0; s->halves != NULL && s->plan->profile->float_type == FLOAT_TYPE_FP16 && n < g->n_nodes; n++)
        for (size_t i = 0; i < g->nodes[n].n_inputs && !sim_conv_applies(s->plan, (int)n); i++) {
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

/* ---- codes and reals ---- */

/* Elements that share a channel's scale lie together: [record][channel][rest]. */
static size_t channel_run(const struct simulator *s, int value)
{
    const struct plan_value *p = sim_plan_value(s, value);

    return s->values[value].elements / p->n_scales;
}

/* zero_point is added to the codes, which are relative to real zero: 0, or what the value hides. */
static void dequantize_value(const struct simulator *s, int value, const int16_t *codes, int zero_point, float *out)
{
    const struct plan_value *p = sim_plan_value(s, value);
    size_t run = channel_run(s, value), runs = s->n_records * p->n_scales;

    for (size_t r = 0; r < runs; r++) {
        float scale = p->scale[r % p->n_scales];

        for (size_t i = r * run; i < (r + 1) * run; i++)
            out[i] = scale * (float)(codes[i] + zero_point);
    }
}

/* Where the value hides its zero point, `reals` are lower by that. */
static void code_value(const struct simulator *s, int value, const float *reals, int16_t *codes)
{
    const struct plan_value *p = sim_plan_value(s, value);
    size_t run = channel_run(s, value);

    for (size_t r = 0; r < s->n_records * p->n_scales; r++) {
        float scale = p->scale[r % p->n_scales];

        sim_value_codes(reals + r * run, run, scale, p, s->plan->profile->activation_rounding, codes + r * run);
    }
}

/* As a node that reads codes finds them; until the next call where reals are kept. */
static const int16_t *codes_of(const struct simulator *s, int value)
{
    if (!s->plan->profile->keeps_reals)
        return sim_data(s, value);
    code_value(s, value, sim_data(s, value), s->codes);
    return s->codes;
}

/* Of a value with one scale. */
static void store_steps(struct simulator *s, int value, const float *steps)
{
    s->values[value].is_alive = true;
    sim_value_codes(steps, s->values[value].elements * s->n_records, 1, sim_plan_value(s, value),
                    s->plan->profile->activation_rounding, sim_data(s, value));
}

static void store_value(struct simulator *s, int value, const float *reals)
{
    size_t elements = s->values[value].elements * s->n_records;

    s->values[value].is_alive = true;
    if (sim_is_coded(s->plan, value))
        code_value(s, value, reals, sim_data(s, value));
    else
        sim_store_reals(s->plan->profile, reals, elements, sim_data(s, value));
}

/* The real values of one input of node `n`, dequantized into *room where needed, which then moves on. */
static const float *real_input(const struct simulator *s, int n, int value, bool is_lowered, float **room)
{
    const struct graph *g = s->plan->graph;
    float *reals = *room;

    if (value == GRAPH_NONE)
        return NULL;
    if (g->values[value].is_constant)
        return s->halves[value] != NULL ? s->halves[value] : g->values[value].data;
    if (!reads_codes(s, (size_t)n, value))
        return sim_data(s, value);
    dequantize_value(s, value, codes_of(s, value), is_lowered ? sim_plan_value(s, value)->codes.zero_point : 0, reals);
    *room += s->values[value].elements * s->n_records;
    return reals;
}

/* One input of a node that adds or joins steps of its output. */
static const float *steps_input(const struct simulator *s, int value, int output, float **room)
{
    float *steps = *room;

    sim_operand_steps(s, value, output, steps);
    *room += s->values[value].elements * s->n_records;
    return steps;
}

static int run_in_float(struct simulator *s, int n, struct error *err)
{
    const struct node *node = &s->plan->graph->nodes[n];
    bool is_lowered = sim_plan_value(s, node->outputs[0])->hides_zero_point; /* then its inputs do as well */
    bool in_steps = sim_operands_apply(s->plan, n);
    float *room = s->scratch;

    for (size_t i = 0; i < node->n_inputs; i++)
        s->inputs[i] = in_steps ? steps_input(s, node->inputs[i], node->outputs[0], &room)
                                : real_input(s, n, node->inputs[i], is_lowered, &room);
    if (reference_run_node(s->plan->graph, node, s->n_records, s->inputs, s->result, err) != 0)
        return -1;
    if (in_steps)
        store_steps(s, node->outputs[0], s->result);
    else
        store_value(s, node->outputs[0], s->result);
    return 0;
}

/* ---- the face of simulate.h ---- */

/* Everything that a step could refuse is refused before the first. */
static int check_nodes(const struct plan *plan, struct error *err)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];

        if (!reference_supports(node->op) || node->n_outputs != 1)
            return error_set(err, EX_UNAVAILABLE,
                             "node \"%s\": the simulator has no kernel for operator %s with %zu outputs", node->name,
                             op_name(node->op), node->n_outputs);
    }
    return 0;
}

struct simulator *simulator_create(const struct plan *plan, size_t batch, struct error *err)
{
    struct simulator *s = memory_create(1, sizeof *s, "a simulator", err);
    const struct graph *g = plan->graph;

    if (s == NULL)
        return NULL;
    s->plan = plan;
    s->batch = batch;
    s->values = memory_create(g->n_values, sizeof *s->values, "a simulator", err);
    s->convs = memory_create(g->n_nodes, sizeof *s->convs, "a simulator", err);
    if (s->values == NULL || s->convs == NULL || check_nodes(plan, err) != 0 || plan_memory(s, err) != 0 ||
        round_constants(s, err) != 0)
        goto fail;
    for (size_t n = 0; n < g->n_nodes; n++)
        if (sim_conv_applies(plan, (int)n) && (s->convs[n] = sim_conv_create(plan, (int)n, err)) == NULL)
            goto fail;
    return s;
fail:
    simulator_destroy(s);
    return NULL;
}

void simulator_destroy(struct simulator *s)
{
    if (s == NULL)
        return;
    for (size_t n = 0; s->convs != NULL && n < s->plan->graph->n_nodes; n++)
        sim_conv_destroy(s->convs[n]);
    for (size_t i = 0; i < s->n_slots; i++)
        free(s->slots[i].memory);
    for (size_t v = 0; s->halves != NULL && v < s->plan->graph->n_values; v++)
        free(s->halves[v]);
    free(s->halves);
    free(s->codes);
    free(s->inputs);
    free(s->scratch);
    free(s->slots);
    free(s->convs);
    free(s->values);
    free(s->result);
    free(s->view);
    free(s);
}

int simulator_begin(struct simulator *s, const float *const *inputs, size_t n_records, struct error *err)
{
    const struct graph *g = s->plan->graph;

    if (n_records == 0 || n_records > s->batch)
        return error_set(err, EX_SOFTWARE, "a simulator for %zu records was given %zu", s->batch, n_records);
    s->n_records = n_records;
    for (size_t i = 0; i < g->n_inputs; i++)
        store_value(s, g->inputs[i], inputs[i]);
    return 0;
}

static void run_conv(struct simulator *s, int n)
{
    const struct node *node = &s->plan->graph->nodes[n];

    sim_conv_run(s->convs[n], codes_of(s, node->inputs[0]), sim_data(s, node->outputs[0]), s->n_records);
}

int simulator_step(struct simulator *s, int n, struct error *err)
{
    const struct node *node = &s->plan->graph->nodes[n];

    if (n > 0)
        release_after(s, n - 1, false);
    if (s->convs[n] == NULL)
        return run_in_float(s, n, err);
    run_conv(s, n);
    s->values[node->outputs[0]].is_alive = true;
    return 0;
}

const float *simulator_value(struct simulator *s, int value)
{
    if (!s->values[value].is_alive)
        return NULL;
    if (!sim_is_coded(s->plan, value))
        return sim_data(s, value);
    dequantize_value(s, value, sim_data(s, value), 0, s->view);
    return s->view;
}

uint64_t simulator_code_use(struct simulator *s, int value, uint64_t *used)
{
    const struct plan_value *p = sim_plan_value(s, value);
    int low = p->codes.lo - p->codes.zero_point, high = p->codes.hi - p->codes.zero_point;
    bool occurs[METRICS_CODES] = {false}, is_narrow = high - low < METRICS_CODES;
    const int16_t *codes;
    uint64_t n = 0;

    if (!p->is_quantized || !s->values[value].is_alive)
        return 0;
    codes = codes_of(s, value);
    for (size_t i = 0; i < s->values[value].elements * s->n_records; i++) {
        n += codes[i] == high || (codes[i] == low && low < 0);
        if (is_narrow)
            occurs[codes[i] - low] = true;
    }
    for (size_t i = 0; i < METRICS_CODES; i++)
        used[i / 64] |= (uint64_t)occurs[i] << i % 64;
    return n;
}

const int16_t *simulator_codes(struct simulator *s, int value)
{
    return s->values[value].is_alive && sim_is_coded(s->plan, value) ? sim_data(s, value) : NULL;
}
