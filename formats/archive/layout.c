/* layout.c — see layout.h; jobs/doc/archive.md tells the same to readers of the file. */
#include "formats/archive/layout.h"
#include "formats/archive/store_private.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "sizes are stored as u64");

const char archive_format[] = "etalon archive";

static const struct store_column preamble_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_preamble, format, NULL),
    STORE_COLUMN(STORE_U32, struct archive_preamble, format_version, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive_preamble, etalon_version, NULL),
};

static const struct store_column run_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive, etalon_version, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, statistics_fingerprint, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, decisions_fingerprint, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, isa, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, model, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, model_fingerprint, NULL),
    STORE_COLUMN(STORE_U64, struct archive, records_used, NULL),
    STORE_COLUMN(STORE_U64, struct archive, block_size, NULL),
    STORE_COLUMN(STORE_U64, struct archive, bins, NULL),
};

/* From format version 2 on. */
static const struct store_column measurement_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive, measurement_fingerprint, NULL),
    STORE_COLUMN(STORE_TEXT, struct archive, probe, NULL),
};

static const struct store_column record_columns[] = {
    STORE_COLUMN(STORE_U64, struct record_identity, digest, "XXH3-64"),
    STORE_COLUMN(STORE_U64, struct record_identity, key, "XXH3-64"), /* from format version 2 on */
};

static const struct store_column part_columns[] = {
    STORE_COLUMN(STORE_U64, struct archive_part, n_blocks, "blocks"),
    STORE_COLUMN(STORE_U64, struct archive_part, n_records, "records"),
};

static const struct store_column value_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_value, name, NULL),
    STORE_COLUMN(STORE_U64, struct archive_value, channels, "channels"),
    STORE_COLUMN(STORE_U64, struct archive_value, n_sums, "channels"),
};

static const struct store_column histogram_columns[] = {
    STORE_COLUMN(STORE_I32, struct histogram, exponent, "log2 of real per bin"),
    STORE_COLUMN(STORE_U64, struct histogram, n, "elements"),
    STORE_COLUMN(STORE_U64, struct histogram, zeros, "elements"),
    STORE_COLUMN(STORE_U64, struct histogram, nans, "elements"),
    STORE_COLUMN(STORE_U64, struct histogram, positive_infs, "elements"),
    STORE_COLUMN(STORE_U64, struct histogram, negative_infs, "elements"),
    STORE_COLUMN(STORE_F32, struct histogram, min, "real"),
    STORE_COLUMN(STORE_F32, struct histogram, max, "real"),
};

static const struct store_column bad_columns[] = {
    STORE_COLUMN(STORE_U64, struct archive_bad_record, ordinal, "number of a record"),
    STORE_COLUMN(STORE_TEXT, struct archive_bad_record, reason, NULL),
};

static const struct store_column equalized_columns[] = {
    STORE_COLUMN(STORE_U32, struct archive_equalized, value, "row of /values"),
    STORE_COLUMN(STORE_I32, struct archive_equalized, exponent, "log2"),
    STORE_COLUMN(STORE_U32, struct archive_equalized, beside, "row of /values"), /* from format version 3 on */
};

static const struct store_column job_columns[] = {{"job", STORE_U8, 0, 1, NULL}};
static const struct store_column done_columns[] = {
    {"blocks_done", STORE_U64, 0, sizeof(uint64_t), "64 blocks, a bit each"}};
static const struct store_column error_sums_columns[] = {
    {"error_sums", STORE_U64, 0, sizeof(uint64_t), "2^(32 i - 640) real^2"}};
static const struct store_column passes_column = {"n_passes", STORE_U64, offsetof(struct archive, n_passes),
                                                  sizeof(uint64_t), NULL};
static const struct store_column shard_columns[] = {
    STORE_COLUMN(STORE_U64, struct archive_shard, n_values, "values"),
    STORE_COLUMN(STORE_TEXT, struct archive_shard, content_sha256, NULL),
};
static const struct store_column first_block_columns[] = {
    {"first_block", STORE_U64, 0, sizeof(uint64_t), "number of a block"}};
