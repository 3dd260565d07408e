/* proto_text.c — see proto_text.h. Fields are written into protobuf-c's structs through their descriptors. */
#include "formats/proto_text_parser.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES = 128, /* longer names than any schema has are unknown names */
    MAX_FIELDS = 256, /* of one message type; the largest of ours has 60 */
};

/* Where a field's value goes. */
struct target {
    const ProtobufCFieldDescriptor *field;
    ProtobufCMessage *message;
};

static int parse_fields(struct text_parser *p, ProtobufCMessage *message, char closer, int depth, struct error *err);

static void *member(ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

size_t proto_text_element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* ---- Values and fields */

static int parse_message(struct text_parser *p, const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out,
                         int depth, struct error *err)
{
    char closer = token_is(&p->token, '<') ? '>' : '}';

    if (!token_is(&p->token, '{') && !token_is(&p->token, '<'))
        return text_unexpected(p, "'{'", err);
    if (depth == PROTO_MAX_DEPTH) {
        error_set(err, EX_DATAERR, "messages are nested deeper than %d", PROTO_MAX_DEPTH);
        return token_error(&p->token, err);
    }
    *out = text_allocate(p, descriptor->sizeof_message, err);
    if (*out == NULL)
        return -1;
    protobuf_c_message_init(descriptor, *out);
    return text_advance(p, err) < 0 ? -1 : parse_fields(p, *out, closer, depth + 1, err);
}

static int parse_value(struct text_parser *p, const ProtobufCFieldDescriptor *field, void *slot, int depth,
                       struct error *err)
{
    ProtobufCBinaryData *bytes;
    char *text = NULL;
    uint64_t natural = 0;
    int64_t integer = 0;
    double real = 0;
    int rc;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        rc = text_signed(p, 32, &integer, err);
        *(int32_t *)slot = (int32_t)integer;
        return rc;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return text_signed(p, 64, slot, err);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        rc = text_unsigned(p, UINT32_MAX, "uint32", &natural, err);
        *(uint32_t *)slot = (uint32_t)natural;
        return rc;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return text_unsigned(p, UINT64_MAX, "uint64", slot, err);
    case PROTOBUF_C_TYPE_FLOAT: /* through double, as the reference parser does: the same float in rounding ties */
        rc = text_real(p, &real, err);
        *(float *)slot = (float)real;
        return rc;
    case PROTOBUF_C_TYPE_DOUBLE:
        return text_real(p, slot, err);
    case PROTOBUF_C_TYPE_BOOL:
        return text_bool(p, slot, err);
    case PROTOBUF_C_TYPE_ENUM:
        return text_enum(p, field->descriptor, slot, err);
    case PROTOBUF_C_TYPE_STRING:
        return text_string(p, slot, err);
    case PROTOBUF_C_TYPE_BYTES:
        bytes = slot;
        rc = text_bytes(p, &text, &bytes->len, err);
        bytes->data = (uint8_t *)text;
        return rc;
    case PROTOBUF_C_TYPE_MESSAGE:
        return parse_message(p, field->descriptor, slot, depth, err);
    }
    return error_set(err, EX_SOFTWARE, "field \"%s\" has a type without a parser", field->name);
}

/* One more, zeroed, element at the end of a repeated field. The capacity is the power of two from the count on up. */
static void *append_slot(struct text_parser *p, const struct target *target, struct error *err)
{
    size_t *count = member(target->message, target->field->quantifier_offset);
    void **array = member(target->message, target->field->offset);
    size_t size = proto_text_element_size(target->field->type);

    if ((*count & (*count - 1)) == 0) { /* zero or a power of two: full */
        void *grown = text_allocate(p, (*count == 0 ? 1 : 2 * *count) * size, err);

        if (grown == NULL)
            return NULL;
        if (*count > 0)
            memcpy(grown, *array, *count * size);
        p->allocator.free(&p->memory, *array);
        *array = grown;
    }
    return (char *)*array + (*count)++ * size;
}

