/* folder.c — see folder.h. */
#include "formats/records/folder.h"

#include "common/memory.h"
#include "formats/records/digest.h"
#include "formats/records/image_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct folder {
    const struct folder_format *format;
    struct dataset_request request; /* path and list: as texts not to be used after folder_open */
    int descriptor;                 /* paths are opened relative to it */
    struct image_list list;
};

void folder_close(struct folder *folder)
{
    if (folder == NULL)
        return;
    if (folder->descriptor >= 0)
        close(folder->descriptor);
    image_list_fini(&folder->list);
    free(folder);
}

struct folder *folder_open(const struct folder_format *format, const struct dataset_request *request,
                           uint64_t *n_records, struct error *err)
{
    struct folder *folder = memory_create(1, sizeof *folder, "a list of files", err);

    if (folder == NULL)
        return NULL;
    folder->format = format;
    folder->request = *request;
    folder->descriptor = open(request->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->descriptor < 0) {
        error_set(err, EX_NOINPUT, "%s: cannot be opened as a folder: %s", request->path, strerror(errno));
    } else if ((request->list != NULL ? image_list_read(&folder->list, request->list, request->limit, err)
                                      : image_list_scan(&folder->list, request->path, format->is_mine, err)) == 0) {
        *n_records = folder->list.n;
        return folder;
    }
    folder_close(folder);
    return NULL;
}

void folder_read_key(const struct folder *folder, uint64_t ordinal, char key[RECORD_KEY_BYTES])
{
    const char *path = image_list_path(&folder->list, ordinal);

    memcpy(key, path, strlen(path) + 1); /* image_list admits no path longer than a key */
}

int folder_read(const struct folder *folder, struct file_buffer *buffer, uint64_t ordinal, struct record *record,
                struct error *err)
{
    const struct image_entry *entry = &folder->list.entries[ordinal];
    size_t size = 0;

    folder_read_key(folder, ordinal, record->key);
    record->label = entry->label;
    if (file_buffer_read(buffer, folder->descriptor, record->key, folder->format->max_bytes, &size, err) == 0) {
        record->digest = record_digest(buffer->bytes, size);
        if (folder->format->decode(&folder->request, buffer->bytes, size, record, err) == 0)
            return 0;
    }
    return -1;
}

int folder_kind_open(const struct folder_format *format, const struct dataset_request *request, void **state,
                     uint64_t *n_records, struct error *err)
{
    *state = folder_open(format, request, n_records, err);
    return *state == NULL ? -1 : 0;
}

void folder_kind_close(void *state)
{
    folder_close(state);
}

int folder_kind_cursor_open(void *state, void **cursor, struct error *err)
{
    (void)state;
    *cursor = memory_create(1, sizeof(struct file_buffer), "a file buffer", err);
    return *cursor == NULL ? -1 : 0;
}

void folder_kind_cursor_close(void *cursor)
{
    file_buffer_fini(cursor);
    free(cursor);
}

int folder_kind_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    return folder_read(state, cursor, ordinal, record, err);
}

int folder_kind_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err)
{
    (void)cursor;
    (void)err;
    folder_read_key(state, ordinal, key);
    return 0;
}

bool folder_name_ends(const char *name, const char *const *endings, size_t n)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < n; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}
