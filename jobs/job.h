/* job.h — a job file: what INTERFACE calls job.yaml, read, checked and turned into a run_request.
 */
#ifndef ETALON_JOB_H
#define ETALON_JOB_H

#include "coordinator/run.h"

struct job;

/* Reads `path`, then applies sets[0..n_sets) ("calibration.bins=4096"). Relative paths in the file are relative to its
 * folder. EX_NOINPUT; EX_CONFIG "job.yaml: line 4, column 3: key "modle" does not exist; the nearest is "model"". */
struct job *job_read(const char *path, const char *const *sets, size_t n_sets, struct error *err);
/* The same with `defaults`, a map of a job's keys, where the file is silent. Borrowed as long as the job lives. */
struct yaml;
struct job *job_read_with(const char *path, const struct yaml *defaults, const char *const *sets, size_t n_sets,
                          struct error *err);
/* What `etalon emit` adds to an archive. Paths are relative to the working directory. */
struct emit_request {
    const char *model, *weights; /* weights may be NULL */
    const char *output;
    const char *const *sets; /* [n_sets]: keys of methods and targets only */
    size_t n_sets;
};
/* The job that an archive was made by, less its data, with the archive's bins; nothing in it is the archive's.
 * EX_USAGE: a key that statistics depend on; EX_DATAERR: an archive without a job. */
struct job *job_from_archive(const struct archive *archive, const struct emit_request *emit, struct error *err);
/* The dataset and preprocessing of `source`, which must outlive `job`. */
void job_take_data(struct job *job, const struct job *source);
void job_destroy(struct job *job); /* NULL is allowed */

/* What stands under `preprocess:`, given on the command line: "[{mean: 127.5}]", "{preset: vgg}". EX_CONFIG. */
int job_read_preprocess(const char *text, struct preprocess_plan *plan, struct error *err);

/* Borrowed from the job; the caller may change fields (force). */
struct run_request *job_request(struct job *job);

#endif
