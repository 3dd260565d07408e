/* output_lock.c — see output_lock.h. */
#include "common/output_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char lock_name[] = ".etalon.lock";

enum { HOST_BYTES = 256, JOB_BYTES = 32, ATTEMPTS = 16 };

struct owner {
    char host[HOST_BYTES], job[JOB_BYTES];
    long pid;
    unsigned long long start;
    unsigned restart; /* of the job: SLURM_RESTART_COUNT */
};

const char *output_job(void)
{
    const char *job = getenv("SLURM_JOB_ID");

    if (job == NULL || *job == '\0' || strlen(job) >= JOB_BYTES || job[strspn(job, "0123456789")] != '\0')
        return "0";
    return job;
}

/* State letter and start time of a process, from /proc/<pid>/stat; false where there is none. The second field is the
 * program's name in brackets and may hold anything, so fields are counted from the last bracket on. */
static bool process_status(long pid, char *state, unsigned long long *start)
{
    char path[64], text[1024];
    const char *field;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    field = strrchr(text, ')');
    /* fields 3 (state) and 22 (starttime) of proc(5) */
    return field != NULL &&
           sscanf(field, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", state,
                  start) == 2;
}

static bool is_alive(const struct owner *owner)
{
    unsigned long long start = 0;
    char state = '?';

    if (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH)
        return false;
    if (!process_status(owner->pid, &state, &start))
        return true; /* no /proc: the signal is all we know */
    return state != 'Z' && state != 'X' && (owner->start == 0 || owner->start == start);
}

static void describe_self(struct owner *self)
{
    const char *restart = getenv("SLURM_RESTART_COUNT");
    char state;

    *self = (struct owner){.pid = getpid()};
    if (gethostname(self->host, sizeof self->host - 1) != 0 || self->host[0] == '\0')
        snprintf(self->host, sizeof self->host, "localhost");
    snprintf(self->job, sizeof self->job, "%s", output_job());
    self->restart = restart == NULL ? 0 : (unsigned)strtoul(restart, NULL, 10);
    if (!process_status(self->pid, &state, &self->start))
        self->start = 0;
}

static bool read_text(int fd, char text[OUTPUT_LOCK_BYTES])
{
    ssize_t n = pread(fd, text, OUTPUT_LOCK_BYTES - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool output_lock_read(int dir, char text[OUTPUT_LOCK_BYTES])
{
    int fd = openat(dir, lock_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_read = fd >= 0 && read_text(fd, text);

    if (fd >= 0)
        close(fd);
    return is_read;
}

bool output_lock_exists(int dir)
{
    struct stat info;

    return fstatat(dir, lock_name, &info, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* False when the file is not, or not yet, a whole lock. */
static bool read_owner(int fd, struct owner *owner)
{
    char text[OUTPUT_LOCK_BYTES];

    read_text(fd, text);
    *owner = (struct owner){0};
    return sscanf(text, "host %255s pid %ld job %31s start %llu restart %u", owner->host, &owner->pid, owner->job,
                  &owner->start, &owner->restart) >= 4 &&
           owner->pid > 0;
}

static int write_owner(int fd, const struct owner *owner)
{
    char text[OUTPUT_LOCK_BYTES];
    int n = snprintf(text, sizeof text, "host %s\npid %ld\njob %s\nstart %llu\nrestart %u\n", owner->host, owner->pid,
                     owner->job, owner->start, owner->restart);

    if (ftruncate(fd, 0) != 0)
        return -1;
    errno = ENOSPC; /* what a short write means; a failed one says so itself */
    return pwrite(fd, text, (size_t)n, 0) == n && fsync(fd) == 0 ? 0 : -1;
}

static bool is_stale(const struct owner *owner, const struct owner *self)
{
    if (strcmp(owner->host, self->host) == 0)
        return !is_alive(owner);
    return strcmp(owner->job, "0") != 0 && strcmp(owner->job, self->job) == 0;
}

/* Slurm has started this job once more: it has given up whoever holds the lock for an earlier start, though that one
 * may still run on a host that is cut off, and see the folder. */
static bool is_earlier_start(const struct owner *owner, const struct owner *self)
{
    return strcmp(owner->job, "0") != 0 && strcmp(owner->job, self->job) == 0 && owner->restart < self->restart;
}

static int refuse(const char *folder, const struct owner *owner, struct error *err)
{
    if (owner->pid == 0)
        return error_set(err, EX_CANTCREAT, "output folder %s: in use by a run that is just starting (%s)", folder,
                         lock_name);
    return error_set(err, EX_CANTCREAT,
                     "output folder %s: in use by pid %ld on %s, job %s (if that run is gone, delete %s there)", folder,
                     owner->pid, owner->host, owner->job, lock_name);
}

static int cannot_write(const char *folder, struct error *err)
{
    return error_set(err, EX_CANTCREAT, "output folder %s: cannot be written: %s", folder, strerror(errno));
}

/* Does the name still lead to the file behind fd? Its holder may have removed it after we opened it. */
static bool is_current(int dir, int fd)
{
    struct stat named, opened;

    return fstatat(dir, lock_name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/* 1: the lock is ours; 0: it vanished meanwhile, try again; -1: in use, or cannot be written. */
static int claim(int dir, int fd, bool is_new, const char *folder, struct error *err)
{
    bool is_held = flock(fd, LOCK_EX | LOCK_NB) == 0, is_busy = !is_held && errno == EWOULDBLOCK;
    struct owner self, owner;
    bool is_whole = read_owner(fd, &owner);

    describe_self(&self);
    if (is_busy && is_whole && is_earlier_start(&owner, &self) && is_current(dir, fd)) {
        unlinkat(dir, lock_name, 0); /* its holder will find that out before it writes: output_lock_is_held */
        return 0;
    }
    if (is_busy)
        return refuse(folder, &owner, err);
    if (!is_current(dir, fd))
        return 0;
    /* On a filesystem without flock an unfinished file may be in the hands of its author; with flock he is dead. */
    if (!is_new && (is_whole ? !is_stale(&owner, &self) : !is_held))
        return refuse(folder, &owner, err);
    if (write_owner(fd, &self) != 0) {
        cannot_write(folder, err);
        unlinkat(dir, lock_name, 0);
        return -1;
    }
    return 1;
}

int output_lock_take(int dir, const char *folder, struct error *err)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd = openat(dir, lock_name, flags | O_CREAT | O_EXCL, 0666), rc;
        bool is_new = fd >= 0;

        if (fd < 0 && errno == EEXIST)
            fd = openat(dir, lock_name, flags);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return cannot_write(folder, err);
        rc = claim(dir, fd, is_new, folder, err);
        if (rc == 1)
            return fd;
        close(fd);
        if (rc < 0)
            return -1;
    }
    return refuse(folder, &(struct owner){0}, err);
}

bool output_lock_is_held(int dir, int lock)
{
    return is_current(dir, lock);
}

void output_lock_release(int dir, int lock)
{
    if (is_current(dir, lock))
        unlinkat(dir, lock_name, 0); /* before the flock goes, so that nobody takes a file without a name */
    close(lock);
}
