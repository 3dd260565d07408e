/* record.c — record buffers, and datasets behind the table of record kinds; see record.h. */
#include "formats/record.h"

#include "common/memory.h"
#include "common/output.h"
#include "common/suggest.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_KIND(id) extern const struct record_kind record_kind_##id;
#include "record_kinds.def"
#undef RECORD_KIND

const struct record_kind *const record_kinds[] = {
#define RECORD_KIND(id) &record_kind_##id,
#include "record_kinds.def"
#undef RECORD_KIND
    NULL,
};

enum {
    FINGERPRINT_RECORDS = 64
}; /* read by every rank at start: a few hundred milliseconds of JPEG decoding at most */

struct dataset {
    const struct record_kind *kind;
    void *state;
    uint64_t n_records;
    char *path; /* for messages */
};

struct dataset_cursor {
    struct dataset *dataset;
    void *position; /* the kind's; NULL where it has no cursors */
};

void record_fini(struct record *record)
{
    free(record->byte_buffer);
    free(record->value_buffer);
    *record = (struct record){0};
}

/* Exactly what is needed: doubling would take images near the budget beyond it. The old content is of no use. */
static int make_room(void **array, size_t *capacity, size_t elements, size_t size, struct error *err)
{
    size_t bytes;

    if (elements <= *capacity)
        return 0;
    free(*array);
    *capacity = 0;
    *array = size_multiply(elements, size, &bytes) ? malloc(bytes) : NULL;
    if (*array == NULL)
        return error_set(err, EX_OSERR, "cannot allocate %zu x %zu bytes for a record", elements, size);
    *capacity = elements;
    return 0;
}

static int set_dims(struct record *record, size_t channels, size_t height, size_t width, struct error *err)
{
    size_t pixels, elements;

    if (channels == 0 || height == 0 || width == 0)
        return error_set(err, EX_DATAERR, "%zux%zux%zu holds no pixel", channels, height, width);
    if (!size_multiply(height, width, &pixels) || pixels > RECORD_MAX_PIXELS ||
        !size_multiply(pixels, channels, &elements) || elements > RECORD_MAX_ELEMENTS)
        return error_set(err, EX_DATAERR, "%zux%zux%zu is larger than the limit of %d pixels, %d values", channels,
                         height, width, RECORD_MAX_PIXELS, RECORD_MAX_ELEMENTS);
    record->channels = channels;
    record->height = height;
    record->width = width;
    return 0;
}

int record_reserve(struct record *record, size_t channels, size_t height, size_t width, bool is_float,
                   struct error *err)
{
    size_t elements;

    if (set_dims(record, channels, height, width, err) < 0)
        return -1;
    elements = channels * height * width;
    if ((is_float ? make_room((void **)&record->value_buffer, &record->values_capacity, elements, sizeof(float), err)
                  : make_room((void **)&record->byte_buffer, &record->bytes_capacity, elements, 1, err)) < 0)
        return -1;
    record->is_float = is_float;
    record->bytes = record->byte_buffer;
    record->values = record->value_buffer;
    return 0;
}

int record_lend(struct record *record, size_t channels, size_t height, size_t width, const uint8_t *pixels,
                struct error *err)
{
    if (set_dims(record, channels, height, width, err) < 0)
        return -1;
    record->is_float = false;
    record->bytes = pixels;
    return 0;
}

static const struct record_kind *find_kind(const char *name, struct error *err)
{
    const struct record_kind *nearest = record_kinds[0];

    for (size_t i = 0; record_kinds[i] != NULL; i++) {
        if (strcmp(record_kinds[i]->name, name) == 0)
            return record_kinds[i];
        if (edit_distance(record_kinds[i]->name, name) < edit_distance(nearest->name, name))
            nearest = record_kinds[i];
    }
    error_set(err, EX_CONFIG, "dataset kind \"%s\" does not exist; the nearest is \"%s\"", name, nearest->name);
    return NULL;
}

struct dataset *dataset_open(const struct dataset_request *request, struct error *err)
{
    const struct record_kind *kind;

    if (request->kind == NULL) {
        error_set(err, EX_CONFIG, "the dataset has no kind");
        return NULL;
    }
    kind = find_kind(request->kind, err);
    return kind == NULL ? NULL : dataset_open_kind(kind, request, err);
}

struct dataset *dataset_open_kind(const struct record_kind *kind, const struct dataset_request *request,
                                  struct error *err)
{
    struct dataset *dataset;

