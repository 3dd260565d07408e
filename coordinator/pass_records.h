/* pass_records.h — private to pass*.c: the records of a pass, known to one rank each, made known to all.
 */
#ifndef ETALON_PASS_RECORDS_H
#define ETALON_PASS_RECORDS_H

#include "coordinator/pass.h"

/* Collective. Each record was read by one rank at most; elsewhere its identity is 0. */
void pass_sum_identities(const struct comm *comm, struct record_identity *identities, uint64_t n);

/* Collective. The bad records of all ranks, in no order; owned by the caller, also after a failure. */
int pass_gather_bad(const struct comm *comm, const struct pass_result *result, struct bad_record **all, size_t *n,
                    struct error *err);

/* Collective, after the pass: identities and bad records of all ranks in every rank's result. EX_DATAERR: too many are
 * bad, or all. */
int pass_share_records(const struct comm *comm, const struct pass_request *request, struct pass_result *result,
                       struct error *err);

#endif