static const struct store_column n_ranges_column = {"n", STORE_U64, 0, sizeof(uint64_t), NULL};
static const struct store_column bins_column = {"bins", STORE_U64, 0, sizeof(uint64_t), NULL};
static const struct store_column digest_column = {"content_sha256", STORE_TEXT, 0, SHA256_HEX_BYTES, NULL};

void archive_transfer_preamble(struct store *store, struct archive_preamble *preamble)
{
    /* etalon_version is written with the run's attributes; here it is only looked at, to name the writer. */
    for (size_t i = 0; i < COUNT(preamble_columns) - (store->is_reading ? 0 : 1); i++)
        store_attribute(store, store->file, &preamble_columns[i], preamble, false);
}

void archive_transfer_digest(struct store *store, char hex[SHA256_HEX_BYTES])
{
    store_attribute(store, store->file, &digest_column, hex, false);
}

/* ---- histograms ------------------------------------------------------------------------------------------------- */

static struct histogram *series_at(const struct archive_series *series, size_t i)
{
    return (struct histogram *)(void *)(series->first + i * series->stride);
}

/* Reading: empty histograms. Writing: are they all of the bins that the dataset will have? */
static void prepare_series(struct store *store, const struct archive_series *series)
{
    for (size_t i = 0; i < series->n && !store->has_failed; i++) {
        struct histogram *h = series_at(series, i);
        struct error err;

        if (store->is_reading && histogram_init(h, series->bins, &err) != 0)
            store_fail(store, err.code == EX_USAGE ? EX_DATAERR : err.code, "%s", err.text);
        else if (h->bins != series->bins)
            store_fail(store, EX_SOFTWARE, "a histogram of %zu bins among those of %zu", h->bins, series->bins);
    }
}

/* The negative half exists in memory only once there was a negative value; in the file it is a row of zeros then. */
static void transfer_negative(struct store *store, struct store_rows *rows, const struct archive_series *series)
{
    uint64_t *row = store_allocate(store, series->bins, sizeof *row, "a row of counts");

    for (size_t i = 0; i < series->n && !store->has_failed; i++) {
        struct histogram *h = series_at(series, i);
        uint64_t any = 0;

        if (!store->is_reading) {
            if (h->negative != NULL)
                memcpy(row, h->negative, series->bins * sizeof *row);
            else
                memset(row, 0, series->bins * sizeof *row);
        }
        store_row(store, rows, i, row);
        for (size_t k = 0; store->is_reading && k < series->bins; k++)
            any |= row[k];
        if (any == 0 || store->has_failed)
            continue;
        h->negative = store_allocate(store, series->bins, sizeof *row, "the negative half of a histogram");
        if (h->negative != NULL)
            memcpy(h->negative, row, series->bins * sizeof *row);
    }
    free(row);
}

void archive_transfer_series(struct store *store, hid_t group, const struct archive_series *series)
{
    struct store_rows positive, negative;

    /* Reading, the datasets are measured before anything is allocated that is as large as they claim to be. */
    store_rows_begin(store, group, "positive", "elements", series->n, series->bins, &positive);
    prepare_series(store, series);
    for (size_t i = 0; i < series->n && !store->has_failed; i++)
        store_row(store, &positive, i, series_at(series, i)->positive);
    store_rows_end(store, &positive);

    store_rows_begin(store, group, "negative", "elements", series->n, series->bins, &negative);
    transfer_negative(store, &negative, series);
    store_rows_end(store, &negative);

    store_columns(store, group, histogram_columns, COUNT(histogram_columns), series->first, series->stride, series->n);
}

struct histogram *archive_transfer_histograms(struct store *store, hid_t parent, const char *name,
                                              struct histogram *histograms, size_t n)
{
    uint64_t bins = store->is_reading || n == 0 ? 0 : histograms[0].bins;
    struct archive_series series = {.stride = sizeof *histograms, .n = n};
    hid_t group = store_enter(store, parent, name);
    char object[STORE_OBJECT_NAME_BYTES];
    size_t found;

    store_attribute(store, group, &bins_column, &bins, true);
    found = store_count(store, group, "n", n);
    if (!store->has_failed && found != n)
        store_fail(store, EX_DATAERR, "group %s: expected %zu histograms, found %zu",
                   store_object_name(group, NULL, object), n, found);
    if (store->is_reading)
        histograms = store_allocate(store, n, sizeof *histograms, "histograms");
    series.first = (char *)histograms;
    series.bins = bins;
    if (!store->has_failed)
        archive_transfer_series(store, group, &series);
    store_leave(store, group);
    return histograms;
}

