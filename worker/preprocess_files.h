/* preprocess_files.h — the files that steps of preprocessing take values from, read once for all threads.
 */
#ifndef ETALON_PREPROCESS_FILES_H
#define ETALON_PREPROCESS_FILES_H

#include "common/error.h"
#include "common/memory.h"
#include "common/preprocess_plan.h"

/* Reads what the plan's steps name and is not read yet, into the arena. EX_NOINPUT, EX_DATAERR: naming the file; a mean
 * with NaN or infinity is refused. */
int preprocess_read_files(struct preprocess_plan *plan, struct arena *arena, struct error *err);

#endif
