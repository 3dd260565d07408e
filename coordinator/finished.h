/* finished.h — the output folder of a run that ended well: what its manifest says, and how it makes room for the next.
 * Rank 0 only.
 */
#ifndef ETALON_FINISHED_H
#define ETALON_FINISHED_H

#include "common/output.h"

enum finished { FINISHED_NOT, FINISHED_SAME, FINISHED_INCOMPLETE, FINISHED_SAME_STATISTICS, FINISHED_OTHER };

/* What a manifest in the folder says of these fingerprints (hex): there is none, the same job, the same of which files
 * are gone (a warning names the first), another one with the same statistics, quite another one. -1 with EX_DATAERR
 * when it is no manifest of ours. */
int finished_find(const char *folder, const char *statistics, const char *decisions, struct error *err);

/* What that run ended with, as its report says: EX_UNAVAILABLE with the error of the first target that failed. */
int finished_verdict(const char *folder, struct error *err);

struct finished_files; /* the names an earlier manifest listed */

/* Before the first file is replaced: removes the manifest, so that a folder with some old and some new files is never
 * taken for a finished one. *files (NULL: there was no manifest) is owned by the caller. */
int finished_withdraw(struct output *output, struct finished_files **files, struct error *err);
/* After the last file: removes what the earlier run listed and this one has not written, e.g. the files of a target
 * that is no longer asked for. */
int finished_sweep(const struct finished_files *files, struct output *output, struct error *err);
void finished_files_destroy(struct finished_files *files); /* NULL is allowed */

#endif
