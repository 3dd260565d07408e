/* keep_private.h — what keep.c and keep_checkpoint.c share: parts of an archive from what was measured, and back.
 */
#ifndef ETALON_KEEP_PRIVATE_H
#define ETALON_KEEP_PRIVATE_H

#include "coordinator/keep.h"

/* The attributes that every archive has. */
struct archive keep_begin(const struct run_request *request, const char *statistics, const char *decisions);

/* Lend the observation's histograms to the archive; index[v], [n_values], becomes value v's row in it. Of parts,
 * keep_free_parts frees the lists alone. EX_OSERR. */
int keep_list_values(const struct observation *observation, struct archive *archive, uint32_t *index,
                     struct error *err);
int keep_list_parts(const struct observation *observation, struct archive *archive, struct error *err);
void keep_free_parts(struct archive *archive);
/* Lends the identities; archive->bad is the caller's to free. EX_OSERR. */
int keep_list_records(struct record_identity *identities, uint64_t n_records, const struct bad_record *bad,
                      size_t n_bad, struct archive *archive, struct error *err);

/* The archive's statistics into the observation, which is of the same values. EX_DATAERR: it is not. */
int keep_take_statistics(struct observation *observation, const struct archive *archive, struct error *err);
/* EX_OSERR. Both are the caller's, also after a failure. */
int keep_copy_records(const struct archive *archive, struct record_identity **identities, struct bad_record **bad,
                      struct error *err);

#endif
