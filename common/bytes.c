/* bytes.c — see bytes.h. */
#define _DEFAULT_SOURCE /* madvise */
#include "common/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int bytes_read(const char *path, size_t max_bytes, struct bytes *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */

    if (fd < 0)
        return error_set(err, EX_NOINPUT, "%s: cannot be opened: %s", path, strerror(errno));
    return bytes_read_descriptor(fd, path, max_bytes, out, err);
}

int bytes_read_descriptor(int fd, const char *path, size_t max_bytes, struct bytes *out, struct error *err)
{
    struct stat info;
    void *map = NULL;
    int rc = -1;

    if (fstat(fd, &info) != 0)
        error_set(err, EX_NOINPUT, "%s: cannot be examined: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        error_set(err, EX_DATAERR, "%s: expected a regular file, found %s", path,
                  S_ISDIR(info.st_mode) ? "a folder" : "something else");
    else if ((uint64_t)info.st_size > max_bytes)
        error_set(err, EX_DATAERR, "%s: expected at most %zu bytes, found %llu", path, max_bytes,
                  (unsigned long long)info.st_size);
    else if (info.st_size > 0 && (map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        error_set(err, EX_NOINPUT, "%s: cannot be mapped: %s", path, strerror(errno));
    else
        rc = 0;
    close(fd); /* read only: nothing can be lost here */
    if (rc == 0)
        *out = (struct bytes){map != NULL ? map : (const uint8_t *)"", (size_t)info.st_size, map};
    return rc;
}

void bytes_forget(const struct bytes *bytes, const void *at, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (size_t)((uintptr_t)at - (uintptr_t)bytes->data), end = begin + size; /* huge before the file */

    if (bytes->map == NULL || begin > bytes->size || size > bytes->size - begin)
        return;
    begin = (begin + page - 1) / page * page; /* neighbours may still want the rest of its pages */
    end = end / page * page;
    if (begin < end)
        madvise((uint8_t *)bytes->map + begin, end - begin, MADV_DONTNEED); /* advice: nothing is lost where it fails */
}

void bytes_free(struct bytes *bytes)
{
    if (bytes->map != NULL)
        munmap(bytes->map, bytes->size);
    *bytes = (struct bytes){0};
}
