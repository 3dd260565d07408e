/* merge.c — see merge.h. */
#include "coordinator/merge.h"

#include "common/log.h"
#include "common/memory.h"
#include "coordinator/fingerprint.h"
#include "coordinator/merge_overlap.h"
#include "coordinator/thresholds.h"
#include "coordinator/weights.h"
#include "worker/observe_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which archives add up -------------------------------------------------------------------------------------- */

/* What can be said of one archive alone. */
static int check_mergeable(const struct archive *a, struct error *err)
{
    if (a->n_done > 0)
        return error_set(err, EX_DATAERR, "a checkpoint: its run has not come to an end");
    if (a->measurement_fingerprint[0] == '\0')
        return error_set(err, EX_DATAERR,
                         "its statistics are of format version 1, which does not tell how they were measured, nor of "
                         "which records: measure again");
    if (a->part_blocks != NULL)
        return error_set(err, EX_DATAERR,
                         "its run was to end once thresholds were stable (calibration.stop_when_stable): a run over "
                         "all records would have ended elsewhere");
    for (size_t v = 0; v < a->n_values; v++)
        if (a->values[v].n_ranges > 0)
            return error_set(
                err, EX_DATAERR,
                "value \"%s\" was counted in a second pass (calibration.passes: two), in bins of the range "
                "that these records have: a run over all records would have had other bins",
                a->values[v].name);
    return 0;
}

static int check_text(const char *what, const char *expected, const char *found, struct error *err)
{
    if (strcmp(expected, found) == 0)
        return 0;
    return error_set(err, EX_DATAERR, "%s: expected that of the first archive, %s, found %s", what, expected, found);
}

static int check_number(const char *what, uint64_t expected, uint64_t found, struct error *err)
{
    if (expected == found)
        return 0;
    return error_set(err, EX_DATAERR, "%s: expected as in the first archive %" PRIu64 ", found %" PRIu64, what,
                     expected, found);
}

/* What follows from one measurement, which nobody but ourselves could have broken. */
static int check_values(const struct archive *a, const struct archive *b, struct error *err)
{
    if (check_number("values", a->n_values, b->n_values, err) != 0 ||
        check_number("parts", a->n_parts, b->n_parts, err) != 0)
        return -1;
    for (size_t v = 0; v < a->n_values; v++) {
        const struct archive_value *x = &a->values[v], *y = &b->values[v];

        if (check_text("a value", x->name, y->name, err) != 0 ||
            check_number("channels", x->channels, y->channels, err) != 0 ||
            check_number("sums", x->n_sums, y->n_sums, err) != 0 ||
            check_number("squares", x->n_squares, y->n_squares, err) != 0 ||
            check_number("histograms of the two largest", x->n_top_two, y->n_top_two, err) != 0)
            return -1;
    }
    return 0;
}

/* Where the two differ first, a row of either; the end of both: nowhere. */
static size_t find_other_exponent(const struct archive *a, const struct archive *b)
{
    size_t n = a->n_equalized < b->n_equalized ? a->n_equalized : b->n_equalized;

    for (size_t i = 0; i < n; i++)
        if (a->equalized[i].value != b->equalized[i].value || a->equalized[i].exponent != b->equalized[i].exponent)
            return i;
    return n == a->n_equalized && n == b->n_equalized ? SIZE_MAX : n;
}

static int check_equalization(const struct archive *a, const struct archive *b, struct error *err)
{
    size_t i = find_other_exponent(a, b);

    return i == SIZE_MAX ? 0
                         : error_set(err, EX_DATAERR,
                                     "channels of value \"%s\" were divided by other powers of two before anything was "
                                     "measured than in the first archive: each run equalized by its own records",
                                     i < a->n_equalized ? a->values[a->equalized[i].value].name
                                                        : b->values[b->equalized[i].value].name);
}

/* Without the equalized network beside the user's. */
static void forget_equalization(struct archive *archive)
{
    archive_keep_values(archive, archive_own_values(archive));
    archive->n_equalized = 0;
    archive->is_equalized_apart = false;
}

/* Networks of the two that were equalized in different ways do not add up; what lies beside them does. */
static void agree_on_equalization(struct archive *a, struct archive *b)
{
    if (strcmp(a->measurement_fingerprint, b->measurement_fingerprint) != 0 ||
        (!a->is_equalized_apart && !b->is_equalized_apart) || find_other_exponent(a, b) == SIZE_MAX)
        return;
    log_warning(
        "each run equalized by its own records, and not alike: equalization is left out, and targets of one scale "
        "a weight tensor will do without");
    forget_equalization(a);
    forget_equalization(b);
}

