/* images.c — a folder of image files as a dataset, in the order of a list or sorted.
 */
#include "formats/record.h"

#include "common/memory.h"
#include "formats/records/decode_image.h"
#include "formats/records/digest.h"
#include "formats/records/image_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 29 }; /* the largest image we decode, uncompressed */

struct images {
    int folder; /* paths are opened relative to it */
    struct image_list list;
};

/* One thread's file buffer. Files are read rather than mapped: a file cut short under us is then an error and not a
 * SIGBUS, and threads do not contend for the process's page tables. */
struct images_cursor {
    uint8_t *bytes;
    size_t capacity;
};

static void images_close(void *state)
{
    struct images *images = state;

    if (images->folder >= 0)
        close(images->folder);
    image_list_fini(&images->list);
    free(images);
}

static int images_open(const struct dataset_request *request, void **state, uint64_t *n_records, struct error *err)
{
    struct images *images = memory_create(1, sizeof *images, "a list of images", err);

    if (images == NULL)
        return -1;
    images->folder = open(request->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (images->folder < 0) {
        error_set(err, EX_NOINPUT, "%s: cannot be opened as a folder: %s", request->path, strerror(errno));
    } else if ((request->list != NULL ? image_list_read(&images->list, request->list, request->limit, err)
                                      : image_list_scan(&images->list, request->path, err)) == 0) {
        *state = images;
        *n_records = images->list.n;
        return 0;
    }
    images_close(images);
    return -1;
}

static int images_cursor_open(void *state, void **cursor, struct error *err)
{
    (void)state;
    *cursor = memory_create(1, sizeof(struct images_cursor), "a file buffer", err);
    return *cursor == NULL ? -1 : 0;
}

static void images_cursor_close(void *cursor)
{
    free(((struct images_cursor *)cursor)->bytes);
    free(cursor);
}

/* A file that is missing or forbidden is one bad record; a disk or server that fails ends the run. */
static int code_of(int why)
{
    switch (why) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return EX_OSERR;
    case EIO:
    case ESTALE:
    case ENODEV:
    case ENXIO:
    case ETIMEDOUT:
        return EX_IOERR;
    default:
        return EX_DATAERR;
    }
}

static int read_all(int fd, struct images_cursor *cursor, size_t size, struct error *err)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, cursor->bytes + at, size - at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, code_of(errno), "cannot be read: %s", strerror(errno));
        if (got == 0)
            return error_set(err, EX_DATAERR, "expected %zu bytes, the file ends at %zu", size, at);
        at += (size_t)got;
    }
    return 0;
}

static int read_file(int folder, const char *path, struct images_cursor *cursor, size_t *size, struct error *err)
{
    int rc = -1, fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */
    struct stat info;

    if (fd < 0)
        return error_set(err, code_of(errno), "cannot be opened: %s", strerror(errno));
    if (fstat(fd, &info) != 0)
        error_set(err, code_of(errno), "cannot be examined: %s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        error_set(err, EX_DATAERR, "expected a regular file");
    else if (info.st_size > FILE_MAX_BYTES)
        error_set(err, EX_DATAERR, "expected an image of at most %d bytes, found %lld", FILE_MAX_BYTES,
                  (long long)info.st_size);
    else if (memory_grow((void **)&cursor->bytes, &cursor->capacity, (size_t)info.st_size, 1, "an image file", err) ==
             0)
        rc = read_all(fd, cursor, (size_t)info.st_size, err);
    close(fd); /* read only: nothing can be lost here */
    if (rc == 0)
        *size = (size_t)info.st_size;
    return rc;
}

static int images_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    struct images *images = state;
    struct images_cursor *buffer = cursor;
    const struct image_entry *entry = &images->list.entries[ordinal];
    const char *path = image_list_path(&images->list, ordinal);
    size_t size = 0;

    memcpy(record->key, path, strlen(path) + 1); /* image_list admits no path longer than a key */
    record->label = entry->label;
    if (read_file(images->folder, path, buffer, &size, err) == 0) {
        record->digest = record_digest(buffer->bytes, size);
        if (decode_image(buffer->bytes, size, record, err) == 0)
            return 0;
    }
    return entry->line > 0 ? error_in(err, "line %u of the list", entry->line) : -1;
}

static int images_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err)
{
    const char *path = image_list_path(&((struct images *)state)->list, ordinal);

    (void)cursor;
    (void)err;
    memcpy(key, path, strlen(path) + 1);
    return 0;
}

const struct record_kind record_kind_images = {
    .name = "images",
    .summary = "image files (JPEG, PNG, BMP, PGM, PPM) of a folder, in the order of a list or sorted",
    .open = images_open,
    .close = images_close,
    .cursor_open = images_cursor_open,
    .cursor_close = images_cursor_close,
    .read = images_read,
    .read_key = images_read_key,
};
