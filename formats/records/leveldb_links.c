/* leveldb_links.c — see leveldb_links.h. */
#include "formats/records/leveldb_links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tables, journals and what says which of them count; not LOCK and LOG, which are every opener's own. */
static bool is_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return strcmp(name, "CURRENT") == 0 || strncmp(name, "MANIFEST-", 9) == 0 ||
           (dot != NULL && (strcmp(dot, ".ldb") == 0 || strcmp(dot, ".sst") == 0 || strcmp(dot, ".log") == 0));
}

static int link_parts(DIR *from, const char *path, int to, struct error *err)
{
    struct dirent *entry;
    bool has_current = false;

    while ((errno = 0, entry = readdir(from)) != NULL) {
        char target[PATH_MAX];

        if (!is_part(entry->d_name))
            continue;
        has_current = has_current || strcmp(entry->d_name, "CURRENT") == 0;
        if (snprintf(target, sizeof target, "%s/%s", path, entry->d_name) >= (int)sizeof target)
            return error_set(err, EX_DATAERR, "a path longer than %d bytes", PATH_MAX - 1);
        if (symlinkat(target, to, entry->d_name) != 0)
            return error_set(err, EX_CANTCREAT, "a link to %s cannot be made: %s", entry->d_name, strerror(errno));
    }
    if (errno != 0)
        return error_set(err, EX_IOERR, "cannot be read: %s", strerror(errno));
    return has_current ? 0 : error_set(err, EX_DATAERR, "expected a LevelDB, found no file named CURRENT");
}

static int fill(const char *path, const char *folder, struct error *err)
{
    DIR *from = opendir(path);
    int to = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (from == NULL)
        rc = error_set(err, EX_NOINPUT, "cannot be opened as a folder: %s", strerror(errno));
    else if (to < 0)
        rc = error_set(err, EX_CANTCREAT, "%s: cannot be opened: %s", folder, strerror(errno));
    else
        rc = link_parts(from, path, to, err);
    if (from != NULL)
        closedir(from);
    if (to >= 0)
        close(to);
    return rc;
}

int leveldb_links_create(const char *path, char folder[PATH_MAX], struct error *err)
{
    const char *place = getenv("TMPDIR");
    char *whole = realpath(path, NULL); /* links are read from another folder */
    int rc = -1;

    if (whole == NULL)
        return error_set(err, EX_NOINPUT, "cannot be opened: %s", strerror(errno));
    if (place == NULL || *place == '\0')
        place = "/tmp";
    if (snprintf(folder, PATH_MAX, "%s/etalon-leveldb-XXXXXX", place) >= PATH_MAX || mkdtemp(folder) == NULL) {
        error_set(err, EX_CANTCREAT, "a folder for links cannot be made in %s: %s", place, strerror(errno));
    } else {
        rc = fill(whole, folder, err);
        if (rc < 0)
            leveldb_links_remove(folder);
    }
    free(whole);
    return rc;
}

void leveldb_links_remove(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(folder), entry->d_name,
                           0); /* LevelDB makes no folders; what stays is in a place for such */
    if (folder != NULL)
        closedir(folder);
    (void)rmdir(path);
}
