/* round_weights.c — see round_weights.h. */
#include "coordinator/round_weights.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/input_moments.h"
#include "coordinator/plan_decide.h"
#include "coordinator/plan_layer.h"
#include "coordinator/sample.h"
#include "worker/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements of a row whose moments are looked at together. Work grows with it, memory with its square: moments of 4,608
 * at a time would be 170 MB, and 36 times the additions. */
enum { BLOCK = 256, CODES_PER_WORD = 4 };

struct round_step {
    const struct comm *comm;
    const struct graph *graph;
    struct plan *const *plans;
    size_t n_plans;
    bool corrects_bias;
    double *h; /* [BLOCK x BLOCK] */
};

static bool is_rounded(const struct round_step *r, int node)
{
    for (size_t i = 0; i < r->n_plans; i++)
        if (plan_can_round(r->plans[i], node))
            return true;
    return false;
}

/* Layers are dealt out in order. */
static bool is_mine(const struct round_step *r, int node)
{
    return node % r->comm->size == r->comm->rank && is_rounded(r, node);
}

static int round_block(const struct round_step *r, int node, const struct view *view, size_t group, size_t first,
                       size_t count, struct error *err)
{
    if (input_moments_find(r->graph, &r->graph->nodes[node], view, group, first, count, r->corrects_bias, r->h, err) !=
        0)
        return -1;
    for (size_t i = 0; i < r->n_plans; i++)
        if (plan_can_round(r->plans[i], node) &&
            plan_round_block(r->plans[i], node, group, first, count, r->h, err) != 0)
            return -1;
    return 0;
}

static int round_layer(const struct round_step *r, int node, const struct view *view, struct error *err)
{
    const struct node *layer = &r->graph->nodes[node];
    const struct shape *weights = &r->graph->values[layer->inputs[1]].shape;
    size_t row = (size_t)(shape_elements(weights) / weights->dims[0]);
    size_t groups = layer->op == OP_CONV ? (size_t)layer->attr.conv.group : 1;

    for (size_t group = 0; group < groups; group++)
        for (size_t first = 0; first < row; first += BLOCK)
            if (round_block(r, node, view, group, first, row - first < BLOCK ? row - first : BLOCK, err) != 0)
                return -1;
    return 0;
}

/* An engine_observer: all layers that read this value. */
static int observe(void *context, int node, int value, const struct view *view, struct error *err)
{
    const struct round_step *r = context;

    (void)node;
    for (size_t n = 0; n < r->graph->n_nodes; n++)
        if (r->graph->nodes[n].n_inputs > 0 && r->graph->nodes[n].inputs[0] == value && is_mine(r, (int)n) &&
            round_layer(r, (int)n, view, err) != 0)
            return -1;
    return 0;
}

/* Local. *is_done: there was a record to look at. */
static int look(struct round_step *r, struct dataset *dataset, const struct feed_input *inputs, bool *is_done,
                struct error *err)
{
    struct sample sample = {0};
    struct engine *engine = NULL;
    int rc = sample_read(&sample, r->graph, dataset, inputs, err);

    *is_done = rc == 0 && sample.n > 0;
    if (rc == 0 && sample.n == 0)
        log_warning("weights are rounded to the nearest codes: none of the records tried can be used");
    if (*is_done) {
        r->h = memory_create((size_t)BLOCK * BLOCK, sizeof *r->h, "moments", err);
        engine = r->h == NULL ? NULL : engine_create(r->graph, sample.batch, NULL, err);
        rc = engine == NULL ? -1 : engine_run(engine, (const float *const *)sample.inputs, sample.n, observe, r, err);
    }
    engine_destroy(engine);
    free(r->h);
    sample_fini(&sample);
    return rc;
}

/* Collective. One layer's codes from the rank that chose them; the others add zeros. */
static int share_codes(const struct comm *comm, struct plan *plan, int node, struct error *err)
{
    size_t n = plan_layer_of(plan, node).elements, n_words = n / CODES_PER_WORD + 1;
    int16_t *codes = plan->nodes[node].weight_codes;
    uint64_t *words = memory_create(n_words, sizeof *words, "codes", err);
    int rc = comm_agree(comm, words == NULL ? -1 : 0, err);

    if (rc == 0) {
        if (node % comm->size == comm->rank)
            memcpy(words, codes, n * sizeof *codes);
        comm_sum_uint64(comm, words, n_words);
        memcpy(codes, words, n * sizeof *codes);
    }
    free(words);
    return rc;
}

/* The means of what a layer reads, into `mean`; NULL where they are not to be used, or unknown. */
static const double *input_means(const struct round_step *r, const struct observation *o, int node, double *mean)
{
    int value = r->graph->nodes[node].inputs[0];
    size_t channels = o->sums[value] == NULL ? 0 : observation_channels(r->graph, value);

    for (size_t c = 0; c < channels; c++)
        mean[c] = observation_mean(o, value, c);
    return r->corrects_bias && channels > 0 && isfinite(mean[0]) ? mean : NULL;
}

/* Collective. */
static int finish_layer(const struct round_step *r, const struct observation *o, int node, struct error *err)
{
    size_t channels = observation_channels(r->graph, r->graph->nodes[node].inputs[0]);
    double *memory = memory_create(channels, sizeof *memory, "means", err);
    const double *mean = memory == NULL ? NULL : input_means(r, o, node, memory);
    int rc = comm_agree(r->comm, memory == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < r->n_plans; i++) {
        if (!plan_can_round(r->plans[i], node))
            continue;
        rc = r->comm->size > 1 ? share_codes(r->comm, r->plans[i], node, err) : 0;
        if (rc == 0)
            rc = comm_agree(r->comm, plan_finish_rounding(r->plans[i], node, mean, err), err);
    }
    free(memory);
    return rc;
}

int round_weights(const struct comm *comm, const struct observation *statistics, struct dataset *dataset,
                  const struct feed_input *inputs, bool corrects_bias, struct plan *const *plans, size_t n,
                  struct error *err)
{
    struct round_step r = {comm, statistics->graph, plans, n, corrects_bias, NULL};
    bool is_done;
    int rc = comm_agree(comm, look(&r, dataset, inputs, &is_done, err), err);

    for (size_t node = 0; rc == 0 && is_done && node < r.graph->n_nodes; node++)
        if (is_rounded(&r, (int)node))
            rc = finish_layer(&r, statistics, (int)node, err);
    return rc;
}
