/* run_write.c — the output folder: what was there, and what is written; see run_private.h. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "coordinator/finished.h"
#include "coordinator/page.h"
#include "coordinator/sums_checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report run_report(struct run *run)
{
    return (struct report){.request = run->request,
                           .graph = run->graph,
                           .model_fingerprint = run->model,
                           .measurement_fingerprint = run->measurement,
                           .statistics_fingerprint = run->statistics,
                           .decisions_fingerprint = run->decisions,
                           .probe = run->probe,
                           .records = &run->records,
                           .evaluation = run->is_evaluated ? &run->evaluation : NULL,
                           .equalization = run->apart.watched == NULL ? &run->equalization : &run->apart.equalization,
                           .beside = run->apart.beside,
                           .convergence = &run->convergence,
                           .n_targets = run->request->n_targets,
                           .targets = run->targets,
                           .output = run->output};
}

static int write_text(struct run *run, const char *name, const char *text, bool is_listed, struct error *err)
{
    return text == NULL ? -1 : output_write(run->output, name, text, strlen(text), is_listed, err);
}

/* report.json, run.json and, of both and of the histograms, report.html. */
static int write_reports(struct run *run, struct page *page, const struct rank_times *ranks, double started,
                         struct error *err)
{
    struct report report = run_report(run);
    char *results = report_json(&report, err), *times = NULL;
    int rc = write_text(run, "report.json", results, true, err);

    run->times.write = clock_seconds() - started;
    if (rc == 0) {
        times = report_run(run->comm, &run->times, ranks, &run->records.stages, &run->evaluation.records.stages, err);
        rc = write_text(run, "run.json", times, false, err);
    }
    page->report = results;
    page->run = times;
    if (rc == 0)
        rc = page_write(page, run->output, err);
    free(results);
    free(times);
    return rc;
}

/* What is said of what is written. */
static int write_account(struct run *run, struct page *page, const struct rank_times *ranks, double started,
                         struct error *err)
{
    struct report report = run_report(run);
    char *manifest = NULL;
    int rc = write_reports(run, page, ranks, started, err);

    if (rc == 0) {
        manifest = report_manifest(&report, err);
        rc = write_text(run, "manifest.json", manifest, false, err);
    }
    free(manifest);
    return rc;
}

/* Collective. Of all ranks; the caller frees them. */
static int gather_times(const struct run *run, struct rank_times **out, struct error *err)
{
    const struct comm *comm = run->comm;
    const struct pass_result *measured[] = {&run->records, &run->evaluation.records};
    struct rank_times *all = memory_create((size_t)comm->size, sizeof *all, "the times of ranks", err);
    struct rank_times *own;

    if (comm_agree(comm, all != NULL ? 0 : -1, err) != 0) {
        free(all);
        return -1;
    }
    own = &all[comm->rank];
    gethostname(own->host, sizeof own->host - 1);
    own->mpi = comm_seconds() - run->mpi_before;
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++) {
        own->passes += measured[i]->seconds * (double)run->request->threads;
        own->idle += measured[i]->idle;
    }
    comm_gather_shares(comm, all, (size_t)comm->size, sizeof *all);
    *out = all;
    return 0;
}

/* What a user of many ranks looks for: the rank that waits most, for others and for work. */
static void tell_ranks(const struct comm *comm, const struct rank_times *ranks)
{
    int waits = 0, idles = 0;

    for (int r = 1; r < comm->size; r++) {
        if (ranks[r].mpi > ranks[waits].mpi)
            waits = r;
        if (ranks[r].idle * ranks[idles].passes > ranks[idles].idle * ranks[r].passes)
            idles = r;
    }
    if (comm->size > 1 && ranks[idles].passes > 0)
        log_info("%d ranks: in MPI for at most %.1f s (rank %d on %s); engine threads idle for at most %.1f %% of the "
                 "passes (rank %d on %s)",
                 comm->size, ranks[waits].mpi, waits, ranks[waits].host, 100 * ranks[idles].idle / ranks[idles].passes,
                 idles, ranks[idles].host);
}

int run_check_finished(struct run *run, bool *is_finished, struct error *err)
{
    const struct run_request *q = run->request;
    int32_t found = run->comm->rank > 0 ? FINISHED_NOT : finished_find(q->output, run->statistics, run->decisions, err);
    int rc = found < 0 ? -1 : 0;

    if (found > FINISHED_INCOMPLETE && !q->force && !q->may_replace)
        rc = error_set(err, EX_CANTCREAT,
                       "%s: holds the finished results of another model, dataset or job; use --force to replace them",
                       q->output);
    rc = comm_agree(run->comm, rc, err);
    comm_broadcast(run->comm, &found, sizeof found);
    run->may_reuse = found == FINISHED_INCOMPLETE || found == FINISHED_SAME_STATISTICS;
    *is_finished = rc == 0 && found == FINISHED_SAME && !q->force;
    return rc;
}

/* Collective. */
static int write_outputs(struct run *run, struct page *page, const struct rank_times *ranks, double started,
                         struct error *err)
{
    bool is_first = run->comm->rank == 0;
    struct finished_files *earlier = NULL;
    int rc = comm_agree(run->comm, is_first ? finished_withdraw(run->output, &earlier, err) : 0, err);

    if (rc == 0)
        rc = run_write_models(run, err);
    if (rc == 0 && is_first) {
        rc = write_account(run, page, ranks, started, err);
        if (rc == 0)
            rc = finished_sweep(earlier, run->output, err);
        if (rc == 0)
            rc = checkpoint_remove(run->output, err);
        if (rc == 0)
            rc = sums_checkpoint_remove(run->output, err);
    }
    finished_files_destroy(earlier);
    return comm_agree(run->comm, rc, err);
}

/* What the page shows of the observation. Collective. */
static int fill_page(const struct run *run, struct page *page, struct error *err)
{
    const struct observation *o = run->observation;

    page->values = memory_create(o->graph->n_values, sizeof *page->values, "report.html", err);
    if (comm_agree(run->comm, page->values == NULL ? -1 : 0, err) != 0)
        return -1;
    for (size_t v = 0; v < o->graph->n_values; v++)
        if (o->tensor[v].bins > 0)
            page->values[page->n_values++] = (struct page_value){o->graph->values[v].name, &o->tensor[v]};
    /* emit is for those in a hurry: etalon report adds the comparison, which takes longer than all its models. */
    return run->has_no_data ? 0 : page_compare(run->comm, page, run->request->calibration.percentile, err);
}

int run_write(struct run *run, double started, struct error *err)
{
    struct page page = {0};
    struct rank_times *ranks = NULL;
    int rc = gather_times(run, &ranks, err);

    if (rc == 0)
        tell_ranks(run->comm, ranks);
    if (rc == 0)
        rc = fill_page(run, &page, err);
    if (rc == 0)
        rc = write_outputs(run, &page, ranks, started, err);
    free(ranks);
    page_fini(&page);
    return rc;
}
