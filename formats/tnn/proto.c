/* proto.c — see proto.h. */
#include "formats/tnn/proto.h"
#include "formats/tnn/tnn.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_RECORDS = 5, MIN_RECORDS = 6, MAGIC_TOKEN = 3, RECOGNISE_BYTES = 256 };

bool tnn_parse_integer(const char *token, int64_t *out)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(token, &end, 10);
    if (end == token || *end != '\0' || errno != 0 || value < INT32_MIN || value > UINT32_MAX)
        return false;
    *out = value;
    return true;
}

bool tnn_parse_real(const char *token, float *out)
{
    char *end;
    double value = strtod(token, &end);

    if (end == token || *end != '\0' || !isfinite((float)value))
        return false;
    *out = (float)value;
    return true;
}

static bool is_magic(int64_t number)
{
    return number == TNN_MAGIC_V1 || number == TNN_MAGIC_V2;
}

bool tnn_proto_recognise(const struct bytes *file)
{
    size_t n = file->size < RECOGNISE_BYTES ? file->size : RECOGNISE_BYTES;
    char head[RECOGNISE_BYTES + 1], *comma;
    unsigned long long magic;

    memcpy(head, file->data, n);
    head[n] = '\0';
    comma = strchr(head, ',');
    if (comma == NULL)
        return false;
    *comma = '\0';
    return (sscanf(head, " \"%*u %*u %*u %llu", &magic) == 1 || sscanf(head, "%*u %*u %*u %llu", &magic) == 1) &&
           is_magic((int64_t)magic);
}

/* Bytes at the ends of a record that do not count. */
static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

/* Splits in place at spaces; runs of them count once. The tokens go where `room` points, which moves on. */
static struct tnn_record split_tokens(char *text, const char ***room)
{
    struct tnn_record record = {.tokens = *room};
    char *rest = NULL;

    for (char *token = strtok_r(text, " ", &rest); token != NULL; token = strtok_r(NULL, " ", &rest))
        record.tokens[record.n++] = token;
    *room += record.n;
    return record;
}

/* How often something other than `separators` begins: no less than the tokens that will be found. */
static size_t count_words(const char *text, const char *separators)
{
    size_t n = 0;

    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        text += strcspn(text, separators);
        n++;
    }
    return n;
}

static size_t count_records(const char *text)
{
    size_t n = 1;

    for (; (text = strchr(text, ',')) != NULL; text++)
        n++;
    return n;
}

/* Cuts the text at its commas into trimmed records and these into tokens. Empty records at the end are dropped. */
static int split_records(char *text, struct arena *arena, struct tnn_record **out, size_t *n, struct error *err)
{
    size_t count = count_records(text);
    struct tnn_record *records = arena_create_array(arena, count, sizeof *records, err);
    const char **room = arena_create_array(arena, count_words(text, " ,"), sizeof *room, err);

    if (records == NULL || room == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(text, ",");
        char *end = text + length, *next = end + 1;

        while (text < end && is_blank(*text))
            text++;
        while (end > text && is_blank(end[-1]))
            end--;
        *end = '\0';
        if (i != 2 && end - text > TNN_RECORD_BYTES) /* record 2, all the blobs, is not read by TNN */
            return error_set(err, EX_DATAERR, "record %zu has %td bytes, of which TNN reads %d", i, end - text,
                             TNN_RECORD_BYTES);
        records[i] = split_tokens(text, &room);
        text = next;
    }
    while (count > 0 && records[count - 1].n == 0)
        count--;
    *out = records;
    *n = count;
    return 0;
}

/* The first record: three numbers that nobody reads, and the magic. */
static int read_magic(const struct tnn_record *record, uint32_t *magic, struct error *err)
{
    int64_t number = 0;

    if (record->n <= MAGIC_TOKEN || !tnn_parse_integer(record->tokens[MAGIC_TOKEN], &number) || !is_magic(number))
        return error_set(err, EX_DATAERR, "expected %u or %u as the fourth number, found \"%s\"", TNN_MAGIC_V1,
                         TNN_MAGIC_V2, record->n > MAGIC_TOKEN ? record->tokens[MAGIC_TOKEN] : "");
    *magic = (uint32_t)number;
    return 0;
}

