/* writer.c — see writer.h. */
#include "formats/tnn/writer.h"
#include "common/memory.h"
#include "common/real_text.h"
#include "formats/tnn/resource.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bytes */

static void append(struct tnn_writer *writer, struct buffer *buffer, const void *data, size_t n)
{
    if (writer->has_failed || n == 0)
        return;
    writer->has_failed = buffer_add(buffer, data, n, "a TNN model", writer->err) != 0;
}

static void append_text(struct tnn_writer *writer, struct buffer *buffer, const char *text)
{
    append(writer, buffer, text, strlen(text));
}

/* ---- The writer */

void tnn_writer_init(struct tnn_writer *writer, struct error *err)
{
    *writer = (struct tnn_writer){.err = err};
    append(writer, &writer->resources, &(uint32_t){TNN_MAGIC_V2}, sizeof(uint32_t));
    append(writer, &writer->resources, &(int32_t){0}, sizeof(int32_t)); /* their number */
}

void tnn_writer_fini(struct tnn_writer *writer)
{
    free(writer->layers.data);
    free(writer->resources.data);
    for (size_t i = 0; i < writer->n_blobs; i++)
        free(writer->blobs[i]);
    free(writer->blobs);
}

int tnn_writer_fail(struct tnn_writer *writer, int code, const char *format, ...)
{
    va_list args;

    if (writer->has_failed)
        return -1;
    writer->has_failed = true;
    va_start(args, format);
    error_setv(writer->err, code, format, args);
    va_end(args);
    return -1;
}

/* ---- Layers */

static void append_count(struct tnn_writer *writer, size_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%zu ", n);
    append_text(writer, &writer->layers, text);
}

static void append_names(struct tnn_writer *writer, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        append_text(writer, &writer->layers, names[i]);
        append_text(writer, &writer->layers, " ");
        tnn_add_blob(writer, names[i]);
    }
}

void tnn_layer_begin(struct tnn_writer *writer, bool is_quantized, const char *type, const char *name,
                     const char *const *inputs, size_t n_inputs, const char *const *outputs, size_t n_outputs)
{
    append_text(writer, &writer->layers, "\"");
    writer->record_start = writer->layers.size;
    append_text(writer, &writer->layers, is_quantized ? TNN_QUANTIZED : "");
    append_text(writer, &writer->layers, type);
    append_text(writer, &writer->layers, " ");
    append_text(writer, &writer->layers, name);
    append_text(writer, &writer->layers, " ");
    append_count(writer, n_inputs);
    append_count(writer, n_outputs);
    append_names(writer, inputs, n_inputs);
    append_names(writer, outputs, n_outputs);
}

void tnn_param(struct tnn_writer *writer, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64 " ", value);
    append_text(writer, &writer->layers, text);
}

void tnn_param_real(struct tnn_writer *writer, float value)
{
    char text[REAL_TEXT_BYTES];

    append_text(writer, &writer->layers, real_text(value, text));
    append_text(writer, &writer->layers, " ");
}

void tnn_layer_end(struct tnn_writer *writer)
{
    size_t length = writer->layers.size - writer->record_start;

    if (!writer->has_failed && length > TNN_RECORD_BYTES)
        tnn_writer_fail(writer, EX_UNAVAILABLE, "its record would have %zu bytes, of which TNN reads %d", length,
                        TNN_RECORD_BYTES);
    append_text(writer, &writer->layers, ",\"\n");
    writer->n_layers++;
}

/* ---- Resources */

void tnn_put_int(struct tnn_writer *writer, int32_t value)
{
    append(writer, &writer->resources, &value, sizeof value);
}

static void put_magic(struct tnn_writer *writer)
{
    append(writer, &writer->resources, &(uint32_t){TNN_MAGIC_V2}, sizeof(uint32_t));
}

void tnn_put_string(struct tnn_writer *writer, const char *text)
{
    tnn_put_int(writer, (int32_t)strlen(text));
    append_text(writer, &writer->resources, text);
}

void tnn_resource_begin(struct tnn_writer *writer, const char *type, const char *name)
{
    tnn_put_int(writer, tnn_resource_id(type));
    tnn_put_string(writer, type);
    tnn_put_string(writer, name);
    if (++writer->n_resources >= TNN_MAX_RESOURCES)
        tnn_writer_fail(writer, EX_UNAVAILABLE, "the model would have %zu resources, of which TNN reads fewer than %d",
                        writer->n_resources, TNN_MAX_RESOURCES);
}

