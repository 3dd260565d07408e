/* keep_checkpoint.c — see keep_checkpoint.h. */
#include "coordinator/keep_checkpoint.h"

#include "common/memory.h"
#include "coordinator/epochs.h"
#include "coordinator/keep_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t keep_subject_blocks(const struct keep_subject *s)
{
    return (s->n_records + s->request->calibration.block - 1) / s->request->calibration.block;
}

/* ---- writing ---- */

static struct archive begin(const struct keep_subject *s, const struct pass_progress *progress)
{
    struct archive archive = keep_begin(s->request, s->statistics, "");

    snprintf(archive.model_fingerprint, sizeof archive.model_fingerprint, "%s", s->model);
    snprintf(archive.measurement_fingerprint, sizeof archive.measurement_fingerprint, "%s", s->measurement);
    snprintf(archive.probe, sizeof archive.probe, "%s", s->probe);
    archive.n_done = progress->done.n_words;
    archive.done = progress->done.words; /* lent */
    return archive;
}

/* Writes the archive with the observation's statistics, unless that is NULL; what the archive has borrowed is the
 * caller's, its list of bad records ends here. */
static int write_with(struct archive *archive, const struct observation *observation, struct output *output,
                      const char *name, char hex[SHA256_HEX_BYTES], struct error *err)
{
    uint32_t *index = NULL;
    int rc = 0;

    if (observation != NULL) {
        index = memory_create(observation->graph->n_values, sizeof *index, "a checkpoint", err);
        rc = index == NULL ? -1 : keep_list_values(observation, archive, index, err);
        if (rc == 0 && archive->n_values > 0)
            rc = keep_list_parts(observation, archive, err);
    }
    if (rc == 0)
        rc = archive_write_digest(archive, output, name, false, hex, err);
    free(archive->bad);
    keep_free_parts(archive);
    free(archive->values); /* what they point to is the observation's */
    free(index);
    return rc;
}

int keep_write_whole(const struct keep_subject *s, const struct observation *observation,
                     const struct pass_progress *progress, struct output *output, const char *name, struct error *err)
{
    struct archive archive = begin(s, progress);
    char unused[SHA256_HEX_BYTES];

    if (keep_list_records(progress->identities, progress->n_records, progress->bad, progress->n_bad, &archive, err) !=
        0)
        return -1;
    return write_with(&archive, observation, output, name, unused, err);
}

int keep_write_shard(const struct keep_subject *s, const struct observation *share,
                     const struct pass_progress *progress, struct output *output, const char *name,
                     struct archive_shard *shard, struct error *err)
{
    struct archive archive = begin(s, progress);

    for (size_t v = 0; v < s->graph->n_values; v++)
        shard->n_values += share->tensor[v].bins > 0;
    return write_with(&archive, share, output, name, shard->content_sha256, err);
}

int keep_write_index(const struct keep_subject *s, const struct pass_progress *progress, struct archive_shard *shards,
                     size_t n_shards, unsigned n_passes, struct output *output, const char *name, struct error *err)
{
    struct archive archive = begin(s, progress);
    char unused[SHA256_HEX_BYTES];

    archive.n_shards = n_shards;
    archive.shards = shards; /* lent */
    archive.n_passes = n_passes;
    if (keep_list_records(progress->identities, progress->n_records, progress->bad, progress->n_bad, &archive, err) !=
        0)
        return -1;
    return write_with(&archive, NULL, output, name, unused, err);
}

/* ---- whose it is ---- */

