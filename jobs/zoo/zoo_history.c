/* zoo_history.c — the nights in which something changed; see zoo.h. */
#include "jobs/zoo/zoo.h"

#include "formats/json_text.h"

#include <stdlib.h>
#include <string.h>

/* The night, less the jobs that are as they were. */
static json_t *changes(const struct zoo_night *night)
{
    json_t *jobs = json_object(), *job;
    const char *name, *status;

    json_object_foreach(json_object_get(night->root, "jobs"), name, job)
    {
        status = json_string_value(json_object_get(job, "status"));
        if (strcmp(status, "calibrated") == 0 || strcmp(status, "failed") == 0)
            json_put(&jobs, name, json_incref(job));
    }
    return json_pack("{s:O, s:o}", "date", json_object_get(night->root, "date"), "jobs", jobs);
}

/* What a night says, less how long it took, with numbers as files have them: text from malloc, NULL where memory ended.
 */
static char *gist(const json_t *night)
{
    json_t *jobs = json_object(), *job;
    const char *name;
    char *text;

    json_object_foreach(json_object_get(night, "jobs"), name, job)
    {
        json_t *copy = json_copy(job);

        json_object_del(copy, "seconds");
        json_put(&jobs, name, copy);
    }
    text = json_dumps(jobs, JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    json_decref(jobs);
    return text;
}

static bool is_same(const json_t *a, const json_t *b)
{
    char *x = gist(a), *y = gist(b);
    bool are_same = x != NULL && y != NULL && strcmp(x, y) == 0;

    free(x);
    free(y);
    return are_same;
}

/* From the newest back, until there are too many or they are too long: what lies before is dropped. */
static void forget_oldest(json_t *nights)
{
    size_t n = json_array_size(nights), n_kept = 0, bytes = 0;

    while (n_kept < n && n_kept < ZOO_HISTORY_NIGHTS) {
        bytes += json_dumpb(json_array_get(nights, n - 1 - n_kept), NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(9));
        if (n_kept > 0 && bytes > ZOO_HISTORY_BYTES)
            break;
        n_kept++;
    }
    for (size_t i = n_kept; i < n; i++)
        json_array_remove(nights, 0);
}

int zoo_write_history(const struct zoo *zoo, const struct zoo_night *night, struct output *output, struct error *err)
{
    json_t *history, *nights, *latest;
    size_t n;

    if (night->n_run + night->n_failed == 0)
        return 0;
    if (zoo_load(zoo, "history.json", &history, err) != 0)
        return -1;
    if (history == NULL)
        history = json_pack("{s:[]}", "nights");
    nights = json_object_get(history, "nights");
    if (history != NULL && !json_is_array(nights)) {
        json_decref(history);
        return error_set(err, EX_DATAERR, "%s/history.json: expected a list of nights; mend it, or remove it",
                         zoo->output);
    }
    latest = changes(night);
    n = json_array_size(nights);
    if (n > 0 && is_same(json_array_get(nights, n - 1), latest))
        json_array_remove(nights, n - 1);
    if (json_array_append_new(nights, latest) != 0) {
        json_decref(history);
        history = NULL;
    } else {
        forget_oldest(nights);
    }
    return json_file_write(history, output, NULL, "history.json", err);
}
