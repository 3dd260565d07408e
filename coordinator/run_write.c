/* run_write.c — the output folder: what was there, and what is written; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/finished.h"
#include "coordinator/inputs.h"
#include "coordinator/keep.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report run_report(struct run *run)
{
    return (struct report){run->request,
                           run->graph,
                           run->model,
                           run->statistics,
                           run->decisions,
                           &run->records,
                           run->is_evaluated ? &run->evaluation : NULL,
                           &run->equalization,
                           &run->convergence,
                           run->request->n_targets,
                           run->targets,
                           run->output};
}

static int write_text(struct run *run, const char *name, char *text, bool is_listed, struct error *err)
{
    int rc = text == NULL ? -1 : output_write(run->output, name, text, strlen(text), is_listed, err);

    free(text);
    return rc;
}

/* Of struct emit_records; context is a feed. */
static int read_record(void *context, uint64_t record, float *const *rows, bool *is_bad, struct error *err)
{
    uint64_t digest;
    int64_t label;

    *is_bad = false;
    if (feed_read(context, record, rows, &label, &digest, err) == 0)
        return 0;
    if (err->code != EX_DATAERR)
        return -1;
    *is_bad = true;
    *err = (struct error){0};
    return 0;
}

static int emit_targets(struct run *run, struct emit_records *records, struct error *err)
{
    const struct preprocess_plan *preprocess[DATASET_MAX_INPUTS];
    struct emit_info info = {.version = ETALON_VERSION,
                             .records = run->records.n_used,
                             .method = run->request->calibration.activations->name,
                             .model_name = run->request->model_name,
                             .preprocess = preprocess,
                             .settings = &run->request->target_settings,
                             .percentile = run->request->calibration.percentile,
                             .model = &run->request->model,
                             .records_of_calibration = records};
    const struct output_file *files;

    for (size_t i = 0; i < run->graph->n_inputs; i++)
        preprocess[i] = inputs_preprocess(run->request, run->graph->values[run->graph->inputs[i]].name);

    for (size_t i = 0; i < run->request->n_targets; i++) {
        struct report_target *t = &run->targets[i];

        if (t->plan == NULL)
            continue;
        info.fingerprint = t->fingerprint;
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

/* With what the data set has to offer, where there is one. */
static int emit_with_records(struct run *run, struct error *err)
{
    struct emit_records records = {.read = read_record};
    struct feed *feed;
    int rc;

    if (run->dataset == NULL)
        return emit_targets(run, NULL, err);
    feed = feed_create(run->dataset, run->inputs, run->graph->n_inputs, err);
    if (feed == NULL)
        return -1;
    records.n = dataset_count(run->dataset);
    records.context = feed;
    rc = emit_targets(run, &records, err);
    feed_destroy(feed);
    return rc;
}

static int write_files(struct run *run, const char *hosts, double started, struct error *err)
{
    struct report report = run_report(run);

    if (emit_with_records(run, err) != 0 || keep_archive(&report, run->observation, run->output, err) != 0)
        return -1;
    if (write_text(run, "report.json", report_json(&report, err), true, err) != 0)
        return -1;
    run->times.write = clock_seconds() - started;
    if (write_text(
            run, "run.json",
            report_run(run->comm, &run->times, hosts, &run->records.stages, &run->evaluation.records.stages, err),
            false, err) != 0)
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

int run_check_finished(struct run *run, bool *is_finished, struct error *err)
{
    const struct run_request *q = run->request;
    int32_t found = run->comm->rank > 0 ? FINISHED_NOT : finished_find(q->output, run->statistics, run->decisions, err);
    int rc = found < 0 ? -1 : 0;

    if (found > FINISHED_SAME && !q->force)
        rc = error_set(err, EX_CANTCREAT,
                       "%s: holds the finished results of another model, dataset or job; use --force to replace them",
                       q->output);
    rc = comm_agree(run->comm, rc, err);
    comm_broadcast(run->comm, &found, sizeof found);
    run->may_reuse = found == FINISHED_SAME_STATISTICS;
    *is_finished = rc == 0 && found == FINISHED_SAME && !q->force;
    return rc;
}

int run_write(struct run *run, double started, struct error *err)
{
    char *hosts = NULL;
    int rc = gather_hosts(run->comm, &hosts, err);

    if (rc == 0)
        rc = comm_agree(run->comm, run->comm->rank == 0 ? write_outputs(run, hosts, started, err) : 0, err);
    free(hosts);
    return rc;
}
