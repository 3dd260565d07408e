/* run.c — the stories of calibrate, evaluate and --dry-run, in order; see run.h. Each step ends with one verdict for
 * all ranks. */
#include "coordinator/run_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/preprocess_text.h"
#include "common/printable.h"
#include "common/printed.h"
#include "coordinator/finished.h"
#include "coordinator/fingerprint.h"
#include "coordinator/keep.h"
#include "coordinator/sums_checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void run_fini(struct run *run)
{
    for (size_t i = 0; i < run->request->n_targets; i++) {
        plan_destroy(run->targets[i].plan);
        run_ready_fini(&run->ready[i]);
    }
    evaluation_fini(&run->evaluation);
    convergence_fini(&run->convergence);
    apart_end_views(&run->apart);
    observation_destroy(run->measured);
    apart_fini(&run->apart);
    pass_result_fini(&run->records);
    archive_fini(&run->earlier);
    equalization_fini(&run->equalization);
    if (run->evaluation_dataset != run->dataset)
        dataset_close(run->evaluation_dataset);
    dataset_close(run->dataset);
    graph_destroy(run->reference);
    free(run->of_reference);
    graph_destroy(run->graph);
    graph_destroy(run->original);
    comm_shared_fini(&run->constants);
    comm_shared_fini(&run->rewritten);
    output_close(run->output);
}

int run_is_finished(const struct comm *comm, const struct run_request *request, bool *is_finished, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = run_load(&run, err);

    *is_finished = false;
    if (rc == 0)
        rc = run_check_finished(&run, is_finished, err);
    if (rc == 0 && *is_finished)
        rc = comm_agree(comm, comm->rank == 0 ? finished_verdict(request->output, err) : 0, err);
    run_fini(&run);
    return rc;
}

int run_calibrate(const struct comm *comm, const struct run_request *request, FILE *out, bool *is_finished,
                  struct error *err)
{
    struct run run = {.comm = comm, .request = request, .mpi_before = comm_seconds(), .keeps_checkpoints = true};
    double t0 = clock_seconds(), t1, t2, t3, t4;
    int rc = 0;

    *is_finished = false;
    if (comm->rank == 0 && (run.output = output_open(request->output, err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = run_load(&run, err);
    if (rc == 0)
        rc = run_check_finished(&run, is_finished, err);
    if (rc == 0 && *is_finished) {
        log_info("%s is finished with the same model, dataset and job; nothing to do", request->output);
        if (comm->rank == 0) /* of a forced run that did not come to its end */
            rc = checkpoint_remove(run.output, err) != 0 ? -1 : sums_checkpoint_remove(run.output, err);
        if (rc == 0 && comm->rank == 0)
            rc = finished_verdict(request->output, err);
        rc = comm_agree(comm, rc, err);
        run_fini(&run);
        return rc;
    }
    t1 = clock_seconds();
    if (rc == 0)
        rc = run_measure(&run, run.may_reuse && !request->starts_anew, err);
    t2 = clock_seconds();
    if (rc == 0)
        rc = run_decide(&run, err);
    t3 = clock_seconds();
    if (rc == 0)
        rc = run_score(&run, false, err);
    t4 = clock_seconds();
    run.times = (struct run_times){t1 - t0, t2 - t1, t3 - t2, t4 - t3, 0};
    if (rc == 0)
        rc = run_write(&run, t4, err);
    *is_finished = rc == 0;
    if (rc == 0 && comm->rank == 0 && out != NULL) {
        struct report report = run_report(&run);

        report_print(&report, out);
        fprintf(out, "\n%s\n", request->output);
    }
    if (rc == 0)
        rc = comm_agree(comm, run_verdict(&run, err), err);
    run_fini(&run);
    return rc;
}

/* "record fp32 <target> ..." and a line of numbers per record. */
static void print_choices(const struct run *run, FILE *out)
{
    const struct evaluation *e = &run->evaluation;

    fprintf(out, "record fp32");
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL)
            fprintf(out, " %s", run->targets[i].target->name);
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].has_variant)
            fprintf(out, " %s:%s", run->targets[i].target->name, run->targets[i].variant_name);
    if (e->has_original)
        fprintf(out, " original");
    for (uint64_t r = 0; r < e->records.n_records; r++) {
        fprintf(out, "\n%" PRIu64, r);
        for (size_t i = 0; i < evaluation_networks(e); i++)
            fprintf(out, " %" PRIu64, e->choices[i * e->records.n_records + r]);
    }
    fprintf(out, "\n");
}

