/* proto_text_token.h — words, numbers, strings and punctuation of protobuf's text format. Private to proto_text.c.
 */
#ifndef ETALON_PROTO_TEXT_TOKEN_H
#define ETALON_PROTO_TEXT_TOKEN_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* letters, digits, underscores */
    TOKEN_NUMBER, /* starts with a digit, or a point and a digit; without sign; checked on conversion only */
    TOKEN_STRING, /* one literal with its quotes */
    TOKEN_SYMBOL, /* one character of :{}<>[],;-./ */
};

struct token {
    enum token_kind kind;
    const char *text; /* borrowed from the file, not terminated */
    size_t length;
    size_t line, column; /* from 1 */
};

struct tokenizer {
    const char *at, *end, *line_start;
    size_t line;
};

/* Skips a byte order mark. */
void tokenizer_init(struct tokenizer *tokenizer, const uint8_t *text, size_t size);
/* *token is the next one, TOKEN_END at the end (for ever). EX_DATAERR with line and column. */
int tokenizer_next(struct tokenizer *tokenizer, struct token *token, struct error *err);

bool token_is(const struct token *token, char symbol);
bool token_equals(const struct token *token, const char *word); /* a TOKEN_WORD, exactly */
/* How messages quote a token, cut where it is long. Returns `buffer`. */
enum { TOKEN_TEXT_BYTES = 48 };
const char *token_text(const struct token *token, char buffer[TOKEN_TEXT_BYTES]);
/* Prepends "line L, column C" to err. Returns -1. */
int token_error(const struct token *token, struct error *err);

/* Conversions. They fail with EX_DATAERR, line and column included. */
int token_to_integer(const struct token *token, uint64_t *magnitude, struct error *err);
int token_to_double(const struct token *token, double *magnitude, struct error *err); /* also the words inf and nan */
/* Resolves the escapes of a TOKEN_STRING into out[0..token->length), *length of which are used; not terminated. */
int token_to_bytes(const struct token *token, char *out, size_t *length, struct error *err);

#endif
