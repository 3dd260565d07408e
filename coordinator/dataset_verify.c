/* dataset_verify.c — see dataset_verify.h.
 *
 * The checksum is a tree of two levels: SHA-256 of every block's keys and digests, and of these in order. So ranks need
 * not read in order, and what travels is 64 bytes a block.
 */
#include "coordinator/dataset_verify.h"

#include "common/memory.h"
#include "common/output.h"
#include "coordinator/open_dataset.h"
#include "coordinator/progress.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_RECORDS = 1024 };

struct verify {
    const struct comm *comm;
    const struct verify_options *options;
    struct dataset *dataset;
    struct dataset_cursor *cursor;
    struct record record;
    struct verify_counts counts;
    size_t channels, height, width; /* expected; 0: any */
    size_t n_blocks;
    char (*digests)[SHA256_HEX_BYTES]; /* [n_blocks] */
    char (*told)[ERROR_TEXT_BYTES];    /* [VERIFY_MAX_TOLD] */
    size_t n_told;
};

static const struct verify_range nothing = {INT64_MAX, INT64_MIN};

static void widen(struct verify_range *range, int64_t min, int64_t max)
{
    range->min = min < range->min ? min : range->min;
    range->max = max > range->max ? max : range->max;
}

static void merge_range(struct verify_range *into, const struct verify_range *from)
{
    widen(into, from->min, from->max);
}

static void merge(struct verify_counts *into, const struct verify_counts *from)
{
    into->n_records += from->n_records;
    into->n_bad += from->n_bad;
    into->n_floats += from->n_floats;
    into->n_unlabelled += from->n_unlabelled;
    merge_range(&into->channels, &from->channels);
    merge_range(&into->height, &from->height);
    merge_range(&into->width, &from->width);
    merge_range(&into->label, &from->label);
}

/* ---- One record */

static int check_values(const struct record *record, struct error *err)
{
    size_t n = record->channels * record->height * record->width;

    for (size_t i = 0; record->is_float && i < n; i++)
        if (!(fabsf(record->values[i]) <= FLT_MAX)) /* also true of NaN */
            return error_set(err, EX_DATAERR, "expected finite numbers, value %zu is %g", i, (double)record->values[i]);
    return 0;
}

static int check_record(const struct verify *verify, struct error *err)
{
    const struct record *r = &verify->record;
    uint64_t n_labels = verify->options->n_labels;

    if (verify->channels != 0 &&
        (r->channels != verify->channels || r->height != verify->height || r->width != verify->width))
        return error_set(err, EX_DATAERR, "expected %zu x %zu x %zu as in the first record, found %zu x %zu x %zu",
                         verify->channels, verify->height, verify->width, r->channels, r->height, r->width);
    if (n_labels > 0 && (r->label < 0 || (uint64_t)r->label >= n_labels))
        return error_set(err, EX_DATAERR, "expected a label in 0..%" PRIu64 ", found %" PRId64, n_labels - 1, r->label);
    return check_values(r, err);
}

static void count_good(struct verify *verify)
{
    const struct record *r = &verify->record;
    struct verify_counts *counts = &verify->counts;

    counts->n_floats += r->is_float;
    counts->n_unlabelled += r->label < 0;
    widen(&counts->channels, (int64_t)r->channels, (int64_t)r->channels);
    widen(&counts->height, (int64_t)r->height, (int64_t)r->height);
    widen(&counts->width, (int64_t)r->width, (int64_t)r->width);
    if (r->label >= 0)
        widen(&counts->label, r->label, r->label);
}

/* A bad record is counted and, among the first, remembered; -1 when the dataset is gone. */
static int verify_record(struct verify *verify, uint64_t ordinal, struct error *err)
{
    struct error why = {0};

    verify->counts.n_records++;
    if (dataset_read(verify->cursor, ordinal, &verify->record, &why) == 0) {
        if (check_record(verify, &why) == 0) {
            count_good(verify);
            return 0;
        }
        error_in(&why, "%s", verify->record.key);
    }
    if (why.code != EX_DATAERR)
        return error_set(err, why.code, "%s", why.text);
    verify->counts.n_bad++;
    if (verify->n_told < VERIFY_MAX_TOLD)
        memcpy(verify->told[verify->n_told++], why.text, sizeof why.text);
    return 0;
}

/* ---- Blocks */

static int verify_block(struct verify *verify, size_t block, struct error *err)
{
    uint64_t first = (uint64_t)block * BLOCK_RECORDS, left = dataset_count(verify->dataset) - first;
    struct sha256 *digest = sha256_create(err);
    int rc = digest == NULL ? -1 : 0;

    for (uint64_t i = first; rc == 0 && i < first + (left < BLOCK_RECORDS ? left : BLOCK_RECORDS); i++) {
        uint8_t number[8];

        rc = verify_record(verify, i, err);
        for (int b = 0; b < 8; b++) /* little-endian everywhere */
            number[b] = (uint8_t)(verify->record.digest >> (8 * b));
        sha256_add(digest, verify->record.key, strlen(verify->record.key) + 1);
        sha256_add(digest, number, sizeof number);
    }
    if (digest != NULL)
        sha256_finish(digest, verify->digests[block]);
    return rc;
}

