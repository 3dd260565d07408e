/* run.c — the story of one calibration, in order; see run.h. Each step ends with one verdict for all ranks. */
#include "coordinator/run.h"

#include "common/log.h"
#include "common/passes.h"
#include "coordinator/checkpoint.h"
#include "coordinator/correct.h"
#include "coordinator/decide.h"
#include "coordinator/fingerprint.h"
#include "coordinator/finished.h"
#include "coordinator/keep.h"
#include "coordinator/measure.h"
#include "coordinator/stop.h"
#include "worker/simulate.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct run {
    const struct comm *comm;
    const struct run_request *request;
    struct graph *graph;
    struct dataset *dataset, *evaluation_dataset; /* the latter may be the former, or NULL: skipped */
    struct output *output;                        /* rank 0 of calibrate only */
    struct checkpoint *checkpoint;                /* of calibrate, while it measures */
    struct observation *observation;
    struct pass_result records;
    struct evaluation evaluation;
    bool is_evaluated;
    struct report_target targets[RUN_MAX_TARGETS];
    char statistics[65], decisions[65];
    struct run_times times;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t channel_bins(const struct run_request *q)
{
    return q->calibration.granularity == GRANULARITY_PER_CHANNEL ? q->calibration.channel_bins : 0;
}

/* ---- load: model and datasets, the same for all ranks ---- */

static int open_datasets(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;

    if ((run->dataset = dataset_open(&q->dataset, err)) == NULL)
        return error_in(err, "dataset");
    if (q->evaluate.is_skipped)
        return 0;
    if (q->evaluate.dataset.kind == NULL)
        run->evaluation_dataset = run->dataset;
    else if ((run->evaluation_dataset = dataset_open(&q->evaluate.dataset, err)) == NULL)
        return error_in(err, "evaluation dataset");
    return 0;
}

static int import_model(struct run *run, struct error *err)
{
    run->graph = model_import(&run->request->model, err);
    if (run->graph == NULL || graph_normalise(run->graph, err) != 0)
        return -1;
    if (run->graph->n_inputs > 1)
        return error_set(
            err, EX_UNAVAILABLE,
            "%s: the network has %zu inputs (the second is \"%s\"), and a record of a dataset is one tensor: "
            "such a network can be inspected and converted, not calibrated",
            run->request->model.file, run->graph->n_inputs, run->graph->values[run->graph->inputs[1]].name);
    return 0;
}

/* Collective. Every rank must have computed rank 0's digest; `otherwise` says what a rank with another one does. */
static int check_digest(const struct comm *comm, const char digest[65], int code, const char *otherwise,
                        struct error *err)
{
    char first[65], host[256] = "?";
    int rc = 0;

    memcpy(first, digest, sizeof first);
    comm_broadcast(comm, first, sizeof first);
    gethostname(host, sizeof host - 1); /* a name that does not fit is cut */
    if (strcmp(first, digest) != 0)
        rc = error_set(err, code, "host %s (%s) %s", host, engine_isa(), otherwise);
    return comm_agree(comm, rc, err);
}

/* Ranks that read other files, or compute other bits, must not pour their statistics into one. */
static int check_ranks(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    const struct comm *comm = run->comm;
    char probe[65];
    int rc = comm_agree(comm, measure_probe(run->graph, q->calibration.block, probe, err), err);

    if (rc == 0)
        rc = check_digest(comm, probe, EX_UNAVAILABLE,
                          "computes other fp32 bits than rank 0; pin a common instruction set with engine.isa, and see "
                          "that both read the same model",
                          err);
    if (rc == 0)
        rc = comm_agree(comm, fingerprint_statistics(q, run->dataset, probe, run->statistics, err), err);
    if (rc == 0)
        rc = check_digest(comm, run->statistics, EX_DATAERR, "reads another model, dataset or job than rank 0", err);
    if (rc == 0)
        rc = comm_agree(comm, fingerprint_decisions(q, run->statistics, run->evaluation_dataset, run->decisions, err),
                        err);
    if (rc == 0)
        rc = check_digest(comm, run->decisions, EX_DATAERR, "reads another evaluation set or job than rank 0", err);
    return rc;
}

static int load(struct run *run, struct error *err)
{
    int rc = engine_pin_isa(run->request->isa, err);

    if (rc == 0)
        rc = open_datasets(run, err); /* an empty dataset is found before a large model is read */
    if (rc == 0)
        rc = import_model(run, err);
    rc = comm_agree(run->comm, rc, err);
    return rc == 0 ? check_ranks(run, err) : rc;
}

static struct pass_request pass_over(const struct run *run, struct dataset *dataset, const char *what)
{
    const struct run_request *q = run->request;

