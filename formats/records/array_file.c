/* array_file.c — see array_file.h. */
#include "formats/records/array_file.h"

#include "common/memory.h"
#include "formats/records/digest.h"
#include "formats/records/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In Fortran's order neighbours in the file are the same element of consecutive records: they are read by windows of
 * records, so that each read is a run of bytes. */
enum { WINDOW_RECORDS = 64, WINDOW_BYTES = 16 << 20 };

struct array_set {
    struct folder *folder; /* NULL: one file */
    int fd;
    struct stat info;               /* of the file when it was opened */
    struct dataset_request request; /* how to read; its texts are not to be used */
    struct array array;             /* of the file */
    struct elements record;         /* one record of it */
    uint64_t n_records;
    size_t n_elements, record_bytes; /* of one record */
    uint64_t header;                 /* digest of what the file says of its numbers */
    int32_t *labels;                 /* [n_records]; NULL: none */
};

struct array_cursor {
    struct file_buffer file, window;
    uint64_t first; /* the window holds records [first, first + n), element by element */
    size_t n;
};

void array_close(void *state)
{
    struct array_set *set = state;

    if (set->fd >= 0)
        close(set->fd);
    folder_close(set->folder);
    free(set->labels);
    free(set);
}

/* The array without its first dim. */
static struct elements one_record(const struct array *array)
{
    struct elements record = array->elements;

    record.shape.rank--;
    memmove(record.shape.dims, record.shape.dims + 1, record.shape.rank * sizeof *record.shape.dims);
    return record;
}

int array_decode(array_describe *describe, const struct dataset_request *request, const uint8_t *data, size_t size,
                 struct record *record, struct error *err)
{
    size_t n_head = size < ARRAY_HEAD_BYTES ? size : ARRAY_HEAD_BYTES;
    struct array array;

    if (describe(request, data, n_head, size, &array, err) < 0)
        return -1;
    if (array.elements.shape.rank > 1 && array.elements.shape.dims[0] == 1)
        array.elements = one_record(&array);
    return elements_to_record(&array.elements, request, data + array.offset, size - (size_t)array.offset, record, err);
}

/* The same bytes of another type, order or shape are another record. */
static uint64_t digest_header(const struct elements *record)
{
    char shape[SHAPE_TEXT_BYTES], text[SHAPE_TEXT_BYTES + 64];
    int n = snprintf(text, sizeof text, "%s %d %d %s", record->type->name, record->is_big_endian, record->is_fortran,
                     shape_text(&record->shape, shape));

    return record_digest(text, (size_t)n);
}

/* The array must fill the file to its end, and a record must be one that we can hold. */
static int check_size(struct array_set *set, struct error *err)
{
    const struct shape *shape = &set->array.elements.shape;
    uint64_t bytes = (uint64_t)set->info.st_size - set->array.offset;
    char text[SHAPE_TEXT_BYTES];

    if (shape->rank == 0)
        return error_set(err, EX_DATAERR, "expected records along the first dimension, found a scalar");
    set->record = one_record(&set->array);
    if (elements_count(&set->record.shape, &set->n_elements, err) < 0)
        return -1;
    set->record_bytes = set->n_elements * set->record.type->size;
    set->n_records = shape->dims[0] < 0 ? 0 : (uint64_t)shape->dims[0];
    if (bytes / set->record_bytes != set->n_records || bytes % set->record_bytes != 0)
        return error_set(err, EX_DATAERR,
                         "%s of %s needs %zu bytes a record, the file holds %" PRIu64 " behind byte %" PRIu64,
                         shape_text(shape, text), set->record.type->name, set->record_bytes, bytes, set->array.offset);
    set->header = digest_header(&set->record);
    return 0;
}

static int open_file(struct array_set *set, array_describe *describe, const char *path, struct error *err)
{
    struct file_buffer head = {0};
    size_t n_head;
    int rc;

    set->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (set->fd < 0 || fstat(set->fd, &set->info) != 0)
        return error_set(err, EX_NOINPUT, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(set->info.st_mode))
        return error_set(err, EX_DATAERR, "expected a regular file");
    n_head = set->info.st_size < ARRAY_HEAD_BYTES ? (size_t)set->info.st_size : ARRAY_HEAD_BYTES;
    rc = file_buffer_read_at(&head, 0, set->fd, 0, n_head, err);
    if (rc == 0)
        rc = describe(&set->request, head.bytes, n_head, (uint64_t)set->info.st_size, &set->array, err);
    file_buffer_fini(&head);
    return rc == 0 ? check_size(set, err) : -1;
}