/* The methods that want any of these kinds, as "a, b". */
static void list_methods(unsigned kinds, char *text, size_t size)
{
    size_t n = 0;

    snprintf(text, size, "methods unknown to this program");
    for (size_t i = 0; threshold_methods[i] != NULL; i++)
        if ((threshold_methods[i]->wants & kinds) != 0 && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n == 0 ? "" : ", ", threshold_methods[i]->name);
    for (size_t i = 0; weight_methods[i] != NULL; i++)
        if ((weight_methods[i]->wants & kinds) != 0 && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n == 0 ? "" : ", ", weight_methods[i]->name);
}

/* Which methods a job names is no matter, but what they want counted beside histograms is: a sum needs it of both. */
static int check_extras(const struct archive *a, const struct archive *b, struct error *err)
{
    char methods[256];

    if (a->extras == b->extras)
        return 0;
    list_methods(a->extras ^ b->extras, methods, sizeof methods);
    return error_set(
        err, EX_DATAERR,
        "was measured for other methods than the first archive: only one of the two has counted what is for %s "
        "(`etalon methods`: records)",
        methods);
}

/* From what a user would look at first to what is left. */
static int check_same_measurement(const struct archive *a, const struct archive *b, struct error *err)
{
    if (check_text("the model (SHA-256 of its files and of what was asked of its graph)", a->model_fingerprint,
                   b->model_fingerprint, err) != 0 ||
        check_number("calibration.block", a->block_size, b->block_size, err) != 0 ||
        check_number("calibration.bins", a->bins, b->bins, err) != 0)
        return -1;
    if (strcmp(a->isa, b->isa) != 0)
        return error_set(err, EX_DATAERR,
                         "was measured with the instruction set %s, the first archive with %s: pin a common one with "
                         "engine.isa",
                         b->isa, a->isa);
    if (strcmp(a->probe, b->probe) != 0)
        return error_set(err, EX_DATAERR,
                         "was measured on a machine that computes other fp32 bits than that of the first archive: pin "
                         "a common instruction set with engine.isa");
    if (check_extras(a, b, err) != 0)
        return -1;
    if (strcmp(a->measurement_fingerprint, b->measurement_fingerprint) != 0)
        return error_set(err, EX_DATAERR,
                         "was measured in another way than the first archive: preprocessing, how records are read, "
                         "granularity or equalization differ");
    return check_equalization(a, b, err) != 0 ? -1 : check_values(a, b, err);
}

/* ---- adding up -------------------------------------------------------------------------------------------------- */

static void add_sums(struct exact_sum *into, const struct exact_sum *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        exact_sum_merge(&into[i], &from[i]);
        exact_sum_normalise(&into[i]);
    }
}

static int add_extras(struct archive_value *into, const struct archive_value *from, struct error *err)
{
    into->extrema.records += from->extrema.records;
    into->extrema.elements += from->extrema.elements;
    add_sums(&into->extrema.smallest, &from->extrema.smallest, 1);
    add_sums(&into->extrema.largest, &from->extrema.largest, 1);
    add_sums(into->squares, from->squares, into->n_squares);
    for (size_t i = 0; i < into->n_top_two; i++)
        if (histogram_merge(&into->top_two[i], &from->top_two[i], err) != 0)
            return -1;
    return 0;
}

static int add_value(struct archive_value *into, const struct archive_value *from, struct error *err)
{
    int rc = histogram_merge(&into->histogram, &from->histogram, err);

    for (size_t c = 0; rc == 0 && c < into->channels; c++)
        rc = histogram_merge(&into->per_channel[c], &from->per_channel[c], err);
    add_sums(into->sums, from->sums, into->n_sums);
    if (rc == 0)
        rc = add_extras(into, from, err);
    return rc == 0 ? 0 : error_in(err, "value \"%s\"", into->name);
}

static uint64_t count_blocks(const struct archive *a)
{
    uint64_t n = 0;

    for (size_t p = 0; p < a->n_parts; p++)
        n += a->part_sizes[p].n_blocks;
    return n;
}

/* Blocks went to parts in turn; after n_before others it would have been others' turns. */
static int add_parts(struct archive *into, const struct archive *from, uint64_t n_before, struct error *err)
{
    for (size_t p = 0; p < from->n_parts; p++) {
        size_t to = observe_cut_turned(p, n_before);

        into->part_sizes[to].n_blocks += from->part_sizes[p].n_blocks;
        into->part_sizes[to].n_records += from->part_sizes[p].n_records;
        for (size_t v = 0; v < into->n_values; v++)
            if (histogram_merge(&into->parts[to][v], &from->parts[p][v], err) != 0)
                return error_in(err, "value \"%s\": part %zu", into->values[v].name, to);
    }
    return 0;
}

