/* proto_text_parser.h — the parser's state, and the values that are not messages. Private to proto_text*.c.
 */
#ifndef ETALON_PROTO_TEXT_PARSER_H
#define ETALON_PROTO_TEXT_PARSER_H

#include "formats/proto_guard.h"
#include "formats/proto_text.h"
#include "formats/proto_text_token.h"

struct text_parser {
    struct tokenizer tokenizer;
    struct token token; /* the next one, not yet consumed */
    struct proto_memory memory;
    ProtobufCAllocator allocator;
    struct proto_text_listener *listener;
    struct token warned[PROTO_TEXT_MAX_WARNINGS]; /* unknown field names so far */
    size_t n_warned;
};

/* All return 0, or -1 with err set; `token` is then where it went wrong. */

int text_advance(struct text_parser *p, struct error *err);                          /* to the next token */
int text_unexpected(struct text_parser *p, const char *expected, struct error *err); /* "expected ..., found <token>" */
void *text_allocate(struct text_parser *p, size_t bytes, struct error *err);         /* zeroed, within the budget */

/* Each consumes one value. Integers are range-checked: [-2^(bits-1), 2^(bits-1)), and [0, limit]. */
int text_signed(struct text_parser *p, int bits, int64_t *value, struct error *err);
int text_unsigned(struct text_parser *p, uint64_t limit, const char *type, uint64_t *value, struct error *err);
int text_real(struct text_parser *p, double *value, struct error *err);
int text_bool(struct text_parser *p, protobuf_c_boolean *value, struct error *err);
int text_enum(struct text_parser *p, const ProtobufCEnumDescriptor *descriptor, int32_t *value, struct error *err);
/* Adjacent literals make one string. *out is terminated and belongs to the message, even a partial one after failure.
 */
int text_bytes(struct text_parser *p, char **out, size_t *length, struct error *err);
int text_string(struct text_parser *p, char **out, struct error *err); /* the same, without zero bytes inside */

#endif
