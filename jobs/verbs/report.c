/* report.c — `etalon report`: the page of a finished run again. */
#include "common/bytes.h"
#include "common/memory.h"
#include "coordinator/page.h"
#include "formats/json_text.h"
#include "jobs/archive_view.h"
#include "jobs/verb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of the folder as text, to be freed. */
static char *read_text(const char *folder, const char *name, struct error *err)
{
    char path[PATH_MAX];
    struct bytes bytes;
    char *text;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        error_set(err, EX_NOINPUT, "%s: the path is too long", folder);
        return NULL;
    }
    if (bytes_read(path, JSON_FILE_BYTES, &bytes, err) != 0)
        return NULL;
    text = memory_create(bytes.size + 1, 1, "a report", err);
    if (text != NULL)
        memcpy(text, bytes.data, bytes.size);
    bytes_free(&bytes);
    return text;
}

/* run.json may be missing: the manifest does not list it. */
static char *read_run(const char *folder)
{
    struct error ignored = {0};

    return read_text(folder, "run.json", &ignored);
}

/* The percentile of the job: the one number that methods need beside the counts. No model is opened for it. */
static int read_percentile(const struct archive *archive, double *percentile, struct error *err)
{
    struct job *job = archive_job(archive, err);

    if (job == NULL)
        return -1;
    *percentile = job_request(job)->calibration.percentile;
    job_destroy(job);
    return 0;
}

/* Lends the archive's values to the page. */
static int fill(const struct archive *archive, struct page *page, struct error *err)
{
    size_t n = archive_own_values(archive);

    page->values = memory_create(n, sizeof *page->values, "a report", err);
    if (page->values == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (archive->values[i].histogram.bins > 0)
            page->values[page->n_values++] =
                (struct page_value){archive->values[i].name, &archive->values[i].histogram};
    return 0;
}

static int write_page(const struct page *page, const char *folder, const char *path, bool force, struct error *err)
{
    char beside[PATH_MAX];
    size_t size;
    char *text;
    int rc;

    if (path == NULL) { /* the run's own page, again */
        snprintf(beside, sizeof beside, "%s/report.html", folder);
        path = beside;
        force = true;
    }
    text = page_text(page, &size, err);
    rc = text == NULL ? error_in(err, "%s", folder) : output_write_path(path, force, text, size, err);
    free(text);
    return rc;
}

/* Collective: ranks share the searches. */
static int make(const struct comm *comm, const char *folder, const char *path, bool force, struct error *err)
{
    struct archive archive = {0};
    struct page page = {0};
    char *report = read_text(folder, "report.json", err), *run = read_run(folder), name[PATH_MAX];
    double percentile = 0;
    int rc = -1;

    if (report != NULL && (path == NULL || comm->rank > 0 || output_check_path(path, force, err) == 0)) {
        snprintf(name, sizeof name, "%s/archive.h5", folder);
        rc = archive_read(name, &archive, err);
    }
    page.report = report;
    page.run = run;
    if (rc == 0)
        rc = read_percentile(&archive, &percentile, err);
    if (rc == 0)
        rc = fill(&archive, &page, err);
    rc = comm_agree(comm, rc, err);
    if (rc == 0)
        rc = page_compare(comm, &page, percentile, err);
    if (rc == 0)
        rc = comm_agree(comm, comm->rank == 0 ? write_page(&page, folder, path, force, err) : 0, err);
    page_fini(&page);
    archive_fini(&archive);
    free(report);
    free(run);
    return rc;
}

static int run_verb(const struct comm *comm, int argc, char **argv, struct error *err)
{
    const char *path = NULL, *words[1];
    bool force = false, wants_help = false;
    size_t n_words;
    const struct option options[] = {
        {"output", 'o', OPTION_TEXT, &path, "FILE.html", "where the page goes (default: report.html in the folder)"},
        {"force", 0, OPTION_FLAG, &force, NULL, "replace that file"},
        {0},
    };

    if (options_read(argc, argv, options, words, 1, &n_words, &wants_help, err) != 0)
        return -1;
    if (wants_help)
        return verb_help(comm, "report FOLDER [options]",
                         "Writes the page of a finished run again: accuracy of every target, error of "
                         "every layer, histograms\nwith the threshold of every method. It needs "
                         "report.json and archive.h5 of the folder.\n\n"
                         "Example: etalon report out/resnet20 --output resnet20.html\n",
                         options);
    if (n_words != 1)
        return error_set(err, EX_USAGE, "report needs one folder of results");
    return make(comm, words[0], path, force, err);
}

const struct verb verb_report = {"report", "the page of a finished run, again", true, run_verb};
