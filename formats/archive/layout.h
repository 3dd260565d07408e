/* layout.h — what lies where in archive.h5, told once for both directions.
 */
#ifndef ETALON_ARCHIVE_LAYOUT_H
#define ETALON_ARCHIVE_LAYOUT_H

#include "formats/archive.h"
#include "formats/archive/store.h"

/* Attributes of the root that are read before anything else is believed. */
struct archive_preamble {
    char format[32];
    uint32_t format_version;
    char etalon_version[32];
};
extern const char archive_format[]; /* what `format` says */
void archive_transfer_preamble(struct store *store, struct archive_preamble *preamble);

/* The whole content, in the order that defines its digest, as archive->version has it. Reading allocates what
 * archive_fini frees, also after a failure; values are believed only after the digest and archive_check. */
void archive_transfer(struct store *store, struct archive *archive);

/* Of it: what was counted beside histograms (layout_extras.c), and what was decided for targets (layout_targets.c). */
void archive_transfer_extras(struct store *store, struct archive *archive);
void archive_transfer_targets(struct store *store, struct archive *archive);

/* n histograms of equal bins, `stride` bytes apart from `first` on, as datasets of `group`. Reading initialises them.
 */
struct archive_series {
    char *first;
    size_t stride, n, bins;
};
void archive_transfer_series(struct store *store, hid_t group, const struct archive_series *series);
/* The histograms of an array, which must be n, as the group `name` below `parent` with their bins. Returns the array;
 * reading makes it. */
struct histogram *archive_transfer_histograms(struct store *store, hid_t parent, const char *name,
                                              struct histogram *histograms, size_t n);

/* The last attribute, which is about the others. */
void archive_transfer_digest(struct store *store, char hex[SHA256_HEX_BYTES]);

#endif
