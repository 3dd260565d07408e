/* merge_overlap.h — records that are in several archives, which would be counted twice.
 */
#ifndef ETALON_MERGE_OVERLAP_H
#define ETALON_MERGE_OVERLAP_H

#include "formats/record.h"

struct merge_sources {
    size_t n;
    const char *const *paths;     /* [n] */
    const uint64_t *first_record; /* [n + 1]: archive i holds records [first_record[i], first_record[i + 1]) */
};

/* records: of all archives, one after the other. A record is the same where key and bytes are, or the bytes of records
 * without a key of their own; those that were not looked at or could not be read are none. The same bytes under another
 * key are another record, as in one run over all: a warning tells how many. EX_DATAERR: records of several archives are
 * the same, unless that is allowed; the first is named by its places. EX_OSERR. */
int merge_check_overlap(const struct merge_sources *sources, const struct record_identity *records, bool is_allowed,
                        struct error *err);

#endif
