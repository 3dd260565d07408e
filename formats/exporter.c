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
    FILE *file;
    int why; /* errno of the first failure */
};

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    struct stream *stream = (struct stream *)buffer;

    if (stream->why == 0 && fwrite(data, 1, size, stream->file) != size)
        stream->why = errno != 0 ? errno : EIO;
}

static int write_message(const char *path, const ProtobufCMessage *message, struct error *err)
{
    struct stream stream = {.buffer = {append}, .file = fopen(path, "we")};

    if (stream.file == NULL)
        return error_set(err, EX_CANTCREAT, "%s: cannot be opened for writing: %s", path, strerror(errno));
    errno = 0;
    protobuf_c_message_pack_to_buffer(message, &stream.buffer);
    if (fclose(stream.file) != 0 && stream.why == 0)
        stream.why = errno;
    return stream.why == 0 ? 0 : error_set(err, EX_IOERR, "%s: cannot be written: %s", path, strerror(stream.why));
}

int exporter_write_message(struct output *output, const char *base, const char *ending, const ProtobufCMessage *message,
                           struct error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    const char *path;
    char *name;
    int rc = -1;

    if (size > INT32_MAX)
        return error_set(err, EX_UNAVAILABLE, "%s%s would have %zu bytes, a protobuf file holds at most 2^31 - 1", base,
                         ending, size);
    name = create_name(base, ending, err);
    path = name == NULL ? NULL : output_begin(output, name, err);
    if (path != NULL && write_message(path, message, err) != 0)
        output_cancel(output);
    else if (path != NULL)
        rc = output_commit(output, true, NULL, NULL, err);
    free(name);
    return rc;
}
