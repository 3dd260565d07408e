/* zoo_lock.c — one night at a time in a zoo's folder; see zoo.h.
 *
 * Every job's folder has a lock of its own, which names its holder. That of the zoo is a flock() only: tasks of an
 * array share it, and it goes with the process that held it, so that nobody has to remove it before the next night.
 */
#include "jobs/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int zoo_lock(const struct zoo *zoo, bool is_part, struct error *err)
{
    size_t made_at = 0;
    char path[PATH_MAX];
    int fd;

    if (output_make_folders(zoo->output, &made_at, err) != 0)
        return -1;
    if ((size_t)snprintf(path, sizeof path, "%s/.zoo.lock", zoo->output) >= sizeof path)
        return error_set(err, EX_CONFIG, "%s: the path is too long", zoo->output);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return error_set(err, EX_CANTCREAT, "%s: cannot be created: %s", path, strerror(errno));
    if (flock(fd, (is_part ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return error_set(err, EX_CANTCREAT, "%s: another etalon zoo is at work in this folder", zoo->output);
    }
    return fd; /* where the file system knows no flock, the jobs' own locks have to do */
}
