/* output_folder.c — the folder that files go to: made, locked, joined, closed; see output.h. */
#include "common/memory.h"
#include "common/output_lock.h"
#include "common/output_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SWEEP_DEPTH = 3 }; /* <folder>/<target>/<part>/: as deep as our names go */

/* One component after the other. */
int output_make_folders(const char *folder, size_t *made_at, struct error *err)
{
    char *copy = strdup(folder);

    if (copy == NULL)
        return error_set(err, EX_OSERR, "cannot allocate the name of a folder");
    for (char *end = copy + 1; copy[0] != '\0'; end++) {
        char part = *end;

        if (part != '/' && part != '\0')
            continue;
        *end = '\0';
        if (mkdir(copy, 0777) == 0) {
            if (*made_at == 0)
                *made_at = (size_t)(end - copy);
        } else if (errno != EEXIST) {
            error_set(err, EX_CANTCREAT, "output folder %s: %s cannot be created: %s", folder, copy, strerror(errno));
            free(copy);
            return -1;
        }
        *end = part;
        if (part == '\0')
            break;
    }
    free(copy);
    return 0;
}

/* Undoes output_make_folders, from the innermost folder out, as far as they are empty: a run that failed before its
 * first file leaves nothing behind. Cuts output->folder short on the way. */
static void remove_empty_folders(struct output *output)
{
    char *path = output->folder;
    size_t end = strlen(path);

    while (output->made_at > 0) {
        while (end > 0 && path[end - 1] == '/')
            end--;
        path[end] = '\0';
        if (end < output->made_at || rmdir(path) != 0)
            return;
        while (end > 0 && path[end - 1] != '/')
            end--;
    }
}

static struct output *open_folder(const char *folder, int sweep_depth, const char *only, struct error *err)
{
    struct output *output = memory_create(1, sizeof *output, "an output folder", err);

    if (output == NULL)
        return NULL;
    output->dir = output->lock = -1;
    output->folder = strdup(folder);
    if (output->folder == NULL) {
        error_set(err, EX_OSERR, "cannot allocate the name of a folder");
        goto fail;
    }
    if (output_make_folders(output->folder, &output->made_at, err) != 0)
        goto fail;
    output->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->dir < 0) {
        error_set(err, EX_CANTCREAT, "output folder %s: cannot be opened: %s", folder, strerror(errno));
        goto fail;
    }
    output->lock = output_lock_take(output->dir, folder, err); /* the lock is also the proof that we can write here */
    if (output->lock < 0)
        goto fail;
    output_sweep(output->dir, sweep_depth, only);
    return output;
fail:
    output_close(output);
    return NULL;
}

struct output *output_open(const char *folder, struct error *err)
{
    return open_folder(folder, SWEEP_DEPTH, NULL, err);
}

struct output *output_open_for(const char *path, bool may_replace, const char **name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    struct stat info;

    *name = slash == NULL ? path : slash + 1;
    if (**name == '\0' || strlen(path) >= sizeof folder) {
        error_set(err, EX_USAGE, "\"%s\": expected the name of a file", path);
        return NULL;
    }
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        error_set(err, EX_CANTCREAT, "%s: is no file that could be replaced", path);
        return NULL;
    }
    if (!may_replace && stat(path, &info) == 0) {
        error_set(err, EX_CANTCREAT, "%s: exists; use --force to replace it", path);
        return NULL;
    }
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return open_folder(folder, 0, *name, err);
}

void output_key(const struct output *output, char key[OUTPUT_KEY_BYTES])
{
    if (!output_lock_read(output->dir, key))
        key[0] = '\0';
}

bool output_is_held(const struct output *output)
{
    char found[OUTPUT_KEY_BYTES];

    if (output->lock >= 0)
        return output_lock_is_held(output->dir, output->lock);
    return output_lock_read(output->dir, found) && strcmp(found, output->key) == 0;
}

int output_check_lock(const struct output *output, struct error *err)
{
    if (output_is_held(output))
        return 0;
    return error_set(err, EX_CANTCREAT, "output folder %s: has been taken over by another start of this job",
                     output->folder);
}

int output_join(const char *folder, const char *key, struct output **joined, struct error *err)
{
    struct output *output = memory_create(1, sizeof *output, "an output folder", err);

    if (output == NULL)
        return -1;
    output->lock = -1;
    snprintf(output->key, sizeof output->key, "%s", key);
    output->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    output->folder = strdup(folder);
    if (output->folder == NULL) {
        output_close(output);
        return error_set(err, EX_OSERR, "cannot allocate the name of a folder");
    }
    if (output->dir >= 0 && output_is_held(output))
        *joined = output;
    else
        output_close(output);
    return 0;
}

void output_close(struct output *output)
{
    if (output == NULL)
        return;
    output_cancel(output);
    if (output->lock >= 0)
        output_lock_release(output->dir, output->lock);
    if (output->dir >= 0)
        close(output->dir);
    if (output->folder != NULL)
        remove_empty_folders(output);
    for (size_t i = 0; i < output->n_files; i++)
        free(output->files[i].name);
    free(output->files);
    free(output->folder);
    free(output);
}

const char *output_folder(const struct output *output)
{
    return output->folder;
}