struct differences {
    char *text; /* [KEEP_DIFFERENCES_BYTES] */
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void differ(struct differences *d, const char *format, ...)
{
    size_t left = KEEP_DIFFERENCES_BYTES - d->length;
    va_list args;
    int n;

    if (d->length > 0)
        n = snprintf(d->text + d->length, left, ", ");
    else
        n = 0;
    d->length += (size_t)n < left ? (size_t)n : left - 1;
    left = KEEP_DIFFERENCES_BYTES - d->length;
    va_start(args, format);
    n = vsnprintf(d->text + d->length, left, format, args);
    va_end(args);
    d->length += n > 0 && (size_t)n < left ? (size_t)n : left - 1;
}

static void differ_in_number(struct differences *d, const char *what, uint64_t then, uint64_t now)
{
    if (then != now)
        differ(d, "%s (%" PRIu64 ", now %" PRIu64 ")", what, then, now);
}

/* What a reader can do something about; where nothing of it explains another fingerprint, what is left. */
static void list_differences(const struct keep_subject *s, const struct archive *a, char *text)
{
    struct archive own = keep_begin(s->request, s->statistics, "");
    struct differences d = {text, 0};

    text[0] = '\0';
    if (strcmp(a->statistics_fingerprint, s->statistics) == 0)
        return;
    if (a->measurement_fingerprint[0] == '\0') {
        differ(&d, "model, data or job (an earlier version wrote it)");
        return;
    }
    if (strcmp(a->model_fingerprint, s->model) != 0)
        differ(&d, "the model");
    differ_in_number(&d, "calibration.block", a->block_size, own.block_size);
    differ_in_number(&d, "calibration.bins", a->bins, own.bins);
    if (strcmp(a->isa, own.isa) != 0)
        differ(&d, "the instruction set (%s, now %s)", a->isa, own.isa);
    else if (strcmp(a->probe, s->probe) != 0 && strcmp(a->model_fingerprint, s->model) == 0)
        differ(&d, "the bits that this machine computes");
    if (d.length == 0 && strcmp(a->measurement_fingerprint, s->measurement) != 0)
        differ(&d, "preprocessing, or what is counted");
    if (a->n_shards > 0 || a->n_values > 0)
        differ_in_number(&d, "the number of records", a->n_records, s->n_records);
    if (d.length == 0)
        differ(&d, "the records");
}

/* ---- reading ---- */

int keep_read_checkpoint(const struct keep_subject *s, const char *path, bool *is_there, struct archive *archive,
                         char differences[KEEP_DIFFERENCES_BYTES], struct error *err)
{
    differences[0] = '\0';
    *is_there = access(path, F_OK) == 0 || errno != ENOENT;
    if (!*is_there)
        return 0;
    if (archive_read(path, archive, err) != 0)
        return -1;
    if (archive->n_done == 0)
        return error_set(err, EX_DATAERR, "%s: an archive, not a checkpoint", path);
    list_differences(s, archive, differences);
    return 0;
}

bool keep_is_second(const struct archive *archive)
{
    for (size_t i = 0; i < archive->n_values; i++)
        if (archive->values[i].n_ranges > 0)
            return true;
    return archive->n_passes == 2;
}

static bool has_parts(const struct keep_subject *s)
{
    return observation_has_wholes(s->request->calibration.bins, s->channel_bins);
}

/* An archive may be without what no target needed; a run that goes on counts all of it, and its blocks are done: what
 * a checkpoint lacks would be lost. Counts of a second pass beside an index of the first, which tells which blocks are
 * done, are of other blocks. A shard of no values lacks nothing. */
static int take_counted(const struct keep_subject *s, const struct archive *archive, bool is_second,
                        struct observation *o, struct error *err)
{
    if (keep_take_statistics(o, archive, err) != 0)
        return -1;
    if (archive->n_values > 0 && (o->parts != NULL) != has_parts(s))
        return error_set(err, EX_DATAERR, "expected statistics %s parts, found them %s",
                         has_parts(s) ? "with" : "without", has_parts(s) ? "without" : "with");
    if (archive->extras != s->collects)
        return error_set(err, EX_DATAERR, "expected extras %u, found %u", s->collects, archive->extras);
    if (is_second && o->ranges == NULL)
        return error_set(err, EX_DATAERR, "the counts of its second pass are missing, or of other channels");
    if (!is_second && keep_is_second(archive))
        return error_set(err, EX_DATAERR, "it has counts of a second pass, and its index is one of the first");
    return 0;
}

int keep_take_checkpoint(const struct keep_subject *s, const char *path, const struct archive *archive,
                         struct observation **out, struct pass_progress *progress, struct error *err)
{
    int rc;

    *out = NULL;
    *progress = (struct pass_progress){.n_records = archive->n_records, .n_bad = archive->n_bad};
    rc = block_set_init(&progress->done, keep_subject_blocks(s), err);
    if (rc == 0)
        rc = keep_copy_records(archive, &progress->identities, &progress->bad, err);
    if (rc == 0 && (progress->done.n_words != archive->n_done || archive->n_records != s->n_records))
        rc = error_set(err, EX_DATAERR, "expected %zu words of blocks of %" PRIu64 " records, found %zu of %zu",
                       progress->done.n_words, s->n_records, archive->n_done, archive->n_records);
    if (rc == 0)
        memcpy(progress->done.words, archive->done, archive->n_done * sizeof *archive->done);
    if (rc == 0 && archive->n_shards == 0) {
        *out = observation_create(s->graph, s->request->calibration.bins, s->channel_bins, err);
        rc = *out == NULL ? -1 : take_counted(s, archive, keep_is_second(archive), *out, err);
    }
    if (rc == 0)
        return 0;
    observation_destroy(*out);
    *out = NULL;
    pass_progress_fini(progress);
    return error_in(err, "%s", path);
}

struct observation *keep_create_share(const struct keep_subject *s, size_t first, size_t last, bool is_second,
                                      struct error *err)
{
    struct observation *share =
        observation_create_share(s->graph, s->request->calibration.bins, s->channel_bins, first, last, err);
    int rc = share == NULL ? -1 : observation_collect(share, s->collects, err);

