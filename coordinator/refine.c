/* refine.c — see refine.h. */
#include "coordinator/refine.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/measure_trials.h"
#include "coordinator/plan_vary.h"

#include <stdlib.h>

/* A candidate's error over that of the present threshold. Trials of thresholds that mse has chosen differ by less, and
 * what they win on 64 records, others lose: without a margin half of all plans became worse, two of three for good. */
static const double least_gain = 0.98;

/* A target while it is refined. */
struct contender {
    struct plan *best; /* of those whose outputs are known; NULL before the first pass */
    double db;         /* signal to noise of its outputs, the mean */
    struct plan *tried;
    struct trials trials; /* of the plan tried, in the pass at hand */
    struct exact_sum *sums;
    bool is_done;
};

struct refinement {
    const struct comm *comm;
    const struct refine_request *request;
    struct refine_plan *plans;
    struct contender *contenders;
    size_t n;
};

/* ---- what a pass has shown ---- */

/* Of a candidate, or, 0, of the plan: noise over signal, added up over what the trial judges. */
static double trial_error(const struct trial *trial, const struct exact_sum *sums, size_t candidate)
{
    double total = 0;

    for (size_t j = 0; j < trial->n_judged; j++, sums += measure_trials_row(trial)) {
        double signal = exact_sum_value(&sums[0]), noise = exact_sum_value(&sums[1 + candidate]);

        total += signal > 0 ? noise / signal : noise;
    }
    return total;
}

/* The candidate to take, NULL: none. */
static const struct trial_candidate *best_candidate(const struct trial *trial, const struct exact_sum *sums)
{
    double least = trial_error(trial, sums, 0) * least_gain;
    const struct trial_candidate *best = NULL;

    for (size_t i = 0; i < trial->n_candidates; i++) {
        double error = trial_error(trial, sums, 1 + i);

        if (error < least) {
            least = error;
            best = &trial->candidates[i];
        }
    }
    return best;
}

/* ---- one target ---- */

/* The plan that follows from the trials; c->tried stays as it is where no threshold changes. */
static int vary(struct contender *c, struct error *err)
{
    const struct exact_sum *sums = c->sums + 2 * c->trials.plan->graph->n_outputs;
    struct plan_change *changes = memory_create(c->trials.n, sizeof *changes, "changes", err);
    size_t n = 0;
    int rc = changes == NULL ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < c->trials.n; i++) {
        const struct trial *trial = &c->trials.list[i];
        const struct trial_candidate *candidate = best_candidate(trial, sums);

        if (candidate != NULL)
            changes[n++] = (struct plan_change){trial->job, candidate->result};
        sums += trial->n_judged * measure_trials_row(trial);
    }
    if (n > 0) {
        struct plan *plan = plan_vary(c->best, changes, n, true, err);

        rc = plan == NULL ? -1 : 0;
        c->tried = plan == NULL ? c->tried : plan;
    }
    free(changes);
    return rc;
}

/* The plan tried has been seen on all records: it or the one before. */
static void settle(struct contender *c, struct refine_plan *plan)
{
    double db = measure_trials_output_db(c->sums, c->trials.plan->graph->n_outputs);

    if (c->best == NULL) {
        plan->before = plan->after = db;
    } else if (db > c->db) {
        plan->after = db;
        plan->n_kept++;
        plan_destroy(c->best);
    } else {
        plan_destroy(c->tried);
        c->tried = c->best;
        c->is_done = true;
        return;
    }
    c->best = c->tried;
    c->db = db;
}

/* ---- a pass ---- */

