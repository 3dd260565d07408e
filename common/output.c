/* output.c — the files of an output folder; see output.h.
 *
 * Every file takes the same steps: open a temporary in the destination folder (rename does not cross devices), write,
 * fsync, close, look at it if asked to, rename, fsync the folder. The first failure decides the message; the temporary
 * is removed; the old file keeps its name.
 */
#include "common/fault.h"
#include "common/memory.h"
#include "common/output_lock.h"
#include "common/output_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES_MAX = 1 << 30 }; /* one write(2) moves less than 2 GiB */

/* Drops the pending file. Who has taken the folder over sweeps temporaries, and any step may be the one to fail of it:
 * then that is what to tell. */
static int give_up(struct output *output, struct error *err)
{
    output_check_lock(output, err);
    output_cancel(output);
    return -1;
}

/* A step on the way to the final name has failed: errno says why. A full disk is an I/O error at any step; that a
 * temporary cannot be made for another reason is a matter of the folder. */
static int step_failed(struct output *output, const char *step, bool is_creating, struct error *err)
{
    int why = errno, code = is_creating && why != ENOSPC && why != EDQUOT && why != EIO ? EX_CANTCREAT : EX_IOERR;

    error_set(err, code, "%s/%s: cannot be %s: %s", output->folder, output->pending.name, step, strerror(why));
    return give_up(output, err);
}

static bool is_inside_name(const char *name)
{
    for (const char *part = name;; part++) {
        size_t length = strcspn(part, "/");

        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
        if (*part == '\0')
            return true;
    }
}

