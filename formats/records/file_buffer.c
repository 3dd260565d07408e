/* file_buffer.c — see file_buffer.h. */
#include "formats/records/file_buffer.h"

#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void file_buffer_fini(struct file_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct file_buffer){0};
}

/* A file that is missing or forbidden is one bad record; a disk or server that fails ends the run. */
static int code_of(int why)
{
    switch (why) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return EX_OSERR;
    case EIO:
    case ESTALE:
    case ENODEV:
    case ENXIO:
    case ETIMEDOUT:
        return EX_IOERR;
    default:
        return EX_DATAERR;
    }
}

int file_buffer_read_at(struct file_buffer *buffer, size_t at, int fd, uint64_t offset, size_t size, struct error *err)
{
    if (size > SIZE_MAX - at || offset > INT64_MAX - size)
        return error_set(err, EX_DATAERR, "%zu bytes from byte %llu on lie beyond any file", size,
                         (unsigned long long)offset);
    if (memory_grow((void **)&buffer->bytes, &buffer->capacity, at + size, 1, "a file", err) < 0)
        return -1;
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, buffer->bytes + at + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, code_of(errno), "cannot be read: %s", strerror(errno));
        if (got == 0)
            return error_set(err, EX_DATAERR, "expected %zu bytes from byte %llu on, the file ends after %zu", size,
                             (unsigned long long)offset, done);
        done += (size_t)got;
    }
    return 0;
}

int file_buffer_read(struct file_buffer *buffer, int folder, const char *path, size_t max_bytes, size_t *size,
                     struct error *err)
{
    int rc = -1, fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */
    struct stat info;

    if (fd < 0)
        return error_set(err, code_of(errno), "cannot be opened: %s", strerror(errno));
    if (fstat(fd, &info) != 0)
        error_set(err, code_of(errno), "cannot be examined: %s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        error_set(err, EX_DATAERR, "expected a regular file");
    else if ((uint64_t)info.st_size > max_bytes)
        error_set(err, EX_DATAERR, "expected a file of at most %zu bytes, found %lld", max_bytes,
                  (long long)info.st_size);
    else
        rc = file_buffer_read_at(buffer, 0, fd, 0, (size_t)info.st_size, err);
    close(fd); /* read only: nothing can be lost here */
    if (rc == 0)
        *size = (size_t)info.st_size;
    return rc;
}
