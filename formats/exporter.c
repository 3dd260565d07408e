/* exporter.c — the list of exporters; see exporter.h. */
#include "formats/exporter.h"

#include "common/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTER(id) extern const struct exporter exporter_##id;
#include "exporters.def"
#undef EXPORTER

const struct exporter *const exporters[] = {
#define EXPORTER(id) &exporter_##id,
#include "exporters.def"
#undef EXPORTER
    NULL,
};

const struct exporter *exporter_find(const char *name)
{
    for (size_t i = 0; exporters[i] != NULL; i++)
        if (strcmp(exporters[i]->name, name) == 0)
            return exporters[i];
    return NULL;
}

static char *create_name(const char *base, const char *ending, struct error *err)
{
    size_t length = strlen(base) + strlen(ending) + 1;
    char *name = memory_create(length, 1, "the name of a file", err);

    if (name != NULL)
        snprintf(name, length, "%s%s", base, ending);
    return name;
}

int exporter_write_file(struct output *output, const char *base, const char *ending, const void *data, size_t size,
                        struct error *err)
{
    char *name = create_name(base, ending, err);
    int rc = name == NULL ? -1 : output_write(output, name, data, size, true, err);

    free(name);
    return rc;
}

/* What protobuf-c packs piece by piece; weights come in one piece, from where they are. */
struct stream {
    ProtobufCBuffer buffer;
    const char *name;
    FILE *file;
    size_t size;
    int why; /* errno of the first failure */
};

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    struct stream *stream = (struct stream *)buffer;

    if (stream->why == 0 && fwrite(data, 1, size, stream->file) != size)
        stream->why = errno != 0 ? errno : EIO;
}

static int add_part(struct stream *stream, const ProtobufCMessage *message, struct error *err)
{
    stream->size += protobuf_c_message_get_packed_size(message);
    if (stream->size > INT32_MAX)
        return error_set(err, EX_UNAVAILABLE, "%s would have %zu bytes or more, a protobuf file holds at most 2^31 - 1",
                         stream->name, stream->size);
    protobuf_c_message_pack_to_buffer(message, &stream->buffer);
    return 0;
}

static int write_parts(const char *path, const char *name, size_t n, exporter_part *part, void *context,
                       struct error *err)
{
    struct stream stream = {.buffer = {append}, .name = name, .file = fopen(path, "we")};
    int rc = 0;

    if (stream.file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: cannot be opened for writing: %s", path, strerror(errno));
    errno = 0;
    for (size_t i = 0; i < n && rc == 0 && stream.why == 0; i++) {
        const ProtobufCMessage *message = part(context, i, err);

        rc = message == NULL ? -1 : add_part(&stream, message, err);
    }
    if (fclose(stream.file) != 0 && stream.why == 0)
        stream.why = errno;
    if (rc == 0 && stream.why != 0)
        return error_set(err, EX_IOERR, "%s: cannot be written: %s", path, strerror(stream.why));
    return rc;
}

int exporter_write_parts(struct output *output, const char *base, const char *ending, size_t n, exporter_part *part,
                         void *context, struct error *err)
{
    char *name = create_name(base, ending, err);
    const char *path = name == NULL ? NULL : output_begin(output, name, err);
    int rc = -1;

    if (path != NULL && write_parts(path, name, n, part, context, err) != 0)
        output_cancel(output);
    else if (path != NULL)
        rc = output_commit(output, true, NULL, NULL, err);
    free(name);
    return rc;
}

static const ProtobufCMessage *whole(void *context, size_t i, struct error *err)
{
    (void)i;
    (void)err;
    return *(const ProtobufCMessage **)context;
}

int exporter_write_message(struct output *output, const char *base, const char *ending, const ProtobufCMessage *message,
                           struct error *err)
{
    return exporter_write_parts(output, base, ending, 1, whole, &message, err);
}
