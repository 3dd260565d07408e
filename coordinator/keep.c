/* keep.c — see keep.h. */
#include "coordinator/keep.h"

#include "common/memory.h"
#include "formats/archive.h"
#include "worker/engine.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t count_observed(const struct observation *o)
{
    size_t n = 0;

    for (size_t v = 0; v < o->graph->n_values; v++)
        n += o->tensor[v].bins > 0;
    return n;
}

/* Lends the observation's histograms to the archive; index[v] is value v's place in it. */
static int list_values(const struct observation *o, struct archive *archive, uint32_t *index, struct error *err)
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
    }
    return 0;
}

/* Thresholds and scales of the channels of values that have more than one. */
static int list_channels(const struct report_target *t, size_t n_values, struct archive_target *to, struct error *err)
{
    uint32_t decision = 0;
    size_t n = 0;

    for (size_t v = 0; v < n_values; v++)
        n += t->plan->values[v].is_quantized && t->plan->values[v].n_scales > 1 ? t->plan->values[v].n_scales : 0;
    to->channels = memory_create(n, sizeof *to->channels, "an archive", err);
    if (to->channels == NULL)
        return -1;
    for (size_t v = 0; v < n_values; v++) {
        const struct plan_value *p = &t->plan->values[v];

        for (size_t c = 0; p->is_quantized && p->n_scales > 1 && c < p->n_scales; c++)
            to->channels[to->n_channels++] = (struct archive_channel){decision, p->threshold[c], p->scale[c]};
        decision += p->is_quantized;
    }
    return 0;
}

static int list_decisions(const struct report *report, const struct report_target *t, const uint32_t *index,
                          struct archive_target *to, struct error *err)
{
    snprintf(to->name, sizeof to->name, "%s", t->target->name);
    to->decisions = memory_create(report->graph->n_values, sizeof *to->decisions, "an archive", err);
    if (to->decisions == NULL)
        return -1;
    for (size_t v = 0; t->plan != NULL && v < report->graph->n_values; v++) {
        const struct plan_value *p = &t->plan->values[v];
        struct archive_decision *d = &to->decisions[to->n_decisions];

        if (!p->is_quantized)
            continue;
        to->n_decisions++;
        *d = (struct archive_decision){index[v],
                                       p->threshold[p->widest],
                                       p->scale[p->widest],
                                       p->codes.zero_point,
                                       p->codes.lo,
                                       p->codes.hi,
                                       "",
                                       NAN,
                                       NAN,
                                       0,
                                       0};
        snprintf(d->method, sizeof d->method, "%s", p->method);
        if (report->evaluation != NULL) {
            const struct value_error *e = evaluation_error(report->evaluation, t->evaluation, (int)v);

            d->sqnr_db = value_error_sqnr_db(e);
            d->cosine = value_error_cosine(e);
            d->clipped = e->clipped;
            d->elements = e->elements;
        }
    }
    return t->plan == NULL ? 0 : list_channels(t, report->graph->n_values, to, err);
}

static int list_records(const struct report *report, struct archive *archive, struct error *err)
{
    const struct pass_result *records = report->records;

    archive->records_used = records->n_used;
    archive->n_records = records->n_records;
    archive->record_digests = records->digests; /* lent */
    archive->n_bad = records->n_bad;
    archive->bad = memory_create(records->n_bad, sizeof *archive->bad, "an archive", err);
    if (archive->bad == NULL)
        return -1;
    for (size_t i = 0; i < records->n_bad; i++) {
        archive->bad[i].ordinal = records->bad[i].ordinal;
        snprintf(archive->bad[i].reason, sizeof archive->bad[i].reason, "%s", records->bad[i].reason);
    }
    return 0;
}

int keep_archive(const struct report *report, const struct observation *observation, struct output *output,
                 struct error *err)
{
    struct archive archive = {.version = ARCHIVE_VERSION,
                              .block_size = report->request->calibration.block,
                              .bins = report->request->calibration.bins};
    uint32_t *index = memory_create(report->graph->n_values, sizeof *index, "an archive", err);
    int rc = index == NULL ? -1 : 0;