/* What all others are compared with: every rank looks for it, and finds the same one. */
static int find_size(struct verify *verify, struct error *err)
{
    for (uint64_t i = 0; i < dataset_count(verify->dataset); i++) {
        struct error why = {0};

        if (dataset_read(verify->cursor, i, &verify->record, &why) == 0) {
            verify->channels = verify->record.channels;
            verify->height = verify->record.height;
            verify->width = verify->record.width;
            return 0;
        }
        if (why.code != EX_DATAERR)
            return error_set(err, why.code, "%s", why.text);
    }
    return 0; /* none at all: each will be named */
}

static int prepare(struct verify *verify, struct error *err)
{
    uint64_t n = dataset_count(verify->dataset);

    verify->counts.channels = verify->counts.height = verify->counts.width = verify->counts.label = nothing;
    verify->n_blocks = (size_t)(n / BLOCK_RECORDS + (n % BLOCK_RECORDS != 0));
    verify->cursor = dataset_cursor_open(verify->dataset, err);
    if (verify->cursor == NULL)
        return -1;
    verify->digests = memory_create(verify->n_blocks, sizeof *verify->digests, "checksums", err);
    verify->told = memory_create(VERIFY_MAX_TOLD, sizeof *verify->told, "what is wrong", err);
    if (verify->digests == NULL || verify->told == NULL)
        return -1;
    return verify->options->is_size_checked ? find_size(verify, err) : 0;
}

/* This rank's share. */
static int verify_share(struct verify *verify, struct error *err)
{
    struct progress progress;
    size_t first, count;
    int rc = prepare(verify, err);

    comm_share(verify->comm, verify->n_blocks, &first, &count);
    progress = progress_begin("dataset verify", (double)dataset_count(verify->dataset));
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = verify_block(verify, first + i, err);
        if (verify->comm->rank == 0) /* shares are equal: its own stands for all */
            progress_tell(&progress, (double)(i + 1) * BLOCK_RECORDS * verify->comm->size);
    }
    progress_end(&progress);
    return rc == 0 ? dataset_check_unchanged(verify->dataset, err) : -1;
}

/* ---- Results: shares are in the order of ranks, so what is told is in the order of records. */

static void give(const struct verify *verify)
{
    comm_give(&verify->counts, sizeof verify->counts);
    comm_give(verify->told, verify->n_told * sizeof *verify->told);
}

static int take(struct verify *verify, int rank, struct error *err)
{
    void *buffer = NULL;
    size_t capacity = 0, size = 0, n;
    int rc = comm_take(rank, &buffer, &capacity, &size, err);

    if (rc == 0)
        merge(&verify->counts, buffer);
    rc = comm_take(rank, &buffer, &capacity, &size, rc == 0 ? err : NULL) == 0 ? rc : -1;
    n = size / sizeof *verify->told;
    n = n < VERIFY_MAX_TOLD - verify->n_told ? n : VERIFY_MAX_TOLD - verify->n_told;
    if (rc == 0 && n > 0)
        memcpy(verify->told + verify->n_told, buffer, n * sizeof *verify->told);
    verify->n_told += n;
    free(buffer);
    return rc;
}

static int gather(struct verify *verify, struct verify_result *result, struct error *err)
{
    struct sha256 *digest;
    int rc = 0;

    comm_gather_shares(verify->comm, verify->digests, verify->n_blocks, sizeof *verify->digests);
    if (verify->comm->rank > 0) {
        give(verify);
        return 0;
    }
    for (int r = 1; r < verify->comm->size; r++)
        rc = take(verify, r, rc == 0 ? err : NULL) == 0 ? rc : -1;
    digest = rc == 0 ? sha256_create(err) : NULL;
    if (digest == NULL)
        return -1;
    sha256_add(digest, verify->digests, verify->n_blocks * sizeof *verify->digests);
    sha256_finish(digest, result->checksum);
    result->counts = verify->counts;
    result->n_told = verify->n_told;
    result->told = verify->told;
    verify->told = NULL;
    return 0;
}

int dataset_verify(const struct comm *comm, const struct verify_options *options, struct verify_result *result,
                   struct error *err)
{
    struct verify verify = {.comm = comm, .options = options};
    int rc = comm_open_dataset(comm, options->source, &verify.dataset, err);

    if (rc == 0)
        rc = comm_agree(comm, verify_share(&verify, err), err);
    if (rc == 0)
        rc = comm_agree(comm, gather(&verify, result, err), err);
    record_fini(&verify.record);
    dataset_cursor_close(verify.cursor);
    dataset_close(verify.dataset);
    free(verify.digests);
    free(verify.told);
    return rc;
}

void verify_result_fini(struct verify_result *result)
{
    free(result->told);
    *result = (struct verify_result){0};
}
