/* measure_ranges.h — the second pass of `passes: two`: over ranges that are known, magnitudes in a vendor's own bins.
 */
#ifndef ETALON_MEASURE_RANGES_H
#define ETALON_MEASURE_RANGES_H

#include "coordinator/measure.h"

/* Collective. `observation` is that of the first pass, complete and the same on every rank; it gets its ranges.
 * Otherwise as measure_run: a checkpoint kept here holds the first pass too. */
int measure_ranges(const struct comm *comm, const struct pass_request *request, struct observation *observation,
                   struct checkpoint *checkpoint, struct pass_result *records, struct error *err);

#endif
