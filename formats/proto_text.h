/* proto_text.h — protobuf's text format (prototxt) into protobuf-c messages, driven by their descriptors.
 *
 * Accepted: nested messages in {} or <>, lists, comments, all string escapes and adjacent literals, enumerators by name
 * or number, every spelling of booleans, inf and nan, hexadecimal and octal integers, a byte order mark, CRLF.
 * A field that the schema lacks is skipped with a warning (forks of Caffe add many); everything else that is wrong is
 * an error naming line and column, both counted from 1, columns in bytes. Nesting is at most PROTO_MAX_DEPTH, a token
 * or a string at most 1 MiB (but fields of type bytes hold weights), memory at most proto_budget(size). Reference:
 * protobuf.dev, "Text Format Language Specification".
 */
#ifndef ETALON_PROTO_TEXT_H
#define ETALON_PROTO_TEXT_H

#include "common/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTO_TEXT_MAX_TOKEN_BYTES = 1 << 20,
    PROTO_TEXT_MAX_WARNINGS = 32, /* names of unknown fields; further ones are skipped in silence, after saying so */
};

/* Hears of each unknown field name once: "line 7, column 3: LayerParameter has no field \"x\": it is skipped". */
struct proto_text_listener {
    void (*warn)(struct proto_text_listener *self, const char *text);
};

/* A message of type `descriptor`, to be freed with proto_free. `listener` NULL: nobody is told of unknown fields.
 * NULL with EX_DATAERR or EX_OSERR. */
ProtobufCMessage *proto_text_parse(const ProtobufCMessageDescriptor *descriptor, const uint8_t *text, size_t size,
                                   struct proto_text_listener *listener, struct error *err);

/* Bytes that one element of a repeated field of this type takes in a protobuf-c message. */
size_t proto_text_element_size(ProtobufCType type);

#endif
