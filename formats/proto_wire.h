/* proto_wire.h — stepping through protobuf's wire format field by field, straight from the file's bytes.
 *
 * For readers that want few fields out of large files (weights), and for the check before unpacking. A length is
 * believed only after comparison with the bytes left. Reference: protobuf.dev, "Encoding".
 */
#ifndef ETALON_PROTO_WIRE_H
#define ETALON_PROTO_WIRE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };

/* The bytes of one message: [at, end) is still to be read. `begin` is the file's first byte, for positions in messages;
 * all borrowed. */
struct wire {
    const uint8_t *begin, *at, *end;
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t integer;     /* VARINT, 64BIT, 32BIT (little-endian bits) */
    struct wire contents; /* LENGTH */
};

/* 1: *field is the next field; 0: the message ends here; -1: EX_DATAERR "byte N: ...". */
int wire_next(struct wire *wire, struct wire_field *field, struct error *err);

/* One bare varint, as inside a packed field. 0, or -1 as above; not at the end. */
int wire_varint(struct wire *wire, uint64_t *value, struct error *err);

#endif
