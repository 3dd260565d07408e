/* npy.c — .npy files as a dataset; see npy.h. */
#include "formats/records/npy.h"

#include <string.h>

static const struct {
    const char *code; /* behind the byte order */
    const char *type;
} types[] = {
    {"f2", "float16"}, {"f4", "float32"}, {"f8", "float64"}, {"u1", "uint8"}, {"u2", "uint16"}, {"u4", "uint32"},
    {"u8", "uint64"},  {"i1", "int8"},    {"i2", "int16"},   {"i4", "int32"}, {"i8", "int64"},  {"b1", "bool"},
};

/* The header's text, [at, end) still to be read. */
struct text {
    const char *at, *end;
};

bool npy_is(const uint8_t *data, size_t size)
{
    return size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0;
}

bool npy_is_name(const char *name)
{
    static const char *const endings[] = {".npy"};

    return folder_name_ends(name, endings, 1);
}

static void skip_spaces(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || (*text->at >= '\t' && *text->at <= '\r')))
        text->at++;
}

/* Steps over `word` and spaces in front of it. */
static bool take(struct text *text, const char *word)
{
    size_t length = strlen(word);

    skip_spaces(text);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
        return false;
    text->at += length;
    return true;
}

/* A text in single or double quotes, without escapes. */
static bool take_quoted(struct text *text, char *to, size_t size)
{
    const char *start, *close;

    skip_spaces(text);
    if (text->at == text->end || (*text->at != '\'' && *text->at != '"'))
        return false;
    start = text->at + 1;
    close = memchr(start, *text->at, (size_t)(text->end - start));
    if (close == NULL || (size_t)(close - start) >= size)
        return false;
    memcpy(to, start, (size_t)(close - start));
    to[close - start] = '\0';
    text->at = close + 1;
    return true;
}

/* "(2, 3)", "(5,)", "()"; Python 2 wrote 2L. */
static bool take_shape(struct text *text, struct shape *shape)
{
    *shape = (struct shape){0};
    if (!take(text, "("))
        return false;
    while (!take(text, ")")) {
        int64_t dim = 0;
        const char *digits = text->at;

        for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
            if ((dim = dim * 10 + (*text->at - '0')) > INT64_MAX / 16)
                return false;
        if (text->at == digits || shape->rank == TENSOR_MAX_RANK)
            return false;
        shape->dims[shape->rank++] = dim;
        take(text, "L");
        if (!take(text, ",")) {
            if (!take(text, ")"))
                return false;
            return true;
        }
    }
    return true;
}

static int take_type(const char *descr, struct elements *elements, struct error *err)
{
    const char *code = descr + (strchr("<>=|", *descr) != NULL && *descr != '\0');

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].code, code) == 0) {
            elements->is_big_endian = *descr == '>';
            elements->type = element_type_find(types[i].type, err);
            return elements->type == NULL ? -1 : 0;
        }
    return error_set(err, EX_DATAERR, "expected real numbers, integers or truth values, found elements of \"%s\"",
                     descr);
}

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

/* One "key: value". Returns its bit, or 0. */
static int take_item(struct text *text, char descr[32], struct elements *elements)
{
    char key[16];

    if (!take_quoted(text, key, sizeof key) || !take(text, ":"))
        return 0;
    if (strcmp(key, "descr") == 0)
        return take_quoted(text, descr, 32) ? HAS_DESCR : 0;
    if (strcmp(key, "shape") == 0)
        return take_shape(text, &elements->shape) ? HAS_SHAPE : 0;
    if (strcmp(key, "fortran_order") != 0)
        return 0;
    elements->is_fortran = take(text, "True");
    return elements->is_fortran || take(text, "False") ? HAS_ORDER : 0;
}

static int parse_header(struct text text, struct elements *elements, struct error *err)
{
    const char *start = text.at;
    char descr[32] = "";
    int has = 0;

    if (!take(&text, "{"))
        return error_set(err, EX_DATAERR, "the header is no dictionary");
    while (!take(&text, "}")) {
        int item = take_item(&text, descr, elements);

        if (item == 0 || (has & item) != 0)
            return error_set(err, EX_DATAERR,
                             "byte %zu of the header: expected 'descr' (a plain type), 'fortran_order' and 'shape' (at "
                             "most %d dims), each once",
                             (size_t)(text.at - start), TENSOR_MAX_RANK);
        has |= item;
        take(&text, ",");
    }
    if (has != HAS_ALL)
        return error_set(err, EX_DATAERR, "the header lacks 'descr', 'fortran_order' or 'shape'");
    return take_type(descr, elements, err);
}

int npy_describe(const struct dataset_request *request, const uint8_t *head, size_t n_head, uint64_t file_bytes,
                 struct array *array, struct error *err)
{
    size_t start, length;

    (void)request;
    (void)file_bytes;
    if (!npy_is(head, n_head) || n_head < 12)
        return error_set(err, EX_DATAERR, "expected a .npy file, which begins with 93 \"NUMPY\" and a header");
    if (head[6] < 1 || head[6] > 3)
        return error_set(err, EX_DATAERR, "expected version 1 to 3 of .npy, found %d", head[6]);
    start = head[6] == 1 ? 10 : 12;
    length = (size_t)head[8] | (size_t)head[9] << 8;
    if (head[6] > 1)
        length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (length > n_head - start)
        return error_set(err, EX_DATAERR, "expected a header of at most %zu bytes, found %zu", n_head - start, length);
    *array = (struct array){.offset = start + length};
    return parse_header((struct text){(const char *)head + start, (const char *)head + start + length},
                        &array->elements, err);
}

int npy_decode(const struct dataset_request *request, const uint8_t *data, size_t size, struct record *record,
               struct error *err)
{
    return array_decode(npy_describe, request, data, size, record, err);
}

static int npy_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    static const struct folder_format folder = {npy_is_name, (size_t)1 << 32, npy_decode};

    return array_open(npy_describe, &folder, request, state, n_records, err);
}

const struct record_kind record_kind_npy = {
    .name = "npy",
    .summary = "NumPy arrays: one .npy file with records along its first axis, or a folder of files",
    .takes = DATASET_LIST | DATASET_LABELS | DATASET_LAYOUT,
    .open = npy_open,
    .close = array_close,
    .cursor_open = array_cursor_open,
    .cursor_close = array_cursor_close,
    .read = array_read,
    .read_key = array_read_key,
    .check_unchanged = array_check_unchanged,
};