/* ---- the parts of the archive ----------------------------------------------------------------------------------- */

/* Channels of one value: a group named by the value's index, for names may hold anything. */
static void transfer_channels(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    char name[24];

    snprintf(name, sizeof name, "%06zu", index);
    if (value->channels > 0)
        value->per_channel = archive_transfer_histograms(store, parent, name, value->per_channel, value->channels);
}

/* Sums of one value: a dataset named by the value's index, a row of limbs per channel (the last limb's sign wraps). */
static void transfer_sums(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    struct store_rows rows;
    char name[24];

    _Static_assert(sizeof(struct exact_sum) == EXACT_SUM_LIMBS * sizeof(uint64_t), "an exact sum is its limbs");
    snprintf(name, sizeof name, "%06zu", index);
    store_rows_begin(store, parent, name, "2^(32 i - 640) real", value->n_sums, EXACT_SUM_LIMBS, &rows);
    if (store->is_reading)
        value->sums = store_allocate(store, value->n_sums, sizeof *value->sums, "sums of channels");
    for (size_t c = 0; c < value->n_sums && !store->has_failed; c++)
        store_row(store, &rows, c, (uint64_t *)value->sums[c].limb);
    store_rows_end(store, &rows);
}

/* Counts of a second pass: a group named by the value's index, a row per range. */
static void transfer_value_ranges(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    struct store_rows rows;
    char name[24];
    hid_t group;

    snprintf(name, sizeof name, "%06zu", index);
    if (store->is_reading ? !store_has(store, parent, name) : value->n_ranges == 0)
        return;
    group = store_enter(store, parent, name);
    store_attribute(store, group, &n_ranges_column, &value->n_ranges, true);
    store_rows_begin(store, group, "counts", "elements", value->n_ranges, ARCHIVE_RANGE_BINS, &rows);
    if (store->is_reading)
        value->range_counts = store_allocate(store, value->n_ranges, ARCHIVE_RANGE_BINS * sizeof *value->range_counts,
                                             "counts of ranges");
    for (size_t i = 0; i < value->n_ranges && !store->has_failed; i++)
        store_row(store, &rows, i, value->range_counts + i * ARCHIVE_RANGE_BINS);
    store_rows_end(store, &rows);
    store_leave(store, group);
}

/* The group is there only after a second pass. */
static void transfer_ranges(struct store *store, struct archive *archive)
{
    static const char name[] = "ranges";
    bool has_ranges = false;
    hid_t group;

    for (size_t i = 0; i < archive->n_values; i++)
        has_ranges = has_ranges || archive->values[i].n_ranges > 0;
    if (store->is_reading ? !store_has(store, store->file, name) : !has_ranges)
        return;
    group = store_enter(store, store->file, name);
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++)
        transfer_value_ranges(store, group, i, &archive->values[i]);
    store_leave(store, group);
}

static void transfer_values(struct store *store, struct archive *archive)
{
    hid_t group = store_enter(store, store->file, "values"), channels, sums;

    STORE_LIST(store, group, value_columns, archive, values, "the values");
    if (!store->has_failed) {
        struct archive_series series = {(char *)archive->values + offsetof(struct archive_value, histogram),
                                        sizeof *archive->values, archive->n_values, archive->bins};

        archive_transfer_series(store, group, &series);
    }
    store_leave(store, group);

    channels = store_enter(store, store->file, "channels");
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++)
        transfer_channels(store, channels, i, &archive->values[i]);
    store_leave(store, channels);

    sums = store_enter(store, store->file, "sums");
    for (size_t i = 0; i < archive->n_values && !store->has_failed; i++)
        if (archive->values[i].n_sums > 0)
            transfer_sums(store, sums, i, &archive->values[i]);
    store_leave(store, sums);
    transfer_ranges(store, archive);
}

