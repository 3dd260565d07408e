/* fingerprint.h — what a result depends on, as SHA-256: of the model, of the statistics, of what each target decides
 * from them, and of the whole.
 *
 * Never a path, an output folder, a number of threads or ranks. A changed target or method keeps the statistics.
 */
#ifndef ETALON_FINGERPRINT_H
#define ETALON_FINGERPRINT_H

#include "coordinator/run.h"

/* Local. The model's files and what the job asks of its graph. EX_NOINPUT, EX_IOERR. */
int fingerprint_model(const struct run_request *request, char hex[65], struct error *err);
/* Local. All that statistics depend on besides the records: statistics of one measurement can be added up. `model` is
 * fingerprint_model's, `probe` is measure_probe's digest: it stands for the instruction set and the library. EX_OSERR.
 */
int fingerprint_measurement(const struct run_request *request, const char *model, const struct dataset *dataset,
                            const char *probe, char hex[65], struct error *err);
/* `dataset` is dataset_fingerprint's. EX_OSERR. */
int fingerprint_statistics(const char *measurement, const char *dataset, char hex[65], struct error *err);
/* One target's decisions; is_equalized_apart: about an equalized network beside the one that was measured (apart.h);
 * rounds_by_output: run_rounds_by_output, or what an archive may have taken `rounding: auto` for. Not the program's
 * version: what was decided stays decided. */
int fingerprint_target(const struct run_request *request, const char *statistics, const struct target *target,
                       bool is_equalized_apart, bool rounds_by_output, char hex[65], struct error *err);
/* Everything, the program's version too. `evaluation` may be NULL (skipped). Without records, targets that ship some
 * lack them. */
int fingerprint_decisions(const struct run_request *request, const char *statistics, struct dataset *evaluation,
                          bool has_records, char hex[65], struct error *err);

#endif