/* *array[n] becomes one of n + n_more with more[] behind it. */
static int append(void *array, size_t n, const void *more, size_t n_more, size_t size, const char *what,
                  struct error *err)
{
    char *all = memory_create(n + n_more, size, what, err), **old = array;

    if (all == NULL)
        return -1;
    if (n > 0)
        memcpy(all, *old, n * size);
    if (n_more > 0)
        memcpy(all + n * size, more, n_more * size);
    free(*old);
    *old = all;
    return 0;
}

static int add_records(struct archive *into, const struct archive *from, struct error *err)
{
    if (append(&into->records, into->n_records, from->records, from->n_records, sizeof *into->records,
               "the records of all archives", err) != 0 ||
        append(&into->bad, into->n_bad, from->bad, from->n_bad, sizeof *into->bad, "the bad records of all archives",
               err) != 0)
        return -1;
    for (size_t i = 0; i < from->n_bad; i++)
        into->bad[into->n_bad + i].ordinal += into->n_records;
    into->n_bad += from->n_bad;
    into->n_records += from->n_records;
    into->records_used += from->records_used;
    return 0;
}

static int add_archive(struct archive *into, const struct archive *from, struct error *err)
{
    uint64_t n_before = count_blocks(into);

    for (size_t v = 0; v < into->n_values; v++)
        if (add_value(&into->values[v], &from->values[v], err) != 0)
            return -1;
    return add_parts(into, from, n_before, err) != 0 ? -1 : add_records(into, from, err);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* What was decided from a part of the records is of no use for all of them. */
static void forget_decisions(struct archive *archive)
{
    for (size_t t = 0; t < archive->n_targets; t++)
        archive_target_fini(&archive->targets[t]);
    free(archive->targets);
    archive->targets = NULL;
    archive->n_targets = 0;
    memset(archive->decisions_fingerprint, 0, sizeof archive->decisions_fingerprint);
}

static int merge_next(const char *path, size_t index, struct archive *out, struct error *err)
{
    struct archive next = {0};
    int rc;

    if (archive_read(path, &next, err) != 0)
        return -1;
    rc = check_mergeable(&next, err);
    if (rc == 0 && index > 0) {
        agree_on_equalization(out, &next);
        rc = check_same_measurement(out, &next, err);
        if (rc == 0 && out->n_records % out->block_size != 0)
            log_warning("%s: %zu records come before, which are no multiple of the block of %" PRIu64
                        ": the sum is right, but not to the bit that of one run over all",
                        path, out->n_records, out->block_size);
        if (rc == 0 && (out->n_job != next.n_job || memcmp(out->job, next.job, next.n_job) != 0))
            log_info("%s: its job asks for other methods or targets; the first archive's are kept", path);
        if (rc == 0)
            rc = add_archive(out, &next, err);
    } else if (rc == 0) {
        forget_decisions(&next);
        *out = next;
        next = (struct archive){0};
    }
    archive_fini(&next);
    return rc == 0 ? 0 : error_in(err, "%s", path);
}

/* Whose statistics they are now: of one measurement, of all these records. */
static int sign(struct archive *archive, struct error *err)
{
    char dataset[65];

    snprintf(archive->etalon_version, sizeof archive->etalon_version, "%s", ETALON_VERSION);
    if (archive->n_equalized > 0)
        log_info("channels were equalized by what each run had seen in its own records, alike in all archives; one run "
                 "over all records might have found otherwise");
    if (dataset_fingerprint_records(archive->records, archive->n_records, dataset, err) != 0)
        return -1;
    return fingerprint_statistics(archive->measurement_fingerprint, dataset, archive->statistics_fingerprint, err);
}

int merge_archives(const char *const *paths, size_t n, const struct merge_options *options, struct archive *out,
                   struct error *err)
{
    uint64_t *first_record = memory_create(n + 1, sizeof *first_record, "a list of archives", err);
    struct archive all = {0};
    int rc = first_record == NULL ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = merge_next(paths[i], i, &all, err);
        first_record[i + 1] = all.n_records;
    }
    if (rc == 0)
        rc = merge_check_overlap(&(struct merge_sources){n, paths, first_record}, all.records, options->allows_repeats,
                                 err);
    if (rc == 0)
        rc = sign(&all, err);
    if (rc == 0)
        *out = all;
    else
        archive_fini(&all);
    free(first_record);
    return rc;
}
