/* keep.c — see keep.h. */
#include "coordinator/keep.h"

#include "common/memory.h"
#include "coordinator/keep_extras.h"
#include "coordinator/keep_job.h"
#include "coordinator/keep_private.h"
#include "coordinator/keep_target.h"
#include "worker/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((size_t)RANGE_BINS == (size_t)ARCHIVE_RANGE_BINS, "counts of a second pass fit both ways");

static size_t count_observed(const struct observation *o)
{
    size_t n = 0;

    for (size_t v = 0; v < o->graph->n_values; v++)
        n += o->tensor[v].bins > 0;
    return n;
}

int keep_list_values(const struct observation *o, struct archive *archive, uint32_t *index, struct error *err)
{
    archive->values = memory_create(count_observed(o), sizeof *archive->values, "an archive", err);
    if (archive->values == NULL)
        return -1;
    for (size_t v = 0; v < o->graph->n_values; v++) {
        struct archive_value *to = &archive->values[archive->n_values];

        if (o->tensor[v].bins == 0)
            continue;
        index[v] = (uint32_t)archive->n_values++;
        snprintf(to->name, sizeof to->name, "%s", o->graph->values[v].name);
        to->histogram = o->tensor[v];
        if (o->channels[v] != NULL) {
            to->channels = observation_channels(o->graph, (int)v);
            to->per_channel = o->channels[v];
        }
        if (o->sums[v] != NULL) {
            to->n_sums = observation_channels(o->graph, (int)v);
            to->sums = o->sums[v];
        }
        if (o->ranges != NULL) {
            to->n_ranges = o->ranges->values[v].n;
            to->range_counts = o->ranges->values[v].counts;
        }
        keep_lend_extras(o, v, to);
    }
    archive->extras = o->extras == NULL ? 0 : o->extras->kinds;
    return 0;
}

int keep_list_parts(const struct observation *o, struct archive *archive, struct error *err)
{
    _Static_assert((int)ARCHIVE_PARTS == (int)OBSERVE_PARTS, "the archive has the parts that are observed");
    if (o->parts == NULL)
        return 0;
    archive->parts = memory_create(OBSERVE_PARTS, sizeof *archive->parts, "an archive", err);
    if (archive->parts == NULL)
        return -1;
    archive->n_parts = OBSERVE_PARTS;
    archive->part_blocks = o->parts->cut.is_ranges ? o->parts->cut.first_block : NULL;
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        archive->part_sizes[p] = (struct archive_part){o->parts->cut.n_blocks[p], o->parts->n_records[p]};
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        size_t row = 0;

        archive->parts[p] = memory_create(archive->n_values, sizeof *archive->parts[p], "an archive", err);
        if (archive->parts[p] == NULL)
            return -1;
        for (size_t v = 0; v < o->graph->n_values; v++)
            if (o->tensor[v].bins > 0)
                archive->parts[p][row++] = o->parts->of[p][v];
    }
    return 0;
}

void keep_free_parts(struct archive *archive)
{
    for (size_t p = 0; p < archive->n_parts; p++)
        free(archive->parts[p]); /* what they point to is the observation's */
    free(archive->parts);
}

/* beside: as equalization_watch, where statistics are of the values before and after; NULL: after. */
static int list_equalized(const struct equalization *equalization, const int *beside, const uint32_t *index,
                          struct archive *archive, struct error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < equalization->n; i++)
        n += equalization->values[i].n_channels;
    archive->is_equalized_apart = beside != NULL;
    archive->equalized = memory_create(n, sizeof *archive->equalized, "an archive", err);
    if (archive->equalized == NULL)
        return -1;
    for (size_t i = 0; i < equalization->n; i++) {
        const struct equalized_value *v = &equalization->values[i];

        for (size_t c = 0; c < v->n_channels; c++)
            archive->equalized[archive->n_equalized++] = (struct archive_equalized){
                index[v->value], v->exponents[c], beside == NULL ? 0 : index[beside[v->value]]};
    }
    return 0;
}

