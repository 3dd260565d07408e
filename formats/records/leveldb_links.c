/* leveldb_links.c — see leveldb_links.h. */
#include "formats/records/leveldb_links.h"

#include "formats/records/file_buffer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE_PLACES_BYTES = 40, TABLE_FOOTER_BYTES = TABLE_PLACES_BYTES + 8 };

static bool is_table(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && (strcmp(dot, ".ldb") == 0 || strcmp(dot, ".sst") == 0);
}

/* Tables, journals and what says which of them count; not LOCK and LOG, which are every opener's own. */
static bool is_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return strcmp(name, "CURRENT") == 0 || strncmp(name, "MANIFEST-", 9) == 0 || is_table(name) ||
           (dot != NULL && strcmp(dot, ".log") == 0);
}

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;

        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* A table ends with the places of two blocks (offset and size, varints) in 40 bytes, which no checksum covers, and a
 * magic number. The library allocates what they say, and a size beyond memory ends the program. */
static int check_table(int folder, const char *name, uint64_t size, struct error *err)
{
    struct file_buffer footer = {0};
    uint64_t numbers[4] = {0};
    const uint8_t *at;
    int fd, rc;

    if (size < TABLE_FOOTER_BYTES)
        return error_set(err, EX_DATAERR, "expected a table of at least %d bytes, found %llu", TABLE_FOOTER_BYTES,
                         (unsigned long long)size);
    fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, EX_NOINPUT, "cannot be opened: %s", strerror(errno));
    rc = file_buffer_read_at(&footer, 0, fd, size - TABLE_FOOTER_BYTES, TABLE_FOOTER_BYTES, err);
    close(fd); /* read only: nothing can be lost here */
    at = footer.bytes;
    for (size_t i = 0; rc == 0 && i < 4; i++)
        if (!read_varint(&at, footer.bytes + TABLE_PLACES_BYTES, &numbers[i]))
            rc = error_set(err, EX_DATAERR, "expected the places of two blocks in the last %d bytes",
                           TABLE_FOOTER_BYTES);
    for (size_t i = 0; rc == 0 && i < 4; i += 2)
        if (numbers[i] > size || numbers[i + 1] > size - numbers[i])
            rc =
                error_set(err, EX_DATAERR, "expected a block within %llu bytes, found one of %llu bytes at byte %llu",
                          (unsigned long long)size, (unsigned long long)numbers[i + 1], (unsigned long long)numbers[i]);
    file_buffer_fini(&footer);
    return rc;
}

/* Before the library opens it: a fifo would hang it, a damaged table can end the program. */
static int check_part(int folder, const char *name, struct error *err)
{
    struct stat info;

    if (fstatat(folder, name, &info, 0) != 0)
        return error_set(err, EX_NOINPUT, "cannot be examined: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, EX_DATAERR, "expected a regular file");
    return is_table(name) ? check_table(folder, name, (uint64_t)info.st_size, err) : 0;
}

static int link_parts(DIR *from, const char *path, int to, struct error *err)
{
    struct dirent *entry;
    bool has_current = false;

    while ((errno = 0, entry = readdir(from)) != NULL) {
        char target[PATH_MAX];

        if (!is_part(entry->d_name))
            continue;
        if (check_part(dirfd(from), entry->d_name, err) < 0)
            return error_in(err, "%s", entry->d_name);
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
