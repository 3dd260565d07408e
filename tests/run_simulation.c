/* run_simulation.c — every integer of a simulated target, for comparison with the runtime that it stands for.
 *
 *   run-simulation JOB.yaml TARGET FOLDER RECORDS [FILE [WEIGHTS]]
 *
 * Decides as the job says, or reads a ready-made model, and simulates the first RECORDS records of the job's evaluation
 * set. FOLDER gets input.<i>, the network's inputs as float32, and value.<i>, the codes of a value of the job's network
 * as int16, or its reals where the target keeps these, record after record; stdout gets a line "<i> <name>" for each of
 * these values.
 */
#include "coordinator/plan_read.h"
#include "coordinator/run_private.h"
#include "jobs/job.h"
#include "worker/feed.h"
#include "worker/simulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(const char *folder, const char *what, size_t i, const void *data, size_t bytes, struct error *err)
{
    char path[4096];
    FILE *file;
    size_t written;

    snprintf(path, sizeof path, "%s/%s.%zu", folder, what, i);
    file = fopen(path, "ab");
    if (file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
    written = fwrite(data, 1, bytes, file);
    if (fclose(file) != 0 || written != bytes)
        return error_set(err, EX_IOERR, "%s: cannot be written", path);
    return 0;
}

/* What is simulated, and where in it the values of the job's network are. */
struct simulated {
    const struct plan *plan;
    struct simulator *simulator;
    size_t n_own;
    int *of_own; /* [n_own] as plan_match_values has it */
};

static int keep_codes(const struct simulated *s, int value, const char *folder, struct error *err)
{
    const struct plan *plan = s->plan;
    const int16_t *codes = simulator_codes(s->simulator, value);
    size_t n = (size_t)shape_elements(&plan->graph->values[value].shape);
    int16_t *stored = codes == NULL ? NULL : malloc(n * sizeof *stored);
    const void *data = codes == NULL ? (const void *)simulator_value(s->simulator, value) : stored;
    size_t bytes = n * (codes == NULL ? sizeof(float) : sizeof *stored);
    int rc = 0;

    for (size_t i = 0; stored != NULL && i < n; i++)
        stored[i] = (int16_t)(codes[i] + plan->values[value].codes.zero_point);
    for (size_t own = 0; data != NULL && rc == 0 && own < s->n_own; own++)
        if (s->of_own[own] == value && plan->values[value].is_quantized)
            rc = append(folder, "value", own, data, bytes, err);
    free(stored);
    return rc;
}

static int simulate_record(const struct run *run, const struct simulated *s, float **rows, const char *folder,
                           struct error *err)
{
    const struct graph *graph = s->plan->graph;
    int rc = simulator_begin(s->simulator, (const float *const *)rows, 1, err);

    for (size_t i = 0; rc == 0 && i < graph->n_inputs; i++) {
        rc = append(folder, "input", i, rows[i],
                    (size_t)shape_elements(&run->graph->values[run->graph->inputs[i]].shape) * sizeof(float), err);
        if (rc == 0)
            rc = keep_codes(s, graph->inputs[i], folder, err);
    }
    for (size_t n = 0; rc == 0 && n < graph->n_nodes; n++) {
        rc = simulator_step(s->simulator, (int)n, err);
        if (rc == 0)
            rc = keep_codes(s, graph->nodes[n].outputs[0], folder, err);
    }
    return rc;
}

static int match(const struct run *run, struct simulated *s, struct error *err)
{
    s->n_own = run->graph->n_values;
    s->of_own = memory_create(s->n_own, sizeof *s->of_own, "values", err);
    if (s->of_own == NULL)
        return -1;
    if (s->plan->graph != run->graph)
        return plan_match_values(run->graph, s->plan->graph, s->of_own, err);
    for (size_t v = 0; v < s->n_own; v++)
        s->of_own[v] = (int)v;
    return 0;
}

static int simulate(struct run *run, const struct plan *plan, const char *folder, uint64_t n_records, struct error *err)
{
    struct feed *feed = feed_create(run->evaluation_dataset, run->evaluation_inputs, run->graph->n_inputs, err);
    struct simulated s = {.plan = plan, .simulator = simulator_create(plan, 1, err)};
    float *rows[DATASET_MAX_INPUTS] = {NULL};
    int rc = feed == NULL || s.simulator == NULL || match(run, &s, err) != 0 ? -1 : run_create_rows(run, rows, err);

    for (uint64_t r = 0; rc == 0 && r < n_records; r++) {
        int64_t label;
        struct record_identity identity;

        rc = feed_read(feed, r, rows, &label, &identity, err);
        if (rc == 0)
            rc = simulate_record(run, &s, rows, folder, err);
    }
    for (size_t v = 0; rc == 0 && v < s.n_own; v++)
        if (s.of_own[v] != GRAPH_NONE && plan->values[s.of_own[v]].is_quantized)
            printf("%zu %s\n", v, run->graph->values[v].name);
    run_free_rows(rows);
    free(s.of_own);
    simulator_destroy(s.simulator);
    feed_destroy(feed);
    return rc;
}

/* The request, with the ready-made model that argv names in place of its targets. */
static int take_ready(int argc, char **argv, struct run_request *q, struct error *err)
{
    if (argc < 6)
        return 0;
    q->targets[0] = target_find(argv[2]);
    if (q->targets[0] == NULL)
        return error_set(err, EX_USAGE, "no target is called %s", argv[2]);
    q->ready[0] = (struct ready_model){argv[5], argc > 6 ? argv[6] : NULL};
    q->n_targets = q->n_ready = 1;
    return 0;
}

/* Collective. Everything up to the plan. */
static int decide(struct run *run, struct error *err)
{
    if (run_load(run, err) != 0)
        return -1;
    if (run->request->n_ready > 0)
        return run_equalize(run, err) != 0 ? -1 : run_read_ready(run, err);
    return run_measure(run, true, err) != 0 ? -1 : run_decide(run, err);
}

static const struct plan *find_plan(const struct run *run, const char *target, struct error *err)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (strcmp(run->targets[i].target->name, target) == 0 && run->targets[i].plan != NULL)
            return run->request->n_ready > 0 ? run->ready[i].plan : run->targets[i].plan;
    error_set(err, EX_USAGE, "the job has no plan for %s", target);
    return NULL;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct job *job = NULL;
    struct comm comm;
    static struct run_request request;
    struct run run = {0};
    const struct plan *plan = NULL;
    int rc;

    if (argc < 5 || argc > 7) {
        fprintf(stderr, "usage: run-simulation JOB.yaml TARGET FOLDER RECORDS [FILE [WEIGHTS]]\n");
        return EX_USAGE;
    }
    rc = comm_init(&argc, &argv, &comm, &err);
    if (rc == 0 && (job = job_read(argv[1], NULL, 0, &err)) == NULL)
        rc = -1;
    if (rc == 0) {
        request = *job_request(job);
        run = (struct run){.comm = &comm, .request = &request};
        rc = take_ready(argc, argv, &request, &err);
    }
    if (rc == 0)
        rc = decide(&run, &err);
    if (rc == 0 && (plan = find_plan(&run, argv[2], &err)) == NULL)
        rc = -1;
    if (rc == 0)
        rc = simulate(&run, plan, argv[3], strtoull(argv[4], NULL, 10), &err);
    if (job != NULL)
        run_fini(&run);
    job_destroy(job);
    if (rc != 0)
        fprintf(stderr, "run-simulation: %s\n", err.text);
    comm_finalize();
    return rc == 0 ? 0 : err.code;
}