int keep_list_records(struct record_identity *identities, uint64_t n_records, const struct bad_record *bad,
                      size_t n_bad, struct archive *archive, struct error *err)
{
    archive->n_records = n_records;
    archive->records = identities;
    archive->n_bad = n_bad;
    archive->bad = memory_create(n_bad, sizeof *archive->bad, "an archive", err);
    if (archive->bad == NULL)
        return -1;
    for (size_t i = 0; i < n_bad; i++) {
        archive->bad[i].ordinal = bad[i].ordinal;
        snprintf(archive->bad[i].reason, sizeof archive->bad[i].reason, "%s", bad[i].reason);
    }
    return 0;
}

struct archive keep_begin(const struct run_request *request, const char *statistics, const char *decisions)
{
    struct archive archive = {
        .version = ARCHIVE_VERSION, .block_size = request->calibration.block, .bins = request->calibration.bins};

    snprintf(archive.etalon_version, sizeof archive.etalon_version, "%s", ETALON_VERSION);
    snprintf(archive.statistics_fingerprint, sizeof archive.statistics_fingerprint, "%s", statistics);
    snprintf(archive.decisions_fingerprint, sizeof archive.decisions_fingerprint, "%s", decisions);
    snprintf(archive.isa, sizeof archive.isa, "%s", engine_isa());
    snprintf(archive.model, sizeof archive.model, "%s", request->model_name);
    return archive;
}

int keep_archive(const struct report *report, const struct observation *observation, struct output *output,
                 struct error *err)
{
    struct archive archive = keep_begin(report->request, report->statistics_fingerprint, report->decisions_fingerprint);
    const struct pass_result *records = report->records;
    uint32_t *index = memory_create(observation->graph->n_values, sizeof *index, "an archive", err);
    int rc = index == NULL ? -1 : 0;

    archive.records_used = records->n_used;
    memcpy(archive.model_fingerprint, report->model_fingerprint, sizeof archive.model_fingerprint);
    memcpy(archive.measurement_fingerprint, report->measurement_fingerprint, sizeof archive.measurement_fingerprint);
    memcpy(archive.probe, report->probe, sizeof archive.probe);
    if (rc == 0 && report->request->text != NULL) {
        archive.job = (uint8_t *)keep_job_text(report->request, err);
        rc = archive.job == NULL ? -1 : 0;
        archive.n_job = rc == 0 ? strlen((char *)archive.job) : 0;
    }
    if (rc == 0)
        rc = keep_list_values(observation, &archive, index, err);
    if (rc == 0)
        rc = keep_list_parts(observation, &archive, err);
    if (rc == 0)
        rc = keep_list_records(records->identities, records->n_records, records->bad, records->n_bad, &archive, err);
    if (rc == 0)
        rc = list_equalized(report->equalization, report->beside, index, &archive, err);
    if (rc == 0) {
        archive.targets = memory_create(report->n_targets, sizeof *archive.targets, "an archive", err);
        rc = archive.targets == NULL ? -1 : 0;
    }
    for (; rc == 0 && archive.n_targets < report->n_targets; archive.n_targets++)
        rc = keep_target(report, &report->targets[archive.n_targets], index, &archive.targets[archive.n_targets], err);
    if (rc == 0)
        rc = archive_write(&archive, output, "archive.h5", true, err);
    for (size_t i = 0; archive.targets != NULL && i < report->n_targets; i++)
        archive_target_fini(&archive.targets[i]);
    free(archive.job);
    free(archive.targets);
    free(archive.equalized);
    free(archive.bad);
    keep_free_parts(&archive);
    free(archive.values); /* what they point to is the observation's */
    free(index);
    return rc;
}

