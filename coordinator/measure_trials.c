/* measure_trials.c — see measure_trials.h. */
#include "coordinator/measure_trials.h"

#include "common/math.h"
#include "common/memory.h"
#include "worker/simulate.h"

#include <math.h>
#include <stdlib.h>

static const double no_number = 0x1p600;

struct counting { /* of the rank */
    const struct comm *comm;
    const struct graph *graph;
    const struct trials *trials; /* [n], of n plans */
    size_t n, batch;
    struct sums_checkpoint *checkpoint; /* NULL: none */
    struct exact_sum *sums;             /* [n_sums] of threads that have ended */
    size_t n_sums;
};

struct running {                   /* a trial on the block at hand */
    struct simulator **simulators; /* one a candidate; NULL: not begun */
};

struct thread {
    const struct counting *counting;
    struct simulator **whole; /* [n] */
    struct running **running; /* [n][trials of the plan] */
    struct exact_sum *sums;   /* [n_sums] */
    float *plain;             /* the fp32 value at hand */
    const struct block *block;
};

size_t measure_trials_count(const struct trials *trials)
{
    size_t n = 2 * trials->plan->graph->n_outputs;

    for (size_t i = 0; i < trials->n; i++)
        n += trials->list[i].n_judged * measure_trials_row(&trials->list[i]);
    return n;
}

double measure_trials_output_db(const struct exact_sum *sums, size_t n_outputs)
{
    static const double db = 4.342944819032518, most = 1e20; /* 10 / ln 10; 200 dB as a ratio */
    double total = 0;
    size_t n = 0;

    for (size_t i = 0; i < n_outputs; i++) {
        double signal = exact_sum_value(&sums[2 * i]), noise = exact_sum_value(&sums[2 * i + 1]);

        if (signal > 0) {
            total += db * math_log(fmin(fmax(signal / noise, 1 / most), most)); /* x / 0 is infinite */
            n++;
        }
    }
    return n > 0 ? total / (double)n : 0;
}

/* ---- one thread ---- */

static void end_trial(const struct trial *trial, struct running *running)
{
    for (size_t i = 0; running->simulators != NULL && i < trial->n_candidates; i++)
        simulator_destroy(running->simulators[i]);
    free(running->simulators);
    running->simulators = NULL;
}

static void thread_free(const struct counting *c, struct thread *t)
{
    for (size_t i = 0; i < c->n; i++) {
        if (t->whole != NULL)
            simulator_destroy(t->whole[i]);
        for (size_t k = 0; t->running != NULL && t->running[i] != NULL && k < c->trials[i].n; k++)
            end_trial(&c->trials[i].list[k], &t->running[i][k]);
        if (t->running != NULL)
            free(t->running[i]);
    }
    free(t->whole);
    free(t->running);
    free(t->sums);
    free(t->plain);
    free(t);
}

static void add_all(struct exact_sum *into, const struct exact_sum *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        exact_sum_merge(&into[i], &from[i]);
}

static void thread_destroy(void *context, void *state)
{
    struct counting *c = context;
    struct thread *t = state;

    add_all(c->sums, t->sums, c->n_sums);
    thread_free(c, t);
}

static size_t largest_value(const struct graph *g)
{
    size_t largest = 0;

    for (size_t v = 0; v < g->n_values; v++) {
        size_t n = g->values[v].is_constant ? 0 : (size_t)shape_elements(&g->values[v].shape);

        largest = n > largest ? n : largest;
    }
    return largest;
}

