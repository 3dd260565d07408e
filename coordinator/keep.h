/* keep.h — between a run and its archive: everything measured and decided, as archive.h5 holds it.
 */
#ifndef ETALON_KEEP_H
#define ETALON_KEEP_H

#include "coordinator/report.h"
#include "formats/archive.h"
#include "worker/observe.h"

/* Writes archive.h5 through output. Local (rank 0). */
int keep_archive(const struct report *report, const struct observation *observation, struct output *output,
                 struct error *err);

/* Statistics and records of an archive that was read; its targets move to *decisions (nothing else is set in it;
 * archive_fini), the rest stays for archive_fini. channel_bins 0: statistics of channels are left out. EX_DATAERR: the
 * graph has other values. */
int keep_take(struct archive *archive, const struct graph *graph, size_t bins, size_t channel_bins,
              struct observation **out, struct pass_result *records, struct archive *decisions, struct error *err);

/* What was done to the graph, or to the one beside it where archive->is_equalized_apart. `graph` is the user's. *out:
 * equalization_fini, after a failure too. EX_DATAERR. */
int keep_take_equalization(const struct archive *archive, const struct graph *graph, struct equalization *out,
                           struct error *err);

/* Reads the archive where its statistics fingerprint is `fingerprint`; *found tells: not where it is another's, or a
 * checkpoint, or does not exist. Local; every rank may call it. EX_DATAERR when the file is damaged. */
int keep_open(const char *path, const char *fingerprint, struct archive *archive, bool *found, struct error *err);

#endif
