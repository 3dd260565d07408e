/* run_write.c — the output folder: what was there, and what is written; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/memory.h"
#include "coordinator/finished.h"
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

/* What is said of the models that are written. */
static int write_account(struct run *run, const char *hosts, double started, struct error *err)
{
    struct report report = run_report(run);

    if (keep_archive(&report, run->observation, run->output, err) != 0)
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

/* Collective. */
static int write_outputs(struct run *run, const char *hosts, double started, struct error *err)
{
    bool is_first = run->comm->rank == 0;
    struct finished_files *earlier = NULL;
    int rc = comm_agree(run->comm, is_first ? finished_withdraw(run->output, &earlier, err) : 0, err);

    if (rc == 0)
        rc = run_write_models(run, err);
    if (rc == 0 && is_first) {
        rc = write_account(run, hosts, started, err);
        if (rc == 0)
            rc = finished_sweep(earlier, run->output, err);
        if (rc == 0)
            rc = checkpoint_remove(run->output, err);
    }
    finished_files_destroy(earlier);
    return comm_agree(run->comm, rc, err);
}

int run_write(struct run *run, double started, struct error *err)
{
    char *hosts = NULL;
    int rc = gather_hosts(run->comm, &hosts, err);

    if (rc == 0)
        rc = write_outputs(run, hosts, started, err);
    free(hosts);
    return rc;
}
