/* read.c — archive_read: nothing is believed that the digest and the counts do not confirm. */
#include "common/equalize.h"
#include "formats/archive/layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check_version(const struct archive_preamble *preamble, struct error *err)
{
    if (strcmp(preamble->format, archive_format) != 0)
        return error_set(err, EX_DATAERR, "expected an %s, found \"%s\"", archive_format, preamble->format);
    if (preamble->format_version < 1 || preamble->format_version > ARCHIVE_VERSION)
        return error_set(err, EX_DATAERR, "format version %u, written by etalon %s; this program reads up to %d",
                         preamble->format_version, preamble->etalon_version, ARCHIVE_VERSION);
    return 0;
}

static int check_extras(const struct archive_value *value, struct error *err)
{
    bool is_right =
        exact_sum_is_normalised(&value->extrema.smallest) && exact_sum_is_normalised(&value->extrema.largest);

    if (value->extrema.elements > value->histogram.n || value->extrema.records > value->extrema.elements)
        return error_set(err, EX_DATAERR, "value \"%s\": extrema of %llu records and %llu elements, of %llu",
                         value->name, (unsigned long long)value->extrema.records,
                         (unsigned long long)value->extrema.elements, (unsigned long long)value->histogram.n);
    for (size_t c = 0; c < value->n_squares; c++)
        is_right = is_right && exact_sum_is_normalised(&value->squares[c]);
    if (!is_right)
        return error_set(err, EX_DATAERR, "value \"%s\": its extrema or squares are not normalised", value->name);
    for (size_t i = 0; i < value->n_top_two; i++)
        if (histogram_check(&value->top_two[i], err) != 0)
            return error_in(err, "value \"%s\": its two largest", value->name);
    return 0;
}

static int check_value(const struct archive_value *value, struct error *err)
{
    if (histogram_check(&value->histogram, err) != 0)
        return error_in(err, "value \"%s\"", value->name);
    for (size_t c = 0; c < value->channels; c++)
        if (histogram_check(&value->per_channel[c], err) != 0)
            return error_in(err, "value \"%s\": channel %zu", value->name, c);
    if (value->n_ranges > 1 && value->n_ranges != value->channels)
        return error_set(err, EX_DATAERR, "value \"%s\": expected ranges of 1 or %zu channels, found %llu", value->name,
                         value->channels, (unsigned long long)value->n_ranges);
    for (size_t c = 0; c < value->n_sums; c++)
        if (!exact_sum_is_normalised(&value->sums[c]))
            return error_set(err, EX_DATAERR, "value \"%s\": the sum of channel %zu is not normalised", value->name, c);
    return check_extras(value, err);
}

/* Parts of value i are histograms, and have seen all that the value has seen. */
static int check_parts_of_value(const struct archive *archive, size_t i, struct error *err)
{
    const struct archive_value *value = &archive->values[i];
    uint64_t n = 0;

    for (size_t p = 0; p < archive->n_parts; p++) {
        if (histogram_check(&archive->parts[p][i], err) != 0)
            return error_in(err, "value \"%s\": part %zu", value->name, p);
        n += archive->parts[p][i].n;
    }
    if (archive->n_parts > 0 && n != value->histogram.n)
        return error_set(err, EX_DATAERR, "value \"%s\": its parts have seen %llu elements, all of it %llu",
                         value->name, (unsigned long long)n, (unsigned long long)value->histogram.n);
    return 0;
}

static int check_part_blocks(const struct archive *archive, struct error *err)
{
    uint64_t n_records = 0;

    for (size_t p = 0; p < archive->n_parts; p++)
        n_records += archive->part_sizes[p].n_records;
    if (archive->n_parts > 0 && archive->n_done == 0 && n_records != archive->records_used)
        return error_set(err, EX_DATAERR, "the parts have seen %llu records, of %llu that were used",
                         (unsigned long long)n_records, (unsigned long long)archive->records_used);
    for (size_t p = 0; archive->part_blocks != NULL && p < archive->n_parts; p++)
        if (archive->part_blocks[p] > archive->part_blocks[p + 1])
            return error_set(err, EX_DATAERR, "part %zu begins with block %llu and ends with %llu", p,
                             (unsigned long long)archive->part_blocks[p],
                             (unsigned long long)archive->part_blocks[p + 1]);
    return 0;
}

