/* run_simulation.c — every integer of a simulated target, for comparison with the runtime that it stands for.
 *
 *   run-simulation JOB.yaml TARGET FOLDER RECORDS
 *
 * Decides as the job says and simulates the first RECORDS records of its evaluation set. FOLDER gets input.<i>, the
 * network's inputs as float32, and value.<i>, the codes of a value as int16, record after record; stdout gets a line
 * "<i> <name>" for each of these values.
 */
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

static int keep_codes(struct simulator *simulator, const struct plan *plan, int value, const char *folder,
                      struct error *err)
{
    const int16_t *codes = simulator_codes(simulator, value);
    size_t n = (size_t)shape_elements(&plan->graph->values[value].shape);
    int16_t *stored = codes == NULL ? NULL : malloc(n * sizeof *stored);
    int rc = 0;

    for (size_t i = 0; stored != NULL && i < n; i++)
        stored[i] = (int16_t)(codes[i] + plan->values[value].codes.zero_point);
    if (stored != NULL)
        rc = append(folder, "value", (size_t)value, stored, n * sizeof *stored, err);
    free(stored);
    return rc;
}

static int simulate_record(const struct run *run, struct simulator *simulator, const struct plan *plan, float **rows,
                           const char *folder, struct error *err)
{
    const struct graph *graph = run->graph;
    int rc = simulator_begin(simulator, (const float *const *)rows, 1, err);

    for (size_t i = 0; rc == 0 && i < graph->n_inputs; i++) {
        rc = append(folder, "input", i, rows[i],
                    (size_t)shape_elements(&graph->values[graph->inputs[i]].shape) * sizeof(float), err);
        if (rc == 0)
            rc = keep_codes(simulator, plan, graph->inputs[i], folder, err);
    }
    for (size_t n = 0; rc == 0 && n < graph->n_nodes; n++) {
        rc = simulator_step(simulator, (int)n, err);
        if (rc == 0)
            rc = keep_codes(simulator, plan, graph->nodes[n].outputs[0], folder, err);
    }
    return rc;
}

static int simulate(struct run *run, const struct plan *plan, const char *folder, uint64_t n_records, struct error *err)
{
    struct feed *feed = feed_create(run->evaluation_dataset, run->evaluation_inputs, run->graph->n_inputs, err);
    struct simulator *simulator = simulator_create(plan, 1, err);
    float *rows[DATASET_MAX_INPUTS] = {NULL};
    int rc = feed == NULL || simulator == NULL ? -1 : run_create_rows(run, rows, err);

    for (uint64_t r = 0; rc == 0 && r < n_records; r++) {
        int64_t label;
        uint64_t digest;

        rc = feed_read(feed, r, rows, &label, &digest, err);
        if (rc == 0)
            rc = simulate_record(run, simulator, plan, rows, folder, err);
    }
    for (size_t v = 0; rc == 0 && v < run->graph->n_values; v++)
        if (plan->values[v].is_quantized)
            printf("%zu %s\n", v, run->graph->values[v].name);
    run_free_rows(rows);
    simulator_destroy(simulator);
    feed_destroy(feed);
    return rc;
}

static const struct plan *find_plan(const struct run *run, const char *target, struct error *err)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (strcmp(run->targets[i].target->name, target) == 0 && run->targets[i].plan != NULL)
            return run->targets[i].plan;
    error_set(err, EX_USAGE, "the job has no plan for %s", target);
    return NULL;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct job *job = NULL;
    struct comm comm;
    struct run run = {0};
    const struct plan *plan = NULL;
    int rc;

    if (argc != 5) {
        fprintf(stderr, "usage: run-simulation JOB.yaml TARGET FOLDER RECORDS\n");
        return EX_USAGE;
    }
    rc = comm_init(&argc, &argv, &comm, &err);
    if (rc == 0 && (job = job_read(argv[1], NULL, 0, &err)) == NULL)
        rc = -1;
    if (rc == 0) {
        run = (struct run){.comm = &comm, .request = job_request(job)};
        rc = run_load(&run, &err);
    }
    if (rc == 0)
        rc = run_measure(&run, true, &err);
    if (rc == 0)
        rc = run_decide(&run, &err);
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
