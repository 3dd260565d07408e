/* fingerprint.h — what a result depends on, as two SHA-256: of the statistics, and of the decisions made from them.
 *
 * Never a path, an output folder, a number of threads or ranks. A changed target or method keeps the statistics.
 */
#ifndef ETALON_FINGERPRINT_H
#define ETALON_FINGERPRINT_H

#include "coordinator/run.h"

/* Local. `probe` is measure_probe's digest: it stands for the instruction set and the library. EX_NOINPUT, EX_IOERR. */
int fingerprint_statistics(const struct run_request *request, struct dataset *dataset, const char *probe, char hex[65],
                           struct error *err);
/* `evaluation` may be NULL (skipped). */
int fingerprint_decisions(const struct run_request *request, const char *statistics, struct dataset *evaluation,
                          char hex[65], struct error *err);

#endif