    return (struct pass_request){
        run->graph, dataset, &q->preprocess, q->calibration.block, q->threads, q->max_bad_records, what, NULL, NULL};
}

/* ---- measure, decide, evaluate ---- */

/* Collective. The statistics of an earlier run, where every rank sees its archive: an output folder on one host's disk
 * is no reason for the others to wait for ever. */
static int reuse(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    char path[4096];
    int32_t is_missing;
    int rc;

    snprintf(path, sizeof path, "%s/archive.h5", q->output);
    rc = keep_load(path, run->graph, run->statistics, q->calibration.bins, channel_bins(q), &run->observation,
                   &run->records, err);
    rc = comm_agree(run->comm, rc, err);
    if (rc != 0)
        return rc;
    is_missing = run->observation == NULL;
    comm_max_int32(run->comm, &is_missing, 1);
    if (!is_missing) {
        log_info("statistics come from %s", path);
        return 0;
    }
    observation_destroy(run->observation);
    run->observation = NULL;
    pass_result_fini(&run->records);
    return 0;
}

static int measure(struct run *run, bool may_reuse, struct error *err)
{
    const struct run_request *q = run->request;
    struct pass_request request = pass_over(run, run->dataset, "calibration");
    int rc = may_reuse ? reuse(run, err) : 0;

    if (rc == 0 && run->observation == NULL)
        rc = measure_run(run->comm, &request, q->calibration.bins, channel_bins(q), run->checkpoint, &run->observation,
                         &run->records, err);
    return rc;
}

/* Collective. From the checkpoint in the output folder, if there is one; keeps one there until the results are written.
 */
static int measure_with_checkpoint(struct run *run, struct error *err)
{
    const struct run_request *q = run->request;
    uint64_t n_blocks = (dataset_count(run->dataset) + q->calibration.block - 1) / q->calibration.block;
    int rc;

    run->checkpoint = checkpoint_open(run->comm, q, run->graph, run->statistics, channel_bins(q), n_blocks, run->output,
                                      q->starts_anew, err);
    if (run->checkpoint == NULL)
        return -1;
    rc = measure(run, false, err);
    checkpoint_close(run->checkpoint);
    run->checkpoint = NULL;
    return rc;
}

/* The plans that exist, in the order of targets, with their places in the evaluation. */
static size_t list_plans(struct run *run, struct plan *plans[RUN_MAX_TARGETS])
{
    size_t n = 0;

    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL) {
            run->targets[i].evaluation = n;
            plans[n++] = run->targets[i].plan;
        }
    return n;
}

/* What no simulator can run would end the whole evaluation: found here, it costs its own target only. */
static int check_simulation(const struct plan *plan, struct error *err)
{
    struct simulator *simulator = simulator_create(plan, 1, err);

    if (simulator == NULL)
        return -1;
    simulator_destroy(simulator);
    return 0;
}

/* Local. What the target cannot express. */
static int check_target(const struct target *target, const struct plan *plan, struct error *err)
{
    if (plan->graph->batch > 1 && !target->takes_batch)
        return error_set(err, EX_UNAVAILABLE, "a batch of %lld: only models of one record are written",
                         (long long)plan->graph->batch);
    return target->check == NULL ? 0 : target->check(plan, err);
}

/* A plan per target. A target that cannot express the model is noted; the others go on. */
static int decide(struct run *run, struct error *err)
{
    struct plan *plans[RUN_MAX_TARGETS];

    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];
        int rc;

        t->target = run->request->targets[i];
        rc = decide_plan(run->comm, run->request, t->target, run->observation, &t->plan, err);
        if (rc == 0)
            rc = comm_agree(run->comm, check_target(t->target, t->plan, err), err);
        if (rc == 0)
            rc = comm_agree(run->comm, check_simulation(t->plan, err), err);
        if (rc == 0)
            continue;
        if (err->code != EX_UNAVAILABLE)
            return error_in(err, "target %s", t->target->name);
        t->error = *err;
        *err = (struct error){0};
        plan_destroy(t->plan);
        t->plan = NULL;
        log_warning("target %s: %s", t->target->name, t->error.text);
    }
    if (run->request->calibration.bias_correction != BIAS_CORRECTION_SIMULATED)
        return 0;
    return correct_biases(run->comm, run->request, run->graph, run->dataset, plans, list_plans(run, plans), err);
}

