/* container_zip.c — the zip archive of PyTorch 1.6 and later; see read.h.
 *
 *     <root>/data.pkl       the object; tensors refer to storages by key
 *     <root>/data/<key>     the elements of one storage
 *     <root>/version, <root>/byteorder and others
 *
 * The archive is libzip's to understand (zip64, checksums, compression, agreement of its two directories). Members are
 * looked up by the names above, which are never used as paths.
 */
#include "formats/torch/read.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

enum { MAX_NAME_BYTES = 1024 };

struct archive {
    zip_t *zip;
    char root[MAX_NAME_BYTES]; /* with the slash; may be empty */
};

static int open_archive(const struct bytes *file, struct archive *archive, struct error *err)
{
    zip_error_t why;
    zip_source_t *source;

    zip_error_init(&why);
    source = zip_source_buffer_create(file->data, file->size, 0, &why);
    if (source != NULL)
        archive->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why);
    if (archive->zip == NULL) {
        error_set(err, zip_error_code_zip(&why) == ZIP_ER_MEMORY ? EX_OSERR : EX_DATAERR, "as a zip archive: %s",
                  zip_error_strerror(&why));
        zip_source_free(source); /* NULL is allowed; an opened archive owns it */
    }
    zip_error_fini(&why);
    return archive->zip == NULL ? -1 : 0;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* Goes once through the members: finds data.pkl, of which there is one, and sees that no bytes serve two members. */
static int survey(struct archive *archive, size_t file_bytes, struct error *err)
{
    const zip_int64_t n = zip_get_num_entries(archive->zip, 0);
    bool is_script = false;
    size_t n_pickles = 0;
    uint64_t stored = 0;

    for (zip_int64_t i = 0; i < n; i++) {
        zip_stat_t info;
        size_t length;

        if (zip_stat_index(archive->zip, (zip_uint64_t)i, 0, &info) != 0 || (info.valid & ZIP_STAT_NAME) == 0 ||
            (info.valid & ZIP_STAT_COMP_SIZE) == 0)
            return error_set(err, EX_DATAERR, "member %lld of the archive has no name or no size", (long long)i);
        if (info.comp_size > file_bytes || (stored += info.comp_size) > file_bytes)
            return error_set(err, EX_DATAERR, "the members of the archive overlap: together they are larger than it");
        is_script = is_script || ends_with(info.name, "/constants.pkl");
        length = strlen(info.name) - (ends_with(info.name, "data.pkl") ? strlen("data.pkl") : 0);
        if (length == strlen(info.name) || (length > 0 && info.name[length - 1] != '/'))
            continue;
        if (length >= sizeof archive->root)
            return error_set(err, EX_DATAERR, "a member's name of %zu bytes", strlen(info.name));
        memcpy(archive->root, info.name, length);
        archive->root[length] = '\0';
        n_pickles++;
    }
    if (is_script)
        return error_set(err, EX_UNAVAILABLE, "a TorchScript archive holds a program: save the state_dict instead");
    return n_pickles == 1 ? 0
                          : error_set(err, EX_DATAERR, "expected one data.pkl in the archive, found %zu", n_pickles);
}

/* Unpacks member <root><name>, of `expected` bytes unless that is SIZE_MAX. */
static int read_member(struct torch_reader *reader, struct archive *archive, const char *name, size_t expected,
                       const uint8_t **data, size_t *size, struct error *err)
{
    char path[2 * MAX_NAME_BYTES];
    zip_file_t *file;
    zip_stat_t info;
    uint8_t *copy, beyond;
    zip_int64_t got;

    snprintf(path, sizeof path, "%s%s", archive->root, name);
    if (zip_stat(archive->zip, path, 0, &info) != 0 || (info.valid & ZIP_STAT_SIZE) == 0)
        return error_set(err, EX_DATAERR, "the archive has no member \"%s\"", path);
    if (expected != SIZE_MAX && info.size != expected)
        return error_set(err, EX_DATAERR, "member \"%s\": expected %zu bytes, found %llu", path, expected,
                         (unsigned long long)info.size);
    copy = torch_allocate(reader, info.size, 1, err);
    file = copy == NULL ? NULL : zip_fopen_index(archive->zip, info.index, 0);
    if (file == NULL)
        return copy == NULL ? -1 : error_set(err, EX_DATAERR, "member \"%s\": %s", path, zip_strerror(archive->zip));
    got = zip_fread(file, copy, info.size);
    if (got == (zip_int64_t)info.size) /* at the end libzip compares the checksum */
        got += zip_fread(file, &beyond, 1);
    zip_fclose(file); /* read only: nothing can be lost here */
    if (got != (zip_int64_t)info.size)
        return error_set(err, EX_DATAERR, "member \"%s\": its contents disagree with its size or checksum", path);
    *data = copy;
    *size = info.size;
    return 0;
}

static int check_byte_order(struct torch_reader *reader, struct archive *archive, struct error *err)
{
    char path[2 * MAX_NAME_BYTES];
    const uint8_t *data;
    size_t size;

    snprintf(path, sizeof path, "%sbyteorder", archive->root);
    if (zip_name_locate(archive->zip, path, 0) < 0) /* PyTorch before 2.1 */
        return 0;
    if (read_member(reader, archive, "byteorder", SIZE_MAX, &data, &size, err) != 0)
        return -1;
    return size == strlen("little") && memcmp(data, "little", size) == 0
               ? 0
               : error_set(err, EX_UNAVAILABLE, "its numbers are not little-endian");
}

static int read_storages(struct torch_reader *reader, struct archive *archive, struct error *err)
{
    char name[MAX_NAME_BYTES];

    for (size_t i = 0; i < reader->n_storages; i++) {
        struct torch_storage *storage = &reader->storages[i];
        size_t bytes, size;

        if (torch_storage_bytes(storage, &bytes, err) != 0)
            return -1;
        if (storage->key_size >= sizeof name - sizeof "data/" || memchr(storage->key, '\0', storage->key_size) != NULL)
            return error_set(err, EX_DATAERR, "a storage key of %zu bytes, or with a zero byte", storage->key_size);
        snprintf(name, sizeof name, "data/%.*s", (int)storage->key_size, storage->key);
        if (read_member(reader, archive, name, bytes, &storage->data, &size, err) != 0)
            return -1;
    }
    return 0;
}

int torch_zip_read(struct torch_reader *reader, struct error *err)
{
    const struct bytes *file = &reader->state->file;
    struct archive archive = {0};
    const uint8_t *data;
    size_t size, end;
    int rc = -1;

    if (open_archive(file, &archive, err) != 0)
        return -1;
    if (survey(&archive, file->size, err) == 0 && check_byte_order(reader, &archive, err) == 0 &&
        read_member(reader, &archive, "data.pkl", SIZE_MAX, &data, &size, err) == 0 &&
        torch_read_pickle(reader, data, size, &end, err) == 0)
        rc = read_storages(reader, &archive, err);
    zip_discard(archive.zip);
    return rc;
}
