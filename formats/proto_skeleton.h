/* proto_skeleton.h — a message without the long runs of bytes in it, so that unpacking does not copy them.
 *
 * protobuf-c copies every field of bytes, and the weights of a model are little else. So it is shown a skeleton: the
 * same message, in which each field of bytes as long as a token, or longer, is a token that says where its contents
 * lie. Unpacking, with its rules for fields that come twice or out of order, moves the tokens to where they belong;
 * then each is exchanged for the place in the file. Unknown fields, which nobody asks for, are left out.
 */
#ifndef ETALON_PROTO_SKELETON_H
#define ETALON_PROTO_SKELETON_H

#include "common/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct proto_skeleton {
    uint8_t *data; /* to be freed with free() */
    size_t size;   /* at most three times the message's */
};

/* Checks that `bytes` is well-formed wire format for `descriptor`, as proto_unpack (proto_guard.h) promises, and makes
 * its skeleton. Does not recurse. EX_DATAERR names the byte position; EX_OSERR. */
int proto_skeleton_create(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                          struct proto_skeleton *out, struct error *err);

/* In a message unpacked from a skeleton of `bytes`: gives back the tokens' memory and points the fields into `bytes`.
 */
void proto_skeleton_resolve(ProtobufCMessage *message, const uint8_t *bytes, ProtobufCAllocator *allocator);
/* Empties the fields that point into `bytes`, so that the rest can be freed. */
void proto_skeleton_forget(ProtobufCMessage *message);

#endif