static int evaluate(struct run *run, bool with_choices, struct error *err)
{
    const struct run_request *q = run->request;
    struct pass_request request = pass_over(run, run->evaluation_dataset, "evaluation");
    struct plan *plans[RUN_MAX_TARGETS];
    size_t n = list_plans(run, plans);

    if (q->evaluate.is_skipped)
        return 0;
    run->is_evaluated = true;
    return evaluate_run(run->comm, &request, plans, n, q->evaluate.top_k, q->evaluate.n_top_k, with_choices,
                        &run->evaluation, err);
}

static struct report make_report(struct run *run)
{
    return (struct report){run->request,
                           run->graph,
                           run->statistics,
                           run->decisions,
                           &run->records,
                           run->is_evaluated ? &run->evaluation : NULL,
                           run->request->n_targets,
                           run->targets,
                           run->output};
}

/* ---- write (rank 0) ---- */

static int write_text(struct run *run, const char *name, char *text, bool is_listed, struct error *err)
{
    int rc = text == NULL ? -1 : output_write(run->output, name, text, strlen(text), is_listed, err);

    free(text);
    return rc;
}

static int emit_targets(struct run *run, struct error *err)
{
    struct emit_info info = {run->decisions, ETALON_VERSION, run->records.n_used,
                             run->request->calibration.activations->name, run->request->model_name};
    const struct output_file *files;

    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        if (t->plan == NULL)
            continue;
        t->first_file = output_files(run->output, &files);
        if (t->target->emit(t->plan, &info, run->output, err) != 0) {
            if (err->code != EX_UNAVAILABLE)
                return error_in(err, "target %s", t->target->name);
            t->error = *err;
            *err = (struct error){0};
            log_warning("target %s: %s", t->target->name, t->error.text);
        }
        t->n_files = output_files(run->output, &files) - t->first_file;
    }
    return 0;
}

static int write_files(struct run *run, const char *hosts, double started, struct error *err)
{
    struct report report = make_report(run);

    if (emit_targets(run, err) != 0 || keep_archive(&report, run->observation, run->output, err) != 0)
        return -1;
    if (write_text(run, "report.json", report_json(&report, err), true, err) != 0)
        return -1;
    run->times.write = now() - started;
    if (write_text(run, "run.json", report_run(run->comm, &run->times, hosts, err), false, err) != 0)
        return -1;
    return write_text(run, "manifest.json", report_manifest(&report, err), false, err);
}

static int write_outputs(struct run *run, const char *hosts, double started, struct error *err)
{
    struct finished_files *earlier;
    int rc = finished_withdraw(run->output, &earlier, err);

    if (rc == 0)
        rc = write_files(run, hosts, started, err);
    if (rc == 0)
        rc = finished_sweep(earlier, run->output, err);
    if (rc == 0)
        rc = checkpoint_remove(run->output, err);
    finished_files_destroy(earlier);
    return rc;
}

/* One line per rank: host names, gathered. Every rank calls it. */
static int gather_hosts(const struct comm *comm, char **hosts, struct error *err)
{
    enum { HOST_BYTES = 64 };
    char *names = memory_create((size_t)comm->size, HOST_BYTES, "host names", err);
    char *line = memory_create((size_t)comm->size, HOST_BYTES + 1, "host names", err);
    int rc = comm_agree(comm, names != NULL && line != NULL ? 0 : -1, err);

    if (rc == 0) {
        gethostname(names + comm->rank * HOST_BYTES, HOST_BYTES - 1);
        comm_gather_shares(comm, names, (size_t)comm->size, HOST_BYTES);
        for (int r = 0; r < comm->size; r++) {
            strcat(line, r > 0 ? " " : "");
            strcat(line, names + r * HOST_BYTES);
        }
        *hosts = line;
        line = NULL;
    }
    free(names);
    free(line);
    return rc;
}

/* ---- the finished folder ---- */

static int check_finished(struct run *run, bool *is_finished, struct error *err)
{
    const struct run_request *q = run->request;
    int32_t found = run->comm->rank > 0 ? FINISHED_NOT : finished_find(q->output, run->statistics, run->decisions, err);
    int rc = found < 0 ? -1 : 0;

    if (found == FINISHED_OTHER && !q->force)
        rc = error_set(err, EX_CANTCREAT,
                       "%s: holds the finished results of another model, dataset or job; use --force to replace them",
                       q->output);
    rc = comm_agree(run->comm, rc, err);
    comm_broadcast(run->comm, &found, sizeof found);
    *is_finished = rc == 0 && found == FINISHED_SAME && !q->force;
    return rc;
}

static void run_fini(struct run *run)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        plan_destroy(run->targets[i].plan);
    evaluation_fini(&run->evaluation);
    observation_destroy(run->observation);
    pass_result_fini(&run->records);
    if (run->evaluation_dataset != run->dataset)
        dataset_close(run->evaluation_dataset);
    dataset_close(run->dataset);
    graph_destroy(run->graph);
    output_close(run->output);
}