static int write_choices(const struct run *run, const char *path, struct error *err)
{
    struct printed choices;
    size_t size;
    char *text;
    int rc;

    if (printed_begin(&choices, path, err) != 0)
        return -1;
    print_choices(run, choices.out);
    text = printed_end(&choices, &size, err);
    rc = text == NULL ? -1 : output_write_path(path, run->request->force, text, size, err);
    free(text);
    return rc;
}

int run_evaluate(const struct comm *comm, const struct run_request *request, bool as_json, const char *choices,
                 FILE *out, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = request->evaluate.is_skipped ? error_set(err, EX_CONFIG, "evaluate.skip is true in the job") : 0;

    if (rc == 0 && comm->rank == 0 && choices != NULL)
        rc = output_check_path(choices, request->force, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = run_load(&run, err);
    if (rc == 0 && request->n_ready == 0)
        rc = run_measure(&run, true, err);
    else if (rc == 0)
        rc = run_equalize(&run, err);
    if (rc == 0)
        rc = request->n_ready == 0 ? run_decide(&run, err) : run_read_ready(&run, err);
    if (rc == 0)
        rc = run_score(&run, choices != NULL, err);
    if (rc == 0 && comm->rank == 0 && choices != NULL)
        rc = write_choices(&run, choices, err);
    if (rc == 0 && comm->rank == 0) {
        struct report report = run_report(&run);
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
        rc = comm_agree(comm, run_verdict(&run, err), err);
    run_fini(&run);
    return rc;
}

/* Collective. What run_load and run_measure would have found, from the archive; records, if `measured` says where. */
static int load_archive(struct run *run, const struct run_request *measured, struct archive *archive, struct error *err)
{
    const struct run_request *q = run->request;
    int rc = run_import_model(run, err);

    if (rc == 0 && strcmp(run->model, archive->model_fingerprint) != 0)
        rc = error_set(err, EX_DATAERR,
                       "%s is not the model of this archive: expected SHA-256 %s of files and inputs, found %s",
                       q->model.file, archive->model_fingerprint, run->model);
    if (rc == 0) {
        memcpy(run->measurement, archive->measurement_fingerprint, sizeof run->measurement);
        memcpy(run->statistics, archive->statistics_fingerprint, sizeof run->statistics);
        memcpy(run->probe, archive->probe, sizeof run->probe);
        rc = fingerprint_decisions(q, run->statistics, NULL, measured != NULL, run->decisions, err);
    }
    if (rc == 0)
        rc = run_take_archive(run, archive, err);
    rc = comm_agree(run->comm, rc, err); /* before anything collective: a rank may be without the model */
    if (rc == 0)
        rc = run_equalize(run, err);
    if (rc == 0)
        rc = run_see(run, err);
    if (rc == 0)
        rc = measured == NULL ? run_take_preprocess(run, err) : run_find_records(run, measured, err);
    return comm_agree(run->comm, rc, err);
}

static bool has_plan(const struct run *run)
{
    for (size_t i = 0; i < run->request->n_targets; i++)
        if (run->targets[i].plan != NULL)
            return true;
    return false;
}

static void tell_lacking_records(const struct run_request *q)
{
    for (size_t i = 0; i < q->n_targets; i++)
        if (q->targets[i]->ships_records)
            log_info(
                "target %s: records of the calibration set, which it ships, are left out; --job names the job whose "
                "dataset has them",
                q->targets[i]->name);
}

int run_emit(const struct comm *comm, const struct run_request *request, const struct run_request *measured,
             struct archive *archive, struct error *err)
{
    struct run run = {.comm = comm, .request = request, .has_no_data = true, .mpi_before = comm_seconds()};
    double t0 = clock_seconds(), t1, t2;
    bool is_finished = false;
    int rc = 0;

    if (comm->rank == 0 && (run.output = output_open(request->output, err)) == NULL)
        rc = -1;
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = load_archive(&run, measured, archive, err);
    archive_fini(archive); /* the run has copies */
    memory_give_back();
    if (rc == 0)
        rc = run_check_finished(&run, &is_finished, err);
    if (rc == 0 && is_finished) {
        log_info("%s is finished with the same archive and choices; nothing to do", request->output);
        rc = comm_agree(comm, comm->rank == 0 ? finished_verdict(request->output, err) : 0, err);
        run_fini(&run);
        return rc;
    }
    if (rc == 0 && measured == NULL)
        tell_lacking_records(request);
    t1 = clock_seconds();
    if (rc == 0)
        rc = run_decide(&run, err);
    t2 = clock_seconds();
    run.times = (struct run_times){t1 - t0, 0, t2 - t1, 0, 0};
    if (rc == 0 && !has_plan(&run)) /* the archive that it would write is the one that is there */
        rc = comm_agree(comm, run_verdict(&run, err), err);
    if (rc == 0)
        rc = run_write(&run, t2, err);
    if (rc == 0)
        rc = comm_agree(comm, run_verdict(&run, err), err);
    if (rc == 0 && comm->rank == 0)
        printf("%s\n", request->output);
    run_fini(&run);
    return rc;
}

static void describe_origin(const char *separator, const char *origin, FILE *out)
{
    if (origin != NULL) {
        fprintf(out, "%sfrom ", separator);
        printable_print(origin, out);
    }
    fputc('\n', out);
}

/* origin: the layer that it was taken from; NULL: the job gives it. */
static void describe_preprocessing(const char *what, const struct preprocess_plan *plan, const char *origin, FILE *out)
{
    printable_print(what, out);
    fputs(plan->n_steps == 0 ? ": []" : ":", out);
    describe_origin("  # ", origin, out);
    preprocess_print(plan, "  ", out);
}

static void describe_data(const struct run *run, FILE *out)
{
    const struct run_request *q = run->request;

    fprintf(out, "\n%llu records in blocks of %zu", (unsigned long long)dataset_count(run->dataset),
            q->calibration.block);
    describe_origin(", ", run->dataset_origin, out);
    describe_preprocessing("preprocess", &q->preprocess, run->preprocess_origin, out);
    for (size_t i = 0; i < q->n_preprocess_inputs; i++)
        describe_preprocessing(q->preprocess_inputs[i].name, &q->preprocess_inputs[i].plan, NULL, out);
}

/* The chain on one record: a plan that cannot give the network's input is found out, and one that suits no record is
 * not left to the full run. A bad record is an error where the job allows none. */
static int try_first_record(const struct run *run, FILE *out, struct error *err)
{
    struct feed *feed = feed_create(run->dataset, run->inputs, run->graph->n_inputs, err);
    float *rows[DATASET_MAX_INPUTS] = {NULL};
    struct error why = {0};
    struct record_identity identity;
    int64_t label;
    int rc = feed == NULL ? -1 : run_create_rows(run, rows, err);

    if (rc == 0 && feed_read(feed, 0, rows, &label, &identity, &why) < 0) {
        if (why.code == EX_DATAERR && run->request->max_bad_records > 0) {
            fputs("the first record is bad: ", out);
            printable_print(why.text, out);
            fputc('\n', out);
        } else {
            rc = error_set(err, why.code, "the first record: %s", why.text);
        }
    }
    run_free_rows(rows);
    feed_destroy(feed);
    return rc;
}

int run_describe(const struct comm *comm, const struct run_request *request, FILE *out, struct error *err)
{
    struct run run = {.comm = comm, .request = request};
    int rc = run_load(&run, err);

    if (rc == 0 && comm->rank == 0) {
        fprintf(out, "model %s, %zu nodes after normalisation\n", request->model_name, run.graph->n_nodes);
        graph_print(run.graph, out);
        describe_data(&run, out);
        for (size_t i = 0; i < request->n_targets; i++)
            fprintf(out, "target %s: %s\n", request->targets[i]->name, request->targets[i]->summary);
        rc = try_first_record(&run, out, err);
        if (rc == 0)
            rc = (run.output = output_open(request->output, err)) == NULL ? -1 : 0; /* run_fini removes what is empty */
        if (rc == 0)
            fprintf(out, "would be written to %s\n", request->output);
    }
    rc = comm_agree(comm, rc, err);
    run_fini(&run);
    return rc;
}
