/* merge.h — archives of disjoint records become one: what one run over all of them would have measured.
 *
 * Everything that is merged is an integer, so the result does not depend on machines or on how the records were split.
 * It is that of one run, bit for bit, where the archives are given in the records' order and every one but the last
 * holds whole blocks. Decisions are not merged, for they were made from a part: etalon emit makes them again.
 */
#ifndef ETALON_MERGE_H
#define ETALON_MERGE_H

#include "formats/archive.h"

struct merge_options {
    bool allows_repeats; /* records that are in several archives are counted as often */
};

/* *out, owned by the caller (archive_fini), has no targets; its job is that of the first archive. n >= 1: of one
 * archive its statistics alone. Holds the result and one of the archives at a time, and 40 bytes a record.
 *
 * EX_DATAERR, naming the file and what differs: another model, preprocessing, block, number of bins, instruction set,
 * fp32 bits or statistics of records; statistics that do not add up: of a run that has not ended, that may have ended
 * early, that took a second pass over its own range, of channels that were equalized in another way; a record that
 * another archive holds, by its place in both; a counter that would pass 2^63. EX_NOINPUT. */
int merge_archives(const char *const *paths, size_t n, const struct merge_options *options, struct archive *out,
                   struct error *err);

#endif
