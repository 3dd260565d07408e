/* job_private.h — a job while it is being made: from a file (job.c) or from an archive (job_text.c).
 */
#ifndef ETALON_JOB_PRIVATE_H
#define ETALON_JOB_PRIVATE_H

#include "jobs/job.h"
#include "jobs/schema.h"

struct job {
    struct arena *arena; /* the job itself lives in it */
    struct run_request request;
};

struct job *job_create(struct error *err); /* with defaults; job_destroy */
/* Applies sets to the tree and reads it; relative paths start at `folder`. EX_CONFIG. */
int job_fill(struct job *job, struct yaml *root, const char *folder, const char *const *sets, size_t n_sets,
             struct error *err);
/* What an archive keeps of the job: YAML that happens to be JSON. In the arena; NULL with EX_OSERR. */
const char *job_text(const struct yaml *root, struct arena *arena, struct error *err);

#endif
