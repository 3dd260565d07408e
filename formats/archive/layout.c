/* layout.c — see layout.h; jobs/doc/archive.md tells the same to readers of the file. */
#include "formats/archive/layout.h"
#include "common/memory.h"

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
};

static const struct store_column target_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_target, name, NULL),
};

static const struct store_column decision_columns[] = {
    STORE_COLUMN(STORE_U32, struct archive_decision, value, "row of /values"),
    STORE_COLUMN(STORE_F32, struct archive_decision, threshold, "real"),
    STORE_COLUMN(STORE_F32, struct archive_decision, scale, "real per step"),
    STORE_COLUMN(STORE_I32, struct archive_decision, zero_point, "steps"),
    STORE_COLUMN(STORE_I32, struct archive_decision, lo, "steps"),
    STORE_COLUMN(STORE_I32, struct archive_decision, hi, "steps"),
    STORE_COLUMN(STORE_TEXT, struct archive_decision, method, NULL),
    STORE_COLUMN(STORE_F64, struct archive_decision, sqnr_db, "dB"),
    STORE_COLUMN(STORE_F64, struct archive_decision, cosine, "1"),
    STORE_COLUMN(STORE_U64, struct archive_decision, clipped, "elements"),
    STORE_COLUMN(STORE_U64, struct archive_decision, elements, "elements"),
};

static const struct store_column channel_columns[] = {
    STORE_COLUMN(STORE_U32, struct archive_channel, decision, "row of the decisions"),
    STORE_COLUMN(STORE_F32, struct archive_channel, threshold, "real"),
    STORE_COLUMN(STORE_F32, struct archive_channel, scale, "real per step"),
};

static const struct store_column layer_columns[] = {
    STORE_COLUMN(STORE_TEXT, struct archive_layer, name, NULL),
    STORE_COLUMN(STORE_U64, struct archive_layer, n_scales, "scales"),
    STORE_COLUMN(STORE_U64, struct archive_layer, n_biases, "biases"),
    STORE_COLUMN(STORE_TEXT, struct archive_layer, method, NULL),
    STORE_COLUMN(STORE_F64, struct archive_layer, weight_mse, "real^2"),
    STORE_COLUMN(STORE_F64, struct archive_layer, weight_mse_max_abs, "real^2"),
};

static const struct store_column fingerprint_column =
    STORE_COLUMN(STORE_TEXT, struct archive_target, fingerprint, NULL);
static const struct store_column weight_scale_column = {"weight_scale", STORE_F32, 0, sizeof(float), "real per step"};
static const struct store_column bias_column = {"bias", STORE_F32, 0, sizeof(float), "real"};
static const struct store_column code_column = {"code", STORE_U8, 0, 1, "steps + 128"};
static const struct store_column job_column = {"job", STORE_U8, 0, 1, NULL};
static const struct store_column done_column = {"blocks_done", STORE_U64, 0, sizeof(uint64_t), "64 blocks, a bit each"};
static const struct store_column error_sums_column = {"error_sums", STORE_U64, 0, sizeof(uint64_t),
                                                      "2^(32 i - 640) real^2"};
static const struct store_column passes_column = {"n_passes", STORE_U64, offsetof(struct archive, n_passes),
                                                  sizeof(uint64_t), NULL};
static const struct store_column shard_columns[] = {
    STORE_COLUMN(STORE_U64, struct archive_shard, n_values, "values"),
    STORE_COLUMN(STORE_TEXT, struct archive_shard, content_sha256, NULL),
};
static const struct store_column first_block_column = {"first_block", STORE_U64, 0, sizeof(uint64_t),
                                                       "number of a block"};
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

/* ---- the parts of the archive ----------------------------------------------------------------------------------- */

/* Channels of one value: a group named by the value's index, for names may hold anything. */
static void transfer_channels(struct store *store, hid_t parent, size_t index, struct archive_value *value)
{
    uint64_t bins = value->per_channel != NULL ? value->per_channel[0].bins : 0;
    struct archive_series series = {.stride = sizeof *value->per_channel, .n = value->channels};
    char name[24];
    hid_t group;

    snprintf(name, sizeof name, "%06zu", index);
    group = store_enter(store, parent, name);
    store_attribute(store, group, &bins_column, &bins, true);
    if (store_count(store, group, "n", value->channels) != value->channels)
        store_fail(store, EX_DATAERR, "group /channels/%s: expected statistics of %zu channels", name, value->channels);
    if (store->is_reading)
        value->per_channel =
            store_allocate(store, value->channels, sizeof *value->per_channel, "statistics of channels");
    series.first = (char *)value->per_channel;
    series.bins = bins;
    if (!store->has_failed)
        archive_transfer_series(store, group, &series);
    store_leave(store, group);
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
    size_t n = store_count(store, group, "name", archive->n_values);

    if (store->is_reading) {
        archive->values = store_allocate(store, n, sizeof *archive->values, "the values");
        archive->n_values = archive->values != NULL ? n : 0;
    }
    store_columns(store, group, value_columns, COUNT(value_columns), archive->values, sizeof *archive->values, n);
    if (!store->has_failed) {
        struct archive_series series = {(char *)archive->values + offsetof(struct archive_value, histogram),
                                        sizeof *archive->values, n, archive->bins};

        archive_transfer_series(store, group, &series);
    }
    store_leave(store, group);

    channels = store_enter(store, store->file, "channels");
    for (size_t i = 0; i < n && !store->has_failed; i++)
        if (archive->values[i].channels > 0)
            transfer_channels(store, channels, i, &archive->values[i]);
    store_leave(store, channels);

    sums = store_enter(store, store->file, "sums");
    for (size_t i = 0; i < n && !store->has_failed; i++)
        if (archive->values[i].n_sums > 0)
            transfer_sums(store, sums, i, &archive->values[i]);
    store_leave(store, sums);
    transfer_ranges(store, archive);
}