/* Channels come in order, and all of a value that has any. */
static int check_channels(const struct archive_target *target, const struct archive_value *values, struct error *err)
{
    for (size_t i = 0; i < target->n_channels;) {
        uint32_t decision = target->channels[i].decision;
        size_t first = i;

        if (decision >= target->n_decisions || (i > 0 && decision <= target->channels[i - 1].decision))
            return error_set(err, EX_DATAERR, "target \"%s\": channel %zu is about decision %u of %zu, out of order",
                             target->name, i, decision, target->n_decisions);
        for (; i < target->n_channels && target->channels[i].decision == decision; i++)
            if (!isfinite(target->channels[i].scale) || !(target->channels[i].scale > 0))
                return error_set(err, EX_DATAERR,
                                 "target \"%s\": decision %u, channel %zu: expected a positive scale, found %g",
                                 target->name, decision, i - first, (double)target->channels[i].scale);
        if (i - first != values[target->decisions[decision].value].channels)
            return error_set(err, EX_DATAERR, "target \"%s\": decision %u: expected %zu channels, found %zu",
                             target->name, decision, values[target->decisions[decision].value].channels, i - first);
    }
    return 0;
}

/* Every layer's scales and biases are there. */
static int check_layers(const struct archive_target *target, struct error *err)
{
    size_t scales = 0, biases = 0;

    for (size_t i = 0; i < target->n_layers; i++) {
        const struct archive_layer *layer = &target->layers[i];

        if (layer->n_scales > target->n_weight_scales - scales || layer->n_biases > target->n_biases - biases)
            return error_set(
                err, EX_DATAERR,
                "target \"%s\": layer \"%s\" has %llu scales and %llu biases, of which %zu and %zu are left",
                target->name, layer->name, (unsigned long long)layer->n_scales, (unsigned long long)layer->n_biases,
                target->n_weight_scales - scales, target->n_biases - biases);
        scales += layer->n_scales;
        biases += layer->n_biases;
    }
    if (scales != target->n_weight_scales || biases != target->n_biases)
        return error_set(err, EX_DATAERR, "target \"%s\": expected %zu weight scales and %zu biases, found %zu and %zu",
                         target->name, scales, biases, target->n_weight_scales, target->n_biases);
    for (size_t i = 0; i < target->n_weight_scales; i++)
        if (!isfinite(target->weight_scales[i]) || !(target->weight_scales[i] > 0))
            return error_set(err, EX_DATAERR, "target \"%s\": weight scale %zu: expected a positive number, found %g",
                             target->name, i, (double)target->weight_scales[i]);
    return 0;
}

static int check_target(const struct archive_target *target, const struct archive_value *values, size_t n_values,
                        struct error *err)
{
    for (size_t i = 0; i < target->n_decisions; i++) {
        const struct archive_decision *d = &target->decisions[i];

        if (d->value >= n_values)
            return error_set(err, EX_DATAERR, "target \"%s\": decision %zu is about value %u of %zu", target->name, i,
                             d->value, n_values);
        if (!isfinite(d->scale) || !(d->scale > 0) || d->lo > d->hi)
            return error_set(err, EX_DATAERR,
                             "target \"%s\": decision %zu: expected a positive scale and a range, "
                             "found %g and [%d, %d]",
                             target->name, i, (double)d->scale, d->lo, d->hi);
        if (d->clipped > d->elements)
            return error_set(err, EX_DATAERR, "target \"%s\": decision %zu: %llu of %llu elements are clipped",
                             target->name, i, (unsigned long long)d->clipped, (unsigned long long)d->elements);
    }
    return check_channels(target, values, err) != 0 ? -1 : check_layers(target, err);
}

static int check_equalized(const struct archive *archive, size_t i, struct error *err)
{
    const struct archive_equalized *row = &archive->equalized[i];

    if (row->value >= archive->n_values || (i > 0 && row->value < row[-1].value))
        return error_set(err, EX_DATAERR, "equalized channel %zu is of value %u of %zu, out of order", i, row->value,
                         archive->n_values);
    if (row->exponent < -EQUALIZATION_MAX_EXPONENT || row->exponent > EQUALIZATION_MAX_EXPONENT)
        return error_set(err, EX_DATAERR, "equalized channel %zu: expected an exponent of -%d to %d, found %d", i,
                         EQUALIZATION_MAX_EXPONENT, EQUALIZATION_MAX_EXPONENT, row->exponent);
    if (archive->is_equalized_apart && (row->beside <= row->value || row->beside >= archive->n_values))
        return error_set(err, EX_DATAERR, "equalized channel %zu: value %u of %zu is not beside %u", i, row->beside,
                         archive->n_values, row->value);
    return 0;
}