/* The first target that failed decides the exit code, after everything else is on disk. */
static int verdict(const struct run *run, struct error *err)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].error.code != 0) {
            *err = run->targets[i].error;
            return error_in(err, "target %s", run->targets[i].target->name);
        }
    return 0;
}

int run_calibrate(const struct comm *comm, const struct run_request *request, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    double t0 = now(), t1, t2, t3, t4;
    bool is_finished = false;
    char *hosts = NULL;
    int rc = 0;

    if (stop_listen(err) != 0 || (comm->rank == 0 && (run.output = output_open(request->output, err)) == NULL))
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = load(&run, err);
    if (rc == 0)
        rc = check_finished(&run, &is_finished, err);
    if (rc == 0 && is_finished) {
        log_info("%s is finished with the same model, dataset and job; nothing to do", request->output);
        rc = comm_agree(comm, comm->rank == 0 ? finished_verdict(request->output, err) : 0, err);
        run_fini(&run);
        return rc;
    }
    t1 = now();
    if (rc == 0)
        rc = measure_with_checkpoint(&run, err);
    t2 = now();
    if (rc == 0)
        rc = decide(&run, err);
    t3 = now();
    if (rc == 0)
        rc = evaluate(&run, false, err);
    t4 = now();
    run.times = (struct run_times){t1 - t0, t2 - t1, t3 - t2, t4 - t3, 0};
    if (rc == 0)
        rc = gather_hosts(comm, &hosts, err);
    if (rc == 0)
        rc = comm_agree(comm, comm->rank == 0 ? write_outputs(&run, hosts, t4, err) : 0, err);
    if (rc == 0 && comm->rank == 0) {
        struct report report = make_report(&run);

        report_print(&report, stdout);
        printf("\n%s\n", request->output);
    }
    if (rc == 0)
        rc = comm_agree(comm, verdict(&run, err), err);
    free(hosts);
    run_fini(&run);
    return rc;
}

/* "record fp32 <target> ..." and a line of numbers per record. */
static int write_choices(const struct run *run, const char *path, struct error *err)
{
    const struct evaluation *e = &run->evaluation;
    FILE *file = fopen(path, "w");
    bool failed;

    if (file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", path, strerror(errno));
    fprintf(file, "record fp32");
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL)
            fprintf(file, " %s", run->targets[i].target->name);
    for (uint64_t r = 0; r < e->records.n_records; r++) {
        fprintf(file, "\n%" PRIu64, r);
        for (size_t i = 0; i <= e->n_targets; i++)
            fprintf(file, " %" PRIu64, e->choices[i * e->records.n_records + r]);
    }
    fprintf(file, "\n");
    failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return error_set(err, EX_IOERR, "%s: cannot be written: %s", path, strerror(errno));
    return 0;
}

int run_evaluate(const struct comm *comm, const struct run_request *request, bool as_json, const char *choices,
                 FILE *out, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = request->evaluate.is_skipped ? error_set(err, EX_CONFIG, "evaluate.skip is true in the job") : 0;

    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = load(&run, err);
    if (rc == 0)
        rc = measure(&run, true, err);
    if (rc == 0)
        rc = decide(&run, err);
    if (rc == 0)
        rc = evaluate(&run, choices != NULL, err);
    if (rc == 0 && comm->rank == 0 && choices != NULL)
        rc = write_choices(&run, choices, err);
    if (rc == 0 && comm->rank == 0) {
        struct report report = make_report(&run);
        char *text = as_json ? report_json(&report, err) : NULL;

        if (as_json && text == NULL)
            rc = -1;
        else if (as_json)
            fprintf(out, "%s\n", text);
        else
            report_print(&report, out);
        free(text);
    }
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = comm_agree(comm, verdict(&run, err), err);
    run_fini(&run);
    return rc;
}

int run_describe(const struct comm *comm, const struct run_request *request, FILE *out, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = load(&run, err);

    if (rc == 0 && comm->rank == 0) {
        fprintf(out, "model %s, %zu nodes after normalisation\n", request->model_name, run.graph->n_nodes);
        graph_print(run.graph, out);
        fprintf(out, "\n%llu records in blocks of %zu\n", (unsigned long long)dataset_count(run.dataset),
                request->calibration.block);
        for (size_t i = 0; i < request->n_targets; i++)
            fprintf(out, "target %s: %s\n", request->targets[i]->name, request->targets[i]->summary);
        fprintf(out, "would be written to %s\n", request->output);
    }
    run_fini(&run);
    return rc;
}