/* A dataset that is one array of plain numbers: `items` when writing, memory for what the file holds when reading. */
static void *transfer_array(struct store *store, hid_t group, const struct store_column *column, void *items, size_t *n)
{
    size_t count = store_count(store, group, column->name, *n);

    if (store->is_reading) {
        items = store_allocate(store, count, column->size, column->name);
        *n = items != NULL ? count : 0;
    }
    store_columns(store, group, column, 1, items, column->size, count);
    return items;
}

/* One part of all values: a group named by its number. */
static void transfer_part(struct store *store, hid_t parent, size_t part, size_t n_values,
                          struct histogram **histograms)
{
    uint64_t bins = !store->is_reading && n_values > 0 ? (*histograms)->bins : 0;
    struct archive_series series = {.stride = sizeof **histograms, .n = n_values};
    char name[24];
    hid_t group;

    snprintf(name, sizeof name, "%zu", part);
    group = store_enter(store, parent, name);
    store_attribute(store, group, &bins_column, &bins, true);
    if (store_count(store, group, "n", n_values) != n_values)
        store_fail(store, EX_DATAERR, "group /parts/%s: expected statistics of %zu values", name, n_values);
    if (store->is_reading)
        *histograms = store_allocate(store, n_values, sizeof **histograms, "statistics of a part");
    series.first = (char *)*histograms;
    series.bins = bins;
    if (!store->has_failed)
        archive_transfer_series(store, group, &series);
    store_leave(store, group);
}

/* Where parts are ranges of blocks, which format version 1 knew alone. */
static void transfer_first_blocks(struct store *store, hid_t group, struct archive *archive)
{
    size_t n = ARCHIVE_PARTS + 1;

    if (store->is_reading ? !store_has(store, group, first_block_column.name) : archive->part_blocks == NULL)
        return;
    archive->part_blocks = transfer_array(store, group, &first_block_column, archive->part_blocks, &n);
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
    for (size_t p = 0; p < ARCHIVE_PARTS && !store->has_failed; p++)
        transfer_part(store, group, p, archive->n_values, &archive->parts[p]);
    store_leave(store, group);
}

/* Where a checkpoint's values are in files of their own. */
static void transfer_shards(struct store *store, hid_t parent, struct archive *archive)
{
    static const char name[] = "shards";
    hid_t group;
    size_t n;

    if (store->is_reading ? !store_has(store, parent, name) : archive->n_shards == 0)
        return;
    group = store_enter(store, parent, name);
    store_attribute(store, group, &passes_column, archive, true);
    n = store_count(store, group, shard_columns[0].name, archive->n_shards);
    if (store->is_reading) {
        archive->shards = store_allocate(store, n, sizeof *archive->shards, "the shards");
        archive->n_shards = archive->shards != NULL ? n : 0;
    }
    store_columns(store, group, shard_columns, COUNT(shard_columns), archive->shards, sizeof *archive->shards, n);
    store_leave(store, group);
}

/* Only in checkpoints. */
static void transfer_done(struct store *store, hid_t group, struct archive *archive)
{
    if (store->is_reading ? !store_has(store, group, done_column.name) : archive->n_done == 0)
        return;
    archive->done = transfer_array(store, group, &done_column, archive->done, &archive->n_done);
    transfer_shards(store, group, archive);
    if (store->is_reading ? store_has(store, group, error_sums_column.name) : archive->n_error_sums > 0)
        archive->error_sums =
            transfer_array(store, group, &error_sums_column, archive->error_sums, &archive->n_error_sums);
}

static void transfer_records(struct store *store, struct archive *archive)
{
    hid_t group = store_enter(store, store->file, "records"), bad;
    size_t n = store_count(store, group, record_columns[0].name, archive->n_records), n_bad;

    if (store->is_reading) {
        archive->records = store_allocate(store, n, sizeof *archive->records, "the records");
        archive->n_records = archive->records != NULL ? n : 0;
    }
    store_columns(store, group, record_columns, archive->version > 1 ? 2 : 1, archive->records,
                  sizeof *archive->records, n);
    bad = store_enter(store, group, "bad");
    n_bad = store_count(store, bad, bad_columns[0].name, archive->n_bad);
    if (store->is_reading) {
        archive->bad = store_allocate(store, n_bad, sizeof *archive->bad, "the bad records");
        archive->n_bad = archive->bad != NULL ? n_bad : 0;
    }
    store_columns(store, bad, bad_columns, COUNT(bad_columns), archive->bad, sizeof *archive->bad, n_bad);
    store_leave(store, bad);
    transfer_done(store, group, archive);
    store_leave(store, group);
}

