/* tar_walk.h — the members of a tar file, one after another, by their headers alone.
 *
 * A header of 512 bytes: name (0, 100 bytes), size (124, 12: octal, or with the first bit set a big-endian number),
 * checksum (148, 8: octal, the sum of all bytes with blanks in its place), type (156), "ustar" (257), prefix of the
 * name (345, 155). Its contents follow, padded to 512. Names that do not fit stand in a member of type L (GNU) or as
 * "path=" in one of type x (pax) in front of it. Zeros end the file. Source: POSIX.1-2017 pax, GNU tar manual.
 */
#ifndef ETALON_TAR_WALK_H
#define ETALON_TAR_WALK_H

#include "formats/records/file_buffer.h"

#include <stdbool.h>

enum { TAR_BLOCK_BYTES = 512, TAR_NAME_BYTES = 512 };

struct tar_member { /* a regular file */
    char name[TAR_NAME_BYTES];
    uint64_t offset, size; /* of its contents, which lie within the file */
};

struct tar_walk {
    int fd;                    /* borrowed */
    uint64_t at, size;         /* of the next header; of the file */
    struct file_buffer buffer; /* private */
};

/* Does a file that begins with head[0..n) look like a tar file? */
bool tar_is(const uint8_t *head, size_t n);

/* 1: *member is the next regular file; 0: the end; -1: EX_DATAERR "byte N: ...": damaged, or cut short. */
int tar_next(struct tar_walk *walk, struct tar_member *member, struct error *err);
void tar_walk_fini(struct tar_walk *walk); /* may be called on {0} and twice */

#endif
