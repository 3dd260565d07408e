/* simulate.c — the simulated network, node by node; see simulate.h.
 *
 * Convolutions and dense layers run on integers (simulate_conv.c). Every other node is what chips and runtimes do too:
 * take the codes' real values, compute in float32, round to the output's codes. For operators that only move or select
 * codes (max pool, reshape, ReLU with a shared scale) that is exact. The frequent ones have kernels of their own
 * (simulate_order.c); for the others values are turned to plain order and run through reference.h.
 */
#include "worker/simulate_private.h"

#include "common/isa.h"
#include "common/memory.h"
#include "worker/metrics.h"
#include "worker/reference.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- nodes on plain values ---- */

/* A whole value with its channels last, in plain order. Items are codes or floats. */
static void turn_to_plain(const struct simulator *s, const struct sim_value *v, const void *from, size_t item, void *to)
{
    sim_turn(from, s->n_records * v->images, v->pixels, v->channels, item, to);
}

static void store_value(struct simulator *s, int value, const float *reals)
{
    const struct sim_value *v = &s->values[value];

    s->values[value].is_alive = true;
    sim_store(s, value, reals, 0, v->elements * s->n_records);
}

/* The real values of one input of node `n`, plain; in *room where they had to be made, which then moves on. */
static const float *real_input(const struct simulator *s, int n, int value, bool is_lowered, float **room)
{
    const struct graph *g = s->plan->graph;
    const struct sim_value *v;
    size_t elements;
    const float *reals;
    float *plain = *room;

    if (value == GRAPH_NONE)
        return NULL;
    if (g->values[value].is_constant)
        return s->halves[value] != NULL ? s->halves[value] : g->values[value].data;
    v = &s->values[value];
    elements = v->elements * s->n_records;
    reals = sim_reals(s, n, value, is_lowered, 0, elements, v->is_last ? s->view : plain);
    if (v->is_last)
        turn_to_plain(s, v, reals, sizeof *reals, plain);
    else if (reals != plain)
        return reals;
    *room += elements;
    return plain;
}

/* One input of a node that adds or joins steps of its output. */
static const float *steps_input(const struct simulator *s, int node, size_t input, float **room)
{
    const struct sim_value *v = &s->values[s->plan->graph->nodes[node].inputs[input]];
    const struct sim_operand operand = sim_operand_of(s, node, input);
    float *steps = *room;

    sim_operand_steps(&operand, 0, v->elements * s->n_records, v->is_last ? s->view : steps);
    if (v->is_last)
        turn_to_plain(s, v, s->view, sizeof *steps, steps);
    *room += v->elements * s->n_records;
    return steps;
}

static int run_plain(struct simulator *s, int n, struct error *err)
{
    const struct node *node = &s->plan->graph->nodes[n];
    int output = node->outputs[0];
    bool is_lowered = sim_plan_value(s, output)->hides_zero_point; /* then its inputs do as well */
    bool in_steps = sim_operands_apply(s->plan, n);
    float *room = s->scratch;

    for (size_t i = 0; i < node->n_inputs; i++)
        s->inputs[i] = in_steps ? steps_input(s, n, i, &room) : real_input(s, n, node->inputs[i], is_lowered, &room);
    if (sim_adds_codes(s->plan, n)) {
        const struct sim_sum sum = sim_sum_of(s->plan, n);

        sim_sum_steps(&sum, s->inputs[0], s->inputs[1], s->values[output].elements * s->n_records, s->result);
        in_steps = true;
    } else if (reference_run_node(s->plan->graph, node, s->n_records, s->inputs, s->result, err) != 0)
        return -1;
    if (in_steps)
        sim_store_steps(s, output, s->result, 0, s->values[output].elements * s->n_records);
    else
        store_value(s, output, s->result);
    return 0;
}