static void *thread_create(void *context, struct error *err)
{
    struct counting *c = context;
    struct thread *t = memory_create(1, sizeof *t, "trials", err);
    int rc;

    if (t == NULL)
        return NULL;
    t->counting = c;
    t->whole = memory_create(c->n, sizeof *t->whole, "simulators", err);
    t->running = memory_create(c->n, sizeof *t->running, "trials", err);
    t->sums = memory_create(c->n_sums, sizeof *t->sums, "error sums", err);
    t->plain = memory_create(largest_value(c->graph) * c->batch, sizeof *t->plain, "an activation", err);
    rc = t->whole == NULL || t->running == NULL || t->sums == NULL || t->plain == NULL ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < c->n; i++) {
        t->whole[i] = simulator_create(c->trials[i].plan, c->batch, err);
        t->running[i] = memory_create(c->trials[i].n, sizeof *t->running[i], "trials", err);
        rc = t->whole[i] == NULL || t->running[i] == NULL ? -1 : 0;
    }
    if (rc == 0)
        return t;
    thread_free(c, t);
    return NULL;
}

static void add(struct exact_sum *sum, double x)
{
    exact_sum_add(sum, isfinite(x) && x < no_number ? x : no_number);
}

static double signal(const float *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static double noise(const float *x, const float *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)y[i];

        sum += d * d;
    }
    return sum;
}

static int begin_trial(struct thread *t, const struct trial *trial, struct running *running, struct error *err)
{
    running->simulators = memory_create(trial->n_candidates, sizeof(struct simulator *), "simulators", err);
    if (running->simulators == NULL)
        return -1;
    for (size_t i = 0; i < trial->n_candidates; i++) {
        running->simulators[i] =
            simulator_create_part(trial->candidates[i].plan, t->block->n_records, trial->runs, err);
        if (running->simulators[i] == NULL ||
            simulator_begin(running->simulators[i], t->block->inputs, t->block->n_records, err) != 0)
            return -1;
    }
    return 0;
}

/* The whole network has just computed node n; now one candidate does. */
static int step_candidate(const struct thread *t, const struct trial *trial, struct simulator *s,
                          const struct simulator *whole, int n, struct error *err)
{
    const struct node *node = &t->counting->graph->nodes[n];

    for (size_t i = 0; i < node->n_inputs; i++) {
        int v = node->inputs[i];

        if (v != GRAPH_NONE && !t->counting->graph->values[v].is_constant && !trial_holds(trial, v))
            simulator_take(s, whole, v);
    }
    return simulator_step(s, n, err);
}

/* The values that a trial judges, once node n has made them. */
static void judge(struct thread *t, const struct trial *trial, const struct running *running, struct simulator *whole,
                  int value, size_t elements, struct exact_sum *sums)
{
    for (size_t j = 0; j < trial->n_judged; j++, sums += measure_trials_row(trial)) {
        if (trial->judged[j] != value)
            continue;
        add(&sums[0], signal(t->plain, elements));
        add(&sums[1], noise(t->plain, simulator_value(whole, value), elements));
        for (size_t i = 0; i < trial->n_candidates; i++)
            add(&sums[2 + i], noise(t->plain, simulator_value(running->simulators[i], value), elements));
    }
}

static int run_trial(struct thread *t, const struct trial *trial, struct running *running, struct simulator *whole,
                     int n, size_t elements, struct exact_sum *sums, struct error *err)
{
    if (n == trial->first && begin_trial(t, trial, running, err) != 0)
        return -1;
    for (size_t i = 0; i < trial->n_candidates; i++)
        if (step_candidate(t, trial, running->simulators[i], whole, n, err) != 0)
            return -1;
    judge(t, trial, running, whole, t->counting->graph->nodes[n].outputs[0], elements, sums);
    if (n == trial->last)
        end_trial(trial, running);
    return 0;
}

/* One plan at one node; `sums` are the plan's. */
static int step_plan(struct thread *t, size_t plan, int n, size_t elements, struct exact_sum *sums, struct error *err)
{
    const struct graph *g = t->counting->graph;
    const struct trials *trials = &t->counting->trials[plan];
    struct simulator *whole = t->whole[plan];
    int value = g->nodes[n].outputs[0];

    if (simulator_step(whole, n, err) != 0)
        return -1;
    for (size_t k = 0; k < g->n_outputs; k++, sums += 2)
        if (g->outputs[k] == value) {
            add(&sums[0], signal(t->plain, elements));
            add(&sums[1], noise(t->plain, simulator_value(whole, value), elements));
        }
    for (size_t k = 0; k < trials->n; k++) {
        const struct trial *trial = &trials->list[k];

        if (trial->runs[n] && run_trial(t, trial, &t->running[plan][k], whole, n, elements, sums, err) != 0)
            return -1;
        sums += trial->n_judged * measure_trials_row(trial);
    }
    return 0;
}

