/* preprocess_text.h — a preprocessing chain in the words of the job file.
 */
#ifndef ETALON_PREPROCESS_TEXT_H
#define ETALON_PREPROCESS_TEXT_H

#include "common/preprocess_plan.h"

#include <stdio.h>

const char *preprocess_step_name(enum step_kind kind); /* the job file's key */

/* What is printed can stand in a job file under `preprocess:`, and means the same bits there: a step a line, each
 * behind `indent`; or all of them in one line. */
void preprocess_print(const struct preprocess_plan *plan, const char *indent, FILE *out);
void preprocess_print_flow(const struct preprocess_plan *plan, FILE *out);
/* The same, a step a line, but with the digest of what a file holds in the place of its path: equal texts are equal
 * chains. For fingerprints; the plan's files have been read. */
void preprocess_print_identity(const struct preprocess_plan *plan, FILE *out);

#endif