static void run_conv(struct simulator *s, int n)
{
    const struct node *node = &s->plan->graph->nodes[n];
    const struct sim_value *in = &s->values[node->inputs[0]];
    const void *codes = sim_codes_read(s, node->inputs[0]);

    if (node->op == OP_DENSE && in->is_last) {
        turn_to_plain(s, in, codes, sim_code_bytes(in->codes), s->view);
        codes = s->view;
    }
    sim_conv_run(s->convs[n], codes, sim_data(s, node->outputs[0]), s->n_records * in->images);
}

/* ---- the face of simulate.h ---- */

/* Everything that a step could refuse is refused before the first. */
int simulator_check(const struct plan *plan, struct error *err)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        const struct node *node = &plan->graph->nodes[n];

        if (!reference_supports(node->op) || node->n_outputs != 1)
            return error_set(err, EX_UNAVAILABLE,
                             "node \"%s\": the simulator has no kernel for operator %s with %zu outputs", node->name,
                             op_name(node->op), node->n_outputs);
        if (sim_conv_applies(plan, (int)n) && sim_conv_check(plan, (int)n, err) != 0)
            return -1;
    }
    return 0;
}

struct simulator *simulator_create_part(const struct plan *plan, size_t batch, const bool *part, struct error *err)
{
    struct simulator *s = memory_create(1, sizeof *s, "a simulator", err);
    const struct graph *g = plan->graph;

    if (s == NULL)
        return NULL;
    s->plan = plan;
    s->part = part;
    s->batch = batch;
    s->values = memory_create(g->n_values, sizeof *s->values, "a simulator", err);
    s->convs = memory_create(g->n_nodes, sizeof *s->convs, "a simulator", err);
    s->tile = memory_create(1, sizeof *s->tile, "accumulators", err);
    if (s->values == NULL || s->convs == NULL || s->tile == NULL || simulator_check(plan, err) != 0 ||
        sim_plan_memory(s, err) != 0 || sim_round_constants(s, err) != 0)
        goto fail;
    for (size_t n = 0; n < g->n_nodes; n++)
        if (sim_runs(s, n) && sim_conv_applies(plan, (int)n) && (s->convs[n] = sim_conv_create(s, (int)n, err)) == NULL)
            goto fail;
    return s;
fail:
    simulator_destroy(s);
    return NULL;
}

struct simulator *simulator_create(const struct plan *plan, size_t batch, struct error *err)
{
    return simulator_create_part(plan, batch, NULL, err);
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
    free(s->code_view);
    free(s->sums);
    free(s->tile);
    free(s);
}

int simulator_begin(struct simulator *s, const float *const *inputs, size_t n_records, struct error *err)
{
    const struct graph *g = s->plan->graph;

    if (n_records == 0 || n_records > s->batch)
        return error_set(err, EX_SOFTWARE, "a simulator for %zu records was given %zu", s->batch, n_records);
    s->n_records = n_records;
    for (size_t i = 0; i < g->n_inputs; i++)
        if (sim_has_slot(s, g->inputs[i]))
            store_value(s, g->inputs[i], inputs[i]);
    return 0;
}

void simulator_take(struct simulator *s, const struct simulator *from, int value)
{
    struct sim_value *to = &s->values[value];
    size_t item = sim_is_coded(s->plan, value) ? sim_code_bytes(to->codes) : sizeof(float);

    assert(from->values[value].is_alive && from->n_records == s->n_records &&
           from->values[value].is_last == to->is_last);
    memcpy(sim_data(s, value), sim_data(from, value), to->elements * s->n_records * item);
    to->is_alive = true;
}

int simulator_step(struct simulator *s, int n, struct error *err)
{
    int rc = 0;

    if (n > 0)
        sim_release_after(s, n - 1, false);
    if (s->convs[n] != NULL)
        run_conv(s, n);
    else if (sim_keeps_order(s->plan, s->values, n))
        sim_run_in_order(s, n);
    else
        rc = run_plain(s, n, err);
    s->values[s->plan->graph->nodes[n].outputs[0]].is_alive = rc == 0;
    return rc;
}

