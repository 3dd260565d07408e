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

/* Statistics and records of an archive that was read; its targets and equalization move to *decisions (nothing else is
 * set in it; archive_fini), the rest stays for archive_fini. channel_bins 0: statistics of channels are left out.
 * EX_DATAERR: the graph has other values. */
int keep_take(struct archive *archive, const struct graph *graph, size_t bins, size_t channel_bins,
              struct observation **out, struct pass_result *records, struct archive *decisions, struct error *err);

/* What was done to the graph before the observation's statistics were taken, from *decisions of keep_take. */
int keep_take_equalization(const struct archive *decisions, const struct observation *observation,
                           struct equalization *out, struct error *err);

/* keep_take of a file, when its statistics fingerprint is `fingerprint`; *out NULL (and 0) when it is another's or does
 * not exist. Local; every rank may call it. EX_DATAERR when the file is damaged. */
int keep_load(const char *path, const struct graph *graph, const char *fingerprint, size_t bins, size_t channel_bins,
              struct observation **out, struct pass_result *records, struct archive *decisions, struct error *err);

#endif
