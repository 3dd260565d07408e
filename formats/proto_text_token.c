/* proto_text_token.c — see proto_text_token.h. */
#include "formats/proto_text_token.h"

#include "formats/proto_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Our own classes: those of <ctype.h> follow the locale. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99; /* no digit in any base */
}

int token_error(const struct token *token, struct error *err)
{
    return error_in(err, "line %zu, column %zu", token->line, token->column);
}

const char *token_text(const struct token *token, char buffer[TOKEN_TEXT_BYTES])
{
    int shown = token->length > 40 ? 40 : (int)token->length;

    if (token->kind == TOKEN_END)
        snprintf(buffer, TOKEN_TEXT_BYTES, "the end of the file");
    else if (token->kind == TOKEN_STRING)
        snprintf(buffer, TOKEN_TEXT_BYTES, "%.*s%s", shown, token->text, token->length > 40 ? "..." : "");
    else
        snprintf(buffer, TOKEN_TEXT_BYTES, "'%.*s'%s", shown, token->text, token->length > 40 ? "..." : "");
    return buffer;
}

bool token_is(const struct token *token, char symbol)
{
    return token->kind == TOKEN_SYMBOL && token->text[0] == symbol;
}

bool token_equals(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->length && strncmp(token->text, word, token->length) == 0;
}

void tokenizer_init(struct tokenizer *tokenizer, const uint8_t *text, size_t size)
{
    static const char byte_order_mark[3] = {'\xef', '\xbb', '\xbf'};
    const char *start = (const char *)text;
    const char *end = start + size;

    if (size >= sizeof byte_order_mark && memcmp(start, byte_order_mark, sizeof byte_order_mark) == 0)
        start += sizeof byte_order_mark;
    *tokenizer = (struct tokenizer){start, end, start, 1};
}

static void skip_blanks_and_comments(struct tokenizer *t)
{
    for (; t->at < t->end; t->at++) {
        if (*t->at == '#') {
            const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));

            if (newline == NULL) {
                t->at = t->end;
                return;
            }
            t->at = newline;
        }
        if (*t->at == '\n') {
            t->line++;
            t->line_start = t->at + 1;
        } else if (strchr(" \t\r\v\f", *t->at) == NULL || *t->at == '\0') {
            return;
        }
    }
}

/* Length of the literal at `at`, quotes included; 0 when it does not end on its line. */
static size_t literal_length(const char *at, const char *end)
{
    for (const char *p = at + 1; p < end && *p != '\n'; p++) {
        if (*p == *at)
            return (size_t)(p + 1 - at);
        if (*p == '\\' && p + 1 < end && p[1] != '\n')
            p++;
    }
    return 0;
}

/* A sign belongs to a number only after the e of an exponent, which hexadecimal numbers have not. */
static size_t number_length(const char *at, const char *end)
{
    bool is_hex = end - at > 1 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    const char *p = at;

    while (p < end && (is_digit(*p) || is_letter(*p) || *p == '.' ||
                       ((*p == '+' || *p == '-') && !is_hex && (p[-1] == 'e' || p[-1] == 'E'))))
        p++;
    return (size_t)(p - at);
}

static size_t word_length(const char *at, const char *end)
{
    const char *p = at;

    while (p < end && (is_digit(*p) || is_letter(*p)))
        p++;
    return (size_t)(p - at);
}

int tokenizer_next(struct tokenizer *t, struct token *token, struct error *err)
{
    char first;

    skip_blanks_and_comments(t);
    *token = (struct token){TOKEN_END, t->at, 0, t->line, (size_t)(t->at - t->line_start) + 1};
    if (t->at == t->end)
        return 0;
    first = *t->at;
    if (is_letter(first)) {
        token->kind = TOKEN_WORD;
        token->length = word_length(t->at, t->end);
    } else if (is_digit(first) || (first == '.' && t->end - t->at > 1 && is_digit(t->at[1]))) {
        token->kind = TOKEN_NUMBER;
        token->length = number_length(t->at, t->end);
    } else if (first == '"' || first == '\'') {
        token->kind = TOKEN_STRING;
        token->length = literal_length(t->at, t->end);
        if (token->length == 0) {
            error_set(err, EX_DATAERR, "a string does not end on its line");
            return token_error(token, err);
        }
    } else if (first != '\0' && strchr(":{}<>[],;-./", first) != NULL) {
        token->kind = TOKEN_SYMBOL;
        token->length = 1;
    } else {
        error_set(err, EX_DATAERR, "expected a field, found the byte 0x%02x", (unsigned char)first);
        return token_error(token, err);
    }
    if (token->kind != TOKEN_STRING && token->length > PROTO_TEXT_MAX_TOKEN_BYTES) { /* strings: their reader decides */
        error_set(err, EX_DATAERR, "a token of %zu bytes is longer than %d", token->length, PROTO_TEXT_MAX_TOKEN_BYTES);
        return token_error(token, err);
    }
    t->at += token->length;
    return 0;
}

static int not_a_number(const struct token *token, const char *expected, struct error *err)
{
    char found[TOKEN_TEXT_BYTES];

    error_set(err, EX_DATAERR, "expected %s, found %s", expected, token_text(token, found));
    return token_error(token, err);
}