static int parse_list(struct text_parser *p, const struct target *target, int depth, struct error *err)
{
    if (text_advance(p, err) < 0)
        return -1;
    if (token_is(&p->token, ']'))
        return text_advance(p, err);
    for (;;) {
        void *slot = append_slot(p, target, err);

        if (slot == NULL || parse_value(p, target->field, slot, depth, err) < 0)
            return -1;
        if (token_is(&p->token, ']'))
            return text_advance(p, err);
        if (!token_is(&p->token, ','))
            return text_unexpected(p, "',' or ']'", err);
        if (text_advance(p, err) < 0)
            return -1;
    }
}

static int parse_repeated(struct text_parser *p, const struct target *target, int depth, struct error *err)
{
    void *slot;

    if (token_is(&p->token, '['))
        return parse_list(p, target, depth, err);
    slot = append_slot(p, target, err);
    return slot == NULL ? -1 : parse_value(p, target->field, slot, depth, err);
}

static int parse_single(struct text_parser *p, const struct target *target, int depth, struct error *err)
{
    const ProtobufCFieldDescriptor *field = target->field;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t *which = member(target->message, field->quantifier_offset);

        if (*which != 0)
            return text_unexpected(p, "one alternative only", err);
        *which = field->id;
    } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
               field->type != PROTOBUF_C_TYPE_MESSAGE) {
        *(protobuf_c_boolean *)member(target->message, field->quantifier_offset) = 1;
    }
    return parse_value(p, field, member(target->message, field->offset), depth, err);
}

/* ---- Unknown fields */

static void warn_once(struct text_parser *p, const ProtobufCMessageDescriptor *message, const struct token *name)
{
    char text[512], shown[TOKEN_TEXT_BYTES];

    for (size_t i = 0; i < p->n_warned; i++)
        if (p->warned[i].length == name->length && memcmp(p->warned[i].text, name->text, name->length) == 0)
            return;
    if (p->listener == NULL || p->n_warned == PROTO_TEXT_MAX_WARNINGS)
        return;
    p->warned[p->n_warned++] = *name;
    snprintf(text, sizeof text, "line %zu, column %zu: %s has no field %s: it is skipped%s", name->line, name->column,
             message->short_name, token_text(name, shown),
             p->n_warned == PROTO_TEXT_MAX_WARNINGS ? " (and further unknown fields are not listed)" : "");
    p->listener->warn(p->listener, text);
}

static char closer_of(const struct token *token)
{
    if (token->kind != TOKEN_SYMBOL)
        return '\0';
    return token->text[0] == '{' ? '}' : token->text[0] == '<' ? '>' : token->text[0] == '[' ? ']' : '\0';
}

/* From an opening bracket to its partner. */
static int skip_brackets(struct text_parser *p, int depth, struct error *err)
{
    char closers[PROTO_MAX_DEPTH + 1];
    int open = 0;

    do {
        char closer = closer_of(&p->token);

        if (closer != '\0') {
            if (depth + open >= PROTO_MAX_DEPTH) {
                error_set(err, EX_DATAERR, "messages are nested deeper than %d", PROTO_MAX_DEPTH);
                return token_error(&p->token, err);
            }
            closers[open++] = closer;
        } else if (token_is(&p->token, '}') || token_is(&p->token, '>') || token_is(&p->token, ']') ||
                   p->token.kind == TOKEN_END) {
            char expected[] = {'\'', closers[open - 1], '\'', '\0'};

            if (!token_is(&p->token, closers[open - 1]))
                return text_unexpected(p, expected, err);
            open--;
        }
        if (text_advance(p, err) < 0)
            return -1;
    } while (open > 0);
    return 0;
}

static int skip_value(struct text_parser *p, int depth, struct error *err)
{
    bool has_colon = token_is(&p->token, ':');

    if (has_colon && text_advance(p, err) < 0)
        return -1;
    if (closer_of(&p->token) != '\0')
        return skip_brackets(p, depth, err);
    if (!has_colon)
        return text_unexpected(p, "':' or '{'", err);
    if (p->token.kind == TOKEN_STRING) {
        while (p->token.kind == TOKEN_STRING)
            if (text_advance(p, err) < 0)
                return -1;
        return 0;
    }
    if (token_is(&p->token, '-') && text_advance(p, err) < 0)
        return -1;
    if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_NUMBER)
        return text_unexpected(p, "a value", err);
    return text_advance(p, err);
}