const float *simulator_value(struct simulator *s, int value)
{
    const struct sim_value *v = &s->values[value];
    size_t n = v->elements * s->n_records;
    const float *reals = NULL;

    if (!v->is_alive)
        return NULL;
    if (sim_is_coded(s->plan, value)) {
        float *decoded = v->is_last ? s->result : s->view;

        sim_decode(s, value, sim_data(s, value), 0, 0, n, decoded);
        reals = decoded;
    } else {
        reals = sim_data(s, value);
    }
    if (!v->is_last)
        return reals;
    turn_to_plain(s, v, reals, sizeof *reals, s->view);
    return s->view;
}

void simulator_replace(struct simulator *s, int value, const float *reals)
{
    const struct sim_value *v = &s->values[value];

    if (v->is_last) {
        sim_turn(reals, s->n_records * v->images, v->channels, v->pixels, sizeof *reals, s->result);
        reals = s->result;
    }
    sim_store_unlowered(s, value, reals, 0, v->elements * s->n_records);
}

/* The code at i, relative to the lowest. */
static size_t code_index(struct sim_codes kind, const void *codes, size_t i)
{
    return kind.are_bytes ? ((const uint8_t *)codes)[i] : (size_t)(((const int16_t *)codes)[i] - kind.lowest);
}

ISA_CLONES static uint64_t count_byte(const uint8_t *codes, size_t n, uint8_t wanted)
{
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += codes[i] == wanted;
    return count;
}

/* Of codes that are bytes. Four tables: the same code again need not wait for its own mark. */
static void mark_used(const uint8_t *codes, size_t n, uint64_t *used)
{
    bool occurs[4][METRICS_CODES] = {{false}};

    for (size_t i = 0; i < n; i++)
        occurs[i % 4][codes[i]] = true;
    for (size_t i = 0; i < METRICS_CODES; i++)
        used[i / 64] |= (uint64_t)(occurs[0][i] || occurs[1][i] || occurs[2][i] || occurs[3][i]) << i % 64;
}

uint64_t simulator_code_use(struct simulator *s, int value, uint64_t *used)
{
    const struct sim_value *v = &s->values[value];
    size_t last = (size_t)v->codes.all - 1, elements = v->elements * s->n_records;
    /* else that code is real zero */
    bool has_low_end = v->codes.lowest<0, has_high_end = v->codes.lowest + (int)last> 0;
    const void *codes;
    uint64_t n = 0;

    if (!sim_plan_value(s, value)->is_quantized || !v->is_alive)
        return 0;
    codes = sim_codes_read(s, value);
    if (v->codes.are_bytes) {
        mark_used(codes, elements, used);
        return (has_high_end ? count_byte(codes, elements, (uint8_t)last) : 0) +
               (has_low_end ? count_byte(codes, elements, 0) : 0);
    }
    for (size_t i = 0; i < elements; i++) {
        size_t code = code_index(v->codes, codes, i);

        n += (code == last && has_high_end) || (code == 0 && has_low_end);
    }
    return n;
}

const int16_t *simulator_codes(struct simulator *s, int value)
{
    const struct sim_value *v = &s->values[value];
    size_t n = v->elements * s->n_records;
    const void *codes;

    if (!v->is_alive || !sim_is_coded(s->plan, value))
        return NULL;
    codes = sim_data(s, value);
    free(s->code_view);
    s->code_view = malloc(n * sizeof *s->code_view);
    if (v->is_last && s->code_view != NULL) {
        turn_to_plain(s, v, codes, sim_code_bytes(v->codes), s->view);
        codes = s->view;
    }
    for (size_t i = 0; s->code_view != NULL && i < n; i++)
        s->code_view[i] = (int16_t)((int)code_index(v->codes, codes, i) + v->codes.lowest);
    return s->code_view;
}