/* The engine has computed node n in fp32. */
static int observe(void *context, int n, int value, const struct view *view, struct error *err)
{
    struct thread *t = context;
    struct exact_sum *sums = t->sums;

    (void)value;
    if (n == GRAPH_NONE)
        return 0;
    view_copy_plain(view, t->plain);
    for (size_t i = 0; i < t->counting->n; i++) {
        if (step_plan(t, i, n, view->records * view->channels * view->spatial, sums, err) != 0)
            return error_in(err, "target %s", t->counting->trials[i].plan->profile->name);
        sums += measure_trials_count(&t->counting->trials[i]);
    }
    return 0;
}

static int thread_run(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    struct thread *t = state;

    t->block = block;
    for (size_t i = 0; i < t->counting->n; i++)
        if (simulator_begin(t->whole[i], block->inputs, block->n_records, err) != 0)
            return -1;
    return engine_run(engine, block->inputs, block->n_records, observe, t, err);
}

/* ---- all threads, all ranks ---- */

/* Collective. The sums of all ranks, on every rank. */
static void reduce(const struct comm *comm, struct exact_sum *sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        exact_sum_normalise(&sums[i]);
    comm_sum_int64(comm, (int64_t *)sums, n * EXACT_SUM_LIMBS);
    for (size_t i = 0; i < n; i++)
        exact_sum_normalise(&sums[i]);
}

static bool is_due(void *context, bool is_at_end)
{
    return sums_checkpoint_is_due(((struct counting *)context)->checkpoint, is_at_end);
}

/* A copy of all that was counted goes into the checkpoint. */
static int keep(void *context, void *const *states, size_t n, const struct pass_progress *progress, struct error *err)
{
    struct counting *c = context;
    struct exact_sum *all = memory_create(c->n_sums, sizeof *all, "error sums", err);
    int rc = comm_agree(c->comm, all == NULL ? -1 : 0, err);

    for (size_t i = 0; rc == 0 && i < n; i++)
        add_all(all, ((const struct thread *)states[i])->sums, c->n_sums);
    if (rc == 0) {
        sums_checkpoint_add_begun(c->checkpoint, all, c->n_sums);
        reduce(c->comm, all, c->n_sums);
    }
    if (rc == 0 && c->comm->rank == 0)
        rc = sums_checkpoint_write(c->checkpoint, all, c->n_sums, progress, err);
    free(all);
    return rc;
}

int measure_trials(const struct comm *comm, const struct pass_request *plain, const struct trials *trials, size_t n,
                   struct sums_checkpoint *checkpoint, struct exact_sum *sums, size_t n_sums, struct error *err)
{
    struct counting counting = {comm, plain->graph, trials, n, plain->block_size, checkpoint, sums, n_sums};
    struct pass_worker worker = {&counting, thread_create, thread_destroy, thread_run};
    struct pass_pauses pauses = {&counting, is_due, keep};
    struct pass_request request = *plain;
    struct pass_result records = {0};
    int rc;

    if (checkpoint != NULL) {
        if (sums_checkpoint_take(checkpoint, sums, n_sums))
            return 0;
        request.pauses = &pauses;
        request.begun = sums_checkpoint_begun(checkpoint);
    }
    rc = pass_run(comm, &request, &worker, &records, err);
    pass_result_fini(&records);
    if (rc != 0)
        return rc;
    if (checkpoint != NULL)
        sums_checkpoint_add_begun(checkpoint, sums, n_sums);
    reduce(comm, sums, n_sums);
    return checkpoint == NULL ? 0 : comm_agree(comm, sums_checkpoint_end(checkpoint, sums, n_sums, err), err);
}
