/* finished.c — see finished.h. */
#include "coordinator/finished.h"

#include "common/log.h"
#include "common/memory.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char manifest_name[] = "manifest.json";

struct finished_files {
    json_t *manifest;
};

/* *manifest is NULL where the folder holds none. */
static int read_manifest(const char *folder, json_t **manifest, struct error *err)
{
    char path[PATH_MAX];
    json_error_t problem;

    *manifest = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, manifest_name);
    if (access(path, F_OK) != 0)
        return 0;
    *manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (*manifest != NULL && json_is_array(json_object_get(*manifest, "files")))
        return 0;
    json_decref(*manifest);
    *manifest = NULL;
    return error_set(err, EX_DATAERR, "%s: is no manifest of ours; remove it or choose another output folder", path);
}

/* Does the folder hold every file that its manifest lists? Their contents are the owner's affair: he may have edited a
 * configuration. */
static bool is_complete(const char *folder, const json_t *manifest)
{
    const json_t *file;
    size_t i;

    json_array_foreach(json_object_get(manifest, "files"), i, file)
    {
        const char *name = json_string_value(json_object_get(file, "name"));
        char path[PATH_MAX];

        if (name == NULL || (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path ||
            access(path, F_OK) == 0)
            continue;
        log_warning("%s is gone, so this job is not finished", path);
        return false;
    }
    return true;
}

int finished_find(const char *folder, const char *statistics, const char *decisions, struct error *err)
{
    const char *its_statistics = "", *its_decisions = "";
    json_t *manifest;
    int found = FINISHED_NOT;

    if (read_manifest(folder, &manifest, err) != 0)
        return -1;
    if (manifest != NULL) {
        /* what cannot be unpacked stays empty and equals nothing */
        json_unpack(manifest, "{s:{s:s, s:s}}", "fingerprint", "statistics", &its_statistics, "decisions",
                    &its_decisions);
        if (strcmp(its_statistics, statistics) != 0)
            found = FINISHED_OTHER;
        else if (strcmp(its_decisions, decisions) != 0)
            found = FINISHED_SAME_STATISTICS;
        else
            found = is_complete(folder, manifest) ? FINISHED_SAME : FINISHED_INCOMPLETE;
    }
    json_decref(manifest);
    return found;
}

int finished_verdict(const char *folder, struct error *err)
{
    char path[PATH_MAX];
    const char *name;
    json_t *report, *target;
    int rc = 0;

    snprintf(path, sizeof path, "%s/report.json", folder);
    report = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    json_object_foreach(json_object_get(report, "targets"), name, target)
    {
        const char *text = json_string_value(json_object_get(target, "error"));

        if (rc == 0 && text != NULL)
            rc = error_set(err, EX_UNAVAILABLE, "target %s: %s", name, text);
    }
    json_decref(report);
    return rc;
}

int finished_withdraw(struct output *output, struct finished_files **files, struct error *err)
{
    json_t *manifest;

    *files = NULL;
    if (read_manifest(output_folder(output), &manifest, err) != 0)
        return -1;
    if (manifest == NULL)
        return 0;
    *files = memory_create(1, sizeof **files, "a list of files", err);
    if (*files == NULL) {
        json_decref(manifest);
        return -1;
    }
    (*files)->manifest = manifest;
    return output_remove(output, manifest_name, err);
}

static bool is_written(const struct output *output, const char *name)
{
    const struct output_file *files;
    size_t n = output_files(output, &files);

    for (size_t i = 0; i < n; i++)
        if (strcmp(files[i].name, name) == 0)
            return true;
    return false;
}

int finished_sweep(const struct finished_files *files, struct output *output, struct error *err)
{
    const json_t *list = files == NULL ? NULL : json_object_get(files->manifest, "files");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));

        if (name != NULL && !is_written(output, name) && output_remove(output, name, err) != 0)
            return -1;
    }
    return 0;
}

void finished_files_destroy(struct finished_files *files)
{
    if (files == NULL)
        return;
    json_decref(files->manifest);
    free(files);
}