    if (request->path == NULL) {
        error_set(err, EX_CONFIG, "the dataset of kind \"%s\" has no path", kind->name);
        return NULL;
    }
    dataset = memory_create(1, sizeof *dataset, "a dataset", err);
    if (dataset == NULL)
        return NULL;
    dataset->path = strdup(request->path);
    if (dataset->path == NULL) {
        error_set(err, EX_OSERR, "cannot allocate %zu bytes for a path", strlen(request->path) + 1);
    } else if (kind->open(request, &dataset->state, &dataset->n_records, err) == 0) {
        dataset->kind = kind;
        if (request->limit > 0 && dataset->n_records > request->limit)
            dataset->n_records = request->limit;
        if (dataset->n_records > 0)
            return dataset;
        error_set(err, EX_DATAERR, "%s: holds no record (dataset kind \"%s\")",
                  request->list != NULL ? request->list : request->path, kind->name);
    }
    dataset_close(dataset);
    return NULL;
}

void dataset_close(struct dataset *dataset)
{
    if (dataset == NULL)
        return;
    if (dataset->kind != NULL) /* NULL: never opened */
        dataset->kind->close(dataset->state);
    free(dataset->path);
    free(dataset);
}

uint64_t dataset_count(const struct dataset *dataset)
{
    return dataset->n_records;
}

bool dataset_has_index(const struct dataset_request *request)
{
    for (size_t i = 0; request->kind != NULL && record_kinds[i] != NULL; i++)
        if (strcmp(record_kinds[i]->name, request->kind) == 0)
            return record_kinds[i]->index != NULL;
    return false;
}

int dataset_index(struct dataset *dataset, void **bytes, size_t *size, struct error *err)
{
    return dataset->kind->index(dataset->state, bytes, size, err) == 0 ? 0 : error_in(err, "%s", dataset->path);
}

struct dataset_cursor *dataset_cursor_open(struct dataset *dataset, struct error *err)
{
    struct dataset_cursor *cursor = memory_create(1, sizeof *cursor, "a dataset cursor", err);

    if (cursor == NULL)
        return NULL;
    cursor->dataset = dataset;
    if (dataset->kind->cursor_open != NULL && dataset->kind->cursor_open(dataset->state, &cursor->position, err) < 0) {
        error_in(err, "%s", dataset->path);
        free(cursor);
        return NULL;
    }
    return cursor;
}

void dataset_cursor_close(struct dataset_cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->dataset->kind->cursor_open != NULL)
        cursor->dataset->kind->cursor_close(cursor->position);
    free(cursor);
}

int dataset_read(struct dataset_cursor *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    struct dataset *dataset = cursor->dataset;
    struct error why = {0};

    if (ordinal >= dataset->n_records)
        return error_set(err, EX_SOFTWARE, "%s: record %llu of %llu was asked for", dataset->path,
                         (unsigned long long)ordinal, (unsigned long long)dataset->n_records);
    record->key[0] = '\0';
    record->label = -1;
    record->digest = 0;
    if (dataset->kind->read(dataset->state, cursor->position, ordinal, record, &why) == 0)
        return 0;
    error_in(&why, "%s", record->key);
    if (why.code != EX_DATAERR)
        error_in(&why, "%s", dataset->path);
    if (err != NULL)
        *err = why;
    return -1;
}

int dataset_check_unchanged(struct dataset *dataset, struct error *err)
{
    if (dataset->kind->check_unchanged == NULL || dataset->kind->check_unchanged(dataset->state, err) == 0)
        return 0;
    return error_in(err, "%s", dataset->path);
}

/* Byte order is fixed: the digest must be the same on every machine. */
static void digest_number(struct sha256 *digest, uint64_t number)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    sha256_add(digest, bytes, sizeof bytes);
}

int dataset_fingerprint(struct dataset *dataset, char hex[65], struct error *err)
{
    uint64_t n = dataset->n_records, n_samples = n < FINGERPRINT_RECORDS ? n : FINGERPRINT_RECORDS;
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, err);
    struct sha256 *digest = cursor == NULL ? NULL : sha256_create(err);
    struct record record = {0};
    struct error why = {0};
    int rc = digest == NULL ? -1 : 0;

    if (rc == 0)
        digest_number(digest, n);
    for (uint64_t i = 0; rc == 0 && i < n_samples; i++) {
        uint64_t ordinal = n / n_samples * i + n % n_samples * i / n_samples; /* floor(n i / n_samples), no overflow */

        if (dataset_read(cursor, ordinal, &record, &why) < 0 && why.code != EX_DATAERR) {
            rc = error_set(err, why.code, "%s", why.text);
        } else {
            digest_number(digest, strlen(record.key));
            sha256_add(digest, record.key, strlen(record.key));
            digest_number(digest, record.digest);
        }
    }
    if (digest != NULL) {
        char text[SHA256_HEX_BYTES];

        sha256_finish(digest, text); /* also on failure: it frees */
        if (rc == 0)
            memcpy(hex, text, sizeof text);
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    return rc;
}
