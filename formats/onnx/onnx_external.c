/* onnx_external.c — tensor bytes outside the model file: only regular files inside its folder.
 *
 * A model is a stranger's file, and "location" is a path it chose. The kernel itself refuses to leave the folder or to
 * follow a symbolic link (openat2, Linux 5.6); where there is no openat2, or a sandbox forbids it, we walk component by
 * component with O_NOFOLLOW.
 */
#define _GNU_SOURCE
#include "formats/onnx/onnx_import.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *find_entry(const Onnx__TensorProto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (strcmp(onnx_text(proto->external_data[i]->key), key) == 0)
            return onnx_text(proto->external_data[i]->value);
    return NULL;
}

/* A decimal number of bytes; *out stays as it is when the key is absent. */
static int read_number(const Onnx__TensorProto *proto, const char *key, uint64_t *out, struct error *err)
{
    const char *text = find_entry(proto, key);
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    if (text[0] >= '0' && text[0] <= '9') {
        *out = strtoull(text, &end, 10);
        if (errno == 0 && *end == '\0')
            return 0;
    }
    return error_set(err, EX_DATAERR, "external data: %s \"%s\" is no number of bytes", key, text);
}

static int check_location(const char *location, struct error *err)
{
    const char *part = location;

    if (location == NULL || location[0] == '\0')
        return error_set(err, EX_DATAERR, "external data without a location");
    if (location[0] == '/')
        return error_set(err, EX_DATAERR, "external data \"%s\": an absolute path leaves the model's folder", location);
    for (; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return error_set(err, EX_DATAERR, "external data \"%s\": \"..\" leaves the model's folder", location);
    }
    return 0;
}

enum { FILE_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK /* a fifo must not hang us */ };

/* The fallback: each folder opened without following links, then the file. A descriptor, or -1 with errno. */
static int walk_beneath(int folder, const char *location)
{
    int at = dup(folder), next, why;

    while (at >= 0) {
        const char *slash = strchr(location, '/');
        char *part = slash == NULL ? NULL : strndup(location, (size_t)(slash - location));

        if (slash == NULL)
            next = openat(at, location, FILE_FLAGS | O_NOFOLLOW);
        else
            next = part == NULL ? -1
                                : openat(at, *part == '\0' ? "." : part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        why = errno;
        free(part);
        close(at);
        errno = why;
        if (slash == NULL)
            return next;
        at = next;
        location = slash + 1;
    }
    return -1;
}

static int open_beneath(int folder, const char *location)
{
    struct open_how how = {.flags = FILE_FLAGS,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder, location, &how, sizeof how);

    return fd < 0 && (errno == ENOSYS || errno == EPERM) ? walk_beneath(folder, location) : fd;
}

static int open_location(const struct onnx_import *in, const char *location, struct error *err)
{
    const char *slash = strrchr(in->path, '/');
    char *path = slash == NULL ? strdup(".") : strndup(in->path, (size_t)(slash - in->path) + 1);
    int folder = path == NULL ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (folder >= 0) {
        fd = open_beneath(folder, location);
        if (fd < 0 && (errno == ELOOP || errno == EXDEV || errno == ENOTDIR)) /* a link is no directory to O_NOFOLLOW */
            error_set(err, EX_DATAERR, "external data \"%s\" leads through a symbolic link or a file", location);
        else if (fd < 0)
            error_set(err, EX_NOINPUT, "external data \"%s\" cannot be opened: %s", location, strerror(errno));
        close(folder);
    } else {
        error_set(err, EX_NOINPUT, "the model's folder cannot be opened: %s", strerror(errno));
    }
    free(path);
    return fd;
}

/* Index of the opened file. Each location is opened once. */
static int find_file(struct onnx_import *in, const char *location, struct error *err)
{
    struct onnx_files *files = &in->files;
    struct bytes bytes;
    int fd;

    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->file[i].location, location) == 0)
            return (int)i;
    if (files->n == ONNX_MAX_FILES)
        return error_set(err, EX_UNAVAILABLE, "expected at most %d files of external data, found more", ONNX_MAX_FILES);
    fd = open_location(in, location, err);
    if (fd < 0 || bytes_read_descriptor(fd, location, SIZE_MAX, &bytes, err) != 0)
        return -1;
    files->file[files->n].location = location;
    files->file[files->n].data = bytes.data;
    files->file[files->n].size = bytes.size;
    if (graph_keep_bytes(in->graph, &bytes, err) != 0)
        return -1;
    in->budget.limit += 64 * files->file[files->n].size; /* a mapped file: far from overflowing */
    return (int)files->n++;
}

int onnx_external_find(struct onnx_import *in, const Onnx__TensorProto *proto, const uint8_t **data, size_t *size,
                       struct error *err)
{
    const char *location = find_entry(proto, "location");
    uint64_t offset = 0, length = UINT64_MAX, total;
    int file;

    if (check_location(location, err) != 0 || read_number(proto, "offset", &offset, err) != 0 ||
        read_number(proto, "length", &length, err) != 0 || (file = find_file(in, location, err)) < 0)
        return -1;
    total = in->files.file[file].size;
    if (length == UINT64_MAX && offset <= total)
        length = total - offset; /* to the end of the file */
    if (offset > total || length > total - offset)
        return error_set(err, EX_DATAERR, "external data \"%s\": %llu bytes from %llu lie outside a file of %llu bytes",
                         location, (unsigned long long)length, (unsigned long long)offset, (unsigned long long)total);
    *data = in->files.file[file].data + offset;
    *size = (size_t)length;
    return 0;
}
