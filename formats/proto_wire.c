/* proto_wire.c — see proto_wire.h. */
#include "formats/proto_wire.h"

enum { VARINT_MAX_BYTES = 10 }; /* 64 bits in groups of seven */

static int fail(const struct wire *wire, struct error *err, const char *what)
{
    return error_set(err, EX_DATAERR, "byte %zu: %s", (size_t)(wire->at - wire->begin), what);
}

int wire_varint(struct wire *wire, uint64_t *value, struct error *err)
{
    uint64_t bits = 0;

    for (int i = 0; i < VARINT_MAX_BYTES; i++) {
        if (wire->at + i == wire->end)
            return fail(wire, err, "a number is cut off");
        bits |= (uint64_t)(wire->at[i] & 0x7f) << (7 * i);
        if ((wire->at[i] & 0x80) == 0) {
            wire->at += i + 1;
            *value = bits;
            return 0;
        }
    }
    return fail(wire, err, "a number takes more than 10 bytes");
}

static int fixed(struct wire *wire, size_t size, uint64_t *value, struct error *err)
{
    *value = 0;
    if ((size_t)(wire->end - wire->at) < size)
        return fail(wire, err, "a number is cut off");
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += size;
    return 0;
}

static int contents(struct wire *wire, struct wire *out, struct error *err)
{
    struct wire start = *wire;
    uint64_t length;

    if (wire_varint(wire, &length, err) < 0)
        return -1;
    if (length > (uint64_t)(wire->end - wire->at))
        return error_set(err, EX_DATAERR, "byte %zu: a field of %llu bytes, but %zu bytes are left",
                         (size_t)(start.at - start.begin), (unsigned long long)length, (size_t)(wire->end - wire->at));
    *out = (struct wire){wire->begin, wire->at, wire->at + length};
    wire->at += length;
    return 0;
}

int wire_next(struct wire *wire, struct wire_field *field, struct error *err)
{
    struct wire start = *wire;
    uint64_t tag;
    int rc;

    if (wire->at == wire->end)
        return 0;
    if (wire_varint(wire, &tag, err) < 0)
        return -1;
    if (tag >> 3 == 0 || tag > UINT32_MAX)
        return fail(&start, err, "expected a field, found an impossible field number");
    *field = (struct wire_field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    switch (field->type) {
    case WIRE_VARINT:
        rc = wire_varint(wire, &field->integer, err);
        break;
    case WIRE_64BIT:
        rc = fixed(wire, 8, &field->integer, err);
        break;
    case WIRE_LENGTH:
        rc = contents(wire, &field->contents, err);
        break;
    case WIRE_32BIT:
        rc = fixed(wire, 4, &field->integer, err);
        break;
    default: /* groups, which proto3 dropped and no model format used */
        rc = fail(&start, err, "expected a field, found an unknown wire type");
    }
    return rc < 0 ? -1 : 1;
}