/* ---- Messages */

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  const struct token *name)
{
    char terminated[NAME_BYTES];

    if (name->kind != TOKEN_WORD || name->length >= sizeof terminated)
        return NULL;
    memcpy(terminated, name->text, name->length);
    terminated[name->length] = '\0';
    return protobuf_c_message_descriptor_get_field_by_name(descriptor, terminated);
}

/* `name [:] value`, the colon optional before messages; the name is consumed. */
static int parse_known(struct text_parser *p, const struct target *target, int depth, struct error *err)
{
    if (token_is(&p->token, ':')) {
        if (text_advance(p, err) < 0)
            return -1;
    } else if (target->field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return text_unexpected(p, "':'", err);
    }
    return target->field->label == PROTOBUF_C_LABEL_REPEATED ? parse_repeated(p, target, depth, err)
                                                             : parse_single(p, target, depth, err);
}

static int parse_field(struct text_parser *p, ProtobufCMessage *message, bool seen[MAX_FIELDS], int depth,
                       struct error *err)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    struct token name = p->token;
    struct target target = {find_field(descriptor, &name), message};

    if (token_is(&name, '[')) { /* an extension: [package.field] */
        warn_once(p, descriptor, &name);
        return skip_brackets(p, depth, err) < 0 ? -1 : skip_value(p, depth, err);
    }
    if (name.kind != TOKEN_WORD)
        return text_unexpected(p, "the name of a field", err);
    if (target.field == NULL) {
        warn_once(p, descriptor, &name);
        return text_advance(p, err) < 0 ? -1 : skip_value(p, depth, err);
    }
    if (target.field->label != PROTOBUF_C_LABEL_REPEATED && seen[target.field - descriptor->fields]) {
        error_set(err, EX_DATAERR, "field \"%s\" of a %s is given twice", target.field->name, descriptor->short_name);
        return token_error(&name, err);
    }
    seen[target.field - descriptor->fields] = true;
    if (text_advance(p, err) < 0)
        return -1;
    return parse_known(p, &target, depth, err);
}

static int check_required(struct text_parser *p, const ProtobufCMessageDescriptor *descriptor,
                          const bool seen[MAX_FIELDS], struct error *err)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (descriptor->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !seen[i]) {
            error_set(err, EX_DATAERR, "a %s without its required field \"%s\" ends", descriptor->short_name,
                      descriptor->fields[i].name);
            return token_error(&p->token, err);
        }
    return 0;
}

/* Fields up to `closer`, which is consumed; '\0' stands for the end of the file. */
static int parse_fields(struct text_parser *p, ProtobufCMessage *message, char closer, int depth, struct error *err)
{
    bool seen[MAX_FIELDS] = {false};
    char expected[48];

    assert(message->descriptor->n_fields <= MAX_FIELDS);
    while (p->token.kind != TOKEN_END && !(closer != '\0' && token_is(&p->token, closer))) {
        if (parse_field(p, message, seen, depth, err) < 0)
            return -1;
        if ((token_is(&p->token, ',') || token_is(&p->token, ';')) && text_advance(p, err) < 0)
            return -1;
    }
    if (check_required(p, message->descriptor, seen, err) < 0)
        return -1;
    if (closer == '\0')
        return 0;
    if (p->token.kind == TOKEN_END) {
        snprintf(expected, sizeof expected, "'%c'", closer);
        return text_unexpected(p, expected, err);
    }
    return text_advance(p, err);
}

ProtobufCMessage *proto_text_parse(const ProtobufCMessageDescriptor *descriptor, const uint8_t *text, size_t size,
                                   struct proto_text_listener *listener, struct error *err)
{
    struct text_parser parser = {.memory = {.limit = proto_budget(size)}, .listener = listener};
    ProtobufCMessage *message;

    parser.allocator = proto_allocator(&parser.memory);
    tokenizer_init(&parser.tokenizer, text, size);
    message = text_allocate(&parser, descriptor->sizeof_message, err);
    if (message == NULL)
        return NULL;
    protobuf_c_message_init(descriptor, message);
    if (text_advance(&parser, err) < 0 || parse_fields(&parser, message, '\0', 1, err) < 0) {
        proto_free(message);
        return NULL;
    }
    return message;
}
