/* bytes.h — a whole file in memory, read-only, mapped where that is possible.
 */
#ifndef ETALON_BYTES_H
#define ETALON_BYTES_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data; /* at least one readable address even for an empty file; valid until bytes_free */
    size_t size;
    void *map; /* private */
};

/* Reads `path`, a regular file of at most max_bytes. EX_NOINPUT when it does not exist or cannot be read ("<path>:
 * cannot be opened: <why>"), EX_DATAERR when it is larger than max_bytes or no regular file. */
int bytes_read(const char *path, size_t max_bytes, struct bytes *out, struct error *err);
/* The same for a file that the caller has opened (with its own rules about paths); `path` is for messages. Closes fd.
 */
int bytes_read_descriptor(int fd, const char *path, size_t max_bytes, struct bytes *out, struct error *err);
/* at[0..size) has been read for the last time, or nearly: its pages leave this process's memory, where the file is
 * mapped. Reading them again is allowed and reads the file. Does nothing for bytes of another file. */
void bytes_forget(const struct bytes *bytes, const void *at, size_t size);
void bytes_free(struct bytes *bytes); /* may be called on {0} and twice */

#endif
