/* proto_skeleton.c — see proto_skeleton.h. */
#include "formats/proto_skeleton.h"

#include "formats/proto_guard.h"
#include "formats/proto_wire.h"

#include <stdlib.h>
#include <string.h>

/* What stands for a field of bytes. Shorter ones are left as they are, so a field of this length is always a token. */
struct token {
    uint64_t offset, length;
};

/* ---- Making the skeleton */

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

/* data NULL: only counts. */
static void put(struct proto_skeleton *skeleton, const void *bytes, size_t size)
{
    if (skeleton->data != NULL)
        memcpy(skeleton->data + skeleton->size, bytes, size);
    skeleton->size += size;
}

/* In as few bytes as it takes, but at least `least`. */
static size_t write_varint(uint8_t *at, uint64_t number, size_t least)
{
    size_t n = 0;

    for (; number >= 0x80 || n + 1 < least; number >>= 7)
        at[n++] = (uint8_t)(number | 0x80);
    at[n++] = (uint8_t)number;
    return n;
}

static void put_varint(struct proto_skeleton *skeleton, uint64_t number)
{
    uint8_t bytes[10];

    put(skeleton, bytes, write_varint(bytes, number, 1));
}

enum { LENGTH_BYTES = 5 }; /* 35 bits: kept free before a message, whose length is known at its end */

struct level {
    const ProtobufCMessageDescriptor *descriptor;
    struct wire wire;
    size_t begin; /* of its contents in the skeleton */
};

static void end_message(struct proto_skeleton *skeleton, const struct level *level)
{
    if (skeleton->data != NULL)
        write_varint(skeleton->data + level->begin - LENGTH_BYTES, skeleton->size - level->begin, LENGTH_BYTES);
}

/* A field that is no message. */
static void put_field(struct proto_skeleton *skeleton, const struct wire *wire, size_t position,
                      const ProtobufCFieldDescriptor *known, const struct wire_field *field)
{
    struct token token = {.length = (uint64_t)(field->contents.end - field->contents.at)};

    if (known->type != PROTOBUF_C_TYPE_BYTES || token.length < sizeof token) {
        put(skeleton, wire->begin + position, (size_t)(wire->at - wire->begin) - position);
        return;
    }
    token.offset = (uint64_t)(field->contents.at - wire->begin);
    put_varint(skeleton, (uint64_t)field->number << 3 | WIRE_LENGTH);
    put_varint(skeleton, sizeof token);
    put(skeleton, &token, sizeof token);
}

/* Steps over bytes and unknown fields, whatever they look like inside; enters what the descriptor calls a message. */
static int condense(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                    struct proto_skeleton *skeleton, struct error *err)
{
    struct level levels[PROTO_MAX_DEPTH] = {{.descriptor = descriptor, .wire = {bytes, bytes, bytes + size}}};
    size_t depth = 1;

    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        size_t position = (size_t)(level->wire.at - level->wire.begin);
        const ProtobufCFieldDescriptor *known;
        struct wire_field field;
        int rc = wire_next(&level->wire, &field, err);

        if (rc < 0)
            return error_in(err, "in a %s", level->descriptor->short_name);
        if (rc == 0) {
            if (--depth > 0)
                end_message(skeleton, level);
            continue;
        }
        known = protobuf_c_message_descriptor_get_field(level->descriptor, field.number);
        if (known == NULL)
            continue;
        if (check_wire_type(level->descriptor, known, &field, position, err) < 0)
            return -1;
        if (known->type != PROTOBUF_C_TYPE_MESSAGE) {
            put_field(skeleton, &level->wire, position, known, &field);
            continue;
        }
        if (depth == PROTO_MAX_DEPTH)
            return error_set(err, EX_DATAERR, "byte %zu: messages are nested deeper than %d", position,
                             PROTO_MAX_DEPTH);
        put_varint(skeleton, (uint64_t)field.number << 3 | WIRE_LENGTH);
        put(skeleton, (const uint8_t[LENGTH_BYTES]){0}, LENGTH_BYTES);
        levels[depth++] = (struct level){known->descriptor, field.contents, skeleton->size};
    }
    return 0;
}

int proto_skeleton_create(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                          struct proto_skeleton *out, struct error *err)
{
    struct proto_skeleton skeleton = {0};

    if (condense(descriptor, bytes, size, &skeleton, err) < 0)
        return -1;
    skeleton.data = malloc(skeleton.size > 0 ? skeleton.size : 1);
    if (skeleton.data == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu bytes for a message", skeleton.size);
    skeleton.size = 0;
    condense(descriptor, bytes, size, &skeleton, NULL); /* it has passed once */
    *out = skeleton;
    return 0;
}

/* ---- Tokens in the unpacked message */

static void resolve(ProtobufCBinaryData *field, const uint8_t *bytes, ProtobufCAllocator *allocator)
{
    struct token token;

    memcpy(&token, field->data, sizeof token);
    allocator->free(allocator->allocator_data, field->data);
    field->data = (uint8_t *)(uintptr_t)(bytes + token.offset); /* protobuf-c has no const */
    field->len = token.length;
}

/* `bytes` NULL: forget. */
static void visit_bytes(ProtobufCBinaryData *field, const uint8_t *bytes, ProtobufCAllocator *allocator)
{
    if (field->len < sizeof(struct token))
        return;
    if (bytes != NULL)
        resolve(field, bytes, allocator);
    else
        *field = (ProtobufCBinaryData){0};
}

/* Recurses no deeper than condense went. No schema of ours has default values of bytes, which would be nobody's. */
static void visit(ProtobufCMessage *message, const uint8_t *bytes, ProtobufCAllocator *allocator)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        void *member = (char *)message + field->offset, *count = (char *)message + field->quantifier_offset;
        bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        size_t n = is_repeated ? *(size_t *)count : 1;

        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *(uint32_t *)count != field->id)
            continue;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            ProtobufCMessage **parts = is_repeated ? *(ProtobufCMessage ***)member : member;

            for (size_t j = 0; j < n; j++)
                if (parts[j] != NULL)
                    visit(parts[j], bytes, allocator);
        } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
            ProtobufCBinaryData *parts = is_repeated ? *(ProtobufCBinaryData **)member : member;

            for (size_t j = 0; j < n; j++)
                visit_bytes(&parts[j], bytes, allocator);
        }
    }
}

void proto_skeleton_resolve(ProtobufCMessage *message, const uint8_t *bytes, ProtobufCAllocator *allocator)
{
    visit(message, bytes, allocator);
}

void proto_skeleton_forget(ProtobufCMessage *message)
{
    visit(message, NULL, NULL);
}
