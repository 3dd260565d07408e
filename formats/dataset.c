/* dataset.c — opened datasets of one or several inputs; see record.h. */
#include "formats/dataset_private.h"

#include "common/memory.h"
#include "common/output.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    FINGERPRINT_RECORDS = 64
}; /* read by every rank at start: a few hundred milliseconds of JPEG decoding at most */

bool dataset_is_given(const struct dataset_request *request)
{
    return request->kind != NULL || request->n_inputs > 0;
}

bool dataset_needs_shape(const struct dataset_request *request)
{
    const struct record_kind *kind = request->kind == NULL ? NULL : record_kind_find(request->kind, NULL);

    return kind != NULL && (kind->takes & DATASET_SHAPE) != 0 && request->shape.rank == 0;
}

/* Every key that was given must be one that the kind takes. */
static int check_keys(const struct record_kind *kind, const struct dataset_request *request, struct error *err)
{
    const struct {
        const char *name;
        bool is_given;
        enum dataset_key key;
    } keys[] = {
        {"list", request->list != NULL, DATASET_LIST},
        {"labels", request->labels != NULL, DATASET_LABELS},
        {"shape", request->shape.rank > 0, DATASET_SHAPE},
        {"dtype", request->dtype != NULL, DATASET_DTYPE},
        {"layout", request->is_interleaved, DATASET_LAYOUT},
        {"channels", request->order != PIXELS_NONE, DATASET_LAYOUT},
        {"member", request->member != NULL, DATASET_MEMBER},
        {"orientation", request->is_oriented, DATASET_ORIENTATION},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].is_given && (kind->takes & keys[i].key) == 0)
            return error_set(err, EX_CONFIG, "%s: a dataset of kind \"%s\" takes no %s", request->path, kind->name,
                             keys[i].name);
    return 0;
}

static int copy_text(char **copy, const char *text, struct error *err)
{
    *copy = strdup(text);
    return *copy != NULL ? 0 : error_set(err, EX_OSERR, "cannot allocate %zu bytes for a name", strlen(text) + 1);
}

static int open_part(struct dataset_part *part, const struct record_kind *kind, const struct dataset_request *request,
                     struct error *err)
{
    if (request->path == NULL)
        return error_set(err, EX_CONFIG, "the dataset of kind \"%s\" has no path", kind->name);
    if (check_keys(kind, request, err) < 0 || copy_text(&part->path, request->path, err) < 0 ||
        kind->open(request, &part->state, &part->n_records, err) < 0)
        return -1;
    part->kind = kind;
    return part->n_records > 0 ? 0
                               : error_set(err, EX_DATAERR, "%s: holds no record (dataset kind \"%s\")",
                                           request->list != NULL ? request->list : request->path, kind->name);
}

static int open_named(struct dataset_part *part, const struct dataset_request *request, struct error *err)
{
    const struct record_kind *kind;

    if (request->kind == NULL)
        return error_set(err, EX_CONFIG, "the dataset has no kind");
    kind = record_kind_find(request->kind, err);
    return kind == NULL ? -1 : open_part(part, kind, request, err);
}

static int open_inputs(struct dataset *dataset, const struct dataset_request *request, struct error *err)
{
    for (size_t i = 0; i < request->n_inputs; i++) {
        const struct dataset_input *input = &request->inputs[i];

        if (copy_text(&dataset->parts[i].name, input->name, err) < 0)
            return -1;
        if (open_named(&dataset->parts[i], &input->request, err) < 0)
            return error_in(err, "input \"%s\"", input->name);
    }
    return dataset_match(dataset, err);
}

static struct dataset *create(size_t n_parts, struct error *err)
{
    struct dataset *dataset = memory_create(1, sizeof *dataset, "a dataset", err);

    if (dataset == NULL)
        return NULL;
    dataset->parts = memory_create(n_parts, sizeof *dataset->parts, "a dataset's inputs", err);
    dataset->n_parts = dataset->parts == NULL ? 0 : n_parts;
    return dataset;
}

/* The end of every way to open: rc is that of the parts. */
static struct dataset *finish(struct dataset *dataset, const struct dataset_request *request, int rc)
{
    if (rc < 0) {
        dataset_close(dataset);
        return NULL;
    }
    dataset->n_records = dataset->parts[0].n_records;
    if (request->limit > 0 && dataset->n_records > request->limit)
        dataset->n_records = request->limit;
    return dataset;
}