/* Inputs are separated by a lone colon. */
static int split_inputs(const struct tnn_record *record, struct arena *arena, struct tnn_proto *proto,
                        struct error *err)
{
    proto->inputs = arena_create_array(arena, record->n + 1, sizeof *proto->inputs, err);
    if (proto->inputs == NULL)
        return -1;
    for (size_t i = 0; i < record->n; i++) {
        if (strcmp(record->tokens[i], ":") == 0)
            continue;
        if (i == 0 || strcmp(record->tokens[i - 1], ":") == 0)
            proto->inputs[proto->n_inputs++].tokens = record->tokens + i;
        proto->inputs[proto->n_inputs - 1].n++;
    }
    return proto->n_inputs > 0 ? 0 : error_set(err, EX_DATAERR, "expected inputs in the second record, found none");
}

static bool skip_prefix(const char **text, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) != 0 || (*text)[length] == '\0')
        return false;
    *text += length;
    return true;
}

/* Type name nin nout in.. out.. params.. */
static int read_layer(const struct tnn_record *record, size_t index, struct tnn_layer *layer, struct error *err)
{
    int64_t n_inputs, n_outputs;

    if (record->n < 4 || !tnn_parse_integer(record->tokens[2], &n_inputs) ||
        !tnn_parse_integer(record->tokens[3], &n_outputs))
        return error_set(err, EX_DATAERR, "record %zu: expected a type, a name and two counts", index);
    if (n_inputs < 0 || n_outputs < 1 || (uint64_t)n_inputs + (uint64_t)n_outputs > record->n - 4)
        return error_set(err, EX_DATAERR,
                         "record %zu, layer \"%s\": expected %lld inputs and %lld outputs, found %zu names", index,
                         record->tokens[1], (long long)n_inputs, (long long)n_outputs, record->n - 4);
    layer->type = record->tokens[0];
    layer->name = record->tokens[1];
    layer->is_dynamic = skip_prefix(&layer->type, TNN_DYNAMIC);
    layer->is_quantized = !layer->is_dynamic && skip_prefix(&layer->type, TNN_QUANTIZED);
    layer->inputs = (struct tnn_record){record->tokens + 4, (size_t)n_inputs};
    layer->outputs = (struct tnn_record){layer->inputs.tokens + n_inputs, (size_t)n_outputs};
    layer->params =
        (struct tnn_record){layer->outputs.tokens + n_outputs, record->n - 4 - (size_t)n_inputs - (size_t)n_outputs};
    return 0;
}

/* The text without quotes and line ends, terminated. */
static char *copy_text(const struct bytes *file, struct arena *arena, struct error *err)
{
    char *text = arena_create_array(arena, file->size + 1, 1, err);
    size_t n = 0;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < file->size; i++) {
        if (file->data[i] == '\0') {
            error_set(err, EX_DATAERR, "byte %zu is zero: not a text", i);
            return NULL;
        }
        if (file->data[i] != '"' && file->data[i] != '\n')
            text[n++] = (char)file->data[i];
    }
    text[n] = '\0';
    return text;
}

int tnn_proto_read(const struct bytes *file, struct arena *arena, struct tnn_proto *proto, struct error *err)
{
    char *text = copy_text(file, arena, err);
    struct tnn_record *records = NULL;
    size_t n = 0;

    *proto = (struct tnn_proto){0};
    if (text == NULL || split_records(text, arena, &records, &n, err) != 0)
        return -1;
    if (n < MIN_RECORDS)
        return error_set(err, EX_DATAERR, "expected at least %d records, found %zu", MIN_RECORDS, n);
    if (read_magic(&records[0], &proto->magic, err) != 0 || split_inputs(&records[1], arena, proto, err) != 0)
        return -1;
    proto->outputs = records[3];
    proto->layers = arena_create_array(arena, n - HEADER_RECORDS, sizeof *proto->layers, err);
    if (proto->layers == NULL)
        return -1;
    for (size_t i = HEADER_RECORDS; i < n; i++)
        if (read_layer(&records[i], i, &proto->layers[proto->n_layers++], err) != 0)
            return -1;
    return 0;
}