/* All of a buffer but its bytes; their number, or 0 after a failure. */
static size_t put_raw_header(struct tnn_writer *writer, enum tnn_dtype dtype, size_t n, const struct shape *shape)
{
    size_t bytes = n * (dtype == TNN_INT8 ? 1 : 4);

    if (bytes > INT32_MAX) {
        tnn_writer_fail(writer, EX_UNAVAILABLE, "a buffer would have %zu bytes, more than TNN can count", bytes);
        return 0;
    }
    put_magic(writer);
    tnn_put_int(writer, (int32_t)dtype);
    tnn_put_int(writer, (int32_t)bytes);
    if (bytes == 0)
        return 0;
    tnn_put_int(writer, shape == NULL ? 0 : (int32_t)shape->rank);
    for (size_t i = 0; shape != NULL && i < shape->rank; i++)
        tnn_put_int(writer, (int32_t)shape->dims[i]);
    return bytes;
}

void tnn_put_raw(struct tnn_writer *writer, enum tnn_dtype dtype, const void *data, size_t n,
                 const struct shape *shape_or_null)
{
    append(writer, &writer->resources, data, put_raw_header(writer, dtype, n, shape_or_null));
}

void tnn_put_zeros(struct tnn_writer *writer, enum tnn_dtype dtype, size_t n)
{
    static const uint8_t zeros[256];
    size_t left = put_raw_header(writer, dtype, n, NULL);

    while (left > 0 && !writer->has_failed) {
        size_t part = left < sizeof zeros ? left : sizeof zeros;

        append(writer, &writer->resources, zeros, part);
        left -= part;
    }
}

/* ---- Files */

void tnn_add_blob(struct tnn_writer *writer, const char *name)
{
    if (writer->has_failed)
        return;
    if (memory_grow((void **)&writer->blobs, &writer->blobs_capacity, writer->n_blobs, sizeof *writer->blobs,
                    "names of blobs", writer->err) != 0 ||
        (writer->blobs[writer->n_blobs] = strdup(name)) == NULL) {
        error_set(writer->err, EX_OSERR, "cannot allocate the name of a blob");
        writer->has_failed = true;
        return;
    }
    writer->n_blobs++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The third record: every blob once, sorted, each after a space. */
static void append_blobs(struct tnn_writer *writer, struct buffer *proto)
{
    for (size_t i = 0; i < writer->n_blobs; i++) {
        if (i > 0 && strcmp(writer->blobs[i - 1], writer->blobs[i]) == 0)
            continue;
        append_text(writer, proto, " ");
        append_text(writer, proto, writer->blobs[i]);
    }
}

static size_t count_blobs(const struct tnn_writer *writer)
{
    size_t n = 0;

    for (size_t i = 0; i < writer->n_blobs; i++)
        n += i == 0 || strcmp(writer->blobs[i - 1], writer->blobs[i]) != 0;
    return n;
}

static void write_proto(struct tnn_writer *writer, const char *inputs, const char *outputs, struct buffer *proto)
{
    char line[64];

    if (strlen(inputs) > TNN_RECORD_BYTES || strlen(outputs) > TNN_RECORD_BYTES)
        tnn_writer_fail(writer, EX_UNAVAILABLE,
                        "the names of inputs or outputs have more than the %d bytes that TNN reads", TNN_RECORD_BYTES);
    if (writer->n_blobs > 0)
        qsort(writer->blobs, writer->n_blobs, sizeof *writer->blobs, by_text);
    snprintf(line, sizeof line, "\"1 %zu 1 %" PRIu32 " ,\"\n\"", count_blobs(writer), TNN_MAGIC_V2);
    append_text(writer, proto, line);
    append_text(writer, proto, inputs);
    append_text(writer, proto, " ,\"\n\"");
    append_blobs(writer, proto);
    append_text(writer, proto, " ,\"\n\"");
    append_text(writer, proto, outputs);
    snprintf(line, sizeof line, " ,\"\n\" %zu ,\"\n", writer->n_layers);
    append_text(writer, proto, line);
    append(writer, proto, writer->layers.data, writer->layers.size);
}

int tnn_writer_finish(struct tnn_writer *writer, const char *inputs, const char *outputs, struct buffer *proto,
                      struct buffer *model)
{
    int32_t n_resources = (int32_t)writer->n_resources;

    *proto = *model = (struct buffer){0};
    write_proto(writer, inputs, outputs, proto);
    if (writer->has_failed) {
        free(proto->data);
        *proto = (struct buffer){0};
        return -1;
    }
    memcpy(writer->resources.data + sizeof(uint32_t), &n_resources, sizeof n_resources);
    *model = writer->resources; /* weights are moved, not copied */
    writer->resources = (struct buffer){0};
    return 0;
}
