/* correct.c — see correct.h. */
#include "coordinator/correct.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/plan_decide.h"
#include "coordinator/sample.h"
#include "worker/engine.h"
#include "worker/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The lockstep of one plan. Means are kept per value and channel: [n_values] NULL, or fp32 first, then simulated. */
struct lockstep {
    struct plan *plan;
    struct simulator *simulator;
    double **means;
    size_t *channels;
};

/* ---- one plan ---- */

static bool is_finite(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* Keeps the means of a value that a layer will read. Called when fp32 and simulation both have it. */
static void keep_means(struct lockstep *l, int value, const struct view *view)
{
    size_t n = l->channels[value];
    double count = (double)(view->records * view->spatial), *fp32 = l->means[value], *simulated = fp32 + n;
    struct view plain = *view;

    plain.data = simulator_value(l->simulator, value);
    plain.block = 1;
    view_channel_sums(view, fp32);
    view_channel_sums(&plain, simulated);
    for (size_t c = 0; c < 2 * n; c++)
        fp32[c] /= count;
}

static int observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    struct lockstep *l = context;

    if (node != GRAPH_NONE) {
        int input = l->plan->graph->nodes[node].inputs[0];
        size_t n = l->channels[input];
        const double *means = l->means[input];

        if (means != NULL && plan_can_correct_bias(l->plan, node) && is_finite(means, 2 * n) &&
            plan_correct_bias(l->plan, node, means, means + n, err) != 0)
            return -1;
        if (simulator_step(l->simulator, node, err) != 0)
            return -1;
    }
    if (l->means[value] != NULL)
        keep_means(l, value, view);
    return 0;
}

static int reserve_means(struct lockstep *l, struct error *err)
{
    const struct graph *g = l->plan->graph;

    l->means = memory_create(g->n_values, sizeof *l->means, "means", err);
    l->channels = memory_create(g->n_values, sizeof *l->channels, "means", err);
    if (l->means == NULL || l->channels == NULL)
        return -1;
    for (size_t n = 0; n < g->n_nodes; n++) {
        int v = g->nodes[n].inputs[0];

        if (!plan_can_correct_bias(l->plan, (int)n) || l->means[v] != NULL)
            continue;
        l->channels[v] = (size_t)g->values[v].shape.dims[1];
        if ((l->means[v] = memory_create(2 * l->channels[v], sizeof **l->means, "means", err)) == NULL)
            return -1;
    }
    return 0;
}

static int correct_plan(struct plan *plan, struct engine *engine, const struct sample *sample, struct error *err)
{
    struct lockstep l = {.plan = plan};
    const float *const *inputs = (const float *const *)sample->inputs;
    int rc = -1;

    if (reserve_means(&l, err) == 0 && (l.simulator = simulator_create(plan, sample->batch, err)) != NULL &&
        simulator_begin(l.simulator, inputs, sample->n, err) == 0)
        rc = engine_run(engine, inputs, sample->n, observe, &l, err);
    for (size_t v = 0; l.means != NULL && v < plan->graph->n_values; v++)
        free(l.means[v]);
    free(l.means);
    free(l.channels);
    simulator_destroy(l.simulator);
    return rc;
}

/* ---- all plans, all ranks ---- */

/* The biases of all layers of a plan as one list of 64-bit words: codes and floats side by side. To and fro. */
static size_t transfer_biases(struct plan *plan, uint64_t *words, bool is_packing)
{
    size_t at = 0;

    for (size_t n = 0; n < plan->graph->n_nodes; n++) {
        struct plan_node *p = &plan->nodes[n];
        size_t channels;

        if (!plan_can_correct_bias(plan, (int)n))
            continue;
        channels = (size_t)plan->graph->values[plan->graph->nodes[n].inputs[1]].shape.dims[0];
        for (size_t c = 0; words != NULL && c < channels; c++) {
            uint32_t bits[2] = {0, 0};

            if (is_packing) {
                memcpy(&bits[0], &p->bias[c], sizeof bits[0]);
                if (p->bias_codes != NULL)
                    memcpy(&bits[1], &p->bias_codes[c], sizeof bits[1]);
                words[at + c] = (uint64_t)bits[1] << 32 | bits[0];
                continue;
            }
            bits[0] = (uint32_t)words[at + c];
            bits[1] = (uint32_t)(words[at + c] >> 32);
            memcpy(&p->bias[c], &bits[0], sizeof bits[0]);
            if (p->bias_codes != NULL)
                memcpy(&p->bias_codes[c], &bits[1], sizeof bits[1]);
        }
        at += channels;
    }
    return at;
}

/* What rank `owner` decided, on all ranks: the others add zeros. */
static int share_plan(const struct comm *comm, struct plan *plan, int owner, struct error *err)
{
    size_t n = transfer_biases(plan, NULL, true);
    uint64_t *words = memory_create(n, sizeof *words, "biases", err);
    int rc = comm_agree(comm, words == NULL ? -1 : 0, err);

    if (rc == 0) {
        if (comm->rank == owner)
            transfer_biases(plan, words, true);
        comm_sum_uint64(comm, words, n);
        transfer_biases(plan, words, false);
    }
    free(words);
    return rc;
}

int correct_biases(const struct comm *comm, const struct graph *graph, struct dataset *dataset,
                   const struct feed_input *inputs, struct plan *const *plans, size_t n, struct error *err)
{
    struct sample sample = {0};
    struct engine *engine = NULL;
    int rc = 0;

    if ((size_t)comm->rank < n) { /* plan i is corrected by rank i modulo the number of ranks */
        rc = sample_read(&sample, graph, dataset, inputs, err);
        if (rc == 0 && sample.n > 0 && (engine = engine_create(graph, sample.batch, NULL, err)) == NULL)
            rc = -1;
        if (rc == 0 && sample.n == 0)
            log_warning("biases are not corrected: none of the records tried can be used");
        for (size_t i = (size_t)comm->rank; rc == 0 && sample.n > 0 && i < n; i += (size_t)comm->size)
            rc = correct_plan(plans[i], engine, &sample, err);
    }
    engine_destroy(engine);
    sample_fini(&sample);
    rc = comm_agree(comm, rc, err);
    for (size_t i = 0; rc == 0 && i < n && comm->size > 1; i++)
        rc = share_plan(comm, plans[i], (int)(i % (size_t)comm->size), err);
    return rc;
}