/* Moves one archived value into the observation. EX_DATAERR when it is not what the graph would have observed. */
static int take_value(struct observation *o, size_t v, const struct archive_value *from, struct error *err)
{
    size_t channels = o->channels[v] == NULL ? 0 : observation_channels(o->graph, (int)v);
    size_t sums = o->sums[v] == NULL ? 0 : observation_channels(o->graph, (int)v);

    if (channels > 0 && from->channels == 0)
        return error_set(err, EX_DATAERR,
                         "the archive has no statistics of channels: calibration.granularity: per-channel needs a "
                         "calibration that counted them, mixed and per-tensor do not");
    if (from->histogram.bins != o->bins || (channels > 0 && from->channels != channels) || from->n_sums != sums)
        return error_set(
            err, EX_DATAERR, "value \"%s\": expected %zu bins, %zu channels and %zu sums, found %zu, %zu and %zu",
            o->graph->values[v].name, o->bins, channels, sums, from->histogram.bins, from->channels, from->n_sums);
    if (sums > 0)
        memcpy(o->sums[v], from->sums, sums * sizeof *from->sums);
    if (histogram_merge(&o->tensor[v], &from->histogram, err) != 0)
        return -1;
    for (size_t c = 0; c < channels; c++)
        if (histogram_merge(&o->channels[v][c], &from->per_channel[c], err) != 0)
            return -1;
    return 0;
}

static int take_values(struct observation *o, const struct archive *archive, struct error *err)
{
    size_t next = 0;

    for (size_t v = 0; v < o->graph->n_values; v++) {
        if (o->tensor[v].bins == 0)
            continue;
        if (next == archive->n_values)
            return error_set(err, EX_DATAERR, "expected statistics of more than %zu values", archive->n_values);
        if (take_value(o, v, &archive->values[next++], err) != 0)
            return -1;
    }
    return 0;
}

/* Moves the archive's parts into the observation; take_values has succeeded. */
static int take_parts(struct observation *o, const struct archive *archive, struct error *err)
{
    size_t row = 0;

    if (archive->n_parts == 0)
        return 0;
    if (observation_keep_parts(o, err) != 0)
        return -1;
    if (archive->part_blocks != NULL)
        o->parts->cut = observe_cut_ranges(archive->part_blocks);
    for (size_t p = 0; p < OBSERVE_PARTS; p++) {
        o->parts->cut.n_blocks[p] = archive->part_sizes[p].n_blocks;
        o->parts->n_records[p] = archive->part_sizes[p].n_records;
    }
    for (size_t v = 0; v < o->graph->n_values; v++) {
        if (o->tensor[v].bins == 0)
            continue;
        for (size_t p = 0; p < OBSERVE_PARTS; p++) {
            struct histogram *into = &o->parts->of[p][v];
            const struct histogram *from = &archive->parts[p][row];

            if (into->bins != from->bins)
                return error_set(err, EX_DATAERR, "value \"%s\": expected %zu bins in part %zu, found %zu",
                                 o->graph->values[v].name, into->bins, p, from->bins);
            if (histogram_merge(into, from, err) != 0)
                return error_in(err, "value \"%s\": part %zu", o->graph->values[v].name, p);
        }
        row++;
    }
    return 0;
}

/* Values that were counted over other ranges than these, or not at all: the observation stays without. */
static bool has_ranges(const struct observation *o, const struct ranges *expected, const struct archive *archive)
{
    size_t next = 0;

    for (size_t v = 0; v < o->graph->n_values; v++)
        if (o->tensor[v].bins > 0 && archive->values[next++].n_ranges != expected->values[v].n)
            return false;
    return true;
}

/* The counts of a second pass, where the archive has them: no more of them than values were seen. */
static int take_ranges(struct observation *o, const struct archive *archive, struct error *err)
{
    struct ranges *ranges = ranges_create(o, err);
    size_t next = 0;

    if (ranges == NULL)
        return -1;
    if (!has_ranges(o, ranges, archive)) {
        ranges_destroy(ranges);
        return 0;
    }
    o->ranges = ranges;
    for (size_t v = 0; v < o->graph->n_values; v++) {
        struct value_ranges *to = &ranges->values[v];
        uint64_t left = o->tensor[v].n;

        if (o->tensor[v].bins == 0)
            continue;
        memcpy(to->counts, archive->values[next++].range_counts, to->n * RANGE_BINS * sizeof *to->counts);
        for (size_t i = 0; i < to->n * RANGE_BINS; i++) {
            if (to->counts[i] > left)
                return error_set(err, EX_DATAERR, "value \"%s\": the second pass counted more than the first",
                                 o->graph->values[v].name);
            left -= to->counts[i];
        }
    }
    return 0;
}

