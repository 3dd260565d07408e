/* write.c — archive_write: into a temporary, read back, then named. */
#include "formats/archive/layout.h"

#include <stdio.h>
#include <string.h>

static int write_file(const char *path, const struct archive *archive, char hex[SHA256_HEX_BYTES], struct error *err)
{
    uint32_t version = archive->is_equalized_apart ? ARCHIVE_VERSION : ARCHIVE_USUAL_VERSION;
    struct archive_preamble preamble = {.format_version = version};
    struct archive content = *archive; /* the transfer works both ways and so takes no const; it only reads here */
    struct store store;

    content.version = version;
    if (store_create(&store, path, err) != 0)
        return -1;
    snprintf(preamble.format, sizeof preamble.format, "%s", archive_format);
    archive_transfer_preamble(&store, &preamble);
    archive_transfer(&store, &content);
    store_take_digest(&store, hex);
    archive_transfer_digest(&store, hex);
    return store_close(&store);
}

/* What came to the disk must be what was sent: the same digest over what HDF5 gives back. */
static int verify(const char *path, void *context, struct error *err)
{
    struct archive copy = {0};
    char hex[SHA256_HEX_BYTES];
    int rc = archive_read_digest(path, &copy, hex, err);

    archive_fini(&copy);
    if (rc == 0 && strcmp(hex, context) != 0)
        return error_set(err, EX_IOERR, "expected content with SHA-256 %s, found %s", (const char *)context, hex);
    return rc;
}

int archive_write(const struct archive *archive, struct output *output, const char *name, bool is_listed,
                  struct error *err)
{
    char unused[SHA256_HEX_BYTES];

    return archive_write_digest(archive, output, name, is_listed, unused, err);
}

int archive_write_digest(const struct archive *archive, struct output *output, const char *name, bool is_listed,
                         char hex[SHA256_HEX_BYTES], struct error *err)
{
    const char *path = output_begin(output, name, err);

    if (path == NULL)
        return -1;
    if (write_file(path, archive, hex, err) != 0) {
        output_cancel(output);
        return error_in(err, "%s/%s", output_folder(output), name);
    }
    return output_commit(output, is_listed, verify, hex, err);
}
