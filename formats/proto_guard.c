/* proto_guard.c — see proto_guard.h. */
#include "formats/proto_guard.h"

#include "formats/proto_wire.h"

#include <stdlib.h>

size_t proto_budget(size_t file_bytes)
{
    size_t scaled;

    if (__builtin_mul_overflow(file_bytes, (size_t)64, &scaled) ||
        __builtin_add_overflow(scaled, (size_t)64 << 20, &scaled))
        return SIZE_MAX;
    return scaled;
}

static enum wire_type expected_wire_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    default:
        return WIRE_VARINT;
    }
}

/* A repeated number may be packed whether or not the schema says so. */
static int check_wire_type(const ProtobufCMessageDescriptor *message, const ProtobufCFieldDescriptor *known,
                           const struct wire_field *field, size_t position, struct error *err)
{
    enum wire_type expected = expected_wire_type(known->type);

    if (field->type == expected || (field->type == WIRE_LENGTH && known->label == PROTOBUF_C_LABEL_REPEATED))
        return 0;
    return error_set(err, EX_DATAERR, "byte %zu: field \"%s\" of %s: expected wire type %d, found %d", position,
                     known->name, message->name, (int)expected, (int)field->type);
}

int proto_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size, struct error *err)
{
    struct {
        const ProtobufCMessageDescriptor *descriptor;
        struct wire wire;
    } levels[PROTO_MAX_DEPTH] = {{descriptor, {bytes, bytes, bytes + size}}};
    size_t depth = 1;

    while (depth > 0) {
        const ProtobufCMessageDescriptor *message = levels[depth - 1].descriptor;
        struct wire *wire = &levels[depth - 1].wire;
        size_t position = (size_t)(wire->at - wire->begin);
        const ProtobufCFieldDescriptor *known;
        struct wire_field field;
        int rc = wire_next(wire, &field, err);

        if (rc < 0)
            return error_in(err, "in a %s", message->short_name);
        if (rc == 0) {
            depth--;
            continue;
        }
        known = protobuf_c_message_descriptor_get_field(message, field.number);
        if (known == NULL)
            continue;
        if (check_wire_type(message, known, &field, position, err) < 0)
            return -1;
        if (known->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (depth == PROTO_MAX_DEPTH)
            return error_set(err, EX_DATAERR, "byte %zu: messages are nested deeper than %d", position,
                             PROTO_MAX_DEPTH);
        levels[depth].descriptor = known->descriptor;
        levels[depth].wire = field.contents;
        depth++;
    }
    return 0;
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
    ProtobufCMessage *message;

    if (proto_check(descriptor, bytes, size, err) < 0)
        return NULL;
    message = protobuf_c_message_unpack(descriptor, &allocator, size, bytes);
    if (message != NULL)
        return message;
    if (memory.is_exhausted || memory.is_starved)
        proto_memory_error(&memory, err);
    else
        error_set(err, EX_DATAERR, "a required field of a %s, or a part of it, is absent or malformed",
                  descriptor->short_name);
    return NULL;
}

void proto_free(ProtobufCMessage *message)
{
    ProtobufCAllocator allocator = proto_allocator(NULL);

    if (message != NULL)
        protobuf_c_message_free_unpacked(message, &allocator);
}

void proto_free_bytes(ProtobufCBinaryData *bytes)
{
    release(NULL, bytes->data);
    *bytes = (ProtobufCBinaryData){0};
}
