/* dataset_verify.h — reads every record of a dataset on all ranks, and says what is wrong and what is there.
 *
 * Every figure is the same for any number of ranks.
 */
#ifndef ETALON_DATASET_VERIFY_H
#define ETALON_DATASET_VERIFY_H

#include "coordinator/comm.h"
#include "formats/record.h"

enum { VERIFY_MAX_TOLD = 100 }; /* bad records that are named; all are counted */

struct verify_options {
    struct dataset_request source;
    bool is_size_checked; /* every record must have the dims of the first one that can be read */
    uint64_t n_labels;    /* labels must be in 0..n_labels - 1; 0: any */
};

struct verify_range {
    int64_t min, max; /* min > max: nothing was seen */
};

struct verify_counts {
    uint64_t n_records, n_bad, n_floats, n_unlabelled;
    struct verify_range channels, height, width, label; /* of good records; labels of those that have one */
};

struct verify_result {
    struct verify_counts counts;
    char checksum[65]; /* SHA-256 over keys and contents in order; a staged copy has the same */
    size_t n_told;
    char (*told)[ERROR_TEXT_BYTES]; /* [n_told]: "<key>: <what is wrong>", in the order of records */
};

/* Collective. *result, {0} before, is complete on rank 0 only; freed by verify_result_fini in any case. Bad records are
 * no failure: they are in the result. EX_NOINPUT, EX_DATAERR (also: it changed meanwhile), EX_IOERR, EX_OSERR. */
int dataset_verify(const struct comm *comm, const struct verify_options *options, struct verify_result *result,
                   struct error *err);
void verify_result_fini(struct verify_result *result);

#endif