static int begin_pass(struct refinement *r, bool has_trials, struct exact_sum **sums, size_t *n_sums, struct error *err)
{
    size_t at = 0;

    *n_sums = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct contender *c = &r->contenders[i];

        if (c->is_done)
            continue;
        if (trials_init(&c->trials, c->tried, r->plans[i].jobs, has_trials ? r->plans[i].n_jobs : 0, r->request->method,
                        err) != 0)
            return error_in(err, "target %s", c->tried->profile->name);
        *n_sums += measure_trials_count(&c->trials);
    }
    *sums = memory_create(*n_sums, sizeof **sums, "error sums", err);
    for (size_t i = 0; *sums != NULL && i < r->n; i++) {
        if (r->contenders[i].is_done)
            continue;
        r->contenders[i].sums = *sums + at;
        at += measure_trials_count(&r->contenders[i].trials);
    }
    return *sums == NULL ? -1 : 0;
}

static int measure(struct refinement *r, struct exact_sum *sums, size_t n_sums, struct error *err)
{
    struct trials *trials = memory_create(r->n, sizeof *trials, "trials", err);
    size_t n = 0;
    int rc = comm_agree(r->comm, trials == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < r->n; i++)
        if (!r->contenders[i].is_done)
            trials[n++] = r->contenders[i].trials; /* lent */
    if (rc == 0)
        rc = measure_trials(r->comm, &r->request->pass, trials, n, r->request->checkpoint, sums, n_sums, err);
    free(trials);
    return rc;
}

/* Every target after a pass; the plans that are to be finished and tried next. */
static int conclude(struct refinement *r, bool has_next, struct plan **next, size_t *n_next, struct error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        struct contender *c = &r->contenders[i];

        if (c->is_done)
            continue;
        settle(c, &r->plans[i]);
        if (!c->is_done && has_next && vary(c, err) != 0)
            return error_in(err, "target %s", c->best->profile->name);
        c->is_done = c->tried == c->best;
        if (!c->is_done)
            next[(*n_next)++] = c->tried;
    }
    return 0;
}

/* Collective. *is_over: nothing more to try. */
static int run_pass(struct refinement *r, bool has_trials, struct plan **next, bool *is_over, struct error *err)
{
    struct exact_sum *sums = NULL;
    size_t n_sums = 0, n_next = 0;
    int rc = comm_agree(r->comm, begin_pass(r, has_trials, &sums, &n_sums, err), err);

    if (rc == 0)
        rc = measure(r, sums, n_sums, err);
    if (rc == 0)
        rc = comm_agree(r->comm, conclude(r, has_trials, next, &n_next, err), err);
    for (size_t i = 0; i < r->n; i++)
        trials_fini(&r->contenders[i].trials);
    free(sums);
    if (rc == 0 && n_next > 0)
        rc = r->request->finish(r->request->context, next, n_next, err);
    *is_over = rc == 0 && n_next == 0;
    return rc;
}

static void tell(const struct refine_plan *plan)
{
    if (plan->n_kept > 0)
        log_info("refinement, %s: signal to noise at the outputs %.2f dB, %.2f before", plan->plan->profile->name,
                 plan->after, plan->before);
    else
        log_info("refinement, %s: nothing better was found", plan->plan->profile->name);
}

/* What is left over goes, the best plan of each target to its place. */
static void hand_over(struct refinement *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct contender *c = &r->contenders[i];

        if (c->best == NULL)
            continue;
        if (c->tried != c->best)
            plan_destroy(c->tried);
        r->plans[i].plan = c->best;
    }
}

int refine_plans(const struct comm *comm, const struct refine_request *q, struct refine_plan *plans, size_t n,
                 struct error *err)
{
    struct refinement r = {comm, q, plans, memory_create(n, sizeof *r.contenders, "targets", err), n};
    struct plan **next = memory_create(n, sizeof(struct plan *), "targets", err);
    bool is_over = false;
    int rc = comm_agree(comm, r.contenders == NULL || next == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        r.contenders[i].tried = plans[i].plan;
    for (unsigned pass = 0; rc == 0 && !is_over && pass <= q->passes; pass++)
        rc = run_pass(&r, pass < q->passes, next, &is_over, err);
    if (r.contenders != NULL)
        hand_over(&r);
    for (size_t i = 0; rc == 0 && comm->rank == 0 && i < n; i++)
        tell(&plans[i]);
    free(r.contenders);
    free(next);
    return rc;
}