static void transfer_equalized(struct store *store, struct archive *archive)
{
    hid_t group = store_enter(store, store->file, "equalization");
    size_t n = store_count(store, group, equalized_columns[0].name, archive->n_equalized);

    if (store->is_reading) {
        archive->equalized = store_allocate(store, n, sizeof *archive->equalized, "the equalization");
        archive->n_equalized = archive->equalized != NULL ? n : 0;
    }
    store_columns(store, group, equalized_columns, COUNT(equalized_columns), archive->equalized,
                  sizeof *archive->equalized, n);
    store_leave(store, group);
}

/* Names of targets are names of groups. Ours are words; a stranger's must not be a path. */
static bool is_group_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* Scales per channel; the group is there only where a value has such. */
static void transfer_target_channels(struct store *store, hid_t parent, struct archive_target *target)
{
    static const char name[] = "channels";
    hid_t group;
    size_t n;

    if (store->is_reading ? !store_has(store, parent, name) : target->n_channels == 0)
        return;
    group = store_enter(store, parent, name);
    n = store_count(store, group, channel_columns[0].name, target->n_channels);
    if (store->is_reading) {
        target->channels = store_allocate(store, n, sizeof *target->channels, "the scales of channels");
        target->n_channels = target->channels != NULL ? n : 0;
    }
    store_columns(store, group, channel_columns, COUNT(channel_columns), target->channels, sizeof *target->channels, n);
    store_leave(store, group);
}

static void transfer_layers(struct store *store, hid_t parent, struct archive_target *target)
{
    hid_t group = store_enter(store, parent, "layers");
    size_t n = store_count(store, group, layer_columns[0].name, target->n_layers);

    if (store->is_reading) {
        target->layers = store_allocate(store, n, sizeof *target->layers, "the layers");
        target->n_layers = target->layers != NULL ? n : 0;
    }
    store_columns(store, group, layer_columns, COUNT(layer_columns), target->layers, sizeof *target->layers, n);
    target->weight_scales =
        transfer_array(store, group, &weight_scale_column, target->weight_scales, &target->n_weight_scales);
    target->biases = transfer_array(store, group, &bias_column, target->biases, &target->n_biases);
    if (store->is_reading ? store_has(store, group, code_column.name) : target->n_codes > 0)
        target->codes = transfer_array(store, group, &code_column, target->codes, &target->n_codes);
    store_leave(store, group);
}

static void transfer_target(struct store *store, hid_t parent, struct archive_target *target)
{
    hid_t group;
    size_t n;

    if (!is_group_name(target->name)) {
        store_fail(store, store->is_reading ? EX_DATAERR : EX_SOFTWARE, "\"%s\" is not the name of a target",
                   target->name);
        return;
    }
    group = store_enter(store, parent, target->name);
    store_attribute(store, group, &fingerprint_column, target, true);
    n = store_count(store, group, decision_columns[0].name, target->n_decisions);
    if (store->is_reading) {
        target->decisions = store_allocate(store, n, sizeof *target->decisions, "the decisions");
        target->n_decisions = target->decisions != NULL ? n : 0;
    }
    store_columns(store, group, decision_columns, COUNT(decision_columns), target->decisions, sizeof *target->decisions,
                  n);
    transfer_target_channels(store, group, target);
    transfer_layers(store, group, target);
    store_leave(store, group);
}

static void transfer_targets(struct store *store, struct archive *archive)
{
    hid_t names = store_enter(store, store->file, "target_names"), group;
    size_t n = store_count(store, names, target_columns[0].name, archive->n_targets);

    if (store->is_reading) {
        archive->targets = store_allocate(store, n, sizeof *archive->targets, "the targets");
        archive->n_targets = archive->targets != NULL ? n : 0;
    }
    store_columns(store, names, target_columns, COUNT(target_columns), archive->targets, sizeof *archive->targets, n);
    store_leave(store, names);

    group = store_enter(store, store->file, "targets");
    for (size_t i = 0; i < n && !store->has_failed; i++)
        transfer_target(store, group, &archive->targets[i]);
    store_leave(store, group);
}

void archive_transfer(struct store *store, struct archive *archive)
{
    for (size_t i = 0; i < COUNT(run_columns); i++)
        store_attribute(store, store->file, &run_columns[i], archive, true);
    for (size_t i = 0; archive->version > 1 && i < COUNT(measurement_columns); i++)
        store_attribute(store, store->file, &measurement_columns[i], archive, true);
    archive->job = transfer_array(store, store->file, &job_column, archive->job, &archive->n_job);
    transfer_values(store, archive);
    transfer_parts(store, archive);
    archive_transfer_extras(store, archive);
    transfer_records(store, archive);
    transfer_equalized(store, archive);
    transfer_targets(store, archive);
}
