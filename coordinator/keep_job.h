/* keep_job.h — what an archive keeps of a job.
 */
#ifndef ETALON_KEEP_JOB_H
#define ETALON_KEEP_JOB_H

#include "coordinator/run.h"

/* The request's text with the preprocessing that was done, whoever said it (the job, a preset, the model's data layer):
 * the same words for the same chain. Without it where a chain reads a file, for the text has no paths. To be freed with
 * free(); NULL with EX_OSERR. */
char *keep_job_text(const struct run_request *request, struct error *err);

#endif