int token_to_integer(const struct token *token, uint64_t *magnitude, struct error *err)
{
    const char *p = token->text, *end = token->text + token->length;
    uint64_t value = 0;
    int base = 10;

    if (token->kind != TOKEN_NUMBER)
        return not_a_number(token, "an integer", err);
    if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    } else if (end - p > 1 && p[0] == '0') {
        base = 8;
    }
    for (; p < end; p++)
        if (digit_value(*p) >= base)
            return not_a_number(token, "an integer", err);
        else if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
                 __builtin_add_overflow(value, (uint64_t)digit_value(*p), &value))
            return not_a_number(token, "an integer below 2^64", err);
    *magnitude = value;
    return 0;
}

static const char *skip_digits(const char *p)
{
    while (is_digit(*p))
        p++;
    return p;
}

/* digits [. digits] [e [sign] digits] [f], one digit at least before the exponent. `text` is terminated. */
static bool is_decimal(const char *text)
{
    const char *p = skip_digits(text);
    bool has_digit = p > text;

    if (*p == '.') {
        const char *fraction = p + 1;

        p = skip_digits(fraction);
        has_digit = has_digit || p > fraction;
    }
    if (has_digit && (*p == 'e' || *p == 'E')) {
        const char *exponent = p + 1;

        exponent += *exponent == '+' || *exponent == '-';
        p = skip_digits(exponent);
        has_digit = p > exponent;
    }
    p += *p == 'f' || *p == 'F';
    return has_digit && *p == '\0';
}

int token_to_double(const struct token *token, double *magnitude, struct error *err)
{
    char digits[512]; /* the shortest exact decimal of a double has at most 767 digits, but nobody writes these */

    if (token->length < sizeof digits) {
        memcpy(digits, token->text, token->length);
        digits[token->length] = '\0';
        if (token->kind == TOKEN_WORD && (strcasecmp(digits, "inf") == 0 || strcasecmp(digits, "infinity") == 0)) {
            *magnitude = (double)__builtin_inff();
            return 0;
        }
        if (token->kind == TOKEN_WORD && strcasecmp(digits, "nan") == 0) {
            *magnitude = (double)__builtin_nanf("");
            return 0;
        }
        if (token->kind == TOKEN_NUMBER && is_decimal(digits)) {
            *magnitude = strtod(digits, NULL);
            return 0;
        }
    }
    return not_a_number(token, "a decimal number", err);
}

static size_t encode_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Up to max_digits digits of `base` at *p. Returns how many there were. */
static int read_digits(const char **p, const char *end, int base, int max_digits, uint32_t *value)
{
    int n = 0;

    *value = 0;
    for (; n < max_digits && *p < end && digit_value(**p) < base; n++, (*p)++)
        *value = *value * (uint32_t)base + (uint32_t)digit_value(**p);
    return n;
}

/* \uXXXX or \UXXXXXXXX, *p behind the letter; two \u may form a surrogate pair. 0 bytes: malformed. */
static size_t read_unicode(const char **p, const char *end, int digits, char *out)
{
    uint32_t code, low;

    if (read_digits(p, end, 16, digits, &code) != digits)
        return 0;
    if (code >= 0xd800 && code < 0xdc00 && end - *p > 2 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        *p += 2;
        if (read_digits(p, end, 16, 4, &low) != 4 || low < 0xdc00 || low > 0xdfff)
            return 0;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return encode_utf8(code, out);
}

/* One escape, *p behind its backslash. Writes no more bytes than the escape has; 0: no such escape. */
static size_t read_escape(const char **p, const char *end, char *out)
{
    static const char letters[] = "abfnrtv\\'\"?", meanings[] = "\a\b\f\n\r\t\v\\'\"?";
    const char *letter;
    uint32_t byte;

    if (**p >= '0' && **p <= '7') {
        read_digits(p, end, 8, 3, &byte);
        out[0] = (char)byte;
        return byte <= 0xff;
    }
    letter = **p == '\0' ? NULL : strchr(letters, **p);
    (*p)++;
    if (letter != NULL) {
        out[0] = meanings[letter - letters];
        return 1;
    }
    switch ((*p)[-1]) {
    case 'x':
    case 'X':
        if (read_digits(p, end, 16, 2, &byte) == 0)
            return 0;
        out[0] = (char)byte;
        return 1;
    case 'u':
        return read_unicode(p, end, 4, out);
    case 'U':
        return read_unicode(p, end, 8, out);
    default:
        return 0;
    }
}

int token_to_bytes(const struct token *token, char *out, size_t *length, struct error *err)
{
    const char *p = token->text + 1, *end = token->text + token->length - 1; /* without the quotes */
    size_t n = 0, written;

    while (p < end)
        if (*p != '\\') {
            out[n++] = *p++;
        } else {
            p++; /* a backslash is never last: the tokenizer steps over what follows it */
            written = read_escape(&p, end, out + n);
            if (written == 0) {
                error_set(err, EX_DATAERR, "a string holds an escape that does not exist");
                return token_error(token, err);
            }
            n += written;
        }
    *length = n;
    return 0;
}