int keep_take_statistics(struct observation *o, const struct archive *archive, struct error *err)
{
    if (take_values(o, archive, err) != 0 || take_parts(o, archive, err) != 0 || keep_take_extras(o, archive, err) != 0)
        return -1;
    return take_ranges(o, archive, err);
}

int keep_copy_records(const struct archive *archive, struct record_identity **identities, struct bad_record **bad,
                      struct error *err)
{
    *identities = memory_create(archive->n_records, sizeof **identities, "identities of records", err);
    *bad = memory_create(archive->n_bad, sizeof **bad, "bad records", err);
    if (*identities == NULL || *bad == NULL)
        return -1;
    if (archive->n_records > 0)
        memcpy(*identities, archive->records, archive->n_records * sizeof **identities);
    for (size_t i = 0; i < archive->n_bad; i++) {
        (*bad)[i].ordinal = archive->bad[i].ordinal;
        snprintf((*bad)[i].reason, sizeof(*bad)->reason, "%.255s", archive->bad[i].reason);
    }
    return 0;
}

int keep_open(const char *path, const char *fingerprint, struct archive *archive, bool *found, struct error *err)
{
    *found = false;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    if (archive_read(path, archive, err) != 0)
        return -1;
    *found = strcmp(archive->statistics_fingerprint, fingerprint) == 0 && archive->n_done == 0;
    if (!*found)
        archive_fini(archive);
    return 0;
}

int keep_take(struct archive *archive, const struct graph *graph, size_t bins, size_t channel_bins,
              struct observation **out, struct pass_result *records, struct archive *decisions, struct error *err)
{
    *out = observation_create(graph, bins, channel_bins, err);
    *records =
        (struct pass_result){.n_records = archive->n_records, .n_used = archive->records_used, .n_bad = archive->n_bad};
    if (*out == NULL || keep_copy_records(archive, &records->identities, &records->bad, err) != 0 ||
        keep_take_statistics(*out, archive, err) != 0) {
        observation_destroy(*out);
        *out = NULL;
        pass_result_fini(records);
        return -1;
    }
    *decisions = (struct archive){.n_targets = archive->n_targets, .targets = archive->targets};
    archive->n_targets = 0;
    archive->targets = NULL;
    return 0;
}

/* The graph's value behind a row of the archive; GRAPH_NONE. */
static int value_of_row(const struct graph *graph, uint32_t row)
{
    for (size_t v = 0; v < graph->n_values; v++)
        if (observation_covers(graph, (int)v) && row-- == 0)
            return (int)v;
    return GRAPH_NONE;
}

int keep_take_equalization(const struct archive *archive, const struct graph *graph, struct equalization *out,
                           struct error *err)
{
    out->values = memory_create(archive->n_equalized, sizeof *out->values, "equalization", err);
    if (out->values == NULL)
        return -1;
    for (size_t i = 0; i < archive->n_equalized;) {
        struct equalized_value *to = &out->values[out->n++];
        const struct archive_equalized *rows = &archive->equalized[i];

        to->value = value_of_row(graph, rows->value);
        if (to->value == GRAPH_NONE)
            return error_set(err, EX_DATAERR, "an equalized channel is of value %u, which the model does not have",
                             rows->value);
        while (i < archive->n_equalized && archive->equalized[i].value == rows->value) {
            to->n_channels++;
            i++;
        }
        to->exponents = memory_create(to->n_channels, sizeof *to->exponents, "equalization", err);
        if (to->exponents == NULL)
            return -1;
        for (size_t c = 0; c < to->n_channels; c++)
            to->exponents[c] = rows[c].exponent;
    }
    return 0;
}