/* Opens the folder that `name` lies in, making sub-folders on the way. -1 with errno. */
static int open_parent(int dir, const char *name)
{
    int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *slash;

    for (; at >= 0 && (slash = strchr(name, '/')) != NULL; name = slash + 1) {
        char part[NAME_MAX + 1];
        int next = -1, why;

        errno = ENAMETOOLONG;
        if ((size_t)snprintf(part, sizeof part, "%.*s", (int)(slash - name), name) == (size_t)(slash - name) &&
            (mkdirat(at, part, 0777) == 0 ? fsync(at) == 0 : errno == EEXIST))
            next = openat(at, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        why = errno;
        close(at);
        errno = why;
        at = next;
    }
    return at;
}

/* Fills *pending with the names of a file and its temporary; -1 with errno when one of them is too long. */
static int name_pending(struct pending *pending, const char *folder, const char *name)
{
    int length = snprintf(pending->name, sizeof pending->name, "%s", name);

    pending->dir = -1;
    pending->temporary[0] = '\0';
    errno = ENAMETOOLONG;
    if (length >= (int)sizeof pending->name)
        return -1;
    pending->base = strrchr(pending->name, '/') != NULL ? strrchr(pending->name, '/') + 1 : pending->name;
    length = snprintf(pending->temporary, sizeof pending->temporary, ".%s.%s.%ld.tmp", pending->base, output_job(),
                      (long)getpid());
    if (length >= (int)sizeof pending->temporary)
        return -1;
    length = snprintf(pending->path, sizeof pending->path, "%s/%.*s%s", folder, (int)(pending->base - pending->name),
                      pending->name, pending->temporary);
    return length < (int)sizeof pending->path ? 0 : -1;
}

void output_keep_files(struct output *output)
{
    output->keeps_files = true;
}

/* Starts a file: returns a descriptor of its empty temporary, or -1. */
static int begin(struct output *output, const char *name, struct error *err)
{
    struct pending *pending = &output->pending;
    int fd = -1;

    if (output->is_pending)
        return error_set(err, EX_SOFTWARE, "%s: begun while %s is not finished", name, pending->name);
    if (!is_inside_name(name))
        return error_set(err, EX_CANTCREAT, "%s: \"%s\" is not the name of a file inside this folder", output->folder,
                         name);
    if (output_check_lock(output, err) != 0)
        return -1;
    if (output->keeps_files && faccessat(output->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, EX_CANTCREAT, "%s/%s: exists; use --force to replace it", output->folder, name);
    output->is_pending = true;
    if (name_pending(pending, output->folder, name) == 0)
        pending->dir = open_parent(output->dir, pending->name);
    if (pending->dir >= 0 && fault("output.open") == 0)
        fd = openat(pending->dir, pending->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd >= 0 ? fd : step_failed(output, "created", true, err);
}

/* Removes the sub-folders of name that are empty. Nothing depends on success. */
static void remove_empty_parents(const struct output *output, const char *name)
{
    char path[PATH_MAX], *slash;

    snprintf(path, sizeof path, "%s", name);
    while ((slash = strrchr(path, '/')) != NULL) {
        *slash = '\0';
        if (unlinkat(output->dir, path, AT_REMOVEDIR) != 0)
            return;
    }
}

void output_cancel(struct output *output)
{
    struct pending *pending = &output->pending;

    if (!output->is_pending)
        return;
    if (pending->dir >= 0) {
        unlinkat(pending->dir, pending->temporary, 0); /* gone already when it was renamed */
        close(pending->dir);
        remove_empty_parents(output, pending->name);
    }
    output->is_pending = false;
}

int output_remove(struct output *output, const char *name, struct error *err)
{
    if (!is_inside_name(name))
        return error_set(err, EX_CANTCREAT, "%s: \"%s\" is not the name of a file inside this folder", output->folder,
                         name);
    if (output_check_lock(output, err) != 0)
        return -1;
    if (unlinkat(output->dir, name, 0) != 0 && errno != ENOENT)
        return error_set(err, EX_IOERR, "%s/%s: cannot be removed: %s", output->folder, name, strerror(errno));
    remove_empty_parents(output, name);
    if (fsync(output->dir) != 0)
        return error_set(err, EX_IOERR, "%s: cannot be synced to the disk: %s", output->folder, strerror(errno));
    return 0;
}

int output_remove_like(struct output *output, const char *folder, const char *pattern, struct error *err)
{
    int fd = openat(output->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int rc = 0;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (stream == NULL) {
        rc = error_set(err, EX_IOERR, "%s/%s: cannot be read: %s", output->folder, folder, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(stream)) != NULL) {
        char name[PATH_MAX];

        if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0 &&
            snprintf(name, sizeof name, "%s/%s", folder, entry->d_name) < (int)sizeof name)
            rc = output_remove(output, name, err);
    }
    closedir(stream);
    return rc;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = fault("output.write") == 0 ? write(fd, data, size < WRITE_BYTES_MAX ? size : WRITE_BYTES_MAX) : -1;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* fsync and close, exactly once each whatever happened before; -1 with the first errno. Errors of earlier writes may
 * show up at either. */
static int sync_and_close(int fd)
{
    int rc = fault("output.fsync") == 0 && fsync(fd) == 0 ? 0 : -1, why = errno;

    if (close(fd) != 0 || fault("output.close") != 0) {
        why = rc == 0 ? errno : why;
        rc = -1;
    }
    errno = why;
    return rc;
}

/* Enters a file into the list, in the place of an earlier one of its name. */
int output_adopt(struct output *output, const struct output_file *adopted, struct error *err)
{
    struct output_file file = *adopted;

    for (size_t i = 0; i < output->n_files; i++)
        if (strcmp(output->files[i].name, file.name) == 0) {
            file.name = output->files[i].name;
            output->files[i] = file;
            return 0;
        }
    file.name = strdup(adopted->name);
    if (file.name == NULL)
        return error_set(err, EX_OSERR, "cannot allocate the name of %s", adopted->name);
    if (memory_grow((void **)&output->files, &output->files_capacity, output->n_files, sizeof *output->files,
                    "the list of files", err) != 0) {
        free(file.name);
        return -1;
    }
    output->files[output->n_files++] = file;
    return 0;
}

/* The temporary is complete, synced and closed: gives it its name. */
static int publish(struct output *output, struct output_file *file, bool is_listed, struct error *err)
{
    struct pending *pending = &output->pending;
    int rc;

    if (!output_is_held(output)) /* lost since begin: the name is now another's to give */
        return give_up(output, err);
    if (fault("output.rename") != 0 || renameat(pending->dir, pending->temporary, pending->dir, pending->base) != 0)
        return step_failed(output, "renamed into place", false, err);
    if (fault("output.fsync_folder") != 0 || fsync(pending->dir) != 0)
        return step_failed(output, "made durable in its folder", false, err);
    file->name = pending->name;
    rc = is_listed ? output_adopt(output, file, err) : 0;
    output_cancel(output);
    return rc;
}

int output_write(struct output *output, const char *name, const void *data, size_t size, bool is_listed,
                 struct error *err)
{
    struct output_file file = {.size_bytes = size};
    int fd = begin(output, name, err);

    if (fd < 0)
        return -1;
    if (write_all(fd, data, size) != 0) {
        int why = errno;

        close(fd);
        errno = why;
        return step_failed(output, "written", false, err);
    }
    if (sync_and_close(fd) != 0)
        return step_failed(output, "synced to the disk", false, err);
    sha256_bytes(data, size, file.sha256);
    return publish(output, &file, is_listed, err);
}

int output_check_path(const char *path, bool may_replace, struct error *err)
{
    const char *name;
    struct output *output = output_open_for(path, may_replace, &name, err);

    output_close(output);
    return output == NULL ? -1 : 0;
}

int output_write_path(const char *path, bool may_replace, const void *data, size_t size, struct error *err)
{
    const char *name;
    struct output *output = output_open_for(path, may_replace, &name, err);
    int rc = output == NULL ? -1 : output_write(output, name, data, size, false, err);

    output_close(output);
    return rc;
}

const char *output_begin(struct output *output, const char *name, struct error *err)
{
    int fd = begin(output, name, err);

    if (fd < 0)
        return NULL;
    close(fd); /* empty: nothing can be lost here */
    return output->pending.path;
}

int output_commit(struct output *output, bool is_listed, int (*verify)(const char *path, void *context, struct error *),
                  void *context, struct error *err)
{
    struct pending *pending = &output->pending;
    struct output_file file = {0};
    struct stat info;
    int fd;

    if (!output->is_pending)
        return error_set(err, EX_SOFTWARE, "%s: a file is finished that was not begun", output->folder);
    fd = openat(pending->dir, pending->temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return step_failed(output, "opened again", false, err);
    if (sync_and_close(fd) != 0)
        return step_failed(output, "synced to the disk", false, err);
    if (verify != NULL && verify(pending->path, context, err) != 0) {
        error_in(err, "%s/%s: does not read back as written", output->folder, pending->name);
        if (err != NULL)
            err->code = EX_IOERR; /* wrong data, but ours: a failed write */
        return give_up(output, err);
    }
    if (sha256_file(pending->path, file.sha256, err) != 0)
        return give_up(output, err);
    if (fstatat(pending->dir, pending->temporary, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return step_failed(output, "examined", false, err);
    file.size_bytes = (uint64_t)info.st_size;
    return publish(output, &file, is_listed, err);
}

size_t output_files(const struct output *output, const struct output_file **files)
{
    *files = output->files;
    return output->n_files;
}