    snprintf(archive.etalon_version, sizeof archive.etalon_version, "%s", ETALON_VERSION);
    snprintf(archive.statistics_fingerprint, sizeof archive.statistics_fingerprint, "%s",
             report->statistics_fingerprint);
    snprintf(archive.decisions_fingerprint, sizeof archive.decisions_fingerprint, "%s", report->decisions_fingerprint);
    snprintf(archive.isa, sizeof archive.isa, "%s", engine_isa());
    snprintf(archive.model, sizeof archive.model, "%s", report->request->model_name);
    if (rc == 0)
        rc = list_values(observation, &archive, index, err);
    if (rc == 0)
        rc = list_records(report, &archive, err);
    if (rc == 0) {
        archive.targets = memory_create(report->n_targets, sizeof *archive.targets, "an archive", err);
        rc = archive.targets == NULL ? -1 : 0;
    }
    for (; rc == 0 && archive.n_targets < report->n_targets; archive.n_targets++)
        rc = list_decisions(report, &report->targets[archive.n_targets], index, &archive.targets[archive.n_targets],
                            err);
    if (rc == 0)
        rc = archive_write(&archive, output, err);
    for (size_t i = 0; archive.targets != NULL && i < report->n_targets; i++) {
        free(archive.targets[i].decisions);
        free(archive.targets[i].channels);
    }
    free(archive.targets);
    free(archive.bad);
    free(archive.values); /* what they point to is the observation's */
    free(index);
    return rc;
}

/* Moves one archived value into the observation. EX_DATAERR when it is not what the graph would have observed. */
static int take_value(struct observation *o, size_t v, struct archive_value *from, struct error *err)
{
    size_t channels = o->channels[v] == NULL ? 0 : observation_channels(o->graph, (int)v);
    size_t sums = o->sums[v] == NULL ? 0 : observation_channels(o->graph, (int)v);

    if (from->histogram.bins != o->bins || from->channels != channels || from->n_sums != sums)
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

static int take_records(const struct archive *archive, struct pass_result *records, struct error *err)
{
    *records = (struct pass_result){.n_records = archive->n_records, .n_used = archive->records_used};
    records->digests = memory_create(archive->n_records, sizeof *records->digests, "record digests", err);
    records->bad = memory_create(archive->n_bad, sizeof *records->bad, "bad records", err);
    if (records->digests == NULL || records->bad == NULL)
        return -1;
    if (archive->n_records > 0)
        memcpy(records->digests, archive->record_digests, archive->n_records * sizeof *records->digests);
    for (; records->n_bad < archive->n_bad; records->n_bad++) {
        records->bad[records->n_bad].ordinal = archive->bad[records->n_bad].ordinal;
        snprintf(records->bad[records->n_bad].reason, sizeof records->bad->reason, "%.255s",
                 archive->bad[records->n_bad].reason);
    }
    return 0;
}

int keep_load(const char *path, const struct graph *graph, const char *fingerprint, size_t bins, size_t channel_bins,
              struct observation **out, struct pass_result *records, struct error *err)
{
    struct archive archive = {0};
    size_t next = 0;
    int rc = 0;

    *out = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    if (archive_read(path, &archive, err) != 0)
        return -1;
    if (strcmp(archive.statistics_fingerprint, fingerprint) != 0) {
        archive_fini(&archive);
        return 0;
    }
    *out = observation_create(graph, bins, channel_bins, err);
    rc = *out == NULL ? -1 : take_records(&archive, records, err);
    for (size_t v = 0; rc == 0 && v < graph->n_values; v++) {
        if ((*out)->tensor[v].bins == 0)
            continue;
        if (next == archive.n_values)
            rc = error_set(err, EX_DATAERR, "expected statistics of more than %zu values", archive.n_values);
        else
            rc = take_value(*out, v, &archive.values[next++], err);
    }
    if (rc != 0) {
        error_in(err, "%s", path);
        observation_destroy(*out);
        *out = NULL;
        pass_result_fini(records);
    }
    archive_fini(&archive);
    return rc;
}
