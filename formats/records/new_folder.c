/* new_folder.c — see new_folder.h. */
#include "formats/records/new_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 2 }; /* a folder of databases, which are folders of files */

/* "a/b/c" -> parent "a/b", temporary "a/b/.c.<pid>.tmp". */
static int name_folders(struct new_folder *folder, const char *path, struct error *err)
{
    size_t length = strlen(path);
    const char *slash;
    int base, fits;

    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0 || length >= PATH_MAX - 32)
        return error_set(err, EX_CANTCREAT, "expected a path of 1 to %d bytes, found %zu", PATH_MAX - 32, length);
    *folder = (struct new_folder){0};
    memcpy(folder->final, path, length);
    slash = strrchr(folder->final, '/');
    base = slash == NULL ? 0 : (int)(slash - folder->final) + 1;
    fits = snprintf(folder->temporary, PATH_MAX, "%.*s.%s.%ld.tmp", base, folder->final, folder->final + base,
                    (long)getpid());
    if (fits >= PATH_MAX)
        return error_set(err, EX_CANTCREAT, "%s: the path is too long", path);
    snprintf(folder->parent, PATH_MAX, "%.*s", base > 1 ? base - 1 : 1, base == 0 ? "." : folder->final);
    return 0;
}

int new_folder_open(struct new_folder *folder, const char *path, struct error *err)
{
    struct stat info;

    if (name_folders(folder, path, err) < 0)
        return -1;
    if (lstat(folder->final, &info) == 0)
        return error_set(err, EX_CANTCREAT, "%s: exists already", path);
    if (mkdir(folder->temporary, 0777) != 0)
        return error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", folder->temporary, strerror(errno));
    return 0;
}

/* Calls `visit` with every file below the folder fd, then with each folder behind its contents; takes over fd. Returns
 * 0, or -1 with errno at the first failure. */
static int walk(int fd, int depth, int (*visit)(int parent, const char *name, bool is_folder))
{
    DIR *folder = fdopendir(fd);
    struct dirent *entry;
    int rc = 0, why;

    if (folder == NULL) {
        close(fd);
        return -1;
    }
    while (rc == 0 && (errno = 0, entry = readdir(folder)) != NULL) {
        int sub;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        sub = depth < MAX_DEPTH ? openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (sub >= 0)
            rc = walk(sub, depth + 1, visit);
        if (rc == 0)
            rc = visit(fd, entry->d_name, sub >= 0);
    }
    why = errno;
    closedir(folder); /* read only: nothing can be lost */
    errno = why;
    return rc == 0 && why != 0 ? -1 : rc;
}

static int walk_path(const char *path, int (*visit)(int parent, const char *name, bool is_folder))
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : walk(fd, 1, visit);
}

static int sync_at(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    return close(fd) == 0 ? rc : -1;
}

static int sync_one(int parent, const char *name, bool is_folder)
{
    (void)is_folder;
    return sync_at(parent, name);
}

static int remove_one(int parent, const char *name, bool is_folder)
{
    return unlinkat(parent, name, is_folder ? AT_REMOVEDIR : 0);
}

int new_folder_commit(struct new_folder *folder, struct error *err)
{
    int rc = 0;

    if (walk_path(folder->temporary, sync_one) != 0 || sync_at(AT_FDCWD, folder->temporary) != 0)
        rc = error_set(err, EX_IOERR, "%s: cannot be synced: %s", folder->temporary, strerror(errno));
    else if (rename(folder->temporary, folder->final) != 0)
        rc = error_set(err, EX_CANTCREAT, "%s: cannot be renamed to %s: %s", folder->temporary, folder->final,
                       strerror(errno));
    if (rc < 0) {
        new_folder_cancel(folder);
        return -1;
    }
    if (sync_at(AT_FDCWD, folder->parent) != 0)
        return error_set(err, EX_IOERR, "%s: cannot be synced: %s", folder->parent, strerror(errno));
    return 0;
}

void new_folder_cancel(struct new_folder *folder)
{
    (void)walk_path(folder->temporary, remove_one); /* what cannot be removed stays, under a name that says so */
    (void)rmdir(folder->temporary);
}