struct dataset *dataset_open(const struct dataset_request *request, struct error *err)
{
    struct dataset *dataset;

    if (request->n_inputs > DATASET_MAX_INPUTS) {
        error_set(err, EX_CONFIG, "expected at most %d inputs of a dataset, found %zu", DATASET_MAX_INPUTS,
                  request->n_inputs);
        return NULL;
    }
    dataset = create(request->n_inputs > 0 ? request->n_inputs : 1, err);
    if (dataset == NULL || dataset->n_parts == 0)
        return finish(dataset, request, -1);
    return finish(dataset, request,
                  request->n_inputs > 0 ? open_inputs(dataset, request, err)
                                        : open_named(&dataset->parts[0], request, err));
}

struct dataset *dataset_open_kind(const struct record_kind *kind, const struct dataset_request *request,
                                  struct error *err)
{
    struct dataset *dataset = create(1, err);

    if (dataset == NULL || dataset->n_parts == 0)
        return finish(dataset, request, -1);
    return finish(dataset, request, open_part(&dataset->parts[0], kind, request, err));
}

void dataset_close(struct dataset *dataset)
{
    if (dataset == NULL)
        return;
    for (size_t i = 0; i < dataset->n_parts; i++) {
        struct dataset_part *part = &dataset->parts[i];

        if (part->kind != NULL) /* NULL: never opened */
            part->kind->close(part->state);
        free(part->path);
        free(part->name);
        free(part->ordinals);
    }
    free(dataset->parts);
    free(dataset);
}

uint64_t dataset_count(const struct dataset *dataset)
{
    return dataset->n_records;
}

size_t dataset_n_inputs(const struct dataset *dataset)
{
    return dataset->n_parts;
}

const char *dataset_input_name(const struct dataset *dataset, size_t input)
{
    return dataset->parts[input].name;
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
    const struct dataset_part *part = &dataset->parts[0];

    return part->kind->index(part->state, bytes, size, err) == 0 ? 0 : error_in(err, "%s", part->path);
}

struct dataset_cursor *dataset_cursor_open(struct dataset *dataset, struct error *err)
{
    struct dataset_cursor *cursor = memory_create(1, sizeof *cursor, "a dataset cursor", err);

    if (cursor == NULL)
        return NULL;
    cursor->dataset = dataset;
    for (size_t i = 0; i < dataset->n_parts; i++) {
        const struct dataset_part *part = &dataset->parts[i];

        if (part->kind->cursor_open != NULL && part->kind->cursor_open(part->state, &cursor->positions[i], err) < 0) {
            error_in(err, "%s", part->path);
            cursor->positions[i] = NULL;
            dataset_cursor_close(cursor);
            return NULL;
        }
    }
    return cursor;
}

void dataset_cursor_close(struct dataset_cursor *cursor)
{
    if (cursor == NULL)
        return;
    for (size_t i = 0; i < cursor->dataset->n_parts; i++)
        if (cursor->positions[i] != NULL)
            cursor->dataset->parts[i].kind->cursor_close(cursor->positions[i]);
    free(cursor);
}

int dataset_read_input(struct dataset_cursor *cursor, size_t input, uint64_t ordinal, struct record *record,
                       struct error *err)
{
    const struct dataset *dataset = cursor->dataset;
    const struct dataset_part *part = &dataset->parts[input];
    struct error why = {0};

    if (ordinal >= dataset->n_records)
        return error_set(err, EX_SOFTWARE, "%s: record %llu of %llu was asked for", part->path,
                         (unsigned long long)ordinal, (unsigned long long)dataset->n_records);
    record->key[0] = '\0';
    record->label = -1;
    record->digest = 0;
    record->is_unnamed = false;
    record->decode_seconds = 0;
    if (part->kind->read(part->state, cursor->positions[input],
                         part->ordinals == NULL ? ordinal : part->ordinals[ordinal], record, &why) == 0)
        return 0;
    error_in(&why, "%s", record->key);
    if (why.code != EX_DATAERR)
        error_in(&why, "%s", part->path);
    else if (part->name != NULL)
        error_in(&why, "%s", part->name);
    if (err != NULL)
        *err = why;
    return -1;
}

int dataset_read(struct dataset_cursor *cursor, uint64_t ordinal, struct record *record, struct error *err)
{
    return dataset_read_input(cursor, 0, ordinal, record, err);
}

