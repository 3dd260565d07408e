/* proto_guard.h — unpacking binary protobuf from strangers without overflowing the stack or memory.
 *
 * protobuf-c recurses into nested messages without a limit (8,000 levels, 40 KB of input, end in SIGSEGV) and lets two
 * bytes of input become ninety of memory. So bytes are checked before it sees them, and it allocates through a budget.
 */
#ifndef ETALON_PROTO_GUARD_H
#define ETALON_PROTO_GUARD_H

#include "common/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROTO_MAX_DEPTH = 64 }; /* messages inside messages, in binary and in text; the outermost is level 1 */

/* What the contents of a file of `file_bytes` may occupy: 64 times its size plus 64 MiB. */
size_t proto_budget(size_t file_bytes);

/* Checks that `bytes` is well-formed wire format for `descriptor`: every tag, varint and length lies inside its
 * message, message fields are length-delimited, nesting stays within PROTO_MAX_DEPTH. Then unpacks it with at most
 * `budget` bytes allocated at any time (proto_budget is the usual value). Long fields of bytes are not copied: they
 * point into `bytes`, which must outlive the message (proto_skeleton.h). Freed with proto_free_unpacked. NULL with
 * EX_DATAERR, which names the byte position of malformed wire format, or EX_OSERR. */
ProtobufCMessage *proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                               size_t budget, struct error *err);
void proto_free_unpacked(ProtobufCMessage *message); /* NULL is allowed */

void proto_free(ProtobufCMessage *message); /* from proto_text_parse; NULL is allowed */

/* The allocator behind both: counts bytes in use and refuses more than `limit`. */
struct proto_memory {
    size_t used, limit;
    bool is_exhausted; /* the budget refused an allocation */
    bool is_starved;   /* the system refused one */
};
ProtobufCAllocator proto_allocator(struct proto_memory *memory);
/* Why an allocation failed: EX_DATAERR when the budget refused, else EX_OSERR. Returns -1. */
int proto_memory_error(const struct proto_memory *memory, struct error *err);

#endif