/* Where parts are ranges of blocks, which format version 1 knew alone. */
static void transfer_first_blocks(struct store *store, hid_t group, struct archive *archive)
{
    size_t n = ARCHIVE_PARTS + 1;

    if (store->is_reading ? !store_has(store, group, first_block_columns[0].name) : archive->part_blocks == NULL)
        return;
    archive->part_blocks = store_array(store, group, first_block_columns, 1, archive->part_blocks,
                                       sizeof *archive->part_blocks, &n, "the first blocks of parts");
    if (!store->has_failed && n != ARCHIVE_PARTS + 1)
        store_fail(store, EX_DATAERR, "group /parts: expected %d block numbers, found %zu", ARCHIVE_PARTS + 1, n);
}

/* Absent where no parts were kept. */
static void transfer_parts(struct store *store, struct archive *archive)
{
    hid_t group;

    if (store->is_reading ? !store_has(store, store->file, "parts") : archive->n_parts == 0)
        return;
    group = store_enter(store, store->file, "parts");
    transfer_first_blocks(store, group, archive);
    if (archive->version > 1)
        store_columns(store, group, part_columns, COUNT(part_columns), archive->part_sizes, sizeof *archive->part_sizes,
                      ARCHIVE_PARTS);
    if (store->is_reading) {
        archive->parts = store_allocate(store, ARCHIVE_PARTS, sizeof *archive->parts, "the parts");
        archive->n_parts = archive->parts != NULL ? ARCHIVE_PARTS : 0;
    }
    for (size_t p = 0; p < ARCHIVE_PARTS && !store->has_failed; p++) {
        char name[24];

        snprintf(name, sizeof name, "%zu", p);
        archive->parts[p] = archive_transfer_histograms(store, group, name, archive->parts[p], archive->n_values);
    }
    store_leave(store, group);
}

/* Where a checkpoint's values are in files of their own. */
static void transfer_shards(struct store *store, hid_t parent, struct archive *archive)
{
    static const char name[] = "shards";
    hid_t group;

    if (store->is_reading ? !store_has(store, parent, name) : archive->n_shards == 0)
        return;
    group = store_enter(store, parent, name);
    store_attribute(store, group, &passes_column, archive, true);
    STORE_LIST(store, group, shard_columns, archive, shards, "the shards");
    store_leave(store, group);
}

/* Only in checkpoints. */
static void transfer_done(struct store *store, hid_t group, struct archive *archive)
{
    if (store->is_reading ? !store_has(store, group, done_columns[0].name) : archive->n_done == 0)
        return;
    STORE_LIST(store, group, done_columns, archive, done, "the finished blocks");
    transfer_shards(store, group, archive);
    if (store->is_reading ? store_has(store, group, error_sums_columns[0].name) : archive->n_error_sums > 0)
        STORE_LIST(store, group, error_sums_columns, archive, error_sums, "the error sums");
}

static void transfer_records(struct store *store, struct archive *archive)
{
    hid_t group = store_enter(store, store->file, "records"), bad;

    archive->records = store_array(store, group, record_columns, archive->version > 1 ? 2 : 1, archive->records,
                                   sizeof *archive->records, &archive->n_records, "the records");
    bad = store_enter(store, group, "bad");
    STORE_LIST(store, bad, bad_columns, archive, bad, "the bad records");
    store_leave(store, bad);
    transfer_done(store, group, archive);
    store_leave(store, group);
}

static void transfer_equalized(struct store *store, struct archive *archive)
{
    hid_t group = store_enter(store, store->file, "equalization");

    if (store->is_reading)
        archive->is_equalized_apart = archive->version > 2;
    archive->equalized =
        store_array(store, group, equalized_columns, archive->is_equalized_apart ? 3 : 2, archive->equalized,
                    sizeof *archive->equalized, &archive->n_equalized, "the equalization");
    store_leave(store, group);
}

void archive_transfer(struct store *store, struct archive *archive)
{
    for (size_t i = 0; i < COUNT(run_columns); i++)
        store_attribute(store, store->file, &run_columns[i], archive, true);
    for (size_t i = 0; archive->version > 1 && i < COUNT(measurement_columns); i++)
        store_attribute(store, store->file, &measurement_columns[i], archive, true);
    STORE_LIST(store, store->file, job_columns, archive, job, "the job");
    transfer_values(store, archive);
    transfer_parts(store, archive);
    archive_transfer_extras(store, archive);
    transfer_records(store, archive);
    transfer_equalized(store, archive);
    archive_transfer_targets(store, archive);
}
