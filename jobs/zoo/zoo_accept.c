/* zoo_accept.c — what later nights are compared with; see zoo.h. */
#include "jobs/zoo/zoo.h"

#include "common/log.h"
#include "formats/json_text.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Did it fail on the last night? Then its folder may hold what an earlier night has left. */
static bool has_failed(const char *name, const json_t *night, struct zoo_acceptance *acceptance)
{
    struct zoo_outcome outcome = {0};

    if (!zoo_recall_failure(json_object_get(json_object_get(night, "jobs"), name), &outcome))
        return false;
    log_warning("%s has failed and is not accepted: %s", name, outcome.text);
    acceptance->code = acceptance->code != 0 ? acceptance->code : outcome.code;
    acceptance->n_failed++;
    return true;
}

/* Takes the results of the jobs that are chosen into `accepted`. */
static int accept_results(const struct zoo *zoo, const char *only, const json_t *night, json_t *accepted,
                          struct zoo_acceptance *acceptance, struct error *err)
{
    for (size_t i = 0; i < zoo->n_jobs; i++) {
        const char *name = zoo->jobs[i].name;
        char folder[PATH_MAX];
        json_t *results;

        if ((only != NULL && fnmatch(only, name, 0) != 0) || has_failed(name, night, acceptance))
            continue;
        snprintf(folder, sizeof folder, "%s/%s", zoo->output, name);
        if (zoo_results(folder, &results, err) != 0)
            return -1;
        if (results == NULL)
            continue;
        if (json_object_set_new(accepted, name, results) != 0)
            return error_set(err, EX_OSERR, "cannot allocate memory for accepted.json");
        acceptance->n++;
    }
    return 0;
}

static bool is_job(const struct zoo *zoo, const char *name)
{
    for (size_t i = 0; i < zoo->n_jobs; i++)
        if (strcmp(zoo->jobs[i].name, name) == 0)
            return true;
    return false;
}

/* Else a job that comes back years later would be compared with what nobody remembers. */
static void drop_strangers(const struct zoo *zoo, json_t *accepted)
{
    json_t *results;
    const char *name;
    void *next;

    json_object_foreach_safe(accepted, next, name, results)
    {
        if (is_job(zoo, name))
            continue;
        log_info("%s is no job of this zoo any more: what was accepted of it is dropped", name);
        json_object_del(accepted, name);
    }
}

int zoo_accept(const struct zoo *zoo, const char *only, struct zoo_acceptance *acceptance, struct error *err)
{
    struct output *output = output_open(zoo->output, err);
    json_t *accepted = NULL, *night = NULL;
    int rc = output == NULL ? -1 : zoo_load(zoo, "accepted.json", &accepted, err);

    *acceptance = (struct zoo_acceptance){0};
    if (rc == 0)
        rc = zoo_load(zoo, "zoo.json", &night, err);
    if (rc == 0 && accepted == NULL)
        accepted = json_object();
    if (rc == 0)
        rc = accept_results(zoo, only, night, accepted, acceptance, err);
    if (rc == 0 && only == NULL)
        drop_strangers(zoo, accepted);
    if (rc == 0)
        rc = json_file_write(json_incref(accepted), output, NULL, "accepted.json", err);
    json_decref(night);
    json_decref(accepted);
    output_close(output);
    return rc;
}
