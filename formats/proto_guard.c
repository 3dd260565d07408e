/* proto_guard.c — see proto_guard.h. */
#include "formats/proto_guard.h"

#include "formats/proto_skeleton.h"

#include <stdlib.h>

size_t proto_budget(size_t file_bytes)
{
    size_t scaled;

    if (__builtin_mul_overflow(file_bytes, (size_t)64, &scaled) ||
        __builtin_add_overflow(scaled, (size_t)64 << 20, &scaled))
        return SIZE_MAX;
    return scaled;
}

/* Every block is preceded by its size, so that a release can be counted. */
union block {
    size_t bytes;
    max_align_t aligned;
};

static void *allocate(void *data, size_t size)
{
    struct proto_memory *memory = data;
    union block *block;
    size_t bytes;

    if (__builtin_add_overflow(size, sizeof *block, &bytes) || bytes > memory->limit - memory->used) {
        memory->is_exhausted = true;
        return NULL;
    }
    block = malloc(bytes);
    if (block == NULL) {
        memory->is_starved = true;
        return NULL;
    }
    block->bytes = bytes;
    memory->used += bytes;
    return block + 1;
}

static void release(void *data, void *pointer)
{
    struct proto_memory *memory = data;
    union block *block = pointer;

    if (block == NULL)
        return;
    block--;
    if (memory != NULL)
        memory->used -= block->bytes;
    free(block);
}

ProtobufCAllocator proto_allocator(struct proto_memory *memory)
{
    return (ProtobufCAllocator){allocate, release, memory};
}

int proto_memory_error(const struct proto_memory *memory, struct error *err)
{
    if (memory->is_exhausted)
        return error_set(err, EX_DATAERR, "its contents need more than the %zu bytes allowed for a file of its size",
                         memory->limit);
    return error_set(err, EX_OSERR, "cannot allocate memory for its contents (%zu bytes so far)", memory->used);
}

ProtobufCMessage *proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                               size_t budget, struct error *err)
{
    struct proto_memory memory = {.limit = budget};
    ProtobufCAllocator allocator = proto_allocator(&memory);
    struct proto_skeleton skeleton;
    ProtobufCMessage *message;

    if (proto_skeleton_create(descriptor, bytes, size, &skeleton, err) < 0)
        return NULL;
    message = protobuf_c_message_unpack(descriptor, &allocator, skeleton.size, skeleton.data);
    free(skeleton.data);
    if (message != NULL) {
        proto_skeleton_resolve(message, bytes, &allocator);
        return message;
    }
    if (memory.is_exhausted || memory.is_starved)
        proto_memory_error(&memory, err);
    else
        error_set(err, EX_DATAERR, "a required field of a %s, or a part of it, is absent or malformed",
                  descriptor->short_name);
    return NULL;
}

void proto_free_unpacked(ProtobufCMessage *message)
{
    if (message != NULL)
        proto_skeleton_forget(message);
    proto_free(message);
}

void proto_free(ProtobufCMessage *message)
{
    ProtobufCAllocator allocator = proto_allocator(NULL);

    if (message != NULL)
        protobuf_c_message_free_unpacked(message, &allocator);
}
