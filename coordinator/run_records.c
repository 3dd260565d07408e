/* run_records.c — records of the calibration set for targets that ship some: found again for an archive, and read; see
 * run_private.h. */
#include "coordinator/run_private.h"

#include "coordinator/fingerprint.h"
#include "coordinator/inputs.h"
#include "formats/element_type.h"

#include <inttypes.h>
#include <string.h>

/* ---- found */

/* Up to 64 of them are read for this; each one that is shipped is compared when it is read. */
static int check_records(struct run *run, struct error *err)
{
    uint64_t n = dataset_count(run->dataset);
    char dataset[65], statistics[65];

    if (n != run->records.n_records)
        return error_set(err, EX_DATAERR, "expected %" PRIu64 " records as the archive has, found %" PRIu64,
                         run->records.n_records, n);
    if (dataset_fingerprint(run->dataset, dataset, err) != 0 ||
        fingerprint_statistics(run->measurement, dataset, statistics, err) != 0)
        return -1;
    return strcmp(statistics, run->statistics) == 0
               ? 0
               : error_set(err, EX_DATAERR, "its records are not those of the archive, or lie in another order");
}

/* The archive tells what was done to records by the fingerprint alone: `measured` with this data must have it. */
static int check_measurement(struct run *run, const struct run_request *measured, struct error *err)
{
    struct run_request again = *measured;
    char found[65];

    if (run->measurement[0] == '\0')
        return error_set(err, EX_UNAVAILABLE,
                         "an archive of format version 1 does not tell what was done to its records; calibrate again");
    again.dataset = run->completed.dataset;
    again.preprocess = run->completed.preprocess;
    again.n_preprocess_inputs = run->completed.n_preprocess_inputs;
    again.preprocess_inputs = run->completed.preprocess_inputs;
    if (fingerprint_measurement(&again, run->model, run->dataset, run->probe, found, err) != 0)
        return -1;
    return strcmp(found, run->measurement) == 0
               ? 0
               : error_set(err, EX_DATAERR,
                           "preprocess, or how the dataset is read, is not that of the archive: expected fingerprint "
                           "%s, found %s",
                           run->measurement, found);
}

static int check(struct run *run, const struct run_request *measured, struct error *err)
{
    if (inputs_bind(run->graph, run->dataset, run->request, run->inputs, err) != 0 || check_records(run, err) != 0)
        return error_in(err, "dataset");
    return check_measurement(run, measured, err);
}

int run_find_records(struct run *run, const struct run_request *measured, struct error *err)
{
    int rc = comm_agree(run->comm, run_take_data(run, err), err);

    run->completed.dataset.limit = run->records.n_records; /* more may have come since */
    if (rc == 0)
        rc = run_open_datasets(run, err);
    return rc == 0 ? comm_agree(run->comm, check(run, measured, err), err) : -1;
}

/* ---- read */

/* Has record `ordinal` the bytes that were measured? 0: they were not looked at, or could not be read. */
static int check_identity(const struct run *run, uint64_t ordinal, const struct record_identity *found,
                          struct error *err)
{
    uint64_t expected = ordinal < run->records.n_records ? run->records.identities[ordinal].digest : 0;

    if (expected == 0 || expected == found->digest)
        return 0;
    return error_set(err, EX_DATAERR,
                     "record %" PRIu64 " of the dataset is not the one that was calibrated with: expected XXH3-64 "
                     "%016" PRIx64 " of its bytes, found %016" PRIx64,
                     ordinal, expected, found->digest);
}

/* Of struct emit_records. */
static int read_record(void *context, uint64_t record, float *const *rows, bool *is_bad, struct error *err)
{
    const struct record_reader *reader = context;
    struct record_identity identity;
    struct error why = {0};
    int64_t label;

    *is_bad = feed_read(reader->feed, record, rows, &label, &identity, &why) != 0;
    if (*is_bad && why.code != EX_DATAERR) {
        *err = why;
        return -1;
    }
    return check_identity(reader->run, record, &identity, err);
}

int record_reader_init(struct record_reader *reader, const struct run *run, struct error *err)
{
    *reader = (struct record_reader){.records = {.n = dataset_count(run->dataset), .read = read_record}, .run = run};
    reader->records.context = reader;
    reader->feed = feed_create(run->dataset, run->inputs, run->graph->n_inputs, err);
    return reader->feed == NULL ? -1 : 0;
}

void record_reader_fini(struct record_reader *reader)
{
    feed_destroy(reader->feed);
}

/* ---- of what type */

static bool may_hold_reals(const struct dataset_request *all)
{
    const struct dataset_request *q = all->n_inputs > 0 ? &all->inputs[0].request : all;
    struct error ignored = {0};
    const struct record_kind *kind = q->kind == NULL ? NULL : record_kind_find(q->kind, &ignored);
    bool is_array = kind == NULL || ((kind->takes & DATASET_LAYOUT) != 0 && (kind->takes & DATASET_ORIENTATION) == 0);

    return is_array && (q->dtype == NULL || strcmp(q->dtype->name, "uint8") != 0);
}

int run_may_be_reals(const struct run *run, bool *may_be, struct error *err)
{
    struct dataset_cursor *cursor;
    struct record record = {0};
    struct error why = {.code = EX_DATAERR};

    *may_be = may_hold_reals(&run->request->dataset);
    if (run->dataset == NULL)
        return 0;
    if ((cursor = dataset_cursor_open(run->dataset, err)) == NULL)
        return -1;
    for (uint64_t i = 0; i < dataset_count(run->dataset) && why.code == EX_DATAERR; i++) {
        why = (struct error){0};
        if (dataset_read(cursor, i, &record, &why) == 0)
            *may_be = record.is_float;
    }
    record_fini(&record);
    dataset_cursor_close(cursor);
    if (why.code == 0 || why.code == EX_DATAERR)
        return 0;
    *err = why;
    return -1;
}