int dataset_check_unchanged(struct dataset *dataset, struct error *err)
{
    for (size_t i = 0; i < dataset->n_parts; i++) {
        const struct dataset_part *part = &dataset->parts[i];

        if (part->kind->check_unchanged != NULL && part->kind->check_unchanged(part->state, err) < 0)
            return error_in(err, "%s", part->path);
    }
    return 0;
}

/* Byte order is fixed: digests must be the same on every machine. */
static void put_number(uint64_t number, uint8_t bytes[8])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

struct record_identity record_identify(const struct record *record)
{
    return (struct record_identity){record->is_unnamed ? 0 : XXH3_64bits(record->key, strlen(record->key)),
                                    record->digest};
}

uint64_t dataset_digest(const uint64_t *digests, size_t n)
{
    uint8_t bytes[8 * DATASET_MAX_INPUTS];

    for (size_t i = 0; i < n; i++)
        put_number(digests[i], bytes + 8 * i);
    return n == 1 ? digests[0] : XXH3_64bits(bytes, 8 * n);
}

struct record_identity record_identity_join(const struct record_identity *inputs, size_t n)
{
    uint64_t keys[DATASET_MAX_INPUTS], digests[DATASET_MAX_INPUTS], any_key = 0;

    for (size_t i = 0; i < n; i++) {
        any_key |= keys[i] = inputs[i].key;
        digests[i] = inputs[i].digest;
    }
    return (struct record_identity){any_key == 0 ? 0 : dataset_digest(keys, n), dataset_digest(digests, n)};
}

static void digest_number(struct sha256 *digest, uint64_t number)
{
    uint8_t bytes[8];

    put_number(number, bytes);
    sha256_add(digest, bytes, sizeof bytes);
}

static int identify(struct dataset_cursor *cursor, uint64_t ordinal, struct record *record,
                    struct record_identity *identity, struct error *err)
{
    struct record_identity inputs[DATASET_MAX_INPUTS];

    for (size_t i = 0; i < cursor->dataset->n_parts; i++) {
        struct error why = {0};

        if (dataset_read_input(cursor, i, ordinal, record, &why) < 0 && why.code != EX_DATAERR)
            return error_set(err, why.code, "%s", why.text);
        inputs[i] = record_identify(record);
    }
    *identity = record_identity_join(inputs, cursor->dataset->n_parts);
    return 0;
}

static uint64_t count_samples(uint64_t n_records)
{
    return n_records < FINGERPRINT_RECORDS ? n_records : FINGERPRINT_RECORDS;
}

/* Record floor(n i / samples) of n, without overflow. */
static uint64_t sample_ordinal(uint64_t n_records, uint64_t i)
{
    uint64_t n = count_samples(n_records);

    return n_records / n * i + n_records % n * i / n;
}

static int fingerprint_samples(uint64_t n_records, const struct record_identity *samples, char hex[65],
                               struct error *err)
{
    struct sha256 *digest = sha256_create(err);

    if (digest == NULL)
        return -1;
    digest_number(digest, n_records);
    for (uint64_t i = 0; i < count_samples(n_records); i++) {
        digest_number(digest, samples[i].key);
        digest_number(digest, samples[i].digest);
    }
    sha256_finish(digest, hex);
    return 0;
}

int dataset_fingerprint_records(const struct record_identity *records, uint64_t n, char hex[65], struct error *err)
{
    struct record_identity samples[FINGERPRINT_RECORDS];

    for (uint64_t i = 0; i < count_samples(n); i++)
        samples[i] = records[sample_ordinal(n, i)];
    return fingerprint_samples(n, samples, hex, err);
}

int dataset_fingerprint(struct dataset *dataset, char hex[65], struct error *err)
{
    struct dataset_cursor *cursor = dataset_cursor_open(dataset, err);
    struct record_identity samples[FINGERPRINT_RECORDS];
    struct record record = {0};
    int rc = cursor == NULL ? -1 : 0;

    for (uint64_t i = 0; rc == 0 && i < count_samples(dataset->n_records); i++)
        rc = identify(cursor, sample_ordinal(dataset->n_records, i), &record, &samples[i], err);
    if (rc == 0)
        rc = fingerprint_samples(dataset->n_records, samples, hex, err);
    record_fini(&record);
    dataset_cursor_close(cursor);
    return rc;
}
