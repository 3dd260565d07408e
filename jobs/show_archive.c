/* show_archive.c — see show_archive.h: the tables. */
#include "jobs/show_archive.h"

#include "common/memory.h"
#include "common/printable.h"
#include "coordinator/report_convergence.h"
#include "jobs/archive_view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A name as wide as its column at most. */
enum { NAME_BYTES = 40 + PRINTABLE_MARGIN - 1 };

/* ---- where it comes from ---- */

static void print_parts(const struct archive *a, FILE *out)
{
    if (a->n_parts == 0)
        return;
    if (a->part_blocks == NULL) {
        fprintf(out, "eight parts, of blocks in turn\n");
        return;
    }
    fprintf(out, "eight parts, beginning with blocks");
    for (size_t p = 0; p < a->n_parts; p++)
        fprintf(out, " %" PRIu64, a->part_blocks[p]);
    fprintf(out, ", to block %" PRIu64 "\n", a->part_blocks[a->n_parts]);
}

/* As it was written, a line at a time. */
static int print_job(const struct archive *a, FILE *out, struct error *err)
{
    char *text = memory_create(a->n_job + 1, 1, "the job of an archive", err), *rest = text, *line;

    if (text == NULL)
        return -1;
    if (a->n_job > 0) {
        memcpy(text, a->job, a->n_job);
        fprintf(out, "job:\n");
    }
    while ((line = strsep(&rest, "\n")) != NULL)
        if (*line != '\0') {
            fprintf(out, "  ");
            printable_print(line, out);
            fputc('\n', out);
        }
    free(text);
    return 0;
}

static void print_origin(const struct archive *a, FILE *out)
{
    fprintf(out, "archive of \"");
    printable_print(a->model, out);
    fprintf(out, "\", written by etalon %s on %s\n", a->etalon_version, a->isa);
    fprintf(out, "statistics %s\ndecisions  %s\n", a->statistics_fingerprint, a->decisions_fingerprint);
    fprintf(out, "%" PRIu64 " of %zu records used, in blocks of %" PRIu64 "; %" PRIu64 " bins\n", a->records_used,
            a->n_records, a->block_size, a->bins);
    print_parts(a, out);
}

static void print_bad(const struct archive *a, FILE *out)
{
    for (size_t i = 0; i < a->n_bad; i++) {
        fprintf(out, "bad record %" PRIu64 ": ", a->bad[i].ordinal);
        printable_print(a->bad[i].reason, out);
        fputc('\n', out);
    }
}

/* ---- values ---- */

static void print_values(const struct archive *a, FILE *out)
{
    char name[NAME_BYTES];

    fprintf(out, "\n%-40s %14s %14s %14s %8s %8s %8s\n", "value", "observed", "min", "max", "zeros", "NaN", "Inf");
    for (size_t i = 0; i < a->n_values; i++) {
        struct value_range r = archive_value_range(&a->values[i]);

        fprintf(out, "%-40s %14" PRIu64 " %14g %14g %7.2f%% %8" PRIu64 " %8" PRIu64 "\n",
                printable_copy(name, sizeof name, a->values[i].name), r.n, (double)r.min, (double)r.max,
                r.n == 0 ? 0 : 100.0 * (double)r.zeros / (double)r.n, r.nans, r.infs);
    }
}

static void print_thresholds(const struct archive *a, const struct method_thresholds *by, FILE *out)
{
    char name[NAME_BYTES];

    fprintf(out, "\nthresholds for signed int8\n%-40s", "value");
    for (size_t m = 0; m < by->n_methods; m++)
        fprintf(out, " %10s", by->methods[m]->name);
    fputc('\n', out);
    for (size_t v = 0; v < a->n_values; v++) {
        fprintf(out, "%-40s", printable_copy(name, sizeof name, a->values[v].name));
        for (size_t m = 0; m < by->n_methods; m++) {
            float threshold = by->thresholds[v * by->n_methods + m];
            int width = (int)strlen(by->methods[m]->name);

            if (threshold > 0)
                fprintf(out, " %*.5g", width > 10 ? width : 10, (double)threshold);
            else
                fprintf(out, " %*s", width > 10 ? width : 10, "-");
        }
        fputc('\n', out);
    }
}

/* ---- targets ---- */

static void print_decisions(const struct archive *a, const struct archive_target *target, FILE *out)
{
    char name[NAME_BYTES];

    fprintf(out, "\ntarget %s\n%-40s %14s %12s %5s %-20s %8s %8s %9s\n",
            printable_copy(name, sizeof name, target->name), "value", "threshold", "scale", "zero", "method", "clipped",
            "SQNR dB", "cosine");
    for (size_t i = 0; i < target->n_decisions; i++) {
        const struct archive_decision *d = &target->decisions[i];

        fprintf(out, "%-40s %14g %12g %5d %-20s", printable_copy(name, sizeof name, a->values[d->value].name),
                (double)d->threshold, (double)d->scale, (int)d->zero_point, d->method);
        if (d->elements > 0)
            fprintf(out, " %7.3f%%", 100.0 * (double)d->clipped / (double)d->elements);
        else
            fprintf(out, " %8s", "-");
        if (isnan(d->sqnr_db))
            fprintf(out, " %8s %9s\n", "-", "-");
        else
            fprintf(out, " %8.2f %9.6f\n", d->sqnr_db, d->cosine);
    }
}

static void print_layers(const struct archive_target *target, FILE *out)
{
    char name[NAME_BYTES];

    if (target->n_layers > 0)
        fprintf(out, "\n%-40s %-20s %8s %14s %14s\n", "weights", "method", "scales", "MSE", "MSE, max |w|");
    for (size_t i = 0; i < target->n_layers; i++) {
        const struct archive_layer *l = &target->layers[i];

        fprintf(out, "%-40s %-20s %8" PRIu64 " %14g %14g\n", printable_copy(name, sizeof name, l->name), l->method,
                l->n_scales, l->weight_mse, l->weight_mse_max_abs);
    }
}

/* ---- all of it ---- */

/* What the job's methods find; an archive that does not know its job is shown without. */
static int print_found(const struct archive *a, struct job *job, FILE *out, struct error *err)
{
    const struct comm alone = {.size = 1};

    return job == NULL ? 0 : report_convergence_of_archive(&alone, a, job_request(job), out, NULL, err);
}

int show_archive(const struct archive *a, bool with_thresholds, FILE *out, struct error *err)
{
    struct method_thresholds by = {0};
    struct error unknown = {0};
    struct job *job = archive_job(a, with_thresholds ? err : &unknown);
    int rc = job == NULL && with_thresholds ? -1 : 0;

    if (rc == 0 && with_thresholds)
        rc = archive_thresholds(a, job, &by, err);
    if (rc == 0) {
        print_origin(a, out);
        rc = print_found(a, job, out, err);
    }
    if (rc == 0)
        rc = print_job(a, out, err);
    if (rc == 0) {
        print_bad(a, out);
        print_values(a, out);
        if (with_thresholds)
            print_thresholds(a, &by, out);
        for (size_t t = 0; t < a->n_targets; t++) {
            print_decisions(a, &a->targets[t], out);
            print_layers(&a->targets[t], out);
        }
    }
    method_thresholds_fini(&by);
    job_destroy(job);
    return rc;
}
