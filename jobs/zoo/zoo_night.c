/* zoo_night.c — all jobs' results of one night; see zoo.h. */
#include "jobs/zoo/zoo.h"

#include "formats/json_text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int zoo_load(const struct zoo *zoo, const char *name, json_t **root, struct error *err)
{
    char path[PATH_MAX];

    *root = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", zoo->output, name) >= sizeof path)
        return error_set(err, EX_CONFIG, "%s: the path is too long", zoo->output);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    *root = json_file_read(path, err);
    return *root != NULL ? 0 : error_in(err, "mend this file, or remove it to do without");
}

bool zoo_recall_failure(const json_t *job, struct zoo_outcome *outcome)
{
    const char *status = json_string_value(json_object_get(job, "status"));
    const char *text = json_string_value(json_object_get(job, "error"));
    json_int_t code = json_integer_value(json_object_get(job, "code"));

    if (status == NULL || strcmp(status, "failed") != 0)
        return false;
    outcome->code = code > 0 && code < 128 ? (int32_t)code : EX_SOFTWARE;
    snprintf(outcome->text, sizeof outcome->text, "%s", text == NULL ? "" : text);
    return true;
}

static bool is_same(const json_t *results, const json_t *before)
{
    const char *a = json_string_value(json_object_get(results, "fingerprint"));
    const char *b = json_string_value(json_object_get(before, "fingerprint"));

    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static int read_results(const struct zoo *zoo, size_t i, json_t **results, struct error *err)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s/%s", zoo->output, zoo->jobs[i].name);
    return zoo_results(folder, results, err);
}

/* The results of a job that was looked at, NULL where it has brought none: a folder may hold those of an earlier model.
 * That they are gone, or cannot be read, is a failure where the job has ended well: no gate is passed for want of
 * figures. */
static json_t *results_of(const struct zoo *zoo, size_t i, struct zoo_outcome *outcome)
{
    struct error err = {0};
    json_t *results;

    if (!outcome->has_results)
        return NULL;
    if (read_results(zoo, i, &results, &err) == 0 && results == NULL)
        error_set(&err, EX_NOINPUT, "%s/%s: rank 0 sees no results there, though the job has ended well", zoo->output,
                  zoo->jobs[i].name);
    if (outcome->code == 0 && err.code != 0)
        zoo_note_failure(outcome, &err);
    return results;
}

/* The same of a job that this call has left alone: it is what the night before has found, a failure too. */
static json_t *results_before(const struct zoo *zoo, size_t i, const json_t *before, struct zoo_outcome *outcome)
{
    struct error err = {0};
    json_t *results;

    if (read_results(zoo, i, &results, &err) != 0)
        zoo_note_failure(outcome, &err);
    zoo_recall_failure(before, outcome);
    if (is_same(results, before))
        return results;
    json_decref(results); /* of a call that has not told of them */
    return NULL;
}

/* One job's entry. Whether it is new is told by its fingerprint, not by who ran it: an earlier call that was killed, or
 * one of an array, has not told of it. */
static json_t *entry(const struct zoo *zoo, size_t i, struct zoo_outcome outcome, const json_t *before,
                     const json_t *accepted, struct zoo_night *night)
{
    json_t *results = outcome.is_chosen ? results_of(zoo, i, &outcome) : results_before(zoo, i, before, &outcome);
    const char *status = "calibrated";

    if (results != NULL)
        night->n_gates += zoo_judge(results, accepted, &zoo->jobs[i].gates, &night->n_unjudged);
    else
        results = json_object();
    if (outcome.code != 0) {
        status = "failed";
        night->n_failed++;
        night->code = night->code != 0 ? night->code : outcome.code;
        json_put(&results, "code", json_integer(outcome.code));
        json_put(&results, "error", json_text(outcome.text));
    } else if (json_object_size(results) == 0) {
        status = "not run";
    } else if (is_same(results, before) && !outcome.was_run) {
        status = "unchanged";
        night->n_same++;
    } else {
        night->n_run++;
    }
    json_put(&results, "status", json_string(status));
    if (outcome.was_run)
        json_put(&results, "seconds", json_real(outcome.seconds));
    else if (json_object_get(before, "seconds") != NULL)
        json_put(&results, "seconds", json_incref(json_object_get(before, "seconds")));
    return results;
}

int zoo_night_create(const struct zoo *zoo, const struct zoo_outcome *outcomes, const json_t *before,
                     const json_t *accepted, struct zoo_night *night, struct error *err)
{
    json_t *jobs = json_object();
    time_t now = time(NULL);
    struct tm utc;
    char date[32];

    *night = (struct zoo_night){0};
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    for (size_t i = 0; i < zoo->n_jobs; i++) {
        const char *name = zoo->jobs[i].name;

        json_put(&jobs, name,
                 entry(zoo, i, outcomes[i], json_object_get(json_object_get(before, "jobs"), name),
                       json_object_get(accepted, name), night));
    }
    night->root = json_pack("{s:s, s:o}", "date", date, "jobs", jobs);
    return night->root != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate memory for the results of a zoo");
}
