/* output_sweep.c — temporaries of dead runs; see output_private.h. We hold the lock, so whoever wrote them is gone. */
#include "common/output_lock.h"
#include "common/output_private.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The length of the file's name in `.<name>.<job>.<pid>.tmp`, job and pid being numbers; 0: not a temporary. */
static size_t temporary_of(const char *name)
{
    size_t length = strlen(name);

    if (name[0] != '.' || length < 5 || strcmp(name + length - 4, ".tmp") != 0)
        return 0;
    length -= 4;
    for (int number = 0; number < 2; number++) {
        size_t end = length;

        while (length > 0 && isdigit((unsigned char)name[length - 1]))
            length--;
        if (length == end || length < 2 || name[--length] != '.')
            return 0;
    }
    return length - 1;
}

/* Of the file `only`, or, where that is NULL, of any. */
static bool is_temporary(const char *name, const char *only)
{
    size_t length = temporary_of(name);

    return length > 0 && (only == NULL || (length == strlen(only) && memcmp(name + 1, only, length) == 0));
}

/* A folder being swept. */
struct level {
    int fd;
    const struct level *above; /* NULL: the folder whose lock is ours */
};

/* Does a folder on the way down have a lock of its own? Asked after a temporary was seen, the answer holds: who lives
 * took the lock before making the temporary. */
static bool is_anothers(const struct level *level)
{
    for (; level->above != NULL; level = level->above)
        if (output_lock_exists(level->fd))
            return true;
    return false;
}

static void sweep(int dir, const struct level *above, int depth, const char *only)
{
    struct level level = {openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), above};
    DIR *stream = level.fd < 0 ? NULL : fdopendir(level.fd);
    const struct dirent *entry;

    if (stream == NULL) {
        if (level.fd >= 0)
            close(level.fd);
        return;
    }
    while ((entry = readdir(stream)) != NULL) {
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(level.fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(info.st_mode) && is_temporary(entry->d_name, only) && !is_anothers(&level))
            unlinkat(level.fd, entry->d_name, 0);
        else if (S_ISDIR(info.st_mode) && depth > 0) {
            int below = openat(level.fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (below >= 0) {
                sweep(below, &level, depth - 1, only);
                close(below);
            }
        }
    }
    closedir(stream);
}

void output_sweep(int dir, int depth, const char *only)
{
    sweep(dir, NULL, depth, only);
}