/* The invariants of archive.h, of an archive whose digest is right: only our own mistakes can break them. */
static int check_content(const struct archive *archive, struct error *err)
{
    if (archive->n_bad > archive->n_records || archive->records_used > archive->n_records - archive->n_bad)
        return error_set(err, EX_DATAERR, "%llu records used and %zu bad, of %zu",
                         (unsigned long long)archive->records_used, archive->n_bad, archive->n_records);
    for (size_t i = 0; i < archive->n_bad; i++)
        if (archive->bad[i].ordinal >= archive->n_records)
            return error_set(err, EX_DATAERR, "bad record %llu of %zu", (unsigned long long)archive->bad[i].ordinal,
                             archive->n_records);
    for (size_t i = 0; i < archive->n_values; i++)
        if (check_value(&archive->values[i], err) != 0 || check_parts_of_value(archive, i, err) != 0)
            return -1;
    if (check_part_blocks(archive, err) != 0)
        return -1;
    for (size_t i = 0; i < archive->n_equalized; i++)
        if (check_equalized(archive, i, err) != 0)
            return -1;
    for (size_t i = 0; i < archive->n_targets; i++)
        if (check_target(&archive->targets[i], archive->values, archive->n_values, err) != 0)
            return -1;
    return 0;
}

/* What format version 1 left to its readers: bad records were those without a digest. */
static void count_parts(struct archive *archive)
{
    uint64_t record = 0;

    for (size_t p = 0; p < archive->n_parts; p++) {
        struct archive_part *part = &archive->part_sizes[p];

        part->n_blocks = archive->part_blocks[p + 1] - archive->part_blocks[p];
        for (; record < archive->n_records && record / archive->block_size < archive->part_blocks[p + 1]; record++)
            part->n_records += archive->records[record].digest != 0;
    }
}

static int read_file(const char *path, struct archive *archive, char hex[SHA256_HEX_BYTES], struct error *err)
{
    struct archive_preamble preamble = {0};
    char promised[SHA256_HEX_BYTES] = "";
    struct store store;

    if (store_open(&store, path, err) != 0)
        return -1;
    archive_transfer_preamble(&store, &preamble);
    if (!store.has_failed && check_version(&preamble, err) != 0)
        store.has_failed = true;
    archive->version = preamble.format_version;
    archive_transfer(&store, archive);
    store_take_digest(&store, hex);
    archive_transfer_digest(&store, promised);
    if (store_close(&store) != 0)
        return -1;
    if (strcmp(hex, promised) != 0)
        return error_set(err, EX_DATAERR, "the content is not what was written: expected SHA-256 %s, found %s",
                         promised, hex);
    if (archive->version == 1 && archive->n_parts > 0 && (archive->part_blocks == NULL || archive->block_size == 0))
        return error_set(err, EX_DATAERR, "parts without block numbers");
    if (archive->version == 1)
        count_parts(archive);
    return check_content(archive, err);
}

int archive_read_digest(const char *path, struct archive *archive, char hex[SHA256_HEX_BYTES], struct error *err)
{
    struct archive found = {0};

    if (read_file(path, &found, hex, err) != 0) {
        archive_fini(&found);
        return error_in(err, "%s", path);
    }
    *archive = found;
    return 0;
}

int archive_read(const char *path, struct archive *archive, struct error *err)
{
    char unused[SHA256_HEX_BYTES];

    return archive_read_digest(path, archive, unused, err);
}

void archive_target_fini(struct archive_target *target)
{
    free(target->decisions);
    free(target->channels);
    free(target->layers);
    free(target->weight_scales);
    free(target->biases);
    free(target->codes);
}

static void value_fini(struct archive_value *value)
{
    histogram_fini(&value->histogram);
    for (size_t c = 0; value->per_channel != NULL && c < value->channels; c++)
        histogram_fini(&value->per_channel[c]);
    free(value->per_channel);
    for (size_t k = 0; value->top_two != NULL && k < value->n_top_two; k++)
        histogram_fini(&value->top_two[k]);
    free(value->top_two);
    free(value->squares);
    free(value->sums);
    free(value->range_counts);
}

size_t archive_own_values(const struct archive *archive)
{
    size_t n = archive->n_values;

    for (size_t i = 0; archive->is_equalized_apart && i < archive->n_equalized; i++)
        n = archive->equalized[i].beside < n ? archive->equalized[i].beside : n;
    return n;
}

void archive_keep_values(struct archive *archive, size_t n)
{
    for (size_t p = 0; p < archive->n_parts; p++)
        for (size_t i = n; archive->parts[p] != NULL && i < archive->n_values; i++)
            histogram_fini(&archive->parts[p][i]);
    for (size_t i = n; i < archive->n_values; i++)
        value_fini(&archive->values[i]);
    archive->n_values = n < archive->n_values ? n : archive->n_values;
}

void archive_fini(struct archive *archive)
{
    archive_keep_values(archive, 0);
    for (size_t p = 0; p < archive->n_parts; p++)
        free(archive->parts[p]);
    free(archive->parts);
    free(archive->part_blocks);
    for (size_t i = 0; i < archive->n_targets; i++)
        archive_target_fini(&archive->targets[i]);
    free(archive->values);
    free(archive->records);
    free(archive->bad);
    free(archive->done);
    free(archive->shards);
    free(archive->error_sums);
    free(archive->job);
    free(archive->equalized);
    free(archive->targets);
    *archive = (struct archive){0};
}
