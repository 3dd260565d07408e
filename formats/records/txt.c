/* txt.c — a folder of text files with numbers as a dataset; see text_numbers.h. */
#include "formats/records/elements.h"
#include "formats/records/folder.h"
#include "formats/records/text_numbers.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORD_BYTES = 64, /* a float needs 9 digits; what is longer is no number that a program wrote */
    SMALL_RECORD = 1 << 20,
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Digits, signs, a point and an exponent only: strtof also reads hexadecimals and "nan". Overflow gives an infinity,
 * which preprocessing finds. */
static int read_number(const uint8_t *word, size_t length, float *number, struct error *err)
{
    char copy[WORD_BYTES], *end;

    if (length >= sizeof copy)
        return error_set(err, EX_DATAERR, "expected a number, found %zu bytes without a space", length);
    for (size_t i = 0; i < length; i++)
        copy[i] = word[i] != '\0' && strchr("0123456789+-.eE", word[i]) != NULL ? (char)word[i] : '?';
    copy[length] = '\0';
    *number = strtof(copy, &end);
    return *end == '\0' ? 0 : error_set(err, EX_DATAERR, "expected a number, found \"%s\"", copy);
}

/* Up to n numbers into values; returns how many there are, or -1. */
static int64_t read_numbers(const uint8_t *text, size_t size, float *values, size_t n, struct error *err)
{
    const uint8_t *at = text, *end = text + size;
    int64_t found = 0;

    for (;; found++) {
        const uint8_t *word;
        float number = 0;

        while (at < end && is_space(*at))
            at++;
        if (at == end)
            return found;
        for (word = at; at < end && !is_space(*at); at++)
            ;
        if (read_number(word, (size_t)(at - word), &number, err) < 0) {
            error_in(err, "number %lld", (long long)found);
            return -1;
        }
        if ((uint64_t)found < n)
            values[found] = number;
    }
}

int text_numbers_decode(const struct dataset_request *request, const uint8_t *text, size_t size, struct record *record,
                        struct error *err)
{
    struct elements elements = {.type = element_type_find("float32", err), .shape = request->shape};
    char shape[SHAPE_TEXT_BYTES];
    int64_t found;
    size_t n = 0;

    if (elements.type == NULL || elements_count(&request->shape, &n, err) < 0)
        return -1;
    if (n > SMALL_RECORD && size / 2 + 1 < n) /* a digit and a space each: so short a file earns no buffer */
        return error_set(err, EX_DATAERR, "expected %s numbers, found a text of %zu bytes",
                         shape_text(&request->shape, shape), size);
    if (elements_reserve(&elements, request, record, err) < 0)
        return -1;
    found = read_numbers(text, size, record->value_buffer, n, err);
    if (found >= 0 && (uint64_t)found != n)
        return error_set(err, EX_DATAERR, "expected %s numbers, found %lld", shape_text(&request->shape, shape),
                         (long long)found);
    return found < 0 ? -1 : 0;
}

static bool is_mine(const char *name)
{
    static const char *const endings[] = {".txt"};

    return folder_name_ends(name, endings, 1);
}

static int txt_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    static const struct folder_format format = {is_mine, (size_t)1 << 32, text_numbers_decode};

    return folder_kind_open(&format, request, state, n_records, err);
}

const struct record_kind record_kind_txt = {
    .name = "txt",
    .summary = "a folder of text files with the numbers of one record each, as TNN's tools read them",
    .takes = DATASET_LIST | DATASET_LAYOUT | DATASET_SHAPE,
    .open = txt_open,
    .close = folder_kind_close,
    .cursor_open = folder_kind_cursor_open,
    .cursor_close = folder_kind_cursor_close,
    .read = folder_kind_read,
    .read_key = folder_kind_read_key,
};
