/* run_refine.c — what is decided by running the network: codes by outputs, biases, thresholds once more; see
 * run_private.h. */
#include "coordinator/run_private.h"

#include "coordinator/correct.h"
#include "coordinator/decide.h"
#include "coordinator/refine.h"
#include "coordinator/round_weights.h"

#include <string.h>

/* ---- after thresholds ---- */

/* Is there a layer whose codes could be rounded by outputs, and are not? */
static bool lacks_rounding(const struct plan *plan)
{
    for (size_t n = 0; n < plan->graph->n_nodes; n++)
        if (plan_can_round(plan, (int)n) && !plan->nodes[n].is_rounded)
            return true;
    return false;
}

/* The networks that plans are of. */
struct network {
    const struct graph *graph;
    const struct observation *observation;
};

static size_t list_networks(const struct run *run, struct network networks[2])
{
    networks[0] = (struct network){run->graph, run->observation};
    networks[1] = (struct network){run->apart.graph, run->apart.observation};
    return run->apart.graph == NULL ? 1 : 2;
}

/* Collective. The same of plans of one network. */
static int finish_of_network(const struct run *run, const struct network *network, struct plan *const *plans, size_t n,
                             struct error *err)
{
    enum bias_correction correction = run->request->calibration.bias_correction;
    struct plan *rounded[RUN_MAX_TARGETS];
    size_t n_rounded = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (run_rounds_by_output(run->request, plans[i]->profile) && lacks_rounding(plans[i]))
            rounded[n_rounded++] = plans[i];
    if (n_rounded > 0)
        rc = round_weights(run->comm, network->observation, run->dataset, run->inputs,
                           correction != BIAS_CORRECTION_NONE, rounded, n_rounded, err);
    if (rc == 0 && correction == BIAS_CORRECTION_SIMULATED)
        rc = correct_biases(run->comm, network->graph, run->dataset, run->inputs, plans, n, err);
    return rc;
}

/* Collective. Of what follows thresholds, all that needs the data. */
static int finish_plans(void *context, struct plan *const *plans, size_t n, struct error *err)
{
    const struct run *run = context;
    struct network networks[2];
    size_t n_networks = list_networks(run, networks);
    int rc = 0;

    for (size_t k = 0; rc == 0 && k < n_networks; k++) {
        struct plan *of_network[RUN_MAX_TARGETS];
        size_t n_of = 0;

        for (size_t i = 0; i < n; i++)
            if (plans[i]->graph == networks[k].graph)
                of_network[n_of++] = plans[i];
        if (n_of > 0)
            rc = finish_of_network(run, &networks[k], of_network, n_of, err);
    }
    return rc;
}

/* ---- refinement ---- */

/* Whose plans are decided here, and not by an archive or as a vendor's tool would. */
static bool is_open(const struct report_target *t)
{
    return t->plan != NULL && !t->is_replayed && !t->plan->profile->is_tool_exact;
}

/* What a refinement depends on: its targets with their decisions, in order; and the program, for another version may
 * try other candidates, whose sums would be taken for these. */
static int fingerprint_refinement(const struct run *run, char hex[SHA256_HEX_BYTES], struct error *err)
{
    struct sha256 *state = sha256_create(err);

    if (state == NULL)
        return -1;
    sha256_add(state, ETALON_VERSION, strlen(ETALON_VERSION));
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (is_open(&run->targets[i]))
            sha256_add(state, run->targets[i].fingerprint, strlen(run->targets[i].fingerprint));
    sha256_finish(state, hex);
    return 0;
}

/* Collective. A checkpoint where the run writes its results; else NULL, which is no failure. */
static int open_sums(struct run *run, struct sums_checkpoint **checkpoint, struct error *err)
{
    char fingerprint[SHA256_HEX_BYTES];
    int rc = comm_agree(run->comm, fingerprint_refinement(run, fingerprint, err), err);

    *checkpoint = NULL;
    if (rc != 0 || !run->keeps_checkpoints)
        return rc;
    *checkpoint =
        sums_checkpoint_open(run->comm, run->request, fingerprint, dataset_count(run->dataset), run->output, err);
    return *checkpoint == NULL ? -1 : 0;
}

/* The records that the statistics are of. */
static int next_epoch(void *context, void *const *states, size_t n, uint64_t *end, struct error *err)
{
    (void)context, (void)states, (void)n, (void)end, (void)err;
    return 0;
}

/* Collective. plans[0..n) of open targets, of one network; sums are kept there. */
static int refine(struct run *run, const struct network *network, struct sums_checkpoint *checkpoint,
                  struct refine_plan *plans, size_t n, struct error *err)
{
    const struct observe_parts *parts = run->observation->parts;
    bool ends_early = parts != NULL && parts->cut.is_ranges;
    struct pass_epochs epoch = {.end = ends_early ? parts->cut.first_block[OBSERVE_PARTS] : 0, .next = next_epoch};
    struct refine_request request = {.pass = run_pass_over(run, run->dataset, run->inputs, "refinement"),
                                     .method = run->request->calibration.activations,
                                     .passes = run->request->calibration.refine,
                                     .checkpoint = checkpoint,
                                     .finish = finish_plans,
                                     .context = run};

    request.pass.graph = network->graph;
    if (ends_early)
        request.pass.epochs = &epoch;
    return refine_plans(run->comm, &request, plans, n, err);
}

/* Collective. The open targets of one network; there may be none. */
static int refine_network(struct run *run, const struct network *network, struct sums_checkpoint *checkpoint,
                          struct error *err)
{
    struct refine_plan plans[RUN_MAX_TARGETS];
    struct report_target *open[RUN_MAX_TARGETS];
    struct plan *holders[RUN_MAX_TARGETS]; /* of jobs */
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        if (!is_open(t) || t->plan->graph != network->graph)
            continue;
        open[n] = t;
        plans[n] = (struct refine_plan){.plan = t->plan};
        rc = decide_list_jobs(run->request, t->target, network->observation, &holders[n], &plans[n].jobs,
                              &plans[n].n_jobs, err);
        n += rc == 0;
    }
    rc = comm_agree(run->comm, rc, err);
    if (rc == 0 && n > 0)
        rc = refine(run, network, checkpoint, plans, n, err);
    for (size_t i = 0; i < n; i++) {
        open[i]->plan = plans[i].plan;
        plan_destroy(holders[i]);
    }
    return rc;
}

/* Collective. There is an open target. */
static int refine_targets(struct run *run, struct error *err)
{
    struct sums_checkpoint *checkpoint = NULL;
    struct network networks[2];
    size_t n = list_networks(run, networks);
    int rc = open_sums(run, &checkpoint, err);

    for (size_t k = 0; rc == 0 && k < n; k++)
        rc = refine_network(run, &networks[k], checkpoint, err);
    sums_checkpoint_close(checkpoint);
    return rc;
}

int run_decide_by_data(struct run *run, struct error *err)
{
    struct plan *plans[RUN_MAX_TARGETS];
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < run->request->n_targets; i++)
        if (is_open(&run->targets[i]))
            plans[n++] = run->targets[i].plan;
    if (n > 0)
        rc = finish_plans(run, plans, n, err);
    if (rc == 0 && n > 0 && run->request->calibration.refine > 0)
        rc = refine_targets(run, err);
    return rc;
}