    if (rc == 0 && has_parts(s))
        rc = observation_keep_parts(share, err);
    if (rc == 0 && is_second && (share->ranges = ranges_create(share, err)) == NULL)
        rc = -1;
    if (rc == 0)
        return share;
    observation_destroy(share);
    return NULL;
}

static bool is_cut(const struct observe_cut *cut)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        if (cut->n_blocks[p] > 0)
            return true;
    return false;
}

int keep_take_cut(struct observation *share, const struct observe_cut *cut, struct error *err)
{
    if (is_cut(&share->parts->cut) && memcmp(&share->parts->cut, cut, sizeof *cut) != 0)
        return error_set(err, EX_DATAERR, "its parts are not of the same blocks as those of the other shards");
    share->parts->cut = *cut;
    return 0;
}

/* A shard of no values has no parts. */
static int add_shard(struct observation *into, struct observation *shard, bool is_first, struct error *err)
{
    if (shard->parts != NULL && keep_take_cut(into, &shard->parts->cut, err) != 0)
        return -1;
    if (shard->parts != NULL && !is_first)
        memset(shard->parts->n_records, 0, sizeof shard->parts->n_records);
    if (into->ranges != NULL)
        ranges_merge(into->ranges, shard->ranges);
    return observation_merge(into, shard, err);
}

int keep_read_shard(const struct keep_subject *s, const char *path, const struct archive_shard *shards, size_t k,
                    size_t first, size_t last, struct observation *into, struct error *err)
{
    struct archive archive = {0};
    struct observation *shard = NULL;
    char hex[SHA256_HEX_BYTES];
    int rc = 0;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return error_set(err, EX_DATAERR, "%s: is missing", path);
    if (archive_read_digest(path, &archive, hex, err) != 0)
        return -1;
    if (strcmp(hex, shards[k].content_sha256) != 0 || archive.n_values != shards[k].n_values)
        rc = error_set(err, EX_DATAERR, "expected content with SHA-256 %s, found %s", shards[k].content_sha256, hex);
    if (rc == 0) {
        shard = observation_create_share(s->graph, s->request->calibration.bins, s->channel_bins, first, last, err);
        rc = shard == NULL ? -1 : take_counted(s, &archive, into->ranges != NULL, shard, err);
    }
    if (rc == 0)
        rc = add_shard(into, shard, k == 0, err);
    observation_destroy(shard);
    archive_fini(&archive);
    return rc == 0 ? 0 : error_in(err, "%s", path);
}

/* The epoch that the parts are of; without parts there is one only. */
int keep_find_epoch(const struct keep_subject *s, const struct observation *o, uint64_t *end, struct error *err)
{
    uint64_t n_blocks = keep_subject_blocks(s);
    uint64_t blocks[OBSERVE_PARTS + 1];

    *end = n_blocks;
    if (o->parts == NULL)
        return 0;
    if (!o->parts->cut.is_ranges) {
        struct observe_cut cut = observe_cut_in_turn(n_blocks);

        if (s->request->calibration.stop_when_stable > 0 || memcmp(&o->parts->cut, &cut, sizeof cut) != 0)
            return error_set(err, EX_DATAERR, "parts of blocks in turn are not those of %" PRIu64 " blocks", n_blocks);
        return 0;
    }
    *end = o->parts->cut.first_block[OBSERVE_PARTS];
    for (unsigned halvings = 0; halvings < 64 && epochs_end(n_blocks, halvings) >= *end; halvings++) {
        epochs_cut(n_blocks, halvings, blocks);
        if (memcmp(blocks, o->parts->cut.first_block, sizeof blocks) == 0)
            return 0;
    }
    return error_set(err, EX_DATAERR, "parts to block %" PRIu64 " are no epoch of %" PRIu64 " blocks", *end, n_blocks);
}
