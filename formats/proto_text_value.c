/* proto_text_value.c — numbers, booleans, enumerators and strings of the text format; see proto_text_parser.h. */
#include "formats/proto_text_parser.h"

#include <stdio.h>
#include <string.h>

int text_advance(struct text_parser *p, struct error *err)
{
    return tokenizer_next(&p->tokenizer, &p->token, err);
}

int text_unexpected(struct text_parser *p, const char *expected, struct error *err)
{
    char found[TOKEN_TEXT_BYTES];

    error_set(err, EX_DATAERR, "expected %s, found %s", expected, token_text(&p->token, found));
    return token_error(&p->token, err);
}

void *text_allocate(struct text_parser *p, size_t bytes, struct error *err)
{
    void *memory = p->allocator.alloc(&p->memory, bytes);

    if (memory == NULL)
        proto_memory_error(&p->memory, err);
    else
        memset(memory, 0, bytes);
    return memory;
}

static int parse_sign(struct text_parser *p, bool *is_negative, struct error *err)
{
    *is_negative = token_is(&p->token, '-');
    return *is_negative ? text_advance(p, err) : 0;
}

static int out_of_range(const struct text_parser *p, const char *type, struct error *err)
{
    char found[TOKEN_TEXT_BYTES];

    error_set(err, EX_DATAERR, "%s does not fit into an %s", token_text(&p->token, found), type);
    return token_error(&p->token, err);
}

/* In [-2^(bits-1), 2^(bits-1)). */
int text_signed(struct text_parser *p, int bits, int64_t *value, struct error *err)
{
    uint64_t magnitude, limit = UINT64_C(1) << (bits - 1);
    bool is_negative;

    if (parse_sign(p, &is_negative, err) < 0 || token_to_integer(&p->token, &magnitude, err) < 0)
        return -1;
    if (magnitude > limit - !is_negative)
        return out_of_range(p, bits == 32 ? "int32" : "int64", err);
    *value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return text_advance(p, err);
}

int text_unsigned(struct text_parser *p, uint64_t limit, const char *type, uint64_t *value, struct error *err)
{
    if (token_is(&p->token, '-'))
        return text_unexpected(p, "a number that is not negative", err);
    if (token_to_integer(&p->token, value, err) < 0)
        return -1;
    if (*value > limit)
        return out_of_range(p, type, err);
    return text_advance(p, err);
}

int text_real(struct text_parser *p, double *value, struct error *err)
{
    bool is_negative;

    if (parse_sign(p, &is_negative, err) < 0 || token_to_double(&p->token, value, err) < 0)
        return -1;
    if (is_negative)
        *value = -*value;
    return text_advance(p, err);
}

int text_bool(struct text_parser *p, protobuf_c_boolean *value, struct error *err)
{
    static const char *const spellings[2][3] = {{"false", "False", "f"}, {"true", "True", "t"}};
    uint64_t number;

    if (p->token.kind == TOKEN_NUMBER) {
        if (text_unsigned(p, 1, "bool", &number, err) < 0)
            return -1;
        *value = (protobuf_c_boolean)number;
        return 0;
    }
    for (int truth = 0; truth < 2; truth++)
        for (int i = 0; i < 3; i++)
            if (token_equals(&p->token, spellings[truth][i])) {
                *value = truth;
                return text_advance(p, err);
            }
    return text_unexpected(p, "true or false", err);
}

static int not_an_enumerator(struct text_parser *p, const ProtobufCEnumDescriptor *descriptor, struct error *err)
{
    char expected[256];
    int n = snprintf(expected, sizeof expected, "a %s (", descriptor->short_name);

    for (unsigned i = 0; i < descriptor->n_values && n < (int)sizeof expected - 64; i++)
        n += snprintf(expected + n, sizeof expected - (size_t)n, "%s%.40s", i > 0 ? ", " : "",
                      descriptor->values[i].name);
    snprintf(expected + n, sizeof expected - (size_t)n, ")");
    return text_unexpected(p, expected, err);
}

int text_enum(struct text_parser *p, const ProtobufCEnumDescriptor *descriptor, int32_t *value, struct error *err)
{
    struct token start = p->token;
    int64_t number;

    if (start.kind == TOKEN_WORD) {
        for (unsigned i = 0; i < descriptor->n_value_names; i++)
            if (token_equals(&start, descriptor->values_by_name[i].name)) {
                *value = descriptor->values[descriptor->values_by_name[i].index].value;
                return text_advance(p, err);
            }
        return not_an_enumerator(p, descriptor, err);
    }
    if (start.kind != TOKEN_NUMBER && !token_is(&start, '-'))
        return not_an_enumerator(p, descriptor, err);
    if (text_signed(p, 32, &number, err) < 0)
        return -1;
    if (protobuf_c_enum_descriptor_get_value(descriptor, (int)number) == NULL) {
        p->token = start;
        return not_an_enumerator(p, descriptor, err);
    }
    *value = (int32_t)number;
    return 0;
}

static int read_literals(struct text_parser *p, size_t limit, char **out, size_t *length, struct error *err)
{
    size_t capacity = 0;

    *out = NULL;
    *length = 0;
    if (p->token.kind != TOKEN_STRING)
        return text_unexpected(p, "a string in quotes", err);
    while (p->token.kind == TOKEN_STRING) {
        size_t needed = *length + p->token.length + 1, added;

        if (needed > limit) {
            error_set(err, EX_DATAERR, "a string is longer than %zu bytes", limit);
            return token_error(&p->token, err);
        }
        if (needed > capacity) {
            char *grown = text_allocate(p, capacity = needed > 2 * capacity ? needed : 2 * capacity, err);

            if (grown == NULL)
                return -1;
            if (*out != NULL)
                memcpy(grown, *out, *length);
            p->allocator.free(&p->memory, *out);
            *out = grown;
        }
        if (token_to_bytes(&p->token, *out + *length, &added, err) < 0)
            return -1;
        *length += added;
        (*out)[*length] = '\0';
        if (text_advance(p, err) < 0)
            return -1;
    }
    return 0;
}

int text_bytes(struct text_parser *p, char **out, size_t *length, struct error *err)
{
    return read_literals(p, SIZE_MAX, out, length, err);
}

int text_string(struct text_parser *p, char **out, struct error *err)
{
    struct token start = p->token;
    size_t length;

    if (read_literals(p, PROTO_TEXT_MAX_TOKEN_BYTES, out, &length, err) < 0)
        return -1;
    if (memchr(*out, '\0', length) != NULL) {
        error_set(err, EX_DATAERR, "a name or text holds a zero byte");
        return token_error(&start, err);
    }
    return 0;
}