static int open_set(struct array_set *set, array_describe *describe, const struct folder_format *folder,
                    const struct dataset_request *request, struct error *err)
{
    struct stat info;

    if (folder != NULL && stat(request->path, &info) == 0 && S_ISDIR(info.st_mode)) {
        if (request->labels != NULL)
            return error_set(err, EX_CONFIG, "%s: labels of files in a folder stand in a list", request->path);
        set->folder = folder_open(folder, request, &set->n_records, err);
        return set->folder == NULL ? -1 : 0;
    }
    if (request->list != NULL)
        return error_set(err, EX_CONFIG, "%s: a list needs a folder", request->path);
    if (open_file(set, describe, request->path, err) < 0)
        return error_in(err, "%s", request->path);
    return request->labels == NULL ? 0 : labels_read(request->labels, set->n_records, &set->labels, err);
}

int array_open(array_describe *describe, const struct folder_format *folder, const struct dataset_request *request,
               void **state, uint64_t *n_records, struct error *err)
{
    struct array_set *set = memory_create(1, sizeof *set, "a dataset of arrays", err);

    if (set == NULL)
        return -1;
    set->fd = -1;
    set->request = *request;
    if (open_set(set, describe, folder, request, err) < 0) {
        array_close(set);
        return -1;
    }
    *n_records = set->n_records;
    *state = set;
    return 0;
}

int array_cursor_open(void *state, void **cursor, struct error *err)
{
    (void)state;
    *cursor = memory_create(1, sizeof(struct array_cursor), "a cursor", err);
    return *cursor == NULL ? -1 : 0;
}

void array_cursor_close(void *cursor)
{
    struct array_cursor *mine = cursor;

    file_buffer_fini(&mine->file);
    file_buffer_fini(&mine->window);
    free(mine);
}

/* Brings the window to `ordinal`: of each element a run of records. */
static int move_window(const struct array_set *set, struct array_cursor *cursor, uint64_t ordinal, struct error *err)
{
    size_t size = set->record.type->size, n = WINDOW_BYTES / set->record_bytes;

    if (ordinal >= cursor->first && ordinal - cursor->first < cursor->n)
        return 0;
    n = n == 0 ? 1 : n < WINDOW_RECORDS ? n : WINDOW_RECORDS;
    n = set->n_records - ordinal < n ? (size_t)(set->n_records - ordinal) : n;
    cursor->n = 0;
    for (size_t i = 0; i < set->n_elements; i++)
        if (file_buffer_read_at(&cursor->window, i * n * size, set->fd,
                                set->array.offset + (i * set->n_records + ordinal) * size, n * size, err) < 0)
            return -1;
    cursor->first = ordinal;
    cursor->n = n;
    return 0;
}

/* The record's elements side by side, as if it had a file of its own. */
static int read_fortran(const struct array_set *set, struct array_cursor *cursor, uint64_t ordinal, struct error *err)
{
    size_t size = set->record.type->size;

    if (move_window(set, cursor, ordinal, err) < 0 ||
        memory_grow((void **)&cursor->file.bytes, &cursor->file.capacity, set->record_bytes, 1, "a record", err) < 0)
        return -1;
    for (size_t i = 0; i < set->n_elements; i++)
        memcpy(cursor->file.bytes + i * size,
               cursor->window.bytes + (i * cursor->n + (size_t)(ordinal - cursor->first)) * size, size);
    return 0;
}

int array_read_key(void *state, void *cursor, uint64_t ordinal, char key[RECORD_KEY_BYTES], struct error *err)
{
    const struct array_set *set = state;

    (void)cursor;
    (void)err;
    if (set->folder != NULL)
        folder_read_key(set->folder, ordinal, key);
    else
        snprintf(key, RECORD_KEY_BYTES, "%08" PRIu64, ordinal);
    return 0;
}

int array_read(void *state, void *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    const struct array_set *set = state;
    struct array_cursor *mine = cursor;
    int rc;

    if (set->folder != NULL)
        return folder_read(set->folder, &mine->file, ordinal, record, err);
    array_read_key(state, cursor, ordinal, record->key, err);
    record->is_unnamed = true;
    record->label = set->labels == NULL ? -1 : set->labels[ordinal];
    rc = set->record.is_fortran
             ? read_fortran(set, mine, ordinal, err)
             : file_buffer_read_at(&mine->file, 0, set->fd, set->array.offset + ordinal * set->record_bytes,
                                   set->record_bytes, err);
    if (rc < 0)
        return -1;
    record->digest =
        dataset_digest((const uint64_t[]){set->header, record_digest(mine->file.bytes, set->record_bytes)}, 2);
    return elements_to_record(&set->record, &set->request, mine->file.bytes, set->record_bytes, record, err);
}

int array_check_unchanged(void *state, struct error *err)
{
    const struct array_set *set = state;
    struct stat info;

    if (set->folder != NULL)
        return 0;
    if (fstat(set->fd, &info) != 0)
        return error_set(err, EX_IOERR, "cannot be examined: %s", strerror(errno));
    if (info.st_size != set->info.st_size || info.st_mtim.tv_sec != set->info.st_mtim.tv_sec ||
        info.st_mtim.tv_nsec != set->info.st_mtim.tv_nsec)
        return error_set(err, EX_DATAERR, "was written to during the run");
    return 0;
}
