/* file_buffer.h — one thread's buffer for what it reads of files that hold records.
 *
 * Files are read rather than mapped: one cut short under us is then an error and not a SIGBUS, and threads do not
 * contend for the process's page tables.
 */
#ifndef ETALON_FILE_BUFFER_H
#define ETALON_FILE_BUFFER_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct file_buffer {
    uint8_t *bytes;
    size_t capacity; /* private */
};
void file_buffer_fini(struct file_buffer *buffer); /* may be called on {0} and twice */

/* The whole file `path`, relative to the open folder, a regular one of at most max_bytes; its size goes to *size.
 * EX_DATAERR: missing, forbidden, too large (one bad record); EX_IOERR, EX_OSERR: the disk or server fails. */
int file_buffer_read(struct file_buffer *buffer, int folder, const char *path, size_t max_bytes, size_t *size,
                     struct error *err);

/* Bytes [offset, offset + size) of an open file go to bytes[at ...). EX_DATAERR when the file ends before. */
int file_buffer_read_at(struct file_buffer *buffer, size_t at, int fd, uint64_t offset, size_t size, struct error *err);

#endif
